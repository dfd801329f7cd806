"""How often one bot may call Slack: one ``Limit`` per Web API method (docs: apis/web-api/rate-limits).

Invariants: a stream is only opened together with the permit for its closing call; at most a minute's worth of
streams is live at once in this process. Of every documented limit we use 95 %, because Slack's minute is not ours.
"""

from __future__ import annotations

from weakref import WeakSet

from channels.budget import Limit
from channels.leased import Budget, PerChat

_SHARE = 0.95
_POSTS_PER_MINUTE = 300
"""Over a workspace; docs: "several hundred messages per minute", with generous bursts."""
_POST_BURST = 100
_CHAT_BURST = 4


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

    def __init__(self, budget: Budget) -> None:
        def per_minute(method: str, calls: float, burst: float | None = None) -> Limit:
            return budget.limit(method, _SHARE * calls / 60, _SHARE * (burst or calls))

        self.start_stream = per_minute("chat.startStream", 20)
        self.append_stream = per_minute("chat.appendStream", 100)
        self.stop_stream = per_minute("chat.stopStream", 20)
        self.update = per_minute("chat.update", 50)
        self.delete = per_minute("chat.delete", 50)
        self.replies = per_minute("conversations.replies", 50)
        self.history = per_minute("conversations.history", 50)
        self.users_info = per_minute("users.info", 100)
        self.channels_info = per_minute("conversations.info", 50)
        self.files_info = per_minute("files.info", 100)
        self.session_status = per_minute("agents.sessions.setStatus", 50)
        self.add_reaction = per_minute("reactions.add", 50)
        self.remove_reaction = per_minute("reactions.remove", 20)
        self.ephemeral = per_minute("chat.postEphemeral", 100)
        self.suggestions = per_minute("assistant.threads.setSuggestedPrompts", 100)
        self._posts = per_minute("chat.postMessage", _POSTS_PER_MINUTE, _POST_BURST)
        self._posts_by_chat = PerChat(budget, "chat.postMessage", _SHARE, _CHAT_BURST)
        self.updated_parts: WeakSet[object] = WeakSet()
        """Messages that grow by ``update``, which share its budget."""
        self._slots: WeakSet[Slot] = WeakSet()

    @property
    def live_streams(self) -> int:
        return len(self._slots)

    @property
    def held_back(self) -> float:
        """Seconds for which a first text, an edit or an end would have to wait now, whichever waits longest."""
        limits = (self.start_stream, self.append_stream, self.stop_stream, self.update, self._posts)
        return max(self._posts_by_chat.held_back, *(limit.held_back for limit in limits))

    async def try_stream(self) -> Slot | None:
        """The right to open a stream now; None where opening, appending to or closing it could not be afforded."""
        if len(self._slots) >= int(_SHARE * 20):
            return None
        slot = Slot(self._slots, self.stop_stream)
        closing = opening = False
        try:
            closing = await self.stop_stream.try_take()
            opening = closing and await self.start_stream.try_take()
        finally:
            if not opening:
                slot.close()
                if closing:
                    self.stop_stream.put_back()
        return slot if opening else None

    async def take_post(self, chat: str) -> Limit:
        """About one message a second in each chat (docs: chat.postMessage), and the workspace's limit.

        Returns the chat's: it is the one that Slack means with a 429.
        """
        limit = self._posts_by_chat.of(chat)
        await limit.take(urgent=True)
        await self._posts.take(urgent=True)
        return limit
