"""``conversation.source.Source`` for one Lark bot: files, names, and a thread from before the bot was there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel

from channels.acquaintances import Acquaintances
from channels.lark.answers import Answer
from channels.lark.api import LarkApi
from channels.lark.content import FORWARDED, read, seconds
from channels.lark.errors import GONE, LarkRefusedError
from channels.lark.events import Mention, UserId
from channels.lark.files import fetch_resource
from channels.lark.mentions import Mentions
from channels.lark.methods import Method
from channels.people import Names, NotAllowedError
from conversation.messages import Address, Attachment, InboundMessage
from conversation.outbound import DeliveryDelayedError, DeliveryError
from conversation.question import named
from conversation.source import ASKED_WITHIN, Earlier, Fetched, FileError
from conversation.texts.troubles import Trouble

MOST_FORWARDED = 100
"""Messages of a merged-forward message that are read."""

REFUSED_FOR = 60.0
"""Seconds for which no thread is read after the platform did not give one."""

_NOT_ALLOWED = frozenset({99991661, 99991671, 99991672})
"""No or a malformed token, a missing scope (docs: "通用错误码")."""


class _User(BaseModel):
    name: str = ""


class _UserData(BaseModel):
    user: _User


class _UserInfo(Answer):
    data: _UserData


class _Sender(BaseModel):
    id: str = ""
    sender_type: str = ""


class _Body(BaseModel):
    content: str = ""


class _Mentioned(BaseModel):
    key: str
    id: str = ""
    name: str = ""


class _Message(BaseModel):
    """As the API lists it, which is not as an event tells it: senders are "user" or "app"."""

    message_id: str
    msg_type: str
    create_time: str
    deleted: bool = False
    sender: _Sender = _Sender()
    body: _Body = _Body()
    mentions: tuple[_Mentioned, ...] = ()


class _Items(BaseModel):
    items: tuple[_Message, ...] = ()


class _Listed(Answer):
    data: _Items


class LarkSource:
    def __init__(self, api: LarkApi, app_id: str, known: Acquaintances) -> None:
        """``known`` learns who is in a conversation."""
        self._known = known
        self._api = api
        self._app_id = app_id
        self.names = Names(api.limit_of(Method.USER), self._ask_user)
        self._quiet_until = 0.0

    async def fetch(self, to: Address, file: Attachment, most: int) -> Fetched:
        if file.ref == FORWARDED:
            text = (await self._forwarded(to.message)).encode()
            if len(text) > most:
                raise FileError(Trouble.TOO_LARGE)
            return Fetched(text)
        return Fetched(await fetch_resource(self._api, to.message, file.ref, most))

    async def readable(self, message: InboundMessage) -> str:
        """Events tell the names of those whom they mention."""
        for person in message.mentioned:
            self._known.meet(message.address, person.id, person.name)
        return message.text

    async def name_of(self, message: InboundMessage) -> str:
        id = message.sender.id
        name = message.sender.name or (await self.names.of([id])).get(id, "")
        self._known.meet(message.address, id, name)
        return name

    async def earlier(self, message: InboundMessage, most: int) -> Sequence[Earlier]:
        thread = message.address.thread
        now = asyncio.get_running_loop().time()
        if not thread or message.key.thread != thread or now < self._quiet_until:
            return ()
        limit = self._api.limit_of(Method.THREAD)
        if not await limit.try_take():
            return ()
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                newest_first = (await self._api.ask(Method.THREAD, _Listed, thread)).data.items
        except DeliveryDelayedError as error:
            self._quiet_until = now + max(REFUSED_FOR, error.delay)
            return ()
        except (DeliveryError, TimeoutError):
            self._quiet_until = now + REFUSED_FOR
            return ()
        return await self._named(self._before(message, newest_first)[:most][::-1])

    async def close(self) -> None:
        await self.names.close()

    def _before(self, message: InboundMessage, newest_first: Sequence[_Message]) -> list[_Message]:
        """What others said before this message, and after we did."""
        said: list[_Message] = []
        for one in newest_first:
            if one.sender.sender_type == "app" and one.sender.id == self._app_id:
                break
            if not one.deleted and one.message_id != message.address.message and _at(one) <= message.sent_at:
                said.append(one)
        return said

    async def _forwarded(self, message: str) -> str:
        """What a merged-forward message holds, a line for each (docs: "获取指定消息的内容"). Raises FileError."""
        await self._api.limit_of(Method.READ).take(urgent=False)
        try:
            items = (await self._api.ask(Method.READ, _Listed, message)).data.items
        except LarkRefusedError as refused:
            gone = refused.code in GONE
            raise FileError(Trouble.GONE if gone else Trouble.FORBIDDEN, str(refused)) from None
        except DeliveryError as error:
            raise FileError(Trouble.UNREACHABLE, str(error)) from None
        told = await self._named([one for one in items if one.message_id != message][:MOST_FORWARDED])
        if not told:
            raise FileError(Trouble.UNSUPPORTED)
        return "\n".join(f"{named(one.name or 'Somebody', one.at)}: {one.text}" for one in told)

    async def _named(self, said: Sequence[_Message]) -> Sequence[Earlier]:
        people = [one.sender.id for one in said if one.sender.sender_type == "user"]
        names = await self.names.of(people)
        found = [
            Earlier(names.get(one.sender.id, ""), text, _at(one))
            for one in said
            if (text := _text(one).strip())
        ]
        return tuple(found)

    async def _ask_user(self, id: str) -> str:
        try:
            return (await self._api.ask(Method.USER, _UserInfo, id)).data.user.name
        except LarkRefusedError as refused:
            raise (NotAllowedError() if refused.code in _NOT_ALLOWED else refused) from None


def _at(message: _Message) -> float:
    try:
        return seconds(message.create_time)
    except ValueError:
        return 0.0


def _text(message: _Message) -> str:
    """With its files by name; empty for what has no text, and what cannot be read."""
    mentions = [
        Mention(key=one.key, id=UserId(open_id=one.id), name=one.name, mentioned_type="user")
        for one in message.mentions
    ]
    try:
        content = read(message.msg_type, message.body.content, Mentions.of(mentions, own_id=""))
    except ValueError:
        return ""
    if content is None:
        return ""
    files = [f"[{file.kind}: {file.name}]" for file in content.attachments]
    return " ".join(filter(None, (content.text, *files)))
