"""The playground: an admin talks to an agent, through the real queue, executor and relay."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Literal, Self

from channels.playground import CHANNEL, Chats, Line
from conversation.bot import Bot
from conversation.clock import Clock
from conversation.directory import Directory
from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender, stable_id
from conversation.stores.port import Store
from conversation.stores.records import RecordConflictError
from conversation.texts import locale_of
from gateway.admin.access import Permission, Principal, playground_bot
from gateway.admin.admitting import Admitting
from gateway.admin.conversation_views import View, moment
from gateway.admin.conversations import LONGEST_TEXT
from gateway.admin.errors import ConflictError, FieldProblem, InvalidError, UnknownError

_CHAT = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Shown(View):
    """What stands in a chat. ``growing``: it will change; without text it says that an answer is on its way.

    ``turn`` answers the question; its first eight characters are the reference of a notice.
    """

    role: Literal["person", "agent"]
    text: str
    growing: bool
    at: datetime
    turn: str

    @classmethod
    def of(cls, line: Line) -> Self:
        return cls(role=line.role, text=line.text, growing=line.growing, at=moment(line.at), turn=line.turn)


class Playground:
    """``chat`` is any name of 1 to 64 letters, digits, hyphens and underscores; another one is another conversation.

    A chat is forgotten a day after its last question. Every method raises UnknownError if there is no such agent,
    NotAllowedError, and InvalidError.
    """

    def __init__(self, bots: Mapping[str, Bot], store: Store, directory: Directory, clock: Clock) -> None:
        self._bots = bots
        self._directory = directory
        self._admitting = Admitting(directory, store.events)
        self._chats = Chats(store.records, clock)
        self._clock = clock

    async def say(self, who: Principal, agent: str, chat: str, text: str, request: str) -> str:
        """The id of the turn that answers. ``request`` names this wish: repeated it is said once.

        Raises ConflictError if too much waits in this chat already.
        """
        bot = self._bot(who, agent, chat)
        text = _sayable(text)
        key = _key(bot, chat)
        identity = f"{who.name}:{chat}:{request}"
        turn = stable_id(CHANNEL, bot.id, identity)
        message = InboundMessage(
            key=key,
            identity=identity,
            address=Address(chat, turn, "", who.name, key.tenant),
            sender=Sender(who.name, key.tenant),
            text=text,
            sent_at=self._clock.now(),
            locale=locale_of(text),
            origin="api",
        )
        try:
            # Noted first: an answer whose question is not shown would be worse than a question without one.
            await self._chats.ask(bot.id, chat, turn, text)
            try:
                await self._admitting.admit(message, bot)
            except ConflictError:
                await self._chats.take_back(bot.id, chat, turn)
                raise
        except RecordConflictError:
            raise ConflictError("too much is said in this chat at the same moment; try again") from None
        return turn

    async def stop(self, who: Principal, agent: str, chat: str, request: str) -> bool:
        """End the answer that is being written, or would be next; whether there is one."""
        bot = self._bot(who, agent, chat)
        wish = stable_id(CHANNEL, bot.id, f"{who.name}:{chat}:stop:{request}")
        return await self._directory.stop(_key(bot, chat), wish, self._clock.now())

    async def shown(self, who: Principal, agent: str, chat: str) -> tuple[Shown, ...]:
        """The newest 50 questions with their answers, in the order of asking."""
        bot = self._bot(who, agent, chat)
        return tuple(Shown.of(line) for line in await self._chats.lines(bot.id, chat))

    def watch(self, who: Principal, agent: str, chat: str) -> AsyncGenerator[tuple[Shown, ...], None]:
        """``shown``, now and whenever it has changed, whichever process writes the answer; at most five times a
        second. It never ends by itself.
        """
        return self._watch(self._bot(who, agent, chat), chat)

    async def _watch(self, bot: Bot, chat: str) -> AsyncGenerator[tuple[Shown, ...], None]:
        async with aclosing(self._chats.watch(bot.id, chat)) as changes:
            async for lines in changes:
                yield tuple(Shown.of(line) for line in lines)

    def _bot(self, who: Principal, agent: str, chat: str) -> Bot:
        who.check(Permission.OPERATE)
        who.check(Permission.READ_TEXTS)
        bot = self._bots.get(playground_bot(agent))
        if bot is None or not bot.gates.enabled:
            raise UnknownError(f"there is no agent {agent!r}")
        if not _CHAT.fullmatch(chat):
            raise InvalidError(
                [FieldProblem("chat", "must have 1 to 64 letters, digits, hyphens and underscores")]
            )
        return bot


def _sayable(text: str) -> str:
    """Raises InvalidError."""
    text = text.strip()
    problem = ""
    if not text:
        problem = "is empty; write something"
    elif len(text) > LONGEST_TEXT:
        problem = f"must have at most {LONGEST_TEXT} characters"
    elif any("\ud800" <= char <= "\udfff" for char in text):
        problem = "holds half of a character; write it anew"
    if problem:
        raise InvalidError([FieldProblem("text", problem)])
    return text


def _key(bot: Bot, chat: str) -> ConversationKey:
    return ConversationKey(CHANNEL, bot.id, "", chat)
