# SPDX-License-Identifier: BSD-2-Clause
"""The compiled chip against the model: whole batches, and the weights as soon as a batch is over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from erbium.gen.presets import erbp_network, first_spike_network, preset
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import Array, sample_seeds
from erbium.sw_model.network import Hardware, Network
from erbium.verif.equality import assert_same_results, assert_same_weights
from erbium.verif.library import RtlArray

SMALL: dict[str, Any] = {"n_inputs": 16, "n_ticks": 10, "margin": 4, "deadline": 6}
TINY = preset("first-spike-tiny").network
LATE = first_spike_network(
    "late",
    (9, 7),
    n_classes=5,
    thresholds=(250, 150, 150),
    levels=((200, 0), (100, 2), (0, 5)),
    current_shifts=(4, 3, 3),
    earliest_only=True,
    **SMALL,
)
CHIPS = {
    "tiny-1": (TINY, Hardware(lanes=1)),
    "tiny-5-latency-3": (TINY, Hardware(lanes=5, fifo_depth=2, memory_latency=3)),
    "tiny-64": (TINY, Hardware(lanes=64)),
    "late-pixels-4": (LATE, Hardware(lanes=4)),
}

pytestmark = pytest.mark.verilator


@pytest.fixture(params=CHIPS, scope="module")
def chip(request: pytest.FixtureRequest) -> RtlArray:
    return RtlArray(*CHIPS[request.param])


def batch(network: Network, count: int, seed: int) -> tuple[Array, Array, Array]:
    """Return images, some of them black or white, seeds and labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, network.n_inputs), dtype=np.uint8)
    images[random.random(images.shape) < 0.4] = 0
    images[count // 3], images[count // 2] = 0, 255
    return images, sample_seeds(network.seed, True, seed, count), random.integers(0, network.n_classes, count)


def test_batches(chip: RtlArray) -> None:
    network, model = chip.network, ArrayModel(chip.network)
    chip.load(model.weights)
    before = chip.counters()
    for number, factor in enumerate((1.0, 0.3)):
        rates = network.scaled_rates(factor)
        chip.set_rates(rates)
        model.set_rates(rates)
        images, seeds, labels = batch(network, 40, number)
        for n_ticks in (None, 4):
            assert_same_results(
                chip.run(images, seeds, labels, n_ticks=n_ticks),
                model.run(images, seeds, labels, n_ticks=n_ticks),
            )
            assert_same_weights(chip, model)
        for n_ticks, decide_after in ((None, 1), (None, 0), (3, 1), (1, 0)):
            chip.decide_after = model.prediction.decide_after = decide_after
            assert_same_results(
                chip.run(images, seeds, n_ticks=n_ticks), model.run(images, seeds, n_ticks=n_ticks)
            )
        chip.decide_after = model.prediction.decide_after = network.decide_after
    counted = {name: value - before[name] for name, value in chip.counters().items()}
    assert counted == model.counters()
    assert counted["updates"] > 0
    assert all(counted[f"layer{n}_weights_changed"] > 0 for n in range(1, len(network.layers) + 1))


def test_the_weights_of_each_sample_can_be_read_at_once(chip: RtlArray) -> None:
    """The result of a sample comes before it has been learned; a batch is over when it has been."""
    network, model = chip.network, ArrayModel(chip.network)
    chip.load(model.weights)
    chip.set_rates(network.rates)
    images, seeds, labels = batch(network, 12, 5)
    for sample in range(12):
        one = slice(sample, sample + 1)
        assert_same_results(
            chip.run(images[one], seeds[one], labels[one]), model.run(images[one], seeds[one], labels[one])
        )
        assert_same_weights(chip, model)
    assert model.counters()["updates"] > 0


def test_single_bits_are_added_up_rightly() -> None:
    # 17 lanes, a group of 16 and a single one: GCC 12 has been seen to count the changes of these wrongly.
    network = erbp_network("erbp-17", (17,), n_inputs=16, n_classes=4, n_ticks=8)
    chip, model = RtlArray(network, Hardware(lanes=64)), ArrayModel(network)
    images, seeds, labels = batch(network, 40, 17)
    assert_same_results(chip.run(images, seeds, labels), model.run(images, seeds, labels))
    assert chip.counters() == model.counters()
    assert_same_weights(chip, model)
