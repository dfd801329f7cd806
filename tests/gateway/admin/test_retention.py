"""What the configuration says about keeping is what the stores do."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversation.stores.audit import Deed
from gateway.concrete import make_store
from tests.conversation.made_up import ManualClock
from tests.gateway.admin.desk import ADMIN, bot, desk, settings_in


@pytest.mark.parametrize("url", ["memory:", "sqlite:///{folder}/turnkeeper.db"])
async def test_the_audit_is_forgotten_after_what_retention_says_and_not_before(
    tmp_path: Path, url: str
) -> None:
    clock = ManualClock()
    written = {"url": url.format(folder=tmp_path)}
    store = make_store(settings_in(tmp_path, store=written, retention={"audit": "2h"}), clock)
    await store.open()
    try:
        await store.audit.append(Deed("anna", "bot.created", "bot/helpdesk"))
        clock.advance(2 * 3600.0 - 10.0)
        await store.turns.tick(100)
        assert len(await store.audit.before(None, 9)) == 1
        clock.advance(20.0)
        await store.turns.tick(100)
        assert await store.audit.before(None, 9) == ()
    finally:
        await store.close()


async def test_a_bot_begins_and_ends_to_keep_texts_as_its_admin_says(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        assert one.hosting.bots["helpdesk"].keep_texts
        changed = await one.admin.bots.change(ADMIN, "helpdesk", {"no_store": True}, 1)
        assert (changed.settings.no_store, one.hosting.bots["helpdesk"].keep_texts) == (True, False)
