"""``/api/v1/secrets``."""

from __future__ import annotations

from gateway.admin.access import Permission
from gateway.admin.rotation import Rotated, Rotation
from gateway.api.endpoint import Answer, Ask, Endpoint, Subject


def subject(rotation: Rotation) -> Subject:
    async def rotated(ask: Ask[None, None]) -> Answer:
        return Answer(await rotation.rotate(ask.who))

    return Subject(
        "secrets",
        "Stored secrets, which nobody can read back.",
        (
            Endpoint(
                "rotateSecrets",
                "POST",
                "/secrets/rotate",
                rotated,
                "Seal all stored secrets with the first key of secrets_key",
                needs=Permission.ADMINISTER,
                answers=Rotated,
                problems=frozenset({409}),
            ),
        ),
    )
