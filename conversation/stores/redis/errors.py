"""What Redis' refusals mean to the store: one table, so that every caller hears the same."""

from __future__ import annotations

from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - the driver's own, which is not Python's
    MaxConnectionsError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - likewise
    TryAgainError,
)

from conversation.stores.port import StoreUnavailableError

FAILURES = (RedisError, RedisClusterException, OSError)
"""All that the driver raises."""
