"""The methods of the open platform that the gateway calls."""

from __future__ import annotations

from enum import Enum


class Method(Enum):
    """Verb and path, each with limits of its own."""

    TOKEN = ("POST", "auth/v3/tenant_access_token/internal")
    APP_TOKEN = ("POST", "auth/v3/app_access_token")
    STORE_TOKEN = ("POST", "auth/v3/tenant_access_token")
    RESEND_TICKET = ("POST", "auth/v3/app_ticket/resend")
    BOT = ("GET", "bot/v3/info")
    SCOPES = ("GET", "application/v6/scopes")
    CREATE = ("POST", "im/v1/messages?receive_id_type=chat_id")
    REPLY = ("POST", "im/v1/messages/{}/reply")
    EDIT = ("PUT", "im/v1/messages/{}")
    CREATE_FOR_PERSON = ("POST", "im/v1/messages?receive_id_type=open_id")
    DELETE = ("DELETE", "im/v1/messages/{}")
    READ = ("GET", "im/v1/messages/{}")
    UPLOAD_IMAGE = ("POST", "im/v1/images")
    UPLOAD_FILE = ("POST", "im/v1/files")
    RESOURCE = ("GET", "im/v1/messages/{}/resources/{}?type={}")
    THREAD = (
        "GET",
        "im/v1/messages?container_id_type=thread&sort_type=ByCreateTimeDesc&page_size=50&container_id={}",
    )
    USER = ("GET", "contact/v3/users/{}?user_id_type=open_id")
    REACT = ("POST", "im/v1/messages/{}/reactions")
    UNREACT = ("DELETE", "im/v1/messages/{}/reactions/{}")
    REACTIONS = ("GET", "im/v1/messages/{}/reactions?reaction_type={}&page_size=50")
    CREATE_CARD = ("POST", "cardkit/v1/cards")
    REPLACE_CARD = ("PUT", "cardkit/v1/cards/{}")
    SETTINGS = ("PATCH", "cardkit/v1/cards/{}/settings")
    CONTENT = ("PUT", "cardkit/v1/cards/{}/elements/{}/content")


ASKED_SELDOM = frozenset(
    {
        Method.TOKEN,
        Method.APP_TOKEN,
        Method.STORE_TOKEN,
        Method.RESEND_TICKET,
        Method.BOT,
        Method.SCOPES,
        Method.READ,
        Method.RESOURCE,
        Method.UPLOAD_FILE,
        Method.UPLOAD_IMAGE,
        Method.THREAD,
        Method.USER,
    }
)
