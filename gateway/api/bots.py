"""``/api/v1/bots``."""

from __future__ import annotations

from pydantic import RootModel

from gateway.admin.access import Permission
from gateway.admin.bots import Bots, BotView
from gateway.admin.manifests import Manifest
from gateway.admin.paging import Page, paged
from gateway.api.endpoint import Answer, Ask, Endpoint, PageQuery, Subject
from gateway.api.patches import document_of, patch_of
from gateway.bot_settings import StoredLarkBot, StoredSlackBot
from gateway.documents import JsonObject

_SECRETS = (
    "Credentials may be given literally, if the gateway has a secrets_key, or as env:NAME or file:PATH."
)


NewSlackBot = document_of(StoredSlackBot)
NewLarkBot = document_of(StoredLarkBot)


class NewBot(RootModel[NewSlackBot | NewLarkBot]):  # type: ignore[valid-type]  # made of the bots' own models
    """A bot as in the configuration file. Without all of its credentials it is a draft."""


SlackBotPatch = patch_of(StoredSlackBot, "id", "channel")
LarkBotPatch = patch_of(StoredLarkBot, "id", "channel")


class BotPatch(RootModel[SlackBotPatch | LarkBotPatch]):  # type: ignore[valid-type]  # made of the bots' own models
    """What is to change (RFC 7396): what is left out stays, null takes away."""


def subject(bots: Bots) -> Subject:
    async def listed(ask: Ask[PageQuery, None]) -> Answer:
        seen = await bots.list(ask.who)
        return Answer(paged("bots", seen, lambda bot: (bot.id,), ask.query.cursor, ask.query.limit))

    async def created(ask: Ask[None, JsonObject]) -> Answer:
        bot = await bots.create(ask.who, ask.body)
        return Answer(bot, bot.version, f"/bots/{bot.id}")

    async def shown(ask: Ask[None, None]) -> Answer:
        bot = await bots.get(ask.who, ask.path["id"])
        return Answer(bot, bot.version)

    async def changed(ask: Ask[None, JsonObject]) -> Answer:
        bot = await bots.change(ask.who, ask.path["id"], ask.body, ask.version)
        return Answer(bot, bot.version)

    async def removed(ask: Ask[None, None]) -> Answer:
        await bots.remove(ask.who, ask.path["id"], ask.version)
        return Answer()

    async def described(ask: Ask[None, None]) -> Answer:
        return Answer(await bots.manifest(ask.who, ask.path["id"]))

    return Subject(
        "bots",
        "Bots: those of the configuration file, which are read-only here, and those that were made here.",
        (
            Endpoint(
                "listBots",
                "GET",
                "/bots",
                listed,
                "The bots that the token is for, by id",
                needs=Permission.READ,
                query=PageQuery,
                answers=Page[BotView],
            ),
            Endpoint(
                "createBot",
                "POST",
                "/bots",
                created,
                "Make a bot",
                needs=Permission.CONFIGURE,
                description=_SECRETS,
                takes=NewBot,
                raw=True,
                answers=BotView,
                status=201,
                versioned=True,
            ),
            Endpoint(
                "getBot",
                "GET",
                "/bots/{id}",
                shown,
                "A bot; of its credentials only whether they are set",
                needs=Permission.READ,
                answers=BotView,
                versioned=True,
            ),
            Endpoint(
                "changeBot",
                "PATCH",
                "/bots/{id}",
                changed,
                "Change a bot; in force within 2 seconds everywhere, without dropping a reply",
                needs=Permission.CONFIGURE,
                description=_SECRETS,
                takes=BotPatch,
                raw=True,
                answers=BotView,
                guarded=True,
                versioned=True,
                problems=frozenset({409}),
            ),
            Endpoint(
                "removeBot",
                "DELETE",
                "/bots/{id}",
                removed,
                "Remove a bot; what waits for it is answered with a notice",
                needs=Permission.CONFIGURE,
                guarded=True,
                problems=frozenset({409}),
            ),
            Endpoint(
                "getManifest",
                "GET",
                "/bots/{id}/manifest",
                described,
                "What to set at the platform",
                needs=Permission.READ,
                answers=Manifest,
            ),
        ),
    )
