"""One Lark or Feishu bot: webhooks in, answers out.

A webhook is answered by two questions: is it authentic, and is it understood. Authentic and not understood is
ignored, as an error would hold back the events behind it; not authentic is 401, and 400 if it is not even JSON.
"""

from __future__ import annotations

import asyncio

import aiohttp
import orjson
from pydantic import ValidationError

from channels.lark.api import LarkApi
from channels.lark.buttons import toast
from channels.lark.controls import Doings
from channels.lark.direct import ChatBook, DirectChats
from channels.lark.enclosures import LarkEnclosures
from channels.lark.events import (
    MESSAGE_RECALLED,
    MESSAGE_RECEIVED,
    URL_VERIFICATION,
    Envelope,
    Header,
    MessageRecalled,
    MessageReceived,
    Probe,
    read_header,
)
from channels.lark.long_connection import LongConnection
from channels.lark.manifest import INCLUDED_IN, SCOPES
from channels.lark.normalise import CHANNEL, normalise, taken_back
from channels.lark.outbound import LarkOutbound
from channels.lark.probe import challenge_probe, message_probe
from channels.lark.source import LarkSource
from channels.lark.store_app import StoreApp
from channels.lark.verify import LarkCredentials, Opened, Verifier
from channels.port import MOST_SEEN, PROBE_TENANT, ChannelPolicy, Finding, Named, Transport
from channels.received import Challenge, Ignored, Received, Rejected, WebhookRequest
from channels.watch import UNWATCHED, PlatformWatch
from conversation.clock import Clock, SystemClock
from conversation.enclosures import Enclosures
from conversation.keys import ConversationKey
from conversation.messages import Address, stable_id
from conversation.outbound import DeliveryError, Outbound
from conversation.source import Source
from conversation.stores.permits import Permits

FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
"""Seconds between attempts to learn who the bot is."""

_MESSAGE = "om_"
"""How the ids of messages begin; those of threads begin with omt_."""

_UNDERSTOOD = frozenset({MESSAGE_RECEIVED, MESSAGE_RECALLED})


class LarkChannel:
    """See channels.port.Channel. Without an app's id and secret it is a draft, which answers URL verification only:
    with the other two credentials also where that is encrypted.
    """

    def __init__(
        self,
        bot: str,
        credentials: LarkCredentials | None,
        *,
        http: aiohttp.ClientSession,
        policy: ChannelPolicy = ChannelPolicy(),  # noqa: B008 -- frozen
        api_base_url: str = "https://open.feishu.cn",
        permits: Permits | None = None,
        watch: PlatformWatch = UNWATCHED,
        chats: ChatBook | None = None,
        clock: Clock | None = None,
        long_connection: bool = False,
        store: StoreApp | None = None,
    ) -> None:
        """``permits`` are shared with other processes; bots of one app have one budget there. ``chats``: where it is
        kept which chat is whose direct message.

        Raises ValueError if the credentials hold nothing by which an event could be authenticated.
        """
        self._bot = bot
        self._policy = policy
        self._verifier = None if credentials is None else Verifier(credentials)
        self._credentials = (
            credentials if credentials and credentials.app_id and credentials.app_secret else None
        )
        self._app_id = "" if credentials is None else credentials.app_id
        self._api = LarkApi(http, api_base_url, self._credentials, permits, watch)
        self._outbound = LarkOutbound(self._api, stream=policy.stream)
        self._enclosures = LarkEnclosures(self._api)
        self._source = LarkSource(self._api, self._app_id, self._outbound.known)
        self._store = store
        self._connection: LongConnection | None = None
        if long_connection and self._credentials is not None and self._verifier is not None:
            self._connection = LongConnection(
                bot, self._credentials, self._verifier, api_base_url, clock or SystemClock()
            )
        self._direct = DirectChats(bot, chats)
        self._doings = Doings(bot, policy, self._direct)
        self._own_id: str | None = None
        self._seen: set[str] = set()
        self._learning: asyncio.Task[None] | None = None

    @property
    def outbound(self) -> Outbound:
        return self._outbound if self._store is None else self._store.outbound

    @property
    def enclosures(self) -> Enclosures:
        return self._enclosures if self._store is None else self._store.enclosures

    @property
    def source(self) -> Source:
        return self._source if self._store is None else self._store.source

    def receive(self, request: WebhookRequest) -> Received:  # noqa: PLR0911 -- one for each answer
        if self._verifier is None:
            return _draft(request.body)
        opened = self._verifier.open(request)
        if not isinstance(opened, Opened):
            return opened
        if self._credentials is None:
            return _draft(opened.payload)
        try:
            envelope = Envelope.model_validate_json(opened.payload)
        except ValidationError:
            return self._without_message(self._verifier, opened, request)
        header = envelope.header
        if not self._verifier.is_authentic(opened, header.token):
            return Rejected(401, opened.flaw or "not_authentic")
        if header.app_id != self._app_id:
            return Ignored("other_app")
        if header.tenant_key != PROBE_TENANT:
            self._note(header.event_type)
        match envelope.event:
            case MessageReceived() as event if header.event_type == MESSAGE_RECEIVED:
                self._learn_chat(header, event)
                return normalise(header, event, bot=self._bot, own_id=self._own(header), policy=self._policy)
            case MessageRecalled() as event if header.event_type == MESSAGE_RECALLED:
                return taken_back(event, bot=self._bot)
            case _:
                return self._of_another_kind(header, opened, request)

    async def start(self) -> None:
        if self._credentials is not None and self._learning is None and self._store is None:
            self._learning = asyncio.create_task(self._learn_own_id(), name=f"lark-identity-{self._bot}")

    @property
    def installer(self) -> None:
        """An app of the store is installed from there."""
        return

    @property
    def transport(self) -> Transport | None:
        return self._connection

    async def check(self) -> tuple[Finding, ...]:
        if self._credentials is None:
            return (Finding("credentials", ok=False, detail="none: the bot is a draft"),)
        if self._store is not None:
            return (await self._store.check(),)
        try:
            await self._api.check_token()
        except DeliveryError as error:
            return (Finding("credentials", ok=False, detail=str(error)),)
        accepted = Finding("credentials", ok=True, detail=f"{self._app_id} is accepted")
        try:
            bot = await self._api.bot()
        except DeliveryError as error:
            return accepted, Finding("bot", ok=False, detail=f"{error}; is the bot ability on?")
        self._own_id = bot.open_id
        known = accepted, Finding("bot", ok=True, detail=f"{bot.app_name} ({bot.open_id})")
        return known if self._connection is None else (*known, self._connection.check())

    async def close(self) -> None:
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.wait((self._learning,))
        await self._direct.close()
        if self._store is not None:
            await self._store.close()
        await self._source.close()
        await self._api.close()

    def toast(self, text: str) -> bytes:
        return toast(text)

    def address_of(self, key: ConversationKey, now: float) -> Address:  # noqa: ARG002 -- the port's signature
        """A conversation that is named by its first message is answered under that. The platform takes no new message
        into a thread but as an answer to one of its messages: where none is known, it stands in the chat.
        """
        first = key.thread if key.thread.startswith(_MESSAGE) else ""
        return Address(key.chat, first, "", key.sender, key.tenant)

    async def named(self, link: str) -> Named | None:
        """The platform's links are opaque: a message is named by its id."""
        id = link.strip()
        if self._credentials is None or not id.startswith(_MESSAGE) or not id.isascii() or " " in id:
            return None
        return Named(stable_id(CHANNEL, self._bot, id))

    @property
    def seen_events(self) -> frozenset[str]:
        return frozenset(self._seen)

    @property
    def held_back(self) -> float:
        return self._api.held_back if self._store is None else self._store.held_back

    async def missing_scopes(self) -> tuple[str, ...] | None:
        if self._credentials is None or self._store is not None:
            return None
        granted = await self._api.scopes()
        if granted is None:
            return None
        return tuple(
            need.name
            for need in SCOPES
            if not need.optional and granted.isdisjoint({need.name, *INCLUDED_IN.get(need.name, ())})
        )

    def probe(self, text: str, now: float) -> WebhookRequest | None:
        if self._verifier is None or self._credentials is None:
            return None
        return message_probe(self._verifier, self._credentials, text, now)

    def challenge_probe(self, challenge: str, now: float) -> WebhookRequest | None:
        if self._verifier is None or self._credentials is None:
            return None
        return challenge_probe(self._verifier, self._credentials, challenge, now)

    def _own(self, header: Header) -> str | None:
        if self._store is None or header.tenant_key == PROBE_TENANT:
            return self._own_id
        return self._store.own_id(header.tenant_key)

    def _note(self, event_type: str) -> None:
        if event_type and len(self._seen) < MOST_SEEN:
            self._seen.add(event_type[:80])

    def _without_message(  # noqa: PLR0911 -- one for each answer
        self, verifier: Verifier, opened: Opened, request: WebhookRequest
    ) -> Received:
        """What is no message event: URL verification, other events, and things that make no sense."""
        try:
            probe = Probe.model_validate_json(opened.payload)
        except ValidationError:
            if verifier.is_authentic(opened, None):
                return Ignored("malformed")
            return Rejected(401 if _is_json(request.body) else 400, opened.flaw or "not_authentic")
        token = probe.any_token()
        if probe.type == URL_VERIFICATION and isinstance(probe.challenge, str):
            if verifier.may_challenge(opened, token or ""):
                return _challenge(probe.challenge)
            return Rejected(401, "wrong_token")
        if not verifier.is_authentic(opened, token):
            return Rejected(401, opened.flaw or "not_authentic")
        header = read_header(opened.payload)
        if header is None:
            if not probe.is_other_event():
                return Ignored("malformed")
            self._note(probe.event_type())
            return Ignored("unsupported_event")
        if header.app_id and header.app_id != self._app_id:
            return Ignored("other_app")
        if header.tenant_key != PROBE_TENANT:
            self._note(header.event_type)
        return self._of_another_kind(header, opened, request)

    def _of_another_kind(self, header: Header, opened: Opened, request: WebhookRequest) -> Received:
        """An authentic event that is not about a message."""
        kept = None if self._store is None else self._store.received(opened.payload)
        if kept is not None:
            return kept
        if header.event_type in _UNDERSTOOD:
            return Ignored("malformed")
        return self._doings.read(header, opened.payload, request.now)

    def _learn_chat(self, header: Header, event: MessageReceived) -> None:
        sender, message = event.sender.sender_id, event.message
        if message.chat_type == "p2p" and sender and sender.open_id and header.tenant_key != PROBE_TENANT:
            self._direct.learn(sender.open_id, message.chat_id)

    async def _learn_own_id(self) -> None:
        delay = FIRST_RETRY
        while self._own_id is None:
            try:
                self._own_id = (await self._api.bot()).open_id
            except DeliveryError:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_RETRY)


def _draft(payload: bytes) -> Received:
    try:
        probe = Probe.model_validate_json(payload)
    except ValidationError:
        return Rejected(401, "draft")
    if probe.type == URL_VERIFICATION and isinstance(probe.challenge, str):
        return _challenge(probe.challenge)
    return Rejected(401, "draft")


def _challenge(challenge: str) -> Challenge:
    return Challenge(orjson.dumps({"challenge": challenge}))


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True
