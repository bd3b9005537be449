# SPDX-License-Identifier: BSD-2-Clause
"""What fits together in a graph: each thing that does not is refused by one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from erbium.sw_model.description.connect import Dense, Given, Identity, RandomSigns, Sparse
from erbium.sw_model.description.parts import Label, Modulator, Population, Projection, Readout, Source
from erbium.sw_model.programs import STATE_MAX, DescriptionError, check_name, check_range
from erbium.sw_model.rules import MAX_TICKS, LatencyEncoder

if TYPE_CHECKING:
    from erbium.sw_model.description.graph import Graph

MAX_PARTS = 64
"""Sources, populations and projections of a graph: at most so many of each."""


def parts_of_the_core(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield what only the core and the reference run: what it is, and the name of the part."""
    yield from (("modulator", modulator.name) for modulator in graph.modulators)
    yield from (("source of events", source.name) for source in graph.event_sources)
    for population in graph.populations:
        if population.lasting:
            yield "population with states that last", population.name
        if population.plastic:
            yield "population with states that learn", population.name
        if population.exclusive:
            yield "population that spikes exclusively", population.name


def check_graph(graph: Graph) -> None:
    """Raise :class:`DescriptionError`, naming the part, the value, the limit and the way out, unless all parts fit."""
    check_range("number of sources", len(graph.sources), 1, MAX_PARTS)
    check_range("number of populations", len(graph.populations), 1, MAX_PARTS)
    check_range("number of projections", len(graph.projections), 1, MAX_PARTS)
    check_range("n_ticks", graph.n_ticks, 1, MAX_TICKS)
    check_range("seed", graph.seed, 0, (1 << 63) - 1)
    _check_names(graph)
    for source in graph.sources:
        _check_source(graph, source)
    for projection in graph.projections:
        _check_projection(graph, projection)
    for population in graph.populations:
        _check_population(graph, population)
    check_range("number of modulators", len(graph.modulators), 0, MAX_PARTS)
    for modulator in graph.modulators:
        _check_modulator(graph, modulator)
    if graph.readout is not None:
        _check_readout(graph, graph.readout)


def _check_names(graph: Graph) -> None:
    counts = Counter([part.name for part in (*graph.writers, *graph.projections, *graph.modulators)])
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DescriptionError(
            f"the name {twice[0]!r} is there {counts[twice[0]]} times; sources, populations, projections and "
            "modulators need names of their own"
        )
    check_name("the graph", graph.name)


def _check_source(graph: Graph, source: Source) -> None:
    if isinstance(source.encoder, LatencyEncoder) and source.encoder.last_tick >= graph.n_ticks:
        raise DescriptionError(
            f"the last level of source {source.name!r} spikes at tick {source.encoder.last_tick}; a sample has "
            f"ticks 0 to {graph.n_ticks - 1}"
        )


def _check_projection(graph: Graph, projection: Projection) -> None:
    what = f"projection {projection.name!r}"
    names = [part.name for part in graph.writers]
    for side, name in (("begins at", projection.source), ("ends on", projection.target)):
        if name not in names:
            raise DescriptionError(
                f"{what} {side} {name!r}, which is not there; there are {', '.join(names)}"
            )
    if graph.source(projection.target) is not None:
        raise DescriptionError(
            f"{what} ends on {projection.target!r}, a source; only populations take events"
        )
    target = graph.population(projection.target)
    if projection.port >= target.program.n_ports:
        raise DescriptionError(
            f"{what} ends on port {projection.port} of {target.name!r}, whose program {target.program.name!r} has "
            f"ports 0 to {target.program.n_ports - 1}"
        )
    _check_order(graph, projection)
    _check_sizes(graph, projection)
    if projection.rule is not None:
        projection.rule.check(target.program)


def _check_order(graph: Graph, projection: Projection) -> None:
    if projection.delay or graph.source(projection.source) is not None:
        return
    order = [population.name for population in graph.populations]
    if order.index(projection.source) >= order.index(projection.target):
        raise DescriptionError(
            f"projection {projection.name!r} from {projection.source!r} to {projection.target!r} has delay 0, but "
            "its source is not swept before its target; give it a delay of at least 1, or list the source first"
        )


def _check_sizes(graph: Graph, projection: Projection) -> None:
    connect, what = projection.connect, f"projection {projection.name!r}"
    rows, columns = graph.size_of(projection.source), graph.size_of(projection.target)
    if isinstance(connect, Identity):
        factors = {"none": (1, 1), "source": (1, 2), "target": (2, 1)}[connect.pairs]
        if rows * factors[0] != columns * factors[1]:
            raise DescriptionError(
                f"{what} is an identity (pairs: {connect.pairs}) from {rows} to {columns} neurons; it needs "
                f"{rows * factors[0] // factors[1]} targets"
            )
    elif isinstance(connect, RandomSigns):
        groups = rows // 2 if connect.pairs == "source" else rows
        if connect.pairs == "source" and rows % 2:
            raise DescriptionError(f"{what} pairs its sources, but there are {rows}, an odd number")
        if connect.largest == 1 and groups % 2:
            raise DescriptionError(
                f"{what} has random signs of sum 0 over {groups} sources; it needs an even number, or largest=3"
            )
        # With this bound the events of a tick cannot saturate a port, so their order is free.
        if connect.largest * connect.weight * groups > STATE_MAX:
            raise DescriptionError(
                f"weight of {what} is {connect.weight}; with {groups} sources it must be at most "
                f"{STATE_MAX // (connect.largest * groups)}"
            )
    elif isinstance(connect.weights, Given):
        widths = {len(row) for row in connect.weights.values}
        if len(connect.weights.values) != rows or widths != {columns}:
            raise DescriptionError(
                f"the given weights of {what} have {len(connect.weights.values)} rows of {sorted(widths)}; it "
                f"joins {rows} to {columns} neurons"
            )
    if isinstance(connect, Sparse):
        if len(connect.targets) != rows:
            raise DescriptionError(
                f"{what} has lists of targets for {len(connect.targets)} source neurons; there are {rows}"
            )
        largest = max((row[-1] for row in connect.targets if row), default=0)
        if largest >= columns:
            raise DescriptionError(
                f"{what} reaches neuron {largest}; population {projection.target!r} has neurons 0 to {columns - 1}"
            )


def _check_population(graph: Graph, population: Population) -> None:
    incoming = graph.onto(population.name)
    if not incoming:
        raise DescriptionError(
            f"no projection ends on population {population.name!r}; it would never get an event"
        )
    rules = {p.rule for p in incoming if p.rule is not None}
    if len(rules) > 1:
        raise DescriptionError(
            f"the projections of population {population.name!r} learn by {len(rules)} different rules; a "
            "population has one"
        )
    widths = {p.connect.width for p in incoming if isinstance(p.connect, Dense) and p.rule is not None}
    if len(widths) > 1:
        raise DescriptionError(
            f"the projections of population {population.name!r} that learn have weights of {sorted(widths)} bits; its "
            "plasticity words are rounded to one width"
        )
    for rule in rules:
        rule.check_population(graph, population)


def _check_modulator(graph: Graph, modulator: Modulator) -> None:
    what = f"modulator {modulator.name!r}"
    for name in filter(None, (modulator.target, modulator.source)):
        if graph.source(name) is not None:
            raise DescriptionError(f"{what} names {name!r}, a source; it joins populations")
        graph.population(name)
    program = graph.population(modulator.target).program
    if modulator.port >= program.n_ports:
        raise DescriptionError(
            f"{what} ends on port {modulator.port} of {modulator.target!r}, whose program {program.name!r} has ports "
            f"0 to {program.n_ports - 1}"
        )


def _check_readout(graph: Graph, readout: Readout) -> None:
    check_range(
        f"neurons of the readout's population {readout.population!r}",
        graph.size_of(readout.population),
        2,
        256,
    )
    if graph.source(readout.population) is not None:
        raise DescriptionError(f"the readout reads {readout.population!r}, a source; it reads a population")
    if readout.quiet:
        graph.population(readout.quiet)
    for source in graph.sources:
        if isinstance(source.encoder, Label) and source.size != graph.n_classes:
            raise DescriptionError(
                f"source {source.name!r} has {source.size} labels; the readout's population has {graph.n_classes} "
                "neurons"
            )
