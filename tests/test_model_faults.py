# SPDX-License-Identifier: BSD-2-Clause
"""Faults: what they do, that they are where the seed says, and that the compiled path has the same ones."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import erbium
from erbium.gen.presets import erbp_network, first_spike_network, preset
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.fast import FastArray
from erbium.sw_model.fast_first_spike import FirstSpikeLearner
from erbium.sw_model.faults import Faults, LayerFaults, Rate
from erbium.sw_model.programs import DescriptionError
from erbium.verif.equality import assert_same_results, assert_same_state


def erbp(hidden=(7,), **options):
    options = {"n_inputs": 13, "n_classes": 4, "n_ticks": 12, **options}
    return erbp_network("small", hidden, **options)


def first_spike(hidden=(9,), **options):
    options = {
        "n_inputs": 13,
        "n_classes": 4,
        "n_ticks": 12,
        "margin": 3,
        "deadline": 8,
        "thresholds": (*(300 for _ in hidden), 200),
        "neuron_keep": 240,
        **options,
    }
    return first_spike_network("small", hidden, **options)


NETWORKS = {
    "eRBP": erbp(),
    "eRBP, two hidden layers, blank-out, 11 bits, noise": erbp(
        (33, 5),
        weight_width=11,
        synapse_keep=200,
        neuron_keep=200,
        noise_shift=2,
        leak_shift=4,
        synapse_shift=1,
        refractory=1,
        feedback_delay=2,
    ),
    "eRBP, 5 bits, phase": erbp(weight_width=5, encoder="phase"),
    "eRBP, 16 bits, no hidden layer": erbp((), weight_width=16),
    "first spikes": first_spike(),
    "first spikes, two hidden layers, late pixels": first_spike((9, 7), levels=((128, 0), (0, 5))),
    "first spikes, 12 bits, decay": first_spike((40,), weight_width=12, current_shifts=(3, 2)),
    "first spikes, 4 bits, earliest only": first_spike(weight_width=4, weight_bound=100, earliest_only=True),
}
KINDS = {
    "stuck weights": Faults(weight_stuck_0=0.05, weight_stuck_1=0.05),
    "flipped weights": Faults(weight_flipped=0.1),
    "upset weights": Faults(weight_upsets=0.004),
    "stuck states": Faults(state_stuck_0=0.02, state_stuck_1=0.02),
    "upset states": Faults(state_upsets=0.005),
    "dead neurons": Faults(dead_neurons=0.5),
    "dropped events": Faults(dropped_events=0.3),
    "duplicated events": Faults(duplicated_events=0.3),
    "all events twice": Faults(duplicated_events=1.0),
    "no event": Faults(dropped_events=1.0),
    "everything": Faults(7, *(0.02 for _ in range(10))),
}


def pictures(network, count, seed=0):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, network.n_inputs)).astype(np.uint8)
    images[random.random(images.shape) < 0.4] = 0
    labels = random.integers(0, network.n_classes, count)
    return images, sample_seeds(seed, True, 0, count), labels


def random_weights(network, seed=4):
    """Weights over their whole range: small networks hardly spike with the initial ones."""
    random = np.random.default_rng(seed)
    return [
        random.integers(layer.weight_min, layer.weight_max + 1, (network.n_rows(number), layer.n_neurons))
        for number, layer in enumerate(network.layers)
    ]


def assert_equal(network, faults, seed=0):
    """Learn, infer and learn again with both paths; they must agree after each. Return the compiled one."""
    slow, fast = ArrayModel(network, faults), FastArray(network, faults=faults)
    assert_same_state(slow, fast)
    for array in (slow, fast):
        array.load(random_weights(network))
    images, seeds, labels = pictures(network, 5, seed)
    for use in (labels, None, labels):
        assert_same_results(fast.run(images, seeds, use), slow.run(images, seeds, use))
        assert_same_state(slow, fast)
    return fast


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_path_has_the_faults_of_the_reference(network, kind):
    assert_equal(NETWORKS[network], KINDS[kind])


share = st.one_of(st.just(0.0), st.floats(0, 0.2), st.sampled_from([1e-9, 0.5]))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), st.integers(0, 99), st.lists(share, min_size=10, max_size=10))
def test_the_compiled_path_has_any_faults_of_the_reference(network, seed, shares):
    assert_equal(NETWORKS[network], Faults(seed, *shares), seed)


@pytest.mark.parametrize("network", [NETWORKS["eRBP"], NETWORKS["first spikes"]])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_makes_a_difference(network, kind):
    healthy, broken = FastArray(network), FastArray(network, faults=KINDS[kind])
    images, seeds, labels = pictures(network, 40)
    for array in (healthy, broken):
        array.load(random_weights(network))
        array.run(images, seeds, labels)
    assert any((a != b).any() for a, b in zip(healthy.weights, broken.weights, strict=True))


@pytest.mark.parametrize("network", [NETWORKS["eRBP"], NETWORKS["first spikes"]])
def test_without_faults_nothing_is_another_integer(network):
    images, seeds, labels = pictures(network, 10)
    arrays: list[ArrayModel | FastArray] = [
        ArrayModel(network),
        ArrayModel(network, Faults(5)),
        FastArray(network, faults=Faults(5)),
    ]
    for array in arrays:
        array.run(images, seeds, labels)
        assert_same_state(array, arrays[0])


def test_inference_on_threads_has_the_same_faults():
    for network in (NETWORKS["eRBP"], NETWORKS["first spikes"]):
        images, seeds, _ = pictures(network, 90)
        one, many = (FastArray(network, faults=KINDS["everything"]) for _ in range(2))
        assert_same_results(many.infer_parallel(images, seeds, threads=3), one.run(images, seeds))
        assert_same_state(one, many)


def test_an_inference_leaves_the_weights_alone():
    network = NETWORKS["eRBP"]
    array = FastArray(network, faults=Faults(weight_upsets=0.5))
    before = array.weights
    images, seeds, labels = pictures(network, 5)
    array.run(images, seeds)
    assert all((a == b).all() for a, b in zip(array.weights, before, strict=True))
    array.run(images, seeds, labels)
    assert any((a != b).any() for a, b in zip(array.weights, before, strict=True))


# --- What they are ----------------------------------------------------------------------------------------


def layer_faults(network=None, number=0, **shares):
    return LayerFaults(Faults(**shares), network or preset("erbp-mnist-100").network, number)


def bits_set(mask, width=8):
    return np.unpackbits((mask.astype(np.int64) & ((1 << width) - 1)).astype(">u2").view(np.uint8)).sum()


@pytest.mark.parametrize("width", [4, 8, 16])
def test_stuck_bits_are_so_many_and_stay_in_the_range_of_a_weight(width):
    network = erbp((100,), n_inputs=300, weight_width=width)
    faults = layer_faults(network, weight_stuck_0=0.02, weight_stuck_1=0.03)
    n_bits = 301 * 100 * width
    assert bits_set(~faults.weight_keep, width) == pytest.approx(0.02 * n_bits, rel=0.1)
    assert bits_set(faults.weight_set, width) == pytest.approx(0.03 * n_bits, rel=0.1)
    assert not (~faults.weight_keep & faults.weight_set).any()
    layer = network.layers[0]
    for value in (layer.weight_min, -1, 0, layer.weight_max):
        held = faults.held(np.full((301, 100), value))
        assert held.min() >= layer.weight_min
        assert held.max() <= layer.weight_max
        assert (faults.held(held) == held).all()


def test_more_faults_leave_the_others_where_they_are():
    few = layer_faults(weight_stuck_0=0.01, weight_stuck_1=0.01, dead_neurons=0.1, weight_flipped=0.01)
    many = layer_faults(weight_stuck_0=0.03, weight_stuck_1=0.05, dead_neurons=0.4, weight_flipped=0.02)
    assert not (~few.weight_keep & many.weight_keep).any()
    assert not (few.weight_set & ~many.weight_set).any()
    assert not (few.weight_flip & ~many.weight_flip).any()
    assert not (few.dead & ~many.dead).any()
    other = layer_faults(weight_stuck_0=0.01, seed=2)
    assert (other.weight_keep != few.weight_keep).any()


def test_all_bits_can_be_stuck():
    faults = layer_faults(weight_stuck_1=1.0, state_stuck_0=1.0)
    assert (faults.held(np.zeros((785, 100), int)) == -1).all()
    assert (faults.held_states(np.full((2, 100), -77)) == 0).all()


def test_dead_neurons_are_hidden_ones_and_never_spike():
    network = NETWORKS["first spikes"]
    assert layer_faults(network, dead_neurons=1.0).dead.all()
    assert not layer_faults(network, number=1, dead_neurons=1.0).dead.any()
    array = FastArray(network, faults=Faults(dead_neurons=1.0))
    array.load(random_weights(network))
    images, seeds, labels = pictures(network, 20)
    array.run(images, seeds, labels)
    assert array.counters()["layer1_spikes"] == 0


def test_events_are_dropped_and_duplicated_so_often():
    network = NETWORKS["eRBP"]
    images, seeds, _ = pictures(network, 200)
    passed = {}
    for name, faults in {
        "all": None,
        "twice": Faults(duplicated_events=1.0),
        "some": Faults(dropped_events=0.25, duplicated_events=0.5),
    }.items():
        array = FastArray(network, faults=faults)
        array.run(images, seeds)
        counters = array.counters()
        rows = counters["layer1_synaptic_operations"] / network.layers[0].n_neurons
        passed[name] = (rows - counters["ticks"]) / counters["input_spikes"]
    assert passed == {"all": 1.0, "twice": 2.0, "some": pytest.approx(1.25, abs=0.02)}


def test_upsets_come_as_often_as_they_are_asked_for():
    network = erbp((50,), n_inputs=99)
    n_bits = 100 * 50 * 8
    assert Rate.of(1e-3, n_bits) == Rate(40, 0)
    assert Rate.of(0.5 / n_bits, n_bits).fraction == pytest.approx(1 << 31, rel=1e-6)
    faults = LayerFaults(Faults(weight_upsets=2.5 / n_bits), network, 0)
    flipped = 0
    for seed in sample_seeds(1, True, 0, 300):
        weights = np.zeros((100, 50), dtype=np.int64)
        faults.begin(int(seed))
        faults.upset_weights(weights)
        flipped += int(bits_set(weights))
    assert flipped == pytest.approx(750, rel=0.05)


def test_what_a_broken_memory_held_can_be_loaded_again():
    # All bits stuck but the sign: -128, which no first-spike rule writes.
    network, faults = NETWORKS["first spikes"], Faults(weight_stuck_0=0.9)
    array = FastArray(network, faults=faults)
    array.load([np.full_like(weights, -127) for weights in array.weights])
    held = array.weights
    assert min(weights.min() for weights in held) == -128
    again = FastArray(network, faults=faults)
    again.load(held)
    assert_same_state(again, array)
    with pytest.raises(ValueError, match=r"outside of -127"):
        FastArray(network).load(held)


# --- Mistakes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [item.name for item in fields(Faults)])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), "x", True])
def test_shares_are_checked(name, value):
    with pytest.raises(DescriptionError, match=rf"{name.split('_')[0]}.* is .*must be"):
        replace(Faults(), **{name: value})


def test_shares_that_exclude_each_other_are_checked():
    with pytest.raises(
        DescriptionError, match=r"weight_stuck_0 and weight_stuck_1 are 0.6 and 0.5; .* at most 1"
    ):
        Faults(weight_stuck_0=0.6, weight_stuck_1=0.5)
    with pytest.raises(DescriptionError, match="dropped_events and duplicated_events"):
        Faults(dropped_events=0.6, duplicated_events=0.5)


def test_faults_belong_to_a_model_and_to_the_learner_of_the_chip():
    network = NETWORKS["first spikes"]
    with pytest.raises(DescriptionError, match=r"'rtl'.*take 'model' or 'reference'"):
        erbium.open_chip(network, "rtl", faults=erbium.Faults(dead_neurons=0.1))
    with pytest.raises(DescriptionError, match="'exact-sign' and there are faults"):
        FirstSpikeLearner(network, "exact-sign", erbium.Faults(dead_neurons=0.1))
    with pytest.raises(ValueError, match="give the faults to the learner"):
        FastArray(network, FirstSpikeLearner(network), Faults(dead_neurons=0.1))
    for backend in ("model", "reference"):
        with erbium.open_chip(network, backend, faults=erbium.Faults(dead_neurons=1.0)) as chip:
            chip.infer(pictures(network, 3)[0])
            assert chip.counters["layer1_spikes"] == 0
    with pytest.raises(DescriptionError, match="upsets are asked for in a memory of 4,294,967,296 bits"):
        Rate.of(0.1, 1 << 32)
