# SPDX-License-Identifier: BSD-2-Clause
"""Graphs to compare the paths on: drawn by Hypothesis, and one by hand that is recurrent in every way."""

from typing import Any

from hypothesis import strategies as st

from erbium.sw_model.description.connect import Dense, Given, Identity, RandomSigns, Sparse, Uniform
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import (
    Bernoulli,
    Constant,
    Encoder,
    Label,
    Phase,
    Population,
    Projection,
    Source,
    SpikeCount,
)
from erbium.sw_model.programs import erbp_error, erbp_hidden, lif
from erbium.sw_model.rules import ErbpRule, LatencyEncoder


def recurrent(**more: Any) -> Graph:
    """Two populations that excite and inhibit each other, and the first one itself."""
    fields: dict[str, Any] = {
        "name": "ring",
        "sources": (Source("input", 6), Source("drive", 1, Constant())),
        "populations": (
            Population("excite", 8, lif(threshold=300)),
            Population("inhibit", 4, lif(threshold=200)),
        ),
        "projections": (
            Projection("input", "excite", Dense(weights=Uniform(60))),
            Projection("drive", "excite", Dense(weights=Given(((40,) * 8,)))),
            Projection("excite", "excite", Dense(weights=Uniform(40)), delay=1),
            Projection("inhibit", "excite", Dense(weights=Uniform(80)), delay=3),
            Projection("excite", "inhibit", Dense(weights=Uniform(90))),
        ),
        "n_ticks": 1000,
    }
    return Graph(**(fields | more))


@st.composite
def graphs(draw: st.DrawFn, *, built: bool = False) -> Graph:
    """Draw a graph of one to three populations, learned or not, recurrent or not, of one or two coded sources.

    Parameters
    ----------
    built : bool
        Only what an array can be built for (:func:`erbium.hdl.fit.check_hardware`).
    """
    n_classes = draw(st.integers(2, 4))
    encoders: st.SearchStrategy[Encoder] = st.sampled_from(
        [Bernoulli(), Phase(), LatencyEncoder(((128, 0), (1, 3)))]
    )
    sources = [
        Source(f"in{k}", draw(st.integers(1, 9)), draw(encoders), pixel_bits=draw(st.sampled_from((8, 8, 4))))
        for k in range(draw(st.integers(1, 2)))
    ]
    sources += [Source("bias", 1, Constant()), Source("label", n_classes, Label())]
    programs = st.sampled_from(
        [
            erbp_hidden(threshold=60),
            erbp_hidden(threshold=60, noise_shift=1),
            erbp_hidden(threshold=60, leak_shift=4, synapse_shift=2, refractory=2),
            lif(threshold=80),
        ]
    )
    populations = [
        Population(f"p{k}", draw(st.integers(1, 7)), draw(programs), draw(st.sampled_from([256, 150])))
        for k in range(draw(st.integers(0, 2)))
    ]
    populations.append(Population("out", n_classes, erbp_hidden(threshold=40)))
    populations.append(Population("error", 2 * n_classes, erbp_error()))
    projections: list[Projection] = []
    for index, population in enumerate(populations[:-1]):
        before = [*(s.name for s in sources[:-1]), *(p.name for p in populations[:index])]
        chosen = draw(st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True))
        loops = draw(st.lists(st.sampled_from([p.name for p in populations]), max_size=2, unique=True))
        delays = {**dict.fromkeys(chosen, 0), **{n: draw(st.integers(1, 4)) for n in loops}}
        width = draw(st.integers(4, 12))
        learns = draw(st.booleans()) and population.program.n_states > 1
        keep = draw(st.sampled_from([256, 256, 170]))
        for name, delay in delays.items():
            if built:
                connect = Dense(width, Uniform(draw(st.integers(0, 127))), keep)
            else:
                connect = draw(stored(name, population, [*sources, *populations], width))
            projections.append(
                Projection(name, population.name, connect, 0, delay, ErbpRule() if learns else None)
            )
        if population.program.n_ports > 1 and draw(st.booleans()):
            signs = RandomSigns(draw(st.integers(1, 40)), 3, pairs="source")
            delay, name = draw(st.integers(1, 3)), f"feedback{index}"
            projections.append(Projection("error", population.name, signs, 1, delay, scaled=True, name=name))
    projections += [
        Projection("label", "out", Identity(-90), when="learn"),
        Projection("out", "error", Identity(1, pairs="target"), when="learn"),
        Projection("label", "error", Identity(-1, pairs="target"), when="learn"),
    ]
    readout = SpikeCount(
        "out", draw(st.integers(0, 2)), "error", draw(st.integers(0, 3)), draw(st.integers(1, 3))
    )
    return Graph(
        "drawn",
        tuple(sources),
        tuple(populations),
        tuple(projections),
        draw(st.sampled_from([readout, readout, None])),
        n_ticks=10,
        seed=draw(st.integers(0, 99)),
    )


@st.composite
def stored(
    draw: st.DrawFn, source: str, target: Population, parts: list[Source | Population], width: int
) -> Dense:
    """Draw a connectivity with weights in memory."""
    size = next(part.size for part in parts if part.name == source)
    keep, weights = draw(st.sampled_from([256, 256, 170])), Uniform(draw(st.integers(0, 127)))
    if draw(st.integers(0, 3)):
        return Dense(width, weights, keep)
    row = st.lists(st.integers(0, target.size - 1), unique=True).map(sorted).map(tuple)
    return Sparse(width, weights, keep, tuple(draw(row) for _ in range(size)))
