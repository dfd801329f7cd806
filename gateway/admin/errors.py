"""Why an admin's wish was not fulfilled. The API and the console each turn these into an answer, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AdminError(Exception):
    """The text says what is wrong and what to do about it; it holds no secret and no message text."""


class UnknownError(AdminError):
    """There is no such thing, or none that this principal may see."""


class NotAllowedError(AdminError):
    """The principal's role, or the bots it is for, do not include this."""


class StaleError(AdminError):
    """The record was changed since the caller looked at it."""


class ConflictError(AdminError):
    """It contradicts what is there: a taken id, a provisioned record, an agent that bots use."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """``field`` is a path such as credentials.bot_token; ``problem`` says what is wrong and what to write instead."""

    field: str
    problem: str


class InvalidError(AdminError):
    """Fields of what was sent are wrong."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(f"{one.field}: {one.problem}" for one in problems))
        self.problems = tuple(problems)
