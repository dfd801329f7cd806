"""The API of a running gateway, as a command at a terminal asks it.

Invariant: the token is sent to the address it is meant for, and to no other that this one names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from gateway.api import PREFIX
from gateway.api.dead_letters import Listed
from gateway.api.problems import CONTENT_TYPE, Problem
from gateway.dead_letters import Letter, Retried, Summary

TIMEOUT = aiohttp.ClientTimeout(total=30.0, sock_connect=5.0)

M = TypeVar("M", bound=BaseModel)


class NoGatewayError(Exception):
    """Nobody answers there, or a gateway whose API is off. What was asked for may have been done all the same."""


class ApiError(Exception):
    """The gateway did not do what it was asked; the text says why."""


class ApiLetters:
    """``DeadLetters`` over HTTP. Raises NoGatewayError and ApiError."""

    def __init__(self, http: aiohttp.ClientSession, address: str) -> None:
        self._http = http
        self._address = address.rstrip("/")

    async def all(self) -> tuple[Summary, ...]:
        return self._read(await self._ask("GET", ""), Listed).items

    async def show(self, id: str) -> Letter:
        return self._read(await self._ask("GET", _step(id)), Letter)

    async def retry(self, id: str) -> Retried:
        return self._read(await self._ask("POST", f"{_step(id)}/retry"), Retried)

    async def drop(self, id: str) -> None:
        await self._ask("DELETE", _step(id))

    async def _ask(self, method: str, path: str) -> bytes:
        url = URL(f"{self._address}{PREFIX}/dead-letters{path}", encoded=True)
        try:
            async with self._http.request(method, url, allow_redirects=False) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise NoGatewayError(f"no gateway answers at {self._address} ({why})") from error
        if answer.content_type == CONTENT_TYPE:
            raise ApiError(self._read(body, Problem).detail)
        if answer.status == 404:  # noqa: PLR2004 - the API's own is a problem document
            raise NoGatewayError(
                f"what answers at {self._address} has no admin API: set admin.token, and restart the gateway"
            )
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - success
            raise ApiError(f"{self._address} answered {answer.status}: is that the gateway itself?")
        return body

    def _read(self, body: bytes, model: type[M]) -> M:
        try:
            return model.model_validate_json(body)
        except ValidationError:
            raise ApiError(f"{self._address} answered what no gateway of this version says") from None


@asynccontextmanager
async def letters_at(address: str, token: str) -> AsyncIterator[ApiLetters]:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers, timeout=TIMEOUT) as http:
        yield ApiLetters(http, address)


def _step(id: str) -> str:
    return f"/{quote(id, safe='')}"
