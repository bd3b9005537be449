# SPDX-License-Identifier: BSD-2-Clause
"""From the nodes of a NIR graph to neurons and the linear paths between them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.description.parts import MAX_DELAY, MAX_NEURONS, MAX_SOURCE
from erbium.sw_model.programs import DescriptionError

NEURONS = ("LIF", "CubaLIF", "IF", "LI", "CubaLI", "I", "Threshold")
SPIKING = ("LIF", "CubaLIF", "IF", "Threshold")
LINEAR = ("Affine", "Linear", "Scale", "Flatten", "Delay")
ENDS = ("Input", "Output")

WAYS_OUT = {
    "Conv1d": "write its kernel out as an Affine with a weight for each pair of neurons",
    "Conv2d": "write its kernel out as an Affine with a weight for each pair of neurons",
    "AvgPool2d": "write it out as a Linear with a weight for each pair of neurons",
    "SumPool2d": "write it out as a Linear with a weight for each pair of neurons",
}


@dataclass(frozen=True)
class Path:
    """Synapses from one node that spikes to one neuron node: what lies between them, as a matrix.

    Attributes
    ----------
    source : str
        An input or a neuron node.
    matrix : ndarray, shape (source size, target size)
    delay : int
        Ticks that delay nodes on the way ask for.
    """

    source: str
    matrix: Array
    delay: int


@dataclass(frozen=True)
class Wiring:
    """A NIR graph as neurons and paths.

    Attributes
    ----------
    inputs : dict of int
        Size of each input node.
    neurons : dict
        Neuron nodes by name, in the order of the file.
    sizes : dict of int
        Size of each of them.
    paths : dict of list of Path
        Onto each neuron node that takes weights.
    bias : dict of ndarray
        What each neuron gets at every tick.
    behind : dict of str
        For a neuron node that reads another one's membrane, the name of that one.
    outputs : tuple of str
        Neuron nodes that output nodes read.
    """

    inputs: dict[str, int]
    neurons: dict[str, Any]
    sizes: dict[str, int]
    paths: dict[str, list[Path]]
    bias: dict[str, Array]
    behind: dict[str, str]
    outputs: tuple[str, ...]


def kind(node: object) -> str:
    """Return the name of a node's kind."""
    return type(node).__name__


def wiring(graph: Any, dt: float) -> Wiring:
    """Resolve a graph.

    Raises
    ------
    DescriptionError
        For a node or an edge that the array has nothing for, naming it.
    """
    nodes, edges = _unnested(graph)
    for name, node in nodes.items():
        if kind(node) not in (*NEURONS, *LINEAR, *ENDS):
            way = WAYS_OUT.get(kind(node), f"replace it by one of {', '.join((*NEURONS, *LINEAR))}")
            raise DescriptionError(f"node {name!r} is a {kind(node)}, which the array does not have; {way}")
    return _Resolver(nodes, edges, dt).result()


def _unnested(graph: Any, before: str = "") -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return nodes and edges with graphs within the graph opened: names become ``graph.node``."""
    nodes: dict[str, Any] = {}
    edges = [(f"{before}{a}", f"{before}{b}") for a, b in graph.edges]
    for short, node in graph.nodes.items():
        name = f"{before}{short}"
        if kind(node) != "NIRGraph":
            nodes[name] = node
            continue
        inner, inner_edges = _unnested(node, f"{name}.")
        # Edges to the graph go on from its inputs, edges from it come from its outputs.
        starts = [n for n, part in inner.items() if kind(part) == "Input" and "." not in n[len(name) + 1 :]]
        ends = [n for n, part in inner.items() if kind(part) == "Output" and "." not in n[len(name) + 1 :]]
        into = [b for a, b in inner_edges if a in starts]
        out = [a for a, b in inner_edges if b in ends]
        kept = [(a, b) for a, b in inner_edges if a not in starts and b not in ends]
        edges = [(a, t) for a, b in edges for t in (into if b == name else [b])]
        edges = [(s, b) for a, b in edges for s in (out if a == name else [a])] + kept
        nodes |= {n: part for n, part in inner.items() if n not in (*starts, *ends)}
    return nodes, list(dict.fromkeys(edges))


class _Resolver:
    def __init__(self, nodes: dict[str, Any], edges: Sequence[tuple[str, str]], dt: float) -> None:
        self.nodes, self.edges, self.dt = nodes, edges, dt
        for a, b in edges:
            for name, other in ((a, b), (b, a)):
                if name not in nodes:
                    raise DescriptionError(
                        f"an edge joins {a!r} to {b!r}, but there is no node {name!r}; add it, or remove the edge at "
                        f"{other!r}"
                    )
        self.sizes: dict[str, int] = {}

    def before(self, name: str) -> list[str]:
        return [a for a, b in self.edges if b == name]

    def result(self) -> Wiring:
        inputs = {name: self._input_size(name) for name, node in self.nodes.items() if kind(node) == "Input"}
        if not inputs:
            raise DescriptionError("the graph has no Input node; add one whose shape is that of a sample")
        neurons = {name: node for name, node in self.nodes.items() if kind(node) in NEURONS}
        if not neurons:
            raise DescriptionError(
                f"the graph has no neurons; it needs a node of one of {', '.join(NEURONS)}"
            )
        self.sizes |= inputs
        for name in neurons:
            self.sizes[name] = self._neuron_size(name)
        behind = {name: read for name in neurons if (read := self._membrane_before(name))}
        paths: dict[str, list[Path]] = {}
        bias: dict[str, Array] = {}
        for name in neurons:
            if name not in behind:
                found, bias[name] = self._into(name, ())
                paths[name] = _merged(found)
                if not paths[name]:
                    raise DescriptionError(
                        f"node {name!r} gets nothing from an input or a neuron; join it to one, or remove it"
                    )
        outputs = tuple(self._outputs())
        self._check_membranes(behind, outputs)
        return Wiring(inputs, neurons, self.sizes, paths, bias, behind, outputs)

    # --- sizes -----------------------------------------------------------------------------------------

    def _input_size(self, name: str) -> int:
        shape = (self.nodes[name].input_type or {}).get("input")
        if shape is None:
            raise DescriptionError(f"Input {name!r} has no shape; give it one with nir.Input(shape)")
        return self._checked(name, math.prod(int(n) for n in np.atleast_1d(shape)), MAX_SOURCE, "inputs")

    def _neuron_size(self, name: str) -> int:
        """Return the size of a neuron node; parameters that are one number are those of as many as feed it."""
        own = max(np.size(value) for value in parameters(self.nodes[name]).values())
        if own == 1:
            own = self._width(name, ()) or 1
        return self._checked(name, own, MAX_NEURONS, "neurons")

    def _checked(self, name: str, size: int, limit: int, what: str) -> int:
        if not 1 <= size <= limit:
            raise DescriptionError(
                f"node {name!r} has {size} {what}; the array has 1 to {limit} of them in one part, so split it"
            )
        return size

    def _width(self, name: str, seen: tuple[str, ...]) -> int:
        """Return how many values come into a node, as the nodes before it say; 0 where none does."""
        for source in self.before(name):
            node = self.nodes[source]
            if source in seen:
                continue
            if kind(node) in ("Affine", "Linear"):
                return int(np.shape(node.weight)[-2])
            if kind(node) == "Input":
                return self._input_size(source)
            own = max((np.size(value) for value in parameters(node).values()), default=1)
            if found := own if own > 1 else self._width(source, (*seen, name)):
                return found
        return 0

    # --- paths -----------------------------------------------------------------------------------------

    def _into(self, name: str, seen: tuple[str, ...]) -> tuple[list[Path], Array]:
        """Return the paths onto what a node takes, and what it gets at every tick besides."""
        size = self.sizes.get(name, 0)
        paths: list[Path] = []
        bias: Array = np.zeros(0)
        for source in self.before(name):
            if source in seen and kind(self.nodes[source]) in LINEAR:
                raise DescriptionError(
                    f"the edges from {source!r} come back to it without a neuron in between; a loop needs one"
                )
            found, constant = self._out_of(source, (*seen, name))
            paths += found
            bias = constant if not bias.size else _sum(name, bias, constant)
        for path in paths:
            if size and path.matrix.shape[1] != size:
                raise DescriptionError(
                    f"{path.matrix.shape[1]} values arrive at node {name!r}, which has {size}; the sizes must be equal"
                )
        return paths, bias if bias.size else np.zeros(size)

    def _out_of(self, name: str, seen: tuple[str, ...]) -> tuple[list[Path], Array]:
        """Return the paths onto what a node gives."""
        node = self.nodes[name]
        if kind(node) == "Output":
            raise DescriptionError(f"an edge begins at Output {name!r}; nothing comes after an output")
        if kind(node) in (*NEURONS, "Input"):
            size = self.sizes[name]
            return [Path(name, np.eye(size), 0)], np.zeros(size)
        paths, bias = self._into(name, seen)
        match kind(node):
            case "Affine" | "Linear":
                weight = _finite(name, "weight", node.weight)
                if weight.ndim != 2:
                    raise DescriptionError(
                        f"the weight of node {name!r} has shape {weight.shape}; the array takes a matrix (targets, "
                        "sources), so give it two dimensions"
                    )
                paths = [Path(p.source, _product(name, p.matrix, weight), p.delay) for p in paths]
                constant = _product(name, bias[None], weight)[0]
                if kind(node) == "Affine":
                    constant = _sum(name, constant, _finite(name, "bias", node.bias))
                return paths, constant
            case "Scale":
                scale = _finite(name, "scale", node.scale).reshape(-1)
                return [Path(p.source, _times(name, p.matrix, scale), p.delay) for p in paths], _times(
                    name, bias, scale
                )
            case "Delay":
                delay = self._ticks(name, node)
                return [Path(p.source, p.matrix, p.delay + delay) for p in paths], bias
        return paths, bias

    def _ticks(self, name: str, node: Any) -> int:
        values = np.unique(_finite(name, "delay", node.delay) / self.dt)
        ticks = round(float(values[0]))
        if len(values) > 1 or abs(values[0] - ticks) > 1e-3 or not 0 <= ticks <= MAX_DELAY:
            raise DescriptionError(
                f"the delay of node {name!r} is {values.min():g} to {values.max():g} ticks of {self.dt:g} s; a "
                f"projection has one whole number from 0 to {MAX_DELAY}: round it, or name another tick with --dt"
            )
        return ticks

    # --- membranes that are read -----------------------------------------------------------------------

    def _membrane_before(self, name: str) -> str:
        """Return the neuron node without spikes that this one reads directly, or nothing."""
        before = self.before(name)
        analogue = [
            a for a in before if kind(self.nodes[a]) in NEURONS and kind(self.nodes[a]) not in SPIKING
        ]
        if not analogue:
            return ""
        if len(before) > 1 or kind(self.nodes[analogue[0]]) not in ("LI", "I"):
            if kind(self.nodes[name]) == "Threshold" and len(before) == 1:
                return analogue[0]
            raise DescriptionError(
                f"node {name!r} reads the membrane of {analogue[0]!r} together with other things; in the array a "
                "synapse (LI, I) has one neuron after it, which reads nothing else"
            )
        return analogue[0]

    def _check_membranes(self, behind: dict[str, str], outputs: Sequence[str]) -> None:
        """A membrane leaves its neuron only where it is read out, or within one neuron."""
        for name, node in self.nodes.items():
            if kind(node) not in NEURONS or kind(node) in SPIKING:
                continue
            readers = [b for a, b in self.edges if a == name]
            owners = [b for b in readers if behind.get(b) == name]
            others = [b for b in readers if b not in owners and kind(self.nodes[b]) in (*LINEAR, *NEURONS)]
            others = [b for b in others if kind(self.nodes[b]) != "Flatten" or name not in outputs]
            if others or len(owners) > 1 or (owners and name in outputs):
                raise DescriptionError(
                    f"node {name!r} is a {kind(node)}, whose membrane goes to {(others or readers)[0]!r}; the array "
                    "sends spikes only, so let a Threshold or an IF of its own come first"
                )

    def _outputs(self) -> Iterator[str]:
        for name, node in self.nodes.items():
            if kind(node) != "Output":
                continue
            for source in self.before(name):
                at = source
                while kind(self.nodes[at]) == "Flatten" and len(self.before(at)) == 1:
                    at = self.before(at)[0]
                if kind(self.nodes[at]) not in NEURONS:
                    raise DescriptionError(
                        f"Output {name!r} reads node {at!r}, a {kind(self.nodes[at])}; the array reads neurons out, so "
                        "let a LIF, an IF or a LI come between"
                    )
                yield at


PARAMETERS = (
    "tau",
    "tau_mem",
    "tau_syn",
    "r",
    "v_leak",
    "v_threshold",
    "v_reset",
    "w_in",
    "threshold",
    "scale",
)


def parameters(node: Any) -> dict[str, Array]:
    """Return the parameters that a node has, by name."""
    return {name: np.asarray(getattr(node, name)) for name in PARAMETERS if hasattr(node, name)}


def _finite(name: str, what: str, values: Any) -> Array:
    array: Array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise DescriptionError(
            f"{what} of node {name!r} holds {array[~np.isfinite(array)][0]}; it must be finite"
        )
    return array


def _product(name: str, matrix: Array, weight: Array) -> Array:
    if matrix.shape[1] != weight.shape[1]:
        raise DescriptionError(
            f"{matrix.shape[1]} values arrive at node {name!r}, whose weight takes {weight.shape[1]}; the sizes must "
            "be equal"
        )
    result: Array = matrix @ weight.T
    return result


def _times(name: str, matrix: Array, scale: Array) -> Array:
    if scale.size not in (1, matrix.shape[-1]):
        raise DescriptionError(
            f"{matrix.shape[-1]} values arrive at node {name!r}, which scales {scale.size}; the sizes must be equal"
        )
    result: Array = matrix * scale
    return result


def _sum(name: str, one: Array, other: Array) -> Array:
    if one.shape != other.reshape(-1).shape:
        raise DescriptionError(
            f"node {name!r} adds {one.size} and {other.size} values; the sizes must be equal"
        )
    result: Array = one + other.reshape(-1)
    return result


def _merged(paths: Sequence[Path]) -> list[Path]:
    """Add up paths from one source with one delay."""
    found: dict[tuple[str, int], Array] = {}
    for path in paths:
        key = (path.source, path.delay)
        found[key] = found[key] + path.matrix if key in found else path.matrix
    return [Path(source, matrix, delay) for (source, delay), matrix in found.items()]
