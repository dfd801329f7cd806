"""A whole town for end-to-end tests: stand-ins for Slack, Lark and a model, and the real gateway process.

What the stand-ins saw is what is judged: nothing is asked of the gateway's inside.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from gateway.demo.faults import Hold
from gateway.demo.gateway_process import Addresses, Credentials, GatewayProcess
from gateway.demo.judge import judge_conversation
from gateway.demo.lark import LarkStandin
from gateway.demo.model import Message, ModelStandin, Reply
from gateway.demo.people import Said
from gateway.demo.slack import SlackStandin
from gateway.demo.standin import Shown
from tests.proxy import Proxy
from tests.waiting import until

APP_TOKEN = "xapp-made-up"
"""Of the Slack app, for a bot with ``transport: socket``."""

Script = Callable[[list[Message]], Reply]


@dataclass
class Town:
    slack: SlackStandin
    lark: LarkStandin
    model: ModelStandin
    gateway: GatewayProcess
    folder: Path
    credentials: Credentials
    others: list[GatewayProcess] = field(default_factory=list)
    networks: dict[str, Proxy] = field(default_factory=dict)
    """What lies between the first gateway and ``slack``, ``lark``, ``model``, ``store`` (if it is a server), and
    between the platforms and its ``webhooks``; empty unless ``proxied``."""

    async def mention(
        self, text: str, *, channel: str = "C1", thread: str | None = None, user: str = "U1"
    ) -> Said:
        return await self.slack.say(
            self._webhook(self.gateway.slack_webhook), channel=channel, user=user, text=text, thread_ts=thread
        )

    async def slack_dm(self, text: str, *, channel: str = "D1") -> Said:
        return await self.slack.say(
            self._webhook(self.gateway.slack_webhook), channel=channel, user="U1", text=text
        )

    async def lark_dm(self, text: str, *, chat: str = "oc_1") -> Said:
        return await self.lark.say(
            self._webhook(self.gateway.lark_webhook), chat=chat, user=f"ou_{chat}", text=text
        )

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

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """No file of the gateway may grow within this context: the kernel itself refuses its writes."""
        _, hard = resource.prlimit(self.gateway.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.gateway.pid, resource.RLIMIT_FSIZE, (1, hard))
        try:
            yield
        finally:
            resource.prlimit(self.gateway.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))

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

    def _webhook(self, url: str) -> str:
        way = self.networks.get("webhooks")
        return url if way is None else f"http://127.0.0.1:{way.port}{urlsplit(url).path}"

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
    proxied: bool = False,
) -> AsyncIterator[Town]:
    """Everything running, with so many ``replicas`` of the gateway.

    ``settings`` replaces top-level sections of the configuration; ``bots`` and ``agents`` are merged into each
    bot and agent. ``proxied``: the first gateway's ways in and out can be made bad, see ``Town.networks``. At the
    end no platform may have complained; ``frozen``: but for a gateway that will be stopped by a signal, which
    acknowledges nothing meanwhile.
    """
    credentials = Credentials()
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            SlackStandin(
                signing_secret=credentials.signing_secret,
                bot_token=credentials.bot_token,
                app_token=APP_TOKEN,
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
        networks: dict[str, Proxy] = {}
        own_settings, own_addresses = settings or {}, addresses
        if proxied:
            networks = await _networks(stack, addresses, own_settings)
            own_addresses = Addresses(
                f"http://127.0.0.1:{networks['slack'].port}/api/",
                f"http://127.0.0.1:{networks['lark'].port}",
                f"http://127.0.0.1:{networks['model'].port}/v1",
            )
            own_settings = _through(networks, own_settings)
        process = await stack.enter_async_context(GatewayProcess(folder, credentials, own_addresses))
        if proxied:
            port = urlsplit(process.url).port
            assert port is not None
            networks["webhooks"] = await stack.enter_async_context(Proxy(port))
        reconfigure(folder / "turnkeeper.yaml", own_settings)
        slack.add_channel("C1")
        slack.add_channel("D1", "im")
        whole = Town(slack, lark, standin, process, folder, credentials, networks=networks)
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


async def _networks(
    stack: AsyncExitStack, addresses: Addresses, settings: dict[str, object]
) -> dict[str, Proxy]:
    """A proxy before each server that the first gateway calls."""
    targets = {"slack": addresses.slack, "lark": addresses.lark, "model": addresses.model}
    match settings.get("store"):
        case {"url": str(url)} if url.startswith("redis://"):
            targets["store"] = url
    found: dict[str, Proxy] = {}
    for name, url in targets.items():
        port = urlsplit(url).port
        assert port is not None
        found[name] = await stack.enter_async_context(Proxy(port))
    return found


def _through(networks: dict[str, Proxy], settings: dict[str, object]) -> dict[str, object]:
    match settings.get("store"):
        case {"url": _, **others} if "store" in networks:
            return {**settings, "store": {"url": f"redis://127.0.0.1:{networks['store'].port}", **others}}
        case _:
            return settings


def reconfigure(path: Path, changes: dict[str, object]) -> None:
    """Change sections of a configuration file, as ``town`` says."""
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    for section, change in changes.items():
        if section in ("bots", "agents") and isinstance(change, dict):
            written[section] = [{**one, **change} for one in written[section]]
        else:
            written[section] = change
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
