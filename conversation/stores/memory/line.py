"""The reference model's line: which ready conversation is next, among bots and persons with limits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from conversation.busy import Limits
from conversation.keys import ConversationKey
from conversation.turn import Turn


@dataclass
class Conversation:
    queue: deque[Turn] = field(default_factory=deque)
    epoch: int = 0
    owner: str | None = None
    due_at: float | None = None
    last_send_at: float | None = None
    completed_epoch: int = 0
    told_full: bool = False
    stopped: bool = False
    strays: tuple[str, ...] = ()
    agent: str = ""
    active_at: float = 0.0


@dataclass
class _Bot:
    """``served`` is its virtual time: it rises by one with every claim."""

    limits: Limits = field(default_factory=Limits)
    served: int = 0


class Line:
    """``ready`` holds the ready conversations, each with a number that rises with the time it became so."""

    def __init__(self, conversations: Mapping[ConversationKey, Conversation]) -> None:
        self._conversations = conversations
        self._joined = 0
        self._bots: dict[str, _Bot] = {}
        self.ready: dict[ConversationKey, int] = {}

    def limit(self, bot: str, limits: Limits) -> None:
        self._bots.setdefault(bot, _Bot()).limits = limits

    def join(self, key: ConversationKey) -> None:
        self._joined += 1
        self.ready[key] = self._joined

    def first(self) -> ConversationKey | None:
        """Of the bot that was served least, the longest ready. A bot that was away has not saved up."""
        in_line = [
            (self._served(key.bot), number, key) for key, number in self.ready.items() if self.may_go(key)
        ]
        return min(in_line, key=lambda one: one[:2])[2] if in_line else None

    def longest_ready(self, bot: str) -> ConversationKey | None:
        """Of a bot, whatever its own limit: the one whose person is below theirs."""
        of_bot = [
            (number, key) for key, number in self.ready.items() if key.bot == bot and self._person_may(key)
        ]
        return min(of_bot, key=lambda one: one[0])[1] if of_bot else None

    def leave(self, key: ConversationKey) -> None:
        """The conversation is claimed."""
        del self.ready[key]
        self._bots[key.bot].served = self._served(key.bot) + 1

    def may_go(self, key: ConversationKey) -> bool:
        """Whether the limits allow its head turn to run."""
        limit = self._bots[key.bot].limits.replies
        return (not limit or len(list(self.running(key.bot))) < limit) and self._person_may(key)

    def running(self, bot: str) -> Iterator[Turn]:
        for key, conversation in self._conversations.items():
            if key.bot == bot and conversation.owner is not None:
                yield conversation.queue[0]

    def _person_may(self, key: ConversationKey) -> bool:
        limit = self._bots[key.bot].limits.per_person
        person = self._conversations[key].queue[0].message.person
        running = [turn.message.person for turn in self.running(key.bot)]
        return not limit or running.count(person) < limit

    def _served(self, bot: str) -> int:
        return max(self._bots[bot].served, max(one.served for one in self._bots.values()) - 1)
