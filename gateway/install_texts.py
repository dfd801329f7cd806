"""What a person reads who installs a bot in a workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from channels.installing import Trouble

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Words:
    """``done`` holds the workspace's name as ``{name}``."""

    installed: str
    done: str
    open: str
    failed: str
    again: str
    troubles: dict[Trouble, str]


WORDS: dict[Language, Words] = {
    "en": Words(
        installed="Installed",
        done="The bot is now in {name}. Mention it in a channel, or write to it directly.",
        open="Open Slack",
        failed="Not installed",
        again="Try again",
        troubles={
            Trouble.NOT_READY: "The gateway is not ready for this. Its administrator finds the reason in its log.",
            Trouble.EXPIRED: "This took more than ten minutes, was done already, or was begun in another browser.",
            Trouble.DENIED: "Slack says that the installation was not allowed. Nothing was changed.",
            Trouble.REFUSED: "Slack did not accept the installation. The gateway's administrator finds the reason in"
            " its log.",
            Trouble.UNAVAILABLE: "Slack or the gateway's store cannot be reached. Try again in a moment.",
        },
    ),
    "zh": Words(
        installed="安装完成",
        done="机器人已加入 {name}。在频道中提及它，或直接给它发消息。",
        open="打开 Slack",
        failed="未安装",
        again="重试",
        troubles={
            Trouble.NOT_READY: "网关尚未就绪，管理员可在日志中查到原因。",
            Trouble.EXPIRED: "操作超过了十分钟、已经完成过，或是在另一个浏览器中开始的。",
            Trouble.DENIED: "Slack 表示安装未获允许，没有做任何更改。",
            Trouble.REFUSED: "Slack 没有接受这次安装，管理员可在网关日志中查到原因。",
            Trouble.UNAVAILABLE: "暂时无法连接 Slack 或网关的存储，请稍后重试。",
        },
    ),
}


def language_of(accepted: str) -> Language:
    """By the header ``Accept-Language``; what it prefers stands first, as browsers write it."""
    for wanted in accepted.lower().split(","):
        tag = wanted.strip()[:2]
        if tag == "zh":
            return "zh"
        if tag == "en":
            return "en"
    return "en"
