# SPDX-License-Identifier: BSD-2-Clause
"""``erbium verify --random``: a fault is found, shrunk, written down, and found again by the printed command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erbium.sw_model.description.codec import to_json
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.network import Hardware
from erbium.verif import random_graphs
from erbium.verif.graphs import recurrent

Run = Callable[[str], tuple[int, str, str]]

FAULT = ("neuron_unit", "rest - 1", "rest")
"""A neuron rests for ever."""


def rests_for_ever(graph: Graph, hardware: Hardware, **more: Any) -> str:
    """Compare a graph with itself and the fault, as hardware with it would differ, without building that."""
    broken = replace(
        graph,
        populations=tuple(
            replace(one, program=replace(one.program, refractory=one.program.refractory and 99))
            for one in graph.populations
        ),
    )
    draw = np.random.default_rng(graph.seed)
    images = draw.integers(0, 256, (4, graph.n_pixels)).astype(np.uint8)
    seeds = draw.integers(0, 1 << 32, 4, dtype=np.uint32)
    found = []
    for each in (graph, broken):
        model = GraphModel(each)
        model.run(images, seeds)
        found.append(model.counters())
    return "" if found[0] == found[1] else f"counters (reference, hardware): {found}"


@pytest.mark.slow
@pytest.mark.verilator
def test_a_fault_is_found_shrunk_and_repeated(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(random_graphs, "compare", rests_for_ever)
        code, out, _ = run("verify --random 60 --seed 3")
    assert code == 1
    assert "counters (reference, hardware): " in out
    path = Path("random-3.json")
    assert f"found with --random 60 --seed 3, shrunk to what {path} holds" in out
    assert out.rstrip().endswith(f"repeat it with: erbium verify --example {path}")
    graph, hardware = random_graphs.load_example(path)
    # As small as such a network can be: one population that rests, on one lane.
    assert hardware.lanes == 1
    assert len(graph.populations) <= 3
    assert any(population.program.refractory for population in graph.populations)
    code, out, _ = run(f"verify --example {path}")
    assert (code, out) == (0, f"{path}: hardware and reference are equal\n")
    plants = (
        f"from erbium.verif.planted import Fault, plant; plant(Fault{FAULT}); from erbium.cli import main; "
        f"main(['verify', '--example', '{path}'])"
    )
    done = subprocess.run([sys.executable, "-c", plants], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "hardware" in done.stdout


def test_an_example_comes_back_as_it_was(tmp_path: Path) -> None:
    graph, hardware = recurrent(), Hardware(lanes=3, layer_memories=("ecp5", "ecp5"))
    random_graphs.save_example(tmp_path / "one.json", graph, hardware)
    again, built = random_graphs.load_example(tmp_path / "one.json")
    assert (to_json(again), built) == (to_json(graph), hardware)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no example of 'erbium verify --random'"),
        ('{"format": "x"}', "its format is 'x'"),
        (json.dumps({"format": "erbium-example", "hardware": {"lanes": 0}, "graph": {}}), "is no example"),
    ],
)
def test_a_file_that_is_no_example_is_refused(run: Run, text: str, says: str) -> None:
    Path("bad.json").write_text(text)
    code, _, err = run("verify --example bad.json")
    assert code == 2
    assert "bad.json" in err
    assert says in err


def test_options_that_exclude_each_other(run: Run) -> None:
    for options in ("--random 2 --example x.json", "Fork --random 2", "Fork --example x.json"):
        code, _, err = run(f"verify {options}")
        assert code == 2
        assert "--random" in err or "--example" in err
    code, _, err = run("verify --example missing.json")
    assert code == 2
    assert "missing.json" in err
