# SPDX-License-Identifier: BSD-2-Clause
"""The documentation site is built without a warning, and its links lead somewhere."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from erbium.verif.registry import COVERED_BY, REGISTRY

ROOT = Path(__file__).parent.parent


class Page(HTMLParser):
    """Anchors of a page, and what it points at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value and tag in ("a", "img", "link", "script", "source"):
                self.targets.add(value)


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-E"]
    return subprocess.run(
        [*command, "-d", str(out / ".doctrees"), str(source), str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


MADE_APART = ("teach/index.html", "gallery.html")
"""The page in which the chip learns, and that of neurons: `make docs` adds them; tests/test_face_page.py opens one, and
tests/test_face_gallery.py makes the other."""


def broken_links(site: Path) -> list[str]:
    """Return the links within a site that lead nowhere, with their pages."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    broken = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or target in MADE_APART:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not there.exists() or (anchor and there in pages and anchor not in pages[there].anchors):
                broken.append(f"{path.relative_to(site.resolve())}: {target}")
    return broken


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    built = build(ROOT / "docs", tmp_path)
    assert (built.returncode, built.stderr) == (0, "")
    assert broken_links(tmp_path) == []
    components = Page(tmp_path / "generated" / "components.html").anchors
    assert {name.lower() for name in (*REGISTRY, *COVERED_BY)} <= components
    missing = (tmp_path / "index.html").read_text().replace('href="boards.html', 'href="bords.html')
    (tmp_path / "index.html").write_text(missing)
    assert broken_links(tmp_path)


MISTAKES = {
    "[nowhere](nowhere.md)": "cross-reference target not found: 'nowhere.md'",
    "[boards](boards.md#no-such-part)": "no-such-part",
    "```{eval-rst}\n:func:`erbium.opn_chip`\n```": "reference target not found: erbium.opn_chip",
    "```{eval-rst}\n.. autoclass:: erbium.hdl.array.ErbiumArry\n```": "ErbiumArry",
}


@pytest.mark.slow
def test_mistakes_fail_the_build(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    configuration = (ROOT / "docs" / "conf.py").read_text()
    configuration = configuration.replace(', "generate"]', "]").replace('["_static"]', "[]")
    (source / "conf.py").write_text(configuration)
    (source / "boards.md").write_text("---\norphan: true\n---\n# Boards\n")
    (source / "index.md").write_text("\n\n".join(["# Index", *MISTAKES]))
    built = build(source, tmp_path / "out")
    assert built.returncode == 1
    assert [says for says in MISTAKES.values() if says not in built.stderr] == []
