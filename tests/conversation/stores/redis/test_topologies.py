"""The ways in which Redis is run: with TLS, with a replica, behind Sentinel, as a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conversation.busy import Limits
from conversation.stores.port import Admission, StoreUnavailableError
from conversation.stores.redis import Login, RedisStore
from conversation.stores.redis.partitions import Partitions
from tests.conversation.made_up import answered, key, message
from tests.conversation.stores.servers import (
    Cluster,
    ServerProcess,
    replica_of,
    sentinel_of,
    server,
    until,
)
from tests.conversation.stores.tls import LOGIN, tls


@asynccontextmanager
async def opened(store: RedisStore) -> AsyncIterator[RedisStore]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def admit(store: RedisStore, session: str, text: str, *, bot: str = "helpdesk") -> Admission:
    return await store.turns.admit(
        message(text, bot=bot), session=session, may_claim=False, limits=Limits(99)
    )


async def until_admitted(store: RedisStore, session: str, text: str, *, bot: str = "helpdesk") -> Admission:
    """As a platform does: send it again while the answer is 503."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await admit(store, session, text, bot=bot)
            except StoreUnavailableError:
                await asyncio.sleep(0.1)


async def test_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    made = tls(tmp_path)
    redis = server(tls=made)
    async with opened(RedisStore(redis.url, login=Login(*LOGIN, ca_file=made.ca_file))) as store:
        session = await store.turns.open_session()
        assert (await admit(store, session, "hello")).status == "accepted"
    distrustful = RedisStore(redis.url, login=Login(*LOGIN))
    with pytest.raises(StoreUnavailableError, match=r"(?i)certificate"):
        await distrustful.open()
    await distrustful.close()
    redis.remove()


async def test_what_no_replica_confirmed_is_not_accepted_and_sent_again_it_is_a_duplicate() -> None:
    primary = server()
    replica = replica_of(primary)
    async with opened(RedisStore(primary.url, durability="replicated")) as store:
        session = await store.turns.open_session()
        assert (await admit(store, session, "hello")).status == "accepted"
        replica.kill()
        with pytest.raises(StoreUnavailableError, match="durability unmet"):
            await admit(store, session, "again")
        with pytest.raises(StoreUnavailableError, match="durability unmet"):
            await admit(store, session, "again")
        await store.turns.renew(session, ())  # which loses nothing if it is lost, and so waits for nobody
        replica.start()
        assert (await until_admitted(store, session, "again")).status == "duplicate"
        until(lambda: replica.info("replication")["master_link_status"] == "up")
        (claim,) = await store.turns.claim(session, 9)
        assert await store.turns.complete(claim, answered("ok"), keep_turns=9) is not None
    primary.remove()
    replica.remove()


async def test_a_duplicate_is_not_confirmed_before_the_first_one_is() -> None:
    """The platform's second try may come to another process: it must not hear 200 for what may still be lost."""
    primary = server()
    replica = replica_of(primary)
    first, second = (RedisStore(primary.url, durability="replicated") for _ in range(2))
    async with opened(first), opened(second):
        session = await first.turns.open_session()
        assert (await admit(first, session, "hello")).status == "accepted"
        await second.turns.tick(9)  # it knows the bot's partition, so that admitting is its first write
        replica.freeze()
        for store in (first, second):
            with pytest.raises(StoreUnavailableError, match="durability unmet"):
                await admit(store, session, "again")
        replica.thaw()
        assert (await until_admitted(second, session, "again")).status == "duplicate"
    replica.remove()
    primary.remove()


async def test_replicated_without_a_replica_is_told_at_the_start() -> None:
    alone = server()
    async with opened(RedisStore(alone.url, durability="replicated")) as store:
        assert any("no replica is connected" in warning for warning in store.warnings)
    alone.remove()


@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "TLS"])
async def test_behind_sentinel_what_was_accepted_survives_the_primary(tmp_path: Path, over_tls: bool) -> None:
    made = tls(tmp_path) if over_tls else None
    primary = server(tls=made)
    replica = replica_of(primary)
    sentinel = sentinel_of(primary, "turns")
    url = f"{sentinel.url.replace('://', '+sentinel://')}/turns"
    login = Login(*LOGIN, made.password, made.ca_file) if made else None
    async with opened(RedisStore(url, durability="replicated", login=login)) as store:
        session = await store.turns.open_session()
        assert (await admit(store, session, "before")).status == "accepted"
    async with opened(RedisStore(url, login=login)) as store:
        session = await store.turns.open_session()
        assert (await admit(store, session, "between")).status == "accepted"
        until(lambda: replica.info("replication")["master_link_status"] == "up")
        primary.kill()
        assert (await until_admitted(store, session, "after")).status == "accepted"
        heir = await store.turns.open_session()
        (claim,) = await store.turns.claim(heir, 9)
        assert claim.turn.message.text == "before"
    for process in (sentinel, replica, primary):
        process.remove()


@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "TLS"])
async def test_in_a_cluster_a_lost_node_stops_its_own_bots_until_its_replica_has_taken_over(
    tmp_path: Path, over_tls: bool
) -> None:
    made = tls(tmp_path) if over_tls else None
    cluster = Cluster(made)
    login = Login(*LOGIN, ca_file=made.ca_file) if made else None
    partitions = Partitions("turnkeeper", 64)
    on_first, elsewhere = _bots_on_and_off(cluster.primaries[0], partitions)
    async with opened(RedisStore(cluster.url, login=login)) as store:
        session = await store.turns.open_session()
        for bot in (on_first, elsewhere):
            assert (await admit(store, session, "before", bot=bot)).status == "accepted"
        cluster.primaries[0].kill()
        assert (await until_admitted(store, session, "while it is away", bot=elsewhere)).status == "accepted"
        assert (await until_admitted(store, session, "after", bot=on_first)).status == "accepted"
    cluster.remove()


async def test_while_a_slot_moves_its_conversations_are_refused_and_nothing_is_split() -> None:
    """A function that ran between two keys' moves would see half of a conversation."""
    cluster = Cluster()
    source, target = cluster.primaries[:2]
    partitions = Partitions("turnkeeper", 64)
    bot, _ = _bots_on_and_off(source, partitions)
    slot = int(str(source.ask("CLUSTER", "KEYSLOT", partitions.tag(partitions.of(key(bot=bot).bot)))))
    async with opened(RedisStore(cluster.url)) as store:
        session = await store.turns.open_session()
        assert (await admit(store, session, "before", bot=bot)).status == "accepted"
        ids = {node: str(node.ask("CLUSTER", "MYID")) for node in (source, target)}
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100)
        assert isinstance(keys, list)
        for moved in keys:
            with pytest.raises(StoreUnavailableError, match="being moved"):
                await admit(store, session, "meanwhile", bot=bot)
            source.ask("MIGRATE", "127.0.0.1", target.port, moved, 0, 5000)
        for node in (target, source):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        assert (await until_admitted(store, session, "after", bot=bot)).status == "accepted"
        assert (await admit(store, session, "before", bot=bot)).status == "duplicate"
        (claim,) = await store.turns.claim(session, 9)
        assert claim.turn.message.text == "before"
        following = await store.turns.complete(claim, answered("ok"), keep_turns=9)
        assert following is not None
        assert following.turn.message.text == "after"
    cluster.remove()


def _bots_on_and_off(node: ServerProcess, partitions: Partitions) -> tuple[str, str]:
    last_slot = 16384 // 3 - 1
    bots = [f"bot-{number}" for number in range(50)]
    slots = {
        bot: int(str(node.ask("CLUSTER", "KEYSLOT", partitions.tag(partitions.of(key(bot=bot).bot)))))
        for bot in bots
    }
    on = next(bot for bot in bots if slots[bot] <= last_slot)
    return on, next(bot for bot in bots if slots[bot] > last_slot)
