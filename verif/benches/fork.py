# SPDX-License-Identifier: BSD-2-Clause
"""Bench of forks and queues: every reader gets every token, in order."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness, StreamMonitor, reader_of


class TB:
    """One writer and some readers."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.width, self.readers = options["shape"], options.get("readers")
        self.clocks = max(options["readers"], 2) if options.get("in_turn") else 1
        self.harness = Harness(dut, stall)
        self.input = self.harness.drive("token_i")
        names = ["token_o"] if self.readers is None else [f"token_o_{k}" for k in range(self.readers)]
        self.depth, self.taken, self.pausing = options.get("depth", 1), set[int](), ""
        self.outputs = [self._output(name) for name in names]

    def _output(self, name: str) -> StreamMonitor:
        return self.harness.monitor(name, self.harness.checker(name, int), lambda: self.pausing == name)

    def send(self, count: int) -> None:
        """Send random tokens."""
        tokens = [self.harness.random.getrandbits(self.width) for _ in range(count)]
        self.input.send(*tokens)
        for output in self.outputs:
            self.harness.board.channel(output.name).expect_all(tokens)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def tokens(dut: Any, stall: str) -> None:
    """Random tokens."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    tb.send(300)
    await tb.harness.finish()


@cocotb.test()
async def room(dut: Any) -> None:
    """While one reader takes nothing, as many tokens are taken as it may be behind; the room is what it is said."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    has_room = reader_of(dut.has_room) if hasattr(dut, "has_room") else reader_of(dut.token_i_ready)
    tb.send(3)
    await tb.harness.finish()
    for output in tb.outputs:
        expect_equal("has_room of an empty fork", 1, has_room(), waits=output.name)
        tb.pausing, before = output.name, tb.input.sent
        tb.send(100)
        await tb.harness.run_until(lambda: not has_room())
        await tb.harness.run_for(20)
        expect_equal("has_room of a full fork", 0, has_room(), waits=output.name)
        # Those of the room, of which there may be one fewer, one that is shown, and one on its way.
        taken = tb.input.sent - before
        least = tb.depth - (tb.depth.bit_count() == 1)
        assert least + 1 <= taken <= 2 * tb.depth + 2, f"{taken} tokens are taken while {output.name} waits"
        tb.taken.add(taken)
        tb.pausing = ""
        await tb.harness.finish()
    expect_equal("different numbers of tokens that fit", 1, len(tb.taken))


@cocotb.test()
async def throughput(dut: Any) -> None:
    """One token per clock, or per round in which each reader has its turn."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    tb.send(100)
    await tb.harness.finish()
    for output in tb.outputs:
        steps = {b - a for a, b in zip(output.clocks, output.clocks[1:], strict=False)}
        expect_equal(f"clocks between the tokens of {output.name}", {tb.clocks}, steps)


@cocotb.test()
async def latency(dut: Any) -> None:
    """Clocks from a token to an empty fork to the same token at its readers (not in turn)."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    if current().options.get("in_turn"):
        return
    taken = []
    for sent in range(1, 6):
        await tb.harness.run_for(5)
        tb.send(1)
        while tb.input.sent < sent:
            await tb.harness.clock()
        taken.append(tb.harness.clocks)
    await tb.harness.finish()
    expected = current().stimuli.get("latency", 1 if current().options.get("prompt") else 2)
    for output in tb.outputs:
        steps = [after - before for before, after in zip(taken, output.clocks, strict=True)]
        expect_equal(f"clocks to {output.name}", [expected] * 5, steps)
