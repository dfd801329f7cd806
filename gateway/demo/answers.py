"""The model stand-in's default answer: varied Markdown, deterministic, and about the question.

Invariant: answers to different questions differ, and an answer quotes the question it answers, so that a
reply shown under the wrong message is seen.
"""

from __future__ import annotations

import hashlib
import random
import re

WORDS = re.compile(r"[㐀-鿿　-〿＀-￯]{1,2}|[^\s㐀-鿿　-〿＀-￯]+\s*|\s+")
"""What comes as one token: a word with the space after it, or one or two Chinese characters."""

_SENTENCES = (
    "The queue keeps the order in which messages were accepted. ",
    "Only **one** reply is written at a time, and the next one waits. ",
    "A redelivered event is recognised and answered once. ",
    "Use `turnkeeper check` to see whether the credentials work. ",
    "每个会话只有一个回复在进行，顺序不会乱。",
    "Edits are paced, and the final text is never dropped. ",
    "If the process dies, *another* one goes on where it stopped. ",
    "网关重启以后，没有一条消息会丢失。",
)


def default_answer(question: str, words: int) -> str:
    """About ``words`` words in reply to a question, the same for the same question."""
    chance = random.Random(hashlib.blake2b(question.encode(), digest_size=8).digest())
    quoted = " ".join(question.split())[:80]
    parts = [f"**On “{quoted}”:** "]
    while len(tokens("".join(parts))) < words:
        kind = chance.randrange(4)
        if kind == 0:
            parts.append("\n\n" + "".join(f"- {s.strip()}\n" for s in chance.sample(_SENTENCES, 3)) + "\n")
        elif kind == 1:
            parts.append(f"\n\n```python\nassert answer({chance.randrange(100)}) is not None\n```\n\n")
        else:
            parts.append(chance.choice(_SENTENCES))
    return "".join(parts).rstrip() + " — done."


def tokens(text: str) -> list[str]:
    """The text in the pieces in which a model sends it; joined, they are the text."""
    return WORDS.findall(text)
