"""Judges what a person saw of one conversation.

A reply may be several messages in a row (a long text is rolled over); together they must be the model's text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.demo.people import Said
from gateway.demo.standin import Shown

FENCES = re.compile(r"^\s*(```|~~~).*$", re.MULTILINE)
BULLETS = re.compile(r"^[\s>]*[-+*][ \t]+(?:(?:\[[ xX]\]|[☐☑])[ \t]+)?", re.MULTILINE)
MARKS = re.compile(r"[\s\u200b*_~`#>|\\]+")
RECOGNISED = 6
"""Letters by which an answer is told from a placeholder."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One reply as a person saw it. Times in seconds since 1970."""

    messages: tuple[Shown, ...]
    first_text_at: float
    last_change_at: float


def judge_conversation(shown: Sequence[Shown], said: Sequence[Said], expected: Sequence[str]) -> list[str]:
    """The faults of a conversation, as sentences; none if each message got its one complete reply, in order.

    ``expected`` holds the full answer to each of ``said``, in the order in which they were accepted.
    """
    faults = [
        f"{message.ts} is still streaming"
        for message in shown
        if message.author == "bot" and message.streaming
    ]
    replies, leftover = match_replies(shown, expected)
    for message, seen, text in zip(said, replies, expected, strict=True):
        if seen is None:
            near = _nearest(leftover, text)
            why = f"; the nearest is {len(near.text)} of {len(text)} characters long" if near else ""
            faults.append(f"{message.text!r} has no complete reply{why}")
    faults.extend(f"{message.ts} is one reply too many: {message.text[:60]!r}" for message in leftover)
    for (earlier, first), (later, second) in zip(
        zip(said, replies, strict=True), list(zip(said, replies, strict=True))[1:], strict=False
    ):
        if first is None or second is None:
            continue
        if shown.index(first.messages[0]) > shown.index(second.messages[0]):
            faults.append(f"the reply to {later.text!r} stands before the reply to {earlier.text!r}")
        if second.first_text_at < first.last_change_at:
            faults.append(
                f"the reply to {later.text!r} began {first.last_change_at - second.first_text_at:.2f} s "
                f"before the reply to {earlier.text!r} was complete"
            )
    return faults


def match_replies(shown: Sequence[Shown], expected: Sequence[str]) -> tuple[list[Seen | None], list[Shown]]:
    """Which of the bot's messages make each expected answer, and which belong to none."""
    free = [message for message in shown if message.author == "bot" and not message.deleted]
    replies: list[Seen | None] = []
    for text in expected:
        found = _find(free, text)
        if found is None:
            replies.append(None)
            continue
        replies.append(Seen(found, first_text_at(found[0], text), max(part.history[-1][0] for part in found)))
        free = [message for message in free if message not in found]
    return replies, free


def first_text_at(message: Shown, answer: str) -> float:
    """When the beginning of an answer was first visible in a message; infinite if never."""
    whole = letters(answer)
    for at, text in message.history:
        visible = letters(text)
        if visible and visible[:RECOGNISED] == whole[: min(RECOGNISED, len(visible))]:
            return at
    return float("inf")


def letters(text: str) -> str:
    """What a person reads of a text, in whichever of a platform's spellings: neither its white space, of which some
    has no width, nor Markdown's marks, the box of a task, or the fences that a cut opens and closes.
    """
    return MARKS.sub("", BULLETS.sub("", FENCES.sub("", html.unescape(text))))


def _find(free: Sequence[Shown], answer: str) -> tuple[Shown, ...] | None:
    wanted = letters(answer)
    for start in range(len(free)):
        text = ""
        for end in range(start, len(free)):
            part = letters(free[end].text)
            text += part
            if part and text == wanted:
                return tuple(free[start : end + 1])
            if not part or not wanted.startswith(text):
                break
    return None


def _nearest(leftover: Sequence[Shown], answer: str) -> Shown | None:
    wanted = letters(answer)
    alike = [message for message in leftover if letters(message.text)[:RECOGNISED] == wanted[:RECOGNISED]]
    return max(alike, key=lambda message: len(message.text), default=None)
