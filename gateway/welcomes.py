"""Greets people who open the direct message with a bot and have not talked with it, and groups that it is added to.

Invariants: nobody, and no group, is greeted twice within 30 days, by any replica, nor while there is a conversation;
a greeting is a courtesy, and stands in nobody's way.
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.received import Visited
from conversation.bot import Bot
from conversation.clock import Clock
from conversation.courtesies import Greeting
from conversation.messages import stable_id
from conversation.notices import Notices, say
from conversation.outbound import PartRequest, unsaved
from conversation.stored import Stored
from conversation.stores.port import Store
from conversation.stores.records import RecordConflictError
from conversation.texts import hint
from conversation.texts.hints import Hint
from conversation.turn import part_id
from gateway.verdict import ACCEPTED, Verdict, ignored

KIND = "greeted"


@dataclass(frozen=True, slots=True)
class Greeted:
    """``at``: when somebody, who cannot be told from it, was greeted."""

    at: float


stored_greeted = Stored("turnkeeper.greeted.v1", Greeted)


class Welcomes:
    def __init__(self, store: Store, notices: Notices, clock: Clock) -> None:
        self._store = store
        self._notices = notices
        self._clock = clock

    async def opened(self, bot: Bot, seen: Visited) -> Verdict:
        """The admission to answer. Raises StoreUnavailableError."""
        greeting = bot.greeting
        if greeting is None or not bot.gates.enabled:
            return ignored("no_greeting")
        if not bot.gates.admits(seen.by, seen.key):
            return ignored("not_allowed")
        if await self._store.conversations.find(seen.key) is not None:
            return ignored("known_person")
        whom = f"chat:{seen.key.chat}" if seen.group else seen.by.id
        once = stable_id(seen.key.channel, bot.id, f"greeting:{seen.by.tenant}:{whom}")
        try:
            await self._store.records.put(
                KIND, once, stored_greeted.write(Greeted(self._clock.now())), expected=0
            )
        except RecordConflictError:
            return ignored("known_person")
        self._notices.do("greeting", lambda: _greet(bot, greeting, seen, once))
        return ACCEPTED


async def _greet(bot: Bot, greeting: Greeting, seen: Visited, once: str) -> None:
    text = greeting.text or hint(Hint.WELCOME_GROUP if seen.group else Hint.WELCOME, seen.locale)
    courtesies = bot.outbound.courtesies
    offered = (
        bool(greeting.suggestions)
        and courtesies is not None
        and await courtesies.suggest(seen.to, greeting.suggestions)
    )
    if greeting.suggestions and not offered:
        text = "\n".join((f"{text}\n", *(f"- {one.message}" for one in greeting.suggestions)))
    await say(bot.outbound, PartRequest(seen.to, part_id(once, 0), 1, unsaved), text)
