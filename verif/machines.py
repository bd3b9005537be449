# SPDX-License-Identifier: BSD-2-Clause
"""Graphs with everything that only the core has, drawn by Hypothesis."""

from dataclasses import replace

from hypothesis import strategies as st

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

heights = st.sampled_from([0, 1, 2, 8, 16, -1, -4, -32])
zones_of = st.tuples(heights, heights, heights)
words = st.builds(
    PlasticityWord,
    gate=st.sampled_from([0, 1]),
    lower=st.integers(-50, 0),
    upper=st.integers(1, 200),
    inside=st.integers(-40, 40),
    outside=st.integers(-40, 40),
    term=st.sampled_from(["none", "state", "gated", "below"]),
    state=st.sampled_from([0, 1]),
    shift=st.integers(0, 4),
    offset=st.integers(-20, 20),
)
rules = st.builds(
    HistoryRule,
    word=words,
    window=st.sampled_from([16, 32]),
    zones=st.sampled_from([(5, 13), (1, 2), (3, 16)]),
    causal=zones_of,
    acausal=zones_of,
    presynaptic=heights,
    by_word=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    rounding=st.integers(0, 12),
    soft=st.booleans(),
    lowest=st.sampled_from([None, -100, 0]),
    highest=st.sampled_from([None, 100]),
)


end_rules = st.builds(
    EndRule,
    word=words,
    rows=st.sampled_from(["all", "spiked"]),
    up=st.integers(0, 8),
    down=st.integers(0, 8),
    lowest=st.sampled_from([None, -100, 0]),
    highest=st.sampled_from([None, 100]),
)


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


@st.composite
def machines(draw: st.DrawFn, *, passes: bool = False) -> Graph:
    """Networks of two populations that run on, with a reward, a loop and a source of events.

    `passes`: also those whose weights change at the end of a sample, and what competing neurons need.
    """
    known = st.one_of(rules, end_rules) if passes else rules
    return machine(
        draw(known),
        draw(st.one_of(st.none(), known)),
        keep=draw(st.sampled_from([256, 200])),
        lasting=draw(st.sampled_from([(), (1,)])),
        exclusive=passes and draw(st.booleans()),
        plastic=draw(st.sampled_from([(), (), (1,), (0, 1)])) if passes else (),
        readout=draw(st.sampled_from([None, SpikeCount("first", decide_after=4)])),
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
