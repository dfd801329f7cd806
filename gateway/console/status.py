"""What was seen of a bot: kept by the gateway as it happens, followed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from gateway.admin.access import Principal
from gateway.console.console import Console


@dataclass(frozen=True)
class Status:
    challenge_at: datetime | None = None
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = None
    acks: Mapping[str, int] = field(default_factory=dict)
    replies: Mapping[str, int] = field(default_factory=dict)
    notices: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
    ack_ms_p99: float | None = None
    running: int = 0
    waiting: int = 0
    held_back_seconds: float = 0.0
    missing_scopes: tuple[str, ...] | None = None
    seen_events: tuple[str, ...] = ()


async def status_of(console: Console, who: Principal, bot: str) -> Status:
    await console.administration.bots.get(who, bot)
    return Status()


def routes(console: Console) -> list[web.RouteDef]:  # noqa: ARG001 - the stream comes with the service
    return []
