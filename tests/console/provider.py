"""An identity provider with a will of its own: it does what OpenID Connect says, until told otherwise."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import unquote_plus

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT, SECRET = "turnkeeper", "a client's secret"

Claims = dict[str, object]


class Provider:
    """``claims`` are of whoever signs in; ``twist`` changes what the ID token says just before it is signed."""

    def __init__(self) -> None:
        self.url = ""
        self.key = RSAKey.generate_key(2048, {"kid": "first"})
        self.claims: Claims = {"sub": "248", "email": "ann@example.com", "email_verified": True}
        self.twist: Callable[[Claims], None] = lambda _: None
        self.sign: Callable[[Claims], str] = self._signed
        self._asked: dict[str, dict[str, str]] = {}

    def authorize(self, url_query: dict[str, str]) -> str:
        """What a browser does there, in short: the code for this request."""
        assert (url_query["response_type"], url_query["client_id"]) == ("code", CLIENT)
        assert url_query["code_challenge_method"] == "S256"
        assert "openid" in url_query["scope"].split()
        code = f"code-{len(self._asked)}"
        self._asked[code] = url_query
        return code

    async def discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
        )

    async def keys(self, _: web.Request) -> web.Response:
        return web.json_response(KeySet([self.key]).as_dict(private=False))

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        login = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        asked = self._asked.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
            or [unquote_plus(part) for part in login.split(":")] != [CLIENT, SECRET]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims: Claims = {
            "iss": self.url,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            **self.claims,
        }
        self.twist(claims)
        return web.json_response({"access_token": "x", "token_type": "Bearer", "id_token": self.sign(claims)})

    def _signed(self, claims: Claims) -> str:
        header = {"alg": "RS256", "kid": self.key.kid}
        return jwt.encode(cast("dict[str, str]", header), claims, self.key)

    def signed_with_the_clients_secret(self, claims: Claims) -> str:
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])

    def unsigned(self, claims: Claims) -> str:
        return jwt.encode({"alg": "none"}, claims, OctKey.import_key("x" * 16), algorithms=["none"])


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    app = web.Application()
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", made.discovery),
            web.get("/keys", made.keys),
            web.post("/token", made.token),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await runner.cleanup()
