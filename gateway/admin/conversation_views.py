"""Conversations and their turns, as an admin sees them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from conversation.bot import Agent, Bot
from conversation.stores.conversations import ConversationState, State
from conversation.stores.transcripts import Said
from conversation.turn import Turn


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ConversationView(View):
    """``turns`` counts those in its queue, the running one included. ``agent`` answers there. ``key`` is opaque.

    ``state``: a turn runs, is about to, or is tried again later (``backing_off``); or there is none (``idle``).
    """

    key: str
    channel: str
    bot: str
    state: State
    turns: int
    active_at: datetime
    agent: str

    @classmethod
    def of(cls, state: ConversationState, bots: Mapping[str, Bot], agents: Mapping[str, Agent]) -> Self:
        bot = bots.get(state.key.bot)
        bound = state.agent if state.agent in agents else ""
        return cls(
            key=str(state.key),
            channel=state.key.channel,
            bot=state.key.bot,
            state=state.state,
            turns=state.turns,
            active_at=moment(state.active_at),
            agent=bound or (bot.agent.id if bot else ""),
        )


class QueuedTurn(View):
    """A turn that has not ended. ``refusal``: why it is to end without an answer. ``sender`` is the platform's id.

    ``attempt`` counts how often it was begun. ``command`` is set for one that asks nobody. ``text`` is None for who
    may not read it.
    """

    id: str
    reference: str
    state: Literal["running", "waiting"]
    admitted_at: datetime
    attempt: int
    refusal: str | None
    sender: str
    command: str | None = None
    text: str | None = None

    @classmethod
    def of(cls, turn: Turn, *, running: bool, readable: bool) -> Self:
        command = turn.message.command
        return cls(
            id=turn.id,
            reference=turn.reference,
            state="running" if running else "waiting",
            admitted_at=moment(turn.admitted_at),
            attempt=turn.attempt,
            refusal=turn.refusal,
            sender=turn.message.sender.id,
            command=None if command is None else command.kind,
            text=turn.question if readable and command is None else None,
        )


class SaidView(View):
    """A turn that was answered. ``person`` names who asked, and is not the platform's id."""

    turn: str
    person: str
    at: datetime
    question: str
    answer: str

    @classmethod
    def of(cls, said: Said) -> Self:
        return cls(
            turn=said.turn_id,
            person=said.person,
            at=moment(said.at),
            question=said.question,
            answer=said.answer,
        )


class ConversationDetail(ConversationView):
    """``queue``: the head first. ``transcript``: oldest first; None for who may not read texts."""

    queue: tuple[QueuedTurn, ...] = ()
    transcript: tuple[SaidView, ...] | None = None


def queued(
    state: ConversationState | None, turns: tuple[Turn, ...], *, readable: bool
) -> tuple[QueuedTurn, ...]:
    running = state is not None and state.state == "running"
    return tuple(
        QueuedTurn.of(turn, running=running and place == 0, readable=readable)
        for place, turn in enumerate(turns)
    )


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
