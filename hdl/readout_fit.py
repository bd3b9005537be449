# SPDX-License-Identifier: BSD-2-Clause
"""What the hardware asks of a graph for its readout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from types import NoneType

from erbium.sw_model.description.connect import Dense
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import FirstSpike, Population, Projection, Source, SpikeCount
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import MAX_CAUSES, FirstSpikeRule, LatencyEncoder


@singledispatch
def check_readout(readout: object, graph: Graph, errors: Sequence[str]) -> None:
    """Raise :class:`DescriptionError` unless the array has what a readout needs; `errors` are its error neurons."""
    raise NotImplementedError(f"the hardware does not know the readout {type(readout).__name__}")


@check_readout.register
def _(readout: NoneType, graph: Graph, errors: Sequence[str]) -> None:
    pass


@check_readout.register
def _(readout: SpikeCount, graph: Graph, errors: Sequence[str]) -> None:
    if readout.quiet_ticks and readout.quiet not in errors:
        raise DescriptionError(
            f"the readout waits for the silence of {readout.quiet!r}; in the array it hears error neurons only, so "
            "name those, or set quiet_ticks to 0"
        )


@check_readout.register
def _(readout: FirstSpike, graph: Graph, errors: Sequence[str]) -> None:
    _check_row(graph)


def _check_row(graph: Graph) -> None:
    """First-spike learning goes back from population to population, each with one before it."""
    before: Source | Population = graph.sources[0]
    if not isinstance(graph.sources[0].encoder, LatencyEncoder):
        raise DescriptionError(
            f"source {before.name!r} of a first-spike graph has the encoder {type(graph.sources[0].encoder).__name__}; "
            "the array replays one spike per pixel and needs a LatencyEncoder"
        )
    for population in graph.populations:
        incoming = graph.onto(population.name)
        if [p.source for p in incoming] != [before.name] or incoming[0].delay or incoming[0].when != "always":
            raise DescriptionError(
                f"population {population.name!r} of a first-spike graph gets "
                f"{', '.join(repr(p.source) for p in incoming)}; in the array its only input is {before.name!r}, at "
                "once and always"
            )
        _check_once(population, incoming[0])
        if population is not graph.populations[0] and population.size > MAX_CAUSES:
            raise DescriptionError(
                f"population {population.name!r} of a first-spike graph has {population.size} neurons; in the array at "
                f"most {MAX_CAUSES} vote on a spike of the population before"
            )
        before = population
    assert graph.readout is not None
    if len(graph.sources) > 1 or graph.readout.population != before.name:
        raise DescriptionError(
            "a first-spike graph of the array has one source, and its readout reads the last population"
        )
    last = graph.populations[-1]
    if last.keep != 256:
        raise DescriptionError(
            f"keep of population {last.name!r} is {last.keep}; in the array no class is blanked out, it must be 256"
        )


def _check_once(population: Population, projection: Projection) -> None:
    """Each population learns by its first spikes, and no synapse is blanked out."""
    connect = projection.connect
    assert isinstance(connect, Dense)
    if not isinstance(projection.rule, FirstSpikeRule):
        raise DescriptionError(
            f"projection {projection.name!r} of a first-spike graph has the rule {projection.rule!r}; in the array all "
            "learn by a FirstSpikeRule"
        )
    if connect.keep != 256:
        raise DescriptionError(
            f"keep of projection {projection.name!r} is {connect.keep}; in a first-spike graph of the array only "
            f"neurons can be blanked out, such as those of {population.name!r}, so it must be 256"
        )
