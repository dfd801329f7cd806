"""``conversation.courtesies.Courtesies`` on Slack.

A mark is the agent session's status "processing" in a thread, where the app is declared as an agent, else a
reaction (docs: agents.sessions.setStatus, reactions.add). Which of them an app has is learnt from Slack's refusals.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from channels.slack import errors
from channels.slack.limits import Limits
from channels.slack.web_api import Call, Done, WebApi
from conversation.courtesies import Suggestion
from conversation.messages import Address
from conversation.outbound import DeliveryError

REACTION = "eyes"

UNAVAILABLE_FOR = 600.0
"""Seconds for which what an app was refused is not asked for again."""

REMEMBERED = 5_000
"""Marks of which it is known how they were made."""

_ALREADY = frozenset({"already_reacted", "no_reaction", "message_not_found"})
_MOST_SUGGESTIONS = 4
"""Docs: assistant.threads.setSuggestedPrompts."""

Way = Literal["status", "reaction"]


class SlackCourtesies:
    def __init__(self, api: WebApi, limits: Limits) -> None:
        self._api = api
        self._limits = limits
        self._refused_until: dict[str, float] = {}
        self._made: OrderedDict[tuple[str, str], Way] = OrderedDict()

    async def mark(self, to: Address) -> None:
        for way in self._ways(to):
            limit = self._limits.session_status if way == "status" else self._limits.add_reaction
            if not await limit.try_take():
                return
            self._remember(to, way)  # before the answer, which may be lost
            if await self._made_known(
                way, self._status(to, "processing") if way == "status" else self._react(to)
            ):
                return
            self._made.pop((to.chat, to.message), None)

    async def unmark(self, to: Address) -> None:
        way = self._made.pop((to.chat, to.message), None)
        if way in {"status", None} and to.thread and self._has("status"):
            await self._limits.session_status.take(urgent=False)
            await self._made_known("status", self._status(to, "active"))
        if way in {"reaction", None} and self._has("reaction"):
            await self._limits.remove_reaction.take(urgent=False)
            await self._made_known("reaction", self._unreact(to))

    async def whisper(self, to: Address, text: str) -> None:
        if not await self._limits.ephemeral.try_take():
            return
        arguments: dict[str, object] = {"channel": to.chat, "user": to.sender, "markdown_text": text}
        if to.thread:
            arguments["thread_ts"] = to.thread
        await self._api.write(Call("chat.postEphemeral", self._limits.ephemeral), arguments, Done)

    async def suggest(self, to: Address, suggestions: Sequence[Suggestion]) -> bool:
        if not self._has("suggestions") or not await self._limits.suggestions.try_take():
            return False
        arguments: dict[str, object] = {
            "channel_id": to.chat,
            "prompts": [
                {"title": one.title, "message": one.message} for one in suggestions[:_MOST_SUGGESTIONS]
            ],
        }
        if to.thread:
            arguments["thread_ts"] = to.thread
        try:
            await self._api.write(
                Call("assistant.threads.setSuggestedPrompts", self._limits.suggestions), arguments, Done
            )
        except DeliveryError:
            self._refuse("suggestions")  # an app that is no agent has no place for them
            return False
        return True

    def _ways(self, to: Address) -> tuple[Way, ...]:
        ways: tuple[Way, ...] = ("status", "reaction") if to.thread else ("reaction",)
        return tuple(way for way in ways if self._has(way))

    async def _made_known(self, way: Way, call: tuple[Call, dict[str, object]]) -> bool:
        """Make the call; False where this app has no such way."""
        try:
            await self._api.write(*call, Done)
        except errors.SlackRefusedError as refused:
            if refused.code in _ALREADY:
                return True
            if refused.code not in errors.NO_SUCH_MARK:
                raise
            self._refuse(way)
            return False
        return True

    def _status(self, to: Address, status: str) -> tuple[Call, dict[str, object]]:
        call = Call("agents.sessions.setStatus", self._limits.session_status)
        return call, {"channel_id": to.chat, "thread_ts": to.thread, "status": status}

    def _react(self, to: Address) -> tuple[Call, dict[str, object]]:
        return Call("reactions.add", self._limits.add_reaction), _reaction(to)

    def _unreact(self, to: Address) -> tuple[Call, dict[str, object]]:
        return Call("reactions.remove", self._limits.remove_reaction), _reaction(to)

    def _remember(self, to: Address, way: Way) -> None:
        self._made[to.chat, to.message] = way
        while len(self._made) > REMEMBERED:
            self._made.popitem(last=False)

    def _has(self, way: str) -> bool:
        return self._refused_until.get(way, 0.0) <= asyncio.get_running_loop().time()

    def _refuse(self, way: str) -> None:
        self._refused_until[way] = asyncio.get_running_loop().time() + UNAVAILABLE_FOR


def _reaction(to: Address) -> dict[str, object]:
    return {"channel": to.chat, "timestamp": to.message, "name": REACTION}
