"""A rolling upgrade as the chart has it, with its own probe, preStop, drain and grace, under live traffic.

Real processes, a real Valkey, and the stand-ins as platforms; what a kubelet, a Deployment and a Service do is
played by ``rollout.py``.
"""

from __future__ import annotations

import signal
from pathlib import Path

import aiohttp
import pytest
import yaml

from tests.chart.rendering import REDIS, Values, rendered
from tests.conversation.stores.servers import fresh_namespace, server
from tests.faults.rollout import Figures, Lifecycle, talking_cluster
from tests.faults.talk import replies, script
from tests.town import town
from tests.waiting import until


def of_the_chart(values: Values, *, forgotten_after: float) -> Lifecycle:
    """What the rendered Deployment tells a kubelet, unchanged."""
    chart = rendered({**REDIS, "replicaCount": 2, **values})
    probe = chart.gateway.readinessProbe
    return Lifecycle(
        ready_path=str(probe.httpGet.path),
        period=float(str(probe.periodSeconds)),
        failures=int(str(probe.failureThreshold)),
        pre_stop=float(str(chart.gateway.lifecycle.preStop.exec.command[1])),
        grace=float(str(chart.pod.terminationGracePeriodSeconds)),
        drain=str(yaml.safe_load(chart.configuration)["drain"]),
        forgotten_after=forgotten_after,
    )


async def rolled(folder: Path, lifecycle: Lifecycle, *, seed: int) -> Figures:
    """Two pods are replaced while people talk, and nothing is lost or doubled: what came of it."""
    redis = server("--appendonly", "yes")
    store: dict[str, object] = {"url": redis.url, "namespace": fresh_namespace()}
    async with talking_cluster(folder, lifecycle, replicas=2, store=store, seed=seed) as cluster:
        first = list(cluster.deployment.pods)
        await cluster.deployment.roll()
        await cluster.deployment.calm()
    redis.remove()
    figures = cluster.figures
    print(
        f"{figures.answered} messages in {figures.seconds:.0f} s over {figures.webhooks} webhooks,"
        f" {len(figures.refused)} of them not answered with 200; {figures.asked_again} models asked again;"
        f" pods ended after {[f'{pod.ended_after:.1f} s' for pod in first]}"
    )
    assert cluster.deployment.gone == first
    assert not any(pod.killed for pod in first), "the drain ends before the grace"
    assert figures.faults == []
    assert figures.notices == 0
    assert figures.never_taken == []
    return figures


@pytest.mark.timeout(240)
async def test_an_upgrade_with_the_charts_defaults_refuses_loses_and_shortens_nothing(tmp_path: Path) -> None:
    lifecycle = of_the_chart({}, forgotten_after=3.0)
    assert lifecycle.forgotten_after < lifecycle.pre_stop, "or webhooks go to a pod that is gone"
    figures = await rolled(tmp_path, lifecycle, seed=7)
    assert figures.answered > 20
    assert len(figures.refused) <= 1, "but for a connection that both ends closed in the same moment"
    assert figures.asked_again == 0, "no reply was begun again"
    assert figures.complaints == []


@pytest.mark.timeout(240)
async def test_replies_longer_than_the_drain_are_finished_by_another_pod_in_the_same_message(
    tmp_path: Path,
) -> None:
    lifecycle = of_the_chart(
        {"drain": "1s", "preStopSeconds": 2, "terminationGracePeriodSeconds": 13}, forgotten_after=1.0
    )
    figures = await rolled(tmp_path, lifecycle, seed=8)
    assert figures.asked_again > 0, "some were cut off, or nothing was tested"


async def test_a_draining_gateway_ends_the_connections_that_a_balancer_keeps(tmp_path: Path) -> None:
    async with (
        town(tmp_path, script=script, tokens_per_second=12, settings={"drain": "30s"}) as here,
        aiohttp.ClientSession() as balancer,
    ):
        said = await here.lark_dm("one")
        await until(lambda: replies(lambda: here.lark.chat("oc_1")), 10)
        async with balancer.get(f"{here.gateway.url}/readyz") as ready:
            assert (ready.status, ready.headers.get("Connection")) == (200, None)
        here.gateway.signal(signal.SIGTERM)
        statuses: list[tuple[int, str | None]] = []
        while (503, "close") not in statuses:
            async with balancer.get(f"{here.gateway.url}/readyz") as ready:
                statuses.append((ready.status, ready.headers.get("Connection")))
        assert set(statuses) <= {(200, None), (503, "close")}
        await here.answered([said], lambda: here.lark.chat("oc_1"))
