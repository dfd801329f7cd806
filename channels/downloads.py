"""Downloads of files that people sent: from named hosts only, never from inside the network, never more than asked.

Invariants:

- a request goes to an allowed host, over TLS; only the platform's own stand-in, on its own origin, may do without;
- the token goes to the platform's own hosts alone, whatever a redirect says;
- a name that resolves to an address of a private network is not connected to, each time anew;
- no more than ``most`` bytes are kept, whatever a header claims; nothing is decompressed.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from typing_extensions import override
from yarl import URL

from conversation.source import FileError
from conversation.texts.troubles import Trouble

MOST_REDIRECTS = 3
CONNECT_SECONDS, READ_SECONDS = 10.0, 15.0

_PIECE = 64 << 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FORBIDDEN, _GONE = frozenset({401, 403}), frozenset({404, 410})
_OK = 200


@dataclass(frozen=True, slots=True)
class Hosts:
    """``own`` are the platform's: they are given the token. ``others`` are where it may redirect to, without it. Both
    are domains, with all below them.
    """

    own: tuple[str, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Downloaded:
    data: bytes
    media_type: str


class PrivateAddressError(OSError):
    """A public name has an address that is none of the internet's."""


class Downloads:
    """Of one bot. Its connections are its own, made when the first file comes.

    ``base_url`` is the address of the platform's API: where an admin set another, files may come from there too.
    """

    def __init__(self, hosts: Hosts, base_url: str) -> None:
        self._hosts = hosts
        self._base = URL(base_url)
        self._http: aiohttp.ClientSession | None = None

    async def get(self, address: str, token: str, most: int) -> Downloaded:
        """Raises FileError. The caller bounds the time in all."""
        try:
            url = URL(address)
            for _ in range(MOST_REDIRECTS + 1):
                found = await self._get(url, token, most)
                if isinstance(found, Downloaded):
                    return found
                url = found
        except ValueError:
            raise FileError(Trouble.UNREACHABLE, "unreadable address") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise FileError(Trouble.UNREACHABLE, type(error).__name__) from None
        raise FileError(Trouble.UNREACHABLE, "too many redirects")

    async def put(self, address: str, data: bytes) -> None:
        """Upload to an address that the platform gave for this. Raises FileError."""
        try:
            url = URL(address)
            if not self._is_own(url):
                raise FileError(Trouble.FORBIDDEN, "not a host of the platform")
            async with self._session().post(url, data=data, allow_redirects=False) as response:
                if response.status != _OK:
                    raise FileError(Trouble.UNREACHABLE, f"HTTP {response.status}")
        except ValueError:
            raise FileError(Trouble.UNREACHABLE, "unreadable address") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise FileError(Trouble.UNREACHABLE, type(error).__name__) from None

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _get(self, url: URL, token: str, most: int) -> Downloaded | URL:
        is_own = self._is_own(url)
        if not is_own and not self._is_below(url, self._hosts.others):
            raise FileError(Trouble.FORBIDDEN, "not a host of the platform")
        # Identity: a body that has to be unpacked could become any size.
        headers = {"Accept-Encoding": "identity"}
        if is_own:
            headers["Authorization"] = f"Bearer {token}"
        async with self._session().get(url, headers=headers, allow_redirects=False) as response:
            if response.status in _REDIRECTS:
                return url.join(URL(response.headers.get("Location", "")))
            if response.status in _FORBIDDEN:
                raise FileError(Trouble.FORBIDDEN, f"HTTP {response.status}")
            if response.status in _GONE:
                raise FileError(Trouble.GONE, f"HTTP {response.status}")
            if response.status != _OK or response.headers.get("Content-Encoding", "identity") != "identity":
                raise FileError(Trouble.UNREACHABLE, f"HTTP {response.status}")
            return Downloaded(await read_at_most(response, most), response.content_type)

    def _is_own(self, url: URL) -> bool:
        return url.origin() == self._base.origin() or self._is_below(url, self._hosts.own)

    def _is_below(self, url: URL, domains: Sequence[str]) -> bool:
        host = (url.host or "").lower().rstrip(".")
        if url.scheme != "https" or url.user is not None or url.explicit_port not in {None, 443}:
            return False
        return any(host == domain or host.endswith(f".{domain}") for domain in domains)

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            proxies = getproxies_environment()
            trusted = {self._base.host, *(urlsplit(proxy).hostname for proxy in proxies.values())}
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=PublicResolver(frozenset(filter(None, trusted)))),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
                ),
                auto_decompress=False,
                trust_env=bool(proxies),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http


class PublicResolver(AbstractResolver):
    """Finds addresses of the internet only. ``trusted`` are names that an admin gave: the API's host, a proxy."""

    def __init__(self, trusted: frozenset[str], inner: AbstractResolver | None = None) -> None:
        self._trusted = trusted
        self._inner = inner or ThreadedResolver()

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if host not in self._trusted and not all(is_public(one["host"]) for one in found):
            raise PrivateAddressError(f"{host} has a private address")
        return found

    @override
    async def close(self) -> None:
        await self._inner.close()


def is_public(address: str) -> bool:
    """Whether this is an address of the internet: none of a private network, of this machine, or of many at once."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


async def read_at_most(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body. Raises FileError where it is longer than ``most``, as soon as that is known."""
    if response.content_length is not None and response.content_length > most:
        raise FileError(Trouble.TOO_LARGE)
    kept = bytearray()
    async for piece in response.content.iter_chunked(_PIECE):
        kept += piece
        if len(kept) > most:
            response.close()
            raise FileError(Trouble.TOO_LARGE)
    return bytes(kept)
