"""Names of people and channels on Slack (docs: users.info, conversations.info), and texts with them.

The scopes users:read and channels:read may be missing: then a person is "@someone", a channel "#channel".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import BaseModel

from channels.people import Names, NotAllowedError
from channels.slack.errors import SlackRefusedError
from channels.slack.limits import Limits
from channels.slack.web_api import Call, WebApi

_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|([^<>]*))?>")
_CHANNEL = re.compile(r"<#([A-Z0-9]+)\|?>")
_NOT_ALLOWED = frozenset(
    {
        "missing_scope",
        "not_allowed_token_type",
        "no_permission",
        "invalid_auth",
        "not_authed",
        "token_revoked",
    }
)


class _Profile(BaseModel):
    display_name: str = ""
    real_name: str = ""


class _User(BaseModel):
    name: str = ""
    real_name: str | None = None
    profile: _Profile = _Profile()


class _UserInfo(BaseModel):
    user: _User


class _Channel(BaseModel):
    name: str = ""


class _ChannelInfo(BaseModel):
    channel: _Channel


class SlackPeople:
    """Of one workspace, and of those who write to it from others."""

    def __init__(self, api: WebApi, limits: Limits) -> None:
        self._api = api
        self._users_info = Call("users.info", limits.users_info)
        self._channels_info = Call("conversations.info", limits.channels_info)
        self.names = Names(limits.users_info, self._ask_user)
        self.channels = Names(limits.channels_info, self._ask_channel)

    async def readable(self, text: str, meet: Callable[[str, str], None]) -> str:
        """With names in place of ids. ``meet`` is told who is named."""
        if "<" not in text:
            return text
        people = await self.names.of([found[1] for found in _PERSON.finditer(text) if not found[2]])
        for id, name in people.items():
            meet(id, name)
        channels = await self.channels.of([found[1] for found in _CHANNEL.finditer(text)])
        text = _PERSON.sub(lambda found: f"@{found[2] or people.get(found[1]) or 'someone'}", text)
        return _CHANNEL.sub(lambda found: f"#{channels.get(found[1]) or 'channel'}", text)

    async def close(self) -> None:
        await self.names.close()
        await self.channels.close()

    async def _ask_user(self, id: str) -> str:
        try:
            user = (await self._api.read(self._users_info, {"user": id}, _UserInfo)).user
        except SlackRefusedError as refused:
            raise (NotAllowedError() if refused.code in _NOT_ALLOWED else refused) from None
        return user.profile.display_name or user.real_name or user.profile.real_name or user.name

    async def _ask_channel(self, id: str) -> str:
        try:
            return (await self._api.read(self._channels_info, {"channel": id}, _ChannelInfo)).channel.name
        except SlackRefusedError as refused:
            raise (NotAllowedError() if refused.code in _NOT_ALLOWED else refused) from None
