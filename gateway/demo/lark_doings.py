"""What people do on Lark besides writing: press a card's button, choose from the menu, open the bot's chat, send what
is no text, add the bot to a group.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from gateway.demo.lark import LarkStandin
from gateway.demo.lark_events import message_event, milliseconds
from gateway.demo.lark_rules import Json, walk
from gateway.demo.people import Delivery, Said
from gateway.demo.standin import Shown

_TOASTS = frozenset({"info", "success", "error", "warning"})


class NoSuchButtonError(Exception):
    """The card does not show it (any more)."""


def buttons(lark: LarkStandin, message: str) -> dict[str, str]:
    """What can be pressed under a message: the buttons' labels, by their element ids."""
    return {id: label for id, (label, _) in _buttons(lark, message).items()}


async def press(lark: LarkStandin, webhook_url: str, message: str, button: str, *, user: str) -> str:
    """Press a button: the toast that the person sees, empty if there is none. Callbacks are never sent again (docs:
    "卡片回传交互"), and one that is not answered as documented is a complaint.
    """
    shown = next(one for one in lark.everything() if one.ts == message)
    try:
        _, value = _buttons(lark, message)[button]
    except KeyError:
        raise NoSuchButtonError(button) from None
    event: Json = {
        "operator": {"tenant_key": lark.tenant, "user_id": "", "union_id": f"on_{user}", "open_id": user},
        "token": f"c-{message}",
        "action": {"value": value, "tag": "button"},
        "host": "im_message",
        "context": {"open_message_id": message, "open_chat_id": shown.chat},
    }
    status, body = await lark.call_back(webhook_url, "card.action.trigger", event)
    if status != 200:  # noqa: PLR2004 - HTTP
        lark.complain(f"card.action.trigger was answered {status}: the person sees an error")
        return ""
    return _toast(lark, body)


async def choose(lark: LarkStandin, webhook_url: str, key: str, *, user: str) -> Delivery:
    """Choose an item of the bot's menu."""
    event: Json = {
        "operator": {"operator_name": "", "operator_id": _ids(user)},
        "event_key": key,
        "timestamp": int(lark.clock()),
    }
    return await lark.deliver(webhook_url, "application.bot.menu_v6", event)


async def enter(lark: LarkStandin, webhook_url: str, *, chat: str, user: str) -> Delivery:
    """Open the direct message with the bot."""
    lark.add_chat(chat)
    event: Json = {"chat_id": chat, "operator_id": _ids(user)}
    return await lark.deliver(webhook_url, "im.chat.access_event.bot_p2p_chat_entered_v1", event)


async def add_bot(lark: LarkStandin, webhook_url: str, *, chat: str, user: str) -> Delivery:
    """Add the bot to a group."""
    lark.add_chat(chat, "group")
    event: Json = {
        "chat_id": chat,
        "operator_id": _ids(user),
        "external": False,
        "operator_tenant_key": lark.tenant,
        "name": "A group",
    }
    return await lark.deliver(webhook_url, "im.chat.member.bot.added_v1", event)


async def react(lark: LarkStandin, webhook_url: str, shown: Shown, emoji: str, *, user: str) -> Delivery:
    """Add a reaction to a message."""
    event: Json = {
        "message_id": shown.ts,
        "reaction_type": {"emoji_type": emoji},
        "operator_type": "user",
        "user_id": _ids(user),
        "action_time": milliseconds(lark.clock()),
    }
    return await lark.deliver(webhook_url, "im.message.reaction.created_v1", event)


async def send(
    lark: LarkStandin,
    webhook_url: str,
    *,
    chat: str,
    user: str,
    message_type: str,
    content: Mapping[str, object] | str,
) -> Said:
    """Send a message of any type into the direct message with the bot."""
    shown = lark.written_by(chat, user, message_type)
    event = message_event(
        shown,
        lark.whole_tenant,
        chat_type="p2p",
        message_type="text",
        mention=False,
        sender_tenant=lark.tenant,
    )
    message = event["message"]
    assert isinstance(message, dict)
    message["message_type"] = message_type
    message["content"] = content if isinstance(content, str) else orjson.dumps(content).decode()
    said = Said(shown.ts, chat, None, user, "", shown.at)
    said.deliveries.append(await lark.deliver(webhook_url, "im.message.receive_v1", event))
    return said


def _ids(user: str) -> Json:
    return {"open_id": user, "union_id": f"on_{user}", "user_id": None}


def _buttons(lark: LarkStandin, message: str) -> dict[str, tuple[str, object]]:
    found: dict[str, tuple[str, object]] = {}
    for element in walk(lark.elements_of(message)):
        match element:
            case {
                "tag": "button",
                "element_id": str(id),
                "text": {"content": str(label)},
                "behaviors": [{"type": "callback", "value": value}],
            }:
                found[id] = label, value
    return found


def _toast(lark: LarkStandin, body: bytes) -> str:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    match answer:
        case {"toast": {"type": str(kind), "content": str(text)}, **rest} if kind in _TOASTS and not rest:
            return text
        case {} if not answer:
            return ""
        case _:
            lark.complain(f"card.action.trigger was answered {body[:80]!r}: the person sees an error")
            return ""
