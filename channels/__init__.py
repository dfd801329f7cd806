"""Chat platforms: each verifies and normalises what people send, and renders what the bot answers.

``channels`` is also the import name of Django Channels: the two cannot be installed into one environment.
"""
