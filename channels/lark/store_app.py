"""A store (ISV) app: in many tenants, each with a token of its own (docs: "app_ticket 事件", "商店应用获取
tenant_access_token").

The platform sends an ``app_ticket`` every hour; with it the app gets a token for itself, and with that one for each
tenant. Invariants: a ticket is stored, sealed, before the platform hears that it was received, and whichever replica
received it, all have it; each token is asked for once, however many wait; a missing or refused ticket is asked for at
most once a minute.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

import aiohttp
import orjson
import structlog
from pydantic import BaseModel, ValidationError

from channels.by_tenant import ByTenant, EnclosuresByTenant, SourceByTenant
from channels.lark.answers import Answer, TenantAnswer
from channels.lark.api import LarkApi
from channels.lark.enclosures import LarkEnclosures
from channels.lark.errors import LarkRefusedError
from channels.lark.methods import Method
from channels.lark.outbound import LarkOutbound
from channels.lark.source import LarkSource
from channels.lark.token import TenantToken
from channels.lark.verify import LarkCredentials
from channels.port import Finding
from channels.received import Upkeep
from channels.sealing import APP_TICKETS, NO_KEY, SealBrokenError, Sealer, place
from channels.watch import PlatformWatch
from conversation.outbound import DeliveryDelayedError, DeliveryError
from conversation.stores.permits import Permits
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import RecordConflictError, Records

APP_TICKET = "app_ticket"

MOST_AT_HAND = 1_000
"""Tenants whose token, outbound and limits are kept."""

RESEND_EVERY = 60.0
"""Seconds between two requests for a ticket."""

TICKET_COMES_WITHIN = 5.0
"""Seconds after which a call that found no ticket may be repeated."""

APP_TOKEN_INVALID = 99991664
WRONG_SECRET = 10014

_log = structlog.get_logger()


class _Ticket(BaseModel):
    type: str
    app_id: str
    app_ticket: str


class _Event(BaseModel):
    """Of version 1."""

    event: _Ticket


class _AppToken(Answer):
    app_access_token: str
    expire: float


@dataclass(frozen=True, slots=True)
class Tenant:
    """What speaks to one tenant."""

    api: LarkApi
    outbound: LarkOutbound
    source: LarkSource
    enclosures: LarkEnclosures


class StoreApp:
    def __init__(
        self,
        bot: str,
        credentials: LarkCredentials,
        records: Records,
        sealer: Sealer | None,
        *,
        http: aiohttp.ClientSession,
        base_url: str,
        stream: bool,
        permits: Permits | None,
        watch: PlatformWatch,
    ) -> None:
        self._bot = bot
        self._credentials = credentials
        self._records = records
        self._sealer = sealer
        self._http = http
        self._base_url = base_url
        self._stream = stream
        self._permits = permits
        self._watch = watch
        self._own = LarkApi(http, base_url, credentials, permits, watch)
        self._token = TenantToken(self._fetch)
        self._at_hand: OrderedDict[str, Tenant] = OrderedDict()
        self._own_ids: OrderedDict[str, str] = OrderedDict()
        self._learning: dict[str, asyncio.Task[None]] = {}
        self._asked_at = -RESEND_EVERY
        self.outbound = ByTenant(lambda tenant: self.of(tenant).outbound, self._make("").outbound)
        self.enclosures = EnclosuresByTenant(lambda tenant: self.of(tenant).enclosures)
        self.source = SourceByTenant(lambda tenant: self.of(tenant).source)

    def of(self, tenant: str) -> Tenant:
        found = self._at_hand.pop(tenant, None) or self._make(tenant)
        self._at_hand[tenant] = found
        if len(self._at_hand) > MOST_AT_HAND:
            self._at_hand.popitem(last=False)
        return found

    def own_id(self, tenant: str) -> str | None:
        """The bot's id in this tenant; None until it is learned, which begins now."""
        known = self._own_ids.get(tenant)
        if known is None and tenant not in self._learning and len(self._learning) < MOST_AT_HAND:
            task = asyncio.create_task(self._learn(tenant), name=f"lark-identity-{self._bot}")
            self._learning[tenant] = task
            task.add_done_callback(lambda _: self._learning.pop(tenant, None))
        return known

    def received(self, payload: bytes) -> Upkeep | None:
        """What to do with an authentic event, if it brings a ticket."""
        try:
            ticket = _Event.model_validate_json(payload).event
        except ValidationError:
            return None
        if ticket.type != APP_TICKET or ticket.app_id != self._credentials.app_id:
            return None
        return Upkeep(lambda: self._keep(ticket.app_ticket), APP_TICKET)

    @property
    def held_back(self) -> float:
        """Of the tenant that has to wait longest."""
        return max((one.api.held_back for one in self._at_hand.values()), default=0.0)

    async def check(self) -> Finding:
        subject = "store app"
        try:
            await self._token.get()
        except DeliveryError as error:
            return Finding(subject, ok=False, detail=str(error))
        return Finding(subject, ok=True, detail=f"{self._credentials.app_id} is accepted")

    async def close(self) -> None:
        for task in list(self._learning.values()):
            task.cancel()
        await asyncio.gather(*self._learning.values(), return_exceptions=True)
        for one in self._at_hand.values():
            await one.source.close()
            await one.api.close()
        await self._token.close()

    async def tenant_token(self, tenant: str) -> tuple[str, float]:
        """Token and seconds to live. Raises DeliveryDelayedError and DeliveryRefusedError."""
        app_token = await self._token.get()
        try:
            return await self._ask_tenant_token(app_token, tenant)
        except LarkRefusedError as refused:
            if refused.code != APP_TOKEN_INVALID:
                raise
            self._token.drop(app_token)
        return await self._ask_tenant_token(await self._token.get(), tenant)

    async def _ask_tenant_token(self, app_token: str, tenant: str) -> tuple[str, float]:
        answer = await self._own.ask_without_token(
            Method.STORE_TOKEN, {"app_access_token": app_token, "tenant_key": tenant}, TenantAnswer
        )
        return answer.tenant_access_token, answer.expire

    async def _fetch(self) -> tuple[str, float]:
        """The app's own token."""
        ticket = await self._ticket()
        if ticket is None:
            await self._ask_for_ticket()
            raise DeliveryDelayedError("the platform has sent no app_ticket yet", TICKET_COMES_WITHIN)
        body: dict[str, object] = {
            "app_id": self._credentials.app_id,
            "app_secret": self._credentials.app_secret,
            "app_ticket": ticket,
        }
        try:
            answer = await self._own.ask_without_token(Method.APP_TOKEN, body, _AppToken)
        except LarkRefusedError as refused:
            if refused.code == WRONG_SECRET:
                raise
            await self._ask_for_ticket()
            raise DeliveryDelayedError(
                f"the app_ticket is refused ({refused})", TICKET_COMES_WITHIN
            ) from None
        return answer.app_access_token, answer.expire

    async def _ask_for_ticket(self) -> None:
        """It comes as an event, to whichever replica."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_at < RESEND_EVERY:
            return
        self._asked_at = now
        body: dict[str, object] = {
            "app_id": self._credentials.app_id,
            "app_secret": self._credentials.app_secret,
        }
        await self._own.ask_without_token(Method.RESEND_TICKET, body, Answer)

    async def _ticket(self) -> str | None:
        """Raises DeliveryDelayedError."""
        if self._sealer is None:
            raise DeliveryDelayedError(NO_KEY, RESEND_EVERY)
        id = self._credentials.app_id
        try:
            record = await self._records.get(APP_TICKETS, id)
        except StoreUnavailableError as error:
            raise DeliveryDelayedError(str(error), TICKET_COMES_WITHIN) from None
        if record is None:
            return None
        try:
            return self._sealer.open(
                orjson.loads(record.document)["ticket"], place(APP_TICKETS, id, "ticket")
            )
        except (SealBrokenError, ValueError, KeyError, TypeError) as broken:
            cause = str(broken) if isinstance(broken, SealBrokenError) else "its record is damaged"
            _log.warning("app ticket not readable", bot=self._bot, cause=cause)
            return None  # the next one replaces it

    async def _keep(self, ticket: str) -> None:
        """Raises StoreUnavailableError."""
        if self._sealer is None:
            raise StoreUnavailableError(NO_KEY)
        id = self._credentials.app_id
        sealed = self._sealer.seal(ticket, place(APP_TICKETS, id, "ticket"))
        while True:
            record = await self._records.get(APP_TICKETS, id)
            try:
                await self._records.put(
                    APP_TICKETS,
                    id,
                    orjson.dumps({"ticket": sealed}),
                    expected=0 if record is None else record.version,
                )
            except RecordConflictError:
                continue  # another replica received it too
            return

    async def _learn(self, tenant: str) -> None:
        try:
            known = (await self.of(tenant).api.bot()).open_id
        except DeliveryError:
            return  # the next message asks again
        self._own_ids[tenant] = known
        if len(self._own_ids) > MOST_AT_HAND:
            self._own_ids.popitem(last=False)

    def _make(self, tenant: str) -> Tenant:
        async def fetch() -> tuple[str, float]:
            return await self.tenant_token(tenant)

        api = LarkApi(
            self._http,
            self._base_url,
            self._credentials,
            self._permits,
            self._watch,
            tenant=tenant,
            fetch=fetch,
        )
        outbound = LarkOutbound(api, stream=self._stream)
        source = LarkSource(api, self._credentials.app_id, outbound.known)
        return Tenant(api, outbound, source, LarkEnclosures(api))
