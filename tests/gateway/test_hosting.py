"""Stored bots and agents come into force, change and go while people talk: on a fake platform, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from channels.port import Channel
from conversation.actor import Actor
from conversation.bot import Agent, Bot, Gates
from conversation.directory import Directory
from conversation.executor import Executor
from conversation.stores.memory import MemoryStore
from conversation.stores.port import StoreUnavailableError
from conversation.texts import notice
from conversation.turn import Reason
from gateway.bot_settings import Agent as AgentSettings
from gateway.bot_settings import AnyBot, SlackBot
from gateway.hosting import LINGER, LOOK_EVERY, TRY_AGAIN_EVERY, CollisionError, Hosting, Provisioned
from gateway.keyring import Keyring
from gateway.secret import Sources
from tests.conversation.fake_platform import FakeModel, FakePlatform, Script, says
from tests.conversation.made_up import message
from tests.virtual_time import LoopClock, run

KEYRING = Keyring.parse("a-secrets-key-of-the-tests")
SLOW = says("Once ", 4.0, "upon ", 4.0, "a time.")


@dataclass(eq=False)
class FakeChannel:
    outbound: FakePlatform
    life: list[str] = field(default_factory=list)

    async def start(self) -> None:
        self.life.append("started")

    async def close(self) -> None:
        self.life.append("closed")


@dataclass
class FakeWorkshop:
    """Every channel that it ever made stands in ``channels``; all of them write to one platform."""

    platform: FakePlatform
    script: Script
    channels: list[FakeChannel] = field(default_factory=list)
    models: list[FakeModel] = field(default_factory=list)

    def agent(self, settings: AgentSettings) -> Agent:
        self.models.append(FakeModel(self.script))
        return Agent(settings.id, self.models[-1], settings.system_prompt)

    def channel(self, settings: AnyBot) -> Channel:
        assert not settings.api_base_url, "this workshop knows of no other platform"
        self.channels.append(FakeChannel(self.platform))
        return cast("Channel", self.channels[-1])

    def bot(self, settings: AnyBot, agent: Agent, channel: Channel) -> Bot:
        return Bot(settings.id, agent, channel.outbound, Gates(enabled=settings.enabled))

    def beside_agent(self, agent: Agent) -> Bot | None:
        return None

    def beside_bot(self, bot: Bot) -> Bot | None:
        return Bot(f"selftest~{bot.id}", bot.agent, bot.outbound)


class Replica:
    """A process with its own workshop; several may have one store."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        *,
        folder: Path = Path(),
        provisioned: Provisioned | None = None,
        script: Script = SLOW,
    ) -> None:
        self.clock = LoopClock()
        self.platform = FakePlatform()
        self.store = store or MemoryStore(self.clock)
        self.workshop = FakeWorkshop(self.platform, script)
        self.hosting = Hosting(
            provisioned or Provisioned({}, {}),
            self.store.records,
            Sources({}, folder, KEYRING),
            self.workshop,
        )
        executor = Executor(
            self.hosting.bots, self.hosting.agents, self.store.turns, self.store.transcripts, self.clock
        )
        actor = Actor(executor, self.store.turns, self.clock, keep_turns=100)
        self.directory = Directory(
            self.store,
            actor.run,
            self.clock,
            max_replies=10,
            machine_time=lambda: asyncio.get_running_loop().time(),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.hosting.start()
        started = asyncio.Event()
        life = [
            asyncio.create_task(self.directory.run(started)),
            asyncio.create_task(self.hosting.run(lambda: self.directory.running_since)),
        ]
        await started.wait()
        yield
        died = [task.exception() for task in life if task.done()]
        for task in life:
            task.cancel()
        await asyncio.gather(*life, return_exceptions=True)
        await self.hosting.close()
        assert not died, died

    async def write(self, id: str = "helpdesk", *, kind: str = "bot", **settings: object) -> None:
        """Over what is stored of this id, if anything is."""
        before = await self.store.records.get(kind, id)
        document = {"id": id} | (
            {"channel": "slack", "agent": "default"} if kind == "bot" else {"provider": "echo"}
        )
        await self.store.records.put(
            kind, id, json.dumps(document | settings).encode(), expected=before.version if before else 0
        )

    async def remove(self, id: str = "helpdesk") -> None:
        before = await self.store.records.get("bot", id)
        assert before is not None
        await self.store.records.delete("bot", id, expected=before.version)

    async def say(self, text: str = "hello", *, chat: str = "C1") -> str:
        bot = self.hosting.bots["helpdesk"]
        admission = await self.directory.admit(message(text, chat=chat), limits=bot.limits)
        return admission.status

    async def heard(self) -> None:
        """Until a change in the store is in force, at the latest."""
        await asyncio.sleep(2 * LOOK_EVERY)


def in_virtual_time(story: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    def test() -> None:
        run(story())

    test.__name__ = story.__name__
    return test


@in_virtual_time
async def test_what_another_process_stores_is_in_force_within_two_seconds() -> None:
    here = Replica()
    async with here.running():
        await here.write("default", kind="agent")
        await here.write()
        await here.heard()
        assert here.hosting.routes.keys() == {("slack", "helpdesk")}
        assert here.workshop.channels[0].life == ["started"]
        await here.write(enabled=False)
        await here.heard()
        assert not here.hosting.bots["helpdesk"].gates.enabled
        await here.remove()
        await here.heard()
        assert not here.hosting.routes


@in_virtual_time
async def test_two_replicas_of_one_store_host_the_same() -> None:
    here = Replica()
    there = Replica(here.store)
    async with here.running(), there.running():
        await here.write("default", kind="agent", system_prompt="Be kind.")
        await here.write()
        await here.hosting.refresh()
        await there.heard()
        assert there.hosting.routes.keys() == here.hosting.routes.keys() != set()
        await there.write("default", kind="agent", system_prompt="Be short.")
        await here.heard()
        assert here.hosting.bots["helpdesk"].agent.system_prompt == "Be short."


@in_virtual_time
async def test_a_reply_that_runs_ends_with_the_channel_and_the_agent_it_began_with() -> None:
    here = Replica()
    await here.write("default", kind="agent", system_prompt="Be kind.")
    await here.write()
    async with here.running():
        await here.say()
        await asyncio.sleep(2.0)
        await here.write(stream=False)
        await here.write("default", kind="agent", system_prompt="Be short.")
        await here.heard()
        before, after = here.workshop.channels
        assert before.life == ["started"], "its reply is still being written"
        await here.say("and now?")
        await asyncio.sleep(30.0)
        assert here.platform.shown == ["Once upon a time."] * 2
        prompts = [prompt.system for model in here.workshop.models for prompt in model.asked]
        assert prompts == ["Be kind.", "Be short."]
        await asyncio.sleep(LINGER)
        assert before.life == ["started", "closed"]
        assert after.life == ["started"]


@in_virtual_time
async def test_a_change_that_its_channel_does_not_know_of_makes_no_second_listener() -> None:
    here = Replica()
    await here.write("default", kind="agent")
    await here.write()
    async with here.running():
        await here.write(
            enabled=False, when_busy="merge", allow={"users": ["U1"]}, max_age="1h", no_store=True
        )
        await here.heard()
        await here.write("default", kind="agent", system_prompt="Be short.")
        await here.heard()
        assert len(here.workshop.channels) == 1
        assert here.hosting.bots["helpdesk"].agent.system_prompt == "Be short."


@in_virtual_time
async def test_records_that_are_written_anew_without_a_change_close_and_open_nothing() -> None:
    """As by a rotation of keys."""
    here = Replica()
    await here.write("default", kind="agent", api_key=KEYRING.seal("sk-1", "agent/default#api_key"))
    credentials = {"signing_secret": "s", "bot_token": "xoxb-1"}

    def sealed() -> dict[str, str]:
        return {name: KEYRING.seal(value, f"bot/helpdesk#{name}") for name, value in credentials.items()}

    await here.write(credentials=sealed())
    async with here.running():
        before = dict(here.hosting.agents)
        await here.write("default", kind="agent", api_key=KEYRING.seal("sk-1", "agent/default#api_key"))
        await here.write(credentials=sealed())
        await here.heard()
        assert len(here.workshop.channels) == len(here.workshop.models) == 1
        assert here.hosting.agents == before
        assert not here.hosting.routes["slack", "helpdesk"].draft


@in_virtual_time
async def test_what_waits_for_a_bot_that_is_removed_is_told_so_and_what_it_was_saying_is_said() -> None:
    here = Replica()
    await here.write("default", kind="agent")
    await here.write()
    async with here.running():
        for text in ("one", "two", "three"):
            assert await here.say(text) == "accepted"
        await asyncio.sleep(1.0)
        await here.remove()
        await asyncio.sleep(30.0)
        waiting = [turn.turn_id[:8] for turn in (message("two"), message("three"))]
        told = [notice(Reason.BOT_DISABLED, "en", reference) for reference in waiting]
        assert here.platform.shown == ["Once upon a time.", *told]
        await asyncio.sleep(LINGER)
        assert here.workshop.channels[0].life == ["started", "closed"]


@in_virtual_time
async def test_a_bot_that_is_removed_and_made_again_answers_again() -> None:
    here = Replica()
    await here.write("default", kind="agent")
    await here.write()
    async with here.running():
        await here.remove()
        await here.heard()
        await here.write()
        await here.heard()
        await here.say()
        await asyncio.sleep(10.0)
        assert here.platform.shown == ["Once upon a time."]


@in_virtual_time
async def test_a_damaged_record_concerns_nobody_else() -> None:
    here = Replica()
    await here.write("default", kind="agent")
    await here.write()
    put = here.store.records.put
    await put("bot", "broken", b"{", expected=0)
    await put("bot", "list", b"[]", expected=0)
    await put("bot", "moved", b'{"id":"other","channel":"slack","agent":"default"}', expected=0)
    await put("agent", "broken", b"\xff", expected=0)
    async with here.running():
        assert here.hosting.routes.keys() == {("slack", "helpdesk")}
        assert set(here.hosting.problems) == {
            ("bot", "broken"),
            ("bot", "list"),
            ("bot", "moved"),
            ("agent", "broken"),
        }
        await here.say()
        await put("bot", "helpdesk", b"null", expected=1)
        await here.heard()
        assert "damaged" in here.hosting.problems["bot", "helpdesk"]
        assert here.hosting.routes.keys() == {("slack", "helpdesk")}, "it goes on as it was"
        await asyncio.sleep(10.0)
        assert here.platform.shown == ["Once upon a time."]


@in_virtual_time
async def test_a_bot_whose_agent_is_gone_says_so_and_comes_back_with_it() -> None:
    here = Replica()
    await here.write("default", kind="agent")
    await here.write(agent="clever")
    async with here.running():
        assert "there is no agent 'clever'" in here.hosting.problems["bot", "helpdesk"]
        assert not here.hosting.routes
        await here.write("clever", kind="agent")
        await here.heard()
        assert here.hosting.routes.keys() == {("slack", "helpdesk")}
        assert not here.hosting.problems


def test_a_secret_whose_file_comes_later_is_found_without_a_change_of_the_record(tmp_path: Path) -> None:
    async def story() -> None:
        here = Replica(folder=tmp_path)
        await here.write("default", kind="agent")
        await here.write(credentials={"signing_secret": "file:signing", "bot_token": "file:token"})
        with capture_logs() as log:
            async with here.running():
                await asyncio.sleep(3 * TRY_AGAIN_EVERY)
        (told,) = [one for one in log if one["event"] == "stored record not in force"]
        assert (told["kind"], told["id"]) == ("bot", "helpdesk"), "it is told once"
        async with here.running():
            assert "put the secret there" in here.hosting.problems["bot", "helpdesk"]
            (tmp_path / "signing").write_text("s")
            (tmp_path / "token").write_text("xoxb-1")
            await asyncio.sleep(TRY_AGAIN_EVERY + LOOK_EVERY)
            assert not here.hosting.problems
            assert not here.hosting.routes["slack", "helpdesk"].draft

    run(story())


def from_the_file(**bot: object) -> Provisioned:
    agent = AgentSettings(id="default", provider="echo")
    return Provisioned(
        {"default": agent},
        {
            "helpdesk": SlackBot.model_validate(
                {"id": "helpdesk", "channel": "slack", "agent": "default"} | bot
            )
        },
    )


@in_virtual_time
async def test_the_file_comes_first_when_another_process_stores_something_of_the_same_id() -> None:
    here = Replica(provisioned=from_the_file())
    async with here.running():
        await here.write(agent="default", enabled=False)
        await here.write("default", kind="agent", system_prompt="Be short.")
        await here.heard()
        assert here.hosting.bots["helpdesk"].gates.enabled
        assert here.hosting.agents["default"].system_prompt == ""
        for taken in (("bot", "helpdesk"), ("agent", "default")):
            assert "give the one in the configuration file another id" in here.hosting.problems[taken]


@pytest.mark.parametrize(("kind", "id"), [("bot", "helpdesk"), ("agent", "default")])
def test_an_id_that_is_taken_twice_is_an_error_at_the_start(kind: str, id: str) -> None:
    async def story() -> None:
        here = Replica(provisioned=from_the_file())
        await here.write(id, kind=kind)
        with pytest.raises(
            CollisionError, match=f"{kind} '{id}' is in the configuration file and in the store"
        ):
            await here.hosting.start()

    run(story())


@in_virtual_time
async def test_a_store_that_is_away_for_a_while_changes_nothing_and_is_followed_again() -> None:
    here = Replica()
    await here.write("default", kind="agent")
    await here.write()
    async with here.running():
        there, away = here.store.records.revision, True

        async def revision(kind: str) -> int:
            if away:
                raise StoreUnavailableError("away")
            return await there(kind)

        here.store.records.revision = revision  # type: ignore[method-assign]
        await here.heard()
        assert here.hosting.routes.keys() == {("slack", "helpdesk")}
        await here.remove()
        away = False
        await here.heard()
        assert not here.hosting.routes


@in_virtual_time
async def test_hidden_bots_come_and_go_with_what_they_stand_beside_and_have_no_route() -> None:
    here = Replica()
    await here.write("default", kind="agent")
    await here.write()
    async with here.running():
        assert here.hosting.bots["selftest~helpdesk"].agent.id == "default"
        assert here.hosting.routes.keys() == {("slack", "helpdesk")}
        await here.remove()
        await here.heard()
        assert not here.hosting.bots["selftest~helpdesk"].gates.enabled
        assert here.hosting.users_of("default") == ()
