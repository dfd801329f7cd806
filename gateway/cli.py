"""The command ``turnkeeper``. Each command imports what it needs when it runs, so that ``serve`` starts light."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING

from gateway import __version__
from gateway.commands.words import SUBJECTS, add_subjects
from gateway.config_file import SettingsError
from gateway.settings import Settings, find_config, load

if TYPE_CHECKING:  # drawn with only by those commands that print
    from rich.console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the process's exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "demo":
        from gateway import demo  # noqa: PLC0415 - draws with rich, which serving does not need

        return demo.run(chaos=options.chaos)
    try:
        settings = load(find_config(options.config), spare_others=options.command == "serve")
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _COMMANDS[options.command](settings, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="turnkeeper",
        description="A chat-bot gateway that keeps the turns of every conversation.",
    )
    parser.add_argument("--version", action="version", version=f"turnkeeper {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", metavar="FILE", help="else TURNKEEPER_CONFIG, else ./turnkeeper.yaml")
    commands.add_parser("serve", parents=[config], help="run the gateway; SIGTERM drains it")
    check = commands.add_parser(
        "check", parents=[config], help="validate the configuration and ask store, platforms and models once"
    )
    check.add_argument("--live", action="store_true", help="also ask each model itself one short question")
    _add_dead_letters(commands.add_parser("dead-letters", help="messages that could not be answered"), config)
    manifest = commands.add_parser(
        "manifest", parents=[config], help="what to set at Slack, Lark or Feishu for a bot"
    )
    manifest.add_argument("bot", metavar="BOT")
    manifest.add_argument("--url", help="ask the gateway at this address")
    manifest.add_argument("--json", action="store_true", help="print JSON")
    backup = commands.add_parser(
        "backup", parents=[config], help="copy the embedded store to a file, also while the gateway runs"
    )
    backup.add_argument("file", metavar="FILE")
    backup.add_argument("--url", help="the gateway's address, else as the configuration says")
    restore = commands.add_parser("restore", parents=[config], help="put such a file in the store's place")
    restore.add_argument("file", metavar="FILE")
    secrets = commands.add_parser("secrets", help="stored secrets").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    rotate = secrets.add_parser("rotate", parents=[config], help="seal all with the first key of secrets_key")
    rotate.add_argument("--url", help="the gateway's address, else as the configuration says")
    rotate.add_argument("--json", action="store_true", help="print JSON")
    add_subjects(commands, config)
    demo = commands.add_parser("demo", help="see the main job working, without any account")
    demo.add_argument(
        "--chaos", action="store_true", help="kill the gateway mid-reply and see every message finished"
    )
    return parser


def _add_dead_letters(parser: argparse.ArgumentParser, config: argparse.ArgumentParser) -> None:
    common = argparse.ArgumentParser(add_help=False, parents=[config])
    common.add_argument(
        "--url", help="the gateway's address, else as the configuration says, on this machine"
    )
    common.add_argument("--json", action="store_true", help="print JSON")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", parents=[common], help="all of them, oldest first, without what was written")
    for action, does in (
        ("show", "one of them, with what was written"),
        ("retry", "queue its messages again, and drop it"),
        ("drop", "forget it"),
    ):
        actions.add_parser(action, parents=[common], help=does).add_argument("id", metavar="ID")


def _serve(settings: Settings, _: argparse.Namespace) -> int:
    import structlog  # noqa: PLC0415 - see the module's docstring, here and below
    import uvloop  # noqa: PLC0415

    from conversation.stores.port import StoreUnavailableError  # noqa: PLC0415
    from gateway import lifecycle, telemetry  # noqa: PLC0415
    from gateway.canary import WrongKeyError  # noqa: PLC0415
    from gateway.hosting import CollisionError  # noqa: PLC0415

    telemetry.configure()
    for warning in settings.unsupported():
        structlog.get_logger().warning("configuration", note=warning)
    for cause in settings.left_out:
        structlog.get_logger().error("secret missing", cause=cause)
    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(lifecycle.serve(settings))
    except* (StoreUnavailableError, WrongKeyError, CollisionError, OSError) as troubles:
        for trouble in troubles.exceptions:
            sys.stderr.write(f"turnkeeper: {trouble}\n")
        code = 1
    except* Exception as bugs:  # noqa: BLE001 - the last boundary: a traceback would quote messages
        for bug in bugs.exceptions:
            structlog.get_logger().critical("gateway broke", exc_info=bug)
        code = 1
    return code


def _check(settings: Settings, options: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from gateway.checkup import examine  # noqa: PLC0415

    async def ask() -> bool:
        table = Table("", "asked", "said", title="turnkeeper check")
        well = True
        async for finding in examine(settings, live=options.live):
            well = well and finding.ok
            table.add_row("[green]✓[/]" if finding.ok else "[red]✗[/]", finding.subject, finding.detail)
        Console().print(table)
        return well

    return 0 if asyncio.run(ask()) else 1


def _dead_letters(settings: Settings, options: argparse.Namespace) -> int:
    from gateway.commands.dead_letters import Wish, run  # noqa: PLC0415

    wish = Wish(options.action, getattr(options, "id", ""), options.url, options.json)
    return _command(lambda console: run(settings, wish, console))


def _manifest(settings: Settings, options: argparse.Namespace) -> int:
    from gateway.commands.manifest import run  # noqa: PLC0415

    return _command(lambda console: run(settings, options.bot, options.url, console, json=options.json))


def _backup(settings: Settings, options: argparse.Namespace) -> int:
    from gateway.commands.backup import back_up, restore  # noqa: PLC0415

    if options.command == "restore":
        return _command(lambda console: restore(settings, options.file, console))
    return _command(lambda console: back_up(settings, options.file, options.url, console))


def _administer(settings: Settings, options: argparse.Namespace) -> int:
    from gateway.commands.administer import run  # noqa: PLC0415

    return _command(lambda console: run(settings, options, console))


def _secrets(settings: Settings, options: argparse.Namespace) -> int:
    from gateway.commands.secrets import rotate  # noqa: PLC0415

    return _command(lambda console: rotate(settings, options.url, console, json=options.json))


def _command(run: Callable[[Console], Coroutine[None, None, bool | None]]) -> int:
    """The exit code of a command that prints: 1 with the reason in a line, or if it says that not all is well."""
    import structlog  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    from gateway.commands.errors import CommandError  # noqa: PLC0415

    # What a store advises when it is opened is for ``serve`` to say.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return 1 if asyncio.run(run(Console())) is False else 0
    except CommandError as error:
        sys.stderr.write(f"turnkeeper: {error}\n")
        return 1


_COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], int]] = {
    "serve": _serve,
    "check": _check,
    "manifest": _manifest,
    "dead-letters": _dead_letters,
    "secrets": _secrets,
    **dict.fromkeys(SUBJECTS, _administer),
    "backup": _backup,
    "restore": _backup,
}
