# SPDX-License-Identifier: BSD-2-Clause
"""What people may ask of a learner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from erbium.sw_model.network import Hardware, Layer, Network


@dataclass(frozen=True)
class LayerWork:
    """What a layer did, and the words in which its hardware does it.

    Attributes
    ----------
    words : int
        Words of a synapse row.
    rows : float
        Rows that were passed.
    learned : int
        Rows that were learned.
    turns : int
        Clocks of a word that is written: a memory with one port writes and reads by turns.
    ticks, samples : int
        What all layers did together.
    is_first, is_last : bool
    """

    words: int
    rows: float
    learned: int
    turns: int
    ticks: int
    samples: int
    is_first: bool
    is_last: bool

    @classmethod
    def of(cls, network: Network, hardware: Hardware, work: Mapping[str, int], number: int) -> LayerWork:
        """Return the counted work of a layer, counted from 0."""
        layer = network.layers[number]
        return cls(
            words=hardware.words_of(network, number),
            rows=work[f"layer{number + 1}_synaptic_operations"] / layer.n_neurons,
            learned=work[f"layer{number + 1}_rows_learned"],
            turns=1 + (hardware.memory_of(number) == "spram" and not hardware.pairs(network, number)),
            ticks=work["ticks"],
            samples=work["samples"],
            is_first=number == 0,
            is_last=number == len(network.layers) - 1,
        )


class LearnerFace:
    """The words and formulas of one learner.

    Parameters
    ----------
    network : Network

    Attributes
    ----------
    learned : str
        What its counter (:attr:`erbium.sw_model.rules.OutputErrors.counter`) counts, in words.
    lead : str
        How it learns, in a sentence.
    columns : tuple of str
        What a table of the layers says of each for this learner; :meth:`cells` has the values.
    """

    learned: ClassVar[str]
    lead: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    def __init__(self, network: Network) -> None:
        self.network = network

    def facts(self) -> list[tuple[str, str]]:
        """Return how errors are formed, as names and values for a terminal."""
        raise NotImplementedError

    def early_stop(self) -> str:
        """Return when learning and inference end a sample early."""
        raise NotImplementedError

    def feedback(self, layer: Layer) -> str:
        """Return how errors come back to a layer, with a comma after it; nothing if they do not."""
        raise NotImplementedError

    def end_of_a_sample(self) -> str:
        """Return when a learned sample ends, for a page."""
        raise NotImplementedError

    def way_back(self) -> str:
        """Return what goes back from the output to the layers, and when."""
        raise NotImplementedError

    def page_facts(self) -> list[tuple[str, object]]:
        """Return what else a page says of how it learns, as names and values."""
        return []

    def cells(self, layer: Layer) -> tuple[object, ...]:
        """Return the values of :attr:`columns`."""
        raise NotImplementedError

    def clocks(self, layer: LayerWork, work: Mapping[str, int], *, learning: bool) -> tuple[float, float]:
        """Return the clocks of a layer while samples run, side by side with the others, and after them, in turn."""
        raise NotImplementedError
