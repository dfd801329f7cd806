"""``/api/v1/bots/{id}/status`` and ``/self-test``: how a bot fares, and whether all of its way works."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from pydantic import BaseModel, ConfigDict

from gateway.admin.access import Permission
from gateway.admin.selftest import SelfTest, TestFinding
from gateway.admin.status import BotStatuses, StatusView
from gateway.api.endpoint import Answer, Ask, Endpoint, Sent, Stream, Subject


class TestResult(BaseModel):
    """The last finding of every step, in their order. ``ok``: none of them failed."""

    __test__ = False  # it is no test of pytest's

    model_config = ConfigDict(frozen=True)

    ok: bool
    items: tuple[TestFinding, ...]


def subject(statuses: BotStatuses, selftest: SelfTest) -> Subject:
    async def shown(ask: Ask[None, None]) -> Answer:
        return Answer(await statuses.of(ask.who, ask.path["id"]))

    async def tested(ask: Ask[None, None]) -> Answer | Stream:
        findings = selftest.run(ask.who, ask.path["id"])
        if ask.streamed:
            return Stream(_sent(findings))
        steps: dict[str, TestFinding] = {}
        async with aclosing(findings):
            async for finding in findings:
                steps[finding.step] = finding
        items = tuple(steps.values())
        return Answer(TestResult(ok=all(one.ok is not False for one in items), items=items))

    return Subject(
        "bot status",
        "How bots fare.",
        (
            Endpoint(
                "getBotStatus",
                "GET",
                "/bots/{id}/status",
                shown,
                "What arrived at a bot, what was answered, what waits and what is missing",
                needs=Permission.READ,
                answers=StatusView,
            ),
            Endpoint(
                "testBot",
                "POST",
                "/bots/{id}/self-test",
                tested,
                "Send a synthetic signed event through the whole path; nobody at the platform sees it",
                needs=Permission.OPERATE,
                description="It takes as long as the model does. With Accept: text/event-stream, one by one.",
                answers=TestResult,
                streams=TestFinding,
                remembered=False,
                problems=frozenset({404, 409}),
            ),
        ),
    )


async def _sent(findings: AsyncGenerator[TestFinding, None]) -> AsyncIterator[Sent | None]:
    async with aclosing(findings):
        async for finding in findings:
            yield Sent(finding)
