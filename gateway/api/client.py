"""The API of a running gateway, as a command at a terminal asks it.

Invariant: the token is sent to the address it is meant for, and to no other that this one names.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import orjson
from pydantic import BaseModel, JsonValue, ValidationError
from yarl import URL

from gateway.admin.paging import LARGEST_PAGE, Page
from gateway.api.problems import CONTENT_TYPE, Problem
from gateway.api.request import JSON, MERGE_PATCH
from gateway.api.routes import PREFIX

TIMEOUT = aiohttp.ClientTimeout(total=30.0, sock_connect=5.0)
STREAMING = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=60.0)
"""For answers that grow: something is said now and then."""

M = TypeVar("M", bound=BaseModel)


class NoGatewayError(Exception):
    """Nobody answers there, or a gateway whose API is off. What was asked for may have been done all the same."""


class ApiError(Exception):
    """The gateway did not do what it was asked; the text says why."""

    def __init__(self, said: str, status: int = 0) -> None:
        super().__init__(said)
        self.status = status


class ApiClient:
    """Raises NoGatewayError and ApiError. ``path`` is one of the API, see ``path``."""

    def __init__(self, http: aiohttp.ClientSession, address: str) -> None:
        self._http = http
        self._address = address.rstrip("/")

    async def get(self, path: str, model: type[M], query: Mapping[str, str] | None = None) -> M:
        _, body = await self._ask("GET", path, query=query)
        return self._read(body, model)

    async def get_all(
        self, path: str, pages: type[Page[M]], query: Mapping[str, str] | None = None
    ) -> tuple[M, ...]:
        """Every page."""
        found: list[M] = []
        asked = {**(query or {}), "limit": str(LARGEST_PAGE)}
        while True:
            page = await self.get(path, pages, asked)
            found += page.items
            if page.next is None:
                return tuple(found)
            asked["cursor"] = page.next

    async def post(self, path: str, model: type[M], body: JsonValue = None) -> M:
        _, answer = await self._ask("POST", path, body=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        return self._read(answer, model)

    async def patch(self, path: str, model: type[M], change: JsonValue, version: int) -> M:
        headers = {"If-Match": f'"{version}"', "Content-Type": MERGE_PATCH}
        _, body = await self._ask("PATCH", path, body=change, headers=headers)
        return self._read(body, model)

    async def download(self, path: str, target: Path) -> None:
        """The answer, whatever it is, to a new file that its owner alone reads."""
        url = URL(f"{self._address}{PREFIX}{path}", encoded=True)
        try:
            async with self._http.get(url, allow_redirects=False, timeout=STREAMING) as answer:
                if answer.status != 200:  # noqa: PLR2004 - a file
                    self._check(answer, await answer.read())
                target.touch(mode=0o600, exist_ok=False)  # noqa: ASYNC240 - at a terminal nothing else waits
                with target.open("wb") as file:
                    async for chunk in answer.content.iter_chunked(1 << 18):
                        file.write(chunk)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._nobody(error) from error

    async def delete(self, path: str, version: int | None = None) -> None:
        await self._ask("DELETE", path, headers={} if version is None else {"If-Match": f'"{version}"'})

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: JsonValue = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        url = URL(f"{self._address}{PREFIX}{path}", encoded=True).update_query(query or {})
        content = {} if body is None else {"Content-Type": JSON}
        try:
            async with self._http.request(
                method,
                url,
                data=None if body is None else orjson.dumps(body),
                headers={**content, **(headers or {})},
                allow_redirects=False,
            ) as answer:
                said = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._nobody(error) from error
        self._check(answer, said)
        return answer.headers, said

    def _nobody(self, error: Exception) -> NoGatewayError:
        why = str(error) or type(error).__name__
        return NoGatewayError(f"no gateway answers at {self._address} ({why})")

    def _check(self, answer: aiohttp.ClientResponse, body: bytes) -> None:
        if answer.content_type == CONTENT_TYPE:
            raise ApiError(self._read(body, Problem).detail, answer.status)
        if answer.status == 404:  # noqa: PLR2004 - the API's own is a problem document
            raise NoGatewayError(
                f"what answers at {self._address} has no admin API: set admin.token, and restart the gateway"
            )
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - success
            raise ApiError(
                f"{self._address} answered {answer.status}: is that the gateway itself?", answer.status
            )

    def _read(self, body: bytes, model: type[M]) -> M:
        try:
            return model.model_validate_json(body)
        except ValidationError:
            raise ApiError(f"{self._address} answered what no gateway of this version says") from None


@asynccontextmanager
async def api_at(address: str, token: str) -> AsyncIterator[ApiClient]:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers, timeout=TIMEOUT) as http:
        yield ApiClient(http, address)


def path(*steps: str) -> str:
    """A path of the API, with whatever its steps hold."""
    return "".join(f"/{quote(step, safe='')}" for step in steps)
