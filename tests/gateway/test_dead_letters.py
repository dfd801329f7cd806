"""Dead letters on the store and over the API: seen, answered after all, forgotten; and asked wrongly."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from conversation.busy import Limits
from conversation.clock import SystemClock
from conversation.messages import InboundMessage
from conversation.stores.memory import MemoryStore
from conversation.stores.port import Admission, StoreUnavailableError
from conversation.turn import Claim, Final, Outcome, Reason
from gateway.admin.access import Principal
from gateway.admin.audit import Audit
from gateway.admin.dead_letters import DeadLetters, Summary
from gateway.admin.errors import ConflictError, UnknownError
from gateway.concrete import limits_of_bots
from gateway.wiring import build
from tests.conversation.made_up import ManualClock, answered, message
from tests.gateway.letters import TEXT, TOKEN, die, of_helpdesk, settings_in

ADMIN = Principal("anna", "admin")

# What is done with a letter, on the store


@dataclass
class Desk:
    store: MemoryStore
    letters: DeadLetters
    session: str

    async def all(self) -> tuple[Summary, ...]:
        return (await self.letters.page(ADMIN, cursor=None, limit=200)).items

    async def answered(self) -> list[str]:
        """Answer all that wait; what they ask, in order."""
        asked = []
        for claim in await self.store.turns.claim(self.session, 9):
            following: Claim | None = claim
            while following is not None:
                asked.append(following.turn.question)
                following = await self.store.turns.complete(following, answered("ok"), keep_turns=9)
        return asked

    @property
    def admitted(self) -> int:
        return sum(event.kind == "message.admitted" for event in self.store.turns.happened)


@pytest.fixture
async def desk() -> Desk:
    store = MemoryStore(ManualClock())
    session = await store.turns.open_session()

    async def admit(message: InboundMessage, limits: Limits) -> Admission:
        return await store.turns.admit(message, session=session, may_claim=False, limits=limits)

    return Desk(store, DeadLetters(store.turns, admit, of_helpdesk, Audit(store.audit)), session)


async def test_a_retried_letter_is_a_fresh_turn_with_the_same_question_in_the_same_place(desk: Desk) -> None:
    dead = await die(desk.store.turns, message(TEXT))
    retried = await desk.letters.retry(ADMIN, dead)
    (claim,) = await desk.store.turns.claim(desk.session, 9)
    assert claim.turn.messages == (replace(message(TEXT), identity=claim.turn.message.identity),)
    assert claim.turn.id == retried.turn != dead, "parts of the old turn's answer are found by its id"
    assert retried.turn.startswith(retried.reference)
    assert await desk.all() == ()


async def test_messages_that_shared_a_turn_share_the_retry(desk: Desk) -> None:
    dead = await die(desk.store.turns, message("one"), message("two"))
    shown = await desk.letters.show(ADMIN, dead)
    assert [written.text for written in shown.messages or ()] == ["one", "two"]
    await desk.letters.retry(ADMIN, dead)
    (claim,) = await desk.store.turns.claim(desk.session, 9)
    assert claim.turn.question == "one\n\ntwo"
    assert claim.turn.message.address == message("two").address, "the answer stands under the newest"


async def test_a_retry_that_broke_off_before_the_letter_was_dropped_is_answered_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = await die(desk.store.turns, message(TEXT))

    async def away(_: str) -> bool:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as outage:
        outage.setattr(desk.store.turns, "drop_dead_letter", away)
        with pytest.raises(StoreUnavailableError):
            await desk.letters.retry(ADMIN, dead)
    assert len(await desk.all()) == 1, "admitted first, dropped after"
    assert await desk.answered() == [TEXT]
    await desk.letters.retry(ADMIN, dead)
    assert await desk.all() == ()
    assert await desk.answered() == [], "it is a duplicate"


async def test_a_full_queue_neither_refuses_a_retry_nor_takes_the_notice_of_the_next_message(
    desk: Desk,
) -> None:
    """Refused, its identity would be known: the next retry were a duplicate, and the letter dropped unanswered."""
    turns = desk.store.turns
    dead = await die(turns, message(TEXT))
    for number in range(3):
        await turns.admit(message(f"{number}"), session=desk.session, may_claim=False, limits=Limits(2))
    before = desk.admitted
    await desk.letters.retry(ADMIN, dead)
    assert desk.admitted == before + 1
    refused = await turns.admit(message("more"), session=desk.session, may_claim=False, limits=Limits(2))
    assert (refused.status, refused.notice_due) == ("queue_full", True)
    assert await desk.answered() == ["0", "1", "2", TEXT]


async def test_a_letter_that_dies_again_can_be_retried_again(desk: Desk) -> None:
    dead = await die(desk.store.turns, message(TEXT))
    ids = {dead}
    for _ in range(3):
        await desk.letters.retry(ADMIN, dead)
        (claim,) = await desk.store.turns.claim(desk.session, 1)
        again = Final((), "", Outcome("dead", Reason.DELIVERY_FAILED))
        await desk.store.turns.complete(claim, again, keep_turns=9)
        (letter,) = await desk.all()
        dead = letter.id
        ids.add(dead)
    assert len(ids) == 4
    await desk.letters.retry(ADMIN, dead)
    assert await desk.answered() == [TEXT]


async def test_a_letter_of_a_bot_that_is_gone_stays_and_says_what_to_do(desk: Desk) -> None:
    dead = await die(desk.store.turns, message(TEXT, bot="gone"))
    with pytest.raises(ConflictError, match="no bot 'gone' of slack can answer it; put it into the config"):
        await desk.letters.retry(ADMIN, dead)
    assert [letter.id for letter in await desk.all()] == [dead]
    await desk.letters.drop(ADMIN, dead)
    with pytest.raises(UnknownError, match=dead):
        await desk.letters.drop(ADMIN, dead)


@pytest.mark.parametrize(
    "change", [{"enabled": False}, {"credentials": None}, {"channel": "lark", "credentials": None}]
)
def test_a_bot_that_is_off_or_a_draft_or_on_another_platform_now_answers_no_letter(
    tmp_path: Path, change: dict[str, object]
) -> None:
    assert limits_of_bots(settings_in(tmp_path))("slack", "helpdesk") is not None
    assert limits_of_bots(settings_in(tmp_path, bot=change))("slack", "helpdesk") is None


# The API


@dataclass
class House:
    url: str
    store: MemoryStore
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str = "", token: str | None = f"Bearer {TOKEN}"
    ) -> tuple[int, dict[str, str], object]:
        """Status, headers, and the document."""
        headers = {} if token is None else {"Authorization": token}
        async with self.session.request(
            method, f"{self.url}/api/v1/dead-letters{path}", headers=headers
        ) as answer:
            body = await answer.read()
            if answer.status >= 400:
                assert answer.content_type == "application/problem+json"
            return answer.status, dict(answer.headers), json.loads(body) if body else None


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The HTTP side alone: nothing that is admitted is answered."""
    store = MemoryStore(SystemClock())
    async with build(settings_in(tmp_path), store=store) as gateway, aiohttp.ClientSession() as session:
        runner = web.AppRunner(gateway.app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield House(f"http://127.0.0.1:{runner.addresses[0][1]}", store, session)
        await runner.cleanup()


async def test_letters_are_listed_without_what_was_written_and_shown_with_it(house: House) -> None:
    dead = await die(house.store.turns, message(TEXT))
    status, headers, listed = await house.ask("GET")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert headers["Cache-Control"] == "no-store"
    assert isinstance(listed, dict)
    (letter,) = listed["items"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", letter.pop("at"))
    assert letter == {
        "id": dead,
        "reference": dead[:8],
        "conversation": str(message().key),
        "channel": "slack",
        "bot": "helpdesk",
        "reason": "delivery_failed",
        "readable": True,
    }
    status, _, shown = await house.ask("GET", f"/{dead}")
    assert isinstance(shown, dict)
    assert (status, shown["id"]) == (200, dead)
    assert shown["messages"] == [{"sender": "U1", "sent_at": "2027-01-15T08:00:00Z", "text": TEXT}]


async def test_a_letter_is_retried_or_dropped_once(house: House) -> None:
    retried, dropped = (
        await die(house.store.turns, message("one")),
        await die(house.store.turns, message("two", chat="C2")),
    )
    status, _, done = await house.ask("POST", f"/{retried}/retry")
    assert isinstance(done, dict)
    assert (status, done["id"]) == (200, retried)
    assert (await house.ask("DELETE", f"/{dropped}"))[0] == 204
    assert (await house.ask("GET"))[2] == {"items": [], "next": None}
    for method, path in (
        ("POST", f"/{retried}/retry"),
        ("DELETE", f"/{dropped}"),
        ("GET", f"/{dropped}"),
        ("GET", "/%2e%2e%2fsecret"),
        ("GET", "/" + "x" * 4000),
    ):
        status, _, problem = await house.ask(method, path)
        assert isinstance(problem, dict)
        assert (status, problem["status"], problem["title"]) == (404, 404, "Not Found")
        assert "there is no dead letter" in problem["detail"]


@pytest.mark.parametrize(
    "token", [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é\udce9", TOKEN]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/{}"), ("POST", "/{}/retry"), ("DELETE", "/{}"), ("GET", "/a/b/c")],
)
async def test_without_the_token_nothing_is_told_or_done(
    house: House, token: str | None, method: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = await die(house.store.turns, message(TEXT))
    if token and "\udce9" in token:
        token = token.encode(errors="surrogateescape").decode("latin-1")
    status, headers, problem = await house.ask(method, path.format(dead), token)
    assert isinstance(problem, dict)
    assert (status, problem["status"]) == (401, 401)
    assert headers["WWW-Authenticate"].startswith("Bearer ")
    assert TOKEN not in json.dumps(problem)
    assert TOKEN not in capsys.readouterr().out
    assert len(await house.store.turns.dead_letters()) == 1


async def test_a_path_or_method_that_is_not_there_is_a_problem_document(house: House) -> None:
    assert (await house.ask("GET", "/a/b/c"))[0] == 404
    status, headers, _ = await house.ask("PUT")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


async def test_a_letter_that_cannot_be_answered_is_a_conflict_and_stays(house: House) -> None:
    damaged, gone = (
        await die(house.store.turns, message(TEXT)),
        await die(house.store.turns, message(TEXT, bot="gone")),
    )
    letters = house.store.turns.dead
    letters[0] = replace(letters[0], messages=())
    for dead, why in ((damaged, "damaged"), (gone, "no bot 'gone'")):
        status, _, problem = await house.ask("POST", f"/{dead}/retry")
        assert isinstance(problem, dict)
        assert status == 409
        assert why in problem["detail"]
    _, _, shown = await house.ask("GET", f"/{damaged}")
    assert isinstance(shown, dict)
    assert (shown["readable"], shown["messages"]) == (False, [])
    assert len(letters) == 2


async def test_while_the_store_is_away_the_api_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise StoreUnavailableError(f"away: {TEXT}")

    monkeypatch.setattr(house.store.turns, "dead_letters", away)
    status, headers, problem = await house.ask("GET")
    assert (status, headers["Retry-After"]) == (503, "5")
    assert TEXT not in json.dumps(problem)


async def test_a_bug_is_a_problem_document_without_what_it_quotes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise RuntimeError(TEXT)

    monkeypatch.setattr(house.store.turns, "dead_letters", broken)
    status, _, problem = await house.ask("GET")
    assert status == 500
    assert TEXT not in json.dumps(problem)


async def test_without_a_token_there_is_no_api(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, admin={"token": "", "listen": "127.0.0.1:0"})
    async with build(settings, store=MemoryStore(SystemClock())) as gateway:
        assert gateway.admin is not None
        assert [str(resource.canonical) for resource in gateway.admin.router.resources()] == ["/metrics"]
        assert not any("api" in str(resource) for resource in gateway.app.router.resources())
        assert not any("metrics" in str(resource) for resource in gateway.app.router.resources())
