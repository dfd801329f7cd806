"""Calls of Slack's Web API: one attempt each, bounded in time, its answer parsed, failures mapped by ``errors``."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from channels.budget import Limit
from channels.slack import errors
from channels.watch import UNWATCHED, PlatformWatch
from conversation import lease
from conversation.outbound import SEND_TIMEOUT, DeliveryError

_log = logging.getLogger("channels.slack.web_api")
# slack_sdk formats every call with its text, even for nobody, unless its logger itself is above DEBUG.
_log.setLevel(logging.INFO)

Answer = TypeVar("Answer", bound=BaseModel)


class TokenSource(Protocol):
    """The bot token of one workspace, which may change."""

    async def get(self) -> str:
        """Raises DeliveryDelayedError, and DeliveryRefusedError where there is none."""
        ...

    def drop(self, token: str) -> bool:
        """Slack does not take this token any more; whether ``get`` may have another."""
        ...


class FixedToken:
    def __init__(self, token: str) -> None:
        self._token = token

    async def get(self) -> str:
        return self._token

    def drop(self, token: str) -> bool:  # noqa: ARG002 - TokenSource's signature
        return False


class Done(BaseModel):
    """An answer of which nothing but its success matters."""


class Posted(BaseModel):
    ts: str


class Identity(BaseModel):
    """Who the token is (``auth.test``)."""

    user_id: str
    bot_id: str | None = None
    team_id: str = ""
    team: str = ""
    user: str = ""


class _Failure(BaseModel):
    error: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """``limit`` is closed when Slack says 429. ``sending``: doing it twice would show something twice."""

    method: str
    limit: Limit | None = None
    sending: bool = False


@dataclass(frozen=True, slots=True)
class _Arguments:
    """One of them is given."""

    json: Mapping[str, object] | None = None
    query: Mapping[str, str | int] | None = None
    form: Mapping[str, str] | None = None


class WebApi:
    """One workspace's bot on one shared HTTP session, which stays its owner's to close."""

    def __init__(
        self,
        token: str | TokenSource,
        http: aiohttp.ClientSession,
        base_url: str,
        watch: PlatformWatch = UNWATCHED,
    ) -> None:
        """An empty ``token`` is none: for the few methods that are called without."""
        self._watch = watch
        self._tokens = FixedToken(token) if isinstance(token, str) else token
        self._client = AsyncWebClient(
            base_url=base_url,
            session=http,
            timeout=int(SEND_TIMEOUT),
            retry_handlers=[],
            logger=_log,
        )
        # The session decides about proxies; slack_sdk would send even 127.0.0.1 through HTTP_PROXY.
        self._client.proxy = None
        self.identity: Identity | None = None
        self.scopes: frozenset[str] | None = None
        """Those of the token, as the newest answer told them (docs: authentication/tokens, x-oauth-scopes)."""

    async def write(self, call: Call, arguments: Mapping[str, object], answer: type[Answer]) -> Answer:
        """Raises DeliveryDelayedError, DeliveryUnknownError (if ``sending``) or errors.SlackRefusedError; and what
        the source of the token raises.
        """
        return await self._call(call, answer, _Arguments(json=arguments))

    async def read(self, call: Call, arguments: Mapping[str, str | int], answer: type[Answer]) -> Answer:
        """Raises DeliveryDelayedError or errors.SlackRefusedError, and what the source of the token raises."""
        return await self._call(call, answer, _Arguments(query=arguments))

    async def submit(self, call: Call, arguments: Mapping[str, str], answer: type[Answer]) -> Answer:
        """As ``write``, for the methods that take forms only."""
        return await self._call(call, answer, _Arguments(form=arguments))

    async def token(self) -> str:
        """For a request that goes elsewhere than to a method, such as for a file. Raises as ``write``."""
        return await self._tokens.get()

    async def whoami(self) -> Identity:
        """Asked once; from then on ``identity`` is known."""
        return self.identity or await self.ask_identity()

    async def ask_identity(self) -> Identity:
        """Asks Slack even where the answer is known: it tells whether the token still works."""
        self.identity = await self.write(Call("auth.test"), {}, Identity)
        return self.identity

    async def _call(self, call: Call, answer: type[Answer], arguments: _Arguments) -> Answer:
        token = await self._tokens.get()
        try:
            return await self._attempt(call, answer, arguments, token)
        except errors.SlackRefusedError as refused:
            # Nothing was done: a token that is refused does nothing.
            if refused.code not in errors.TOKEN_REFUSED or not self._tokens.drop(token):
                raise
        return await self._attempt(call, answer, arguments, await self._tokens.get())

    async def _attempt(self, call: Call, answer: type[Answer], arguments: _Arguments, token: str) -> Answer:
        await lease.before_write(SEND_TIMEOUT)
        asked_at = time.perf_counter()
        try:
            said = await self._ask(call, answer, arguments, token)
        except DeliveryError as error:
            self._watch.called(call.method, errors.result(error), time.perf_counter() - asked_at)
            raise
        self._watch.called(call.method, "ok", time.perf_counter() - asked_at)
        return said

    async def _ask(self, call: Call, answer: type[Answer], arguments: _Arguments, token: str) -> Answer:
        # Errors are raised `from None`: those of slack_sdk and pydantic carry the response or the input.
        try:
            # slack_sdk ignores its own timeout where a session is given.
            async with asyncio.timeout(SEND_TIMEOUT):
                response = await self._client.api_call(
                    call.method,
                    http_verb="POST" if arguments.query is None else "GET",
                    headers={"Authorization": f"Bearer {token}"} if token else {},
                    params=None if arguments.query is None else dict(arguments.query),
                    json=None if arguments.json is None else dict(arguments.json),
                    data=None if arguments.form is None else dict(arguments.form),
                )
            self._note_scopes(response)
            return answer.model_validate(response.data)
        except SlackApiError as error:
            refusal = self._refusal(call, error)
            if isinstance(refusal, errors.RateLimitedError) and call.limit is not None:
                await call.limit.close_for(refusal.delay)
            raise refusal from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise errors.unreached(call.method) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise errors.unanswered(call.method, type(error).__name__, sending=call.sending) from None
        # AttributeError and UnicodeDecodeError: slack_sdk on a 200 that is plain text, a list or not UTF-8.
        except (ValidationError, AttributeError, UnicodeDecodeError):
            raise errors.unanswered(call.method, "unreadable answer", sending=call.sending) from None

    def _note_scopes(self, response: AsyncSlackResponse) -> None:
        written: str | None = response.headers.get("x-oauth-scopes")
        if written is not None:
            self.scopes = frozenset(scope.strip() for scope in written.split(",") if scope.strip())

    def _refusal(self, call: Call, error: SlackApiError) -> Exception:
        response = error.response
        if not isinstance(response, AsyncSlackResponse):
            return errors.unanswered(call.method, "answer is not JSON", sending=call.sending)
        try:
            code = _Failure.model_validate(response.data).error
        except ValidationError:
            code = ""
        return errors.answered(
            call.method,
            response.status_code,
            code,
            retry_after=_retry_after(response.headers.get("Retry-After")),
            sending=call.sending,
        )


def _retry_after(header: str | None) -> float | None:
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
