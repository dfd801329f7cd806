"""Why a store could not be opened, and what its operator can do about it: told once, at the start."""

from __future__ import annotations

from collections.abc import Iterator

from redis import exceptions as driver
from redis.asyncio.sentinel import MasterNotFoundError

from conversation.stores.port import StoreUnavailableError
from conversation.stores.redis.address import Address
from conversation.stores.redis.errors import FORBIDDEN, PERMISSIONS, meaning_of, said_by

_SENTINEL_KNOWS_NONE = (
    "Sentinel knows no primary of that name that is up: write a name that SENTINEL MASTERS lists into store.url,"
    " after the hosts"
)
_SENTINEL_PASSWORD = "Sentinel's password is missing or wrong: correct store.sentinel_password"  # noqa: S105 - a text
_OTHER_NAME = (
    "its certificate is for another name: write the certificate's name into store.url (servers that Sentinel or the"
    " cluster names have to be announced by it)"
)

_OF_THE_KIND = (
    ("'SENTINEL'", "that is no Sentinel: name Sentinel's port (26379), or write redis:// for a lone server"),
    ("`SENTINEL`", "that is no Sentinel: name Sentinel's port (26379), or write redis:// for a lone server"),
    (
        "unknown command",
        "it is too old: Redis 7.0 or newer, or Valkey, is needed (or, if it is a Sentinel, redis+sentinel://)",
    ),
    ("DB index", "it has not so many databases: write a lower number at the end of store.url"),
)
_OF_TLS = (
    ("mismatch", _OTHER_NAME),
    ("expired", "its certificate has expired: renew it"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "its certificate is of an unknown authority: name that one's in store.ca_file",
    ),
)
_NOT_TLS = ("WRONG_VERSION", "record layer", "Timeout connecting", "EOF occurred")
_HUNG_UP = ("reset by peer", "Connection closed", "Connection lost", "CERTIFICATE_REQUIRED")
_OF_THE_WAY = (
    ("not known", "there is no host of that name: correct store.url"),
    ("name resolution", "its name cannot be looked up: correct store.url, or the machine's DNS"),
    ("connecting to", "it cannot be reached: start it, or correct store.url"),
    ("Timeout", "it does not answer: look at its load and its log"),
)
"""Words in what the driver says, and what is to be done; the first that fits."""


def refusal(error: BaseException, address: Address, namespace: str) -> StoreUnavailableError:
    """The store's error for what the driver raised while the store was opened."""
    causes = tuple(_causes(error))
    said = next(filter(None, (said_by(cause) for cause in causes if not _is_wrapping(cause))), said_by(error))
    advice = (
        _of_the_kind(causes, said, address)
        or _of_permissions(causes, address, namespace)
        or _of_tls(said, address)
        or next((meaning for cause in causes if (meaning := meaning_of(cause))), None)
        or _first(_OF_THE_WAY, said)
    )
    told = StoreUnavailableError(f"Redis at {address}: " + (f"{advice} ({said})" if advice else said))
    told.__cause__ = error
    return told


def needed(address: Address, namespace: str) -> str:
    """The words of ACL SETUSER for the user of a namespace."""
    cluster = " +cluster|slots" if address.kind == "cluster" else ""
    return f"~{{{namespace}:* &{{{namespace}:* {PERMISSIONS}{cluster}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # the driver's chains may lead back
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def _is_wrapping(error: BaseException) -> bool:
    """Around what a node or a Sentinel said, in words that say less or mislead."""
    return isinstance(error, (driver.RedisClusterException, MasterNotFoundError))


def _of_the_kind(causes: tuple[BaseException, ...], said: str, address: Address) -> str | None:
    if isinstance(causes[0], MasterNotFoundError):
        if len(causes) == 1:
            return _SENTINEL_KNOWS_NONE
        if isinstance(causes[1], driver.AuthenticationError):
            return _SENTINEL_PASSWORD
    if isinstance(causes[0], driver.MovedError) and address.kind != "cluster":
        return "it is a node of a cluster: write redis+cluster:// instead of redis://"
    if "cluster support disabled" in said:
        return "it is no cluster: write redis:// instead of redis+cluster://"
    return _first(_OF_THE_KIND, said)


def _of_permissions(causes: tuple[BaseException, ...], address: Address, namespace: str) -> str | None:
    if not any(meaning_of(cause) == FORBIDDEN for cause in causes):
        return None
    return (
        f"its user may not do all that store.namespace {namespace!r} needs: give it, by ACL SETUSER,"
        f" {needed(address, namespace)}"
    )


def _of_tls(said: str, address: Address) -> str | None:
    scheme = "redis" if address.kind == "server" else f"redis+{address.kind}"
    hung_up = any(words in said for words in _HUNG_UP)
    if not address.tls:
        encrypted = scheme.replace("redis", "rediss")
        return (
            f"it hung up: if that port speaks TLS, write {encrypted}:// instead of {scheme}://"
            if hung_up
            else None
        )
    if any(words in said for words in _NOT_TLS):
        return (
            f"it does not answer to TLS: name its port for TLS, or write {scheme}:// for a plain connection"
        )
    if hung_up:
        return "it hung up on TLS: if it wants a certificate of its clients, set its tls-auth-clients no"
    return _first(_OF_TLS, said)


def _first(advice: tuple[tuple[str, str], ...], said: str) -> str | None:
    return next((text for words, text in advice if words in said), None)
