# SPDX-License-Identifier: BSD-2-Clause
"""The integers of a description as metadata of its NIR graph, and back.

The nodes hold the weights; the metadata hold all else, and the description that they came from. A weight is a power of
two times its integer, so it comes back as it was. One that another framework has trained further is rounded to the
same unit, and reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from erbium.nir.options import TICK_SECONDS
from erbium.nir.report import Report
from erbium.nir.wiring import kind, parameters
from erbium.sw_model.constants import Array
from erbium.sw_model.description import codec
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.connect import Dense, Given
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError

FIELD = "erbium"

WAY_OUT = f"take the metadata {FIELD!r} out of the graph to bring it in by its nodes"


def written(description: Network | Graph) -> dict[str, Any]:
    """Return the metadata of a graph."""
    text = description.to_json() if isinstance(description, Network) else codec.to_json(description)
    return {FIELD: text, "dt": TICK_SECONDS}


def with_weights(description: Network | Graph, stored: Mapping[str, Array]) -> Network | Graph:
    """Return a graph that begins with these weights; a layered network does not hold any."""
    if isinstance(description, Network):
        return description

    def weighted(projection: Any) -> Any:
        values = stored.get(projection.name)
        if values is None or (values == description.initial_weights(projection)).all():
            return projection
        assert isinstance(projection.connect, Dense)
        given = Given(tuple(tuple(int(w) for w in row) for row in values))
        return replace(projection, connect=replace(projection.connect, weights=given))

    return replace(description, projections=tuple(map(weighted, description.projections)))


def restored(graph: Any) -> tuple[Network | Graph, list[Array] | None, Report]:
    """Return the description that a graph was written from, with the weights of its nodes.

    Raises
    ------
    DescriptionError
        If the metadata cannot be read, or if the nodes are not those that they belong to.
    """
    from erbium.nir import outgoing

    text = graph.metadata[FIELD]
    description = described(text.decode() if isinstance(text, bytes) else str(text))
    whole, report = graph_of(description), Report()
    expected = outgoing.to_nir(description).graph
    for name, node in expected.nodes.items():
        _check_node(name, node, graph.nodes.get(name))
    wrong = set(graph.edges) ^ set(expected.edges)
    if wrong:
        raise DescriptionError(
            f"the edges of the graph are not those of its metadata: {sorted(wrong)[0]} is on one side only; {WAY_OUT}"
        )
    stored: dict[str, Array] = {}
    for population in whole.populations:
        incoming = [p for p in outgoing.answers(whole) if p.target == population.name]
        constant = [p for p in incoming if outgoing.is_constant(whole, p) and outgoing.is_stored(p)]
        rows = [p for p in incoming if not outgoing.is_constant(whole, p)]
        for number, projection in enumerate(rows):
            node = graph.nodes[projection.name]
            if outgoing.is_stored(projection):
                stored[projection.name] = _integers(whole, projection, np.asarray(node.weight).T, report)
            if number == 0 and len(constant) == 1 and whole.size_of(constant[0].source) == 1:
                bias = np.asarray(node.bias)[None]
                stored[constant[0].name] = _integers(whole, constant[0], bias, report)
    if isinstance(description, Graph):
        return with_weights(description, stored), None, report
    layers = outgoing.by_layer(description, stored)
    begun = zip(layers, description.initial_weights(), strict=True)
    return description, None if all((a == b).all() for a, b in begun) else layers, report


def described(text: str) -> Network | Graph:
    """Read a description in either form."""
    return codec.from_json(text) if codec.holds_graph(text) else Network.from_json(text)


def _check_node(name: str, expected: Any, found: Any) -> None:
    if found is None or kind(found) != kind(expected):
        what = "is not there" if found is None else f"is a {kind(found)}"
        raise DescriptionError(
            f"node {name!r} {what}, and the metadata of the graph have a {kind(expected)}; {WAY_OUT}"
        )
    for what, value in parameters(expected).items():
        other = parameters(found)[what]
        if other.shape != value.shape or not np.allclose(other, value, rtol=1e-5, atol=1e-12):
            raise DescriptionError(
                f"{what} of node {name!r} is not what the metadata of the graph say; {WAY_OUT}"
            )
    for what in ("weight", "bias", "delay"):
        if hasattr(expected, what) and np.shape(getattr(found, what)) != np.shape(getattr(expected, what)):
            raise DescriptionError(
                f"{what} of node {name!r} has shape {np.shape(getattr(found, what))}, and the metadata of the graph "
                f"say {np.shape(getattr(expected, what))}; {WAY_OUT}"
            )


def _integers(graph: Graph, projection: Any, values: Array, report: Report) -> Array:
    """Return stored weights from those of a node; report what had to be rounded."""
    from erbium.nir import outgoing

    unit = outgoing.factor(graph, projection)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise DescriptionError(f"the weights of node {projection.name!r} are not all finite; train it anew")
    low, high = graph.weight_bounds(projection)
    numbers = np.clip(np.rint(values / unit), low, high).astype(np.int64)
    numbers = np.where(graph.synapses(projection), numbers, 0)
    if np.abs(numbers - values / unit).max(initial=0) > 1e-6:
        report.add_array(projection.name, "weights", values, numbers * unit, unit)
    return numbers
