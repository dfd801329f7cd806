"""Files of an answer on Slack (docs: files.getUploadURLExternal, files.completeUploadExternal).

An uploaded file is seen by nobody until it is completed into a thread. Completing has no id of ours: one of unknown
fate is looked up by the file before it is repeated.
"""

from __future__ import annotations

from pydantic import BaseModel

from channels.downloads import Downloads
from channels.slack.limits import Limits
from channels.slack.web_api import Call, Done, WebApi
from conversation.messages import Address
from conversation.outbound import DeliveryRefusedError
from conversation.providers.port import File
from conversation.source import FileError


class _UploadUrl(BaseModel):
    upload_url: str
    file_id: str


class _Shared(BaseModel):
    channels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    ims: tuple[str, ...] = ()


class _Info(BaseModel):
    file: _Shared


class SlackEnclosures:
    def __init__(self, api: WebApi, limits: Limits, downloads: Downloads) -> None:
        self._api = api
        self._limits = limits
        self._downloads = downloads

    async def upload(self, to: Address, file: File) -> str:  # noqa: ARG002 - the port's signature
        await self._limits.files_info.take(urgent=False)
        wanted = {"filename": file.name, "length": str(len(file.data))}
        place = await self._api.submit(
            Call("files.getUploadURLExternal", self._limits.files_info), wanted, _UploadUrl
        )
        try:
            await self._downloads.put(place.upload_url, file.data)
        except FileError as error:
            raise DeliveryRefusedError(f"upload: {error}") from None
        return place.file_id

    async def share(self, to: Address, ref: str, id: str, *, again: bool) -> None:  # noqa: ARG002 - has no such id
        if again:
            await self._limits.files_info.take(urgent=True)
            told = await self._api.read(Call("files.info", self._limits.files_info), {"file": ref}, _Info)
            if to.chat in {*told.file.channels, *told.file.groups, *told.file.ims}:
                return
        arguments: dict[str, object] = {"files": [{"id": ref}], "channel_id": to.chat}
        if to.thread:
            arguments["thread_ts"] = to.thread
        await self._limits.files_info.take(urgent=True)
        call = Call("files.completeUploadExternal", self._limits.files_info, sending=True)
        await self._api.write(call, arguments, Done)
