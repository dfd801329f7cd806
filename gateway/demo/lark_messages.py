"""Lark's messages: tokens, chats, sends, edits and reactions.

Invariant: a uuid has at most one success an hour; its repetition returns the first message.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson

from gateway.demo.lark_calls import (
    Body,
    Create,
    Edit,
    ListReactions,
    PatchCard,
    React,
    Reply,
    TokenRequest,
)
from gateway.demo.lark_cards import LIFE, CardEntity
from gateway.demo.lark_events import Tenant, milliseconds
from gateway.demo.lark_rules import Card, Json, LarkError, decoded, read_card, text_of_card, text_of_content
from gateway.demo.ratelimit import Bucket, Quota, TooMany
from gateway.demo.standin import Shown, StandIn

TOKEN_LIFE = 7200.0
TOKEN_KEPT_WHILE = 1800.0
UUID_CHARS = 50
UUID_WINDOW = 3600.0
EDITS = 20

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


OVER_LIMIT, CHAT_OVER_LIMIT = 99991400, 230020


class TooManyError(Exception):
    """A limit of one chat, message or card, and the code by which Lark tells it."""

    def __init__(self, too_many: TooMany, code: int) -> None:
        super().__init__("rate limited")
        self.too_many = too_many
        self.code = code


SCOPES = (
    "cardkit:card:write",
    "contact:user.base:readonly",
    "im:message.group_at_msg:readonly",
    "im:message.p2p_msg:readonly",
    "im:message:readonly",
    "im:message:send_as_bot",
)
GRANTED = 1


class LarkMessages(StandIn):
    """``duplicate_sends`` counts sends that were repeated under the same uuid and did nothing."""

    def __init__(
        self, tenant: Tenant, app_secret: str, chance: random.Random, *, port: int, latency: float
    ) -> None:
        super().__init__(clock=tenant.clock, port=port, latency=latency)
        self._tenant = tenant
        self._app_secret = app_secret
        self._chance = chance
        self._tokens: dict[str, float] = {}
        self._chats: dict[str, Chat] = {}
        self._messages: dict[str, Sent] = {}
        self._cards: dict[str, CardEntity] = {}
        self._sent_uuids: dict[str, tuple[float, Body, Sent]] = {}
        self.duplicate_sends = 0
        self.scopes = dict.fromkeys(SCOPES, GRANTED)
        """Those that the app asks for, by name: GRANTED or not (2) by the tenant."""

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

    def list_scopes(self, _: Body, __: Path) -> Json:
        return {
            "scopes": [
                {"scope_name": name, "grant_status": status, "scope_type": "tenant"}
                for name, status in self.scopes.items()
            ]
        }

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
        if self.clock() - sent.shown.at >= LIFE:
            raise LarkError(230031, "the card was sent more than 14 days ago", fault=False)
        card = read_card(call.content)
        self.count(sent.patches)
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

    def reactions(self, call: ListReactions, path: Path) -> Json:
        sent = self._messages.get(path["message_id"])
        if sent is None or sent.shown.deleted:
            raise LarkError(231003, "the message is gone", fault=False)
        items = [
            {
                "reaction_id": id,
                "operator": {"operator_id": self._tenant.app_id, "operator_type": "app"},
                "reaction_type": {"emoji_type": emoji},
            }
            for id, emoji in sent.reactions.items()
            if call.reaction_type in {None, emoji}
        ]
        return {"items": items, "has_more": False}

    def unreact(self, _: Body, path: Path) -> Json:
        sent = self._messages.get(path["message_id"])
        if sent is None or sent.shown.deleted:
            raise LarkError(231003, "the message is gone", fault=False)
        if sent.reactions.pop(path["reaction_id"], None) is None:
            raise LarkError(231011, "no such reaction", fault=False)
        self._show_reactions(sent)
        return {"reaction_id": path["reaction_id"]}

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
        self.count(self._chats[chat].sends, CHAT_OVER_LIMIT)
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

    def count(self, quota: Quota, code: int = OVER_LIMIT) -> None:
        too_many = quota.ask(self.clock())
        if too_many is not None:
            raise TooManyError(too_many, code)

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
            "body": {"content": orjson.dumps(_listed(sent)).decode()},
        }
        if shown.reply_to:
            described |= {"root_id": shown.reply_to, "parent_id": shown.reply_to}
        if shown.thread:
            described["thread_id"] = shown.thread
        return described

    def _show_reactions(self, sent: Sent) -> None:
        sent.shown.reactions = list(sent.reactions.values())
        self.changed(sent.shown)


def _belongs_to(chat: Chat, open_id: str) -> bool:
    return chat.kind == "p2p" and any(sent.shown.user == open_id for sent in chat.messages.values())


def _listed(sent: Sent) -> Json:
    text = sent.shown.text
    if sent.msg_type == "post":
        return {"title": "", "content": [[{"tag": "text", "text": text}]]}
    return {"text": text}
