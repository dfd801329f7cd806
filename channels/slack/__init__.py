"""Slack: one bot of one app, by Events API webhooks and the Web API."""

from channels.slack.channel import SlackChannel, SlackCredentials

__all__ = ["SlackChannel", "SlackCredentials"]
