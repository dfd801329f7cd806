"""``/api/v1/whoami``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from gateway.admin.access import Permission, Role
from gateway.api.endpoint import Answer, Ask, Endpoint, Subject


class Whoami(BaseModel):
    """Whose token was sent. ``bots`` is null for all bots; ``permissions`` are those of the role."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    bots: tuple[str, ...] | None
    permissions: tuple[Permission, ...]


def subject() -> Subject:
    async def told(ask: Ask[None, None]) -> Answer:
        who = ask.who
        return Answer(
            Whoami(
                name=who.name,
                role=who.role,
                bots=None if who.bots is None else tuple(sorted(who.bots)),
                permissions=tuple(sorted(who.permissions)),
            )
        )

    return Subject(
        "whoami",
        "Who asks.",
        (Endpoint("whoami", "GET", "/whoami", told, "Whose token this is", answers=Whoami),),
    )
