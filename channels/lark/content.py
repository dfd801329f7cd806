"""What a message holds, by its type: words for the model, files to fetch, and what can only be declined by name.

Docs: "接收消息内容结构". Every type is either understood or named; a type that is not known yet is "other".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ValidationError, field_validator

from channels.lark.mentions import Mentions
from conversation.messages import Attachment

IMAGE, FILE, FORWARDED = "image:", "file:", "forwarded:"
"""How the ``ref`` of an attachment begins; behind the first two stands its key, and with the message's id it is
fetched. Forwarded messages are asked for by the message's id alone."""

FORWARDED_NAME = "forwarded messages.txt"

_LONGEST_TIME = 20
_MICROSECONDS_FROM, _MILLISECONDS_FROM = 10**14, 10**11


@dataclass(frozen=True, slots=True)
class Content:
    """``text`` is as a person would read it. ``declined`` as in InboundMessage. Empty: there is nothing in it."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    declined: tuple[str, ...] = ()


class _Text(BaseModel):
    text: str


class PostElement(BaseModel):
    tag: str
    text: str | None = None
    href: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    language: str | None = None
    emoji_type: str | None = None
    image_key: str | None = None


class _Post(BaseModel):
    title: str | None = None
    content: list[list[PostElement]]


class _Keyed(BaseModel):
    """A file, picture or recording. Some have no name."""

    file_key: str = ""
    image_key: str = ""
    file_name: str = ""


class _Card(BaseModel):
    """What is shown of a card to who cannot draw it: like a post, under another name."""

    title: str | None = None
    elements: list[list[PostElement]] = []

    @field_validator("elements", mode="before")
    @classmethod
    def _nested(cls, given: object) -> object:
        return (
            [line if isinstance(line, list) else [line] for line in given] if isinstance(given, list) else []
        )


class _Location(BaseModel):
    name: str = ""
    longitude: str = ""
    latitude: str = ""


class _Todo(BaseModel):
    class _Summary(BaseModel):
        title: str | None = None
        content: list[list[PostElement]] = []

    summary: _Summary = _Summary()
    due_time: str = ""


class _Vote(BaseModel):
    topic: str = ""
    options: list[str] = []


class _Appointment(BaseModel):
    summary: str = ""
    topic: str = ""
    start_time: str = ""
    end_time: str = ""


def read(message_type: str, content: str, mentions: Mentions) -> Content | None:
    """None for a notice of the platform itself. Raises ValueError where the content is not what its type says."""
    if message_type == "system":
        return None
    reader = _READERS.get(message_type)
    return Content(declined=("other",)) if reader is None else reader(content, mentions)


def seconds(time: str) -> float:
    """Since 1970. The unit is decided by magnitude: documents and examples disagree (docs: "事件概述", "接收消息").

    Raises ValueError.
    """
    if not (time.isascii() and time.isdigit() and len(time) <= _LONGEST_TIME):
        raise ValueError("not a time")
    count = int(time)
    if count >= _MICROSECONDS_FROM:
        return count / 1e6
    return count / 1e3 if count >= _MILLISECONDS_FROM else float(count)


def _text(content: str, mentions: Mentions) -> Content:
    return Content(mentions.resolve(_Text.model_validate_json(content).text).strip())


def _post(content: str, mentions: Mentions) -> Content:
    post = _Post.model_validate_json(content)
    pictures = [
        element.image_key
        for line in post.content
        for element in line
        if element.tag == "img" and element.image_key
    ]
    videos = ("video",) if any(element.tag == "media" for line in post.content for element in line) else ()
    return Content(
        _lines(post.title, post.content, mentions),
        tuple(_picture(key, number, len(pictures)) for number, key in enumerate(pictures, 1)),
        videos,
    )


def _image(content: str, _: Mentions) -> Content:
    key = _Keyed.model_validate_json(content).image_key
    return Content(attachments=(_picture(key, 1, 1),)) if key else Content(declined=("image",))


def _file(content: str, _: Mentions) -> Content:
    file = _Keyed.model_validate_json(content)
    if not file.file_key:
        return Content(declined=(file.file_name or "file",))
    return Content(attachments=(Attachment("file", file.file_name or "file", ref=FILE + file.file_key),))


def _named(kind: str) -> Callable[[str, Mentions], Content]:
    """A file that cannot be read, by its own name or that of its kind."""

    def declined(content: str, _: Mentions) -> Content:
        try:
            name = _Keyed.model_validate_json(content).file_name
        except ValidationError:  # what it is was told by its type
            name = ""
        return Content(declined=(name or kind,))

    return declined


def _forwarded(_content: str, _: Mentions) -> Content:
    """Its content is one fixed sentence; what was forwarded is fetched when the turn begins."""
    return Content(attachments=(Attachment("file", FORWARDED_NAME, "text/plain", ref=FORWARDED),))


def _card(content: str, mentions: Mentions) -> Content:
    card = _Card.model_validate_json(content)
    text = _lines(card.title, card.elements, mentions)
    return Content(f"[card]\n{text}") if text else Content(declined=("card",))


def _location(content: str, _: Mentions) -> Content:
    place = _Location.model_validate_json(content)
    where = f"({place.latitude}, {place.longitude})" if place.latitude and place.longitude else ""
    told = " ".join(filter(None, (place.name.strip(), where)))
    return Content(f"[location] {told}") if told else Content(declined=("location",))


def _todo(content: str, mentions: Mentions) -> Content:
    todo = _Todo.model_validate_json(content)
    text = _lines(todo.summary.title, todo.summary.content, mentions)
    if not text:
        return Content(declined=("other",))
    due = _moment(todo.due_time)
    return Content(f"[task] {text}{f' (due {due})' if due else ''}")


def _vote(content: str, _: Mentions) -> Content:
    vote = _Vote.model_validate_json(content)
    lines = (vote.topic.strip(), *(f"- {option}" for option in vote.options))
    told = "\n".join(filter(None, lines))
    return Content(f"[poll] {told}") if told else Content(declined=("other",))


def _appointment(kind: str) -> Callable[[str, Mentions], Content]:
    def told(content: str, _: Mentions) -> Content:
        appointment = _Appointment.model_validate_json(content)
        name = (appointment.summary or appointment.topic).strip()
        times = " – ".join(filter(None, (_moment(appointment.start_time), _moment(appointment.end_time))))
        text = " ".join(filter(None, (name, f"({times})" if times else "")))
        return Content(f"[{kind}] {text}") if text else Content(declined=("other",))

    return told


_READERS: dict[str, Callable[[str, Mentions], Content]] = {
    "text": _text,
    "post": _post,
    "image": _image,
    "file": _file,
    "audio": _named("voice"),
    "media": _named("video"),
    "sticker": _named("sticker"),
    "folder": _named("folder"),
    "share_chat": _named("chat"),
    "share_user": _named("contact"),
    "merge_forward": _forwarded,
    "interactive": _card,
    "location": _location,
    "todo": _todo,
    "vote": _vote,
    "calendar": _appointment("calendar event"),
    "general_calendar": _appointment("calendar event"),
    "share_calendar_event": _appointment("calendar event"),
    "video_chat": _appointment("video meeting"),
}


def _picture(key: str, number: int, of: int) -> Attachment:
    """Pictures have no names of their own."""
    return Attachment("image", "image" if of == 1 else f"image {number}", ref=IMAGE + key)


def _lines(title: str | None, lines: list[list[PostElement]], mentions: Mentions) -> str:
    told = ["".join(_inline(element, mentions) for element in line) for line in lines]
    return "\n".join((title, *told) if title else told).strip()


def _inline(element: PostElement, mentions: Mentions) -> str:  # noqa: PLR0911 - one for each tag
    text = element.text or ""
    match element.tag:
        case "a":
            return f"[{text}]({element.href})" if element.href and element.href != text else text
        case "at":
            key = element.user_id or ""
            if key in mentions.names:
                return mentions.resolve(key)
            return f"@{element.user_name or key.lstrip('@_')}"
        case "code_block":
            return f"\n```{(element.language or '').lower()}\n{text.rstrip()}\n```\n"
        case "emotion":
            return f":{element.emoji_type}:"
        case "img" | "media" as kind:
            return "[image]" if kind == "img" else "[video]"
        case "hr":
            return "---"
        case _:
            return mentions.resolve(text)


def _moment(time: str) -> str:
    """As a person reads it; empty where it cannot be read."""
    try:
        return f"{datetime.fromtimestamp(seconds(time), UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return ""
