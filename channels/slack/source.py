"""``conversation.source.Source`` for one Slack bot: files, names, and a thread from before the bot was there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from pydantic import BaseModel

from channels.acquaintances import Acquaintances
from channels.downloads import Downloads
from channels.slack.files import File, SlackFiles
from channels.slack.limits import Limits
from channels.slack.mrkdwn import readable
from channels.slack.people import SlackPeople
from channels.slack.web_api import Call, Identity, WebApi
from conversation.messages import Address, Attachment, InboundMessage
from conversation.outbound import DeliveryDelayedError, DeliveryError
from conversation.source import ASKED_WITHIN, Earlier, Fetched

PAGE = 200
"""Messages of a thread that are asked for, once; an app that is sold outside Slack's Marketplace gets 15 a minute."""

REFUSED_FOR = 60.0
"""Seconds for which no thread is read after Slack did not give one."""


class _BotProfile(BaseModel):
    name: str = ""


class _Message(BaseModel):
    ts: str
    user: str | None = None
    bot_id: str | None = None
    username: str | None = None
    bot_profile: _BotProfile = _BotProfile()
    subtype: str | None = None
    text: str = ""
    files: tuple[File, ...] = ()


class _Thread(BaseModel):
    messages: tuple[_Message, ...] = ()


class SlackSource:
    def __init__(self, api: WebApi, limits: Limits, downloads: Downloads, known: Acquaintances) -> None:
        """``downloads`` stay their owner's to close. ``known`` learns who is in a conversation."""
        self._known = known
        self._api = api
        self._limits = limits
        self._people = SlackPeople(api, limits)
        self._files = SlackFiles(api, limits.files_info, downloads)
        self._quiet_until = 0.0

    @property
    def people(self) -> SlackPeople:
        return self._people

    async def fetch(self, to: Address, file: Attachment, most: int) -> Fetched:  # noqa: ARG002 - the port's signature
        return await self._files.fetch(file, most)

    async def readable(self, message: InboundMessage) -> str:
        return await self._people.readable(message.text, partial(self._known.meet, message.address))

    async def name_of(self, message: InboundMessage) -> str:
        id = message.sender.id
        name = message.sender.name or (await self._people.names.of([id])).get(id, "")
        self._known.meet(message.address, id, name)
        return name

    async def earlier(self, message: InboundMessage, most: int) -> Sequence[Earlier]:
        thread = message.key.thread
        now = asyncio.get_running_loop().time()
        if not thread or thread == message.address.message or now < self._quiet_until:
            return ()
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                said = await self._thread(message, thread)
        except DeliveryDelayedError as error:
            self._quiet_until = now + max(REFUSED_FOR, error.delay)
            return ()
        except (DeliveryError, TimeoutError):
            self._quiet_until = now + REFUSED_FOR
            return ()
        return await self._named(said[-most:], message.address)

    async def close(self) -> None:
        await self._people.close()

    async def _thread(self, message: InboundMessage, thread: str) -> list[_Message]:
        """What others said there before this message, and after we did."""
        own = await self._api.whoami()
        if not await self._limits.replies.try_take():  # what is being answered needs it more
            return []
        call = Call("conversations.replies", self._limits.replies)
        where: dict[str, str | int] = {
            "channel": message.address.chat,
            "ts": thread,
            "latest": message.address.message,
            "limit": PAGE,
        }
        said: list[_Message] = []
        for one in (await self._api.read(call, where, _Thread)).messages:
            if float(one.ts) >= float(message.address.message):
                continue
            if _is_own(one, own):
                said.clear()
            elif one.text or one.files:
                said.append(one)
        return said

    async def _named(self, said: Sequence[_Message], to: Address) -> Sequence[Earlier]:
        meet = partial(self._known.meet, to)
        names = await self._people.names.of([one.user for one in said if one.user])
        for id, name in names.items():
            meet(id, name)
        found: list[Earlier] = []
        for one in said:
            text = await self._people.readable(readable(one.text, own=()), meet)
            files = [f"[file: {file.name or file.title or file.id}]" for file in one.files]
            name = names.get(one.user or "") or one.username or one.bot_profile.name
            found.append(Earlier(name, " ".join(filter(None, (text, *files))), float(one.ts)))
        return found


def _is_own(message: _Message, own: Identity) -> bool:
    return message.user == own.user_id or (own.bot_id is not None and message.bot_id == own.bot_id)
