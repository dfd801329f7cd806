"""What Redis' refusals mean to the store: decided here, once."""

from __future__ import annotations

from redis import exceptions as driver

from conversation.stores.port import StoreUnavailableError

FAILURES = (driver.RedisError, driver.RedisClusterException, OSError)
"""All that the driver raises."""

_MEANINGS: tuple[tuple[type[Exception], str], ...] = (
    (driver.AuthenticationError, "user or password is wrong: check store.username and store.password"),
    (
        driver.NoPermissionError,
        "the user may not do what the store needs: give it what docs/configuration.md says of store.username",
    ),
    (driver.OutOfMemoryError, "its memory is full: raise maxmemory"),
    (driver.ReadOnlyError, "this server is a replica: name the primary, or use redis+sentinel://"),
    (driver.BusyLoadingError, "it is reading its data from disk, and will be there soon"),
    (driver.MovedError, "this is a cluster: use redis+cluster://"),
    (driver.AskError, "a slot is being moved to another node, and will be there soon"),
    (driver.TryAgainError, "a slot is being moved to another node, and will be there soon"),
    (driver.ClusterDownError, "the cluster does not cover all slots"),
)

_PREFIXES = (
    ("NOAUTH", "it wants a password: set store.password"),
    ("NOREPLICAS", "too few replicas are connected for its min-replicas-to-write"),
    ("MISCONF", "it cannot write to its disk"),
    ("BUSY", "it is busy with a script"),
)


def unavailable(error: BaseException, doing: str = "Redis") -> StoreUnavailableError:
    """The store's error, which says what to do. Redis' own text names commands and keys, never values."""
    meaning = next((text for kind, text in _MEANINGS if isinstance(error, kind)), None)
    if meaning is None:
        meaning = next((text for prefix, text in _PREFIXES if str(error).startswith(prefix)), None)
    told = StoreUnavailableError(f"{doing}: {meaning} ({error})" if meaning else f"{doing}: {error}")
    told.__cause__ = error
    return told


def function_missing(reply: object) -> bool:
    """The server does not know the function; it ran nothing."""
    return isinstance(reply, driver.ResponseError) and "Function not found" in str(reply)


def library_exists(error: driver.ResponseError) -> bool:
    return "already exists" in str(error)
