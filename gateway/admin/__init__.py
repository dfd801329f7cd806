"""What an admin can see and do, without HTTP: the API and the console are two faces of it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.admin.attempts import Attempts
from gateway.admin.audit import Audit
from gateway.admin.dead_letters import DeadLetters
from gateway.admin.events import Events
from gateway.admin.privacy import PersonalData
from gateway.admin.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Administration:
    """All services. Each checks its caller's rights itself; ``attempts`` counts who has none."""

    attempts: Attempts
    tokens: Tokens
    audit: Audit
    privacy: PersonalData
    events: Events
    dead_letters: DeadLetters
