"""What a Slack app needs so that its bot works: as a manifest, and as a link that creates the app with it.

The fields are those of Slack's own schema (slackapi/manifest-schema); what is not asked for is not used.
"""

from __future__ import annotations

import json
from urllib.parse import quote

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
    Need("users:read", "names of the people who write", "读取发言人的姓名", optional=True),
    Need("channels:read", "names of channels that people mention", "读取被提及频道的名称", optional=True),
    Need("commands", "the slash command /stop", "斜杠命令 /stop", optional=True),
)
"""Bot token scopes."""

EVENTS = (
    Need("app_mention", "messages in channels that mention the bot", "频道中提及机器人的消息"),
    Need("message.im", "direct messages", "私信"),
    Need("message.mpim", "group direct messages", "多人私信"),
)
"""Bot events."""

_LONGEST_NAME = 35
"""Characters of an app's name (docs: "App manifest reference", display_information.name); a bot's may have 80."""

_CREATE = "https://api.slack.com/apps?new_app=1&manifest_yaml="


def manifest(name: str, webhook_url: str) -> str:
    """YAML, to be pasted where an app is created from a manifest. ``name`` is what people see."""
    app, shown, url = (
        json.dumps(text, ensure_ascii=False) for text in (name[:_LONGEST_NAME], name, webhook_url)
    )
    scopes = "".join(f"      - {scope.name}\n" for scope in sorted(SCOPES, key=lambda scope: scope.name))
    events = "".join(f"      - {event.name}\n" for event in EVENTS)
    return f"""\
_metadata: {{major_version: 2, minor_version: 1}}
display_information: {{name: {app}}}
features:
  app_home:
    home_tab_enabled: false
    messages_tab_enabled: true
    messages_tab_read_only_enabled: false
  bot_user: {{display_name: {shown}, always_online: true}}
  slash_commands:
    - {{command: /stop, url: {url}, description: Stop the answer being written here, should_escape: false}}
oauth_config:
  scopes:
    bot:
{scopes}settings:
  event_subscriptions:
    request_url: {url}
    bot_events:
{events}  org_deploy_enabled: false
  socket_mode_enabled: false
  token_rotation_enabled: false
"""


def create_url(manifest: str) -> str:
    """A link that opens Slack's page for creating an app, with the manifest filled in."""
    return _CREATE + quote(manifest, safe="")
