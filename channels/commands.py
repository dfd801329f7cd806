"""What a person may write instead of a message: ``/stop``, ``/new``, ``/agent [NAME]``, ``/help``.

A command is the whole text of a message. All but ``/stop``, which ends what is before it, take their turn in the
conversation's line.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from channels.received import Ignored, StopReply
from conversation.messages import Command, InboundMessage

CommandName = Literal["stop", "new", "agent", "help"]

STOP = "/stop"

_COMMAND = re.compile(r"\s*/(stop|new|agent|help)(?:\s+(\S{1,200}))?\s*", re.IGNORECASE)
_NAMES: dict[str, CommandName] = {"stop": "stop", "new": "new", "agent": "agent", "help": "help"}


def read_command(text: str) -> tuple[CommandName, str] | None:
    """The command that a text is, and what stands behind its name; only ``/agent`` takes something there."""
    found = _COMMAND.fullmatch(text)
    if found is None:
        return None
    name, argument = _NAMES[found[1].lower()], found[2] or ""
    return None if argument and name != "agent" else (name, argument)


def command_or_message(message: InboundMessage) -> InboundMessage | StopReply | Ignored:
    """The message itself, unless its whole text is a command.

    A message that makes a conversation of its own has nothing to stop there.
    """
    written = read_command(message.text)
    if written is None:
        return message
    name, argument = written
    if name != "stop":
        return ordered(message, name, argument)
    if message.key.thread and message.key.thread == message.address.message:
        return Ignored("nothing_to_stop")
    return StopReply(message.key, message.turn_id, message.sender, message.sent_at)


def ordered(message: InboundMessage, name: Literal["new", "agent", "help"], argument: str) -> InboundMessage:
    """The message as this command. Whether people of this bot may choose that agent is decided when it arrives."""
    match name:
        case "new":
            return replace(message, text="", command=Command("clear"))
        case "agent" if argument:
            return replace(message, text="", command=Command("bind", argument))
        case "agent":
            return replace(message, text="/agent", asks="agents")
        case "help":
            return replace(message, text="/help", asks="help")
