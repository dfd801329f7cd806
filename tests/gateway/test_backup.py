"""``turnkeeper backup`` and ``restore``, as an operator uses them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import yaml

from gateway.demo.model import Reply
from tests.gateway.test_commands import command
from tests.town import town

ADMIN: dict[str, object] = {
    "admin": {"token": "an-admin-token-of-the-tests"},
    "secrets_key": "a-secrets-key-of-the-tests",
}


def reconfigured(folder: Path, **changes: object) -> None:
    path = folder / "turnkeeper.yaml"
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**written, **changes}), encoding="utf-8")


async def test_a_backup_of_a_running_gateway_is_restored_with_what_was_said(tmp_path: Path) -> None:
    async with town(tmp_path, script=lambda m: Reply(f"{len(m)} entries"), settings=ADMIN) as here:
        said = [await here.lark_dm("one")]
        await here.answered(said, lambda: here.lark.chat("oc_1"), ["1 entries"])
        code, output = await command("backup", "copy.db", folder=tmp_path)
        assert (code, "backed up to copy.db" in output) == (0, True), output
        assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
        said.append(await here.lark_dm("two"))
        await here.answered(said, lambda: here.lark.chat("oc_1"), ["1 entries", "3 entries"])

        code, output = await command("restore", "copy.db", folder=tmp_path)
        assert code == 1
        assert "another process has it open" in output

        await here.gateway.kill()
        code, output = await command("restore", "copy.db", folder=tmp_path)
        assert (code, "what was there is" in output) == (0, True), output
        await here.gateway.start()
        said.append(await here.lark_dm("three"))
        await here.answered(said, lambda: here.lark.chat("oc_1"), ["1 entries", "3 entries", "3 entries"])


@pytest.mark.parametrize("flaw", ["none", "text", "foreign", "keys"])
async def test_what_is_no_backup_for_this_gateway_replaces_nothing(tmp_path: Path, flaw: str) -> None:
    config = {"agents": [{"id": "default", "provider": "echo"}], "store": {"url": "sqlite:///t.db"}, **ADMIN}
    (tmp_path / "turnkeeper.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    assert (await command("check", folder=tmp_path))[0] == 0
    match flaw:
        case "text":
            (tmp_path / "copy.db").write_text("no database " * 500)
        case "foreign":
            with sqlite3.connect(tmp_path / "copy.db") as other:
                other.execute("CREATE TABLE recipes (name TEXT)")
            other.close()
        case "keys":
            assert (await command("backup", "copy.db", folder=tmp_path))[0] == 0
            (tmp_path / "t.db").unlink()
            reconfigured(tmp_path, secrets_key="another-key-of-the-tests")
            assert (await command("check", folder=tmp_path))[0] == 0
    before = (tmp_path / "t.db").read_bytes()
    code, output = await command("restore", "copy.db", folder=tmp_path)
    said = {
        "none": "there is no file copy.db",
        "text": "it is no SQLite database",
        "foreign": "another program's database",
        "keys": "secrets_key is not the key of this store",
    }
    assert (code, said[flaw] in output.replace("\n", " ")) == (1, True), output
    assert (tmp_path / "t.db").read_bytes() == before
    assert sorted(one.name for one in tmp_path.glob("*.db*")) in (["copy.db", "t.db"], ["t.db"])
