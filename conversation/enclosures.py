"""Files that an answer brings: the port to a platform, and their way from the model to the person.

Invariants:

- a file is uploaded before the final text is stored, and what is stored is the platform's own name of it: a process
  that dies after that shows it all the same, and one that dies before asks the model again;
- it is shared after the text, under an id that stays: once, as far as the platform can tell;
- a file that cannot be uploaded costs a line in the answer, never the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from conversation.messages import Address
from conversation.outbound import (
    LONGEST_WAIT,
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRefusedError,
    DeliveryUnknownError,
)
from conversation.providers.port import File
from conversation.turn import Final, Turn, part_id

MOST_FILES = 5
"""Of one answer."""
FILE_BYTES = 10 << 20
UPLOAD_SECONDS = 60.0
TRIES = 4

_FIRST = 10_000
"""The number of the first file among the parts of an answer, which never has so many."""

_log = structlog.get_logger()


class Enclosures(Protocol):
    """Of one bot."""

    async def upload(self, to: Address, file: File) -> str:
        """Give a file to the platform, seen by nobody yet; how the channel refers to it. Raises DeliveryError."""
        ...

    async def share(self, to: Address, ref: str, id: str, *, again: bool) -> None:
        """Show an uploaded file where the answer is. ``again``: an earlier call may have done it already.

        Raises DeliveryError.
        """
        ...


class Produced:
    """What a model has given beside its text."""

    def __init__(self) -> None:
        self.files: list[File] = []
        self.left_out: list[str] = []

    def attach(self, file: File) -> None:
        if len(self.files) < MOST_FILES and 0 < len(file.data) <= FILE_BYTES:
            self.files.append(file)
        else:
            self.left_out.append(file.name)


async def upload(
    enclosures: Enclosures | None, turn: Turn, produced: Produced
) -> tuple[tuple[str, ...], list[str]]:
    """What the uploaded files are called, and the names of those that could not be."""
    refs: list[str] = []
    unsent = list(produced.left_out)
    for file in produced.files:
        if enclosures is None:
            unsent.append(file.name)
            continue
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                refs.append(await enclosures.upload(turn.message.address, file))
        except (DeliveryError, TimeoutError) as error:
            _log.warning("file not attached", turn=turn.id, cause=str(error) or type(error).__name__)
            unsent.append(file.name)
    return tuple(refs), unsent


async def share(enclosures: Enclosures | None, turn: Turn, final: Final) -> None:
    """Show the files of an answer whose text is shown. Raises DeliveryDelayedError and DeliveryUnknownError: the
    whole may be repeated in another attempt.
    """
    if enclosures is None:
        return
    for number, ref in enumerate(final.files):
        try:
            await _insist(enclosures, turn, ref, part_id(turn.id, _FIRST + number))
        except DeliveryRefusedError as refused:
            _log.warning("file not attached", turn=turn.id, cause=str(refused))


async def _insist(enclosures: Enclosures, turn: Turn, ref: str, id: str) -> None:
    again = turn.attempt > 1
    for tried in range(1, TRIES + 1):
        try:
            await enclosures.share(turn.message.address, ref, id, again=again)
        except (DeliveryDelayedError, DeliveryUnknownError) as trouble:
            delay = trouble.delay if isinstance(trouble, DeliveryDelayedError) else 1.0
            again = again or isinstance(trouble, DeliveryUnknownError) or trouble.pending
            if tried == TRIES or delay > LONGEST_WAIT:
                raise
            await asyncio.sleep(max(delay, 0.25 * 2**tried))
        else:
            return


def named(files: Sequence[File]) -> str:
    """Stands for an answer that is nothing but files."""
    return "📎 " + ", ".join(f"`{file.name}`" for file in files)
