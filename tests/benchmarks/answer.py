"""The one answer that every model of the benchmarks gives. It ends with END, so that completeness shows."""

from __future__ import annotations

END = "∎"


def answer_tokens(count: int) -> list[str]:
    words = ("Turns ", "of ", "one ", "conversation ", "are ", "answered ", "in ", "order. ")
    return [*(words[number % len(words)] for number in range(count - 1)), END]
