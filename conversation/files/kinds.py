"""What a file is, by its first bytes; what its name and the platform claim only decides whether it is fetched.

Invariant: only what is recognised is read. A picture is one by its own bytes, whatever it is called.
"""

from __future__ import annotations

import codecs
from pathlib import PurePosixPath

from conversation.messages import Attachment

_UNREADABLE_TYPES = ("audio/", "video/", "font/", "application/zip", "application/vnd.openxmlformats")
_UNREADABLE_ENDINGS = frozenset(
    (
        *(
            ".7z",
            ".avi",
            ".bin",
            ".bmp",
            ".bz2",
            ".dmg",
            ".doc",
            ".docx",
            ".exe",
            ".gz",
            ".heic",
            ".jar",
            ".key",
        ),
        *(".mkv", ".mov", ".mp3", ".mp4", ".numbers", ".ogg", ".opus", ".pages", ".parquet", ".ppt", ".pptx"),
        *(".psd", ".rar", ".tar", ".tgz", ".tif", ".tiff", ".wav", ".webm", ".xls", ".xlsx", ".xz", ".zip"),
    )
)
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_PDF_WITHIN = 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LAYOUT = frozenset("\t\n\r\f\x1b")
_SAMPLE = 4096

READ_BYTES = 1 << 20
"""Of a text, which is decoded while everybody waits."""


def worth_fetching(file: Attachment) -> bool:
    """Whether it may be something that can be read."""
    if file.media_type.lower().startswith(_UNREADABLE_TYPES):
        return False
    return PurePosixPath(file.name.lower()).suffix not in _UNREADABLE_ENDINGS


def image_type(data: bytes) -> str | None:
    """The media type of a picture that models take; None for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), None)


def is_pdf(data: bytes) -> bool:
    return b"%PDF-" in data[:_PDF_WITHIN]


def text_of(data: bytes) -> str | None:
    """The first READ_BYTES of a text in UTF-8, UTF-16 with its mark, or the Chinese GB 18030; None where it is none
    of them.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    if b"\x00" in data[:READ_BYTES]:
        return None
    text = _decoded(data, "utf-8")
    return text if text is not None else _decoded(data, "gb18030")


def _decoded(data: bytes, encoding: str) -> str | None:
    beginning = data[:READ_BYTES]
    try:
        # A character that is cut apart at the end of the beginning is left out.
        text = codecs.getincrementaldecoder(encoding)().decode(beginning, len(beginning) == len(data))
    except UnicodeDecodeError:
        return None
    sample = text[:_SAMPLE]
    odd = sum(1 for character in sample if not character.isprintable() and character not in _LAYOUT)
    return text if 20 * odd <= len(sample) else None
