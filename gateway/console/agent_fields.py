"""What can be set about an agent, as fields of a form."""

from __future__ import annotations

from gateway.admin.agents import AgentView
from gateway.console.bot_fields import spelled
from gateway.console.forms import Asked
from gateway.console.texts import Say

PROVIDER = (
    Asked("provider", "select", ("openai", "echo")),
    Asked("model", optional=True),
    Asked("base_url", optional=True),
    Asked("api_key", "secret", optional=True),
)
PROMPT = (Asked("system_prompt", "long"),)
LIMITS = (
    Asked("max_context_tokens", "number", optional=True),
    Asked("images", "select", ("auto", "true", "false"), optional=True),
    Asked("timeouts.first_token", optional=True),
    Asked("timeouts.idle", optional=True),
    Asked("timeouts.reply", optional=True),
    Asked("timeouts.health", optional=True),
)
CHANGED = (*PROVIDER, *PROMPT, *LIMITS)
MADE = (Asked("id"), *CHANGED)
AT_FIRST = {"provider": "openai", "base_url": "https://api.openai.com/v1", "images": "auto"}


def values_of(agent: AgentView) -> dict[str, str]:
    """As a form shows them."""
    return {
        "provider": agent.provider,
        "model": agent.model,
        "base_url": agent.base_url,
        "system_prompt": agent.system_prompt,
        "max_context_tokens": str(agent.max_context_tokens),
        "images": str(agent.images).lower(),
        "timeouts.first_token": spelled(agent.timeouts.first_token),
        "timeouts.idle": spelled(agent.timeouts.idle),
        "timeouts.reply": spelled(agent.timeouts.reply),
        "timeouts.health": spelled(agent.timeouts.health),
    }


def placeholders(agent: AgentView | None, say: Say) -> dict[str, str]:
    kept = agent is not None and agent.api_key.set
    return {"api_key": say("secret.keep" if kept else "secret.paste"), "model": "gpt-5-mini"}
