"""The agents, as an admin sees, changes and tries them."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from pydantic import BaseModel, ConfigDict

from conversation.providers.port import ProviderError
from conversation.stores.records import Record
from gateway.admin.access import Permission, Principal
from gateway.admin.errors import ConflictError, InvalidError, UnknownError
from gateway.admin.stored import Stored
from gateway.bot_settings import Agent, Timeouts
from gateway.documents import JsonObject, SecretView, view_of
from gateway.hosting import Hosting


class AgentView(BaseModel):
    """``bots`` are those that use it. ``problem``: why it is not in force as it stands, and what to do."""

    model_config = ConfigDict(frozen=True)

    id: str
    provider: str
    model: str
    base_url: str
    api_key: SecretView
    system_prompt: str
    max_context_tokens: int
    images: Literal["auto", True, False]
    timeouts: Timeouts
    provisioned: bool
    version: int
    bots: tuple[str, ...]
    problem: str | None


class Ping(BaseModel):
    """What the model itself answered, or why it did not."""

    model_config = ConfigDict(frozen=True)

    ok: bool
    detail: str
    seconds: float


class Agents:
    def __init__(self, hosting: Hosting, stored: Stored[Agent]) -> None:
        self._hosting = hosting
        self._stored = stored

    async def list(self, who: Principal) -> tuple[AgentView, ...]:
        """By id."""
        who.check(Permission.READ)
        views = [self._provisioned(who, id) for id in self._hosting.provisioned.agents]
        views += [self._view(who, record) for record in await self._stored.all()]
        return tuple(sorted(views, key=lambda one: one.id))

    async def get(self, who: Principal, id: str) -> AgentView:
        """Raises UnknownError."""
        who.check(Permission.READ)
        if id in self._hosting.provisioned.agents:
            return self._provisioned(who, id)
        return self._view(who, await self._stored.get(id))

    async def create(self, who: Principal, document: JsonObject) -> AgentView:
        """``document`` as an agent in the configuration file. Raises InvalidError and ConflictError."""
        who.check(Permission.CONFIGURE)
        return self._view(who, await self._stored.create(who, document))

    async def change(self, who: Principal, id: str, patch: JsonObject, version: int | None) -> AgentView:
        """``patch`` is a merge patch (RFC 7396). Raises UnknownError, ConflictError, StaleError and InvalidError."""
        who.check(Permission.CONFIGURE)
        return self._view(who, await self._stored.change(who, id, patch, version))

    async def remove(self, who: Principal, id: str, version: int | None) -> None:
        """Raises UnknownError, ConflictError (a bot uses it) and StaleError."""
        who.check(Permission.CONFIGURE)
        await self._hosting.refresh()  # another replica may have made a bot a moment ago
        users = self._hosting.users_of(id)
        if users:
            raise ConflictError(
                f"agent {id!r} answers for {', '.join(users)}; give these another agent first"
            )
        await self._stored.remove(who, id, version)

    async def ping(self, who: Principal, id: str) -> Ping:
        """Ask the model itself one short question. Raises UnknownError."""
        who.check(Permission.OPERATE)
        if id not in self._hosting.agents:
            await self._hosting.refresh()
        agent = self._hosting.agents.get(id)
        if agent is None:
            problem = self._hosting.problems.get(("agent", id))
            raise UnknownError(problem or f"there is no agent {id!r}")
        patience, begun = self._hosting.health_timeout(id), time.perf_counter()
        try:
            async with asyncio.timeout(patience):
                ok, detail = True, await agent.provider.check(live=True)
        except ProviderError as error:
            ok, detail = False, str(error)
        except TimeoutError:
            ok, detail = False, f"no answer in {patience:g} s (timeouts.health)"
        return Ping(ok=ok, detail=detail, seconds=round(time.perf_counter() - begun, 3))

    def _provisioned(self, who: Principal, id: str) -> AgentView:
        settings = self._hosting.provisioned.agents[id]
        return self._described(
            who, settings, view_of(settings.api_key), 0, self._hosting.problems.get(("agent", id))
        )

    def _view(self, who: Principal, record: Record) -> AgentView:
        document, api_key = self._stored.written(record), self._stored.secrets(record)["api_key"]
        problem = self._hosting.problems.get(("agent", record.id))
        try:
            settings = self._stored.settings(record)
        except InvalidError as error:
            settings = Agent.model_construct(id=record.id, provider=str(document.get("provider", "")))
            problem = problem or str(error)
        return self._described(who, settings, api_key, record.version, problem)

    def _described(
        self, who: Principal, settings: Agent, api_key: SecretView, version: int, problem: str | None
    ) -> AgentView:
        return AgentView(
            id=settings.id,
            provider=settings.provider,
            model=settings.model,
            base_url=settings.base_url,
            api_key=api_key,
            system_prompt=settings.system_prompt,
            max_context_tokens=settings.max_context_tokens,
            images=settings.images,
            timeouts=settings.timeouts,
            provisioned=version == 0,
            version=version,
            bots=tuple(bot for bot in self._hosting.users_of(settings.id) if who.sees(bot)),
            problem=problem,
        )
