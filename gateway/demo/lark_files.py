"""Files and names in Lark: resources of messages, and the address book.

Docs: "获取消息中的资源文件", "获取单个用户信息", "获取会话历史消息". A resource belongs to the message with which it
came: under another message's id it is not found. Stickers, and what a merged-forward message holds, are not given out
(234043).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson
from aiohttp import web
from typing_extensions import override

from gateway.demo.lark_calls import Body
from gateway.demo.lark_cardkit import LarkApi
from gateway.demo.lark_events import message_event
from gateway.demo.lark_messages import GRANTED, Path
from gateway.demo.lark_rules import Json, LarkError

MOST_BYTES = 100 << 20
CONTACT, READING = "contact:user.base:readonly", "im:message:readonly"


class ListMessages(Body):
    container_id_type: Literal["thread", "chat"]
    container_id: str
    sort_type: Literal["ByCreateTimeAsc", "ByCreateTimeDesc"] = "ByCreateTimeAsc"
    page_size: str = "20"


class UserId(Body):
    user_id_type: Literal["open_id", "union_id", "user_id"] = "open_id"


@dataclass(frozen=True, slots=True)
class Resource:
    kind: Literal["image", "file"]
    name: str
    data: bytes
    kept_back: bool = False


@dataclass(slots=True)
class Archive:
    """What a tenant knows besides messages. ``people`` are names by open_id; ``resources`` by message and key."""

    people: dict[str, str] = field(default_factory=dict)
    resources: dict[tuple[str, str], Resource] = field(default_factory=dict)
    uploaded: dict[str, Resource] = field(default_factory=dict)
    """What the bot uploaded, by key."""
    children: dict[str, list[Json]] = field(default_factory=dict)
    """Of merged-forward messages, by the message's id."""

    def add(self, message: str, resource: Resource) -> str:
        key = f"{'img' if resource.kind == 'image' else 'file'}_v3_{len(self.resources):04d}"
        self.resources[message, key] = resource
        return key


class LarkFiles(LarkApi):
    """Everything that a bot can call, with files and names."""

    archive: Archive

    def need(self, scope: str) -> None:
        if self.scopes.get(scope) != GRANTED:
            raise LarkError(99991672, f"one of these scopes is required: [{scope}]", fault=False)

    def user(self, _: UserId, path: Path) -> Json:
        self.need(CONTACT)
        name = self.archive.people.get(path["user_id"])
        if name is None:
            raise LarkError(41012, "user id invalid", fault=False)
        return {"user": {"open_id": path["user_id"], "name": name}}

    def list_messages(self, call: ListMessages, _: Path) -> Json:
        self.need(READING)
        if not 1 <= int(call.page_size) <= 50:  # noqa: PLR2004 -- documented
            raise LarkError(230001, "page_size is 1 to 50")
        found = [
            self._described(sent)
            for sent in self._messages.values()
            if call.container_id
            == (sent.shown.thread if call.container_id_type == "thread" else sent.shown.chat)
        ]
        if call.sort_type == "ByCreateTimeDesc":
            found.reverse()
        more = len(found) > int(call.page_size)
        return {"items": found[: int(call.page_size)], "has_more": more, "page_token": ""}

    @override
    def read(self, _: Body, path: Path) -> Json:
        found = super().read(_, path)
        match found:
            case {"items": [*items]}:
                return {"items": [*items, *self.archive.children.get(path["message_id"], [])]}
            case _:
                return found

    def take_upload(self, kind: Literal["image", "file"], form: Mapping[str, object]) -> Json:
        """Docs: "上传图片", "上传文件": images up to 10 MB, files up to 30 MB, and never empty."""
        match kind, dict(form):
            case "image", {"image_type": "message", "image": web.FileField(file=file, filename=name)}:
                most = 10 << 20
            case "file", {"file_type": "stream", "file_name": str(name), "file": web.FileField(file=file)}:
                most = 30 << 20
            case _:
                raise LarkError(234001, "invalid parameters")
        data = file.read()
        if not 0 < len(data) <= most:
            raise LarkError(234006, "the size is over the limit, or nothing")
        key = f"{kind}_up_{len(self.archive.uploaded)}"
        self.archive.uploaded[key] = Resource(kind, name, data)
        return {f"{kind}_key": key}

    def resource(self, message: str, key: str, kind: str) -> web.Response:
        """Raises LarkError."""
        self.need(READING)
        found = self.archive.resources.get((message, key))
        sent = self._messages.get(message)
        if sent is not None and sent.shown.deleted:
            raise LarkError(230110, "the message was deleted", fault=False)
        if found is None or found.kind != kind:
            raise LarkError(234003, "no such resource in this message")
        if found.kept_back:
            raise LarkError(234043, "unsupported message type", fault=False)
        if len(found.data) > MOST_BYTES:
            raise LarkError(234037, "the file is over 100 MB", fault=False)
        return web.Response(body=found.data, content_type="application/octet-stream")

    def file_event(self, shown_id: str, resource: Resource, *, chat_type: Literal["p2p", "group"]) -> Json:
        """The event of an image or file that somebody sent."""
        key = self.archive.add(shown_id, resource)
        content = (
            {"image_key": key} if resource.kind == "image" else {"file_key": key, "file_name": resource.name}
        )
        return self._event_with(shown_id, resource.kind, content, chat_type=chat_type, mention=False)

    def pictured_event(
        self,
        shown_id: str,
        text: str,
        pictures: list[bytes],
        *,
        chat_type: Literal["p2p", "group"],
        mention: bool,
    ) -> Json:
        """The event of a post with pictures in it."""
        keys = [self.archive.add(shown_id, Resource("image", "", picture)) for picture in pictures]
        at: list[Json] = [{"tag": "at", "user_id": "@_user_1", "user_name": "Turnkeeper"}] if mention else []
        lines: list[list[Json]] = [[*at, {"tag": "text", "text": f" {text}"}]]
        lines += [[{"tag": "img", "image_key": key}] for key in keys]
        return self._event_with(
            shown_id, "post", {"title": "", "content": lines}, chat_type=chat_type, mention=mention
        )

    def _event_with(
        self, shown_id: str, kind: str, content: object, *, chat_type: Literal["p2p", "group"], mention: bool
    ) -> Json:
        event = message_event(
            self._messages[shown_id].shown,
            self._tenant,
            chat_type=chat_type,
            message_type="text",
            mention=mention,
            sender_tenant=self._tenant.key,
        )
        message = event["message"]
        assert isinstance(message, dict)
        message |= {"message_type": kind, "content": orjson.dumps(content).decode()}
        return event
