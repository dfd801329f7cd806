"""The few calls of the open platform that the gateway makes, and what their errors mean.

Invariants: every call has a timeout and a permit of its method's limit; an error is decided here, once, by its
code (docs: "通用错误码", "发送消息", CardKit's pages); no error text holds a secret or what somebody wrote.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError

from channels.budget import Limit
from channels.downloads import read_at_most
from channels.lark.token import TenantToken
from channels.lark.verify import LarkCredentials
from channels.leased import Budget, PerChat
from channels.watch import UNWATCHED, PlatformWatch, Result, result_of
from conversation import lease
from conversation.messages import Address
from conversation.outbound import SEND_TIMEOUT, DeliveryDelayedError, DeliveryError, DeliveryRefusedError
from conversation.stores.permits import Permits

RATE, BURST = 0.95 * 1000 / 60, 0.95 * 50
"""Of most methods, per app and tenant: 1000 a minute and 50 a second (docs: "频控策略"), 95 % of it used."""

CHAT_RATE, CHAT_BURST = 0.95 * 5, 4.0
"""Sends a second to one person or group, where all bots share 5 (docs: "发送消息")."""

RATE_LIMITED = frozenset({99991400, 11232, 11233, 11247})
CHAT_RATE_LIMITED = 230020
STILL_BEING_SENT = 230049
TOKEN_INVALID = frozenset({99991663, 99991664, 99991668})
"""Of the tenant; of the app or a person, which this one is taken for where it cannot be read."""
UNAUTHORIZED = TOKEN_INVALID | {10014, 99991661, 99991671, 99991401}
"""The app's own id, secret, token or address."""
OVERTAKEN = frozenset({200770, 300317})
"""A card has seen a number as high as this one: of a newer attempt, or of one that a store has forgotten, which the
next attempt passes."""
STREAM_CLOSED = frozenset({200850, 300309})
GONE = frozenset({230011, 230110, 231003})
NOT_EDITABLE = frozenset({230072, 230075})
NO_THREAD = frozenset({230071, 230072})
"""Of a reply: the group has no threads, or this message takes none; then it is an ordinary reply."""
CARD_GONE = frozenset({200740, 200750})
RECIPIENT_LOST = GONE | {230002, 230006, 230013, 230034, 230035, 230053, 232009}
CONTENT_REFUSED = frozenset({230022, 230025, 230028})
CARD_UNUSABLE = frozenset({99991672, 10002, 200740, 200750, 200860, 230025, 230099, *range(300301, 300306)})
"""A card is refused as a card: what it says may still be sent as text."""
BUSY = frozenset({200810, 300120})
SCOPE_MISSING = 99991672
NO_SUCH_REACTION = 231011

_GATEWAY_CODES = 99_990_000
"""From here on: token, scope, address. The call was not begun."""
_TRANSIENT_DELAY = 2.0
_OK, _SERVER_ERROR, _TOO_MANY_REQUESTS = 200, 500, 429
_DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=15)
_LONGEST_ERROR = 64 << 10
_MEANING = {
    10014: "app_secret is wrong",
    99991401: "this host is not in the app's IP allow-list",
    99991672: "a scope is missing",
    230002: "the bot is not in the chat",
    230006: "the app's bot ability is off",
    230013: "the person is outside the app's availability",
    230053: "the person has muted the bot",
    232009: "the chat was dissolved",
}


class LarkRefusedError(DeliveryRefusedError):
    """The platform refused for good, with this code."""

    def __init__(self, method: str, code: int) -> None:
        super().__init__(f"{method}: {_MEANING.get(code, 'refused')} (code {code})")
        self.code = code

    @property
    def may_be_duplicate(self) -> bool:
        """Whether this may be how a uuid that was used before is refused, which is not documented."""
        return self.code < _GATEWAY_CODES and self.code not in RECIPIENT_LOST | CONTENT_REFUSED


class RateLimitedError(DeliveryDelayedError):
    """Nothing was done, because of the method's limit."""


class ChatLimitedError(DeliveryDelayedError):
    """Nothing was done, because of the limit of one chat, which says nothing about others."""


class LarkPendingError(DeliveryDelayedError):
    """No answer, or not yet: what was asked may have been done. Asking again with the same uuid is safe."""


class Method(Enum):
    """Verb and path, each with limits of its own."""

    TOKEN = ("POST", "auth/v3/tenant_access_token/internal")
    APP_TOKEN = ("POST", "auth/v3/app_access_token")
    STORE_TOKEN = ("POST", "auth/v3/tenant_access_token")
    RESEND_TICKET = ("POST", "auth/v3/app_ticket/resend")
    BOT = ("GET", "bot/v3/info")
    SCOPES = ("GET", "application/v6/scopes")
    CREATE = ("POST", "im/v1/messages?receive_id_type=chat_id")
    REPLY = ("POST", "im/v1/messages/{}/reply")
    EDIT = ("PUT", "im/v1/messages/{}")
    CREATE_FOR_PERSON = ("POST", "im/v1/messages?receive_id_type=open_id")
    DELETE = ("DELETE", "im/v1/messages/{}")
    READ = ("GET", "im/v1/messages/{}")
    UPLOAD_IMAGE = ("POST", "im/v1/images")
    UPLOAD_FILE = ("POST", "im/v1/files")
    RESOURCE = ("GET", "im/v1/messages/{}/resources/{}?type={}")
    THREAD = (
        "GET",
        "im/v1/messages?container_id_type=thread&sort_type=ByCreateTimeDesc&page_size=50&container_id={}",
    )
    USER = ("GET", "contact/v3/users/{}?user_id_type=open_id")
    REACT = ("POST", "im/v1/messages/{}/reactions")
    UNREACT = ("DELETE", "im/v1/messages/{}/reactions/{}")
    REACTIONS = ("GET", "im/v1/messages/{}/reactions?reaction_type={}&page_size=50")
    CREATE_CARD = ("POST", "cardkit/v1/cards")
    REPLACE_CARD = ("PUT", "cardkit/v1/cards/{}")
    SETTINGS = ("PATCH", "cardkit/v1/cards/{}/settings")
    CONTENT = ("PUT", "cardkit/v1/cards/{}/elements/{}/content")


_ASKED_SELDOM = frozenset(
    {
        Method.TOKEN,
        Method.APP_TOKEN,
        Method.STORE_TOKEN,
        Method.RESEND_TICKET,
        Method.BOT,
        Method.SCOPES,
        Method.READ,
        Method.RESOURCE,
        Method.UPLOAD_FILE,
        Method.UPLOAD_IMAGE,
        Method.THREAD,
        Method.USER,
    }
)

_PERSON = "ou_"
"""How the ids of people begin: what is sent to one goes into the direct message with the bot."""

_GRANTED = 1
"""``grant_status`` of a scope that a tenant has granted (docs: "查询租户授权状态")."""


class Answer(BaseModel):
    code: int


class TenantAnswer(Answer):
    """``expire``: seconds to live."""

    tenant_access_token: str
    expire: float


class Bot(BaseModel):
    open_id: str
    app_name: str = ""


class _BotInfo(Answer):
    bot: Bot


class _Scope(BaseModel):
    scope_name: str
    grant_status: int


class _ScopeList(BaseModel):
    scopes: tuple[_Scope, ...] = ()


class _Scopes(Answer):
    data: _ScopeList


class _CardId(BaseModel):
    card_id: str


class _CardCreated(Answer):
    data: _CardId


class _MessageId(BaseModel):
    message_id: str


class _Sent(Answer):
    data: _MessageId


class _ReactionId(BaseModel):
    reaction_id: str


class _Reacted(Answer):
    data: _ReactionId


class _ReactionOperator(BaseModel):
    operator_id: str = ""
    operator_type: str = ""


class _Reaction(_ReactionId):
    operator: _ReactionOperator = _ReactionOperator()


class _ReactionList(BaseModel):
    items: tuple[_Reaction, ...] = ()


class _Reactions(Answer):
    data: _ReactionList = _ReactionList()


class _Keys(BaseModel):
    image_key: str = ""
    file_key: str = ""


class _Uploaded(Answer):
    data: _Keys


A = TypeVar("A", bound=Answer)
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
        limits = (limit for method, limit in self._limits.items() if method not in _ASKED_SELDOM)
        return max(self._chats.held_back, *(limit.held_back for limit in limits))

    async def scopes(self) -> frozenset[str] | None:
        """Those that the tenant has granted; None where the platform does not tell."""
        try:
            listed = await self._call(Method.SCOPES, None, _Scopes)
        except LarkRefusedError:
            return None
        return frozenset(one.scope_name for one in listed.data.scopes if one.grant_status == _GRANTED)

    async def bot(self) -> Bot:
        return (await self._call(Method.BOT, None, _BotInfo)).bot

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
                return (await self._call(create, body, _Sent)).data.message_id
            return await self._reply(to, body)
        except ChatLimitedError as limited:
            await limit.close_for(limited.delay)
            raise

    async def _reply(self, to: Address, body: Body) -> str:
        if to.thread:
            try:
                in_thread = {**body, "reply_in_thread": True}
                return (await self._call(Method.REPLY, in_thread, _Sent, to.message)).data.message_id
            except LarkRefusedError as error:
                if error.code not in NO_THREAD:
                    raise
        return (await self._call(Method.REPLY, body, _Sent, to.message)).data.message_id

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
        made = await self._call(Method.REACT, body, _Reacted, message, has_permit=True)
        return made.data.reaction_id

    async def unreact(self, message: str, reaction: str) -> None:
        await self._limits[Method.UNREACT].take(urgent=False)
        await self._call(Method.UNREACT, None, Answer, message, reaction, has_permit=True)

    async def own_reactions(self, message: str, emoji: str) -> tuple[str, ...]:
        """Ids of the app's own reactions of this kind (docs: "获取消息表情回复")."""
        await self._limits[Method.REACTIONS].take(urgent=False)
        found = await self._call(Method.REACTIONS, None, _Reactions, message, emoji, has_permit=True)
        own = "" if self._credentials is None else self._credentials.app_id
        return tuple(
            one.reaction_id
            for one in found.data.items
            if one.operator.operator_type == "app" and one.operator.operator_id == own
        )

    async def create_card(self, card: Body) -> str:
        body: Body = {"type": "card_json", "data": _json(card)}
        return (await self._call(Method.CREATE_CARD, body, _CardCreated)).data.card_id

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
        token = await self._token.get()
        try:
            return await self._upload(method, token, kind, name, data)
        except LarkRefusedError as error:
            if error.code not in TOKEN_INVALID:
                raise
            self._token.drop(token)
        return await self._upload(method, await self._token.get(), kind, name, data)

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
        token = await self._token.get()
        try:
            return await self._download(token, most, message, key, kind)
        except LarkRefusedError as error:
            if error.code not in TOKEN_INVALID:
                raise
            self._token.drop(token)
        return await self._download(await self._token.get(), most, message, key, kind)

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
            raise LarkPendingError(f"upload: {type(error).__name__}", _TRANSIENT_DELAY) from None
        if response.status >= _SERVER_ERROR:
            raise LarkPendingError(f"upload: HTTP {response.status}", _TRANSIENT_DELAY)
        try:
            code = Answer.model_validate_json(raw).code
            if code == 0:
                keys = _Uploaded.model_validate_json(raw).data
                return keys.image_key or keys.file_key
        except ValidationError:
            raise LarkPendingError("upload: unreadable answer", _TRANSIENT_DELAY) from None
        raise _error("upload", code, response)

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
                raise LarkPendingError(f"resource: HTTP {response.status}", _TRANSIENT_DELAY)
            try:
                code = Answer.model_validate_json(await read_at_most(response, _LONGEST_ERROR)).code
            except ValidationError:
                code = response.status
            refusal = _error("resource", code, response)
            if isinstance(refusal, RateLimitedError):
                await self._limits[Method.RESOURCE].close_for(refusal.delay)
            raise refusal

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
        token = await self._token.get()
        try:
            return await self._request(method, body, answer, ids, {"Authorization": f"Bearer {token}"})
        except LarkRefusedError as error:
            if error.code not in TOKEN_INVALID:
                raise
            self._token.drop(token)
        token = await self._token.get()
        return await self._request(method, body, answer, ids, {"Authorization": f"Bearer {token}"})

    async def _request(
        self,
        method: Method,
        body: Body | None,
        answer: type[A],
        ids: tuple[str, ...],
        headers: dict[str, str],
    ) -> A:
        await lease.before_write(SEND_TIMEOUT)
        asked_at = time.perf_counter()
        try:
            said = await self._ask(method, body, answer, ids, headers)
        except DeliveryError as error:
            self._watch.called(method.name.lower(), _result(error), time.perf_counter() - asked_at)
            raise
        self._watch.called(method.name.lower(), "ok", time.perf_counter() - asked_at)
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
            raise LarkPendingError(f"{name}: {type(error).__name__}", _TRANSIENT_DELAY) from error
        if response.status >= _SERVER_ERROR:
            raise LarkPendingError(f"{name}: HTTP {response.status}", _TRANSIENT_DELAY)
        try:
            code = Answer.model_validate_json(raw).code
            if code == 0:
                return answer.model_validate_json(raw)
        except ValidationError as error:
            if response.status != _TOO_MANY_REQUESTS:
                raise LarkPendingError(f"{name}: unreadable answer", _TRANSIENT_DELAY) from error
            code = _TOO_MANY_REQUESTS
        refusal = _error(name, code, response)
        if isinstance(refusal, RateLimitedError):
            await self._limits[method].close_for(refusal.delay)
        raise refusal


def _result(error: DeliveryError) -> Result:
    match error:
        case RateLimitedError() | ChatLimitedError():
            return "limited"
        case LarkPendingError():
            return "unknown"
        case LarkRefusedError(code=code) if code in UNAUTHORIZED:
            return "unauthorized"
        case _:
            return result_of(error)


def _error(name: str, code: int, response: aiohttp.ClientResponse) -> DeliveryDelayedError | LarkRefusedError:
    if code == CHAT_RATE_LIMITED:
        return ChatLimitedError(f"{name}: rate limited in this chat", _delay(response))
    if code in RATE_LIMITED or response.status == _TOO_MANY_REQUESTS:
        return RateLimitedError(f"{name}: rate limited", _delay(response))
    if code == STILL_BEING_SENT:
        return LarkPendingError(f"{name}: still being sent", _TRANSIENT_DELAY)
    if code in OVERTAKEN:
        return DeliveryDelayedError(f"{name}: overtaken (code {code})", _TRANSIENT_DELAY)
    if code in BUSY:
        return DeliveryDelayedError(f"{name}: busy (code {code})", _TRANSIENT_DELAY)
    return LarkRefusedError(name, code)


def _delay(response: aiohttp.ClientResponse) -> float:
    """Seconds that the platform asks to wait."""
    text = response.headers.get("x-ogw-ratelimit-reset") or response.headers.get("Retry-After") or ""
    return max(1.0, min(float(text), 3600.0)) if text.isascii() and text.isdigit() else 1.0


def _json(value: Body) -> str:
    return orjson.dumps(value).decode()
