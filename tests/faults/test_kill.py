"""What else a single process on SQLite must survive. The crash table itself is in ``test_crash_*``."""

from __future__ import annotations

from pathlib import Path

from gateway.demo.model import Reply
from tests.town import town
from tests.waiting import until


async def test_a_message_that_was_answered_200_is_never_lost_and_a_redelivery_never_answered_twice(
    tmp_path: Path,
) -> None:
    """Killed in the middle of a burst: whatever got its 200 is answered once, whatever did not is sent again."""
    async with town(tmp_path, script=lambda _: Reply("done"), first_token_after=0.05) as here:
        async with here.bombarded(chats=30) as said:
            await until(lambda: len(here.model.calls_made) > 5, 10)
            await here.gateway.kill()
            await here.gateway.start()
        await here.lark.settle()
        assert len(said) == 30
        for number, one in enumerate(said):
            await here.answered([one], lambda n=number: here.lark.chat(f"oc_{n}"))  # type: ignore[misc]


async def test_a_second_gateway_on_the_same_file_says_what_to_do(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        (tmp_path / "second").mkdir()
        output = await here.another_gateway_on_the_same_store(tmp_path / "second")
        assert "another process has it open" in output
        assert "store.url" in output
