"""What an admin sees of conversations, and what they are told through the API."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from conversation.bot import Agent
from conversation.busy import Limits
from conversation.keys import ConversationKey
from conversation.turn import Reason
from gateway.admin.access import Principal
from gateway.admin.conversations import (
    BindInput,
    CancelInput,
    ClearInput,
    CommandInput,
    EndInput,
    MessageInput,
)
from gateway.admin.errors import ConflictError, InvalidError, NotAllowedError, UnknownError
from gateway.admin.paging import write_cursor
from tests import virtual_time
from tests.conversation.fake_platform import FakeModel, says
from tests.conversation.made_up import key, message
from tests.gateway.admin.front_office import ADMIN, OPERATOR, STRANGER, VIEWER, FrontOffice, tell

KEY = str(key())


def said(text: str, user: str | None = None) -> MessageInput:
    return MessageInput(type="message", text=text, user=user)


def test_conversations_are_listed_newest_first_in_pages() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        for number in range(5):
            await office.house.say(message(chat=f"C{number}"))
            await asyncio.sleep(1)
        listed, cursor = [], None
        while True:
            page = await office.desk.list(VIEWER, bot=None, cursor=cursor, limit=2)
            listed += [ConversationKey.parse(one.key).chat for one in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert listed == ["C4", "C3", "C2", "C1", "C0"]
        one = (await office.desk.list(VIEWER, bot="helpdesk", cursor=None, limit=1)).items[0]
        assert (one.channel, one.bot, one.state, one.turns, one.agent) == (
            "slack",
            "helpdesk",
            "idle",
            0,
            "default",
        )
        wrong = [write_cursor("conversations", 1.0, "k1.no"), write_cursor("audit", 1.0, KEY), "nonsense"]
        for cursor in (*wrong, write_cursor("conversations", KEY, 1.0)):
            with pytest.raises(InvalidError):
                await office.desk.list(VIEWER, bot=None, cursor=cursor, limit=2)
        far = write_cursor("conversations", 2**64 - 1, KEY)
        assert len((await office.desk.list(VIEWER, bot=None, cursor=far, limit=9)).items) == 5

    tell(office, story)


def test_who_sees_a_bot_sees_its_conversations_and_nobody_else() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        await office.house.say(message())
        await office.house.quiet()
        assert (await office.desk.list(STRANGER, bot=None, cursor=None, limit=9)).items == ()
        for bot in ("helpdesk", "unknown"):
            with pytest.raises(UnknownError):
                await office.desk.list(STRANGER, bot=bot, cursor=None, limit=9)
        for text in (KEY, "k1.nonsense", "", "../../etc", str(key("C2"))):
            with pytest.raises(UnknownError):
                await office.desk.get(STRANGER if text == KEY else ADMIN, text)
        with pytest.raises(UnknownError):
            await office.desk.command(STRANGER, KEY, said("hello"), "r1")
        with pytest.raises(NotAllowedError):
            await office.desk.command(VIEWER, KEY, said("hello"), "r1")

    tell(office, story)
    assert office.house.platform.shown == ["fine"]


def test_the_queue_and_the_transcript_hold_texts_for_who_may_read_them() -> None:
    office = FrontOffice(says("a", 5.0, "b"))

    async def story() -> None:
        await office.house.say(message("one"))
        await office.house.quiet()
        await office.house.say(message("two"))
        await office.house.say(message("three", user="U2"))
        await asyncio.sleep(1)
        detail = await office.desk.get(OPERATOR, KEY)
        assert [(one.state, one.text, one.sender, one.attempt) for one in detail.queue] == [
            ("running", "two", "U1", 1),
            ("waiting", "three", "U2", 0),
        ]
        assert detail.transcript is not None
        assert [(one.question, one.answer) for one in detail.transcript] == [("one", "ab")]
        assert detail.state == "running"
        assert detail.turns == 2
        blind = await office.desk.get(VIEWER, KEY)
        assert [one.text for one in blind.queue] == [None, None]
        assert blind.transcript is None
        assert blind.model_dump(exclude={"queue", "transcript"}) == detail.model_dump(
            exclude={"queue", "transcript"}
        )

    tell(office, story)


def test_what_the_api_says_waits_in_line_and_is_answered_once_in_the_conversation() -> None:
    office = FrontOffice(says("a", 5.0, "b"))

    async def story() -> None:
        await office.house.say(message("one"))
        await asyncio.sleep(1)
        done = await office.desk.command(OPERATOR, KEY, said("from the api"), "r1")
        again = await office.desk.command(OPERATOR, KEY, said("from the api"), "r1")
        assert done == again
        assert done.turn is not None
        await office.house.say(message("three"))
        await office.house.quiet()

    tell(office, story)
    assert [prompt.entries[-1].text for prompt in office.house.model.asked] == [
        "one",
        "from the api",
        "three",
    ]
    assert len(office.house.platform.shown) == 3


def test_the_same_request_of_somebody_else_or_elsewhere_is_another() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        for chat in ("C1", "C2"):
            await office.house.say(message("one", chat=chat))
        for who, chat in ((ADMIN, "C1"), (OPERATOR, "C1"), (ADMIN, "C2")):
            await office.desk.command(who, str(key(chat)), said("again"), "r1")

    tell(office, story)
    assert len(office.house.platform.shown) == 5


def test_an_answer_to_the_api_stands_in_the_chat_and_counts_to_the_person_it_speaks_for() -> None:
    office = FrontOffice(says(5.0, "fine"))
    seen: list[tuple[str, str, str]] = []
    begun = f"{virtual_time.EPOCH - 600:.6f}"

    async def story() -> None:
        await office.house.say(message("one"))
        await office.desk.command(ADMIN, KEY, said("for U7", "U7"), "r1")
        await office.desk.command(ADMIN, KEY, said("for nobody"), "r2")
        queue = await office.house.store.conversations.queue(key(), 9)
        seen.extend((one.message.sender.id, one.message.address.message, one.message.origin) for one in queue)

    tell(office, story)
    assert seen[1:] == [("U7", begun, "api"), ("api:ada", begun, "api")]


def test_commands_are_obeyed_in_their_turn() -> None:
    office = FrontOffice(says("the usual"))
    other = FakeModel(says("the other"))
    office.house.agents["other"] = Agent("other", other)

    async def story() -> None:
        await office.house.say(message("one"))
        commands: list[CommandInput] = [
            BindInput(type="bind", agent="other"),
            ClearInput(type="clear"),
            said("two"),
            EndInput(type="end"),
        ]
        for number, command in enumerate(commands):
            await office.desk.command(ADMIN, KEY, command, str(number))
        await office.house.say(message("three"))
        await office.house.quiet()
        assert (await office.desk.get(ADMIN, KEY)).agent == "default"
        assert await office.deeds() == [
            "conversation.bind",
            "conversation.clear",
            "conversation.message",
            "conversation.end",
        ]

    tell(office, story)
    assert office.house.platform.shown == ["the usual", "the other", "the usual"]
    assert [len(prompt.entries) for prompt in other.asked] == [1]
    assert len(office.house.model.asked[-1].entries) == 1


def test_a_cancel_does_not_wait_and_says_whether_there_was_something_to_end() -> None:
    office = FrontOffice(says("a", 50.0, "b"))

    async def story() -> None:
        await office.house.say(message("one"))
        await asyncio.sleep(1)
        assert (await office.desk.command(OPERATOR, KEY, CancelInput(type="cancel"), "r1")).done
        await office.house.quiet()
        assert asyncio.get_running_loop().time() < 10
        again = await office.desk.command(OPERATOR, KEY, CancelInput(type="cancel"), "r2")
        assert not again.done

    tell(office, story)
    assert office.house.outcomes == [Reason.CANCELLED]


def test_an_agent_that_is_not_there_cannot_be_bound() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        await office.house.say(message("one"))
        with pytest.raises(InvalidError, match="agent: there is no agent 'gone'; there are default"):
            await office.desk.command(ADMIN, KEY, BindInput(type="bind", agent="gone"), "r1")

    tell(office, story)


def test_a_full_queue_is_told_also_when_the_request_is_repeated() -> None:
    office = FrontOffice(says(5.0, "fine"), limits=Limits(queued=1))

    async def story() -> None:
        await office.house.say(message("one"))
        await office.house.say(message("two"))
        for _ in range(2):
            with pytest.raises(ConflictError, match="1 messages wait"):
                await office.desk.command(ADMIN, KEY, said("three"), "r1")
        await office.house.quiet()
        with pytest.raises(ConflictError):
            await office.desk.command(ADMIN, KEY, said("three"), "r1")
        await office.desk.command(ADMIN, KEY, said("three"), "r2")

    tell(office, story)
    assert len(office.house.platform.shown) == 3


@pytest.mark.parametrize("command", [said("hello"), ClearInput(type="clear")])
def test_a_bot_that_is_switched_off_or_a_draft_takes_nothing(command: CommandInput) -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        await office.house.say(message("one"))
        await office.house.quiet()
        route = office.routes["slack", "helpdesk"]
        office.routes["slack", "helpdesk"] = replace(route, draft=True)
        with pytest.raises(ConflictError):
            await office.desk.command(ADMIN, KEY, command, "r1")
        office.routes["slack", "helpdesk"] = route
        office.switch_off("helpdesk")
        with pytest.raises(ConflictError):
            await office.desk.command(ADMIN, KEY, command, "r2")

    tell(office, story)
    assert office.house.outcomes == ["answered"]


def test_an_operator_of_this_bot_alone_may_do_all_this() -> None:
    office = FrontOffice(says("fine"))
    who = Principal("one", "operator", frozenset({"helpdesk"}))

    async def story() -> None:
        await office.house.say(message("one"))
        await office.desk.command(who, KEY, said("two"), "r1")
        await office.house.quiet()
        assert len((await office.desk.get(who, KEY)).transcript or ()) == 2

    tell(office, story)
