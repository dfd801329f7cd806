"""What Redis' refusals mean to the store: decided here, once."""

from __future__ import annotations

from redis import exceptions as driver

from conversation.stores.port import StoreUnavailableError

FAILURES = (driver.RedisError, driver.RedisClusterException, OSError)
"""All that the driver raises."""

_FORBIDDEN = (
    "the user may not do what the store needs: allow it ~* &* or the namespace's keys and channels ({NAMESPACE:*),"
    " with +@read +@write +@connection +fcall +function|load +time +spublish +ssubscribe +info +wait"
)
_MOVING = "a slot is being moved to another node, and will be there soon"

_MEANINGS: tuple[tuple[type[Exception], str], ...] = (
    (driver.AuthenticationError, "user or password are missing or wrong"),
    (driver.NoPermissionError, _FORBIDDEN),
    (driver.OutOfMemoryError, "its memory is full: raise maxmemory"),
    (driver.ReadOnlyError, "this server is a replica: name the primary, or use redis+sentinel://"),
    (driver.BusyLoadingError, "it is reading its data from disk, and will be there soon"),
    (driver.MovedError, "another node has this slot; if redis+cluster:// is not set, set it"),
    (driver.AskError, _MOVING),
    (driver.TryAgainError, _MOVING),
    (driver.ClusterDownError, "the cluster does not cover all slots"),
)

_WORDS = (
    ("ACL failure in script", _FORBIDDEN),
    ("The user executing the script", _FORBIDDEN),
    ("unknown command", "it is too old: Redis 7.0 or newer, or Valkey, is needed"),
    ("NOREPLICAS", "too few replicas are connected for its min-replicas-to-write"),
    ("MISCONF", "it cannot write to its disk"),
    ("BUSY", "it is busy with a script"),
)
"""Where the driver has no type of its own: what stands in the text."""


def unavailable(error: BaseException, doing: str = "Redis") -> StoreUnavailableError:
    """The store's error, which says what to do. Redis' own text names commands and keys, never values."""
    meaning = next((text for kind, text in _MEANINGS if isinstance(error, kind)), None)
    if meaning is None:
        meaning = next((text for words, text in _WORDS if words in str(error)), None)
    told = StoreUnavailableError(f"{doing}: {meaning} ({error})" if meaning else f"{doing}: {error}")
    told.__cause__ = error
    return told


def function_missing(reply: object) -> bool:
    """The server does not know the function; it ran nothing."""
    return isinstance(reply, driver.ResponseError) and "Function not found" in str(reply)


def library_exists(error: driver.ResponseError) -> bool:
    return "already exists" in str(error)
