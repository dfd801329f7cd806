"""What Prometheus reads: of traffic that the gateway handled, and of a store that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from conversation.clock import SystemClock
from conversation.keys import ConversationKey
from conversation.stores.memory import MemoryStore
from conversation.stores.port import StoreUnavailableError
from conversation.turn import Claim, Final, Outcome, Reason, Turn
from gateway.metrics import Metrics, families
from gateway.observers import Observers
from gateway.settings import load
from gateway.wiring import build
from tests import virtual_time
from tests.conversation.made_up import ManualClock, message
from tests.conversation.stores.talk import wait
from tests.gateway.metrics.samples import exposed, of, read
from tests.gateway.test_webhooks import CONFIGURATION, slack, slack_message


def claim(bot: str, *, last_send_at: float | None = None) -> Claim:
    turn = Turn("t1", (message("m1"),), admitted_at=0.0)
    return Claim(ConversationKey("slack", bot, "T1", "D1"), turn, 1, "s1", last_send_at)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_message_is_seen_as_webhook_and_as_turn_and_never_as_text(tmp_path: Path) -> None:
    config = tmp_path / "turnkeeper.yaml"
    config.write_text(yaml.safe_dump(CONFIGURATION), encoding="utf-8")
    async with (
        build(load(config), store=MemoryStore(SystemClock())) as gateway,
        served(gateway.app) as url,
        aiohttp.ClientSession() as http,
    ):
        started = asyncio.Event()
        life = asyncio.create_task(gateway.background(started))
        await started.wait()
        said = slack(slack_message("a secret question"))
        for _ in range(2):
            async with http.post(url + said.path, data=said.body, headers=said.headers) as answer:
                assert answer.status == 200
        async with http.post(f"{url}/webhooks/slack/helpdesk", data=b"{}") as answer:
            assert answer.status == 401
        async with http.get(f"{url}/metrics") as answer:
            assert answer.content_type == "text/plain"
            text = await answer.text()
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
    samples = read(text)
    for result, reason in (("accepted", ""), ("duplicate", ""), ("rejected", "signature")):
        labels = {"channel": "slack", "bot": "helpdesk", "result": result, "reason": reason}
        assert of(samples, "turnkeeper_webhooks_total", **labels) == 1, result
    assert of(samples, "turnkeeper_webhook_ack_seconds_count", channel="slack") == 3
    waiting = of(samples, "turnkeeper_queue_depth", bot="helpdesk")
    running = of(samples, "turnkeeper_replies_in_flight")
    assert waiting is not None
    assert running is not None
    assert waiting + running >= 1  # the platform cannot be reached; both are not read at one moment
    assert "secret" not in text
    assert "U1" not in text


async def test_turns_are_counted_by_outcome_and_hidden_bots_are_not() -> None:
    metrics, store = Metrics(), MemoryStore(SystemClock())
    observers = Observers(metrics)
    failed = Final((), "", Outcome("failed", Reason.MODEL_TIMEOUT))
    observers.turn_completed(claim("helpdesk", last_send_at=1.0), failed, -0.5, 2.0)
    observers.turn_completed(claim("playground~helpdesk"), failed, 0.0, 2.0)
    observers.turn_put_back(claim("helpdesk"))
    observers.turn_put_back(claim("playground~helpdesk"))
    samples = await exposed(metrics, store)
    labels = {"channel": "slack", "bot": "helpdesk"}
    assert of(samples, "turnkeeper_turns_total", **labels, outcome="failed", reason="model_timeout") == 1
    assert of(samples, "turnkeeper_turns_put_back_total", **labels) == 1
    assert of(samples, "turnkeeper_turns_taken_over_total", channel="slack", cause="release") == 1
    assert of(samples, "turnkeeper_turns_taken_over_total", channel="slack", cause="crash") == 0
    assert of(samples, "turnkeeper_turn_wait_seconds_sum", channel="slack") == 0
    assert of(samples, "turnkeeper_turn_duration_seconds_sum", channel="slack") == 2
    assert of(samples, "turnkeeper_replies_in_flight") == 3
    assert not any(("bot", "playground~helpdesk") in labels for _, labels in samples)


async def test_the_first_dead_letter_of_a_bot_is_a_rise_from_nothing() -> None:
    metrics, store = Metrics(), MemoryStore(SystemClock())
    labels = {"channel": "slack", "bot": "helpdesk", "outcome": "dead", "reason": "delivery_failed"}
    assert of(await exposed(metrics, store), "turnkeeper_turns_total", **labels) == 0
    dead = Final((), "", Outcome("dead", Reason.DELIVERY_FAILED))
    metrics.turn_completed(claim("helpdesk"), dead, 0.0, 1.0)
    assert of(await exposed(metrics, store), "turnkeeper_turns_total", **labels) == 1


async def test_an_answer_is_as_slow_as_the_person_felt_it_and_a_notice_is_none() -> None:
    metrics, store = Metrics(), MemoryStore(SystemClock())
    metrics.turn_completed(claim("helpdesk"), Final(("hi",), "hi", Outcome("answered")), 4.0, 2.0)
    metrics.turn_completed(claim("helpdesk"), Final((), "", Outcome("failed", Reason.EMPTY_REPLY)), 40.0, 2.0)
    samples = await exposed(metrics, store)
    assert of(samples, "turnkeeper_reply_seconds_sum", channel="slack") == 6.0
    assert of(samples, "turnkeeper_reply_seconds_bucket", channel="slack", le="5.0") == 0
    assert of(samples, "turnkeeper_reply_seconds_bucket", channel="slack", le="10.0") == 1
    assert of(samples, "turnkeeper_turn_duration_seconds_count", channel="slack") == 2


async def test_a_family_that_grows_without_end_is_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "MOST_SERIES", 3)
    metrics, store = Metrics(), MemoryStore(SystemClock())
    for number in range(9):
        metrics.answered("slack", f"bot{number}", "accepted", "", 0.01)
    samples = await exposed(metrics, store)
    counted = {dict(labels)["bot"]: value for (name, labels), value in samples.items() if "webhooks" in name}
    assert counted == {"bot0": 1, "bot1": 1, "bot2": 1, families.BEYOND: 6}


async def test_what_waits_is_unknown_and_not_old_while_the_store_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metrics, store = Metrics(), MemoryStore(SystemClock())
    samples = await exposed(metrics, store)
    assert of(samples, "turnkeeper_store_up") == 1
    assert of(samples, "turnkeeper_queue_depth", bot="helpdesk") == 0

    async def away(_: Collection[str]) -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(store.conversations, "queues", away)
    samples = await exposed(metrics, store)
    assert of(samples, "turnkeeper_store_up") == 0
    assert of(samples, "turnkeeper_queue_depth", bot="helpdesk") is None
    assert of(samples, "turnkeeper_queue_oldest_age_seconds", bot="helpdesk") is None


async def test_what_is_next_is_as_old_as_it_has_waited() -> None:
    clock = ManualClock()
    metrics, store = Metrics(), MemoryStore(clock)
    session = await store.turns.open_session()
    await wait(store, session, message("one"))
    clock.advance(7.0)
    await wait(store, session, message("two"))
    samples = await exposed(metrics, store)
    assert of(samples, "turnkeeper_queue_depth", bot="helpdesk") == 2
    assert of(samples, "turnkeeper_queue_oldest_age_seconds", bot="helpdesk") == 7.0


def test_the_loop_is_measured_twice_a_second() -> None:
    metrics = Metrics()

    async def story() -> None:
        running = asyncio.create_task(metrics.run())
        await asyncio.sleep(1.2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    virtual_time.run(story())
    samples = asyncio.run(exposed(metrics))
    assert of(samples, "turnkeeper_event_loop_lag_seconds_count") == 2


def test_the_loop_is_late_after_somebody_worked_and_until_it_was_measured_again() -> None:
    async def story() -> list[float]:
        loop, metrics = asyncio.get_running_loop(), Metrics()
        assert isinstance(loop, virtual_time.VirtualLoop)
        lags = [metrics.lag()]
        running = asyncio.create_task(metrics.run())
        await asyncio.sleep(0.4)
        loop.work(0.5)
        await asyncio.sleep(0.01)
        lags.append(metrics.lag())
        await asyncio.sleep(0.05)
        lags.append(metrics.lag())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return lags

    unmeasured, measured, recovered = virtual_time.run(story())
    assert (unmeasured, recovered) == (0.0, 0.0)
    assert measured == pytest.approx(0.4)


async def test_every_metric_is_in_the_operators_table_and_has_its_help() -> None:
    documented = (Path(__file__).parents[3] / "docs" / "operate.md").read_text(encoding="utf-8")
    body = await Metrics().exposed(0, [], MemoryStore(SystemClock()).conversations)
    families = [one for one in text_string_to_metric_families(body.decode()) if one.type != "unknown"]
    assert len(families) > 5
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert name.endswith("_created") or f"| `{name}` |" in documented, name
        assert family.documentation, name
