"""A YAML file as plain values that know where they stand.

Invariants:

- every problem of a file is reported at once, each with its key, line and column;
- a problem's text never quotes a value: it may be a secret;
- a variable's value is text, never YAML: nothing in the environment can add keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
KeyPath: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]
"""Line and column, from 1."""

LARGEST_FILE = 1 << 20
"""Bytes."""
_MOST_VALUES = 100_000
_DEEPEST = 20
_START: Place = (1, 1)

_DOLLAR = re.compile(r"\$\$|\$\{([^}]*)(\}?)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_TYPED = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")}
# A date is text here: nothing in a configuration is one.
_TEXT = {f"tag:yaml.org,2002:{name}" for name in ("str", "timestamp", "merge", "value")}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one key, and what to do about it."""

    path: KeyPath
    place: Place
    text: str


class SettingsError(Exception):
    """The configuration cannot be used. The text has one line for each problem."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place))
        lines = []
        for problem in self.problems:
            line, column = problem.place
            key = f"{named(problem.path)}: " if problem.path else ""
            lines.append(f"{file}:{line}:{column}: {key}{problem.text}")
        super().__init__("\n".join(lines))


@dataclass(slots=True)
class Document:
    """``values`` has variables put in; ``problems`` are those met on the way."""

    values: Value = None
    problems: list[Problem] = field(default_factory=list)
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def place(self, path: KeyPath) -> Place:
        """Where a key stands, or the nearest key around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, _START)

    def report(self, path: KeyPath, text: str) -> None:
        """Note a problem, unless this key has one: what follows from the first would only distract."""
        if all(problem.path != path for problem in self.problems):
            self.problems.append(Problem(path, self.place(path), text))

    def texts(self, section: str, key: str) -> Iterator[tuple[KeyPath, str]]:
        """Every text that stands at ``section[n].key``."""
        entries = self.values.get(section) if isinstance(self.values, dict) else None
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            text = entry.get(key) if isinstance(entry, dict) else None
            if isinstance(text, str):
                yield (section, number, key), text


def named(path: KeyPath) -> str:
    """As a person writes it: ``bots[0].credentials.bot_token``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def read(path: Path, environ: Mapping[str, str]) -> Document:
    """Read the file. Raises SettingsError where it cannot be read or is not YAML at all."""

    def unusable(text: str, place: Place = _START) -> SettingsError:
        return SettingsError(str(path), [Problem((), place, text)])

    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise unusable(f"cannot be read: {error.strerror}; name the file with --config") from error
    if len(content) > LARGEST_FILE:
        raise unusable(f"is larger than {LARGEST_FILE} bytes; is it the right file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = (content.count(b"\n", 0, error.start) + 1, error.start - content.rfind(b"\n", 0, error.start))
        raise unusable("is not UTF-8; save it as UTF-8", place) from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else _START
        raise unusable(f"is not YAML: {error.problem or error.context}", place) from None
    except RecursionError:
        raise unusable("is nested too deeply; is it the right file?") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = (before.count("\n") + 1, error.position - before.rfind("\n"))
        raise unusable(f"is not YAML: {error.reason}", place) from None
    document = Document()
    if root is None:
        document.values = {}
    elif isinstance(root, yaml.MappingNode):
        document.values = _Reader(document, environ).value(root, ())
    else:
        document.report((), "must be a mapping of keys to values, such as `drain: 330s`")
    return document


class _Reader:
    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._count = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Value:
        self._document.places.setdefault(path, _place(node))
        self._count += 1
        # An alias may stand for any number of values, and even within itself.
        if len(path) > _DEEPEST or self._count > _MOST_VALUES:
            self._document.report(path[:1], "holds too many values")
            return None
        match node:
            case yaml.ScalarNode():
                return self._scalar(node, path)
            case yaml.SequenceNode():
                return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
            case yaml.MappingNode():
                return self._mapping(node, path)
            case _:
                raise AssertionError(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._document.problems.append(Problem(path, _place(key_node), "has a key that is not text"))
                continue
            key_path = (*path, key_node.value)
            if key_node.value in values:
                first, _ = self._document.places[key_path]
                text = f"is given twice, first in line {first}; keep one"
                self._document.problems.append(Problem(key_path, _place(key_node), text))
                continue
            self._document.places[key_path] = _place(key_node)
            values[key_node.value] = self.value(value_node, key_path)
        return values

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Value:
        if node.tag in _TYPED:
            try:
                return _typed(node)
            except ValueError:
                self._document.report(path, f"is not a valid {node.tag.rpartition(':')[2]}")
                return None
        if node.tag not in _TEXT:
            self._document.report(path, f"has the tag {node.tag}, which means nothing here; remove it")
            return None
        return _DOLLAR.sub(lambda match: self._variable(match, path), node.value)

    def _variable(self, match: re.Match[str], path: KeyPath) -> str:
        if match[0] == "$$":
            return "$"
        variable = _VARIABLE.fullmatch(match[1])
        if not match[2] or variable is None:
            self._document.report(
                path,
                "has a ${ that begins no variable; write ${NAME} or ${NAME:-default}, or $$ for a dollar sign",
            )
            return ""
        name, default = variable.groups()
        value = self._environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            self._document.report(
                path, f"environment variable {name} is not set; set it or write ${{{name}:-default}}"
            )
            return ""
        return value


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _typed(node: yaml.ScalarNode) -> Value:
    loader = yaml.SafeLoader("")
    try:
        value: Value = loader.construct_object(node)
    finally:
        loader.dispose()
    return value
