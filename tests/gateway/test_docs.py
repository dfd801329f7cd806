"""The documentation agrees with the program: keys, defaults, examples, log events, notices, links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import pytest
import yaml
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from channels.commands import STOP
from channels.lark import manifest as lark_manifest
from channels.slack import manifest as slack_manifest
from conversation.stores.redis.errors import PERMISSIONS
from conversation.texts import en
from gateway.setting_values import Duration, Section
from gateway.settings import Settings, load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGURATION = ROOT / "docs" / "configuration.md"
OPERATE = ROOT / "docs" / "operate.md"

Row = dict[str, str]


def tables(page: Path) -> Iterator[list[Row]]:
    """Every table, as rows by the names of its columns."""
    columns: list[str] = []
    rows: list[Row] = []
    for line in [*page.read_text(encoding="utf-8").splitlines(), ""]:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            if rows:
                yield rows
            columns, rows = [], []
        elif not columns:
            columns = cells
        elif not set(line) <= set("|-: "):
            assert len(cells) == len(columns), f"{page.name}: {line}"
            rows.append(dict(zip(columns, cells, strict=True)))


def rows_by(page: Path, column: str) -> dict[str, Row]:
    """The rows of all tables whose first column has this name, by what stands there."""
    found: dict[str, Row] = {}
    for table in tables(page):
        if next(iter(table[0])) == column:
            for row in table:
                name = row[column].strip("`")
                assert name not in found, f"{name} is documented twice"
                found[name] = row
    assert found, f"{page.name} has no table with the column {column!r}"
    return found


def sections(annotation: object) -> Iterator[type[Section]]:
    """The sections that a field's type names."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    elif get_origin(annotation) in (UnionType, Union, Annotated, tuple):
        for inner in get_args(annotation):
            yield from sections(inner)


def keys(section: type[Section], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key that holds a value, as it is documented."""
    for name, field in section.model_fields.items():
        inner = [*sections(field.annotation)]
        many = "[]" if get_origin(field.annotation) is tuple else ""
        if not inner:
            yield f"{prefix}{name}", field
        for one in inner:
            yield from keys(one, f"{prefix}{name}{many}.")


def documented_as(field: FieldInfo, cell: str) -> bool:
    """Whether a cell states the field's default."""
    if field.is_required():
        return cell == "required"
    written = cell.strip("`")
    match field.default:
        case None:
            return cell == "none"
        case "" | ():
            return cell == "empty"
        case bool(default):
            return written == str(default).lower()
        case float(default):
            return TypeAdapter[float](Duration).validate_python(written) == default
        case default:
            return written == str(default)


def test_every_key_of_the_configuration_is_documented_with_its_default() -> None:
    documented = rows_by(CONFIGURATION, "key")
    fields = dict(keys(Settings))
    assert set(documented) == set(fields)
    wrong = {
        key: documented[key]["default"]
        for key, field in fields.items()
        if not documented_as(field, documented[key]["default"])
    }
    assert wrong == {}


def test_keys_without_effect_are_documented_as_such(tmp_path: Path) -> None:
    everything = """
        admin: {listen: "127.0.0.1:1", token: t}
        secrets_key: a-key-of-sixteen-or-more
        store: {url: "memory:", namespace: n}
        agents: [{id: a, provider: echo}]
    """
    path = tmp_path / "turnkeeper.yaml"
    path.write_text(everything, encoding="utf-8")
    told = {re.split("[ :]", line)[0].replace("[0]", "[]") for line in load(path, {}).unsupported()}
    documented = rows_by(CONFIGURATION, "key")
    idle = {key for key, row in documented.items() if row["effect"] != "yes"}
    assert told == idle - {"store.durability"}


def test_the_permissions_that_redis_is_asked_for_are_documented() -> None:
    assert PERMISSIONS in OPERATE.read_text(encoding="utf-8")


def blocks() -> Iterator[tuple[str, str]]:
    """Every YAML block, with where it stands."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            yield f"{page.name}:{text.count(chr(10), 0, block.start()) + 1}", block[1]


CONFIGURATIONS = [(where, text) for where, text in blocks() if "display_information" not in text]


def test_there_are_examples_in_readme_and_documentation() -> None:
    assert {where.partition(":")[0] for where, _ in CONFIGURATIONS} >= {"README.md", "configuration.md"}


@pytest.mark.parametrize(("where", "text"), CONFIGURATIONS, ids=[where for where, _ in CONFIGURATIONS])
def test_every_example_of_a_configuration_loads(where: str, text: str, tmp_path: Path) -> None:
    """With made-up secrets, and the agent ``default`` where an example shows bots alone."""
    if not re.search("^agents:", text, re.MULTILINE):
        text += "\nagents: [{id: default, provider: echo}]\n"
    for reference in re.findall(r"file:([\w./-]+)", text):
        (tmp_path / reference).parent.mkdir(exist_ok=True)
        (tmp_path / reference).write_text("made-up\n")
    environ = dict.fromkeys(re.findall(r"env:(\w+)|\$\{(\w+)\}", text), "made-up")
    names = {name for pair in environ for name in pair if name}
    path = tmp_path / "turnkeeper.yaml"
    path.write_text(text, encoding="utf-8")
    settings = load(path, dict.fromkeys(names, "made-up-and-long-enough"))
    assert settings.bots or settings.admin.token or settings.telemetry.otlp_endpoint, where


def test_the_documented_slack_manifest_is_the_one_that_is_made() -> None:
    (written,) = (text for _, text in blocks() if "display_information" in text)
    made = slack_manifest.manifest("Helpdesk", "https://HOST/webhooks/slack/BOT")
    assert yaml.safe_load(written) == yaml.safe_load(made)


def test_the_slack_manifest_subscribes_to_what_its_scopes_allow() -> None:
    """Slack refuses a manifest whose events lack their scopes."""
    (manifest,) = (yaml.safe_load(text) for _, text in blocks() if "display_information" in text)
    events = manifest["settings"]["event_subscriptions"]
    scopes = set(manifest["oauth_config"]["scopes"]["bot"])
    needed = {
        "app_mention": "app_mentions:read",
        "message.im": "im:history",
        "message.mpim": "mpim:history",
    }
    free = {"app_home_opened", "agent_session_stopped", "app_uninstalled", "tokens_revoked"}
    assert {needed[event] for event in events["bot_events"] if event not in free} <= scopes
    assert events["request_url"].endswith("/webhooks/slack/BOT")
    commands = manifest["features"]["slash_commands"]
    assert {one["url"] for one in commands} == {events["request_url"]}
    assert f"/BOT-{STOP[1:]}".lower() in {one["command"].lower() for one in commands}
    assert "commands" in scopes


def test_the_lark_scopes_and_events_that_are_asked_for_are_the_documented_ones() -> None:
    page = ROOT / "docs" / "lark.md"
    text = page.read_text(encoding="utf-8")
    asked = {need.name for need in lark_manifest.SCOPES}
    assert set(rows_by(page, "scope")) == asked - {"im:message.group_msg"}
    for need in (*lark_manifest.SCOPES, *lark_manifest.EVENTS):
        assert f"`{need.name}`" in text


def logged() -> dict[str, tuple[str, set[str]]]:
    """Every event that the gateway logs: its level and its fields."""
    found: dict[str, tuple[str, set[str]]] = {}
    modules = [
        path for name in ("gateway", "channels", "conversation") for path in (ROOT / name).rglob("*.py")
    ]
    for module in modules:
        if "demo" in module.parts:
            continue
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id="_log") | ast.Call(func=ast.Attribute(attr="get_logger")),
                        attr=("info" | "warning" | "error" | "critical" | "exception") as method,
                    ),
                    args=[ast.Constant(value=str(event))],
                    keywords=keywords,
                ):
                    fields = {keyword.arg for keyword in keywords if keyword.arg}
                    if method == "exception":
                        method, fields = "error", fields | {"exc_info"}
                    if "exc_info" in fields:
                        fields = fields - {"exc_info"} | {"exception", "at"}
                    found[event] = (method, fields)
    return found


def test_every_log_event_is_documented_with_its_fields() -> None:
    documented = {
        event: (row["level"], set(re.findall(r"`(\w+)`", row["fields"])))
        for event, row in rows_by(OPERATE, "event").items()
    }
    assert documented == logged()


def test_every_notice_is_documented_in_its_words() -> None:
    """All that a person can be shown; ``operate`` names the two reasons that are not."""
    text = OPERATE.read_text(encoding="utf-8")
    documented = {row["reason"].strip("`"): notice for notice, row in rows_by(OPERATE, "notice").items()}
    for reason, notice in en.NOTICES.items():
        if reason in documented:
            assert documented.pop(reason) == notice
        else:
            assert f"`{reason}`" in text
    assert documented == {}


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert broken == []
