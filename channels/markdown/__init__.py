"""A model's Markdown: cut into messages, and rewritten for what a platform draws.

A model writes CommonMark with GitHub's tables, and TeX. ``Dialect`` says what one platform makes of it,
``Rendering`` rewrites a text that grows, ``cut`` splits what is too long for one message, of which
``steady`` tells in time what to show.
"""

from channels.markdown.cut import SMALLEST_LIMIT, cut, steady
from channels.markdown.dialect import Dialect
from channels.markdown.rendering import Rendering, bare, render

__all__ = ["SMALLEST_LIMIT", "Dialect", "Rendering", "bare", "cut", "render", "steady"]
