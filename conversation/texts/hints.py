"""Sentences for a person that are no notice: they end no turn and have no reference."""

from __future__ import annotations

from enum import StrEnum


class Hint(StrEnum):
    """Each has a text in every language. Names in braces are filled in."""

    STOPPED = "stopped"
    NOTHING_TO_STOP = "nothing_to_stop"
    FORGOTTEN = "forgotten"
    HELP = "help"
    AGENT_NOW = "agent_now"
    AGENT_BOUND = "agent_bound"
    AGENTS_TO_CHOOSE = "agents_to_choose"
    ONLY_IN_A_CONVERSATION = "only_in_a_conversation"
    TRY_AGAIN = "try_again"
    GOOD = "good"
    BAD = "bad"
    ASKED_AGAIN = "asked_again"
    ASKED_ALREADY = "asked_already"
    TOO_LATE_TO_ASK = "too_late_to_ask"
    NOT_YOURS = "not_yours"
    THANKS = "thanks"
    WELCOME = "welcome"
    WELCOME_GROUP = "welcome_group"
    STOP = "stop"
