# SPDX-License-Identifier: BSD-2-Clause
"""Random graphs on random hardware against their reference: what ``erbium verify --random`` does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from erbium.gen.files import write_text
from erbium.gen.graph_chip import GraphChip
from erbium.sw_model.description.codec import from_json, to_json
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.network import Hardware
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.temporary import temporary_folder
from erbium.verif.graphs import graphs
from erbium.verif.library import ArraySimulator, RtlChip, SimulationError

SAMPLES = 8

EXAMPLE_FORMAT = "erbium-example"


@dataclass
class DifferenceError(AssertionError):
    """The hardware of a graph differs from its reference.

    Attributes
    ----------
    what : str
    graph : Graph
        The smallest one that was found.
    hardware : Hardware
    """

    what: str
    graph: Graph
    hardware: Hardware

    def __str__(self) -> str:
        return f"{self.what}\n{self.hardware}\n{to_json(self.graph)}"


def save_example(path: Path, graph: Graph, hardware: Hardware) -> None:
    """Write a graph and the hardware it is built on, for :func:`load_example`."""
    record = {"format": EXAMPLE_FORMAT, "hardware": asdict(hardware), "graph": json.loads(to_json(graph))}
    write_text(path, json.dumps(record, indent=2) + "\n")


def load_example(path: Path) -> tuple[Graph, Hardware]:
    """Read a graph and its hardware back.

    Raises
    ------
    DescriptionError
        If the file is no example.
    OSError
        If it cannot be read.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != EXAMPLE_FORMAT:
            raise ValueError(f"its format is {record['format']!r}")
        parts: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in record["hardware"].items()
        }
        return from_json(json.dumps(record["graph"])), Hardware(**parts)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DescriptionError(
            f"{path} is no example of 'erbium verify --random' ({error}); name the file that it wrote"
        ) from None


@st.composite
def hardwares(draw: st.DrawFn) -> Hardware:
    """Draw how an array is built."""
    hardware = Hardware(
        lanes=draw(st.integers(1, 9)),
        fifo_depth=draw(st.sampled_from([2, 3, 16])),
        memory_latency=draw(st.integers(2, 3)),
        layer_memories=draw(st.sampled_from([(), ("spram",), ("ecp5", "ecp5")])),
        short_pipelines=draw(st.booleans()),
        begin_pieces=draw(st.sampled_from([1, 1, 4])),
        encoder_pixels=draw(st.sampled_from([1, 4])),
        neuron_units=draw(st.integers(0, 3)),
    )
    may_pair = not hardware.short_pipelines and hardware.encoder_pixels == 4
    return replace(hardware, rows_per_clock=draw(st.integers(1, 2))) if may_pair else hardware


def compare(
    graph: Graph,
    hardware: Hardware,
    *,
    simulator: ArraySimulator | None = None,
    cache_dir: Path | None = None,
) -> str:
    """Run learned and inferred samples on the hardware of a graph and on its reference.

    Returns
    -------
    str
        What differs, with both values; empty if nothing does: answers, ticks, every weight, every counter.
    """
    draw = np.random.default_rng(graph.seed)
    images = draw.integers(0, 256, (SAMPLES, graph.n_pixels)).astype(np.uint8)
    images[draw.random(images.shape) < 0.3] = 0
    seeds = draw.integers(0, 1 << 32, SAMPLES, dtype=np.uint32)
    labels = draw.integers(0, max(graph.n_classes, 1), SAMPLES)
    model = GraphModel(graph)
    chip = GraphChip(graph, RtlChip(graph, hardware, simulator=simulator, cache_dir=cache_dir))
    for which in (labels, None):
        expected = model.run(images, seeds, which)
        try:
            got = chip.run(images, seeds, which)
        except SimulationError as error:
            return str(error)
        for field in fields(expected):
            want, have = (getattr(results, field.name).tolist() for results in (expected, got))
            if want != have:
                kind = "inferred" if which is None else "learned"
                return f"{field.name} of {kind} samples: {want}, hardware {have}"
    weights = chip.weights
    for name, values in model.weights.items():
        if (values != weights[name]).any():
            row, column = np.argwhere(values != weights[name])[0]
            return (
                f"weight of {name!r} from {row} to {column}: {values[row, column]}, hardware "
                f"{weights[name][row, column]}"
            )
    counters = chip.counters()
    wrong = {
        name: (value, counters[name]) for name, value in model.counters().items() if counters[name] != value
    }
    return f"counters (reference, hardware): {wrong}" if wrong else ""


def compare_afresh(graph: Graph, hardware: Hardware) -> str:
    """Compare as :func:`compare` does, with hardware that is built anew."""
    with temporary_folder(Path(tempfile.gettempdir()), "erbium-graphs-") as folder:
        return compare(graph, hardware, cache_dir=folder)


def search(count: int, first: int, report: Callable[[Graph], None] = lambda graph: None) -> None:
    """Compare so many random graphs, each on random hardware.

    Parameters
    ----------
    count : int
    first : int
        Seed: the same one draws the same graphs.
    report : callable
        Called with each graph that is compared.

    Raises
    ------
    DifferenceError
        With the smallest graph for which something differs.
    """
    with temporary_folder(Path(tempfile.gettempdir()), "erbium-graphs-") as folder:

        @seed(first)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        @given(graphs(built=True), hardwares())
        def same(graph: Graph, hardware: Hardware) -> None:
            report(graph)
            what = compare(graph, hardware, cache_dir=folder)
            if what:
                raise DifferenceError(what, graph, hardware)

        same()
