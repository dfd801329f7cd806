"""The demonstration: twenty people ask two questions each, at once, and every reply is watched and judged.

With chaos the gateway is killed when half of the first replies are visible, and started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.demo.conversations import Conversation, Turn
from gateway.demo.gateway_process import Addresses, Credentials, GatewayDiedError, GatewayProcess
from gateway.demo.judge import judge_conversation
from gateway.demo.lark import LarkStandin
from gateway.demo.model import ModelStandin
from gateway.demo.people import Said
from gateway.demo.script import load
from gateway.demo.slack import SlackStandin
from gateway.demo.standin import Shown

PLATFORM_LATENCY = 0.03
"""Seconds that a call of Slack or Lark takes here."""

RETRY_DELAYS = (0.5, 1.5, 3.0, 5.0)
REDELIVER_WITHIN = (0.1, 1.5)
SECOND_AFTER = 0.4
"""Seconds between the first visible text of a reply and the person's next question."""

PATIENCE = 10.0
"""Seconds after which a person who saw nothing asks on anyway."""

KILL_AT = 0.3
"""The gateway is killed when half of the first replies show this share of their text."""

DEADLINE = 90.0
CALM = 1.0
"""Seconds in which a second copy of a reply would still appear at the end."""

Told = Callable[[Conversation | None, str], None]


@dataclass(slots=True)
class Report:
    """What came of it. ``faults`` by conversation; ``complaints`` of the platforms. Times in seconds."""

    conversations: list[Conversation]
    killed: bool
    faults: dict[str, list[str]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    rate_limited: int = 0
    acks: list[float] = field(default_factory=list)
    redelivered: int = 0
    took: float = 0.0
    down_for: float = 0.0

    @property
    def good(self) -> bool:
        return not (self.complaints or any(self.faults.values()))


class Scene:
    """``told`` hears what happens, with the conversation it happens in."""

    def __init__(self, told: Told) -> None:
        script = load()
        self.conversations = [
            Conversation.of("Slack", n, exchange) for n, exchange in enumerate(script.slack)
        ]
        self.conversations += [Conversation.of("Lark", n, exchange) for n, exchange in enumerate(script.lark)]
        self.started_at = time.time()
        self.killed_at = 0.0
        self.back_at = 0.0
        self._told = told
        self._pulse = asyncio.Event()
        self._restarting = False
        secrets = Credentials()
        self._credentials = secrets
        self._slack = SlackStandin(
            signing_secret=secrets.signing_secret,
            bot_token=secrets.bot_token,
            latency=PLATFORM_LATENCY,
            retry_delays=RETRY_DELAYS,
            redeliver_within=REDELIVER_WITHIN,
            echo=True,
        )
        self._lark = LarkStandin(
            app_id=secrets.app_id,
            app_secret=secrets.app_secret,
            encrypt_key=secrets.encrypt_key,
            verification_token=secrets.verification_token,
            latency=PLATFORM_LATENCY,
            retry_delays=RETRY_DELAYS,
            redeliver_within=REDELIVER_WITHIN,
        )
        self._model = ModelStandin(api_key=secrets.model_key, script=script.answer)
        self._slack.on_change = self._slack_changed
        self._lark.on_change = self._lark_changed

    async def play(self, *, chaos: bool) -> Report:
        """Run it from beginning to end. Raises GatewayDiedError."""
        with tempfile.TemporaryDirectory(prefix="turnkeeper-demo-") as directory:
            async with self._slack, self._lark, self._model:
                addresses = Addresses(self._slack.api_base_url, self._lark.api_base_url, self._model.base_url)
                async with GatewayProcess(Path(directory), self._credentials, addresses) as gateway:
                    self._told(None, "starting the gateway")
                    await gateway.start()
                    self._told(None, f"the gateway is ready after {time.time() - self.started_at:.1f} s")
                    await self._converse(gateway, chaos=chaos)
                    return self._report()

    async def _converse(self, gateway: GatewayProcess, *, chaos: bool) -> None:
        for conversation in self.conversations:
            if conversation.platform == "Slack":
                self._slack.add_channel(conversation.chat)
        self._told(None, "twenty people ask at once")
        try:
            async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
                everything = group.create_task(self._until_all_done())
                watching = group.create_task(self._watch(gateway))
                for conversation in self.conversations:
                    group.create_task(self._talk(gateway, conversation))
                if chaos:
                    await self._kill_and_restart(gateway)
                await everything
                watching.cancel()
        except TimeoutError:
            self._told(None, f"gave up after {DEADLINE:g} s")
            return
        except ExceptionGroup as group:
            died, others = group.split(GatewayDiedError)
            if died is None or others is not None:
                raise
            raise died.exceptions[0] from None
        await self._slack.settle()
        await self._lark.settle()
        await asyncio.sleep(CALM)

    async def _talk(self, gateway: GatewayProcess, conversation: Conversation) -> None:
        first, second = conversation.turns
        await self._ask(gateway, conversation, first, None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._until(lambda: first.first_text_at > 0)
        await asyncio.sleep(SECOND_AFTER)
        await self._ask(gateway, conversation, second, first.said)

    async def _ask(
        self, gateway: GatewayProcess, conversation: Conversation, turn: Turn, earlier: Said | None
    ) -> None:
        turn.sent_at = time.time()
        number = conversation.turns.index(turn) + 1
        self._told(conversation, f"asks {number}: {turn.question}")
        if conversation.platform == "Slack":
            turn.said = await self._slack.say(
                gateway.slack_webhook,
                channel=conversation.chat,
                user=conversation.user,
                text=turn.question,
                thread_ts=earlier.ts if earlier is not None else None,
            )
        else:
            turn.said = await self._lark.say(
                gateway.lark_webhook, chat=conversation.chat, user=conversation.user, text=turn.question
            )

    async def _kill_and_restart(self, gateway: GatewayProcess) -> None:
        half = len(self.conversations) // 2
        await self._until(
            lambda: sum(conversation.turns[0].share >= KILL_AT for conversation in self.conversations) >= half
        )
        self._restarting = True
        await gateway.kill()
        self.killed_at = time.time()
        cut = [turn for conversation in self.conversations for turn in conversation.turns if turn.streaming]
        for turn in cut:
            turn.cut_at = self.killed_at
        self._told(None, f"SIGKILL: the gateway is dead, {len(cut)} replies were being written")
        await gateway.start()
        self.back_at = time.time()
        self._restarting = False
        self._told(None, f"a new gateway is ready, {self.back_at - self.killed_at:.1f} s after the kill")

    async def _watch(self, gateway: GatewayProcess) -> None:
        """Raise GatewayDiedError if the gateway ends on its own."""
        while True:
            await asyncio.sleep(0.2)
            if not gateway.running and not self._restarting:
                raise gateway.died()

    async def _until_all_done(self) -> None:
        await self._until(lambda: all(conversation.done for conversation in self.conversations))

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Return when this holds; looked at whenever a visible message changes."""
        while not holds():
            await self._pulse.wait()

    def _slack_changed(self, shown: Shown) -> None:
        for conversation in self.conversations:
            if conversation.chat != shown.chat or conversation.platform != "Slack":
                continue
            if shown.user == conversation.user and shown.thread is None:
                conversation.root = shown.ts
            elif shown.author == "bot" and conversation.root and shown.thread == conversation.root:
                self._saw(conversation, shown)

    def _lark_changed(self, shown: Shown) -> None:
        for conversation in self.conversations:
            if conversation.chat == shown.chat and shown.author == "bot":
                self._saw(conversation, shown)

    def _saw(self, conversation: Conversation, shown: Shown) -> None:
        meaning = conversation.saw(shown, time.time())
        if meaning is not None:
            self._told(conversation, meaning)
        self._pulse.set()
        self._pulse = asyncio.Event()

    def _report(self) -> Report:
        report = Report(self.conversations, killed=self.killed_at > 0)
        for conversation in self.conversations:
            said = [turn.said for turn in conversation.turns if turn.said is not None]
            if len(said) < len(conversation.turns):
                report.faults[conversation.name] = ["a question was never asked"]
                continue
            shown = (
                self._slack.thread(conversation.chat, conversation.root)
                if conversation.platform == "Slack"
                else self._lark.chat(conversation.chat)
            )
            answers = [turn.answer for turn in conversation.turns]
            report.faults[conversation.name] = judge_conversation(shown, said, answers)
            for message in said:
                report.acks += [d.took for d in message.deliveries if d.attempt == 0 and d.status]
                report.redelivered += sum(d.attempt > 0 for d in message.deliveries)
        for chat in {
            conversation.chat for conversation in self.conversations if conversation.platform == "Slack"
        }:
            top = [shown for shown in self._slack.thread(chat, None) if shown.author == "bot"]
            report.complaints += [f"Slack: {shown.text[:60]!r} stands outside its thread" for shown in top]
        for name, standin in (("Slack", self._slack), ("Lark", self._lark), ("Model", self._model)):
            report.complaints += [f"{name}: {complaint}" for complaint in standin.complaints]
            report.rate_limited += sum(refusal.endswith(": 429") for refusal in standin.refusals)
        report.took = time.time() - self.started_at
        report.down_for = self.back_at - self.killed_at
        return report
