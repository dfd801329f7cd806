"""Who is meant by the placeholders in a message, and whether it speaks to the bot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from channels.lark.events import Mention

_EVERYBODY = "@_all"
_PLACEHOLDER = re.compile(r"(@_user_\d+|@_all)( ?)")


@dataclass(frozen=True, slots=True)
class Mentions:
    """Who is meant by the placeholders. ``ours`` are our own; ``addressed``: the message speaks to us."""

    names: dict[str, str]
    ours: frozenset[str]
    addressed: bool

    @classmethod
    def of(cls, mentions: Sequence[Mention], own_id: str | None) -> Mentions:
        """``own_id`` is the bot's open_id; while it is unknown the best guess counts, as a message that is
        answered needlessly is better than one that is lost.
        """
        names = {_EVERYBODY: "all"}
        names |= {mention.key: mention.name or mention.key.lstrip("@_") for mention in mentions}
        persons = [mention for mention in mentions if mention.key != _EVERYBODY]
        if own_id is not None:
            ours = [mention for mention in persons if mention.id is not None and mention.id.open_id == own_id]
        elif any(mention.mentioned_type for mention in persons):
            ours = [mention for mention in persons if mention.mentioned_type != "user"]
        else:
            ours = persons
        certain = own_id is not None or len(ours) == 1
        return cls(names, frozenset(mention.key for mention in ours) if certain else frozenset(), bool(ours))

    def resolve(self, text: str) -> str:
        if "@_" not in text:
            return text
        return _PLACEHOLDER.sub(self._name, text)

    def _name(self, placeholder: re.Match[str]) -> str:
        key, space = placeholder.groups()
        if key in self.ours:
            return ""
        return f"@{self.names[key]}{space}" if key in self.names else placeholder[0]
