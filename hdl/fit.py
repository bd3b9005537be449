# SPDX-License-Identifier: BSD-2-Clause
"""What of a graph the hardware can be built for: each thing that it cannot is refused by one sentence."""

from __future__ import annotations

from dataclasses import replace

from erbium.hdl.population import EnginePopulation, engine_names
from erbium.hdl.readout_fit import check_readout
from erbium.hdl.rules import has_part
from erbium.sw_model.description.connect import Dense, Identity, RandomSigns, Sparse
from erbium.sw_model.description.fit import parts_of_the_core
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Label, Population, Projection
from erbium.sw_model.programs import DescriptionError, NeuronProgram, check_range, erbp_error

MAX_THRESHOLD = 255
"""Of error neurons."""

MAX_ENGINES = 8
"""Populations with synapse memories: requests of the host name them with three bits."""


def check_hardware(graph: Graph) -> None:
    """Raise :class:`DescriptionError`, naming the part and the way out, unless an array can be built for a graph.

    The models run every graph; what the array does not have yet is said here, and nowhere else.
    """
    _check_parts(graph)
    names = engine_names(graph)
    check_range("number of populations with stored weights", len(names), 1, MAX_ENGINES)
    if not graph.n_pixels:
        raise DescriptionError(
            "no source of the graph takes pixels; the array needs one (Bernoulli, Phase or LatencyEncoder), whose "
            "encoder says when a tick begins"
        )
    errors = [population for population in graph.populations if population.name not in names]
    if len(errors) > 1:
        raise DescriptionError(
            f"populations {errors[0].name!r} and {errors[1].name!r} have no stored weights; the array has one "
            "population of error neurons"
        )
    for population in errors:
        _check_errors(graph, population)
    for number in range(len(names)):
        _check_engine(EnginePopulation(graph, number))
    check_readout(graph.readout, graph, [population.name for population in errors])


def _check_parts(graph: Graph) -> None:
    """What only the core's models have."""
    learning = (p for p in graph.projections if not has_part(p.rule))
    foreign = (("projection with a rule that is no part of it", projection.name) for projection in learning)
    for what, name in (*parts_of_the_core(graph), *foreign):
        raise DescriptionError(
            f"the graph has a {what}, {name!r}; the array has none; the core's models run it"
        )


def _check_errors(graph: Graph, population: Population) -> None:
    """Error neurons: an identity by pairs from one population, and the same from a label with the opposite weight."""
    what = f"population {population.name!r}"
    incoming = graph.onto(population.name)
    weights: dict[bool, int] = {}
    for projection in incoming:
        connect, source = projection.connect, graph.source(projection.source)
        if not isinstance(connect, Identity) or connect.pairs != "target" or projection.delay:
            raise DescriptionError(
                f"projection {projection.name!r} ends on {what}, which has no stored weights; as error neurons of the "
                "array it takes identities with pairs='target' and no delay, or give it a Dense projection"
            )
        if source is not None and not isinstance(source.encoder, Label):
            raise DescriptionError(
                f"projection {projection.name!r} brings the spikes of source {source.name!r} to the error neurons "
                f"{population.name!r}; the array compares a population with a label"
            )
        weights[source is not None] = connect.weight
    if len(incoming) != 2 or weights.get(True) != -weights.get(False, 0) or not 1 <= weights[False] <= 255:
        raise DescriptionError(
            f"{what} gets {', '.join(repr(p.name) for p in incoming)}; error neurons of the array get an identity of "
            "weight w (1 to 255) from one population, and one of weight -w from a label"
        )
    if not _runs_errors(population.program) or population.keep != 256:
        raise DescriptionError(
            f"the program of {what} is {population.program.name!r}; error neurons of the array run erbp_error, and all "
            "of them (keep 256)"
        )
    read = next(p.source for p in incoming if graph.source(p.source) is None)
    if graph.readout is not None and graph.readout.population != read:
        raise DescriptionError(
            f"{what} compares {read!r} with the label, but the readout reads {graph.readout.population!r}; the array "
            "has one such unit for both"
        )
    check_range(f"neurons of {read!r}, which error neurons read", graph.size_of(read), 2, 256)


def _runs_errors(program: NeuronProgram) -> bool:
    """Return whether a program is, but for its names, that of error neurons with some threshold."""
    if not 1 <= program.threshold <= MAX_THRESHOLD:
        return False
    return program == replace(erbp_error(program.threshold), name=program.name, states=program.states)


def _check_engine(engine: EnginePopulation) -> None:
    what = f"population {engine.name!r}"
    graph = engine.graph
    if len({type(p.connect) for p in engine.stored} | {Dense}) > 1:
        sparse = next(p for p in engine.stored if isinstance(p.connect, Sparse))
        raise DescriptionError(
            f"projection {sparse.name!r} is Sparse; the array keeps a weight for every pair of neurons, so say it as "
            "Dense with given weights that are 0 where there is no synapse, or run the model"
        )
    for field, meaning in (("width", "bits of a weight"), ("keep", "synaptic blank-out")):
        values = sorted({getattr(projection.connect, field) for projection in engine.stored})
        if len(values) > 1:
            raise DescriptionError(
                f"the projections onto {what} have {values} as {meaning}; the array has one for a population"
            )
    if len({projection.rule for projection in engine.stored}) > 1:
        fixed = next(p for p in engine.stored if p.rule is None)
        raise DescriptionError(
            f"projection {fixed.name!r} onto {what} is fixed while others learn; in the array all learn or none"
        )
    for projection in engine.stored:
        if projection.port:
            raise DescriptionError(
                f"projection {projection.name!r} ends on port {projection.port} of {what}; stored weights of the array "
                "reach port 0"
            )
    if not engine.rows:
        raise DescriptionError(f"no projection but a bias ends on {what}; the array needs another one")
    _check_fixed(engine, [p for p in graph.onto(engine.name) if p not in engine.stored])


def _check_fixed(engine: EnginePopulation, fixed: list[Projection]) -> None:
    graph, what = engine.graph, f"population {engine.name!r}"
    for port in (0, 1):
        here = [projection for projection in fixed if projection.port == port]
        if len(here) > 1:
            raise DescriptionError(
                f"projections {here[0].name!r} and {here[1].name!r} end on port {port} of {what}; the array takes one "
                "without stored weights on each port"
            )
    incoming = graph.onto(engine.name)
    for projection in fixed:
        source, connect = graph.source(projection.source), projection.connect
        assert isinstance(connect, (Identity, RandomSigns))
        if projection.port == 0:
            label = source is not None and isinstance(source.encoder, Label)
            plain = isinstance(connect, Identity) and connect.pairs == "none" and not projection.delay
            if not label or not plain or projection.scaled:
                raise DescriptionError(
                    f"projection {projection.name!r} reaches port 0 of {what} without stored weights; in the array "
                    "that is an identity from a label, without pairs, delay or scale"
                )
            after = incoming[incoming.index(projection) + 1 :]
            if any(p in engine.stored for p in after):
                raise DescriptionError(
                    f"projection {projection.name!r} stands before {after[0].name!r} in the list; the array takes the "
                    "label after all rows, so list it last"
                )
        elif source is not None or not 0 <= connect.weight <= 255:
            raise DescriptionError(
                f"projection {projection.name!r} onto port 1 of {what} has the weight {connect.weight} and begins "
                f"at {projection.source!r}; in the array it begins at a population and has a weight from 0 to 255"
            )
