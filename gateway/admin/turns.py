"""Why was this answered so, or not at all: the story of a turn, from its events.

It is found by what an admin has at hand: a turn's id, the reference of a notice, a conversation's key, or a link to a
message as the platform copies it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from conversation.keys import ConversationKey
from conversation.outbound import DeliveryError
from conversation.stores.conversations import ConversationState
from conversation.stores.events import Event
from conversation.stores.port import Store
from conversation.turn import STOPPING, Reason, Turn
from gateway.admin import explanations
from gateway.admin.access import Permission, Principal
from gateway.admin.conversation_views import View, moment
from gateway.admin.errors import UnknownError
from gateway.admin.explanations import Sentence
from gateway.admin.hosted import seen_key
from gateway.hosting import HostedBot
from gateway.status import StatusBook

MOST_STORIES = 20
"""Of one conversation, or of one reference."""

_EVENTS = 500
"""Of one conversation, the newest, that are looked through."""

_QUEUE = 200
_TRANSCRIPT = 200

_REFERENCE = re.compile(r"[0-9a-f]{8,24}")

PATIENCE = 10.0
"""Seconds that platforms may take to say whose link it is."""

Found = Literal["waiting", "running", "ended", "never"]


class Step(View):
    """``kind`` and ``detail`` as in the event log; ``seconds_since_before`` is None of the first one."""

    at: datetime
    kind: str
    detail: str
    seconds_since_before: float | None


class TurnStory(View):
    """``state`` ``never``: no such message was accepted; then the sentences say what is known instead.

    ``outcome`` and ``reason`` are set once it has ended. ``merged_into``: the turn whose answer it shares.
    ``said_en`` and ``said_zh`` say in one plain sentence why it was answered so, or not. ``text`` and ``answer`` are
    None for who may not read them, and where they are not kept (any more).
    """

    id: str
    reference: str
    bot: str
    channel: str
    conversation: str | None
    state: Found
    outcome: str | None = None
    reason: str | None = None
    merged_into: str | None = None
    said_en: str
    said_zh: str
    steps: tuple[Step, ...] = ()
    text: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """What a turn looks like from its events and its place in the queue."""

    state: Found
    sentence: Sentence
    outcome: str | None = None
    reason: str | None = None


class Turns:
    """``routes``: the bots on platforms, by channel and id, as they are now."""

    def __init__(self, routes: Mapping[tuple[str, str], HostedBot], store: Store, book: StatusBook) -> None:
        self._routes = routes
        self._store = store
        self._book = book

    async def explain(self, who: Principal, what: str) -> tuple[TurnStory, ...]:
        """Newest last. Raises UnknownError, saying what is known, and NotAllowedError."""
        who.check(Permission.READ)
        what = what.strip()
        if what.startswith("k1."):
            return await self._of_conversation(who, seen_key(who, what))
        if _REFERENCE.fullmatch(what.lower()):
            found = await self._of_turns(who, await self._store.events.of_turn(what.lower()))
            if found:
                return found
            raise UnknownError(explanations.NEVER.en)
        stories = await self._of_link(who, what)
        if not stories:
            raise UnknownError(
                "that is no turn id, no reference of at least 8 characters, no conversation key, and no link to a"
                " message of a platform that a bot is on; copy one of those"
            )
        return stories

    async def _of_conversation(self, who: Principal, key: ConversationKey) -> tuple[TurnStory, ...]:
        events = await self._store.events.of_conversation(key, _EVENTS)
        stories = await self._of_turns(who, events)
        if not stories:
            raise UnknownError("nothing happened in that conversation in the time that events are kept")
        return stories

    async def _of_link(self, who: Principal, link: str) -> tuple[TurnStory, ...]:
        bots = [hosted for (_, id), hosted in self._routes.items() if who.sees(id)]
        told = await asyncio.gather(*[self._by_bot(who, hosted, link) for hosted in bots])
        found = [story for stories in told for story in stories]
        accepted = [story for story in found if story.state != "never"]
        return tuple(accepted or found)

    async def _by_bot(self, who: Principal, hosted: HostedBot, link: str) -> tuple[TurnStory, ...]:
        try:
            async with asyncio.timeout(PATIENCE):
                named = await hosted.channel.named(link)
        except (DeliveryError, TimeoutError):  # its credentials do not work: it cannot have accepted anything
            return ()
        if named is None:
            return ()
        stories = await self._of_turns(who, await self._store.events.of_turn(named.turn_id))
        if not stories and named.key is not None:  # perhaps the link names the answer
            stories = await self._of_turns(who, await self._store.events.of_conversation(named.key, _EVENTS))
        return stories or (await self._never(hosted, named.turn_id, named.key),)

    async def _never(self, hosted: HostedBot, turn_id: str, key: ConversationKey | None) -> TurnStory:
        """What is known of a message that no turn answers."""
        tally = await self._book.tally(hosted.bot.id)
        sentences = [explanations.NEVER]
        if not tally.first_event_at:
            sentences.append(explanations.QUIET)
        if tally.ignored:
            sentences.append(_counted(explanations.IGNORED, tally.ignored))
        if tally.rejected:
            sentences.append(_counted(explanations.REJECTED, tally.rejected))
        channel = next((name for (name, id), _ in self._routes.items() if id == hosted.bot.id), "")
        return TurnStory(
            id=turn_id,
            reference=turn_id[:8],
            bot=hosted.bot.id,
            channel=channel,
            conversation=None if key is None else str(key),
            state="never",
            said_en=" ".join(one.en for one in sentences),
            said_zh="".join(one.zh for one in sentences),
        )

    async def _of_turns(self, who: Principal, events: Sequence[Event]) -> tuple[TurnStory, ...]:
        by_turn: dict[str, list[Event]] = {}
        for event in events:
            if who.sees(event.key.bot):
                by_turn.setdefault(event.turn_id, []).append(event)
        newest = list(by_turn.items())[-MOST_STORIES:]
        return tuple([await self._story(who, id, of_turn) for id, of_turn in newest])

    async def _story(self, who: Principal, id: str, events: Sequence[Event]) -> TurnStory:
        key = events[-1].key
        merged_into = next((event.detail for event in events if event.kind == "message.merged"), None)
        if merged_into is not None:  # what became of it, became of the other
            events = [*events, *await self._store.events.of_turn(merged_into)]
        state, queue = await asyncio.gather(
            self._store.conversations.find(key), self._store.conversations.queue(key, _QUEUE)
        )
        standing = await self._standing(merged_into or id, events, state, queue)
        if merged_into is not None and standing.sentence in (explanations.ANSWERED, explanations.WAITING):
            standing = _Standing(standing.state, explanations.MERGED, standing.outcome, standing.reason)
        text, answer = await self._texts(who, merged_into or id, key, queue)
        return TurnStory(
            id=id,
            reference=id[:8],
            bot=key.bot,
            channel=key.channel,
            conversation=str(key),
            state=standing.state,
            outcome=standing.outcome,
            reason=standing.reason,
            merged_into=merged_into,
            said_en=standing.sentence.en,
            said_zh=standing.sentence.zh,
            steps=_steps(events),
            text=text,
            answer=answer,
        )

    async def _standing(
        self, id: str, events: Sequence[Event], state: ConversationState | None, queue: Sequence[Turn]
    ) -> _Standing:
        for event in reversed(events):
            if event.kind == "turn.completed":
                return await self._ended(id, event.detail)
            if event.kind == "message.refused":
                return _Standing("ended", _why(event.detail), "refused", event.detail)
        place = next((place for place, turn in enumerate(queue) if turn.id == id), None)
        if place is not None:
            return _in_line(place, state)
        if any(event.kind == "message.taken_back" for event in events):
            sentence = explanations.REASONS[Reason.TAKEN_BACK]
            return _Standing("ended", sentence, "cancelled", Reason.TAKEN_BACK)
        return _Standing("ended", explanations.GONE)

    async def _ended(self, id: str, detail: str) -> _Standing:
        """``detail`` is the reason, or the outcome where there is none."""
        if detail == "answered":
            return _Standing("ended", explanations.ANSWERED, "answered")
        if detail == "obeyed":
            return _Standing("ended", explanations.OBEYED, "obeyed")
        outcome = _OUTCOMES.get(detail, "failed")
        if outcome == "failed" and any(letter.id == id for letter in await self._store.turns.dead_letters()):
            outcome = "dead"
        return _Standing("ended", _why(detail), outcome, detail)

    async def _texts(
        self, who: Principal, id: str, key: ConversationKey, queue: Sequence[Turn]
    ) -> tuple[str | None, str | None]:
        if not who.may(Permission.READ_TEXTS, key.bot):
            return None, None
        waiting = next((turn for turn in queue if turn.id == id), None)
        if waiting is not None:
            return waiting.question, None
        said = await self._store.transcripts.said(key, _TRANSCRIPT)
        kept = next((one for one in said if one.turn_id == id), None)
        if kept is not None:
            return kept.question, kept.answer
        letters = await self._store.turns.dead_letters()
        letter = next((one for one in letters if one.id == id and one.messages), None)
        return (None if letter is None else "\n\n".join(one.text for one in letter.messages)), None


_OUTCOMES = {
    **{reason.value: "cancelled" for reason in STOPPING},
    **{
        reason.value: "refused"
        for reason in (
            Reason.STALE,
            Reason.BOT_DISABLED,
            Reason.NOT_ALLOWED,
            Reason.CREDENTIAL_MISSING,
            Reason.QUEUE_FULL,
            Reason.UNSUPPORTED,
        )
    },
    Reason.MALFORMED.value: "dead",
    Reason.DELIVERY_FAILED.value: "dead",
}
"""Of the reasons that come with one outcome only."""


def _in_line(place: int, state: ConversationState | None) -> _Standing:
    if place or state is None:
        return _Standing("waiting", explanations.WAITING)
    match state.state:
        case "running":
            return _Standing("running", explanations.RUNNING)
        case "backing_off":
            return _Standing("waiting", explanations.BACKING_OFF)
        case _:
            return _Standing("waiting", explanations.HELD)


def _why(reason: str) -> Sentence:
    return explanations.error_sentence(reason)


def _steps(events: Sequence[Event]) -> tuple[Step, ...]:
    steps: list[Step] = []
    before: float | None = None
    for event in sorted(events, key=lambda event: event.at):
        steps.append(
            Step(
                at=moment(event.at),
                kind=event.kind,
                detail=event.detail,
                seconds_since_before=None if before is None else round(max(0.0, event.at - before), 3),
            )
        )
        before = event.at
    return tuple(steps)


def _counted(sentence: Sentence, counts: Mapping[str, int]) -> Sentence:
    listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda one: -one[1]))
    return Sentence(sentence.en.format(counts=listed), sentence.zh.format(counts=listed))
