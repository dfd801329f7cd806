"""Mixed traffic: people on both platforms, in every kind of chat, who ask for answers of every length and pace.

Every word that the model says is there once in the whole run, so that what a person sees can be compared with it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.demo.answers import tokens
from gateway.demo.model import Message, Reply
from gateway.demo.people import Said
from gateway.demo.standin import Shown
from tests.channels.markdown.manuscript import manuscript, words
from tests.town import Town
from tests.waiting import until

PATIENCE = 320.0
"""Seconds in which a reply is complete, however long it is."""

LASTING = 265.0
"""Seconds that a few replies of a long run last: longer than a stream of Slack's is used."""

LENGTHS = ((60, 0.35), (1_200, 0.3), (6_000, 0.2), (25_000, 0.1), (60_000, 0.05))
"""Characters at least, and how often."""

WORDS_APART = 100_000
EDITS_APART = 3.0
"""Seconds (docs: chat.update)."""

TIMERS = 0.25
"""By which a loaded machine may be late."""


@dataclass(frozen=True, slots=True)
class Chat:
    """Somewhere a person talks. ``say``: a question, and the one before it; ``look``: what is seen of it."""

    name: str
    say: Callable[[str, Said | None], object]
    look: Callable[[Said], list[Shown]]
    edited: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    replies: int = 0
    characters: int = 0
    messages: int = 0
    longest: int = 0
    faults: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    limited: list[str] = field(default_factory=list)
    """Calls that were answered with 429."""

    @property
    def good(self) -> bool:
        return not (self.faults or self.complaints or self.limited)


class Traffic:
    def __init__(self, seed: int, seconds: float) -> None:
        self._chance = random.Random(seed)
        self._seconds = seconds
        self._texts: dict[str, str] = {}
        self.outcome = Outcome()

    def script(self, messages: list[Message]) -> Reply:
        """The model's: what was planned for the question, at a pace that fits into the run."""
        question = next(word for word in reversed(messages[-1].content.split()) if word.startswith("#"))
        text = self._texts[question]
        chance, count = random.Random(question), sum(1 for _ in tokens(text))
        pace = max(count / min(self._seconds, 90.0), chance.choice([25.0, 60.0, 200.0, 1000.0]))
        if (
            self._seconds > LASTING and question.endswith("-2") and len(text) > 1_000
        ):  # else it would look hung
            pace = count / LASTING
        return Reply(text, first_token_after=chance.uniform(0.05, 1.0), tokens_per_second=pace)

    async def run(self, town: Town) -> Outcome:
        until_then = time.monotonic() + self._seconds
        async with asyncio.TaskGroup() as people:
            for number, chat in enumerate(chats(town)):
                people.create_task(self._person(chat, number, until_then))
        await town.slack.settle()
        await town.lark.settle()
        self.outcome.complaints = town.complaints
        refused = [*town.slack.refusals, *town.lark.refusals]
        self.outcome.limited = [refusal for refusal in refused if refusal.endswith(": 429")]
        if town.slack.open_streams() or town.lark.open_cards():
            self.outcome.faults.append("a message is still growing")
        return self.outcome

    async def _person(self, chat: Chat, number: int, until_then: float) -> None:
        chance = random.Random(self._chance.random())
        asked: list[tuple[Said, str]] = []
        earlier: Said | None = None
        await asyncio.sleep(chance.uniform(0, 2))
        while time.monotonic() < until_then and not self.outcome.faults:
            for _ in range(chance.choice([1, 1, 1, 2])):  # some do not wait for the answer
                question = f"#{chat.name}-{len(asked)}"
                length = chance.choices([one for one, _ in LENGTHS], [share for _, share in LENGTHS])[0]
                if length * 5 > self._seconds * 1000:
                    length = LENGTHS[1][0]
                first = (number * 1000 + len(asked)) * WORDS_APART
                self._texts[question] = self._text(length, first)
                said = await chat.say(f"Tell me {question}", earlier)  # type: ignore[misc]
                assert isinstance(said, Said)
                asked.append((said, self._texts[question]))
                earlier = earlier or said
            await self._answered(chat, asked)
            if chance.random() < 0.3:
                self._judge(chat, asked)
                asked, earlier, number = [], None, number + 100
            await asyncio.sleep(chance.uniform(0.2, 2.0))
        self._judge(chat, asked)

    def _text(self, length: int, first: int) -> str:
        return f"w{first}w **short**." if length < 100 else manuscript(length, first)

    async def _answered(self, chat: Chat, asked: list[tuple[Said, str]]) -> None:
        root, wanted = asked[0][0], [word for _, text in asked for word in words(text)]

        def complete() -> bool:
            shown = replies(chat.look(root))
            if not shown or shown[-1].streaming or wanted[-1] not in shown[-1].text:
                return False
            return wanted == _seen(shown, wanted) and not any(one.streaming for one in shown)

        try:
            await until(complete, PATIENCE)
        except AssertionError:
            self.outcome.faults.append(f"{chat.name}: {_what_is_wrong(replies(chat.look(root)), wanted)}")

    def _judge(self, chat: Chat, asked: list[tuple[Said, str]]) -> None:
        if not asked:
            return
        shown = replies(chat.look(asked[0][0]))
        outcome = self.outcome
        outcome.replies += len(asked)
        outcome.characters += sum(len(text) for _, text in asked)
        outcome.longest = max(outcome.longest, *(len(text) for _, text in asked))
        outcome.messages += len(shown)
        for message in shown if chat.edited else ():
            # Of its times the last is the end's, which does not wait.
            for (earlier, _), (later, _) in pairwise(message.history[:-1]):
                if later - earlier < EDITS_APART - TIMERS:
                    outcome.faults.append(f"{chat.name}: edited again after {later - earlier:.2f} s")


def replies(shown: list[Shown]) -> list[Shown]:
    return [one for one in shown if one.author == "bot" and not one.deleted]


def _seen(shown: list[Shown], wanted: list[str]) -> list[str]:
    """A chat that is no thread has words of earlier conversations too."""
    ours = set(wanted)
    return [word for one in shown for word in words(one.text) if word in ours]


def _what_is_wrong(shown: list[Shown], wanted: list[str]) -> str:
    seen = _seen(shown, wanted)
    at = next(
        (at for at, (one, other) in enumerate(zip(seen, wanted, strict=False)) if one != other), len(seen)
    )
    ends = [f"{message.text[-160:]!r}, {'growing' if message.streaming else 'ended'}" for message in shown]
    return (
        f"{len(seen)} of {len(wanted)} words, the same up to the {at}th; {len(shown)} messages, "
        f"the last ones end {'; '.join(ends[-3:])}"
    )


def chats(town: Town) -> list[Chat]:
    found: list[Chat] = []
    for number in range(3):
        found.append(_thread(town, number))
        found.append(_direct(town, number))
        found.append(_lark(town, number))
    found.append(_group(town))
    return found


def _thread(town: Town, number: int) -> Chat:
    channel = f"C10{number}"
    town.slack.add_channel(channel)

    async def say(text: str, root: Said | None) -> Said:
        thread = root.thread if root is not None else None
        return await town.mention(text, channel=channel, thread=thread, user=f"U{number}")

    return Chat(f"thread{number}", say, lambda root: town.slack.thread(channel, root.thread))


def _direct(town: Town, number: int) -> Chat:
    channel = f"D10{number}"
    town.slack.add_channel(channel, "im")

    async def say(text: str, _: Said | None) -> Said:
        # Each person is one: the gateway writes three replies at once to anybody.
        return await town.slack.say(
            town.gateway.slack_webhook, channel=channel, user=f"UD{number}", text=text
        )

    return Chat(f"direct{number}", say, lambda _: town.slack.thread(channel, None), edited=True)


def _lark(town: Town, number: int) -> Chat:
    chat = f"oc_10{number}"

    async def say(text: str, _: Said | None) -> Said:
        return await town.lark_dm(text, chat=chat)

    return Chat(f"lark{number}", say, lambda _: town.lark.chat(chat))


def _group(town: Town) -> Chat:
    async def say(text: str, _: Said | None) -> Said:
        return await town.lark.say(
            town.gateway.lark_webhook, chat="oc_group", user="ou_group", text=text, chat_type="group"
        )

    return Chat("group", say, lambda _: town.lark.chat("oc_group"))
