"""Which bot a conversation belongs to, and whether the caller sees it."""

from __future__ import annotations

from collections.abc import Mapping

from conversation.bot import Bot
from conversation.keys import ConversationKey, MalformedKeyError
from gateway.admin.access import Permission, Principal
from gateway.admin.errors import UnknownError


def seen_bot(who: Principal, bots: Mapping[str, Bot], id: str) -> Bot:
    """Raises UnknownError, for one that is there and not seen too, and NotAllowedError."""
    bot = bots.get(id)
    if bot is None or not who.sees(id):
        raise UnknownError(f"there is no bot {id!r}")
    who.check(Permission.READ, id)
    return bot


def seen_key(who: Principal, text: str) -> ConversationKey:
    """Raises UnknownError and NotAllowedError."""
    try:
        key = ConversationKey.parse(text)
    except MalformedKeyError:
        raise unknown_conversation() from None
    if not who.sees(key.bot):
        raise unknown_conversation()
    who.check(Permission.READ, key.bot)
    return key


def unknown_conversation() -> UnknownError:
    return UnknownError("there is no such conversation; list shows those of the last 30 days")
