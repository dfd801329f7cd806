"""The bots, as an admin sees and changes them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from conversation.stores.records import Record
from gateway import documents
from gateway.admin.access import Permission, Principal
from gateway.admin.errors import FieldProblem, InvalidError, NotAllowedError, UnknownError
from gateway.admin.manifests import MakeManifest, Manifest
from gateway.admin.stored import Stored
from gateway.bot_settings import AnyBot, AppType, BotOptions, LarkTransport, SlackTransport, StoredBot
from gateway.documents import JsonObject, SecretView, view_of
from gateway.hosting import Hosting
from gateway.secret import is_reference

State = Literal["draft", "disabled", "ready", "faulty"]


class BotSettings(BotOptions):
    """What may be set besides; times in seconds. ``region`` and ``app_type`` are for Lark alone."""

    region: Literal["feishu", "lark"] | None = None
    app_type: AppType | None = None
    transport: SlackTransport | LarkTransport = "webhook"
    max_age: float = 1800.0


class BotView(BaseModel):
    """``state``: a ``draft`` lacks credentials, and admits nothing; of a ``faulty`` one ``problem`` tells why.
    ``provisioned``: it stands in the configuration file, and is read-only; its version is 0. Its ``problem`` is a
    stored bot of the same id, which is not in force.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    channel: Literal["slack", "lark"]
    agent: str
    enabled: bool
    state: State
    problem: str | None
    provisioned: bool
    version: int
    webhook_url: str
    credentials: dict[str, SecretView]
    settings: BotSettings


class Bots:
    """``public_url`` is the gateway's address on the web, without a slash at its end; empty if it is not known."""

    def __init__(
        self, hosting: Hosting, stored: Stored[StoredBot], public_url: str, make_manifest: MakeManifest
    ) -> None:
        self._make_manifest = make_manifest
        self._hosting = hosting
        self._stored = stored
        self._public_url = public_url

    async def list(self, who: Principal) -> tuple[BotView, ...]:
        """Those that this principal sees, by id."""
        who.check(Permission.READ)
        views = [self._provisioned(id) for id in self._hosting.provisioned.bots]
        views += [self._view(record) for record in await self._stored.all()]
        return tuple(sorted((one for one in views if who.sees(one.id)), key=lambda one: one.id))

    async def get(self, who: Principal, id: str) -> BotView:
        """Raises UnknownError."""
        self._seen(who, id)
        if id in self._hosting.provisioned.bots:
            return self._provisioned(id)
        return self._view(await self._stored.get(id))

    async def create(self, who: Principal, document: JsonObject) -> BotView:
        """``document`` as a bot in the configuration file; credentials may come later. Raises InvalidError and
        ConflictError.
        """
        who.check(Permission.CONFIGURE)
        await self._check_agent(document)
        return self._view(await self._stored.create(who, document))

    async def change(self, who: Principal, id: str, patch: JsonObject, version: int | None) -> BotView:
        """``patch`` is a merge patch (RFC 7396): what it leaves out stays, None takes away. Raises UnknownError,
        ConflictError, StaleError and InvalidError.
        """
        self._seen(who, id)
        who.check(Permission.CONFIGURE, id)
        _check_references(who, patch)
        await self._check_agent(patch)
        return self._view(await self._stored.change(who, id, patch, version))

    async def remove(self, who: Principal, id: str, version: int | None) -> None:
        """What waits for it is answered with a notice, and its installations are forgotten. Raises UnknownError,
        ConflictError and StaleError.
        """
        self._seen(who, id)
        who.check(Permission.CONFIGURE, id)
        hosted = next((one for (_, known), one in self._hosting.routes.items() if known == id), None)
        await self._stored.remove(who, id, version)
        installer = None if hosted is None else hosted.channel.installer
        if installer is not None:
            for one in await installer.installations():
                await installer.forget(one.place)

    async def manifest(self, who: Principal, id: str) -> Manifest:
        """What to set at the platform; of a draft too. Raises UnknownError."""
        bot = await self.get(who, id)
        given = {name for name, one in bot.credentials.items() if one.set}
        return self._make_manifest(
            bot.channel,
            id,
            bot.settings.region or "feishu",
            bot.webhook_url,
            several="client_id" in given if given else None,
            socket=bot.settings.transport == "socket",
        )

    def webhook_url(self, channel: str, id: str) -> str:
        return f"{self._public_url}/webhooks/{channel}/{id}"

    def _seen(self, who: Principal, id: str) -> None:
        if not who.sees(id):
            raise UnknownError(f"there is no bot {id!r}")
        who.check(Permission.READ, id)

    async def _check_agent(self, document: JsonObject) -> None:
        agent = document.get("agent")
        if not isinstance(agent, str):
            return
        if agent not in self._hosting.agents:  # another replica may have made it a moment ago
            await self._hosting.refresh()
        if agent not in self._hosting.agents:
            known = ", ".join(sorted(self._hosting.agents)) or "none: create one first"
            raise InvalidError([FieldProblem("agent", f"there is no agent {agent!r}; there are {known}")])

    def _provisioned(self, id: str) -> BotView:
        settings = self._hosting.provisioned.bots[id]
        given = settings.complete
        credentials = {
            name: view_of(getattr(given, name) if given else None) for name in _credentials(settings.channel)
        }
        return self._described(settings, credentials, 0, self._hosting.problems.get(("bot", id)))

    def _view(self, record: Record) -> BotView:
        credentials = self._stored.secrets(record)
        problem = self._hosting.problems.get(("bot", record.id))
        try:
            settings = self._stored.settings(record)
        except InvalidError as error:
            return self._unreadable(record, credentials, problem or str(error))
        return self._described(settings, credentials, record.version, problem)

    def _unreadable(self, record: Record, credentials: dict[str, SecretView], problem: str) -> BotView:
        document = self._stored.written(record)
        channel: Literal["slack", "lark"] = "lark" if document.get("channel") == "lark" else "slack"
        return BotView(
            id=record.id,
            channel=channel,
            agent=str(document.get("agent", "")),
            enabled=document.get("enabled") is not False,
            state="faulty",
            problem=problem,
            provisioned=False,
            version=record.version,
            webhook_url=self.webhook_url(channel, record.id),
            credentials={
                name: credentials.get(name, SecretView(set=False)) for name in _credentials(channel)
            },
            settings=BotSettings(),
        )

    def _described(
        self, settings: AnyBot, credentials: dict[str, SecretView], version: int, problem: str | None
    ) -> BotView:
        state: State = "ready"
        if problem is not None and version:
            state = "faulty"
        elif settings.complete is None:
            state = "draft"
        elif not settings.enabled:
            state = "disabled"
        wanted = settings.model_dump(include=set(BotSettings.model_fields))
        return BotView(
            id=settings.id,
            channel=settings.channel,
            agent=settings.agent,
            enabled=settings.enabled,
            state=state,
            problem=problem,
            provisioned=version == 0,
            version=version,
            webhook_url=self.webhook_url(settings.channel, settings.id),
            credentials=credentials,
            settings=BotSettings.model_validate(wanted),
        )


def _credentials(channel: Literal["slack", "lark"]) -> tuple[str, ...]:
    """The names of all that a bot of this channel may have."""
    return tuple(str(path[-1]) for path in documents.BOTS.secrets[channel])


def _check_references(who: Principal, patch: JsonObject) -> None:
    """With one, and an ``api_base_url`` of its own, an admin of one bot could have the gateway's own secrets sent to
    themselves.
    """
    credentials = patch.get("credentials")
    written = credentials.values() if isinstance(credentials, dict) else ()
    if who.bots is not None and any(isinstance(one, str) and is_reference(one) for one in written):
        raise NotAllowedError(
            f"{who.name} is for some bots and may not write env:NAME or file:PATH, which could name anything of the"
            " gateway's; enter the secret itself, or use a token for all bots"
        )
