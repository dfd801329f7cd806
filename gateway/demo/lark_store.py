"""The platform's side of a store app: tickets, the app's own token, and one for each tenant (docs: "app_ticket 事件",
"商店应用获取 tenant_access_token").
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from gateway.demo.lark_rules import Json, LarkError
from gateway.demo.standin import Clock

TOKEN_LIFE = 7200.0


class StoreDesk:
    """``chats``: the tenant of each chat. ``asked``: how often a ticket was asked for."""

    def __init__(self, app_id: str, app_secret: str, clock: Clock, complain: Callable[[str], None]) -> None:
        self._app = app_id, app_secret
        self._clock = clock
        self._complain = complain
        self.ticket = ""
        self.asked = 0
        self.app_tokens: dict[str, float] = {}
        self.tenant_tokens: dict[str, str] = {}
        """The tenant of each token that was given out."""
        self.chats: dict[str, str] = {}
        self.tenants: set[str] = set()
        """Those that have the app."""
        self.calls: dict[str, int] = {}

    def new_ticket(self) -> Json:
        """The event that tells it, of version 1; the one before is not good any more."""
        self.ticket = uuid.uuid4().hex
        event = {"app_id": self._app[0], "app_ticket": self.ticket, "type": "app_ticket"}
        return {"uuid": uuid.uuid4().hex, "ts": str(self._clock()), "type": "event_callback", "event": event}

    def answer(self, path: str, asked: Json, tokens: dict[str, float]) -> Json | None:
        """Of the methods that take no token; None: it is none of them. Raises LarkError."""
        self.calls[path] = self.calls.get(path, 0) + 1
        match path:
            case "auth/v3/app_ticket/resend":
                self._check_app(asked)
                self.asked += 1
                return {}
            case "auth/v3/app_access_token":
                self._check_app(asked)
                if not self.ticket or asked.get("app_ticket") != self.ticket:
                    raise LarkError(10012, "app_ticket is invalid", fault=False)
                token = f"a-{uuid.uuid4().hex}"
                self.app_tokens[token] = self._clock() + TOKEN_LIFE
                return {"app_access_token": token, "expire": int(TOKEN_LIFE)}
            case "auth/v3/tenant_access_token":
                if self.app_tokens.get(str(asked.get("app_access_token")), 0.0) <= self._clock():
                    raise LarkError(99991664, "invalid app access token", fault=False)
                tenant = str(asked.get("tenant_key"))
                if tenant not in self.tenants:
                    raise LarkError(10013, "the tenant has not the app", fault=False)
                token = f"t-{uuid.uuid4().hex}"
                tokens[token] = self._clock() + TOKEN_LIFE
                self.tenant_tokens[token] = tenant
                return {"tenant_access_token": token, "expire": int(TOKEN_LIFE)}
            case "auth/v3/tenant_access_token/internal":
                raise LarkError(10003, "that is for self-built apps")
        return None

    def check(self, token: str, chat: str | None) -> None:
        """Complain about a token that is used in another tenant."""
        tenant = self.chats.get(chat or "")
        if tenant is not None and self.tenant_tokens.get(token) != tenant:
            self._complain(f"{chat} of {tenant} was called with a token of {self.tenant_tokens.get(token)}")

    def _check_app(self, asked: Json) -> None:
        if (asked.get("app_id"), asked.get("app_secret")) != self._app:
            raise LarkError(10014, "app secret invalid", fault=False)
