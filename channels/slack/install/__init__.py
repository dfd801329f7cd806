"""One Slack app in several workspaces: its installation by OAuth, and the token of each (docs: authentication)."""
