# SPDX-License-Identifier: BSD-2-Clause
"""The compiled first-spike path equals the reference integer for integer; so do the errors it is compared with."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from erbium.gen.presets import erbp_network, first_spike_network, preset
from erbium.sw_model import (
    fast_erbp_kernels,
    fast_fault_kernels,
    fast_first_spike_kernels,
    fast_kernels,
    programs,
    rng,
)
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import STREAM_PLASTICITY, salt, sample_seeds
from erbium.sw_model.fast import FastArray
from erbium.sw_model.fast_first_spike import FirstSpikeLearner, random_signs
from erbium.sw_model.first_spike import NEVER, FirstSpikeLayer
from erbium.sw_model.network import Layer, Network
from erbium.sw_model.programs import DescriptionError, NeuronProgram, Operation
from erbium.sw_model.rules import FirstSpikeErrors, FirstSpikeRule, LatencyEncoder
from erbium.verif.equality import assert_same_results, assert_same_state


def pictures(network, count, seed=0):
    """Images of every kind: dense, sparse, all 0, all 255; seeds and labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, network.n_inputs)).astype(np.uint8)
    images[random.random(images.shape) < 0.3] = 0
    if count > 2:
        images[1], images[2] = 0, 255
    labels = random.integers(0, network.n_classes, count)
    return images, sample_seeds(seed, True, 0, count), labels


def assert_equal(network, *, count=8, n_ticks=None, weights=None, seed=0, rates=None):
    """Learn, infer and learn again with both; they must agree after each."""
    slow, fast = ArrayModel(network), FastArray(network)
    assert_same_state(slow, fast)
    for array in (slow, fast):
        if weights is not None:
            array.load(weights)
        if rates is not None:
            array.set_rates(rates)
    images, seeds, labels = pictures(network, count, seed)
    for use in (labels, None, labels):
        a = slow.run(images, seeds, use, n_ticks=n_ticks)
        assert_same_results(a, fast.run(images, seeds, use, n_ticks=n_ticks))
        assert_same_state(slow, fast)
    return fast


def small(hidden=(9,), **options):
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


def with_layer(network, number, **changes):
    layers = list(network.layers)
    layers[number] = replace(layers[number], **changes)
    return replace(network, layers=tuple(layers))


def of_width(network, width, step=2):
    layers = (replace(layer, weight_width=width, rule=FirstSpikeRule(step)) for layer in network.layers)
    return replace(network, layers=tuple(layers))


def random_weights(network, seed=4, ends=False):
    """Weights over their whole range, or at its ends."""
    random = np.random.default_rng(seed)
    weights = []
    for number, layer in enumerate(network.layers):
        shape = (network.n_rows(number), layer.n_neurons)
        values = random.integers(layer.weight_min, layer.weight_max + 1, shape)
        weights.append(np.where(values < 0, layer.weight_min, layer.weight_max) if ends else values)
    return weights


LATE: dict[str, Any] = {"levels": ((128, 0), (0, 5))}
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "no hidden layer": {"hidden": ()},
    "one neuron": {"hidden": (1,)},
    "one pixel": {"n_inputs": 1, "thresholds": (90, 90)},
    "two hidden layers": {"hidden": (9, 7)},
    "three hidden layers": {"hidden": (8, 1, 6), "thresholds": (300, 100, 200, 200)},
    "more than a vector": {"hidden": (33, 65)},
    "whole vectors": {"hidden": (32, 64), "n_classes": 32},
    "two classes": {"n_classes": 2},
    "three classes": {"n_classes": 3},
    "decay": {"current_shifts": (3, 2)},
    "decay by more than the dither": {"current_shifts": (9, 12)},
    "late pixels": LATE,
    "late pixels and two hidden layers": {"hidden": (9, 7), **LATE},
    "many levels": {"levels": ((255, 1), (200, 2), (150, 3), (100, 5), (90, 6), (30, 9), (1, 11))},
    "every pixel at once": {"levels": ((0, 0),)},
    "starts late": {"levels": ((128, 7),)},
    "earliest only": {"earliest_only": True},
    "margin 1": {"margin": 1},
    "margin of a sample": {"margin": 12},
    "deadline 1": {"deadline": 1},
    "deadline of a sample": {"deadline": 12},
    "delay 1": {"feedback_delay": 1},
    "delay beyond the margin": {"feedback_delay": 6},
    "delay beyond the sample": {"feedback_delay": 16},
    "no neuron blanked": {"neuron_keep": 256},
    "many neurons blanked": {"neuron_keep": 100, "hidden": (40, 30)},
    "nearly all neurons blanked": {"neuron_keep": 1, "hidden": (40,)},
    "step 1": {"step": 1},
    "step 127": {"step": 127},
    "one tick": {"n_ticks": 1, "margin": 1, "deadline": 1},
    "long samples": {"n_ticks": 400, "margin": 100, "deadline": 300, "thresholds": (9000, 9000)},
    "everything": {
        "hidden": (34, 20),
        "current_shifts": (4, 1, 3),
        "weight_width": 11,
        "levels": ((180, 0), (90, 2), (0, 4)),
        "earliest_only": True,
        "feedback_delay": 2,
        "neuron_keep": 180,
        "step": 5,
    },
}
NOTHING_LEARNED = {"nearly all neurons blanked"}


@pytest.mark.parametrize("name", OPTIONS)
def test_equals_the_reference_with(name):
    network = small(**OPTIONS[name])
    count = 3 if name == "long samples" else 8
    assert_equal(network, count=count)
    counters = assert_equal(network, count=count, weights=random_weights(network)).counters()
    assert counters["updates"] > 0
    assert counters["layer1_weights_changed"] > 0 or name in NOTHING_LEARNED
    assert_equal(network, count=count, weights=random_weights(network, ends=True))


@pytest.mark.parametrize("name", ["first-spike-tiny", "first-spike-mnist-20x20-320"])
def test_a_preset_equals_the_reference(name):
    network = preset(name).network
    counters = assert_equal(network, count=12).counters()
    assert counters["layer1_weights_changed"] > 0


@pytest.mark.parametrize("width", range(4, 17))
@pytest.mark.parametrize("step", [1, 100])
def test_every_weight_width(width, step):
    network = of_width(small(), width, step)
    assert_equal(network, weights=random_weights(network))
    fast = assert_equal(network, weights=random_weights(network, ends=True))
    for after, layer in zip(fast.weights, network.layers, strict=True):
        assert layer.weight_min == after.min() <= after.max() == layer.weight_max


@pytest.mark.parametrize("width", [4, 7, 8])
def test_widest_initial_weights(width):
    assert_equal(small(weight_width=width, weight_bound=127))


@pytest.mark.parametrize("width", [8, 9, 16])
@pytest.mark.parametrize("shifts", [None, (4, 3)])
def test_ports_saturate_in_the_order_of_the_rows(width, shifts):
    # 700 inputs of weight 127 pass 32767 within one tick; half of them each way, and their order decides.
    network = small((5,), n_inputs=700, thresholds=(25_000, 100), current_shifts=shifts)
    network = of_width(network, width)
    top, bottom = network.layers[0].weight_max, network.layers[0].weight_min
    ends = []
    for up in (
        np.ones(700, dtype=bool),
        np.zeros(700, dtype=bool),
        np.arange(700) < 350,
        np.arange(700) >= 300,
        np.arange(700) % 2 == 0,
    ):
        weights = random_weights(network, ends=True)
        weights[0] = np.repeat(np.where(up, top, bottom)[:, None], 5, axis=1)
        slow = ArrayModel(network)
        slow.load(weights)
        slow.run(np.full((1, 700), 255, np.uint8), np.array([7]), n_ticks=1)
        ends.append(int(slow.layers[0].population.x[0, 0]))
        assert_equal(network, count=3, weights=weights)
    assert ends[0] == 32767
    assert ends[1] == -32768
    assert ends[2] < -11_000  # 350 ups end at 32767, so that 350 downs lead below 0


def ramp(threshold=150, **changes):
    return replace(programs.first_spike(threshold=threshold, n_ticks=12), **changes)


PROGRAMS = {
    "refractory as short as it may be": ramp(refractory=11),
    "refractory for good": ramp(refractory=65535),
    "two ports": ramp(n_ports=2),
    "other order of the operations": ramp(operations=ramp().operations[::-1]),
    "clips": ramp(lower=(-100, -30), upper=(160, 40)),
    "initial values": ramp(initial=(20, -3)),
    "bias": ramp(bias=(4, -1)),
    "adaptive": ramp(adaptive=True),
    "reset": ramp(reset_mode=("set", "max"), reset_value=(-77, 5)),
    "reset add": ramp(reset_mode=("add", "add"), reset_value=(-32768, 32767)),
    "held": ramp(reset_mode=("set", "none"), reset_value=(100, 0), hold=True),
    "held above the threshold": ramp(reset_mode=("set", "set"), reset_value=(400, 7), hold=True),
    "noise": ramp(operations=(*ramp().operations, Operation(0, "noise", 3))),
    "stochastic lif": replace(programs.lif(threshold=100, noise=True), refractory=65535),
    "second order": replace(programs.lif_second_order(threshold=20), refractory=11),
    "two compartments": replace(programs.two_compartment(threshold=10), refractory=11),
    "mihalas-niebur": replace(
        programs.mihalas_niebur(5, 10, -0.6), initial=(0, 100, 0, 0), bias=(0, 4, 0, 0), refractory=11
    ),
    "negative threshold": ramp(threshold=-100),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("where", [0, 1, -1])
def test_any_program(name, where):
    network = with_layer(small((9, 7), feedback_delay=1), where, program=PROGRAMS[name])
    assert_equal(network)
    assert_equal(network, weights=random_weights(network))


def test_layers_may_differ():
    network = small((9, 12))
    for number, (width, step) in enumerate([(5, 1), (16, 127), (9, 3)]):
        network = with_layer(network, number, weight_width=width, rule=FirstSpikeRule(step))
    assert_equal(network, weights=random_weights(network))


@pytest.mark.parametrize("ticks", [1, 2, 5, 12])
@pytest.mark.parametrize("delay", [1, 3])
def test_ticks_may_be_given(ticks, delay):
    network = small(feedback_delay=delay, **LATE)
    assert_equal(network, n_ticks=ticks, weights=random_weights(network))


@pytest.mark.parametrize("decide_after", [0, 1, 3])
def test_decide_after_may_be_set(decide_after):
    network = small(feedback_delay=1)
    slow, fast = ArrayModel(network), FastArray(network)
    assert fast.decide_after == 1
    images, seeds, _ = pictures(network, 12)
    for array in (slow, fast):
        array.load(random_weights(network))
    slow.prediction.decide_after = fast.decide_after = decide_after
    a = slow.run(images, seeds)
    assert_same_results(a, fast.run(images, seeds))
    assert_same_state(slow, fast)
    assert bool((a.ticks == 12).all()) == (decide_after == 0)
    assert a.ticks_to_decision.min() < 12


@pytest.mark.parametrize("rates", [(0, 65536), (65536, 0), (30_000, 50_000), (1, 65535), (0, 0)])
def test_rates(rates):
    network = small()
    counters = assert_equal(network, rates=rates, weights=random_weights(network), count=20).counters()
    for number, rate in enumerate(rates, 1):
        assert (counters[f"layer{number}_rows_learned"] > 0) == (rate > 1)


def test_a_row_is_touched_if_its_random_number_is_less_than_the_rate():
    network = small(neuron_keep=256)
    for seed in range(10):
        generator = rng.Generator(salt(2, STREAM_PLASTICITY))
        generator.seed(seed)
        limit = generator.draw() & 0xFFFF
        touched = []
        for rate in (limit, limit + 1):
            slow, fast = ArrayModel(network), FastArray(network)
            for array in (slow, fast):
                array.load([np.full_like(weights, 60) for weights in array.weights])
                array.set_rates((0, rate))
                array.run(np.full((1, 13), 255, np.uint8), np.array([seed]), np.array([1]))
            assert_same_state(slow, fast)
            touched.append(fast.counters()["layer2_rows_learned"])
        assert touched[1] == touched[0] + 1


def test_order_and_grouping_of_batches_do_not_matter():
    network = small((9, 7))
    images, seeds, labels = pictures(network, 9)
    whole, parts = FastArray(network), FastArray(network)
    a = whole.run(images, seeds, labels)
    ticks = []
    for part in (slice(0, 1), slice(1, 1), slice(1, 7), slice(7, 9)):
        ticks += parts.run(images[part], seeds[part], labels[part]).ticks.tolist()
        parts.run(images, seeds)
    assert ticks == a.ticks.tolist()
    assert all((p == q).all() for p, q in zip(whole.weights, parts.weights, strict=True))


def test_a_run_resumes_from_its_weights():
    network = small()
    images, seeds, labels = pictures(network, 30)
    whole, before, after = (FastArray(network) for _ in range(3))
    rates = network.scaled_rates(0.6)
    for array in (whole, before, after):
        array.set_rates(rates)
    whole.run(images, seeds, labels)
    before.run(images[:17], seeds[:17], labels[:17])
    after.load(before.weights)
    after.run(images[17:], seeds[17:], labels[17:])
    assert any((p != q).any() for p, q in zip(before.weights, after.weights, strict=True))
    assert all((p == q).all() for p, q in zip(whole.weights, after.weights, strict=True))
    sums = {name: value + after.counters()[name] for name, value in before.counters().items()}
    assert sums == whole.counters()


@pytest.mark.parametrize("threads", [1, 2, 3, 50, None])
@pytest.mark.parametrize("ticks", [None, 3])
def test_parallel_inference_is_inference(threads, ticks):
    network = small(feedback_delay=1)
    one, many = FastArray(network), FastArray(network)
    images, seeds, labels = pictures(network, 20)
    for array in (one, many):
        array.load(random_weights(network))
        array.run(images, seeds, labels)
    expected = one.run(images, seeds, n_ticks=ticks)
    assert_same_results(expected, many.infer_parallel(images, seeds, ticks, threads))
    assert_same_state(one, many)
    assert many.infer_parallel(images[:0], seeds[:0]).ticks.size == 0


@pytest.mark.parametrize("hidden", [(), (9,), (9, 7)])
@pytest.mark.parametrize("ticks", [None, 4])
def test_decisions_tell_the_spikes_until_then(hidden, ticks):
    network = small(hidden, levels=((200, 0), (100, 2), (0, 4)), feedback_delay=2)
    slow, fast = ArrayModel(network), FastArray(network)
    images, seeds, _ = pictures(network, 25)
    weights = random_weights(network)
    weights[-1] -= 40  # so that some samples end without a decision
    for array in (slow, fast):
        array.load([np.maximum(values, -127) for values in weights])
    expected = []
    for image, seed in zip(images, seeds, strict=True):
        seen: list[Any] = []
        result = slow.sample(
            image, seed=int(seed), n_ticks=ticks, observer=lambda _, tick, seen=seen: seen.append(tick)
        )
        until = seen[: result.ticks_to_decision]
        spikes = [
            sum(len(tick.input_spikes) for tick in until),
            *(sum(len(tick.layer_spikes[number]) for tick in until) for number in range(len(hidden))),
        ]
        expected.append([result.answer, result.ticks_to_decision, *spikes])
        assert len(seen) == result.ticks
    for threads in (1, 3):
        d = fast.decisions(images, seeds, ticks, threads=threads)
        table = np.column_stack([d.answers, d.ticks_to_decision, d.input_spikes, d.hidden_spikes])
        assert table.tolist() == expected
        assert table.dtype == np.int64
        assert d.hidden_spikes.shape == (25, len(hidden))
    assert fast.counters() == {name: 2 * value for name, value in slow.counters().items()}
    empty = fast.decisions(images[:0], seeds[:0])
    assert empty.hidden_spikes.shape == (0, len(hidden))


def test_images_may_be_read_only_or_strided():
    network = small()
    images, seeds, labels = pictures(network, 8)
    expected = FastArray(network).run(images[::2], seeds[::2], labels[::2])
    frozen = images.copy()
    frozen.flags.writeable = False
    compiled = len(fast_first_spike_kernels.run_batch.signatures)
    array = FastArray(network)
    assert_same_results(expected, array.run(frozen[::2], seeds[::2].tolist(), labels[::2].tolist()))
    assert len(fast_first_spike_kernels.run_batch.signatures) == compiled


def test_what_does_not_fit_is_refused():
    network = small()
    fast = FastArray(network)
    images, seeds, labels = pictures(network, 4)
    with pytest.raises(ValueError, match="uint8 of shape"):
        fast.run(images[:, :-1], seeds)
    with pytest.raises(ValueError, match="labels must be from 0 to 3"):
        fast.run(images, seeds, labels + 4)
    with pytest.raises(
        ValueError, match=r"n_ticks is 13; network 'small' has neurons that spike once within 12"
    ):
        fast.run(images, seeds, n_ticks=13)
    with pytest.raises(ValueError, match="rates"):
        fast.set_rates((1,))
    with pytest.raises(ValueError, match=r"outside of -127 \.\.\. 127"):
        fast.load([np.full_like(weights, -128) for weights in fast.weights])
    with pytest.raises(ValueError, match="'eRBP' learns by error neurons"):
        FastArray(erbp_network("eRBP", (4,), n_inputs=13)).decisions(images, seeds)


@pytest.mark.parametrize("kernels", [fast_erbp_kernels, fast_first_spike_kernels])
def test_the_cache_notices_a_change_of_the_shared_kernels(kernels):
    around = kernels.run_batch.py_func.__closure__
    assert [cell.cell_contents for cell in around] == [fast_kernels.DIGEST + fast_fault_kernels.DIGEST]


# --- Random descriptions ----------------------------------------------------------------------------------

int16 = st.one_of(st.integers(-32768, 32767), st.integers(-600, 600), st.sampled_from([-32768, 32767, 0]))
keep = st.one_of(st.just(256), st.integers(1, 256))


@st.composite
def neuron_programs(draw, n_ticks):
    count, ports = draw(st.integers(1, 4)), draw(st.integers(1, 2))
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
        threshold=draw(st.integers(-50, 300)),
        bias=each(int16),
        lower=lower,
        upper=upper,
        reset_mode=modes,
        reset_value=each(int16),
        initial=tuple(draw(st.integers(low, high)) for low, high in zip(lower, upper, strict=True)),
        adaptive=count > 1 and draw(st.booleans()),
        refractory=draw(st.sampled_from([n_ticks - 1, n_ticks, 65535])),
        hold=modes[0] == "set" and draw(st.booleans()),
    )


@st.composite
def ramps(draw, n_ticks, inputs):
    threshold, shift = draw(st.integers(1, 60 * inputs)), draw(st.sampled_from([None, None, 1, 3, 9]))
    return programs.first_spike(threshold=threshold, current_shift=shift, n_ticks=n_ticks)


@st.composite
def networks(draw):
    n_ticks = draw(st.integers(1, 14))
    shape = [
        draw(st.integers(1, 30)),
        *(draw(st.integers(1, 40)) for _ in range(draw(st.integers(0, 3)))),
        draw(st.integers(2, 7)),
    ]
    layers = [
        Layer(
            n_neurons=neurons,
            program=draw(st.one_of(ramps(n_ticks, inputs), ramps(n_ticks, inputs), neuron_programs(n_ticks))),
            rule=FirstSpikeRule(draw(st.integers(1, 127))),
            weight_width=draw(st.integers(4, 16)),
            weight_bound=draw(st.integers(0, 127)),
            neuron_keep=draw(keep) if number < len(shape) - 2 else 256,
        )
        for number, (inputs, neurons) in enumerate(pairwise(shape))
    ]
    count = draw(st.integers(1, min(n_ticks, 4)))
    lowest = sorted(draw(st.lists(st.integers(0, 255), min_size=count, max_size=count, unique=True)))[::-1]
    ticks = draw(st.lists(st.integers(0, n_ticks - 1), min_size=count, max_size=count, unique=True))
    try:
        return Network(
            name="random",
            n_inputs=shape[0],
            layers=tuple(layers),
            encoder=LatencyEncoder(tuple(zip(lowest, sorted(ticks), strict=True))),
            n_ticks=n_ticks,
            error=FirstSpikeErrors(
                draw(st.integers(1, n_ticks)), draw(st.integers(1, n_ticks)), draw(st.booleans())
            ),
            margin=0,
            quiet_ticks=0,
            decide_after=draw(st.integers(0, 1)),
            feedback_delay=draw(st.integers(1, 5)),
            seed=draw(st.integers(0, 1 << 40)),
        )
    except DescriptionError as error:
        assume("threshold" not in str(error))
        raise


rate = st.one_of(st.just(65536), st.integers(0, 65536))


@settings(
    max_examples=200, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(
    network=networks(),
    seed=st.integers(0, 1000),
    weights=st.sampled_from(["initial", "any", "ends"]),
    rates=st.lists(rate, min_size=4, max_size=4),
)
def test_random_networks(network, seed, weights, rates):
    start = None if weights == "initial" else random_weights(network, seed, weights == "ends")
    assert_equal(network, count=5, seed=seed, weights=start, rates=rates[: len(network.layers)])


# --- Hidden errors for comparison -------------------------------------------------------------------------


def transmitted(layer, weight):
    return int(layer.transmitted(int(weight)))


def output_time(threshold, weights, times):
    """When a sum of ramps, in real time, reaches a threshold."""
    return (threshold + sum(w * (t - 1) for w, t in zip(weights, times, strict=True))) / sum(weights)


def exact_gradients(network, layer, word):
    """Sum D_o C_o w_ho / S_o for each hidden neuron that spiked, a number at a time."""
    gradients = {}
    spiked = {c: int(tick) for c, tick in enumerate(layer.spike_tick)}
    slopes = {}
    for c, tick in spiked.items():
        causal = [transmitted(layer.layer, layer.weights[h, c]) for h, t in layer.events if t <= tick]
        slopes[c] = float(sum(causal))
        if tick == NEVER:
            slopes[c] = max(slopes[c], layer.layer.program.threshold / network.n_ticks)
    for h, tick in layer.events:
        gradients[h] = 0.0
        for c in range(network.n_classes):
            if word[c] and tick <= spiked[c]:
                gradients[h] += word[c] * transmitted(layer.layer, layer.weights[h, c]) / slopes[c]
    return gradients


class Variant(ArrayModel):
    """The reference with another hidden error, for one hidden layer."""

    def __init__(self, network, kind):
        super().__init__(network)
        self.kind = kind

    def _learn_after(self):
        word = self.prediction.finish()
        if word is None:
            return
        hidden, output = self.layers
        assert isinstance(hidden, FirstSpikeLayer)
        assert isinstance(output, FirstSpikeLayer)
        losses = self.losses(output, word)
        output.replay(word)
        if not any(losses.values()):
            return
        for k, tick in hidden.events:
            draw = hidden.plasticity_draws.draw()
            if draw % 65536 >= hidden.rate:
                continue
            delta = np.zeros(hidden.layer.n_neurons, dtype=np.int64)
            for h, loss in losses.items():
                if tick <= hidden.spike_tick[h]:
                    delta[h] = (loss + draw // 65536) // 65536
            hidden._change(k, delta)

    def losses(self, output, word):
        """What the weights of each hidden neuron that spiked are to lose, in 1/65536."""
        hidden = self.layers[0]
        assert isinstance(hidden, FirstSpikeLayer)
        step = hidden.step
        if self.kind == "random-signs":
            votes = {}
            for h, tick in output.events:
                signs = np.where(random_signs(self.network)[h] < 0, -1, 1)
                votes[h] = int((signs * word)[tick <= output.spike_tick].sum())
            return {h: 65536 * step * int(np.sign(vote)) for h, vote in votes.items()}
        gradients = exact_gradients(self.network, output, word)
        if self.kind == "exact-sign":
            return {h: 65536 * step * int(np.sign(g)) for h, g in gradients.items()}
        sizes = [abs(g) for g in gradients.values() if g]
        total = sum(sizes, 0.0)
        return {
            h: int(np.floor(65536.0 * step * g * len(sizes) / total + 0.5)) if g else 0
            for h, g in gradients.items()
        }


KINDS = ["exact-gradient", "exact-sign", "random-signs"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [{}, LATE, {"weight_width": 5}, {"weight_width": 11}, {"deadline": 12, "n_classes": 7}, {"n_inputs": 60}],
    ids=str,
)
def test_a_variant_equals_its_formula(kind, options):
    network = small((14,), **options)
    for rates in ((65536, 65536), (20_000, 40_000)):
        for start in (network.initial_weights(), random_weights(network)):
            slow, fast = Variant(network, kind), FastArray(network, FirstSpikeLearner(network, kind))
            images, seeds, labels = pictures(network, 20)
            for array in (slow, fast):
                array.load(start)
                array.set_rates(rates)
            for use in (labels, None, labels):
                assert_same_results(slow.run(images, seeds, use), fast.run(images, seeds, use))
                assert_same_state(slow, fast)
            assert fast.counters()["layer1_weights_changed"] > 0


def test_sign_popcount_by_its_name_is_the_learner():
    network = small()
    images, seeds, labels = pictures(network, 20)
    a, b = FastArray(network), FastArray(network, FirstSpikeLearner(network, "sign-popcount"))
    assert_same_results(a.run(images, seeds, labels), b.run(images, seeds, labels))
    assert_same_state(a, b)


def test_the_exact_gradient_is_the_derivative_of_a_spike_time():
    # Three hidden neurons spike at ticks 0, 1 and 1, and the label (class 0) at tick 3, before class 1.
    network = small((3,), n_inputs=3, n_classes=2, thresholds=(60, 200), margin=4, neuron_keep=256)
    slow = ArrayModel(network)
    hidden = np.diag([100, 40, 35])
    output = np.array([[30, 20], [50, 35], [-20, 5]])
    slow.load([hidden, output])
    slow.sample(np.full(3, 255, dtype=np.uint8), seed=1, label=0)
    layer = slow.layers[1]
    assert isinstance(layer, FirstSpikeLayer)
    assert layer.events == [(0, 0), (1, 1), (2, 1)]
    ticks = layer.spike_tick.tolist()
    assert ticks == [3, 3]
    # The membranes are those of the formula, whose times lie in the tick before.
    times = [0, 1, 1]
    exact = [output_time(200, output[:, c], times) for c in (0, 1)]
    assert [int(np.ceil(t)) for t in exact] == ticks
    slow.load([hidden, output])
    word = np.array([-1, 1])
    gradients = exact_gradients(network, layer, word)
    for h, gradient in gradients.items():
        moved = [t + (k == h) * 1e-6 for k, t in enumerate(times)]
        after = [output_time(200, output[:, c], moved) for c in (0, 1)]
        slope = sum(d * (b - a) for d, a, b in zip(word, exact, after, strict=True)) / 1e-6
        assert gradient == pytest.approx(slope, abs=1e-6)


def test_the_mean_step_of_the_exact_gradient_is_the_step():
    network = small((40,), n_inputs=60, neuron_keep=256, step=3, margin=12)
    variant = Variant(network, "exact-gradient")
    images, seeds, labels = pictures(network, 10)
    seen = []
    for image, seed, label in zip(images, seeds, labels, strict=True):
        before = variant.counters()["updates"]
        variant.sample(image, seed=int(seed), label=int(label))
        output = variant.layers[1]
        assert isinstance(output, FirstSpikeLayer)
        if variant.counters()["updates"] > before and output.events:
            sizes = [abs(loss) for loss in variant.losses(output, output.word).values() if loss]
            seen.append(sum(sizes) / len(sizes) / 65536)
    assert seen == pytest.approx([3.0] * len(seen), abs=0.01)
    assert len(seen) > 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hidden", [(), (9, 7)])
def test_variants_need_one_hidden_layer(kind, hidden):
    with pytest.raises(
        DescriptionError, match=f"it is defined for one hidden layer, and network 'small' has {len(hidden)}"
    ):
        FirstSpikeLearner(small(hidden), kind)


def test_exact_variants_need_an_output_without_decay():
    network = small(current_shifts=(4, 3))
    for other in (
        network,
        with_layer(small(), 1, program=ramp(-1)),
        with_layer(small(), 1, program=PROGRAMS["clips"]),
    ):
        for kind in ("exact-gradient", "exact-sign"):
            with pytest.raises(
                DescriptionError, match="gradient of the program 'first-spike' without synaptic"
            ):
                FirstSpikeLearner(other, kind)
    assert "updates" in FastArray(network, FirstSpikeLearner(network, "random-signs")).counters()


def test_an_unknown_hidden_error_is_refused():
    with pytest.raises(
        DescriptionError, match="hidden_error is 'exact'; it must be one of 'sign-popcount', "
    ):
        FirstSpikeLearner(small(), "exact")  # type: ignore[arg-type]


def test_a_learner_of_another_network_is_refused():
    erbp = erbp_network("eRBP", (4,), n_inputs=13)
    with pytest.raises(
        DescriptionError, match="network 'eRBP' learns by error neurons; the first-spike learner"
    ):
        FirstSpikeLearner(erbp)
    with pytest.raises(ValueError, match="the learner is that of network 'small', not of 'eRBP'"):
        FastArray(erbp, FirstSpikeLearner(small()))
