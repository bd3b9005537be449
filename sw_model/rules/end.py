# SPDX-License-Identifier: BSD-2-Clause
"""Plasticity once, at the end of a sample: what winner-take-all networks learn by, as a description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sw_model.rules.history import PlasticityWord, WordRule

END_ROUNDING = 8
"""Bits of the random number of a row, and the largest shift."""

EVERY_NEURON = PlasticityWord(inside=1)

Rows = Literal["all", "spiked"]
ROWS: tuple[Rows, ...] = ("all", "spiked")


@dataclass(frozen=True)
class EndRule(WordRule):
    """Weights change once, at the end of a learned sample, in a pass over the rows of a projection.

    Each row keeps one bit: whether it spiked in the sample. At the end, rows pass in ascending order, and of each the
    synapses whose neuron has a word M that differs from 0 move towards a bound:

    ========================== =====================================
    row                        e, before its sign
    ========================== =====================================
    spiked in the sample       ``(highest - w) << (8 - up)``
    did not                    ``-((w - lowest) << (8 - down))``
    ========================== =====================================

    With the sign of M, a random number r of 8 bits for the whole row and a factor g of -1, 0 or 1 that the host gives,
    the weight becomes ``clamp(w + ((g * sign(M) * e + r) >> 8))``: it moves by ``1 / 2 ** up`` of its way to the
    largest weight, or by ``1 / 2 ** down`` to the smallest, rounded at random. If g is 0, or no neuron of the
    population has a word, no row passes and no random number is drawn.

    Populations pass in the order of the graph, and so do the projections of each.

    Parameters
    ----------
    word : PlasticityWord
        M is formed in each sweep from the states before the reset; the pass uses that of the last sweep. A spike of the
        last tick itself can so be told by the state that it crossed the threshold with, not by what its reset set.
    rows : {"all", "spiked"}
        Whether rows that did not spike pass, too.
    up, down : int
        0 ... 8.
    lowest, highest : int or None
        Bounds of the weights; ``None`` for what the width holds, without its most negative value.

    Raises
    ------
    DescriptionError
        For a value outside of these ranges.

    Notes
    -----
    With a word that is 1 for the neuron that won it is competitive learning: weights of the winner become the share of
    samples in which their input took part. Source: Rumelhart and Zipser, *Cognitive Science* 9:75 (1985); with spikes
    and an adaptive threshold Diehl and Cook, *Front. Comput. Neurosci.* 9:99 (2015).
    """

    word: PlasticityWord = EVERY_NEURON
    rows: Rows = "all"
    up: int = 4
    down: int = 4
    lowest: int | None = None
    highest: int | None = None

    symmetric = True

    def __post_init__(self) -> None:
        if self.rows not in ROWS:
            raise DescriptionError(f"rows of an end rule are {self.rows!r}; they must be one of {ROWS}")
        check_range("up of an end rule", self.up, 0, END_ROUNDING, ", a shift")
        check_range("down of an end rule", self.down, 0, END_ROUNDING, ", a shift")
        super().__post_init__()

    def describe(self) -> str:
        """Return when and by what weights change, in words."""
        down = f", 1/{1 << self.down} down where it did not" if self.rows == "all" else ""
        return f"learns at the end of a sample: 1/{1 << self.up} up where a row spiked{down}"
