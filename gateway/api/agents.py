"""``/api/v1/agents``."""

from __future__ import annotations

from pydantic import RootModel

from gateway.admin.access import Permission
from gateway.admin.agents import Agents, AgentView, Ping
from gateway.admin.paging import Page, paged
from gateway.api.endpoint import Answer, Ask, Endpoint, PageQuery, Subject
from gateway.api.patches import document_of, patch_of
from gateway.bot_settings import Agent
from gateway.documents import JsonObject

_SECRETS = "api_key may be given literally, if the gateway has a secrets_key, or as env:NAME or file:PATH."


class NewAgent(RootModel[document_of(Agent)]):  # type: ignore[misc]  # made of the agent's own model
    """An agent as in the configuration file."""


class AgentPatch(RootModel[patch_of(Agent, "id")]):  # type: ignore[misc]  # made of the agent's own model
    """What is to change (RFC 7396): what is left out stays, null takes away."""


def subject(agents: Agents) -> Subject:
    async def listed(ask: Ask[PageQuery, None]) -> Answer:
        seen = await agents.list(ask.who)
        return Answer(paged("agents", seen, lambda agent: (agent.id,), ask.query.cursor, ask.query.limit))

    async def created(ask: Ask[None, JsonObject]) -> Answer:
        agent = await agents.create(ask.who, ask.body)
        return Answer(agent, agent.version, f"/agents/{agent.id}")

    async def shown(ask: Ask[None, None]) -> Answer:
        agent = await agents.get(ask.who, ask.path["id"])
        return Answer(agent, agent.version)

    async def changed(ask: Ask[None, JsonObject]) -> Answer:
        agent = await agents.change(ask.who, ask.path["id"], ask.body, ask.version)
        return Answer(agent, agent.version)

    async def removed(ask: Ask[None, None]) -> Answer:
        await agents.remove(ask.who, ask.path["id"], ask.version)
        return Answer()

    async def pinged(ask: Ask[None, None]) -> Answer:
        return Answer(await agents.ping(ask.who, ask.path["id"]))

    return Subject(
        "agents",
        "Agents: a model with its instructions.",
        (
            Endpoint(
                "listAgents",
                "GET",
                "/agents",
                listed,
                "All agents, by id",
                needs=Permission.READ,
                query=PageQuery,
                answers=Page[AgentView],
            ),
            Endpoint(
                "createAgent",
                "POST",
                "/agents",
                created,
                "Make an agent",
                needs=Permission.CONFIGURE,
                description=_SECRETS,
                takes=NewAgent,
                raw=True,
                answers=AgentView,
                status=201,
                versioned=True,
            ),
            Endpoint(
                "getAgent",
                "GET",
                "/agents/{id}",
                shown,
                "An agent; of its api_key only whether it is set",
                needs=Permission.READ,
                answers=AgentView,
                versioned=True,
            ),
            Endpoint(
                "changeAgent",
                "PATCH",
                "/agents/{id}",
                changed,
                "Change an agent; its next reply is made so",
                needs=Permission.CONFIGURE,
                description=_SECRETS,
                takes=AgentPatch,
                raw=True,
                answers=AgentView,
                guarded=True,
                versioned=True,
                problems=frozenset({409}),
            ),
            Endpoint(
                "removeAgent",
                "DELETE",
                "/agents/{id}",
                removed,
                "Remove an agent that no bot uses",
                needs=Permission.CONFIGURE,
                guarded=True,
                problems=frozenset({409}),
            ),
            Endpoint(
                "pingAgent",
                "POST",
                "/agents/{id}/ping",
                pinged,
                "Ask the model itself one short question",
                needs=Permission.OPERATE,
                answers=Ping,
            ),
        ),
    )
