# SPDX-License-Identifier: BSD-2-Clause
"""What the tests read in the pages of docs/: tables and blocks of code."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def table(name: str, mark: str) -> list[list[str]]:
    """Return the rows of a table between two comments, without its heading; cells without backquotes."""
    match = re.search(rf"<!-- {mark} -->\n(.*?)<!-- end -->", page(name), re.DOTALL)
    if match is None:
        raise LookupError(f"docs/{name}.md has no table marked {mark!r}")
    lines = match[1].strip().splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("| ").split(" | ")] for line in lines]


def blocks(name: str, language: str) -> list[str]:
    """Return the blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.DOTALL | re.MULTILINE)


def names(name: str) -> dict[str, object]:
    """Return what the Python of a page defines."""
    found: dict[str, object] = {}
    for code in blocks(name, "python"):
        exec(compile(code, f"docs/{name}.md", "exec"), found)
    return found
