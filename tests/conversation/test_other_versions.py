"""What earlier versions stored is read, and what a later one may add is passed over: see docs/contribute.md.

Golden files are never changed, and one is added with each field that comes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeAlias

import pytest

from conversation.stored import read_turn, stored_delivery, stored_message
from conversation.turn import Reason
from tests.conversation.made_up import message

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | None"


def read(record: bytes) -> object:
    return (stored_message if b"turnkeeper.message" in record else stored_delivery).read(record)


def written(record: bytes) -> bytes:
    if b"turnkeeper.message" in record:
        return stored_message.write(stored_message.read(record))
    return stored_delivery.write(stored_delivery.read(record))


def with_more(value: Json) -> Json:
    """Each mapping has a key that nobody knows."""
    match value:
        case dict():
            return {
                **{key: with_more(inner) for key, inner in value.items()},
                "of_a_later_version": {"a": [1]},
            }
        case list():
            return [with_more(inner) for inner in value]
        case _:
            return value


def keys(value: Json, place: str = "") -> set[str]:
    match value:
        case dict():
            inner = (keys(item, f"{place}.{key}") for key, item in value.items())
            return {f"{place}.{key}" for key in value}.union(*inner)
        case list():
            return set().union(*(keys(item, place) for item in value))
        case _:
            return set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_field_that_only_a_later_version_knows_is_passed_over(path: Path) -> None:
    record = json.loads(path.read_bytes())
    later = json.dumps({"type": record["type"], "data": with_more(record["data"])}, separators=(",", ":"))
    assert read(later.encode()) == read(path.read_bytes())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_earlier_version_finds_every_field_that_it_wrote(path: Path) -> None:
    """It may ask for any of them."""
    before = path.read_bytes()
    assert keys(json.loads(before)) <= keys(json.loads(written(before)))


def test_each_field_that_is_stored_now_is_in_a_golden_file() -> None:
    golden = set().union(*(keys(json.loads(path.read_bytes())) for path in FILES if "message" in path.stem))
    now = set().union(
        *(keys(json.loads(written(path.read_bytes()))) for path in FILES if "message" in path.stem)
    )
    assert now - golden == set(), "add a file to golden/ that has it"


def test_a_message_of_a_later_kind_is_told_to_its_person_and_not_answered_wrongly() -> None:
    """Which must not come to pass: what is written changes a version after what can be read."""
    key = message("one").key
    later = b't1 {"type":"turnkeeper.message.v9","data":{}}'
    turn = read_turn(key, "t1", later, 0.0, None, 1, 0, 0, None)
    assert turn.refusal == Reason.MALFORMED
    assert turn.messages[0].key == key
