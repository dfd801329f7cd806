"""What people do on Slack besides writing, through the real gateway and signed webhooks: what they see of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from conversation.stores.events import Event
from gateway.demo.model import ModelStandin, Reply
from gateway.demo.model_wire import Message
from gateway.demo.slack import SlackStandin
from gateway.demo.standin import Shown
from tests.gateway.running import Running, running
from tests.waiting import until

SECRET, TOKEN = "made-up-signing-secret", "xoxb-made-up"
PERSON, OTHER = "U061F7AUR", "U0OTHER"


@dataclass
class Chat:
    slack: SlackStandin
    model: ModelStandin
    here: Running

    @property
    def url(self) -> str:
        return f"{self.here.url}/webhooks/slack/helpdesk"

    def by_bot(self, channel: str = "D1") -> list[Shown]:
        return [one for one in self.slack.rooms[channel].messages.values() if one.author == "bot"]

    def texts(self, channel: str = "D1") -> list[str]:
        return [one.text for one in self.by_bot(channel)]

    async def answered(self, count: int, channel: str = "D1") -> list[Shown]:
        """Wait for so many messages of the bot, and until nothing runs."""
        await until(
            lambda: len(self.by_bot(channel)) >= count and self.here.gateway.directory.running == 0,
            10,
            lambda: self.texts(channel),
        )
        return self.by_bot(channel)

    @property
    def happened(self) -> list[Event]:
        return list(self.here.store.turns.happened)

    def feedback(self) -> list[str]:
        return [event.detail.partition(":")[0] for event in self.happened if event.kind == "turn.feedback"]


Start = Callable[..., "asyncio.Future[Chat]"]


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    async with SlackStandin(signing_secret=SECRET, bot_token=TOKEN, redeliver=False, latency=0) as standin:
        standin.add_channel("D1", "im")
        standin.add_channel("C1")
        yield standin
        assert standin.complaints == []


@pytest.fixture
async def model() -> AsyncIterator[ModelStandin]:
    async with ModelStandin(api_key="sk-made-up", tokens_per_second=10_000, first_token_after=0) as standin:
        standin.script = lambda messages: Reply(f"re: {messages[-1].content}")
        yield standin


@pytest.fixture
async def options() -> dict[str, object]:
    return {}


@pytest.fixture
async def chat(
    tmp_path: Path, slack: SlackStandin, model: ModelStandin, options: dict[str, object]
) -> AsyncIterator[Chat]:
    bot = {
        "id": "helpdesk",
        "channel": "slack",
        "api_base_url": slack.api_base_url,
        "credentials": {"signing_secret": SECRET, "bot_token": TOKEN},
        **options,
    }
    agent = {"provider": "openai", "model": "m", "base_url": f"{model.url}/v1", "api_key": "sk-made-up"}
    agents = [{"id": "default", **agent}, {"id": "research", **agent, "system_prompt": "Research."}]
    async with running(tmp_path, bot, agents=agents) as here, asyncio.timeout(30):
        yield Chat(slack, model, here)


def failing_once() -> Callable[[list[Message]], Reply]:
    replies = iter([Reply("Half of an answer", fault="cut")])

    def script(messages: list[Message]) -> Reply:
        return next(replies, Reply(f"re: {messages[-1].content}"))

    return script


@pytest.mark.parametrize("channel", ["D1", "C1"])
async def test_a_failed_reply_is_asked_for_again_with_one_click_and_only_once(
    chat: Chat, channel: str
) -> None:
    chat.model.script = failing_once()
    await chat.slack.say(chat.url, channel=channel, user=PERSON, text="Why?")
    (failed,) = await chat.answered(1, channel)
    assert "Something went wrong" in failed.text
    assert list(failed.buttons) == ["Try again"]
    clicks = await asyncio.gather(
        *(chat.slack.press(chat.url, failed, "Try again", user=PERSON) for _ in range(3))
    )
    assert sorted(admission for _, admission, _ in clicks) == ["accepted", "duplicate", "duplicate"]
    assert all(status == 200 for status, _, _ in clicks)
    _, again = await chat.answered(2, channel)
    assert again.text.endswith("Why?")
    assert again.thread == failed.thread
    await until(lambda: "↻ Asked again." in failed.text, 5)
    assert failed.buttons == {}
    assert "Something went wrong" in failed.text
    await until(lambda: len(chat.slack.whispers) == 2, 5)
    assert set(chat.slack.whispers) == {(channel, PERSON, "I have been asked again already.")}


async def test_nobody_else_asks_again_and_is_told_so_politely(chat: Chat) -> None:
    chat.model.script = failing_once()
    await chat.slack.say(chat.url, channel="C1", user=PERSON, text="Why?")
    (failed,) = await chat.answered(1, "C1")
    _, admission, _ = await chat.slack.press(chat.url, failed, "Try again", user=OTHER)
    assert admission == "ignored; reason=not_yours"
    await until(lambda: chat.slack.whispers, 5)
    assert chat.slack.whispers == [("C1", OTHER, "This answer is somebody else's; please ask me yourself.")]
    assert list(failed.buttons) == ["Try again"]
    assert len(chat.by_bot("C1")) == 1


@pytest.mark.parametrize("options", [{"no_store": True}])
async def test_a_bot_that_keeps_no_texts_offers_no_second_try(chat: Chat) -> None:
    chat.model.script = failing_once()
    await chat.slack.say(chat.url, channel="D1", user=PERSON, text="Why?")
    (failed,) = await chat.answered(1)
    assert failed.buttons == {}


async def test_what_a_person_thinks_of_an_answer_is_an_event_and_the_last_click_counts(
    chat: Chat,
) -> None:
    await chat.slack.say(chat.url, channel="C1", user=PERSON, text="Why?")
    (shown,) = await chat.answered(1, "C1")
    assert list(shown.buttons) == ["Good answer", "Bad answer"]
    for label in ("Good answer", "Good answer", "Bad answer"):
        await chat.slack.press(chat.url, shown, label, user=PERSON)
    assert chat.feedback() == ["good", "bad"]
    noted = [event for event in chat.happened if event.kind == "turn.feedback"]
    assert {event.turn_id for event in noted} == {chat.happened[0].turn_id}
    assert len({event.detail.partition(":")[2] for event in noted}) == 1
    assert PERSON not in str(noted)


async def test_who_takes_part_in_a_thread_may_judge_and_a_stranger_may_not(chat: Chat) -> None:
    first = await chat.slack.say(chat.url, channel="C1", user=PERSON, text="Why?")
    (shown,) = await chat.answered(1, "C1")
    _, refused, _ = await chat.slack.press(chat.url, shown, "Bad answer", user=OTHER)
    assert refused == "ignored; reason=not_yours"
    await chat.slack.say(chat.url, channel="C1", user=OTHER, text="And I?", thread_ts=first.ts)
    await chat.answered(2, "C1")
    _, heard, _ = await chat.slack.press(chat.url, shown, "Bad answer", user=OTHER)
    assert heard == "accepted"
    _, outside, _ = await chat.slack.press(
        chat.url, shown, "Bad answer", user=PERSON, user_team="T0ELSEWHERE"
    )
    assert outside == "ignored; reason=not_allowed"
    assert chat.feedback() == ["bad"]


@pytest.mark.parametrize("options", [{"feedback": False}])
async def test_a_bot_that_wants_no_opinion_shows_no_buttons(chat: Chat) -> None:
    await chat.slack.say(chat.url, channel="C1", user=PERSON, text="Why?")
    (shown,) = await chat.answered(1, "C1")
    assert shown.buttons == {}


async def test_a_question_that_waits_is_answered_as_it_was_last_written(chat: Chat) -> None:
    release = asyncio.Event()
    chat.model.script = lambda messages: Reply(
        f"re: {messages[-1].content}", first_token_after=0.5 if messages[-1].content == "one" else 0
    )
    first = await chat.slack.say(chat.url, channel="D1", user=PERSON, text="one")
    second = await chat.slack.say(chat.url, channel="D1", user=PERSON, text="two")
    edits = [await chat.slack.edit(chat.url, said, "better") for said in (second, first)]
    assert [edit.admission for edit in edits] == ["accepted", "ignored; reason=edited"]
    release.set()
    await chat.answered(2)
    assert chat.texts() == ["re: one", "re: better"]
    late = await chat.slack.edit(chat.url, second, "too late")
    assert late.admission == "ignored; reason=edited"


async def test_who_forgot_to_mention_the_bot_and_adds_it_is_answered_once(chat: Chat) -> None:
    said = await chat.slack.say(chat.url, channel="C1", user=PERSON, text="Why?", mention=False)
    assert said.admissions == ["ignored; reason=not_mentioned"]
    added: dict[str, object] = {
        "type": "app_mention",
        "channel": "C1",
        "user": PERSON,
        "team": "T0DEMO",
        "ts": said.ts,
        "event_ts": said.ts,
        "text": "<@U0BOT> Why?",
        "edited": {"user": PERSON, "ts": f"{chat.slack.clock():.6f}"},
    }
    told = [await chat.slack.tell(chat.url, added) for _ in range(2)]
    assert [one.admission for one in told] == ["accepted", "duplicate"]
    (shown,) = await chat.answered(1, "C1")
    assert shown.text.endswith("Why?")
    assert shown.thread == said.ts


async def test_a_voice_message_is_declined_by_name(chat: Chat) -> None:
    before = await chat.slack.say(chat.url, channel="D1", user=PERSON, text="hi")
    voice: dict[str, object] = {
        "type": "message",
        "subtype": "file_share",
        "channel": "D1",
        "channel_type": "im",
        "user": PERSON,
        "team": "T0DEMO",
        "ts": before.ts[:-1] + ("8" if before.ts.endswith("9") else "9"),
        "text": "",
        "files": [
            {"id": "F1", "name": "audio_message.m4a", "mimetype": "audio/mp4", "subtype": "slack_audio"}
        ],
    }
    told = await chat.slack.tell(chat.url, voice)
    await chat.answered(2)
    assert told.status == 200
    assert "voice message" in chat.texts()[1]


@pytest.mark.parametrize("options", [{"agents": ["research"]}])
async def test_slash_commands_are_acknowledged_at_once_and_answered_in_their_turn(chat: Chat) -> None:
    for command, text, body in (
        ("/helpdesk-agent", "research", b""),
        ("/agent", "", b""),
        ("/new", "", b""),
        ("/agent", "nobody", b""),
    ):
        assert (await chat.slack.command(chat.url, command, channel="D1", user=PERSON, text=text)) == (
            200,
            "accepted",
            body,
        )
    await chat.answered(4)
    assert chat.texts() == [
        "From now on **research** answers here.",
        "**research** answers here. With `/agent NAME` you can choose: default, research.",
        "🧹 Forgotten. What you write from now on begins afresh.",
        "**research** answers here. With `/agent NAME` you can choose: default, research.",
    ]
    status, admission, told = await chat.slack.command(chat.url, "/help", channel="C1", user=PERSON)
    assert (status, admission) == (200, "accepted")
    assert orjson.loads(told)["response_type"] == "ephemeral"
    _, admission, told = await chat.slack.command(chat.url, "/new", channel="C1", user=PERSON)
    assert admission == "ignored; reason=no_conversation"
    assert "in its thread" in orjson.loads(told)["text"]


async def test_an_agent_that_is_not_offered_cannot_be_chosen(chat: Chat) -> None:
    await chat.slack.say(chat.url, channel="D1", user=PERSON, text="/agent research")
    await chat.answered(1)
    assert chat.texts() == ["**default** answers here."]


async def test_who_opens_the_bot_for_the_first_time_is_greeted_once(chat: Chat) -> None:
    home = await chat.slack.open_home(chat.url, channel="D1", user=PERSON, tab="home")
    opened = [await chat.slack.open_home(chat.url, channel="D1", user=PERSON) for _ in range(2)]
    assert home.admission == "ignored; reason=home_tab"
    assert [one.admission for one in opened] == ["accepted", "ignored; reason=known_person"]
    await chat.answered(1)
    assert [text[:8] for text in chat.texts()] == ["👋 Hello!"]


async def test_who_talks_with_the_bot_is_not_greeted(chat: Chat) -> None:
    await chat.slack.say(chat.url, channel="D1", user=PERSON, text="hi")
    opened = await chat.slack.open_home(chat.url, channel="D1", user=PERSON)
    assert opened.admission == "ignored; reason=known_person"
    await chat.answered(1)
    assert chat.texts() == ["re: hi"]


WELCOME = {"text": "Ask me about IT.", "prompts": ["Reset my password", "Order a laptop"]}


@pytest.mark.parametrize("options", [{"welcome": WELCOME}])
@pytest.mark.parametrize("agent", [True, False])
async def test_a_greeting_suggests_questions_where_slack_has_a_place_for_them(
    chat: Chat, *, agent: bool
) -> None:
    chat.slack.is_agent = agent
    await chat.slack.open_home(chat.url, channel="D1", user=PERSON)
    (greeting,) = await chat.answered(1)
    if agent:
        assert greeting.text == "Ask me about IT."
        assert chat.slack.prompts == {"D1": [(one, one) for one in ("Reset my password", "Order a laptop")]}
    else:
        assert greeting.text == "Ask me about IT.\n\n- Reset my password\n- Order a laptop"


@pytest.mark.parametrize("options", [{"welcome": {"enabled": False}}])
async def test_a_bot_need_not_greet(chat: Chat) -> None:
    opened = await chat.slack.open_home(chat.url, channel="D1", user=PERSON)
    assert opened.admission == "ignored; reason=no_greeting"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0BOT"]}}, "tokens_revoked"),
        ({"type": "app_uninstalled"}, "app_uninstalled"),
    ],
)
async def test_a_revoked_token_is_seen_in_the_bots_status(
    chat: Chat, event: dict[str, object], reason: str
) -> None:
    told = await chat.slack.tell(chat.url, event)
    assert (told.status, told.admission) == (200, f"ignored; reason={reason}")
    administration = chat.here.gateway.administration
    assert administration is not None
    tally = await administration.status._book.tally("helpdesk")
    assert (tally.last_error, tally.ignored) == (reason, {reason: 1})


# Marks.


async def test_a_thread_is_processing_from_the_question_on_and_active_after_the_answer(
    chat: Chat,
) -> None:
    chat.model.script = lambda _: Reply("fine", first_token_after=0.3)
    said = await chat.slack.say(chat.url, channel="C1", user=PERSON, text="Why?")
    place = ("C1", said.ts)
    await until(lambda: chat.slack.sessions.get(place) == "processing", 5)
    assert chat.by_bot("C1") == []
    await chat.answered(1, "C1")
    await until(lambda: chat.slack.statuses[place] == ["processing", "active"], 5)
    assert chat.slack.sessions[place] == "active"


@pytest.mark.parametrize("channel", ["C1", "D1"])
async def test_where_the_app_is_no_agent_the_message_has_eyes_while_it_is_answered(
    chat: Chat, channel: str
) -> None:
    chat.slack.is_agent = False
    chat.model.script = lambda _: Reply("fine", first_token_after=0.3)
    said = await chat.slack.say(chat.url, channel=channel, user=PERSON, text="Why?")
    asked = chat.slack.rooms[channel].messages[said.ts]
    await until(lambda: asked.reactions == ["eyes"], 5)
    await chat.answered(1, channel)
    await until(lambda: asked.reactions == [], 5)


async def test_without_the_scope_for_reactions_nothing_is_marked_and_everything_is_answered(
    chat: Chat,
) -> None:
    chat.slack.is_agent = False
    chat.slack.scopes -= {"reactions:write"}
    for number in range(3):
        await chat.slack.say(chat.url, channel="D1", user=PERSON, text=str(number))
    await chat.answered(3)
    assert chat.texts() == ["re: 0", "re: 1", "re: 2"]
    assert chat.slack.calls["reactions.add"] == 1
