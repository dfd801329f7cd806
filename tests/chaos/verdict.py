"""What a person has to complain about in one talk: nothing, if every message taken got its one outcome, in order.

An outcome is the model's whole answer, or the beginning of it with a notice that carries the turn's reference.
Messages of which nobody knows whether they were taken (no attempt was answered) may have one, or none.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender
from conversation.texts import en
from gateway.demo.judge import first_text_at, letters, match_replies
from gateway.demo.people import Said
from gateway.demo.standin import Shown
from tests.chaos.load import Talk, answer_to

TAKEN = frozenset({"accepted", "duplicate"})
_PARTS = 4
_BOTS = {"slack": "helpdesk", "lark": "assistant"}
_NOTICES = tuple(letters(text) for text in en.NOTICES.values())


@dataclass(slots=True)
class Findings:
    """Sentences, by what is wrong. ``notices``: outcomes that were no whole answer; ``misfits``: the ids of the
    bot's messages that belong to no outcome.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    overlapping: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    taken: int = 0
    notices: int = 0
    misfits: set[str] = field(default_factory=set)

    @property
    def faults(self) -> dict[str, list[str]]:
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "out of order": self.out_of_order,
            "overlapping": self.overlapping,
            "wrong": self.wrong,
            "unsettled": self.unsettled,
        }

    @property
    def clean(self) -> bool:
        return not any(self.faults.values())


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One message and the bot's messages that show its outcome. ``position``: where they stand."""

    said: Said
    text: str
    messages: tuple[Shown, ...]
    position: int


def judge(talk: Talk, *, tenant: str) -> Findings:
    """Of what is visible now. ``tenant``: the platform's id of where the talk takes place."""
    findings = Findings()
    shown = talk.look()
    said = [one for one in talk.said if one.deliveries]
    texts = [_outcome_text(talk, one, shown, tenant) for one in said]
    replies, leftover = match_replies(shown, texts)
    outcomes: list[_Outcome] = []
    missing: list[Said] = []
    for one, reply, text in zip(said, replies, texts, strict=True):
        findings.taken += taken(one)
        if reply is None:
            missing += [one] if taken(one) else []
            continue
        findings.notices += text != answer_to(one.text).text
        outcomes.append(_Outcome(one, text, reply.messages, shown.index(reply.messages[0])))
        if any(message.streaming for message in reply.messages):
            findings.unsettled.append(f"the reply to {one.text!r} looks as if it were still being written")
    findings.misfits = {message.ts for message in leftover}
    _judge_missing(talk, missing, leftover, findings)
    _judge_order(outcomes, findings)
    return findings


def taken(said: Said) -> bool:
    """The platform was told 200: this one must have its outcome."""
    return any(one.status == 200 and one.admission in TAKEN for one in said.deliveries)


def complete_at(message: Shown, text: str) -> float:
    """When this message first showed all of what it shows of ``text`` in the end; infinite if never."""
    wanted = letters(message.text)
    return next((at for at, then in message.history if letters(then) == wanted), float("inf"))


def _judge_missing(talk: Talk, missing: list[Said], leftover: list[Shown], findings: Findings) -> None:
    """A message without its outcome, and what stands there instead, if anything does."""
    stray = list(leftover)
    waiting = False
    for one in missing:
        instead = [shown for shown in stray if _belongs(shown, one)]
        stray = [shown for shown in stray if shown not in instead]
        if any(shown.streaming for shown in instead) or (waiting and not instead):
            waiting = True
            findings.unsettled.append(f"{one.text!r} ({one.ts}) has no complete reply yet")
        elif instead:
            lengths = ", ".join(str(len(shown.text)) for shown in instead)
            whole = len(answer_to(one.text).text)
            findings.wrong.append(f"{one.text!r} ({one.ts}) shows {lengths} of {whole} characters")
        else:
            findings.lost.append(f"{one.text!r} ({one.ts}) has no reply")
    findings.doubled.extend(f"{shown.ts} in {talk.name}: {shown.text[:40]!r}" for shown in stray)


def _belongs(shown: Shown, said: Said) -> bool:
    visible = letters(shown.text)
    return shown.reply_to == said.ts or (
        len(visible) > 5 and visible[:60] in letters(answer_to(said.text).text)
    )


def _judge_order(outcomes: list[_Outcome], findings: Findings) -> None:
    for one in outcomes:
        for other in outcomes:
            if _taken_at(one.said) < other.said.deliveries[0].at and one.position > other.position:
                findings.out_of_order.append(
                    f"the reply to {other.said.text!r} stands before that to {one.said.text!r}"
                )
    outcomes.sort(key=lambda outcome: outcome.position)
    for earlier, later in itertools.pairwise(outcomes):
        ended = max(complete_at(message, earlier.text) for message in earlier.messages)
        began = first_text_at(later.messages[0], later.text)
        if began < ended:
            findings.overlapping.append(
                f"the reply to {later.said.text!r} began {ended - began:.2f} s before that to "
                f"{earlier.said.text!r} was complete"
            )


def _taken_at(said: Said) -> float:
    """By then it was certainly in the queue."""
    return min(
        (one.at + one.took for one in said.deliveries if one.status == 200 and one.admission in TAKEN),
        default=float("inf"),
    )


def _outcome_text(talk: Talk, said: Said, shown: Sequence[Shown], tenant: str) -> str:
    """What the bot's messages have to say in the end: the answer, unless they end with this turn's notice."""
    answer = answer_to(said.text).text
    reference = _turn_id(talk, said, tenant)[:8]
    own = [one for one in shown if one.author == "bot" and not one.deleted]
    for last, one in enumerate(own):
        if reference not in one.text:
            continue
        for first in range(last, max(-1, last - _PARTS), -1):
            text = "".join(message.text for message in own[first : last + 1])
            if _is_notice(letters(text), letters(answer)):
                return text
    return answer


def _is_notice(visible: str, answer: str) -> bool:
    """The beginning of the answer, and one of the notices."""
    return any(
        at >= 0 and answer.startswith(visible[:at]) for at in (visible.find(text) for text in _NOTICES)
    )


def _turn_id(talk: Talk, said: Said, tenant: str) -> str:
    identity = f"{tenant}:{said.chat}:{said.ts}" if talk.platform == "slack" else said.ts
    return InboundMessage(
        key=ConversationKey(talk.platform, _BOTS[talk.platform], tenant, said.chat),
        identity=identity,
        address=Address(said.chat, said.ts, "", said.user, tenant),
        sender=Sender(said.user, tenant),
        text=said.text,
        sent_at=said.at,
        locale="en",
    ).turn_id
