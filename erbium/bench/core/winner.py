# SPDX-License-Identifier: BSD-2-Clause
"""What winner-take-all networks share: neurons whose first spike silences all, and a vote by labels.

Each neuron adds up what it hears, without a leak, and its threshold rises with each spike and falls by 1 at each tick,
in learned samples: so no neuron wins always. Of those that reach it in the same tick the first one spikes, and brings
all of them back to 0 through a modulator that hears the population. In learning it also ends the sample, by the silence
of a neuron that otherwise spikes at every tick; then the pass at the end moves the weights of the winner. In an answer
the first spikes vote, each for the classes for which its neuron won.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from erbium.bench.core.parts import given
from erbium.sw_model.constants import Array
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.connect import Dense
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Modulator, Population, Projection, Source, SpikeCount
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.programs import NeuronProgram, Operation
from erbium.sw_model.rules import EndRule, PlasticityWord

TICKS = 40
VOTES = 8
RESET = 32_767
"""What a spike takes from each neuron; none is below 0."""
LARGEST = 127


def network(
    name: str,
    inputs: int,
    neurons: int,
    seed: int,
    *,
    threshold: int,
    raised: int,
    shift: int = 2,
    forgets: bool = True,
    first: tuple[int, int] = (20, 80),
    lowest: int = 0,
    rate: int = 4,
) -> Graph:
    """Return a network whose neurons compete.

    Parameters
    ----------
    name : str
    inputs, neurons : int
    seed : int
        Of the initial weights and all random numbers.
    threshold, raised : int
        Threshold, and by how much a spike raises it.
    forgets : bool
        Whether rows that did not spike in a sample lose weight.
    first : tuple of int
        Smallest initial weight, and one above the largest.
    lowest : int
        Weight of an input that never takes part in a win; below 0, such an input speaks against the neuron.
    rate : int
        A weight moves by ``1 / 2 ** rate`` of its way.
    """
    rng = np.random.default_rng(seed)
    program = NeuronProgram(
        name="competitor",
        states=("v", "fatigue", "won"),
        operations=(Operation(0, "u0", shift), Operation(0, "u1")),
        n_ports=2,
        threshold=threshold,
        adaptive=True,
        bias=(0, -1, 0),
        lower=(0, 0, 0),
        reset_mode=("set", "add", "set"),
        reset_value=(0, raised, 1),
    )
    waiting = NeuronProgram(
        name="waiting",
        states=("v",),
        operations=(Operation(0, "u0"),),
        n_ports=1,
        threshold=1,
        lower=(0,),
        upper=(1,),
        initial=(1,),
    )
    won = PlasticityWord(gate=2, lower=1, inside=1)
    rule = EndRule(
        word=won, rows="all" if forgets else "spiked", up=rate, down=rate, lowest=lowest, highest=LARGEST
    )
    return Graph(
        name,
        (Source("pixels", inputs),),
        (
            Population("neurons", neurons, program, lasting=(1,), exclusive=True, plastic=(1,)),
            Population("waiting", 1, waiting),
        ),
        (
            Projection(
                "pixels", "neurons", Dense(weights=given(rng.integers(*first, (inputs, neurons)))), rule=rule
            ),
            Projection("neurons", "waiting", Dense(weights=given(np.full((neurons, 1), -1)))),
        ),
        SpikeCount("neurons", quiet="waiting", quiet_ticks=1),
        n_ticks=TICKS,
        seed=seed,
        modulators=(Modulator("reset", "neurons", 1, "neurons", RESET),),
    )


class Competitors:
    """A network of competing neurons, and the labels that they won.

    Parameters
    ----------
    graph : Graph
        Of :func:`network`.
    n_classes : int
    make : callable
        Makes the core.
    """

    def __init__(self, graph: Graph, n_classes: int, make: Callable[[Graph], Any] = CoreModel) -> None:
        self.chip = make(graph)
        self.neurons = graph.population("neurons").size
        self.wins = np.zeros((self.neurons, n_classes))
        self._seeds = _seeds(graph.seed)

    def present(self, image: Array, *, learn: bool) -> Array:
        """Return who spiked, in their order; in learning only the first spike comes about."""
        drive = Drive(learn=learn, gains={"reset": -1})
        self.chip.sample(image, seed=next(self._seeds), drive=drive)
        found: Array = np.nonzero(self.chip.spikes["neurons"])[1]
        return found

    def relabel(self, images: Iterable[Array], labels: Iterable[int]) -> None:
        """Count anew for which classes the neurons win."""
        self.wins[:] = 0
        for image, label in zip(images, labels, strict=True):
            np.add.at(self.wins[:, label], self.present(image, learn=False)[:VOTES], 1)

    def answer(self, image: Array) -> int:
        """Return the class that most of the first votes are for; the one of most wins of those who tie."""
        share = self.wins / np.maximum(self.wins.sum(axis=1, keepdims=True), 1)
        votes = share[self.present(image, learn=False)[:VOTES]].sum(axis=0)
        return int(votes.argmax())


def _seeds(seed: int) -> Iterator[int]:
    rng = np.random.default_rng((seed, 2))
    while True:
        yield int(rng.integers(1 << 32))
