"""The services of an admin, on the core put together in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import aiohttp

from channels.playground import PlaygroundOutbound
from channels.slack import SlackChannel, SlackCredentials
from conversation.bot import Bot
from conversation.busy import Limits, WhenBusy
from gateway.admin.access import Principal, playground_bot, selftest_bot
from gateway.admin.audit import Audit
from gateway.admin.conversations import ConversationDesk
from gateway.admin.live import Live
from gateway.admin.playground import Playground
from gateway.admin.status import BotStatuses
from gateway.admin.turns import Turns
from gateway.hosting import HostedBot
from gateway.replies import Replies
from gateway.status import StatusBook
from tests import virtual_time
from tests.conversation.fake_platform import Script
from tests.conversation.house import House

ADMIN = Principal("ada", "admin")
OPERATOR = Principal("olaf", "operator")
VIEWER = Principal("vera", "viewer")
STRANGER = Principal("sid", "operator", frozenset({"another"}))

UNREACHABLE = "http://127.0.0.1:1/"
CREDENTIALS = SlackCredentials("made-up-signing-secret", "xoxb-made-up")


class FrontOffice:
    """A house with its admin's side: helpdesk (on Slack, whose platform is the house's), and agent default."""

    def __init__(
        self,
        script: Script,
        *,
        limits: Limits | None = None,
        when_busy: WhenBusy = "queue",
        keep_texts: bool = True,
    ) -> None:
        self.house = house = House(script, limits=limits, when_busy=when_busy, keep_texts=keep_texts)
        self.book = StatusBook(
            house.store.records,
            house.clock,
            lambda: {hosted.bot.id: hosted.channel for hosted in self.routes.values()},
        )
        house.observer = self.book
        for hidden in (playground_bot("default"), selftest_bot("helpdesk")):
            outbound = PlaygroundOutbound(hidden, house.store.records, house.clock)
            house.bots[hidden] = Bot(hidden, house.agent, outbound, limits=Limits(queued=2))
        self.routes: dict[tuple[str, str], HostedBot] = {}
        self.audit = Audit(house.store.audit)

    def open_on_slack(self, http: aiohttp.ClientSession, api_base_url: str = UNREACHABLE) -> SlackChannel:
        channel = SlackChannel("helpdesk", CREDENTIALS, http=http, api_base_url=api_base_url)
        self.routes["slack", "helpdesk"] = HostedBot(self.house.bot, channel)
        return channel

    @property
    def desk(self) -> ConversationDesk:
        house = self.house
        return ConversationDesk(
            house.bots, house.agents, self.routes, house.store, house.directory, self.audit, house.clock
        )

    @property
    def playground(self) -> Playground:
        house = self.house
        return Playground(house.bots, house.store, house.directory, house.clock)

    @property
    def turns(self) -> Turns:
        return Turns(self.routes, self.house.store, self.book)

    def live(self, replies: Replies | None = None) -> Live:
        house = self.house
        replies = replies or Replies(house.in_flight, house.store.records, house.clock, alone=True)
        return Live(house.bots, house.agents, self.routes, house.store, replies, house.clock)

    @property
    def statuses(self) -> BotStatuses:
        return BotStatuses(self.routes, {}, self.book, self.house.store.conversations)

    def switch_off(self, bot: str) -> None:
        known = self.house.bots[bot]
        self.house.bots[bot] = replace(known, gates=replace(known.gates, enabled=False))

    async def deeds(self) -> list[str]:
        return [entry.deed.action for entry in reversed(await self.house.store.audit.before(None, 100))]


def tell(office: FrontOffice, story: Callable[[], Awaitable[object]]) -> None:
    """A process's life in virtual time, until all is answered."""

    async def whole() -> None:
        async with aiohttp.ClientSession() as http, office.house.running():
            office.open_on_slack(http)
            await story()
            async with asyncio.timeout(3600):
                await office.house.quiet()

    virtual_time.run(whole())
