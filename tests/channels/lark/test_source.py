"""Files, names and threads on Lark, from signed webhooks and through the strict stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.lark import LarkChannel
from channels.lark.content import FORWARDED, FORWARDED_NAME
from channels.port import ChannelPolicy
from channels.received import WebhookRequest
from conversation.messages import Attachment, InboundMessage
from conversation.outbound import DeliveryDelayedError, DeliveryRefusedError
from conversation.providers.port import File
from conversation.source import FileError
from conversation.texts.troubles import Trouble
from gateway.demo.lark import LarkStandin
from gateway.demo.lark_files import Resource
from gateway.demo.lark_rules import Json
from tests.channels.lark.conftest import MakeChannel

NOTES = Resource("file", "notes.txt", b"buy milk")
PICTURE = Resource("image", "", b"\x89PNG\r\n\x1a\n")


@dataclass
class Desk:
    """A bot in a tenant, and what it heard."""

    lark: LarkStandin
    channel: LarkChannel
    url: str = ""
    asked: list[InboundMessage] = field(default_factory=list)

    async def send(self, file: Resource) -> InboundMessage:
        await self.lark.send(self.url, chat="oc_1", user="ou_ann", file=file)
        return self.asked[-1]

    async def hear(self, text: str, **how: str) -> InboundMessage:
        await self.lark.say(self.url, chat="oc_g", user="ou_ann", text=text, chat_type="group", **how)  # type: ignore[arg-type]
        return self.asked[-1]

    async def fetch(self, message: InboundMessage, number: int = 0, most: int = 1_000) -> bytes:
        file = message.attachments[number]
        return (await self.channel.source.fetch(message.address, file, most)).data

    async def trouble(self, message: InboundMessage, most: int = 1_000) -> Trouble:
        with pytest.raises(FileError) as caught:
            await self.fetch(message, most=most)
        return caught.value.trouble


@pytest.fixture
async def desk(platform: LarkStandin, make_channel: MakeChannel) -> AsyncIterator[Desk]:
    platform.archive.people = {"ou_ann": "Ann", "ou_ben": "Ben"}
    desk = Desk(platform, make_channel(ChannelPolicy(respond_to="all"), api_base_url=platform.api_base_url))

    async def webhook(request: web.Request) -> web.Response:
        received = desk.channel.receive(
            WebhookRequest(request.headers, await request.read(), platform.clock())
        )
        if isinstance(received, InboundMessage):
            desk.asked.append(received)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", webhook)
    async with TestServer(app) as server:
        desk.url = str(server.make_url("/"))
        yield desk


async def test_a_file_and_an_image_are_fetched_with_their_message(desk: Desk) -> None:
    file = await desk.send(NOTES)
    assert (file.text, [one.name for one in file.attachments]) == ("", ["notes.txt"])
    assert await desk.fetch(file) == NOTES.data
    picture = await desk.send(PICTURE)
    assert [one.kind for one in picture.attachments] == ["image"]
    assert await desk.fetch(picture) == PICTURE.data


async def test_pictures_in_a_post_are_fetched_each_by_its_own_key(desk: Desk) -> None:
    await desk.lark.say_with_pictures(
        desk.url, chat="oc_g", user="ou_ann", text="which?", pictures=[b"one", b"two"], chat_type="group"
    )
    (message,) = desk.asked
    assert message.text == "which?\n[image]\n[image]"
    assert [await desk.fetch(message, number) for number in (0, 1)] == [b"one", b"two"]


async def test_a_name_in_chinese_tells_the_language(desk: Desk) -> None:
    assert (await desk.send(Resource("file", "周报.txt", b"x"))).locale == "zh"


async def test_what_the_platform_does_not_give_out_is_named_as_such(desk: Desk) -> None:
    message = await desk.send(NOTES)
    assert await desk.trouble(message, most=3) is Trouble.TOO_LARGE
    assert (
        await desk.trouble(await desk.send(Resource("file", "a", b"x", kept_back=True))) is Trouble.FORBIDDEN
    )
    desk.lark.scopes["im:message:readonly"] = 2
    assert await desk.trouble(message) is Trouble.FORBIDDEN
    desk.lark.scopes["im:message:readonly"] = 1
    desk.lark._messages[message.address.message].shown.deleted = True
    assert await desk.trouble(message) is Trouble.GONE


@pytest.mark.parametrize("status", [500, 502])
async def test_a_platform_that_fails_is_a_download_that_failed(desk: Desk, status: int) -> None:
    message = await desk.send(NOTES)
    desk.lark.fail_next("im.v1.message_resource.get", status=status)
    assert await desk.trouble(message) is Trouble.UNREACHABLE
    assert await desk.fetch(message) == NOTES.data


async def test_a_token_that_ended_is_renewed_for_a_download(desk: Desk) -> None:
    message = await desk.send(NOTES)
    assert await desk.fetch(message) == NOTES.data
    desk.lark.expire_tokens()
    assert await desk.fetch(message) == NOTES.data


def child(number: int, user: str, text: str) -> Json:
    return {
        "message_id": f"om_child{number}",
        "msg_type": "text",
        "create_time": str(1_800_000_000_000 + number * 60_000),
        "upper_message_id": "om_parent",
        "sender": {"id": user, "id_type": "open_id", "sender_type": "user"},
        "body": {"content": f'{{"text": "{text}"}}'},
    }


async def test_forwarded_messages_are_read_with_who_said_what(desk: Desk) -> None:
    said = await desk.lark.say(desk.url, chat="oc_1", user="ou_ann", text="x")
    desk.lark.archive.children[said.ts] = [child(0, "ou_ben", "lunch?"), child(1, "ou_else", "soup")]
    message = desk.asked[-1]
    file = Attachment("file", FORWARDED_NAME, ref=FORWARDED)
    forwarded = await desk.channel.source.fetch(message.address, file, 1_000)
    assert forwarded.data.decode().splitlines() == [
        "Ben (2027-01-15 08:00 UTC): lunch?",
        "Somebody (2027-01-15 08:01 UTC): soup",
    ]


async def test_who_writes_is_known_by_name(desk: Desk) -> None:
    message = await desk.hear("hello")
    assert message.group is False, "in a group each person has a conversation of one's own"
    assert await desk.channel.source.name_of(message) == "Ann"
    assert await desk.channel.source.name_of(message) == "Ann"
    assert desk.lark.calls["contact.v3.user.get"] == 1


async def test_without_the_scope_there_are_no_names_and_one_question(desk: Desk) -> None:
    desk.lark.scopes["contact:user.base:readonly"] = 2
    message = await desk.hear("hello")
    assert await desk.channel.source.name_of(message) == ""
    assert await desk.channel.source.name_of(message) == ""
    assert desk.lark.calls["contact.v3.user.get"] == 1


async def test_a_thread_is_a_group_and_what_was_said_in_it_before_is_known(desk: Desk) -> None:
    await desk.hear("lunch?", thread_id="omt_1")
    await desk.lark.say(
        desk.url,
        chat="oc_g",
        user="ou_ben",
        text="soup",
        chat_type="group",
        thread_id="omt_1",
        message_type="post",
    )
    message = await desk.hear("what do you think?", thread_id="omt_1")
    assert message.group
    earlier = await desk.channel.source.earlier(message, 30)
    assert [(one.name, one.text) for one in earlier] == [("Ann", "lunch?"), ("Ben", "soup")]
    assert [one.text for one in await desk.channel.source.earlier(message, 1)] == ["soup"]


async def test_outside_of_a_thread_and_without_the_scope_nothing_was_said_before(desk: Desk) -> None:
    assert await desk.channel.source.earlier(await desk.hear("hi"), 30) == ()
    desk.lark.scopes["im:message:readonly"] = 2
    message = await desk.hear("hi", thread_id="omt_1")
    assert await desk.channel.source.earlier(message, 30) == ()
    assert await desk.channel.source.earlier(message, 30) == ()
    assert desk.lark.calls["im.v1.message.list"] == 1, "a refusal holds for a while"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (File("plot.png", "image/png", b"png"), "[image: image_up_0]"),
        (File("a.txt", "text/plain", b"a"), "[file: file_up_0]"),
    ],
)
async def test_a_file_of_an_answer_is_uploaded_and_sent_once(desk: Desk, file: File, text: str) -> None:
    message = await desk.hear("draw")
    files = desk.channel.enclosures
    ref = await files.upload(message.address, file)
    desk.lark.fail_next("im.v1.message.reply", "drop_after_effect")
    with pytest.raises(DeliveryDelayedError):
        await files.share(message.address, ref, "an-id", again=False)
    await files.share(message.address, ref, "an-id", again=True)
    assert [one.text for one in desk.lark.chat("oc_g") if one.author == "bot"] == [text]
    assert desk.lark.duplicate_sends == 1


async def test_an_empty_file_and_one_that_is_too_large_are_not_uploaded(desk: Desk) -> None:
    message = await desk.hear("draw")
    for data in (b"", b"x" * ((30 << 20) + 1)):
        with pytest.raises(DeliveryRefusedError):
            await desk.channel.enclosures.upload(message.address, File("a", "", data))
    assert desk.lark.archive.uploaded == {}
