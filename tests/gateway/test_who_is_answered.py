"""``allow``, ``external_users``, ``respond_to``, ``conversation_per``: each on both platforms, from signed webhooks.

What is judged is what people see, and to which conversations it belongs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from gateway.demo.lark import LarkStandin
from gateway.demo.slack import SlackStandin
from tests.gateway.running import Running, running
from tests.waiting import until

SECRET, TOKEN, KEY = "made-up-signing-secret", "xoxb-made-up", "made-up-encrypt-key"
LARK = {
    "app_id": "cli_a",
    "app_secret": "made-up-secret",
    "encrypt_key": KEY,
    "verification_token": "made-up",
}

Platform = Literal["slack", "lark"]
GROUP, DIRECT = "C1", "D1"


@dataclass
class Place:
    """One bot on one platform, and its people: U1 and U2, in a group and in direct messages."""

    platform: Platform
    standin: SlackStandin | LarkStandin
    here: Running

    async def say(
        self, text: str, *, user: str = "U1", chat: str = GROUP, mention: bool = True, home: str | None = None
    ) -> set[str]:
        """How its deliveries were answered. ``home``: the person's workspace or tenant, if another than the bot's."""
        url = f"{self.here.url}/webhooks/{self.platform}/bot"
        if isinstance(self.standin, SlackStandin):
            said = await self.standin.say(
                url, channel=chat, user=user, text=text, mention=mention, user_team=home
            )
        else:
            said = await self.standin.say(
                url,
                chat=chat,
                user=user,
                text=text,
                mention=mention,
                user_tenant=home,
                chat_type="p2p" if chat.startswith("D") else "group",
            )
        return set(said.admissions) - {"duplicate"}

    def shown(self, chat: str = GROUP) -> list[str]:
        found = (
            self.standin.rooms[chat].messages.values()
            if isinstance(self.standin, SlackStandin)
            else self.standin.chat(chat)
        )
        return [one.text for one in found if one.author == "bot"]

    async def sees(self, *beginnings: str, chat: str = GROUP) -> None:
        """Wait until the bot's messages begin so."""

        def right() -> bool:
            shown = self.shown(chat)
            same = len(shown) == len(beginnings)
            return same and all(text.startswith(begun) for text, begun in zip(shown, beginnings, strict=True))

        await until(right, 10, lambda: self.shown(chat))
        await until(lambda: self.here.gateway.directory.running == 0, 10)

    @property
    def conversations(self) -> int:
        return len({event.key for event in self.here.store.turns.happened})


@asynccontextmanager
async def place(platform: Platform, folder: Path, **options: Any) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        standin: SlackStandin | LarkStandin
        if platform == "slack":
            standin = await stack.enter_async_context(
                SlackStandin(signing_secret=SECRET, bot_token=TOKEN, redeliver=False, latency=0)
            )
            standin.add_channel(GROUP)
            standin.add_channel(DIRECT, "im")
            credentials = {"signing_secret": SECRET, "bot_token": TOKEN}
        else:
            standin = await stack.enter_async_context(
                LarkStandin(
                    app_id=LARK["app_id"],
                    app_secret=LARK["app_secret"],
                    encrypt_key=KEY,
                    verification_token=LARK["verification_token"],
                    redeliver=False,
                    latency=0,
                )
            )
            standin.add_chat(GROUP, "group")
            standin.add_chat(DIRECT)
            credentials = LARK
        bot = {
            "id": "bot",
            "channel": platform,
            "credentials": credentials,
            "api_base_url": standin.api_base_url,
            **options,
        }
        here = await stack.enter_async_context(running(folder, bot))
        yield Place(platform, standin, here)
        assert standin.complaints == []


BOTH = pytest.mark.parametrize("platform", ["slack", "lark"])


@BOTH
async def test_only_listed_people_are_answered_and_others_are_told_so(
    platform: Platform, tmp_path: Path
) -> None:
    async with place(platform, tmp_path, allow={"users": ["U1"]}) as here:
        assert await here.say("hello", user="U2") == {"refused; reason=not_allowed"}
        await here.sees("⚠️ I am not allowed to talk with you here")
        assert await here.say("hello", user="U1") == {"accepted"}
        await here.sees("⚠️ I am not allowed to talk with you here", "hello")


@BOTH
async def test_only_listed_chats_are_answered(platform: Platform, tmp_path: Path) -> None:
    async with place(platform, tmp_path, allow={"chats": [DIRECT]}) as here:
        assert await here.say("hello") == {"refused; reason=not_allowed"}
        assert await here.say("hello", chat=DIRECT) == {"accepted"}
        await here.sees("hello", chat=DIRECT)


@BOTH
async def test_people_of_elsewhere_are_answered_only_where_that_is_wanted(
    platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "deny").mkdir()
    (tmp_path / "allow").mkdir()
    async with place(platform, tmp_path / "deny") as here:
        assert await here.say("hello", home="T0ELSEWHERE") == {"refused; reason=not_allowed"}
        await here.sees("⚠️ I am not allowed to talk with you here")
    async with place(platform, tmp_path / "allow", external_users="allow") as here:
        assert await here.say("hello", home="T0ELSEWHERE") == {"accepted"}
        await here.sees("hello")


@BOTH
async def test_in_a_group_it_answers_who_mentions_it_or_everybody(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "mentions").mkdir()
    (tmp_path / "all").mkdir()
    async with place(platform, tmp_path / "mentions") as here:
        assert await here.say("not to you", mention=False) == {"ignored; reason=not_mentioned"}
        assert await here.say("to you") == {"accepted"}
        await here.sees("to you")
    async with place(platform, tmp_path / "all", respond_to="all") as here:
        assert await here.say("to anybody", mention=False) == {"accepted"}
        await here.sees("to anybody")


@BOTH
@pytest.mark.parametrize(
    ("per", "conversations"),
    [
        # Three messages at the top level of a group: of U1, of U1 again, and of U2.
        ("auto", {"slack": 3, "lark": 2}),
        ("thread", {"slack": 3, "lark": 3}),
        ("sender", {"slack": 2, "lark": 2}),
        ("chat", {"slack": 1, "lark": 1}),
    ],
)
async def test_what_makes_one_conversation(
    platform: Platform, per: str, conversations: dict[Platform, int], tmp_path: Path
) -> None:
    async with place(platform, tmp_path, conversation_per=per) as here:
        for number, user in enumerate(("U1", "U1", "U2"), 1):
            assert await here.say(f"message {number}", user=user) == {"accepted"}
            await here.sees(*(f"message {one}" for one in range(1, number + 1)))
        assert here.conversations == conversations[platform]
