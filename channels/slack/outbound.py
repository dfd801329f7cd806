"""``conversation.outbound.Outbound`` for one Slack bot.

A part is a native stream where the thread is the conversation and a stream can be afforded from its opening to
its closing; everywhere else it is a message that is posted and updated.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Literal

from channels.acquaintances import Acquaintances
from channels.leased import Budget
from channels.port import ChannelPolicy
from channels.slack import errors
from channels.slack.blocks import content
from channels.slack.courtesies import SlackCourtesies
from channels.slack.find import find_part, look_through
from channels.slack.limits import Limits, Slot
from channels.slack.post import (
    Anew,
    Message,
    PostedPart,
    Ref,
    leave_processing,
    metadata,
    stop_stream,
    update,
)
from channels.slack.render import cut, render, rendering, shown, steady
from channels.slack.stream import StreamedPart, markdown_chunks
from channels.slack.task_cards import TaskCards
from channels.slack.web_api import Call, Done, Posted, WebApi
from conversation.controls import Controls
from conversation.outbound import (
    SEND_TIMEOUT,
    DeliveryDelayedError,
    DeliveryStoppedError,
    DeliveryUnknownError,
    LivePart,
    PartRequest,
    ShownPart,
)
from conversation.steps import at_work

UNSTREAMABLE_FOR = 600.0
"""Seconds for which a kind of chat that refused a stream is not asked again."""


class SlackOutbound:
    def __init__(self, api: WebApi, policy: ChannelPolicy, budget: Budget) -> None:
        self._api = api
        self._grows = policy.stream
        self._threads = policy.conversation_per in {"auto", "thread"}
        self._limits = Limits(budget)
        self.known = Acquaintances()
        self._courtesies = SlackCourtesies(api, self._limits)
        self._unstreamable_until: dict[str, float] = {}

    @property
    def courtesies(self) -> SlackCourtesies:
        return self._courtesies

    @property
    def limits(self) -> Limits:
        return self._limits

    @property
    def streams(self) -> bool:
        return self._grows

    @property
    def opens_early(self) -> Literal[False]:
        """Slack shows no message without text."""
        return False

    @property
    def fate_known_after(self) -> float:
        return SEND_TIMEOUT

    @property
    def repair_after(self) -> float:
        """Slack takes an update from whoever has the token: until the last one of a dead process has arrived."""
        return 2 * SEND_TIMEOUT

    @property
    def held_back(self) -> float:
        return self._limits.held_back

    def cut(self, text: str, shown: int = 0) -> tuple[str, str] | None:
        return cut(text, shown)

    def steady(self, text: str, shown: int) -> int:
        return steady(text, shown)

    async def open(self, part: PartRequest, text: str) -> LivePart:
        if self._may_stream(part) and (slot := await self._limits.try_stream()) is not None:
            try:
                return await self._open_stream(part, text, slot)
            except errors.RateLimitedError:
                slot.close()
            except errors.SlackRefusedError as refused:
                slot.close()
                if refused.code not in errors.NOT_STREAMABLE:
                    raise
                until = asyncio.get_running_loop().time() + UNSTREAMABLE_FOR
                self._unstreamable_until[_kind(part)] = until
        return await self._open_post(part, text)

    async def resume(self, part: PartRequest, ref: str) -> LivePart:
        known = Ref.model_validate_json(ref)
        message = self._message(part, known.ts)
        if known.stream:
            try:
                await stop_stream(self._api, self._limits, message)
            except DeliveryStoppedError:
                await leave_processing(self._api, self._limits, message)
                raise
            await part.save(Ref(ts=known.ts, stream=False).model_dump_json())
        return PostedPart(self._api, self._limits, message, None, self._anew(part))

    async def find(self, part: PartRequest) -> str | None:
        found = await find_part(self._api, self._limits, part, streamed=self._streams_in(part))
        return None if found is None else found.model_dump_json()

    async def repair(
        self, parts: Sequence[ShownPart], strays: Sequence[str], quiet: Callable[[], Awaitable[int | None]]
    ) -> bool:
        if not parts:
            return True
        first = parts[0].request
        for part in parts:
            message = self._message(part.request, _ts(part.ref))
            try:
                await PostedPart(self._api, self._limits, message, None).show_again(part.text, part.controls)
            except errors.SlackRefusedError as refused:
                if refused.code != "message_not_found":  # else somebody deleted it
                    raise
        before = await quiet()
        shown = await look_through(self._api, self._limits, first, streamed=self._streams_in(first))
        was_quiet = before is not None and await quiet() == before
        wanted = {part.request.id for part in parts}
        own = {_ts(part.ref) for part in parts}
        copies = {_ts(stray): Ref.model_validate_json(stray) for stray in strays}
        copies |= {ts: Ref(ts=ts, stream=False) for ts, label in shown.labelled if label in wanted}
        for ts in copies.keys() - own:
            await self._remove(first, copies[ts])
        for ts in set(shown.unlabelled) - own if was_quiet else ():
            with contextlib.suppress(DeliveryStoppedError):  # a person stopped it, and it stays
                if await stop_stream(
                    self._api, self._limits, self._message(first, ts)
                ):  # nobody else's message streams
                    await self._remove(first, Ref(ts=ts, stream=False))
        return was_quiet or not shown.unlabelled

    async def remove(self, part: PartRequest, ref: str) -> None:
        await self._remove(part, Ref.model_validate_json(ref))

    async def _remove(self, part: PartRequest, known: Ref) -> None:
        try:
            if known.stream:
                with contextlib.suppress(DeliveryStoppedError):
                    await stop_stream(self._api, self._limits, self._message(part, known.ts))
            await self._limits.delete.take(urgent=True)
            await self._api.write(
                Call("chat.delete", self._limits.delete), {"channel": part.to.chat, "ts": known.ts}, Done
            )
        except errors.SlackRefusedError as refused:
            if refused.code != "message_not_found":
                raise

    def _streams_in(self, part: PartRequest) -> bool:
        """Slack wants to know for whom a stream is."""
        return self._grows and self._threads and bool(part.to.thread and part.to.sender)

    def _may_stream(self, part: PartRequest) -> bool:
        until = self._unstreamable_until.get(_kind(part), 0.0)
        return self._streams_in(part) and asyncio.get_running_loop().time() >= until

    async def _open_stream(self, part: PartRequest, text: str, slot: Slot) -> LivePart:
        growing = rendering(self.known.of(part.to))
        growing.grow(text)
        sent = growing.settled
        arguments: dict[str, object] = {
            "channel": part.to.chat,
            "thread_ts": part.to.thread,
            "recipient_user_id": part.to.sender,
            "recipient_team_id": part.to.tenant,
        }
        cards = TaskCards(part.steps)
        due = cards.due()
        if chunks := [*cards.chunks(due), *markdown_chunks(sent)]:  # else all of it may become something else
            arguments["chunks"] = chunks
        call = Call("chat.startStream", self._limits.start_stream, sending=True)
        try:
            posted = await self._api.write(call, arguments, Posted)
        except errors.SlackRefusedError as refused:
            if not due or refused.code not in errors.CARDS_REFUSED:
                raise
            return await self._open_stream(replace(part, steps=()), text, slot)
        cards.drew(due)
        await part.save(Ref(ts=posted.ts, stream=True).model_dump_json())
        message = self._message(part, posted.ts)
        anew = self._anew(part)
        return StreamedPart(self._api, self._limits, message, slot, part.save, growing, sent, cards, anew)

    async def _open_post(self, part: PartRequest, text: str) -> LivePart:
        people = self.known.of(part.to)
        rendered = shown(text or at_work(part.steps), people) if self._grows else render(text, people)
        message = await self._post(part, content(rendered, None))
        return PostedPart(self._api, self._limits, message, rendered, self._anew(part))

    async def _post(self, part: PartRequest, shows: dict[str, object]) -> Message:
        arguments: dict[str, object] = {"channel": part.to.chat, **shows, "metadata": metadata(part.id)}
        if part.to.thread:
            arguments["thread_ts"] = part.to.thread
        limit = await self._limits.take_post(part.to.chat)
        call = Call("chat.postMessage", limit, sending=True)
        posted = await self._api.write(call, arguments, Posted)
        await part.save(Ref(ts=posted.ts, stream=False).model_dump_json())
        return self._message(part, posted.ts)

    def _message(self, part: PartRequest, ts: str) -> Message:
        return Message(part.to.chat, ts, part.id, part.to.thread, self.known.of(part.to))

    def _anew(self, part: PartRequest) -> Anew:
        async def show(gone: Message, rendered: str, controls: Controls | None) -> Message:
            """Somebody deleted the message, or Slack lets nobody change it any more. Another one may have been posted
            already, by a call whose answer was lost.
            """
            shows = content(rendered, controls)
            found = await find_part(self._api, self._limits, part, streamed=False)
            if found is not None and found.ts != gone.ts:
                await part.save(found.model_dump_json())
                message = self._message(part, found.ts)
                await self._limits.update.take(urgent=True)
                await update(self._api, self._limits, message, shows)
                return message
            with contextlib.suppress(errors.SlackRefusedError):
                await self._remove(part, Ref(ts=gone.ts, stream=False))
            try:
                return await self._post(part, shows)
            except DeliveryUnknownError as unknown:
                raise DeliveryDelayedError(str(unknown), errors.TRANSIENT_DELAY) from None

        return show


def _kind(part: PartRequest) -> str:
    """Channels, groups and direct messages tell themselves by the first letter of their ids."""
    return part.to.chat[:1]


def _ts(ref: str) -> str:
    return Ref.model_validate_json(ref).ts
