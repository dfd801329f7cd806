"""Whole turns for tests of what stays of them."""

from __future__ import annotations

from conversation.busy import Limits
from conversation.messages import InboundMessage
from conversation.stores.port import Store
from conversation.turn import Claim, Final
from tests.conversation.made_up import OBEYED, ManualClock, answered


async def begin(store: Store, session: str, said: InboundMessage) -> Claim:
    """The claim of a message that nobody is before."""
    admission = await store.turns.admit(said, session=session, may_claim=True, limits=Limits())
    assert admission.claim is not None
    return admission.claim


async def answer(
    store: Store,
    session: str,
    said: InboundMessage,
    final: Final | None = None,
    *,
    keep_turns: int = 100,
    keep_texts: bool = True,
) -> Claim:
    """The message is answered, or obeyed, and nothing comes after it."""
    claim = await begin(store, session, said)
    ends = final or (OBEYED if said.command else answered("ok"))
    following = await store.turns.complete(claim, ends, keep_turns=keep_turns, keep_texts=keep_texts)
    assert following is None
    return claim


async def wait(store: Store, session: str, said: InboundMessage) -> None:
    """The message waits in its queue."""
    admission = await store.turns.admit(said, session=session, may_claim=False, limits=Limits())
    assert (admission.status, admission.claim) == ("accepted", None)


async def later(store: Store, session: str, clock: ManualClock, seconds: float) -> None:
    """So much time passes, and the session lives."""
    clock.advance(seconds)
    await store.turns.renew(session, ())
