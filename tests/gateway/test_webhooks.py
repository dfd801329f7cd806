"""What the webhook answers to good, bad and malicious requests over real HTTP, and that nothing bad is stored."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest
import yaml
from aiohttp import web

from conversation.clock import SystemClock
from conversation.directory import Directory
from conversation.keys import ConversationKey
from conversation.stores.memory import MemoryStore
from conversation.stores.port import StoreUnavailableError
from gateway.body import LARGEST_BODY
from gateway.demo.lark_events import Tenant
from gateway.settings import load
from gateway.wiring import build

SECRET = "slack-signing-secret"
TENANT = Tenant("tenant", "cli_app", "ou_bot", "lark-encrypt-key", "lark-token", time.time)
PLAIN_TENANT = Tenant("tenant", "cli_plain", "ou_bot", "", "plain-token", time.time)

CONFIGURATION = {
    "store": {"url": "memory:"},
    "agents": [{"id": "default", "provider": "echo"}],
    "bots": [
        {
            "id": "helpdesk",
            "channel": "slack",
            "agent": "default",
            "api_base_url": "http://127.0.0.1:9/",
            "credentials": {"signing_secret": SECRET, "bot_token": "xoxb-1"},
        },
        {
            "id": "assistant",
            "channel": "lark",
            "agent": "default",
            "api_base_url": "http://127.0.0.1:9",
            "credentials": {
                "app_id": "cli_app",
                "app_secret": "s",
                "encrypt_key": TENANT.encrypt_key,
                "verification_token": TENANT.verification_token,
            },
        },
        {
            "id": "plain",
            "channel": "lark",
            "agent": "default",
            "api_base_url": "http://127.0.0.1:9",
            "credentials": {"app_id": "cli_plain", "app_secret": "s", "verification_token": "plain-token"},
        },
        {
            "id": "closed",
            "channel": "slack",
            "agent": "default",
            "api_base_url": "http://127.0.0.1:9/",
            "allow": {"users": ["U1"], "chats": ["D1"]},
            "credentials": {"signing_secret": SECRET, "bot_token": "xoxb-1"},
        },
        {"id": "draft", "channel": "slack", "agent": "default"},
        {"id": "draft-lark", "channel": "lark", "agent": "default"},
    ],
}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Request:
    """A webhook as it would be sent: path, body and headers."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    signed: bool = False


def slack(event: object, *, at: float | None = None, bot: str = "helpdesk", secret: str = SECRET) -> Request:
    return signed_by_slack(orjson.dumps(event), at=at, bot=bot, secret=secret)


def signed_by_slack(
    body: bytes, *, at: float | None = None, bot: str = "helpdesk", secret: str = SECRET
) -> Request:
    timestamp = str(int(time.time() if at is None else at))
    mac = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={mac}",
    }
    return Request(f"/webhooks/slack/{bot}", body, headers, signed=True)


def lark(payload: dict[str, object], *, encrypted: bool = True) -> Request:
    headers, body = TENANT.sealed(payload, encrypted=encrypted)
    return Request("/webhooks/lark/assistant", body, headers)


def signed_by_lark(body: bytes) -> Request:
    timestamp = str(int(time.time()))
    signature = hashlib.sha256(f"{timestamp}n{TENANT.encrypt_key}".encode() + body).hexdigest()
    headers = {
        "X-Lark-Request-Timestamp": timestamp,
        "X-Lark-Request-Nonce": "n",
        "X-Lark-Signature": signature,
    }
    return Request("/webhooks/lark/assistant", body, headers, signed=True)


def slack_message(text: str = "hello", *, at: float | None = None) -> dict[str, object]:
    ts = f"{time.time() if at is None else at:.0f}.{next(_numbers):06}"
    event = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1", "text": text, "ts": ts}
    return {
        "type": "event_callback",
        "team_id": "T1",
        "api_app_id": "A1",
        "event_id": f"Ev{ts}",
        "event_time": int(float(ts)),
        "authorizations": [{"team_id": "T1", "user_id": "UBOT", "is_bot": True}],
        "event": {**event, "event_ts": ts},
    }


def lark_message(
    text: str = "hello", *, at: float | None = None, tenant: Tenant = TENANT
) -> dict[str, object]:
    message = {
        "message_id": f"om_{next(_numbers)}",
        "create_time": str(int((time.time() if at is None else at) * 1000)),
        "chat_id": "oc_1",
        "chat_type": "p2p",
        "message_type": "text",
        "content": orjson.dumps({"text": text}).decode(),
    }
    sender = {"sender_id": {"open_id": "ou_1"}, "sender_type": "user", "tenant_key": "tenant"}
    return tenant.envelope(
        "im.message.receive_v1", f"ev{next(_numbers)}", {"sender": sender, "message": message}
    )


def slack_stop_button(user: str = "U1", *, chat: str = "D1", at: float | None = None) -> dict[str, object]:
    """Of the thread 1.2."""
    event = {"type": "agent_session_stopped", "channel": chat, "user": user, "thread_ts": "1.2"}
    told = slack_message(at=at)
    return {**told, "event": {**event, "streaming_message_ts": [], "event_ts": "1.3"}}


def slack_deletion(message: dict[str, object]) -> dict[str, object]:
    said = message["event"]
    assert isinstance(said, dict)
    event = {
        "type": "message",
        "subtype": "message_deleted",
        "channel": said["channel"],
        "channel_type": said["channel_type"],
        "deleted_ts": said["ts"],
        "ts": f"{float(said['ts']) + 1:.6f}",
        "previous_message": said,
    }
    return {**message, "event_id": f"Ev{next(_numbers)}", "event": event}


def slash_stop(user: str = "U1", *, chat: str = "D1", bot: str = "helpdesk") -> Request:
    form = {"command": "/stop", "team_id": "T1", "channel_id": chat, "user_id": user, "trigger_id": "1.2.3"}
    return signed_by_slack(urlencode(form).encode(), bot=bot)


def lark_recall(message: dict[str, object]) -> dict[str, object]:
    said = message["event"]
    assert isinstance(said, dict)
    event = {"message_id": said["message"]["message_id"], "chat_id": "oc_1", "recall_type": "message_owner"}
    return TENANT.envelope("im.message.recalled_v1", f"ev{next(_numbers)}", event)


@dataclass
class House:
    url: str
    store: MemoryStore
    session: aiohttp.ClientSession

    async def post(self, request: Request) -> tuple[int, str, bytes]:
        """Status, admission header and body."""
        async with self.session.post(
            self.url + request.path, data=io.BytesIO(request.body), headers=request.headers
        ) as answer:
            return answer.status, answer.headers.get("X-Turnkeeper-Admission", ""), await answer.read()

    @property
    def stored(self) -> int:
        return sum(event.kind == "message.admitted" for event in self.store.turns.happened)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    config = tmp_path / "turnkeeper.yaml"
    config.write_text(yaml.safe_dump(CONFIGURATION), encoding="utf-8")
    store = MemoryStore(SystemClock())
    async with build(load(config), store=store) as gateway, aiohttp.ClientSession() as session:
        started = asyncio.Event()
        life = asyncio.create_task(gateway.background(started))
        await started.wait()
        runner = web.AppRunner(gateway.app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield House(f"http://127.0.0.1:{runner.addresses[0][1]}", store, session)
        await runner.cleanup()
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)


GOOD: dict[str, Callable[[], Request]] = {
    "slack": lambda: slack(slack_message()),
    "lark": lambda: lark(lark_message()),
    "lark by token": lambda: Request("/webhooks/lark/plain", orjson.dumps(lark_message(tenant=PLAIN_TENANT))),
}


@pytest.mark.parametrize("kind", GOOD)
async def test_a_message_is_accepted_once_and_then_a_duplicate(house: House, kind: str) -> None:
    request = GOOD[kind]()
    assert (await house.post(request))[:2] == (200, "accepted")
    assert (await house.post(request))[:2] == (200, "duplicate")
    assert house.stored == 1


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(
            lambda: slack({"type": "url_verification", "challenge": "c", "token": "t"}), b"c", id="slack"
        ),
        pytest.param(
            lambda: Request(
                "/webhooks/slack/draft", b'{"type":"url_verification","challenge":"c","token":"t"}'
            ),
            b"c",
            id="slack draft",
        ),
        pytest.param(
            lambda: lark({"type": "url_verification", "challenge": "c", "token": "lark-token"}),
            b"c",
            id="lark encrypted",
        ),
        pytest.param(
            lambda: Request(
                "/webhooks/lark/plain", b'{"type":"url_verification","challenge":"c","token":"plain-token"}'
            ),
            b"c",
            id="lark plain",
        ),
        pytest.param(
            lambda: Request(
                "/webhooks/lark/draft-lark", b'{"type":"url_verification","challenge":"c","token":"any"}'
            ),
            b"c",
            id="lark draft",
        ),
    ],
)
async def test_the_platforms_challenge_is_answered(
    house: House, request_: Callable[[], Request], expected: bytes
) -> None:
    status, admission, body = await house.post(request_())
    assert (status, admission) == (200, "challenge")
    assert orjson.loads(body) == {"challenge": expected.decode()}
    assert house.stored == 0


def _forged(request: Request) -> Request:
    headers = {
        name: ("v0=" + "0" * 64 if name == "X-Slack-Signature" else value)
        for name, value in request.headers.items()
    }
    if "X-Lark-Signature" in headers:
        headers["X-Lark-Signature"] = "0" * 64
    return Request(request.path, request.body, headers)


def _unsigned(request: Request) -> Request:
    return Request(request.path, request.body, {"Content-Type": "application/json"})


BAD: dict[str, tuple[Callable[[], Request], int, str]] = {
    "slack forged": (lambda: _forged(slack(slack_message())), 401, ""),
    "slack unsigned": (lambda: _unsigned(slack(slack_message())), 401, ""),
    "slack signed 301 s ago": (lambda: slack(slack_message(), at=time.time() - 301), 401, ""),
    "slack signed in 301 s": (lambda: slack(slack_message(), at=time.time() + 302), 401, ""),
    "slack truncated": (
        lambda: Request(
            "/webhooks/slack/helpdesk", slack(slack_message()).body[:-20], slack(slack_message()).headers
        ),
        400,
        "",
    ),
    "slack unreadable": (lambda: Request("/webhooks/slack/helpdesk", b"\xff\xfe{"), 400, ""),
    "slack empty": (lambda: Request("/webhooks/slack/helpdesk", b""), 400, ""),
    "slack signed garbage": (lambda: signed_by_slack(b"\xff\xfe{"), 200, "ignored"),
    "slack signed nesting": (lambda: signed_by_slack(b"[" * 100_000), 200, "ignored"),
    "slack signed nesting in event": (
        lambda: signed_by_slack(
            b'{"type":"event_callback","event":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001
        ),
        200,
        "ignored",
    ),
    "slack wrong types": (lambda: slack({"type": ["event_callback"], "event": 7}), 200, "ignored"),
    "slack unknown event": (
        lambda: slack({**slack_message(), "event": {"type": "team_join", "user": {}}}),
        200,
        "ignored",
    ),
    "slack as large as may be": (lambda: signed_by_slack(b" " * LARGEST_BODY), 200, "ignored"),
    "slack too large": (lambda: signed_by_slack(b" " * (LARGEST_BODY + 1)), 413, ""),
    "slack draft": (lambda: slack(slack_message(), bot="draft"), 401, ""),
    "slack timestamp no number": (
        lambda: Request(
            "/webhooks/slack/helpdesk",
            b"{}",
            {"X-Slack-Request-Timestamp": "soon", "X-Slack-Signature": "v0=\u00e9"},
        ),
        401,
        "",
    ),
    "lark forged": (lambda: _forged(lark(lark_message())), 401, ""),
    "lark unsigned": (lambda: _unsigned(lark(lark_message())), 401, ""),
    "lark not encrypted": (lambda: lark(lark_message(), encrypted=False), 401, ""),
    "lark truncated": (
        lambda: Request(
            "/webhooks/lark/assistant", lark(lark_message()).body[:-5], lark(lark_message()).headers
        ),
        400,
        "",
    ),
    "lark unreadable": (lambda: Request("/webhooks/lark/assistant", b"\xff\xfe{"), 400, ""),
    "lark signed garbage": (lambda: signed_by_lark(b"\xff\xfe{"), 200, "ignored"),
    "lark signed undecryptable": (lambda: signed_by_lark(b'{"encrypt":"AAAA"}'), 200, "ignored"),
    "lark signed nesting": (lambda: signed_by_lark(b"[" * 100_000), 200, "ignored"),
    "lark wrong types": (
        lambda: lark({**lark_message(), "event": {"message": [1], "sender": "x"}}),
        200,
        "ignored",
    ),
    "lark other event": (
        lambda: lark(TENANT.envelope("contact.user.created_v3", "ev", {"object": {}})),
        200,
        "ignored",
    ),
    "lark too large": (lambda: signed_by_lark(b" " * (LARGEST_BODY + 1)), 413, ""),
    "lark wrong token": (
        lambda: Request(
            "/webhooks/lark/plain",
            orjson.dumps(lark_message(tenant=Tenant("t", "cli_plain", "b", "", "wrong", time.time))),
        ),
        401,
        "",
    ),
    "lark wrong challenge token": (
        lambda: Request("/webhooks/lark/plain", b'{"type":"url_verification","challenge":"c","token":"x"}'),
        401,
        "",
    ),
    "lark by token unreadable": (lambda: Request("/webhooks/lark/plain", b"{"), 400, ""),
    "no such bot": (lambda: Request("/webhooks/slack/nobody", b"{}"), 404, ""),
    "no such channel": (lambda: Request("/webhooks/teams/helpdesk", b"{}"), 404, ""),
    "bot of another channel": (lambda: Request("/webhooks/lark/helpdesk", b"{}"), 404, ""),
    "not gzip": (
        lambda: Request("/webhooks/slack/helpdesk", b"no gzip at all", {"Content-Encoding": "gzip"}),
        400,
        "",
    ),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_request_is_answered_as_promised_and_stores_nothing(house: House, kind: str) -> None:
    make, status, admission = BAD[kind]
    got, header, _ = await house.post(make())
    assert got == status
    assert header.partition(";")[0] == admission
    assert house.stored == 0


@pytest.mark.parametrize(
    "make", [lambda at: slack(slack_message(at=at)), lambda at: lark(lark_message(at=at))]
)
async def test_an_old_message_is_refused_with_its_reason_and_answered_with_a_notice(
    house: House, make: Callable[[float], Request]
) -> None:
    request = make(time.time() - 1900)
    assert (await house.post(request))[:2] == (200, "refused; reason=stale")
    assert (await house.post(request))[:2] == (200, "duplicate")
    assert house.stored == 1, "the notice is a turn of its own: it survives a crash"


async def test_a_full_queue_is_said_in_the_header(house: House) -> None:
    statuses = [(await house.post(slack(slack_message(f"m{n}"))))[1] for n in range(23)]
    assert statuses == ["accepted"] * 21 + ["refused; reason=queue_full"] * 2


async def test_while_the_store_is_away_the_platform_is_asked_to_send_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("away")

    for make in GOOD.values():
        request = make()
        with monkeypatch.context() as outage:
            outage.setattr(house.store.turns, "admit", away)
            assert (await house.post(request))[0] == 503
        assert (await house.post(request))[:2] == (200, "accepted")


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every wish that reached the conversations, where each finds something to stop."""
    wishes: list[tuple[str, str]] = []

    async def stop(_: Directory, key: ConversationKey, request: str, asked_at: float) -> bool:
        wishes.append((str(key), request))
        return True

    async def take_back(_: Directory, bot: str, turn_id: str) -> bool:
        wishes.append((bot, turn_id))
        return True

    monkeypatch.setattr(Directory, "stop", stop)
    monkeypatch.setattr(Directory, "take_back", take_back)
    return wishes


WISHES: dict[str, Callable[[], Request]] = {
    "slack /stop": lambda: slack(slack_message(" /stop")),
    "slack stop button": lambda: slack(slack_stop_button()),
    "slack slash command": slash_stop,
    "slack deletion": lambda: slack(slack_deletion(slack_message())),
    "lark /stop": lambda: lark(lark_message("/Stop")),
    "lark recall": lambda: lark(lark_recall(lark_message())),
}


@pytest.mark.parametrize("kind", WISHES)
async def test_a_wish_to_stop_is_accepted_if_it_stopped_something(
    house: House, stopped: list[tuple[str, str]], kind: str
) -> None:
    request = WISHES[kind]()
    for _ in range(2):
        assert (await house.post(request))[:2] == (200, "accepted")
    assert len(stopped) == 2
    assert len(set(stopped)) == 1, "a redelivered wish is the same wish"
    assert house.stored == 0


@pytest.mark.parametrize("kind", WISHES)
async def test_a_wish_to_stop_where_nothing_runs_is_ignored(house: House, kind: str) -> None:
    assert (await house.post(WISHES[kind]()))[:2] == (200, "ignored; reason=nothing_to_stop")
    assert house.stored == 0


@pytest.mark.parametrize("kind", WISHES)
async def test_a_wish_to_stop_is_asked_for_again_while_the_store_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async def away(*_: object) -> bool:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(Directory, "stop", away)
    monkeypatch.setattr(Directory, "take_back", away)
    assert (await house.post(WISHES[kind]()))[0] == 503


STRANGERS: dict[str, tuple[Callable[[], Request], str]] = {
    "not listed": (lambda: slack(slack_stop_button("U2"), bot="closed"), "not_allowed"),
    "not listed, by command": (lambda: slash_stop("U2", bot="closed"), "not_allowed"),
    "elsewhere": (lambda: slack(slack_stop_button(chat="D2"), bot="closed"), "not_allowed"),
    "of another workspace": (
        lambda: slack(_of_team(slack_message("/stop"), "T2")),
        "not_allowed",
    ),
    "told hours later": (lambda: slack(slack_stop_button(at=time.time() - 1900)), "stale"),
}


def _of_team(message: dict[str, object], team: str) -> dict[str, object]:
    event = message["event"]
    assert isinstance(event, dict)
    return {**message, "event": {**event, "user_team": team}}


@pytest.mark.parametrize("who", STRANGERS)
async def test_who_may_not_talk_to_the_bot_may_not_stop_it(
    house: House, stopped: list[tuple[str, str]], who: str
) -> None:
    make, reason = STRANGERS[who]
    assert (await house.post(make()))[:2] == (200, f"ignored; reason={reason}")
    assert stopped == []
    assert (await house.post(slack(slack_stop_button(), bot="closed")))[1] == "accepted"


async def test_the_slash_command_is_answered_to_the_person(
    house: House, stopped: list[tuple[str, str]]
) -> None:
    for request, told in [
        (slash_stop(), "Stopped"),
        (slash_stop("U2", bot="closed"), "no reply to stop"),
        (slash_stop(chat="C1"), "no reply to stop"),
    ]:
        _, _, body = await house.post(request)
        assert told in orjson.loads(body)["text"]
    assert len(stopped) == 1
    _, _, body = await house.post(slack(slack_stop_button()))
    assert body == b"{}", "an event's answer is shown to nobody"


async def test_live_and_ready(house: House) -> None:
    for path in ("/livez", "/readyz"):
        async with house.session.get(house.url + path) as answer:
            assert answer.status == 200


async def test_a_body_that_never_comes_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.body.BODY_TIMEOUT", 0.2)
    host, port = house.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /webhooks/slack/helpdesk HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()
    await writer.wait_closed()


def _mutations(seed: int, rounds: int, originals: list[Callable[[], Request]]) -> list[Request]:
    """Real requests with bytes, headers or structure changed: cut, doubled, flipped, spliced, re-signed."""
    chance = random.Random(seed)
    requests = []
    for _ in range(rounds):
        original = chance.choice(originals)()
        body = bytearray(original.body)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body) + 1)
            match chance.randrange(5):
                case 0:
                    del body[at:]
                case 1:
                    body[at:at] = chance.randbytes(chance.randint(1, 8))
                case 2:
                    body[at : at + 1] = bytes([chance.randrange(256)])
                case 3:
                    body += body[at:]
                case 4:
                    body[at:at] = chance.choice(
                        [b"[" * 2000, b'{"a":' * 500, b"null", b"-1e999", b'"\\ud800"']
                    )
        if bytes(body) == original.body:
            continue
        headers = dict(original.headers)
        if headers and chance.random() < 0.3:
            headers[chance.choice(list(headers))] = chance.choice(["", "0", "-1", "9" * 30, "x" * 500])
        requests.append(Request(original.path, bytes(body), headers))
        if "slack" in original.path:
            requests.append(signed_by_slack(bytes(body)))
        else:
            requests.append(signed_by_lark(bytes(body)))
    return requests


@pytest.mark.parametrize("seed", range(4))
async def test_thousands_of_broken_requests_never_break_the_gateway(house: House, seed: int) -> None:
    """Never a 5xx, never a hang; whatever is not exactly what the platform signed is not stored."""
    admitted = 0
    async with asyncio.timeout(60):
        for request in _mutations(seed, 500, list(GOOD.values())):
            status, admission, _ = await house.post(request)
            assert status in {200, 400, 401, 413}, request
            if admission == "accepted" or admission.startswith("refused"):
                assert request.path.endswith("plain") or request.signed, request
                admitted += 1
    assert house.stored == admitted


@pytest.mark.parametrize("seed", range(2))
async def test_broken_wishes_to_stop_never_break_the_gateway(
    house: House, stopped: list[tuple[str, str]], seed: int
) -> None:
    async with asyncio.timeout(60):
        for request in _mutations(seed, 500, list(WISHES.values())):
            known = len(stopped)
            status, _, _ = await house.post(request)
            assert status in {200, 400, 401}, request
            assert request.signed or len(stopped) == known, request
