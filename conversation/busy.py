"""What happens to a message that arrives while its conversation, its bot or its person is busy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WhenBusy = Literal["queue", "merge", "interrupt"]
"""``queue``: it is answered after those before it. ``merge``: it joins the same person's message that is waiting
last, and both share one answer. ``interrupt``: it ends the reply that is being written, and else is merged.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one bot, over all processes; 0 is no limit, but for ``queued``.

    ``queued`` turns may wait behind the one being answered (0: who comes while it is busy is refused), and as many
    messages may share one turn. ``replies`` of the bot run at once, ``per_person`` of one person.
    """

    queued: int = 20
    replies: int = 0
    per_person: int = 0
