"""Each row of Slack's error codes: what the person sees, and what the gateway does about it.

The codes are injected into the stand-in at the moment of an answer; everything else is the real gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo.model import ModelStandin, Reply
from gateway.demo.slack import SlackStandin
from gateway.demo.standin import Shown
from tests.gateway.running import Running, running
from tests.waiting import until

SECRET, TOKEN, PERSON = "made-up-signing-secret", "xoxb-made-up", "U061F7AUR"
TEXT = "The whole answer, from its beginning to its end."

RATE = ["ratelimited", "rate_limited"]
TRANSIENT = ["internal_error", "fatal_error", "service_unavailable", "request_timeout"]
CREDENTIAL = [
    "invalid_auth",
    "not_authed",
    "token_revoked",
    "account_inactive",
    "token_expired",
    "org_login_required",
]
PERMISSION = [
    "missing_scope",
    "no_permission",
    "restricted_action",
    "restricted_action_read_only_channel",
    "ekm_access_denied",
    "message_limit_exceeded",
]
DESTINATION = [
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "messages_tab_disabled",
    "user_not_found",
    "thread_not_found",
]
CONTENT = ["msg_too_long", "msg_blocks_too_long", "msg_blocks_too_many", "invalid_blocks"]
EDIT = ["message_not_found", "cant_update_message", "edit_window_closed"]
"""Of streaming_state_conflict, which needs a stream that is open, tests/channels/slack/test_outbound.py tells."""


class Place:
    """A bot, and the channel or direct message in which it is asked."""

    def __init__(self, slack: SlackStandin, here: Running, channel: str) -> None:
        self.slack = slack
        self.here = here
        self.channel = channel

    async def asks(self) -> None:
        url = f"{self.here.url}/webhooks/slack/helpdesk"
        await self.slack.say(url, channel=self.channel, user=PERSON, text="Why?")

    @property
    def shown(self) -> list[Shown]:
        return [one for one in self.slack.rooms[self.channel].messages.values() if one.author == "bot"]

    async def outcome(self) -> str:
        def ended() -> list[str]:
            happened = self.here.store.turns.happened
            return [event.detail for event in happened if event.kind == "turn.completed"]

        await until(ended, 20, lambda: [event.kind for event in self.here.store.turns.happened])
        return ended()[0]

    async def is_answered_once(self) -> None:
        assert await self.outcome() == "answered"
        assert [one.text for one in self.shown] == [TEXT]
        assert self.slack.open_streams() == []

    async def is_given_up(self, cause: str) -> None:
        """The person sees nothing (more): it is kept for the admin, whose status tells of it."""
        assert await self.outcome() == "delivery_failed"
        (letter,) = await self.here.store.turns.dead_letters()
        assert letter.messages[0].text == "Why?"
        administration = self.here.gateway.administration
        assert administration is not None
        tally = await administration.status._book.tally("helpdesk")
        assert tally.last_error == "delivery_failed"
        assert any(cause in refusal for refusal in self.slack.refusals) or cause


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    async with SlackStandin(signing_secret=SECRET, bot_token=TOKEN, redeliver=False, latency=0) as one:
        one.add_channel("D1", "im")
        one.add_channel("C1")
        yield one
        assert one.complaints == []


@pytest.fixture(params=["D1", "C1"])
async def place(tmp_path: Path, slack: SlackStandin, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """D1: posted and updated. C1: streamed in a thread."""
    async with ModelStandin(api_key="sk-made-up", tokens_per_second=200, first_token_after=0) as model:
        model.script = lambda _: Reply(TEXT)
        bot = {
            "id": "helpdesk",
            "channel": "slack",
            "api_base_url": slack.api_base_url,
            "credentials": {"signing_secret": SECRET, "bot_token": TOKEN},
        }
        agents = [
            {
                "id": "default",
                "provider": "openai",
                "model": "m",
                "base_url": f"{model.url}/v1",
                "api_key": "sk-made-up",
            }
        ]
        async with running(tmp_path, bot, agents=agents) as here, asyncio.timeout(45):
            yield Place(slack, here, request.param)


def opening(place: Place) -> tuple[str, ...]:
    return ("chat.postMessage",) if place.channel == "D1" else ("chat.startStream", "chat.postMessage")


def closing(place: Place) -> str:
    return "chat.update" if place.channel == "D1" else "chat.stopStream"


@pytest.mark.parametrize("code", [*RATE, "429"])
async def test_rate_the_person_waits_as_long_as_slack_asks_and_gets_the_answer(
    place: Place, code: str
) -> None:
    for method in (opening(place)[0], closing(place)):
        if code == "429":
            place.slack.fail_next(method, status=429, retry_after=1)
        else:
            place.slack.fail_next(method, error=code, retry_after=1)
    await place.asks()
    await place.is_answered_once()


@pytest.mark.parametrize("code", [*TRANSIENT, "500", "503"])
async def test_transient_it_is_tried_again_and_shown_once(place: Place, code: str) -> None:
    for method in (opening(place)[0], closing(place)):
        if code.isdigit():
            place.slack.fail_next(method, status=int(code))
        else:
            place.slack.fail_next(method, error=code)
    await place.asks()
    await place.is_answered_once()


@pytest.mark.parametrize("code", [*CREDENTIAL, *PERMISSION, *DESTINATION])
async def test_credential_permission_destination_nothing_is_tried_for_long_and_the_admin_is_told(
    place: Place, code: str
) -> None:
    for method in opening(place):
        place.slack.fail_next(method, error=code, times=9)
    await place.asks()
    await place.is_given_up(code)
    assert place.shown == []
    assert sum(place.slack.calls[method] for method in opening(place)) <= 4


@pytest.mark.parametrize("code", [*CREDENTIAL, *PERMISSION])
async def test_a_token_that_ends_under_an_answer_leaves_what_was_shown(place: Place, code: str) -> None:
    for method in ("chat.update", "chat.appendStream", "chat.stopStream"):
        place.slack.fail_next(method, error=code, times=99)
    await place.asks()
    await place.is_given_up(code)
    assert len(place.shown) == 1
    assert TEXT.startswith(place.shown[0].text.rstrip())


@pytest.mark.parametrize("code", CONTENT)
async def test_content_a_stream_or_buttons_that_slack_does_not_take_cost_nothing_of_the_answer(
    place: Place, code: str
) -> None:
    place.slack.fail_next(closing(place), error=code)
    await place.asks()
    await place.is_answered_once()


@pytest.mark.parametrize("code", EDIT)
async def test_edit_a_message_that_cannot_be_changed_any_more_is_shown_anew(place: Place, code: str) -> None:
    place.slack.fail_next(closing(place), error=code)
    if place.channel == "C1":  # the stream's message is gone for its update too
        place.slack.fail_next("chat.update", error=code)
    await place.asks()
    await place.is_answered_once()
    assert list(place.shown[0].buttons) == ["Good answer", "Bad answer"]


async def test_edit_an_answer_whose_message_somebody_deletes_is_shown_anew_and_once_whatever_is_lost(
    place: Place,
) -> None:
    place.slack.fail_next(closing(place), error="message_not_found")
    place.slack.fail_next("chat.update", error="message_not_found")
    first = opening(place)[0]
    async with asyncio.timeout(20):
        await place.asks()
        await until(lambda: place.slack.calls[first], 10)
        place.slack.fail_next("chat.postMessage", "drop_after_effect")
        await place.is_answered_once()
