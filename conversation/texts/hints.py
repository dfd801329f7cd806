"""Sentences for a person that are no notice: they end no turn and have no reference."""

from __future__ import annotations

from enum import StrEnum


class Hint(StrEnum):
    """Each has a text in every language."""

    STOPPED = "stopped"
    NOTHING_TO_STOP = "nothing_to_stop"
