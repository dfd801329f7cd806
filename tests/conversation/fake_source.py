"""What a platform would tell about messages, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from conversation.messages import Address, Attachment, InboundMessage
from conversation.source import Earlier, Fetched, FileError


@dataclass
class FakeSource:
    """``files`` by name: bytes, or why they cannot be had. ``seconds`` that a file takes."""

    files: dict[str, bytes | FileError] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    before: Sequence[Earlier] = ()
    seconds: float = 0.0
    fetched: list[str] = field(default_factory=list)
    looked_back: int = 0

    async def fetch(self, to: Address, file: Attachment, most: int) -> Fetched:
        await asyncio.sleep(self.seconds)
        self.fetched.append(file.name)
        found = self.files[file.name]
        if isinstance(found, FileError):
            raise found
        return Fetched(found)

    async def readable(self, message: InboundMessage) -> str:
        text = message.text
        for user, name in self.names.items():
            text = text.replace(f"<@{user}>", f"@{name}")
        return text

    async def name_of(self, message: InboundMessage) -> str:
        return self.names.get(message.sender.id, "")

    async def earlier(self, message: InboundMessage, most: int) -> Sequence[Earlier]:
        self.looked_back += 1
        return self.before[-most:]
