"""What people do about a reply that has ended: ask for it again, or say what they think of it.

Invariants:

- a failed question is asked again once, however often and wherever its button is pressed;
- a person's last opinion of an answer counts, and is recorded without telling who it is;
- somebody who has no part in the conversation is told so and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from channels.port import Channel
from channels.received import Pressed
from conversation.bot import Bot
from conversation.clock import Clock
from conversation.controls import Controls
from conversation.directory import Directory
from conversation.messages import person_id
from conversation.notices import Notices
from conversation.outbound import PartRequest, unsaved
from conversation.retries import FailedReply, Retries
from conversation.stores.events import opinion
from conversation.stores.port import Store
from conversation.texts import hint
from conversation.texts.hints import Hint
from conversation.turn import Reason, part_id
from gateway.verdict import ACCEPTED, DUPLICATE, NOTHING_TO_STOP, Verdict, ignored

PARTICIPANTS_IN = 50
"""Turns of a conversation whose people may judge its answers."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a click: the admission to answer, and what the person is told, if anything."""

    admission: Verdict
    hint: Hint | None = None


class Buttons:
    def __init__(
        self, store: Store, directory: Directory, retries: Retries, notices: Notices, clock: Clock
    ) -> None:
        self._store = store
        self._directory = directory
        self._retries = retries
        self._notices = notices
        self._clock = clock

    async def pressed(self, bot: Bot, channel: Channel, click: Pressed) -> tuple[Verdict, bytes | None]:
        """The admission, and the body of the HTTP answer where it has something to say. Raises
        StoreUnavailableError: nothing was done, the person may press again.
        """
        heard = await self._hear(bot, click)
        if heard.hint is None:
            return heard.admission, None
        text = hint(heard.hint, click.locale)
        body = channel.toast(text)
        courtesies = bot.outbound.courtesies
        if body is None and courtesies is not None:
            self._notices.do("whisper", lambda: courtesies.whisper(click.place, text))
        return heard.admission, body

    async def _hear(self, bot: Bot, click: Pressed) -> Heard:
        button = click.button
        if button.key.bot != bot.id:
            return Heard(ignored("other_bot"))
        if not bot.gates.admits(click.by, button.key):
            return Heard(ignored("not_allowed"), Hint.NOT_YOURS)
        match button.kind:
            case "retry":
                return await self._ask_again(bot, click)
            case "good" | "bad":
                return await self._judge(click, button.kind)
            case "stop":
                return Heard(NOTHING_TO_STOP)

    async def _ask_again(self, bot: Bot, click: Pressed) -> Heard:
        button, now = click.button, self._clock.now()
        if _person(click) != button.person:
            return Heard(ignored("not_yours"), Hint.NOT_YOURS)
        failed = await self._retries.find(button.turn)
        if failed is None:
            return Heard(ignored("too_late"), Hint.TOO_LATE_TO_ASK)
        question = failed.again(now)
        admission = await self._directory.admit(
            question,
            limits=bot.limits,
            when_busy=bot.when_busy,
            refusal=bot.gates.on_arrival(question, now),
        )
        match admission.status:
            case "duplicate":
                return Heard(DUPLICATE, Hint.ASKED_ALREADY)
            case "queue_full":
                if admission.notice_due:
                    self._notices.send(bot.outbound, question, Reason.QUEUE_FULL)
                return Heard(Verdict("refused", Reason.QUEUE_FULL))
            case "accepted":
                self._notices.do("asked again", lambda: _note(bot, failed))
                return Heard(ACCEPTED)

    async def _judge(self, click: Pressed, kind: Literal["good", "bad"]) -> Heard:
        button, person = click.button, _person(click)
        if person != button.person and not await self._takes_part(person, click):
            return Heard(ignored("not_yours"), Hint.NOT_YOURS)
        thought = opinion(kind, button.turn, person)
        known = [
            event.detail
            for event in await self._store.events.of_turn(button.turn)
            if event.kind == "turn.feedback" and event.detail.partition(":")[2] == thought.partition(":")[2]
        ]
        if known and known[-1] == thought:
            return Heard(DUPLICATE, Hint.THANKS)
        if not await self._store.events.note("turn.feedback", button.key, button.turn, thought):
            return Heard(ignored("too_late"), Hint.THANKS)
        return Heard(ACCEPTED, Hint.THANKS)

    async def _takes_part(self, person: str, click: Pressed) -> bool:
        said = await self._store.transcripts.said(click.button.key, PARTICIPANTS_IN)
        return any(one.person == person for one in said)


async def _note(bot: Bot, failed: FailedReply) -> None:
    """A sentence in place of the button, in the message that has it."""
    if not failed.ref:
        return
    question = failed.question
    request = PartRequest(question.address, part_id(failed.turn, failed.part), failed.attempt + 1, unsaved)
    note = hint(Hint.ASKED_AGAIN, question.locale)
    part = await bot.outbound.resume(request, failed.ref)
    await part.close(
        failed.text, Controls(failed.turn, question.person, question.key, question.locale, note=note)
    )


def _person(click: Pressed) -> str:
    return person_id(click.button.key.channel, click.button.key.bot, click.by.id)
