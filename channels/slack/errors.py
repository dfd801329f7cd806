"""What a call that Slack did not do means for a delivery: decided here and nowhere else.

An error's text names the method and Slack's code, never a message's text nor a credential.
"""

from __future__ import annotations

import re

from channels.watch import Result, result_of
from conversation.outbound import (
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRefusedError,
    DeliveryStoppedError,
    DeliveryUnknownError,
)

TRANSIENT_DELAY = 2.0
"""Seconds to wait where Slack named no time."""

STREAM_OVER = frozenset({"message_not_in_streaming_state"})
"""Slack ended the stream by itself (about five minutes after its start); the message can be updated."""

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""The message cannot be changed (any more): what it had to show is posted anew."""

STREAM_OUTGROWN = frozenset({"msg_too_long", "invalid_chunks", "streaming_mode_mismatch"})
"""The stream takes no more of this text; an update of the whole message may."""

CARDS_REFUSED = frozenset({"invalid_chunks"})
"""Slack does not take the call with its task cards; without them it may."""

BLOCKS_REFUSED = frozenset(
    {
        "msg_too_long",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_blocks_too_many",
        "invalid_arguments",
    }
)
"""Slack does not take the message with its blocks; without them it may."""

NOT_STREAMABLE = frozenset(
    {
        "unknown_method",
        "method_deprecated",
        "method_not_supported_for_channel_type",
        "channel_type_not_supported",
        "feature_disabled",
        "not_allowed_token_type",
        "missing_recipient_user_id",
        "missing_recipient_team_id",
        "invalid_chunks",
        "invalid_arguments",
        "streaming_mode_mismatch",
    }
)
"""A stream cannot be opened here, which says nothing about a plain message."""

NO_SUCH_MARK = frozenset(
    {
        "feature_disabled",
        "not_authorized",
        "not_agent_app",
        "thread_ts_not_allowed",
        "thread_ts_required",
        "unknown_method",
        "missing_scope",
        "not_allowed_token_type",
        "no_permission",
        "method_not_supported_for_channel_type",
        "too_many_reactions",
        "no_item_specified",
    }
)
"""The app cannot show in this way that a message was received; perhaps in another."""
TOKEN_REFUSED = frozenset(
    {"token_expired", "invalid_auth", "token_revoked", "not_authed", "account_inactive"}
)
"""The token is not, or no longer, good for anything; another may be."""

_STOPPED = "stopped_by_user"
_RATE = frozenset({"ratelimited", "rate_limited"})
_NOTHING_DONE = frozenset({"service_unavailable", "request_timeout", "team_added_to_org"})
_PERHAPS_DONE = frozenset({"internal_error", "fatal_error"})
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class RateLimitedError(DeliveryDelayedError):
    """Nothing was done, because of a limit."""


class SlackRefusedError(DeliveryRefusedError):
    """Slack's own ``code`` says why it will not do this call."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"{method}: {code}")
        self.code = code


def result(error: DeliveryError) -> Result:
    match error:
        case RateLimitedError():
            return "limited"
        case SlackRefusedError(code=code) if code in TOKEN_REFUSED:
            return "unauthorized"
        case _:
            return result_of(error)


def answered(
    method: str, status: int, code: str, *, retry_after: float | None, sending: bool
) -> DeliveryError:
    """Slack answered, but not ``ok``. ``code`` is empty where the answer was not Slack's JSON.

    ``sending``: repeating the call would show something twice, so a call that may have had its effect is of
    unknown fate instead of delayed.
    """
    if status == 429 or code in _RATE:  # noqa: PLR2004 - the status has no shorter name
        return RateLimitedError(
            f"{method}: rate limited", TRANSIENT_DELAY if retry_after is None else retry_after
        )
    if code in _NOTHING_DONE and status < 500:  # noqa: PLR2004
        return DeliveryDelayedError(f"{method}: {code}", TRANSIENT_DELAY)
    if code in _PERHAPS_DONE or status >= 500 or (status < 300 and not code):  # noqa: PLR2004
        return unanswered(method, code or f"HTTP {status}", sending=sending)
    if code == _STOPPED:
        return DeliveryStoppedError(f"{method}: {code}")
    return SlackRefusedError(method, code if _CODE.fullmatch(code) else f"http_{status}")


def unanswered(method: str, cause: str, *, sending: bool) -> DeliveryError:
    """The call was made and nobody knows what came of it."""
    if sending:
        return DeliveryUnknownError(f"{method}: {cause}")
    return DeliveryDelayedError(f"{method}: {cause}", TRANSIENT_DELAY, pending=True)


def unreached(method: str) -> DeliveryError:
    """No connection was made, so nothing was done."""
    return DeliveryDelayedError(f"{method}: no connection", TRANSIENT_DELAY)
