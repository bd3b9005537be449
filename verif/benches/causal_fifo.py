# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the causal FIFO."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import cocotb

from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness, Stall

READ_LATENCY = 2
"""Clocks from the push of a spike to the first in which it can be read."""


class TB:
    """Pushes spikes, and reads them beside that."""

    def __init__(self, dut: Any, stall: str = "0") -> None:
        options = current().options
        self.n_inputs, self.n_ticks = options["n_inputs"], options["n_ticks"]
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.pushing: Callable[[], bool] = Stall(stall, "push")
        self.reading: Callable[[], bool] = Stall(stall, "read")
        self.harness.set(**dict.fromkeys(("clear", "push", "row", "tick", "next_row"), 0))
        self.clear()

    def clear(self) -> None:
        """Forget what was pushed."""
        self.stored: deque[tuple[int, tuple[int, int]]] = deque()

    def sample(self, count: int) -> deque[tuple[int, int]]:
        """Return row and tick of the spikes of a sample: each presynaptic neuron spikes at most once."""
        neurons = self.random.sample(range(self.n_inputs), count)
        return deque((row, self.random.randrange(self.n_ticks + 1)) for row in neurons)

    async def clock(self, push: tuple[int, int] | None = None, *, read: bool = False) -> None:
        """Do a clock: compare what can be read, and perhaps take it."""
        await self.harness.edge()
        now = self.harness.clocks
        there = bool(self.stored) and self.stored[0][0] <= now
        takes = there and read and not self.reading()
        self.harness.set(push=int(push is not None), next_row=int(takes))
        if push is not None:
            self.harness.set(row=push[0], tick=push[1])
            self.stored.append((now + READ_LATENCY, push))
        await self.harness.settle()
        expect_equal("available", int(there), self.harness.get("available"), clock=now)
        if there:
            got = self.harness.get("row_o"), self.harness.get("tick_o")
            expect_equal("row and tick", self.stored[0][1], got, clock=now)
        if takes:
            self.stored.popleft()

    async def forget(self) -> None:
        """Clear."""
        await self.harness.edge()
        self.harness.set(push=0, next_row=0, clear=1)
        await self.harness.settle()
        self.clear()
        await self.harness.edge()
        self.harness.set(clear=0)
        await self.harness.settle()
        expect_equal("available after clear", 0, self.harness.get("available"))


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples that are written whole and then read, written while they are read, and given up in the middle."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for sample in range(16):
        # Now and then every presynaptic neuron spikes, and nothing is read before the last one has.
        pushes = tb.sample(tb.n_inputs if sample % 4 == 0 else tb.random.randint(1, tb.n_inputs))
        together = sample % 2 == 1
        while pushes:
            push = None if tb.pushing() else pushes.popleft()
            await tb.clock(push, read=together)
        left = tb.random.randrange(1 + len(tb.stored)) if sample % 4 > 1 else 0
        while len(tb.stored) > left:
            await tb.clock(read=True)
        # Nothing more comes than was pushed.
        for _ in range(READ_LATENCY):
            await tb.clock()
        await tb.forget()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """One spike in and one out per clock, two clocks behind each other."""
    tb = TB(dut)
    await tb.harness.reset()
    pushes = tb.sample(tb.n_inputs)
    while pushes:
        await tb.clock(pushes.popleft(), read=True)
        assert len(tb.stored) <= READ_LATENCY, f"{len(tb.stored)} spikes wait"
    await tb.forget()
