"""Wrong tokens and passwords, counted per address, so that nobody can try many.

Invariant: who came from an address with the right one before is not held up by others who fail from there, such as
behind the same proxy.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from conversation.clock import Clock

BURST = 20
"""Wrong ones in a row that an address may send at once."""

EVERY = 6.0
"""Seconds after which one more may be wrong."""

_ADDRESSES = 10_000
"""The one that failed the longest ago is forgotten."""

_KNOWN = 1_000


@dataclass(slots=True)
class _Failures:
    count: float
    at: float


class Attempts:
    """Of one process: with several, each counts for itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def wait(self, address: str, secret: str) -> float:
        """Seconds until this address may try again; 0 if it may now."""
        failures = self._failures.get(_network(address))
        if failures is None or _digest(address, secret) in self._known:
            return 0.0
        return max(0.0, (self._left(failures) - BURST + 1) * EVERY)

    def failed(self, address: str) -> None:
        network = _network(address)
        now = self._clock.now()
        known = self._failures.pop(network, None)
        count = 0.0 if known is None else self._left(known)
        self._failures[network] = _Failures(min(count + 1, BURST), now)
        if len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)

    def succeeded(self, address: str, secret: str) -> None:
        digest = _digest(address, secret)
        self._known.pop(digest, None)
        self._known[digest] = None
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def _left(self, failures: _Failures) -> float:
        passed = max(0.0, self._clock.now() - failures.at)
        return max(0.0, failures.count - passed / EVERY)


def _digest(address: str, secret: str) -> bytes:
    return hashlib.sha256(f"{address}\x1f{secret}".encode(errors="surrogateescape")).digest()


def _network(address: str) -> str:
    """One customer's share of IPv6 counts as one address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return address
