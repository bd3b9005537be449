# SPDX-License-Identifier: BSD-2-Clause
"""Networks of other sizes than the preset that they start from."""

import pytest

from erbium.gen.presets import erbp_network, preset
from erbium.gen.resize import resized
from erbium.sw_model.programs import DescriptionError

ERBP = preset("erbp-mnist-200").network
SPIKES = preset("first-spike-mnist-600").network


def thresholds(network):
    return [layer.program.threshold for layer in network.layers]


@pytest.mark.parametrize("hidden", [(50,), (50, 40), (50, 40, 30)])
def test_hidden_layers_are_as_the_builder_has_them(hidden):
    network = resized(ERBP, hidden, 784, 10)
    assert network.digest == erbp_network("n", hidden).digest
    assert network.name == f"erbp-784-{'-'.join(map(str, hidden))}-10"


def test_the_data_decides_inputs_and_classes():
    network = resized(preset("erbp-mnist-200-200").network, (9, 8, 7), 15, 3)
    assert network.shape == (15, 9, 8, 7, 3)
    assert [layer.feedback for layer in network.layers] == ["wide", "wide", "wide", "direct"]
    assert network.rates == (8, 4, 4, 8)


def test_what_the_preset_has_of_its_own_stays():
    network = resized(preset("erbp-mnist-200-200-best").network, (30, 20), 784, 10)
    assert network.rates == (12, 3, 8)
    assert [layer.neuron_keep for layer in network.layers] == [224, 224, 256]


@pytest.mark.parametrize(("n_inputs", "first"), [(784, 5500), (400, 3929), (3136, 11000), (1, 196)])
def test_a_first_threshold_grows_with_the_root_of_the_inputs(n_inputs, first):
    assert thresholds(resized(SPIKES, (50,), n_inputs, 7)) == [first, 2000]


def test_the_same_sizes_are_the_same_network():
    for network in (ERBP, SPIKES):
        same = resized(network, network.shape[1:-1], network.n_inputs, network.n_classes)
        assert same.digest == network.digest


def test_sizes_that_cannot_be():
    with pytest.raises(DescriptionError, match=r"asks for 2 hidden layers .* are made for 1"):
        resized(SPIKES, (50, 40), 784, 10)
    with pytest.raises(DescriptionError, match="it has none; start from another preset"):
        resized(erbp_network("bare", ()), (5,), 784, 10)
    with pytest.raises(DescriptionError, match=r"number of classes .* is 300"):
        resized(ERBP, (5,), 784, 300)
