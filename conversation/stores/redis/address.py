"""Where Redis is: a ``store.url`` taken apart.

``redis://host:6379/0``, ``redis+sentinel://host1:26379,host2/name-of-the-primary/0``, ``redis+cluster://host1,host2``;
``rediss`` in front instead of ``redis`` is TLS, with Sentinel for both Sentinel and servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

_PORTS = {"server": 6379, "sentinel": 26379, "cluster": 6379}

_APART = "; a password with / ? or # in it goes into store.password"


class MalformedAddressError(ValueError):
    """The URL does not say where Redis is. The text never repeats the URL, which may hold a password."""


@dataclass(frozen=True, slots=True)
class Address:
    kind: Literal["server", "sentinel", "cluster"]
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    database: int = 0
    primary: str = ""
    username: str | None = None
    password: str | None = None

    def __str__(self) -> str:
        """For people; without user and password."""
        return ",".join(f"{host}:{port}" for host, port in self.hosts)


def parse(url: str) -> Address:
    """Raises MalformedAddressError."""
    split = urlsplit(url)
    driver, _, topology = split.scheme.partition("+")
    kind: Literal["server", "sentinel", "cluster"]
    match topology:
        case "":
            kind = "server"
        case "sentinel" | "cluster":
            kind = topology
        case _:
            raise MalformedAddressError(f"{split.scheme}:// is not a kind of Redis that is known")
    if driver not in {"redis", "rediss"}:
        raise MalformedAddressError(f"{split.scheme}:// is not Redis")
    if split.query or split.fragment:
        raise MalformedAddressError(f"a Redis address has no ?options and no #fragment{_APART}")
    login, _, places = split.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    hosts = tuple(_place(place, _PORTS[kind]) for place in places.split(","))
    if kind == "server" and len(hosts) > 1:
        raise MalformedAddressError("several hosts need redis+sentinel:// or redis+cluster://")
    path = [unquote(part) for part in split.path.split("/")[1:] if part]
    primary = ""
    if kind == "sentinel":
        if not path:
            raise MalformedAddressError(
                "name the primary as Sentinel knows it: redis+sentinel://host:26379/NAME"
            )
        primary = path.pop(0)
    if kind == "cluster" and path:
        raise MalformedAddressError("a cluster has no numbered databases")
    if len(path) > 1 or (path and not path[0].isdecimal()):
        raise MalformedAddressError("the end of a Redis address is the number of a database")
    return Address(
        kind,
        driver == "rediss",
        hosts,
        int(path[0]) if path else 0,
        primary,
        unquote(user) or None,
        unquote(password) if colon else None,
    )


def _place(text: str, port: int) -> tuple[str, int]:
    try:
        split = urlsplit(f"//{text}")
        host, given = split.hostname, split.port
    except ValueError:
        host, given = None, None
    if not host:
        raise MalformedAddressError(f"a Redis address names a host, or several with commas between{_APART}")
    return host, given or port
