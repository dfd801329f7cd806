"""Long texts with all of Markdown in them, in which every word has a number."""

from __future__ import annotations

import itertools
import re

_CHAPTER = """\
## Chapter W

Some W **words W of** weight W, a [link W](https://example.com/W), `code W` and *W*.
一段中文W，**重点：**W很长的一句话没有空格W。
More W of it, 👩‍👩‍👧‍👦 W, 🇩🇪 W and a formula $x_W^2 + y$ W.

- one W
    - two W with `W`
        - three W
- [ ] a task W
- [x] done W

1. first W
2. second W

> A quote W
> goes on W

| Name | Value |
|---|---|
| W | 1 |
| **W** | `W` |
| 中文W | a\\|b W |

```python
def function_W(x):
    return W
```

$$
E = m_W c^2
$$

A last W paragraph W, ~~not W~~ for W sure.

---

"""
_WORD = re.compile(r"w\d+w")


def manuscript(characters: int, first: int = 0) -> str:
    """At least so many characters, whole chapters, whose words are numbered from ``first`` on."""
    numbers = itertools.count(first)
    chapters: list[str] = []
    length = 0
    while length < characters:
        chapters.append(re.sub("W", lambda _: f"w{next(numbers)}w", _CHAPTER))
        length += len(chapters[-1])
    return "".join(chapters)


def words(text: str) -> list[str]:
    return _WORD.findall(text)
