# SPDX-License-Identifier: BSD-2-Clause
"""The spike-time network against the definition: naive causal sets, membranes in time, finite differences."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.spike_time import SpikeTimeModel, SpikeTimeNetwork, spike_time_cost

NEVER = math.inf


def naive_spike(z, w, z_max):
    """Return z_out, the causal set, and how far the causal set is from being another one."""
    times = sorted({time for time in z if time <= z_max})
    margin = NEVER
    for now, following in pairwise([*times, z_max]):
        causal = [i for i in range(len(z)) if z[i] <= now]
        total, moment = sum(w[i] for i in causal), sum(w[i] * z[i] for i in causal)
        margin = min(margin, abs(total - 1.0), abs(total - moment / following - 1.0))
        if total > 1.0 and now <= moment / (total - 1.0) <= following:
            return moment / (total - 1.0), causal, margin
    return NEVER, [], margin


def membrane(t, z, w):
    """The membrane at time t, from the currents: each input adds w * (1 - exp(t_i - t))."""
    return sum(
        wi * (1.0 - math.exp(math.log(zi) - t)) for zi, wi in zip(z, w, strict=True) if math.log(zi) < t
    )


def model(*weights, **options):
    shape = (len(weights[0]), *(np.shape(matrix)[1] for matrix in weights))
    result = SpikeTimeModel(SpikeTimeNetwork(shape=shape, **options))
    result.load([np.array(matrix, dtype=float) for matrix in weights])
    return result


def random_times(random, n, n_inputs):
    """Input times of all kinds: distinct, shared, and never."""
    z = np.exp(random.uniform(0.0, 2.0, (n, n_inputs)))
    z[1::3] = np.round(z[1::3])
    z[random.random(z.shape) < 0.15] = NEVER
    return z


def prototypes(n, seed, n_classes=3, n_pixels=48):
    """Images that are easy to tell apart: a random pattern for each class, one pixel in twenty flipped."""
    pattern = np.random.default_rng(5).random((n_classes, n_pixels)) < 0.3
    random = np.random.default_rng(seed)
    labels = random.integers(0, n_classes, n)
    images = np.where(pattern[labels] ^ (random.random((n, n_pixels)) < 0.05), 255, 0).astype(np.uint8)
    return images, labels


# --- Spike times ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((3.0, 1.0), 3.0 / 2.0),  # crosses before the second input, which is at z = 2
        ((1.5, 1.0), 3.5 / 1.5),  # the first alone would at 3, so the second is in the causal set
        ((1.5, -0.4), 0.7 / 0.1),  # an inhibitory input delays it
        ((1.5, -0.6), NEVER),  # the weights sum to 0.9
        ((1.5, -0.49), NEVER),  # at z = 52, after z_max
        ((2.0, 1.0), 2.0),  # exactly at the second input
        ((-1.0, 3.0), 5.0),
        ((0.0, 0.0), NEVER),
    ],
)
def test_one_neuron_by_hand(weights, expected):
    (z,) = model([[weights[0]], [weights[1]]], z_max=50.0).forward_times([[1.0, 2.0]])
    assert z.tolist() == [[pytest.approx(expected, rel=1e-13)]]


def test_the_smallest_sum_of_weights_that_spikes():
    (z,) = model([[1.0005, 1.0, 0.9995]], z_max=1e9).forward_times([[1.0]])
    assert z.tolist() == [[pytest.approx(1.0005 / 0.0005), NEVER, NEVER]]


def test_two_layers_by_hand():
    # Hidden times 1.5 and 3; the first output needs both, the second only the first.
    net = model([[3.0, 1.5]], [[1.2, 4.0], [0.8, -9.0]])
    hidden, output = net.forward_times([[1.0]])
    assert hidden.tolist() == [[1.5, 3.0]]
    assert output[0] == pytest.approx([(1.2 * 1.5 + 0.8 * 3.0) / 1.0, 6.0 / 3.0])


@pytest.mark.parametrize("seed", range(4))
def test_causal_sets_are_the_naive_ones(seed):
    random = np.random.default_rng(seed)
    n_inputs, n_neurons = 3 + 3 * seed, 7
    net = model(random.normal(0.25, 0.6, (n_inputs, n_neurons)), z_max=30.0)
    times = random_times(random, 200, n_inputs)
    if seed == 3:  # binary with late inputs, most of them late: the group that is summed as the rest
        times = np.where(random.random(times.shape) < 0.3, 1.0, 6.0)
    (z,) = net.forward_times(times)
    expected = [[naive_spike(row, net.weights[0][:, j], 30.0)[0] for j in range(n_neurons)] for row in times]
    assert 0.05 < np.isfinite(expected).mean() < 0.95
    np.testing.assert_allclose(z, expected, rtol=1e-9)


def test_the_membrane_first_reaches_1_at_the_spike():
    random = np.random.default_rng(3)
    weights = random.normal(0.3, 0.5, (6, 5))
    times = np.exp(random.uniform(0.0, 1.5, (20, 6)))
    (z,) = model(weights).forward_times(times)
    for sample, neuron in np.ndindex(z.shape):
        column, end = weights[:, neuron], math.log(min(z[sample, neuron], 100.0))
        assert all(membrane(t, times[sample], column) < 1.0 for t in np.linspace(0.0, end - 1e-9, 300))
        if np.isfinite(z[sample, neuron]):
            assert membrane(end, times[sample], column) == pytest.approx(1.0)


def test_a_group_is_the_same_as_its_inputs_one_after_the_other():
    random = np.random.default_rng(8)
    weights = random.normal(0.2, 0.5, (9, 6))
    shared = np.array([[1.0, 1.0, 1.0, 2.0, 2.0, 5.0, 5.0, 5.0, 5.0]])
    apart = shared * (1.0 + 1e-12 * np.arange(9))
    net = model(weights)
    np.testing.assert_allclose(net.forward_times(shared)[0], net.forward_times(apart)[0], rtol=1e-9)


def test_pixels_become_times():
    images = np.array([[0, 127, 128, 255]], dtype=np.uint8)
    net = SpikeTimeNetwork(shape=(4, 2))
    assert SpikeTimeModel(replace(net, late_z=6.0)).input_times(images).tolist() == [[6.0, 6.0, 1.0, 1.0]]
    assert SpikeTimeModel(replace(net, late_z=None)).input_times(images).tolist() == [
        [NEVER, NEVER, 1.0, 1.0]
    ]


# --- Silence ----------------------------------------------------------------------------------------------


def test_silent_neurons_neither_spike_nor_learn():
    net = model([[-1.0, 3.0], [0.5, 3.0]], [[2.0, 0.5], [0.5, 0.25]], late_z=None, silent_cost=0.0)
    images, labels = np.array([[255, 0], [0, 0]], dtype=np.uint8), np.array([0, 1])
    hidden, output = net.forward(images)
    assert hidden.tolist() == [[NEVER, 1.5], [NEVER, NEVER]]
    assert (output == NEVER).all()
    cost, gradients = net.gradients(images, labels)
    assert cost == pytest.approx(math.log(2.0))
    assert not any(gradient.any() for gradient in gradients)
    # At z_max the membranes are 0.4925 and 0.24625 for the first image and 0 for the second.
    assert net.predict(images).tolist() == [0, 0]
    assert net.evaluate(images, labels) == pytest.approx((0.5, math.log(2.0), 0.5, math.log(100.0), 1.0))


def test_without_a_spike_the_highest_membrane_answers():
    net = model([[0.2, 0.7, 0.6]], late_z=None)
    assert net.predict(np.array([[255]], dtype=np.uint8)).tolist() == [1]


def test_a_silent_label_costs_what_its_membrane_lacks():
    # Inputs at z = 1 and 2, the third never; the label's membrane at z = 10 is 0.5 * 0.9 + 0.25 * 0.8.
    net = model([[0.5, -1.0], [0.25, 0.0], [9.0, 0.0]], silent_cost=4.0, z_max=10.0)
    cost, (gradient,) = net.gradients_times([[1.0, 2.0, NEVER]], [0])
    assert cost == pytest.approx(math.log(2.0) + 4.0 * (1.0 - 0.65))
    np.testing.assert_allclose(gradient, [[-4.0 * 0.9, 0.0], [-4.0 * 0.8, 0.0], [0.0, 0.0]])


# --- Cost and gradients -----------------------------------------------------------------------------------


def test_cost_by_hand():
    z = np.array([[1.0, 2.0], [1.0, 2.0], [3.0, NEVER], [NEVER, 3.0]])
    costs, gradient = spike_time_cost(z, np.array([0, 1, 0, 0]), 10.0)
    p, q = 1.0 / (1.0 + math.exp(-1.0)), 1.0 / (1.0 + math.exp(-7.0))
    assert costs == pytest.approx([-math.log(p), -math.log(1.0 - p), -math.log(q), 7.0 - math.log(q)])
    expected = [[1.0 - p, p - 1.0], [-p, p], [1.0 - q, 0.0], [0.0, -q]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)


def test_cost_of_late_spikes_does_not_overflow():
    costs, gradient = spike_time_cost(np.array([[2e6, 1e6]]), np.array([0]), 1e9)
    assert costs == pytest.approx([1e6])
    assert gradient.tolist() == [[1.0, -1.0]]


def differences(net, times, labels, step=1e-6):
    """The gradient of the cost with respect to every weight, by central differences."""
    original = [weights.copy() for weights in net.weights]
    result = [np.zeros_like(weights) for weights in original]
    for layer, place in ((k, place) for k in range(len(original)) for place in np.ndindex(original[k].shape)):
        for sign in (1, -1):
            moved = [weights.copy() for weights in original]
            moved[layer][place] += sign * step
            net.load(moved)
            cost, _ = net.gradients_times(times, labels)
            result[layer][place] += sign * cost / (2.0 * step)
    net.load(original)
    return result


def random_case(random, inputs):
    """A network of three layers of synapses, and input times of a kind."""
    description = SpikeTimeNetwork(shape=(8, 6, 5, 3), initial_sum=2.0, initial_spread=1.5, z_max=30.0)
    early = random.random((2, 8)) < 0.4
    times = {
        "any": random_times(random, 2, 8),
        "late": np.where(early, 1.0, 4.0),
        "never": np.where(~early, 1.0, NEVER),
    }[inputs]
    return SpikeTimeModel(replace(description, seed=int(random.integers(1 << 32)))), times


def away_from_switching(net, times, least=1e-3):
    """Whether no neuron of any layer is close to another causal set, and each spiking one's weights exceed 1."""
    for weights, z_out in zip(net.weights, net.forward_times(times), strict=True):
        if any(
            naive_spike(row, column, net.network.z_max)[2] < least for row in times for column in weights.T
        ):
            return False
        times = z_out
    return True


@pytest.mark.parametrize("inputs", ["any", "late", "never"])
def test_gradients_are_the_finite_differences(inputs):
    random = np.random.default_rng(17)
    checked, silent, silent_labels = 0, 0, 0
    while checked < 10:
        net, times = random_case(random, inputs)
        labels = random.integers(0, 3, len(times))
        _, gradients = net.gradients_times(times, labels)
        if not (away_from_switching(net, times) and all(gradient.any() for gradient in gradients)):
            continue
        for found, wanted in zip(gradients, differences(net, times, labels), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)
        checked += 1
        z = net.forward_times(times)
        silent += sum(int(np.isinf(layer).sum()) for layer in z[:-1])
        silent_labels += int(np.isinf(z[-1][np.arange(2), labels]).sum())
    assert silent > 0
    assert 0 < silent_labels < 20


def test_gradients_of_images_are_those_of_their_times():
    images, labels = prototypes(40, 1)
    net = SpikeTimeModel(SpikeTimeNetwork(shape=(48, 12, 3)))
    cost, gradients = net.gradients(images, labels)
    other_cost, others = net.gradients_times(np.where(images > 127, 1.0, 6.0), labels)
    assert cost == other_cost
    assert all((a == b).all() for a, b in zip(gradients, others, strict=True))
    # The mean over the samples, one by one.
    singles = [net.gradients(images[k : k + 1], labels[k : k + 1])[1] for k in range(40)]
    for layer, gradient in enumerate(gradients):
        np.testing.assert_allclose(
            gradient, np.mean([single[layer] for single in singles], axis=0), atol=1e-12
        )


def test_weight_sum_cost_and_l2():
    weights = [[0.2, 2.0], [0.3, -0.5], [-0.1, 1.0]]
    net = model(weights, weight_sum_cost=7.0, l2=0.5)
    cost, gradients = net.regularization()
    assert cost == pytest.approx(7.0 * 0.6 + 0.25 * np.square(weights).sum())
    np.testing.assert_allclose(gradients[0], 0.5 * np.array(weights) - [7.0, 0.0])
    for place in np.ndindex(3, 2):
        costs = []
        for step in (1e-6, -1e-6):
            moved = np.array(weights)
            moved[place] += step
            costs.append(model(moved, weight_sum_cost=7.0, l2=0.5).regularization()[0])
        assert gradients[0][place] == pytest.approx((costs[0] - costs[1]) / 2e-6, abs=1e-6)


# --- Training ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [1e-3, 1e6])
def test_a_batch_moves_the_weights_down_the_gradient(max_norm):
    images, labels = prototypes(10, 2)
    net = SpikeTimeModel(
        SpikeTimeNetwork(
            shape=(48, 20, 3), initial_sum=1.2, max_gradient_norm=max_norm, weight_sum_cost=0.1, l2=0.01
        )
    )
    before = net.weights
    net.load(before)
    assert any((weights.sum(axis=0) < 1.0).any() for weights in before)
    cost, gradients = net.gradients(images, labels)
    _, regular = net.regularization()
    assert net.train_batch(images, labels, 0.3) == cost
    for after, old, gradient, other in zip(net.weights, before, gradients, regular, strict=True):
        limited = gradient * min(1.0, max_norm / np.linalg.norm(gradient))
        np.testing.assert_allclose(after, old - 0.3 * (limited + other), rtol=1e-12, atol=1e-14)
    # Sums kept beside the weights, and gradient buffers, are as new.
    fresh = SpikeTimeModel(net.network)
    fresh.load(net.weights)
    assert net.train_batch(images, labels, 0.1) == pytest.approx(fresh.train_batch(images, labels, 0.1))
    for a, b in zip(net.weights, fresh.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_the_weight_sum_cost_revives_a_dead_network():
    images, labels = prototypes(20, 3)
    net = SpikeTimeModel(SpikeTimeNetwork(shape=(48, 8, 3), initial_sum=-1.0, weight_sum_cost=0.5))
    assert net.evaluate(images, labels).undecided == 1.0
    for _ in range(200):
        net.train_batch(images, labels, 0.05)
    assert all((weights.sum(axis=0) > 0.8).all() for weights in net.weights)
    assert net.evaluate(images, labels).undecided < 1.0


def test_the_rate_falls_geometrically():
    net = SpikeTimeNetwork(learning_rate=1.0, final_learning_rate=0.01, n_epochs=3)
    assert [net.rate(epoch) for epoch in range(5)] == pytest.approx([1.0, 0.1, 0.01, 0.01, 0.01])
    assert replace(net, n_epochs=1).rate(0) == 1.0


@pytest.mark.parametrize("shape", [(48, 24, 3), (48, 16, 12, 3)])
@pytest.mark.parametrize("late_z", [6.0, None])
def test_it_learns(shape, late_z):
    images, labels = prototypes(900, 4)
    net = SpikeTimeModel(
        SpikeTimeNetwork(shape=shape, late_z=late_z, initial_spread=1.0, z_max=20.0, n_epochs=6)
    )
    before = net.evaluate(images, labels)
    costs = [net.train_epoch(images, labels) for _ in range(6)]
    after = net.evaluate(*prototypes(300, 5))
    assert before.error > 0.3
    assert after.error < 0.03
    assert costs[-1] < costs[0] / 3
    assert 0.0 < after.hidden_spikes < sum(shape[1:-1])
    assert 0.0 < after.time_to_decision < math.log(20.0)


def test_training_repeats_and_resumes():
    images, labels = prototypes(100, 6)
    description = SpikeTimeNetwork(shape=(48, 10, 3))
    nets = [SpikeTimeModel(description) for _ in range(3)]
    other = SpikeTimeModel(replace(description, seed=2))
    for net in (*nets, other):
        for _ in range(2 if net is not nets[2] else 0):
            net.train_epoch(images, labels, (6, 8))
    first = SpikeTimeModel(description)
    first.train_epoch(images, labels, (6, 8))
    nets[2].load(first.weights)
    nets[2].epoch = 1
    nets[2].train_epoch(images, labels, (6, 8))
    unshifted = SpikeTimeModel(description)
    for _ in range(2):
        unshifted.train_epoch(images, labels)
    for layer in range(2):
        assert (nets[0].weights[layer] == nets[1].weights[layer]).all()
        assert (nets[0].weights[layer] == nets[2].weights[layer]).all()
        assert (nets[0].weights[layer] != other.weights[layer]).all()
        assert (nets[0].weights[layer] != unshifted.weights[layer]).any()


def test_each_epoch_has_its_own_order():
    images, labels = prototypes(100, 6)
    nets = [
        SpikeTimeModel(SpikeTimeNetwork(shape=(48, 10, 3), learning_rate=0.05, final_learning_rate=0.05))
        for _ in range(2)
    ]
    nets[1].epoch = 1
    for net in nets:
        net.train_epoch(images, labels)
    assert (nets[0].weights[0] != nets[1].weights[0]).any()


def test_answers_do_not_depend_on_how_many_are_asked_at_once():
    images, labels = prototypes(600, 7)
    net = SpikeTimeModel(SpikeTimeNetwork(shape=(48, 10, 3)))
    answers = net.predict(images)
    assert answers.dtype == np.int64
    assert answers.tolist() == [int(net.predict(images[k : k + 1])[0]) for k in range(600)]
    assert net.evaluate(images, labels).error == pytest.approx((answers != labels).mean())
    assert net.predict(images[:0]).shape == (0,)


def test_hidden_spikes_are_counted_up_to_the_decision():
    # Hidden z: 1.5, 2 and 3, and one neuron that never spikes; the output spikes at 2, on the first alone.
    net = model([[3.0, 2.0, 1.5, 0.5]], [[4.0, 0.0], [0.0, 0.0], [0.0, 0.0], [9.0, 0.0]])
    result = net.evaluate(np.array([[255]], dtype=np.uint8), np.array([1]))
    assert result.error == 1.0
    assert result.hidden_spikes == 2.0
    assert result.time_to_decision == pytest.approx(math.log(2.0))
    assert result.undecided == 0.0


# --- What is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("shape", (784,), r"shape is \(784,\); it must be a tuple of at least two sizes"),
        ("shape", [784, 10], r"shape is \[784, 10\]"),
        ("shape", (784, 0, 10), "a size in shape is 0; it must be from 1 to 65536"),
        ("late_z", 0.5, "late_z is 0.5; it must be a number from 1 to 100, which is z_max, or None"),
        ("late_z", math.nan, "late_z is nan"),
        ("z_max", 1.0, r"z_max is 1.0; it must be a number from 1.001 to 1e\+09"),
        ("initial_sum", "3", "initial_sum is '3'; it must be a number"),
        ("initial_spread", -1.0, "initial_spread is -1.0"),
        ("learning_rate", 0.0, "^learning_rate is 0.0; it must be a number from 1e-12 to 1000"),
        ("final_learning_rate", 0, "final_learning_rate is 0"),
        ("n_epochs", 0, "n_epochs is 0; it must be from 1 to 100000"),
        ("batch_size", 2.5, "batch_size is 2.5; it must be an integer"),
        ("max_gradient_norm", 0.0, "max_gradient_norm is 0.0"),
        ("weight_sum_cost", -1.0, "weight_sum_cost is -1.0"),
        ("silent_cost", math.inf, "silent_cost is inf"),
        ("l2", True, "l2 is True"),
        ("seed", -1, "seed is -1"),
    ],
)
def test_a_wrong_description_is_refused(field, value, message):
    with pytest.raises(DescriptionError, match=message):
        SpikeTimeNetwork(**{field: value})


def test_wrong_arrays_are_refused():
    net = SpikeTimeModel(SpikeTimeNetwork(shape=(4, 2)))
    images = np.zeros((3, 4), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"images are float64 of shape \(3, 4\); they must be uint8"):
        net.forward(images.astype(float))
    with pytest.raises(ValueError, match=r"of shape \(3, 3\); they must be uint8 of shape \(n, 4\)"):
        net.train_epoch(images[:, :3], np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="labels must be from 0 to 1"):
        net.train_batch(images, np.array([0, 1, 2]))
    with pytest.raises(ValueError, match=r"labels are int64 of shape \(2,\); they must be 3 integers"):
        net.evaluate(images, np.array([0, 1]))
    for method in (net.train_batch, net.train_epoch, net.evaluate, net.gradients):
        with pytest.raises(ValueError, match="at least one"):
            method(images[:0], np.zeros(0, dtype=int))
    with pytest.raises(ValueError, match="z is below 1"):
        net.forward_times(np.array([[1.0, 0.5, 1.0, 1.0]]))
    with pytest.raises(ValueError, match="z is below 1 or not a number"):
        net.forward_times(np.array([[1.0, math.nan, 1.0, 1.0]]))
    with pytest.raises(ValueError, match=r"input times have shape \(1, 3\)"):
        net.forward_times(np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"not \[\(4, 2\)\]"):
        net.load([np.zeros((4, 3))])
    with pytest.raises(ValueError, match="must be finite"):
        net.load([np.full((4, 2), math.nan)])
