"""Any history of operations: every engine answers as the reference model does, and the invariants hold."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from conversation.busy import Limits, WhenBusy
from conversation.keys import ConversationKey
from conversation.messages import Command, InboundMessage
from conversation.stores.conversations import LISTED_FOR, ConversationState
from conversation.stores.memory import MemoryStore
from conversation.stores.port import LEASE, SEEN_FOR, Stopped, Store, StoreError, TurnStore
from conversation.stores.retention import DAY, Retention
from conversation.turn import Claim, Delivery, Final, Outcome, Part, Reason
from tests.conversation.made_up import SAID_AT, ManualClock, answered, key, message
from tests.conversation.stores.engines import ENGINES, IN_PARTITIONS, MakeStore

HELPDESK, DESK = "helpdesk", "desk-21"  # in one partition of Redis
CHATS = {"C1": HELPDESK, "C2": HELPDESK, "C3": HELPDESK, "C4": DESK, "C5": DESK}
PEOPLE = ("U1", "U2")
LIMITS = {HELPDESK: Limits(replies=2, per_person=1), DESK: Limits(per_person=2)}
PERIOD = LEASE / 3
KEPT = Retention(transcripts=5 * DAY, events=2 * DAY)
COMMANDS = (Command("clear"), Command("end"), Command("bind", "other"), Command("bind", "third"))


def key_of(chat: str) -> ConversationKey:
    return key(chat, CHATS[chat])


class Histories(RuleBasedStateMachine):
    """Runs every operation on an engine and on the reference model.

    Sessions are named differently by every engine, so answers are compared with the sessions' own numbers.
    """

    make_store: MakeStore

    sessions = Bundle("sessions")
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.engine = type(self).make_store(Path(self.folder.name), self.clock, KEPT)
        self.model = MemoryStore(self.clock, retention=KEPT)
        self.begun_at = self.clock.now()
        self.names: list[tuple[str, str]] = []
        self.said: list[InboundMessage] = []
        self.said_at: dict[str, float] = {}
        self.wishes = 0
        self.accepted: dict[str, list[str]] = {chat: [] for chat in CHATS}
        self.ended: dict[str, list[str]] = {chat: [] for chat in CHATS}
        self.epochs: dict[str, int] = {}
        self.compared = 0
        self.read = 0

    @initialize(target=sessions)
    def begin(self) -> int:
        self.runner.run(self.engine.open())
        return self._open()

    def teardown(self) -> None:
        self.runner.run(self.engine.close())
        self.runner.close()
        self.folder.cleanup()

    @rule(target=sessions)
    def open_session(self) -> int:
        return self._open()

    @rule(
        target=claims,
        session=sessions,
        chat=st.sampled_from(tuple(CHATS)),
        user=st.sampled_from(PEOPLE),
        may_claim=st.booleans(),
        queued=st.integers(0, 3),
        when_busy=st.sampled_from(("queue", "merge", "interrupt")),
        refusal=st.sampled_from((None, None, Reason.STALE)),
        command=st.sampled_from((None, None, None, None, *COMMANDS)),
    )
    def admit(
        self,
        session: int,
        chat: str,
        user: str,
        may_claim: bool,
        queued: int,
        when_busy: WhenBusy,
        refusal: Reason | None,
        command: Command | None,
    ) -> object:
        said = message(f"message {len(self.said)}", chat=chat, bot=CHATS[chat], user=user)
        said = replace(said, command=command)
        self.said.append(said)
        self.said_at[said.turn_id] = self.clock.now()
        engine, model = self._both(
            lambda turns, name: turns.admit(
                said,
                session=name,
                may_claim=may_claim,
                limits=replace(LIMITS[CHATS[chat]], queued=queued),
                when_busy=when_busy,
                refusal=refusal,
            ),
            session,
        )
        assert (engine.status, engine.notice_due) == (model.status, model.notice_due)
        self._same_stopped(engine.stopped, model.stopped)
        return self._granted([engine.claim], [model.claim])

    @rule(session=sessions, back=st.integers(0, 5))
    def redeliver(self, session: int, back: int) -> None:
        if back >= len(self.said):
            return
        said = self.said[-1 - back]
        if self.clock.now() - self.said_at[said.turn_id] >= SEEN_FOR:
            return
        engine, model = self._both(
            lambda turns, name: turns.admit(said, session=name, may_claim=True, limits=LIMITS[said.key.bot]),
            session,
        )
        assert engine.status == model.status == "duplicate"

    @rule(
        chat=st.sampled_from(tuple(CHATS)),
        again=st.booleans(),
        asked_at=st.sampled_from((SAID_AT - 1, SAID_AT)),
    )
    def stop(self, chat: str, again: bool, asked_at: float) -> None:
        self.wishes += not again
        wish = f"wish {self.wishes}"
        engine, model = (
            self.runner.run(store.turns.stop(key_of(chat), wish, asked_at))
            for store in (self.engine, self.model)
        )
        self._same_stopped(engine, model)

    @rule(back=st.integers(0, 5))
    def take_back(self, back: int) -> None:
        if back >= len(self.said):
            return
        said = self.said[-1 - back]
        if self.clock.now() - self.said_at[said.turn_id] < SEEN_FOR:
            engine, model = (
                self.runner.run(store.turns.take_back(said.key.bot, said.turn_id))
                for store in (self.engine, self.model)
            )
            self._same_stopped(engine, model)

    @rule(back=st.integers(0, 5), at=st.integers(1, 3))
    def edit(self, back: int, at: int) -> None:
        if back >= len(self.said):
            return
        said = self.said[-1 - back]
        if self.clock.now() - self.said_at[said.turn_id] < SEEN_FOR:
            now = replace(said, text=f"{said.text}, version {at}", edited_at=float(at))
            engine, model = (self.runner.run(store.turns.edit(now)) for store in (self.engine, self.model))
            assert engine == model

    @rule()
    def repair(self) -> None:
        engine, model = (self.runner.run(store.turns.due_repairs(9)) for store in (self.engine, self.model))
        assert engine == model
        for one in engine[:1]:
            for store in (self.engine, self.model):
                self.runner.run(store.turns.repaired(one))

    @rule(claim=claims, stray=st.sampled_from(("", "stray")))
    def suspect(self, claim: tuple[Claim, Claim], stray: str) -> None:
        self._each(claim, lambda turns, mine: turns.suspect(mine, 0.5, stray))

    @rule(target=claims, session=sessions, most=st.integers(1, 3))
    def claim(self, session: int, most: int) -> object:
        engine, model = self._both(lambda turns, name: turns.claim(name, most), session)
        return self._granted(engine, model)

    @rule(claim=claims, final=st.booleans())
    def checkpoint(self, claim: tuple[Claim, Claim], final: bool) -> None:
        delivery = Delivery((Part(0, "ref"),), answered("stored") if final else None)
        self._each(claim, lambda turns, mine: turns.checkpoint(mine, delivery))

    @rule(
        target=claims,
        claim=claims,
        kind=st.sampled_from(("answered", "obeyed", "failed", "dead")),
        keep_texts=st.booleans(),
        repair_after=st.sampled_from((None, 1.0)),
    )
    def complete(
        self, claim: tuple[Claim, Claim], kind: Any, keep_texts: bool, repair_after: float | None
    ) -> object:
        reason = None if kind in {"answered", "obeyed"} else Reason.MODEL_ERROR
        final = Final(("text",), "text" if kind == "answered" else "", Outcome(kind, reason))
        before = len(self.model.turns.happened)
        engine, model = self._each(
            claim,
            lambda turns, mine: turns.complete(
                mine, final, keep_turns=3, keep_texts=keep_texts, repair_after=repair_after
            ),
        )
        for event in list(self.model.turns.happened)[before:]:
            if event.kind == "turn.completed":
                self.ended[event.key.chat].append(event.turn_id)
        return self._granted([engine], [model])

    @rule(claim=consumes(claims), delay=st.sampled_from((1.0, PERIOD, 60.0)))
    def retry(self, claim: tuple[Claim, Claim], delay: float) -> None:
        self._each(claim, lambda turns, mine: turns.retry(mine, delay))

    @rule(target=claims, session=sessions)
    def renew_having_lost_every_answer(self, session: int) -> object:
        engine, model = self._both(lambda turns, name: turns.renew(name, ()), session)
        if engine is None:
            return multiple()
        return self._granted(
            sorted(engine, key=lambda claim: str(claim.key)),
            sorted(model, key=lambda claim: str(claim.key)),
            newly=False,
        )

    @rule(session=sessions)
    def drain(self, session: int) -> None:
        self._both(lambda turns, name: turns.drain(name), session)

    @rule(session=consumes(sessions))
    def close_session(self, session: int) -> None:
        self._both(lambda turns, name: turns.close_session(name), session)

    @rule(session=sessions)
    def take_over(self, session: int) -> None:
        engine, model = self._both(lambda turns, name: turns.take_over(name), session)
        assert engine == model

    @rule(seconds=st.sampled_from((0.5, PERIOD, LEASE, 90_000.0)))
    def time_passes(self, seconds: float) -> None:
        if (
            self.clock.now() + seconds < self.begun_at + LISTED_FOR
        ):  # then engines forget bindings, each in its time
            self.clock.advance(seconds)

    @rule(chat=st.sampled_from(tuple(CHATS)))
    def look_at_a_conversation(self, chat: str) -> None:
        def seen(store: Store) -> tuple[Any, ...]:
            looks = (
                store.conversations.find(key_of(chat)),
                store.conversations.queue(key_of(chat), 2),
                store.transcripts.said(key_of(chat), 9),
                store.events.of_conversation(key_of(chat), 7),
            )
            state, queue, said, events = map(self.runner.run, map(_awaited, looks))
            return state, queue, said, [replace(event, position=0) for event in events]

        engine, model = seen(self.engine), seen(self.model)
        assert (self._named(engine[0]), *engine[1:]) == model

    @rule(bot=st.sampled_from((HELPDESK, DESK)), size=st.integers(1, 3))
    def look_at_a_bot(self, bot: str, size: int) -> None:
        before = None
        while True:
            engine, model = (
                self.runner.run(store.conversations.page(bot, before=before, limit=size))
                for store in (self.engine, self.model)
            )
            assert tuple(map(self._named, engine)) == model
            if not model:
                break
            before = model[-1].active_at, str(model[-1].key)
        loads = [self.runner.run(store.conversations.load(bot)) for store in (self.engine, self.model)]
        assert loads[0] == loads[1]
        queues = [
            self.runner.run(store.conversations.queues([HELPDESK, DESK]))
            for store in (self.engine, self.model)
        ]
        assert queues[0] == queues[1]

    @rule(back=st.integers(0, 5))
    def look_at_a_turn(self, back: int) -> None:
        if back < len(self.said):
            engine, model = (
                self.runner.run(store.events.of_turn(self.said[-1 - back].turn_id[:8]))
                for store in (self.engine, self.model)
            )
            assert [replace(event, position=0) for event in engine] == [
                replace(event, position=0) for event in model
            ]

    @rule(
        bot=st.sampled_from((HELPDESK, DESK)),
        user=st.sampled_from(PEOPLE),
        erases=st.sampled_from((False, False, False, True)),
    )
    def look_at_a_person(self, bot: str, user: str, erases: bool) -> None:
        person = message(bot=bot, user=user).person
        engine, model = (
            self.runner.run(store.privacy.kept(person, bot)) for store in (self.engine, self.model)
        )
        assert engine == model
        if erases:
            gone = [self.runner.run(store.privacy.erase(person, bot)) for store in (self.engine, self.model)]
            assert gone[0] == gone[1]

    @rule()
    def tick(self) -> None:
        engine, model = (self.runner.run(store.turns.tick(100)) for store in (self.engine, self.model))
        assert engine == model

    @invariant()
    def the_engines_tell_the_same_story(self) -> None:
        told, self.compared = self.compared, self.runner.run(self.model.events.end())
        engine = self.runner.run(self.engine.events.after(self.read, 10_000))
        model = self.runner.run(self.model.events.after(told, 10_000))
        assert [replace(event, position=0) for event in engine] == [
            replace(event, position=0) for event in model
        ]
        for event in engine:
            assert event.position > self.read
            self.read = event.position
            if event.kind == "message.admitted":
                self.accepted[event.key.chat].append(event.turn_id)
        for chat in {event.key.chat for event in engine if event.kind == "turn.completed"}:
            said = self.runner.run(self.engine.transcripts.said(key_of(chat), 10))
            assert said == self.runner.run(self.model.transcripts.said(key_of(chat), 10))
            letters = self.runner.run(self.engine.turns.dead_letters())
            assert letters == self.runner.run(self.model.turns.dead_letters())

    @invariant()
    def a_conversation_is_running_ready_backing_off_or_idle(self) -> None:
        turns = self.model.turns
        for name, conversation in turns.conversations.items():
            states = (
                conversation.owner is not None,
                name in turns._line.ready,
                conversation.due_at is not None,
            )
            assert sum(states) == (1 if conversation.queue else 0)
            assert conversation.owner is None or conversation.owner in turns._sessions

    @invariant()
    def no_bot_and_no_person_has_more_replies_than_its_limit(self) -> None:
        for bot, limits in LIMITS.items():
            running = [turn.message.person for turn in self.model.turns._line.running(bot)]
            assert not limits.replies or len(running) <= limits.replies
            assert max(map(running.count, running), default=0) <= limits.per_person

    @invariant()
    def turns_end_once_in_the_order_of_their_admission(self) -> None:
        for chat in CHATS:
            assert self.ended[chat] == self.accepted[chat][: len(self.ended[chat])]

    def _open(self) -> int:
        engine, model = (self.runner.run(store.turns.open_session()) for store in (self.engine, self.model))
        self.names.append((engine, model))
        return len(self.names) - 1

    def _both(self, call: Callable[[TurnStore, str], Awaitable[Any]], session: int) -> tuple[Any, Any]:
        engine, model = self.names[session]
        return self._same(lambda: call(self.engine.turns, engine), lambda: call(self.model.turns, model))

    def _each(
        self, claim: tuple[Claim, Claim], call: Callable[[TurnStore, Claim], Awaitable[Any]]
    ) -> tuple[Any, Any]:
        return self._same(lambda: call(self.engine.turns, claim[0]), lambda: call(self.model.turns, claim[1]))

    def _same(
        self, engine: Callable[[], Awaitable[Any]], model: Callable[[], Awaitable[Any]]
    ) -> tuple[Any, Any]:
        """What both answer; if one refuses, the other refuses for the same reason."""
        answers: list[Any] = []
        refusals: list[type[StoreError] | None] = []
        for call in (engine, model):
            try:
                answers.append(self.runner.run(_awaited(call())))
                refusals.append(None)
            except StoreError as refusal:
                answers.append(None)
                refusals.append(type(refusal))
        assert refusals[0] == refusals[1]
        return answers[0], answers[1]

    def _same_stopped(self, engine: Stopped | None, model: Stopped | None) -> None:
        names = dict(self.names) | {"": ""}
        assert (engine and replace(engine, session=names[engine.session])) == model

    def _named(self, state: ConversationState | None) -> ConversationState | None:
        """As the model names its session."""
        names = dict(self.names) | {"": ""}
        return state and replace(state, session=names[state.session])

    def _granted(self, engine: Any, model: Any, *, newly: bool = True) -> Any:
        """Pairs of equal claims, each above all earlier ones of its conversation."""
        pairs = []
        for mine, theirs in zip(engine or (), model or (), strict=True):
            if mine is None or theirs is None:
                assert mine is theirs
                continue
            assert replace(mine, session="") == replace(theirs, session="")
            if newly:
                assert mine.epoch > self.epochs.get(mine.key.chat, 0)
                self.epochs[mine.key.chat] = mine.epoch
            pairs.append((mine, theirs))
        return multiple(*pairs)


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


@pytest.mark.parametrize("engine", [*ENGINES, "redis in partitions"])
def test_every_engine_agrees_with_the_reference_model_on_any_history(engine: str) -> None:
    machine = type(
        "HistoriesOf" + engine, (Histories,), {"make_store": staticmethod((ENGINES | IN_PARTITIONS)[engine])}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=150,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
