# SPDX-License-Identifier: BSD-2-Clause
"""One sample from inside: the spikes and states that a trace keeps, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import erbium
from erbium import ChipError, DescriptionError, open_chip, preset, trace
from erbium.sw_model import constants
from erbium.sw_model.array import ArrayModel

TINY = preset("tiny").network
FIRST = preset("first-spike-tiny").network


def image(network: Any, seed: int = 3) -> Any:
    return np.random.default_rng(seed).integers(0, 256, network.n_inputs, dtype=np.uint8)


@pytest.mark.parametrize("network", [TINY, FIRST], ids=lambda network: network.name)
@pytest.mark.parametrize("label", [None, 1])
def test_a_trace_is_what_the_chip_does(network: Any, label: int | None) -> None:
    picture = image(network)
    found = trace(network, picture, label, number=7)
    with open_chip(network, "reference") as chip:
        if label is None:
            results = chip.infer(picture[None], first=7)
        else:
            chip.position = 7
            results = chip.learn(picture[None], np.array([label]))
        assert (found.answer, found.ticks) == (results.answers[0], results.ticks[0])
        assert all(map(np.array_equal, found.weights, chip.weights))
        counters = chip.counters
    populations = {"input": "input_spikes", "hidden": "layer1_spikes", "output": "layer2_spikes"}
    if not network.error.spikes_once:
        populations["error"] = "error_spikes"
    assert {name: int(found.spikes[name].sum()) for name in found.spikes} == {
        name: counters[counter] for name, counter in populations.items()
    }
    assert found.layers == ("hidden", "output")
    for name, layer in zip(found.layers, network.layers, strict=True):
        assert found.spikes[name].shape == (found.ticks, layer.n_neurons)
        assert tuple(found.states[name]) == tuple(layer.program.states)
        assert all(values.shape == (found.ticks, layer.n_neurons) for values in found.states[name].values())


def test_states_are_those_after_each_sweep() -> None:
    picture, seen = image(TINY), []
    array = ArrayModel(TINY)
    seed = int(constants.sample_seeds(TINY.seed, False, 0, 1)[0])
    array.sample(
        picture, seed=seed, observer=lambda array, tick: seen.append(array.layers[0].population.x[1].copy())
    )
    assert np.array_equal(trace(TINY, picture).states["hidden"]["u"], np.array(seen))


def test_a_chip_traces_its_own_weights_and_stays_as_it_is() -> None:
    picture = image(TINY)
    with open_chip(TINY, "model") as chip:
        chip.learn(np.array([picture] * 20), np.arange(20) % TINY.n_classes)
        counters, weights, position = chip.counters, chip.weights, chip.position
        found, learned = chip.trace(picture), chip.trace(picture, 2)
        assert (chip.counters, chip.position) == (counters, position)
        assert all(map(np.array_equal, chip.weights, weights))
        assert found.answer == chip.infer(picture[None]).answers[0]
        chip.learn(picture[None], np.array([2]))
        assert all(map(np.array_equal, learned.weights, chip.weights))


def test_events_are_pairs_in_their_order() -> None:
    found = trace(TINY, image(TINY))
    pairs = list(found.events("input"))
    assert pairs == sorted(pairs)
    assert len(pairs) == found.spikes["input"].sum()
    assert repr(found).startswith(f"<Trace: answer {found.answer} after {found.ticks} ticks; spikes: input ")


def test_layers_of_a_deep_network_have_numbers() -> None:
    deep = erbium.erbp_network("deep", (5, 4), n_inputs=9, n_classes=3)
    assert trace(deep, image(deep)).layers == ("hidden 1", "hidden 2", "output")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"image": np.zeros(3, np.uint8)}, ChipError, "shape (3,)"),
        ({"image": np.zeros(16, np.float64)}, ChipError, "float64"),
        ({"label": 99}, ChipError, "label 99"),
        ({"weights": []}, ChipError, "weights for 0 layers"),
        ({"weights": [np.full((17, 12), 4000), np.zeros((13, 4), int)]}, ChipError, "weights of layer 1"),
        ({"number": -1}, DescriptionError, "-1"),
        ({"n_ticks": 0}, DescriptionError, "n_ticks is 0"),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    network = replace(TINY)
    given = {"image": image(network)} | arguments
    with pytest.raises(error) as caught:
        trace(network, **given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
