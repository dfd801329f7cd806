"""Notices in Chinese."""

from __future__ import annotations

from conversation.texts.hints import Hint
from conversation.turn import Reason

REFERENCE = "（编号 {reference}）"

NOTICES = {
    Reason.STALE: "⚠️ 您的消息送达太晚，无法回复，请重新发送。",
    Reason.BOT_DISABLED: "⚠️ 我目前已停用，请联系管理员。",
    Reason.NOT_ALLOWED: "⚠️ 我无权在此与您对话，请联系管理员。",
    Reason.CREDENTIAL_MISSING: "⚠️ 我尚未完成配置，请联系管理员。",
    Reason.MALFORMED: "⚠️ 无法读取您的消息，请重新发送。",
    Reason.EMPTY_REPLY: "⚠️ 我没有得到可回复的内容，请换一种说法。",
    Reason.CONTEXT_TIMEOUT: "⚠️ 未能及时读取我们的对话记录，请重新发送消息。",
    Reason.MODEL_TIMEOUT: "⚠️ 回答耗时过长，已停止，请重试。",
    Reason.MODEL_ERROR: "⚠️ 回答时出现问题，请重试。",
    Reason.MODEL_RATE_LIMITED: "⚠️ 当前提问的人太多，请一分钟后再试。",
    Reason.DELIVERY_FAILED: "⚠️ 回答未能送达，请重试。",
    Reason.EXECUTOR_CRASH: "⚠️ 回答时发生故障，请重试。",
    Reason.QUEUE_FULL: "⚠️ 我仍在回答您之前的消息，请稍后再发送这一条。",
    Reason.CANCELLED: "⏹ 已按要求停止。",
    Reason.TAKEN_BACK: "⏹ 消息已撤回，回答已停止。",
    Reason.SUPERSEDED: "⏹ 已停止：更新的消息取代了这一条。",
}

HINTS = {
    Hint.STOPPED: "⏹ 已停止。",
    Hint.NOTHING_TO_STOP: "这里没有可以停止的回复。在消息列中，请点击停止按钮、删除您的消息，或 @我 并发送“/stop”。",
}
