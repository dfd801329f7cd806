"""The test of a bot's whole way: each finding as it comes, or all at once where no script asks."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

from gateway.admin.selftest import TestFinding
from gateway.console.console import Console, caller
from gateway.console.setup import step_page

_END = "done"


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def tested(request: web.Request) -> web.StreamResponse:
        who, id = caller(request), request.match_info["id"]
        bot = await desk.bots.get(who, id)
        found = _gathered(desk.selftest.run(who, bot.id))
        if console.wants_progress(request):
            return await console.stream(request, "findings.html", found, _values)
        findings: tuple[TestFinding, ...] = ()
        async with aclosing(found):
            async for one in found:
                findings = one
        return await step_page(console, request, bot, tried=_values(findings))

    return [web.post("/bots/{id}/setup/test", tested)]


async def _gathered(
    found: AsyncGenerator[TestFinding, None],
) -> AsyncGenerator[tuple[TestFinding, ...], None]:
    """All findings so far; a step that goes on is replaced by how it went on."""
    by_step: dict[str, TestFinding] = {}
    async with aclosing(found):
        async for one in found:
            by_step[one.step] = one
            yield tuple(by_step.values())


def _values(findings: tuple[TestFinding, ...]) -> dict[str, object]:
    return {
        "findings": tuple(one for one in findings if one.step != _END),
        "done_testing": any(one.step == _END for one in findings),
        "all_well": not any(one.ok is False for one in findings),
    }
