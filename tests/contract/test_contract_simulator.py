# SPDX-License-Identifier: BSD-2-Clause
"""The simulator of the pages has the integers of both models: of all presets, and of random networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import test_model_fast as erbp  # type: ignore[import-not-found,unused-ignore]
import test_model_fast_first_spike as first_spike  # type: ignore[import-not-found,unused-ignore]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erbium.gen.presets import PRESETS
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.fast import FastArray
from erbium.sw_model.network import Network
from erbium.verif.equality import assert_same_results, assert_same_state

from . import hashed
from .simulator import Simulator


class Beside:
    """The three of them, each compared with the others after every use."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.pages, self.model, self.fast = (
            Simulator(network.to_json()),
            ArrayModel(network),
            FastArray(network),
        )
        self.check_state()

    def load(self, weights: Any) -> None:
        self.pages.load([rows.tolist() for rows in weights])
        self.model.load(weights)
        self.fast.load(weights)

    def set_rates(self, rates: list[int]) -> None:
        self.pages.set_rates(rates)
        self.model.set_rates(rates)
        self.fast.set_rates(rates)

    def run(self, images: Any, seeds: Any, labels: Any = None, n_ticks: int | None = None) -> None:
        mine = [
            self.pages.sample(
                image.tolist(), int(seed), None if labels is None else int(labels[k]), n_ticks=n_ticks
            )
            for k, (image, seed) in enumerate(zip(images, seeds, strict=True))
        ]
        results = self.model.run(images, seeds, labels, n_ticks=n_ticks)
        assert_same_results(results, self.fast.run(images, seeds, labels, n_ticks=n_ticks))
        table = zip(results.answers, results.ticks, results.ticks_to_decision, strict=True)
        assert [tuple(outcome) for outcome in mine] == [tuple(map(int, row)) for row in table]
        self.check_state()

    def check_state(self) -> None:
        assert_same_state(self.model, self.fast)
        assert list(self.pages.counters().items()) == list(self.model.counters().items())
        for number, (mine, other) in enumerate(zip(self.pages.weights, self.model.weights, strict=True), 1):
            np.testing.assert_array_equal(mine, other, f"weights of layer {number}")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset(name: str) -> None:
    """Of the large ones a sample or two are learned and one is inferred, of images as bright as digits."""
    network = PRESETS[name].network
    large = network.n_inputs > 64
    beside, count = Beside(network), (2 if network.error.spikes_once else 1) if large else 12
    images = np.array([hashed.image(n, network.n_inputs) for n in range(count)], dtype=np.uint8)
    if large:
        images[:, network.n_inputs // 5 :] = 0
    labels = np.arange(count) % network.n_classes
    seeds = np.array([hashed.sample_seed(network.seed, 1, n) for n in range(count)])
    beside.run(images, seeds, labels)
    beside.run(images[:1], seeds[:1])
    counters = beside.model.counters()
    assert counters["layer1_spikes"] > 0
    assert counters["layer2_weights_changed"] > 0


@pytest.mark.parametrize("encoder", ["bernoulli", "phase"])
def test_pixels_of_four_bits(encoder: Any) -> None:
    tiny, first = PRESETS["tiny"].network, PRESETS["first-spike-tiny"].network
    for network in (replace(tiny, encoder=encoder, pixel_bits=4), replace(first, pixel_bits=4)):
        beside = Beside(network)
        images = np.random.default_rng(5).integers(0, 256, (6, network.n_inputs)).astype(np.uint8)
        seeds = np.array([hashed.sample_seed(network.seed, 1, n) for n in range(6)])
        beside.run(images, seeds, np.arange(6) % network.n_classes)
        beside.run(images, seeds)


MANY = settings(
    max_examples=30, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@MANY
@given(
    network=erbp.networks(),
    seed=st.integers(0, 1000),
    extreme=st.booleans(),
    factor=st.sampled_from([1.0, 0.35, 0.0]),
    n_ticks=st.sampled_from([None, None, 1, 3]),
)
def test_random_erbp_networks(
    network: Network, seed: int, extreme: bool, factor: float, n_ticks: int | None
) -> None:
    beside = Beside(network)
    if extreme:
        beside.load(erbp.extreme_weights(network))
    beside.set_rates(list(network.scaled_rates(factor)))
    images, seeds, labels = erbp.pictures(network, 4, seed)
    for use in (labels, None, labels):
        beside.run(images, seeds, use, n_ticks)


@MANY
@given(
    network=first_spike.networks(),
    seed=st.integers(0, 1000),
    ends=st.sampled_from([None, False, True]),
    rate=first_spike.rate,
    n_ticks=st.sampled_from([None, None, 1, 3]),
)
def test_random_first_spike_networks(
    network: Network, seed: int, ends: bool | None, rate: int, n_ticks: int | None
) -> None:
    beside = Beside(network)
    if ends is not None:
        beside.load(first_spike.random_weights(network, seed, ends))
    beside.set_rates([rate] * len(network.layers))
    images, seeds, labels = first_spike.pictures(network, 4, seed)
    for use in (labels, None, labels):
        beside.run(images, seeds, use, n_ticks and min(n_ticks, network.n_ticks))


# Random networks hardly ever saturate a port, blank a synapse and learn at once; these do.
DEMANDING = {
    name: (erbp.small(**erbp.OPTIONS[name]), erbp.strong_weights)
    for name in (
        "everything",
        "wide",
        "error 9/10",
        "delay 5",
        "synapses blanked",
        "noise",
        "refractory",
        "phase",
    )
} | {
    f"first-spike {name}": (first_spike.small(**first_spike.OPTIONS[name]), first_spike.random_weights)
    for name in ("everything", "late pixels and two hidden layers", "many levels", "earliest only", "decay")
}


@pytest.mark.parametrize("name", DEMANDING)
def test_a_demanding_network(name: str) -> None:
    network, strong = DEMANDING[name]
    beside = Beside(network)
    beside.load(strong(network))
    module = first_spike if network.error.spikes_once else erbp
    images, seeds, labels = module.pictures(network, 6)
    for use in (labels, None, labels):
        beside.run(images, seeds, use)
    assert beside.model.counters()["layer1_weights_changed"] > 0


@pytest.mark.parametrize("program", erbp.PROGRAMS)
def test_a_program(program: str) -> None:
    """Refractory times, holds, adaptive thresholds, every way to reset."""
    network = erbp.with_layer(
        erbp.small(n_ticks=20), 0, program=erbp.PROGRAMS[program], rule=None, feedback="none"
    )
    beside = Beside(network)
    beside.load([weights // 2 for weights in erbp.extreme_weights(network)])
    images, seeds, labels = erbp.pictures(network, 4)
    beside.run(images, seeds)
    beside.run(images, seeds, labels)
