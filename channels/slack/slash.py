"""Slash commands (docs: interactivity/implementing-slash-commands) and clicks: forms, answered within three seconds.

A slash command names its channel but no thread; Slack does not take it in threads. Where the thread is the
conversation it can do nothing there, and its answer says what can. What it may be called is the workspace's: names
that end with one of ours behind a hyphen, such as /helpdesk-new, mean the same.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, Field

from channels.commands import ordered, read_command
from channels.port import ChannelPolicy
from channels.received import Ignored, Ordered, Pressed, StopReply, Told
from channels.slack.controls import pressed
from channels.slack.keys import CHANNEL, conversation_key, is_direct
from conversation.messages import Address, InboundMessage, Sender, stable_id
from conversation.texts import hint
from conversation.texts.hints import Hint

CLOCKS_APART = 600.0
"""Seconds by which Slack's clock may be behind ours; with 300 its signatures are refused already."""

_MOST_FIELDS = 100

_Id = Annotated[str, Field(min_length=1)]


class _Form(BaseModel):
    command: str = ""
    payload: str = ""


class _Command(BaseModel):
    team_id: str = ""
    enterprise_id: str = ""
    channel_id: _Id
    user_id: _Id
    trigger_id: _Id
    text: str = ""

    @property
    def tenant(self) -> str:
        return self.team_id or self.enterprise_id


def read_form(
    body: bytes, *, bot: str, policy: ChannelPolicy, now: float
) -> StopReply | Ordered | Told | Pressed | Ignored:
    """An interaction or a slash command. ``now``: when it arrived, as a command carries no time of its own."""
    try:
        fields = dict(parse_qsl(body.decode(), errors="strict", max_num_fields=_MOST_FIELDS))
        form = _Form.model_validate(fields)
        if form.payload:
            return pressed(form.payload, bot=bot, policy=policy)
        written = read_command(f"/{form.command.removeprefix('/').rpartition('-')[2]}")
        if written is None:
            return Ignored("unsupported_interaction")
        command = _Command.model_validate(fields)
    except ValueError:
        return Ignored("malformed")
    if not command.tenant:
        return Ignored("malformed")
    name = written[0]
    if name == "stop":
        return _stop(command, bot=bot, policy=policy, now=now)
    return _ordered(command, name, bot=bot, policy=policy, now=now)


def _stop(command: _Command, *, bot: str, policy: ChannelPolicy, now: float) -> StopReply | Ignored:
    language = policy.language_of(command.text)
    nothing = _to_the_person(hint(Hint.NOTHING_TO_STOP, language))
    if not _is_conversation(command, policy):
        return Ignored("nothing_to_stop", nothing)
    return StopReply(
        key=conversation_key(
            policy, bot, command.tenant, chat=command.channel_id, thread="", user=command.user_id
        ),
        request=stable_id(CHANNEL, bot, f"/stop:{command.trigger_id}"),
        by=Sender(command.user_id, command.tenant),
        asked_at=now,
        done=_to_the_person(hint(Hint.STOPPED, language)),
        nothing=nothing,
    )


def _ordered(
    command: _Command,
    name: Literal["new", "agent", "help"],
    *,
    bot: str,
    policy: ChannelPolicy,
    now: float,
) -> Ordered | Told | Ignored:
    """What it does is seen in the conversation, in its turn; help is shown to the person alone."""
    language = policy.language_of(command.text)
    if name == "help":
        return Told(_to_the_person(hint(Hint.HELP, language)))
    if not _is_conversation(command, policy):
        return Ignored("no_conversation", _to_the_person(hint(Hint.ONLY_IN_A_CONVERSATION, language)))
    chat, user, tenant = command.channel_id, command.user_id, command.tenant
    message = InboundMessage(
        key=conversation_key(policy, bot, tenant, chat=chat, thread="", user=user),
        identity=f"/{name}:{command.trigger_id}",
        address=Address(chat, f"{now - CLOCKS_APART:.6f}", "", user, tenant),
        sender=Sender(user, tenant),
        text="",
        sent_at=now,
        locale=language,
    )
    argument = command.text.split()[0][:200] if name == "agent" and command.text.split() else ""
    return Ordered(ordered(message, name, argument), taken=b"")


def _is_conversation(command: _Command, policy: ChannelPolicy) -> bool:
    """Whether a channel, without a thread, names one."""
    direct = is_direct(command.channel_id)
    return policy.conversation_per in {"sender", "chat"} or (policy.conversation_per == "auto" and direct)


def _to_the_person(text: str) -> bytes:
    return orjson.dumps({"response_type": "ephemeral", "text": text})
