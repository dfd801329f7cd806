"""A way to Redis that sends many commands at once: to one server, or to the primary that Sentinel names.

The driver repeats nothing by itself: whether a command whose answer was lost may be sent again is for its caller
to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, ResponseError

from conversation.stores.port import StoreUnavailableError
from conversation.stores.redis.address import Address
from conversation.stores.redis.errors import FAILURES, library_exists
from conversation.stores.redis.library import Library

ANSWER_WITHIN = 3.0
"""Seconds: a renewal that hangs leaves time for two more before the lease ends."""

REPLICA_WITHIN = 1.0
"""Seconds for a replica to confirm, with ``durability: replicated``."""

Argument = str | bytes | int


@dataclass(frozen=True, slots=True)
class Command:
    """``tag`` decides the node. A ``durable`` command counts only once a replica has it."""

    tag: str
    words: tuple[Argument, ...]
    durable: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """How to get in. ``ca_file`` replaces the machine's own authorities for TLS."""

    username: str | None = None
    password: str | None = None
    sentinel_password: str | None = None
    ca_file: Path | None = None

    def or_of(self, address: Address) -> Login:
        """This, with user and password from the URL where they are not given apart from it."""
        return replace(
            self, username=self.username or address.username, password=self.password or address.password
        )


class Connection(Protocol):
    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """Each command's reply, or the error that it met. Raises what the driver raises if none was answered."""
        ...

    async def load(self, library: Library) -> None:
        """Make the functions known to every primary."""
        ...

    async def info(self, section: str) -> list[dict[str, Any]]:  # the driver's own shape
        """Of every primary."""
        ...

    async def subscribers(self, tags: Sequence[str]) -> list[tuple[PubSub, list[str]]]:
        """A subscriber for each node, with the tags whose channels are there. Whoever gets them closes them."""
        ...

    async def close(self) -> None: ...


class ServerConnection:
    """To one server, or to the primary that Sentinel names."""

    def __init__(self, address: Address, login: Login, *, replicated: bool) -> None:
        self._sentinel: Sentinel | None = None
        self._replicated = replicated
        host, port = address.hosts[0]
        if address.kind == "sentinel":
            self._sentinel = Sentinel(  # type: ignore[no-untyped-call]  # the driver leaves it untyped
                list(address.hosts),
                sentinel_kwargs=options(
                    address, Login(password=login.sentinel_password, ca_file=login.ca_file)
                ),
                **options(address, login),
            )
            self._redis: Redis = self._sentinel.master_for(address.primary, db=address.database)
        else:
            self._redis = Redis(host=host, port=port, db=address.database, **options(address, login))

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        durable = self._replicated and any(command.durable for command in commands)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command.words)
            if durable:
                pipeline.execute_command("WAIT", 1, int(REPLICA_WITHIN * 1000))
            replies = await pipeline.execute(raise_on_error=False)
        if durable:
            replies = confirmed(commands, replies, replies.pop())
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            # The primary's name leads elsewhere now; connections that stand would go on asking the old one.
            await self._redis.connection_pool.disconnect(inuse_connections=False)
        return replies

    async def load(self, library: Library) -> None:
        try:
            await self._redis.function_load(library.text)
        except ResponseError as error:
            if not library_exists(error):
                raise
        except MasterNotFoundError as error:
            raise error from await self._trouble_of_sentinels()

    async def _trouble_of_sentinels(self) -> BaseException | None:
        """What the last Sentinel says, unless one answers: the driver tells of each no more than a class."""
        trouble: BaseException | None = None
        for sentinel in self._sentinel.sentinels if self._sentinel else ():
            try:
                await sentinel.sentinel_masters()
            except FAILURES as error:
                trouble = error
            else:
                return None
        return trouble

    async def info(self, section: str) -> list[dict[str, Any]]:
        return [await self._redis.info(section)]

    async def subscribers(self, tags: Sequence[str]) -> list[tuple[PubSub, list[str]]]:
        return [(self._redis.pubsub(), list(tags))]

    async def close(self) -> None:
        await self._redis.aclose()
        if self._sentinel is not None:
            for sentinel in self._sentinel.sentinels:
                await sentinel.aclose()


def confirmed(commands: Sequence[Command], replies: list[Any], replicas: object) -> list[Any]:
    """The replies, with those of durable commands replaced where no replica confirmed them in time."""
    if isinstance(replicas, int) and replicas >= 1:
        return replies
    return [
        StoreUnavailableError("durability unmet: no replica has it; is one connected?")
        if command.durable and not isinstance(reply, Exception)
        else reply
        for command, reply in zip(commands, replies, strict=True)
    ]


def options(address: Address, login: Login) -> dict[str, Any]:  # keyword arguments of the driver
    given: dict[str, Any] = {
        "username": login.username,
        "password": login.password,
        "socket_timeout": ANSWER_WITHIN,
        "socket_connect_timeout": ANSWER_WITHIN,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "turnkeeper",
    }
    if address.tls:
        given |= {"ssl": True, "ssl_ca_certs": str(login.ca_file) if login.ca_file else None}
    return given
