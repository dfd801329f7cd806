"""A part shown by ``chat.postMessage`` and changed by ``chat.update``.

Invariants: the message carries its part's id as metadata from its first moment; every update replaces all of
the message, so a repeated or late one does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

from channels.slack import errors
from channels.slack.blocks import content, control_blocks
from channels.slack.limits import Limits, Slot
from channels.slack.render import PLACEHOLDER, render, rendering
from channels.slack.web_api import Call, Done, WebApi
from conversation.controls import Controls
from conversation.outbound import DeliveryError
from conversation.steps import Step, at_work

SHORTEST_UPDATE = 3.0
"""Seconds between two updates (docs: chat.update advises at most one every 3 s for a message)."""

METADATA_TYPE: Literal["turnkeeper_part"] = "turnkeeper_part"


class Ref(BaseModel, frozen=True):
    """What a part's ``ref`` holds. ``stream``: Slack may still think of it as a live stream."""

    ts: str
    stream: bool


@dataclass(frozen=True, slots=True)
class Message:
    """One message of ours on Slack."""

    chat: str
    ts: str
    part: str
    thread: str
    people: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Ids of who is known by name where it stands."""


def metadata(part: str) -> dict[str, object]:
    return {"event_type": METADATA_TYPE, "event_payload": {"part": part}}


async def stop_stream(
    api: WebApi,
    limits: Limits,
    message: Message,
    *,
    slot: Slot | None = None,
    chunks: Sequence[Mapping[str, object]] = (),
    controls: Controls | None = None,
) -> bool:
    """Append ``chunks`` and ``controls``, label the message with its part's id and end the stream.

    False if the stream was over already, or its message is gone: then nothing was changed. Raises
    DeliveryUnknownError where ``chunks`` may have been appended, else DeliveryDelayedError, DeliveryStoppedError or
    DeliveryRefusedError.
    """
    await (slot.take_stop() if slot is not None else limits.stop_stream.take(urgent=True))
    arguments: dict[str, object] = {
        "channel": message.chat,
        "ts": message.ts,
        "metadata": metadata(message.part),
    }
    if chunks:
        arguments["chunks"] = list(chunks)
    if below := control_blocks(controls):
        arguments["blocks"] = below
    try:
        await api.write(Call("chat.stopStream", limits.stop_stream, sending=bool(chunks)), arguments, Done)
    except errors.SlackRefusedError as refused:
        if refused.code in errors.STREAM_OVER | errors.GONE:
            return False
        raise
    return True


async def leave_processing(api: WebApi, limits: Limits, message: Message) -> None:
    """Take "processing" off the thread whose stream a person stopped, which Slack leaves to the app (docs:
    reference/events/agent_session_stopped). An app that is no agent has no such status: a refusal is no fault.
    """
    with contextlib.suppress(DeliveryError):
        await limits.session_status.take(urgent=True)
        await api.write(
            Call("agents.sessions.setStatus", limits.session_status),
            {"channel_id": message.chat, "thread_ts": message.thread, "status": "active"},
            Done,
        )


async def update(api: WebApi, limits: Limits, message: Message, shows: dict[str, object]) -> None:
    """``shows`` as ``blocks.content`` makes it. The permit is taken already."""
    arguments = {
        "channel": message.chat,
        "ts": message.ts,
        **shows,
        "metadata": metadata(message.part),
    }
    await api.write(Call("chat.update", limits.update), arguments, Done)


Anew = Callable[[Message, str, Controls | None], Awaitable[Message]]
"""Shows the rendered text and the controls in another message than the one that is gone, which it returns."""


class PostedPart:
    """``conversation.outbound.LivePart`` of a message that is no (longer a) stream.

    ``shown`` is the rendered text that Slack has, None where that is not known.
    """

    def __init__(
        self, api: WebApi, limits: Limits, message: Message, shown: str | None, anew: Anew | None = None
    ) -> None:
        """``anew``: what is done where the message is gone; without it that is refused."""
        self._anew = anew
        self._api = api
        self._limits = limits
        self._message = message
        self._rendering = rendering(message.people)
        self._shown = shown
        self._shown_at = asyncio.get_running_loop().time()
        self._permit = False
        self._at_work = ""
        limits.updated_parts.add(self)

    def working(self, steps: Sequence[Step]) -> None:
        self._at_work = at_work(steps)

    async def pace(self) -> None:
        loop = asyncio.get_running_loop()
        interval = self._limits.update.interval(SHORTEST_UPDATE, len(self._limits.updated_parts))
        await asyncio.sleep(self._shown_at + interval - loop.time())
        if not self._permit:
            await self._limits.update.take(urgent=False)
            self._permit = True

    async def show(self, text: str) -> None:
        self._rendering.grow(text)
        await self._update(self._rendering.shown or render(self._at_work), None, urgent=False)

    async def show_again(self, text: str, controls: Controls | None) -> None:
        """A final text, for which nobody waits."""
        await self._update(self._rendering.finish(text) or PLACEHOLDER, controls, urgent=False)

    async def close(self, text: str, controls: Controls | None = None) -> None:
        await self._update(self._rendering.finish(text) or PLACEHOLDER, controls, urgent=True)
        self._limits.updated_parts.discard(self)

    async def leave(self, rendered: str) -> None:
        """It ends with what it shows already."""
        await self._update(rendered, None, urgent=True)
        self._limits.updated_parts.discard(self)

    async def _update(self, rendered: str, controls: Controls | None, *, urgent: bool) -> None:
        if rendered == self._shown and controls is None:
            return
        if not self._permit:
            await self._limits.update.take(urgent=urgent)
        self._permit = False
        self._shown = None  # until the answer is here, as the call may be cancelled
        try:
            await self._replace(rendered, controls)
        except errors.SlackRefusedError as refused:
            await self._despite(refused, rendered, controls)
        self._shown = rendered
        self._shown_at = asyncio.get_running_loop().time()

    async def _despite(
        self, refused: errors.SlackRefusedError, rendered: str, controls: Controls | None
    ) -> None:
        """Slack does not change the message as it is."""
        if refused.code == "streaming_state_conflict":
            await stop_stream(self._api, self._limits, self._message)
            await self._limits.update.take(urgent=True)
            await self._replace(rendered, controls)
        elif refused.code in errors.GONE and self._anew is not None:
            self._message = await self._anew(self._message, rendered, controls)
        else:
            raise refused

    async def _replace(self, rendered: str, controls: Controls | None) -> None:
        """Rather without buttons than not at all."""
        try:
            await self._replace_all(rendered, controls)
        except errors.SlackRefusedError as refused:
            if controls is None or refused.code not in errors.BLOCKS_REFUSED:
                raise
            await self._limits.update.take(urgent=True)
            await self._replace_all(rendered, None)

    async def _replace_all(self, rendered: str, controls: Controls | None) -> None:
        await update(self._api, self._limits, self._message, content(rendered, controls))
