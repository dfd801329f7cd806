"""What a file is, by its bytes."""

from __future__ import annotations

import pytest

from conversation.files.kinds import READ_BYTES, image_type, text_of, worth_fetching
from conversation.files.read import shown_name
from conversation.messages import Attachment
from tests.conversation.files.papers import JPEG, PNG, pdf


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        ("größe,名字".encode(), "größe,名字"),
        ("名字,年龄\n张三,3".encode("gb18030"), "名字,年龄\n张三,3"),
        ("wide".encode("utf-16"), "wide"),
        (b"\xef\xbb\xbfmarked", "marked"),
        (PNG, None),
        (JPEG, None),
        (b"PK\x03\x04" + bytes(range(256)), None),
        (bytes(range(1, 32)) * 20, None),
        (b"\xff\xfe\x00", None),
    ],
)
def test_a_text_is_known_by_its_bytes(data: bytes, text: str | None) -> None:
    assert text_of(data) == text


def test_a_picture_is_known_by_its_bytes() -> None:
    assert image_type(PNG) == "image/png"
    assert image_type(JPEG) == "image/jpeg"
    assert image_type(b"RIFF\x00\x00\x00\x00WEBPVP8 ") == "image/webp"
    assert image_type(b"GIF89a") == "image/gif"
    assert image_type(b"<html>") is None
    assert image_type(pdf("x")) is None


@pytest.mark.parametrize(
    ("name", "media_type", "worth"),
    [
        ("a.txt", "text/plain", True),
        ("Makefile", "", True),
        ("report.pdf", "application/pdf", True),
        ("a.DOCX", "", False),
        ("song", "audio/mpeg", False),
        ("a.zip", "application/octet-stream", False),
    ],
)
def test_what_cannot_be_read_is_not_even_fetched(name: str, media_type: str, worth: bool) -> None:
    assert worth_fetching(Attachment("file", name, media_type)) is worth


def test_a_name_cannot_leave_its_sentence() -> None:
    assert shown_name('a"b`c\nd<e>.txt') == "a b c d e .txt"
    assert shown_name("\u202e\x00") == "?"
    long = shown_name("x" * 300 + ".pdf")
    assert len(long) <= 80
    assert long.endswith(".pdf")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_of_a_large_text_the_beginning_is_decoded_whole(encoding: str) -> None:
    text = text_of(("a" + "张" * READ_BYTES).encode(encoding))
    assert text is not None
    assert set(text) == {"a", "张"}
    assert len(text) < READ_BYTES
