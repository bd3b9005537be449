# SPDX-License-Identifier: BSD-2-Clause
"""The compiled path equals the reference integer for integer, whatever the description says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from erbium.gen.presets import erbp_network, preset
from erbium.sw_model import fast_erbp_kernels, fast_kernels, programs, rng
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.fast import FastArray
from erbium.sw_model.network import Layer, Network
from erbium.sw_model.programs import DescriptionError, NeuronProgram, Operation
from erbium.sw_model.rules import ErbpRule, ErrorNeurons
from erbium.verif.equality import assert_same_results, assert_same_state


def pictures(network, count, seed=0):
    """Images of every kind: dense, sparse, all 0, all 255; seeds and labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, network.n_inputs)).astype(np.uint8)
    images[random.random(images.shape) < 0.4] = 0
    images[random.random(images.shape) < 0.1] = 255
    if count > 2:
        images[1], images[2] = 0, 255
    labels = random.integers(0, network.n_classes, count)
    return images, sample_seeds(seed, True, 0, count), labels


def assert_equal(network, *, count=6, n_ticks=None, weights=None, seed=0, learn=True):
    """Learn, infer and learn again with both; they must agree after each."""
    slow, fast = ArrayModel(network), FastArray(network)
    assert_same_state(slow, fast)
    if weights is not None:
        slow.load(weights)
        fast.load(weights)
    images, seeds, labels = pictures(network, count, seed)
    for use in (labels, None, labels) if learn else (None,):
        a = slow.run(images, seeds, use, n_ticks=n_ticks)
        assert_same_results(a, fast.run(images, seeds, use, n_ticks=n_ticks))
        assert_same_state(slow, fast)
    return fast


def small(hidden=(7,), **options):
    options = {"n_inputs": 13, "n_classes": 4, "n_ticks": 12, **options}
    return erbp_network("small", hidden, **options)


def with_layer(network, number, **changes):
    layers = list(network.layers)
    layers[number] = replace(layers[number], **changes)
    return replace(network, layers=tuple(layers))


def strong_weights(network, seed=4):
    """Weights over their whole range: small networks hardly spike with the initial ones."""
    random = np.random.default_rng(seed)
    return [
        random.integers(layer.weight_min, layer.weight_max + 1, (network.n_rows(number), layer.n_neurons))
        for number, layer in enumerate(network.layers)
    ]


def extreme_weights(network, value=None, seed=5):
    """Weights at the ends of their range, mixed or all `value` times the largest magnitude."""
    random = np.random.default_rng(seed)
    weights = []
    for number, layer in enumerate(network.layers):
        shape = (network.n_rows(number), layer.n_neurons)
        up = random.random(shape) < 0.5 if value is None else np.full(shape, value > 0)
        weights.append(np.where(up, layer.weight_max, layer.weight_min))
    return weights


OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "phase": {"encoder": "phase"},
    "no hidden layer": {"hidden": ()},
    "one neuron": {"hidden": (1,)},
    "one pixel": {"n_inputs": 1},
    "three hidden layers": {"hidden": (9, 1, 6)},
    "more than a vector": {"hidden": (33, 65)},
    "whole vectors": {"hidden": (32, 64), "n_classes": 32},
    "wide": {"feedback": "wide"},
    "three classes": {"n_classes": 3},
    "two classes": {"n_classes": 2},
    "delay 2": {"feedback_delay": 2},
    "delay 5": {"feedback_delay": 5},
    "delay to the end of the sample": {"feedback_delay": 10},
    "error 9/10": {"error": (9, 10)},
    "error 1/3": {"error": (1, 3)},
    "error 255": {"error": (255, 255)},
    "quiet from tick 1 on": {"error": (9, 10), "quiet_ticks": 1},
    "synapses blanked": {"synapse_keep": 192},
    "nearly all synapses blanked": {"synapse_keep": 1},
    "hardly any synapse blanked": {"synapse_keep": 255},
    "neurons blanked": {"neuron_keep": 128},
    "nearly all neurons blanked": {"neuron_keep": 1, "hidden": (40,)},
    "first tick 4": {"first_tick": 4},
    "first tick at the end of the sample": {"first_tick": 11},
    "never quiet": {"quiet_ticks": 0},
    "quiet at once": {"quiet_ticks": 1},
    "decide at the first spike": {"decide_after": 1},
    "decide at the third": {"decide_after": 3, "feedback_delay": 3},
    "noise": {"noise_shift": 1},
    "leak": {"leak_shift": 3},
    "shifts above 8": {"leak_shift": 9, "synapse_shift": 10, "n_ticks": 100},
    "synapse": {"synapse_shift": 2},
    "refractory": {"refractory": 2},
    "no margin": {"margin": 0},
    "largest margin": {"margin": 32767},
    "long samples": {"n_ticks": 300, "quiet_ticks": 0},
    "everything": {
        "hidden": (9, 5),
        "encoder": "phase",
        "weight_width": 11,
        "feedback": "wide",
        "feedback_delay": 2,
        "first_tick": 2,
        "synapse_keep": 200,
        "neuron_keep": 200,
        "noise_shift": 2,
        "leak_shift": 4,
        "synapse_shift": 1,
        "refractory": 1,
        "error": (9, 10),
        "decide_after": 2,
    },
}


NOTHING_LEARNED = {
    "delay to the end of the sample",
    "first tick at the end of the sample",
    "nearly all neurons blanked",
    "nearly all synapses blanked",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_equals_the_reference_with(name):
    network = small(**OPTIONS[name])
    count = 2 if name == "long samples" else 6
    assert_equal(network, count=count)
    counters = assert_equal(network, count=count, weights=strong_weights(network)).counters()
    assert counters["layer1_weights_changed"] > 0 or name in NOTHING_LEARNED


@pytest.mark.parametrize("width", range(4, 17))
@pytest.mark.parametrize("keep", [256, 160])
def test_every_weight_width(width, keep):
    network = small(weight_width=width, synapse_keep=keep)
    assert_equal(network, count=3, weights=strong_weights(network))
    assert_equal(network, count=3, weights=extreme_weights(network))


@pytest.mark.parametrize("width", [4, 8, 16])
def test_weights_saturate_while_learning(width):
    network = small(weight_width=width, quiet_ticks=0, hidden=(20,))
    start = extreme_weights(network)
    fast = assert_equal(network, weights=start)
    assert any((before != after).any() for before, after in zip(start, fast.weights, strict=True))
    for after, layer in zip(fast.weights, network.layers, strict=True):
        assert layer.weight_min == after.min() <= after.max() == layer.weight_max


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("keep", [256, 255])
@pytest.mark.parametrize("width", [8, 9, 16])
def test_ports_saturate_at_both_ends(width, keep, learn):
    # 700 inputs of weight 127 pass 32767 within one tick. First all rows push one way, then half of them
    # each way: the order of the rows decides.
    network = small((5,), n_inputs=700, weight_width=width, synapse_keep=keep, n_ticks=3)
    for signs in (
        np.ones(701),
        -np.ones(701),
        np.repeat([1, -1, 1], [300, 300, 101]),
        np.repeat([-1, 1], [340, 361]),
    ):
        weights = extreme_weights(network)
        top, bottom = network.layers[0].weight_max, network.layers[0].weight_min
        weights[0] = np.repeat(np.where(signs > 0, top, bottom)[:, None], 5, axis=1)
        assert_equal(network, count=3, weights=weights, learn=learn)


def test_port_reaches_its_end():
    """The case before is what it says: the port does saturate, which a program that only shifts it shows."""
    look = NeuronProgram("look", ("v",), (Operation(0, "u0"),), 1, 32767, upper=(32767,))
    network = with_layer(small((3,), n_inputs=700), 0, program=look, rule=None, feedback="none")
    weights = extreme_weights(network, value=1)
    slow = ArrayModel(network)
    slow.load(weights)
    slow.run(np.full((1, 700), 255, np.uint8), np.array([7]), n_ticks=1)
    assert slow.counters()["layer1_spikes"] == 3
    assert_equal(network, weights=weights, learn=False)


@pytest.mark.parametrize("gate", [(-32768, 32768), (0, 1), (-256, 512), (255, 32768)])
def test_gates_and_wide_words(gate):
    # Without clips a plasticity word fills its 16 bits, so that word + r passes 32767.
    hidden = replace(programs.erbp_hidden(), lower=(-32768, -32768), upper=(32767, 32767))
    rule = ErbpRule(*gate)
    for width in (4, 8, 16):
        network = with_layer(small(weight_width=width, quiet_ticks=0), 0, program=hidden, rule=rule, gain=255)
        assert_equal(network, count=3, weights=extreme_weights(network))
        network = with_layer(network, 0, rule=replace(rule, modulator=0))
        assert_equal(network, count=3)


PROGRAMS = {
    "lif": programs.lif(threshold=300),
    "stochastic lif": programs.lif(threshold=300, noise=True),
    "first order": programs.lif_first_order(threshold=300),
    "second order": programs.lif_second_order(threshold=300),
    "two compartments": programs.two_compartment(threshold=100),
    **{
        f"mihalas-niebur {a} {a1} {a2}": programs.mihalas_niebur(a, a1, a2)
        for a, a1, a2 in [(0, 0, 0), (5, 0, 0), (30, 0, 0), (-80, 0, 0), (5, 5, -0.3), (5, 10, -0.6)]
    },
    "erbp hidden with all": programs.erbp_hidden(leak_shift=4, synapse_shift=2, noise_shift=1, refractory=3),
    "error": programs.erbp_error(40),
    "reset none": NeuronProgram("n", ("v",), (Operation(0, "u0"),), 1, 100, upper=(400,)),
    "reset max": NeuronProgram(
        "m",
        ("v", "w"),
        (Operation(0, "u0"), Operation(1, "x0", 2)),
        1,
        100,
        reset_mode=("max", "max"),
        reset_value=(90, 20),
    ),
    "reset add, saturating": NeuronProgram(
        "a",
        ("v", "w"),
        (Operation(0, "u0"), Operation(1, "x1")),
        1,
        50,
        reset_mode=("add", "add"),
        reset_value=(-32768, 32767),
    ),
    "held": NeuronProgram(
        "h",
        ("v",),
        (Operation(0, "u0"),),
        1,
        60,
        reset_mode=("set",),
        reset_value=(100,),
        refractory=2,
        hold=True,
    ),
    "refractory for good": replace(programs.lif(threshold=100), refractory=65535),
    "initial and bias": NeuronProgram(
        "i",
        ("v", "w", "z", "k"),
        (Operation(0, "u0"), Operation(0, "x3", 3, -1), Operation(3, "x2", 15), Operation(2, "noise", 4, -1)),
        1,
        0,
        bias=(-70, 3, 32767, -32768),
        lower=(-500, -1, 0, -32768),
        upper=(500, 2, 32767, 0),
        reset_mode=("set", "none", "add", "max"),
        reset_value=(-300, 0, -5, 7),
        initial=(-300, 1, 12, -40),
    ),
    "sixteen operations": NeuronProgram(
        "s",
        ("v", "w"),
        tuple(Operation(k & 1, ("x0", "x1", "u0", "noise")[k % 4], k, 1 if k % 3 else -1) for k in range(16)),
        1,
        77,
        adaptive=True,
        reset_mode=("set", "add"),
        reset_value=(0, 30),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_fixed_population_runs(name):
    network = with_layer(small(n_ticks=20), 0, program=PROGRAMS[name], rule=None, feedback="none")
    assert_equal(network, learn=False)
    strong = [weights // 2 for weights in extreme_weights(network)]
    assert_equal(network, weights=strong, learn=False)


@pytest.mark.parametrize("name", PROGRAMS)
def test_fixed_population_under_a_layer_that_learns(name):
    # A second port, which nothing reads, for the feedback that is offered to every layer.
    program = replace(PROGRAMS[name], n_ports=2)
    network = with_layer(small(n_ticks=20), 0, program=program, rule=None, feedback="none")
    fast = assert_equal(network, weights=[weights // 2 for weights in extreme_weights(network)])
    assert fast.counters()["layer1_rows_learned"] == fast.counters()["layer1_weights_changed"] == 0


def test_fixed_population_of_one_port_needs_no_feedback():
    """A layer without feedback has no use for a second port, in learning either."""
    network = with_layer(
        small(n_ticks=20), 0, program=programs.lif(threshold=300), rule=None, feedback="none"
    )
    two = with_layer(network, 0, program=replace(programs.lif(threshold=300), n_ports=2))
    images, seeds, labels = pictures(network, 5)
    a, b = FastArray(network), FastArray(two)
    assert_same_results(a.run(images, seeds, labels), b.run(images, seeds, labels))
    assert_same_state(a, b)


def test_output_layer_of_another_program():
    network = with_layer(
        small(), -1, program=programs.lif(threshold=100), rule=None, feedback="none", neuron_keep=99
    )
    assert_equal(network, learn=False)


def test_feedback_of_the_output_layer_may_be_of_any_kind():
    for kind in ("none", "sign", "wide", "direct"):
        assert_equal(with_layer(small(), -1, feedback=kind))


def test_ticks_may_be_given():
    for ticks in (1, 2, 40):
        assert_equal(small(quiet_ticks=0, decide_after=0), n_ticks=ticks, count=3)


def test_decide_after_may_be_set():
    network = small(n_ticks=30)
    slow, fast = ArrayModel(network), FastArray(network)
    assert fast.decide_after == 0
    for array in (slow, fast):
        array.load(strong_weights(network))
    images, seeds, _ = pictures(network, 8)
    for k in (1, 4, 0):
        slow.prediction.decide_after = fast.decide_after = k
        a = slow.run(images, seeds)
        assert_same_results(a, fast.run(images, seeds))
        assert bool((a.ticks > a.ticks_to_decision).any()) == (k > 0)
    assert_same_state(slow, fast)


def test_gains_may_change():
    network = small(hidden=(8, 6))
    slow, fast = ArrayModel(network), FastArray(network)
    images, seeds, labels = pictures(network, 8)
    for array in (slow, fast):
        array.load(strong_weights(network))
    for factor in (1.0, 0.35, 0.1, 0.0):
        slow.set_rates(network.scaled_rates(factor))
        fast.set_rates(network.scaled_rates(factor))
        assert_same_results(slow.run(images, seeds, labels), fast.run(images, seeds, labels))
        assert_same_state(slow, fast)


def test_order_and_grouping_of_batches_do_not_matter():
    network = small()
    images, seeds, labels = pictures(network, 9)
    whole, parts = FastArray(network), FastArray(network)
    a = whole.run(images, seeds, labels)
    ticks = []
    for part in (slice(0, 1), slice(1, 1), slice(1, 7), slice(7, 9)):
        ticks += parts.run(images[part], seeds[part], labels[part]).ticks.tolist()
        parts.run(images, seeds)
    assert ticks == a.ticks.tolist()
    assert all((p == q).all() for p, q in zip(whole.weights, parts.weights, strict=True))


@pytest.mark.parametrize("threads", [1, 2, 3, 50, None])
@pytest.mark.parametrize("ticks", [None, 3])
def test_parallel_inference_is_inference(threads, ticks):
    network = small(decide_after=2, synapse_keep=200, noise_shift=1)
    one, many = FastArray(network), FastArray(network)
    images, seeds, labels = pictures(network, 20)
    for array in (one, many):
        array.load(strong_weights(network))
        array.run(images, seeds, labels)
        array.decide_after = 3
    expected = one.run(images, seeds, n_ticks=ticks)
    assert_same_results(expected, many.infer_parallel(images, seeds, ticks, threads))
    assert_same_state(one, many)
    assert many.infer_parallel(images[:0], seeds[:0]).ticks.size == 0


def test_weights_are_copies():
    network = small()
    fast = FastArray(network)
    fast.weights[0][:] = 99
    assert all((a == b).all() for a, b in zip(fast.weights, network.initial_weights(), strict=True))


def test_images_may_be_read_only_or_strided():
    network = small()
    images, seeds, labels = pictures(network, 8)
    expected = FastArray(network).run(images[::2], seeds[::2], labels[::2])
    frozen = images.copy()
    frozen.flags.writeable = False
    compiled = len(fast_erbp_kernels.run_batch.signatures)
    assert_same_results(
        expected, FastArray(network).run(frozen[::2], seeds[::2].tolist(), labels[::2].tolist())
    )
    assert len(fast_erbp_kernels.run_batch.signatures) == compiled


def test_what_does_not_fit_is_refused():
    network = small(weight_width=6)
    fast = FastArray(network)
    images, seeds, labels = pictures(network, 4)
    with pytest.raises(ValueError, match="uint8 of shape"):
        fast.run(images.astype(np.int64), seeds)
    with pytest.raises(ValueError, match="uint8 of shape"):
        fast.run(images[:, :-1], seeds)
    with pytest.raises(ValueError, match="seeds have shape"):
        fast.run(images, seeds[:-1])
    with pytest.raises(ValueError, match="labels have shape"):
        fast.run(images, seeds, labels[:-1])
    with pytest.raises(ValueError, match="labels must be from 0 to 3"):
        fast.run(images, seeds, labels + 4)
    with pytest.raises(ValueError, match="n_ticks"):
        fast.run(images, seeds, n_ticks=-1)
    with pytest.raises(ValueError, match="rates"):
        fast.set_rates((1,))
    with pytest.raises(ValueError, match="layers"):
        fast.load(fast.weights[:1])
    with pytest.raises(ValueError, match="shape"):
        fast.load(fast.weights[::-1])
    with pytest.raises(ValueError, match=r"outside of -32 \.\.\. 31"):
        fast.load([weights + 40 for weights in fast.weights])


def test_weights_of_another_shape_are_refused_by_both_models():
    network = preset("tiny").network
    for model in (ArrayModel(network), FastArray(network)):
        before = [np.array(layer) for layer in model.weights]
        for wrong in (before[::-1], [layer[0] for layer in before]):
            with pytest.raises(ValueError, match=r"weights of layer 1 have shape \([0-9, ]+\), not \("):
                model.load(wrong)
        assert all(np.array_equal(*pair) for pair in zip(model.weights, before, strict=True))


def test_random_numbers_are_the_reference_ones():
    state = 1
    for _ in range(1000):
        assert fast_kernels.xorshift32(state) == rng.xorshift32(state)
        state = rng.xorshift32(state)


# --- Random descriptions ----------------------------------------------------------------------------------

int16 = st.one_of(st.integers(-32768, 32767), st.integers(-600, 600), st.sampled_from([-32768, 32767, 0]))
keep = st.one_of(st.just(256), st.integers(1, 256))


@st.composite
def neuron_programs(draw, ports):
    count = draw(st.integers(1, 4))
    sources = [f"x{k}" for k in range(count)] + [f"u{p}" for p in range(ports)] + ["noise"]
    operation = st.builds(
        Operation,
        st.integers(0, count - 1),
        st.sampled_from(sources),
        st.integers(0, 15),
        st.sampled_from([1, -1]),
    )
    operations = [Operation(0, "u0", draw(st.integers(0, 3))), *draw(st.lists(operation, max_size=15))]

    def each(strategy):
        return tuple(draw(st.lists(strategy, min_size=count, max_size=count)))

    lower, upper = each(int16.map(lambda v: -abs(v))), each(int16.map(lambda v: min(abs(v), 32767)))
    modes = each(st.sampled_from(programs.RESET_MODES))
    return NeuronProgram(
        name="random",
        states=tuple("abcd"[:count]),
        operations=tuple(operations),
        n_ports=ports,
        threshold=draw(st.integers(-32768, upper[0])),  # within reach
        bias=each(int16),
        lower=lower,
        upper=upper,
        reset_mode=modes,
        reset_value=each(int16),
        initial=tuple(draw(st.integers(low, high)) for low, high in zip(lower, upper, strict=True)),
        adaptive=count > 1 and draw(st.booleans()),
        refractory=draw(st.sampled_from([0, 0, 1, 3, 65535])),
        hold=modes[0] == "set" and draw(st.booleans()),
    )


@st.composite
def random_layers(draw, neurons, kinds):
    program = draw(st.one_of(neuron_programs(ports=2), st.just(programs.erbp_hidden())))
    gates = sorted(draw(st.lists(st.integers(-32768, 32768), min_size=2, max_size=2, unique=True)))
    rule = ErbpRule(gates[0], gates[1], draw(st.integers(0, program.n_states - 1)), draw(st.integers(1, 4)))
    return Layer(
        n_neurons=neurons,
        program=program,
        rule=draw(st.sampled_from([rule, rule, None])),
        weight_width=draw(st.integers(4, 16)),
        weight_bound=draw(st.integers(0, 127)),
        feedback=draw(st.sampled_from(kinds)),
        gain=draw(st.integers(0, 255)),
        synapse_keep=draw(keep),
        neuron_keep=draw(keep),
    )


@st.composite
def networks(draw):
    classes = draw(st.integers(2, 7))
    kinds = ["none", "wide"] if classes % 2 else ["none", "wide", "sign"]
    hidden = draw(st.lists(st.integers(1, 40), max_size=2))
    layers = [draw(random_layers(size, kinds)) for size in hidden]
    layers.append(draw(random_layers(classes, [*kinds, "direct"])))
    weight = draw(st.integers(1, 255))
    try:
        return Network(
            name="random",
            n_inputs=draw(st.integers(1, 30)),
            layers=tuple(layers),
            encoder=draw(st.sampled_from(["bernoulli", "phase"])),
            n_ticks=draw(st.integers(1, 10)),
            error=ErrorNeurons(weight, draw(st.integers(weight, 255))),
            margin=draw(st.integers(0, 32767)),
            quiet_ticks=draw(st.integers(0, 4)),
            decide_after=draw(st.integers(0, 3)),
            feedback_delay=draw(st.integers(1, 4)),
            seed=draw(st.integers(0, 1 << 40)),
        )
    except DescriptionError:
        # Nothing would ever happen in it: tests/test_model_reach.py has those.
        reject()


@settings(
    max_examples=120, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(network=networks(), seed=st.integers(0, 1000), extreme=st.booleans())
def test_random_networks(network, seed, extreme):
    assert_equal(network, count=4, seed=seed, weights=extreme_weights(network) if extreme else None)
