# SPDX-License-Identifier: BSD-2-Clause
"""What sets the learners apart: encoders, plasticity rules, and how the errors of the output are formed.

A network is described by data, and the parts here are the data that name a learner: event-driven random
backpropagation (:class:`ErbpRule`, :class:`ErrorNeurons`) or the sign-popcount first-spike learner
(:class:`FirstSpikeRule`, :class:`FirstSpikeErrors`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from erbium.sw_model.programs import (
    STATE_MAX,
    STATE_MIN,
    DescriptionError,
    NeuronProgram,
    check_range,
    erbp_error,
)

MAX_TICKS = 4_096
MAX_LEVELS = 8
FULL_PROBABILITY = 1 << 16
"""A row of synapses is touched with probability P / 65536, from 0 (never) to this (always)."""


class ThreeFactorRule:
    """Base of the rules that learn in row passes, by a plasticity word that the tick sweep forms for each neuron.

    A rule is a frozen dataclass of integers with a field `first_tick`: a row pass at that tick or later changes each
    weight of the row by ``-((word + r) >> shift)``, with one random ``r`` for the whole row. What the word is, the
    model says in :func:`erbium.sw_model.layer.plasticity_word` and the hardware in :mod:`erbium.hdl.plasticity`.
    """

    first_tick: int
    symmetric: ClassVar[bool] = False
    """Whether the most negative weight is left out, so that steps up and down are as likely to be lost."""
    full_rate: ClassVar[int] = 0
    """Learning rate that the rule itself has at most; 0 where the rate is the amplitude of what modulates it."""

    def check(self, program: NeuronProgram) -> None:
        """Raise :class:`DescriptionError` if neurons of this program cannot learn by the rule."""

    @property
    def edges(self) -> tuple[int, ...]:
        """Values of state 0 at which the word changes its formula: the benches aim there."""
        return ()


RULES: dict[str, type[ThreeFactorRule]] = {}
"""Rules by the name that their field ``kind`` has in a description. Those of Erbium itself have none: their
fields tell them apart."""


@dataclass(frozen=True)
class ErbpRule(ThreeFactorRule):
    """Plasticity rule of event-driven random backpropagation.

    The plasticity word of a neuron is ``gate_lower <= v < gate_upper ? u : 0`` with ``v`` its membrane
    before the reset and ``u`` the state `modulator`. A row pass at tick ``first_tick`` or later changes
    each weight of the row by ``-((word + r) >> shift)``, with one random ``r`` for the whole row.

    Notes
    -----
    Source: Neftci and others, *Front. Neurosci.* 11:324 (2017), equation 7, figure 1.
    """

    gate_lower: int = 0
    gate_upper: int = 512
    modulator: int = 1
    first_tick: int = 1

    def __post_init__(self) -> None:
        check_range("gate_lower", self.gate_lower, STATE_MIN, STATE_MAX)
        check_range("gate_upper", self.gate_upper, self.gate_lower + 1, STATE_MAX + 1)
        check_range("modulator", self.modulator, 0, 3)
        check_range(
            "first_tick", self.first_tick, 1, MAX_TICKS, "; at tick 0 no neuron has a plasticity word"
        )

    def check(self, program: NeuronProgram) -> None:
        if self.modulator >= program.n_states:
            raise DescriptionError(
                f"modulator is {self.modulator} but program {program.name!r} has states 0 to "
                f"{program.n_states - 1}"
            )

    @property
    def edges(self) -> tuple[int, ...]:
        return self.gate_lower, self.gate_upper


@dataclass(frozen=True)
class ErrorNeurons:
    """The two error populations, one neuron for false positives and one for false negatives per class.

    An output spike without label adds `weight` to the first, a label without output spike to the second;
    `threshold` is what a spike takes away. The paper's ratio is 9 / 10.
    """

    weight: int = 1
    threshold: int = 1

    def __post_init__(self) -> None:
        check_range("error neuron weight", self.weight, 1, 255)
        check_range(
            "error neuron threshold",
            self.threshold,
            self.weight,
            255,
            "; a threshold below the weight would leave a growing rest",
        )

    @property
    def program(self) -> NeuronProgram:
        """The neuron program of both populations."""
        return erbp_error(self.threshold)


@dataclass(frozen=True)
class LatencyEncoder:
    """Input encoder: a pixel spikes once, the earlier the brighter it is.

    Parameters
    ----------
    levels : tuple of (int, int)
        Pairs of (smallest pixel value, tick), brightest first: a pixel spikes at the tick of the first level
        that it reaches, or never. The default is the binary image: 128 ... 255 at tick 0. ``((128, 0), (0, 5))``
        are the "late pixels" of the source, where dark pixels, black ones included, spike at a later tick.

    Notes
    -----
    Source: Mostafa, *Supervised learning based on temporal coding in spiking neural networks*,
    arXiv 1606.08165, section III.
    """

    levels: tuple[tuple[int, int], ...] = ((128, 0),)

    def __post_init__(self) -> None:
        check_range("number of levels of the latency encoder", len(self.levels), 1, MAX_LEVELS)
        for level in self.levels:
            if not isinstance(level, tuple) or len(level) != 2:
                raise DescriptionError(
                    f"level {level!r} of the latency encoder must be a pair (smallest pixel, tick)"
                )
            check_range("smallest pixel of a level", level[0], 0, 255)
            check_range("tick of a level", level[1], 0, MAX_TICKS - 1)
        for (bright, early), (dark, late) in pairwise(self.levels):
            if dark >= bright or late <= early:
                raise DescriptionError(
                    f"level {(dark, late)} of the latency encoder follows {(bright, early)}; the smallest pixel "
                    "must fall and the tick must rise from level to level"
                )

    @property
    def lowest(self) -> int:
        """Smallest pixel value that spikes at all."""
        return self.levels[-1][0]

    @property
    def last_tick(self) -> int:
        """Tick of the last level."""
        return self.levels[-1][1]


@dataclass(frozen=True)
class FirstSpikeRule:
    """Plasticity rule of the first-spike learner.

    Behind a sample that is to change something, each neuron has a plasticity word e: +1 to make it spike later,
    -1 earlier, 0 to leave it. The presynaptic spikes of the sample are replayed, and a row is touched with
    probability P / 65536: then ``w <- clamp(w - step * e)`` for every neuron that had not spiked before the row
    did. Weights are clamped to a symmetric range, so that +step and -step are equally likely to be lost.

    Parameters
    ----------
    step : int
        Change of one weight, 1 ... 32767.

    Notes
    -----
    Source: Mostafa, *Fast classification using sparsely active spiking networks*, ISCAS 2017, last two slides;
    the integer form is this project's own (``docs/contract-first-spike.md``).
    """

    step: int = 2
    symmetric: ClassVar[bool] = True
    full_rate: ClassVar[int] = FULL_PROBABILITY

    def __post_init__(self) -> None:
        check_range("step", self.step, 1, STATE_MAX)


@dataclass(frozen=True)
class FirstSpikeErrors:
    """Which output neurons are to spike earlier or later, seen from the label's first-spike tick.

    An output that spikes before ``label's tick + margin`` although it is not the label is to spike later. If
    there is one, or the label did not spike before tick `deadline`, then the label is to spike earlier;
    otherwise the sample changes nothing.

    Parameters
    ----------
    margin : int
        Ticks by which every other output has to stay behind the label.
    deadline : int
        The label has to spike before this tick.
    earliest_only : bool
        Of the wrong outputs only the earliest (the lowest of them) is to spike later.
    """

    margin: int = 4
    deadline: int = 12
    earliest_only: bool = False

    def __post_init__(self) -> None:
        check_range("margin of the first-spike errors", self.margin, 1, MAX_TICKS)
        check_range("deadline", self.deadline, 1, MAX_TICKS)
        if not isinstance(self.earliest_only, bool):
            raise DescriptionError(f"earliest_only is {self.earliest_only!r}; it must be true or false")
