"""Which HTTP request is which of Lark's methods. Methods are named as in lark-oapi."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gateway.demo.lark_calls import (
    Body,
    Create,
    CreateCard,
    Edit,
    ElementContent,
    InsertElements,
    ListReactions,
    Operation,
    PatchCard,
    PatchElement,
    React,
    ReplaceCard,
    ReplaceElement,
    Reply,
    Settings,
    TokenRequest,
)
from gateway.demo.lark_files import LarkFiles, ListMessages, UserId
from gateway.demo.lark_messages import Path
from gateway.demo.lark_rules import Json

B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class Route:
    """One method. ``open``: needs no token. ``top_level``: its answer has no ``data`` around it."""

    method: str
    verb: str
    path: re.Pattern[str]
    body: type[Body]
    perform: Callable[[LarkFiles, Body, Path], Json]
    open: bool = False
    top_level: bool = False


def _route(
    method: str,
    address: str,
    body: type[B],
    perform: Callable[[LarkFiles, B, Path], Json],
    *,
    public: bool = False,
    top_level: bool = False,
) -> Route:
    verb, _, path = address.partition(" ")
    pattern = re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/]+)", path))

    def parsed(lark: LarkFiles, call: Body, found: Path) -> Json:
        assert isinstance(call, body)
        return perform(lark, call, found)

    return Route(method, verb, pattern, body, parsed, public, top_level)


_L = LarkFiles
_CARD = "cardkit/v1/cards/:card_id"
_MESSAGE = "im/v1/messages/:message_id"
ROUTES = (
    _route(
        "auth.v3.tenant_access_token.internal",
        "POST auth/v3/tenant_access_token/internal",
        TokenRequest,
        _L.token,
        public=True,
        top_level=True,
    ),
    _route("bot.v3.info", "GET bot/v3/info", Body, _L.bot_info, top_level=True),
    _route("application.v6.scope.list", "GET application/v6/scopes", Body, _L.list_scopes),
    _route("im.v1.message.create", "POST im/v1/messages", Create, _L.create),
    _route("im.v1.message.reply", f"POST {_MESSAGE}/reply", Reply, _L.reply),
    _route("im.v1.message.update", f"PUT {_MESSAGE}", Edit, _L.edit),
    _route("im.v1.message.patch", f"PATCH {_MESSAGE}", PatchCard, _L.patch),
    _route("im.v1.message.delete", f"DELETE {_MESSAGE}", Body, _L.delete),
    _route("im.v1.message.list", "GET im/v1/messages", ListMessages, _L.list_messages),
    _route("contact.v3.user.get", "GET contact/v3/users/:user_id", UserId, _L.user),
    _route("im.v1.message.get", f"GET {_MESSAGE}", Body, _L.read),
    _route("im.v1.message_reaction.create", f"POST {_MESSAGE}/reactions", React, _L.react),
    _route("im.v1.message_reaction.list", f"GET {_MESSAGE}/reactions", ListReactions, _L.reactions),
    _route("im.v1.message_reaction.delete", f"DELETE {_MESSAGE}/reactions/:reaction_id", Body, _L.unreact),
    _route("cardkit.v1.card.create", "POST cardkit/v1/cards", CreateCard, _L.create_card),
    _route("cardkit.v1.card.update", f"PUT {_CARD}", ReplaceCard, _L.replace_card),
    _route("cardkit.v1.card.settings", f"PATCH {_CARD}/settings", Settings, _L.settings),
    _route(
        "cardkit.v1.card_element.content",
        f"PUT {_CARD}/elements/:element_id/content",
        ElementContent,
        _L.content,
    ),
    _route("cardkit.v1.card_element.create", f"POST {_CARD}/elements", InsertElements, _L.insert),
    _route(
        "cardkit.v1.card_element.update",
        f"PUT {_CARD}/elements/:element_id",
        ReplaceElement,
        _L.replace_element,
    ),
    _route(
        "cardkit.v1.card_element.patch", f"PATCH {_CARD}/elements/:element_id", PatchElement, _L.patch_element
    ),
    _route(
        "cardkit.v1.card_element.delete", f"DELETE {_CARD}/elements/:element_id", Operation, _L.delete_element
    ),
)


def find_route(verb: str, path: str) -> tuple[Route, Path] | None:
    for route in ROUTES:
        found = route.path.fullmatch(path)
        if found is not None and route.verb == verb:
            return route, found.groupdict()
    return None
