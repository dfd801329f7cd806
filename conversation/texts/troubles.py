"""Why a file, or a part of it, did not reach the model."""

from __future__ import annotations

from enum import StrEnum


class Trouble(StrEnum):
    """Each has a text for the person in every language, and one for the model."""

    UNSUPPORTED = "unsupported"
    NO_IMAGES = "no_images"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    UNREACHABLE = "unreachable"
    UNSENT = "unsent"


FOR_THE_MODEL = {
    Trouble.UNSUPPORTED: "a file of this kind cannot be read here",
    Trouble.NO_IMAGES: "this model cannot look at images",
    Trouble.TOO_LARGE: "it is too large",
    Trouble.TOO_MANY: "there were too many files in one message",
    Trouble.TRUNCATED: "only its beginning fits",
    Trouble.DAMAGED: "it is damaged, protected, or not what its name says",
    Trouble.FORBIDDEN: "the platform does not give it to this bot",
    Trouble.GONE: "it was deleted",
    Trouble.UNSENT: "it could not be sent",
    Trouble.UNREACHABLE: "it could not be downloaded",
}
