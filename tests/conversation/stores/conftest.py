from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conversation.stores.port import Store, TurnStore
from conversation.stores.retention import Retention
from tests.conversation.made_up import ManualClock
from tests.conversation.stores.engines import ENGINES, IN_PARTITIONS


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=ENGINES | IN_PARTITIONS)
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    engine = (ENGINES | IN_PARTITIONS)[request.param](tmp_path, clock, Retention())
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
def turns(store: Store) -> TurnStore:
    return store.turns


@pytest.fixture
async def session(turns: TurnStore) -> str:
    return await turns.open_session()
