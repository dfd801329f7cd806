"""What people do about a message instead of writing one: take it back, or press Slack's stop button."""

from __future__ import annotations

from channels.port import ChannelPolicy, Ignored, StopReply
from channels.slack.events import Envelope, SessionStopped
from channels.slack.keys import CHANNEL, conversation_key
from conversation.messages import Sender, stable_id


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
