"""``turnkeeper bots``, ``agents`` and so on, as somebody at a terminal uses them: real processes, real HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from gateway.commands.errors import CommandError
from gateway.commands.given import document
from gateway.demo.model import Reply
from tests.gateway.test_commands import command
from tests.town import Town, town

ADMIN: dict[str, object] = {
    "admin": {"token": "an-admin-token-of-the-tests"},
    "secrets_key": "a-secrets-key-of-the-tests",
}


async def told(folder: Path, *arguments: str, written: str = "") -> tuple[int, str]:
    """With something written to its standard input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *arguments, cwd=folder, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    output, errors = await process.communicate(written.encode())
    assert process.returncode is not None
    return process.returncode, (output + errors).decode()


async def made_at_the_terminal(here: Town) -> None:
    folder, known = here.folder, here.credentials
    code, output = await command(
        "bots", "create", "second", "--channel", "lark", "--agent", "default",
        "--set", f"api_base_url={here.lark.api_base_url}", folder=folder,
    )  # fmt: skip
    assert (code, "draft" in output) == (0, True), output
    for name in ("app_id", "app_secret", "encrypt_key", "verification_token"):
        code, output = await told(
            folder, "bots", "change", "second", "--secret", f"{name}=-", written=f"{getattr(known, name)}\n"
        )
        assert code == 0, output
        assert getattr(known, name) not in output
    assert "ready" in output


async def test_a_bot_is_made_tested_used_looked_at_and_removed_at_a_terminal(tmp_path: Path) -> None:
    async with town(tmp_path, script=lambda m: Reply(f"fine: {m[-1].content}"), settings=ADMIN) as here:
        await made_at_the_terminal(here)
        code, output = await command("bots", "test", "second", "--json", folder=tmp_path)
        assert (code, json.loads(output)["ok"]) == (0, True), output
        url = here.gateway.lark_webhook.replace("assistant", "second")
        said = [await here.lark.say(url, chat="oc_1", user="ou_1", text="hello")]
        await here.answered(said, lambda: here.lark.chat("oc_1"))
        _, output = await command("conversations", "list", "--bot", "second", "--json", folder=tmp_path)
        (conversation,) = json.loads(output)
        code, output = await command("conversations", "show", conversation["key"], folder=tmp_path)
        assert (code, "fine: hello" in output) == (0, True), output
        code, output = await command("turns", "explain", conversation["key"], folder=tmp_path)
        assert (code, "turn.completed" in output) == (0, True), output
        code, output = await command("bots", "remove", "second", folder=tmp_path)
        assert (code, output) == (0, "removed second\n")
        _, output = await command("audit", "list", folder=tmp_path)
        assert output.index("bot.removed") < output.index("bot.created")
        assert here.credentials.app_secret not in output


async def test_a_token_is_made_and_revoked(tmp_path: Path) -> None:
    async with town(tmp_path, settings=ADMIN):
        code, output = await command(
            "tokens", "create", "ci", "--role", "viewer", "--expires-in", "90d", "--json", folder=tmp_path
        )
        made = json.loads(output)
        assert (code, made["token"][:3]) == (0, "tk_")
        code, _ = await command("tokens", "revoke", made["id"], folder=tmp_path)
        assert code == 0
        code, output = await command("tokens", "revoke", made["id"], folder=tmp_path)
        assert (code, output.count("\n")) == (1, 1), output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bots", "show", "nobody"), "there is no bot 'nobody'"),
        (("bots", "change", "helpdesk", "--set", "enabled=false"), "stands in the configuration file"),
        (("bots", "list", "--url", "nowhere"), "--url must be an address"),
        (("agents", "create", "x", "--provider", "opnai"), "did you mean openai?"),
        (("conversations", "show", "k1.x"), "no"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    async with town(tmp_path, settings=ADMIN):
        code, output = await command(*arguments, folder=tmp_path)
        assert (code, said in output, output.count("\n")) == (1, True, 1), output


def test_settings_nest_by_dots_and_an_empty_one_takes_away() -> None:
    given = document(
        ["enabled=false", 'allow.users=["U1"]', "max_age=", "system_prompt=Be short."],
        ["bot_token=env:TOKEN"],
        under="credentials",
    )
    assert given == {
        "enabled": False,
        "allow": {"users": ["U1"]},
        "max_age": None,
        "system_prompt": "Be short.",
        "credentials": {"bot_token": "env:TOKEN"},
    }


@pytest.mark.parametrize(
    ("settings", "secrets"), [(["enabled"], []), ([], ["bot_token"]), ([], ["bot_token=xoxb-1"])]
)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(
    settings: list[str], secrets: list[str]
) -> None:
    with pytest.raises(CommandError, match="write") as caught:
        document(settings, secrets, under="credentials")
    assert "xoxb-1" not in str(caught.value)
