# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the counter bank: no increment is lost, and an answer has all that came before its request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb

from erbium.hdl.counter_bank import PIECE_WIDTH, Count
from erbium.hdl.registers import COUNTER_WIDTH
from erbium.verif.registry import current
from erbium.verif.scoreboard import differ, expect_equal
from erbium.verif.streams import STALLS, Harness

WRAP = 1 << COUNTER_WIDTH


class TB:
    """Counts at random, and asks for counters meanwhile."""

    def __init__(self, dut: Any, stall: str) -> None:
        self.counts: Sequence[Count] = current().options["counts"]
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.requests = self.harness.drive("counter_i")
        self.answers: list[int] = []
        self.harness.monitor("counter_o", self.answers.append)
        self.totals = [0] * len(self.counts)
        self.pauses = [0] * len(self.counts)

    async def clock(self, rate: float) -> None:
        """Do one clock; each counter that may be is incremented with a probability."""
        await self.harness.edge()
        for k, count in enumerate(self.counts):
            increment = 0
            if self.pauses[k]:
                self.pauses[k] -= 1
            elif self.random.random() < rate:
                increment = self.random.choice((1, count.most, self.random.randint(1, count.most)))
                self.pauses[k] = count.spacing - 1
            self.harness.set(**{f"increment_{k}": increment})
            self.totals[k] += increment * count.factor
        await self.harness.settle()

    async def started(self) -> None:
        """Reset, and wait until increments may come."""
        self.harness.set(**{f"increment_{k}": 0 for k in range(len(self.counts))})
        await self.harness.reset()
        self.harness.clear()
        self.totals = [0] * len(self.counts)
        await self.harness.run_until(lambda: bool(self.harness.get("ready")))

    async def ask(self, number: int, rate: float) -> tuple[int, int, int]:
        """Ask for a counter; return what it was at the request, the answer, and what it is now."""
        before = self.totals[number]
        self.answers.clear()
        self.requests.send(number)
        while not self.answers:
            await self.clock(rate)
        return before, self.answers[0], self.totals[number]


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def counting(dut: Any, stall: str) -> None:
    """Increments at all rates; answers between what was and what is, and exact when nothing comes any more."""
    tb = TB(dut, stall)
    await tb.started()
    for rate in (0.05, 0.5, 1.0, 1.0):
        for _ in range(tb.random.randrange(200)):
            await tb.clock(rate)
        for number in tb.random.sample(range(len(tb.counts)), len(tb.counts)):
            before, answer, now = await tb.ask(number, rate)
            if not (answer - before) % WRAP <= (now - before) % WRAP:
                raise differ(f"counter {number}", f"{before} to {now}", answer)
        for number in range(len(tb.counts)):
            _, answer, now = await tb.ask(number, 0.0)
            expect_equal(f"counter {number}", now % WRAP, answer)


@cocotb.test()
async def carries(dut: Any) -> None:
    """At the full rate until the fastest counter has come past the lowest piece of its bits, and a little further."""
    tb = TB(dut, "0")
    await tb.started()
    while max(tb.totals) < 3 << PIECE_WIDTH - 1:
        await tb.clock(1.0)
    for number in range(len(tb.counts)):
        _, answer, now = await tb.ask(number, 0.0)
        expect_equal(f"counter {number}", now % WRAP, answer)


@cocotb.test()
async def latency(dut: Any) -> None:
    """An answer comes two rounds and 5 clocks behind its request at the latest, whatever the number."""
    tb = TB(dut, "0")
    await tb.started()
    longest = 2 * 3 * len(tb.counts) + 5
    for number in (*range(len(tb.counts)), len(tb.counts), 255):
        for pause in range(7):
            await tb.harness.run_for(pause)
            start = tb.harness.clocks
            tb.answers.clear()
            tb.requests.send(number)
            await tb.harness.run_until(lambda: bool(tb.answers), patience=longest)
            waited = tb.harness.clocks - start
            assert waited <= longest, f"counter {number} took {waited} clocks"


@cocotb.test()
async def reset(dut: Any) -> None:
    """A reset sets all counters to 0."""
    tb = TB(dut, "0")
    for clocks in (1, 50, 333):
        await tb.started()
        for _ in range(clocks):
            await tb.clock(1.0)
        await tb.started()
        for number in range(len(tb.counts)):
            _, answer, _ = await tb.ask(number, 0.0)
            expect_equal(f"counter {number} after reset", 0, answer)
