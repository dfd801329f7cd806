"""Small files of every kind, written here byte by byte."""

from __future__ import annotations

import zlib

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 40


def pdf(text: str, *, pages: int = 1, compress: bool = False) -> bytes:
    """A PDF that says ``text`` on each page."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    return _assembled(content, pages, compressed=compress)


def bomb(megabytes: int) -> bytes:
    """A PDF of a few kilobytes whose page says so many megabytes when it is decompressed."""
    line = b"BT /F1 12 Tf (" + b"A" * 1_000 + b") Tj ET\n"
    return _assembled(line * (megabytes * 1_000), 1, compressed=True)


def _assembled(content: bytes, pages: int, *, compressed: bool) -> bytes:
    stream = zlib.compress(content, 9) if compressed else content
    coded = b"/Filter /FlateDecode " if compressed else b""
    kids = b" ".join(b"%d 0 R" % (5 + page) for page in range(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, pages),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< %b/Length %d >>\nstream\n%b\nendstream" % (coded, len(stream), stream),
    ]
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 3 0 R >> >> >>"
    )
    objects += [page] * pages
    written = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(written))
    return written + table + trailer
