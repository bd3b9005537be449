# SPDX-License-Identifier: BSD-2-Clause
"""Graphs with everything that only the core has, drawn by Hypothesis."""

from hypothesis import strategies as st

from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import SpikeCount
from erbium.sw_model.rules import EndRule, HistoryRule, PlasticityWord
from erbium.verif.machines import machine

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
