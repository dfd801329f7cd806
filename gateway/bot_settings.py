"""Bots and agents, as they stand in the configuration file and, all the same, in the store.

A stored bot may lack some of its credentials: it is a draft until they are complete.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, Field, ValidationInfo, field_validator

from gateway.secret import OptionalSecret, Secret
from gateway.setting_values import Count, Duration, Section, Slug, WebAddress, Whole, invalid
from gateway.settings_errors import remedy

_NOT_YET_PROVIDERS = ("anthropic", "acp")
_PROVIDERS = ("openai", "echo")


class Timeouts(Section):
    """In seconds."""

    first_token: Annotated[Duration, Field(gt=0, le=7200)] = 60.0
    idle: Annotated[Duration, Field(gt=0, le=7200)] = 60.0
    reply: Annotated[Duration, Field(gt=0, le=7200)] = 300.0
    health: Annotated[Duration, Field(gt=0, le=600)] = 60.0


class Agent(Section):
    """``model`` is empty only where the provider needs none."""

    id: Slug
    provider: Annotated[str, Field(json_schema_extra={"enum": list(_PROVIDERS)})]
    model: Annotated[str, Field(validate_default=True)] = ""
    base_url: WebAddress = "https://api.openai.com/v1"
    api_key: OptionalSecret = None
    system_prompt: str = ""
    max_context_tokens: Annotated[Whole, Field(ge=1, le=100_000_000)] = 100_000
    images: Literal["auto", True, False] = "auto"
    timeouts: Timeouts = Timeouts()

    @field_validator("images", mode="before")
    @classmethod
    def _written(cls, images: object) -> object:
        """A form and ``${NAME}`` bring words."""
        return (
            {"true": True, "false": False}.get(images.lower(), images) if isinstance(images, str) else images
        )

    @field_validator("provider")
    @classmethod
    def _known(cls, provider: str) -> str:
        if provider in _PROVIDERS:
            return provider
        choice = remedy(provider, _PROVIDERS)
        if provider in _NOT_YET_PROVIDERS:
            raise invalid(f"not in this version: {provider}; {choice}")
        raise invalid(f"unknown provider {provider!r}; {choice}")

    @field_validator("model")
    @classmethod
    def _given(cls, model: str, info: ValidationInfo) -> str:
        if not model and info.data.get("provider") == "openai":
            raise invalid("is missing; add the name of the model, such as gpt-5-mini")
        return model


class Allow(Section):
    """Platform ids; an empty list allows everybody."""

    users: tuple[str, ...] = ()
    chats: tuple[str, ...] = ()


class Welcome(Section):
    """What somebody reads who opens the bot for the first time. An empty ``text`` is ours, in their language."""

    enabled: bool = True
    text: Annotated[str, Field(max_length=2000)] = ""
    prompts: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=4)
    ] = ()


class BotOptions(Section):
    """What may be set besides, of a bot of any channel."""

    api_base_url: WebAddress | None = None
    when_busy: Literal["queue", "merge", "interrupt", "reject"] = "queue"
    conversation_per: Literal["auto", "thread", "sender", "chat"] = "auto"
    respond_to: Literal["mentions", "all"] = "mentions"
    allow: Allow = Allow()
    external_users: Literal["deny", "allow"] = "deny"
    stream: bool = True
    max_replies: Count | None = None
    max_age: Annotated[Duration, Field(gt=0)] = 1800.0
    locale: Literal["auto", "en", "zh"] = "auto"
    no_store: bool = False
    agents: tuple[str, ...] = ()
    feedback: bool = True
    welcome: Welcome = Welcome()


class _Bot(BotOptions):
    id: Slug
    agent: str
    enabled: bool = True


SlackTransport: TypeAlias = Literal["webhook", "socket"]
LarkTransport: TypeAlias = Literal["webhook", "long_connection"]
AppType: TypeAlias = Literal["self_built", "store"]


class SlackCredentials(Section):
    """Of an app in one workspace, which has a ``bot_token``, or of one that many install by OAuth, which has
    ``client_id`` and ``client_secret`` instead.
    """

    signing_secret: Secret
    client_id: OptionalSecret = None
    client_secret: Annotated[OptionalSecret, Field(validate_default=True)] = None
    app_token: OptionalSecret = None
    bot_token: Annotated[OptionalSecret, Field(validate_default=True)] = None

    @field_validator("client_secret")
    @classmethod
    def _of_client(cls, secret: OptionalSecret, info: ValidationInfo) -> OptionalSecret:
        if secret is None and info.data.get("client_id") is not None:
            raise invalid("is missing; add it beside client_id, from the same page")
        return secret

    @field_validator("app_token")
    @classmethod
    def _of_app(cls, token: OptionalSecret) -> OptionalSecret:
        return _app_token(token)

    @field_validator("bot_token")
    @classmethod
    def _one_way(cls, token: OptionalSecret, info: ValidationInfo) -> OptionalSecret:
        client = info.data.get("client_id")
        if token is None and client is None and "client_id" in info.data:
            raise invalid(
                "is missing; add it, or client_id and client_secret if several workspaces install the app"
            )
        return _either(token, client)


class PartialSlackCredentials(Section):
    signing_secret: OptionalSecret = None
    client_id: OptionalSecret = None
    client_secret: OptionalSecret = None
    app_token: OptionalSecret = None
    bot_token: OptionalSecret = None

    @field_validator("app_token")
    @classmethod
    def _of_app(cls, token: OptionalSecret) -> OptionalSecret:
        return _app_token(token)

    @field_validator("bot_token")
    @classmethod
    def _one_way(cls, token: OptionalSecret, info: ValidationInfo) -> OptionalSecret:
        return _either(token, info.data.get("client_id"))


def _app_token(token: OptionalSecret) -> OptionalSecret:
    if token is not None and not token.get_secret_value().startswith("xapp-"):
        raise invalid("is no app-level token; copy the one that begins with xapp-, from Basic Information")
    return token


def _either(token: OptionalSecret, client: OptionalSecret) -> OptionalSecret:
    if token is not None and client is not None:
        raise invalid(
            "is for one workspace, and client_id for an app that several install; leave one of them out"
        )
    return token


def lacking_in_slack(given: Collection[str], transport: SlackTransport | LarkTransport) -> tuple[str, ...]:
    """The credentials that a bot with these still needs."""
    several = not {"client_id", "client_secret"}.isdisjoint(given)
    needed = ["signing_secret", *(("client_id", "client_secret") if several else ("bot_token",))]
    if transport == "socket":
        needed.append("app_token")
    return tuple(name for name in needed if name not in given)


class SlackBot(_Bot):
    """Without ``credentials`` it is a draft."""

    channel: Literal["slack"]
    credentials: SlackCredentials | None = None
    transport: SlackTransport = "webhook"

    @field_validator("transport")
    @classmethod
    def _has_token(cls, transport: SlackTransport, info: ValidationInfo) -> SlackTransport:
        given = info.data.get("credentials")
        if transport == "socket" and given is not None and given.app_token is None:
            raise invalid(
                "socket needs credentials.app_token; make one with connections:write, in Basic Information"
            )
        return transport

    @property
    def complete(self) -> SlackCredentials | None:
        return self.credentials


class StoredSlackBot(_Bot):
    channel: Literal["slack"]
    credentials: PartialSlackCredentials = PartialSlackCredentials()
    transport: SlackTransport = "webhook"

    @property
    def complete(self) -> SlackCredentials | None:
        """None while it is a draft."""
        given = {name: secret for name, secret in self.credentials if secret is not None}
        if lacking_in_slack(given, self.transport):
            return None
        return SlackCredentials.model_construct(**given)


class LarkCredentials(Section):
    """At least one of ``encrypt_key`` and ``verification_token`` is given: without, anybody could send events."""

    app_id: Secret
    app_secret: Secret
    encrypt_key: OptionalSecret = None
    verification_token: Annotated[OptionalSecret, Field(validate_default=True)] = None

    @field_validator("verification_token")
    @classmethod
    def _verifiable(cls, token: OptionalSecret, info: ValidationInfo) -> OptionalSecret:
        if token is None and "encrypt_key" in info.data and info.data["encrypt_key"] is None:
            raise invalid("is missing, and so is encrypt_key; add at least one, or anybody could send events")
        return token


class PartialLarkCredentials(Section):
    app_id: OptionalSecret = None
    app_secret: OptionalSecret = None
    encrypt_key: OptionalSecret = None
    verification_token: OptionalSecret = None


class _AnyLarkBot(_Bot):
    channel: Literal["lark"]
    region: Literal["feishu", "lark"] = "feishu"
    app_type: AppType = "self_built"
    transport: LarkTransport = "webhook"

    @field_validator("transport")
    @classmethod
    def _is_there(cls, transport: LarkTransport, info: ValidationInfo) -> LarkTransport:
        if transport == "long_connection" and info.data.get("app_type") == "store":
            raise invalid("long_connection is for self-built apps; leave it out for a store app")
        return transport


class LarkBot(_AnyLarkBot):
    """Without ``credentials`` it is a draft."""

    credentials: LarkCredentials | None = None

    @property
    def complete(self) -> LarkCredentials | None:
        return self.credentials


class StoredLarkBot(_AnyLarkBot):
    credentials: PartialLarkCredentials = PartialLarkCredentials()

    @property
    def complete(self) -> LarkCredentials | None:
        """None while it is a draft."""
        given = self.credentials
        if given.app_id is None or given.app_secret is None:
            return None
        if given.encrypt_key is None and given.verification_token is None:
            return None
        return LarkCredentials.model_construct(**dict(given))


Bot: TypeAlias = Annotated[SlackBot | LarkBot, Discriminator("channel")]
StoredBot: TypeAlias = Annotated[StoredSlackBot | StoredLarkBot, Discriminator("channel")]
AnyBot: TypeAlias = SlackBot | LarkBot | StoredSlackBot | StoredLarkBot

_SHARED: dict[tuple[str, ...], type[Section]] = {
    ("agents",): Agent,
    ("agents", "timeouts"): Timeouts,
    ("bots", "slack", "allow"): Allow,
    ("bots", "lark", "allow"): Allow,
    ("bots", "slack", "welcome"): Welcome,
    ("bots", "lark", "welcome"): Welcome,
}
SECTIONS: dict[tuple[str, ...], type[Section]] = {
    **_SHARED,
    ("bots", "slack"): SlackBot,
    ("bots", "slack", "credentials"): SlackCredentials,
    ("bots", "lark"): LarkBot,
    ("bots", "lark", "credentials"): LarkCredentials,
}
"""What may stand where in the file, as pydantic names the place of an error (a channel is a step of its path)."""
STORED_SECTIONS: dict[tuple[str, ...], type[Section]] = {
    **_SHARED,
    ("bots", "slack"): StoredSlackBot,
    ("bots", "slack", "credentials"): PartialSlackCredentials,
    ("bots", "lark"): StoredLarkBot,
    ("bots", "lark", "credentials"): PartialLarkCredentials,
}
"""The same, in the store."""
