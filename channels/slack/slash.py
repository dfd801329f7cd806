"""Slash commands (docs: interactivity/implementing-slash-commands): a form, whose answer the person sees.

A slash command names its channel but no thread; Slack does not take it in threads. Where the thread is the
conversation it can stop nothing, and its answer says what can.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, Field

from channels.commands import STOP
from channels.port import ChannelPolicy, Ignored, StopReply
from channels.slack.keys import CHANNEL, conversation_key, is_direct
from conversation.messages import Sender, stable_id
from conversation.texts import hint
from conversation.texts.hints import Hint

_MOST_FIELDS = 100

_Id = Annotated[str, Field(min_length=1)]


class _Form(BaseModel):
    command: str = ""


class _Command(BaseModel):
    team_id: str = ""
    enterprise_id: str = ""
    channel_id: _Id
    user_id: _Id
    trigger_id: _Id
    text: str = ""


def read_form(body: bytes, *, bot: str, policy: ChannelPolicy, now: float) -> StopReply | Ignored:
    """An interaction or a slash command. ``now``: when it arrived, as it carries no time of its own."""
    try:
        fields = dict(parse_qsl(body.decode(), errors="strict", max_num_fields=_MOST_FIELDS))
        if _Form.model_validate(fields).command != STOP:
            return Ignored("unsupported_interaction")
        command = _Command.model_validate(fields)
    except ValueError:
        return Ignored("malformed")
    tenant = command.team_id or command.enterprise_id
    if not tenant:
        return Ignored("malformed")
    language = policy.language_of(command.text)
    nothing = _to_the_person(hint(Hint.NOTHING_TO_STOP, language))
    direct = is_direct(command.channel_id)
    if policy.conversation_per == "thread" or (policy.conversation_per == "auto" and not direct):
        return Ignored("nothing_to_stop", nothing)
    return StopReply(
        key=conversation_key(policy, bot, tenant, chat=command.channel_id, thread="", user=command.user_id),
        request=stable_id(CHANNEL, bot, f"{STOP}:{command.trigger_id}"),
        by=Sender(command.user_id, tenant),
        asked_at=now,
        done=_to_the_person(hint(Hint.STOPPED, language)),
        nothing=nothing,
    )


def _to_the_person(text: str) -> bytes:
    return orjson.dumps({"response_type": "ephemeral", "text": text})
