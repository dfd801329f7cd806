"""A way to Redis Cluster: every command goes to the node of its tag's slot, each node's in one pipeline.

A slot that is being moved answers nobody until it has arrived (the driver's following of ASK is left out): a
function sees all keys of its partition or none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,  # noqa: A004 - the driver's own, which is not Python's
    MovedError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004 - likewise
)

from conversation.stores.redis.address import Address
from conversation.stores.redis.connection import REPLICA_WITHIN, Command, Login, confirmed, options
from conversation.stores.redis.errors import FAILURES, library_exists
from conversation.stores.redis.library import Library

_CHANGED = (MovedError, ReadOnlyError, ClusterDownError, ConnectionError, TimeoutError)
"""Replies after which the cluster's map may be out of date."""


class ClusterConnection:
    def __init__(self, address: Address, login: Login, *, replicated: bool) -> None:
        self._replicated = replicated
        self._options = options(address, login)
        self._cluster = RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in address.hosts],
            require_full_coverage=False,
            **self._options,
        )

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        await self._cluster.initialize()
        replies = await self._send(commands)
        if any(isinstance(reply, _CHANGED) for reply in replies):
            try:
                await self._cluster.nodes_manager.initialize()
            except FAILURES:  # the cluster is away; what was answered was answered
                return replies
            moved = [number for number, reply in enumerate(replies) if isinstance(reply, MovedError)]
            if moved:  # the node ran nothing, so these alone may be sent again
                again = await self._send([commands[number] for number in moved])
                for number, reply in zip(moved, again, strict=True):
                    replies[number] = reply
        return replies

    async def load(self, library: Library) -> None:
        await self._cluster.initialize()
        for node in self._cluster.get_primaries():
            try:
                await node.execute_command("FUNCTION LOAD", library.text)
            except ResponseError as error:
                if not library_exists(error):
                    raise

    async def info(self, section: str) -> list[dict[str, Any]]:
        return [await node.execute_command("INFO", section) for node in self._cluster.get_primaries()]

    async def subscribers(self, tags: Sequence[str]) -> list[tuple[PubSub, list[str]]]:
        await self._cluster.initialize()
        by_node: dict[str, tuple[ClusterNode, list[str]]] = {}
        for tag in tags:
            node = self._node(tag)
            by_node.setdefault(node.name, (node, []))[1].append(tag)
        return [
            (_Subscriber(Redis(host=node.host, port=int(node.port), **self._options)), there)
            for node, there in by_node.values()
        ]

    async def close(self) -> None:
        await self._cluster.aclose()

    def _node(self, tag: str) -> ClusterNode:
        return self._cluster.nodes_manager.get_node_from_slot(self._cluster.keyslot(tag))

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        by_node: dict[str, tuple[ClusterNode, list[int]]] = {}
        for number, command in enumerate(commands):
            node = self._node(command.tag)
            by_node.setdefault(node.name, (node, []))[1].append(number)
        answers = await asyncio.gather(
            *(self._send_to(node, [commands[n] for n in numbers]) for node, numbers in by_node.values())
        )
        replies: list[Any] = [None] * len(commands)
        for (_, numbers), of_node in zip(by_node.values(), answers, strict=True):
            for number, reply in zip(numbers, of_node, strict=True):
                replies[number] = reply
        return replies

    async def _send_to(self, node: ClusterNode, commands: Sequence[Command]) -> list[Any]:
        """The replies of one node. That it cannot be reached is the reply to each: other nodes' are not touched."""
        durable = self._replicated and any(command.durable for command in commands)
        pipeline = self._cluster.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command.words, target_nodes=node)
        if durable:
            pipeline.execute_command("WAIT", 1, int(REPLICA_WITHIN * 1000), target_nodes=node)
        try:
            replies = await pipeline.execute(raise_on_error=False, allow_redirections=False)
        except FAILURES as error:
            return [error] * len(commands)
        return confirmed(commands, replies, replies.pop()) if durable else replies


class _Subscriber(PubSub):
    """A subscriber with a client of its own, which ends with it."""

    def __init__(self, client: Redis) -> None:
        super().__init__(client.connection_pool)
        self._client = client

    async def aclose(self) -> None:
        await super().aclose()  # type: ignore[no-untyped-call]  # the driver leaves it untyped
        await self._client.aclose()
