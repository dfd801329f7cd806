"""What Slack sends, as far as it is used here (docs: apis/events-api, reference/events/message).

Unknown fields and unknown event types are fine; a used field of a wrong type makes the whole request malformed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

Timestamp = Annotated[str, Field(pattern=r"^\d{1,12}\.\d{1,9}$")]
"""Names a message within its channel, and is its time in seconds since 1970."""


class Edited(BaseModel):
    """Marks a message that its author changed; an edit that adds a mention is sent as a new ``app_mention``."""

    ts: str = ""


class MessageEvent(BaseModel):
    """A message in a direct message, channel or group; ``app_mention`` is the twin of a message in a channel.

    ``message_changed`` and its like have the same type and other fields, hence so many may be missing.
    """

    type: Literal["message", "app_mention"]
    channel: Annotated[str, Field(min_length=1)]
    ts: Timestamp
    channel_type: str | None = None
    subtype: str | None = None
    user: str | None = None
    bot_id: str | None = None
    text: str | None = None
    thread_ts: Timestamp | None = None
    edited: Edited | None = None
    user_team: str | None = None
    team: str | None = None
    source_team: str | None = None

    @property
    def is_direct(self) -> bool:
        """``app_mention`` has no ``channel_type``; only ids of direct messages begin with D."""
        return self.channel_type == "im" if self.channel_type else self.channel.startswith("D")


class OtherEvent(BaseModel):
    type: str


class Authorization(BaseModel):
    """An installation that can see the event."""

    user_id: str | None = None
    is_bot: bool = False


class Envelope(BaseModel):
    """The outermost object of every JSON request."""

    type: str
    challenge: str | None = None
    team_id: str | None = None
    enterprise_id: str | None = None
    event: Annotated[MessageEvent | OtherEvent, Field(union_mode="left_to_right")] | None = None
    authorizations: tuple[Authorization, ...] | None = None


def is_form(body: bytes) -> bool:
    """Whether this is an interaction or a slash command, which come form-encoded."""
    return any(pair.partition(b"=")[0] in {b"payload", b"command"} for pair in body.split(b"&", 100))
