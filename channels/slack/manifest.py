"""What a Slack app needs so that its bot works: as a manifest, and as a link that creates the app with it.

The fields are those of Slack's own schema (slackapi/manifest-schema); what is not asked for is not used.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from channels.commands import CommandName
from channels.port import Need

SCOPES = (
    Need("app_mentions:read", "messages in channels that mention the bot", "频道中提及机器人的消息"),
    Need("chat:write", "posting, editing and streaming answers", "发送、修改和流式显示回答"),
    Need("im:history", "direct messages", "私信"),
    Need("mpim:history", "group direct messages that mention the bot", "多人私信中提及机器人的消息"),
    Need(
        "channels:history", "finding an answer again after a failed connection", "连接失败后找回已发送的回答"
    ),
    Need("groups:history", "the same in private channels", "在私有频道中同上"),
    Need("files:read", "files and images that people send", "读取用户发送的文件和图片", optional=True),
    Need("files:write", "files that an answer brings", "发送回答中的文件", optional=True),
    Need("users:read", "names of the people who write", "读取发言人的姓名", optional=True),
    Need("channels:read", "names of channels that people mention", "读取被提及频道的名称", optional=True),
    Need(
        "reactions:write",
        "👀 at a message while it is answered",
        "回答期间在消息上显示 👀",
        optional=True,
    ),
    Need("commands", "the slash commands", "斜杠命令", optional=True),
    Need(
        "assistant:write",
        "the status while it works, and suggested questions, of an agent",
        "智能体的工作状态和建议问题",
        optional=True,
    ),
)
"""Bot token scopes."""

EVENTS = (
    Need("app_mention", "messages in channels that mention the bot", "频道中提及机器人的消息"),
    Need("message.im", "direct messages", "私信"),
    Need("message.mpim", "group direct messages", "多人私信"),
    Need("app_home_opened", "greeting who opens the bot", "欢迎打开机器人的人", optional=True),
    Need("agent_session_stopped", "the stop button while it works", "工作期间的停止按钮", optional=True),
    Need("app_uninstalled", "telling you that the app was removed", "应用被移除时提醒您", optional=True),
    Need("tokens_revoked", "telling you that its token was withdrawn", "令牌被撤销时提醒您", optional=True),
)
"""Bot events."""

_LONGEST_NAME = 35
"""Characters of an app's name (docs: "App manifest reference", display_information.name); a bot's may have 80."""

_DESCRIPTION = "Ask me anything"
"""What stands above an empty direct message; at most 300 characters."""

_LONGEST_COMMAND = 32
"""Characters (docs: "App manifest reference", features.slash_commands)."""

_COMMANDS: tuple[tuple[CommandName, str, str], ...] = (
    ("new", "Forget this conversation", ""),
    ("stop", "Stop the answer being written here", ""),
    ("agent", "Who answers here; with a name let another one answer", ' usage_hint: "[name]",'),
    ("help", "What this bot understands", ""),
)

_CREATE = "https://api.slack.com/apps?new_app=1&manifest_yaml="


def manifest(name: str, webhook_url: str, *, redirect_url: str = "", socket: bool = False) -> str:
    """YAML, to be pasted where an app is created from a manifest. ``name`` is what people see. ``redirect_url``:
    where people come back to who install the app. With ``socket`` nothing is sent to a URL.
    """
    app, shown, url = (
        json.dumps(text, ensure_ascii=False) for text in (name[:_LONGEST_NAME], name, webhook_url)
    )
    scopes = "".join(f"      - {scope.name}\n" for scope in sorted(SCOPES, key=lambda scope: scope.name))
    events = "".join(f"      - {event.name}\n" for event in EVENTS)
    at_url = "" if socket else f"url: {url}, "
    redirect = f"  redirect_urls: [{json.dumps(redirect_url)}]\n" if redirect_url else ""
    request = "" if socket else f"    request_url: {url}\n"
    interactive = "{is_enabled: true}" if socket else f"{{is_enabled: true, request_url: {url}}}"
    commands = "".join(
        f"    - {{command: {json.dumps(slash_command(webhook_url, name))}, {at_url}description: {about},"
        f"{hint} should_escape: false}}\n"
        for name, about, hint in _COMMANDS
    )
    return f"""\
_metadata: {{major_version: 2, minor_version: 1}}
display_information: {{name: {app}}}
features:
  app_home:
    home_tab_enabled: false
    messages_tab_enabled: true
    messages_tab_read_only_enabled: false
  bot_user: {{display_name: {shown}, always_online: true}}
  agent_view: {{agent_description: {_DESCRIPTION}}}
  slash_commands:
{commands}oauth_config:
{redirect}  scopes:
    bot:
{scopes}settings:
  event_subscriptions:
{request}    bot_events:
{events}  interactivity: {interactive}
  org_deploy_enabled: false
  socket_mode_enabled: {json.dumps(socket)}
  token_rotation_enabled: false
"""


def slash_command(webhook_url: str, name: CommandName) -> str:
    """The command with the bot's id in front: in a workspace a name belongs to one app, and some are Slack's own."""
    bot = webhook_url.rstrip("/").rpartition("/")[2].lower()
    return f"/{bot[: _LONGEST_COMMAND - len(name) - 2].rstrip('-')}-{name}"


def create_url(manifest: str) -> str:
    """A link that opens Slack's page for creating an app, with the manifest filled in."""
    return _CREATE + quote(manifest, safe="")
