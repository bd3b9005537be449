# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the core: a graph is loaded, and every neuron of every sweep is compared with the reference."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np

from erbium.gen.core_image import CoreImage
from erbium.gen.core_tokens import sample_tokens
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import (
    CAPACITY,
    INFO_CAPACITY,
    CoreHardware,
    Info,
    Window,
    announced,
)
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.graph_model.drive import Drive
from erbium.verif.benches.core_memories import expect_memories
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness

PATIENCE = 30_000
"""Clocks that a sample of these graphs takes at most between two tokens."""


class TB:
    """Loads a graph, presents samples, and reads everything back."""

    def __init__(self, dut: Any, stall: str) -> None:
        case = current()
        self.hardware: CoreHardware = case.options["hardware"]
        self.graph: Graph = case.stimuli["graph"]
        self.image, self.model = CoreImage(self.graph, self.hardware), GraphModel(self.graph)
        self.harness = Harness(dut, stall)
        self.host = self.harness.drive("host_i")
        self.samples = self.harness.drive("sample_i")
        self.results: list[int] = []
        self.harness.monitor("result_o", self.results.append)
        self.replies: list[int] = []
        self.probe = self.harness.board.channel("sweep")
        self.tick = 0
        self.harness.watch(self._look)

    def _look(self) -> None:
        get = self.harness.get
        if get("reply"):
            self.replies.append(get("reply_data"))
        if get("probe_valid"):
            self.probe.check(self._swept(get("probe_part"), get("probe_spikes"), get("probe_states")))
        self.tick += get("tick_done")

    def _swept(self, part: int, spikes: int, states: int) -> tuple[object, ...]:
        """Return what was swept: first neuron, spikes and states of the neurons that there are."""
        units, first = self.hardware.units, part * self.hardware.units
        population = next(
            p for p in reversed(self.graph.populations) if self.image.first_neuron[p.name] <= first
        )
        index = first - self.image.first_neuron[population.name]
        count = min(units, population.size - index)
        values = [
            tuple(
                (states >> (64 * unit + 16 * state) & 0xFFFF ^ 0x8000) - 0x8000
                for state in range(population.program.n_states)
            )
            for unit in range(count)
        ]
        return population.name, index, [spikes >> unit & 1 for unit in range(count)], values

    async def write(self, window: Window, address: int, contents: list[int]) -> None:
        """Write pieces of a window."""
        for number, data in enumerate(contents):
            self.host.send(window | 1 << 4 | (address + number) << 5 | data << 29)
        await self.harness.run_until(lambda: not self.host.left, patience=PATIENCE)

    async def read(self, window: Window, address: int, count: int) -> list[int]:
        """Read pieces of a window."""
        self.replies.clear()
        for number in range(count):
            self.host.send(window | (address + number) << 5)
        await self.harness.run_until(lambda: len(self.replies) == count, patience=PATIENCE)
        return list(self.replies)

    async def load(self) -> None:
        """Reset, and load the graph with its weights."""
        await self.harness.reset()
        for contents in self.image.contents():
            await self.write(*contents)
        await self.write(Window.INFO, Info.LOADED, [1])
        capacity = await self.read(Window.INFO, INFO_CAPACITY, len(CAPACITY))
        expect_equal("announced", self.hardware, announced(capacity))

    async def present(self, image: Any, seed: int, label: int | None, drive: Drive, *, clear: bool) -> None:
        """Present a sample; compare sweeps, the result, and then every weight and counter."""
        n_ticks = self.graph.n_ticks

        def expect(model: GraphModel, tick: Any) -> None:
            for name, population in model.populations.items():
                spiked, x = set(tick.spikes[name]), population.neurons.x
                for index in range(0, population.size, self.hardware.units):
                    neurons = range(index, min(index + self.hardware.units, population.size))
                    values = [tuple(int(v) for v in x[:, i]) for i in neurons]
                    self.probe.expect(
                        (name, index, [int(i in spiked) for i in neurons], values), tick=tick.number
                    )

        result = self.model.sample(image, seed=seed, label=label, drive=drive, observer=expect)
        self.results.clear()
        tokens = sample_tokens(self.graph, image, seed, label, n_ticks, drive, clear=clear)
        self.samples.send(*(int(token) for token in tokens))
        await self.harness.run_until(
            lambda: bool(self.results) and not self.samples.left and bool(self.harness.get("idle")),
            patience=PATIENCE,
        )
        (bits,) = self.results
        answer = bits & 0xFFF if bits >> 12 & 1 else -1
        expect_equal("answer", (result.answer, result.ticks), (answer, bits >> 13 & 0x1FFF))
        expect_equal("decision", result.ticks_to_decision, bits >> 26 & 0x1FFF)
        expect_equal("sweeps that did not come", 0, self.probe.left)
        await expect_memories(self.image, self.model, self.read)


def _samples(tb: TB) -> Iterator[tuple[Any, int, int | None, Drive, bool]]:
    """Samples that clear and that run on, learned and not."""
    random = np.random.default_rng(tb.harness.random.getrandbits(32))
    for number in range(3):
        values = {m.name: int(random.integers(-300, 300)) for m in tb.graph.modulators if not m.source}
        gains = {m.name: int(random.integers(-1, 2)) for m in tb.graph.modulators if m.source}
        events = {s.name: random.random((tb.graph.n_ticks, s.size)) < 0.08 for s in tb.graph.event_sources}
        clear = number != 1
        factor = (1, -1, 1)[number]
        drive = Drive(learn=number < 2, clear=clear, factor=factor, events=events, values=values, gains=gains)
        # Rows that spike now and then expire.
        image = random.choice(np.array([0, 6, 60, 160], dtype=np.uint8), tb.graph.n_pixels)
        label = int(random.integers(tb.graph.n_classes)) if tb.graph.n_classes and number < 2 else None
        yield image, number + 1, label, drive, clear


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def learning(dut: Any, stall: str) -> None:
    """Every neuron of every sweep, every answer, weight and counter."""
    tb = TB(dut, stall)
    await tb.load()
    for image, seed, label, drive, clear in _samples(tb):
        await tb.present(image, seed, label, drive, clear=clear)


@cocotb.test()
async def sweeps_take_what_they_say(dut: Any) -> None:
    """The parts of a sweep follow each other by the operations of the program and a clock, at least by three."""
    tb = TB(dut, "0")
    await tb.load()
    seen: list[tuple[int, int]] = []
    tb.harness.watch(
        lambda: (
            seen.append((tb.harness.get("probe_part"), tb.harness.clocks))
            if tb.harness.get("probe_valid")
            else None
        )
    )
    image, seed, label, drive, clear = next(_samples(tb))
    await tb.present(image, seed, label, drive, clear=clear)
    starts = {first // tb.hardware.units for first in tb.image.first_neuron.values()}
    operations = {p.name: len(p.program.operations) for p in tb.graph.populations}
    pace: dict[int, int] = {}
    for population in tb.graph.populations:
        first = tb.image.first_neuron[population.name] // tb.hardware.units
        parts = -(-population.size // tb.hardware.units)
        pace |= dict.fromkeys(range(first, first + parts), max(operations[population.name] + 1, 3))
    followed = 0
    for (_, before), (part, clock) in itertools.pairwise(seen):
        if part not in starts:
            expect_equal("clocks between two parts", pace[part], clock - before, part=part)
            followed += 1
    assert followed


@cocotb.test()
async def nothing_runs_before_a_whole_network_is_loaded(dut: Any) -> None:
    """Samples are dropped until the host says that loading is complete, and then they run as if there had been none."""
    tb = TB(dut, "0.3")
    await tb.load()
    await tb.write(Window.INFO, Info.LOADED, [0])
    image, seed, label, drive, clear = next(_samples(tb))
    tokens = sample_tokens(tb.graph, image, seed, label, tb.graph.n_ticks, drive, clear=clear)
    tb.samples.send(*(int(token) for token in tokens))
    await tb.harness.run_until(lambda: not tb.samples.left)
    await tb.harness.run_for(500)
    expect_equal("results", 0, len(tb.results))
    expect_equal("ticks", 0, tb.tick)
    await tb.write(Window.INFO, Info.LOADED, [1])
    await tb.present(image, seed, label, drive, clear=clear)
