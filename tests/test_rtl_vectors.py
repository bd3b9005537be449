# SPDX-License-Identifier: BSD-2-Clause
"""The vectorised simulation against the model and against Verilator: whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

from erbium.gen.presets import erbp_network, first_spike_network, preset
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import Array, sample_seeds
from erbium.sw_model.network import Hardware, Network
from erbium.verif.equality import assert_same_results, assert_same_weights
from erbium.verif.library import RtlArray

TINY, SPIKE = preset("tiny").network, preset("first-spike-tiny").network
WIDE = erbp_network("erbp-wide", (20, 9), n_inputs=16, n_classes=4, n_ticks=8)
UNITS = erbp_network("erbp-units", (40,), n_inputs=16, n_classes=9, n_ticks=8)
SPIKE_WIDE = first_spike_network(
    "spike-wide", (19,), n_inputs=16, n_classes=5, n_ticks=10, margin=4, deadline=6, thresholds=(250, 150),
    levels=((200, 0), (100, 2)), current_shifts=(4, 3),
)  # fmt: skip
ARRAYS = {
    "tiny-1": (TINY, Hardware(lanes=1)),
    "tiny-3": (TINY, Hardware(lanes=3)),
    "tiny-12": (TINY, Hardware(lanes=12)),
    "wide-8": (WIDE, Hardware(lanes=8, memory_latency=3)),
    "wide-17-short": (WIDE, Hardware(lanes=17, short_pipelines=True, begin_pieces=3)),
    "wide-20-ecp5": (WIDE, Hardware(lanes=20, memory_latency=3, layer_memories=("ecp5", "ecp5"))),
    "wide-20-two-rows": (
        WIDE,
        Hardware(
            lanes=20,
            neuron_units=5,
            layer_memories=("ecp5", "ecp5", "ecp5"),
            rows_per_clock=2,
        ),
    ),
    # Two classes of units: those of groups with a lane less than the others, and the rest.
    "units-10": (UNITS, Hardware(lanes=40, neuron_units=10, layer_memories=("ecp5", "ecp5"))),
    "units-10-of-39": (UNITS, Hardware(lanes=39, layer_neuron_units=(12, 3))),
    "spike-8": (SPIKE, Hardware(lanes=8)),
    "spike-wide-16": (SPIKE_WIDE, Hardware(lanes=16)),
    "spike-wide-19-spram": (SPIKE_WIDE, Hardware(lanes=19, memory_latency=3, layer_memories=("spram",))),
}


def batch(network: Network, count: int, seed: int) -> tuple[Array, Array, Array]:
    """Return images, some of them black or white, seeds and labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, network.n_inputs), dtype=np.uint8)
    images[random.random(images.shape) < 0.4] = 0
    images[count // 3], images[count // 2] = 0, 255
    return images, sample_seeds(network.seed, True, seed, count), random.integers(0, network.n_classes, count)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str) -> None:
    network, hardware = ARRAYS[name]
    chip, model = RtlArray(network, hardware, simulator="vectors"), ArrayModel(network)
    images, seeds, labels = batch(network, 60, 3)
    for n_ticks in (None, 4):
        assert_same_results(
            chip.run(images, seeds, labels, n_ticks=n_ticks),
            model.run(images, seeds, labels, n_ticks=n_ticks),
        )
        assert_same_weights(chip, model)
        assert_same_results(
            chip.run(images, seeds, n_ticks=n_ticks), model.run(images, seeds, n_ticks=n_ticks)
        )
    assert chip.counters() == model.counters()
    assert any(value for key, value in model.counters().items() if key.endswith("weights_changed"))
