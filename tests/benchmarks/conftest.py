"""Benchmarks never fail by time, only when the work that they measure was not done."""

from __future__ import annotations

import resource

import pytest


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether to measure; else one short round shows that the benchmark still works."""
    return bool(request.config.getoption("--benchmarks"))


@pytest.fixture(autouse=True, scope="session")
def _many_connections() -> None:
    """The processes started from here inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
