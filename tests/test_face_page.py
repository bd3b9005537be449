# SPDX-License-Identifier: BSD-2-Clause
"""``erbium page`` in Chromium: digits are drawn, taught and asked for; all of it is what the model makes of it."""

from __future__ import annotations

import base64
import importlib
import json
import re
import signal
from typing import Any

import numpy as np
import pytest

from erbium import cli
from erbium.bench.page import STROKE
from erbium.gen.presets import preset
from erbium.page import Options, write_page
from erbium.verif.browser import Browser, PageError, find_browser

looks: Any = importlib.import_module("test_face_report_browser")

# Not marked `slow`, which would spread them: neighbours share the page, which takes longer to make than all of them.
pytestmark = pytest.mark.skipif(
    not find_browser(),
    reason="the page was not opened: no Chromium was found; get it with 'sudo apt-get install chromium'",
)

FREE = "!document.getElementById('ask').disabled"
WEIGHTS = "erbium.chip.weights().then(all => all.map(values => [...values]))"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "new"
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught:
        cli.main(["page", "tiny", "-o", str(folder), "--images", "300"])
    signal.signal(signal.SIGTERM, handler)
    assert caught.value.code == 0
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    return folder / "index.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def ready(page, browser):
    """Return the page, opened anew."""
    browser.screen(1400)
    browser.open(page.as_uri())
    browser.wait_for("document.documentElement.dataset.ready")
    browser.wait_for(FREE)
    yield browser
    assert browser.errors == []


def status(browser):
    return browser.run("document.getElementById('status').textContent")


def text(browser, element):
    return browser.run(f"document.getElementById('{element}').textContent")


def test_what_is_drawn_is_learned_as_the_model_learns_it(ready, tmp_path, run):
    before = ready.run(WEIGHTS)
    ready.run(STROKE)
    for _ in range(3):
        ready.run("erbium.teach(1)")
    assert re.match("Learned", status(ready))
    assert ready.run(WEIGHTS) != before
    assert re.fullmatch(r"[\d,]+ clocks, \d+\.\d\d ms on a board at 80 MHz", text(ready, "clocks"))
    seen = ready.run(
        "(({ spikes, membranes, ticks }) => [spikes.map(s => s.length), membranes.length, ticks])(erbium.pictures.seen)"
    )
    assert seen[0][0] > 0
    assert seen[1] == seen[2] > 0
    ready.run("erbium.ask()")
    assert (
        status(ready)
        == f"The chip takes it for a {text(ready, 'answer')}. If that is wrong, tell it: press the right digit."
    )

    # It learns by itself, until it is stopped.
    ready.run("void erbium.watch()")
    ready.wait_for("document.getElementById('score').textContent")
    ready.run("document.getElementById('watch').click()")
    ready.wait_for(FREE)
    assert status(ready) == "Paused. What was learned stays."
    assert int(text(ready, "position").replace(",", "")) > 200
    ready.run("erbium.ask()")

    saved = json.loads(ready.run("erbium.saved()"))
    assert len(saved["steps"]) >= 8
    (tmp_path / "saved.json").write_text(json.dumps(saved))
    code, out, err = run("page tiny --images 300 --check saved.json")
    assert (code, err) == (0, "")
    assert re.fullmatch(
        r"[\d,]+ samples done again by the model: 0 of [\d,]+ answers and 0 of 256 weights differ\n", out
    )

    # One weight, one answer: each is noticed.
    weights = np.frombuffer(base64.b64decode(saved["weights"][0]), dtype="<i2").copy()
    weights[7] += 1
    saved["weights"][0] = base64.b64encode(weights.tobytes()).decode()
    answers = bytearray(base64.b64decode(saved["steps"][0]["answers"]))
    answers[0] ^= 1
    saved["steps"][0]["answers"] = base64.b64encode(answers).decode()
    (tmp_path / "other.json").write_text(json.dumps(saved))
    code, out, _ = run("page tiny --images 300 --check other.json")
    assert code == 1
    assert ": 1 of " in out
    assert " and 1 of 256 weights differ" in out


def test_the_page_compares_itself_with_the_model(ready):
    found = ready.run("erbium.compare()")
    assert (found["images"], found["answers"], found["weights"], found["compared"]) == (300, 0, 0, 256)
    assert text(ready, "verdict") == "Equal: 300 answers and 256 weights, every one."
    # One image fewer, and it is not what the model has: the comparison does compare.
    found = ready.run("erbium.compare(299)")
    assert found["weights"] > 0
    assert re.match(r"Not equal: 0 answers and [1-9]\d* weights differ", text(ready, "verdict"))


def test_the_page_goes_by_keys(ready):
    ready.run("document.getElementById('board').focus()")
    ready.press(" ")
    for _ in range(8):
        ready.press("ArrowDown")
    ready.press(" ")
    ready.press("2")
    ready.wait_for("erbium.chip.position === 1")
    ready.wait_for(FREE)
    assert re.match("Learned.* 2|Learned once", status(ready))
    ready.press("Enter")
    ready.wait_for("document.getElementById('status').textContent.startsWith('The chip takes it')")
    # Everything that can be pressed can be reached.
    assert ready.run("[...document.querySelectorAll('button, input, #board')].every(e => e.tabIndex >= 0)")
    ready.press("Delete")
    ready.run("erbium.ask()")
    assert status(ready) == "There is nothing to see yet: draw something first."


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_can_be_read(ready, width, dark):
    ready.screen(width, dark=dark, phone=width == 390)
    ready.run(STROKE)
    ready.run("erbium.teach(1)")
    ready.run(looks.LOOK)
    found = ready.run("look(window)")
    assert (found["width"], found["dark"]) == (width, dark)
    assert (found["paper"] < 0.05) == dark
    assert found["scroll"] <= width
    assert found["texts"] > 40
    assert (found["overflow"], found["contrast"], found["small"]) == ([], [], [])


def test_what_was_saved_is_loaded(ready):
    ready.run(STROKE)
    ready.run("erbium.teach(1)")
    weights, saved = ready.run(WEIGHTS), ready.run("erbium.saved()")
    ready.run("erbium.begin('trained')")
    assert ready.run(WEIGHTS) != weights
    assert ready.run("erbium.chip.position") >= 40_000
    ready.run(f"erbium.begin(erbium.startIn({json.dumps(saved)}))")
    assert ready.run(WEIGHTS) == weights
    assert ready.run("erbium.chip.position") == 1
    for wrong, words in (
        ("no JSON", "was not saved by such a page"),
        (json.dumps(json.loads(saved) | {"digest": "0", "preset": "other"}), "is of the network other"),
        (json.dumps(json.loads(saved) | {"weights": []}), "is damaged"),
        (json.dumps(json.loads(saved) | {"weights": ["?", "?"]}), "is damaged"),
        (json.dumps(json.loads(saved) | {"position": -1}), "is damaged"),
    ):
        with pytest.raises(PageError, match=words):
            ready.run(f"erbium.startIn({json.dumps(wrong)})")
    assert ready.run(WEIGHTS) == weights


def test_a_worker_that_dies_loses_nothing(ready):
    ready.run(STROKE)
    ready.run("erbium.teach(1)")
    ready.run("erbium.begin('trained')")
    ready.run("erbium.teach(3)")
    ready.run("erbium.chip.study(70, false)")
    ready.run("erbium.teach(2)")
    weights, position = ready.run(WEIGHTS), ready.run("erbium.chip.position")
    died = "new ErrorEvent('error', { message: 'out of memory', cancelable: true })"
    ready.run(f"erbium.chip.thread.worker.dispatchEvent({died})")
    ready.run("erbium.ask()")
    assert (
        status(ready)
        == "The chip's thread had ended. A new one has repeated all that was learned; do the last step again."
    )
    assert ready.run(WEIGHTS) == weights
    assert ready.run("erbium.chip.position") == position
    # So it is with one that stops in the middle of its work.
    ready.run("erbium.chip.thread.call('run', { chip: 'nobody' }).catch(() => 0)")
    ready.run("erbium.ask()")
    assert ready.run(WEIGHTS) == weights


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("WebAssembly", "runs no WebAssembly"),
        ("DecompressionStream", "cannot unpack"),
        ("Worker", "no thread"),
    ],
)
def test_a_browser_that_lacks_something_is_told(page, browser, missing, words):
    script = browser.send("Page.addScriptToEvaluateOnNewDocument", source=f"delete window.{missing}")
    try:
        browser.open(page.as_uri())
        browser.wait_for(f"document.getElementById('status').textContent.includes({json.dumps(words)})")
    finally:
        browser.send("Page.removeScriptToEvaluateOnNewDocument", **script)
    assert "open the page in a newer" in status(browser)
    assert browser.run("[...document.querySelectorAll('[data-works]')].every(e => e.disabled)")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    chosen = [preset("tiny"), preset("first-spike-tiny")]
    return write_page(chosen, folder, Options(images=300, check=100))


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1400, False)])
def test_one_drawing_is_taught_to_two_chips(both, browser, tmp_path, run, width, dark):
    browser.screen(width, dark=dark, phone=width == 390)
    browser.open(both.as_uri())
    browser.wait_for("document.documentElement.dataset.ready")
    browser.wait_for(FREE)
    browser.run(STROKE)
    browser.press("3")
    browser.wait_for("erbium.learners.every(one => one.chip.steps.length === 2)")
    browser.wait_for(FREE)
    browser.run("erbium.learners[1].chip.study(60, false)")
    browser.run("erbium.ask()")
    for name, learner, element in (
        ("tiny", "learners[0]", "status"),
        ("first-spike-tiny", "learners[1]", "2-status"),
    ):
        assert browser.run(f"erbium.{learner}.facts.preset") == name
        assert text(browser, element).startswith("The chip takes it for a")
        (tmp_path / f"{name}.json").write_text(browser.run(f"erbium.{learner}.saved()"))
        code, out, err = run(f"page {name} --images 300 --check {name}.json")
        assert (code, err) == (0, "")
        assert re.match(
            r"(3|63) samples done again by the model: 0 of \1 answers and 0 of \d+ weights differ", out
        )
        found = browser.run(f"erbium.{learner}.compare()")
        assert (found["images"], found["answers"], found["weights"]) == (100, 0, 0)
    # What both have alike is in the page once, and each element has a name of its own.
    assert browser.run("erbium.learners.map(one => one.facts.parts.images)") == ["part-3", "part-3"]
    assert browser.run(
        "(all => all.length === new Set(all).size)([...document.querySelectorAll('[id]')].map(e => e.id))"
    )
    browser.run(looks.LOOK)
    found = browser.run("look(window)")
    assert found["scroll"] <= width
    assert found["texts"] > 60
    assert (found["overflow"], found["contrast"], found["small"]) == ([], [], [])
    assert browser.errors == []


def test_a_browser_without_web_serial_is_told(page, browser):
    script = browser.send("Page.addScriptToEvaluateOnNewDocument", source="delete Navigator.prototype.serial")
    try:
        browser.open(page.as_uri())
        browser.wait_for("document.documentElement.dataset.ready")
    finally:
        browser.send("Page.removeScriptToEvaluateOnNewDocument", **script)
    assert text(browser, "desk-verdict") == (
        "This browser has no Web Serial, over which a page reaches a board: open the page in Chrome or Edge on a "
        'computer, or type "erbium page tiny --serve 8000 --board auto".'
    )
    assert browser.run("document.getElementById('connect').checkVisibility()") is False


def test_mistakes_are_sentences(run, page, tmp_path):
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "other.json").write_text(
        json.dumps({"format": "erbium-page", "version": 1, "digest": "0", "start": "fresh"})
    )
    digest = "2e1b37e7b70e8d11"
    damaged = {"format": "erbium-page", "version": 1, "digest": digest, "start": "fresh", "steps": [{}]}
    (tmp_path / "damaged.json").write_text(json.dumps(damaged))
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "index.html").write_text("mine")
    for line, words in (
        ("page tiny", "a page is written with -o DIR or shown with --serve PORT"),
        ("page nothing -o new", "there is no preset 'nothing'"),
        ("page tiny -o there", "--overwrite"),
        ("page tiny -o new --images 0", "images is 0"),
        ("page tiny -o new --clock 0", "clock is 0.0 MHz"),
        ("page tiny -o new --lanes 0", "lanes is 0"),
        ("page erbp-mnist-100 -o new --data digits", "takes 784"),
        ("page tiny --check none.json", "none.json"),
        ("page tiny erbp-digits -o new", "have 16 and 4, 64 and 10 inputs and classes"),
        ("page tiny tiny -o new", "name different ones"),
        ("page tiny first-spike-tiny erbp-digits -o new", "at most 2 side by side"),
        ("page tiny --check empty.json", "is nothing that a page has saved"),
        ("page tiny --check other.json", "name the preset of its page"),
        ("page tiny --check damaged.json", "is damaged"),
    ):
        code, out, err = run(line)
        assert (code, out) == (2, ""), line
        assert words in err
        assert err.count("\n") == 1
    assert (tmp_path / "there" / "index.html").read_text() == "mine"
    assert not (tmp_path / "new").exists()
