"""Spans of what the gateway does for a message: webhook, admit, turn. Models and deliveries are apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from aiohttp import web
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span, use_span
from opentelemetry.util.types import AttributeValue
from typing_extensions import override

from channels.received import WebhookRequest
from conversation.busy import Limits, WhenBusy
from conversation.directory import Directory, RunTurn
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.observer import Observer, Unobserved
from conversation.outbound import Outbound
from conversation.providers.port import Provider
from conversation.stop import Stop
from conversation.stores.port import Admission
from conversation.turn import Claim, Final, Reason
from gateway.hosting import HostedBot
from gateway.tracing import ids, names
from gateway.tracing.deliveries import TracedOutbound
from gateway.tracing.models import TracedProvider
from gateway.tracing.port import Model
from gateway.verdict import What
from gateway.webhooks import Webhooks

_SERVER_ERROR = 500


class Spans:
    """``gateway.tracing.port.Tracing``. ``tracer`` is of a provider that makes its ids by ``ids.Ids``."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self.directory = _directory(tracer)
        self.webhooks = _webhooks(tracer)
        self.observers: tuple[Observer, ...] = (_Outcomes(),)

    def turns(self, run_turn: RunTurn) -> RunTurn:
        async def traced(claim: Claim, stop: Stop) -> Claim | None:
            with _turn(self._tracer, claim):
                return await run_turn(claim, stop)

        return traced

    def provider(self, provider: Provider, model: Model) -> Provider:
        return TracedProvider(provider, model, self._tracer)

    def outbound(self, outbound: Outbound) -> Outbound:
        return TracedOutbound(outbound, self._tracer)


def _webhooks(tracer: Tracer) -> type[Webhooks]:
    class TracedWebhooks(Webhooks):
        """A trace begins here, whatever headers the request has: who sends them decides neither what is traced nor
        which trace it belongs to.
        """

        @override
        async def take(self, channel: str, hosted: HostedBot, request: WebhookRequest) -> web.Response:
            attributes: dict[str, AttributeValue] = {
                names.CHANNEL: channel,
                names.BOT: hosted.bot.id,
            }
            with _span(tracer, f"webhook {channel}", SpanKind.SERVER, attributes, Context()) as span:
                response = await super().take(channel, hosted, request)
                span.set_attribute(names.STATUS, response.status)
                if response.status >= _SERVER_ERROR:
                    span.set_attribute(names.ERROR, str(response.status))
                    span.set_status(StatusCode.ERROR)
                return response

    return TracedWebhooks


def _directory(tracer: Tracer) -> type[Directory]:
    class TracedDirectory(Directory):
        @override
        async def admit(
            self,
            message: InboundMessage,
            *,
            limits: Limits,
            when_busy: WhenBusy = "queue",
            refusal: Reason | None = None,
        ) -> Admission:
            attributes = {**_of(message.key), names.TURN: message.turn_id}
            with _span(tracer, "admit", SpanKind.PRODUCER, attributes) as span:
                traced = replace(message, traceparent=ids.traceparent())
                admission = await super().admit(traced, limits=limits, when_busy=when_busy, refusal=refusal)
                span.set_attribute(names.ADMISSION, admission.status)
                if refusal is not None:
                    span.set_attribute(names.REASON, refusal.value)
                return admission

        @override
        async def edit(self, message: InboundMessage) -> bool:
            """The turn goes on in the trace of what it will answer."""
            return await super().edit(replace(message, traceparent=ids.traceparent()))

    return TracedDirectory


class _Outcomes(Unobserved):
    """Is told within the span of what it is told of: ``gateway.observers.Watcher``."""

    def answered(self, channel: str, bot: str, what: What, reason: str, seconds: float) -> None:  # noqa: ARG002
        span = get_current_span()
        span.set_attribute(names.ADMISSION, what)
        if reason:
            span.set_attribute(names.REASON, reason)

    @override
    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:
        span, outcome = get_current_span(), final.outcome
        span.set_attribute(names.OUTCOME, outcome.kind)
        if outcome.reason is not None:
            span.set_attribute(names.REASON, outcome.reason.value)
        if outcome.kind in {"failed", "dead"}:
            span.set_attribute(names.ERROR, str(outcome.reason or outcome.kind))
            span.set_status(Status(StatusCode.ERROR))
        span.set_attribute(names.WAITED, max(0.0, waited))

    @override
    def turn_put_back(self, claim: Claim) -> None:
        span = get_current_span()
        span.set_attribute(names.OUTCOME, "put_back")
        span.set_attribute(names.ERROR, "put_back")
        span.set_status(Status(StatusCode.ERROR))


@contextmanager
def _turn(tracer: Tracer, claim: Claim) -> Iterator[None]:
    """Goes on where the first message was admitted, by whichever process, and links to the attempt before."""
    turn = claim.turn
    attributes = {
        **_of(claim.key),
        names.TURN: turn.id,
        names.ATTEMPT: turn.attempt,
        names.CRASHES: turn.crashes,
        names.MERGED: len(turn.messages),
        names.OUTCOME: "unfinished",  # until it is known: of one that is lost, or released by a drain, it stays so
    }
    with ids.foretelling(turn):
        span = tracer.start_span(
            "turn",
            context=ids.admitted_in(turn),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=ids.links(turn),
        )
    with _current(span):
        yield


def _of(key: ConversationKey) -> dict[str, AttributeValue]:
    return {names.CHANNEL: key.channel, names.BOT: key.bot, names.CONVERSATION: str(key)}


@contextmanager
def _span(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: dict[str, AttributeValue],
    context: Context | None = None,
) -> Iterator[Span]:
    with _current(tracer.start_span(name, context=context, kind=kind, attributes=attributes)) as span:
        yield span


@contextmanager
def _current(span: Span) -> Iterator[Span]:
    """Until the context ends. Of an exception only its type is told: its text may quote what somebody wrote."""
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        except Exception as error:
            span.set_attribute(names.ERROR, type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
