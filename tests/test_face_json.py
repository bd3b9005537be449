# SPDX-License-Identifier: BSD-2-Clause
"""What ``--json`` prints: what ``docs/json.md`` says, and nothing else; and tables that do not break what is copied."""

import io
import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from erbium import doctor
from erbium.checkpoint import Checkpoint
from erbium.commands import common
from erbium.fpga import driver_open
from erbium.fpga.boards import BOARDS, board
from erbium.fpga.planner import plan
from erbium.gen.presets import PRESETS, preset
from erbium.sw_model import datasets
from erbium.tables import PlainTable
from erbium.train import Evaluating, Trainer
from erbium.verif.model_board import ModelBoard

TINY = preset("tiny").network
ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "json.md").read_text()


def names_in(command):
    """Return the names that the page gives for a command."""
    (line,) = re.findall(rf"^\| `{re.escape(command)}` \| (.*) \|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`([a-z_]+)`", line))


def keys_of(value):
    """Return all names in an object, but not those of a network's counters and populations."""
    if isinstance(value, dict):
        inner = [keys_of(each) for name, each in value.items() if name not in ("counters", "silent")]
        return set(value).union(*inner)
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("words", ["presets", "boards", "plan BOARD", "doctor"])
def test_the_page_has_every_name(run, words):
    _, out, _ = run(f"{words.replace('BOARD', 'icebreaker tiny')} --json")
    stated = names_in(f"erbium {words} --json") - {"required", "optional"}
    assert keys_of(json.loads(out)) == stated


def test_presets(run):
    code, out, err = run("presets --json")
    assert (code, err) == (0, "")
    found = {each["name"]: each for each in json.loads(out)["presets"]}
    assert list(found) == list(PRESETS)
    assert found["tiny"]["shape"] == list(PRESETS["tiny"].network.shape)
    assert found["tiny"]["digest"] == PRESETS["tiny"].network.digest


def test_boards(run):
    code, out, err = run("boards --json")
    assert (code, err) == (0, "")
    assert [each["name"] for each in json.loads(out)["boards"]] == list(BOARDS)
    assert json.loads(out)["boards"][0]["clock"] == 80_000_000


def test_plans(run):
    code, out, err = run("plan ulx3s-85f --json")
    assert (code, err) == (0, "")
    plans = {each["network"]: each for each in json.loads(out)["plans"]}
    assert list(plans) == list(PRESETS)
    expected = plan(board("ulx3s-85f"), PRESETS["erbp-digits"].network)
    assert [need["need"] for need in plans["erbp-digits"]["needs"]] == [need.need for need in expected.needs]
    assert [each["takes"] for each in plans["erbp-digits"]["memories"]] == [
        use.count for use in expected.memories
    ]


def test_a_plan_that_does_not_fit_is_json_all_the_same(run):
    code, out, err = run("plan ulx3s-25f erbp-mnist-500 --lanes 16 --json")
    assert code == 2
    assert json.loads(out)["plans"][0]["fits"] is False
    assert err.startswith("erbium: erbp-mnist-500 with 16 lanes needs")
    code, out, err = run("plan ulx4s --json")
    assert (code, out) == (2, "")


@pytest.mark.parametrize("found", [True, False])
def test_doctor(run, monkeypatch, found):
    rows = [doctor.Row("Verilator", "simulates the chip", "required", found, "5.036", "/x", "get it")]
    monkeypatch.setattr(doctor, "report", lambda: rows)
    code, out, err = run("doctor --json")
    assert (code, err) == (int(not found), "")
    assert json.loads(out)["ok"] is found
    assert json.loads(out)["tools"][0]["version"] == "5.036"


def test_a_run_that_trains(run):
    code, out, err = run("train tiny --images 300 --report page.html --json")
    assert code == 0
    found = json.loads(out)
    assert keys_of(found) == names_in("erbium train --json")
    saved = Checkpoint.load(Path("tiny.npz"))
    assert found["digest"] == saved.network.digest
    assert (found["position"], found["total"], found["finished"]) == (300, 300, True)
    assert (found["checkpoint"], found["report"]) == ("tiny.npz", "page.html")
    assert found["counters"]["samples"] == 300
    assert [each["wrong"] for each in found["curve"]] == [point.n_wrong for point in saved.curve]
    # People are told the same on stderr.
    assert f"test error {100 * found['test']['error']:.2f} % of {found['test']['images']:,}" in err
    assert "images learned" in err
    tested = json.loads(run("eval tiny.npz --json")[1])
    assert {name: tested[name] for name in found["test"]} == found["test"]


def test_a_run_that_is_stopped(run, monkeypatch):
    code, out, err = run("train tiny --images 300 --stop-after 100 --json")
    found = json.loads(out)
    assert (code, found["position"], found["finished"], found["test"]) == (0, 100, False, None)
    assert "to carry on: erbium train --checkpoint tiny.npz --resume" in err

    def learn(trainer, until=None):
        os.kill(os.getpid(), signal.SIGINT)
        yield from ()
        yield Evaluating(1, 2)

    monkeypatch.setattr(Trainer, "run", learn)
    code, out, err = run("train --checkpoint tiny.npz --resume --json")
    assert (code, json.loads(out)["position"]) == (130, 100)
    assert "Stopped after 100 of 300 images" in err


def test_no_answer_is_null(run):
    layers = tuple(
        replace(layer, program=replace(layer.program, threshold=layer.program.upper[0]))
        for layer in TINY.layers
    )
    Path("dead.json").write_text(replace(TINY, layers=layers).to_json())
    code, out, _ = run("train dead.json --data tiny-digits --epochs 1 --json")
    found = json.loads(out)["test"]
    assert (code, found["wrong"], found["error"], found["silent"]["output"]) == (
        1,
        None,
        None,
        found["images"],
    )


def test_a_mistake_prints_no_json(run):
    code, out, err = run("train tiny --images 0 --json")
    assert (code, out) == (2, "")
    assert "--images" in err


@pytest.fixture
def plug(monkeypatch):
    """Put a board at every port."""

    def plug(board):
        monkeypatch.setattr(driver_open, "SerialTransport", lambda port, baud_rate: board)

    return plug


def test_a_run_as_json(run, plug):
    plug(ModelBoard(TINY))
    code, out, err = run("run COM7@9600 tiny --images 60 --test-images 20 --compare --json")
    assert code == 0
    found = json.loads(out)
    assert keys_of(found) == names_in("erbium run --json")
    assert (found["network"], found["digest"], found["position"]) == ("tiny", TINY.digest, 60)
    assert (found["simulated"], found["finished"], found["test"]["images"]) == (False, True, 20)
    comparison = found["comparison"]
    assert comparison["equal"] is True
    assert comparison["weights_equal"] == comparison["weights_compared"] > 0
    assert "bit-exact: " in err
    code, out, _ = run("run COM7@9600 tiny --resume --test-images 0 --json")
    found = json.loads(out)
    assert (code, found["position"], found["test"], found["comparison"]) == (0, 60, None, None)


def test_a_difference_as_json(run, plug):
    class Wrong(ModelBoard):
        def _process(self):
            super()._process()
            weights = self.array.weights
            weights[1][2, 3] += 1
            self.array.load(weights)

    plug(Wrong(TINY))
    code, out, err = run("run COM7@9600 tiny --images 60 --compare --json")
    found = json.loads(out)
    assert (code, found["comparison"]["equal"], found["test"]) == (1, False, None)
    assert found["comparison"]["first_difference"] in err


def test_a_network_that_is_not_there_is_refused_before_data_is_loaded(run, monkeypatch):
    def load(*arguments, **options):
        pytest.fail("data was loaded")

    monkeypatch.setattr(datasets, "load", load)
    code, _, err = run("train nothing")
    assert code == 2
    assert "there is no preset 'nothing'" in err
    code, _, err = run("train")
    assert code == 2
    assert "name a network to train" in err


@pytest.mark.parametrize(
    "words", ["presets", "boards", "plan ulx3s-85f", "plan ulx3s-85f tiny", "show tiny", "doctor"]
)
def test_the_first_column_of_no_table_breaks_at_80_columns(run, monkeypatch, words):
    shown = []
    monkeypatch.setattr(common, "console", lambda: Console(width=80, highlight=False))
    add_row = PlainTable.add_row

    def note(table, *cells, **options):
        shown.append(str(cells[0]))
        add_row(table, *cells, **options)

    monkeypatch.setattr(PlainTable, "add_row", note)
    _, out, _ = run(words)
    starts = [line.strip() for line in out.splitlines()]
    for cell in shown:
        plain = re.sub(r"\[/?[a-z]*\]", "", cell)
        assert any(start.startswith(plain) for start in starts), cell


def test_a_column_as_wide_as_the_terminal():
    text = io.StringIO()
    table = PlainTable("name", "what it is")
    table.add_row("n" * 60, "word " * 30)
    Console(file=text, width=80).print(table)
    assert "n" * 60 in text.getvalue()


def test_every_table_is_of_that_kind():
    for path in (ROOT / "erbium").rglob("*.py"):
        if path.name != "tables.py":
            assert not re.search(r"(?<!Plain)\bTable\(", path.read_text()), path
