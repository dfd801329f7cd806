"""Two gateways on a Redis Cluster over TLS, with everything that the configuration can say about the way in."""

from __future__ import annotations

from pathlib import Path

from gateway.demo.model import Reply
from tests.conversation.stores.servers import Cluster
from tests.conversation.stores.tls import LOGIN, tls
from tests.town import town


async def test_messages_to_either_gateway_are_answered_in_one_order(tmp_path: Path) -> None:
    made = tls(tmp_path)
    cluster = Cluster(made)
    (tmp_path / "password").write_text(f"{LOGIN[1]}\n")
    store = {
        "url": cluster.url,
        "username": LOGIN[0],
        "password": f"file:{tmp_path / 'password'}",
        "ca_file": str(made.ca_file),
    }
    async with town(
        tmp_path, script=lambda m: Reply(f"fine: {m[-1].content}"), replicas=2, settings={"store": store}
    ) as here:
        urls = [here.gateway.lark_webhook, here.others[0].lark_webhook]
        said = [
            await here.lark.say(urls[number % 2], chat="oc_1", user="ou_1", text=f"message {number}")
            for number in range(4)
        ]
        mention = await here.mention("hello")
        await here.answered(said, lambda: here.lark.chat("oc_1"))
        await here.answered([mention], lambda: here.slack.thread("C1", mention.ts))
        log = (tmp_path / "gateway.log").read_text()
        assert "store unavailable" not in log
        assert LOGIN[1] not in log
    cluster.remove()
