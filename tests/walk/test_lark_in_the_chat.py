"""All that people do on Lark besides writing a text, through the real gateway: signed and encrypted webhooks, and
what is seen on the platform.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from conversation.texts import hint, notice
from conversation.texts.hints import Hint
from conversation.turn import Reason
from gateway.demo import lark_doings
from gateway.demo.model import Message, Reply
from gateway.demo.people import Delivery
from gateway.demo.standin import Shown
from tests.town import Town, town
from tests.waiting import until

ALICE = "ou_oc_1"
LONG = "word by word it grows, and it goes on for quite a while. " * 20


def script(messages: list[Message]) -> Reply:
    asked = messages[-1].content
    return Reply(LONG if asked.startswith("long") else f"fine: {asked}")


def replies(here: Town, chat: str = "oc_1") -> list[Shown]:
    return [one for one in here.lark.chat(chat) if one.author == "bot"]


def texts(here: Town, chat: str = "oc_1") -> list[str]:
    return [one.text for one in replies(here, chat) if not one.streaming]


async def says(here: Town, count: int, chat: str = "oc_1") -> list[str]:
    await until(lambda: len(texts(here, chat)) == count, 15, lambda: texts(here, chat))
    return texts(here, chat)


async def press(here: Town, shown: Shown, button: str, *, user: str = ALICE) -> str:
    return await lark_doings.press(here.lark, here.gateway.lark_webhook, shown.ts, button, user=user)


async def test_the_stop_button_of_a_growing_card_ends_the_answer(tmp_path: Path) -> None:
    async with town(tmp_path, script=script, tokens_per_second=15) as here:
        assert (await here.lark_dm("long")).accepted
        await until(lambda: any("word" in one.text for one in replies(here)), 15)
        (growing,) = replies(here)
        assert lark_doings.buttons(here.lark, growing.ts) == {"stop": "Stop"}
        assert await press(here, growing, "stop") == hint(Hint.STOPPED, "en")
        (stopped,) = await says(here, 1)
        assert notice(Reason.CANCELLED, "en", "").partition(" (ref")[0] in stopped
        with pytest.raises(lark_doings.NoSuchButtonError):
            await press(here, growing, "stop")


async def test_an_answer_is_judged_under_it_and_strangers_are_told_no(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        assert (await here.lark_dm("你好")).accepted
        await says(here, 1)
        (answer,) = replies(here)
        assert await press(here, answer, "good") == hint(Hint.THANKS, "zh")
        assert await press(here, answer, "bad") == hint(Hint.THANKS, "zh")
        assert await press(here, answer, "good", user="ou_stranger") == hint(Hint.NOT_YOURS, "zh")


async def test_a_failed_answer_is_asked_for_again_with_one_click(tmp_path: Path) -> None:
    broken = True

    def once(messages: list[Message]) -> Reply:
        return Reply("", fault="empty") if broken else Reply("now it works")

    async with town(tmp_path, script=once) as here:
        assert (await here.lark_dm("why?")).accepted
        await says(here, 1)
        (failed,) = replies(here)
        assert set(lark_doings.buttons(here.lark, failed.ts)) == {"retry"}
        broken = False
        assert await press(here, failed, "retry") == ""
        await until(lambda: "now it works" in texts(here), 15, lambda: texts(here))
        await until(lambda: hint(Hint.ASKED_AGAIN, "en") in texts(here)[0], 15, lambda: texts(here))
        assert lark_doings.buttons(here.lark, failed.ts) == {}


async def test_a_message_has_the_mark_until_it_is_answered_also_across_a_crash(tmp_path: Path) -> None:
    async with town(tmp_path, script=script, tokens_per_second=60) as here:
        said = await here.lark_dm("long")
        question = next(one for one in here.lark.chat("oc_1") if one.ts == said.ts)
        await until(lambda: question.reactions == ["Typing"], 15, lambda: question.reactions)
        await here.gateway.kill()
        await here.gateway.start()
        await says(here, 1)
        await until(lambda: question.reactions == [], 15, lambda: question.reactions)


KINDS: dict[str, tuple[dict[str, object] | str, str]] = {
    "audio": ({"file_key": "f1", "duration": 2000}, "a voice message"),
    "media": ({"file_key": "f1", "image_key": "i1", "duration": 1}, "a video"),
    "sticker": ({"file_key": "f1"}, "a sticker"),
    "share_chat": ({"chat_id": "oc_x"}, "a group card"),
    "share_user": ({"user_id": "ou_x"}, "a contact card"),
    "folder": ({"file_key": "f1", "file_name": "Contracts"}, "Contracts"),
    "hologram": ({}, "this kind of message"),
}


async def test_what_cannot_be_read_is_declined_by_its_name(tmp_path: Path) -> None:
    async with town(tmp_path, script=script, settings={"bots": {"locale": "en"}}) as here:
        for number, (kind, (content, name)) in enumerate(KINDS.items(), 1):
            said = await lark_doings.send(
                here.lark,
                here.gateway.lark_webhook,
                chat="oc_1",
                user=ALICE,
                message_type=kind,
                content=content,
            )
            assert said.deliveries[0].admission == "refused; reason=unsupported"
            assert name in (await says(here, number))[-1]
        assert here.model.calls_made == []


async def test_what_can_be_told_in_words_is_answered(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        said = await lark_doings.send(
            here.lark,
            here.gateway.lark_webhook,
            chat="oc_1",
            user=ALICE,
            message_type="location",
            content={"name": "People's Square", "longitude": "121.47", "latitude": "31.23"},
        )
        assert said.accepted
        assert "People's Square (31.23, 121.47)" in (await says(here, 1))[0]


async def test_who_opens_the_chat_is_greeted_once_and_so_is_a_group(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        hook = here.gateway.lark_webhook
        first = await lark_doings.enter(here.lark, hook, chat="oc_new", user="ou_new")
        again = await lark_doings.enter(here.lark, hook, chat="oc_new", user="ou_new")
        assert (first.admission, again.admission) == ("accepted", "ignored; reason=known_person")
        assert await says(here, 1, "oc_new") == [hint(Hint.WELCOME, "zh")]
        added = await lark_doings.add_bot(here.lark, hook, chat="oc_group", user="ou_new")
        assert added.admission == "accepted"
        assert await says(here, 1, "oc_group") == [hint(Hint.WELCOME_GROUP, "zh")]
        await here.lark.settle()
        assert len(replies(here, "oc_new")) == len(replies(here, "oc_group")) == 1


async def test_the_menu_speaks_in_the_direct_message_also_after_a_restart(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:

        async def choose(key: str) -> Delivery:
            return await lark_doings.choose(here.lark, here.gateway.lark_webhook, key, user=ALICE)

        assert (await here.lark_dm("remember me")).accepted
        await says(here, 1)
        await here.gateway.kill()
        await here.gateway.start()
        assert (await choose("/new")).admission == "accepted"
        assert (await says(here, 2))[-1] == hint(Hint.FORGOTTEN, "zh")
        assert (await choose("help")).admission == "accepted"
        assert (await says(here, 3))[-1] == hint(Hint.HELP, "zh")
        assert (await choose("stop")).admission == "ignored; reason=nothing_to_stop"
        assert (await choose("send_report")).admission == "ignored; reason=unknown_menu_key"
        assert (await here.lark_dm("who am I?")).accepted
        await says(here, 4)
        assert len(here.model.calls_made[-1].messages) <= 2, "what was said before is forgotten"


async def test_a_reaction_is_no_message(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        await here.lark_dm("hello")
        await says(here, 1)
        (answer,) = replies(here)
        seen = await lark_doings.react(here.lark, here.gateway.lark_webhook, answer, "THUMBSUP", user=ALICE)
        assert seen.admission == "ignored; reason=reaction"


@pytest.mark.parametrize("code", [230022, 230028])
async def test_an_answer_that_the_platform_censors_is_replaced_by_a_sentence(
    tmp_path: Path, code: int
) -> None:
    async with town(tmp_path, script=script, settings={"bots": {"stream": False}}) as here:
        here.lark.fail_next("im.v1.message.reply", error=code)
        assert (await here.lark_dm("something delicate")).accepted
        (said,) = await says(here, 1)
        assert notice(Reason.DELIVERY_FAILED, "en", "").partition(" (ref")[0] in said
        assert f"(code {code})" in (tmp_path / "gateway.log").read_text()


async def test_a_question_that_is_gone_when_its_answer_comes_is_no_failure(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        here.lark.fail_next("im.v1.message.reply", error=230011)
        assert (await here.lark_dm("never mind")).accepted
        assert (await here.lark_dm("and this?")).accepted
        await until(lambda: "fine: and this?" in texts(here), 20, lambda: texts(here))
        assert len(replies(here)) == 1
        assert "delivery refused" not in (tmp_path / "gateway.log").read_text()


async def test_who_cannot_be_reached_is_told_nothing_and_the_next_one_is_answered(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        here.lark.fail_next("im.v1.message.reply", error=230013, times=2)
        assert (await here.lark_dm("are you there?")).accepted
        await until(lambda: "(code 230013)" in (tmp_path / "gateway.log").read_text(), 15)
        assert (await here.lark_dm("and now?")).accepted
        await until(lambda: "fine: and now?" in texts(here), 15, lambda: texts(here))
        assert len(replies(here)) == 1
        assert "delivery refused" in (tmp_path / "gateway.log").read_text()
