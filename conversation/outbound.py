"""The port through which an answer reaches a person. Each channel implements it once per bot.

An answer is a list of *parts*, each one message on the platform. A part is opened once, shows the growing text
any number of times (always the whole text so far; the newest wins) and is closed with its final text. Calls
for one part are never concurrent.

What goes wrong is decided by the channel that met it, as one of the errors below. Everything else that
an implementation raises is a bug of ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from conversation.controls import Controls
from conversation.courtesies import Courtesies
from conversation.messages import Address
from conversation.steps import Step

SEND_TIMEOUT = 10.0
"""Seconds after which a platform call is given up. A send whose process died is looked for only after that."""

LONGEST_WAIT = 30.0
"""Seconds of ``Retry-After`` that are waited for, the reply keeping a slot that others need; longer ones put the turn
back.
"""


class DeliveryError(Exception):
    """The platform did not do what it was asked."""


class DeliveryDelayedError(DeliveryError):
    """The same call may be repeated after ``delay`` seconds. Nothing was changed, unless it is ``pending``: then an
    edit got no answer, and may still be made, even after a later one.
    """

    def __init__(self, cause: str, delay: float, *, pending: bool = False) -> None:
        super().__init__(f"{cause}; try again in {delay:g} s")
        self.delay = delay
        self.pending = pending


class DeliveryUnknownError(DeliveryError):
    """A message was sent and no answer came: it may be there. ``Outbound.find`` tells."""


class DeliveryRefusedError(DeliveryError):
    """It will never succeed: the chat is gone, the bot was removed, its token was revoked."""


class DeliveryStoppedError(DeliveryError):
    """The person stopped the message on the platform; what it shows now stays."""


Save = Callable[[str], Awaitable[None]]
"""Stores a part's ``ref``. A channel awaits it before it relies on the ref being known after a crash."""


async def unsaved(_ref: str) -> None:
    """A Save for what belongs to no turn that could be continued."""


@dataclass(frozen=True, slots=True)
class PartRequest:
    """Which part to open, find or resume.

    ``id`` is the idempotency id of the part. ``attempt`` (1, 2 …) numbers the claims of this turn: platforms
    with rising sequence numbers give each attempt a block of its own, above all earlier ones. ``stoppable``: what a
    button that stops the answer brings back, where the platform shows one while it grows. ``steps``: as for
    ``LivePart.working``, so far.
    """

    to: Address
    id: str
    attempt: int
    save: Save
    stoppable: Controls | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A part as it was left, with the text and the controls that it has to show."""

    request: PartRequest
    ref: str
    text: str
    controls: Controls | None = None


class LivePart(Protocol):
    """One message on the platform that this process is writing."""

    def working(self, steps: Sequence[Step]) -> None:
        """All that was done for the answer, in order, each step as it stands: shown with the next call of ``show`` or
        ``close``, as the platform can.
        """
        ...

    async def pace(self) -> None:
        """Return when a partial text may be shown without exceeding a limit. May be cancelled at any time."""
        ...

    async def show(self, text: str) -> None:
        """Show the whole text so far, empty only where there are steps.

        Raises DeliveryDelayedError, DeliveryStoppedError or DeliveryRefusedError.
        """
        ...

    async def close(self, text: str, controls: Controls | None = None) -> None:
        """Show the final text, whatever the pace, and ``controls`` under it in the same call. Afterwards the message
        is no longer growing.

        May be repeated after DeliveryDelayedError. Raises DeliveryStoppedError and DeliveryRefusedError too.
        """
        ...


class Outbound(Protocol):
    """Answers of one bot."""

    @property
    def courtesies(self) -> Courtesies | None:
        """None where the platform has none of them."""
        ...

    @property
    def streams(self) -> bool:
        """Whether the answer is shown while it grows; otherwise parts are opened with their final text."""
        ...

    @property
    def opens_early(self) -> bool:
        """Whether a part may be opened before there is any text (with the text empty)."""
        ...

    @property
    def fate_known_after(self) -> float:
        """Seconds after which ``find`` tells the truth about a send whose process died."""
        ...

    @property
    def repair_after(self) -> float | None:
        """Seconds after the completion of a turn when ``repair`` is due, if the turn was taken over or an edit of it
        got no answer: until every such write has arrived. None where the platform refuses writes that are late.
        """
        ...

    def cut(self, text: str, shown: int = 0) -> tuple[str, str] | None:
        """Split what does not fit into one part: (what the part ends with, what the next begins with).

        None while everything fits. Both halves are valid Markdown for themselves. The head never changes when
        more text follows, and ends behind the ``shown`` characters that are on screen.
        """
        ...

    def steady(self, text: str, shown: int) -> int:
        """How many characters of a growing text, for which ``cut`` gave None, are sure to stay in this part: at least
        ``shown``.
        """
        ...

    async def open(self, part: PartRequest, text: str) -> LivePart:
        """Make a new message with this text visible.

        Raises DeliveryDelayedError, DeliveryUnknownError or DeliveryRefusedError.
        """
        ...

    async def resume(self, part: PartRequest, ref: str) -> LivePart:
        """Go on writing the message that ``ref`` names, of which an earlier attempt (perhaps still alive) had
        hold. From the return on, the platform refuses that attempt or its writes are overwritten.

        Raises DeliveryDelayedError, DeliveryStoppedError or DeliveryRefusedError.
        """
        ...

    async def find(self, part: PartRequest) -> str | None:
        """Look for a part whose sending had an unknown outcome: its ref, or None if it never arrived.

        A platform that refuses a second send by id answers None: opening again is safe there.
        """
        ...

    async def remove(self, part: PartRequest, ref: str) -> None:
        """Take a surplus part away; already gone is fine."""
        ...

    async def repair(
        self, parts: Sequence[ShownPart], strays: Sequence[str], quiet: Callable[[], Awaitable[int | None]]
    ) -> bool:
        """Show a completed answer once more, whatever is visible of it, and take copies of its parts away; whether
        nothing is left to be done.

        ``strays`` are refs of messages that may be such copies; a part's own message is never taken for one. Of what
        cannot be told from an answer that is growing, it counts that ``quiet`` gave the same number before and after
        it was seen: then nothing in the conversation was growing.
        """
        ...
