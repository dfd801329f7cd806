"""Runs one turn: gates, context, the model's stream, the relay. Every way out is a ``Final``.

Invariants:

- once a final is stored, only its sending is repeated: the model is not asked again;
- a platform call under way is never cut off because the model failed: what it did would not be known;
- a turn that is stopped keeps what the person has seen of its answer, in the transcript too;
- an exception that nobody foresaw in deciding a turn becomes ``executor_crash`` with a notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import structlog

from conversation import context
from conversation.answers import told
from conversation.bot import Agent, Bot
from conversation.clock import Clock
from conversation.controls import Controls
from conversation.enclosures import named, share, upload
from conversation.in_flight import InFlight
from conversation.listening import listen
from conversation.marks import Marks
from conversation.offers import offered
from conversation.outbound import (
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRefusedError,
    DeliveryStoppedError,
)
from conversation.persistence import persistently
from conversation.providers.port import Entry, Prompt, ProviderError
from conversation.question import Asking, Question
from conversation.relay import Relay
from conversation.retries import Retries
from conversation.stop import Stop, StoppedError
from conversation.stores.port import StoreError, TurnStore
from conversation.stores.transcripts import Transcripts
from conversation.texts import about_files, notice
from conversation.texts.troubles import Trouble
from conversation.turn import CRASHES_BEFORE_DEAD, STOPPING, Claim, Delivery, Final, Outcome, Reason, Turn

CONTEXT_TIMEOUT = 15.0
"""Seconds for reading the conversation's history."""

FAILURES_BEFORE_DEAD = 10
"""Put-backs after which a turn that cannot be delivered is given up: about half an hour of trying."""

STOP_HEARD_WITHIN = 5.0
"""Seconds from a refused write to the platform's own event that the person pressed stop."""

UNKNOWN_BOT_DELAY = 5.0
"""Seconds after which a turn of a bot that this process does not have is offered to all processes again."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a turn ended, for ``TurnStore.complete``. ``repair_after`` is in seconds; None: no write can be late.
    ``first_text_at``: when the person saw the first text of this attempt, by the loop's time.
    """

    final: Final
    repair_after: float | None = None
    keep_texts: bool = True
    asked: str = ""
    """What the transcript keeps of the question; empty: the people's words."""
    first_text_at: float | None = None


class Executor:
    """Runs turns of any bot in ``bots``; keeps nothing between two turns.

    ``agents`` are those that a conversation may be bound to. Both are read anew for every turn. ``in_flight`` shows
    the answers that are being written.
    """

    def __init__(
        self,
        bots: Mapping[str, Bot],
        agents: Mapping[str, Agent],
        turns: TurnStore,
        transcripts: Transcripts,
        clock: Clock,
        in_flight: InFlight | None = None,
        retries: Retries | None = None,
        marks: Marks | None = None,
        asking: Asking | None = None,
    ) -> None:
        """``retries`` keeps questions whose reply failed; without it no reply has a button for that. ``marks`` shows
        people that their message is being answered.
        """
        self._retries = retries
        self._marks = marks
        self._asking = asking or Asking()
        self._bots = bots
        self._agents = agents
        self._turns = turns
        self._transcripts = transcripts
        self._clock = clock
        self._in_flight = InFlight() if in_flight is None else in_flight

    async def run(self, claim: Claim, stop: Stop) -> Ended:
        """Answer the claim's turn visibly and return how it ended, not yet completed in the store.

        Raises ClaimLostError when somebody else goes on with it, and DeliveryError (delayed or unknown) when
        the platform does not take the answer now: put the turn back then.
        """
        bot = self._bots.get(claim.key.bot)
        if bot is None:
            if claim.turn.failures < FAILURES_BEFORE_DEAD:  # another process may know it: a deployment rolls
                raise DeliveryDelayedError(f"no bot {claim.key.bot!r} in this process", UNKNOWN_BOT_DELAY)
            return Ended(Final((), "", Outcome("dead", Reason.BOT_DISABLED)))

        async def checkpoint(delivery: Delivery) -> None:
            await persistently(lambda: self._turns.checkpoint(claim, delivery))

        turn = claim.turn
        if self._marks is not None and turn.refusal is None and turn.delivery.final is None:
            for message in turn.messages:
                self._marks.received(bot.outbound, message)
        if turn.message.command is not None and turn.message.origin == "api":
            return Ended(_obeyed(turn))
        relay = Relay(bot.outbound, claim, checkpoint, self._clock, partial(self._offer, bot, turn))
        question = Question()
        begun_at = self._clock.now()
        try:
            with self._in_flight.showing(
                claim.key, turn.id, lambda: relay.answer, begun_at, kept=bot.keep_texts
            ):
                final = turn.delivery.final or await self._decide(bot, claim, relay, stop, question)
                await relay.settle(final)
                await share(bot.enclosures, turn, final)
        except DeliveryStoppedError:
            # The platform tells of the same wish: heard after this turn it would end the next one.
            await stop.told(within=STOP_HEARD_WITHIN)
            final = Final((), relay.answer, Outcome("cancelled", Reason.CANCELLED))
            return Ended(final, keep_texts=bot.keep_texts, asked=question.kept)
        except DeliveryError as trouble:
            refused = isinstance(trouble, DeliveryRefusedError)
            if not refused and turn.failures < FAILURES_BEFORE_DEAD:
                raise
            _log.warning("delivery refused", turn=turn.id, bot=bot.id, cause=str(trouble))
            final = await self._give_up(turn, relay)
        begun_before = claim.last_send_at is not None or turn.crashes or turn.failures
        in_doubt = final.texts and (begun_before or relay.has_pending_edit)
        repair_after = bot.outbound.repair_after if in_doubt else None
        return Ended(final, repair_after, bot.keep_texts, question.kept, relay.first_text_at)

    def completed(self, claim: Claim) -> None:
        """The claim's turn has its outcome in the store."""
        bot = self._bots.get(claim.key.bot)
        if self._marks is not None and bot is not None:
            self._marks.ended(bot.outbound, claim.turn)

    async def _offer(self, bot: Bot, turn: Turn, final: Final, delivery: Delivery) -> Controls | None:
        """What is about to stand under the reply. A question that can be asked again with it is kept before."""
        shown, retries = offered(bot, turn, final), self._retries
        if shown is None or not shown.retry:
            return shown
        if retries is None:
            return None
        await persistently(lambda: retries.keep(turn, delivery, final))
        return shown

    async def _give_up(self, turn: Turn, relay: Relay) -> Final:
        """The answer cannot be delivered. Perhaps a sentence can; if not, only the dead letter tells of it."""
        last_words = _notice(turn, relay, Outcome("dead", Reason.DELIVERY_FAILED))
        try:
            await relay.settle(last_words)
        except DeliveryError as trouble:
            _log.warning(
                "notice not delivered", turn=turn.id, reason=Reason.DELIVERY_FAILED, cause=str(trouble)
            )
        return last_words

    async def _decide(self, bot: Bot, claim: Claim, relay: Relay, stop: Stop, question: Question) -> Final:
        turn, agent = claim.turn, self._agents.get(claim.agent, bot.agent)
        unasked = _without_model(bot, claim, relay, self._agents)
        if unasked is not None:
            return unasked
        try:
            await self._converse(bot, agent, turn, relay, stop, question)
        except StoppedError as stopped:
            return _cut_short(turn, relay, stopped.reason)
        except ProviderError as failure:
            _log.warning("model failed", turn=turn.id, agent=agent.id, cause=str(failure))
            return _notice(turn, relay, Outcome("failed", failure.reason))
        except (StoreError, DeliveryError):
            raise
        except Exception:  # noqa: BLE001 - the boundary of a turn: it fails visibly, the conversation goes on
            _log.exception("executor crash", turn=turn.id, agent=agent.id)
            return _notice(turn, relay, Outcome("failed", Reason.EXECUTOR_CRASH))
        files, unsent = await upload(bot.enclosures, turn, question.produced)
        if files and not relay.has_text:
            relay.feed(named(question.produced.files))
        if unsent and relay.has_text:
            relay.feed(f"\n\n{about_files(Trouble.UNSENT, unsent, turn.message.locale)}")
        texts = relay.texts()
        if not "".join(texts).strip():
            return _notice(turn, relay, Outcome("failed", Reason.EMPTY_REPLY))
        return Final(texts, relay.answer, Outcome("answered"), files)

    async def _converse(
        self, bot: Bot, agent: Agent, turn: Turn, relay: Relay, stop: Stop, question: Question
    ) -> None:
        """Feed the model's whole answer to the relay while it shows it. Raises what either of them raised."""
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(relay.run(), name=f"relay {turn.id}")
                try:
                    async with stop.heeded():
                        await self._listen(bot, agent, turn, relay, question)
                except Exception as error:  # noqa: BLE001 - raised below, once the relay's call has ended
                    failure = error
                relay.end()
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        if failure is not None:
            raise failure

    async def _listen(self, bot: Bot, agent: Agent, turn: Turn, relay: Relay, question: Question) -> None:
        history = await self._history(agent, turn) if bot.keep_texts else ()
        await self._asking.fill(question, bot.source, agent, turn, history)

        def asked() -> Prompt:
            built = context.prompt(agent, history, question.text, question.images, question.said)
            return replace(built, attach=None if bot.enclosures is None else question.produced.attach)

        await listen(agent, relay, question, asked)

    async def _history(self, agent: Agent, turn: Turn) -> tuple[Entry, ...]:
        try:
            async with asyncio.timeout(CONTEXT_TIMEOUT):
                return await persistently(lambda: self._transcripts.recent(turn.message.key, agent.max_turns))
        except TimeoutError:
            raise ProviderError(Reason.CONTEXT_TIMEOUT, "the history was not read in time") from None


def _without_model(bot: Bot, claim: Claim, relay: Relay, agents: Container[str]) -> Final | None:
    """The end of a turn for which the model is not asked."""
    turn = claim.turn
    if turn.crashes >= CRASHES_BEFORE_DEAD:
        return _notice(turn, relay, Outcome("dead", Reason.EXECUTOR_CRASH))
    refusal = turn.refusal or bot.gates.refusal(turn.message)
    if refusal is None:
        if turn.message.stands_alone:
            return Final((told(bot, turn.message, claim.agent, agents),), "", Outcome("obeyed"))
        return None
    if refusal in STOPPING:
        return _cut_short(turn, relay, refusal)
    kind: Literal["dead", "refused"] = "dead" if refusal is Reason.MALFORMED else "refused"
    return _notice(turn, relay, Outcome(kind, refusal))


def _obeyed(turn: Turn) -> Final:
    """A command of the API is carried out by its completion. Nothing is shown of it, nor of one that was stopped in
    time.
    """
    return Final((), "", Outcome("cancelled", turn.refusal) if turn.refusal else Outcome("obeyed"))


def _cut_short(turn: Turn, relay: Relay, reason: Reason) -> Final:
    """What was said stays, with a sentence. Who took the message back is not told if nothing was said."""
    outcome = Outcome("cancelled", reason)
    if reason is Reason.TAKEN_BACK and not relay.has_text:
        return Final((), "", outcome)
    return replace(_notice(turn, relay, outcome), answer=relay.answer)


def _notice(turn: Turn, relay: Relay, outcome: Outcome) -> Final:
    """The end of a turn without a complete answer: what is visible stays, and a sentence says why."""
    assert outcome.reason is not None
    sentence = notice(outcome.reason, turn.message.locale, turn.reference, turn.message.declined)
    return Final(relay.texts(sentence), "", outcome)
