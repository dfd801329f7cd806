"""Files, images, names and threads: from signed webhooks to what the model reads and a person sees."""

from __future__ import annotations

import base64
from pathlib import Path

from gateway.demo.lark_files import Resource
from gateway.demo.model import Message, Reply
from tests.conversation.files.papers import PNG, pdf
from tests.town import Town, town
from tests.waiting import until

PICTURE = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def script(messages: list[Message]) -> Reply:
    return Reply("Soup, @Ann says.")


def asked(here: Town) -> Message:
    return here.model.calls_made[-1].messages[-1]


async def test_slack_what_people_send_reaches_the_model(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        archive = here.slack.archive
        archive.people = {"U1": "Ann", "U2": "Ben"}
        archive.channels = {"C7": "plans"}
        url = here.gateway.slack_webhook
        first = await here.slack.say(url, channel="C1", user="U1", text="lunch?", mention=False)
        files = [
            archive.add("menu.txt", b"soup of the day"),
            archive.add("bill.pdf", pdf("Total 42"), "application/pdf"),
            archive.add("plate.png", PNG, "image/png"),
            archive.add("song.mp3", b"ID3", "audio/mpeg"),
            archive.add("shared.csv", b"a,b", "text/csv", shared=True),
        ]
        said = await here.slack.say(
            url, channel="C1", user="U2", text="and <@U1> in <#C7>?", thread_ts=first.ts, files=files
        )

        def answer() -> list[str]:
            return [one.text for one in here.slack.thread("C1", first.ts) if one.author == "bot"]

        shown = "📎 I can't read files like `song.mp3`.\n\nSoup, <@U1> says."
        await until(lambda: answer() == [shown], 30, answer)
        question = asked(here)
        assert question.written.startswith("<earlier_in_this_thread>\nAnn (")
        assert ": lunch?\n</earlier_in_this_thread>\n\nBen (" in question.written
        assert "): and @Ann in #plans?\n\n" in question.written
        assert '<file name="menu.txt" type="text/plain">\nsoup of the day\n</file>' in question.written
        assert '<file name="bill.pdf" type="application/pdf">\nTotal 42\n</file>' in question.written
        assert '<file name="shared.csv" type="text/plain">\na,b\n</file>' in question.written
        assert '<file name="song.mp3" unread=' in question.written
        assert question.images == (PICTURE,)
        await here.slack.say(url, channel="C1", user="U2", text="sure?", thread_ts=said.thread)
        await until(lambda: len(answer()) == 2, 30, answer)
        assert asked(here).written.endswith("): sure?")
        history = here.model.calls_made[-1].messages[-3]
        assert history.images == ()
        assert history.written == question.written, "byte for byte, so that a cache holds"
        assert "Soup, @Ann says." in here.model.calls_made[-1].messages[-2].content, "no id reaches the model"
        assert here.slack.complaints == []


async def test_lark_what_people_send_reaches_the_model(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        here.lark.archive.people = {"ou_1": "Ann", "ou_2": "Ben"}
        url = here.gateway.lark_webhook

        async def sent(file: Resource, count: int) -> Message:
            await here.lark.send(url, chat="oc_1", user="ou_1", file=file)
            await until(lambda: len(here.model.calls_made) == count, 30, lambda: here.model.calls_made)
            return asked(here)

        text = await sent(Resource("file", "菜单.txt", "今日例汤".encode("gb18030")), 1)
        assert text.written == '<file name="菜单.txt" type="text/plain">\n今日例汤\n</file>'
        assert (await sent(Resource("image", "", PNG), 2)).images == (PICTURE,)
        await sent(Resource("file", "周报.docx", b"PK"), 3)

        def shown() -> list[str]:
            return [one.text for one in here.lark.chat("oc_1") if one.author == "bot"]

        await until(
            lambda: any(one.startswith("📎 我无法读取此类文件：`周报.docx`") for one in shown()), 30, shown
        )
        await here.lark.say(
            url, chat="oc_g", user="ou_2", text="lunch?", chat_type="group", thread_id="omt_1", mention=False
        )
        await here.lark.say(url, chat="oc_g", user="ou_1", text="well?", chat_type="group", thread_id="omt_1")
        await until(lambda: len(here.model.calls_made) == 4, 30, lambda: here.model.calls_made)
        assert asked(here).written.startswith("<earlier_in_this_thread>\nBen (")
        assert asked(here).written.endswith("): well?")

        def group() -> list[str]:
            return [one.text for one in here.lark.chat("oc_g") if one.author == "bot"]

        await until(lambda: group() == ["Soup, <at id=ou_1></at> says."], 30, group)
        assert here.lark.complaints == []
