"""What the open platform answers, as far as it is used here."""

from __future__ import annotations

from pydantic import BaseModel


class Answer(BaseModel):
    code: int


class TenantAnswer(Answer):
    """``expire``: seconds to live."""

    tenant_access_token: str
    expire: float


class Bot(BaseModel):
    open_id: str
    app_name: str = ""


class BotInfo(Answer):
    bot: Bot


class Scope(BaseModel):
    scope_name: str
    grant_status: int


class ScopeList(BaseModel):
    scopes: tuple[Scope, ...] = ()


class Scopes(Answer):
    data: ScopeList


class CardId(BaseModel):
    card_id: str


class CardCreated(Answer):
    data: CardId


class MessageId(BaseModel):
    message_id: str


class Sent(Answer):
    data: MessageId


class ReactionId(BaseModel):
    reaction_id: str


class Reacted(Answer):
    data: ReactionId


class ReactionOperator(BaseModel):
    operator_id: str = ""
    operator_type: str = ""


class Reaction(ReactionId):
    operator: ReactionOperator = ReactionOperator()


class ReactionList(BaseModel):
    items: tuple[Reaction, ...] = ()


class Reactions(Answer):
    data: ReactionList = ReactionList()


class Keys(BaseModel):
    image_key: str = ""
    file_key: str = ""


class Uploaded(Answer):
    data: Keys
