"""Files, names and threads on Slack, from signed webhooks and through the strict stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from channels.port import ChannelPolicy
from channels.slack import SlackChannel
from conversation.messages import InboundMessage
from conversation.outbound import DeliveryRefusedError, DeliveryUnknownError, PartRequest, unsaved
from conversation.providers.port import File
from conversation.source import FileError
from conversation.texts.troubles import Trouble
from gateway.demo.slack import SlackStandin
from tests.channels.slack.conftest import MakeChannel
from tests.channels.slack.test_outbound import Desk, desk_of


@pytest.fixture
async def channel(slack: SlackStandin, make_channel: MakeChannel) -> AsyncIterator[SlackChannel]:
    channel = make_channel(api_base_url=slack.api_base_url)
    yield channel
    await channel.close()


@pytest.fixture
async def desk(slack: SlackStandin, channel: SlackChannel) -> AsyncIterator[Desk]:
    slack.archive.people = {"U1": "Ann", "U2": "Ben <3", "U0BOT": "Helper"}
    slack.archive.channels = {"C7": "plans"}
    async for desk in desk_of(slack, channel):
        yield desk


async def hear(desk: Desk, text: str, **how: object) -> InboundMessage:
    await desk.slack.say(desk.url, **{"channel": "C1", "user": "U1", "text": text, **how})  # type: ignore[arg-type]
    return desk.asked[-1]


async def fetch(desk: Desk, message: InboundMessage, most: int = 1_000) -> bytes:
    (file,) = message.attachments
    return (await desk.channel.source.fetch(message.address, file, most)).data


async def trouble(desk: Desk, message: InboundMessage, most: int = 1_000) -> Trouble:
    with pytest.raises(FileError) as caught:
        await fetch(desk, message, most)
    return caught.value.trouble


async def test_a_file_comes_with_its_message_and_is_fetched_with_the_token(desk: Desk) -> None:
    file = desk.slack.archive.add("notes.txt", b"buy milk")
    message = await hear(desk, "read this", files=[file])
    assert [(one.kind, one.name, one.media_type, one.size) for one in message.attachments] == [
        ("file", "notes.txt", "text/plain", 8)
    ]
    assert await fetch(desk, message) == b"buy milk"
    assert b"buy milk" not in message.attachments[0].ref.encode()


async def test_a_mention_and_its_twin_bring_the_same_file(desk: Desk) -> None:
    await hear(desk, "read this", files=[desk.slack.archive.add("notes.txt", b"x")])
    first, second = desk.asked
    assert first == second


async def test_a_file_without_a_word_is_a_message(desk: Desk) -> None:
    file = desk.slack.archive.add("猫.png", b"\x89PNG\r\n\x1a\n", "image/png")
    message = await hear(desk, "", channel="D1", files=[file])
    assert (message.text, message.locale, message.attachments[0].kind) == ("", "zh", "image")


async def test_a_file_of_a_shared_channel_is_asked_for_first(desk: Desk) -> None:
    file = desk.slack.archive.add("notes.txt", b"buy milk", shared=True)
    message = await hear(desk, "read this", files=[file])
    assert await fetch(desk, message) == b"buy milk"
    assert desk.slack.calls["files.info"] == 1
    (unnamed,) = message.attachments
    assert (await desk.channel.source.fetch(message.address, unnamed, 100)).name == "notes.txt"
    assert await trouble(desk, message, most=3) is Trouble.TOO_LARGE
    file.deleted = True
    assert await trouble(desk, message) is Trouble.GONE


async def test_without_the_scope_a_page_for_signing_in_is_no_file(desk: Desk) -> None:
    message = await hear(desk, "read this", files=[desk.slack.archive.add("notes.txt", b"buy milk")])
    shared = await hear(desk, "and this", files=[desk.slack.archive.add("b.txt", b"x", shared=True)])
    desk.slack.scopes.discard("files:read")
    assert await trouble(desk, message) is Trouble.FORBIDDEN
    assert await trouble(desk, shared) is Trouble.FORBIDDEN


async def test_a_web_page_that_somebody_sent_is_a_file(desk: Desk) -> None:
    file = desk.slack.archive.add("page.html", b"<html>hi</html>", "text/html")
    assert await fetch(desk, await hear(desk, "look", files=[file])) == b"<html>hi</html>"


async def test_a_deleted_and_a_larger_file_are_named_as_such(desk: Desk) -> None:
    file = desk.slack.archive.add("notes.txt", b"buy milk")
    message = await hear(desk, "read this", files=[file])
    assert await trouble(desk, message, most=3) is Trouble.TOO_LARGE
    file.deleted = True
    assert await trouble(desk, message) is Trouble.GONE


async def test_people_and_channels_are_read_by_their_names(desk: Desk) -> None:
    message = await hear(desk, "ask <@U2>, <@U2>, <@U9> and <@U3|zoe> in <#C7> or <#C8|> &lt;now&gt;")
    text = await desk.channel.source.readable(message)
    assert text == "ask @Ben 3, @Ben 3, @someone and @zoe in #plans or #channel <now>"
    assert await desk.channel.source.name_of(message) == "Ann"
    asked = desk.slack.calls["users.info"]
    await desk.channel.source.readable(message)
    assert desk.slack.calls["users.info"] == asked == 3, "U9 is not asked for again either"


async def test_many_questions_about_one_person_are_one_call(desk: Desk) -> None:
    message = await hear(desk, "hello")
    names = await asyncio.gather(*(desk.channel.source.name_of(message) for _ in range(20)))
    assert set(names) == {"Ann"}
    assert desk.slack.calls["users.info"] == 1


async def test_without_the_scope_nobody_is_asked_for_again_and_again(desk: Desk) -> None:
    desk.slack.scopes.discard("users:read")
    message = await hear(desk, "ask <@U2>")
    assert await desk.channel.source.readable(message) == "ask @someone"
    assert await desk.channel.source.name_of(message) == ""
    assert desk.slack.calls["users.info"] == 1


async def test_a_slow_answer_costs_a_name_and_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.people.ASKED_WITHIN", 0.05)
    message = await hear(desk, "ask <@U2>")
    async with desk.slack.hold("users.info"):
        assert await desk.channel.source.readable(message) == "ask @someone"


async def test_a_limit_that_is_reached_costs_names_and_the_limit_is_kept(desk: Desk) -> None:
    desk.slack.fail_next("users.info", error="ratelimited")
    message = await hear(desk, "ask <@U2>")
    assert await desk.channel.source.readable(message) == "ask @someone"
    assert await desk.channel.source.name_of(message) == ""
    assert desk.slack.calls["users.info"] == 1


async def test_a_group_is_where_several_people_talk(
    slack: SlackStandin, make_channel: MakeChannel, desk: Desk
) -> None:
    assert (await hear(desk, "hi")).group
    assert not (await hear(desk, "hi", channel="D1")).group
    async for own in desk_of(slack, make_channel(ChannelPolicy(conversation_per="sender"))):
        assert not (await hear(own, "hi")).group


async def test_a_thread_from_before_the_bot_came(desk: Desk) -> None:
    first = await desk.slack.say(desk.url, channel="C1", user="U1", text="lunch?", mention=False)
    file = desk.slack.archive.add("menu.txt", b"soup")
    await desk.slack.say(
        desk.url, channel="C1", user="U2", text="soup, <@U1>", mention=False, thread_ts=first.ts, files=[file]
    )
    message = await hear(desk, "what do you think?", thread_ts=first.ts)
    earlier = await desk.channel.source.earlier(message, 30)
    assert [(one.name, one.text) for one in earlier] == [
        ("Ann", "lunch?"),
        ("Ben 3", "soup, @Ann [file: menu.txt]"),
    ]
    assert earlier[0].at == pytest.approx(float(first.ts))
    assert [one.text for one in await desk.channel.source.earlier(message, 1)] == [
        "soup, @Ann [file: menu.txt]"
    ]
    assert desk.slack.calls["conversations.replies"] == 2


async def test_after_the_bots_own_answer_only_what_came_later_is_new(desk: Desk) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "an answer")
    await live.close("an answer")
    await desk.slack.say(
        desk.url, channel="C1", user="U2", text="hm", mention=False, thread_ts=part.to.thread
    )
    message = await hear(desk, "and now?", thread_ts=part.to.thread)
    assert [one.text for one in await desk.channel.source.earlier(message, 30)] == ["hm"]


async def test_the_first_message_of_a_thread_and_a_direct_message_have_no_earlier_ones(desk: Desk) -> None:
    assert await desk.channel.source.earlier(await hear(desk, "hi"), 30) == ()
    assert await desk.channel.source.earlier(await hear(desk, "hi", channel="D1"), 30) == ()
    assert desk.slack.calls["conversations.replies"] == 0


async def test_a_thread_that_slack_does_not_give_is_gone_without(desk: Desk) -> None:
    first = await desk.slack.say(desk.url, channel="C1", user="U1", text="lunch?", mention=False)
    message = await hear(desk, "what do you think?", thread_ts=first.ts)
    desk.slack.fail_next("conversations.replies", error="ratelimited", retry_after=60)
    assert await desk.channel.source.earlier(message, 30) == ()
    assert await desk.channel.source.earlier(message, 30) == ()
    assert desk.slack.calls["conversations.replies"] == 1, "one a minute is what some apps have"


async def test_a_name_that_is_known_here_becomes_a_mention_and_no_other_does(desk: Desk) -> None:
    message = await hear(desk, "ask <@U2> or <@U9>")
    await desk.channel.source.readable(message)
    await desk.channel.source.name_of(message)

    async def save(ref: str) -> None:
        desk.refs["p0"] = ref

    part = PartRequest(message.address, "p0", 1, save)
    live = await desk.bot.open(part, "Hello @An")
    answer = "Hello @Ann, ask @Ben 3 (not @Benno, @someone, @channel, ann@Ann.example or `@Ann`)."
    await live.show(answer)
    await live.close(answer)
    shown = desk.answer(part).text
    assert shown.startswith("Hello <@U1>, ask <@U2> (not @Benno, @someone, @")
    assert shown.endswith("ann@Ann.example or `@Ann`).")
    assert shown.count("<@") == 2

    elsewhere = await desk.ask("p1")
    live = await desk.bot.open(elsewhere, "Hello @Ben 3")
    await live.close("Hello @Ben 3")
    assert desk.answer(elsewhere).text == "Hello @Ben 3", (
        "who is not of this conversation is not called into it"
    )


async def test_a_name_that_two_people_have_reaches_neither(desk: Desk) -> None:
    desk.slack.archive.people["U2"] = "Ann"
    message = await hear(desk, "ask <@U2>")
    await desk.channel.source.readable(message)
    await desk.channel.source.name_of(message)
    live = await desk.bot.open(PartRequest(message.address, "p0", 1, unsaved), "@Ann")
    await live.close("@Ann")
    [shown] = [one for one in desk.slack.thread("C1", message.address.thread) if one.author == "bot"]
    assert shown.text == "@Ann"


async def test_a_file_of_an_answer_is_uploaded_and_shown_in_its_thread_once(desk: Desk) -> None:
    part = await desk.ask("p0")
    files = desk.channel.enclosures
    ref = await files.upload(part.to, File("plot.png", "image/png", b"png"))
    assert desk.answers(part) == [], "until it is shared nobody sees it"
    desk.slack.fail_next("files.completeUploadExternal", "drop_after_effect")
    with pytest.raises(DeliveryUnknownError):
        await files.share(part.to, ref, "id", again=False)
    await files.share(part.to, ref, "id", again=True)
    assert [one.text for one in desk.answers(part)] == ["[file: plot.png]"]
    assert desk.slack.archive.files[ref].data == b"png"


async def test_a_share_that_did_not_happen_is_repeated(desk: Desk) -> None:
    part = await desk.ask("p0")
    ref = await desk.channel.enclosures.upload(part.to, File("a.txt", "text/plain", b"a"))
    await desk.channel.enclosures.share(part.to, ref, "id", again=True)
    assert [one.text for one in desk.answers(part)] == ["[file: a.txt]"]


async def test_a_file_beside_an_answer_is_not_taken_for_a_lost_stream(desk: Desk) -> None:
    part = await desk.ask("p0")
    ref = await desk.channel.enclosures.upload(part.to, File("a.txt", "text/plain", b"a"))
    await desk.channel.enclosures.share(part.to, ref, "id", again=False)
    assert await desk.bot.find(part) is None


async def test_without_the_scope_nothing_is_uploaded(desk: Desk) -> None:
    desk.slack.scopes.discard("files:write")
    part = await desk.ask("p0")
    with pytest.raises(DeliveryRefusedError):
        await desk.channel.enclosures.upload(part.to, File("a.txt", "text/plain", b"a"))
