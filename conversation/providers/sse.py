"""Server-sent events, as streamed by language models.

Invariants:

- the events do not depend on how the bytes were cut on their way, be it inside a character or inside CRLF;
- work and memory are linear in what was fed: no byte is looked at again when the next piece arrives;
- what is held back is bounded: a line, or the data of one event, longer than LIMIT is an error.

Only the data of events is read. ``event``, ``id`` and ``retry`` fields say nothing that the data of a model's
stream does not, and comments are the server's way to keep the connection open.
Source: WHATWG HTML, "9.2.6 Interpreting an event stream".
"""

from __future__ import annotations

LIMIT = 1 << 20
"""Bytes of one line, and of the data of one event."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class OversizedEventError(ValueError):
    """The server sent a line or an event longer than LIMIT."""


class EventReader:
    """Cuts bytes into the data of events. One reader reads one stream.

    An event that the stream's end cut off is dropped, as the standard asks: it may be half of what was meant.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []  # pieces of the line that has no end yet
        self._line_size = 0
        self._data: list[bytes] = []  # data lines of the event that has no end yet
        self._data_size = 0
        self._at_start = True
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of the events that ``piece`` completes. Raises OversizedEventError."""
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if b"\r" in piece:
            self._after_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.split(b"\n")
        self._hold(lines[0])
        if len(lines) == 1:
            return []
        lines[0] = b"".join(self._line)
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        self._line.clear()
        self._line_size = 0
        self._hold(lines.pop())
        return self._interpret(lines)

    def _hold(self, line: bytes) -> None:
        self._line.append(line)
        self._line_size += len(line)
        if self._line_size > LIMIT:
            raise OversizedEventError(f"a line of more than {LIMIT} bytes")

    def _interpret(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        data = self._data
        for line in lines:
            if line[:5] == b"data:":
                data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._data_size += len(line)
                if self._data_size > LIMIT:
                    raise OversizedEventError(f"an event of more than {LIMIT} bytes")
            elif not line:
                if data:
                    events.append(data[0] if len(data) == 1 else b"\n".join(data))
                    data.clear()
                    self._data_size = 0
            elif line == b"data":
                data.append(b"")
                self._data_size += len(line)
        return events
