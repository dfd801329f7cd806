"""``channels.port.Channel`` for one Slack bot: webhooks in, answers out.

What arrives is decided by two questions. Authentic and understood: processed. Authentic and not understood:
ignored, as an error would make Slack hold back the events behind it. Not authentic: 401, or 400 where it is not
even a request such as Slack sends. A bot without credentials is a draft, which answers URL verification only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp
import orjson
from pydantic import ValidationError

from channels.downloads import Downloads
from channels.installing import Installer
from channels.leased import Budget, nameless
from channels.port import MOST_SEEN, PROBE_TENANT, ChannelPolicy, Finding, Named, Transport
from channels.received import Challenge, Ignored, Received, Rejected, Revoked, WebhookRequest
from channels.slack.enclosures import SlackEnclosures
from channels.slack.events import Envelope, is_form, subscription
from channels.slack.files import HOSTS
from channels.slack.install.lifecycle import home_of
from channels.slack.install.workspaces import Workspaces
from channels.slack.keys import conversation_key, is_direct
from channels.slack.links import read_link
from channels.slack.manifest import SCOPES
from channels.slack.normalise import normalise, turn_of
from channels.slack.outbound import SlackOutbound
from channels.slack.probe import challenge_probe, message_probe
from channels.slack.slash import CLOCKS_APART, read_form
from channels.slack.socket import SocketMode
from channels.slack.source import SlackSource
from channels.slack.verify import Verifier
from channels.slack.web_api import WebApi
from channels.watch import UNWATCHED, PlatformWatch
from conversation.clock import Clock, SystemClock
from conversation.enclosures import Enclosures
from conversation.keys import ConversationKey
from conversation.messages import Address
from conversation.outbound import DeliveryError, Outbound
from conversation.source import Source
from conversation.stores.permits import Permits

API_BASE_URL = "https://slack.com/api/"


@dataclass(frozen=True, slots=True)
class SlackCredentials:
    """Of one app, in one workspace or (then with ``client_id`` and ``client_secret``) in several; never shown.

    With ``app_token`` its events come by Socket Mode.
    """

    signing_secret: str = field(repr=False)
    bot_token: str = field(default="", repr=False)
    app_token: str = field(default="", repr=False)
    client_id: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)


class SlackChannel:
    def __init__(
        self,
        bot: str,
        credentials: SlackCredentials | None,
        *,
        http: aiohttp.ClientSession,
        policy: ChannelPolicy = ChannelPolicy(),  # noqa: B008 - frozen
        api_base_url: str = API_BASE_URL,
        permits: Permits | None = None,
        clock: Clock | None = None,
        watch: PlatformWatch = UNWATCHED,
        several: Workspaces | None = None,
    ) -> None:
        """``permits`` are shared with other processes; bots of one token have one budget there. ``several``: the
        workspaces in which the app is, instead of the one of ``bot_token``.
        """
        self._bot = bot
        self._policy = policy
        self._watch = watch
        self._verifier = None if credentials is None else Verifier(credentials.signing_secret)
        self._seen: set[str] = set()
        token = "" if credentials is None else credentials.bot_token
        self._api = WebApi(token, http, api_base_url, watch)
        self._socket: SocketMode | None = None
        if credentials is not None and self._verifier is not None and credentials.app_token:
            self._socket = SocketMode(
                bot, credentials.app_token, self._verifier, http, api_base_url, clock or SystemClock()
            )
        self._several = several
        self._own = SlackOutbound(self._api, policy, Budget(f"slack:{nameless(token)}", permits, watch))
        self._downloads = Downloads(HOSTS, api_base_url)
        self._enclosures = SlackEnclosures(self._api, self._own.limits, self._downloads)
        self._source = SlackSource(self._api, self._own.limits, self._downloads, self._own.known)

    @property
    def outbound(self) -> Outbound:
        """Of a draft: Slack refuses each of its calls."""
        return self._own if self._several is None else self._several.outbound

    @property
    def installer(self) -> Installer | None:
        return None if self._several is None else self._several.installer

    def receive(self, request: WebhookRequest) -> Received:
        if self._verifier is None:
            return self._receive_as_draft(request.body)
        if not self._verifier.authentic(request.headers, request.body, request.now):
            return Rejected(401, "signature") if _is_readable(request.body) else Rejected(400, "unreadable")
        envelope = _parse(request.body)
        if envelope is None:
            return self._receive_form(request)
        match envelope.type:
            case "event_callback":
                self._note(envelope)
                return self._receive_event(envelope, request)
            case "url_verification":
                return _challenge(envelope) or Ignored("malformed")
            case other:
                return Ignored(other if other == "app_rate_limited" else "unsupported_event")

    def _receive_event(self, envelope: Envelope, request: WebhookRequest) -> Received:
        api = self._api
        if self._several is not None and envelope.team_id != PROBE_TENANT:
            home = home_of(request.body)
            if home is None:
                return Ignored("malformed")
            ended = self._several.seen(home, request.now)
            if ended is not None:
                return ended
            api = self._several.api(home.team)
            envelope = envelope.model_copy(update={"team_id": home.team})
        own = None if api.identity is None else api.identity.user_id
        received = normalise(envelope, bot=self._bot, policy=self._policy, bot_user=own)
        if isinstance(received, Revoked) and self._several is None:
            self._watch.revoked()
        return received

    async def start(self) -> None:
        """Nothing to do: who the bot is comes with its events, or is asked when it is needed."""

    @property
    def transport(self) -> Transport | None:
        return self._socket

    async def check(self) -> tuple[Finding, ...]:
        subject = "credentials"
        if self._verifier is None:
            return (Finding(subject, ok=False, detail="no credentials: the bot is a draft"),)
        if self._several is not None:
            found = await self._several.check()
            return found if self._socket is None else (*found, await self._socket.check())
        try:
            who = await self._api.ask_identity()
        except DeliveryError as error:
            return (Finding(subject, ok=False, detail=str(error)),)
        known = Finding(
            subject, ok=True, detail=f"{who.user or who.user_id} in {who.team or 'its workspace'}"
        )
        return (known,) if self._socket is None else (known, await self._socket.check())

    @property
    def enclosures(self) -> Enclosures:
        return self._enclosures if self._several is None else self._several.enclosures

    @property
    def source(self) -> Source:
        return self._source if self._several is None else self._several.source

    async def close(self) -> None:
        """The HTTP session is its owner's."""
        if self._several is not None:
            await self._several.close()
        await self._source.close()
        await self._downloads.close()

    def toast(self, text: str) -> None:  # noqa: ARG002 - the port's signature
        """Slack shows no answer to a click."""
        return

    def address_of(self, key: ConversationKey, now: float) -> Address:
        """As if it answered a message of a moment ago: from there on what was sent is looked for."""
        return Address(key.chat, f"{now - CLOCKS_APART:.6f}", key.thread, key.sender, key.tenant)

    async def named(self, link: str) -> Named | None:
        """A link does not tell its workspace: the bot's own is meant, if it is in one."""
        place = read_link(link)
        if place is None or self._verifier is None or self._several is not None:
            return None
        tenant = (await self._api.whoami()).team_id
        thread = place.thread or ("" if is_direct(place.chat) else place.ts)
        key = None
        if self._policy.conversation_per != "sender":
            key = conversation_key(self._policy, self._bot, tenant, chat=place.chat, thread=thread, user="")
        return Named(turn_of(self._bot, tenant, place.chat, place.ts), key)

    @property
    def seen_events(self) -> frozenset[str]:
        return frozenset(self._seen)

    @property
    def held_back(self) -> float:
        return self._own.held_back if self._several is None else self._several.held_back

    async def missing_scopes(self) -> tuple[str, ...] | None:
        if self._verifier is None:
            return None
        if self._several is not None:
            return await self._several.missing_scopes()
        await self._api.ask_identity()
        granted = self._api.scopes
        if granted is None:
            return None
        return tuple(need.name for need in SCOPES if not need.optional and need.name not in granted)

    def probe(self, text: str, now: float) -> WebhookRequest | None:
        return None if self._verifier is None else message_probe(self._verifier, text, now)

    def challenge_probe(self, challenge: str, now: float) -> WebhookRequest | None:
        return None if self._verifier is None else challenge_probe(self._verifier, challenge, now)

    def _note(self, envelope: Envelope) -> None:
        if envelope.event is not None and len(self._seen) < MOST_SEEN and envelope.team_id != PROBE_TENANT:
            self._seen.add(subscription(envelope.event))

    def _receive_form(self, request: WebhookRequest) -> Received:
        if not is_form(request.body):
            return Ignored("malformed")
        return read_form(request.body, bot=self._bot, policy=self._policy, now=request.now)

    def _receive_as_draft(self, body: bytes) -> Received:
        envelope = _parse(body)
        challenge = (
            _challenge(envelope) if envelope is not None and envelope.type == "url_verification" else None
        )
        return challenge or Rejected(401, "draft")


def _parse(body: bytes) -> Envelope | None:
    try:
        return Envelope.model_validate_json(body)
    except ValidationError:
        return None


def _challenge(envelope: Envelope) -> Challenge | None:
    if envelope.challenge is None:
        return None
    return Challenge(orjson.dumps({"challenge": envelope.challenge}))


def _is_readable(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return is_form(body)
    return True
