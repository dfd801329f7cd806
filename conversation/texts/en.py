"""Notices in English."""

from __future__ import annotations

from conversation.texts.hints import Hint
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
}

HINTS = {
    Hint.STOPPED: "⏹ Stopped.",
    Hint.NOTHING_TO_STOP: (
        "There is no reply to stop here. In a thread, press the stop button, delete your message, or mention me"
        " with “/stop”."
    ),
}
