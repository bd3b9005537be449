# SPDX-License-Identifier: BSD-2-Clause
"""Connectivities: which neurons a projection joins, and by which weights.

============== ============================================ ==================================================
connectivity   joins                                        weights
============== ============================================ ==================================================
Dense          every source to every target                 one per synapse, in memory; may learn
Sparse         every source to the targets of its list      one per synapse, in memory; may learn
Identity       neuron c to neuron c                         one integer for all
RandomSigns    every source to every target                 one integer, times a fixed random matrix
============== ============================================ ==================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erbium.sw_model.programs import STATE_MAX, STATE_MIN, DescriptionError, check_range

Pairs = Literal["none", "source", "target"]
PAIRS: tuple[Pairs, ...] = ("none", "source", "target")


def check_choice(what: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise :class:`DescriptionError` unless `value` is one of `choices`."""
    if value not in choices:
        raise DescriptionError(f"{what} is {value!r}; it must be one of {', '.join(map(repr, choices))}")


@dataclass(frozen=True)
class Uniform:
    """Initial weights: uniform on ``-bound ... bound``, in transmitted units.

    Parameters
    ----------
    bound : int
        0 ... 127.
    stream : int or None
        Which draws: two projections with the same number and different first rows share one matrix. ``None``
        derives the number from the name of the projection.
    first_row : int
        Row of that matrix at which the projection begins.
    """

    bound: int = 24
    stream: int | None = None
    first_row: int = 0

    def __post_init__(self) -> None:
        check_range("bound of uniform weights", self.bound, 0, 127)
        if self.stream is not None:
            check_range("stream of uniform weights", self.stream, 0, (1 << 32) - 1)
        check_range("first_row of uniform weights", self.first_row, 0, 1 << 20)


@dataclass(frozen=True)
class Given:
    """Initial weights, written out: one tuple of stored integers per source neuron."""

    values: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        for row in self.values:
            if not isinstance(row, tuple):
                raise DescriptionError(
                    f"a row of given weights is {row!r}; it must be a list of integers, one per target"
                )
            for value in row:
                check_range("a given weight", value, STATE_MIN, STATE_MAX)


@dataclass(frozen=True)
class Dense:
    """Every source neuron reaches every target neuron, by a weight of its own that may learn.

    Parameters
    ----------
    width : int
        Bits of a weight, 4 ... 16. A weight of b bits transmits ``w >> (b - 8)``, or ``w << (8 - b)`` when b < 8.
    weights : Uniform or Given
        What the weights are at first.
    keep : int
        Synaptic blank-out: each synapse event is kept with probability ``keep / 256``.
    """

    width: int = 8
    weights: Uniform | Given = Uniform()
    keep: int = 256

    def __post_init__(self) -> None:
        check_range("width of a weight", self.width, 4, 16, " bits")
        check_range("keep of a projection", self.keep, 1, 256)


@dataclass(frozen=True)
class Sparse(Dense):
    """Every source neuron reaches the target neurons of its own list, by weights that may learn.

    Parameters
    ----------
    targets : tuple of tuple of int
        For each source neuron the target neurons that it reaches, ascending.
    """

    targets: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for source, row in enumerate(self.targets):
            if list(row) != sorted(set(row)):
                raise DescriptionError(
                    f"the targets of source neuron {source} are {list(row)}; they must ascend, each once"
                )


@dataclass(frozen=True)
class Identity:
    """Source neuron c reaches target neuron c, by the same weight for all.

    Parameters
    ----------
    weight : int
        Added to the port by each event, -32768 ... 32767.
    pairs : str
        ``"source"``: source neurons 2c and 2c + 1 reach neuron c, by `weight` and by ``-weight``.
        ``"target"``: source neuron c reaches neuron 2c by `weight` and 2c + 1 by ``-weight``.
    """

    weight: int
    pairs: Pairs = "none"

    def __post_init__(self) -> None:
        check_range("weight of an identity projection", self.weight, STATE_MIN, STATE_MAX)
        check_choice("pairs of an identity projection", self.pairs, PAIRS)


@dataclass(frozen=True)
class RandomSigns:
    """Every source neuron reaches every target neuron, by a fixed random matrix whose rows sum to 0.

    Parameters
    ----------
    weight : int
        Amplitude, 0 ... 255, by which the matrix is multiplied.
    largest : int
        1: the matrix has +1 and -1 only, as many of each in a row; 3: integers from -3 ... 3.
    pairs : str
        ``"source"``: source neurons 2c and 2c + 1 reach the same neurons, with opposite signs.
    stream : int or None
        Which draws; ``None`` derives the number from the name of the projection.
    """

    weight: int
    largest: int = 1
    pairs: Pairs = "none"
    stream: int | None = None

    def __post_init__(self) -> None:
        check_range("weight of random signs", self.weight, 0, 255)
        check_choice("largest of random signs", self.largest, (1, 3))
        check_choice("pairs of random signs", self.pairs, ("none", "source"))
        if self.stream is not None:
            check_range("stream of random signs", self.stream, 0, (1 << 32) - 1)


Connectivity = Dense | Sparse | Identity | RandomSigns
Stored = (Dense, Sparse)
"""Connectivities whose weights lie in a memory: the host reads and writes them, and they may learn."""
