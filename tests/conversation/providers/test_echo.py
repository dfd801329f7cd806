from __future__ import annotations

import pytest

from conversation.providers.echo import EchoProvider
from conversation.providers.port import Entry, Prompt, Provider


@pytest.mark.parametrize("text", ["one", "say it  again\n\nplease ", " leading", "你好 🙂"])
async def test_the_answer_is_what_was_said_word_by_word(text: str) -> None:
    provider: Provider = EchoProvider()
    prompt = Prompt("system", (Entry("user", "earlier"), Entry("assistant", "earlier"), Entry("user", text)))

    pieces = [piece async for piece in provider.stream(prompt)]

    assert "".join(pieces) == text
    assert len(pieces) == len(text.split())
    assert await provider.check(live=True)
    await provider.close()
