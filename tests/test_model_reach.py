# SPDX-License-Identifier: BSD-2-Clause
"""Networks with which nothing can ever happen are refused, and only those."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erbium.gen.presets import PRESETS, erbp_network, first_spike_network, preset
from erbium.sw_model import constants, reach
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.network import Network
from erbium.sw_model.programs import STATE_MAX, DescriptionError, first_spike, lif
from erbium.sw_model.rules import ErbpRule, ErrorNeurons

TINY = preset("tiny").network
DIGITS = preset("erbp-digits").network
SPIKING = preset("first-spike-tiny").network
CASES = settings(
    max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def learned(network, count=12, seed=0, rates=None):
    """Return the array after `count` random samples of random labels."""
    array = ArrayModel(network)
    if rates is not None:
        array.set_rates(rates)
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, network.n_inputs), dtype=np.uint8)
    labels = generator.integers(0, network.n_classes, count)
    array.run(images, constants.sample_seeds(network.seed, True, 0, count), labels)
    return array


def changes(network, **options):
    array = learned(network, **options)
    return sum(layer.counters.weights_changed for layer in array.layers)


def unchecked(build, monkeypatch):
    """Build a network that would be refused."""
    with monkeypatch.context() as patch:
        patch.setattr("erbium.sw_model.network.check_reach", lambda network: None)
        return build()


def refusal(build):
    """Return why something is refused, or nothing."""
    try:
        build()
    except DescriptionError as error:
        return str(error)
    return ""


def changed_layers(network, **changes):
    return replace(network, layers=tuple(replace(layer, **changes) for layer in network.layers))


def with_program(network, number, **changes):
    layers = list(network.layers)
    layers[number] = replace(layers[number], program=replace(layers[number].program, **changes))
    return replace(network, layers=tuple(layers))


REFUSED = {
    "quiet": (
        lambda: replace(DIGITS, error=ErrorNeurons(1, 5)),
        "no weight of the network can ever change: error neurons of weight 1 and threshold 5 spike at tick 4 at the "
        "earliest, and quiet_ticks of 3 stops each learned sample before; set quiet_ticks to at least 4, or 0 for "
        "never, or the threshold to at most 4",
    ),
    "too short": (lambda: replace(TINY, n_ticks=2), "set n_ticks to at least 3"),
    "late rule": (
        lambda: changed_layers(TINY, rule=ErbpRule(first_tick=16)),
        "a sample has ticks 0 to 15 and layer 1 learns at tick 16 at the earliest",
    ),
    "late feedback": (lambda: replace(TINY, feedback_delay=15), "feedback_delay 15"),
    "no gain": (lambda: changed_layers(TINY, gain=0), "layer 1 has feedback 'sign' and gain 0"),
    "no feedback": (lambda: changed_layers(TINY, feedback="none"), "layer 1 has feedback 'none'"),
    "gate": (
        lambda: changed_layers(TINY, rule=ErbpRule(5000, 6000)),
        "learns while 5000 <= v < 6000, and 'v' is clipped to -256 ... 4095; move the gate",
    ),
    "gate below": (lambda: changed_layers(TINY, rule=ErbpRule(-900, -256)), "-900 <= v < -256"),
    "clip of the modulator": (
        lambda: replace(
            TINY,
            layers=tuple(
                replace(layer, program=replace(layer.program, lower=(-256, 0), upper=(4095, 0)))
                for layer in TINY.layers
            ),
        ),
        "layer 1 learns by state 'u', which is clipped to 0 ... 0",
    ),
    "threshold above the clip": (
        lambda: with_program(TINY, 0, threshold=4096),
        "threshold of layer 1 is 4096 and state 'v' of its program is clipped at 4095, so no neuron ever spikes; set "
        "the threshold to at most 4095, or raise the clip",
    ),
    "output that never spikes": (
        lambda: with_program(TINY, 1, threshold=5000),
        "threshold of layer 2 is 5000",
    ),
    "threshold out of reach": (
        lambda: replace(with_program(TINY, 0, threshold=4000), n_inputs=1, n_ticks=4, margin=0),
        "threshold of layer 1 is 4000; even with all 2 rows at the largest weight at each tick no neuron reaches it "
        "within 4 ticks",
    ),
    "leak": (
        lambda: replace(
            TINY,
            layers=(
                replace(
                    TINY.layers[0], program=replace(lif(threshold=32767, leak_shift=0), n_ports=2), rule=None
                ),
                TINY.layers[1],
            ),
        ),
        "threshold of layer 1 is 32767; even with all",
    ),
    "silent start": (
        lambda: replace(SPIKING, layers=(replace(SPIKING.layers[0], weight_bound=0), SPIKING.layers[1])),
        "weight_bound of layer 1 is 0 and its threshold 500; with such weights none of its neurons ever spikes",
    ),
    "decision": (
        lambda: replace(TINY, decide_after=17),
        "decide_after is 17; in 16 ticks an output neuron spikes at most 16 times; set it to at most that",
    ),
    "decision of refractory neurons": (
        lambda: replace(with_program(TINY, 1, refractory=3), decide_after=5),
        "an output neuron spikes at most 4 times",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_never_happen_is_refused_in_one_sentence(name):
    build, sentence = REFUSED[name]
    with pytest.raises(DescriptionError, match=re.escape(sentence)) as caught:
        build()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_does_nothing_in_the_model(name, monkeypatch):
    network = unchecked(REFUSED[name][0], monkeypatch)
    array = learned(network)
    silent = any(layer.counters.spikes == 0 for layer in array.layers)
    assert silent or "decision" in name or sum(x.counters.weights_changed for x in array.layers) == 0


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_accepted_at_the_edge_of_their_quiet_ticks(name):
    network = PRESETS[name].network
    if network.quiet_ticks:
        assert replace(network, error=ErrorNeurons(1, network.quiet_ticks + 1))
        with pytest.raises(DescriptionError, match="quiet_ticks of"):
            replace(network, error=ErrorNeurons(1, network.quiet_ticks + 2))


def test_one_layer_may_stand_still_beside_others():
    still = replace(TINY, layers=(replace(TINY.layers[0], gain=0), TINY.layers[1]))
    array = learned(still)
    assert array.layers[0].counters.weights_changed == 0 < array.layers[1].counters.weights_changed
    assert changed_layers(TINY, rule=None, gain=0, feedback="none")


def test_a_rule_that_needs_no_error_is_left_alone():
    # The membrane itself is the plasticity word: no error has to spike.
    network = replace(
        changed_layers(TINY, rule=ErbpRule(0, 512, 0), gain=0), error=ErrorNeurons(1, 200), n_ticks=4
    )
    assert changes(network) > 0


@CASES
@given(
    weight=st.integers(1, 6),
    excess=st.integers(0, 30),
    quiet=st.integers(0, 6),
    delay=st.integers(1, 4),
    n_ticks=st.integers(1, 12),
    first_tick=st.integers(1, 6),
    hidden=st.sampled_from([(), (3,), (4, 2)]),
)
def test_refused_is_what_never_learns(weight, excess, quiet, delay, n_ticks, first_tick, hidden):
    """The condition is exact for the timing of eRBP: refused networks never change, accepted ones do."""

    def build() -> Network:
        gains = [40] * len(hidden) + [255]
        return erbp_network(
            "random", hidden, n_inputs=6, n_classes=4, threshold=64, gains=gains, n_ticks=n_ticks,
            error=(weight, weight + excess), quiet_ticks=quiet, feedback_delay=delay, first_tick=first_tick,
            margin=2000,
        )  # fmt: skip

    patch = pytest.MonkeyPatch()
    network = unchecked(build, patch)
    if refusal(lambda: reach.check_reach(network)):
        assert changes(network, count=8) == 0
    else:
        assert changes(network, count=25) > 0


@CASES
@given(
    threshold=st.integers(1, STATE_MAX),
    bound=st.integers(0, 127),
    shift=st.sampled_from([None, 0, 2, 4]),
    n_inputs=st.integers(1, 8),
    n_ticks=st.integers(2, 8),
)
def test_a_refused_start_never_spikes(threshold, bound, shift, n_inputs, n_ticks):
    def build() -> Network:
        network = first_spike_network(
            "random", (5,), n_inputs=n_inputs, n_classes=3, thresholds=(1, 1), n_ticks=n_ticks, margin=1, deadline=1,
            weight_bound=64, neuron_keep=256,
        )  # fmt: skip
        hidden = replace(
            network.layers[0],
            weight_bound=bound,
            program=first_spike(threshold=threshold, current_shift=shift, n_ticks=n_ticks),
        )
        return replace(network, layers=(hidden, network.layers[1]))

    if "weight_bound" in refusal(build):
        array = learned(unchecked(build, pytest.MonkeyPatch()))
        assert array.layers[0].counters.spikes == 0
        assert sum(layer.counters.weights_changed for layer in array.layers) == 0
