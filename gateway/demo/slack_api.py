"""Slack's Web API methods, over the channels and messages of one workspace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from gateway.demo.slack_blocks import Json, buttons_of
from gateway.demo.slack_errors import SlackError
from gateway.demo.slack_events import Workspace
from gateway.demo.slack_files import Archive, ChannelInfo, CompleteUpload, FileInfo, UploadUrl, UserInfo
from gateway.demo.slack_rules import (
    POST_TEXT_CHARS,
    UPDATE_TEXT_CHARS,
    Arguments,
    Ephemeral,
    Message,
    NoArguments,
    Page,
    PostMessage,
    Reaction,
    SessionStatus,
    StartStream,
    Stream,
    SuggestedPrompts,
    TeamsPage,
    ThreadStatus,
    Update,
    WriteStream,
    drawn,
    parsed,
)
from gateway.demo.standin import Shown, StandIn


@dataclass(slots=True)
class Room:
    """A channel or direct message; ``messages`` by ts, in order of ts."""

    kind: Literal["channel", "im"]
    messages: dict[str, Shown] = field(default_factory=dict)
    last_ts: int = 0
    team: str = ""
    """The workspace in which it is; empty: the only one."""


SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "im:history",
    "mpim:history",
    "users:read",
    "reactions:write",
)


class SlackApi(StandIn):
    """Everything that a bot can call."""

    def __init__(self, workspace: Workspace, *, port: int, latency: float) -> None:
        super().__init__(clock=workspace.clock, port=port, latency=latency)
        self._workspace = workspace
        self._rooms: dict[str, Room] = {}
        self._streams: dict[tuple[str, str], Stream] = {}
        self.statuses: dict[tuple[str, str], list[str]] = defaultdict(list)
        """What was set, by channel and thread."""
        self.scopes = set(SCOPES)
        """Of the bot token, which every answer tells in ``x-oauth-scopes``."""
        self.archive = Archive()
        self.is_agent = True
        """Whether the app is declared as an agent."""
        self.whispers: list[tuple[str, str, str]] = []
        """What one person alone was told: channel, person, text."""
        self.prompts: dict[str, list[tuple[str, str]]] = {}
        """Suggested questions (title, message), by channel."""
        self.sessions: dict[tuple[str, str], str] = {}
        """The status of each agent session now, by channel and thread."""

    def bot_wrote(self, shown: Shown, *, edited: bool) -> None:
        """The bot posted or edited a message."""

    def thread(self, channel: str, thread_ts: str | None) -> list[Shown]:
        """A thread with its first message; without ``thread_ts``, the channel's top level."""
        self._expire_streams()
        return [
            shown
            for shown in self._rooms[channel].messages.values()
            if shown.thread == thread_ts or (thread_ts is not None and shown.ts == thread_ts)
        ]

    def auth_test(self, _: NoArguments) -> Json:
        workspace = self._workspace
        return {
            "url": "https://demo.slack.com/",
            "team": "Demo",
            "user": "turnkeeper",
            "team_id": workspace.team,
            "user_id": workspace.bot_user,
            "bot_id": workspace.bot_id,
            "is_enterprise_install": False,
        }

    def teams(self, _: TeamsPage) -> Json:
        """Which they are the token says."""
        return {"response_metadata": {"next_cursor": ""}}

    def post_message(self, call: PostMessage) -> Json:
        self._room(call.channel, call.thread_ts)
        text = call.visible_text(POST_TEXT_CHARS)
        shown = self._add(call.channel, "bot", self._workspace.bot_user, call.thread_ts)
        shown.metadata = call.metadata.model_dump() if call.metadata is not None else None
        shown.buttons = call.buttons
        self.show(shown, text)
        self.bot_wrote(shown, edited=False)
        return {"channel": call.channel, "ts": shown.ts, "message": self._described(shown, metadata=True)}

    def update(self, call: Update) -> Json:
        shown = self._own(call.channel, call.ts, "cant_update_message")
        stream = self._stream(call.channel, call.ts)
        if stream is not None and stream.open:
            raise SlackError("streaming_state_conflict")
        text = call.visible_text(UPDATE_TEXT_CHARS)
        if call.metadata is not None:
            shown.metadata = call.metadata.model_dump()
        shown.buttons = call.buttons
        shown.tasks = {}
        self.show(shown, text)
        self.bot_wrote(shown, edited=True)
        return {"channel": call.channel, "ts": shown.ts, "text": shown.text}

    def delete(self, call: Message) -> Json:
        shown = self._own(call.channel, call.ts, "cant_delete_message")
        del self._rooms[call.channel].messages[call.ts]
        shown.deleted = True
        shown.streaming = False
        self.changed(shown)
        return {"channel": call.channel, "ts": call.ts}

    def start_stream(self, call: StartStream) -> Json:
        if not call.thread_ts:
            raise SlackError("thread_ts_required")
        room = self._room(call.channel, call.thread_ts)
        if room.kind != "im":
            if not call.recipient_user_id:
                raise SlackError("missing_recipient_user_id")
            if not call.recipient_team_id:
                raise SlackError("missing_recipient_team_id")
        stream = Stream(opened_at=self.clock())
        text = stream.take(call.markdown_text, call.chunks)
        shown = self._add(call.channel, "bot", self._workspace.bot_user, call.thread_ts)
        shown.streaming = True
        self._streams[call.channel, shown.ts] = stream
        self.sessions[call.channel, call.thread_ts] = "processing"
        shown.tasks = drawn({}, call.chunks)
        self.show(shown, text)
        return {"channel": call.channel, "ts": shown.ts}

    def append_stream(self, call: WriteStream) -> Json:
        if call.markdown_text is None and call.chunks is None:
            raise SlackError("no_text")
        shown, text = self._written(call)
        shown.tasks = drawn(shown.tasks, call.chunks)
        self.show(shown, shown.text + text)
        return {"channel": call.channel, "ts": call.ts}

    def stop_stream(self, call: WriteStream) -> Json:
        buttons = buttons_of(call.blocks or ())
        shown, text = self._written(call)
        shown.buttons = buttons
        shown.tasks = drawn(shown.tasks, call.chunks)
        self._streams[call.channel, call.ts].open = False
        self.sessions[call.channel, shown.thread or ""] = call.session_status
        shown.streaming = False
        if call.metadata is not None:
            shown.metadata = call.metadata.model_dump()
        self.show(shown, shown.text + text)
        return {"channel": call.channel, "ts": call.ts, "message": self._described(shown, metadata=True)}

    def replies(self, call: Page) -> Json:
        self._room(call.channel, None)
        if call.ts is None:
            raise SlackError("invalid_arguments")
        messages = self.thread(call.channel, call.ts)
        if not messages:
            raise SlackError("thread_not_found", fault=False)
        return self._page(call, messages, root=call.ts)

    def history(self, call: Page) -> Json:
        self._room(call.channel, None)
        return self._page(call, self.thread(call.channel, None)[::-1], root=None)

    def post_ephemeral(self, call: Ephemeral) -> Json:
        self._room(call.channel, call.thread_ts)
        self.whispers.append((call.channel, call.user, call.visible_text(POST_TEXT_CHARS)))
        return {"message_ts": f"{self.clock():.6f}"}

    def set_suggested_prompts(self, call: SuggestedPrompts) -> Json:
        self._room(call.channel_id, call.thread_ts)
        if not self.is_agent:
            raise SlackError("not_agent_app", fault=False)
        self.prompts[call.channel_id] = [(prompt.title, prompt.message) for prompt in call.prompts]
        return {}

    def add_reaction(self, call: Reaction) -> Json:
        self._check_scope("reactions:write")
        shown = self._visible(call.channel, call.timestamp)
        if call.name in shown.reactions:
            raise SlackError("already_reacted", fault=False)
        shown.reactions.append(call.name)
        self.changed(shown)
        return {}

    def remove_reaction(self, call: Reaction) -> Json:
        self._check_scope("reactions:write")
        shown = self._visible(call.channel, call.timestamp)
        if call.name not in shown.reactions:
            raise SlackError("no_reaction", fault=False)
        shown.reactions.remove(call.name)
        self.changed(shown)
        return {}

    def set_thread_status(self, call: ThreadStatus) -> Json:
        self._room(call.channel_id, call.thread_ts)
        self.statuses[call.channel_id, call.thread_ts].append(call.status)
        return {}

    def set_session_status(self, call: SessionStatus) -> Json:
        if not self.is_agent:
            raise SlackError("feature_disabled", fault=False)
        self._room(call.channel_id, call.thread_ts)
        self.statuses[call.channel_id, call.thread_ts or ""].append(call.status)
        self.sessions[call.channel_id, call.thread_ts or ""] = call.status
        return {}

    def file_info(self, call: FileInfo) -> Json:
        return self.archive.file_info(call, self.url, self.scopes)

    def upload_url(self, call: UploadUrl) -> Json:
        return self.archive.upload_url(call, self.url, self.scopes)

    def complete_upload(self, call: CompleteUpload) -> Json:
        self._room(call.channel_id, call.thread_ts)
        files = self.archive.completed(call, self.scopes)
        shown = self._add(call.channel_id, "bot", self._workspace.bot_user, call.thread_ts)
        self.archive.of_messages[call.channel_id, shown.ts] = files
        self.show(shown, "".join(f"[file: {file.name}]" for file in files))
        return {"files": [{"id": file.id} for file in files]}

    def user_info(self, call: UserInfo) -> Json:
        return self.archive.user_info(call, self.scopes)

    def channel_info(self, call: ChannelInfo) -> Json:
        return self.archive.channel_info(call, self.scopes)

    def _room(self, channel: str, thread_ts: str | None) -> Room:
        room = self._rooms.get(channel)
        if room is None:
            raise SlackError("channel_not_found", fault=False)
        if thread_ts:
            root = room.messages.get(thread_ts)
            if root is None:
                raise SlackError("thread_not_found", fault=False)
            if root.thread is not None:
                self.complain(
                    f"{channel}/{thread_ts} is a reply: thread_ts must name the thread's first message"
                )
        return room

    def _check_scope(self, scope: str) -> None:
        if scope not in self.scopes:
            raise SlackError("missing_scope", fault=False)

    def _visible(self, channel: str, ts: str) -> Shown:
        shown = self._room(channel, None).messages.get(ts)
        if shown is None:
            raise SlackError("message_not_found", fault=False)
        return shown

    def _own(self, channel: str, ts: str, refusal: str) -> Shown:
        shown = self._visible(channel, ts)
        if shown.author != "bot":
            raise SlackError(refusal)
        return shown

    def _stream(self, channel: str, ts: str) -> Stream | None:
        self._expire_streams()
        return self._streams.get((channel, ts))

    def _written(self, call: WriteStream) -> tuple[Shown, str]:
        """The streamed message that a call names, and the text that the call adds to it."""
        shown = self._room(call.channel, None).messages.get(call.ts)
        if shown is None:
            # A stream that was found and removed may still be written to by a client that was late.
            raise SlackError("message_not_found", fault=(call.channel, call.ts) not in self._streams)
        if shown.author != "bot":
            raise SlackError("message_not_owned_by_app")
        stream = self._stream(call.channel, call.ts)
        if stream is None:
            raise SlackError("message_not_in_streaming_state")
        return shown, stream.take(call.markdown_text, call.chunks)

    def _expire_streams(self) -> None:
        now = self.clock()
        for (channel, ts), stream in self._streams.items():
            shown = self._rooms[channel].messages.get(ts)
            if shown is None:
                stream.open = False
            elif stream.ends_by(now):
                shown.streaming = False
                self.changed(shown)

    def _add(self, channel: str, author: Literal["person", "bot"], user: str, thread: str | None) -> Shown:
        room = self._rooms[channel]
        room.last_ts = max(room.last_ts + 1, int(self.clock() * 1_000_000))
        ts = f"{room.last_ts // 1_000_000}.{room.last_ts % 1_000_000:06d}"
        shown = Shown(ts, channel, author, user, self.clock(), thread=thread or None)
        room.messages[ts] = shown
        return shown

    def _described(self, shown: Shown, *, metadata: bool) -> Json:
        """A message as the API returns it."""
        described: Json = {"type": "message", "user": shown.user, "ts": shown.ts, "text": shown.text}
        if shown.author == "bot":
            described |= {"bot_id": self._workspace.bot_id, "app_id": self._workspace.app_id}
        if shown.thread:
            described["thread_ts"] = shown.thread
        elif any(other.thread == shown.ts for other in self._rooms[shown.chat].messages.values()):
            described["thread_ts"] = shown.ts
        if shown.deleted:
            described |= {"subtype": "tombstone", "user": "USLACKBOT", "hidden": True}
        files = self.archive.of_messages.get((shown.chat, shown.ts))
        if files:
            described["files"] = [file.described(self.url, in_event=False) for file in files]
        if metadata and shown.metadata is not None:
            described["metadata"] = dict(shown.metadata)
        return described

    def _page(self, call: Page, messages: list[Shown], root: str | None) -> Json:
        wanted = [
            shown
            for shown in messages
            if shown.ts == root
            or call.oldest < shown.ts < call.latest
            or (call.inclusive and shown.ts in (call.oldest, call.latest))
        ]
        start = int(call.cursor or 0)
        page = wanted[start : start + call.limit]
        more = start + call.limit < len(wanted)
        return {
            "messages": [self._described(shown, metadata=call.include_all_metadata) for shown in page],
            "has_more": more,
            "response_metadata": {"next_cursor": str(start + call.limit) if more else ""},
        }


A = TypeVar("A", bound=Arguments)
Served = Callable[[SlackApi, Json], Json]


def _method(model: type[A], perform: Callable[[SlackApi, A], Json]) -> Served:
    return lambda slack, raw: perform(slack, parsed(model, raw))


METHODS: dict[str, Served] = {
    "auth.test": _method(NoArguments, SlackApi.auth_test),
    "auth.teams.list": _method(TeamsPage, SlackApi.teams),
    "chat.postMessage": _method(PostMessage, SlackApi.post_message),
    "chat.update": _method(Update, SlackApi.update),
    "chat.delete": _method(Message, SlackApi.delete),
    "chat.startStream": _method(StartStream, SlackApi.start_stream),
    "chat.appendStream": _method(WriteStream, SlackApi.append_stream),
    "chat.stopStream": _method(WriteStream, SlackApi.stop_stream),
    "conversations.replies": _method(Page, SlackApi.replies),
    "conversations.history": _method(Page, SlackApi.history),
    "conversations.info": _method(ChannelInfo, SlackApi.channel_info),
    "files.completeUploadExternal": _method(CompleteUpload, SlackApi.complete_upload),
    "files.getUploadURLExternal": _method(UploadUrl, SlackApi.upload_url),
    "files.info": _method(FileInfo, SlackApi.file_info),
    "users.info": _method(UserInfo, SlackApi.user_info),
    "chat.postEphemeral": _method(Ephemeral, SlackApi.post_ephemeral),
    "assistant.threads.setSuggestedPrompts": _method(SuggestedPrompts, SlackApi.set_suggested_prompts),
    "reactions.add": _method(Reaction, SlackApi.add_reaction),
    "reactions.remove": _method(Reaction, SlackApi.remove_reaction),
    "assistant.threads.setStatus": _method(ThreadStatus, SlackApi.set_thread_status),
    "agents.sessions.setStatus": _method(SessionStatus, SlackApi.set_session_status),
}
