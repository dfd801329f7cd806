"""OpenAI's Chat Completions as they are on the wire: the request, the events of a stream, errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter, model_validator

from gateway.demo.answers import tokens

MODEL = "demo-model"


class TextPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: Literal["text"]
    text: str


class ImageUrl(BaseModel):
    """OpenAI takes PNG, JPEG, WebP and GIF, inline (guide "Images and vision"); a link would have to be fetched."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: Annotated[str, Field(pattern=r"^data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}$")]
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: Literal["image_url"]
    image_url: ImageUrl


_AROUND = re.compile(
    r"(?s:<earlier_in_this_thread>.*?</earlier_in_this_thread>\n\n)"
    r"|(?m:^[^\n()]{1,80} \(\d{4}-\d\d-\d\d \d\d:\d\d UTC\): )"
)
_PARTS = TypeAdapter(list[Annotated[TextPart | ImagePart, Discriminator("type")]])


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str
    """Of a user, in the person's own words: without the name and time that stand before them in a group, and what was
    said before. ``written`` is all of it.
    """
    name: str | None = None
    written: str = ""
    images: tuple[str, ...] = ()
    """Data URLs of the pictures that came with it, where the content was written as a list of parts."""

    @model_validator(mode="before")
    @classmethod
    def _of_parts(cls, given: object) -> object:
        match given:
            case {"images": _} | {"written": _}:
                raise ValueError("Unrecognized request argument supplied")
            case {"role": "user", "content": [_, *_] as listed, **others}:
                parts = _PARTS.validate_python(listed)
                texts = [part.text for part in parts if isinstance(part, TextPart)]
                images = tuple(part.image_url.url for part in parts if isinstance(part, ImagePart))
                return _understood("\n".join(texts), others) | {"images": images}
            case {"role": "user", "content": str(text), **others}:
                return _understood(text, others)
            case _:
                return given


def _understood(text: str, others: Mapping[object, object]) -> dict[object, object]:
    return dict(others) | {"role": "user", "content": _AROUND.sub("", text), "written": text}


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = False


class Request(BaseModel):
    """What the API documents and this stand-in understands; an unknown argument is an error there too."""

    model_config = ConfigDict(extra="forbid")

    model: str
    messages: list[Message]
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    user: str | None = None
    n: Literal[1] = 1
    seed: int | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    reasoning_effort: str | None = None

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class Frame:
    """The events of one streamed answer. What all of them share is written once."""

    def __init__(self, request: Request, number: int, created: int, *, counts_unasked: bool = False) -> None:
        self._request = request
        self._counts = request.wants_usage or counts_unasked
        head = orjson.dumps(
            {
                "id": f"chatcmpl-{number}",
                "object": "chat.completion.chunk",
                "created": created,
                "model": request.model,
                "system_fingerprint": "fp_demo",
            }
        )
        self._head = b"data: " + head[:-1] + b',"choices":['
        self._tail = b"]" + (b',"usage":null' if self._counts else b"") + b"}\n\n"

    def role(self) -> bytes:
        return self._event(b'{"role":"assistant","content":"","refusal":null}', b"null")

    def content(self, piece: str) -> bytes:
        return self._event(b'{"content":' + orjson.dumps(piece) + b"}", b"null")

    def tool(self, number: int, label: str, status: str) -> bytes:
        """What an agent says of a tool that it runs itself, between the chunks (Hermes Agent, "API Server")."""
        about = {"tool": "lookup", "emoji": "🔎", "toolCallId": f"call_{number}", "status": status}
        if status == "running":
            about["label"] = label
        return b"event: hermes.tool.progress\ndata: " + orjson.dumps(about) + b"\n\n"

    def end(self, pieces: list[str]) -> bytes:
        """The finish, the usage if it is counted, and the mark of the end."""
        counted = b""
        if self._counts:
            usage = orjson.dumps(_usage(self._request.messages, pieces))
            counted = self._head + b'],"usage":' + usage + b"}\n\n"
        return self._event(b"{}", b'"stop"') + counted + b"data: [DONE]\n\n"

    def _event(self, delta: bytes, finish: bytes) -> bytes:
        choice = b'{"index":0,"delta":' + delta + b',"logprobs":null,"finish_reason":' + finish + b"}"
        return self._head + choice + self._tail


def completion(request: Request, number: int, created: int, pieces: list[str]) -> dict[str, object]:
    """The answer to a request without ``stream``."""
    message = {"role": "assistant", "content": "".join(pieces), "refusal": None}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": created,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _usage(request.messages, pieces),
    }


def _usage(messages: list[Message], pieces: list[str]) -> dict[str, int]:
    prompt = sum(len(tokens(message.content)) for message in messages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": len(pieces),
        "total_tokens": prompt + len(pieces),
    }


def error_answer(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    error = {"message": message, "type": code, "param": None, "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)
