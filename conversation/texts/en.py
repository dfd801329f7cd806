"""Notices in English."""

from __future__ import annotations

from conversation.texts.hints import Hint
from conversation.texts.troubles import Trouble
from conversation.turn import Reason

REFERENCE = "(ref {reference})"

NOTICES = {
    Reason.STALE: "⚠️ Your message reached me too late to be answered; please send it again.",
    Reason.BOT_DISABLED: "⚠️ I am switched off at the moment; please ask your admin.",
    Reason.NOT_ALLOWED: "⚠️ I am not allowed to talk with you here; please ask your admin.",
    Reason.CREDENTIAL_MISSING: "⚠️ I am not fully set up yet; please ask your admin.",
    Reason.MALFORMED: "⚠️ I could not read your message; please send it again.",
    Reason.EMPTY_REPLY: "⚠️ I found nothing to say to that; please put it differently.",
    Reason.CONTEXT_TIMEOUT: "⚠️ I could not recall our conversation in time; please send your message again.",
    Reason.MODEL_TIMEOUT: "⚠️ The answer took too long and was stopped; please try again.",
    Reason.MODEL_ERROR: "⚠️ Something went wrong while I was answering; please try again.",
    Reason.MODEL_RATE_LIMITED: "⚠️ Too many people are asking at the moment; please try again in a minute.",
    Reason.DELIVERY_FAILED: "⚠️ The answer could not be delivered; please try again.",
    Reason.EXECUTOR_CRASH: "⚠️ Something broke while I was answering; please try again.",
    Reason.QUEUE_FULL: "⚠️ I am still answering your earlier messages; please send this one again later.",
    Reason.CANCELLED: "⏹ Stopped on request.",
    Reason.TAKEN_BACK: "⏹ Stopped: the message was taken back.",
    Reason.SUPERSEDED: "⏹ Stopped: a newer message took the place of this one.",
    Reason.UNSUPPORTED: "⚠️ I cannot read this yet: {declined}. Please write it to me as text.",
}

HINTS = {
    Hint.STOPPED: "⏹ Stopped.",
    Hint.NOTHING_TO_STOP: (
        "There is no reply to stop here. In a thread, press the stop button, delete your message, or mention me"
        " with “/stop”."
    ),
    Hint.FORGOTTEN: "🧹 Forgotten. What you write from now on begins afresh.",
    Hint.HELP: (
        "Write to me and I answer, one message after the other.\n\n"
        "- `/new`: forget this conversation\n"
        "- `/stop`: end the answer that is being written\n"
        "- `/agent`: who answers here; `/agent NAME`: let another one answer\n"
        "- `/help`: this list"
    ),
    Hint.AGENT_NOW: "**{agent}** answers here.",
    Hint.AGENT_BOUND: "From now on **{agent}** answers here.",
    Hint.AGENTS_TO_CHOOSE: "With `/agent NAME` you can choose: {agents}.",
    Hint.ONLY_IN_A_CONVERSATION: (
        "This belongs to one conversation: in its thread, mention me with “/new”, “/agent” or “/stop”."
    ),
    Hint.TRY_AGAIN: "Try again",
    Hint.GOOD: "Good answer",
    Hint.BAD: "Bad answer",
    Hint.ASKED_AGAIN: "↻ Asked again.",
    Hint.ASKED_ALREADY: "I have been asked again already.",
    Hint.TOO_LATE_TO_ASK: "I do not know this question any more; please send it again.",
    Hint.NOT_YOURS: "This answer is somebody else's; please ask me yourself.",
    Hint.THANKS: "Thank you.",
    Hint.WELCOME: "👋 Hello! Write to me and I answer. `/help` tells what else I understand.",
    Hint.WELCOME_GROUP: "👋 Hello! Mention me with a question and I answer. “/help” tells what else I understand.",
    Hint.STOP: "Stop",
}

KINDS = {
    "voice": "a voice message",
    "image": "an image",
    "video": "a video",
    "file": "a file",
    "sticker": "a sticker",
    "location": "a location",
    "contact": "a contact card",
    "chat": "a group card",
    "card": "a card",
    "folder": "a folder",
    "other": "this kind of message",
}
"""What a message may hold besides text, where it has no name of its own."""

DECLINED = "📎 I can't read this: {names}."

FILES = {
    Trouble.UNSUPPORTED: "📎 I can't read files like {names}.",
    Trouble.NO_IMAGES: "📎 I can't look at images ({names}).",
    Trouble.TOO_LARGE: "📎 Too large for me to read: {names}.",
    Trouble.TOO_MANY: "📎 Too many files at once; I left out {names}.",
    Trouble.TRUNCATED: "📎 I read only the beginning of {names}.",
    Trouble.DAMAGED: "📎 I couldn't read {names}: damaged, protected, or not what the name says.",
    Trouble.FORBIDDEN: "📎 I'm not allowed to open {names}.",
    Trouble.GONE: "📎 {names}: no longer there.",
    Trouble.UNSENT: "📎 I couldn't send {names}.",
    Trouble.UNREACHABLE: "📎 I couldn't download {names}; please send it again.",
}
