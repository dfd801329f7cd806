"""What Slack sends, as far as it is used here (docs: apis/events-api, reference/events/message).

Unknown fields and unknown event types are fine; a used field of a wrong type makes the whole request malformed.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field

from channels.slack.files import File
from channels.slack.keys import is_direct

_TIMESTAMP = re.compile(r"^\d{1,12}\.\d{1,9}$")
Timestamp = Annotated[str, Field(pattern=_TIMESTAMP.pattern)]
"""Names a message within its channel, and is its time in seconds since 1970."""


class Edited(BaseModel):
    """Marks a message that its author changed; an edit that adds a mention is sent as a new ``app_mention``."""

    ts: str = ""

    @property
    def at(self) -> float:
        """When, in seconds since 1970; 0 where that cannot be read."""
        return float(self.ts) if _TIMESTAMP.fullmatch(self.ts) else 0.0


class OlderMessage(BaseModel):
    """The message that an event is about: as it was, or as it is now."""

    ts: Timestamp | None = None
    subtype: str | None = None
    user: str | None = None
    bot_id: str | None = None
    text: str | None = None
    thread_ts: Timestamp | None = None
    edited: Edited | None = None
    user_team: str | None = None
    team: str | None = None
    source_team: str | None = None
    files: tuple[File, ...] | None = None


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
    deleted_ts: Timestamp | None = None
    message: OlderMessage | None = None
    previous_message: OlderMessage | None = None
    files: tuple[File, ...] | None = None

    @property
    def is_direct(self) -> bool:
        """``app_mention`` has no ``channel_type``."""
        return self.channel_type == "im" if self.channel_type else is_direct(self.channel)

    @property
    def removed(self) -> str | None:
        """The ``ts`` of the message that was deleted, if this tells of one.

        The first message of a thread with answers leaves a "tombstone", and Slack tells of a change (public issue
        matterbridge #600).
        """
        if self.subtype == "message_deleted":
            return self.deleted_ts
        if self.subtype == "message_changed" and self.message and self.message.subtype == "tombstone":
            return self.message.ts
        return None

    @property
    def rewritten(self) -> MessageEvent | None:
        """The message that was changed, as it is now, if its author changed its words. Slack sends such a change also
        when a link is unfolded, and for each answer in a thread: without ``edited``, or with the same words.
        """
        now, before = self.message, self.previous_message
        if self.subtype != "message_changed" or now is None or not now.ts or now.edited is None:
            return None
        if before is not None and before.text == now.text:
            return None
        return MessageEvent(
            type="message",
            channel=self.channel,
            ts=now.ts,
            channel_type=self.channel_type,
            subtype=now.subtype,
            user=now.user,
            bot_id=now.bot_id,
            text=now.text,
            thread_ts=now.thread_ts,
            user_team=now.user_team,
            team=now.team,
            source_team=now.source_team,
            files=now.files,
            edited=now.edited,
        )


class SessionStopped(BaseModel):
    """The stop button was pressed while the bot was "processing" (docs: reference/events/agent_session_stopped)."""

    type: Literal["agent_session_stopped"]
    channel: Annotated[str, Field(min_length=1)]
    user: Annotated[str, Field(min_length=1)]
    thread_ts: Timestamp | None = None


class HomeOpened(BaseModel):
    """Somebody opened the app: its direct message (``tab`` messages) or its home (docs: reference/events/
    app_home_opened).
    """

    type: Literal["app_home_opened"]
    user: Annotated[str, Field(min_length=1)]
    channel: Annotated[str, Field(min_length=1)]
    tab: str = ""


class RevokedTokens(BaseModel):
    """User ids, by the kind of token that was taken from them; a bot's is its bot user's."""

    oauth: tuple[str, ...] | None = None
    bot: tuple[str, ...] | None = None


class TokensRevoked(BaseModel):
    """Docs: reference/events/tokens_revoked."""

    type: Literal["tokens_revoked"]
    tokens: RevokedTokens = RevokedTokens()


class AppUninstalled(BaseModel):
    """Docs: reference/events/app_uninstalled."""

    type: Literal["app_uninstalled"]


class OtherEvent(BaseModel):
    type: str


class Authorization(BaseModel):
    """An installation that can see the event."""

    user_id: str | None = None
    is_bot: bool = False


AnyEvent: TypeAlias = MessageEvent | SessionStopped | HomeOpened | TokensRevoked | AppUninstalled | OtherEvent


class Envelope(BaseModel):
    """The outermost object of every JSON request."""

    type: str
    challenge: str | None = None
    team_id: str | None = None
    enterprise_id: str | None = None
    event: Annotated[AnyEvent, Field(union_mode="left_to_right")] | None = None
    event_id: str | None = None
    event_time: int | None = None
    authorizations: tuple[Authorization, ...] | None = None


_SUBSCRIBED = {"im": "im", "mpim": "mpim", "channel": "channels", "group": "groups"}


def subscription(event: AnyEvent) -> str:
    """What an app subscribes to in order to get such events, such as message.im."""
    kind = _SUBSCRIBED.get(event.channel_type or "") if isinstance(event, MessageEvent) else None
    return f"message.{kind}" if event.type == "message" and kind else event.type[:80]


def is_form(body: bytes) -> bool:
    """Whether this is an interaction or a slash command, which come form-encoded."""
    return any(pair.partition(b"=")[0] in {b"payload", b"command"} for pair in body.split(b"&", 100))
