"""The name of a conversation.

Invariant: ``ConversationKey.parse(str(key)) == key`` for every key, and ``str(key)`` is URL-safe. Outside this
process a key is opaque: nothing may be read from its characters.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import orjson

_VERSION = "k1"


class MalformedKeyError(ValueError):
    """The text is not a conversation key that this version wrote."""


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """What makes two messages belong together: they are answered in one order, one at a time.

    ``chat`` is the platform's id of the channel, group or direct message; ``thread`` and ``sender`` are empty
    where the conversation is not narrowed to one thread or one person.
    """

    channel: str
    bot: str
    tenant: str
    chat: str
    thread: str = ""
    sender: str = ""

    def __str__(self) -> str:
        parts = (self.channel, self.bot, self.tenant, self.chat, self.thread, self.sender)
        return f"{_VERSION}.{base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b'=').decode()}"

    @classmethod
    def parse(cls, text: str) -> ConversationKey:
        """Read a key back. Raises MalformedKeyError for anything that ``str(key)`` did not write."""
        version, _, body = text.partition(".")
        if version != _VERSION:
            raise MalformedKeyError("not a conversation key of this version")
        try:
            parts = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (binascii.Error, ValueError) as error:
            raise MalformedKeyError("not a conversation key") from error
        match parts:
            case [str(channel), str(bot), str(tenant), str(chat), str(thread), str(sender)]:
                key = cls(channel, bot, tenant, chat, thread, sender)
            case _:
                raise MalformedKeyError("not a conversation key")
        if str(key) != text:
            raise MalformedKeyError("not a conversation key in its one spelling")
        return key
