"""Events that end an installation, and those that tell by which installation a workspace has the app.

Docs: apis/events-api (authorizations), reference/events/tokens_revoked, reference/events/app_uninstalled.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

_UNINSTALLED, _REVOKED = "app_uninstalled", "tokens_revoked"


class _Tokens(BaseModel):
    bot: tuple[str, ...] | None = None


class _Event(BaseModel):
    type: str
    tokens: _Tokens | None = None


class _Authorization(BaseModel):
    enterprise_id: str | None = None
    team_id: str | None = None
    is_enterprise_install: bool | None = None


class _Envelope(BaseModel):
    team_id: str | None = None
    context_team_id: str | None = None
    enterprise_id: str | None = None
    context_enterprise_id: str | None = None
    event: _Event | None = None
    event_time: int = 0
    authorizations: tuple[_Authorization, ...] | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """Whose installation received an event. ``team`` is the workspace, ``organisation`` is set if the app is in all
    of its workspaces. ``ended``: the event's type, if it ended the installation, at ``at``.

    An event of a channel that is shared with another company may name that company's workspace; the one that has the
    app stands among the authorizations.
    """

    team: str
    organisation: str
    ended: str
    at: float

    @property
    def place(self) -> str:
        return self.organisation or self.team


def home_of(body: bytes) -> Home | None:
    """None where that cannot be read."""
    try:
        envelope = _Envelope.model_validate_json(body)
    except ValidationError:
        return None
    mine = envelope.authorizations[0] if envelope.authorizations else _Authorization()
    organisation = ""
    if mine.is_enterprise_install:
        organisation = mine.enterprise_id or envelope.context_enterprise_id or envelope.enterprise_id or ""
    team = mine.team_id or envelope.context_team_id or envelope.team_id or ""
    if not (team or organisation):
        return None
    event = envelope.event
    ended = ""
    if event is not None and event.type == _UNINSTALLED:
        ended = event.type
    # Of people's own tokens we have none.
    if event is not None and event.type == _REVOKED and event.tokens is not None and event.tokens.bot:
        ended = event.type
    return Home(team or organisation, organisation, ended, float(envelope.event_time))
