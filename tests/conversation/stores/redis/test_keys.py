"""What stays in Redis when everything is over: nothing that grows for ever."""

from __future__ import annotations

from conversation.busy import Limits
from conversation.stores.audit import Deed
from conversation.stores.conversations import LISTED_FOR
from conversation.stores.redis import RedisStore
from conversation.stores.retention import Retention
from tests.conversation.made_up import DEAD, ManualClock, command, message
from tests.conversation.stores.servers import valkey
from tests.conversation.stores.talk import answer, later


def kinds(namespace: str) -> set[str]:
    """Of the keys that a namespace has, but for those that expire by themselves."""
    keys = valkey().ask("KEYS", f"{{{namespace}:*")
    assert isinstance(keys, list)
    return {key.split(":")[2] for key in keys if valkey().ask("TTL", key) == -1}


async def test_of_what_was_said_long_ago_only_counters_stay(
    here: RedisStore, namespace: str, clock: ManualClock
) -> None:
    session = await here.turns.open_session()
    for user in ("U1", "U2", "U3"):
        for number in range(6):
            await answer(
                here, session, message(f"{user} {number}", user=user, chat=f"C{number % 2}"), keep_turns=4
            )
        await answer(here, session, message(f"{user} dead", user=user), DEAD)
    await answer(here, session, command("bind", "other"))
    await answer(here, session, command("clear"))
    await answer(here, session, message("hi", chat="C9"))
    await here.privacy.erase(message(user="U3").person, "helpdesk")
    await here.audit.append(Deed("anna", "bot.changed", "bot/helpdesk"))
    assert {"said", "said_of", "said_due", "dead", "conversations", "listed"} <= kinds(namespace)
    await later(here, session, clock, max(Retention().audit, LISTED_FOR))
    await here.turns.tick(100)
    await here.turns.close_session(session)
    assert kinds(namespace) == {"partitions", "house", "heartbeat", "counters", "bot", "events", "audit"}
    assert await here.events.after(0, 9) == ()
    assert await here.audit.before(None, 9) == ()


async def test_a_bot_is_listed_again_when_it_was_away_for_a_month(
    here: RedisStore, namespace: str, clock: ManualClock
) -> None:
    """Its conversations are known all the while, as a turn of theirs may have ended later."""
    session = await here.turns.open_session()
    for _ in range(2):
        await here.turns.admit(message(str(clock.now())), session=session, may_claim=True, limits=Limits(9))
        await later(here, session, clock, LISTED_FOR)
        await here.turns.tick(100)
        assert not {"listed", "conversations"} & kinds(namespace)
