"""Server-sent events: what was meant does not depend on how the bytes were cut."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.providers.sse import LIMIT, EventReader, OversizedEventError


def read(stream: bytes, *cuts: int) -> list[bytes]:
    reader = EventReader()
    edges = [0, *sorted(cuts), len(stream)]
    return [event for start, end in pairwise(edges) for event in reader.feed(stream[start:end])]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"]),
        (b"data: one\ndata: two\n\n", [b"one\ntwo"]),
        (b"data:no space\n\n", [b"no space"]),
        (b"data:  two spaces\n\n", [b" two spaces"]),
        (b"data\n\n", [b""]),
        (b"data: a: b\n\n", [b"a: b"]),
        (b": a comment\n\ndata: a\n: another\n\n", [b"a"]),
        (b"event: delta\nid: 7\nretry: 10\ndata: a\n\n", [b"a"]),
        (b"event: nothing\n\n\n\ndata: a\n\n", [b"a"]),
        (b"dataset: no\ndat: no\ndata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
        ("data: 你好 🙂\n\n".encode(), ["你好 🙂".encode()]),
        (b"data: whole\n\ndata: cut off\n", [b"whole"]),
        (b"data: whole\n\ndata: cut off", [b"whole"]),
        (b"", []),
    ],
)
def test_events_are_those_of_the_standard_wherever_the_stream_is_cut(
    stream: bytes, events: list[bytes]
) -> None:
    assert read(stream) == events
    assert read(stream, *range(len(stream))) == events
    for cut in range(len(stream)):
        assert read(stream, cut) == events


LINES = st.one_of(
    st.sampled_from([b"", b"data", b"data:", b": ping", b"event: x", b"\xef\xbb\xbf"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n")).map(
        lambda text: b"data: " + text.encode()
    ),
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]))).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(stream=STREAMS, data=st.data())
def test_any_chunking_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))

    assert read(stream, *cuts) == read(stream)


@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"))), data=st.data())
def test_what_was_written_is_read(texts: list[str], data: st.DataObject) -> None:
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    stream = "".join(
        "".join(f"data: {line}{end}" for line in text.split("\n")) + end for text in texts
    ).encode()

    assert read(stream) == [text.encode() for text in texts]


@pytest.mark.parametrize("size", [1, 1000, LIMIT * 2])
@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * LIMIT,
        b"data: " + b"x" * LIMIT + b"\n\n",
        b": " + b"x" * LIMIT + b"\n\n",
        (b"data: " + b"x" * 1018 + b"\n") * 1025,
    ],
    ids=["line without end", "line", "comment", "event of many lines"],
)
def test_what_is_too_large_is_an_error_however_it_arrives(stream: bytes, size: int) -> None:
    with pytest.raises(OversizedEventError):
        read(stream, *range(size, len(stream), size))


def test_a_long_stream_of_small_events_is_not_too_large() -> None:
    reader = EventReader()
    count = sum(len(reader.feed(b"data: " + b"x" * 1000 + b"\n\n: ping\n\n")) for _ in range(3000))

    assert count == 3000


def test_a_long_line_in_small_pieces_costs_no_more_than_its_length() -> None:
    """Looking at all of a line again for each piece of it would take minutes here."""
    reader = EventReader()
    began = time.process_time()
    for _ in range(LIMIT // 2):
        reader.feed(b"x")

    assert time.process_time() - began < 10
