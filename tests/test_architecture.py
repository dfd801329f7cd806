"""The import direction: gateway → channels → conversation, and drivers only where they belong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("gateway", "channels", "conversation")
DRIVERS = {
    "aiohttp",
    "sqlite3",
    "redis",
    "slack_sdk",
    "slack_bolt",
    "lark_oapi",
    "cryptography",
    "rich",
    "yaml",
}


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(name)):
                yield name


def modules(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} has no modules: is the test looking at the right place?"
    return found


def offenders(folder: str, *forbidden: str) -> list[str]:
    return [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules(folder)
        for name in imports(module)
        if any(name == prefix or name.startswith(prefix + ".") for prefix in forbidden)
    ]


def test_the_core_knows_neither_platforms_nor_the_process() -> None:
    assert offenders("conversation", "channels", "gateway") == []


def test_channels_know_nothing_of_the_process() -> None:
    assert offenders("channels", "gateway") == []


@pytest.mark.parametrize(("one", "other"), [("slack", "lark"), ("lark", "slack")])
def test_channels_do_not_know_each_other(one: str, other: str) -> None:
    assert offenders(f"channels/{one}", f"channels.{other}", f"{other}_sdk", f"{other}_oapi") == []


def test_only_stores_and_providers_import_drivers_in_the_core() -> None:
    core = [
        module
        for module in modules("conversation")
        if module.parent.name not in {"sqlite", "redis", "providers"}
    ]
    assert [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in core
        for name in imports(module)
        if name.partition(".")[0] in DRIVERS
    ] == []


def test_only_one_module_names_concrete_stores_channels_and_providers() -> None:
    concrete = (
        "conversation.stores.sqlite",
        "conversation.stores.redis",
        "conversation.stores.memory",
        "conversation.providers.openai",
        "conversation.providers.echo",
        "channels.slack",
        "channels.lark",
    )
    outside = [line for line in offenders("gateway", *concrete) if not line.startswith("gateway/concrete.py")]
    assert outside == []


def test_nothing_but_tests_imports_the_oracles() -> None:
    own_process = (
        "channels/lark/long_connection_child.py imports lark_oapi"  # which the gateway never imports
    )
    for package in PACKAGES:
        found = offenders(package, "lark_oapi", "slack_bolt", "pytest", "hypothesis", "tests")
        assert [line for line in found if not line.startswith(own_process)] == []
    assert offenders("channels", "channels.lark.long_connection_child") == []


def test_serving_does_not_import_what_only_other_commands_need() -> None:
    """Start-up is part of the product: what `serve` imports at the top level is watched."""
    light = {
        "rich",
        "jinja2",
        "joserfc",
        "lark_oapi",
        "slack_bolt",
        "gateway.demo",
        "gateway.api.client",
        "gateway.api.openapi",
    }
    only_elsewhere = {ROOT / "gateway" / "api" / f"{name}.py" for name in ("client", "openapi")}
    serving = [ROOT / "gateway" / f"{name}.py" for name in ("cli", "lifecycle", "wiring", "app", "settings")]
    serving += [ROOT / "gateway" / f"{name}.py" for name in ("webhooks", "telemetry", "body")]
    for module in {
        *serving,
        *modules("gateway/admin"),
        *modules("gateway/api"),
        *modules("gateway/console"),
    } - only_elsewhere:
        tree = ast.parse(module.read_text(encoding="utf-8"))
        top = {
            name.partition(".")[0] if not name.startswith("gateway") else name
            for node in tree.body
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not top & light, module
