"""What the stand-ins saw: every visible change with its writer, every refusal, every complaint."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.demo.lark import LarkStandin
from gateway.demo.slack import SlackStandin
from gateway.demo.standin import Shown
from tests.chaos.history import History

STALE_ON_LARK = " 300317 "


@dataclass(frozen=True, slots=True)
class Change:
    """A message became this text. ``writer``: the address of the process that asked for it, ``asked_at`` then."""

    at: float
    asked_at: float
    writer: str
    method: str
    text: str
    streaming: bool


class Watch:
    """``messages`` of the bots, and the ``changes`` of each, by (platform, id)."""

    def __init__(self, slack: SlackStandin, lark: LarkStandin, history: History) -> None:
        self.changes: dict[tuple[str, str], list[Change]] = defaultdict(list)
        self.messages: dict[tuple[str, str], Shown] = {}
        self.lark_refused_stale = 0
        self.slack_refused_stale = 0
        self.rate_limited = 0
        self._history = history
        self.changed_at = time.time()
        self._standins = {"slack": slack, "lark": lark}
        for platform, standin in self._standins.items():
            standin.on_change = self._change_on(platform)
            standin.on_refusal = self._refusal_on(platform)

    @property
    def complaints(self) -> list[str]:
        """Those of a platform that nothing but a frozen process could have spared it are left out."""
        return [
            f"{platform}: {complaint}"
            for platform, standin in self._standins.items()
            for complaint in standin.complaints
            if "was not acknowledged" not in complaint
        ]

    def _change_on(self, platform: str) -> Callable[[Shown], None]:
        standin = self._standins[platform]

        def changed(shown: Shown) -> None:
            self.changed_at = now = time.time()
            if shown.author == "person":
                return
            call = standin.serving
            change = Change(
                at=now,
                asked_at=now if call is None else call.arrived_at,
                writer="" if call is None else call.caller,
                method="" if call is None else call.method,
                text=shown.text,
                streaming=shown.streaming,
            )
            self.messages[platform, shown.ts] = shown
            self.changes[platform, shown.ts].append(change)
            self._history.note(
                "deleted" if shown.deleted else "shown",
                shown.ts,
                platform=platform,
                chat=shown.chat,
                thread=shown.thread,
                reply_to=shown.reply_to,
                writer=change.writer,
                method=change.method,
                late=round(now - change.asked_at, 2),
                letters=len(shown.text),
                begins=shown.text[:24],
                ends=shown.text[-24:],
                streaming=shown.streaming,
            )

        return changed

    def _refusal_on(self, platform: str) -> Callable[[str], None]:
        standin = self._standins[platform]

        def refused(sentence: str) -> None:
            call = standin.serving
            self._history.note(
                "refused",
                platform,
                sentence=sentence,
                writer="" if call is None else call.caller,
                late=0.0 if call is None else round(time.time() - call.arrived_at, 2),
            )
            self.rate_limited += sentence.endswith(": 429")
            self.lark_refused_stale += platform == "lark" and STALE_ON_LARK in sentence
            self.slack_refused_stale += sentence.endswith("message_not_in_streaming_state")

        return refused
