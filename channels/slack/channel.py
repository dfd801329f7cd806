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

from channels.leased import Budget, nameless
from channels.port import (
    Challenge,
    ChannelPolicy,
    Finding,
    Ignored,
    Received,
    Rejected,
    WebhookRequest,
)
from channels.slack.events import Envelope, is_form
from channels.slack.normalise import normalise
from channels.slack.outbound import SlackOutbound
from channels.slack.slash import read_form
from channels.slack.verify import Verifier
from channels.slack.web_api import WebApi
from conversation.outbound import DeliveryError
from conversation.stores.permits import Permits

API_BASE_URL = "https://slack.com/api/"


@dataclass(frozen=True, slots=True)
class SlackCredentials:
    """Of one app in one workspace; never shown."""

    signing_secret: str = field(repr=False)
    bot_token: str = field(repr=False)


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
    ) -> None:
        """``permits`` are shared with other processes; bots of one token have one budget there."""
        self._bot = bot
        self._policy = policy
        self._verifier = None if credentials is None else Verifier(credentials.signing_secret)
        token = "" if credentials is None else credentials.bot_token
        self._api = WebApi(token, http, api_base_url)
        self._outbound = SlackOutbound(self._api, policy, Budget(f"slack:{nameless(token)}", permits))

    @property
    def outbound(self) -> SlackOutbound:
        """Of a draft: Slack refuses each of its calls."""
        return self._outbound

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
                identity = self._api.identity
                own = None if identity is None else identity.user_id
                return normalise(envelope, bot=self._bot, policy=self._policy, bot_user=own)
            case "url_verification":
                return _challenge(envelope) or Ignored("malformed")
            case _:
                return Ignored("unsupported_event")

    async def start(self) -> None:
        """Nothing to do: who the bot is comes with its events, or is asked when it is needed."""

    async def check(self) -> tuple[Finding, ...]:
        subject = "credentials"
        if self._verifier is None:
            return (Finding(subject, ok=False, detail="no credentials: the bot is a draft"),)
        try:
            who = await self._api.ask_identity()
        except DeliveryError as error:
            return (Finding(subject, ok=False, detail=str(error)),)
        return (
            Finding(subject, ok=True, detail=f"{who.user or who.user_id} in {who.team or 'its workspace'}"),
        )

    async def close(self) -> None:
        """Nothing is left running, and the HTTP session is its owner's."""

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
