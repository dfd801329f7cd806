"""Which buttons stand under a reply."""

from __future__ import annotations

from conversation.bot import Bot
from conversation.controls import Controls
from conversation.turn import Final, Turn


def offered(bot: Bot, turn: Turn, final: Final) -> Controls | None:
    """What stands under a turn's reply; None: nothing.

    A failed reply can be asked for again where its question may be kept, an answer can be judged where the bot wants
    to know. Neither stands under what answers the API or a command.
    """
    message = turn.message
    if message.origin == "api" or message.stands_alone or not final.texts:
        return None
    retry = final.outcome.kind == "failed" and bot.keep_texts
    feedback = final.outcome.kind == "answered" and bot.feedback
    if not (retry or feedback):
        return None
    return Controls(turn.id, message.person, message.key, message.locale, retry, feedback)
