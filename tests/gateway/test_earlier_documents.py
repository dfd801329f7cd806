"""Bots and agents as earlier versions stored them are read: files here are never changed, only added."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conversation.stores.records import Record
from gateway import documents
from gateway.secret import Sources

FILES = sorted((Path(__file__).parent / "golden").glob("*.json"))
SOURCES = Sources({"SECRET": "made-up"}, Path())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_document_of_an_earlier_version_is_read(path: Path) -> None:
    name = path.stem.partition(".")[0]
    written = path.read_bytes()
    record = Record(name, json.loads(written)["id"], written, 1, 1)
    document = documents.load(record)
    settings = (
        documents.read(documents.AGENTS, record.id, document, SOURCES)
        if name == "agent"
        else documents.read(documents.BOTS, record.id, document, SOURCES)
    )
    assert settings.model_fields_set == set(document)
