"""All services of an admin, together."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.admin.agents import Agents
from gateway.admin.attempts import Attempts
from gateway.admin.audit import Audit
from gateway.admin.backup import Backup
from gateway.admin.bots import Bots
from gateway.admin.conversations import ConversationDesk
from gateway.admin.dead_letters import DeadLetters
from gateway.admin.events import Events
from gateway.admin.installations import BotInstallations
from gateway.admin.live import Live
from gateway.admin.playground import Playground
from gateway.admin.privacy import PersonalData
from gateway.admin.rotation import Rotation
from gateway.admin.selftest import SelfTest
from gateway.admin.status import BotStatuses
from gateway.admin.tokens import Tokens
from gateway.admin.turns import Turns


@dataclass(frozen=True, slots=True)
class Administration:
    """One service for each subject. Each checks its caller's rights itself; ``attempts`` counts who has none."""

    attempts: Attempts
    tokens: Tokens
    bots: Bots
    installations: BotInstallations
    agents: Agents
    rotation: Rotation
    audit: Audit
    backup: Backup
    privacy: PersonalData
    events: Events
    dead_letters: DeadLetters
    conversations: ConversationDesk
    turns: Turns
    live: Live
    status: BotStatuses
    playground: Playground
    selftest: SelfTest
