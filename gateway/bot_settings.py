"""Bots and agents, as they stand in the configuration file and, all the same, in the store.

A stored bot may lack some of its credentials: it is a draft until they are complete.
"""

from __future__ import annotations

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
    timeouts: Timeouts = Timeouts()

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


class _Bot(BotOptions):
    id: Slug
    agent: str
    enabled: bool = True


class SlackCredentials(Section):
    signing_secret: Secret
    bot_token: Secret


class PartialSlackCredentials(Section):
    signing_secret: OptionalSecret = None
    bot_token: OptionalSecret = None


class SlackBot(_Bot):
    """Without ``credentials`` it is a draft."""

    channel: Literal["slack"]
    credentials: SlackCredentials | None = None

    @property
    def complete(self) -> SlackCredentials | None:
        return self.credentials


class StoredSlackBot(_Bot):
    channel: Literal["slack"]
    credentials: PartialSlackCredentials = PartialSlackCredentials()

    @property
    def complete(self) -> SlackCredentials | None:
        """None while it is a draft."""
        given = self.credentials
        if given.signing_secret is None or given.bot_token is None:
            return None
        return SlackCredentials.model_construct(
            signing_secret=given.signing_secret, bot_token=given.bot_token
        )


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
