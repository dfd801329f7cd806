"""The core: conversations, their turns, and how a turn becomes a visible answer.

Nothing here knows a chat platform, and only ``stores/`` and ``providers/`` import a driver.
"""
