"""What a tracing does to the parts that the wiring puts together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from conversation.directory import Directory, RunTurn
from conversation.observer import Observer
from conversation.outbound import Outbound
from conversation.providers.port import Provider
from gateway.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model before it is asked. ``base_url`` is empty where there is no server."""

    provider: str
    name: str
    base_url: str = ""

    @property
    def server(self) -> tuple[str, int | None]:
        parts = urlsplit(self.base_url)
        return parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)


class Tracing(Protocol):
    """Each method takes what the core would use, and gives what is to be used in its place."""

    @property
    def directory(self) -> type[Directory]: ...

    @property
    def webhooks(self) -> type[Webhooks]: ...

    @property
    def observers(self) -> tuple[Observer, ...]:
        """To be told of turns, besides those who are told anyway."""
        ...

    def turns(self, run_turn: RunTurn) -> RunTurn: ...

    def provider(self, provider: Provider, model: Model) -> Provider: ...

    def outbound(self, outbound: Outbound) -> Outbound: ...


class Untraced:
    """Everything stays what it is."""

    directory: type[Directory] = Directory
    webhooks: type[Webhooks] = Webhooks
    observers: tuple[Observer, ...] = ()

    def turns(self, run_turn: RunTurn) -> RunTurn:
        return run_turn

    def provider(self, provider: Provider, model: Model) -> Provider:  # noqa: ARG002 - the port's signature
        return provider

    def outbound(self, outbound: Outbound) -> Outbound:
        return outbound
