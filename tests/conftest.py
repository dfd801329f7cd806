from __future__ import annotations

import pytest
from hypothesis import settings

# A busy machine is slow at times; a hang is ended by pytest's own timeout.
settings.register_profile("turnkeeper", deadline=None)
settings.load_profile("turnkeeper")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--benchmarks",
        action="store_true",
        help="run tests/benchmarks at full size; without it they only show that they still work",
    )
