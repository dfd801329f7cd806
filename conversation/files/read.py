"""Fetches the files of a turn and makes of them what a model takes: texts, and pictures.

Invariants:

- a file that cannot be had never loses the turn: its trouble is told to the model and to the person, by its name;
- what a turn holds in memory is bounded, whatever the platform claimed of a file's size;
- at most ``READING_AT_ONCE`` turns of a process fetch and read at once; the others wait for their turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from conversation.context import tokens
from conversation.files import kinds
from conversation.files.pdf import PdfReader
from conversation.messages import Address, Attachment
from conversation.providers.port import Image
from conversation.source import FileError, Source
from conversation.texts.troubles import FOR_THE_MODEL, Trouble

READING_AT_ONCE = 4
MOST_FILES = 10
"""Of one turn; more are named and left out."""
FILE_BYTES = 20 << 20
TURN_BYTES = 40 << 20
IMAGE_BYTES = 5 << 20
IMAGES_BYTES = 10 << 20
"""Of all pictures of a turn: they stay in memory until the model has them."""
FILE_CHARS = 200_000
FETCH_SECONDS = 30.0
TURN_SECONDS = 90.0
"""For all files of a turn, once it is their turn."""

_LONGEST_NAME = 80
_CLOSING = "</file>"


@dataclass(slots=True)
class Read:
    """What came of a turn's files. ``blocks`` are texts for the model, one for each file, in their order."""

    blocks: list[str] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    troubles: dict[Trouble, list[str]] = field(default_factory=dict)

    def miss(self, name: str, trouble: Trouble) -> None:
        self.blocks.append(f'<file name="{name}" unread="{FOR_THE_MODEL[trouble]}"/>')
        self.tell(name, trouble)

    def tell(self, name: str, trouble: Trouble) -> None:
        self.troubles.setdefault(trouble, []).append(name)


class FileReader:
    """Of one process."""

    def __init__(self, pdf: PdfReader | None = None) -> None:
        self._pdf = pdf or PdfReader()
        self._room = asyncio.Semaphore(READING_AT_ONCE)

    async def read(
        self,
        source: Source,
        files: Sequence[tuple[Address, Attachment]],
        *,
        images: bool,
        budget: int,
    ) -> Read:
        """``images``: the model may be shown pictures. ``budget``: tokens for the texts of all files. Takes
        TURN_SECONDS at most, besides waiting.
        """
        read = Read()
        if not files:
            return read
        async with self._room:
            desk = _Desk(
                source, self._pdf, read, images, budget, asyncio.get_running_loop().time() + TURN_SECONDS
            )
            for to, file in files[:MOST_FILES]:
                await desk.take(to, replace(file, name=shown_name(file.name)))
        for _, file in files[MOST_FILES:]:
            read.miss(shown_name(file.name), Trouble.TOO_MANY)
        return read


@dataclass(slots=True)
class _Desk:
    """One turn's files, one after the other."""

    source: Source
    pdf: PdfReader
    read: Read
    images: bool
    budget: int
    until: float
    bytes_left: int = TURN_BYTES
    image_bytes_left: int = IMAGES_BYTES

    async def take(self, to: Address, file: Attachment) -> None:
        try:
            await self._take(to, file)
        except FileError as error:
            self.read.miss(file.name, error.trouble)

    async def _take(self, to: Address, file: Attachment) -> None:
        if not kinds.worth_fetching(file):
            raise FileError(Trouble.UNSUPPORTED)
        if file.kind == "image" and not self.images:
            raise FileError(Trouble.NO_IMAGES)
        most = min(FILE_BYTES, self.bytes_left)
        if file.kind == "image":
            most = min(most, IMAGE_BYTES, self.image_bytes_left)
        if file.size > most:
            raise FileError(Trouble.TOO_LARGE)
        seconds = min(FETCH_SECONDS, self.until - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                fetched = await self.source.fetch(to, file, most)
        except TimeoutError:
            raise FileError(Trouble.UNREACHABLE) from None
        data = fetched.data
        if fetched.name:
            file = replace(file, name=shown_name(fetched.name))
        self.bytes_left -= len(data)
        if kind := kinds.image_type(data):
            self._look_at(file, kind, data)
        elif file.kind == "image":
            raise FileError(Trouble.UNSUPPORTED)
        else:
            await self._read_text(file, data)

    def _look_at(self, file: Attachment, kind: str, data: bytes) -> None:
        if not self.images:
            raise FileError(Trouble.NO_IMAGES)
        if len(data) > min(IMAGE_BYTES, self.image_bytes_left):
            raise FileError(Trouble.TOO_LARGE)
        self.image_bytes_left -= len(data)
        self.read.images.append(Image(file.name, kind, data))
        self.read.blocks.append(f"[image: {file.name}]")

    async def _read_text(self, file: Attachment, data: bytes) -> None:
        if kinds.is_pdf(data):
            text, kind = await self.pdf.text(data), "application/pdf"
            if text is None:
                raise FileError(Trouble.DAMAGED)
        else:
            text, kind = kinds.text_of(data), "text/plain"
            if text is None:
                raise FileError(Trouble.UNSUPPORTED)
        if not text.strip():  # such as a PDF of scanned pages
            raise FileError(Trouble.UNSUPPORTED if kind == "application/pdf" else Trouble.DAMAGED)
        fits = cut_to(text[:FILE_CHARS], self.budget)
        self.budget -= tokens(fits)
        cut = len(fits) < len(text) or (kind == "text/plain" and len(data) > kinds.READ_BYTES)
        note = f' cut="{FOR_THE_MODEL[Trouble.TRUNCATED]}: {len(fits)} characters"' if cut else ""
        harmless = fits.replace(_CLOSING, "</ file>")
        self.read.blocks.append(f'<file name="{file.name}" type="{kind}"{note}>\n{harmless}\n{_CLOSING}')
        if cut:
            self.read.tell(file.name, Trouble.TRUNCATED)


def cut_to(text: str, budget: int) -> str:
    """Its beginning, of about ``budget`` tokens at most."""
    while text and tokens(text) > budget:
        text = text[: min(len(text) - 1, int(len(text) * max(0, budget) / tokens(text)))]
    return text


def shown_name(name: str) -> str:
    """A file's name as it may stand in a sentence: of one line, without markup, not too long."""
    odd = set('"`<>')
    plain = "".join(" " if one in odd or not one.isprintable() else one for one in name)
    plain = " ".join(plain.split()) or "?"
    if len(plain) <= _LONGEST_NAME:
        return plain
    return f"{plain[: _LONGEST_NAME - 10]}…{plain[-8:]}"
