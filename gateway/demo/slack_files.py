"""Files and names of a Slack workspace: ``files.info``, ``users.info``, ``conversations.info``, and the file server.

A file's address answers with a page for signing in where the bot's token, or its scope ``files:read``, is missing
(docs: "Working with files"). Of a file from Slack Connect an event keeps the address back; ``files.info`` tells it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from gateway.demo.slack_blocks import Json
from gateway.demo.slack_errors import SlackError
from gateway.demo.slack_rules import Arguments

SIGN_IN = "<!DOCTYPE html><html><head><title>Sign in to Demo | Slack</title></head></html>"


class FileInfo(Arguments):
    file: str


class UserInfo(Arguments):
    user: str


class ChannelInfo(Arguments):
    channel: str


@dataclass(slots=True)
class StoredFile:
    """``shared``: it came through Slack Connect, so that its event keeps its address back."""

    id: str
    name: str
    mimetype: str
    data: bytes
    shared: bool = False
    deleted: bool = False

    def described(self, url: str, *, in_event: bool) -> Json:
        """As an event, or ``files.info``, describes it."""
        if in_event and self.shared:
            return {"id": self.id, "mode": "file_access", "file_access": "check_file_info", "created": 0}
        return {
            "id": self.id,
            "name": self.name,
            "title": self.name,
            "mimetype": self.mimetype,
            "filetype": self.name.rpartition(".")[2],
            "size": len(self.data),
            "mode": "hosted",
            "is_external": False,
            "file_access": "visible",
            "url_private": f"{url}/files-pri/{self.id}/{self.name}",
            "url_private_download": f"{url}/files-pri/{self.id}/download/{self.name}",
        }


@dataclass(slots=True)
class Archive:
    """What a workspace knows besides messages. ``people`` and ``channels`` are names by id."""

    files: dict[str, StoredFile] = field(default_factory=dict)
    of_messages: dict[tuple[str, str], list[StoredFile]] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    served: int = 0

    def add(
        self, name: str, data: bytes, mimetype: str = "text/plain", *, shared: bool = False
    ) -> StoredFile:
        file = StoredFile(f"F{len(self.files):03d}", name, mimetype, data, shared)
        self.files[file.id] = file
        return file

    def file_info(self, call: FileInfo, url: str, scopes: set[str]) -> Json:
        _need("files:read", scopes)
        file = self.files.get(call.file)
        if file is None or file.deleted:
            raise SlackError("file_deleted" if file else "file_not_found", fault=False)
        return {"file": file.described(url, in_event=False)}

    def user_info(self, call: UserInfo, scopes: set[str]) -> Json:
        _need("users:read", scopes)
        if call.user not in self.people:
            raise SlackError("user_not_found", fault=False)
        name = self.people[call.user]
        profile = {"display_name": name, "real_name": f"{name} Real"}
        return {
            "user": {"id": call.user, "name": name.lower(), "real_name": f"{name} Real", "profile": profile}
        }

    def channel_info(self, call: ChannelInfo, scopes: set[str]) -> Json:
        _need("channels:read", scopes)
        if call.channel not in self.channels:
            raise SlackError("channel_not_found", fault=False)
        return {"channel": {"id": call.channel, "name": self.channels[call.channel]}}

    def serve(self, id: str, *, authorised: bool) -> web.Response:
        file = self.files.get(id)
        if not authorised:
            return web.Response(text=SIGN_IN, content_type="text/html")
        if file is None or file.deleted:
            return web.Response(status=404, text="404 page not found")
        self.served += 1
        return web.Response(body=file.data, content_type=file.mimetype)


def _need(scope: str, scopes: set[str]) -> None:
    if scope not in scopes:
        raise SlackError("missing_scope", fault=False)
