# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the feedback gate and of the feedback port behind it."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any

import cocotb
import numpy as np

from erbium.hdl.plan import LayerPlan
from erbium.verif.codecs import FeedbackCodec, signed
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness


class TB:
    """Sends feedback, and uses it tick by tick as a layer would."""

    def __init__(self, dut: Any, stall: str) -> None:
        self.options = current().options
        self.is_port = "plan" in self.options
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        addresses = (
            self.options["plan"].population.feedback_addresses
            if self.is_port
            else self.options["n_addresses"]
        )
        self.n_addresses: int = addresses
        self.input = self.harness.drive("feedback_i", FeedbackCodec(addresses).encode)
        self.harness.set(release=0, finish=0)
        self.spikes: deque[int] = deque()
        self.replays: deque[int] = deque()
        if self.is_port:
            self.plan: LayerPlan = self.options["plan"]
            self.width = len(dut.read_data) // self.plan.units
            self.matrix = self.plan.population.feedback_weights.astype(np.int64)
            self.gain = self.plan.population.gain
            self.harness.set(gain=self.gain, read_address=0)
        else:
            self.monitor = self.harness.monitor("spike_o", self.spikes.append)

    async def cycle(self, **inputs: int) -> None:
        """Do a clock with these inputs."""
        await self.harness.edge()
        self.harness.set(**inputs)
        await self.harness.settle()

    def send(self) -> list[tuple[list[int], int]]:
        """Send the feedback of a sample; return error spikes and stop flag of each tick."""
        ticks = []
        for _ in range(self.random.randint(1, 7)):
            rate = self.random.choice((0.0, 0.3, 1.0))
            errors = [
                2 * c + self.random.randrange(2)
                for c in range(self.n_addresses // 2)
                if self.random.random() < rate
            ]
            ticks.append((errors, self.random.randrange(2)))
            self.input.send(*(("SPIKE", e) for e in errors), ("TICK", ticks[-1][1]))
        self.replays.append(self.random.randrange(2))
        self.input.send(("END", self.replays[-1]))
        return ticks

    async def use(self, errors: list[int], stop: int, **where: int) -> None:
        """Wait for a tick, compare it, release it."""
        ready = "ready" if self.is_port else "complete"
        await self.harness.run_until(lambda: bool(self.harness.get(ready)))
        if self.is_port:
            # A sweep may be issued now, and reads no earlier.
            await self.harness.run_for(self.plan.feedback_lead)
        await self.harness.run_for(self.random.choice((0, 0, 5)))
        if self.is_port:
            await self._read_sums(errors, **where)
        else:
            expect_equal("stop", stop, self.harness.get("stop"), **where)
            expect_equal("error spikes", errors, list(self.spikes), **where)
            self.spikes.clear()
        await self.cycle(release=1, **({"read_address": 0} if self.is_port else {}))
        await self.cycle(release=0)

    async def _read_sums(self, errors: list[int], **where: int) -> None:
        expected = np.zeros(self.plan.n_neurons, dtype=np.int64)
        for error in errors:
            expected += (-1 if error & 1 else 1) * self.gain * self.matrix[:, error >> 1]
        words = []
        for clock in range(self.plan.places + self.plan.feedback_latency):
            # One place after the other, as a sweep does; the first has been asked for all the time.
            if clock:
                await self.cycle(read_address=min(clock, self.plan.places - 1))
            if clock >= self.plan.feedback_latency:
                words.append(self.harness.get("read_data"))
        for place, bits in enumerate(words):
            for unit, neuron in enumerate(self.plan.neurons_at(place)):
                if neuron is not None:
                    got = signed(bits >> self.width * unit & (1 << self.width) - 1, self.width)
                    expect_equal("u1", int(expected[neuron]), got, neuron=neuron, **where)

    async def finish(self) -> None:
        """Give up the sample, wherever its feedback is."""
        await self.harness.run_until(lambda: not self.harness.get("draining"))
        await self.cycle(finish=1)
        # What passed before `finish` belongs to the old sample; nothing may pass while the rest is dropped.
        self.spikes.clear()
        if not self.is_port:
            # The gate withdraws a spike of the old sample that nobody took.
            self.monitor.clear()
        await self.cycle(finish=0)
        expect_equal("draining", 1, self.harness.get("draining"))

        def drained() -> bool:
            # A spike in the first clock after the draining belongs to the next sample.
            if self.harness.get("draining"):
                expect_equal("error spikes while draining", [], list(self.spikes))
                return False
            return True

        await self.harness.run_until(drained)
        if not self.is_port:
            expect_equal("replay", self.replays.popleft(), self.harness.get("replay"))


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples that end after all of their feedback was used, some of it, or none."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    plans = [tb.send() for _ in range(12)]
    for sample, ticks in enumerate(plans):
        used = tb.random.randint(0, len(ticks))
        for tick, (errors, stop) in enumerate(ticks[:used]):
            await tb.use(errors, stop, sample=sample, tick=tick)
        await tb.harness.run_for(tb.random.choice((0, 1, 2, 3, 10, 40)))
        await tb.finish()
    await tb.harness.run_for(20)
    expect_equal("tokens left", 0, tb.input.left)


@cocotb.test()
async def gains(dut: Any) -> None:
    """Every gain up to the one of the description, on one neuron word (feedback port only)."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    if not tb.is_port:
        return
    for gain in range(tb.gain, -1, -1):
        tb.gain = gain
        tb.harness.set(gain=gain)
        tb.input.send(("SPIKE", 1), ("SPIKE", 2), ("TICK", 0), ("END",))
        await tb.use([1, 2], 0, gain=gain)
        await tb.finish()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Clocks of an error spike as the component says (feedback port only)."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    if not tb.is_port:
        return
    taken: list[int] = []
    sent = 0
    tb.input.send(*(("SPIKE", 2 * c) for c in range(tb.n_addresses // 2)), ("TICK", 0), ("END",))
    while not tb.harness.get("ready"):
        await tb.harness.clock()
        if tb.input.sent != sent:
            sent = tb.input.sent
            taken.append(tb.harness.clocks)
    spikes = taken[: tb.n_addresses // 2]
    for first, last in itertools.pairwise(spikes):
        expect_equal("clocks of an error spike", tb.plan.feedback_period, last - first)
    waits = tb.plan.feedback_period - tb.plan.feedback_lead
    expect_equal("clocks to ready", max(waits, 1) + 1, tb.harness.clocks - spikes[-1])
