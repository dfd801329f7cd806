"""A model that answers with what was said: for trying things out, without a network."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator

from conversation.providers.port import File, Prompt

_WORD = re.compile(r"\s*\S+\s*")


class EchoProvider:
    """Answers word by word, with ``delay`` seconds before each word but the first."""

    def __init__(self, *, delay: float = 0.0) -> None:
        self._delay = delay

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Pictures come back too."""
        if prompt.attach is not None:
            for image in prompt.entries[-1].images:
                prompt.attach(File(image.name, image.media_type, image.data))
        for word in _WORD.finditer(prompt.said or prompt.entries[-1].text):
            if word.start():
                await asyncio.sleep(self._delay)
            yield word.group()

    async def check(self, *, live: bool) -> str:  # noqa: ARG002 - the port's signature
        return "echoes"

    async def close(self) -> None:
        """Nothing is open."""
