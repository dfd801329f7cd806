"""The workspaces in which a bot was installed by OAuth, as an admin sees and ends them."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from channels.installing import InstallationView as Found
from channels.installing import Installer
from gateway.admin.access import Permission, Principal
from gateway.admin.audit import Audit
from gateway.admin.errors import ConflictError, UnknownError
from gateway.hosting import Hosting


class InstallationView(BaseModel):
    """``place`` is the id of a workspace or, if ``organisation``, of an organisation in all of whose workspaces the
    bot is. ``expires_at`` is when its token ends, which is renewed hours before; None: it does not. ``problem`` tells
    what to do.
    """

    model_config = ConfigDict(frozen=True)

    place: str
    name: str
    organisation: bool
    scopes: tuple[str, ...]
    installed_at: datetime
    installed_by: str
    expires_at: datetime | None
    problem: str | None

    @classmethod
    def of(cls, found: Found) -> InstallationView:
        return cls(
            place=found.place,
            name=found.name,
            organisation=found.organisation,
            scopes=found.scopes,
            installed_at=datetime.fromtimestamp(found.installed_at, UTC),
            installed_by=found.installed_by,
            expires_at=None if found.expires_at is None else datetime.fromtimestamp(found.expires_at, UTC),
            problem=found.problem,
        )


class BotInstallations:
    def __init__(self, hosting: Hosting, audit: Audit) -> None:
        self._hosting = hosting
        self._audit = audit

    async def list(self, who: Principal, bot: str) -> tuple[InstallationView, ...]:
        """By place. Raises UnknownError and ConflictError."""
        installer = self._installer(who, bot, Permission.READ)
        return tuple(InstallationView.of(one) for one in await installer.installations())

    async def forget(self, who: Principal, bot: str, place: str) -> None:
        """Use it no more. In the workspace the app stays until somebody there removes it. Raises UnknownError and
        ConflictError.
        """
        installer = self._installer(who, bot, Permission.CONFIGURE)
        if not await installer.forget(place):
            raise UnknownError(f"{bot} is not installed in {place!r}")
        await self._audit.record(who, "installation.removed", f"bot/{bot}", place)

    def _installer(self, who: Principal, bot: str, permission: Permission) -> Installer:
        hosted = next((one for (_, id), one in self._hosting.routes.items() if id == bot), None)
        if not who.sees(bot) or hosted is None:
            raise UnknownError(f"there is no bot {bot!r}")
        who.check(permission, bot)
        if hosted.channel.installer is None:
            raise ConflictError(
                f"{bot} is not installed by OAuth: give it client_id and client_secret instead of a bot_token"
            )
        return hosted.channel.installer
