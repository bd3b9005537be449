# SPDX-License-Identifier: BSD-2-Clause
"""What a population walks in a tick, and the channels by which it comes."""

from __future__ import annotations

from dataclasses import dataclass

from erbium.hdl.population import EnginePopulation, error_population, read_population
from erbium.hdl.tick_merge import InputKind, MergeInput
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import LOADED, Constant, Label, Projection


@dataclass(frozen=True)
class Inputs:
    """What a population walks in a tick.

    Attributes
    ----------
    merged : tuple of MergeInput
    channels : dict of str
        By the number of the input, the source or population whose spikes it takes.
    names : tuple of str
        Of the inputs: the projections.
    """

    merged: tuple[MergeInput, ...]
    channels: dict[int, str]
    names: tuple[str, ...]

    @property
    def is_direct(self) -> bool:
        """Whether events are rows as they come."""
        return self.merged == (MergeInput(self.merged[0].n_addresses),)

    @property
    def lead(self) -> str:
        """What says when a tick begins."""
        return next(name for k, name in self.channels.items() if self.merged[k].may_lead)


def inputs_of(population: EnginePopulation) -> Inputs:
    """Return the inputs of a population in the order of its rows, with one that paces it if all have delays."""
    graph = population.graph
    errors = error_population(graph)
    merged, channels, names = [], {}, []
    for first, projection in zip(population.first_rows, population.rows, strict=True):
        kind = _kind(graph, projection)
        if kind == "events":
            channels[len(merged)] = projection.source
        learned = projection.when == "learn"
        size = graph.size_of(projection.source)
        # Error neurons send feedback, which has no BEGIN.
        begins = errors is None or projection.source != errors.population.name
        merged.append(MergeInput(size, first, projection.delay, kind, learned, begins))
        names.append(projection.name)
    if not any(merged[k].may_lead for k in channels):
        pace = next(source for source in graph.sources if isinstance(source.encoder, LOADED))
        channels[len(merged)] = pace.name
        merged.append(MergeInput(pace.size, kind="pace"))
        names.append(f"{population.name}_pace")
    return Inputs(tuple(merged), channels, tuple(names))


def _kind(graph: Graph, projection: Projection) -> InputKind:
    source = graph.source(projection.source)
    if source is not None and isinstance(source.encoder, Constant):
        return "constant"
    return "label" if source is not None and isinstance(source.encoder, Label) else "events"


def sole_channel(population: EnginePopulation) -> str:
    """Return the source or population whose spikes are the rows of this population and go nowhere else, or ""."""
    inputs, graph = inputs_of(population), population.graph
    if not inputs.is_direct:
        return ""
    name = inputs.channels[0]
    readers = [projection for projection in graph.projections if projection.source == name]
    return name if len(readers) == 1 and read_population(graph) != name else ""
