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


class UploadUrl(Arguments):
    filename: str
    length: int


class _Completed(Arguments):
    id: str
    title: str | None = None


class CompleteUpload(Arguments):
    files: list[_Completed]
    channel_id: str
    thread_ts: str | None = None


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
    length: int | None = None
    """Of one that the bot uploads: what it announced."""
    shown_in: list[str] = field(default_factory=list)

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
            "channels": [chat for chat in self.shown_in if chat.startswith("C")],
            "ims": [chat for chat in self.shown_in if chat.startswith("D")],
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

    def upload_url(self, call: UploadUrl, url: str, scopes: set[str]) -> Json:
        _need("files:write", scopes)
        file = self.add(call.filename, b"", "application/octet-stream")
        file.length = call.length
        return {"file_id": file.id, "upload_url": f"{url}/upload/{file.id}"}

    def upload(self, id: str, data: bytes) -> web.Response:
        file = self.files.get(id)
        if file is None or file.length != len(data):
            return web.Response(status=400, text="length does not match")
        file.data = data
        return web.Response(text=f"OK - {len(data)}")

    def completed(self, call: CompleteUpload, scopes: set[str]) -> list[StoredFile]:
        _need("files:write", scopes)
        found = [self.files[one.id] for one in call.files if one.id in self.files]
        if len(found) != len(call.files) or any(not file.data or file.shown_in for file in found):
            raise SlackError("invalid_arguments")  # not uploaded, or completed before
        for file in found:
            file.shown_in.append(call.channel_id)
        return found

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
