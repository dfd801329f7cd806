from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from conversation.stores.redis import RedisStore
from tests.conversation.made_up import ManualClock
from tests.conversation.stores.servers import fresh_namespace, valkey


@pytest.fixture
def namespace() -> str:
    return fresh_namespace()


@pytest.fixture
async def here(namespace: str, clock: ManualClock) -> AsyncIterator[RedisStore]:
    """A process's store, in 64 partitions."""
    store = RedisStore(valkey().url, namespace=namespace, clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def there(namespace: str, clock: ManualClock) -> AsyncIterator[RedisStore]:
    """Another process's store, in the same namespace."""
    store = RedisStore(valkey().url, namespace=namespace, clock=clock)
    await store.open()
    yield store
    await store.close()
