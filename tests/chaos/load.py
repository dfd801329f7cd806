"""The people: each has a few conversations, one after the other, of one to four messages each.

What they say comes from the seed; when they say it depends on what they are answered.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.demo.answers import default_answer
from gateway.demo.lark import LarkStandin
from gateway.demo.model import Message, Reply
from gateway.demo.people import Said
from gateway.demo.slack import SlackStandin
from gateway.demo.standin import Shown
from tests.chaos.history import History
from tests.chaos.replicas import BALANCER

SLACK_WEBHOOK = f"{BALANCER}/webhooks/slack/helpdesk"
LARK_WEBHOOK = f"{BALANCER}/webhooks/lark/assistant"

PATIENCE = 60.0
"""Seconds after which a person who was not answered says something else, elsewhere."""

_LONG = 0.06
"""The share of answers that need two parts."""


def answer_to(question: str) -> Reply:
    """The same for the same question, one to four seconds long. Its first letters are the question's number."""
    chance = random.Random(question)
    long = chance.random() < _LONG
    words = (4_200 if "lark" in question else 2_000) if long else chance.randint(25, 90)
    seconds = chance.uniform(1.5, 4.0)
    text = f"{question.split(maxsplit=1)[0]} {default_answer(question, words)}"
    return Reply(
        text, first_token_after=chance.uniform(0.1, 0.8), tokens_per_second=max(10.0, words / seconds)
    )


@dataclass(slots=True)
class Talk:
    """One conversation. ``look``: what a person sees of it now."""

    name: str
    platform: str
    look: Callable[[], list[Shown]]
    said: list[Said] = field(default_factory=list)


Speak = Callable[[Talk, str], Awaitable[Said]]


class People:
    """``settled`` tells whether everything said in a talk has its outcome."""

    def __init__(
        self,
        slack: SlackStandin,
        lark: LarkStandin,
        chance: random.Random,
        history: History,
        settled: Callable[[Talk], bool],
    ) -> None:
        self.talks: list[Talk] = []
        self._slack = slack
        self._lark = lark
        self._chance = chance
        self._history = history
        self._settled = settled
        self._questions = itertools.count(1)
        self._until = 0.0

    def script(self, messages: list[Message]) -> Reply:
        """The model's. A question that Slack's people ask comes without the mention."""
        question = messages[-1].content
        self._history.note("model asked", question, turns=len(messages))
        return answer_to(question)

    async def talk(self, seconds: float) -> None:
        """Return when all have fallen silent; what they said last may still be on its way."""
        self._until = time.time() + seconds
        async with asyncio.TaskGroup() as people:
            for number in range(3):
                people.create_task(self._person(self._thread(number)))
            for number in range(2):
                people.create_task(self._person(self._slack_dm(number)))
            for number in range(4):
                people.create_task(self._person(self._lark_chat(f"oc_p{number}")))
            for number in range(4):
                people.create_task(self._person(self._lark_group(number)))

    def hush(self) -> None:
        """They finish what they are saying, and ``talk`` returns."""
        self._until = 0.0

    async def _person(self, begin: Callable[[], tuple[Talk, Speak]]) -> None:
        chance = random.Random(self._chance.random())
        await asyncio.sleep(chance.uniform(0.0, 2.0))
        while time.time() < self._until:
            talk, speak = begin()
            self.talks.append(talk)
            for _ in range(chance.randint(1, 2)):
                await self._burst(talk, speak, chance)

    async def _burst(self, talk: Talk, speak: Speak, chance: random.Random) -> None:
        for _ in range(chance.randint(1, 4)):
            if time.time() >= self._until:
                return
            question = f"{next(self._questions):06d} {talk.name}"
            self._history.note("says", talk.name, question=question)
            said = await speak(talk, question)
            self._history.note("said", talk.name, question=question, ts=said.ts, admissions=_deliveries(said))
            talk.said.append(said)
            await asyncio.sleep(chance.uniform(1.0, 3.0) if chance.random() < 0.3 else chance.uniform(0, 0.5))
        gives_up_at = time.time() + PATIENCE
        while time.time() < min(gives_up_at, self._until) and not self._settled(talk):
            await asyncio.sleep(0.5)
        await asyncio.sleep(chance.uniform(0.2, 1.5))

    def _thread(self, number: int) -> Callable[[], tuple[Talk, Speak]]:
        channel = f"C{number}"
        self._slack.add_channel(channel)

        async def speak(talk: Talk, text: str) -> Said:
            root = talk.said[0].ts if talk.said else None
            said = await self._slack.say(
                SLACK_WEBHOOK, channel=channel, user=f"U{number}", text=text, thread_ts=root
            )
            if root is None:
                talk.look = lambda: self._slack.thread(channel, said.ts)
            return said

        return lambda: (Talk(self._name(f"slack thread {number}"), "slack", list), speak)

    def _slack_dm(self, number: int) -> Callable[[], tuple[Talk, Speak]]:
        chats = itertools.count(1)

        def begin() -> tuple[Talk, Speak]:
            channel = f"D{number}x{next(chats)}"
            self._slack.add_channel(channel, "im")

            async def speak(_: Talk, text: str) -> Said:
                return await self._slack.say(SLACK_WEBHOOK, channel=channel, user=f"UD{number}", text=text)

            look = lambda: self._slack.thread(channel, None)  # noqa: E731 - what the talk looks like
            return Talk(self._name(f"slack dm {number}"), "slack", look), speak

        return begin

    def _lark_chat(self, name: str) -> Callable[[], tuple[Talk, Speak]]:
        chats = itertools.count(1)

        def begin() -> tuple[Talk, Speak]:
            chat = f"{name}x{next(chats)}"
            self._lark.add_chat(chat)

            async def speak(_: Talk, text: str) -> Said:
                return await self._lark.say(LARK_WEBHOOK, chat=chat, user=f"ou_{name}", text=text)

            return Talk(self._name("lark p2p"), "lark", lambda: self._lark.chat(chat)), speak

        return begin

    def _lark_group(self, number: int) -> Callable[[], tuple[Talk, Speak]]:
        """Two people in each group, whose conversations stand among one another."""
        chat, people = f"oc_g{number // 2}", itertools.count(1)
        self._lark.add_chat(chat, "group")

        def begin() -> tuple[Talk, Speak]:
            user = f"ou_g{number}x{next(people)}"

            async def speak(_: Talk, text: str) -> Said:
                return await self._lark.say(LARK_WEBHOOK, chat=chat, user=user, text=text, chat_type="group")

            return Talk(
                self._name("lark group"), "lark", lambda: _between(self._lark.chat(chat), user)
            ), speak

        return begin

    def _name(self, kind: str) -> str:
        return f"{kind} talk {len(self.talks) + 1}"


def _between(shown: list[Shown], user: str) -> list[Shown]:
    """What one person of a group said, and what the bot replied to it."""
    own = {one.ts for one in shown if one.user == user}
    return [one for one in shown if one.ts in own or one.reply_to in own]


def _deliveries(said: Said) -> list[str]:
    return [f"{one.status} {one.admission}".strip() for one in said.deliveries]
