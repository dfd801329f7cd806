"""``python -m tests.gallery FILE`` writes the page."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.gallery.page import page

if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(page(), encoding="utf-8")
    print(f"{target}: {target.stat().st_size // 1024} KB")
