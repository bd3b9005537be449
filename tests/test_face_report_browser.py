# SPDX-License-Identifier: BSD-2-Clause
"""The HTML report in Chromium, as wide as a desk's screen and a phone's, light and dark: all of it can be read.

The page stands in a frame of the width that is asked for: media queries ask the frame. Chromium's own window
cannot be as narrow as a phone, and no more than the browser itself is needed for this.
"""

from __future__ import annotations

import html
import importlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from erbium.report import render
from erbium.verif.browser import find_browser

reports: Any = importlib.import_module("test_face_report")

WIDTHS = {"desktop": 1280, "phone": 390}
SCHEMES = {"dark": 0, "light": 1}
"""Numbers of Blink's setting ``preferredColorScheme``."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=3000",
)

LOOK = """
function luminance([r, g, b]) {
  const [x, y, z] = [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
  return .2126 * x + .7152 * y + .0722 * z;
}
function channels(colour) {
  const numbers = colour.match(/[\\d.]+/g).map(Number);
  const scale = colour.startsWith('color(') ? 255 : 1;
  return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale, numbers[3] ?? 1];
}
function over(top, below) { return [0, 1, 2].map(k => top[k] * top[3] + below[k] * (1 - top[3])); }
function behind(view, element) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) layers.push(channels(view.getComputedStyle(e).backgroundColor));
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
}
function look(view) {
  const page = view.document, found = {overflow: [], contrast: [], small: [], texts: 0};
  const width = page.documentElement.clientWidth;
  found.width = width;
  found.scroll = page.documentElement.scrollWidth;
  found.dark = view.matchMedia('(prefers-color-scheme: dark)').matches;
  found.paper = luminance(behind(view, page.body));
  for (const e of page.querySelectorAll('body *')) {
    const box = e.getBoundingClientRect(), style = view.getComputedStyle(e);
    const kind = e.tagName.toLowerCase() + '.' + (e.getAttribute('class') ?? '');
    const name = kind + ': ' + e.textContent.trim().slice(0, 30);
    if (!box.width || style.visibility === 'hidden') continue;
    if ((box.right > width + 1 || box.left < -1) && !e.closest('.scroll, pre')) found.overflow.push(name);
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const drawn = e.closest('svg');
    const ink = channels(drawn ? style.fill : style.color), ground = behind(view, drawn ?? e);
    const [a, b] = [luminance(over(ink, ground)), luminance(ground)].sort((x, y) => y - x);
    found.texts += 1;
    if ((a + .05) / (b + .05) < 4.5) found.contrast.push(name + ' ' + ((a + .05) / (b + .05)).toFixed(2));
    const zoom = drawn ? drawn.getBoundingClientRect().width / drawn.viewBox.baseVal.width : 1;
    if (parseFloat(style.fontSize) * zoom < 8) found.small.push(name);
  }
  return found;
}
function press(view, key) {
  const event = new view.KeyboardEvent('keydown', {key, bubbles: true, cancelable: true});
  view.document.body.dispatchEvent(event);
  return [parseFloat(view.getComputedStyle(view.document.documentElement).fontSize), view.scrollY];
}
function project(view) {
  const button = view.document.querySelector('.projector-button');
  const steps = ['x', 'f', 'ArrowRight', 'ArrowRight', 'ArrowLeft', 'Escape'].map(key => press(view, key));
  const hidden = button.hidden;
  button.click();
  return [...steps, [...press(view, 'x'), button.getAttribute('aria-pressed'), hidden]];
}
onload = () => {
  const out = {};
  for (const frame of document.querySelectorAll('iframe')) {
    out[frame.name] = look(frame.contentWindow);
    out[frame.name].projector = frame.contentDocument.querySelector('.projector-button')
      ? project(frame.contentWindow) : [];
  }
  document.getElementById('found').textContent = JSON.stringify(out);
};
"""


@dataclass(frozen=True)
class Look:
    """A page as a browser laid it out.

    Attributes
    ----------
    width, scroll : int
        Width of the screen and of the page, in pixels.
    dark : bool
        Whether the browser prefers dark pages.
    paper : float
        Luminance of the page's ground, 0 ... 1.
    texts : int
        Elements that hold text.
    overflow, contrast, small : list of str
        Elements that stick out of the screen; text on a ground too like it (WCAG: 4.5 to 1); text below 8 pixels.
    projector : list
        Size of the type and place on the page after each key, see ``project`` above; then, after a click, also whether
        the button says so, and whether it was hidden.
    """

    width: int
    scroll: int
    dark: bool
    paper: float
    texts: int
    overflow: list[str]
    contrast: list[str]
    small: list[str]
    projector: list[list[Any]]


def looks(browser: str, page: str, scheme: str, folder: Path) -> dict[str, Look]:
    """Return how a page looks on each of :data:`WIDTHS`, in a colour scheme."""
    frames = "".join(
        f'<iframe name="{name}" width="{width}" height="900" style="border: 0" srcdoc="{html.escape(page)}"></iframe>'
        for name, width in WIDTHS.items()
    )
    outer = folder / f"{scheme}.html"
    outer.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><script>{LOOK}</script>{frames}<output id="found"></output>',
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            browser,
            *FLAGS,
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            f"--user-data-dir={folder / scheme}",
            "--dump-dom",
            outer.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    said = re.search(r'<output id="found">(.*?)</output>', done.stdout, re.DOTALL)
    assert said, f"{browser} gave no answer: {done.stderr[-500:]}"
    return {name: Look(**found) for name, found in json.loads(html.unescape(said[1])).items()}


BROWSER = find_browser() or ""

pytestmark = pytest.mark.skipif(
    not BROWSER,
    reason="the report was not looked at: no Chromium was found; get it with 'sudo apt-get install chromium'",
)

RECORDS = {
    "erbp": lambda: reports.make_record(hidden=(40, 30), n_classes=10, size=(8, 8)),
    "first-spike": lambda: reports.make_first_spike_record(hidden=(40,), n_classes=10, size=(8, 8)),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("learner", RECORDS)
def test_the_report_can_be_read(learner, scheme, tmp_path):
    found = looks(BROWSER, render(RECORDS[learner]()), scheme, tmp_path)
    assert {name: look.width for name, look in found.items()} == WIDTHS
    for name, look in found.items():
        assert look.dark == (scheme == "dark")
        assert (look.paper < 0.05) == look.dark, f"the ground on a {name} does not follow the scheme"
        assert look.texts > 200
        assert look.scroll <= look.width, f"the page is wider than a {name}: {look.overflow}"
        assert (look.overflow, look.contrast, look.small) == ([], [], [])


def test_the_full_screen_has_large_type_and_goes_by_keys(tmp_path):
    found = looks(BROWSER, render(RECORDS["erbp"]()), "light", tmp_path)["desktop"].projector
    idle, begun, first, second, back, ended, clicked = found
    assert idle == [16, 0]
    assert begun[0] > 1.3 * idle[0]
    assert begun[1] < first[1] < second[1]
    assert back[1] == first[1]
    assert ended[0] == idle[0]
    assert clicked[0] == begun[0]
    assert clicked[2:] == ["true", False]


def test_faults_are_seen(tmp_path):
    page = render(reports.make_record())
    page = page.replace("--muted: #635d6b", "--muted: #cccccc")
    page = page.replace("<main>", '<main><p style="width: 900px; font-size: 5px">wide</p>')
    found = looks(BROWSER, page, "light", tmp_path)
    assert found["phone"].overflow
    assert found["phone"].scroll > found["phone"].width
    assert found["desktop"].overflow == []
    assert found["desktop"].contrast
    assert found["desktop"].small
