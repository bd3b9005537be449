# SPDX-License-Identifier: BSD-2-Clause
"""Named networks: complete, stable, and built by a builder that says what it cannot build.

The golden digests say which networks the published numbers belong to. After a change that is meant::

    python tests/test_gen_presets.py

writes them anew; the reason belongs in the CHANGELOG under *Bit-exactness*.
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from erbium.gen.presets import (
    HALVING,
    LINEAR,
    PRESETS,
    SCHEDULE,
    Recipe,
    Schedule,
    describe_schedule,
    describe_shift,
    erbp_network,
    first_spike_network,
    preset,
)
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import ErbpRule, FirstSpikeErrors

GOLDEN = Path(__file__).with_name("golden") / "preset_digests.json"
SMALL: dict[str, Any] = {"n_inputs": 8, "n_classes": 4}


def digests() -> dict[str, str]:
    return {name: item.network.digest for name, item in PRESETS.items()}


def test_the_networks_of_the_documentation_are_there() -> None:
    wanted = {
        "erbp-mnist-100",
        "erbp-mnist-200",
        "erbp-mnist-500",
        "erbp-mnist-200-200",
        "erbp-digits",
        "tiny",
        "first-spike-mnist-600",
        "first-spike-mnist-600-short",
        "first-spike-mnist-600-decay",
        "first-spike-mnist-800",
        "first-spike-mnist-24x24-700",
        "first-spike-mnist-20x20-320",
        "first-spike-digits",
        "first-spike-tiny",
    }
    assert wanted <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_json(name: str) -> None:
    network = preset(name).network
    again = Network.from_json(network.to_json())
    assert again == network
    assert again.digest == network.digest
    assert again.to_json() == network.to_json()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_knows_its_own_name_and_says_what_it_is(name: str) -> None:
    item = preset(name)
    assert item.network.name == name
    assert item.about.endswith(".")
    assert item.recipe.epochs >= 1


def test_digests_are_what_they_were() -> None:
    assert digests() == json.loads(GOLDEN.read_text())


def test_the_digest_is_of_everything_but_the_name() -> None:
    network = preset("tiny").network
    assert replace(network, name="other").digest == network.digest
    assert replace(network, seed=network.seed + 1).digest != network.digest


def test_networks_that_differ_have_other_digests() -> None:
    """A preset that is only trained longer is the same network, and runs on the same bitstream."""
    for digest in set(digests().values()):
        names = {name.removesuffix("-best") for name, its in digests().items() if its == digest}
        assert len(names) == 1


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(DescriptionError, match=r"'mnist'.*erbp-mnist-200.*tiny"):
        preset("mnist")


def test_the_learning_rate_falls_along_the_schedule() -> None:
    recipe = Recipe()
    assert recipe.factor(0, 100) == 1.0
    assert [recipe.factor(position, 100) for position in (34, 36, 54, 56, 74, 76, 89, 91, 99)] == [
        *(1.0, 0.6, 0.6, 0.35, 0.35, 0.2, 0.2, 0.1, 0.1)
    ]
    factors = [recipe.factor(position, 50_000) for position in range(0, 50_000, 50)]
    assert factors == sorted(factors, reverse=True)
    assert set(factors) == {factor for _, factor in SCHEDULE}


def test_a_straight_line_falls_from_all_to_nothing() -> None:
    recipe = Recipe(schedule=LINEAR)
    factors = [recipe.factor(position, 1000) for position in range(1000)]
    assert factors[0] == 1.0
    assert factors == sorted(factors, reverse=True)
    assert all(abs(factor - (1 - position / 1000)) <= 0.005 for position, factor in enumerate(factors))
    assert factors[-1] > 0
    network = preset("first-spike-mnist-600").network
    assert network.scaled_rates(1.0) == (65536, 65536)
    assert network.scaled_rates(0.5) == (32768, 32768)
    assert network.scaled_rates(0.0) == (0, 0)


def test_halving_is_an_and_of_random_bits() -> None:
    network = preset("first-spike-tiny").network
    rates = [network.scaled_rates(factor)[0] for _, factor in HALVING]
    assert rates == [65536 >> k for k in range(5)]


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (LINEAR, "x 1 falling to 0 in a straight line"),
        (
            HALVING,
            "x 1 up to 20 %, x 0.5 up to 40 %, x 0.25 up to 60 %, x 0.125 up to 80 %, x 0.0625 up to 100 %",
        ),
    ],
)
def test_a_schedule_in_words(schedule: Schedule, words: str) -> None:
    assert describe_schedule(schedule) == words


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(), "off"),
        (Recipe(shift=1), "up to ±1 pixel"),
        (Recipe(shift=2, shift_share=0.75), "up to ±2 pixels, for 75 % of the run"),
        (Recipe(shift=2, shift_share=0), "off"),
    ],
)
def test_a_shift_in_words(recipe: Recipe, words: str) -> None:
    assert describe_shift(recipe) == words


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("first-spike")])
def test_a_first_spike_preset_sees_what_it_is_made_for(name: str) -> None:
    item = preset(name)
    side = item.recipe.crop or {"first-spike-tiny": 4, "first-spike-digits": 8}.get(name, 28)
    assert item.network.n_inputs == side * side
    errors = item.network.error
    assert isinstance(errors, FirstSpikeErrors)
    # Hidden neurons are blanked out in learning; the latency of the stop makes no sample longer.
    assert all(layer.neuron_keep < 256 for layer in item.network.layers[:-1])
    assert item.network.feedback_delay < max(2, errors.margin)


def test_finer_weights_are_all_in_proportion() -> None:
    usual = erbp_network("x", (20, 10))
    finer = erbp_network("x", (20, 10), threshold=512, output_shift=2)
    for before, layer in zip(usual.layers[:-1], finer.layers[:-1], strict=True):
        assert (before.program.threshold, layer.program.threshold) == (256, 512)
        assert (layer.weight_bound, layer.gain) == (2 * before.weight_bound, 2 * before.gain)
        assert isinstance(before.rule, ErbpRule)
        assert layer.rule == replace(before.rule, gate_upper=2 * before.rule.gate_upper)
    before, layer = usual.layers[-1], finer.layers[-1]
    assert (layer.gain, before.gain) == (16, 8)
    assert [operation.shift for operation in (before.program.operations[0], layer.program.operations[0])] == [
        1,
        2,
    ]
    assert erbp_network("x", (20, 10), threshold=256, output_shift=1) == usual


def test_a_run_that_goes_on_past_its_end_keeps_the_last_factor() -> None:
    assert Recipe().factor(100, 100) == SCHEDULE[-1][1]
    assert Recipe(schedule=((0.5, 0.25),)).factor(99, 100) == 0.25


def test_every_factor_gives_gains_that_are_integers() -> None:
    network = preset("erbp-mnist-200").network
    for _, factor in SCHEDULE:
        gains = network.scaled_rates(factor)
        assert all(isinstance(gain, int) and 0 <= gain <= 255 for gain in gains)
    assert network.scaled_rates(1.0) == network.rates


@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("epochs", 0, "1 to 10000"),
        ("epochs", 10_001, "10000"),
        ("shift", 5, "0 to 4 pixels"),
        ("shift", -1, "0"),
        ("crop", -1, "0 to 255 pixels"),
        ("crop", 256, "255 pixels"),
        ("held_out", -1, "0 to 10000000 images"),
        ("learn_ticks", -1, "0 to 4096"),
        ("shift_share", 1.1, "0 to 1, a share of the run"),
        ("shift_share", math.nan, "0 to 1, a share of the run"),
    ],
)
def test_a_recipe_that_cannot_be(field: str, value: float, limit: str) -> None:
    with pytest.raises(DescriptionError, match=rf"{field} is {value}; .*{limit}"):
        Recipe(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("hidden", [(), (3,), (5, 4), (2, 3, 4, 5)])
def test_any_number_of_hidden_layers(hidden: tuple[int, ...]) -> None:
    network = erbp_network("n", hidden, **SMALL)
    assert network.shape == (8, *hidden, 4)
    assert [layer.feedback for layer in network.layers] == [*["sign"] * len(hidden), "direct"]
    assert network.rates == (*(12 if k == 0 else 6 for k in range(len(hidden))), 8)


def test_an_odd_number_of_classes_gets_wide_feedback() -> None:
    network = erbp_network("n", (6, 5), n_inputs=8, n_classes=3)
    assert [layer.feedback for layer in network.layers] == ["wide", "wide", "direct"]
    assert network.rates == (8, 4, 8)


def test_the_feedback_that_was_asked_for() -> None:
    assert erbp_network("n", (6,), feedback="wide", **SMALL).layers[0].feedback == "wide"
    assert erbp_network("n", (6,), feedback="sign", **SMALL).layers[0].feedback == "sign"


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({"weight_width": 12}, lambda n: all(layer.weight_width == 12 for layer in n.layers)),
        ({"encoder": "phase"}, lambda n: n.encoder == "phase"),
        ({"n_ticks": 7}, lambda n: n.n_ticks == 7),
        ({"quiet_ticks": 0}, lambda n: n.quiet_ticks == 0),
        ({"decide_after": 2}, lambda n: n.decide_after == 2),
        ({"feedback_delay": 3}, lambda n: n.feedback_delay == 3),
        ({"first_tick": 4}, lambda n: all(layer.rule.first_tick == 4 for layer in n.layers)),
        ({"synapse_keep": 200}, lambda n: all(layer.synapse_keep == 200 for layer in n.layers)),
        # The output neurons are the answer: they are never blanked out.
        ({"neuron_keep": 200}, lambda n: [layer.neuron_keep for layer in n.layers] == [200, 256]),
        ({"noise_shift": 1}, lambda n: all(layer.program.uses_noise for layer in n.layers)),
        ({"refractory": 3}, lambda n: all(layer.program.refractory == 3 for layer in n.layers)),
        ({"synapse_shift": 2}, lambda n: all(layer.program.states == ("v", "u", "i") for layer in n.layers)),
        ({"leak_shift": 4}, lambda n: any(op.shift == 4 for op in n.layers[0].program.operations)),
        ({"error": (9, 10)}, lambda n: (n.error.weight, n.error.threshold) == (9, 10)),
        ({"margin": 0}, lambda n: n.margin == 0),
        ({"gains": (9, 5)}, lambda n: n.rates == (9, 5)),
        ({"seed": 7}, lambda n: n.seed == 7),
    ],
)
def test_an_option_reaches_the_network(options: dict[str, Any], check: Any) -> None:
    plain, changed = erbp_network("n", (6,), **SMALL), erbp_network("n", (6,), **SMALL, **options)
    assert check(changed)
    assert not check(plain)
    assert changed.digest != plain.digest


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hidden": (0,)}, "n_neurons of a layer is 0; it must be from 1 to 4096"),
        ({"hidden": (5000,)}, "n_neurons of a layer is 5000; .* 4096"),
        ({"hidden": (4,) * 8}, "number of layers is 9; it must be from 1 to 8"),
        ({"gains": (12, 6, 8)}, "there are 3 gains; the network has 2 layers"),
        ({"gains": (256, 8)}, "gain is 256; it must be from 0 to 255"),
        ({"feedback": "direct"}, "feedback is 'direct'; hidden layers need 'sign' or 'wide'"),
        ({"feedback": "random"}, "feedback is 'random'; hidden layers need 'sign' or 'wide'"),
        (
            {"feedback": "sign", "n_classes": 3},
            "'sign' of layer 1 needs an even number of classes, not 3; use 'wide'",
        ),
        ({"n_classes": 1}, "number of classes .* is 1; it must be from 2 to 256"),
        ({"n_classes": 257}, "257; it must be from 2 to 256"),
        ({"n_inputs": 0}, "n_inputs is 0; it must be from 1 to 65534"),
        ({"weight_width": 3}, "weight_width is 3; it must be from 4 to 16 bits"),
        ({"weight_width": 17}, "weight_width is 17; .* 16 bits"),
        ({"encoder": "rate"}, "encoder is 'rate'; it must be one of 'bernoulli', 'phase'"),
        ({"n_ticks": 0}, "n_ticks is 0; it must be from 1 to 4096"),
        ({"first_tick": 0}, "first_tick is 0; it must be from 1 to 4096; at tick 0"),
        ({"feedback_delay": 0}, "feedback_delay is 0; it must be from 1 to 16"),
        ({"synapse_keep": 0}, "synapse_keep is 0; it must be from 1 to 256"),
        ({"neuron_keep": 257}, "neuron_keep is 257; it must be from 1 to 256"),
        ({"error": (10, 9)}, "error neuron threshold is 9; it must be from 10 to 255; .*growing rest"),
        ({"leak_shift": 16}, "operation shift is 16; it must be from 0 to 15"),
        ({"refractory": -1}, "refractory of program 'erbp-hidden' is -1; it must be from 0 to 65535"),
        ({"seed": 1 << 63}, "seed is 9223372036854775808"),
        ({"n_ticks": 8.0}, "n_ticks is 8.0; it must be an integer from 1 to 4096"),
        ({"quiet_ticks": True}, "quiet_ticks is True; it must be an integer"),
    ],
)
def test_a_network_that_cannot_be(options: dict[str, Any], sentence: str) -> None:
    hidden = options.get("hidden", (6,))
    with pytest.raises(DescriptionError, match=sentence):
        erbp_network(
            "n", hidden, **(SMALL | {key: value for key, value in options.items() if key != "hidden"})
        )


@pytest.mark.parametrize("hidden", [(), (3,), (5, 4)])
def test_any_number_of_hidden_layers_of_a_first_spike_network(hidden: tuple[int, ...]) -> None:
    thresholds = [100] * (len(hidden) + 1)
    network = first_spike_network("n", hidden, thresholds=thresholds, **SMALL)
    assert network.shape == (8, *hidden, 4)
    assert network.rates == (65536,) * (len(hidden) + 1)
    assert [layer.neuron_keep for layer in network.layers] == [*[224] * len(hidden), 256]
    assert not network.has_bias
    assert [weights.shape[0] for weights in network.initial_weights()] == [8, *hidden]


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({"thresholds": (300, 50)}, lambda n: [layer.program.threshold for layer in n.layers] == [300, 50]),
        ({"n_ticks": 12}, lambda n: n.n_ticks == n.layers[0].program.refractory == 12),
        ({"margin": 2}, lambda n: (n.error.margin, n.feedback_delay) == (2, 1)),
        ({"deadline": 5}, lambda n: n.error.deadline == 5),
        ({"step": 3}, lambda n: all(layer.rule.step == 3 for layer in n.layers)),
        ({"weight_width": 12}, lambda n: all(layer.rule.step == 32 for layer in n.layers)),
        ({"weight_width": 6}, lambda n: all(layer.rule.step == 1 for layer in n.layers)),
        ({"weight_bound": 9}, lambda n: all(abs(w).max() <= 9 for w in n.initial_weights())),
        ({"current_shifts": (4, 3)}, lambda n: any(op.shift == 4 for op in n.layers[0].program.operations)),
        ({"neuron_keep": 200}, lambda n: [layer.neuron_keep for layer in n.layers] == [200, 256]),
        ({"levels": ((128, 0), (64, 3))}, lambda n: n.lowest_pixel == 64),
        ({"earliest_only": True}, lambda n: n.error.earliest_only),
        ({"feedback_delay": 2}, lambda n: n.feedback_delay == 2),
        ({"seed": 7}, lambda n: n.seed == 7),
    ],
)
def test_an_option_reaches_the_first_spike_network(options: dict[str, Any], check: Any) -> None:
    usual: dict[str, Any] = {"thresholds": (200, 100)} | SMALL
    plain = first_spike_network("n", (6,), **usual)
    changed = first_spike_network("n", (6,), **(usual | options))
    assert check(changed)
    assert not check(plain)
    assert changed.digest != plain.digest


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"thresholds": (100,)}, "there are 1 thresholds; the network has 2 layers"),
        ({"current_shifts": (1, 2, 3)}, "there are 3 current_shifts; the network has 2 layers"),
        ({"thresholds": (30_000, 100)}, "threshold of layer 1 is 30000; even with all 8 inputs"),
        ({"margin": 17}, "margin of the first-spike errors is 17; it must be from 1 to 16 ticks"),
        ({"deadline": 17}, "deadline is 17; it must be from 1 to 16"),
        ({"step": 0}, "step is 0; it must be from 1 to"),
        ({"levels": ()}, "number of levels of the latency encoder is 0"),
        ({"levels": ((128, 16),)}, "spikes at tick 16; a sample has ticks 0 to 15"),
        ({"neuron_keep": 0}, "neuron_keep is 0; it must be from 1 to 256"),
        ({"weight_width": 3}, "weight_width is 3; it must be from 4 to 16 bits"),
    ],
)
def test_a_first_spike_network_that_cannot_be(options: dict[str, Any], sentence: str) -> None:
    usual: dict[str, Any] = {"thresholds": (200, 100)} | SMALL
    with pytest.raises(DescriptionError, match=sentence):
        first_spike_network("n", (6,), **(usual | options))


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(digests(), indent=2) + "\n")
