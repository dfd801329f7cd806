"""A process of its own: a PDF comes in, its text goes out. Ends with 1 where it cannot be read.

It imports nothing of Turnkeeper. What a malicious document can cost is bounded before the first byte is looked at.
"""

from __future__ import annotations

import io
import logging
import resource
import sys

MEMORY = 768 << 20
PROCESSOR_SECONDS = 15
MOST_PAGES = 2_000


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    from pypdf import PdfReader  # noqa: PLC0415 - only once the limits hold
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    logging.disable(logging.CRITICAL)
    left = int(sys.argv[1])
    written = io.StringIO()
    try:
        document = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        if document.is_encrypted and not document.decrypt(""):
            return 1
        for page in document.pages[:MOST_PAGES]:
            text = page.extract_text()
            written.write(text[:left] + "\n\n")
            left -= len(text)
            if left <= 0:
                break
    # The library raises all of these on documents that are not what they should be; some text is better than none.
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        MemoryError,
    ):
        if not written.getvalue().strip():
            return 1
    sys.stdout.buffer.write(written.getvalue().strip().encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
