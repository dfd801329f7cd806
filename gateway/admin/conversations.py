"""Conversations: listed, looked at, and told what to do.

Invariants:

- what an admin says or commands goes through the conversation's one queue, in one order with what people write;
- a command that is repeated with its request is carried out once;
- texts are shown only to who may read them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints

from conversation.bot import Agent, Bot
from conversation.clock import Clock
from conversation.directory import Directory
from conversation.keys import ConversationKey, MalformedKeyError
from conversation.messages import Address, Command, InboundMessage, Sender, stable_id
from conversation.stores.port import Store
from conversation.texts import locale_of
from gateway.admin.access import Permission, Principal
from gateway.admin.admitting import Admitting
from gateway.admin.audit import Audit
from gateway.admin.conversation_views import ConversationDetail, ConversationView, SaidView, View, queued
from gateway.admin.errors import ConflictError, FieldProblem, InvalidError
from gateway.admin.hosted import seen_bot, seen_key, unknown_conversation
from gateway.admin.paging import Page, read_cursor, write_cursor, wrong_cursor
from gateway.hosting import HostedBot

SHOWN_TURNS = 100
"""Of a queue, and of a transcript."""

LONGEST_TEXT = 40_000
"""Characters of a message, as many as Slack lets a person write."""


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MessageInput(_Input):
    """Something is said in the conversation, and answered there. ``user``: as whom, by the platform's id; whose
    limits and whose personal data it counts to.
    """

    type: Literal["message"]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_TEXT)]
    user: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")] | None = None


class CancelInput(_Input):
    """The reply that is being written, or would be written next, ends. It does not wait in line."""

    type: Literal["cancel"]


class BindInput(_Input):
    """From its turn on, ``agent`` answers."""

    type: Literal["bind"]
    agent: Annotated[str, Field(min_length=1, max_length=200)]


class ClearInput(_Input):
    """At its turn, what was said is forgotten."""

    type: Literal["clear"]


class EndInput(_Input):
    """At its turn, what was said and an agent that was bound are forgotten."""

    type: Literal["end"]


CommandInput: TypeAlias = Annotated[
    MessageInput | CancelInput | BindInput | ClearInput | EndInput, Discriminator("type")
]


class CommandDone(View):
    """``turn`` waits in line for it, or has run already; None of a cancel. ``done`` is False of a cancel that found
    nothing to end.
    """

    type: Literal["message", "cancel", "bind", "clear", "end"]
    turn: str | None = None
    reference: str | None = None
    done: bool = True


class ConversationDesk:
    """``bots`` and ``agents`` are those in force, ``routes`` the bots on platforms, by channel and id."""

    def __init__(
        self,
        bots: Mapping[str, Bot],
        agents: Mapping[str, Agent],
        routes: Mapping[tuple[str, str], HostedBot],
        store: Store,
        directory: Directory,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._bots = bots
        self._agents = agents
        self._routes = routes
        self._store = store
        self._directory = directory
        self._admitting = Admitting(directory, store.events)
        self._audit = audit
        self._clock = clock

    async def list(
        self, who: Principal, *, bot: str | None, cursor: str | None, limit: int
    ) -> Page[ConversationView]:
        """Of one bot, or of all on platforms that are seen: those of the last 30 days, the newest activity first.

        Raises UnknownError, NotAllowedError and InvalidError.
        """
        if bot is not None:
            seen_bot(who, self._bots, bot)
        who.check(Permission.READ, bot)
        before = None if cursor is None else _place(cursor)
        ids = [bot] if bot is not None else sorted({id for _, id in self._routes if who.sees(id)})
        pages = await asyncio.gather(
            *[self._store.conversations.page(id, before=before, limit=limit + 1) for id in ids]
        )
        found = sorted(
            (state for page in pages for state in page),
            key=lambda state: (state.active_at, str(state.key)),
            reverse=True,
        )
        shown = found[:limit]
        return Page[ConversationView](
            items=tuple(ConversationView.of(state, self._bots, self._agents) for state in shown),
            next=(
                write_cursor("conversations", shown[-1].active_at, str(shown[-1].key))
                if len(found) > limit
                else None
            ),
        )

    async def get(self, who: Principal, key: str) -> ConversationDetail:
        """Raises UnknownError and NotAllowedError."""
        parsed = seen_key(who, key)
        readable = who.may(Permission.READ_TEXTS, parsed.bot)
        state, turns = await asyncio.gather(
            self._store.conversations.find(parsed), self._store.conversations.queue(parsed, SHOWN_TURNS)
        )
        if state is None:
            raise unknown_conversation()
        said = await self._store.transcripts.said(parsed, SHOWN_TURNS) if readable else ()
        return ConversationDetail(
            **dict(ConversationView.of(state, self._bots, self._agents)),
            queue=queued(state, turns, readable=readable),
            transcript=tuple(SaidView.of(one) for one in said) if readable else None,
        )

    async def command(self, who: Principal, key: str, command: CommandInput, request: str) -> CommandDone:
        """``request`` names this wish: with the same one it is carried out once in 24 hours.

        Raises UnknownError, NotAllowedError, InvalidError, and ConflictError if the bot takes nothing now or the
        queue is full.
        """
        parsed = seen_key(who, key)
        who.check(Permission.OPERATE, parsed.bot)
        if await self._store.conversations.find(parsed) is None:
            raise unknown_conversation()
        identity = f"api:{who.name}:{key}:{request}"
        if isinstance(command, CancelInput):
            wish = stable_id(parsed.channel, parsed.bot, identity)
            done = await self._directory.stop(parsed, wish, self._clock.now())
            await self._audit.record(who, "conversation.cancel", f"conversation/{key}")
            return CommandDone(type="cancel", done=done)
        message = self._message(who, parsed, command, identity)
        await self._admit(message)
        await self._audit.record(
            who, f"conversation.{command.type}", f"conversation/{key}", f"turn {message.turn_id}"
        )
        return CommandDone(type=command.type, turn=message.turn_id, reference=message.turn_id[:8])

    def _message(
        self,
        who: Principal,
        key: ConversationKey,
        command: MessageInput | BindInput | ClearInput | EndInput,
        identity: str,
    ) -> InboundMessage:
        text, user, order = "", "", None
        match command:
            case MessageInput():
                text, user = command.text, command.user or ""
            case BindInput():
                if command.agent not in self._agents:
                    known = ", ".join(sorted(self._agents)) or "none: create one first"
                    problem = f"there is no agent {command.agent!r}; there are {known}"
                    raise InvalidError([FieldProblem("agent", problem)])
                order = Command("bind", command.agent)
            case ClearInput() | EndInput():
                order = Command(command.type)
        return InboundMessage(
            key=key,
            identity=identity,
            address=replace(self._address(key), sender=user or key.sender),
            sender=Sender(user or f"api:{who.name}", key.tenant),
            text=text,
            sent_at=self._clock.now(),
            locale=locale_of(text),
            origin="api",
            command=order,
        )

    def _address(self, key: ConversationKey) -> Address:
        hosted = self._routes.get((key.channel, key.bot))
        if hosted is not None:
            return hosted.channel.address_of(key, self._clock.now())
        return Address(key.chat, "", key.thread, key.sender, key.tenant)

    async def _admit(self, message: InboundMessage) -> None:
        bot = self._bots.get(message.key.bot)
        hosted = self._routes.get((message.key.channel, message.key.bot))
        if bot is None or not bot.gates.enabled or (hosted is not None and hosted.draft):
            raise ConflictError(
                f"bot {message.key.bot!r} takes nothing now: it is switched off, gone, or lacks credentials"
            )
        limits = replace(bot.limits, queued=max(1, bot.limits.queued)) if message.command else bot.limits
        await self._admitting.admit(message, bot, limits)


def _place(cursor: str) -> tuple[float, str]:
    match read_cursor("conversations", cursor):
        case (int() | float() as at, str(key)):
            try:
                ConversationKey.parse(key)
            except MalformedKeyError:
                raise wrong_cursor() from None
            return float(at), key
        case _:
            raise wrong_cursor()
