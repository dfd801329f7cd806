"""Lark and Feishu: webhooks in, streamed cards out."""

from __future__ import annotations

from channels.lark.channel import LarkChannel
from channels.lark.verify import LarkCredentials

__all__ = ["LarkChannel", "LarkCredentials"]
