from __future__ import annotations


class CommandError(Exception):
    """It could not be done; one line says why, and what to do."""
