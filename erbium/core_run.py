# SPDX-License-Identifier: BSD-2-Clause
"""A graph on the core of a board, or of a simulated one: load, check, run, compare with the model, read back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.console import Console

from erbium.board_run import Tell
from erbium.fpga.core_board import BoardCore
from erbium.fpga.driver_open import Target, open_core
from erbium.gen.core_chip import CoreError
from erbium.progress import doing
from erbium.sw_model.constants import Array
from erbium.sw_model.description.codec import digest
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_model.drive import Drive
from erbium.tables import PlainTable

N_SAMPLES = 20
"""Samples unless the user says."""

PIXEL_SHARE, EVENT_SHARE = 1 / 2, 1 / 16
"""Share of the pixels that are not 0, and of the events of a tick."""


@dataclass(frozen=True)
class CoreRun:
    """What is to be done: samples of random pixels, events and labels, learned where the graph learns.

    Parameters
    ----------
    target : Target
    graph : Graph
    samples : int
    seed : int
        Of the samples.
    compare : bool
        Whether the model does the same beside it, and every integer is compared.
    """

    target: Target
    graph: Graph
    samples: int
    seed: int
    compare: bool

    def carry_out(self, console: Console, tell: Tell) -> int:
        """Do it, and return the exit code: 1 if the core and the model differ, else 0."""
        graph = self.graph
        with doing(console, "Opening the board; a simulated one is compiled unless the cache has it."):
            core = open_core(self.target)
        try:
            begin = core.port.link.transport.now()
            core.load_graph(graph)
            loading = core.port.link.transport.now() - begin
            _say(
                console,
                f"{graph.name} (digest {core.digest}) is loaded on {core.name}, {core.hardware.lanes} lanes at "
                f"{core.port.clock_frequency / 1e6:g} MHz, in {loading:.3f} s.",
            )
            differing, counters = self._run(core), core.counters()
            spikes = {p.name: counters[f"{p.name}_spikes"] for p in graph.populations}
            stored = [p for population in graph.populations for p in graph.stored(population.name)]
            facts: dict[str, object] = {
                "graph": graph.name,
                "digest": core.digest,
                "board": core.name,
                "simulated": self.target.simulated,
                "lanes": core.hardware.lanes,
                "clock": core.port.clock_frequency,
                "loading_seconds": round(loading, 6),
                "samples": self.samples,
                "spikes": spikes,
                "counters": counters,
                "weights": sum(graph.size_of(p.source) * graph.size_of(p.target) for p in stored),
                "retries": core.retries,
                "differing": differing if self.compare else None,
            }
        finally:
            core.close()
        tell(facts)
        self._show(console, spikes, counters, differing)
        return int(bool(differing))

    def _run(self, core: BoardCore) -> int:
        """Present the samples; return how many integers differ from the model's."""
        graph, rng = self.graph, np.random.default_rng(self.seed)
        chip = None
        if self.compare:
            # The model takes seconds to load, and whoever compares nothing needs none.
            from erbium.core_comparison import BoardComparison

            chip = BoardComparison(graph, core)
        for number in range(self.samples):
            image, label, drive = _sample(graph, rng)
            (chip or core).sample(image, seed=number, label=label, drive=drive)
        differing = chip.end() if chip else 0
        if core.digest != digest(graph) or not core.loaded:
            raise CoreError(f"the core on {core.name} was loaded by somebody else meanwhile; run it again")
        return differing

    def _show(
        self, console: Console, spikes: dict[str, int], counters: dict[str, int], differing: int
    ) -> None:
        table = PlainTable(show_header=False)
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_column()
        table.add_row("samples", f"{counters['samples']:,}", f"of {counters['ticks']:,} ticks in all")
        for name, count in spikes.items():
            changed = counters.get(f"{name}_weights_changed", 0)
            table.add_row(name, f"{count:,}", f"spikes; {changed:,} weights changed")
        console.print(table, highlight=False)
        if self.compare:
            verdict = (
                "no integer differs from the model's" if not differing else f"{differing:,} integers differ"
            )
            _say(console, f"{verdict}: answers, spikes, weights and counters")


def _sample(graph: Graph, rng: np.random.Generator) -> tuple[Array, int | None, Drive]:
    """Return pixels, a label if the graph has classes, and a drive with events."""
    image = rng.integers(0, 256, graph.n_pixels).astype(np.uint8)
    image[rng.random(graph.n_pixels) >= PIXEL_SHARE] = 0
    label = int(rng.integers(graph.n_classes)) if graph.n_classes else None
    events = {
        source.name: rng.random((graph.n_ticks, source.size)) < EVENT_SHARE for source in graph.event_sources
    }
    return image, label, Drive(learn=True, events=events)


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
