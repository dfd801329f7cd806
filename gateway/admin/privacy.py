"""All that is kept of one person: told to them, or erased.

A person is somebody on a platform, by the platform's id, as bots meet them; each bot keeps what was said to it apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from conversation.messages import person_id
from conversation.retries import FailedReply, Retries
from conversation.stores.privacy import Kept, Privacy
from gateway.admin.access import Permission, Principal
from gateway.admin.audit import Audit

HostedBots = Callable[[], Iterable[tuple[str, str]]]
"""Channel and id of every bot that there is now."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Person(BaseModel):
    """``user`` is the platform's id of a person, such as U024BE7LH (Slack) or ou_… (Lark).

    Without ``bot`` all bots of the channel are meant that there are now; one that is gone has to be named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    channel: Literal["slack", "lark", "playground"]
    user: Annotated[str, Field(min_length=1, max_length=200)]
    bot: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class KeptTurn(_Model):
    """What the person asked, and was answered at ``at``."""

    bot: str
    conversation: str
    turn: str
    at: datetime
    question: str
    answer: str


class KeptLetter(_Model):
    """What the person wrote, and nobody could answer."""

    bot: str
    conversation: str
    turn: str
    at: datetime
    texts: tuple[str, ...]


class PersonExport(_Model):
    """``failed`` are questions whose reply failed, which the person could still have asked again. ``waiting`` counts
    messages whose answer is still to come; they are not part of it.
    """

    channel: str
    user: str
    turns: tuple[KeptTurn, ...]
    dead_letters: tuple[KeptLetter, ...]
    failed: tuple[KeptLetter, ...] = ()
    waiting: int


class PersonErased(_Model):
    """How many turns, dead letters and failed questions were forgotten.

    ``waiting`` counts messages whose answer is still to come: erase again when they are answered.
    """

    turns: int
    dead_letters: int
    failed: int = 0
    waiting: int


class PersonalData:
    def __init__(self, privacy: Privacy, retries: Retries, bots: HostedBots, audit: Audit) -> None:
        self._privacy = privacy
        self._retries = retries
        self._bots = bots
        self._audit = audit

    async def export(self, who: Principal, channel: str, user: str, bot: str | None = None) -> PersonExport:
        """Raises NotAllowedError. Asking for it stands in the audit, without the person."""
        who.check(Permission.ADMINISTER)
        found = [
            (one, await self._privacy.kept(person_id(channel, one, user), one))
            for one in self._meant(channel, bot)
        ]
        failed = await self._retries.of_persons(self._persons(channel, user, bot), forget=False)
        await self._audit.record(who, "person.exported", f"channel/{channel}")
        return PersonExport(
            channel=channel,
            user=user,
            turns=tuple(turn for one, kept in found for turn in _turns(one, kept)),
            dead_letters=tuple(letter for one, kept in found for letter in _letters(one, kept)),
            failed=tuple(map(_failed, failed)),
            waiting=sum(kept.waiting for _, kept in found),
        )

    async def erase(self, who: Principal, channel: str, user: str, bot: str | None = None) -> PersonErased:
        """Raises NotAllowedError. It stands in the audit, without the person."""
        who.check(Permission.ADMINISTER)
        gone = [
            await self._privacy.erase(person_id(channel, one, user), one) for one in self._meant(channel, bot)
        ]
        failed = await self._retries.of_persons(self._persons(channel, user, bot), forget=True)
        erased = PersonErased(
            turns=sum(one.said for one in gone),
            dead_letters=sum(one.letters for one in gone),
            failed=len(failed),
            waiting=sum(one.waiting for one in gone),
        )
        detail = f"{erased.turns} turns, {erased.dead_letters} dead letters"
        await self._audit.record(who, "person.erased", f"channel/{channel}", detail)
        return erased

    def _persons(self, channel: str, user: str, bot: str | None) -> dict[str, str]:
        """Whom the person is to each bot, with the bot's id."""
        return {person_id(channel, one, user): one for one in self._meant(channel, bot)}

    def _meant(self, channel: str, bot: str | None) -> tuple[str, ...]:
        if bot is not None:
            return (bot,)
        return tuple(one for of, one in self._bots() if of == channel)


def _turns(bot: str, kept: Kept) -> Iterable[KeptTurn]:
    for key, said in kept.said:
        yield KeptTurn(
            bot=bot,
            conversation=str(key),
            turn=said.turn_id,
            at=datetime.fromtimestamp(said.at, UTC),
            question=said.question,
            answer=said.answer,
        )


def _letters(bot: str, kept: Kept) -> Iterable[KeptLetter]:
    for letter in kept.letters:
        yield KeptLetter(
            bot=bot,
            conversation=str(letter.key),
            turn=letter.id,
            at=datetime.fromtimestamp(letter.at, UTC),
            texts=tuple(message.text for message in letter.messages),
        )


def _failed(one: FailedReply) -> KeptLetter:
    return KeptLetter(
        bot=one.question.key.bot,
        conversation=str(one.question.key),
        turn=one.turn,
        at=datetime.fromtimestamp(one.at, UTC),
        texts=(one.question.text,),
    )
