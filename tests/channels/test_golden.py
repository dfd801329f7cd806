"""What each platform is sent for a text, read beside it in ``golden/``."""

from __future__ import annotations

import pytest

from tests.channels.golden.cases import FOLDER, PLATFORMS, expected_file, names, text_of, visible


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", names())
def test_a_text_is_rendered_as_expected(name: str, platform: str) -> None:
    expected = expected_file(name, platform).read_text(encoding="utf-8")
    assert visible(PLATFORMS[platform](text_of(name))) == expected


def test_no_expected_file_is_left_over() -> None:
    wanted = {expected_file(name, platform) for name in names() for platform in PLATFORMS}
    assert set(FOLDER.glob("*.*.md")) == wanted
