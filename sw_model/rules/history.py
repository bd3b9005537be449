# SPDX-License-Identifier: BSD-2-Clause
"""Three-factor plasticity on presynaptic events with forward look-up only, as a description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from erbium.sw_model.programs import STATE_MAX, STATE_MIN, DescriptionError, NeuronProgram, check_range
from erbium.sw_model.rules.base import Rule

if TYPE_CHECKING:
    from erbium.sw_model.description.graph import Graph
    from erbium.sw_model.description.parts import Population

WINDOWS = (16, 32)
"""Ticks of a spike history: bits of a register in each neuron."""
MAX_HEIGHT_SHIFT = 10
MAX_ROUNDING = 16
N_ZONES = 3

Term = Literal["none", "state", "gated", "below"]
TERMS: tuple[Term, ...] = ("none", "state", "gated", "below")


@dataclass(frozen=True)
class PlasticityWord:
    """The word M that a sweep forms for each neuron, from its states before the reset.

    =========== ======================================================
    `term`      M, saturated to 16 bits, with c by the gate
    =========== ======================================================
    ``none``    c
    ``state``   c + (x_state >> shift)
    ``gated``   c + (x_state >> shift) inside of the gate, c outside
    ``below``   c - ((x_state >> shift) - offset)
    =========== ======================================================

    Parameters
    ----------
    gate : int
        State that the gate looks at.
    lower, upper : int
        The gate is open while ``lower <= x_gate < upper``.
    inside, outside : int
        c while the gate is open, and while it is not.
    term : {"none", "state", "gated", "below"}
    state, shift, offset : int
        Of the term. `shift` is 0 ... 15.
    """

    gate: int = 0
    lower: int = STATE_MIN
    upper: int = STATE_MAX + 1
    inside: int = 0
    outside: int = 0
    term: Term = "none"
    state: int = 0
    shift: int = 0
    offset: int = 0

    def __post_init__(self) -> None:
        check_range("gate of a plasticity word", self.gate, 0, 3)
        check_range("lower bound of the gate", self.lower, STATE_MIN, STATE_MAX)
        check_range("upper bound of the gate", self.upper, self.lower + 1, STATE_MAX + 1)
        for name in ("inside", "outside", "offset"):
            check_range(f"{name!r} of a plasticity word", getattr(self, name), STATE_MIN, STATE_MAX)
        if self.term not in TERMS:
            raise DescriptionError(f"term of a plasticity word is {self.term!r}; it must be one of {TERMS}")
        check_range("state of a plasticity word", self.state, 0, 3)
        check_range("shift of a plasticity word", self.shift, 0, 15)


class WordRule(Rule):
    """Base of the rules whose third factor is a :class:`PlasticityWord`: what a population must have for it."""

    word: PlasticityWord
    lowest: int | None
    highest: int | None

    def __post_init__(self) -> None:
        if self.lowest is not None and self.highest is not None:
            check_range("highest weight of a rule", self.highest, self.lowest, STATE_MAX)

    def check(self, program: NeuronProgram) -> None:
        for name in ("gate", "state"):
            if getattr(self.word, name) >= program.n_states:
                raise DescriptionError(
                    f"{name!r} of a plasticity word is {getattr(self.word, name)}, but program {program.name!r} has "
                    f"states 0 to {program.n_states - 1}"
                )

    def check_population(self, graph: Graph, population: Population) -> None:
        # A graph imports the rules, so what a rule knows of connectivities it looks up here.
        from erbium.sw_model.description.connect import Dense

        for projection in graph.stored(population.name):
            if projection.rule is None or not isinstance(projection.connect, Dense):
                continue
            width = projection.connect.width
            half = 1 << (width - 1)
            for name, value in (("lowest", self.lowest), ("highest", self.highest)):
                if value is not None:
                    what = f"{name!r} of the rule of projection {projection.name!r}"
                    check_range(what, value, -half, half - 1, f", what {width} bits hold")

    def bounds(self, width: int) -> tuple[int, int]:
        """Return the smallest and the largest weight of so many bits."""
        low, high = super().bounds(width)
        return low if self.lowest is None else self.lowest, high if self.highest is None else self.highest


@dataclass(frozen=True)
class HistoryRule(WordRule):
    """Weights change at presynaptic events, by what the last ticks of the postsynaptic neurons say.

    Each postsynaptic neuron keeps a word M and the history H of its last `window` ticks, one bit each. Each row keeps
    the tick of its last spike. `window` ticks after a spike that no later one followed, the row *expires*. At an event
    with age A, the ticks since the row's last spike but at most `window`, bit j of H says whether the neuron spiked
    j + 1 ticks ago, and the step of a synapse is the sum e of three terms:

    ============ ================================= ==================================================================
    term         at                                height
    ============ ================================= ==================================================================
    causal       a spike within `window` ticks of  that of the first zone, by ``d = A - 1 - j`` (ticks from the row's
                 the last one; where it expires    spike to the neuron's), in which there is a spike
    acausal      a spike                           that of the first zone, by ``d = j < A``, in which there is one
    presynaptic  a spike                           always
    ============ ================================= ==================================================================

    Zones are ``d < zones[0]``, ``zones[0] <= d < zones[1]`` and ``zones[1] <= d < window``. With a random number r of
    `rounding` bits for the whole row and a factor g of -1, 0 or 1 that the host gives, the weight becomes
    ``clamp(w + ((g * e + r) >> rounding))``. The old weight is transmitted.

    Parameters
    ----------
    word : PlasticityWord
    window : int
        16 or 32 ticks.
    zones : tuple of int
        Where the second and the third zone begin, in ticks.
    causal, acausal : tuple of int
        Heights of the three zones: 0 or a power of two up to 1024, of either sign.
    presynaptic : int
        Height, likewise.
    by_word : tuple of bool
        Whether the causal, acausal and presynaptic heights are times M.
    rounding : int
        0 ... 16 bits.
    soft : bool
        Soft bounds: with r2, bits 25 to 31 of the row's draw, a step up is dropped if ``r2 >= highest - w``, one down
        if ``r2 >= w - lowest``.
    lowest, highest : int or None
        Bounds of the weights; ``None`` for what the width holds, without its most negative value.

    Raises
    ------
    DescriptionError
        For a value outside of these ranges.

    Notes
    -----
    Source: Detorakis and others, *Front. Neurosci.* 12:583 (2018), on forward look-up with three factors. With causal
    and acausal heights it is the nearest-neighbour pair rule; event-driven random backpropagation is its presynaptic
    term alone.
    """

    word: PlasticityWord = PlasticityWord(inside=1)
    window: int = 32
    zones: tuple[int, int] = (5, 13)
    causal: tuple[int, int, int] = (0, 0, 0)
    acausal: tuple[int, int, int] = (0, 0, 0)
    presynaptic: int = 0
    by_word: tuple[bool, bool, bool] = (True, True, True)
    rounding: int = 8
    soft: bool = False
    lowest: int | None = None
    highest: int | None = None

    symmetric = True

    def __post_init__(self) -> None:
        if self.window not in WINDOWS:
            raise DescriptionError(f"window of a rule is {self.window!r} ticks; it must be one of {WINDOWS}")
        if len(self.zones) != N_ZONES - 1:
            raise DescriptionError(f"zones of a rule are {self.zones!r}; they begin at two ticks")
        check_range("begin of the second zone", self.zones[0], 1, self.window - 1)
        check_range("begin of the third zone", self.zones[1], self.zones[0] + 1, self.window)
        for name in ("causal", "acausal"):
            heights = getattr(self, name)
            if len(heights) != N_ZONES:
                raise DescriptionError(
                    f"{name!r} of a rule is {heights!r}; it has a height for each of three zones"
                )
            for height in heights:
                _check_height(name, height)
        _check_height("presynaptic", self.presynaptic)
        if len(self.by_word) != N_ZONES or not all(isinstance(flag, bool) for flag in self.by_word):
            raise DescriptionError(
                f"by_word of a rule is {self.by_word!r}; it has a flag for each of three terms"
            )
        check_range("rounding of a rule", self.rounding, 0, MAX_ROUNDING, " bits")
        super().__post_init__()

    def describe(self) -> str:
        terms = {"causal": self.causal, "acausal": self.acausal, "presynaptic": (self.presynaptic,)}
        said = [f"{name} {'/'.join(map(str, heights))}" for name, heights in terms.items() if any(heights)]
        return f"learns by {', '.join(said) or 'nothing'} within {self.window} ticks"


def _check_height(name: str, height: object) -> None:
    powers = {1 << shift for shift in range(MAX_HEIGHT_SHIFT + 1)}
    if not isinstance(height, int) or isinstance(height, bool) or (height and abs(height) not in powers):
        raise DescriptionError(
            f"a {name} height of a rule is {height!r}; it must be 0 or a power of two up to {max(powers)}, of either "
            "sign: an adder takes it by a shift"
        )
