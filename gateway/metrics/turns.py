"""Turns: their outcomes, and how long people waited."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from prometheus_client.core import Metric

from conversation.turn import Claim, Final, Reason
from gateway.metrics.families import Count, Counters, Distribution, Histograms

_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

_DEADLY = (Reason.DELIVERY_FAILED, Reason.EXECUTOR_CRASH, Reason.MALFORMED, Reason.BOT_DISABLED)
"""Of dead letters, for which an alert waits."""

_Known = tuple[Count, Distribution, Distribution, Distribution | None]


class TurnMetrics:
    """``conversation.observer.Observer``"""

    def __init__(self) -> None:
        self._turns = Counters(
            "turnkeeper_turns",
            "Turns that have their outcome: answered, obeyed, failed, refused, cancelled or dead (a dead letter).",
            ["channel", "bot", "outcome", "reason"],
        )
        self._put_back = Counters(
            "turnkeeper_turns_put_back",
            "Turns that are tried again: the platform did not take the answer, or there is a bug.",
            ["channel", "bot"],
        )
        self._taken_over = Counters(
            "turnkeeper_turns_taken_over",
            "Turns that ended here after the process or session that ran them before was gone. Cause: crash, or"
            " release where it let them go.",
            ["channel", "cause"],
        )
        self._waited = Histograms(
            "turnkeeper_turn_wait_seconds",
            "Time from a message's admission to the beginning of its turn.",
            ["channel"],
            _BOUNDS,
        )
        self._ran = Histograms(
            "turnkeeper_turn_duration_seconds",
            "Time from the beginning of a turn to its outcome.",
            ["channel"],
            _BOUNDS,
        )
        self._first_text = Histograms(
            "turnkeeper_first_text_seconds",
            "Time from a message's admission to the first visible text of its answer, of first attempts.",
            ["channel"],
            _BOUNDS,
        )
        self._whole = Histograms(
            "turnkeeper_reply_seconds",
            "Time from a message's admission to its complete answer.",
            ["channel"],
            _BOUNDS,
        )
        self._known: dict[tuple[str, str, str, str], _Known] = {}

    def expect(self, bots: Collection[tuple[str, str]]) -> None:
        """Dead letters of these bots, by channel and id, are counted from 0 on: Prometheus sees the first one only as
        a rise. So it is with what was taken over.
        """
        for channel, bot in bots:
            for reason in _DEADLY:
                self._turns.of(channel, bot, "dead", reason)
            self._put_back.of(channel, bot)
            for cause in ("crash", "release"):
                self._taken_over.of(channel, cause)

    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:
        key, outcome = claim.key, final.outcome
        labels = key.channel, key.bot, outcome.kind, outcome.reason or ""
        known = self._known.get(labels)
        if known is None:
            if "~" in key.bot:  # a hidden one
                return
            known = self._known[labels] = self._bind(*labels)
        count, waits, runs, replies = known
        count.value += 1
        waits.observe(waited)
        runs.observe(ran)
        if replies is not None:
            replies.observe(waited + ran)
        if claim.last_send_at is not None:
            self._taken_over.of(key.channel, "crash" if claim.turn.crashes else "release").add()

    def text_shown(self, claim: Claim, seconds: float) -> None:
        if "~" not in claim.key.bot:
            self._first_text.of(claim.key.channel).observe(seconds)

    def turn_put_back(self, claim: Claim) -> None:
        if "~" not in claim.key.bot:
            self._put_back.of(claim.key.channel, claim.key.bot).add()

    def collect(self) -> Iterator[Metric]:
        for family in (self._turns, self._put_back, self._taken_over):
            yield from family.collect()
        for histograms in (self._waited, self._ran, self._first_text, self._whole):
            yield from histograms.collect()

    def _bind(self, channel: str, bot: str, outcome: str, reason: str) -> _Known:
        return (
            self._turns.of(channel, bot, outcome, reason),
            self._waited.of(channel),
            self._ran.of(channel),
            self._whole.of(channel) if outcome == "answered" else None,
        )
