"""What a person may write instead of a message."""

from __future__ import annotations

import re

from channels.port import Ignored, StopReply
from conversation.messages import InboundMessage

STOP = "/stop"

_STOP = re.compile(rf"\s*{STOP}\s*", re.IGNORECASE)


def stop_or_message(message: InboundMessage) -> InboundMessage | StopReply | Ignored:
    """The message itself, unless its whole text is the command to stop.

    A message that makes a conversation of its own has nothing to stop there.
    """
    if _STOP.fullmatch(message.text) is None:
        return message
    if message.key.thread == message.address.message:
        return Ignored("nothing_to_stop")
    return StopReply(message.key, message.turn_id, message.sender, message.sent_at)
