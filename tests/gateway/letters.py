"""What tests of dead letters share: a letter, and a configuration with an admin's token."""

from __future__ import annotations

from pathlib import Path

import yaml

from conversation.busy import Limits
from conversation.messages import InboundMessage
from conversation.stores.port import TurnStore
from conversation.turn import Final, Outcome, Reason
from gateway.settings import Settings, load

TOKEN = "an-admin-token-of-the-tests"
TEXT = "do you like marzipan?"


def of_helpdesk(channel: str, bot: str) -> Limits | None:
    return Limits(queued=2) if (channel, bot) == ("slack", "helpdesk") else None


async def die(turns: TurnStore, *messages: InboundMessage, reason: Reason = Reason.DELIVERY_FAILED) -> str:
    """Let these share a turn that nobody can answer; the letter's id."""
    session = await turns.open_session()
    for one in messages:
        await turns.admit(one, session=session, may_claim=False, limits=Limits(9), when_busy="merge")
    (claim,) = await turns.claim(session, 1)
    await turns.complete(claim, Final((), "", Outcome("dead", reason)), keep_turns=9)
    await turns.close_session(session)
    return claim.turn.id


def settings_in(folder: Path, *, bot: dict[str, object] | None = None, **sections: object) -> Settings:
    helpdesk = {
        "id": "helpdesk",
        "channel": "slack",
        "agent": "default",
        "api_base_url": "http://127.0.0.1:9/",
        "credentials": {"signing_secret": "s", "bot_token": "xoxb-1"},
    }
    written = {
        "store": {"url": "memory:"},
        "admin": {"token": TOKEN},
        "agents": [{"id": "default", "provider": "echo"}],
        "bots": [{**helpdesk, **(bot or {})}],
        **sections,
    }
    path = folder / "turnkeeper.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return load(path, {})
