"""``durability: replicated``: what no replica has is not acknowledged, and nothing of it happens twice."""

from __future__ import annotations

from pathlib import Path

from gateway.demo.model import Message, Reply
from tests.conversation.stores.servers import fresh_namespace, replica_of, server
from tests.faults.talk import replies
from tests.town import town
from tests.waiting import until


def echo(messages: list[Message]) -> Reply:
    return Reply(f"fine: {messages[-1].content}")


async def test_without_a_replica_it_is_503_and_with_one_the_resend_is_answered_once(tmp_path: Path) -> None:
    primary = server()
    store = {"url": primary.url, "namespace": fresh_namespace(), "durability": "replicated"}
    async with town(tmp_path, script=echo, settings={"store": store}) as here:
        first = await here.lark_dm("one")
        assert first.statuses[0] == 503
        assert replies(lambda: here.lark.chat("oc_1")) == []
        replica = replica_of(primary)
        await here.lark.settle()
        assert first.accepted, "the platform sent it again"
        await here.answered([first], lambda: here.lark.chat("oc_1"), ["fine: one"])

        # The primary has the next message when it is refused: sent again it is known, and acknowledged then.
        replica.kill()
        await until(lambda: primary.info("replication")["connected_slaves"] == 0, 10)
        second = await here.lark_dm("two")
        assert second.statuses[0] == 503
        replica.start()
        await here.lark.settle()
        assert [delivery.admission for delivery in second.deliveries if delivery.status == 200] == [
            "duplicate"
        ]
        await here.answered([first, second], lambda: here.lark.chat("oc_1"), ["fine: one", "fine: two"])
        assert len(replies(lambda: here.lark.chat("oc_1"))) == 2
        assert [call.question for call in here.model.calls_made] == ["one", "two"]

        log = tmp_path / "gateway.log"

        def completed() -> int:  # told after the answer is on screen
            return log.read_text().count('"event":"turn completed"')

        await until(lambda: completed() == 2, 30, completed)
        assert "no replica is connected" in log.read_text()
    for process in (replica, primary):
        process.remove()
