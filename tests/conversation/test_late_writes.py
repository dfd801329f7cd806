"""Processes that lost their turns and did not know it: what they write late is mended."""

from __future__ import annotations

import asyncio

from conversation.outbound import DeliveryDelayedError
from conversation.stores.memory import MemoryStore
from tests import virtual_time
from tests.conversation.fake_platform import FakePlatform, says
from tests.conversation.house import House
from tests.conversation.made_up import message

ANSWER = ("Once", 3.0, " upon", 3.0, " a time")


class Frozen:
    """Two processes on one store and platform; the first is taken for dead while a call of it is on its way."""

    def __init__(self) -> None:
        self.platform = FakePlatform()
        self.platform.takes_late_writes = True
        self.slow = House(says(*ANSWER), self.platform)
        self.slow.store.exclusive = False
        self.heir = House(says(*ANSWER), self.platform, store=self.slow.store)

    def tell(self, *, call_begins_at: float, takes: float) -> None:
        async def story() -> None:
            async with self.slow.running(), self.heir.running():
                await self.slow.say(message("hello"))
                await asyncio.sleep(call_begins_at - 0.1)
                self.platform.seconds_per_call = takes
                await asyncio.sleep(0.2)
                self.platform.seconds_per_call = 0.1
                lose_session(self.slow.store)
                await self.heir.quiet()
                await asyncio.sleep(takes + 60.0)

        virtual_time.run(story())


def lose_session(store: MemoryStore) -> None:
    """The lease of whoever runs something has ended."""
    turns = store.turns
    for conversation in turns.conversations.values():
        if conversation.owner is not None:
            turns._sessions.known(conversation.owner).expires_at = 0.0


def test_an_edit_that_arrives_after_the_final_text_is_written_over() -> None:
    frozen = Frozen()
    frozen.tell(call_begins_at=3.0, takes=25.0)
    (visible,) = frozen.platform.messages
    assert frozen.platform.late_writes == 1
    assert [text for _, text in visible.history][-2:] == ["Once upon", "Once upon a time"]


def test_an_edit_that_leaves_a_frozen_process_after_minutes_is_written_over_too() -> None:
    frozen = Frozen()
    frozen.tell(call_begins_at=3.0, takes=9.0)
    assert frozen.platform.shown == ["Once upon a time"]


def test_a_copy_that_is_posted_after_it_was_looked_for_is_taken_away() -> None:
    frozen = Frozen()
    frozen.tell(call_begins_at=0.0, takes=20.0)
    assert frozen.platform.shown == ["Once upon a time"]
    assert len(frozen.platform.lookups) >= 1


def test_an_edit_that_got_no_answer_may_come_after_the_final_text_and_is_written_over() -> None:
    house = House(says(*ANSWER))
    house.platform.trouble["show"] = [DeliveryDelayedError("timed out", 2.0, pending=True)]

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await house.quiet()
            house.platform.change(house.platform.messages[0], "Once upon")
            await asyncio.sleep(30.0)
            await house.say(message("next"))
            await house.quiet()
            await asyncio.sleep(60.0)

    virtual_time.run(story())
    assert house.platform.shown == ["Once upon a time"] * 2
    assert len(house.platform.repairs) == 1, "of the answer that is in doubt alone"


def test_a_process_that_lost_its_session_begins_no_further_call() -> None:
    frozen = Frozen()
    frozen.tell(call_begins_at=4.0, takes=0.1)
    assert frozen.platform.late_writes == 0
    assert frozen.slow.directory.accepting, "it goes on under a new session"


def test_a_message_taken_back_after_a_crash_leaves_nothing_of_what_nobody_had_stored() -> None:
    house = House(says("Once", 60.0, " upon"))
    house.platform.seconds_to_answer = 5.0

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await asyncio.sleep(1.0)
        assert house.platform.shown == ["Once"], "posted, and its sender died before it knew"
        await house.store.turns.take_back("helpdesk", message("hello").turn_id)
        async with house.running():
            await house.quiet()

    virtual_time.run(story())
    assert house.outcomes == ["taken_back"]
    assert house.platform.shown == []


def test_of_an_answer_that_was_given_up_only_the_last_words_are_shown_again() -> None:
    house = House(says("fine"))
    house.platform.trouble["close"] = [DeliveryDelayedError("503", 40.0, pending=True)] * 11

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await house.quiet()
            await asyncio.sleep(120.0)

    virtual_time.run(story())
    assert house.outcomes == ["delivery_failed"]
    assert house.platform.repairs == house.platform.shown
    assert "could not be delivered" in house.platform.shown[0]
