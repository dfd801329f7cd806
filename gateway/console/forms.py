"""Forms: what a page asks for, what was written there, and what is wrong with it.

Invariants:

- a secret that was typed is never sent back to the browser;
- a problem stands at its field, and what was written stays, also when somebody else changed the record meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web
from pydantic import JsonValue

from gateway.admin.errors import FieldProblem
from gateway.console.texts import Say

Kind = Literal["text", "long", "lines", "select", "check", "secret", "number"]

_LARGEST_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A field. ``name`` is its path in the record; ``optional`` text that is left empty removes the setting."""

    name: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A field as a template shows it. ``now`` is what the record holds after a clash, where that differs."""

    id: str
    name: str
    kind: Kind
    label: str
    hint: str
    value: str
    options: tuple[tuple[str, str], ...]
    optional: bool
    placeholder: str
    problem: str
    now: str | None
    locked: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the summary."""

    label: str
    anchor: str
    problem: str


@dataclass(frozen=True, slots=True)
class Form:
    """``fields`` by name. ``version`` is the one that saving expects."""

    fields: Mapping[str, Field] = field(default_factory=dict)
    problems: tuple[Told, ...] = ()
    stale: bool = False
    secrets_gone: bool = False
    version: int = 0

    def __getitem__(self, name: str) -> Field:
        return self.fields[name]


@dataclass(frozen=True, slots=True)
class Clash:
    """The record as it is now, after somebody else saved."""

    values: Mapping[str, str]
    version: int


def make_form(
    say: Say,
    asked: Sequence[Asked],
    values: Mapping[str, str],
    *,
    about: str,
    version: int = 0,
    problems: Sequence[FieldProblem] = (),
    clash: Clash | None = None,
    locked: bool = False,
    options: Mapping[str, tuple[tuple[str, str], ...]] | None = None,
    placeholders: Mapping[str, str] | None = None,
) -> Form:
    """``about`` chooses the labels, ``field.ABOUT.NAME``. ``options`` of a select that are no fixed choices."""
    shown = {}
    for one in asked:
        problem = next((found.problem for found in problems if _is_at(found.field, one.name)), "")
        value = values.get(one.name, "")
        now = None
        if clash is not None and one.kind != "secret" and clash.values.get(one.name, "") != value:
            now = _told(say, about, one, clash.values.get(one.name, ""))
        shown[one.name] = Field(
            id=one.name.replace(".", "-").replace("_", "-"),
            name=one.name,
            kind=one.kind,
            label=say(f"field.{about}.{one.name}"),
            hint=say.either(f"hint.{about}.{one.name}", ""),
            value="" if one.kind == "secret" else value,
            options=(options or {}).get(one.name)
            or tuple((choice, say(f"choice.{about}.{one.name}.{choice}")) for choice in one.choices),
            optional=one.optional,
            placeholder=(placeholders or {}).get(one.name, ""),
            problem=_sentence(problem),
            now=now,
            locked=locked,
        )
    return Form(
        fields=shown,
        problems=tuple(_summarised(found, shown) for found in problems),
        stale=clash is not None,
        secrets_gone=bool(problems) and any(values.get(one.name) for one in asked if one.kind == "secret"),
        version=version if clash is None else clash.version,
    )


def written(form: Mapping[str, str], asked: Sequence[Asked]) -> dict[str, str]:
    """What was sent, by the name of the field; a check is ``on`` or empty."""
    return {one.name: form.get(one.name, "").replace("\r\n", "\n") for one in asked}


def patch(values: Mapping[str, str], asked: Sequence[Asked]) -> dict[str, JsonValue]:
    """The record, or a change of one, as the services take it. An empty secret is left as it was."""
    document: dict[str, JsonValue] = {}
    for one in asked:
        value = values.get(one.name, "")
        if one.kind == "secret" and not value:
            continue
        *path, last = one.name.split(".")
        inner = document
        for step in path:
            deeper = inner.setdefault(step, {})
            assert isinstance(deeper, dict)
            inner = deeper
        inner[last] = _parsed(one, value)
    return document


async def sent(request: web.Request) -> dict[str, str]:
    """The text fields of a request's form."""
    fields = await request.post()
    if len(fields) > _LARGEST_FIELDS:
        raise web.HTTPRequestEntityTooLarge(max_size=_LARGEST_FIELDS, actual_size=len(fields))
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def version_of(form: Mapping[str, str]) -> int:
    """What the page was made from; 0 matches no stored record."""
    given = form.get("version", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0  # noqa: PLR2004 - digits


def _parsed(one: Asked, value: str) -> JsonValue:
    match one.kind:
        case "check":
            return value == "on"
        case "lines":
            return [line.strip() for line in value.splitlines() if line.strip()]
        case "number" if value.strip().isascii() and value.strip().isdigit():
            return int(value)
        case "long":
            return value
        case _:
            plain = value.strip()
            return None if one.optional and not plain else plain


def _is_at(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}.", f"{name}["))


def _summarised(found: FieldProblem, shown: Mapping[str, Field]) -> Told:
    at = next((one for name, one in shown.items() if _is_at(found.field, name)), None)
    if at is None:
        return Told(found.field, "", _sentence(found.problem))
    return Told(at.label, at.id, _sentence(found.problem))


def _told(say: Say, about: str, one: Asked, value: str) -> str:
    if one.kind == "check":
        return say("form.yes" if value == "on" else "form.no")
    if one.kind == "select":
        return say.either(f"choice.{about}.{one.name}.{value}", value)
    return value or say("form.nothing")


def _sentence(problem: str) -> str:
    return problem[:1].upper() + problem[1:] if problem else ""
