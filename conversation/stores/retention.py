"""How long is kept what nobody asked to forget."""

from __future__ import annotations

from dataclasses import dataclass

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """In seconds, from the moment it was written. ``tick`` forgets what is older, a bounded share at a time.

    ``transcripts`` holds for dead letters too, as they hold what a person wrote. An engine may keep fewer events.
    """

    transcripts: float = 30 * DAY
    events: float = 7 * DAY
    audit: float = 365 * DAY
