"""What Redis' refusals mean to the store: decided here, once."""

from __future__ import annotations

import re

from redis import exceptions as driver
from redis.asyncio.sentinel import MasterNotFoundError

from conversation.stores.port import StoreUnavailableError

FAILURES = (driver.RedisError, driver.RedisClusterException, OSError, RuntimeError)
"""All that the driver raises. RuntimeError is uvloop's, for a connection that was closed under the driver."""

PERMISSIONS = "+@read +@write +@connection +fcall +function|load +time +spublish +ssubscribe +info +wait"
"""What the user must be allowed, in the words of ACL SETUSER. With a cluster ``+cluster|slots`` too."""

FORBIDDEN = (
    f"its user may not do all that the store needs, which is ~{{NAMESPACE:* &{{NAMESPACE:* {PERMISSIONS}"
)

_MOVING = "a slot is being moved to another node, and will be there soon"

_MEANINGS: tuple[tuple[type[Exception], str], ...] = (
    (driver.AuthenticationError, "store.username or store.password is missing or wrong"),
    (driver.NoPermissionError, FORBIDDEN),
    (driver.OutOfMemoryError, "its memory is full: raise maxmemory"),
    (driver.ReadOnlyError, "this server is a replica: name the primary, or use redis+sentinel://"),
    (driver.BusyLoadingError, "it is reading its data from disk, and will be there soon"),
    (driver.MovedError, "another node has this slot; if redis+cluster:// is not set, set it"),
    (driver.AskError, _MOVING),
    (driver.TryAgainError, _MOVING),
    (driver.ClusterDownError, "the cluster does not cover all slots"),
)

_WORDS = (
    ("ACL failure in script", FORBIDDEN),
    ("The user executing the script", FORBIDDEN),
    ("unknown command", "it is too old: Redis 7.0 or newer, or Valkey, is needed"),
    ("NOREPLICAS", "too few replicas are connected for its min-replicas-to-write"),
    ("MISCONF", "it cannot write to its disk"),
    ("BUSY", "it is busy with a script"),
)
"""Where the driver has no type of its own: what stands in the text."""

_OF_A_SENTINEL = re.compile(r"> - (\S+)(?=, <redis\.|$)")
_LONGEST = 200


def unavailable(error: BaseException, doing: str = "Redis") -> StoreUnavailableError:
    """The store's error, in one line, which says what to do."""
    meaning, said = meaning_of(error), said_by(error)
    told = StoreUnavailableError(f"{doing}: {meaning} ({said})" if meaning else f"{doing}: {said}")
    told.__cause__ = error
    return told


def meaning_of(error: BaseException) -> str | None:
    meaning = next((text for kind, text in _MEANINGS if isinstance(error, kind)), None)
    if meaning is None:
        meaning = next((text for words, text in _WORDS if words in str(error)), None)
    return meaning


def said_by(error: BaseException) -> str:
    """What the driver or Redis said, in one line: commands, keys and addresses, never values."""
    text = str(error)
    if isinstance(error, MasterNotFoundError):  # which tells of every Sentinel all that it knows
        text = text.partition(" : ")[0] + "".join(f", {one}" for one in _OF_A_SENTINEL.findall(text))
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def function_missing(reply: object) -> bool:
    """The server does not know the function; it ran nothing."""
    return isinstance(reply, driver.ResponseError) and "Function not found" in str(reply)


def library_exists(error: driver.ResponseError) -> bool:
    return "already exists" in str(error)
