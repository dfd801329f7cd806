"""What Slack answers instead of doing it."""

from __future__ import annotations


class SlackError(Exception):
    """An error as Slack names it. ``fault``: a correct client would not have caused it."""

    def __init__(self, code: str, *, fault: bool = True) -> None:
        super().__init__(code)
        self.code = code
        self.fault = fault
