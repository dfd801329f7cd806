"""An earlier version and this one on one Redis under load: upgrade, rollback, and replies that change hands.

``drain`` is so short that each pod that goes leaves replies half-finished, and whoever takes them up is often of the
other version. What an earlier version cannot know it has to leave alone, and what it wrote has to be read.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conversation.stores.servers import fresh_namespace, server
from tests.faults.rollout import Lifecycle, talking_cluster
from tests.faults.versions import previous

QUICK = Lifecycle(
    ready_path="/readyz",
    period=1.0,
    failures=2,
    pre_stop=1.0,
    grace=15.0,
    drain="1s",
    forgotten_after=0.5,
)


@pytest.mark.timeout(240)
async def test_an_upgrade_and_a_rollback_beside_an_earlier_version_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    version = previous()
    if version is None:
        pytest.skip("this clone has no history: the version before this one is not there to be run")
    old = tmp_path / "earlier"
    version.unpack(old)
    redis = server("--appendonly", "yes")
    async with talking_cluster(
        tmp_path,
        QUICK,
        replicas=2,
        store={"url": redis.url, "namespace": fresh_namespace()},
        seed=9,
        source=old,
    ) as cluster:
        await asyncio.sleep(3)  # people are talking with the earlier one
        for old_pod in list(cluster.deployment.pods):
            await cluster.deployment.add()
            await asyncio.sleep(2)  # with three, of both
            cluster.deployment.delete(old_pod)
            await asyncio.sleep(2)
        await cluster.deployment.calm()
        await asyncio.sleep(3)  # with this one alone
        await cluster.deployment.roll(old)
        await asyncio.sleep(3)  # it was rolled back
    figures = cluster.figures
    print(
        f"{version.commit[:12]}: {figures.answered} messages in {figures.seconds:.0f} s, {figures.webhooks} webhooks,"
        f" {figures.asked_again} replies taken up by another, {len(figures.refused)} webhooks refused"
    )
    assert figures.faults == []
    assert figures.notices == 0
    assert figures.never_taken == [], "what an ending pod did not answer was sent again, and taken"
    assert figures.answered > 15
    assert figures.asked_again > 0, "no reply went from one version to another"
    assert not any(pod.killed for pod in cluster.deployment.gone)
    redis.remove()
