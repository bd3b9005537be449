# SPDX-License-Identifier: BSD-2-Clause
"""A description that no chip can be built from is refused in one sentence: value, limit, way out."""

import json
import re
from dataclasses import asdict, replace
from typing import Any

import pytest

from erbium.gen.presets import erbp_network, preset
from erbium.sw_model import programs
from erbium.sw_model.network import MAX_CLASSES, MAX_INPUTS, MAX_LAYERS, MAX_NEURONS, Hardware, Layer, Network
from erbium.sw_model.programs import (
    STATE_MAX,
    STATE_MIN,
    DescriptionError,
    NeuronProgram,
    Operation,
    erbp_error,
    erbp_hidden,
    erbp_output,
    lif,
    mihalas_niebur,
)
from erbium.sw_model.rules import MAX_TICKS, ErbpRule, ErrorNeurons

TINY = preset("tiny").network
HIDDEN, OUTPUT = TINY.layers
UNTAUGHT = replace(TINY, layers=tuple(replace(layer, rule=None) for layer in TINY.layers))
"""Fixed weights, which any sample is long enough for."""
NOT_INTEGERS: tuple[Any, ...] = (1.5, "3", None, True, [1])

# what is built, the field, its lowest and highest value, what the sentence calls it
RANGES: list[tuple[Any, str, int, int, str]] = [
    (Hardware(), "lanes", 1, MAX_NEURONS, "lanes"),
    (Hardware(), "fifo_depth", 2, 4096, "fifo_depth"),
    (Hardware(), "memory_latency", 2, 3, "memory_latency"),
    (Hardware(), "neuron_units", 0, MAX_NEURONS, "neuron_units"),
    (TINY, "n_inputs", 1, MAX_INPUTS, "n_inputs"),
    (UNTAUGHT, "n_ticks", 1, MAX_TICKS, "n_ticks"),
    (TINY, "margin", 0, STATE_MAX, "margin"),
    (TINY, "quiet_ticks", 0, MAX_TICKS, "quiet_ticks"),
    (replace(TINY, n_ticks=MAX_TICKS), "decide_after", 0, MAX_TICKS, "decide_after"),
    (replace(TINY, n_ticks=18), "feedback_delay", 1, 16, "feedback_delay"),
    (TINY, "seed", 0, (1 << 63) - 1, "seed"),
    (HIDDEN, "n_neurons", 1, MAX_NEURONS, "n_neurons of a layer"),
    (HIDDEN, "weight_width", 4, 16, "weight_width"),
    (HIDDEN, "weight_bound", 0, 127, "weight_bound"),
    (HIDDEN, "gain", 0, 255, "gain"),
    (HIDDEN, "synapse_keep", 1, 256, "synapse_keep"),
    (HIDDEN, "neuron_keep", 1, 256, "neuron_keep"),
    (ErbpRule(gate_upper=STATE_MAX + 1), "gate_lower", STATE_MIN, STATE_MAX, "gate_lower"),
    (ErbpRule(gate_lower=-5), "gate_upper", -4, STATE_MAX + 1, "gate_upper"),
    (ErbpRule(), "modulator", 0, 3, "modulator"),
    (ErbpRule(), "first_tick", 1, MAX_TICKS, "first_tick"),
    (ErrorNeurons(1, 255), "weight", 1, 255, "error neuron weight"),
    (ErrorNeurons(9, 10), "threshold", 9, 255, "error neuron threshold"),
    (Operation(0, "u0"), "destination", 0, programs.MAX_STATES - 1, "operation destination"),
    (Operation(0, "u0"), "shift", 0, programs.MAX_SHIFT, "operation shift"),
    (erbp_hidden(), "n_ports", 2, 2, "n_ports of program 'erbp-hidden'"),
    (erbp_hidden(), "threshold", STATE_MIN, STATE_MAX, "threshold of program 'erbp-hidden'"),
    (erbp_hidden(), "refractory", 0, programs.MAX_REFRACTORY, "refractory of program 'erbp-hidden'"),
]
IDS = [f"{type(item).__name__}.{field}" for item, field, *_ in RANGES]


@pytest.mark.parametrize(("item", "field", "low", "high", "called"), RANGES, ids=IDS)
def test_both_ends_of_a_range_are_in_it(item: Any, field: str, low: int, high: int, called: str) -> None:
    for value in (low, high):
        assert getattr(replace(item, **{field: value}), field) == value


@pytest.mark.parametrize(("item", "field", "low", "high", "called"), RANGES, ids=IDS)
def test_what_is_out_of_a_range_is_named_with_its_limits(
    item: Any, field: str, low: int, high: int, called: str
) -> None:
    if field == "n_ports":  # one port is fine by itself, but this program reads two
        low = 1
    for value in (low - 1, high + 1):
        with pytest.raises(DescriptionError) as caught:
            replace(item, **{field: value})
        assert str(caught.value).startswith(f"{called} is {value}; it must be from {low} to {high}")


@pytest.mark.parametrize(("item", "field", "low", "high", "called"), RANGES, ids=IDS)
@pytest.mark.parametrize("value", NOT_INTEGERS, ids=repr)
def test_only_integers_are_integers(
    item: Any, field: str, low: int, high: int, called: str, value: Any
) -> None:
    with pytest.raises(
        DescriptionError, match=re.escape(f"{called} is {value!r}; it must be an integer from")
    ):
        replace(item, **{field: value})


def hidden(**changes: Any) -> Network:
    return replace(TINY, layers=(replace(HIDDEN, **changes), OUTPUT))


def one_output(count: int) -> Network:
    return replace(TINY, layers=(replace(OUTPUT, n_neurons=count),))


def program(**changes: Any) -> NeuronProgram:
    return replace(erbp_hidden(), **changes)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: replace(TINY, layers=()), f"number of layers is 0; it must be from 1 to {MAX_LAYERS}"),
        (
            lambda: replace(TINY, layers=(HIDDEN,) * MAX_LAYERS + (OUTPUT,)),
            f"number of layers is {MAX_LAYERS + 1}; it must be from 1 to {MAX_LAYERS}",
        ),
        (
            lambda: one_output(1),
            f"number of classes (neurons of the last layer) is 1; it must be from 2 to {MAX_CLASSES}",
        ),
        (lambda: one_output(MAX_CLASSES + 1), f"is {MAX_CLASSES + 1}; it must be from 2 to {MAX_CLASSES}"),
        (
            lambda: replace(TINY, encoder="rate"),  # type: ignore[arg-type]
            "encoder is 'rate'; it must be one of 'bernoulli', 'phase'",
        ),
        (
            lambda: hidden(feedback="some"),
            "feedback is 'some'; it must be one of 'none', 'sign', 'wide', 'direct'",
        ),
        (
            lambda: replace(TINY, layers=(HIDDEN, replace(OUTPUT, n_neurons=3))),
            "feedback 'sign' of layer 1 needs an even number of classes, not 3; use 'wide'",
        ),
        (
            lambda: hidden(feedback="direct"),
            "feedback 'direct' of layer 1 joins error neuron c to neuron c; only the last layer can have it, "
            "use 'sign' or 'wide'",
        ),
        (
            lambda: replace(
                TINY, layers=(replace(HIDDEN, gain=255, feedback="wide"), replace(OUTPUT, n_neurons=64))
            ),
            "gain of layer 1 is 255; with 64 classes and 'wide' feedback it must be at most 170",
        ),
        (
            lambda: Layer(4, lif(), None, feedback="sign"),
            "feedback is 'sign' but program 'lif' has one port; feedback needs port u1",
        ),
        (
            lambda: Layer(4, lif(), ErbpRule(modulator=1)),
            "modulator is 1 but program 'lif' has states 0 to 0",
        ),
        (
            lambda: ErbpRule(gate_lower=5, gate_upper=5),
            "gate_upper is 5; it must be from 6 to 32768",
        ),
        (
            lambda: ErrorNeurons(10, 9),
            "error neuron threshold is 9; it must be from 10 to 255; a threshold below",
        ),
        (
            lambda: Operation(0, "y0"),
            "operation source is 'y0'; it must be a state 'x0'..., a port 'u0'... or",
        ),
        (lambda: Operation(0, 3), "operation source is 3; it must be a state"),  # type: ignore[arg-type]
        (lambda: Operation(0, "u0", sign=2), "operation sign is 2; it must be +1 or -1"),
        (
            lambda: program(operations=(Operation(2, "u0"),)),
            "operation 'x2 <- +u0' of program 'erbp-hidden' names something that is not there; the program has 2 "
            "states and 2 ports",
        ),
        (
            lambda: program(operations=(Operation(0, "x2", 3, -1),)),
            "operation 'x0 <- -x2 >> 3' of program 'erbp-hidden' names something that is not there",
        ),
        (
            lambda: program(operations=()),
            "number of operations of program 'erbp-hidden' is 0; it must be from 1",
        ),
        (
            lambda: program(operations=(Operation(0, "u0"),) * 17),
            "number of operations of program 'erbp-hidden' is 17; it must be from 1 to 16",
        ),
        (
            lambda: program(states=("a", "b", "c", "d", "e")),
            "number of states of program 'erbp-hidden' is 5; it must be from 1 to 4",
        ),
        (
            lambda: program(bias=(1,)),
            "bias of program 'erbp-hidden' has 1 entries; it must have one for each of the 2 states",
        ),
        (
            lambda: program(lower=(1, 0)),
            "lower clip of state 'v' of program 'erbp-hidden' is 1; it must be from -32768 to 0",
        ),
        (
            lambda: program(upper=(0, -1)),
            "upper clip of state 'u' of program 'erbp-hidden' is -1; it must be from 0 to 32767",
        ),
        (
            lambda: program(initial=(5000, 0)),
            "initial value of state 'v' of program 'erbp-hidden' is 5000; it must be from -256 to 4095",
        ),
        (
            lambda: program(reset_mode=("clear", "none")),
            "reset mode of state 'v' of program 'erbp-hidden' is 'clear'; it must be one of",
        ),
        (
            lambda: replace(lif(), adaptive=True),
            "program 'lif' is adaptive but has no second state for its threshold",
        ),
        (
            lambda: replace(erbp_output(), hold=True),
            "program 'erbp-output' holds 'v' while refractory; its reset mode must be 'set'",
        ),
        (lambda: mihalas_niebur(7), "adaptation is 7; it must be one of [-80, 0, 5, 30] per second"),
        (lambda: TINY.scaled_rates(1.5), "learning rate factor is 1.5; it must be from 0 to 1"),
        (lambda: TINY.scaled_rates(-0.1), "learning rate factor is -0.1; it must be from 0 to 1"),
    ],
)
def test_what_does_not_go_together_is_said(build: Any, sentence: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        build()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_description_error_is_a_value_error() -> None:
    assert issubclass(DescriptionError, ValueError)


# --- JSON --------------------------------------------------------------------------------------------


def changed(**changes: Any) -> str:
    data = json.loads(TINY.to_json())
    del data["digest"]
    return json.dumps(data | changes)


def without(field: str) -> str:
    data = json.loads(TINY.to_json())
    del data[field]
    data.pop("digest", None)
    return json.dumps(data)


def layer(**changes: Any) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(TINY.to_json())["layers"][0]
    return described | changes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "the network description is not JSON"),
        ("[]", "the file is no network description; its 'format' must be 'erbium-network'"),
        ("{}", "the file is no network description"),
        (changed(format="other"), "the file is no network description"),
        (changed(version=2), "version 2 of the network description is unknown; this is 1"),
        (changed(colour="red"), "'network' of the network description has an unknown field 'colour'"),
        (changed(layers={}), "'layers' of the network description must be a list"),
        (changed(layers=[1]), "each of the 'layers' of the network description must be an object"),
        (changed(layers=[layer(size=3)]), "'layer' of the network description has an unknown field 'size'"),
        (changed(error=[1, 1]), "'error' of the network description must be an object, not [1, 1]"),
        (
            changed(error={"weight": 1, "rate": 1}),
            "'error' of the network description has an unknown field 'rate'",
        ),
        (changed(n_inputs="16"), "n_inputs is '16'; it must be an integer"),
        (changed(n_inputs=0), "n_inputs is 0; it must be from 1"),
        (without("n_inputs"), "n_inputs"),
        (without("layers"), "'layers' of the network description must be a list"),
    ],
)
def test_json_that_is_no_network(text: str, sentence: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        Network.from_json(text)
    assert sentence in str(caught.value)


def test_a_description_that_was_changed_by_hand_is_noticed() -> None:
    text = TINY.to_json().replace('"margin": 320', '"margin": 321')
    with pytest.raises(DescriptionError, match="changed by hand: remove its 'digest' line"):
        Network.from_json(text)


def test_a_description_without_digest_is_taken_as_it_is() -> None:
    assert Network.from_json(changed(margin=321)).margin == 321


def test_every_option_survives_json() -> None:
    network = erbp_network(
        "options",
        (5, 4),
        n_inputs=7,
        n_classes=3,
        weight_width=12,
        encoder="phase",
        noise_shift=1,
        leak_shift=4,
        synapse_shift=2,
        refractory=2,
        synapse_keep=200,
        neuron_keep=250,
        error=(9, 10),
        decide_after=2,
        feedback_delay=3,
        first_tick=2,
        seed=11,
    )
    assert Network.from_json(network.to_json()) == network
    fixed = replace(network, layers=(*network.layers[:-1], replace(network.layers[-1], rule=None)))
    assert Network.from_json(fixed.to_json()) == fixed


# --- derived values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lanes", "neurons", "lanes_of", "words_of"),
    [
        (64, 200, 64, 4),
        (64, 64, 64, 1),
        (64, 10, 10, 1),
        (1, 10, 1, 10),
        (7, 10, 7, 2),
        (4096, 4096, 4096, 1),
    ],
)
def test_lanes_and_words(lanes: int, neurons: int, lanes_of: int, words_of: int) -> None:
    network = replace(TINY, layers=(replace(HIDDEN, n_neurons=neurons), *TINY.layers[1:]))
    for hardware in (Hardware(lanes=lanes), Hardware(lanes=3, layer_lanes=(lanes,))):
        assert (hardware.lanes_of(network, 0), hardware.words_of(network, 0)) == (lanes_of, words_of)


def test_a_layer_without_lanes_of_its_own_has_those_of_all() -> None:
    hardware = Hardware(lanes=2, layer_lanes=(0,), layer_memories=("spram",))
    assert [hardware.lanes_of(TINY, number) for number in range(2)] == [2, 2]
    assert [hardware.memory_of(number) for number in range(2)] == ["spram", "generic"]


def test_narrow_words_lie_in_pairs() -> None:
    network = replace(TINY, layers=(replace(HIDDEN, n_neurons=13), *TINY.layers[1:]))
    for lanes, kind, pairs, stride, latency in (
        (1, "spram", True, 14, 2),
        (2, "spram", False, 7, 3),
        (1, "ecp5", False, 13, 3),
        (1, "generic", False, 13, 2),
    ):
        hardware = Hardware(lanes=lanes, layer_memories=(kind,))
        assert hardware.pairs(network, 0) == pairs
        assert (hardware.stride_of(network, 0), hardware.latency_for(0, pairs=pairs)) == (stride, latency)


@pytest.mark.parametrize(
    "field",
    [
        {"layer_lanes": (-1,)},
        {"layer_lanes": (5000,)},
        {"layer_memories": ("tape",)},
        {"layer_neuron_units": (5000,)},
    ],
)
def test_hardware_of_a_layer_is_checked(field: dict[str, Any]) -> None:
    with pytest.raises(DescriptionError, match="of a layer is"):
        Hardware(**field)


def test_two_rows_a_clock_take_long_pipelines() -> None:
    with pytest.raises(DescriptionError, match="rows_per_clock is 3; it must be from 1 to 2"):
        Hardware(rows_per_clock=3)
    for field in ({"short_pipelines": True}, {"encoder_pixels": 1}):
        with pytest.raises(DescriptionError, match=r"rows_per_clock is 2, and .* use rows_per_clock 1"):
            Hardware(rows_per_clock=2, **field)


def test_the_bias_is_one_more_row() -> None:
    assert TINY.shape == (16, 12, 4)
    assert [TINY.n_rows(number) for number in range(2)] == [17, 13]
    assert TINY.n_classes == 4


@pytest.mark.parametrize("width", range(4, 17))
def test_initial_weights_fit_their_width(width: int) -> None:
    network = erbp_network("n", (9,), n_inputs=8, n_classes=4, weight_width=width)
    for item, weights in zip(network.layers, network.initial_weights(), strict=True):
        assert weights.min() >= item.weight_min
        assert weights.max() <= item.weight_max
        assert item.rounding_shift == 18 - width


def test_the_same_description_is_equal_and_hashable() -> None:
    again = Network.from_json(TINY.to_json())
    assert again == TINY
    assert hash(again) == hash(TINY)
    assert asdict(again) == asdict(TINY)


def test_programs_describe_themselves() -> None:
    assert erbp_error(3).describe() == "x0 <- +u0\nspike if x0 >= 3\non a spike: x0 add -3"
    assert "refractory 2 ticks" in erbp_hidden(refractory=2).describe()
    assert "spike if x0 >= 0 + x1" in mihalas_niebur().describe()
