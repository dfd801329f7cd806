"""Files of an answer on Lark (docs: "上传图片", "上传文件").

Each is uploaded first, then sent as a message with a uuid of its own, of which the platform lets one succeed an hour.
"""

from __future__ import annotations

from channels.lark.api import LarkApi
from channels.lark.errors import LarkRefusedError
from conversation.messages import Address
from conversation.outbound import DeliveryRefusedError
from conversation.providers.port import File

IMAGE_BYTES, FILE_BYTES = 10 << 20, 30 << 20

_PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif")


class LarkEnclosures:
    def __init__(self, api: LarkApi) -> None:
        self._api = api

    async def upload(self, to: Address, file: File) -> str:  # noqa: ARG002 - the port's signature
        kind = "image" if file.media_type in _PICTURES and len(file.data) <= IMAGE_BYTES else "file"
        if not 0 < len(file.data) <= FILE_BYTES:
            raise DeliveryRefusedError("upload: empty, or over 30 MB")
        return f"{kind}:{await self._api.upload(kind, file.name, file.data)}"

    async def share(self, to: Address, ref: str, id: str, *, again: bool) -> None:
        kind, _, key = ref.partition(":")
        try:
            await self._api.send(to, kind, {f"{kind}_key": key}, id)
        except LarkRefusedError as error:
            if not (again and error.may_be_duplicate):
                raise
