"""A whole town for end-to-end tests: stand-ins for Slack, Lark and a model, and the real gateway process.

What the stand-ins saw is what is judged: nothing is asked of the gateway's inside.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from gateway.demo.faults import Hold
from gateway.demo.gateway_process import Addresses, Credentials, GatewayProcess
from gateway.demo.judge import judge_conversation
from gateway.demo.lark import LarkStandin
from gateway.demo.model import Message, ModelStandin, Reply
from gateway.demo.people import Said
from gateway.demo.slack import SlackStandin
from gateway.demo.standin import Shown
from tests.waiting import until

Script = Callable[[list[Message]], Reply]


@dataclass
class Town:
    slack: SlackStandin
    lark: LarkStandin
    model: ModelStandin
    gateway: GatewayProcess
    folder: Path
    others: list[GatewayProcess] = field(default_factory=list)

    async def mention(
        self, text: str, *, channel: str = "C1", thread: str | None = None, user: str = "U1"
    ) -> Said:
        return await self.slack.say(
            self.gateway.slack_webhook, channel=channel, user=user, text=text, thread_ts=thread
        )

    async def slack_dm(self, text: str, *, channel: str = "D1") -> Said:
        return await self.slack.say(self.gateway.slack_webhook, channel=channel, user="U1", text=text)

    async def lark_dm(self, text: str, *, chat: str = "oc_1") -> Said:
        return await self.lark.say(self.gateway.lark_webhook, chat=chat, user=f"ou_{chat}", text=text)

    def faults(
        self, said: Sequence[Said], shown: Sequence[Shown], expected: Sequence[str] | None = None
    ) -> list[str]:
        answers = expected or [self.model.expected_answer(one.text) for one in said]
        return judge_conversation(shown, said, answers)

    async def answered(
        self,
        said: Sequence[Said],
        look: Callable[[], list[Shown]],
        expected: Sequence[str] | None = None,
        *,
        within: float = 30.0,
    ) -> None:
        """Wait until each message has its one complete reply, in order, and fail with what is wrong if not."""
        await until(
            lambda: not self.faults(said, look(), expected),
            within,
            lambda: self.faults(said, look(), expected),
        )

    def held(self, platform: str, method: str) -> Hold:
        """Holds back a platform's method: the calls take effect when the context ends."""
        return (self.lark if platform == "lark" else self.slack).hold(method)

    @asynccontextmanager
    async def bombarded(self, *, chats: int) -> AsyncIterator[list[Said]]:
        """One Lark message in each of so many chats, sent while the context runs."""
        said: list[Said] = []

        async def speak(number: int) -> None:
            await asyncio.sleep(number * 0.03)
            said.append(await self.lark_dm(f"message {number}", chat=f"oc_{number}"))

        async with asyncio.TaskGroup() as people:
            for number in range(chats):
                people.create_task(speak(number))
            yield said
        said.sort(key=lambda one: int(one.text.split()[1]))

    async def another_gateway_on_the_same_store(self, folder: Path) -> str:
        """What a second process says, started with the first one's store; it has to fail."""
        settings = yaml.safe_load((self.folder / "turnkeeper.yaml").read_text(encoding="utf-8"))
        settings["server"]["port"] = 0
        config = folder / "turnkeeper.yaml"
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "serve", "--config", str(config), stdout=PIPE, stderr=STDOUT
        )
        output, _ = await process.communicate()
        assert process.returncode == 1
        return output.decode()

    @property
    def complaints(self) -> list[str]:
        return [*self.slack.complaints, *self.lark.complaints, *self.model.complaints]


@asynccontextmanager
async def town(
    folder: Path,
    *,
    script: Script | None = None,
    settings: dict[str, object] | None = None,
    start: bool = True,
    replicas: int = 1,
    frozen: bool = False,
    first_token_after: float = 0.2,
    tokens_per_second: float = 50.0,
    words: int = 60,
) -> AsyncIterator[Town]:
    """Everything running, with so many ``replicas`` of the gateway.

    ``settings`` replaces top-level sections of the configuration; ``bots`` and ``agents`` are merged into each
    bot and agent. At the end no platform may have complained; ``frozen``: but for a gateway that will be
    stopped by a signal, which acknowledges nothing meanwhile.
    """
    credentials = Credentials()
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            SlackStandin(
                signing_secret=credentials.signing_secret,
                bot_token=credentials.bot_token,
                retry_delays=(0.0, 0.5, 1.0),
            )
        )
        lark = await stack.enter_async_context(
            LarkStandin(
                app_id=credentials.app_id,
                app_secret=credentials.app_secret,
                encrypt_key=credentials.encrypt_key,
                verification_token=credentials.verification_token,
                retry_delays=(0.5, 1.0, 2.0, 4.0),
            )
        )
        standin = await stack.enter_async_context(
            ModelStandin(
                api_key=credentials.model_key,
                script=script,
                first_token_after=first_token_after,
                tokens_per_second=tokens_per_second,
                words=words,
            )
        )
        addresses = Addresses(slack.api_base_url, lark.api_base_url, standin.base_url)
        process = await stack.enter_async_context(GatewayProcess(folder, credentials, addresses))
        reconfigure(folder / "turnkeeper.yaml", settings or {})
        slack.add_channel("C1")
        slack.add_channel("D1", "im")
        whole = Town(slack, lark, standin, process, folder)
        for number in range(2, replicas + 1):
            folder_of_its_own = folder / f"replica{number}"
            folder_of_its_own.mkdir()
            other = GatewayProcess(folder_of_its_own, credentials, addresses)
            whole.others.append(await stack.enter_async_context(other))
            reconfigure(folder_of_its_own / "turnkeeper.yaml", settings or {})
        if start:
            await asyncio.gather(*[one.start() for one in (process, *whole.others)])
        yield whole
        await slack.settle()
        await lark.settle()
        complaints = [one for one in whole.complaints if not (frozen and "not acknowledged" in one)]
        assert not complaints, complaints


def reconfigure(path: Path, changes: dict[str, object]) -> None:
    """Change sections of a configuration file, as ``town`` says."""
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    for section, change in changes.items():
        if section in ("bots", "agents"):
            written[section] = [{**one, **change} for one in written[section]]  # type: ignore[dict-item]
        else:
            written[section] = change
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
