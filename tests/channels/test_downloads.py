"""Downloads: where they go, what goes with them, and how much comes back. Against servers that mean harm."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from yarl import URL

from channels.downloads import Downloads, Hosts, PrivateAddressError, PublicResolver, is_public
from conversation.source import FileError
from conversation.texts.troubles import Trouble

HOSTS = Hosts(own=("slack.com",), others=("slack-edge.com",))
TOKEN = "xoxb-secret"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Remembers who brought a token."""

    def __init__(self) -> None:
        self.answer: Handler = lambda _: _ok(b"hello")
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path_qs, request.headers.get("Authorization")))
        return await self.answer(request)


async def _ok(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="text/plain")


async def serving() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.handle)
    async with TestServer(app) as running:
        server.url = str(running.make_url("/"))
        yield server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async for one in serving():
        yield one


@pytest.fixture
async def stranger() -> AsyncIterator[Server]:
    async for one in serving():
        yield one


@pytest.fixture
async def downloads(server: Server) -> AsyncIterator[Downloads]:
    """Of a bot whose API is the server: nothing else on this machine is its platform's."""
    downloads = Downloads(HOSTS, server.url)
    yield downloads
    await downloads.close()


async def refused(downloads: Downloads, url: str, most: int = 1_000) -> Trouble:
    with pytest.raises(FileError) as caught:
        await downloads.get(url, TOKEN, most)
    assert TOKEN not in str(caught.value)
    assert url not in str(caught.value)
    return caught.value.trouble


async def test_a_file_is_fetched_with_the_token(server: Server, downloads: Downloads) -> None:
    found = await downloads.get(f"{server.url}a", TOKEN, 1_000)
    assert (found.data, found.media_type) == (b"hello", "text/plain")
    assert server.asked == [("/a", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/a",
        "https://evil.example/slack.com",
        "https://slack.com.evil.example/a",
        "https://notslack.com/a",
        "http://files.slack.com/a",
        "https://user@files.slack.com/a",
        "https://files.slack.com:8443/a",
        "file:///etc/passwd",
        "ftp://files.slack.com/a",
        "//files.slack.com/a",
    ],
)
async def test_nothing_else_than_the_platforms_hosts_is_asked(downloads: Downloads, url: str) -> None:
    assert await refused(downloads, url) in {Trouble.FORBIDDEN, Trouble.UNREACHABLE}


async def test_a_redirect_elsewhere_is_not_followed(
    server: Server, stranger: Server, downloads: Downloads
) -> None:
    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound(f"{stranger.url}steal")

    server.answer = away
    assert await refused(downloads, f"{server.url}a") is Trouble.FORBIDDEN
    assert stranger.asked == [], "neither the token nor anything else went there"


async def test_where_the_platform_may_redirect_to_the_token_does_not_go(
    server: Server, stranger: Server, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the stranger stands for a host of the platform's content network."""
    port = URL(stranger.url).port
    monkeypatch.setattr(
        Downloads, "_is_below", lambda _, url, domains: domains == HOSTS.others and url.port == port
    )

    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound(f"{stranger.url}a")

    server.answer = away
    assert (await downloads.get(f"{server.url}a", TOKEN, 1_000)).data == b"hello"
    assert server.asked == [("/a", f"Bearer {TOKEN}")]
    assert stranger.asked == [("/a", None)]


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1/", "http://[::1]/", "http://localhost/", "https://10.1.2.3/"]
)
async def test_a_redirect_into_the_network_is_not_followed(
    server: Server, downloads: Downloads, target: str
) -> None:
    async def inside(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(target)

    server.answer = inside
    assert await refused(downloads, f"{server.url}a") is Trouble.FORBIDDEN


async def test_a_redirect_on_the_same_host_is_followed_but_not_for_ever(
    server: Server, downloads: Downloads
) -> None:
    async def next_one(request: web.Request) -> web.Response:
        step = int(request.path.strip("/"))
        if step == 3:
            return await _ok(b"at last")
        raise web.HTTPFound(f"/{step + 1}")

    server.answer = next_one
    assert (await downloads.get(f"{server.url}0", TOKEN, 1_000)).data == b"at last"
    assert await refused(downloads, f"{server.url}-9") is Trouble.UNREACHABLE


class Names(AbstractResolver):
    """Every name has this address."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=self.address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "240.0.0.1"),
        *(
            "::1",
            "fe80::1%eth0",
            "fc00::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
        ),
    ],
)
async def test_a_public_name_with_a_private_address_is_not_connected_to(address: str) -> None:
    assert not is_public(address)
    resolver = PublicResolver(frozenset({"proxy.internal"}), Names(address))
    with pytest.raises(PrivateAddressError):
        await resolver.resolve("files.slack.com", 443)
    assert await resolver.resolve("proxy.internal", 3128), "what an admin named may be anywhere"


def test_a_public_address_is_one() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700::1")
    assert not is_public("no address")


async def test_what_a_name_resolves_to_is_looked_at_for_every_download(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("channels.downloads.ThreadedResolver", lambda: Names("127.0.0.1"))
    downloads = Downloads(HOSTS, "https://slack.com/api/")
    assert await refused(downloads, "https://files.slack.com/a") is Trouble.UNREACHABLE
    await downloads.close()


async def test_a_file_that_is_larger_than_it_may_be_is_not_read_to_its_end(
    server: Server, downloads: Downloads
) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(2_000):
            await response.write(b"x" * 100_000)
            sent += 100_000
        return response

    server.answer = endless
    assert await refused(downloads, f"{server.url}a", most=300_000) is Trouble.TOO_LARGE
    assert sent < 50_000_000


async def test_a_length_that_is_told_is_believed_when_it_is_too_large(
    server: Server, downloads: Downloads
) -> None:
    async def boasting(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "99999999"})
        await response.prepare(request)
        return response

    server.answer = boasting
    assert await refused(downloads, f"{server.url}a") is Trouble.TOO_LARGE


async def test_a_file_that_ends_early_is_no_file(server: Server, downloads: Downloads) -> None:
    async def short(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "500"})
        await response.prepare(request)
        await response.write(b"x" * 100)
        assert request.transport is not None
        request.transport.close()
        return response

    server.answer = short
    assert await refused(downloads, f"{server.url}a") is Trouble.UNREACHABLE


async def test_nothing_is_decompressed(server: Server, downloads: Downloads) -> None:
    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    server.answer = bomb
    assert await refused(downloads, f"{server.url}a") is Trouble.UNREACHABLE


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (401, Trouble.FORBIDDEN),
        (403, Trouble.FORBIDDEN),
        (404, Trouble.GONE),
        (410, Trouble.GONE),
        (429, Trouble.UNREACHABLE),
        (500, Trouble.UNREACHABLE),
    ],
)
async def test_what_a_status_means(
    server: Server, downloads: Downloads, status: int, trouble: Trouble
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    server.answer = answer
    assert await refused(downloads, f"{server.url}a") is trouble
