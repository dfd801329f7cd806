"""Who is told how webhooks and turns fare: bots' status, metrics, traces. None of them is waited for."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from conversation.observer import Observer
from conversation.turn import Claim, Final
from gateway.verdict import What


@runtime_checkable
class Watcher(Protocol):
    def answered(self, channel: str, bot: str, what: What, reason: str, seconds: float) -> None:
        """A webhook was answered, ``seconds`` after it came. ``reason`` is a word, or empty. Must not raise."""
        ...


class Observers:
    """Tells several: each of turns, and those who are ``Watcher`` of webhooks."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self._watchers = [one.answered for one in observers if isinstance(one, Watcher)]

    def answered(self, channel: str, bot: str, what: What, reason: str, seconds: float) -> None:
        for tell in self._watchers:
            tell(channel, bot, what, reason, seconds)

    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:
        for observer in self._observers:
            observer.turn_completed(claim, final, waited, ran)

    def text_shown(self, claim: Claim, seconds: float) -> None:
        for observer in self._observers:
            observer.text_shown(claim, seconds)

    def turn_put_back(self, claim: Claim) -> None:
        for observer in self._observers:
            observer.turn_put_back(claim)
