"""The third, small channel: an admin's browser. Its platform is the records store, so that every replica shows it."""

from channels.playground.chats import Chats, Line
from channels.playground.outbound import PlaygroundOutbound

CHANNEL = "playground"

__all__ = ["CHANNEL", "Chats", "Line", "PlaygroundOutbound"]
