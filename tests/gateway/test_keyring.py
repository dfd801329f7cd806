"""Secrets at rest: which keys are taken, what opens, and what a rotation leaves behind."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.stores.memory import MemoryStore
from conversation.stores.records import RecordConflictError
from conversation.stores.redis import RedisStore
from gateway.admin.access import Principal
from gateway.admin.audit import Audit
from gateway.admin.errors import ConflictError, NotAllowedError
from gateway.admin.rotation import Rotation
from gateway.canary import WrongKeyError, check_canary
from gateway.keyring import Keyring, UnreadableSecretError
from tests.conversation.made_up import ManualClock
from tests.conversation.stores.servers import fresh_namespace, valkey

OLD, NEW = "an-old-key-of-the-tests", "a-new-key-of-the-tests"
SECRET = "xoxb-marzipan"
OWNER = "bot/helpdesk#bot_token"
ADMIN = Principal("anna", "admin")


def test_what_one_keyring_sealed_another_with_the_same_keys_opens() -> None:
    sealed = Keyring.parse(OLD).seal(SECRET, OWNER)
    assert SECRET not in sealed
    assert Keyring.parse(f"{NEW}, {OLD}").open(sealed, OWNER) == SECRET


def test_the_same_secret_is_never_sealed_alike() -> None:
    keyring = Keyring.parse(OLD)
    assert keyring.seal(SECRET, OWNER) != keyring.seal(SECRET, OWNER)


def test_the_first_key_seals() -> None:
    keyring = Keyring.parse(f"{NEW},{OLD}")
    assert keyring.is_current(keyring.seal(SECRET, OWNER))
    assert not keyring.is_current(Keyring.parse(OLD).seal(SECRET, OWNER))


@pytest.mark.parametrize("owner", ["bot/other#bot_token", "bot/helpdesk#signing_secret", ""])
def test_a_secret_that_was_moved_to_another_place_does_not_open(owner: str) -> None:
    keyring = Keyring.parse(OLD)
    with pytest.raises(UnreadableSecretError, match="belongs to another record"):
        keyring.open(keyring.seal(SECRET, OWNER), owner)


@pytest.mark.parametrize("flaw", ["cut", "version", "base64", "key"])
def test_a_damaged_secret_says_so_and_tells_nothing(flaw: str) -> None:
    keyring = Keyring.parse(OLD)
    sealed = keyring.seal(SECRET, OWNER)
    kind, version, key, body = sealed.split(":")
    broken = {
        "cut": sealed[:-8],
        "version": f"{kind}:v9:{key}:{body}",
        "base64": f"{kind}:{version}:{key}:é",
        "key": f"{kind}:{version}:00000000:{body}",
    }[flaw]
    with pytest.raises(UnreadableSecretError) as caught:
        keyring.open(broken, OWNER)
    assert SECRET not in str(caught.value)
    assert body not in str(caught.value)


RAW = bytes(range(3, 250, 8)) + b"\xff"


@pytest.mark.parametrize(
    "spelling",
    [base64.b64encode(RAW).decode(), base64.urlsafe_b64encode(RAW).decode(), RAW.hex(), f" {RAW.hex()} "],
)
def test_a_key_of_32_bytes_is_the_same_in_every_spelling(spelling: str) -> None:
    sealed = Keyring.parse(RAW.hex()).seal(SECRET, OWNER)
    assert Keyring.parse(spelling).open(sealed, OWNER) == SECRET


@pytest.mark.parametrize(
    ("keys", "said"),
    [("", "key 1 is empty"), (f"{OLD},", "key 2 is empty"), (f"{OLD},short", "key 2 has 5 characters")],
)
def test_a_key_that_could_be_guessed_is_refused_with_how_to_make_one(keys: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"{said}.*openssl rand -base64 32") as caught:
        Keyring.parse(keys)
    assert "short" not in str(caught.value)


async def test_the_canary_lets_the_keys_of_a_store_in_and_no_others() -> None:
    records = MemoryStore(ManualClock()).records
    await check_canary(Keyring.parse(OLD), records)
    await check_canary(Keyring.parse(OLD), records)
    await check_canary(Keyring.parse(f"{NEW},{OLD}"), records)
    with pytest.raises(WrongKeyError, match="give the key that was used before too"):
        await check_canary(Keyring.parse(NEW), records)


@pytest.fixture
async def redis() -> AsyncIterator[RedisStore]:
    store = RedisStore(valkey().url, namespace=fresh_namespace())
    await store.open()
    yield store
    await store.close()


async def test_of_replicas_that_start_together_one_leaves_the_canary_and_only_its_keys_are_let_in(
    redis: RedisStore,
) -> None:
    keyrings = [Keyring.parse(keys) for keys in (OLD, f"{NEW},{OLD}", OLD, "a-third-key-of-the-tests")]
    done = await asyncio.gather(
        *(check_canary(keyring, redis.records) for keyring in keyrings), return_exceptions=True
    )
    (canary,) = await redis.records.all("canary")
    assert canary.version == 1
    for keyring, fault in zip(keyrings, done, strict=True):
        try:
            await check_canary(keyring, redis.records)
        except WrongKeyError:
            assert isinstance(fault, WrongKeyError)
        else:
            assert fault is None


async def test_rotations_and_changes_at_once_lose_neither_a_secret_nor_a_change(redis: RedisStore) -> None:
    old, both, records = Keyring.parse(OLD), Keyring.parse(f"{NEW},{OLD}"), redis.records
    bots = [f"bot-{number}" for number in range(5)]
    for bot in bots:
        credentials = {"bot_token": old.seal(f"xoxb-{bot}", f"bot/{bot}#bot_token")}
        document = {"id": bot, "channel": "slack", "credentials": credentials, "max_replies": 0}
        await records.put("bot", bot, json.dumps(document).encode(), expected=0)

    async def change(bot: str, times: int) -> None:
        """As an admin's change does: to the version that was read, again if that is old."""
        while times:
            record = await records.get("bot", bot)
            assert record is not None
            document = json.loads(record.document)
            document["max_replies"] += 1
            try:
                await records.put("bot", bot, json.dumps(document).encode(), expected=record.version)
            except RecordConflictError:
                continue
            times -= 1

    rotations = [Rotation(records, both, Audit(redis.audit)) for _ in range(3)]
    async with asyncio.TaskGroup() as at_once:
        for bot in bots:
            at_once.create_task(change(bot, 8))
        running = [at_once.create_task(one.rotate(ADMIN)) for one in rotations]
    assert sum(one.result().resealed for one in running) == len(bots), "each was sealed anew by one of them"
    new = Keyring.parse(NEW)
    for bot in bots:
        record = await records.get("bot", bot)
        assert record is not None
        document = json.loads(record.document)
        assert document["max_replies"] == 8
        assert new.open(document["credentials"]["bot_token"], f"bot/{bot}#bot_token") == f"xoxb-{bot}"


TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS, TEXTS, st.data())
def test_whatever_is_sealed_opens_in_its_place_and_not_if_a_bit_was_changed(
    value: str, owner: str, data: st.DataObject
) -> None:
    keyring = Keyring.parse(RAW.hex())
    sealed = keyring.seal(value, owner)
    assert keyring.open(sealed, owner) == value
    named, _, body = sealed.rpartition(":")
    raw = bytearray(base64.urlsafe_b64decode(body))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(UnreadableSecretError):
        keyring.open(f"{named}:{base64.urlsafe_b64encode(raw).decode()}", owner)


async def stored_bot(store: MemoryStore, keyring: Keyring, **credentials: str) -> None:
    sealed = {name: keyring.seal(value, f"bot/helpdesk#{name}") for name, value in credentials.items()}
    document = {"id": "helpdesk", "channel": "slack", "agent": "default", "credentials": sealed}
    await store.records.put("bot", "helpdesk", json.dumps(document).encode(), expected=0)


async def test_after_a_rotation_the_old_key_can_be_taken_out_of_the_list() -> None:
    store, old, both = MemoryStore(ManualClock()), Keyring.parse(OLD), Keyring.parse(f"{NEW},{OLD}")
    await check_canary(old, store.records)
    await stored_bot(store, old, signing_secret="s", bot_token=SECRET)
    rotation = Rotation(store.records, both, Audit(store.audit))

    done = await rotation.rotate(ADMIN)
    assert (done.resealed, done.current, done.unreadable) == (2, 0, ())
    again = await rotation.rotate(ADMIN)
    assert (again.resealed, again.current, again.unreadable) == (0, 2, ())

    new = Keyring.parse(NEW)
    await check_canary(new, store.records)
    record = await store.records.get("bot", "helpdesk")
    assert record is not None
    assert new.open(json.loads(record.document)["credentials"]["bot_token"], OWNER) == SECRET
    assert [entry.deed.action for entry in await store.audit.before(None, 9)] == ["secrets.rotated"] * 2


async def test_a_secret_that_no_key_opens_is_named_and_keeps_no_other_from_being_rotated() -> None:
    store, both = MemoryStore(ManualClock()), Keyring.parse(f"{NEW},{OLD}")
    lost = Keyring.parse("a-key-that-was-lost").seal("s", "bot/helpdesk#signing_secret")
    document = {"credentials": {"signing_secret": lost, "bot_token": Keyring.parse(OLD).seal(SECRET, OWNER)}}
    document |= {"id": "helpdesk", "channel": "slack", "agent": "default"}  # type: ignore[dict-item]
    await store.records.put("bot", "helpdesk", json.dumps(document).encode(), expected=0)

    done = await Rotation(store.records, both, Audit(store.audit)).rotate(ADMIN)
    assert (done.resealed, done.unreadable) == (1, ("bot/helpdesk#signing_secret",))


async def test_a_rotation_is_for_admins_and_needs_a_key() -> None:
    store = MemoryStore(ManualClock())
    with pytest.raises(ConflictError, match="secrets_key is not configured"):
        await Rotation(store.records, None, Audit(store.audit)).rotate(ADMIN)
    with pytest.raises(NotAllowedError):
        await Rotation(store.records, Keyring.parse(NEW), Audit(store.audit)).rotate(
            Principal("olga", "operator")
        )
