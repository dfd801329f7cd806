"""Which chat is the direct message of which person, learnt from what came from there.

The platform's menu events tell the person alone, and a bot cannot ask (docs: "机器人自定义菜单事件"). What is learnt
is kept in the store too, for other replicas and the time after a restart; it names the person by a hash.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Protocol

from conversation.stores.port import StoreUnavailableError

REMEMBERED = 10_000
"""People whose chat is at hand; of others the store is asked."""

WRITING = 100
"""Chats that may wait to be kept; one more is learnt again with the next message."""


class ChatBook(Protocol):
    """Where it is kept. Both raise StoreUnavailableError."""

    async def keep(self, bot: str, person: str, chat: str) -> None: ...

    async def find(self, bot: str, person: str) -> str | None: ...


class DirectChats:
    """Of one bot. Without a book it is forgotten with the process."""

    def __init__(self, bot: str, book: ChatBook | None = None) -> None:
        self._bot = bot
        self._book = book
        self._known: OrderedDict[str, str] = OrderedDict()
        self._unwritten: dict[str, str] = {}
        self._writer: asyncio.Task[None] | None = None

    def learn(self, person: str, chat: str) -> None:
        """Returns at once. May be called where no loop runs: then it is only remembered."""
        if self._known.get(person) == chat:
            return
        self._remember(person, chat)
        if self._book is None or len(self._unwritten) >= WRITING:
            return
        self._unwritten[person] = chat
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(
                self._write(self._book), name=f"direct chats of {self._bot}"
            )

    async def of(self, person: str) -> str | None:
        """None where it was never told. Raises StoreUnavailableError."""
        known = self._known.get(person)
        if known is None and self._book is not None:
            known = await self._book.find(self._bot, person)
            if known is not None:
                self._remember(person, known)
        return known

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait((self._writer,))

    def _remember(self, person: str, chat: str) -> None:
        self._known[person] = chat
        self._known.move_to_end(person)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def _write(self, book: ChatBook) -> None:
        while self._unwritten:
            person, chat = self._unwritten.popitem()
            try:
                await book.keep(self._bot, person, chat)
            except StoreUnavailableError:
                self._known.pop(person, None)  # learnt again with the next message
