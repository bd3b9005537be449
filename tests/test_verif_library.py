# SPDX-License-Identifier: BSD-2-Clause
"""The compiled library computes what the Verilog says, whatever the compilers behind it do."""

from __future__ import annotations

import numpy as np
import pytest

from erbium.gen.presets import erbp_network, first_spike_network
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.network import Hardware, Network
from erbium.verif.library import RtlArray

SMALL = {"n_inputs": 16, "n_classes": 4, "n_ticks": 8}
NETWORKS = (
    # 17 lanes: a group of 16 and a single one, which a compiler has been seen to add up wrongly.
    erbp_network("erbp-17", (17,), **SMALL),  # type: ignore[arg-type]
    first_spike_network(
        "first-spike-17",
        (17,),
        margin=3,
        deadline=6,
        thresholds=(500, 300),
        neuron_keep=240,
        **SMALL,  # type: ignore[arg-type]
    ),
)


@pytest.mark.verilator
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_every_counter_and_weight_is_the_models(network: Network) -> None:
    rtl, model = RtlArray(network, Hardware(lanes=64)), ArrayModel(network)
    random = np.random.default_rng(17)
    images = random.integers(0, 256, (40, network.n_inputs), dtype=np.uint8)
    labels = random.integers(0, network.n_classes, 40)
    seeds = sample_seeds(network.seed, True, 0, 40)
    got, expected = rtl.run(images, seeds, labels), model.run(images, seeds, labels)
    np.testing.assert_array_equal(got.answers, expected.answers)
    assert rtl.counters() == model.counters()
    for values, wanted in zip(rtl.weights, model.weights, strict=True):
        np.testing.assert_array_equal(values, wanted)
