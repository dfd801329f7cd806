"""Times and durations as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.console.preferences import Language
from gateway.console.texts import text

_STEPS = ((60.0, 1.0, "seconds"), (3600.0, 60.0, "minutes"), (86400.0, 3600.0, "hours"))
_JUST_NOW = 5.0


def ago(moment: float, now: float, language: Language) -> str:
    """Such as ``3 min ago`` or ``in 2 h``."""
    passed = now - moment
    if abs(passed) < _JUST_NOW:
        return text(language, "time.now")
    direction = "time.ago" if passed > 0 else "time.in"
    size, unit = abs(passed), "days"
    for below, length, name in _STEPS:
        if size < below:
            size, unit = size / length, name
            break
    else:
        size /= 86400.0
    return text(language, direction, span=text(language, f"time.{unit}", number=int(size)))


def exact(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: float | None) -> str:
    """Such as ``240 ms``, ``1.3 s`` or ``4 min 5 s``; a dash where there is none."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
