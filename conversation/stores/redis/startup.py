"""What a Redis must be before messages are trusted to it."""

from __future__ import annotations

import secrets
from typing import Any

from redis.exceptions import NoPermissionError, RedisError

from conversation.stores.port import StoreUnavailableError
from conversation.stores.redis.connection import Command, Connection
from conversation.stores.redis.library import Library


async def prepare(
    connection: Connection, library: Library, home: str, *, replicated: bool, permissions: str
) -> tuple[str, ...]:
    """Make the functions known, and see that they may run; returns what an operator should be warned of.

    ``permissions``: what its user should be allowed. Raises StoreUnavailableError for a server that would lose
    messages, and what the driver raises.
    """
    await connection.load(library)
    probe = Command(home, ("FCALL", library.function("probe"), 1, home, secrets.token_hex(6)))
    told = Command(home, ("SPUBLISH", f"{home}:wake", ""))
    confirmed = Command(home, ("WAIT", 0, 0))
    ran, heard, *waited = await connection.send([probe, told, *([confirmed] if replicated else [])])
    for reply in (ran, *waited):
        if isinstance(reply, Exception):
            raise reply
    warnings = []
    if isinstance(heard, NoPermissionError):
        warnings.append(
            "gateways may not wake one another, and look for waiting messages once a second instead: give the user"
            f" {permissions}"
        )
    try:
        memory = await connection.info("memory")
        persistence = await connection.info("persistence")
        replication = await connection.info("replication")
    except RedisError as error:
        return (*warnings, f"cannot see whether Redis evicts or persists ({error}): let its user run INFO")
    warnings += [*_eviction(memory), *_persistence(persistence)]
    if replicated and any(server.get("connected_slaves") == 0 for server in replication):
        warnings.append(
            "durability is replicated, but no replica is connected: messages are refused until one is"
        )
    return tuple(dict.fromkeys(warnings))


def _eviction(servers: list[dict[str, Any]]) -> list[str]:
    warnings = []
    for server in servers:
        policy = server.get("maxmemory_policy")
        if policy is None:
            warnings.append("cannot see Redis' maxmemory-policy: make sure that it is noeviction")
        elif policy.startswith("allkeys-") and server.get("maxmemory"):
            raise StoreUnavailableError(
                f"Redis throws accepted messages away when its memory is full (maxmemory-policy {policy}):"
                " CONFIG SET maxmemory-policy noeviction, and write that into its configuration"
            )
        elif policy != "noeviction":
            warnings.append(
                f"Redis forgets early which messages it has seen when its memory is full (maxmemory-policy {policy}):"
                " set it to noeviction"
            )
    return warnings


def _persistence(servers: list[dict[str, Any]]) -> list[str]:
    if any(server.get("aof_enabled") == 0 for server in servers):
        return ["Redis forgets accepted messages when it restarts: set appendonly yes"]
    return []
