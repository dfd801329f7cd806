"""Stand-ins for Slack, Lark and a model, and the demonstration that runs the real gateway against them."""
