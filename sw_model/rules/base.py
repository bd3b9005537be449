# SPDX-License-Identifier: BSD-2-Clause
"""What a plasticity rule, and what forms the errors of the output, are asked: facts and hooks, with their defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from erbium.sw_model.programs import NeuronProgram

if TYPE_CHECKING:
    from erbium.sw_model.description.graph import Graph
    from erbium.sw_model.description.parts import Population
    from erbium.sw_model.network import Layer, Network

MAX_TICKS = 4_096
FULL_PROBABILITY = 1 << 16
"""A row of synapses is touched with probability P / 65536, from 0 (never) to this (always)."""


class LearningRate(NamedTuple):
    """What a learning rate is: its name, its bits as the host sets it, and what it means for a layer of some number."""

    name: str
    width: int
    meaning: str


GAIN = LearningRate("gain", 8, "amplitude of an error spike in layer")
ROW_PROBABILITY = LearningRate(
    "rate", 17, "probability in 1/65536 that a row is touched which is replayed in layer"
)


class Rule:
    """Base of all plasticity rules: frozen dataclasses of integers."""

    mark: ClassVar[str] = ""
    """Field that only this rule has: a description that has it means this one."""
    symmetric: ClassVar[bool] = False
    """Whether the most negative weight is left out, so that steps up and down are as likely to be lost."""
    full_rate: ClassVar[int] = 0
    """Learning rate that the rule itself has at most; 0 where the rate is the amplitude of what modulates it."""
    rate: ClassVar[LearningRate] = GAIN
    """What its learning rate is."""
    replays: ClassVar[bool] = False
    """Whether weights change at the end of a sample, in rows that are replayed, by words that come from the readout."""

    def check(self, program: NeuronProgram) -> None:
        """Raise :class:`DescriptionError` if neurons of this program cannot learn by the rule."""

    def check_population(self, graph: Graph, population: Population) -> None:
        """Raise :class:`DescriptionError` if a population of a graph cannot learn by the rule."""

    def bounds(self, width: int) -> tuple[int, int]:
        """Return the smallest and the largest weight of so many bits."""
        half = 1 << (width - 1)
        return -half + self.symmetric, half - 1

    def describe(self) -> str:
        """Return when and by what weights change, in words."""
        return f"learns by {self}"


class ThreeFactorRule(Rule):
    """Base of the rules that learn in row passes, by a plasticity word that the tick sweep forms for each neuron.

    A rule is a frozen dataclass of integers with a field `first_tick`: a row pass at that tick or later changes each
    weight of the row by ``-((word + r) >> shift)``, with one random ``r`` for the whole row. What the word is, the
    model says in :func:`erbium.sw_model.layer.plasticity_word` and the hardware in :mod:`erbium.hdl.plasticity`.
    """

    first_tick: int

    @property
    def edges(self) -> tuple[int, ...]:
        """Values of state 0 at which the word changes its formula: the benches aim there."""
        return ()


RULES: dict[str, type[ThreeFactorRule]] = {}
"""Rules by the name that their field ``kind`` has in a description. Those of Erbium itself have none: their
fields tell them apart."""


class OutputErrors:
    """Base of what forms the errors of the output, and with it names the learner of a network of layers."""

    mark: ClassVar[str] = ""
    """Field that only these errors have: a description that has it means them."""
    stem: ClassVar[str]
    """First words of the name of a network that was resized."""
    counter: ClassVar[str]
    """Name of the counter that counts what there was to learn."""
    has_bias: ClassVar[bool] = False
    """Whether each layer has a last row that spikes at every tick."""
    spikes_once: ClassVar[bool] = False
    """Whether a neuron spikes at most once in a sample."""
    decides_by_a_spike: ClassVar[bool] = False
    """Whether the first output spike of a sample is its answer, so that there is more to tell of a decision."""
    learns_from_silence: ClassVar[bool] = True
    """Whether a hidden layer that is silent at first can learn to spike."""
    usual_schedule: ClassVar[str]
    """How the learning rate falls in a recipe that says nothing of it, one of :data:`erbium.gen.presets.SCHEDULES`."""

    # --- what a network may be ------------------------------------------------------------------------

    def check(self, network: Network) -> None:
        """Raise :class:`DescriptionError` for a network that cannot learn by these errors."""
        raise NotImplementedError

    def decide_limit(self, n_ticks: int) -> tuple[int, str]:
        """Return the largest `decide_after` for samples of so many ticks, and why there is no larger one."""
        raise NotImplementedError

    def first_lesson(self, network: Network, layer: Layer) -> int:
        """Return the earliest tick, from 0, at which a weight of a layer can change; 0 if that is unknown."""
        return 0

    def obstacle(self, network: Network, number: int, layer: Layer) -> str:
        """Return why no weight of a layer can ever change and what to do, or nothing if that is not certain."""
        return ""

    # --- what a network has ---------------------------------------------------------------------------

    def populations(self, n_classes: int) -> Mapping[str, tuple[NeuronProgram, int]]:
        """Return the populations that form the errors, by name: their programs and sizes."""
        return {}

    def evaluation_ticks(self, most: int, n_ticks: int) -> int:
        """Return the longest presentation of an evaluation that is to take at most `most` ticks, where it matters."""
        return min(most, n_ticks)

    # --- another size ---------------------------------------------------------------------------------

    def check_depth(self, network: Network, hidden: Sequence[int]) -> None:
        """Raise :class:`DescriptionError` if the hidden layers of a network are no patterns for so many of these."""

    def resized(self, layer: Layer, number: int, growth: float) -> Layer:
        """Return a hidden layer, counted from 0, for `growth` times as many inputs of the network."""
        return layer
