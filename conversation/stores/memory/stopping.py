"""The reference model's changes to turns that have not ended: merged, stopped, taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.stores.memory.events import MemoryEvents
from conversation.stores.memory.line import Conversation
from conversation.stores.port import Stopped
from conversation.turn import Reason, Turn


class Stopping:
    def __init__(self, conversations: Mapping[ConversationKey, Conversation], events: MemoryEvents) -> None:
        self._conversations = conversations
        self._events = events

    def merge(self, message: InboundMessage, most: int) -> bool:
        """Let the message join the last turn of its conversation, if it may."""
        queue = self._conversations[message.key].queue
        last = queue[-1] if queue else None
        if (
            last is None
            or last.attempt
            or last.refusal
            or last.message.stands_alone
            or last.message.person != message.person
            or len(last.messages) >= most
        ):
            return False
        queue[-1] = replace(last, messages=(*last.messages, message))
        self._events.log("message.merged", message.key, message.turn_id, last.id)
        return True

    def interrupt(self, key: ConversationKey) -> Stopped | None:
        """Stop the reply that has begun. What a command does is not worth stopping."""
        queue = self._conversations[key].queue
        is_reply = queue and queue[0].attempt and not queue[0].message.stands_alone
        return self.stop(key, 0, Reason.SUPERSEDED) if is_reply else None

    def stop_head(self, key: ConversationKey, asked_at: float) -> Stopped | None:
        conversation = self._conversations.get(key)
        if conversation is None or not conversation.queue:
            return None
        if conversation.queue[0].message.sent_at > asked_at:
            return None
        return self.stop(key, 0, Reason.CANCELLED)

    def stop(self, key: ConversationKey, place: int, reason: Reason) -> Stopped | None:
        conversation = self._conversations[key]
        turn = conversation.queue[place]
        if turn.refusal is not None or turn.delivery.final is not None:
            return None
        conversation.queue[place] = replace(turn, refusal=reason)
        running = place == 0 and conversation.owner is not None
        conversation.stopped = conversation.stopped or running
        self._events.log("turn.stopped", key, turn.id, reason)
        return Stopped(key, conversation.epoch, (conversation.owner or "") if running else "", reason)

    def take_back(self, key: ConversationKey, place: int, turn_id: str) -> Stopped | None:
        """The message of this id, which is in the turn at this place of the queue."""
        conversation = self._conversations[key]
        turn = conversation.queue[place]
        others = tuple(one for one in turn.messages if one.turn_id != turn_id)
        if not others:
            return self.stop(key, place, Reason.TAKEN_BACK)
        if turn.attempt:
            return None
        conversation.queue[place] = replace(turn, messages=others)
        self._events.log("message.taken_back", key, turn_id)
        return Stopped(key, conversation.epoch, "", Reason.TAKEN_BACK)

    def edit(self, key: ConversationKey, place: int, message: InboundMessage) -> bool:
        """The message of this id waits in the turn at this place of the queue, or is being answered."""
        queue = self._conversations[key].queue
        turn = queue[place]
        (old,) = (one for one in turn.messages if one.turn_id == message.turn_id)
        if turn.attempt or turn.refusal is not None or old.stands_alone or old.edited_at >= message.edited_at:
            return False
        messages = tuple(message if one is old else one for one in turn.messages)
        queue[place] = replace(turn, messages=messages)
        self._events.log("message.edited", key, message.turn_id)
        return True

    def place_of(self, bot: str, turn_id: str) -> tuple[ConversationKey, int] | None:
        """Where the message of this id waits, or is answered."""
        for key, conversation in self._conversations.items():
            for place, turn in enumerate(conversation.queue):
                if key.bot == bot and _has(turn, turn_id):
                    return key, place
        return None


def _has(turn: Turn, turn_id: str) -> bool:
    return any(message.turn_id == turn_id for message in turn.messages)
