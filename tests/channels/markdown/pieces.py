"""Pieces of which tests make texts."""

from __future__ import annotations

from collections.abc import Sequence

_SPELLED = {"⏎": "\n", "␣": " ", "⇥": "\t", "␇": "\x07", "␍": "\r", "␦": "\ud800"}


def spelled(pieces: str) -> list[str]:
    """Pieces between blanks, in which signs stand for what cannot be seen."""
    return ["".join(_SPELLED.get(char, char) for char in piece) for piece in pieces.split()]


GROWING = spelled(r"""
    <a <at␣ <!here @here␣ **a** 字*a*字 字`a`字 ~ \* $x$ 字$x$字 \(x\) $$⏎ $$x$$⏎⏎ \[⏎ \[x\]⏎⏎ -␣a⏎ ␣␣-␣a⏎
    -␣a⏎␣␣-␣a⏎␣␣␣␣-␣a⏎ ⇥-␣a⏎ ⇥⇥⇥a⏎⏎ -␣a⏎⏎␣␣a⏎⏎ 1.␣```⏎ -␣```⏎```⏎ ```js⏎```⏎ ~~~⏎```⏎ #␣a⏎ a⏎---⏎ a⏎-⏎
    a⏎=⏎ >a⏎ >>a⏎ >␣a⏎a⏎ |a|⏎|-|⏎ |a|⏎|-|⏎⏎ |a|⏎|-|⏎|b|c|d|⏎ a|b⏎-|-⏎ |<|⏎|-|⏎|<a|⏎ https://a.b。
    ![](https://a.b) https://a.b/中文字中文字。 <HTTPS://a.b/ccccccccc> [a](https://b(c)) [a](b) [␣](b) ![](x) [a](b)字 <https://a.b> -␣[␣]␣a⏎ ⏎ a⏎⏎ " \\ ␇
    汉 😀 a␣ _a_␣ ~~a~~ ***a*** 字**a**字**b**
""")
"""What rendering makes longer, for looking whether it exceeds a message."""


def texts_of(units: Sequence[str], length: int) -> list[str]:
    wide = f"|{'h' * 90}|{'h' * 90}|\n|-|-|\n"
    beginnings = {
        "~~~\n": "```\n",
        "$$\n": "```\n",
        "|a|\n|-|\n": "|-|\n",
        wide: "||\n",
        f"|{'c|' * 25}\n|{'-|' * 25}\n": "|\n",
    }
    return [unit * (length // len(unit)) for unit in units] + [
        beginning + unit * (length // len(unit)) for beginning, unit in beginnings.items()
    ]
