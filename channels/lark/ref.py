"""What is stored of a part, so that the next attempt finds its message again."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from conversation.outbound import DeliveryRefusedError


class Ref(BaseModel):
    """``card`` names a card; or ``once`` says as what the whole text is sent at the end.

    ``message`` is empty while it is not known that the message was sent.
    """

    model_config = ConfigDict(frozen=True)

    card: str = ""
    once: Literal["", "text", "post"] = ""
    message: str = ""

    def __str__(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            ref = cls.model_validate_json(text)
        except ValidationError as error:
            raise DeliveryRefusedError("the stored ref of a part is not one of ours") from error
        if bool(ref.card) == bool(ref.once):
            raise DeliveryRefusedError("the stored ref of a part is not one of ours")
        return ref
