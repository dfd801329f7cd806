"""Who is known by name in a conversation, so that "@Name" in an answer becomes a mention that reaches that person.

Invariants: nobody is made up: only who wrote, was mentioned, or wrote before in this very conversation; a name that
two people have there reaches neither; nobody is reached by what could mean everybody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from conversation.messages import Address

MOST_CONVERSATIONS = 2_000
MOST_PEOPLE = 50
"""Of one conversation, the first who are known."""

SHORTEST_NAME = 2
_EVERYBODY = frozenset({"all", "channel", "everyone", "group", "here", "所有人"})


class Acquaintances:
    """Of one bot, in this process: after a restart a conversation's people become known as they write again."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], dict[str, str]] = OrderedDict()

    def meet(self, to: Address, id: str, name: str) -> None:
        if not id or len(name) < SHORTEST_NAME or name.casefold() in _EVERYBODY:
            return
        place = (to.chat, to.thread)
        known = self._known.pop(place, {})
        if name in known or len(known) < MOST_PEOPLE:
            known[name] = id if known.get(name, id) == id else ""
        self._known[place] = known
        if len(self._known) > MOST_CONVERSATIONS:
            self._known.popitem(last=False)

    def of(self, to: Address) -> Mapping[str, str]:
        """Ids by name, as they are now."""
        return {name: id for name, id in self._known.get((to.chat, to.thread), {}).items() if id}
