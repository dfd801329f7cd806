"""What a person who gave a command, or asked about the bot itself, is told. No model is asked."""

from __future__ import annotations

from collections.abc import Container

from conversation.bot import Bot
from conversation.messages import InboundMessage
from conversation.texts import hint
from conversation.texts.hints import Hint


def told(bot: Bot, message: InboundMessage, bound: str, known: Container[str]) -> str:
    """One short answer in the person's language. ``bound`` is the agent of the conversation, or empty; ``known`` are
    the ids of all agents that there are.
    """
    locale, command = message.locale, message.command
    if command is not None and command.kind == "bind":
        return hint(Hint.AGENT_BOUND, locale).format(agent=command.agent)
    if command is not None:
        return hint(Hint.FORGOTTEN, locale)
    if message.asks == "agents":
        current = hint(Hint.AGENT_NOW, locale).format(agent=bound if bound in known else bot.agent.id)
        others = ", ".join(id for id in bot.selectable if id in known)
        if not others:
            return current
        return f"{current} {hint(Hint.AGENTS_TO_CHOOSE, locale).format(agents=others)}"
    return hint(Hint.HELP, locale)
