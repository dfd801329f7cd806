"""``kill -9`` of the real process: the reply is finished in the same message, the queue follows, nothing twice.

Judged by what the stand-ins show a person. One parametrised test per moment of death and platform.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.demo.model import Reply
from tests.faults.talk import PLATFORMS, replies, script
from tests.town import town
from tests.waiting import until


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_killed_while_the_model_thinks(tmp_path: Path, platform: str) -> None:
    async with town(tmp_path, script=script, first_token_after=1.0, tokens_per_second=60) as here:
        said, look = await PLATFORMS[platform](here)
        await until(lambda: here.model.calls_made, 5)
        await here.gateway.kill()
        await here.gateway.start()
        await here.answered(said, look)
        assert len(replies(look)) == 2


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_killed_while_the_reply_grows(tmp_path: Path, platform: str) -> None:
    async with town(tmp_path, script=script, tokens_per_second=12) as here:
        said, look = await PLATFORMS[platform](here)
        await until(lambda: replies(look) and replies(look)[0].text, 10)
        (half,) = replies(look)
        await here.gateway.kill()
        await here.gateway.start()
        await here.answered(said, look)
        assert replies(look)[0].ts == half.ts, "the reply is finished in the message that was there"
        assert len(replies(look)) == 2


@pytest.mark.parametrize(
    ("platform", "closing"),
    [("lark", "cardkit.v1.card.settings"), ("slack thread", "chat.stopStream"), ("slack dm", "chat.update")],
)
async def test_killed_with_the_final_text_on_its_way(tmp_path: Path, platform: str, closing: str) -> None:
    """The model has said everything: it must not be asked again."""
    async with town(tmp_path, script=script, tokens_per_second=40) as here:
        async with here.held(platform, closing) as hold:
            said, look = await PLATFORMS[platform](here)
            await hold.reached()
            await until(lambda: here.model.calls_made[0].ended_at, 10)
            await here.gateway.kill()
        await here.gateway.start()
        await here.answered(said, look)
        assert len(replies(look)) == 2
        assert [call.question for call in here.model.calls_made] == ["one", "two"]


@pytest.mark.parametrize(
    ("platform", "posting"),
    [("lark", "im.v1.message.reply"), ("slack thread", "chat.startStream"), ("slack dm", "chat.postMessage")],
)
async def test_killed_with_the_first_post_under_way(tmp_path: Path, platform: str, posting: str) -> None:
    """The post takes effect after its sender is dead: it is found, not repeated."""
    async with town(tmp_path, script=script, tokens_per_second=40) as here:
        async with here.held(platform, posting) as hold:
            said, look = await PLATFORMS[platform](here)
            await hold.reached()
            await here.gateway.kill()
        await here.gateway.start()
        await here.answered(said, look, within=45)
        assert len(replies(look)) == 2


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_killed_again_and_again(tmp_path: Path, platform: str) -> None:
    async with town(tmp_path, script=script, tokens_per_second=12) as here:
        said, look = await PLATFORMS[platform](here)
        for death in range(3):
            await until(lambda n=death: len(here.model.calls_made) > n, 20)  # type: ignore[misc]
            await here.gateway.kill()
            await here.gateway.start()
        await here.answered(said, look)
        assert len(replies(look)) == 2


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
