"""A store that cannot be used: ``serve`` ends at once, and says in one line what to do."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from conversation.stores.redis.errors import PERMISSIONS
from conversation.stores.redis.house import LAYOUT
from conversation.stores.sqlite.writer import SCHEMA_VERSION
from tests.conversation.stores import servers
from tests.conversation.stores.servers import Cluster, ServerProcess, sentinel_of
from tests.conversation.stores.tls import LOGIN, tls
from tests.gateway.old_redis import old_redis
from tests.ports import free_port

Store = dict[str, str]

HOME = "{turnkeeper:0}"


@pytest.fixture
def redis() -> Iterator[ServerProcess]:
    process = servers.server()
    yield process
    process.remove()


def configure(folder: Path, store: Store) -> None:
    settings = {"server": {"port": 0}, "store": store, "agents": [{"id": "default", "provider": "echo"}]}
    (folder / "turnkeeper.yaml").write_text(yaml.safe_dump(settings))


async def refused(folder: Path, store: Store, *, preparation: Callable[[], None] | None = None) -> str:
    """The one line in which the gateway says why it does not start. ``preparation`` runs in its process before."""
    configure(folder, store)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve"),
        cwd=folder,
        stdout=PIPE,
        stderr=PIPE,
        preexec_fn=preparation,
    )
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert line.startswith("turnkeeper: ")
    assert "Traceback" not in output.decode()
    secrets = (store.get("password"), store.get("sentinel_password"), urlsplit(store["url"]).password)
    for secret in filter(None, secrets):
        assert secret not in line + output.decode()
    return line


async def checked(folder: Path, store: Store) -> tuple[int | None, str]:
    configure(folder, store)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "check"),
        cwd=folder,
        env=os.environ | {"COLUMNS": "200"},
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


def user(redis: ServerProcess, *rules: str) -> Store:
    """The store as a user with these rules reaches it."""
    redis.ask("ACL", "SETUSER", "gateway", "reset", "on", ">hunter2", *rules)
    return {"url": redis.url, "username": "gateway", "password": "hunter2"}


# Redis: there is none, or another one than the address says


async def test_nobody_listens(tmp_path: Path) -> None:
    port = free_port()
    for scheme, path in (("redis", ""), ("rediss", ""), ("redis+sentinel", "/turns"), ("redis+cluster", "")):
        line = await refused(tmp_path, {"url": f"{scheme}://127.0.0.1:{port}{path}", "password": "hunter2"})
        assert f"127.0.0.1:{port}: it cannot be reached: start it, or correct store.url" in line


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://me:hunter2@a,b", "store.url: several hosts need redis+sentinel:// or redis+cluster://"),
        ("redis+sentinel://a", "store.url: name the primary as Sentinel knows it"),
        ("redis://me:hunter2/3@a", "a password with / ? or # in it goes into store.password"),
        ("redis://me:hunter2#3@a", "a password with / ? or # in it goes into store.password"),
        ("redis://a/first", "store.url: the end of a Redis address is the number of a database"),
    ],
)
async def test_a_malformed_address(tmp_path: Path, url: str, said: str) -> None:
    line = await refused(tmp_path, {"url": url})
    assert said in line
    assert "hunter2" not in line


async def test_a_server_that_is_too_old(tmp_path: Path) -> None:
    async with old_redis() as url:
        assert "it is too old: Redis 7.0 or newer, or Valkey, is needed" in await refused(
            tmp_path, {"url": url}
        )


async def test_a_server_alone_where_another_kind_was_named(tmp_path: Path, redis: ServerProcess) -> None:
    line = await refused(tmp_path, {"url": redis.url.replace("redis:", "redis+cluster:")})
    assert "it is no cluster: write redis:// instead of redis+cluster://" in line
    line = await refused(tmp_path, {"url": redis.url.replace("redis:", "redis+sentinel:") + "/turns"})
    assert "that is no Sentinel: name Sentinel's port (26379), or write redis://" in line
    line = await refused(tmp_path, {"url": f"{redis.url}/77"})
    assert "write a lower number at the end of store.url" in line


async def test_another_kind_where_a_server_alone_was_named(tmp_path: Path, redis: ServerProcess) -> None:
    cluster = Cluster()
    for node in cluster.primaries[:2]:
        line = await refused(tmp_path, {"url": node.url})
        assert "write redis+cluster:// instead of redis://" in line
    cluster.remove()
    replica = servers.replica_of(redis)
    assert "name the primary, or use redis+sentinel://" in await refused(tmp_path, {"url": replica.url})
    sentinel = sentinel_of(redis, "turns")
    assert "if it is a Sentinel, redis+sentinel://" in await refused(tmp_path, {"url": sentinel.url})
    wrong_name = sentinel.url.replace("redis:", "redis+sentinel:") + "/chats"
    assert "write a name that SENTINEL MASTERS lists into store.url" in await refused(
        tmp_path, {"url": wrong_name}
    )
    sentinel.remove()
    replica.remove()


# Redis: the way in


async def test_tls_where_none_is_spoken(tmp_path: Path, redis: ServerProcess) -> None:
    line = await refused(tmp_path, {"url": redis.url.replace("redis:", "rediss:")})
    assert "it does not answer to TLS: name its port for TLS, or write redis://" in line


async def test_a_wrong_password_in_the_address(tmp_path: Path, redis: ServerProcess) -> None:
    user(redis, "~*", "&*", "+@all")
    line = await refused(tmp_path, {"url": redis.url.replace("//", "//gateway:hunter3@")})
    assert "store.username or store.password is missing or wrong" in line


async def test_everything_that_can_be_wrong_with_tls_and_passwords(tmp_path: Path) -> None:
    made = tls(tmp_path)
    redis = servers.server(tls=made)
    replica = servers.replica_of(redis)
    sentinel = sentinel_of(redis, "turns")
    right = {"url": redis.url, "username": LOGIN[0], "password": LOGIN[1], "ca_file": "ca.crt"}

    line = await refused(tmp_path, {"url": redis.url.replace("rediss:", "redis:")})
    assert "it hung up: if that port speaks TLS, write rediss:// instead of redis://" in line
    line = await refused(tmp_path, {"url": redis.url})
    assert "its certificate is of an unknown authority: name that one's in store.ca_file" in line
    line = await refused(tmp_path, right | {"url": redis.url.replace("127.0.0.1", "localhost")})
    assert "its certificate is for another name: write the certificate's name into store.url" in line
    for login in ({"username": "", "password": ""}, {"password": "hunter3"}, {"username": "somebody"}):
        line = await refused(tmp_path, right | login)
        assert "store.username or store.password is missing or wrong" in line
    by_sentinel = right | {"url": sentinel.url.replace("rediss:", "rediss+sentinel:") + "/turns"}
    for password in ("", "hunter3"):
        line = await refused(tmp_path, by_sentinel | {"sentinel_password": password})
        assert "Sentinel's password is missing or wrong: correct store.sentinel_password" in line
    redis.ask("CONFIG", "SET", "tls-auth-clients", "yes")
    assert "set its tls-auth-clients no" in await refused(tmp_path, right)
    for server in (sentinel, replica, redis):
        server.remove()


async def test_check_gets_in_with_everything_that_the_configuration_gives(tmp_path: Path) -> None:
    made = tls(tmp_path)
    redis = servers.server(tls=made)
    replica = servers.replica_of(redis)
    sentinel = sentinel_of(redis, "turns")
    (tmp_path / "password").write_text(LOGIN[1] + "\n")
    store = {
        "url": sentinel.url.replace("rediss:", "rediss+sentinel:") + "/turns",
        "username": LOGIN[0],
        "password": "file:password",
        "sentinel_password": made.password,
        "ca_file": "ca.crt",
    }
    code, output = await checked(tmp_path, store)
    assert code == 0, output
    assert f"redis at 127.0.0.1:{sentinel.port}/turns" in output
    for server in (sentinel, replica, redis):
        server.remove()


async def test_check_finds_a_malformed_address_too(tmp_path: Path) -> None:
    code, output = await checked(tmp_path, {"url": "redis+sentinel://a"})
    assert code == 1
    assert "store.url: name the primary as Sentinel knows it" in output
    assert "Traceback" not in output


# Redis: what the user may do


@pytest.mark.parametrize("forbidden", ["fcall", "function|load", "xadd", "lrange", "select"])
async def test_a_user_that_may_not_run_something(
    tmp_path: Path, redis: ServerProcess, forbidden: str
) -> None:
    store = user(redis, "~*", "&*", "+@all", f"-{forbidden}")
    line = await refused(tmp_path, store | {"url": f"{redis.url}/1"})
    assert f"by ACL SETUSER, ~{{turnkeeper:* &{{turnkeeper:* {PERMISSIONS}" in line


async def test_a_user_that_may_not_wait_for_replicas(tmp_path: Path, redis: ServerProcess) -> None:
    store = user(redis, "~*", "&*", "+@all", "-wait")
    assert "+wait" in await refused(tmp_path, store | {"durability": "replicated"})


async def test_a_user_of_another_namespace_is_told_the_pattern_that_is_needed(
    tmp_path: Path, redis: ServerProcess
) -> None:
    store = user(redis, "~{turnkeeper:*", "&{turnkeeper:*", *PERMISSIONS.split())
    line = await refused(tmp_path, store | {"namespace": "bots"})
    assert "store.namespace 'bots' needs: give it, by ACL SETUSER, ~{bots:* &{bots:* +@read" in line


async def test_a_user_that_may_not_look_at_a_cluster(tmp_path: Path) -> None:
    cluster = Cluster()
    for node in cluster.nodes:
        user(node, "~*", "&*", *PERMISSIONS.split())
    line = await refused(
        tmp_path, user(cluster.primaries[0], "~*", "&*", *PERMISSIONS.split()) | {"url": cluster.url}
    )
    assert "+cluster|slots" in line
    cluster.remove()


# Redis: what it is and holds


async def test_a_redis_that_throws_messages_away(tmp_path: Path, redis: ServerProcess) -> None:
    redis.ask("CONFIG", "SET", "maxmemory", 100_000_000)
    redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert "CONFIG SET maxmemory-policy noeviction" in await refused(tmp_path, {"url": redis.url})


async def test_a_full_redis(tmp_path: Path, redis: ServerProcess) -> None:
    redis.ask("CONFIG", "SET", "maxmemory", 1)
    assert "its memory is full: raise maxmemory" in await refused(tmp_path, {"url": redis.url})


@pytest.mark.parametrize(
    ("layout", "partitions", "said"),
    [
        (LAYOUT + 1, 64, "made by a newer Turnkeeper"),
        (LAYOUT - 1, 64, "made by an older Turnkeeper"),
        (LAYOUT, 8, "has 8 partitions, not 64"),
    ],
)
async def test_a_namespace_that_was_made_for_something_else(
    tmp_path: Path, redis: ServerProcess, layout: int, partitions: int, said: str
) -> None:
    redis.ask("HSET", f"{HOME}:house", "layout", layout, "partitions", partitions)
    line = await refused(tmp_path, {"url": redis.url})
    assert f"namespace 'turnkeeper' {'was ' if 'made' in said else ''}{said}" in line
    assert "set another store.namespace" in line


# SQLite


def edit(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()


async def test_a_file_that_another_process_has_open(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("CREATE TABLE something (here)")
        line = await refused(tmp_path, {"url": "sqlite:///store.db"})
    other.close()
    assert "another process has it open; stop that one, or give this one a store.url of its own" in line


async def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    edit(tmp_path / "store.db", f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    line = await refused(tmp_path, {"url": "sqlite:///store.db"})
    assert "store.db was written by a newer Turnkeeper" in line
    assert "upgrade, or restore a backup" in line


async def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("somebody's letters " * 100)
    line = await refused(tmp_path, {"url": "sqlite:///letters"})
    assert "it is no SQLite database; set another store.url" in line
    edit(tmp_path / "browser.db", "CREATE TABLE history (url)")
    line = await refused(tmp_path, {"url": "sqlite:///browser.db"})
    assert "browser.db is another program's database; set another store.url" in line


async def test_a_path_on_which_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path in ("folder", "file/store.db"):
        line = await refused(tmp_path, {"url": f"sqlite:///{path}"})
        assert "or set another store.url" in line


@pytest.mark.parametrize("there", ["nothing", "an empty file", "a database"])
async def test_a_folder_that_may_not_be_written(tmp_path: Path, there: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    if there == "an empty file":
        (folder / "store.db").touch(mode=0o400)
    elif there == "a database":
        edit(folder / "store.db", "PRAGMA user_version = 0")
    folder.chmod(0o500)
    try:
        line = await refused(
            tmp_path, {"url": "sqlite:///data/store.db"}, preparation=_without_the_rights_of_root
        )
    finally:
        folder.chmod(0o700)
    assert "let its user write the file and its folder, or set another store.url" in line


def _without_the_rights_of_root() -> None:
    """A process of root gets permissions checked like everybody's, from its next program on."""
    drop_bound, dac_override = 24, 1  # PR_CAPBSET_DROP and CAP_DAC_OVERRIDE
    if sys.platform == "linux":  # which refuses it to others than root, who need it not
        ctypes.CDLL(None).prctl(drop_bound, dac_override, 0, 0, 0)
