"""Notices in Chinese."""

from __future__ import annotations

from conversation.texts.hints import Hint
from conversation.texts.troubles import Trouble
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
    Reason.UNSUPPORTED: "⚠️ 我还无法读取：{declined}。请用文字发给我。",
}

HINTS = {
    Hint.STOPPED: "⏹ 已停止。",
    Hint.NOTHING_TO_STOP: "这里没有可以停止的回复。在消息列中，请点击停止按钮、删除您的消息，或 @我 并发送“/stop”。",
    Hint.FORGOTTEN: "🧹 已忘记之前的对话，接下来将重新开始。",
    Hint.HELP: (
        "给我发消息，我会逐条回复。\n\n"
        "- `/new`：忘记此对话\n"
        "- `/stop`：停止正在生成的回复\n"
        "- `/agent`：查看由谁回复；`/agent 名称`：换一个来回复\n"
        "- `/help`：显示此列表"
    ),
    Hint.AGENT_NOW: "此处由 **{agent}** 回复。",
    Hint.AGENT_BOUND: "接下来由 **{agent}** 回复。",
    Hint.AGENTS_TO_CHOOSE: "发送 `/agent 名称` 可选择：{agents}。",
    Hint.ONLY_IN_A_CONVERSATION: "此命令针对某个对话：请在该消息列中 @我 并发送“/new”、“/agent”或“/stop”。",
    Hint.TRY_AGAIN: "重试",
    Hint.GOOD: "回答得好",
    Hint.BAD: "回答得不好",
    Hint.ASKED_AGAIN: "↻ 已重新提问。",
    Hint.ASKED_ALREADY: "此问题已重新提问过。",
    Hint.TOO_LATE_TO_ASK: "我已不记得这个问题，请重新发送。",
    Hint.NOT_YOURS: "这是给其他人的回答，请直接向我提问。",
    Hint.THANKS: "谢谢。",
    Hint.WELCOME: "👋 您好！给我发消息，我会回复。发送 `/help` 可了解更多。",
    Hint.WELCOME_GROUP: "👋 大家好！@我 并提问，我会回复。发送“/help”可了解更多。",
    Hint.STOP: "停止",
}

KINDS = {
    "voice": "语音消息",
    "image": "图片",
    "video": "视频",
    "file": "文件",
    "sticker": "表情包",
    "location": "位置",
    "contact": "名片",
    "chat": "群名片",
    "card": "卡片",
    "folder": "文件夹",
    "other": "此类消息",
}
"""What a message may hold besides text, where it has no name of its own."""

DECLINED = "📎 我无法读取：{names}。"

FILES = {
    Trouble.UNSUPPORTED: "📎 我无法读取此类文件：{names}。",
    Trouble.NO_IMAGES: "📎 我无法查看图片（{names}）。",
    Trouble.TOO_LARGE: "📎 文件过大，无法读取：{names}。",
    Trouble.TOO_MANY: "📎 一次发送的文件太多，未读取：{names}。",
    Trouble.TRUNCATED: "📎 只读取了开头部分：{names}。",
    Trouble.DAMAGED: "📎 无法读取（已损坏、受保护或类型不符）：{names}。",
    Trouble.FORBIDDEN: "📎 我无权打开：{names}。",
    Trouble.GONE: "📎 文件已不存在：{names}。",
    Trouble.UNSENT: "📎 未能发送：{names}。",
    Trouble.UNREACHABLE: "📎 未能下载，请重新发送：{names}。",
}
