"""What can be set about a bot, as fields of a form."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.admin.bots import BotView
from gateway.console.forms import Asked
from gateway.console.texts import Say

SECRETS: Mapping[str, tuple[Asked, ...]] = {
    "slack": (Asked("credentials.signing_secret", "secret"), Asked("credentials.bot_token", "secret")),
    "lark": (
        Asked("credentials.app_id", "secret"),
        Asked("credentials.app_secret", "secret"),
        Asked("credentials.encrypt_key", "secret", optional=True),
        Asked("credentials.verification_token", "secret", optional=True),
    ),
}

KEPT: Mapping[str, tuple[Asked, ...]] = {
    "slack": (
        Asked("credentials.signing_secret", "secret"),
        Asked("credentials.bot_token", "secret", optional=True),
        Asked("credentials.client_id", "secret", optional=True),
        Asked("credentials.client_secret", "secret", optional=True),
        Asked("credentials.app_token", "secret", optional=True),
    ),
    "lark": SECRETS["lark"],
}
"""All that a bot may have, of which ``SECRETS`` asks for what is usual."""

_REGION = Asked("region", "select", ("feishu", "lark"))
_BASE = Asked("api_base_url", optional=True)

BEGIN: Mapping[str, tuple[Asked, ...]] = {
    "slack": (Asked("id"), _BASE),
    "lark": (Asked("id"), _REGION, _BASE),
}
"""Of a draft, in the first step."""

USUAL = (
    Asked("agent", "select"),
    Asked("respond_to", "select", ("mentions", "all")),
    Asked("when_busy", "select", ("queue", "merge", "interrupt", "reject")),
    Asked("conversation_per", "select", ("auto", "thread", "sender", "chat")),
    Asked("locale", "select", ("auto", "en", "zh")),
    Asked("stream", "check"),
    Asked("feedback", "check"),
    Asked("agents", "lines", optional=True),
    Asked("welcome.enabled", "check"),
    Asked("welcome.text", "long", optional=True),
    Asked("welcome.prompts", "lines", optional=True),
)
ACCESS = (
    Asked("external_users", "select", ("deny", "allow")),
    Asked("allow.users", "lines", optional=True),
    Asked("allow.chats", "lines", optional=True),
    Asked("no_store", "check"),
)
_LIMITS = (Asked("max_replies", "number", optional=True), Asked("max_age", optional=True))
ADVANCED: Mapping[str, tuple[Asked, ...]] = {
    "slack": (*_LIMITS, Asked("transport", "select", ("webhook", "socket")), _BASE),
    "lark": (
        *_LIMITS,
        Asked("transport", "select", ("webhook", "long_connection")),
        Asked("app_type", "select", ("self_built", "store")),
        _REGION,
        _BASE,
    ),
}


def settings_of(channel: str) -> tuple[Asked, ...]:
    return (*USUAL, *ACCESS, *ADVANCED[channel])


def values_of(bot: BotView) -> dict[str, str]:
    """As a form shows them."""
    given = bot.settings
    values = {
        "agent": bot.agent,
        "respond_to": given.respond_to,
        "when_busy": given.when_busy,
        "conversation_per": given.conversation_per,
        "locale": given.locale,
        "stream": checked(given.stream),
        "feedback": checked(given.feedback),
        "agents": "\n".join(given.agents),
        "welcome.enabled": checked(given.welcome.enabled),
        "welcome.text": given.welcome.text,
        "welcome.prompts": "\n".join(given.welcome.prompts),
        "external_users": given.external_users,
        "allow.users": "\n".join(given.allow.users),
        "allow.chats": "\n".join(given.allow.chats),
        "no_store": checked(given.no_store),
        "max_replies": "" if given.max_replies is None else str(given.max_replies),
        "max_age": spelled(given.max_age),
        "api_base_url": given.api_base_url or "",
        "transport": given.transport,
    }
    if bot.channel == "lark":
        values["app_type"] = given.app_type or "self_built"
        values["region"] = given.region or "feishu"
    return values


def secret_placeholders(bot: BotView, say: Say) -> dict[str, str]:
    return {
        f"credentials.{name}": say("secret.keep" if view.set else "secret.paste")
        for name, view in bot.credentials.items()
    }


def checked(value: bool) -> str:
    return "on" if value else ""


def spelled(seconds: float) -> str:
    """A duration as the configuration writes it."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:g}s"
