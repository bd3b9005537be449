# SPDX-License-Identifier: BSD-2-Clause
"""The picture that README and documentation open with is that of a real run."""

from __future__ import annotations

import html
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "pictures" / "opening.svg"


@pytest.mark.slow
def test_the_picture_is_of_this_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PICTURE.parent.parent))
    opening: Any = importlib.import_module("opening")
    words = re.search(r'aria-label="([^"]*)"', PICTURE.read_text())
    assert words is not None
    assert html.unescape(words[1]) == opening.run().words


def test_it_is_small_and_follows_the_screen() -> None:
    text = PICTURE.read_text()
    assert len(text) < 100_000
    assert "prefers-color-scheme: dark" in text
    assert "docs/pictures/opening.svg" in (ROOT / "README.md").read_text()[:2_000]


@pytest.mark.parametrize("page", ["README.md", "docs/seeing.md"])
def test_code_is_no_wider_than_a_screen_of_1000_pixels(page: str) -> None:
    """GitHub shows about 92 characters of a block there; the site wraps longer lines."""
    lines = (ROOT / page).read_text().splitlines()
    assert [line for line in lines if line.startswith("    ") and len(line) > 96] == []
