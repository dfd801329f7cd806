"""What has to be set at the platform for a bot, to be copied from a page or a terminal."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from channels.port import Need


class NeedView(BaseModel):
    """A scope or an event, and what for."""

    model_config = ConfigDict(frozen=True)

    name: str
    en: str
    zh: str
    optional: bool

    @classmethod
    def of(cls, need: Need) -> NeedView:
        return cls(name=need.name, en=need.en, zh=need.zh, optional=need.optional)


class Manifest(BaseModel):
    """``manifest`` (YAML) and ``create_url``, which opens a page with it filled in, are Slack's alone; so are
    ``redirect_url``, one of the app's redirect URLs, and ``install_url``, for people who install an app that is for
    several workspaces.

    ``console_url`` is where the app is administered.
    """

    model_config = ConfigDict(frozen=True)

    channel: Literal["slack", "lark"]
    webhook_url: str
    manifest: str | None
    create_url: str | None
    redirect_url: str | None = None
    install_url: str | None = None
    scopes: tuple[NeedView, ...]
    events: tuple[NeedView, ...]
    console_url: str


class MakeManifest(Protocol):
    """The wiring's, which knows the channels. ``region`` is Lark's; ``several`` (workspaces install it; None: that is
    not known yet) and ``socket`` are Slack's.
    """

    def __call__(
        self,
        channel: Literal["slack", "lark"],
        id: str,
        region: Literal["feishu", "lark"],
        webhook_url: str,
        *,
        several: bool | None,
        socket: bool,
    ) -> Manifest: ...
