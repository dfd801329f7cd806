"""The Lark stand-in keeps Lark's rules; what it signs and encrypts, Lark's own SDK accepts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.demo.lark import LarkStandin
from gateway.demo.lark_events import encrypt
from gateway.demo.people import Said
from tests.demo.webhook import Got, webhook

NOWHERE = "http://127.0.0.1:9/"


class Now:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


class Client:
    """Calls the API with a tenant token; an answer is (code, data)."""

    def __init__(self, lark: LarkStandin, session: aiohttp.ClientSession) -> None:
        self._lark = lark
        self._session = session
        self.token = ""
        self.sequence = 0

    async def call(self, verb: str, path: str, **body: object) -> tuple[int, Any]:
        url = f"{self._lark.api_base_url}/open-apis/{path}"
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self._session.request(verb, url, json=body, headers=headers) as answer:
            decoded = await answer.json()
        return decoded["code"], decoded.get("data", decoded)

    async def sign_in(self) -> None:
        _, answer = await self.call(
            "POST", "auth/v3/tenant_access_token/internal", app_id="cli_1", app_secret="secret"
        )
        self.token = answer["tenant_access_token"]

    async def make_card(self, card: dict[str, Any] | None = None) -> tuple[int, Any]:
        data = json.dumps(streaming_card() if card is None else card)
        return await self.call("POST", "cardkit/v1/cards", type="card_json", data=data)

    async def send_card(self, said: Said, card_id: str, **more: object) -> tuple[int, Any]:
        content = json.dumps({"type": "card", "data": {"card_id": card_id}})
        return await self.call(
            "POST", f"im/v1/messages/{said.ts}/reply", msg_type="interactive", content=content, **more
        )

    async def write(self, card_id: str, text: str, sequence: int | None = None, **more: object) -> int:
        self.sequence = self.sequence + 1 if sequence is None else sequence
        path = f"cardkit/v1/cards/{card_id}/elements/answer/content"
        code, _ = await self.call("PUT", path, content=text, sequence=self.sequence, **more)
        return code

    async def set_streaming(self, card_id: str, *, on: bool) -> int:
        self.sequence += 1
        settings = json.dumps({"config": {"streaming_mode": on, "summary": {"content": "done"}}})
        path = f"cardkit/v1/cards/{card_id}/settings"
        code, _ = await self.call("PATCH", path, settings=settings, sequence=self.sequence)
        return code


def streaming_card(text: str = "…") -> dict[str, Any]:
    return {
        "schema": "2.0",
        "config": {"streaming_mode": True, "summary": {"content": ""}},
        "body": {"elements": [{"tag": "markdown", "element_id": "answer", "content": text}]},
    }


Setting = tuple[LarkStandin, Client, Now]


@asynccontextmanager
async def tenant(**options: Any) -> AsyncIterator[Setting]:
    now = Now()
    settings: dict[str, Any] = {
        "encrypt_key": "key",
        "redeliver": False,
        "retry_delays": (),
        "latency": 0.002,
    } | options
    async with (
        LarkStandin(
            app_id="cli_1", app_secret="secret", verification_token="v", clock=now, **settings
        ) as lark,
        aiohttp.ClientSession() as session,
    ):
        client = Client(lark, session)
        await client.sign_in()
        yield lark, client, now


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    async with tenant() as everything:
        yield everything


async def start(lark: LarkStandin, client: Client) -> tuple[Said, str]:
    said = await lark.say(NOWHERE, chat="oc_1", user="ou_1", text="hi")
    _, card = await client.make_card()
    code, _ = await client.send_card(said, card["card_id"], uuid="part-1")
    assert code == 0
    return said, card["card_id"]


async def test_a_card_grows_and_is_closed(setting: Setting) -> None:
    lark, client, _ = setting
    said, card = await start(lark, client)
    assert lark.open_cards()
    assert await client.write(card, "hello") == 0
    assert await client.write(card, "hello world") == 0
    assert await client.set_streaming(card, on=False) == 0
    person, bot = lark.chat("oc_1")
    assert (person.author, person.text) == ("person", "hi")
    assert (bot.text, bot.streaming, bot.reply_to) == ("hello world", False, said.ts)
    assert [text for _, text in bot.history] == ["…", "hello", "hello world"]
    assert lark.open_cards() == []
    assert lark.complaints == []


async def test_sequences_rise_over_all_operations_of_a_card(setting: Setting) -> None:
    lark, client, _ = setting
    _, card = await start(lark, client)
    assert await client.write(card, "a", sequence=1000) == 0
    assert await client.write(card, "b", sequence=1000) == 300317
    assert await client.write(card, "b", sequence=999) == 300317
    assert await client.set_streaming(card, on=False) == 300317
    assert await client.write(card, "b", sequence=1001, uuid="u") == 0
    assert await client.write(card, "b", sequence=1002, uuid="u") == 200770
    assert await client.write(card, "b", sequence=0) == 10002


async def test_streaming_ends_after_ten_minutes_and_can_be_switched_on_again(setting: Setting) -> None:
    lark, client, now = setting
    _, card = await start(lark, client)
    now.at += 600
    assert lark.open_cards() == []
    assert [await client.write(card, "late") for _ in range(3)] == [200850, 300309, 300309]
    assert await client.set_streaming(card, on=True) == 0
    assert await client.write(card, "on time") == 0


async def test_a_card_that_is_closed_takes_no_more_text(setting: Setting) -> None:
    lark, client, _ = setting
    _, card = await start(lark, client)
    await client.set_streaming(card, on=False)
    assert await client.write(card, "more") == 300309


async def test_a_send_with_the_same_uuid_happens_once_an_hour(setting: Setting) -> None:
    lark, client, now = setting
    said = await lark.say(NOWHERE, chat="oc_1", user="ou_1", text="hi")
    path = f"im/v1/messages/{said.ts}/reply"
    body = {"msg_type": "text", "content": '{"text": "hello"}', "uuid": "u" * 50}
    first = await client.call("POST", path, **body)
    assert await client.call("POST", path, **body) == first
    assert lark.duplicate_sends == 1
    now.at += 3600
    await client.sign_in()
    await client.call("POST", path, **body)
    assert [shown.text for shown in lark.chat("oc_1")] == ["hi", "hello", "hello"]
    assert (await client.call("POST", path, **body | {"uuid": "u" * 51}))[0] == 230001


async def test_a_card_entity_is_sent_once(setting: Setting) -> None:
    lark, client, _ = setting
    said, card = await start(lark, client)
    assert (await client.send_card(said, card, uuid="part-2"))[0] == 230099
    assert len(lark.complaints) == 1


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({**streaming_card(), "schema": "1.0"}, 300303),
        ({**streaming_card(), "elements": []}, 10002),
        ({**streaming_card(), "config": {"streaming": True}}, 10002),
        ({**streaming_card(), "config": {"update_multi": False}}, 300302),
        ({**streaming_card(), "body": {"elements": [{"tag": "hr", "element_id": "1st"}]}}, 300301),
        ({**streaming_card(), "body": {"elements": [{"tag": "hr"}] * 201}}, 300305),
        ({**streaming_card(), "body": {"elements": [{"tag": "note", "elements": []}]}}, 10002),
        (streaming_card("字" * 10_500), 200860),
        (streaming_card("|a|b|\n|-|-|\n|1|2|\n\n" * 6), 230099),
    ],
)
async def test_cards_that_lark_refuses(setting: Setting, card: dict[str, Any], code: int) -> None:
    lark, client, _ = setting
    assert (await client.make_card(card))[0] == code
    assert len(lark.complaints) == 1


async def test_five_tables_are_shown_and_fenced_ones_do_not_count(setting: Setting) -> None:
    _, client, _ = setting
    table = "|a|b|\n|:-:|---|\n|1|2|\n\n"
    fenced = f"```\n{table}```\n"
    assert (await client.make_card(streaming_card(table * 5 + fenced)))[0] == 0


async def test_a_sixth_table_that_streams_in_is_refused_and_not_shown(setting: Setting) -> None:
    lark, client, _ = setting
    _, card = await start(lark, client)
    assert await client.write(card, "|a|b|\n|-|-|\n\n" * 6) == 230099
    assert lark.chat("oc_1")[-1].text == "…"
    assert await client.write(card, "") == 10002


async def test_a_card_grows_no_further_than_thirty_kilobytes(setting: Setting) -> None:
    lark, client, _ = setting
    _, card = await start(lark, client)
    assert await client.write(card, "字" * 10_500) == 200860
    assert lark.chat("oc_1")[-1].text == "…"
    assert await client.write(card, "字" * 9_500) == 0
    assert await client.write(card, "x" * 100_001) == 10002


async def test_a_card_can_be_changed_for_fourteen_days(setting: Setting) -> None:
    lark, client, now = setting
    _, card = await start(lark, client)
    now.at += 14 * 24 * 3600
    await client.sign_in()
    assert await client.write(card, "text") == 200750
    assert lark.complaints == []


async def test_two_writes_at_once_to_one_card_are_complained_about(setting: Setting) -> None:
    lark, client, _ = setting
    _, card = await start(lark, client)
    await asyncio.gather(client.write(card, "a"), client.write(card, "b"))
    assert any("in flight" in complaint for complaint in lark.complaints)


async def test_a_card_takes_ten_operations_a_second(setting: Setting) -> None:
    lark, client, now = setting
    _, card = await start(lark, client)
    codes = [await client.write(card, f"text {n}") for n in range(11)]
    assert codes == [0] * 10 + [99991400]
    now.at += 1
    assert await client.write(card, "text") == 0
    assert lark.complaints == []


async def test_a_chat_takes_five_messages_a_second(setting: Setting) -> None:
    lark, client, now = setting
    said = await lark.say(NOWHERE, chat="oc_1", user="ou_1", text="hi")
    path = f"im/v1/messages/{said.ts}/reply"
    body = {"msg_type": "text", "content": '{"text": "x"}'}
    codes = [(await client.call("POST", path, **body))[0] for _ in range(6)]
    assert codes == [0] * 5 + [230020]
    now.at += 0.5
    assert (await client.call("POST", path, **body))[0] == 230020
    assert len(lark.complaints) == 1


async def test_an_expired_token_is_refused_and_a_new_one_works(setting: Setting) -> None:
    lark, client, now = setting
    first = client.token
    await client.sign_in()
    assert client.token == first
    now.at += 7200 - 1799
    await client.sign_in()
    assert client.token != first
    lark.expire_tokens()
    assert (await client.call("GET", "bot/v3/info"))[0] == 99991663
    await client.sign_in()
    assert (await client.call("GET", "bot/v3/info"))[1]["bot"]["open_id"] == "ou_bot"
    client.token = ""
    assert (await client.call("GET", "bot/v3/info"))[0] == 99991661


async def test_messages_are_edited_twenty_times_and_deleted_once(setting: Setting) -> None:
    lark, client, now = setting
    said = await lark.say(NOWHERE, chat="oc_1", user="ou_1", text="hi")
    _, sent = await client.call(
        "POST", f"im/v1/messages/{said.ts}/reply", msg_type="text", content='{"text": "0"}'
    )
    path = f"im/v1/messages/{sent['message_id']}"
    for number in range(1, 21):
        now.at += 1
        await client.call("PUT", path, msg_type="text", content=json.dumps({"text": str(number)}))
    assert lark.chat("oc_1")[-1].text == "20"
    assert (await client.call("PUT", path, msg_type="text", content='{"text": "x"}'))[0] == 230072
    assert (await client.call("DELETE", path))[0] == 0
    assert (await client.call("DELETE", path))[0] == 230110
    assert len(lark.chat("oc_1")) == 1


async def test_posts_have_a_locale_and_md_stands_alone(setting: Setting) -> None:
    lark, client, _ = setting
    said = await lark.say(NOWHERE, chat="oc_1", user="ou_1", text="hi")
    path = f"im/v1/messages/{said.ts}/reply"

    async def post(content: dict[str, Any]) -> int:
        return (await client.call("POST", path, msg_type="post", content=json.dumps(content)))[0]

    md = {"tag": "md", "text": "**hi**"}
    assert await post({"zh_cn": {"content": [[md]]}}) == 0
    assert await post({"content": [[md]]}) == 230001
    assert await post({"zh_cn": {"content": [[md, {"tag": "text", "text": "x"}]]}}) == 230001
    assert lark.chat("oc_1")[-1].text == "**hi**"


async def test_a_reaction_comes_and_goes(setting: Setting) -> None:
    lark, client, _ = setting
    said = await lark.say(NOWHERE, chat="oc_1", user="ou_1", text="hi")
    path = f"im/v1/messages/{said.ts}/reactions"
    _, reaction = await client.call("POST", path, reaction_type={"emoji_type": "Typing"})
    assert lark.chat("oc_1")[0].reactions == ["Typing"]
    await client.call("DELETE", f"{path}/{reaction['reaction_id']}")
    assert lark.chat("oc_1")[0].reactions == []


async def test_the_sdk_opens_what_is_encrypted_and_signed() -> None:
    from lark_oapi.core.model import RawRequest  # noqa: PLC0415
    from lark_oapi.core.utils import AESCipher  # noqa: PLC0415 -- seconds to import
    from lark_oapi.event.dispatcher_handler import EventDispatcherHandler  # noqa: PLC0415

    texts: list[str] = []
    dispatcher = (
        EventDispatcherHandler.builder("key", "v")
        .register_p2_im_message_receive_v1(lambda event: texts.append(event.event.message.content))
        .build()
    )

    def answer(got: Got) -> web.Response:
        request = RawRequest()
        request.uri = "/"
        request.body = got.body
        request.headers = {
            "X-Lark-Request-Timestamp": got.headers["x-lark-request-timestamp"],
            "X-Lark-Request-Nonce": got.headers["x-lark-request-nonce"],
            "X-Lark-Signature": got.headers["x-lark-signature"],
        }
        return web.Response(status=dispatcher.do(request).status_code)

    async with tenant() as (lark, _, _), webhook(answer) as gateway:
        said = await lark.say(gateway.url, chat="oc_1", user="ou_1", text="hi", chat_type="group")
    assert said.statuses == [200]
    assert [json.loads(text) for text in texts] == [{"text": "@_user_1 hi"}]
    assert AESCipher("test key").decrypt_str(encrypt("test key", b"hello world", b"0" * 16)) == "hello world"


async def test_without_an_encrypt_key_events_are_plain_and_carry_the_token() -> None:
    async with tenant(encrypt_key="") as (lark, _, _), webhook() as gateway:
        await lark.say(gateway.url, chat="oc_1", user="ou_1", text="hi\nthere", message_type="post")
        (got,) = gateway.got
    event: Any = got.json
    assert event["header"]["token"] == "v"
    assert event["event"]["message"]["chat_type"] == "p2p"
    content = json.loads(event["event"]["message"]["content"])
    assert [[part["text"] for part in line] for line in content["content"]] == [["hi"], ["there"]]
    assert "x-lark-signature" not in got.headers


async def test_a_wrong_answer_to_the_challenge_is_complained_about() -> None:
    def echo(got: Got) -> web.Response:
        return web.json_response({"challenge": got.json["challenge"]})

    async with tenant() as (lark, _, _), webhook(echo) as right, webhook() as wrong:
        await lark.challenge(right.url, encrypted=False)
        assert lark.complaints == []
        await lark.challenge(wrong.url, encrypted=True)
        assert len(lark.complaints) == 1


async def test_unanswered_events_come_again() -> None:
    failures = iter([500])
    async with (
        tenant(retry_delays=(0.01,)) as (lark, _, _),
        webhook(lambda _: web.Response(status=next(failures, 200))) as gateway,
    ):
        said = await lark.say(gateway.url, chat="oc_1", user="ou_1", text="hi")
        await lark.settle()
        assert said.statuses == [500, 200]
        assert (await lark.recall(gateway.url, said)).status == 200
        assert len(gateway.got) == 3
    assert lark.chat("oc_1") == []
