# SPDX-License-Identifier: BSD-2-Clause
"""A graph as JSON and back, and its digest.

Every union carries a ``kind``, the name of the dataclass that was chosen. The digest is the SHA-256 of the same content
without the names and without the fields that have their default, cut to 64 bits: so renaming a part, or adding a field
with a default to this software, changes no digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from typing import Any

from erbium.sw_model.description.connect import Dense, Given, Identity, RandomSigns, Sparse, Uniform
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import (
    Bernoulli,
    Constant,
    Events,
    FirstSpike,
    Label,
    Modulator,
    Phase,
    Population,
    Projection,
    Source,
    SpikeCount,
)
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError, NeuronProgram, Operation
from erbium.sw_model.rules import (
    RULES,
    EndRule,
    ErbpRule,
    FirstSpikeRule,
    HistoryRule,
    LatencyEncoder,
    PlasticityWord,
)

FORMAT = "erbium-graph"
VERSION = 2
"""Version 1 is the layered form, ``erbium-network``."""

UNIONS: dict[str, tuple[type, ...]] = {
    "encoder": (Bernoulli, Phase, LatencyEncoder, Constant, Label, Events),
    "connect": (Dense, Sparse, Identity, RandomSigns),
    "weights": (Uniform, Given),
    "rule": (ErbpRule, FirstSpikeRule, HistoryRule, EndRule),
    "readout": (SpikeCount, FirstSpike),
}
"""Fields that hold one of several dataclasses, by name."""

PLAIN: dict[str, type] = {"program": NeuronProgram, "word": PlasticityWord}
LISTS: dict[str, type] = {
    "sources": Source,
    "populations": Population,
    "projections": Projection,
    "operations": Operation,
    "modulators": Modulator,
}
NAMES = ("name", "states")
"""Fields for people: not in the digest."""
LATER = ("pixel_bits",)
"""Fields that version 2 did not have from the start: they are said only where they have not their default."""
REFERENCES = ("source", "target", "population", "quiet")
"""Fields that hold the name of a part: in the digest its place in the lists stands for it."""


def kinds(field: str) -> dict[str, type]:
    """Return the dataclasses that a field may hold, by kind; a rule of one's own is there by its registered name."""
    known = {cls.__name__: cls for cls in UNIONS[field]}
    return known | RULES if field == "rule" else known


def to_json(graph: Graph) -> str:
    """Return a graph as JSON, indented for people."""
    head = {"format": FORMAT, "version": VERSION, "digest": digest(graph)}

    def said(_owner: object, field: Field[Any], value: object) -> bool:
        return field.name not in LATER or value != _default(field)

    return json.dumps(head | _encoded(graph, said), indent=2) + "\n"


def digest_of(network: Network | Graph) -> str:
    """Return the digest of a network in either form."""
    return network.digest if isinstance(network, Network) else digest(network)


def digest(graph: Graph) -> str:
    """Return the 64-bit hexadecimal digest of everything that decides an integer."""
    places = {part.name: f"#{index}" for index, part in enumerate(graph.writers)}

    def matters(_owner: object, field: Field[Any], value: object) -> bool:
        return field.name not in NAMES and value != _default(field)

    content = _encoded(_resolved(graph), matters, places)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def holds_graph(text: str) -> bool:
    """Whether a text says of itself that it is a graph, and not layers in a row or something else."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        return False
    return isinstance(data, dict) and data.get("format") == FORMAT


def from_json(text: str) -> Graph:
    """Read a graph back.

    Raises
    ------
    DescriptionError
        If the text is not JSON, is no graph, is of a newer version, has an unknown kind or field, lacks one, has parts
        that do not fit, or a digest that is not that of its content.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise DescriptionError(f"the graph is not JSON: {error}") from None
    if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
        raise DescriptionError(f"the file is no graph; its 'format' must be {FORMAT!r}")
    version = data.pop("version", None)
    if not isinstance(version, int) or version > VERSION:
        raise DescriptionError(
            f"the graph has version {version!r}; this Erbium reads versions up to {VERSION}: use a newer one"
        )
    said = data.pop("digest", None)
    graph: Graph = _decoded(Graph, data, "graph")
    if said is not None and said != digest(graph):
        raise DescriptionError(
            f"the graph says digest {said} but its content has {digest(graph)}; the file was changed by hand: remove "
            "its 'digest' line if that was meant"
        )
    return graph


# --- there -----------------------------------------------------------------------------------------------


def _resolved(graph: Graph) -> Graph:
    """Return the graph with every stream of random numbers said by its number: a name that decides one counts."""
    from erbium.sw_model.constants import named_stream

    def numbered(part: Any) -> Any:
        return part if part.stream is not None else replace(part, stream=named_stream(part.name))

    def weighted(projection: Projection) -> Projection:
        connect = projection.connect
        if isinstance(connect, RandomSigns) and connect.stream is None:
            connect = replace(connect, stream=named_stream(projection.name))
        elif (
            isinstance(connect, Dense)
            and isinstance(connect.weights, Uniform)
            and connect.weights.stream is None
        ):
            connect = replace(connect, weights=replace(connect.weights, stream=named_stream(projection.name)))
        return replace(projection, connect=connect)

    return replace(
        graph,
        sources=tuple(map(numbered, graph.sources)),
        populations=tuple(map(numbered, graph.populations)),
        projections=tuple(map(weighted, graph.projections)),
    )


def _default(field: Field[Any]) -> object:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


def _encoded(
    value: Any,
    keep: Callable[[object, Field[Any], object], bool],
    places: Mapping[str, str] | None = None,
    field_name: str = "",
) -> Any:
    if is_dataclass(value):
        result: dict[str, Any] = {}
        if field_name in UNIONS:
            names = {cls: name for name, cls in kinds(field_name).items()}
            result["kind"] = names[type(value)]
        for field in fields(value):
            content = getattr(value, field.name)
            if field.init and keep(value, field, content):
                result[field.name] = _encoded(content, keep, places, field.name)
        return result
    if isinstance(value, tuple):
        return [_encoded(item, keep, places) for item in value]
    if places is not None and field_name in REFERENCES and isinstance(value, str):
        return places.get(value, value)
    return value


# --- and back --------------------------------------------------------------------------------------------


def _decoded(cls: type, data: object, what: str) -> Any:
    if not isinstance(data, dict):
        raise DescriptionError(f"{what!r} of the graph must be an object, not {data!r}")
    known = {field.name: field for field in fields(cls) if field.init}
    unknown = sorted(set(data) - set(known) - {"kind"})
    if unknown:
        raise DescriptionError(f"{what!r} of the graph has an unknown field {unknown[0]!r}")
    values = {key: _value(key, item) for key, item in data.items() if key in known}
    missing = [name for name, field in known.items() if name not in values and _default(field) is MISSING]
    if missing:
        raise DescriptionError(f"{what!r} of the graph lacks the field {missing[0]!r}")
    return cls(**values)


def _value(key: str, item: Any) -> Any:
    if key in UNIONS and item is not None:
        if not isinstance(item, dict) or item.get("kind") not in kinds(key):
            kind = item.get("kind") if isinstance(item, dict) else item
            raise DescriptionError(
                f"kind {kind!r} of {key!r} is unknown; it must be one of {', '.join(kinds(key))}"
            )
        return _decoded(kinds(key)[item["kind"]], item, key)
    if key in PLAIN:
        return _decoded(PLAIN[key], item, key)
    if key in LISTS:
        if not isinstance(item, list):
            raise DescriptionError(f"{key!r} of the graph must be a list, not {item!r}")
        return tuple(_decoded(LISTS[key], entry, key) for entry in item)
    return _tuples(item)


def _tuples(item: Any) -> Any:
    return tuple(map(_tuples, item)) if isinstance(item, list) else item
