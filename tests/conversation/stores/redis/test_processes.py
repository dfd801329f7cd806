"""Several processes over several bots, whatever they do and whichever die: every message ends once, in order."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from conversation.busy import Limits
from conversation.stores.port import OUTAGE, StoreError
from conversation.stores.redis import RedisStore
from conversation.turn import Claim
from tests.conversation.made_up import SAID_AT, ManualClock, answered, message
from tests.conversation.stores.servers import fresh_namespace, valkey

BOTS = ("helpdesk", "lunch", "releases")
CHATS = ("C1", "C2")


class Process:
    """A gateway as far as the store sees it; it dies by never being heard of again."""

    def __init__(self, namespace: str, clock: ManualClock) -> None:
        self.store = RedisStore(valkey().url, namespace=namespace, clock=clock)
        self.session = ""
        self.claims: list[Claim] = []

    async def start(self) -> None:
        await self.store.open()
        self.session = await self.store.turns.open_session()

    async def act(self, dice: random.Random, number: int) -> None:
        turns = self.store.turns
        claim = dice.choice(self.claims) if self.claims else None
        try:
            match dice.choice(("admit", "admit", "claim", "complete", "complete", "retry", "stop", "renew")):
                case "admit":
                    said = message(f"{number}", chat=dice.choice(CHATS), bot=dice.choice(BOTS))
                    admission = await turns.admit(
                        said,
                        session=self.session,
                        may_claim=dice.random() < 0.5,
                        limits=Limits(999, replies=4, per_person=3),
                    )
                    self.claims += [admission.claim] if admission.claim else []
                case "claim":
                    self.claims += await turns.claim(self.session, dice.randint(1, 3))
                case "renew":
                    self.claims += await turns.renew(self.session, self.claims)
                case _ if claim is None:
                    return
                case "complete":
                    self.claims.remove(claim)
                    following = await turns.complete(claim, answered("ok"), keep_turns=9)
                    self.claims += [following] if following else []
                case "retry":
                    self.claims.remove(claim)
                    await turns.retry(claim, dice.choice((0.5, 5.0)))
                case "stop":
                    await turns.stop(claim.key, f"stop {number}", SAID_AT)
        except StoreError:  # lost: as a process does, begin anew
            self.claims = []
            self.session = await turns.open_session()


@pytest.mark.parametrize("seed", range(5))
async def test_every_accepted_message_ends_once_and_in_order(seed: int) -> None:
    dice, clock, namespace = random.Random(seed), ManualClock(), fresh_namespace()
    processes = [Process(namespace, clock) for _ in range(3)]
    opened = list(processes)
    for process in processes:
        await process.start()
    for number in range(400):
        process = dice.choice(processes)
        await process.act(dice, number)
        clock.advance(dice.choice((0.0, 0.1, 1.0)))
        if dice.random() < 0.2:
            await process.store.turns.tick(100)
        if dice.random() < 0.02:  # kill -9, and another takes its place
            processes.remove(process)
            processes.append(Process(namespace, clock))
            opened.append(processes[-1])
            await processes[-1].start()
    await _finish(processes[0], clock)
    admitted, completed = defaultdict(list), defaultdict(list)
    for event in await processes[0].store.events.after(0, 100_000):
        if event.kind == "message.admitted":
            admitted[event.key].append(event.turn_id)
        elif event.kind == "turn.completed":
            completed[event.key].append(event.turn_id)
    assert sum(map(len, admitted.values())) > 50
    assert completed == admitted
    for process in opened:
        await process.store.close()


async def _finish(last: Process, clock: ManualClock) -> None:
    """One process is left, and answers everything."""
    turns = last.store.turns
    for _ in range(8):
        await turns.tick(100)
        clock.advance(OUTAGE)
    last.session = await turns.open_session()
    while claims := await turns.claim(last.session, 9):
        for first in claims:
            claim: Claim | None = first
            while claim is not None:
                claim = await turns.complete(claim, answered("ok"), keep_turns=9)
        await turns.tick(100)
