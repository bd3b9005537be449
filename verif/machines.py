# SPDX-License-Identifier: BSD-2-Clause
"""Graphs with everything that only the core has."""

from dataclasses import replace

from erbium.sw_model.description.connect import Dense, Sparse, Uniform
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import (
    Constant,
    Events,
    Modulator,
    Phase,
    Population,
    Projection,
    Source,
    SpikeCount,
)
from erbium.sw_model.programs import rewarded_lif
from erbium.sw_model.rules import EndRule, HistoryRule, PlasticityWord, Rule

NOISY = rewarded_lif(200)


def machine(
    rule: Rule | None,
    other: Rule | None,
    *,
    keep: int = 256,
    lasting: tuple[int, ...] = (),
    exclusive: bool = False,
    plastic: tuple[int, ...] = (),
    readout: SpikeCount | None = None,
    n_ticks: int = 60,
) -> Graph:
    """Return two populations with a reward, a loop and a source of events; all that ends on one learns by one rule."""
    sparse = Sparse(targets=((0, 2), (), (1,), (0, 1, 2, 3, 4)), weights=Uniform(90))
    return Graph(
        "machine",
        (
            Source("pixels", 6),
            Source("waves", 3, Phase()),
            Source("host", 4, Events()),
            Source("bias", 1, Constant()),
        ),
        (
            Population("first", 5, NOISY, keep=keep, lasting=lasting, exclusive=exclusive, plastic=plastic),
            Population("second", 2, replace(NOISY, threshold=60, refractory=0)),
        ),
        (
            Projection("pixels", "first", Dense(weights=Uniform(120), keep=keep), rule=rule),
            Projection("waves", "first", Dense(weights=Uniform(60))),
            Projection("host", "first", sparse, rule=rule),
            Projection("second", "first", Dense(weights=Uniform(50)), delay=2, rule=rule),
            Projection("first", "second", Dense(weights=Uniform(127)), rule=other),
            Projection("bias", "second", Dense(weights=Uniform(9)), rule=other, when="learn"),
        ),
        readout,
        n_ticks,
        modulators=(
            Modulator("reward", "first", 1, "second", 20),
            Modulator("again", "second", 1, "first", 3),
            Modulator("push", "second", 0),
        ),
    )


def rewarded(n_ticks: int = 60) -> Graph:
    """Return a machine in which every term of a rule and everything random has a part."""
    rule = HistoryRule(
        word=PlasticityWord(lower=-20, upper=150, inside=3, outside=-2, term="state", state=1, shift=1),
        window=16,
        zones=(3, 7),
        causal=(16, 4, -1),
        acausal=(-8, -2, 1),
        presynaptic=-1,
        by_word=(True, False, True),
        rounding=3,
        soft=True,
    )
    other = HistoryRule(causal=(8, 8, 8), by_word=(False, True, True), rounding=1, lowest=-100, highest=100)
    return _lively(machine(rule, other, keep=200, lasting=(1,), readout=SpikeCount("first"), n_ticks=n_ticks))


def competing(n_ticks: int = 60) -> Graph:
    """Return a machine whose weights change at the end of a sample, and in which one neuron spikes at a time."""
    word = PlasticityWord(lower=-20, upper=150, inside=3, outside=-2)
    rule, other = EndRule(word=word, up=2, down=3), EndRule(rows="spiked", up=1)
    return _lively(machine(rule, other, keep=200, exclusive=True, plastic=(1,), n_ticks=n_ticks))


def _lively(graph: Graph) -> Graph:
    """Return a machine whose neurons spike often: a bench has few ticks to see everything in."""
    first, second = graph.populations
    program = replace(first.program, threshold=30, refractory=1)
    other = replace(second.program, threshold=20)
    return replace(graph, populations=(replace(first, program=program), replace(second, program=other)))
