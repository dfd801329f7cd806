"""The few calls of the open platform that the gateway makes, and what their errors mean.

Invariants: every call has a timeout and a permit of its method's limit; an error is decided here, once, by its
code (docs: "通用错误码", "发送消息", CardKit's pages); no error text holds a secret or what somebody wrote.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import orjson
from pydantic import ValidationError

from channels.budget import Limit
from channels.downloads import read_at_most
from channels.lark.answers import (
    Answer,
    Bot,
    BotInfo,
    CardCreated,
    Reacted,
    Reactions,
    Scopes,
    Sent,
    TenantAnswer,
    Uploaded,
)
from channels.lark.errors import (
    NO_THREAD,
    QUESTION_GONE,
    TOKEN_INVALID,
    TOO_MANY_REQUESTS,
    TRANSIENT_DELAY,
    ChatLimitedError,
    LarkPendingError,
    LarkRefusedError,
    RateLimitedError,
    error_of,
    result_of_error,
)
from channels.lark.methods import ASKED_SELDOM, Method
from channels.lark.token import TenantToken
from channels.lark.verify import LarkCredentials
from channels.leased import Budget, PerChat
from channels.watch import UNWATCHED, PlatformWatch
from conversation import lease
from conversation.messages import Address
from conversation.outbound import SEND_TIMEOUT, DeliveryError, DeliveryRefusedError, DeliveryStoppedError
from conversation.stores.permits import Permits

RATE, BURST = 0.95 * 1000 / 60, 0.95 * 50
"""Of most methods, per app and tenant: 1000 a minute and 50 a second (docs: "频控策略"), 95 % of it used."""

CHAT_RATE, CHAT_BURST = 0.95 * 5, 4.0
"""Sends a second to one person or group, where all bots share 5 (docs: "发送消息")."""


_OK, _SERVER_ERROR = 200, 500
_DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=15)
_LONGEST_ERROR = 64 << 10


_PERSON = "ou_"
"""How the ids of people begin: what is sent to one goes into the direct message with the bot."""

_GRANTED = 1
"""``grant_status`` of a scope that a tenant has granted (docs: "查询租户授权状态")."""


A = TypeVar("A", bound=Answer)
T = TypeVar("T")
Body = dict[str, object]


class LarkApi:
    """Methods raise DeliveryDelayedError (LarkPendingError where it may have been done) and LarkRefusedError."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        base_url: str,
        credentials: LarkCredentials | None,
        permits: Permits | None = None,
        watch: PlatformWatch = UNWATCHED,
        *,
        tenant: str = "",
        fetch: Callable[[], Awaitable[tuple[str, float]]] | None = None,
    ) -> None:
        """``fetch`` gives the token of ``tenant``, and its seconds to live, to a store app; a self-built one has its
        own way, and one tenant.
        """
        self._watch = watch
        self._http = http
        self._base = base_url.rstrip("/").removesuffix("/open-apis") + "/open-apis/"
        self._credentials = credentials
        self._token = TenantToken(fetch or self._fetch_token)
        owner = "lark" if credentials is None else f"lark:{credentials.app_id}"
        budget = Budget(f"{owner}:{tenant}" if tenant else owner, permits, watch)
        self._limits = {method: budget.limit(method.name.lower(), RATE, BURST) for method in Method}
        self._chats = PerChat(budget, "send", CHAT_RATE, CHAT_BURST)

    @property
    def content_limit(self) -> Limit:
        """Of ``stream_text``, the one call whose permit its caller takes."""
        return self._limits[Method.CONTENT]

    @property
    def held_back(self) -> float:
        """Seconds for which a send or a change would have to wait now, whichever waits longest."""
        limits = (limit for method, limit in self._limits.items() if method not in ASKED_SELDOM)
        return max(self._chats.held_back, *(limit.held_back for limit in limits))

    async def scopes(self) -> frozenset[str] | None:
        """Those that the tenant has granted; None where the platform does not tell."""
        try:
            listed = await self._call(Method.SCOPES, None, Scopes)
        except LarkRefusedError:
            return None
        return frozenset(one.scope_name for one in listed.data.scopes if one.grant_status == _GRANTED)

    async def bot(self) -> Bot:
        return (await self._call(Method.BOT, None, BotInfo)).bot

    async def check_token(self) -> None:
        await self._token.get()

    async def send(self, to: Address, msg_type: str, content: Body, uuid: str) -> str:
        """Reply to the message, or write into the chat if there is none. Returns the message's id."""
        body: Body = {"msg_type": msg_type, "content": _json(content), "uuid": uuid}
        limit = self._chats.of(to.chat)
        await limit.take(urgent=True)
        try:
            if not to.message:
                body["receive_id"] = to.chat
                create = Method.CREATE_FOR_PERSON if to.chat.startswith(_PERSON) else Method.CREATE
                return (await self._call(create, body, Sent)).data.message_id
            return await self._reply(to, body)
        except ChatLimitedError as limited:
            await limit.close_for(limited.delay)
            raise

    async def _reply(self, to: Address, body: Body) -> str:
        try:
            if to.thread:
                try:
                    in_thread = {**body, "reply_in_thread": True}
                    return (await self._call(Method.REPLY, in_thread, Sent, to.message)).data.message_id
                except LarkRefusedError as error:
                    if error.code not in NO_THREAD:
                        raise
            return (await self._call(Method.REPLY, body, Sent, to.message)).data.message_id
        except LarkRefusedError as error:
            if error.code not in QUESTION_GONE:
                raise
            raise DeliveryStoppedError(f"{error}: the question was taken back") from None

    async def edit(self, message: str, msg_type: str, content: Body) -> None:
        body: Body = {"msg_type": msg_type, "content": _json(content)}
        await self._call(Method.EDIT, body, Answer, message)

    async def delete(self, message: str) -> None:
        await self._call(Method.DELETE, None, Answer, message)

    async def react(self, message: str, emoji: str) -> str | None:
        """The reaction's id; None where a limit would hold it back: then it is not made."""
        if not await self._limits[Method.REACT].try_take():
            return None
        body: Body = {"reaction_type": {"emoji_type": emoji}}
        made = await self._call(Method.REACT, body, Reacted, message, has_permit=True)
        return made.data.reaction_id

    async def unreact(self, message: str, reaction: str) -> None:
        await self._limits[Method.UNREACT].take(urgent=False)
        await self._call(Method.UNREACT, None, Answer, message, reaction, has_permit=True)

    async def own_reactions(self, message: str, emoji: str) -> tuple[str, ...]:
        """Ids of the app's own reactions of this kind (docs: "获取消息表情回复")."""
        await self._limits[Method.REACTIONS].take(urgent=False)
        found = await self._call(Method.REACTIONS, None, Reactions, message, emoji, has_permit=True)
        own = "" if self._credentials is None else self._credentials.app_id
        return tuple(
            one.reaction_id
            for one in found.data.items
            if one.operator.operator_type == "app" and one.operator.operator_id == own
        )

    async def create_card(self, card: Body) -> str:
        body: Body = {"type": "card_json", "data": _json(card)}
        return (await self._call(Method.CREATE_CARD, body, CardCreated)).data.card_id

    async def replace_card(self, card_id: str, card: Body, sequence: int, uuid: str) -> None:
        body: Body = {
            "card": {"type": "card_json", "data": _json(card)},
            "sequence": sequence,
            "uuid": uuid,
        }
        await self._call(Method.REPLACE_CARD, body, Answer, card_id)

    async def change_settings(self, card_id: str, config: Body, sequence: int, uuid: str) -> None:
        body: Body = {"settings": _json({"config": config}), "sequence": sequence, "uuid": uuid}
        await self._call(Method.SETTINGS, body, Answer, card_id)

    async def stream_text(self, card_id: str, element: str, text: str, sequence: int, uuid: str) -> None:
        """Show the whole text. The caller holds a permit of ``content_limit``."""
        body: Body = {"content": text, "sequence": sequence, "uuid": uuid}
        await self._call(Method.CONTENT, body, Answer, card_id, element, has_permit=True)

    async def upload(self, kind: str, name: str, data: bytes) -> str:
        """Give the platform an "image" or a "file"; its key (docs: "上传图片", "上传文件")."""
        method = Method.UPLOAD_IMAGE if kind == "image" else Method.UPLOAD_FILE
        await self._limits[method].take(urgent=False)
        return await self._with_token(
            lambda token: self._watched(method, self._upload(method, token, kind, name, data))
        )

    def limit_of(self, method: Method) -> Limit:
        return self._limits[method]

    async def ask(self, method: Method, answer: type[A], *ids: str) -> A:
        """A question whose answer has a shape of its own; the caller holds a permit of ``limit_of``."""
        return await self._call(method, None, answer, *ids, has_permit=True)

    async def download(self, message: str, key: str, kind: str, most: int) -> bytes:
        """What came with a message, an "image" or a "file", at most ``most`` bytes. Raises FileError too, and
        aiohttp's errors; the caller bounds the time.
        """
        await self._limits[Method.RESOURCE].take(urgent=False)
        return await self._with_token(
            lambda token: self._watched(Method.RESOURCE, self._download(token, most, message, key, kind))
        )

    async def close(self) -> None:
        await self._token.close()

    async def _upload(self, method: Method, token: str, kind: str, name: str, data: bytes) -> str:
        form = aiohttp.FormData()
        if kind == "image":
            form.add_field("image_type", "message")
            form.add_field("image", data, filename=name)
        else:
            form.add_field("file_type", "stream")
            form.add_field("file_name", name)
            form.add_field("file", data, filename=name)
        verb, path = method.value
        try:
            async with self._http.request(
                verb,
                self._base + path,
                data=form,
                headers={"Authorization": f"Bearer {token}"},
                timeout=_DOWNLOAD_TIMEOUT,
                allow_redirects=False,
            ) as response:
                raw = await response.content.read(_LONGEST_ERROR)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LarkPendingError(f"upload: {type(error).__name__}", TRANSIENT_DELAY) from None
        if response.status >= _SERVER_ERROR:
            raise LarkPendingError(f"upload: HTTP {response.status}", TRANSIENT_DELAY)
        try:
            code = Answer.model_validate_json(raw).code
            if code == 0:
                keys = Uploaded.model_validate_json(raw).data
                return keys.image_key or keys.file_key
        except ValidationError:
            raise LarkPendingError("upload: unreadable answer", TRANSIENT_DELAY) from None
        raise await self._refusal(method, "upload", code, response)

    async def _download(self, token: str, most: int, *ids: str) -> bytes:
        verb, path = Method.RESOURCE.value
        async with self._http.request(
            verb,
            self._base + path.format(*(quote(part, safe="") for part in ids)),
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            timeout=_DOWNLOAD_TIMEOUT,
            allow_redirects=False,
        ) as response:
            if response.status == _OK:
                return await read_at_most(response, most)
            if response.status >= _SERVER_ERROR:
                raise LarkPendingError(f"resource: HTTP {response.status}", TRANSIENT_DELAY)
            try:
                code = Answer.model_validate_json(await read_at_most(response, _LONGEST_ERROR)).code
            except ValidationError:
                code = response.status
            raise await self._refusal(Method.RESOURCE, "resource", code, response)

    async def ask_without_token(self, method: Method, body: Body, answer: type[A]) -> A:
        """For the methods by which tokens are had."""
        await self._limits[method].take(urgent=True)
        return await self._request(method, body, answer, (), {})

    async def _fetch_token(self) -> tuple[str, float]:
        if self._credentials is None:
            raise DeliveryRefusedError("the bot has no credentials")
        body: Body = {"app_id": self._credentials.app_id, "app_secret": self._credentials.app_secret}
        answer = await self._request(Method.TOKEN, body, TenantAnswer, (), {})
        return answer.tenant_access_token, answer.expire

    async def _call(
        self, method: Method, body: Body | None, answer: type[A], *ids: str, has_permit: bool = False
    ) -> A:
        if not has_permit:
            await self._limits[method].take(urgent=True)
        return await self._with_token(
            lambda token: self._request(method, body, answer, ids, {"Authorization": f"Bearer {token}"})
        )

    async def _with_token(self, call: Callable[[str], Awaitable[T]]) -> T:
        """Once more with a new token where the platform knows this one no more."""
        token = await self._token.get()
        try:
            return await call(token)
        except LarkRefusedError as error:
            if error.code not in TOKEN_INVALID:
                raise
            self._token.drop(token)
        return await call(await self._token.get())

    async def _request(
        self,
        method: Method,
        body: Body | None,
        answer: type[A],
        ids: tuple[str, ...],
        headers: dict[str, str],
    ) -> A:
        await lease.before_write(SEND_TIMEOUT)
        return await self._watched(method, self._ask(method, body, answer, ids, headers))

    async def _watched(self, method: Method, call: Awaitable[T]) -> T:
        name, asked_at = method.name.lower(), time.perf_counter()
        try:
            said = await call
        except DeliveryError as error:
            self._watch.called(name, result_of_error(error), time.perf_counter() - asked_at)
            raise
        except (aiohttp.ClientError, TimeoutError):  # of a download, whose caller decides what it means
            self._watch.called(name, "unknown", time.perf_counter() - asked_at)
            raise
        self._watch.called(name, "ok", time.perf_counter() - asked_at)
        return said

    async def _ask(
        self,
        method: Method,
        body: Body | None,
        answer: type[A],
        ids: tuple[str, ...],
        headers: dict[str, str],
    ) -> A:
        verb, path = method.value
        name = method.name.lower()
        try:
            async with self._http.request(
                verb,
                self._base + path.format(*(quote(part, safe="") for part in ids)),
                data=None if body is None else orjson.dumps(body),
                headers={"Content-Type": "application/json; charset=utf-8", **headers},
                timeout=aiohttp.ClientTimeout(total=SEND_TIMEOUT),
                allow_redirects=False,
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LarkPendingError(f"{name}: {type(error).__name__}", TRANSIENT_DELAY) from error
        if response.status >= _SERVER_ERROR:
            raise LarkPendingError(f"{name}: HTTP {response.status}", TRANSIENT_DELAY)
        try:
            code = Answer.model_validate_json(raw).code
            if code == 0:
                return answer.model_validate_json(raw)
        except ValidationError as error:
            if response.status != TOO_MANY_REQUESTS:
                raise LarkPendingError(f"{name}: unreadable answer", TRANSIENT_DELAY) from error
            code = TOO_MANY_REQUESTS
        raise await self._refusal(method, name, code, response)

    async def _refusal(
        self, method: Method, name: str, code: int, response: aiohttp.ClientResponse
    ) -> DeliveryError:
        """What this code means; nobody calls a method that is limited for as long as the platform asks."""
        refusal = error_of(name, code, response)
        if isinstance(refusal, RateLimitedError):
            await self._limits[method].close_for(refusal.delay)
        return refusal


def _json(value: Body) -> str:
    return orjson.dumps(value).decode()
