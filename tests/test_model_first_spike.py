# SPDX-License-Identifier: BSD-2-Clause
"""The reference of the first-spike learner does what its equations say, and refuses what it cannot do."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from erbium.gen.presets import PRESETS, first_spike_network, preset
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import STREAM_BLANK_NEURON, STREAM_PLASTICITY, neuron_constants, salt
from erbium.sw_model.first_spike import NEVER, FirstSpikeLayer, FirstSpikePrediction, sign_popcount
from erbium.sw_model.network import Layer, Network
from erbium.sw_model.programs import DescriptionError, NeuronProgram, Operation, erbp_hidden, first_spike
from erbium.sw_model.rules import (
    MAX_CAUSES,
    MAX_LEVELS,
    MAX_TICKS,
    ErbpRule,
    ErrorNeurons,
    FirstSpikeErrors,
    FirstSpikeRule,
    LatencyEncoder,
)

TINY = preset("first-spike-tiny").network
ERBP = preset("tiny").network


def errors_of(network: Network) -> FirstSpikeErrors:
    """Return how a first-spike network tells which outputs are wrong."""
    assert isinstance(network.error, FirstSpikeErrors)
    return network.error


# --- Hidden errors ----------------------------------------------------------------------------------------


def test_sign_popcount_by_hand():
    # a = popcount(C & ((D+ & ~S) | (D- & S))), b = popcount(C & ((D+ & S) | (D- & ~S))), from output 0 on:
    # D = + + - 0 +, S = 0 1 1 0 0, C = 1 1 1 1 0. D+ & ~S is outputs 0 and 4, D- & S is 2; of these 0 and 2 are
    # causal, so a = 2. D+ & S is output 1, D- & ~S is none; so b = 1. a > b: later.
    word = np.array([1, 1, -1, 0, 1])
    negative = np.array([0, 1, 1, 0, 0], dtype=bool)
    causal = np.array([1, 1, 1, 1, 0], dtype=bool)
    assert sign_popcount(word, negative, causal) == 1
    assert sign_popcount(-word, negative, causal) == -1
    assert sign_popcount(word, ~negative, causal) == -1
    # Without output 2, a = b = 1.
    assert sign_popcount(word, negative, np.array([1, 1, 0, 1, 0], dtype=bool)) == 0
    assert sign_popcount(word, negative, np.zeros(5, dtype=bool)) == 0


@pytest.mark.parametrize(
    ("word", "negative", "vote"), [(1, False, 1), (1, True, -1), (-1, False, -1), (-1, True, 1), (0, True, 0)]
)
def test_sign_popcount_of_one(word, negative, vote):
    for causal in (True, False):
        assert sign_popcount(np.array([word]), np.array([negative]), np.array([causal])) == vote * causal


def test_sign_popcount_counts_votes():
    random = np.random.default_rng(3)
    for _ in range(300):
        n = int(random.integers(1, 12))
        word, weights = random.integers(-1, 2, n), random.integers(-2, 3, n)
        causal = random.random(n) < 0.6
        votes = sum(int(d) * (-1 if w < 0 else 1) for d, w, c in zip(word, weights, causal, strict=True) if c)
        assert sign_popcount(word, weights < 0, causal) == np.sign(votes)


# --- The equations, once more -----------------------------------------------------------------------------


class Equations:
    """The network without decay as the contract spells it, a number at a time; its weights are lists of rows."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.weights = [[[int(w) for w in row] for row in layer] for layer in network.initial_weights()]
        self.thresholds = [layer.program.threshold for layer in network.layers]
        self.rates = [65536 for _ in network.layers]

    def random(self, process, stream, seed):
        """Yield the numbers of one generator."""
        state = (seed + salt(process, stream)) % 2**32 or salt(process, stream)
        while True:
            state ^= state << 13 & 0xFFFF_FFFF
            state ^= state >> 17
            state ^= state << 5 & 0xFFFF_FFFF
            yield state

    def silent(self, number, seed):
        """Tell which neurons do not take part in learning a sample."""
        keep, n = self.network.layers[number].neuron_keep, self.network.layers[number].n_neurons
        if keep == 256:
            return [False] * n
        draw = next(self.random(number + 1, STREAM_BLANK_NEURON, seed))
        bytes_ = [((draw % 65536 ^ int(c)) + (draw >> 16)) % 65536 >> 8 for c in neuron_constants(n)]
        return [byte >= keep for byte in bytes_]

    def sample(self, image, seed, label=None):
        """Present a sample; return the answer, the ticks to the decision, and the spike ticks of all neurons."""
        network, ticks = self.network, self.network.n_ticks
        sizes = [layer.n_neurons for layer in network.layers]
        spiked: list[list[int]] = [[ticks] * size for size in (network.n_inputs, *sizes)]
        silent = [
            self.silent(number, seed) if label is not None else [False] * size
            for number, size in enumerate(sizes)
        ]
        current = [[0] * size for size in sizes]
        membrane = [[0] * size for size in sizes]
        answer, decision, end = None, None, ticks - 1
        order: list[list[int]] = [[] for _ in spiked]
        assert isinstance(network.encoder, LatencyEncoder)
        for t in range(ticks):
            now = []
            for k, pixel in enumerate(image):
                if t == next((tick for lowest, tick in network.encoder.levels if pixel >= lowest), None):
                    spiked[0][k] = t
                    now.append(k)
            order[0] += now
            for number, size in enumerate(sizes):
                for k in now:
                    for i in range(size):
                        current[number][i] += self.weights[number][k][i]
                now = []
                for i in range(size):
                    raised = membrane[number][i] + current[number][i]
                    membrane[number][i] = min(max(raised, -(2**15)), 2**15 - 1)
                    if (
                        membrane[number][i] >= self.thresholds[number]
                        and spiked[number + 1][i] == ticks
                        and not silent[number][i]
                    ):
                        spiked[number + 1][i] = t
                        now.append(i)
                order[number + 1] += now
            if now and decision is None:
                decision = t
                answer = max(now, key=lambda o: (membrane[-1][o], -o))
            if label is None and decision is not None:
                break
            if label is not None and spiked[-1][label] < ticks:
                errors = errors_of(network)
                end = spiked[-1][label] + max(errors.margin - 1, network.feedback_delay)
            if t == end:
                break
        if answer is None:
            answer = max(range(sizes[-1]), key=lambda o: (membrane[-1][o], -o))
        if label is not None:
            self.learn(spiked, order, seed, label)
        return answer, t + 1 if decision is None else decision + 1, spiked

    def learn(self, spiked, order, seed, label):
        network, ticks = self.network, self.network.n_ticks
        errors, t_y = errors_of(network), spiked[-1][label]
        wrong = [
            o
            for o in range(network.n_classes)
            if o != label and spiked[-1][o] < ticks and (t_y == ticks or spiked[-1][o] < t_y + errors.margin)
        ]
        if not wrong and t_y < errors.deadline:
            return
        if errors.earliest_only:
            wrong = sorted(wrong, key=lambda o: (spiked[-1][o], o))[:1]
        delta = [-1 if o == label else int(o in wrong) for o in range(network.n_classes)]
        for number in reversed(range(len(network.layers))):
            rows, layer = self.weights[number], network.layers[number]
            assert isinstance(layer.rule, FirstSpikeRule)
            below = [0] * len(rows)
            draws = self.random(number + 1, STREAM_PLASTICITY, seed)
            for k in order[number]:
                causal = [spiked[number][k] <= spiked[number + 1][i] for i in range(layer.n_neurons)]
                a = b = 0
                for d, w, c in zip(delta, rows[k], causal, strict=True):
                    a += c and ((d == 1 and w >= 0) or (d == -1 and w < 0))
                    b += c and ((d == 1 and w < 0) or (d == -1 and w >= 0))
                below[k] = (a > b) - (a < b)
                if next(draws) % 65536 < self.rates[number]:
                    bound = 2 ** (layer.weight_width - 1) - 1
                    for i, (d, c) in enumerate(zip(delta, causal, strict=True)):
                        moved = rows[k][i] - layer.rule.step * d * c
                        rows[k][i] = min(max(moved, -bound), bound)
            delta = below
            if not any(delta):
                break


def assert_equations(network, pictures, rates=None):
    """Learn, infer and learn again with the reference and the equations; return the samples that changed something."""
    model, equations = ArrayModel(network), Equations(network)
    if rates is not None:
        model.set_rates(rates)
        equations.rates = list(rates)
    for learn in (True, False, True):
        for image, seed, label in zip(*pictures, strict=True):
            use = int(label) if learn else None
            result = model.sample(image, seed=int(seed), label=use)
            answer, decided, spiked = equations.sample(image.tolist(), int(seed), use)
            assert (result.answer, result.ticks_to_decision) == (answer, decided)
            for layer, ticks in zip(model.layers, spiked[1:], strict=True):
                assert isinstance(layer, FirstSpikeLayer)
                # In inference the reference goes on until the decision has come round the feedback loop.
                last = decided if use is None else network.n_ticks
                seen = np.where(layer.spike_tick < last, layer.spike_tick, network.n_ticks)
                assert seen.tolist() == ticks
            for number, weights in enumerate(equations.weights):
                assert model.weights[number].tolist() == weights
    return model.counters()["updates"]


def some_pictures(network, count, seed=0):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, network.n_inputs)).astype(np.uint8)
    images[random.random(images.shape) < 0.3] = 0
    return images, random.integers(0, 2**32, count), random.integers(0, network.n_classes, count)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden": ()},
        {"hidden": (10, 7)},
        {"neuron_keep": 256},
        {"neuron_keep": 128},
        {"levels": ((200, 0), (90, 2), (0, 5))},
        {"margin": 1},
        {"margin": 12},
        {"deadline": 1},
        {"feedback_delay": 7},
        {"earliest_only": True},
        {"step": 30},
        {"rates": (20_000, 50_000)},
        {"rates": (0, 65536)},
    ],
    ids=str,
)
def test_the_reference_follows_the_equations(options):
    options = dict(options)
    rates, hidden = options.pop("rates", None), options.pop("hidden", (11,))
    options = {"margin": 3, "deadline": 9, "neuron_keep": 224, **options}
    network = first_spike_network(
        "small",
        hidden,
        n_inputs=15,
        n_classes=4,
        n_ticks=12,
        thresholds=(*(250 for _ in hidden), 180),
        **options,
    )
    assert assert_equations(network, some_pictures(network, 20), rates) > 0


def test_a_row_is_touched_if_its_random_number_is_less_than_the_rate():
    network = replace(TINY, feedback_delay=1)
    for seed in range(20):
        limit = next(Equations(network).random(2, STREAM_PLASTICITY, seed)) % 65536
        for rate, touched in ((limit, 0), (limit + 1, 1)):
            model = ArrayModel(network)
            model.set_rates((0, rate))
            output = model.layers[1]
            assert isinstance(output, FirstSpikeLayer)
            output.begin(seed, True)
            output.row(5)
            output.replay(np.ones(4, dtype=np.int64))
            assert output.counters.rows_learned == touched


@pytest.mark.parametrize("keep", [1, 100, 255])
def test_a_neuron_takes_part_if_its_byte_is_less_than_what_is_kept(keep):
    network = tiny(0, neuron_keep=keep)
    model, equations = ArrayModel(network), Equations(network)
    for seed in range(300):
        model.layers[0].begin(seed, True)
        assert model.layers[0].silent.tolist() == equations.silent(0, seed)
        model.layers[0].begin(seed, False)
        assert not model.layers[0].silent.any()


@st.composite
def networks(draw):
    n_ticks, hidden = draw(st.integers(1, 12)), draw(st.lists(st.integers(1, 12), max_size=2))
    shape = [draw(st.integers(1, 20)), *hidden, draw(st.integers(2, 5))]
    late = draw(st.integers(1, max(n_ticks - 1, 1)))
    levels = draw(st.sampled_from([((128, 0),), ((128, 0), (0, late)), ((1, n_ticks - 1),), ((90, 0),)]))
    try:
        return first_spike_network(
            "random",
            hidden,
            n_inputs=shape[0],
            n_classes=shape[-1],
            thresholds=[draw(st.integers(1, 50 * n + 1)) for n in shape[:-1]],
            n_ticks=n_ticks,
            margin=draw(st.integers(1, n_ticks)),
            deadline=draw(st.integers(1, n_ticks)),
            step=draw(st.integers(1, 40)),
            weight_bound=draw(st.integers(20, 127)),
            neuron_keep=draw(st.sampled_from([256, 224, 100])),
            levels=levels,
            earliest_only=draw(st.booleans()),
            feedback_delay=draw(st.integers(1, 4)),
            seed=draw(st.integers(0, 1 << 30)),
        )
    except DescriptionError as error:
        assume("threshold" not in str(error) and "last level" not in str(error))
        raise


@settings(
    max_examples=100, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(network=networks(), seed=st.integers(0, 1000), rate=st.sampled_from([65536, 30_000, 0]))
def test_random_networks_follow_the_equations(network, seed, rate):
    assert_equations(network, some_pictures(network, 4, seed), [rate] * len(network.layers))


# --- One sample, by hand ----------------------------------------------------------------------------------


def by_hand(**errors):
    """Two inputs, two hidden neurons, two classes; all thresholds 100."""
    network = first_spike_network(
        "by-hand",
        (2,),
        n_inputs=2,
        n_classes=2,
        thresholds=(100, 100),
        n_ticks=8,
        neuron_keep=256,
        feedback_delay=1,
        **{"margin": 2, "deadline": 6, **errors},
    )
    model = ArrayModel(network)
    model.load([np.array([[100, 20], [0, 30]]), np.array([[10, 60], [30, -20]])])
    return model


def test_a_sample_by_hand():
    # Hidden neuron 0 gets 100 per tick and spikes at tick 0, neuron 1 gets 50 and spikes at tick 1.
    # V of class 0: 10, 50, 90, 130: tick 3. V of class 1: 60, 100: tick 1.
    model = by_hand()
    result = model.sample(np.array([255, 128], dtype=np.uint8), seed=5, label=0)
    hidden, output = model.layers
    assert isinstance(hidden, FirstSpikeLayer)
    assert isinstance(output, FirstSpikeLayer)
    assert hidden.spike_tick.tolist() == [0, 1]
    assert output.spike_tick.tolist() == [3, 1]
    assert output.events == [(0, 0), (1, 1)]
    assert (result.answer, result.ticks, result.ticks_to_decision) == (1, 5, 2)
    # Class 1 is to spike later, class 0 earlier. Hidden 0 has positive weights to both: one vote each. Hidden 1
    # has a positive weight to class 0 and a negative one to class 1: both want it earlier.
    assert output.word.tolist() == [-1, 1]
    assert hidden.word.tolist() == [0, -1]
    assert model.weights[1].tolist() == [[12, 58], [32, -22]]
    assert model.weights[0].tolist() == [[100, 22], [0, 32]]
    counters = model.counters()
    assert counters["updates"] == 1
    assert (counters["layer1_rows_learned"], counters["layer1_weights_changed"]) == (2, 2)
    assert (counters["layer2_rows_learned"], counters["layer2_weights_changed"]) == (2, 4)


def test_what_is_right_and_early_changes_nothing():
    model = by_hand()
    before = model.weights
    result = model.sample(np.array([255, 128], dtype=np.uint8), seed=5, label=1)
    # Class 1 at tick 1 is before the deadline, and class 0 at tick 3 is not before 1 + 2.
    assert result.ticks == 3
    assert model.counters()["updates"] == 0
    assert all((a == b).all() for a, b in zip(before, model.weights, strict=True))
    model.sample(np.array([255, 128], dtype=np.uint8), seed=5)
    assert model.counters()["updates"] == 0
    assert all((a == b).all() for a, b in zip(before, model.weights, strict=True))


@pytest.mark.parametrize(
    ("errors", "spike_tick", "word"),
    [
        ({}, (1, 3, 3, NEVER), None),
        ({}, (1, 2, 3, 2), [-1, 1, 0, 1]),
        ({"earliest_only": True}, (1, 2, 3, 2), [-1, 1, 0, 0]),
        ({"earliest_only": True}, (4, 2, 1, 1), [-1, 0, 1, 0]),
        ({}, (5, NEVER, NEVER, NEVER), None),
        ({}, (6, NEVER, NEVER, NEVER), [-1, 0, 0, 0]),
        ({}, (NEVER, NEVER, NEVER, NEVER), [-1, 0, 0, 0]),
        ({}, (NEVER, 7, NEVER, NEVER), [-1, 1, 0, 0]),
        ({"earliest_only": True}, (NEVER, NEVER, NEVER, NEVER), [-1, 0, 0, 0]),
    ],
)
def test_errors_of_the_outputs(errors, spike_tick, word):
    # margin 2, deadline 6, label 0
    network = replace(TINY, error=FirstSpikeErrors(2, 6, **errors))
    prediction = FirstSpikePrediction(network)
    prediction.begin(True, 0)
    prediction.spike_tick[:] = spike_tick
    result = prediction.finish()
    assert (None if result is None else result.tolist()) == word
    assert prediction.updates == (word is not None)
    prediction.begin(False, 0)
    prediction.spike_tick[:] = spike_tick
    assert prediction.finish() is None


def test_ties_go_to_the_larger_membrane_then_to_the_lower_index():
    program = first_spike(threshold=50, n_ticks=4)
    layer = Layer(3, program, FirstSpikeRule())
    network = Network(
        "ties",
        2,
        (layer,),
        LatencyEncoder(),
        4,
        FirstSpikeErrors(1, 4),
        margin=0,
        quiet_ticks=0,
        decide_after=1,
    )
    model = ArrayModel(network)
    image = np.array([255, 255], dtype=np.uint8)
    for row, answer, decided in (
        ([60, 70, 60], 1, 1),
        ([49, 70, 70], 1, 1),
        ([60, 60, 60], 0, 1),
        ([20, 20, 25], 2, 2),
        ([1, 3, 3], 1, 4),
    ):
        model.load([np.array([row, [0, 0, 0]])])
        result = model.sample(image, seed=1)
        assert (result.answer, result.ticks_to_decision) == (answer, decided)


# --- Refusals ---------------------------------------------------------------------------------------------


def tiny(number, **changes):
    layers = list(TINY.layers)
    layers[number] = replace(layers[number], **changes)
    return replace(TINY, layers=tuple(layers))


def two_hidden(neurons):
    return replace(TINY, layers=(TINY.layers[0], replace(TINY.layers[0], n_neurons=neurons), TINY.layers[1]))


def program(**changes):
    return replace(first_spike(threshold=500, n_ticks=8), **changes)


TWO_PORTS = program(n_ports=2)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (
            lambda: tiny(0, program=program(threshold=16_257)),
            "threshold of layer 1 is 16257; even with all 16 inputs at the largest weight no neuron reaches it within "
            "8 ticks",
        ),
        (
            lambda: tiny(1, program=program(threshold=12_193)),
            "threshold of layer 2 is 12193; even with all 12 inputs at the largest weight no neuron reaches it within "
            "8 ticks",
        ),
        (
            lambda: tiny(1, program=program(operations=(Operation(1, "u0"),))),
            "threshold of layer 2 is 500; even with all 12 inputs",
        ),
        (
            lambda: replace(TINY, error=FirstSpikeErrors(3, 9)),
            "deadline is 9; it must be from 1 to 8; a sample has no later tick",
        ),
        (
            lambda: replace(TINY, error=FirstSpikeErrors(9, 6)),
            "margin of the first-spike errors is 9; it must be from 1 to 8 ticks, a sample's length",
        ),
        (
            lambda: replace(TINY, decide_after=2),
            "decide_after of a first-spike network is 2; it must be from 0 to 1; a neuron spikes once",
        ),
        (
            lambda: replace(TINY, margin=320),
            "margin of a first-spike network is 320; it must be from 0 to 0; it belongs to error neurons",
        ),
        (
            lambda: replace(TINY, quiet_ticks=3),
            "quiet_ticks of a first-spike network is 3; it must be from 0 to 0; it belongs to error neurons",
        ),
        (
            lambda: replace(TINY, encoder="bernoulli"),
            "encoder is 'bernoulli'; the first-spike learner replays one spike per pixel and needs a LatencyEncoder",
        ),
        (lambda: replace(TINY, encoder="phase"), "encoder is 'phase'; the first-spike learner replays"),
        (
            lambda: replace(TINY, encoder=LatencyEncoder(((128, 0), (0, 8)))),
            "the last level of the latency encoder spikes at tick 8; a sample has ticks 0 to 7",
        ),
        (
            lambda: tiny(0, rule=None),
            "rule of layer 1 of a first-spike network is None; it must be a FirstSpikeRule",
        ),
        (
            lambda: tiny(1, rule=ErbpRule()),
            "rule of layer 2 of a first-spike network is ErbpRule(gate_lower=0, gate_upper=512, modulator=1, "
            "first_tick=1); it must be a FirstSpikeRule",
        ),
        (
            lambda: replace(ERBP, layers=(replace(ERBP.layers[0], rule=FirstSpikeRule()), ERBP.layers[1])),
            "a layer has a FirstSpikeRule, but the errors of the network are error neurons; the first-spike learner "
            "needs FirstSpikeErrors",
        ),
        (lambda: replace(TINY, error=ErrorNeurons()), "a layer has a FirstSpikeRule, but the errors"),
        (
            lambda: tiny(0, program=TWO_PORTS, feedback="sign"),
            "feedback of layer 1 of a first-spike network is 'sign'; it has none",
        ),
        (
            lambda: tiny(0, synapse_keep=255),
            "synapse_keep of layer 1 of a first-spike network is 255; only neurons can be blanked out there, it must "
            "be 256",
        ),
        (
            lambda: tiny(0, program=program(refractory=6)),
            "refractory time of layer 1 of a first-spike network is 6; a neuron spikes once per sample, so it must be "
            "at least 7",
        ),
        (
            lambda: tiny(0, program=erbp_hidden()),
            "refractory time of layer 1 of a first-spike network is 0; a neuron spikes once",
        ),
        (
            lambda: two_hidden(MAX_CAUSES + 1),
            "neurons of layer 2 of a first-spike network is 1025; it must be from 1 to 1024, the votes "
            "on a spike of the layer before",
        ),
        (
            lambda: tiny(1, neuron_keep=255),
            "neuron_keep of layer 2 of a first-spike network is 255; a class cannot be blanked out, it must be 256",
        ),
        (lambda: FirstSpikeRule(0), "step is 0; it must be from 1 to 32767"),
        (lambda: FirstSpikeRule(32_768), "step is 32768; it must be from 1 to 32767"),
        (
            lambda: FirstSpikeErrors(0, 1),
            f"margin of the first-spike errors is 0; it must be from 1 to {MAX_TICKS}",
        ),
        (lambda: FirstSpikeErrors(1, 0), f"deadline is 0; it must be from 1 to {MAX_TICKS}"),
        (lambda: FirstSpikeErrors(1, 1, 1), "earliest_only is 1; it must be true or false"),  # type: ignore[arg-type]
        (lambda: LatencyEncoder(()), "number of levels of the latency encoder is 0; it must be from 1 to 8"),
        (
            lambda: LatencyEncoder(tuple((90 - k, k) for k in range(MAX_LEVELS + 1))),
            "number of levels of the latency encoder is 9; it must be from 1 to 8",
        ),
        (lambda: LatencyEncoder(((256, 0),)), "smallest pixel of a level is 256; it must be from 0 to 255"),
        (lambda: LatencyEncoder(((0, -1),)), "tick of a level is -1; it must be from 0 to 4095"),
        (
            lambda: LatencyEncoder(((128, 0, 1),)),  # type: ignore[arg-type]
            "level (128, 0, 1) of the latency encoder must be a pair (smallest pixel, tick)",
        ),
        (
            lambda: LatencyEncoder(((128, 0), (128, 1))),
            "level (128, 1) of the latency encoder follows (128, 0); the smallest pixel must fall and the tick must "
            "rise from level to level",
        ),
        (
            lambda: LatencyEncoder(((128, 3), (100, 3))),
            "level (100, 3) of the latency encoder follows (128, 3); the smallest pixel must fall",
        ),
    ],
)
def test_what_the_learner_cannot_do_is_said(build: Any, sentence: str) -> None:
    with pytest.raises(DescriptionError, match=re.escape(sentence)):
        build()


def test_the_ends_of_what_is_accepted():
    """What is one below each limit above is fine."""
    assert tiny(0, program=program(threshold=16_256)).layers[0].program.threshold == 16_256
    assert errors_of(replace(TINY, error=FirstSpikeErrors(8, 8))).margin == 8
    assert replace(TINY, decide_after=0).decide_after == 0
    assert tiny(0, program=program(refractory=7)).error.spikes_once
    assert two_hidden(MAX_CAUSES).shape == (16, 12, 1024, 4)
    assert tiny(0, n_neurons=4096).error.spikes_once  # the votes are on spikes of the layer before
    assert replace(TINY, encoder=LatencyEncoder(((128, 0), (0, 7)))).lowest_pixel == 0


def test_a_threshold_is_weighed_with_the_layer_before():
    # With 8 ticks of 16 * 127 a neuron gets to 16256 in the last tick, and a neuron behind it has that tick left.
    late = tiny(0, program=program(threshold=16_256))
    reach = 12 * 127
    layers = (late.layers[0], replace(late.layers[1], program=program(threshold=reach)))
    assert replace(late, layers=layers).error.spikes_once
    with pytest.raises(DescriptionError, match=f"threshold of layer 2 is {reach + 1}"):
        replace(late, layers=(layers[0], replace(layers[1], program=program(threshold=reach + 1))))


# --- JSON -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("first-spike")])
def test_a_preset_goes_through_json(name):
    network = preset(name).network
    again = Network.from_json(network.to_json())
    assert again == network
    assert again.digest == network.digest


def test_every_option_goes_through_json():
    network = first_spike_network(
        "all",
        (9, 7),
        n_inputs=20,
        n_classes=3,
        thresholds=(300, 200, 100),
        current_shifts=(4, 3, 2),
        weight_width=10,
        step=3,
        levels=((200, 0), (90, 2), (0, 4)),
        earliest_only=True,
        feedback_delay=2,
        neuron_keep=99,
        seed=1 << 40,
    )
    again = Network.from_json(network.to_json())
    assert again == network
    assert again.encoder == LatencyEncoder(((200, 0), (90, 2), (0, 4)))
    assert isinstance(again.layers[0].program, NeuronProgram)
    assert [layer.rule for layer in again.layers] == [FirstSpikeRule(12)] * 3
    assert again.error == FirstSpikeErrors(4, 12, True)


def test_each_part_is_in_the_digest():
    others = [
        TINY,
        replace(TINY, error=replace(errors_of(TINY), margin=2)),
        replace(TINY, error=replace(errors_of(TINY), earliest_only=True)),
        replace(TINY, encoder=LatencyEncoder(((129, 0),))),
        tiny(0, rule=FirstSpikeRule(3)),
    ]
    digests = {network.digest for network in others}
    assert len(digests) == len(others)
    assert all(a != b for a, b in pairwise(others))


def test_json_with_unknown_fields_is_refused():
    for path in (("error",), ("encoder",), ("layers", 0, "rule")):
        data = json.loads(TINY.to_json())
        place = data
        for key in path:
            place = place[key]
        place["colour"] = "green"
        with pytest.raises(DescriptionError, match="has an unknown field 'colour'"):
            Network.from_json(json.dumps(data))
