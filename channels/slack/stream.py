"""A part shown by Slack's native streaming: what is new is appended (docs: chat.startStream and its like).

Invariants:

- what Slack has of this message is ``_sent``, exactly, until ``_sent`` is None: then nobody knows, nothing is
  appended any more and the message is mended by an update;
- every stream ends labelled with its part's id, so an own message without label is a stream under way;
- a stream becomes a plain message, changed by updates, before Slack ends it at about five minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from channels.markdown import Rendering
from channels.slack import errors
from channels.slack.limits import Limits, Slot
from channels.slack.post import Anew, Message, PostedPart, Ref, leave_processing, stop_stream
from channels.slack.render import PLACEHOLDER, render
from channels.slack.task_cards import TaskCards
from channels.slack.web_api import Call, Done, WebApi
from conversation.controls import Controls
from conversation.outbound import (
    DeliveryDelayedError,
    DeliveryError,
    DeliveryStoppedError,
    DeliveryUnknownError,
    Save,
)
from conversation.steps import Step

SHORTEST_APPEND = 0.4
"""Seconds between two appends: quick enough to look like typing, and 30 s of it fit into a full bucket."""

LIFETIME = 240.0
"""Seconds after which a stream is given up (public issue python-slack-sdk #1859: Slack ends it at about 300)."""


def markdown_chunks(text: str) -> list[dict[str, object]]:
    return [{"type": "markdown_text", "text": text}] if text else []


class StreamedPart:
    """``conversation.outbound.LivePart`` of a stream; it becomes a PostedPart when the stream can go no further."""

    def __init__(
        self,
        api: WebApi,
        limits: Limits,
        message: Message,
        slot: Slot,
        save: Save,
        rendering: Rendering,
        sent: str,
        cards: TaskCards,
        anew: Anew | None = None,
    ) -> None:
        self._cards = cards
        self._anew = anew
        self._api = api
        self._limits = limits
        self._message = message
        self._slot = slot
        self._save = save
        self._rendering = rendering
        self._sent: str | None = sent
        self._opened_at = self._shown_at = asyncio.get_running_loop().time()
        self._permit = False
        self._over = False
        self._post: PostedPart | None = None

    def working(self, steps: Sequence[Step]) -> None:
        self._cards.want(steps)
        if self._post is not None:
            self._post.working(steps)

    async def pace(self) -> None:
        if self._post is not None:
            await self._post.pace()
            return
        if self._sent == "" and not self._cards.are_drawn:
            return  # opened while all of it could still become something else: the first words go at once
        limit = self._limits.append_stream
        interval = limit.interval(SHORTEST_APPEND, self._limits.live_streams)
        await asyncio.sleep(self._shown_at + interval - asyncio.get_running_loop().time())
        if not self._permit:
            await limit.take(urgent=False)
            self._permit = True

    async def show(self, text: str) -> None:
        if self._post is None:
            self._rendering.grow(text)
            if self._appendable() and await self._append(self._rendering.settled):
                return
            await self._stop()
            self._post = await self._posted()
            return  # what follows takes its turn among the updates
        await self._post.show(text)

    async def close(self, text: str, controls: Controls | None = None) -> None:
        if self._post is None:
            rendered = self._rendering.finish(text) or PLACEHOLDER
            continues = self._sent is not None and rendered.startswith(self._sent)
            rest = rendered[len(self._sent or "") :] if continues else ""
            cards = self._cards.chunks(self._cards.due())
            if await self._stop([*cards, *markdown_chunks(rest)], controls) and continues:
                self._slot.close()
                return
            self._post = await self._posted()
        await self._post.close(text, controls)

    def _appendable(self) -> bool:
        return self._sent is not None and asyncio.get_running_loop().time() < self._opened_at + LIFETIME

    async def _append(self, rendered: str) -> bool:
        """Append what is new; False where the stream takes nothing more."""
        sent, due = self._sent or "", self._cards.due()
        new = rendered[len(sent) :]
        # Text that changed where it was sent already waits for `close`; blank text Slack would refuse.
        if not new.strip() or not rendered.startswith(sent):
            new = ""
        if not new and not due:
            return True
        if not self._permit:
            await self._limits.append_stream.take(urgent=not sent)
        self._permit = False
        self._sent = None  # until the answer is here, as the call may be cancelled
        try:
            await self._api.write(
                Call("chat.appendStream", self._limits.append_stream, sending=True),
                {
                    "channel": self._message.chat,
                    "ts": self._message.ts,
                    "chunks": [*self._cards.chunks(due), *markdown_chunks(new)],
                },
                Done,
            )
        except DeliveryUnknownError as unknown:
            raise DeliveryDelayedError(str(unknown), errors.TRANSIENT_DELAY) from None
        except DeliveryDelayedError:
            self._sent = sent
            raise
        except errors.SlackRefusedError as refused:
            if due and refused.code in errors.CARDS_REFUSED:
                self._cards.give_up()
                self._sent = sent
                return await self._append(rendered)
            self._over = refused.code in errors.STREAM_OVER | errors.GONE
            if self._over or refused.code in errors.STREAM_OUTGROWN:
                return False
            self._slot.close()
            raise
        except DeliveryStoppedError:
            await self._leave(sent)
            raise
        self._sent = sent + new
        self._cards.drew(due)
        self._shown_at = asyncio.get_running_loop().time()
        return True

    async def _stop(
        self, chunks: Sequence[Mapping[str, object]] = (), controls: Controls | None = None
    ) -> bool:
        """End the stream, if it has not ended; whether the message now ends with ``chunks`` and ``controls``."""
        if self._over:
            return False
        try:
            stopped = await stop_stream(
                self._api, self._limits, self._message, slot=self._slot, chunks=chunks, controls=controls
            )
        except DeliveryUnknownError as unknown:
            # If ``chunks`` did arrive, the stream is over for the next call, which then mends the message.
            raise DeliveryDelayedError(str(unknown), errors.TRANSIENT_DELAY) from None
        except errors.SlackRefusedError as refused:
            if (chunks or controls) and refused.code in errors.STREAM_OUTGROWN | errors.BLOCKS_REFUSED:
                await self._stop()
                return False
            self._slot.close()
            raise
        except DeliveryStoppedError:
            await self._leave(self._sent)
            raise
        self._over = True
        return stopped

    async def _leave(self, sent: str | None) -> None:
        """The person stopped it. Its message is labelled, lest ``find`` takes it for lost."""
        self._slot.close()
        line = self._cards.in_a_line
        if left := sent or (line and render(line)):
            with contextlib.suppress(DeliveryError):
                await PostedPart(self._api, self._limits, self._message, None).leave(left)
        await leave_processing(self._api, self._limits, self._message)

    async def _posted(self) -> PostedPart:
        self._slot.close()
        await self._save(Ref(ts=self._message.ts, stream=False).model_dump_json())
        return PostedPart(self._api, self._limits, self._message, None, self._anew)
