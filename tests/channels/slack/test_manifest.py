from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from channels.slack.manifest import EVENTS, SCOPES, create_url, manifest

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
    assert made["features"]["slash_commands"][0]["url"] == URL


def test_the_link_opens_slacks_page_with_exactly_this_manifest() -> None:
    written = manifest("help & desk", URL)
    link = urlsplit(create_url(written))
    assert (link.scheme, link.hostname, link.path) == ("https", "api.slack.com", "/apps")
    assert parse_qs(link.query, strict_parsing=True) == {"new_app": ["1"], "manifest_yaml": [written]}


def test_each_scope_and_event_says_what_for_in_both_languages() -> None:
    for need in (*SCOPES, *EVENTS):
        assert need.en
        assert any("\u4e00" <= letter <= "\u9fff" for letter in need.zh)
