# SPDX-License-Identifier: BSD-2-Clause
"""``erbium run`` on a board with a core: presets and graphs, one after the other, and what cannot be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from erbium.bench.core import xor
from erbium.fpga import driver_open, simulated
from erbium.fpga.core_board import BoardCore
from erbium.fpga.driver_open import Target
from erbium.fpga.simulated import simulated_core
from erbium.fpga.simulated_line import SimulatedLine
from erbium.gen.presets import preset
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.codec import digest, to_json
from erbium.sw_model.description.graph import Graph
from erbium.verif.core_library import SMALL
from erbium.verif.machines import rewarded
from erbium.verif.model_board import ModelBoard

Run = Callable[[str], tuple[int, str, str]]

pytestmark = pytest.mark.verilator


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> SimulatedLine:
    """A small core, which stays while one command after the other opens it, simulated or at a port."""
    line = simulated_core(SMALL, clock_frequency=8_000_000, baud_rate=2_000_000, buffer_bytes=256)
    monkeypatch.setattr(line, "close", lambda: None)
    monkeypatch.setattr(simulated, "simulated_core_board", lambda name: line)
    monkeypatch.setattr(driver_open, "SerialTransport", lambda port, baud_rate: line)
    return line


def test_presets_and_graphs_follow_each_other(run: Run, board: SimulatedLine) -> None:
    code, out, error = run("run sim:ulx3s-85f:core tiny --images 20 --test-images 5")
    assert code == 0, error
    assert "bit-exact" in out
    Path("xor.json").write_text(to_json(xor.network(1)))
    code, out, error = run("run /dev/ttyUSB0@2000000 xor.json --images 2 --json")
    assert code == 0, error
    facts = json.loads(out)
    assert facts["differing"] == 0
    assert facts["digest"] == digest(xor.network(1))
    assert facts["spikes"]["hidden"] > 0
    # A layered network at a port: what answers is a core, and gets it.
    code, out, error = run("run /dev/ttyUSB0@2000000 tiny --images 10 --test-images 0 --compare --overwrite")
    assert code == 0, error
    assert "bit-exact" in out
    Path("machine.json").write_text(to_json(rewarded(30)))
    code, out, error = run("run sim:ulx3s-85f:core machine.json --images 3")
    assert code == 0, error
    assert "no integer differs from the model's" in out


def test_a_weight_that_is_another_is_told(
    run: Run, board: SimulatedLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_graph = BoardCore.load_graph

    def with_another_weight(self: BoardCore, graph: Graph) -> None:
        load_graph(self, graph)
        name, weights = next(iter(self.weights.items()))
        weights[0, 0] += 1 if weights[0, 0] < 0 else -1
        self.load({name: weights})

    monkeypatch.setattr(BoardCore, "load_graph", with_another_weight)
    Path("xor.json").write_text(to_json(xor.network(1)))
    code, out, _ = run("run sim:ulx3s-85f:core xor.json --images 1")
    assert code == 1
    assert re.search(r"^\d+ integers differ: answers, spikes, weights and counters$", out, re.MULTILINE)


def test_what_cannot_be_is_said_in_a_sentence(run: Run, board: SimulatedLine) -> None:
    kept = BoardCore(board, xor.network(1)).digest
    Path("machine.json").write_text(to_json(rewarded(30)))
    large = chain(preset("erbp-mnist-500").network)
    Path("large.json").write_text(to_json(replace(large, name="large")))
    Path("older.json").write_text(to_json(rewarded(30)).replace('"version": 2', '"version": 9'))
    for line, says in (
        ("run sim:ulx3s-85f:core large.json", "'large' does not fit this core: it takes"),
        ("run sim:ulx3s-85f:core first-spike-tiny", "the core does not have the readout FirstSpike"),
        (
            "run sim:ulx3s-85f:core machine.json --resume",
            "a graph runs on random samples; leave --resume out",
        ),
        ("run sim:ulx3s-85f:core machine.json --images 0", "--images is 0; it must be from 1"),
        ("run sim:ulx3s-85f:core older.json", "older.json: "),
        ("run sim:nowhere:core machine.json", "there is no board 'nowhere'"),
    ):
        code, _, error = run(line)
        assert code == 2, (line, error)
        assert says in error, (line, error)
        assert "Traceback" not in error
    assert BoardCore(board).digest == kept


def test_a_graph_on_a_board_with_an_array(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        driver_open, "SerialTransport", lambda port, baud_rate: ModelBoard(preset("tiny").network)
    )
    Path("machine.json").write_text(to_json(rewarded(30)))
    code, _, error = run("run /dev/ttyUSB0@2000000 machine.json")
    assert code == 2
    assert (
        "holds the array of one network and no core, which takes any; load the bitstream of a core" in error
    )


def test_a_core_is_named_with_its_board() -> None:
    assert Target.of("sim:ulx3s-85f:core") == Target("ulx3s-85f", True, core=True)
