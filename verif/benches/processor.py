# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the processor of a small chip: programs drawn at random read and write ports that stall."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.verif.processor_model import ProcessorModel
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import Harness

READY = (1.0, 0.7, 0.2, 1.0)
"""Probability that a port is ready, one after the other."""

CLOCKS = 800
"""For each of them."""


class _OverError(Exception):
    """All that the processor did has been compared."""


class TB:
    """Answers what the processor reads, and has the model do the same."""

    def __init__(self, dut: Any) -> None:
        self.harness = Harness(dut, "0")
        self.random = self.harness.random
        self.events: list[tuple[str, int, int, int]] = []
        self.ends: list[int] = []  # the clock of each, without those in which a port was not ready

    async def run(self) -> None:
        """Note what the processor does from a reset on."""
        harness, working = self.harness, 0
        harness.set(ready=0, read_data=0)
        await harness.reset()
        for ready in READY:
            for _ in range(CLOCKS):
                await harness.edge()
                value, is_ready = self.random.randrange(256), self.random.random() < ready
                harness.set(ready=int(is_ready), read_data=value)
                await harness.settle()
                reads, writes, port = harness.get("read"), harness.get("write"), harness.get("port")
                expect_equal("read and write", 0, reads & writes)
                working += is_ready or not (reads or writes)
                if is_ready and reads:
                    self.events.append(("read", port, 0, value))
                if is_ready and writes:
                    self.events.append(("write", port, harness.get("near"), harness.get("write_data")))
                if is_ready and (reads or writes):
                    self.ends.append(working)


@cocotb.test()
async def programs(dut: Any) -> None:
    """Every byte that is read and written, and when: two clocks per instruction, and those of the ports."""
    tb = TB(dut)
    await tb.run()
    events = iter(tb.events)
    steps, ends = 0, []

    def take() -> tuple[str, int, int, int]:
        for event in events:
            ends.append(steps)
            return event
        raise _OverError

    def read(port: int) -> int:
        kind, found, _, value = take()
        expect_equal("port that is read", (kind, found), ("read", port))
        return value

    def write(port: int, second: int, value: int) -> None:
        expect_equal("what is written", ("write", port, second & 15, value), take())

    options = current().options
    model = ProcessorModel(options["program"], options["octets"], options["contents"], read, write)
    try:
        for _ in range(len(READY) * CLOCKS):
            steps += 1
            model.step()
    except _OverError:
        pass
    expect_equal("whether anything was read or written", True, len(tb.events) > 5)
    first = tb.ends[0] - 2 * ends[0]
    expect_equal("clocks", [first + 2 * step for step in ends], tb.ends)
