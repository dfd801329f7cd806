"""Keys, ids, notices and the history: small things that everything else relies on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation import context
from conversation.bot import Agent
from conversation.keys import ConversationKey, MalformedKeyError
from conversation.messages import Attachment, Locale, Sender
from conversation.providers.port import Entry
from conversation.stored import UnreadableRecordError, stored_delivery, stored_message
from conversation.texts import about_files, en, hint, locale_of, notice, zh
from conversation.texts.hints import Hint
from conversation.texts.troubles import FOR_THE_MODEL, Trouble
from conversation.turn import Delivery, Final, Outcome, Part, Reason, part_id
from tests.conversation.fake_platform import FakeModel, says
from tests.conversation.made_up import command, message

GOLDEN = Path(__file__).parent / "golden"


@given(st.builds(ConversationKey, *[st.text()] * 6))
def test_every_key_is_url_safe_and_can_be_read_back(key: ConversationKey) -> None:
    written = str(key)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", written)
    assert ConversationKey.parse(written) == key


@given(st.text())
def test_what_is_no_key_is_refused(text: str) -> None:
    try:
        key = ConversationKey.parse(text)
    except MalformedKeyError:
        return
    assert str(key) == text


@pytest.mark.parametrize("text", ["", "k1.", "k1.!!", "k2.W10", "k1.W10", "k1.WyJhIl0", "k1.é"])
def test_keys_that_somebody_made_up_are_refused(text: str) -> None:
    with pytest.raises(MalformedKeyError):
        ConversationKey.parse(text)


def test_part_ids_are_stable_short_and_different() -> None:
    ids = {part_id(turn, number) for turn in ("t1", "t2") for number in range(3)}
    assert len(ids) == 6
    assert all(len(one) <= 50 for one in ids)
    assert part_id("t1", 0) == part_id("t1", 0)


def test_every_reason_has_a_sentence_in_every_language() -> None:
    for table in (en.NOTICES, zh.NOTICES):
        assert set(table) == set(Reason)
        assert len(set(table.values())) == len(Reason)
    for locale in ("en", "zh"):
        assert "abc123" in notice(Reason.STALE, locale, "abc123")


def test_every_trouble_with_a_file_has_a_sentence_in_every_language() -> None:
    for trouble in Trouble:
        assert trouble in FOR_THE_MODEL
        for locale in get_args(Locale):
            assert "a.txt, b.txt" in about_files(trouble, ["a.txt", "b.txt"], locale)


def test_every_hint_has_a_sentence_in_every_language() -> None:
    for table in (en.HINTS, zh.HINTS):
        assert set(table) == set(Hint)
    assert hint(Hint.STOPPED, "en") != hint(Hint.STOPPED, "zh")


def test_a_notice_speaks_the_language_of_the_message() -> None:
    assert [locale_of(text) for text in ("hello", "你好", "hi 你", "")] == ["en", "zh", "zh", "en"]


def test_what_this_version_stores_stays_readable() -> None:
    """Golden files: never edited, only added to. A version that cannot read them loses people's messages."""
    said = replace(message("hello 你好"), identity="T1:C1:1.2")
    delivery = Delivery(
        (Part(0, '{"ts":"1.2"}'),), Final(("a", "b"), "ab", Outcome("failed", Reason.MODEL_ERROR))
    )
    assert stored_message.read((GOLDEN / "message.v1.json").read_bytes()) == said
    assert stored_delivery.read((GOLDEN / "delivery.v1.json").read_bytes()) == delivery
    assert delivery.final is not None
    brings = Delivery(delivery.parts, replace(delivery.final, files=("image:img_1", "F1")))
    assert stored_delivery.read((GOLDEN / "delivery.v1.files.json").read_bytes()) == brings
    guest = replace(said, address=replace(said.address, tenant="T2", home="T1"))
    assert stored_message.read((GOLDEN / "message.v1.guest.json").read_bytes()) == guest
    assert (guest.address.bot_tenant, said.address.bot_tenant) == ("T1", "T1")
    traced = replace(said, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert stored_message.read((GOLDEN / "message.v1.traced.json").read_bytes()) == traced
    assert stored_message.read(stored_message.write(traced)) == traced
    bind = replace(command("bind", "other"), identity="api:1")
    assert stored_message.read((GOLDEN / "message.v1.command.json").read_bytes()) == bind
    asks = replace(
        message("/help"), identity="T1:C1:1.3", asks="help", edited_at=1_800_000_002.5, declined=("voice",)
    )
    assert stored_message.read((GOLDEN / "message.v1.asks.json").read_bytes()) == asks
    picture = Attachment("image", "cat.png", "image/png", 48, '{"id":"F1"}')
    with_files = replace(
        message("look"), identity="T1:C1:1.4", group=True, attachments=(picture, Attachment("file", "a.txt"))
    )
    assert stored_message.read((GOLDEN / "message.v1.files.json").read_bytes()) == with_files
    of_others = replace(message("all"), identity="T1:C1:1.5", mentioned=(Sender("U2", "T1", "Ann"),))
    assert stored_message.read((GOLDEN / "message.v1.mentioned.json").read_bytes()) == of_others
    assert stored_message.read(stored_message.write(bind)) == bind
    assert stored_message.read(stored_message.write(said)) == said
    assert stored_delivery.read(stored_delivery.write(delivery)) == delivery


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"{}",
        b'{"type":"turnkeeper.message.v9","data":{}}',
        b'{"type":"turnkeeper.message.v1","data":{}}',
    ],
)
def test_a_damaged_record_is_named_as_such(record: bytes) -> None:
    with pytest.raises(UnreadableRecordError):
        stored_message.read(record)


def agent(tokens: int) -> Agent:
    return Agent("a", FakeModel(says("ok")), "Be kind.", max_context_tokens=tokens)


def history(turns: int) -> list[Entry]:
    return [
        entry
        for number in range(turns)
        for entry in (Entry("user", f"question {number} " * 10), Entry("assistant", f"answer {number} " * 10))
    ]


@given(st.integers(1, 2000), st.integers(0, 20))
def test_the_newest_whole_turns_that_fit_are_given_to_the_model(budget: int, turns: int) -> None:
    said = history(turns)
    prompt = context.prompt(agent(budget), said, "now?")
    assert prompt.entries[-1] == Entry("user", "now?"), "the question itself is always asked"
    given_history = prompt.entries[:-1]
    assert list(given_history) == said[len(said) - len(given_history) :]
    assert not given_history or given_history[0].role == "user"
    spent = sum(context.tokens(entry.text) for entry in prompt.entries) + context.tokens("Be kind.")
    assert not given_history or spent <= budget


def test_chinese_costs_more_tokens_than_english() -> None:
    assert context.tokens("你" * 100) > 3 * context.tokens("a" * 100)
