"""What is asked of platforms, between the channels and the strict stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from channels.lark import LarkChannel, LarkCredentials
from channels.leased import Budget
from channels.slack import SlackChannel, SlackCredentials
from conversation.messages import Address, Attachment
from conversation.outbound import DeliveryDelayedError
from conversation.providers.port import File
from conversation.source import FileError
from gateway.demo.lark import LarkStandin
from gateway.demo.slack import SlackStandin
from gateway.metrics import Metrics
from tests import virtual_time
from tests.channels.slack.signing import SECRET, payload, signed
from tests.gateway.metrics.samples import Samples, exposed, of

WHOAMI = "bot.v3.info"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def calls(samples: Samples, method: str) -> dict[str, float]:
    """By result."""
    return {
        dict(labels)["result"]: value
        for (name, labels), value in samples.items()
        if name == "turnkeeper_platform_calls_total" and ("method", method) in labels
    }


def valid(samples: Samples, channel: str) -> float | None:
    return of(samples, "turnkeeper_bot_credentials_valid", channel=channel, bot="helpdesk")


async def test_calls_of_slack_are_counted_by_what_came_of_them(http: aiohttp.ClientSession) -> None:
    metrics = Metrics()
    async with SlackStandin(signing_secret="s", bot_token="xoxb-1", latency=0) as slack:
        channel = SlackChannel(
            "helpdesk",
            SlackCredentials("s", "xoxb-1"),
            http=http,
            api_base_url=slack.api_base_url,
            watch=metrics.platforms.watch("slack", "helpdesk"),
        )
        assert valid(await exposed(metrics), "slack") is None
        await channel.check()
        assert valid(await exposed(metrics), "slack") == 1
        slack.fail_next("auth.test", error="token_revoked")
        slack.fail_next("auth.test", status=429, retry_after=1)
        slack.fail_next("auth.test", "drop_before_effect")
        slack.fail_next("auth.test", error="team_access_not_granted")
        for _ in range(4):
            await channel.check()
            assert valid(await exposed(metrics), "slack") == 0, (
                "nothing but a call that succeeds says otherwise"
            )
        await channel.check()
    samples = await exposed(metrics)
    expected = {"ok": 2, "unauthorized": 1, "limited": 1, "delayed": 1, "refused": 1}
    assert calls(samples, "auth.test") == expected
    assert valid(samples, "slack") == 1
    count = of(samples, "turnkeeper_platform_call_seconds_count", channel="slack", method="auth.test")
    assert count == 6


async def test_calls_of_lark_are_counted_by_what_came_of_them(http: aiohttp.ClientSession) -> None:
    metrics = Metrics()
    async with LarkStandin(
        app_id="cli_1", app_secret="right", encrypt_key="k", verification_token="t", latency=0
    ) as lark:

        def bot(secret: str) -> LarkChannel:
            return LarkChannel(
                "helpdesk",
                LarkCredentials("cli_1", secret, "k", "t"),
                http=http,
                api_base_url=lark.api_base_url,
                watch=metrics.platforms.watch("lark", "helpdesk"),
            )

        await bot("wrong").check()
        assert valid(await exposed(metrics, channel="lark"), "lark") == 0
        channel = bot("right")
        lark.fail_next(WHOAMI, error=99991663)
        await channel.check()
        samples = await exposed(metrics, channel="lark")
        assert calls(samples, "bot") == {"unauthorized": 1, "ok": 1}, "a token that is renewed at once"
        assert valid(samples, "lark") == 1
        lark.fail_next(WHOAMI, status=503)
        await channel.check()
        await channel.close()
    samples = await exposed(metrics, channel="lark")
    assert calls(samples, "bot") == {"unauthorized": 1, "ok": 1, "unknown": 1}
    assert calls(samples, "token") == {"unauthorized": 1, "ok": 2}


async def test_files_that_go_to_lark_and_come_from_it_are_counted_too(http: aiohttp.ClientSession) -> None:
    metrics = Metrics()
    nobody = Address("oc_1", "om_1", "", "ou_ann", "")
    async with LarkStandin(
        app_id="cli_1", app_secret="right", encrypt_key="k", verification_token="t", latency=0
    ) as lark:
        channel = LarkChannel(
            "helpdesk",
            LarkCredentials("cli_1", "right", "k", "t"),
            http=http,
            api_base_url=lark.api_base_url,
            watch=metrics.platforms.watch("lark", "helpdesk"),
        )
        await channel.enclosures.upload(nobody, File("plot.png", "image/png", b"png"))
        lark.fail_next("im.v1.file.create", "drop_before_effect")
        with pytest.raises(DeliveryDelayedError):
            await channel.enclosures.upload(nobody, File("a.txt", "text/plain", b"a"))
        for _ in range(2):  # the client itself asks once more, on a connection of its own
            lark.fail_next("im.v1.message_resource.get", "drop_before_effect")
        for _ in range(2):
            with pytest.raises(FileError):
                await channel.source.fetch(nobody, Attachment("file", "a.txt", ref="file:key"), 9)
        await channel.close()
    samples = await exposed(metrics, channel="lark")
    assert calls(samples, "upload_image") == {"ok": 1}
    assert calls(samples, "upload_file") == {"unknown": 1}
    assert calls(samples, "resource") == {"unknown": 1, "refused": 1}


async def test_a_bot_that_was_removed_has_no_credentials_to_care_for() -> None:
    metrics = Metrics()
    for bot in ("helpdesk", "gone"):
        metrics.platforms.watch("slack", bot).called("auth.test", "unauthorized", 0.1)
    samples = await exposed(metrics)
    assert valid(samples, "slack") == 0
    assert of(samples, "turnkeeper_bot_credentials_valid", channel="slack", bot="gone") is None


def test_calls_that_wait_for_the_budget_are_seen_waiting() -> None:
    metrics = Metrics()

    async def story() -> None:
        watch = metrics.platforms.watch("slack", "helpdesk")
        limit = Budget("owner", watch=watch).limit("chat.update", 1.0, 5.0)
        for _ in range(7):
            await limit.take(urgent=True)
        await limit.take(urgent=False)

    virtual_time.run(story())
    samples = asyncio.run(exposed(metrics))
    labels = {"channel": "slack", "bot": "helpdesk"}
    waits = "turnkeeper_budget_wait_seconds"
    assert of(samples, f"{waits}_bucket", **labels, kind="urgent", le="0.001") == 5
    assert of(samples, f"{waits}_sum", **labels, kind="urgent") == pytest.approx(2.0)
    assert of(samples, f"{waits}_sum", **labels, kind="partial") == pytest.approx(2.0), (
        "the reserve fills first"
    )


async def test_credentials_that_slack_says_were_revoked_are_known_to_be_before_anybody_uses_them(
    http: aiohttp.ClientSession,
) -> None:
    metrics = Metrics()
    watch = metrics.platforms.watch("slack", "helpdesk")
    channel = SlackChannel("helpdesk", SlackCredentials(SECRET, "xoxb-1"), http=http, watch=watch)
    for flaw, expected in (("an invalid signature", None), (SECRET, 0)):
        request = signed(payload("tokens_revoked"), secret=flaw)
        channel.receive(request)
        assert valid(await exposed(metrics), "slack") == expected
