"""What callers hear when Redis refuses, forgets or dies."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest
from redis import Redis

from conversation.busy import Limits
from conversation.stores.audit import Deed
from conversation.stores.port import SessionLostError, StoreUnavailableError
from conversation.stores.redis import Login, RedisStore
from conversation.stores.redis.batching import BATCH, Batching
from conversation.stores.redis.errors import PERMISSIONS
from conversation.stores.redis.library import Library
from conversation.turn import Final, Outcome, Reason
from tests.conversation.made_up import answered, key, message
from tests.conversation.stores import servers
from tests.conversation.stores.servers import ServerProcess
from tests.ports import free_port


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    process = servers.server()
    yield process
    process.remove()


@pytest.fixture
def admin(server: ServerProcess) -> Iterator[Redis]:
    with Redis(port=server.port, decode_responses=True) as client:
        yield client


def tell(admin: Redis, *words: str) -> None:
    admin.execute_command(*words)  # type: ignore[no-untyped-call]  # the driver leaves it untyped


@pytest.fixture
async def store(server: ServerProcess) -> AsyncIterator[RedisStore]:
    store = RedisStore(server.url)
    await store.open()
    yield store
    await store.close()


async def refused(server: ServerProcess, login: Login | None = None) -> str:
    """What `open` says."""
    store = RedisStore(server.url, login=login)
    with pytest.raises(StoreUnavailableError) as refusal:
        await store.open()
    await store.close()
    return str(refusal.value)


@pytest.mark.parametrize(
    ("refuse", "relent", "said"),
    [
        (("CONFIG SET", "maxmemory", "1"), ("CONFIG SET", "maxmemory", "0"), "memory is full"),
        (
            ("CONFIG SET", "min-replicas-to-write", "1"),
            ("CONFIG SET", "min-replicas-to-write", "0"),
            "too few replicas",
        ),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "is a replica"),
    ],
)
async def test_a_message_that_redis_cannot_take_is_refused_whole_and_taken_when_sent_again(
    store: RedisStore, admin: Redis, refuse: tuple[str, ...], relent: tuple[str, ...], said: str
) -> None:
    session = await store.turns.open_session()
    tell(admin, *refuse)
    with pytest.raises(StoreUnavailableError, match=said):
        await store.turns.admit(message(), session=session, may_claim=True, limits=Limits(9))
    tell(admin, *relent)
    admission = await store.turns.admit(message(), session=session, may_claim=True, limits=Limits(9))
    assert admission.status == "accepted"
    assert admission.claim is not None
    assert admission.claim.turn.attempt == 1


async def test_a_server_that_died_is_used_again_when_it_is_back(
    store: RedisStore, server: ServerProcess
) -> None:
    """It came back empty, without even the functions."""
    session = await store.turns.open_session()
    server.kill()
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            await store.turns.admit(message(), session=session, may_claim=True, limits=Limits(9))
    server.start()
    with pytest.raises(SessionLostError):
        await store.turns.renew(session, ())
    session = await store.turns.open_session()
    admission = await store.turns.admit(message(), session=session, may_claim=True, limits=Limits(9))
    assert admission.claim is not None
    await store.turns.complete(admission.claim, answered("ok"), keep_turns=9)
    assert not await store.turns.tick(9)


async def test_one_refused_command_does_not_touch_those_that_travel_with_it(store: RedisStore) -> None:
    run, tag = store._batching.run, "{turnkeeper:0}"
    await run(tag, "RPUSH", f"{tag}:list", "1")
    replies = await asyncio.gather(
        run(tag, "ECHO", "before"),
        run(tag, "INCR", f"{tag}:list"),
        run(tag, "ECHO", "after"),
        return_exceptions=True,
    )
    assert (replies[0], replies[2]) == (b"before", b"after")
    assert isinstance(replies[1], StoreUnavailableError)


async def test_a_caller_that_gives_up_takes_nobody_with_it(store: RedisStore) -> None:
    session = await store.turns.open_session()
    await store.turns.admit(message("first"), session=session, may_claim=False, limits=Limits(99))
    callers = [
        asyncio.create_task(
            store.turns.admit(message(f"{number}"), session=session, may_claim=False, limits=Limits(99))
        )
        for number in range(3)
    ]
    await asyncio.sleep(0)
    callers[1].cancel()
    assert (await callers[0]).status == (await callers[2]).status == "accepted"
    (claim,) = await store.turns.claim(session, 9)
    told = await store.events.after(0, 99)
    assert [event.kind for event in told] == ["message.admitted"] * 4 + ["turn.claimed"]
    assert claim.key == key()


async def test_commands_of_one_moment_share_pipelines(store: RedisStore) -> None:
    sent: list[int] = []
    whole = store._connection.send

    async def counted(commands: object) -> list[object]:
        assert isinstance(commands, list)
        sent.append(len(commands))
        return await whole(commands)

    store._connection.send = counted  # type: ignore[method-assign]  # the real one, counted
    tag = "{turnkeeper:0}"
    replies = await asyncio.gather(*(store._batching.run(tag, "ECHO", f"{n}") for n in range(2 * BATCH + 1)))
    assert replies == [f"{n}".encode() for n in range(2 * BATCH + 1)]
    assert sent == [BATCH, BATCH, 1]


async def test_more_than_can_wait_is_refused_at_once(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversation.stores.redis.batching.WAITING", 3)
    tag = "{turnkeeper:0}"
    batching: Batching = store._batching
    waiting = [batching.run(tag, "ECHO", "x") for _ in range(3)]
    with pytest.raises(StoreUnavailableError, match="too slow"):
        batching.run(tag, "ECHO", "x")
    assert await asyncio.gather(*waiting) == [b"x"] * 3


async def test_nobody_there_is_told_with_the_address_and_without_the_password() -> None:
    store = RedisStore(f"redis://me:hunter2@127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:\d+") as refusal:
        await store.open()
    await store.close()
    assert "hunter2" not in str(refusal.value)


async def test_a_password_may_stand_apart_from_the_url(server: ServerProcess, admin: Redis) -> None:
    tell(admin, "ACL", "SETUSER", "gateway", "on", ">hunter2", "~*", "&*", "+@all")
    tell(admin, "CONFIG", "SET", "requirepass", "other")
    assert "store.username or store.password" in await refused(server)
    assert "store.username or store.password" in await refused(server, Login("gateway", "wrong"))
    store = RedisStore(server.url, login=Login("gateway", "hunter2"))
    await store.open()
    await store.close()


async def test_a_user_that_may_too_little_is_told_so_at_the_start(
    server: ServerProcess, admin: Redis
) -> None:
    login = Login("gateway", "hunter2")
    tell(admin, "ACL", "SETUSER", "gateway", "on", ">hunter2", "~*", "+@all", "-function")
    assert "may not" in await refused(server, login)
    tell(admin, "ACL", "SETUSER", "gateway", "+function", "-xadd")
    assert "may not" in await refused(server, login)
    tell(admin, "ACL", "SETUSER", "gateway", "+xadd", "resetkeys", "~other*")
    assert "may not" in await refused(server, login)


async def test_the_permissions_that_are_asked_for_suffice(server: ServerProcess, admin: Redis) -> None:
    rules = ("~{turnkeeper:*", "&{turnkeeper:*", *PERMISSIONS.split())
    tell(admin, "ACL", "SETUSER", "gateway", "on", ">hunter2", *rules)
    store = RedisStore(server.url, login=Login("gateway", "hunter2"))
    await store.open()
    session = await store.turns.open_session()
    admission = await store.turns.admit(message(), session=session, may_claim=True, limits=Limits(9))
    assert admission.claim is not None
    await store.turns.complete(admission.claim, answered("ok"), keep_turns=9)
    assert await store.turns.claim(session, 1) == ()
    await store.turns.tick(9)
    await store.records.put("bot", "b", b"{}", expected=0)
    await store.records.revision("bot")
    assert len(await store.events.after(0, 9)) == 3
    for look in (
        store.events.end(),
        store.events.of_turn(message().turn_id),
        store.events.of_conversation(key(), 9),
        store.transcripts.said(key(), 9),
        store.conversations.page("helpdesk", limit=9),
        store.conversations.find(key()),
        store.conversations.queue(key(), 9),
        store.conversations.load("helpdesk"),
        store.conversations.queues(["helpdesk"]),
        store.audit.append(Deed("anna", "bot.changed", "bot/helpdesk")),
        store.audit.before(None, 9),
        store.privacy.kept(message().person, "helpdesk"),
        store.privacy.erase(message().person, "helpdesk"),
    ):
        await look
    assert not any("gateways may not wake one another" in warning for warning in store.warnings)
    await store.close()


def test_the_functions_are_tried_with_every_command_that_they_use() -> None:
    """One that is refused half-way would leave half of its work."""
    probe = re.search(r"local function probe.*?^end", Library().text, re.DOTALL | re.MULTILINE)
    assert probe is not None
    tried = set(re.findall(r"\{'([A-Z]+)'", probe[0]))
    used = set(re.findall(r"redis\.call\('([A-Z]+)'", Library().text))
    assert tried == used


async def test_a_user_that_may_not_wake_others_is_warned_of_at_the_start(
    server: ServerProcess, admin: Redis
) -> None:
    rules = ("~{turnkeeper:*", "resetchannels", *PERMISSIONS.split())
    tell(admin, "ACL", "SETUSER", "gateway", "on", ">hunter2", *rules)
    store = RedisStore(server.url, login=Login("gateway", "hunter2"))
    await store.open()
    assert any("&{turnkeeper:*" in warning for warning in store.warnings)
    await store.close()


async def test_a_redis_that_throws_messages_away_is_refused_and_one_that_forgets_is_warned_of(
    server: ServerProcess, admin: Redis
) -> None:
    admin.config_set("maxmemory", 100_000_000)
    admin.config_set("maxmemory-policy", "allkeys-lru")
    assert "noeviction" in await refused(server)
    admin.config_set("maxmemory-policy", "volatile-lru")
    store = RedisStore(server.url)
    await store.open()
    assert any("maxmemory-policy volatile-lru" in warning for warning in store.warnings)
    assert any("appendonly" in warning for warning in store.warnings)
    await store.close()
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("appendonly", "yes")
    store = RedisStore(server.url)
    await store.open()
    assert store.warnings == ()
    await store.close()


async def test_namespaces_on_one_server_know_nothing_of_each_other(server: ServerProcess) -> None:
    mine, theirs = RedisStore(server.url, namespace="mine"), RedisStore(server.url, namespace="theirs")
    for store in (mine, theirs):
        await store.open()
        session = await store.turns.open_session()
        admission = await store.turns.admit(message(), session=session, may_claim=False, limits=Limits(9))
        assert admission.status == "accepted"
        await store.records.put("bot", "b", b"{}", expected=0)
    for store in (mine, theirs):
        assert len(await store.events.after(0, 9)) == 1
        assert await store.records.revision("bot") == 1
        await store.close()


async def test_a_namespace_keeps_the_number_of_its_partitions(
    store: RedisStore, server: ServerProcess
) -> None:
    other = RedisStore(server.url, partitions=8)
    with pytest.raises(StoreUnavailableError, match="64 partitions, not 8"):
        await other.open()
    await other.close()


async def test_two_versions_of_the_functions_stand_side_by_side(server: ServerProcess, admin: Redis) -> None:
    """A deployment rolls: the old process goes on while the new one starts."""
    old = RedisStore(server.url)
    text = Library().text.replace(Library().name, "@LIBRARY@")
    new = RedisStore(server.url, library=Library(text + "\n-- a later version\n"))
    for store in (old, new):
        await store.open()
    assert len(admin.function_list()) == 2
    session, other = await old.turns.open_session(), await new.turns.open_session()
    admission = await old.turns.admit(message(), session=session, may_claim=False, limits=Limits(9))
    assert admission.status == "accepted"
    await new.turns.tick(9)
    (claim,) = await new.turns.claim(other, 1)
    await new.turns.complete(claim, answered("ok"), keep_turns=9)
    assert (
        await old.turns.admit(message(), session=session, may_claim=True, limits=Limits(9))
    ).status == "duplicate"
    for store in (old, new):
        await store.close()


async def test_a_damaged_message_becomes_a_dead_letter_with_a_notice_and_the_rest_goes_on(
    store: RedisStore, server: ServerProcess
) -> None:
    session = await store.turns.open_session()
    for text in ("damaged", "sound"):
        await store.turns.admit(message(text), session=session, may_claim=False, limits=Limits(9))
    queue = f"{{turnkeeper:{store._house.partitions.of(key().bot)}}}:queue:{key()}"
    facts, _, _ = str(server.ask("LINDEX", queue, 0)).partition("\n")
    server.ask("LSET", queue, 0, facts + "\nwhat is this")
    (claim,) = await store.turns.claim(session, 9)
    assert (claim.turn.refusal, claim.turn.message.address.chat) == (Reason.MALFORMED, "C1")
    told = Final(("sorry",), "", Outcome("dead", Reason.MALFORMED))
    following = await store.turns.complete(claim, told, keep_turns=9)
    assert following is not None
    assert following.turn.message.text == "sound"
    (letter,) = await store.turns.dead_letters()
    assert (letter.key, letter.messages, letter.reason) == (key(), (), Reason.MALFORMED)


async def test_a_damaged_delivery_ends_its_turn_with_a_notice(store: RedisStore, admin: Redis) -> None:
    session = await store.turns.open_session()
    await store.turns.admit(message(), session=session, may_claim=False, limits=Limits(9))
    (conversation,) = admin.keys("*:conversation:*")
    admin.hset(conversation, "delivery", "what is this")
    (claim,) = await store.turns.claim(session, 9)
    assert claim.turn.refusal is Reason.MALFORMED


async def test_what_belongs_to_no_conversation_that_waits_expires(store: RedisStore, admin: Redis) -> None:
    session = await store.turns.open_session()
    admission = await store.turns.admit(message(), session=session, may_claim=True, limits=Limits(9))
    (name,) = admin.keys("*:conversation:*")
    assert admin.ttl(name) == -1
    assert admission.claim is not None
    await store.turns.complete(admission.claim, answered("ok"), keep_turns=9)
    assert admin.ttl(name) > 0
    (bucket,) = admin.keys("*:seen:*")
    assert 24 * 3600 < admin.ttl(bucket) <= 28 * 3600
    assert not admin.keys("*:queue:*")
    await store.turns.admit(message("another"), session=session, may_claim=True, limits=Limits(9))
    assert admin.ttl(name) == -1
    await store.turns.close_session(session)
    assert not admin.keys("*session*")
