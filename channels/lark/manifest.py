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
        "showing the answer as a card that grows, with buttons",
        "以逐渐更新并带按钮的卡片显示回答",
        optional=True,
    ),
    Need(
        "im:message:readonly",
        "files and pictures that people send, what they forward, what was said in a thread before the bot was there",
        "读取用户发送的文件和图片、合并转发的消息，以及机器人加入话题前的内容",
        optional=True,
    ),
    Need(
        "im:message.reactions:write_only",
        "the reaction Typing at a message while it is answered",
        "回答期间在消息上显示“正在输入”表情",
        optional=True,
    ),
    Need(
        "im:message.reactions:read",
        "taking that away after a crash, or when several gateways serve the bot",
        "在进程异常退出或多实例运行后移除该表情",
        optional=True,
    ),
    Need(
        "contact:user.base:readonly",
        "names of the people who write in groups",
        "读取群聊中发言人的姓名",
        optional=True,
    ),
    Need(
        "im:chat.access_event.bot_p2p_chat:read",
        "greeting who opens the bot's chat",
        "欢迎打开机器人会话的人",
        optional=True,
    ),
    Need(
        "im:chat.members:bot_access",
        "greeting a group that the bot is added to",
        "机器人进群时打招呼",
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
    Need(
        "card.action.trigger",
        "the buttons of a card; a callback, not an event: it has a page of its own",
        "卡片按钮（在“回调配置”中添加）",
        optional=True,
    ),
    Need(
        "im.chat.access_event.bot_p2p_chat_entered_v1",
        "greeting who opens the bot's chat",
        "欢迎打开机器人会话的人",
        optional=True,
    ),
    Need(
        "im.chat.member.bot.added_v1",
        "greeting a group that the bot is added to",
        "机器人进群时打招呼",
        optional=True,
    ),
    Need("application.bot.menu_v6", "the bot's menu", "机器人自定义菜单", optional=True),
)


CONSOLES = {"feishu": "https://open.feishu.cn/app", "lark": "https://open.larksuite.com/app"}
"""The developer console of each region."""
