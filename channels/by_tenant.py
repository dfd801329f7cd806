"""The outbound of a bot that is in several workspaces or tenants: each answer goes by the credentials of its own.

Invariant: what is done for one tenant costs no other's budget, and is refused without touching another's token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from conversation.courtesies import Courtesies, Suggestion
from conversation.enclosures import Enclosures
from conversation.messages import Address, Attachment, InboundMessage
from conversation.outbound import LivePart, Outbound, PartRequest, ShownPart
from conversation.providers.port import File
from conversation.source import Earlier, Fetched, Source


class ByTenant:
    """``of`` gives the outbound of a tenant, without asking anybody; ``model`` is one of them, to be asked about what
    is the same for all.
    """

    def __init__(self, of: Callable[[str], Outbound], model: Outbound) -> None:
        self._of = of
        self._model = model

    @property
    def courtesies(self) -> Courtesies | None:
        return None if self._model.courtesies is None else _CourtesiesByTenant(self._of)

    @property
    def streams(self) -> bool:
        return self._model.streams

    @property
    def opens_early(self) -> bool:
        return self._model.opens_early

    @property
    def fate_known_after(self) -> float:
        return self._model.fate_known_after

    @property
    def repair_after(self) -> float | None:
        return self._model.repair_after

    def cut(self, text: str, shown: int = 0) -> tuple[str, str] | None:
        return self._model.cut(text, shown)

    def steady(self, text: str, shown: int) -> int:
        return self._model.steady(text, shown)

    async def open(self, part: PartRequest, text: str) -> LivePart:
        return await self._for(part).open(part, text)

    async def resume(self, part: PartRequest, ref: str) -> LivePart:
        return await self._for(part).resume(part, ref)

    async def find(self, part: PartRequest) -> str | None:
        return await self._for(part).find(part)

    async def remove(self, part: PartRequest, ref: str) -> None:
        await self._for(part).remove(part, ref)

    async def repair(
        self, parts: Sequence[ShownPart], strays: Sequence[str], quiet: Callable[[], Awaitable[int | None]]
    ) -> bool:
        return True if not parts else await self._for(parts[0].request).repair(parts, strays, quiet)

    def _for(self, part: PartRequest) -> Outbound:
        return self._of(part.to.bot_tenant)


class _CourtesiesByTenant:
    def __init__(self, of: Callable[[str], Outbound]) -> None:
        self._of = of

    async def mark(self, to: Address) -> None:
        await self._for(to).mark(to)

    async def unmark(self, to: Address) -> None:
        await self._for(to).unmark(to)

    async def whisper(self, to: Address, text: str) -> None:
        await self._for(to).whisper(to, text)

    async def suggest(self, to: Address, suggestions: Sequence[Suggestion]) -> bool:
        return await self._for(to).suggest(to, suggestions)

    def _for(self, to: Address) -> Courtesies:
        courtesies = self._of(to.bot_tenant).courtesies
        assert courtesies is not None, "the model has them"
        return courtesies


class SourceByTenant:
    """``source_of`` gives the source of a workspace or tenant."""

    def __init__(self, source_of: Callable[[str], Source]) -> None:
        self._source_of = source_of

    async def fetch(self, to: Address, file: Attachment, most: int) -> Fetched:
        return await self._source_of(to.bot_tenant).fetch(to, file, most)

    async def readable(self, message: InboundMessage) -> str:
        return await self._source_of(message.key.tenant).readable(message)

    async def name_of(self, message: InboundMessage) -> str:
        return await self._source_of(message.key.tenant).name_of(message)

    async def earlier(self, message: InboundMessage, most: int) -> Sequence[Earlier]:
        return await self._source_of(message.key.tenant).earlier(message, most)


class EnclosuresByTenant:
    """``enclosures_of`` gives those of a workspace or tenant."""

    def __init__(self, enclosures_of: Callable[[str], Enclosures]) -> None:
        self._enclosures_of = enclosures_of

    async def upload(self, to: Address, file: File) -> str:
        return await self._enclosures_of(to.bot_tenant).upload(to, file)

    async def share(self, to: Address, ref: str, id: str, *, again: bool) -> None:
        await self._enclosures_of(to.bot_tenant).share(to, ref, id, again=again)
