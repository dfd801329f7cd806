"""Signing in at the organisation's identity provider: OpenID Connect, authorization code with PKCE.

Invariants:

- an answer counts only with the ``state`` of the browser that asked, and an ID token only with its ``nonce``, the
  provider's signature, our client id and an end that has not come;
- who has no claim that a role is mapped to is nobody here, whatever the provider says of them;
- no error text holds a code, a token or the client's secret.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import structlog
from pydantic import BaseModel, ConfigDict, HttpUrl, JsonValue, TypeAdapter, ValidationError
from yarl import URL

from gateway.admin.access import Principal, Role
from gateway.console.sessions import Person

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

TIMEOUT = aiohttp.ClientTimeout(total=10)
KNOWN_FOR = 3600.0
"""Seconds for which the provider's addresses and keys are kept; an unknown key is asked for before."""

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Asymmetric ones alone: with the others, whoever knows the client's secret could write ID tokens."""

_LEEWAY = 60
_LARGEST = 1 << 20
_STRONGEST: tuple[Role, ...] = ("admin", "operator", "auditor", "viewer")

_log = structlog.get_logger()


class SignInError(Exception):
    """The text tells the person why, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Provider:
    """As configured. ``roles``: by a value of ``claim``."""

    issuer: str
    client_id: str
    client_secret: str
    claim: str
    roles: Mapping[str, Role]

    def principal(self, person: Person) -> Principal | None:
        """With the strongest of the roles that the claims are mapped to."""
        found = {self.roles[value] for value in person.claims if value in self.roles}
        role = next((one for one in _STRONGEST if one in found), None)
        return None if role is None else Principal(f"oidc:{person.name}", role)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Discovered(_Model):
    issuer: str
    authorization_endpoint: HttpUrl
    token_endpoint: HttpUrl
    jwks_uri: HttpUrl


class _Tokens(_Model):
    id_token: str


_Claims = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the browser keeps while the person is away, in a cookie that only this host sets and no script reads."""

    state: str
    nonce: str
    verifier: str
    next: str

    @classmethod
    def begin(cls, next: str) -> Attempt:
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), next)


class IdentityProvider:
    """``http`` is the pool of connections, the owner's to close."""

    def __init__(self, provider: Provider, http: aiohttp.ClientSession) -> None:
        self.provider = provider
        self._http = http
        self._lock = asyncio.Lock()
        self._discovered: _Discovered | None = None
        self._keys: KeySet | None = None
        self._known_until = 0.0

    async def begin(self, attempt: Attempt, callback: str) -> str:
        """Where to send the browser. Raises SignInError."""
        addresses, _ = await self._known()
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        url = URL(str(addresses.authorization_endpoint)).update_query(
            response_type="code",
            client_id=self.provider.client_id,
            redirect_uri=callback,
            scope=self._scope,
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            code_challenge_method="S256",
        )
        return str(url)

    async def finish(self, attempt: Attempt, answer: Mapping[str, str], callback: str) -> Person:
        """Who came back. Raises SignInError."""
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise SignInError("this sign-in was begun in another window, or long ago; sign in again")
        if "error" in answer:
            _log.warning("oidc refused", cause=answer["error"][:100])
            raise SignInError(
                "the identity provider did not let you in; ask whoever runs it, or sign in again"
            )
        if answer.get("iss", self.provider.issuer).rstrip("/") != self.provider.issuer.rstrip("/"):
            raise SignInError("the answer came from another identity provider; sign in again")
        addresses, keys = await self._known()
        token = await self._exchange(addresses, answer.get("code", ""), attempt.verifier, callback)
        return self._person(await self._claims(token, keys, attempt.nonce))

    @property
    def _scope(self) -> str:
        extra = {"email": " email", "email_verified": " email"}.get(self.provider.claim, " email profile")
        return f"openid{extra}"

    async def _exchange(self, addresses: _Discovered, code: str, verifier: str, callback: str) -> str:
        given = self.provider
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": verifier,
            "client_id": given.client_id,
        }
        login = aiohttp.encode_basic_auth(_form_encoded(given.client_id), _form_encoded(given.client_secret))
        try:
            async with self._http.post(
                str(addresses.token_endpoint),
                data=form,
                headers={"Accept": "application/json", "Authorization": login},
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as response:
                body = await _body(response)
                if response.status != 200:  # noqa: PLR2004 - ok
                    _log.warning("oidc token refused", status=response.status)
                    raise SignInError(
                        "the identity provider did not accept the sign-in; sign in again, and if it stays so compare"
                        " admin.oidc.client_id and client_secret with the provider's"
                    )
            return _Tokens.model_validate_json(body).id_token
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            raise _away(error) from None

    async def _claims(self, token: str, keys: KeySet, nonce: str) -> dict[str, JsonValue]:
        from joserfc import jwt  # noqa: PLC0415 - only who signs in so pays for it
        from joserfc.errors import JoseError  # noqa: PLC0415 - likewise
        from joserfc.jwk import KeySet  # noqa: PLC0415 - likewise

        given = self.provider
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": given.issuer},
            aud={"essential": True, "value": given.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            try:
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                # The provider may have changed its keys since they were read.
                _, keys = await self._known(anew=True)
                decoded = jwt.decode(token, KeySet(keys.keys), algorithms=ALGORITHMS)
            registry.validate(decoded.claims)
            claims = _Claims.validate_python(decoded.claims)
        except (JoseError, ValueError) as error:
            _log.warning("oidc id token refused", cause=type(error).__name__)
            raise SignInError("the identity provider's answer could not be verified; sign in again") from None
        other_audiences = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", given.client_id) != given.client_id or (other_audiences and "azp" not in claims):
            raise SignInError("the identity provider's answer was for another application; sign in again")
        return claims

    def _person(self, claims: Mapping[str, JsonValue]) -> Person:
        claim = self.provider.claim
        values = claims.get(claim)
        found = tuple(
            one for one in (values if isinstance(values, list) else [values]) if isinstance(one, str)
        )
        if claim == "email" and claims.get("email_verified") is not True:
            raise SignInError(
                "the identity provider does not vouch for your e-mail address (email_verified); have it verified, or"
                " map roles from another claim in admin.oidc"
            )
        # Kept are the values that mean something here: a person's other groups are nobody's business.
        mapped = tuple(one for one in found if one in self.provider.roles)
        if not mapped:
            raise SignInError(
                f"no role is mapped to your account; ask an admin to add a value of your claim {claim!r} to"
                " admin.oidc.roles"
            )
        name = next(
            (
                one
                for key in ("email", "preferred_username", "sub")
                if isinstance(one := claims.get(key), str)
            ),
            "",
        )
        return Person(subject=str(claims["sub"]), name=_visible(name), claims=mapped)

    async def _known(self, *, anew: bool = False) -> tuple[_Discovered, KeySet]:
        from joserfc.errors import JoseError  # noqa: PLC0415 - only who signs in so pays for it
        from joserfc.jwk import KeySet  # noqa: PLC0415 - likewise

        async with self._lock:
            found, keys = self._discovered, self._keys
            if found is None or keys is None or anew or time.monotonic() > self._known_until:
                issuer = self.provider.issuer
                try:
                    body = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                    found = _Discovered.model_validate_json(body)
                    if found.issuer.rstrip("/") != issuer.rstrip("/"):
                        raise SignInError(
                            "the identity provider calls itself by another name; correct admin.oidc.issuer"
                        )
                    written = _Claims.validate_json(await self._get(str(found.jwks_uri)))
                    keys = KeySet.import_key_set({"keys": written.get("keys", [])})  # type: ignore[typeddict-item]
                except (aiohttp.ClientError, TimeoutError, ValidationError, JoseError) as error:
                    raise _away(error) from None
                self._discovered, self._keys = found, keys
                self._known_until = time.monotonic() + KNOWN_FOR
            return found, keys

    async def _get(self, url: str) -> bytes:
        async with self._http.get(url, timeout=TIMEOUT) as response:
            response.raise_for_status()
            return await _body(response)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = await response.content.read(_LARGEST)
    while chunk := await response.content.read(_LARGEST):
        body += chunk
        if len(body) > _LARGEST:
            raise aiohttp.ClientPayloadError("too large")
    return body


def _away(error: Exception) -> SignInError:
    _log.warning("oidc provider not usable", cause=type(error).__name__)
    return SignInError(
        "the identity provider does not answer as it should; try again, or see whether admin.oidc.issuer is right"
    )


def _form_encoded(value: str) -> str:
    from urllib.parse import quote_plus  # noqa: PLC0415 - beside its one use

    return quote_plus(value)


def _visible(name: str) -> str:
    return "".join(character for character in name if character.isprintable())[:120]
