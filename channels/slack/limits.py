"""How often one bot may call Slack: one ``Limit`` per Web API method (docs: apis/web-api/rate-limits).

Invariants: a stream is only opened together with the permit for its closing call; at most a minute's worth of
streams is live at once. Of every documented limit we use 95 %, because Slack's minute is not ours.
"""

from __future__ import annotations

from weakref import WeakSet

from channels.budget import Limit

_SHARE = 0.95
_POSTS_PER_MINUTE = 300
"""Over a workspace; docs: "several hundred messages per minute", with generous bursts."""
_POST_BURST = 100
_CHAT_BURST = 4
_MOST_CHATS = 2_000


def _per_minute(calls: float) -> Limit:
    return Limit(rate=_SHARE * calls / 60, burst=_SHARE * calls)


class Slot:
    """The right to keep one stream open, and one ``chat.stopStream`` to close it with.

    A slot that is closed or no longer referenced (its reply was abandoned) makes room for another.
    """

    __slots__ = ("__weakref__", "_paid", "_slots", "_stop")

    def __init__(self, slots: WeakSet[Slot], stop: Limit) -> None:
        self._slots = slots
        self._stop = stop
        self._paid = True
        slots.add(self)

    async def take_stop(self) -> None:
        """The first call is paid for already; a repeated one waits for its turn."""
        if self._paid:
            self._paid = False
        else:
            await self._stop.take(urgent=True)

    def close(self) -> None:
        self._slots.discard(self)


class Limits:
    """The budget of one bot in its workspace. Must be made and used within one event loop."""

    def __init__(self) -> None:
        self.start_stream = _per_minute(20)
        self.append_stream = _per_minute(100)
        self.stop_stream = _per_minute(20)
        self.update = _per_minute(50)
        self.delete = _per_minute(50)
        self.replies = _per_minute(50)
        self.history = _per_minute(50)
        self.session_status = _per_minute(50)
        self.posts = Limit(rate=_SHARE * _POSTS_PER_MINUTE / 60, burst=_SHARE * _POST_BURST)
        self.updated_parts: WeakSet[object] = WeakSet()
        """Messages that grow by ``update``, which share its budget."""
        self._posts_by_chat: dict[str, Limit] = {}
        self._slots: WeakSet[Slot] = WeakSet()

    @property
    def live_streams(self) -> int:
        return len(self._slots)

    def try_stream(self) -> Slot | None:
        """The right to open a stream now; None where opening, appending to or closing it could not be afforded."""
        if len(self._slots) >= int(_SHARE * 20):
            return None
        if not self.stop_stream.try_take():
            return None
        if not self.start_stream.try_take():
            self.stop_stream.put_back()
            return None
        return Slot(self._slots, self.stop_stream)

    async def take_post(self, chat: str) -> None:
        """About one message a second in each chat (docs: chat.postMessage), and the workspace's limit."""
        limit = self._posts_by_chat.pop(chat, None) or Limit(rate=_SHARE, burst=_CHAT_BURST)
        self._posts_by_chat[chat] = limit
        if len(self._posts_by_chat) > _MOST_CHATS:
            del self._posts_by_chat[next(iter(self._posts_by_chat))]
        await limit.take(urgent=True)
        await self.posts.take(urgent=True)
