"""What a message holds besides its text: buttons under a reply that has ended (docs: reference/block-kit).

A message with buttons is made of blocks, as ``markdown_text`` takes no blocks beside it; its text is the one
``markdown`` block, which reads the same Markdown.
"""

from __future__ import annotations

from conversation.controls import Controls
from conversation.texts import hint
from conversation.texts.hints import Hint

RETRY = "turnkeeper_retry"
FEEDBACK = "turnkeeper_feedback"

_PREVIEW = 150
"""Characters of a message's text beside its blocks: what a notification shows, and nothing else."""


def control_blocks(controls: Controls | None) -> list[dict[str, object]]:
    if controls is None:
        return []
    blocks: list[dict[str, object]] = []
    if controls.note:
        blocks.append({"type": "context", "elements": [_plain(controls.note)]})
    if controls.retry:
        button = {
            "type": "button",
            "action_id": RETRY,
            "text": _plain(hint(Hint.TRY_AGAIN, controls.locale)),
            "value": controls.value("retry"),
        }
        blocks.append({"type": "actions", "elements": [button]})
    if controls.feedback:
        buttons = {
            "type": "feedback_buttons",
            "action_id": FEEDBACK,
            "positive_button": {
                "text": _plain(hint(Hint.GOOD, controls.locale)),
                "value": controls.value("good"),
            },
            "negative_button": {
                "text": _plain(hint(Hint.BAD, controls.locale)),
                "value": controls.value("bad"),
            },
        }
        blocks.append({"type": "context_actions", "elements": [buttons]})
    return blocks


def content(rendered: str, controls: Controls | None) -> dict[str, object]:
    """The arguments of chat.postMessage and chat.update that make the whole message."""
    below = control_blocks(controls)
    if not below:
        return {"markdown_text": rendered}
    return {"text": preview(rendered), "blocks": [{"type": "markdown", "text": rendered}, *below]}


def preview(rendered: str) -> str:
    escaped = rendered[:_PREVIEW].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{escaped}…" if len(rendered) > _PREVIEW else escaped


def _plain(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": text, "emoji": True}
