"""A stand-in for Lark (Feishu): tokens, messages, reactions and CardKit for one app in one tenant, and people.

It keeps the rules of ``lark_rules`` and ``lark_cards`` and the rate limits. Methods are named as in lark-oapi:
``im.v1.message.reply``, ``cardkit.v1.card_element.content`` …
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, TypeVar

import orjson
from aiohttp import web
from pydantic import ValidationError
from typing_extensions import override

from gateway.demo.faults import Fault
from gateway.demo.lark_calls import (
    Body,
    Create,
    CreateCard,
    Edit,
    ElementContent,
    InsertElements,
    Operation,
    PatchCard,
    PatchElement,
    React,
    ReplaceCard,
    ReplaceElement,
    Reply,
    Settings,
    TokenRequest,
)
from gateway.demo.lark_cards import CardEntity
from gateway.demo.lark_events import Tenant, message_event, milliseconds, recall_event
from gateway.demo.lark_rules import (
    Card,
    Json,
    LarkError,
    decoded,
    elements_in,
    read_card,
    text_of_card,
    text_of_content,
)
from gateway.demo.people import Letter, Postman, Said
from gateway.demo.ratelimit import Bucket, Quota, TooMany
from gateway.demo.standin import LATENCY, Clock, Shown, StandIn

TOKEN_LIFE = 7200.0
TOKEN_KEPT_WHILE = 1800.0
UUID_CHARS = 50
UUID_WINDOW = 3600.0
EDITS = 20
RETRY_DELAYS = (15.0, 300.0, 3600.0, 21600.0)

ChatType = Literal["p2p", "group"]
Path = Mapping[str, str]


@dataclass(slots=True)
class Sent:
    """A message on the platform. ``card``: of an interactive message that is no card entity."""

    shown: Shown
    msg_type: str
    card: Card | None = None
    edits: int = 0
    reactions: dict[str, str] = field(default_factory=dict)
    patches: Quota = field(default_factory=lambda: Quota(Bucket(5, 5)))


@dataclass(slots=True)
class Chat:
    """``messages`` by id, in the order in which they appeared."""

    kind: ChatType
    messages: dict[str, Sent] = field(default_factory=dict)
    sends: Quota = field(default_factory=lambda: Quota(Bucket(5, 5)))


class LarkStandin(StandIn):
    """``duplicate_sends`` counts sends that were repeated under the same uuid and did nothing."""

    def __init__(
        self,
        *,
        app_id: str,
        app_secret: str,
        encrypt_key: str = "",
        verification_token: str = "",
        clock: Clock = time.time,
        tenant: str = "demo-tenant",
        bot_open_id: str = "ou_bot",
        redeliver: bool = True,
        redeliver_within: tuple[float, float] = (0.05, 1.5),
        retry_delays: Sequence[float] = RETRY_DELAYS,
        seed: int = 1,
        port: int = 0,
        latency: float = LATENCY,
    ) -> None:
        super().__init__(clock=clock, port=port, latency=latency)
        self._tenant = Tenant(tenant, app_id, bot_open_id, encrypt_key, verification_token, clock)
        self._app_secret = app_secret
        self._chance = random.Random(seed)
        self._postman = Postman(
            retry_delays=retry_delays,
            redeliver=redeliver,
            redeliver_within=redeliver_within,
            complain=self.complain,
            chance=self._chance,
        )
        self._tokens: dict[str, float] = {}
        self._chats: dict[str, Chat] = {}
        self._messages: dict[str, Sent] = {}
        self._cards: dict[str, CardEntity] = {}
        self._sent_uuids: dict[str, tuple[float, Body, Sent]] = {}
        self._quotas: dict[str, Quota] = defaultdict(lambda: Quota(Bucket(50, 50), Bucket(1000, 1000 / 60)))
        self.duplicate_sends = 0

    @property
    def api_base_url(self) -> str:
        return self.url

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._postman.close()
        await super().__aexit__(kind, error, trace)

    # What a person does and sees.

    def add_chat(self, chat: str, chat_type: ChatType = "p2p") -> None:
        """Make a chat known to the bot; ``say`` does it too."""
        self._chats.setdefault(chat, Chat(chat_type))

    def remove_chat(self, chat: str) -> None:
        """Dissolve a chat: sends to it are refused for good."""
        del self._chats[chat]

    def chat(self, chat: str) -> list[Shown]:
        """All messages of a chat, in the order in which they appeared."""
        self._expire_cards()
        return [sent.shown for sent in self._chats[chat].messages.values() if not sent.shown.deleted]

    def open_cards(self) -> list[Shown]:
        """The messages that still show that they are being written."""
        self._expire_cards()
        return [card.message for card in self._cards.values() if card.streaming and card.message is not None]

    def expire_tokens(self) -> None:
        """Make every token given out so far invalid."""
        self._tokens.clear()

    async def say(
        self,
        webhook_url: str,
        *,
        chat: str,
        user: str,
        text: str,
        chat_type: ChatType = "p2p",
        mention: bool = True,
        thread_id: str | None = None,
        reply_to: str | None = None,
        message_type: Literal["text", "post"] = "text",
        user_tenant: str | None = None,
    ) -> Said:
        """Let a person write a message; returns when the first delivery has been answered.

        ``mention`` matters in groups only. ``user_tenant``: the person's own tenant, if it is another.
        """
        self.add_chat(chat, chat_type)
        sent = self._add(chat, "person", user, message_type)
        shown = sent.shown
        shown.thread, shown.reply_to = thread_id, reply_to
        self.show(shown, text)
        event = message_event(
            shown,
            self._tenant,
            chat_type=chat_type,
            message_type=message_type,
            mention=mention and chat_type == "group",
            sender_tenant=user_tenant or self._tenant.key,
        )
        said = Said(shown.ts, chat, thread_id, user, text, shown.at)
        await self._postman.deliver(self._letter(webhook_url, "im.message.receive_v1", event), said)
        return said

    async def recall(self, webhook_url: str, said: Said) -> None:
        """Let a person take a message back."""
        shown = self._messages[said.ts].shown
        shown.deleted = True
        self.changed(shown)
        event = recall_event(shown, self.clock)
        await self._postman.deliver(self._letter(webhook_url, "im.message.recalled_v1", event))

    async def challenge(self, webhook_url: str, *, encrypted: bool) -> tuple[int, bytes]:
        """Ask whether the URL is the bot's: status and body of its answer. Complains if it is not right."""
        question = f"challenge-{self._chance.getrandbits(32):08x}"
        payload: Json = {
            "challenge": question,
            "token": self._tenant.verification_token,
            "type": "url_verification",
        }
        headers, body = self._tenant.sealed(payload, encrypted=encrypted)
        # Documented as not signed.
        headers = {name: value for name, value in headers.items() if not name.startswith("X-Lark")}
        status, _, answer = await self._postman.post(webhook_url, headers, body)
        try:
            right = status == 200 and orjson.loads(answer) == {"challenge": question}  # noqa: PLR2004 -- HTTP
        except orjson.JSONDecodeError:
            right = False
        if not right:
            self.complain(f"url_verification was answered {status} {answer[:80]!r}")
        return status, answer

    async def settle(self) -> None:
        """Wait until every retry and duplicate has been delivered."""
        await self._postman.settle()

    # HTTP.

    @override
    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/open-apis/{path:.*}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        found = find_route(request.method, request.match_info["path"])
        if found is None:
            sentence = f"{request.method} {request.path}: no such method"
            self.complain(sentence)
            return web.Response(status=404, text="404 page not found")
        route, path = found
        raw = await request.read()

        def effect() -> web.StreamResponse:
            target = "/".join(path.values())
            try:
                if not route.open:
                    self._check_token(request)
                too_many = self._quotas[route.method].ask(self.clock())
                if too_many is not None:
                    return self._over_limit(route.method, too_many)
                body = self._body(route, raw, request.query)
                return _ok(route.perform(self, body, path), top_level=route.top_level)
            except LarkError as error:
                return self._refused(route.method, target, error)
            except _TooManyError as error:
                return self._over_limit(f"{route.method} {target}", error.too_many)

        written = path.get("card_id") or (path.get("message_id") if request.method != "POST" else None)
        guard = self.one_at_a_time(route.method, request, written) if written else contextlib.nullcontext()
        with guard:
            return await self.perform(route.method, request, effect)

    @override
    def answer_fault(self, fault: Fault) -> web.Response:
        if fault.error is not None:
            return _error(int(fault.error), "planned fault")
        if fault.status == 429:  # noqa: PLR2004 -- HTTP
            return _rate_limited(fault.retry_after or 1)
        return super().answer_fault(fault)

    def _body(self, route: Route, raw: bytes, query: Mapping[str, str]) -> Body:
        try:
            return route.body.model_validate(dict(query) | (orjson.loads(raw) if raw else {}))
        except (orjson.JSONDecodeError, ValidationError, TypeError) as error:
            code = 230001 if route.method.startswith("im.") else 10002
            raise LarkError(code, "invalid parameters") from error

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            raise LarkError(99991661, "missing access token")
        if scheme != "Bearer":
            raise LarkError(99991671, "malformed access token")
        if self._tokens.get(token, 0.0) <= self.clock():
            raise LarkError(99991663, "invalid access token", fault=False)

    def _over_limit(self, name: str, refusal: TooMany) -> web.Response:
        if refusal.storm:
            self.complain(f"{name} was called again and again while it was rate limited")
        elif refusal.early:
            self.complain(
                f"{name} was called {refusal.retry_after} s before its x-ogw-ratelimit-reset was over"
            )
        self.refusals.append(f"{name}: 429")
        return _rate_limited(refusal.retry_after)

    def _refused(self, method: str, target: str, error: LarkError) -> web.Response:
        sentence = f"{method} on {target or '-'}: {error.code} {error.message}"
        self.refusals.append(sentence)
        if error.fault:
            self.complain(sentence)
        return _error(error.code, error.message)

    # Tokens and the bot.

    def token(self, call: TokenRequest, _: Path) -> Json:
        if call.app_id != self._tenant.app_id or call.app_secret != self._app_secret:
            raise LarkError(10014, "app secret invalid", fault=False)
        now = self.clock()
        for token, until in self._tokens.items():
            if until - now >= TOKEN_KEPT_WHILE:
                return {"tenant_access_token": token, "expire": int(until - now)}
        token = f"t-{self._chance.getrandbits(96):024x}"
        self._tokens[token] = now + TOKEN_LIFE
        return {"tenant_access_token": token, "expire": int(TOKEN_LIFE)}

    def bot_info(self, _: Body, __: Path) -> Json:
        return {
            "bot": {
                "activate_status": 2,
                "app_name": "Turnkeeper",
                "avatar_url": "",
                "ip_white_list": [],
                "open_id": self._tenant.bot_open_id,
            }
        }

    # Messages.

    def create(self, call: Create, _: Path) -> Json:
        chat = call.receive_id
        if call.receive_id_type == "open_id":
            chat = next((c for c, room in self._chats.items() if _belongs_to(room, call.receive_id)), "")
        if chat not in self._chats:
            raise LarkError(230034, "receive_id is not valid", fault=False)
        return self._send(call, chat, None)

    def reply(self, call: Reply, path: Path) -> Json:
        target = self._messages.get(path["message_id"])
        if target is None:
            raise LarkError(230001, "no such message_id")
        if target.shown.deleted:
            raise LarkError(230011, "the message was recalled", fault=False)
        if target.shown.chat not in self._chats:
            raise LarkError(232009, "the chat was dissolved", fault=False)
        if call.reply_in_thread and not target.shown.thread:
            target.shown.thread = f"omt_{self._chance.getrandbits(64):016x}"
        return self._send(call, target.shown.chat, target.shown)

    def edit(self, call: Edit, path: Path) -> Json:
        sent = self._own(path)
        if sent.msg_type not in {"text", "post"} or call.msg_type != sent.msg_type:
            raise LarkError(230001, "only text and post can be edited, each as what it is")
        if sent.edits == EDITS:
            raise LarkError(230072, "edited too often")
        text = text_of_content(call.msg_type, call.content)
        sent.edits += 1
        self.show(sent.shown, text)
        return self._described(sent)

    def patch(self, call: PatchCard, path: Path) -> Json:
        sent = self._own(path)
        if sent.card is None:
            raise LarkError(230001, "only a card that is not an entity can be patched")
        card = read_card(call.content)
        self._count(sent.patches)
        sent.card = card
        self.show(sent.shown, text_of_card(card.body.elements))
        return {}

    def delete(self, _: Body, path: Path) -> Json:
        sent = self._own(path)
        sent.shown.deleted = True
        sent.shown.streaming = False
        self.changed(sent.shown)
        return {}

    def read(self, _: Body, path: Path) -> Json:
        sent = self._messages.get(path["message_id"])
        if sent is None:
            raise LarkError(230001, "no such message_id")
        return {"items": [self._described(sent)]}

    def react(self, call: React, path: Path) -> Json:
        sent = self._messages.get(path["message_id"])
        if sent is None or sent.shown.deleted:
            raise LarkError(231003, "the message is gone", fault=False)
        reaction_id = f"r{self._chance.getrandbits(64):016x}"
        sent.reactions[reaction_id] = call.reaction_type.emoji_type
        self._show_reactions(sent)
        return {"reaction_id": reaction_id, "reaction_type": call.reaction_type.model_dump()}

    def unreact(self, _: Body, path: Path) -> Json:
        sent = self._messages.get(path["message_id"])
        if sent is None or sent.shown.deleted:
            raise LarkError(231003, "the message is gone", fault=False)
        if sent.reactions.pop(path["reaction_id"], None) is None:
            raise LarkError(231011, "no such reaction", fault=False)
        self._show_reactions(sent)
        return {"reaction_id": path["reaction_id"]}

    # Cards.

    def create_card(self, call: CreateCard, _: Path) -> Json:
        card = read_card(call.data)
        entity = CardEntity(
            id=f"75{self._chance.getrandbits(56):017d}",
            card=card,
            opened_at=self.clock(),
            streaming=bool(card.config.streaming_mode),
        )
        self._cards[entity.id] = entity
        return {"card_id": entity.id}

    def replace_card(self, call: ReplaceCard, path: Path) -> Json:
        return self._operate(call, path, lambda card: card.replace(call.card.data, self.clock()))

    def settings(self, call: Settings, path: Path) -> Json:
        return self._operate(call, path, lambda card: card.settings(call.settings, self.clock()))

    def content(self, call: ElementContent, path: Path) -> Json:
        return self._operate(call, path, lambda card: card.stream(path["element_id"], call.content))

    def insert(self, call: InsertElements, path: Path) -> Json:
        elements = elements_in(call.elements)
        return self._operate(
            call, path, lambda card: card.insert(call.type, call.target_element_id, elements)
        )

    def replace_element(self, call: ReplaceElement, path: Path) -> Json:
        changes = decoded(call.element)
        return self._operate(
            call, path, lambda card: card.update_element(path["element_id"], changes, whole=True)
        )

    def patch_element(self, call: PatchElement, path: Path) -> Json:
        changes = decoded(call.partial_element)
        return self._operate(
            call, path, lambda card: card.update_element(path["element_id"], changes, whole=False)
        )

    def delete_element(self, call: Operation, path: Path) -> Json:
        return self._operate(call, path, lambda card: card.delete_element(path["element_id"]))

    def _operate(self, call: Operation, path: Path, change: Callable[[CardEntity], None]) -> Json:
        """One numbered operation on a card."""
        card = self._cards.get(path["card_id"])
        if card is None:
            raise LarkError(200740, "no such card")
        card.expire(self.clock())
        self._count(card.quota)
        card.admit(call.sequence, call.uuid)
        change(card)
        card.admitted(call.sequence, call.uuid)
        if card.message is not None and not card.message.deleted:
            card.message.streaming = card.streaming
            self.show(card.message, card.text)
        return {}

    # The tenant.

    def _send(self, call: Reply, chat: str, target: Shown | None) -> Json:
        if call.uuid is not None:
            if not 1 <= len(call.uuid) <= UUID_CHARS:
                raise LarkError(230001, "uuid has at most 50 characters")
            earlier = self._sent_uuids.get(call.uuid)
            if earlier is not None and self.clock() - earlier[0] < UUID_WINDOW:
                self.duplicate_sends += 1
                if earlier[1] != call:
                    self.complain(f"im.v1.message: uuid {call.uuid} was used for two different messages")
                return self._described(earlier[2])
        self._count(self._chats[chat].sends)
        entity, card, text = self._rendered(call)
        sent = self._add(chat, "bot", self._tenant.bot_open_id, call.msg_type)
        sent.card = card
        if target is not None:
            sent.shown.reply_to, sent.shown.thread = target.ts, target.thread
        if entity is not None:
            entity.message = sent.shown
            entity.expire(self.clock())
            sent.shown.streaming = entity.streaming
        if call.uuid is not None:
            self._sent_uuids[call.uuid] = (self.clock(), call, sent)
        self.show(sent.shown, text)
        return self._described(sent)

    def _rendered(self, call: Reply) -> tuple[CardEntity | None, Card | None, str]:
        """What a message holds: a card entity, a card, or neither; and its text."""
        if call.msg_type != "interactive":
            return None, None, text_of_content(call.msg_type, call.content)
        match decoded(call.content):
            case {"type": "card", "data": {"card_id": str(card_id)}}:
                entity = self._cards.get(card_id)
                if entity is None:
                    raise LarkError(
                        230099, "Failed to create card content, ext=ErrCode: 200740; no such card"
                    )
                if entity.message is not None:
                    raise LarkError(230099, f"card {card_id} was sent before: a card entity is sent once")
                return entity, None, entity.text
            case _:
                card = read_card(call.content)
                if card.config.streaming_mode:
                    raise LarkError(230099, "streaming_mode needs a card entity")
                return None, card, text_of_card(card.body.elements)

    def _count(self, quota: Quota) -> None:
        too_many = quota.ask(self.clock())
        if too_many is not None:
            raise _TooManyError(too_many)

    def _own(self, path: Path) -> Sent:
        sent = self._messages.get(path["message_id"])
        if sent is None or sent.shown.author != "bot":
            raise LarkError(230001, "no such message of this bot")
        if sent.shown.deleted:
            raise LarkError(230110, "the message was deleted", fault=False)
        return sent

    def _add(self, chat: str, author: Literal["person", "bot"], user: str, msg_type: str) -> Sent:
        message_id = f"om_{self._chance.getrandbits(128):032x}"
        sent = Sent(Shown(message_id, chat, author, user, self.clock()), msg_type)
        self._messages[message_id] = self._chats[chat].messages[message_id] = sent
        return sent

    def _described(self, sent: Sent) -> Json:
        shown = sent.shown
        described: Json = {
            "message_id": shown.ts,
            "msg_type": sent.msg_type,
            "create_time": milliseconds(shown.at),
            "update_time": milliseconds(shown.at),
            "deleted": shown.deleted,
            "updated": sent.edits > 0,
            "chat_id": shown.chat,
            "sender": {
                "id": self._tenant.app_id if shown.author == "bot" else shown.user,
                "id_type": "app_id" if shown.author == "bot" else "open_id",
                "sender_type": "app" if shown.author == "bot" else "user",
                "tenant_key": self._tenant.key,
            },
            "body": {"content": orjson.dumps({"text": shown.text}).decode()},
        }
        if shown.reply_to:
            described |= {"root_id": shown.reply_to, "parent_id": shown.reply_to}
        if shown.thread:
            described["thread_id"] = shown.thread
        return described

    def _show_reactions(self, sent: Sent) -> None:
        sent.shown.reactions = list(sent.reactions.values())
        self.changed(sent.shown)

    def _expire_cards(self) -> None:
        for card in self._cards.values():
            card.expire(self.clock())
            if card.message is not None and not card.streaming:
                card.message.streaming = False

    def _letter(self, url: str, event_type: str, event: Json) -> Letter:
        event_id = f"{self._chance.getrandbits(128):032x}"
        payload = self._tenant.envelope(event_type, event_id, event)
        return Letter(url, event_type, event_id, self._tenant.attempts(payload))


class _TooManyError(Exception):
    """A limit of one chat, message or card."""

    def __init__(self, too_many: TooMany) -> None:
        super().__init__("rate limited")
        self.too_many = too_many


B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class Route:
    """One method. ``open``: needs no token, and its answer has its fields at the top level."""

    method: str
    verb: str
    path: re.Pattern[str]
    body: type[Body]
    perform: Callable[[LarkStandin, Body, Path], Json]
    open: bool = False
    top_level: bool = False


def _route(
    method: str,
    address: str,
    body: type[B],
    perform: Callable[[LarkStandin, B, Path], Json],
    *,
    public: bool = False,
    top_level: bool = False,
) -> Route:
    verb, _, path = address.partition(" ")
    pattern = re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/]+)", path))

    def parsed(lark: LarkStandin, call: Body, found: Path) -> Json:
        assert isinstance(call, body)
        return perform(lark, call, found)

    return Route(method, verb, pattern, body, parsed, public, top_level)


_L = LarkStandin
_CARD = "cardkit/v1/cards/:card_id"
_MESSAGE = "im/v1/messages/:message_id"
ROUTES = (
    _route(
        "auth.v3.tenant_access_token.internal",
        "POST auth/v3/tenant_access_token/internal",
        TokenRequest,
        _L.token,
        public=True,
        top_level=True,
    ),
    _route("bot.v3.info", "GET bot/v3/info", Body, _L.bot_info, top_level=True),
    _route("im.v1.message.create", "POST im/v1/messages", Create, _L.create),
    _route("im.v1.message.reply", f"POST {_MESSAGE}/reply", Reply, _L.reply),
    _route("im.v1.message.update", f"PUT {_MESSAGE}", Edit, _L.edit),
    _route("im.v1.message.patch", f"PATCH {_MESSAGE}", PatchCard, _L.patch),
    _route("im.v1.message.delete", f"DELETE {_MESSAGE}", Body, _L.delete),
    _route("im.v1.message.get", f"GET {_MESSAGE}", Body, _L.read),
    _route("im.v1.message_reaction.create", f"POST {_MESSAGE}/reactions", React, _L.react),
    _route("im.v1.message_reaction.delete", f"DELETE {_MESSAGE}/reactions/:reaction_id", Body, _L.unreact),
    _route("cardkit.v1.card.create", "POST cardkit/v1/cards", CreateCard, _L.create_card),
    _route("cardkit.v1.card.update", f"PUT {_CARD}", ReplaceCard, _L.replace_card),
    _route("cardkit.v1.card.settings", f"PATCH {_CARD}/settings", Settings, _L.settings),
    _route(
        "cardkit.v1.card_element.content",
        f"PUT {_CARD}/elements/:element_id/content",
        ElementContent,
        _L.content,
    ),
    _route("cardkit.v1.card_element.create", f"POST {_CARD}/elements", InsertElements, _L.insert),
    _route(
        "cardkit.v1.card_element.update",
        f"PUT {_CARD}/elements/:element_id",
        ReplaceElement,
        _L.replace_element,
    ),
    _route(
        "cardkit.v1.card_element.patch", f"PATCH {_CARD}/elements/:element_id", PatchElement, _L.patch_element
    ),
    _route(
        "cardkit.v1.card_element.delete", f"DELETE {_CARD}/elements/:element_id", Operation, _L.delete_element
    ),
)


def find_route(verb: str, path: str) -> tuple[Route, Path] | None:
    for route in ROUTES:
        found = route.path.fullmatch(path)
        if found is not None and route.verb == verb:
            return route, found.groupdict()
    return None


def _belongs_to(chat: Chat, open_id: str) -> bool:
    return chat.kind == "p2p" and any(sent.shown.user == open_id for sent in chat.messages.values())


def _ok(data: Json, *, top_level: bool) -> web.Response:
    answer: Json = {"code": 0, "msg": "success", **(data if top_level else {"data": data})}
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


def _error(code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "msg": message, "error": {"log_id": "demo"}}, status=400)


def _rate_limited(reset: int) -> web.Response:
    return web.json_response(
        {"code": 99991400, "msg": "request trigger frequency limit"},
        status=429,
        headers={"x-ogw-ratelimit-limit": "50", "x-ogw-ratelimit-reset": str(reset)},
    )
