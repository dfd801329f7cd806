"""CPU of an event until it is acknowledged, and of a whole short reply, against a bare handler's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.benchmarks.answer import answer_tokens
from tests.benchmarks.load import send
from tests.benchmarks.processes import Gateway, Server, gateway, running, wait_until
from tests.benchmarks.tables import compare

BOTS = tuple(f"bot{number}" for number in range(40))
"""Each in a workspace of its own: Slack's limits are per workspace, and their pacing is not what is measured."""

REPLIES_PER_BOT = 40
"""Below what a workspace's budget gives without waiting: 47 edits."""

BARE = "bare handler"


@pytest.mark.timeout(900)
def test_cpu_of_an_event_until_acked_while_the_model_holds(full: bool, tmp_path: Path) -> None:
    """Queued: behind held replies of running conversations. Waiting: each in a new conversation, with no reply
    free to take it. Started: each in a new conversation whose reply starts, and is then held.
    """
    rounds, events, started = (7, 5000, 2000) if full else (1, 100, 20)
    cost: dict[str, list[float]] = defaultdict(list)
    p99: dict[str, list[float]] = defaultdict(list)

    def ack(name: str, server: Server, count: int, chats: int, first_chat: int = 0) -> None:
        before = server.cpu()
        sent = send(server.url, BOTS[:1], events=count, chats=chats, first_chat=first_chat)
        cost[name].append((server.cpu() - before) / count * 1e6)
        p99[name].append(sent.p99)
        if isinstance(server, Gateway):
            assert sent.admissions == {"accepted": count}
            assert server.warnings() == []

    with (
        running("slack") as slack,
        running("model", "--hold") as model,
        running("bare") as bare,
        running("bolt_bot", f"--slack={slack.url}", "--uvloop") as bolt,
    ):

        @contextmanager
        def holding(replies: int, **limits: int) -> Iterator[Gateway]:
            """A gateway in which so many replies are being waited for."""
            place = tmp_path / str(len(cost[BARE])) / "-".join(limits)
            asked = model.report()["started"]
            with gateway(place, slack=slack, model=model, bots=BOTS[:1], **limits) as here:
                send(here.url, BOTS[:1], events=replies, chats=replies)
                wait_until(lambda: model.report()["started"] == asked + replies)
                yield here

        for server in (bare, bolt):
            send(server.url, BOTS[:1], events=100, chats=10)
        for _ in range(rounds):
            ack(BARE, bare, events, 50)
            with holding(50, max_queued=events) as here:
                ack("queued", here, events, 50)
            ack("Bolt, listener does nothing", bolt, events, 50)
            if not full:
                continue
            with holding(10, max_replies=10) as here:
                ack("waiting", here, events, events, first_chat=100)
            with holding(10, max_replies=10 + started, max_queued=1) as here:
                before, asked = here.cpu(), model.report()["started"]
                sent = send(here.url, BOTS[:1], events=started, chats=started, first_chat=100)
                wait_until(lambda asked=asked: model.report()["started"] == asked + started)  # type: ignore[misc]
                cost["started"].append((here.cpu() - before) / started * 1e6)
                p99["started"].append(sent.p99)
    compare("CPU of an event until acked", "µs", cost, to=BARE, goals={"queued": 1.6, "waiting": 1.6})
    compare("time to the ack, p99, 32 connections at full speed", "ms", p99, to=BARE, goals={})


@pytest.mark.timeout(900)
def test_cpu_of_a_whole_short_reply(full: bool, tmp_path: Path) -> None:
    """An answer of 20 tokens: at once it is posted once; over 0.4 s it is posted, and edited at its end."""
    rounds, bots = (5, BOTS) if full else (1, BOTS[:1])
    replies = REPLIES_PER_BOT * len(bots)
    cost: dict[str, list[float]] = defaultdict(list)

    def reply(name: str, interval: float) -> None:
        with (
            running("slack") as slack,
            running("model", "--tokens=20", f"--interval={interval}") as model,
            gateway(tmp_path / f"{len(cost[name])}-{interval}", slack=slack, model=model, bots=bots) as here,
        ):
            before = here.cpu()
            sent = send(here.url, bots, events=replies, chats=replies)
            wait_until(lambda: here.completed() == replies)
            cost[name].append((here.cpu() - before) / replies * 1e6)
            assert sent.admissions == {"accepted": replies}
            assert here.warnings() == []
            shown = slack.report()
            assert shown["messages"] == shown["chats"] == replies
            assert shown["texts"] == ["".join(answer_tokens(20))]

    with running("bare") as bare:
        send(bare.url, bots, events=100, chats=10)
        for _ in range(rounds):
            before = bare.cpu()
            send(bare.url, bots, events=replies, chats=replies)
            cost[BARE].append((bare.cpu() - before) / replies * 1e6)
            if full:
                reply("whole reply, answer at once", 0.0)
            reply("whole reply, answer over 0.4 s", 0.02)
    goals = {"whole reply, answer at once": 7.0}
    compare("CPU of a whole short reply", "µs", cost, to=BARE, goals=goals)
