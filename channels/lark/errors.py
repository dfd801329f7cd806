"""What the open platform's error codes mean, decided once (docs: "通用错误码", "发送消息", CardKit's pages)."""

from __future__ import annotations

import aiohttp

from channels.watch import Result, result_of
from conversation.outbound import DeliveryDelayedError, DeliveryError, DeliveryRefusedError

RATE_LIMITED = frozenset({99991400, 11232, 11233, 11247})
CHAT_RATE_LIMITED = 230020
STILL_BEING_SENT = 230049
TOKEN_INVALID = frozenset({99991663, 99991664, 99991668})
"""Of the tenant; of the app or a person, which this one is taken for where it cannot be read."""
UNAUTHORIZED = TOKEN_INVALID | {10014, 99991661, 99991671, 99991401}
"""The app's own id, secret, token or address."""
OVERTAKEN = frozenset({200770, 300317})
"""A card has seen a number as high as this one: of a newer attempt, or of one that a store has forgotten, which the
next attempt passes."""
STREAM_CLOSED = frozenset({200850, 300309})
GONE = frozenset({230011, 230110, 231003})
NOT_EDITABLE = frozenset({230072, 230075})
NO_THREAD = frozenset({230071, 230072})
"""Of a reply: the group has no threads, or this message takes none; then it is an ordinary reply."""
QUESTION_GONE = frozenset({230011, 230110})
"""Of a reply: what it answers was recalled or deleted."""
CARD_GONE = frozenset({200740, 200750})
RECIPIENT_LOST = GONE | {230002, 230006, 230013, 230034, 230035, 230053, 232009}
CONTENT_REFUSED = frozenset({230022, 230025, 230028})
CARD_UNUSABLE = frozenset({99991672, 10002, 200740, 200750, 200860, 230025, 230099, *range(300301, 300306)})
"""A card is refused as a card: what it says may still be sent as text."""
BUSY = frozenset({200810, 300120})
SCOPE_MISSING = 99991672
NO_SUCH_REACTION = 231011
_GATEWAY_CODES = 99_990_000
"""From here on: token, scope, address. The call was not begun."""
TRANSIENT_DELAY = 2.0
TOO_MANY_REQUESTS = 429
_MEANING = {
    10014: "app_secret is wrong",
    99991401: "this host is not in the app's IP allow-list",
    99991672: "a scope is missing",
    230002: "the bot is not in the chat",
    230006: "the app's bot ability is off",
    230013: "the person is outside the app's availability",
    230053: "the person has muted the bot",
    232009: "the chat was dissolved",
}


class LarkRefusedError(DeliveryRefusedError):
    """The platform refused for good, with this code."""

    def __init__(self, method: str, code: int) -> None:
        super().__init__(f"{method}: {_MEANING.get(code, 'refused')} (code {code})")
        self.code = code

    @property
    def may_be_duplicate(self) -> bool:
        """Whether this may be how a uuid that was used before is refused, which is not documented."""
        return self.code < _GATEWAY_CODES and self.code not in RECIPIENT_LOST | CONTENT_REFUSED


class RateLimitedError(DeliveryDelayedError):
    """Nothing was done, because of the method's limit."""


class ChatLimitedError(DeliveryDelayedError):
    """Nothing was done, because of the limit of one chat, which says nothing about others."""


class LarkPendingError(DeliveryDelayedError):
    """No answer, or not yet: what was asked may have been done. Asking again with the same uuid is safe."""


def result_of_error(error: DeliveryError) -> Result:
    match error:
        case RateLimitedError() | ChatLimitedError():
            return "limited"
        case LarkPendingError():
            return "unknown"
        case LarkRefusedError(code=code) if code in UNAUTHORIZED:
            return "unauthorized"
        case _:
            return result_of(error)


def error_of(
    name: str, code: int, response: aiohttp.ClientResponse
) -> DeliveryDelayedError | LarkRefusedError:
    if code == CHAT_RATE_LIMITED:
        return ChatLimitedError(f"{name}: rate limited in this chat", _delay(response))
    if code in RATE_LIMITED or response.status == TOO_MANY_REQUESTS:
        return RateLimitedError(f"{name}: rate limited", _delay(response))
    if code == STILL_BEING_SENT:
        return LarkPendingError(f"{name}: still being sent", TRANSIENT_DELAY)
    if code in OVERTAKEN:
        return DeliveryDelayedError(f"{name}: overtaken (code {code})", TRANSIENT_DELAY)
    if code in BUSY:
        return DeliveryDelayedError(f"{name}: busy (code {code})", TRANSIENT_DELAY)
    return LarkRefusedError(name, code)


def _delay(response: aiohttp.ClientResponse) -> float:
    """Seconds that the platform asks to wait."""
    text = response.headers.get("x-ogw-ratelimit-reset") or response.headers.get("Retry-After") or ""
    return max(1.0, min(float(text), 3600.0)) if text.isascii() and text.isdigit() else 1.0
