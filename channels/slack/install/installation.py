"""An installation of the app: in a workspace, or in all workspaces of an organisation (Enterprise Grid)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Installation(BaseModel):
    """Named by ``enterprise_id``, ``team_id`` and ``is_enterprise_install``; an organisation's has no ``team_id``.
    ``client_id`` names the app: what a bot of the same id had before, as another app, is none of this one's.

    Times are in seconds since 1970. ``expires_at`` is 0 of a token that does not rotate; then there is no
    ``refresh_token`` either. ``renewing_until``: a process is exchanging the refresh token. ``lost``: why the token
    cannot be renewed any more, in Slack's word; it is good until it expires, and the app has to be installed again.
    """

    model_config = ConfigDict(frozen=True)

    bot: str
    client_id: str = ""
    enterprise_id: str = ""
    team_id: str = ""
    is_enterprise_install: bool = False
    name: str = ""
    app_id: str = ""
    bot_user_id: str = ""
    scopes: tuple[str, ...] = ()
    bot_token: str = Field(repr=False)
    refresh_token: str = Field(default="", repr=False)
    expires_at: float = 0.0
    installed_at: float
    installed_by: str = ""
    renewing_until: float = 0.0
    lost: str = ""

    @property
    def place(self) -> str:
        """The id of the workspace or organisation; no two of either have the same."""
        return self.enterprise_id if self.is_enterprise_install else self.team_id

    def holds(self, now: float) -> bool:
        """Whether the token is still good."""
        return not self.expires_at or now < self.expires_at
