"""What people do about a conversation instead of writing: press a button, or open it for the first time."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from channels.port import ChannelPolicy
from channels.received import Ignored, Pressed, StopReply, Visited
from channels.slack.blocks import FEEDBACK, RETRY
from channels.slack.events import Envelope, HomeOpened, SessionStopped, Timestamp
from channels.slack.keys import CHANNEL, conversation_key
from conversation.controls import Button, MalformedButtonError
from conversation.messages import Address, Sender, stable_id

_Id = Annotated[str, Field(min_length=1)]


class _Named(BaseModel):
    id: _Id


class _Clicker(BaseModel):
    id: _Id
    team_id: str = ""


class _Place(BaseModel):
    """``message_ts`` names the message with the button."""

    message_ts: Timestamp
    channel_id: _Id
    thread_ts: Timestamp | None = None


class _Action(BaseModel):
    """``action_ts`` names the click."""

    action_id: str
    action_ts: Timestamp
    value: str = ""


class _Under(BaseModel):
    text: str = ""


class Interaction(BaseModel):
    """What ``payload`` holds, as far as it is used (docs: reference/interaction-payloads)."""

    type: str


class BlockActions(BaseModel):
    user: _Clicker
    team: _Named | None = None
    enterprise: _Named | None = None
    container: _Place
    message: _Under = _Under()
    actions: Annotated[tuple[_Action, ...], Field(min_length=1)]


def stop_pressed(
    envelope: Envelope, event: SessionStopped, *, tenant: str | None, bot: str, policy: ChannelPolicy
) -> StopReply | Ignored:
    """Slack has ended the thread's streams by then. It does not tell the person's own workspace."""
    if not (tenant and envelope.event_id and envelope.event_time):
        return Ignored("malformed")
    return StopReply(
        key=conversation_key(
            policy, bot, tenant, chat=event.channel, thread=event.thread_ts or "", user=event.user
        ),
        request=stable_id(CHANNEL, bot, f"stop:{envelope.event_id}"),
        by=Sender(event.user, tenant),
        asked_at=envelope.event_time + 1,  # it is in whole seconds, messages are not
    )


def home_opened(
    event: HomeOpened, *, tenant: str | None, bot: str, policy: ChannelPolicy
) -> Visited | Ignored:
    """Of its tabs only the direct message is a place to talk."""
    if event.tab != "messages":
        return Ignored("home_tab")
    if not tenant:
        return Ignored("malformed")
    return Visited(
        key=conversation_key(policy, bot, tenant, chat=event.channel, thread="", user=event.user),
        by=Sender(event.user, tenant),
        to=Address(event.channel, "", "", event.user, tenant),
        locale=policy.language_of(""),
    )


def pressed(payload: str, *, bot: str, policy: ChannelPolicy) -> Pressed | StopReply | Ignored:
    """A button of ours. Raises ValueError where the payload is not such as Slack sends."""
    if Interaction.model_validate_json(payload).type != "block_actions":
        return Ignored("unsupported_interaction")
    click = BlockActions.model_validate_json(payload)
    action = click.actions[0]
    if action.action_id not in {RETRY, FEEDBACK}:
        return Ignored("unsupported_interaction")
    try:
        button = Button.parse(action.value)
    except MalformedButtonError:
        return Ignored("unsupported_interaction")
    home = (click.team or click.enterprise or _Named(id=button.key.tenant)).id
    tenant = click.user.team_id or home
    request = stable_id(
        CHANNEL, bot, f"press:{click.container.message_ts}:{click.user.id}:{action.action_ts}"
    )
    by, at = Sender(click.user.id, tenant), float(action.action_ts)
    if button.kind == "stop":
        return StopReply(button.key, request, by, at)
    place = click.container
    return Pressed(
        button=button,
        request=request,
        by=by,
        at=at,
        place=Address(
            place.channel_id,
            place.message_ts,
            place.thread_ts or "",
            click.user.id,
            tenant,
            "" if tenant == button.key.tenant else button.key.tenant,
        ),
        locale=policy.language_of(click.message.text),
    )
