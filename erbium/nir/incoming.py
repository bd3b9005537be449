# SPDX-License-Identifier: BSD-2-Clause
"""A NIR graph becomes a description of integers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from erbium.nir import metadata
from erbium.nir.dynamics import Dynamics, populations
from erbium.nir.integers import Quantised, quantise
from erbium.nir.options import TICK_SECONDS, Options
from erbium.nir.report import Report
from erbium.nir.wiring import Path, Wiring, wiring
from erbium.sw_model.constants import Array
from erbium.sw_model.description.connect import Dense, Given
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import (
    MAX_DELAY,
    Bernoulli,
    Constant,
    Phase,
    Population,
    Projection,
    Source,
    SpikeCount,
)
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError

MOST_CLASSES = 256


@dataclass(frozen=True)
class Part:
    """A population that was brought in, in integers.

    Attributes
    ----------
    name : str
        Identifier of the population.
    dynamics : Dynamics
    whole : Quantised
    paths : tuple of Path
        Onto it, with sources and delays of the array: a path that closes a loop has one tick more.
    weights : tuple of ndarray
        Stored weights of each path.
    bias : ndarray
        Stored bias row; zeros where there is none.
    """

    name: str
    dynamics: Dynamics
    whole: Quantised
    paths: tuple[Path, ...]
    weights: tuple[Array, ...]
    bias: Array


@dataclass(frozen=True)
class Parts:
    """Everything that was brought in, before it is put into one or the other form.

    Attributes
    ----------
    name : str
    inputs : dict of int
        Sizes of the sources, by their identifiers.
    parts : tuple of Part
        In the order in which they are swept.
    readout : str
        Identifier of the population that is read out; empty for none.
    options : Options
    report : Report
    """

    name: str
    inputs: dict[str, int]
    parts: tuple[Part, ...]
    readout: str
    options: Options
    report: Report


@dataclass(frozen=True)
class Imported:
    """What a NIR graph has become.

    Attributes
    ----------
    description : Graph or Network
        A layered one where Erbium had written the graph from one, else a graph that holds its weights.
    weights : list of ndarray or None
        Of a layered one, where they are not those that it begins with.
    report : Report
    """

    description: Graph | Network
    weights: list[Array] | None
    report: Report


def from_nir(graph: Any, options: Options | None = None, name: str = "imported") -> Imported:
    """Bring a NIR graph in.

    Parameters
    ----------
    graph : nir.NIRGraph
    options : Options, optional
        They matter to graphs of other frameworks only: what Erbium has exported says all by itself.
    name : str
        Of the description.

    Raises
    ------
    DescriptionError
        For a graph that the array cannot take: the node, the value, the limit and the way out.
    """
    if metadata.FIELD in graph.metadata:
        return Imported(*metadata.restored(graph))
    found = parts_of(graph, options or Options(), name)
    return Imported(as_graph(found), None, found.report)


def parts_of(graph: Any, options: Options, name: str) -> Parts:
    """Return the populations, paths and integers of a graph that another framework wrote."""
    dt = options.dt or _tick(graph)
    wired = wiring(graph, dt)
    report = Report()
    found = populations(wired, dt)
    names = _identifiers([*wired.inputs, *(part.name for part in found)])
    firsts = {part.first: part.name for part in found} | {part.name: part.name for part in found}
    order = _order(wired, found)
    places = {part.name: place for place, part in enumerate(order)}
    parts = []
    for part in order:
        paths = []
        for path in wired.paths[part.first]:
            source = firsts.get(path.source, path.source)
            back = source in places and places[source] >= places[part.name]
            delay = path.delay + back
            if delay > MAX_DELAY:
                raise DescriptionError(
                    f"the path from {source!r} back to {part.name!r} takes {delay} ticks; a projection takes at most "
                    f"{MAX_DELAY}, one of which a loop has by itself"
                )
            paths.append(Path(names[source], path.matrix, delay))
        whole, weights, bias = quantise(
            part, [path.matrix for path in paths], wired.bias[part.first], options, report
        )
        if part.name != names[part.name]:
            report.notes.append(f"node {part.name!r} is population {names[part.name]!r}")
        parts.append(Part(names[part.name], part, whole, tuple(paths), tuple(weights), bias))
    readout = _readout(wired, [names.get(firsts.get(out, out), "") for out in wired.outputs], parts, report)
    inputs = {names[source]: size for source, size in wired.inputs.items()}
    return Parts(name, inputs, tuple(parts), readout, options, report)


def as_graph(found: Parts) -> Graph:
    """Return what was brought in as a graph with fixed weights, which it holds."""
    options = found.options
    encoder = Bernoulli() if options.encoder == "bernoulli" else Phase()
    sources = [Source(name, size, encoder) for name, size in found.inputs.items()]
    projections = []
    bias = next(
        f"bias{k or ''}" for k in range(len(found.parts) + 2) if f"bias{k or ''}" not in _taken(found)
    )
    if any(part.bias.any() for part in found.parts):
        sources.append(Source(bias, 1, Constant()))
    for part in found.parts:
        for path, weights in zip(part.paths, part.weights, strict=True):
            twice = [other for other in part.paths if other.source == path.source]
            projection = f"{path.source}_to_{part.name}" + (f"_{path.delay}" if len(twice) > 1 else "")
            projections.append(
                Projection(
                    path.source,
                    part.name,
                    _dense(weights, options.width),
                    delay=path.delay,
                    name=projection[:64],
                )
            )
        if part.bias.any():
            projections.append(Projection(bias, part.name, _dense(part.bias[None], options.width)))
    return Graph(
        name=found.name,
        sources=tuple(sources),
        populations=tuple(
            Population(part.name, part.dynamics.size, part.whole.program("imported")) for part in found.parts
        ),
        projections=tuple(projections),
        readout=SpikeCount(found.readout) if found.readout else None,
        n_ticks=options.n_ticks,
        seed=options.seed,
    )


def _dense(weights: Array, width: int) -> Dense:
    return Dense(width, Given(tuple(tuple(int(w) for w in row) for row in weights)))


def _taken(found: Parts) -> set[str]:
    return {*found.inputs, *(part.name for part in found.parts)}


def _tick(graph: Any) -> float:
    said = graph.metadata.get("dt", TICK_SECONDS)
    try:
        value = float(np.asarray(said).reshape(-1)[0])
    except (ValueError, TypeError, IndexError):
        value = 0.0
    if not 0 < value < math.inf:
        raise DescriptionError(
            f"the metadata of the graph say a tick of {said!r} s; it must be more than 0, so name one with --dt"
        )
    return value


def _identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return a name of the array for each node: letters, digits and underscores, each once."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        plain = (plain if plain[:1].isalpha() else f"node_{plain.lstrip('_')}")[:50]
        number, choice = 1, plain
        while choice in found.values():
            number, choice = number + 1, f"{plain}_{number + 1}"
        found[name] = choice
    return found


def _order(wired: Wiring, found: list[Dynamics]) -> list[Dynamics]:
    """Return populations in an order in which each comes after those that it hears, as far as loops let it.

    Where only loops are left, the one that is nearest to an input comes next.
    """
    owner = {part.first: part.name for part in found} | {part.name: part.name for part in found}
    hears = {
        part.name: {owner[p.source] for p in wired.paths[part.first] if p.source in owner} - {part.name}
        for part in found
    }
    distance: dict[str, int] = {}
    for part in found:
        if any(path.source in wired.inputs for path in wired.paths[part.first]):
            distance[part.name] = 0
    for step in range(len(found)):
        for part in found:
            if part.name not in distance and any(distance.get(name) == step for name in hears[part.name]):
                distance[part.name] = step + 1
    placed: list[Dynamics] = []
    left = list(found)
    while left:
        done = {part.name for part in placed}
        ready = [part for part in left if hears[part.name] <= done]
        chosen = (ready or sorted(left, key=lambda part: distance.get(part.name, len(found))))[0]
        placed.append(chosen)
        left.remove(chosen)
    return placed


def _readout(wired: Wiring, outputs: list[str], parts: list[Part], report: Report) -> str:
    """Return the population whose neurons are the classes, or nothing."""
    sizes = {part.name: part.dynamics.size for part in parts}
    read = [name for name in outputs if name]
    if len(read) != 1 or not 2 <= sizes[read[0]] <= MOST_CLASSES:
        what = f"{len(read)} populations" if len(read) != 1 else f"{sizes[read[0]]} neurons"
        report.notes.append(
            f"{what} at the outputs of the graph: nothing names an answer, which takes one population of 2 to "
            f"{MOST_CLASSES} neurons"
        )
        return ""
    whole = next(part.whole for part in parts if part.name == read[0])
    if not whole.spikes:
        report.notes.append(f"population {read[0]!r} does not spike: the largest membrane is the answer")
    return read[0]
