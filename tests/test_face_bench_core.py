# SPDX-License-Identifier: BSD-2-Clause
"""The bench of the core: its tasks are learned, and are not without learning."""

import json
from pathlib import Path

import numpy as np
import pytest

from erbium.bench import core
from erbium.bench.core import bandit, winner, xor, yin_yang
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.codec import from_json, to_json
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.graph_model.drive import Drive


def test_the_tasks_are_learned_and_are_not_without_learning(run, monkeypatch):
    monkeypatch.setattr(core, "QUICK_SEEDS", 1)
    # The board has a test of its own.
    monkeypatch.setattr(
        core.board, "differing_integers", lambda seed, quick: (0, {}, core.board.Switch(44.0, 8_500))
    )
    assert run("bench core --quick --jobs 1 --json core.json")[0] == 0
    rows = {
        row["id"].removeprefix("core/"): row["value"]
        for row in json.loads(Path("core.json").read_text())["rows"]
    }
    assert rows["gallery/equal-counts"] == 20
    assert rows["xor/solved"] == rows["sequence/solved"] == 1
    assert rows["xor/solved-without-learning"] == rows["sequence/solved-without-learning"] == 0
    assert rows["bandit/worst-block"] > 0.5
    assert 0.4 < rows["bandit/without-learning"] < 0.6
    assert rows["yin-yang/accuracy"] > 0.95
    assert rows["board/switch"] == 1.5
    assert rows["erbp-digits/differing-weights"] == rows["rtl/differing-integers"] == 0
    # The core does one thing after the other; the array works on its layers at once.
    assert 1 < rows["erbp-digits/clocks-factor"] < 2.5
    assert min(rows["lines/first"], rows["lines/adapted"]) > 0.9 > rows["lines/permuted"]
    assert rows["lines/without-depression"] < rows["lines/first"] - 0.3
    assert rows["unlabelled-mnist/accuracy"] > rows["unlabelled-mnist/without-learning"] + 0.1


def test_clocks_of_a_core_that_learns_something_else_are_not_told(run, monkeypatch):
    other = core.rtl.Clocks(20.0, 10.0, 3)
    monkeypatch.setattr(core.rtl, "clocks_beside_array", lambda *_: other)
    code, out, err = run("bench core --quick --only core/erbp-digits/clocks-factor")
    assert code != 0
    assert "the core learned 3 other weights than the model" in err
    assert "clocks-factor" not in out


@pytest.mark.verilator
def test_all_tasks_on_one_simulated_board(run):
    assert run("bench core --quick --only core/board --json board.json")[0] == 0
    rows = {row["id"]: row for row in json.loads(Path("board.json").read_text())["rows"]}
    assert rows["core/board/differing-integers"]["value"] == 0
    tasks = rows["core/board/differing-integers"]["by_task"]
    assert set(tasks) == {"xor", "bandit", "sequence", "lines", "yin-yang", "unlabelled", "erbp"}
    assert all(samples > 0 and clocks > 0 for _, samples, clocks in tasks.values())
    assert 0 < rows["core/board/switch"]["value"] < 10


COMPETITORS = winner.network("few", 30, 6, 3, threshold=400, raised=50)


@pytest.mark.parametrize("network", [xor.network(3), bandit.network(3), COMPETITORS])
def test_the_networks_of_the_tasks_are_the_same_on_the_reference(network):
    network = from_json(to_json(network))
    reference, model = GraphModel(network), CoreModel(network)
    image = np.full(network.n_pixels, 15, dtype=np.uint8)
    for number in range(2):
        drive = Drive(
            learn=True,
            clear=number == 0,
            gains={m.name: -1 if m.name == "reset" else 1 for m in network.modulators if m.source},
            values={m.name: 900 for m in network.modulators if not m.source},
        )
        for chip in (reference, model):
            chip.sample(image, seed=5, drive=drive)
    assert reference.counters() == model.counters()
    assert sum(value for name, value in model.counters().items() if name.endswith("weights_changed")) > 0
    assert all((weights == model.weights[name]).all() for name, weights in reference.weights.items())


def test_points_of_yin_yang():
    assert yin_yang.class_of(0.75, 0.5) == yin_yang.class_of(0.25, 0.5) == 2
    assert yin_yang.class_of(0.5, 0.9) == 1
    assert yin_yang.class_of(0.5, 0.1) == 0
    values, labels = yin_yang.points(300, 1)
    assert np.bincount(labels, minlength=3).min() > 70
    assert np.allclose(values[:, :2] + values[:, 2:], 1)
    images = yin_yang.coded(np.array([[0.0, 1.0, 1.0, 0.0]]))
    assert images.shape == (1, 32)
    assert images[0, 0] == images[0, 15] == 255
