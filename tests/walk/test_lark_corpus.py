"""Every payload that Lark is known to send, encrypted and signed, through the real gateway: how each is answered, and
that each message has its one reply.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from gateway.demo.lark_files import Resource
from gateway.demo.model import Message, Reply
from tests.channels.lark.signing import PAYLOADS, TOKEN
from tests.channels.lark.test_corpus import OUTCOMES
from tests.town import Town, town
from tests.waiting import until

MESSAGE = "om_5ce6d572455d361153b7cb51da133945"
CHAT = "oc_5ce6d572455d361153b7xx51da133945"
EVENT = "5e3702a84e847582be8db7fb73283c02"
PICTURES = ("img_1", "img_v2", "img_v3_one", "img_v3_two")
PIXEL = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
NOTHING = "ignored; reason=nothing_to_stop"


def answers(name: str, becomes: str) -> set[str]:  # noqa: PLR0911 - one for each kind
    """What a webhook with this payload may be answered, when nothing was said before."""
    kind, _, rest = becomes.partition(": ")
    match kind:
        case "message" if name == "external_user":
            return {"refused; reason=not_allowed"}
        case "message" if rest.startswith(" (not read"):
            return {"refused; reason=unsupported"}
        case "message" | "asks" | "command":
            return {"accepted"}
        case "ordered, asks" | "ordered, command":
            return {"accepted", NOTHING} if name == "menu_stop" else {"accepted"}
        case "stop" | "taken back":
            return {NOTHING}
        case "pressed":
            return {"ignored; reason=other_bot"}
        case "visited":
            return {"accepted", "ignored; reason=known_person"}
        case "ignored":
            return {f"ignored; reason={rest}"}
        case _:
            return {kind}


def addressed(here: Town, name: str) -> tuple[bytes, str]:
    """The payload as it would come to this bot, of a message and in a chat that the platform has; and that chat."""
    shown = here.lark.written_by(f"oc_{name}", "ou_alice", "text")
    body = (PAYLOADS / f"{name}.json").read_bytes()
    for old, new in (
        (TOKEN, here.credentials.verification_token),
        ("cli_made_up", here.credentials.app_id),
        (MESSAGE, shown.ts),
        (CHAT, shown.chat),
        ('"oc_group"', f'"{shown.chat}"'),
        (EVENT, f"event-{name}"),
    ):
        body = body.replace(old.encode(), new.encode())
    for key in PICTURES:
        if key.encode() in body:
            here.lark.archive.resources[shown.ts, key] = Resource("image", "", PIXEL)
    return body, shown.chat


def script(messages: list[Message]) -> Reply:
    return Reply("Here you are.")


async def test_every_payload_is_answered_as_documented_and_every_message_once(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        wrong: dict[str, str] = {}
        to_be_answered: dict[str, str] = {}
        for name, becomes in OUTCOMES.items():
            body, chat = addressed(here, name)
            status, admission = await here.lark.post(here.gateway.lark_webhook, orjson.loads(body))
            if status != 200 or admission not in answers(name, becomes):
                wrong[name] = f"{status} {admission}, not {answers(name, becomes)}"
            if becomes.startswith(("message", "asks", "command")):
                to_be_answered[name] = chat
        assert wrong == {}

        def unanswered() -> list[str]:
            return [
                name
                for name, chat in to_be_answered.items()
                if not any(one.author == "bot" and one.reply_to for one in here.lark.chat(chat))
            ]

        await until(lambda: not unanswered() and not here.lark.open_cards(), 30, unanswered)
        await here.lark.settle()
        for name, chat in to_be_answered.items():
            replies = [one for one in here.lark.chat(chat) if one.author == "bot" and one.reply_to]
            assert len(replies) == 1, name
        log = (tmp_path / "gateway.log").read_text()
        for trouble in ("Traceback", "turn broke", "executor crash", "mark broke"):
            assert trouble not in log
