"""What a Lark or Feishu app needs so that its bot works. The platforms take no manifest: it is set by hand."""

from __future__ import annotations

from channels.port import Need

SCOPES = (
    Need("im:message.p2p_msg:readonly", "receiving direct messages", "接收单聊消息"),
    Need(
        "im:message.group_at_msg:readonly",
        "receiving group messages that mention the bot",
        "接收群聊中提及机器人的消息",
    ),
    Need("im:message:send_as_bot", "sending, correcting and removing answers", "发送、修改和撤回回答"),
    Need(
        "cardkit:card:write",
        "showing the answer as a card that grows",
        "以逐渐更新的卡片显示回答",
        optional=True,
    ),
    Need(
        "im:message:readonly",
        "files, images and forwarded messages that people send, and what was said in a thread before",
        "读取用户发送的文件、图片、合并转发消息，以及话题中之前的消息",
        optional=True,
    ),
    Need(
        "contact:user.base:readonly",
        "names of the people who write in groups",
        "读取群聊中发言人的姓名",
        optional=True,
    ),
    Need(
        "im:message.group_msg",
        "every message of a group, for respond_to: all",
        "接收群聊中的所有消息（respond_to: all）",
        optional=True,
    ),
)

INCLUDED_IN = {
    "im:message.p2p_msg:readonly": ("im:message.p2p_msg",),
    "im:message.group_at_msg:readonly": ("im:message.group_at_msg", "im:message.group_msg"),
    "im:message:send_as_bot": ("im:message", "im:message:send"),
}
"""Wider scopes that do as well, by the name of the one that is asked for."""

EVENTS = (
    Need("im.message.receive_v1", "receiving messages", "接收消息"),
    Need(
        "im.message.recalled_v1",
        "stopping an answer by recalling its question",
        "撤回提问即停止回答",
        optional=True,
    ),
)

CONSOLES = {"feishu": "https://open.feishu.cn/app", "lark": "https://open.larksuite.com/app"}
"""The developer console of each region."""
