from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from channels.commands import read_command
from channels.slack.manifest import EVENTS, SCOPES, create_url, manifest, slash_command

URL = "https://bots.example.com/webhooks/slack/helpdesk"


@pytest.mark.parametrize(
    "name", ["helpdesk", "x" * 63, "help: {desk}\n- 'a' \"b\" # c", "帮助台", "yes", "12"]
)
def test_any_name_makes_one_app_with_all_it_needs_and_nothing_else(name: str) -> None:
    made = yaml.safe_load(manifest(name, URL))
    assert made["display_information"] == {"name": name[:35]}, "Slack takes no longer name of an app"
    assert made["features"]["bot_user"]["display_name"] == name
    assert made["settings"]["event_subscriptions"] == {
        "request_url": URL,
        "bot_events": [event.name for event in EVENTS],
    }
    assert set(made["oauth_config"]["scopes"]["bot"]) == {scope.name for scope in SCOPES}
    commands = made["features"]["slash_commands"]
    assert [one["command"] for one in commands] == [
        f"/helpdesk-{name}" for name in ("new", "stop", "agent", "help")
    ]
    assert {one["url"] for one in (*commands, made["settings"]["interactivity"]) if "url" in one} == {URL}
    assert made["settings"]["interactivity"] == {"is_enabled": True, "request_url": URL}


def test_where_people_come_back_to_is_among_the_apps_redirect_urls() -> None:
    back = "https://bots.example.com/slack/helpdesk/oauth_redirect"
    assert yaml.safe_load(manifest("helpdesk", URL, redirect_url=back))["oauth_config"]["redirect_urls"] == [
        back
    ]
    assert "redirect_urls" not in yaml.safe_load(manifest("helpdesk", URL))["oauth_config"]


def test_with_socket_mode_there_is_no_url() -> None:
    made = manifest("helpdesk", "/webhooks/slack/helpdesk", socket=True)
    assert yaml.safe_load(made)["settings"]["socket_mode_enabled"] is True
    assert "url" not in made.replace("redirect_urls", "")
    assert yaml.safe_load(made)["features"]["slash_commands"][0]["command"] == "/helpdesk-new"


@pytest.mark.parametrize("bot", ["a" * 63, "a-b" * 21, "x", f"{'a' * 24}-b"])
def test_a_slash_command_is_short_enough_and_read_again_as_what_it_is(bot: str) -> None:
    for name in ("new", "stop", "agent", "help"):
        command = slash_command(f"https://bots.example.com/webhooks/slack/{bot}", name)
        assert len(command) <= 32
        assert re.fullmatch(r"/[a-z0-9][a-z0-9-]*[a-z0-9]", command)
        assert read_command(f"/{command.rpartition('-')[2]}") == (name, "")


def test_the_link_opens_slacks_page_with_exactly_this_manifest() -> None:
    written = manifest("help & desk", URL)
    link = urlsplit(create_url(written))
    assert (link.scheme, link.hostname, link.path) == ("https", "api.slack.com", "/apps")
    assert parse_qs(link.query, strict_parsing=True) == {"new_app": ["1"], "manifest_yaml": [written]}


def test_each_scope_and_event_says_what_for_in_both_languages() -> None:
    for need in (*SCOPES, *EVENTS):
        assert need.en
        assert any("\u4e00" <= letter <= "\u9fff" for letter in need.zh)
