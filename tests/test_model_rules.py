# SPDX-License-Identifier: BSD-2-Clause
"""Plasticity rules of one's own: what the model, the hardware and a description make of them, known or not.

That a whole rule can be added is what the tutorial shows; see ``test_docs_tutorials.py``.
"""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from erbium.chip import open_chip
from erbium.gen.presets import preset
from erbium.hdl.neuron_unit import NeuronUnit, plasticity_word_width
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.fast import FastArray
from erbium.sw_model.layer import plasticity_word
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError, NeuronProgram, check_range, erbp_hidden, lif
from erbium.sw_model.rules import RULES, ErbpRule, ThreeFactorRule


@dataclass(frozen=True)
class ConstantRule(ThreeFactorRule):
    """A word that is always the same: of no use, and easy to predict."""

    kind: str = "constant"
    word: int = 1024
    first_tick: int = 1

    def __post_init__(self) -> None:
        check_range("word", self.word, -1024, 1024)

    def check(self, program: NeuronProgram) -> None:
        if program.n_ports < 2:
            raise DescriptionError(f"program {program.name!r} has one port; the constant rule needs two")


@dataclass(frozen=True)
class UnknownRule(ThreeFactorRule):
    """A rule that neither the model nor the hardware knows."""

    first_tick: int = 1


plasticity_word.register(ConstantRule, lambda rule, states: np.full(states.shape[1], rule.word))


@pytest.fixture
def known() -> Iterator[None]:
    RULES["constant"] = ConstantRule
    yield
    del RULES["constant"]


def network_with(rule: ThreeFactorRule) -> Network:
    tiny = preset("tiny").network
    return replace(tiny, layers=(replace(tiny.layers[0], rule=rule), tiny.layers[1]))


IMAGE = np.full(16, 255, dtype=np.uint8)


def test_the_word_moves_every_weight_of_a_row() -> None:
    """A word of 1024 is a whole step for an 8-bit weight, whatever the random number."""
    network = network_with(ConstantRule())
    array = ArrayModel(network)
    array.sample(IMAGE, seed=1, label=1, n_ticks=3)
    steps = network.initial_weights()[0] - array.layers[0].weights
    assert set(np.unique(steps[:-1])) <= {1, 2}, (
        "a pixel of 255 spikes in nearly every tick from the second on"
    )
    assert (steps[-1] == 2).all(), "the bias row passes in every tick"


def test_first_tick_is_the_rules() -> None:
    array = ArrayModel(network_with(ConstantRule(first_tick=2)))
    array.sample(IMAGE, seed=1, label=1, n_ticks=3)
    assert (array.network.initial_weights()[0][-1] - array.layers[0].weights[-1] == 1).all()


@pytest.mark.usefixtures("known")
def test_a_description_brings_the_rule_back() -> None:
    network = network_with(ConstantRule(word=-7))
    again = Network.from_json(network.to_json())
    assert again == network
    assert again.layers[0].rule == ConstantRule(word=-7)
    assert network.digest != network_with(ConstantRule()).digest
    assert network.digest != preset("tiny").network.digest


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            '"constant"',
            '"konstant"',
            r"kind of a 'rule' of the network description is 'konstant'; it must be one",
        ),
        ('"word": 1024', '"word": 1025', "word is 1025"),
        ('"word"', '"wort"', "unknown field 'wort'"),
    ],
)
@pytest.mark.usefixtures("known")
def test_a_description_that_is_wrong(old: str, new: str, says: str) -> None:
    text = network_with(ConstantRule()).to_json()
    assert old in text
    with pytest.raises(DescriptionError, match=says):
        Network.from_json(text.replace(old, new))


def test_a_rule_says_which_neurons_it_can_teach() -> None:
    with pytest.raises(DescriptionError, match="the constant rule needs two"):
        replace(preset("tiny").network.layers[0], rule=ConstantRule(), program=lif(), feedback="none")
    with pytest.raises(DescriptionError, match="modulator is 3"):
        replace(preset("tiny").network.layers[0], rule=ErbpRule(modulator=3))


def test_the_model_without_a_word_says_so() -> None:
    array = ArrayModel(network_with(UnknownRule()))
    with pytest.raises(DescriptionError, match=r"does not know the plasticity rule UnknownRule.*layer\.py"):
        array.sample(IMAGE, seed=1, label=1)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_the_hardware_without_a_word_says_so() -> None:
    with pytest.raises(
        DescriptionError, match=r"does not know the plasticity rule UnknownRule.*plasticity\.py"
    ):
        NeuronUnit(erbp_hidden(), UnknownRule(), 1, (16, 16))
    # What was begun there is collected here, and not in the middle of another test.
    gc.collect()


def test_a_word_is_as_narrow_as_it_can_be() -> None:
    program = erbp_hidden()
    assert plasticity_word_width(program, None) == 1
    low, high = program.lower[1], program.upper[1]
    assert -(1 << plasticity_word_width(program, ErbpRule()) - 1) <= low < high


def test_the_compiled_model_leaves_it_to_the_other() -> None:
    network = network_with(ConstantRule())
    with pytest.raises(
        DescriptionError, match="compiled model does not know the rule ConstantRule of layer 1"
    ):
        FastArray(network)
    images, labels = np.stack([IMAGE, IMAGE // 2]), np.array([1, 2])
    with open_chip(network, "model") as chip, open_chip(network, "reference") as other:
        chip.learn(images, labels)
        other.learn(images, labels)
        assert all(map(np.array_equal, chip.weights, other.weights))
        assert chip.counters == other.counters
