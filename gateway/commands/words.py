"""The words of the commands that speak the admin API. It imports nothing of them, so that ``serve`` starts light."""

from __future__ import annotations

import argparse
from typing import Any

SUBJECTS = ("bots", "agents", "conversations", "turns", "tokens", "audit")

_SECRET = "NAME=env:VARIABLE, NAME=file:PATH, or NAME=- to be asked for it; may be repeated"  # noqa: S105 - a help text
_SET = "KEY=VALUE as in the configuration file; may be repeated; an empty VALUE takes the key away"


class _Words:
    """Adds actions to subjects. Any: argparse names no type for what it gives."""

    def __init__(self, commands: Any, config: argparse.ArgumentParser) -> None:
        self._commands = commands
        self._common = argparse.ArgumentParser(add_help=False, parents=[config])
        self._common.add_argument(
            "--url", help="the gateway's address, else as the configuration says, on this machine"
        )
        self._common.add_argument("--json", action="store_true", help="print JSON")

    def subject(self, name: str, does: str) -> Any:
        parser = self._commands.add_parser(name, help=does)
        return parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(self, of: Any, name: str, does: str, *operands: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = of.add_parser(name, parents=[self._common], help=does)
        for operand in operands:
            parser.add_argument(operand.lower(), metavar=operand)
        return parser


def add_subjects(commands: Any, config: argparse.ArgumentParser) -> None:  # Any: see _Words
    """``turnkeeper bots list`` and so on."""
    words = _Words(commands, config)
    _add_bots(words)
    _add_agents(words)
    _add_conversations(words)
    _add_access(words)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=_SET)
    parser.add_argument("--secret", action="append", default=[], metavar="NAME=…", help=_SECRET)


def _add_bots(words: _Words) -> None:
    bots = words.subject("bots", "bots of the file and of the store")
    words.action(bots, "list", "all of them")
    words.action(bots, "show", "one of them, with its settings", "ID")
    create = words.action(bots, "create", "make one; without credentials it is a draft", "ID")
    create.add_argument("--channel", choices=("slack", "lark"), required=True)
    create.add_argument("--agent", required=True)
    _add_settings(create)
    _add_settings(words.action(bots, "change", "change one", "ID"))
    words.action(bots, "remove", "remove one; what waits for it gets a notice", "ID")
    words.action(bots, "installations", "the workspaces in which one is that was installed by OAuth", "ID")
    words.action(bots, "uninstall", "use one of them no more", "ID", "PLACE")
    words.action(bots, "status", "what arrived and what was answered", "ID")
    words.action(bots, "test", "send a synthetic event through the whole path", "ID")


def _add_agents(words: _Words) -> None:
    agents = words.subject("agents", "models with their instructions")
    words.action(agents, "list", "all of them")
    words.action(agents, "show", "one of them", "ID")
    create = words.action(agents, "create", "make one", "ID")
    create.add_argument("--provider", default="openai")
    create.add_argument("--model", default="")
    _add_settings(create)
    _add_settings(words.action(agents, "change", "change one", "ID"))
    words.action(agents, "remove", "remove one that no bot uses", "ID")
    words.action(agents, "ping", "ask its model one short question", "ID")


def _add_conversations(words: _Words) -> None:
    conversations = words.subject("conversations", "what is being talked about")
    words.action(conversations, "list", "the newest activity first").add_argument("--bot")
    words.action(conversations, "show", "its queue, and what was said", "KEY")
    say = words.action(conversations, "say", "say something in it; the answer goes there", "KEY", "TEXT")
    say.add_argument("--user", help="as whom, by the platform's id")
    words.action(conversations, "stop", "stop the reply", "KEY")
    words.action(conversations, "bind", "let an agent answer from now on", "KEY", "AGENT")
    words.action(conversations, "clear", "forget what was said", "KEY")
    words.action(conversations, "end", "forget what was said and the agent", "KEY")
    turns = words.subject("turns", "why a message was answered as it was")
    words.action(turns, "explain", "by reference, turn, conversation or message link", "WHAT")


def _add_access(words: _Words) -> None:
    tokens = words.subject("tokens", "who may use the API")
    words.action(tokens, "list", "all of them")
    create = words.action(tokens, "create", "make one; it is shown once", "NAME")
    create.add_argument("--role", choices=("admin", "operator", "auditor", "viewer"), required=True)
    create.add_argument("--bot", action="append", help="for this bot alone; may be repeated")
    create.add_argument("--expires-in", metavar="DURATION", help="such as 90d")
    words.action(tokens, "revoke", "at once, everywhere", "ID")
    audit = words.subject("audit", "who changed what")
    words.action(audit, "list", "newest first").add_argument("--limit", type=int, default=50)
