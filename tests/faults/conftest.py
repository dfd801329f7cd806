from __future__ import annotations

import pytest

from tests.faults.crash import Engine


@pytest.fixture(params=["sqlite", "redis"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    return found
