"""Whether a request comes from Slack, and how to make one that does as well (docs:
authentication/verifying-requests-from-slack).

Invariant: no request, however malformed, makes this raise. slack_sdk's ``SignatureVerifier`` does raise on a
timestamp that is no number and on a signature that is not ASCII.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

TOLERANCE = 300
"""Seconds by which a request's timestamp may differ from our clock (same docs page)."""

_LONGEST_TIMESTAMP = 12


class Verifier:
    """Checks, and makes, ``v0`` signatures with one signing secret."""

    __slots__ = ("_secret",)

    def __init__(self, signing_secret: str) -> None:
        self._secret = signing_secret.encode()

    def authentic(self, headers: Mapping[str, str], body: bytes, now: float) -> bool:
        """Whether Slack signed this very body at most 300 s from ``now`` (seconds since 1970)."""
        signature = headers.get("X-Slack-Signature", "")
        timestamp = headers.get("X-Slack-Request-Timestamp", "")
        if not signature.isascii() or not _is_number(timestamp) or abs(now - int(timestamp)) > TOLERANCE:
            return False
        return hmac.compare_digest(self._signature(timestamp, body), signature)

    def signed(self, body: bytes, now: float) -> dict[str, str]:
        """The headers with which Slack would send this body."""
        timestamp = str(int(now))
        return {
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": self._signature(timestamp, body),
        }

    def _signature(self, timestamp: str, body: bytes) -> str:
        digest = hmac.digest(self._secret, b"v0:%b:%b" % (timestamp.encode(), body), "sha256")
        return f"v0={digest.hex()}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIMESTAMP
