"""One run: the people talk while the storm rages; then everything is mended, and judged."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.demo.gateway_process import Credentials
from gateway.demo.lark import LarkStandin
from gateway.demo.model import ModelStandin
from gateway.demo.slack import SlackStandin
from tests.chaos.history import History
from tests.chaos.load import People, Talk
from tests.chaos.plan import Plan
from tests.chaos.replicas import Balancer, replicas
from tests.chaos.stores import ChaosStore, make_store
from tests.chaos.storm import Storm
from tests.chaos.verdict import Findings, judge
from tests.chaos.watch import Watch
from tests.chaos.writers import Wait, felt, middle, stale_writes

RETRY_DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Quicker than the platforms' own, and more: a message that nobody takes is no test."""

SETTLED_WITHIN = 150.0
"""Seconds after the storm: a lease, the turns that wait behind one another, and one put-back of a delivery."""

CALM = 6.0
"""Seconds without any visible change in which a late write would still be seen."""

TENANTS = {"slack": "T0DEMO", "lark": "demo-tenant"}

Progress = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """``faults`` by kind; the run is good if there are none."""

    history: Path
    faults: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    waits: list[Wait] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    must_be_zero = (
        "lost",
        "doubled, Slack",
        "doubled, Lark",
        "out of order",
        "overlapping owners",
        "wrong final texts",
        "unsettled",
        "replicas that died by themselves",
    )

    @property
    def good(self) -> bool:
        return not any(self.faults.values())

    def rows(self) -> list[tuple[str, str]]:
        """The table's."""
        counted = [
            "conversations",
            "turns accepted",
            "answered by a notice",
            "never accepted",
            "kills",
            "freezes",
            "freezes past the lease",
            "store restarts",
            "promotions",
            "network slow",
            "network cut",
            "network stalled",
            "network half open",
            "calls held",
        ]
        rows = [(name, str(self.counts[name])) for name in counted]
        rows += [(name, str(len(self.faults.get(name, ())))) for name in self.must_be_zero]
        rows += [
            (name, str(self.counts[name]))
            for name in (
                "stale edits refused, Lark",
                "stale edits refused, Slack",
                "stale edits accepted",
                "stale edits repaired",
                "calls rate limited",
            )
        ]
        rows.append(("complaints of the platforms", str(len(self.complaints))))
        waits = [wait.seconds for wait in self.waits]
        undisturbed = [wait.seconds for wait in self.waits if not wait.disturbed]
        rows.append(("replies cut off by a kill", str(len(waits))))
        rows.append(("kill to visible progress, p50", f"{middle(waits):.1f} s"))
        rows.append(("… max", f"{max(waits, default=0.0):.1f} s"))
        rows.append(("… max where nothing else was struck", f"{max(undisturbed, default=0.0):.1f} s"))
        return rows


async def run(plan: Plan, history_folder: Path, progress: Progress) -> Result:
    """Play it and judge it."""
    path = history_folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{plan.name}.jsonl"
    store = make_store(plan.store)
    try:
        with History(path) as history, tempfile.TemporaryDirectory(prefix="turnkeeper-chaos-") as folder:
            history.note("begins", plan.name)
            return await _play(plan, Path(folder), history, store, progress)
    finally:
        store.remove()


async def _play(plan: Plan, folder: Path, history: History, store: ChaosStore, progress: Progress) -> Result:
    secret = Credentials()
    balancer = Balancer()
    slack = SlackStandin(
        signing_secret=secret.signing_secret,
        bot_token=secret.bot_token,
        retry_delays=RETRY_DELAYS,
        route=balancer.route,
        seed=plan.seed,
    )
    lark = LarkStandin(
        app_id=secret.app_id,
        app_secret=secret.app_secret,
        encrypt_key=secret.encrypt_key,
        verification_token=secret.verification_token,
        retry_delays=RETRY_DELAYS,
        route=balancer.route,
        seed=plan.seed,
    )
    model = ModelStandin(api_key=secret.model_key)
    people = People(
        slack,
        lark,
        random.Random(plan.seed),
        history,
        lambda talk: judge(talk, tenant=TENANTS[talk.platform]).clean,
    )
    model.script = people.script
    watch = Watch(slack, lark, history)
    async with (
        slack,
        lark,
        model,
        replicas(folder, plan.workers, store, secret, slack, lark, model, history) as all_of_them,
    ):
        balancer.replicas = all_of_them
        storm = Storm(plan, all_of_them, store, slack, lark, history)
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(_tell(plan, people, storm, progress))
            watching = [group.create_task(one.watched()) for one in all_of_them]
            talking = group.create_task(people.talk(plan.seconds))
            await storm.rage(plan.seconds)
            for one in watching:
                one.cancel()
            await storm.calm()
            await talking
            telling.cancel()
        await slack.settle()
        await lark.settle()
        findings = await _settled(people.talks, watch, progress)
        result = _result(history, people.talks, findings, storm, watch)
        result.faults["replicas that died by themselves"] = [
            death for one in all_of_them for death in one.deaths
        ]
        _keep_logs(folder, history.path)
        for kind, sentences in result.faults.items():
            for sentence in sentences:
                history.note("fault", kind, sentence=sentence)
        for complaint in result.complaints:
            history.note("complaint", "a platform", sentence=complaint)
        return result


async def _tell(plan: Plan, people: People, storm: Storm, progress: Progress) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(1.0)
        struck = sum(storm.counts.values())
        said = sum(len(talk.said) for talk in people.talks)
        progress(f"{time.monotonic() - began:3.0f} of {plan.seconds:g} s: {said} messages, {struck} strikes")


async def _settled(talks: list[Talk], watch: Watch, progress: Progress) -> dict[str, Findings]:
    """What is found once nothing changes any more, or patience is at its end."""
    began = time.time()
    findings: dict[str, Findings] = {}
    while True:
        open_talks = [talk for talk in talks if talk.name not in findings or not findings[talk.name].clean]
        for talk in open_talks:
            findings[talk.name] = judge(talk, tenant=TENANTS[talk.platform])
            await asyncio.sleep(0)
        waited = time.time() - began
        still = [talk for talk in talks if not findings[talk.name].clean]
        progress(f"settling for {waited:.0f} s: {len(still)} of {len(talks)} conversations are open")
        if (not still and time.time() - watch.changed_at > CALM) or waited > SETTLED_WITHIN:
            break
        await asyncio.sleep(0.5)
    return {talk.name: judge(talk, tenant=TENANTS[talk.platform]) for talk in talks}


def _result(
    history: History, talks: list[Talk], findings: dict[str, Findings], storm: Storm, watch: Watch
) -> Result:
    result = Result(history.path)
    result.counts.update(storm.counts)
    faults: dict[str, list[str]] = {name: [] for name in Result.must_be_zero}
    for talk in talks:
        found = findings[talk.name]
        faults["lost"] += found.lost
        faults[f"doubled, {talk.platform.title()}"] += found.doubled
        faults["out of order"] += found.out_of_order
        faults["overlapping owners"] += found.overlapping
        faults["wrong final texts"] += found.wrong
        faults["unsettled"] += found.unsettled
        result.counts["turns accepted"] += found.taken
        result.counts["answered by a notice"] += found.notices
        result.counts["never accepted"] += len(talk.said) - found.taken
    seen = {shown.ts for talk in talks for shown in talk.look()}
    for (platform, ts), shown in watch.messages.items():
        if ts not in seen and not shown.deleted:
            where = f"{ts} in {shown.chat} stands in no conversation: {shown.text[:40]!r}"
            faults[f"doubled, {platform.title()}"].append(where)
    result.counts["conversations"] = len(talks)
    misfits = {ts for found in findings.values() for ts in found.misfits}
    stale = stale_writes(watch.changes, misfits)
    faults["overlapping owners"] += stale.owners
    result.faults = faults
    result.counts["stale edits refused, Lark"] = watch.lark_refused_stale
    result.counts["stale edits refused, Slack"] = watch.slack_refused_stale
    result.counts["stale edits accepted"] = stale.accepted
    result.counts["stale edits repaired"] = stale.repaired
    result.counts["calls rate limited"] = watch.rate_limited
    result.complaints = watch.complaints
    result.waits = felt(storm.kills, watch.changes, storm.strikes)
    return result


def _keep_logs(folder: Path, history: Path) -> None:
    """What the replicas said, beside the history."""
    for log in sorted(folder.glob("replica*/gateway.log")):
        target = history.with_suffix(f".{log.parent.name}.log")
        target.write_bytes(log.read_bytes())
