"""Files in Slack's messages (docs: reference/objects/file-object, messaging/working-with-files).

A file's address is in its event, but where Slack Connect keeps it back: then ``files.info`` tells it. It is fetched
with the bot's token, from Slack's own hosts alone; who lacks ``files:read`` is shown a page for signing in instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from channels.budget import Limit
from channels.downloads import Downloads, Hosts
from channels.slack.errors import SlackRefusedError
from channels.slack.web_api import Call, WebApi
from conversation.messages import Attachment
from conversation.outbound import DeliveryError
from conversation.source import Fetched, FileError
from conversation.texts.troubles import Trouble

HOSTS = Hosts(own=("slack.com", "slack-gov.com"), others=("slack-edge.com", "slack-files.com"))

MOST_ATTACHED = 50
"""Files of one message that are remembered. Slack's clients attach at most 10."""

_GONE = frozenset({"file_not_found", "file_deleted"})
_GONE_MODES = frozenset({"tombstone", "hidden_by_limit"})
_HTML = "text/html"


class File(BaseModel):
    """As in an event, and in the answer of ``files.info``. ``subtype`` tells a recording that was made in Slack."""

    id: str = ""
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    size: int | None = None
    mode: str | None = None
    subtype: str | None = None
    is_external: bool = False
    file_access: str | None = None
    url_private: str | None = None

    @property
    def kept_back(self) -> bool:
        """Whether only ``files.info`` tells what this is."""
        return self.file_access == "check_file_info" or not self.url_private


class _Info(BaseModel):
    file: File


class _Ref(BaseModel):
    """What an attachment's ``ref`` holds. Without ``url`` Slack is asked; ``lost``: there is nothing to fetch."""

    id: str = ""
    url: str = ""
    lost: Trouble | None = None


def attachments(files: Sequence[File]) -> tuple[Attachment, ...]:
    return tuple(_attachment(file) for file in files[:MOST_ATTACHED])


def _attachment(file: File) -> Attachment:
    lost = None
    if file.mode in _GONE_MODES:
        lost = Trouble.GONE
    elif file.is_external or file.mode == "external":  # somebody else's server: nothing of ours goes there
        lost = Trouble.UNSUPPORTED
    url = "" if lost or file.kept_back else file.url_private or ""
    media_type = file.mimetype or ""
    is_image = media_type.startswith("image/") and "svg" not in media_type
    return Attachment(
        "image" if is_image else "file",
        file.name or file.title or file.id or "file",
        media_type,
        max(0, file.size or 0),
        _Ref(id=file.id, url=url, lost=lost).model_dump_json(exclude_defaults=True),
    )


class SlackFiles:
    def __init__(self, api: WebApi, info_limit: Limit, downloads: Downloads) -> None:
        """``downloads`` stay their owner's to close."""
        self._api = api
        self._info = Call("files.info", info_limit)
        self._downloads = downloads

    async def fetch(self, file: Attachment, most: int) -> Fetched:
        """Raises FileError."""
        ref = _Ref.model_validate_json(file.ref)
        if ref.lost is not None:
            raise FileError(ref.lost)
        url, media_type, name = ref.url, file.media_type, ""
        if not url:
            told = await self._ask(ref.id)
            if told.size is not None and told.size > most:
                raise FileError(Trouble.TOO_LARGE)
            url, media_type, name = told.url_private or "", told.mimetype or "", told.name or ""
        try:
            token = await self._api.token()
        except DeliveryError as error:
            raise FileError(Trouble.UNREACHABLE, str(error)) from None
        found = await self._downloads.get(url, token, most)
        if found.media_type == _HTML and media_type != _HTML:
            raise FileError(Trouble.FORBIDDEN, "a page for signing in; the scope files:read is missing")
        return Fetched(found.data, name)

    async def _ask(self, id: str) -> File:
        if not id:
            raise FileError(Trouble.GONE)
        if self._info.limit is not None:
            await self._info.limit.take(urgent=False)
        try:
            told = (await self._api.read(self._info, {"file": id}, _Info)).file
        except SlackRefusedError as refused:
            raise FileError(
                Trouble.GONE if refused.code in _GONE else Trouble.FORBIDDEN, refused.code
            ) from None
        except DeliveryError as error:
            raise FileError(Trouble.UNREACHABLE, str(error)) from None
        if told.mode in _GONE_MODES or not told.url_private:
            raise FileError(Trouble.GONE)
        if told.is_external or told.mode == "external":
            raise FileError(Trouble.UNSUPPORTED)
        return told
