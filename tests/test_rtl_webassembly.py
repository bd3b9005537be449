# SPDX-License-Identifier: BSD-2-Clause
"""The hardware as WebAssembly, without a browser: every weight, counter, answer, spike and membrane is the model's."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

import erbium
from erbium.silence import population_names
from erbium.sw_model import constants, datasets
from erbium.sw_model.network import Hardware
from erbium.verif import webassembly
from erbium.verif.simulators import ToolError
from erbium.verif.watched import LOG_KINDS, watched_taps
from erbium.verif.webassembly_run import WebAssemblyArray

N_LEARNED, N_ASKED = 60, 10


def read_log(network, log):
    """Return spikes by population as pairs of tick and neuron, and the output membranes by tick."""
    names = population_names(network)
    spikes: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
    tick = dict.fromkeys(names, 0)
    membranes: list[list[int]] = [[]]
    ended: set[str] = set()
    for entry in log.tolist():
        kind, name = LOG_KINDS[entry & 7], names[entry >> 3 & 31]
        value = entry >> 8
        if name in ended:
            continue
        if kind == "spike":
            spikes[name].append((tick[name], value))
        elif kind == "membrane":
            membranes[-1].append(value - (value >> 15 << 16))
        elif kind == "end":
            ended.add(name)
        elif kind == "tick":
            tick[name] += 1
            if name == "output":
                membranes.append([])
    assert ended == set(names)
    assert not membranes.pop()
    return spikes, np.array(membranes)


# Lanes that do not divide the neurons of either layer, so that last words are partly filled.
@pytest.mark.slow
@pytest.mark.parametrize(("name", "lanes"), [("tiny", 64), ("first-spike-tiny", 5)])
def test_the_array_in_webassembly_is_the_model(name, lanes):
    network = erbium.preset(name).network
    data = datasets.load("tiny-digits")
    images, labels = data.train.images.reshape(-1, 16)[:N_LEARNED], data.train.labels[:N_LEARNED]
    asked = data.test.images.reshape(-1, 16)[:N_ASKED]
    array, model = WebAssemblyArray(network, Hardware(lanes=lanes)), erbium.open_chip(network)

    found = array.run(images, constants.sample_seeds(network.seed, True, 0, N_LEARNED), labels)
    expected = model.learn(images, labels)
    assert found.answers.tolist() == expected.answers.tolist()
    assert found.ticks_to_decision.tolist() == expected.ticks_to_decision.tolist()
    found = array.run(asked, constants.sample_seeds(network.seed, False, 0, N_ASKED))
    assert found.answers.tolist() == model.infer(asked).answers.tolist()
    assert [values.tolist() for values in array.weights] == [values.tolist() for values in model.weights]
    counters = array.counters()
    assert counters.pop("cycles") > N_LEARNED
    assert {key: counters[key] for key in model.counters} == model.counters
    assert model.counters["layer1_weights_changed"] > 0

    for label in (None, 2):
        sample = model.trace(asked[0], label)
        log = array.watched(asked[0], sample.seed, label)
        spikes, membranes = read_log(network, log)
        for population, events in spikes.items():
            assert events == list(sample.events(population))
        assert sum(map(len, spikes.values())) > 5
        assert membranes.tolist() == sample.states["output"]["v"].tolist()


def test_wide_sweeps_leave_in_ports_of_64_bits():
    network = erbium.preset("erbp-digits").network
    widths = {tap.name: tap.width for tap in watched_taps(network, Hardware(lanes=64))}
    assert widths["spikes0"] == network.n_classes
    assert [widths[f"v{k}"] for k in range(3)] == [64, 64, 32]
    assert max(widths.values()) <= 64


def test_a_missing_compiler_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"package 'ziglang' is not installed; get it with 'pip install"):
        webassembly.webassembly(erbium.preset("tiny").network, Hardware(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_missing_run_time_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    with pytest.raises(ToolError, match=r"package 'wasmtime' is not installed; get it with 'pip install"):
        WebAssemblyArray(erbium.preset("tiny").network, cache_dir=tmp_path)
    assert not list(tmp_path.iterdir())
