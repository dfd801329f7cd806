"""Files in Lark's messages, fetched with the message's id (docs: "获取消息中的资源文件").

Stickers, and files of what a merged-forward message holds, cannot be fetched (234043).
"""

from __future__ import annotations

import aiohttp

from channels.lark.api import LarkApi
from channels.lark.content import FILE, IMAGE
from channels.lark.errors import GONE, LarkRefusedError
from conversation.outbound import DeliveryError
from conversation.source import FileError
from conversation.texts.troubles import Trouble

MOST_BYTES = 100 << 20
"""Of a file that the platform gives out."""


async def fetch_resource(api: LarkApi, message: str, ref: str, most: int) -> bytes:
    """What an attachment of this message refers to. Raises FileError."""
    kind, _, key = ref.partition(":")
    if f"{kind}:" not in {IMAGE, FILE}:
        raise FileError(Trouble.UNSUPPORTED)
    try:
        return await api.download(message, key, kind, min(most, MOST_BYTES))
    except LarkRefusedError as refused:
        raise FileError(Trouble.GONE if refused.code in GONE else Trouble.FORBIDDEN, str(refused)) from None
    except (DeliveryError, aiohttp.ClientError, TimeoutError) as error:
        raise FileError(Trouble.UNREACHABLE, type(error).__name__) from None
