# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the host's way to the weights; the bench plays the layer with its memory."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.verif.codecs import AccessCodec, decode_int16
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness

ROWS = 3


class TB:
    """Writes and reads rows; grants and answers requests after random times."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.n_neurons, self.lanes, self.width = options["n_neurons"], options["lanes"], options["width"]
        self.words = -(-self.n_neurons // self.lanes)
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.requests = self.harness.drive("access_i", AccessCodec(with_layer=False).encode)
        self.answers = self.harness.check("access_o", decode_int16)
        self.memory = {(row, word): 0 for row in range(ROWS) for word in range(self.words)}
        self.harness.set(grant=0, loaded=0, stored=0, word_i=0)
        self.weights = [[0] * self.n_neurons for _ in range(ROWS)]

    async def step(self, **inputs: int) -> None:
        """Do a clock with these inputs."""
        await self.harness.edge()
        self.harness.set(**inputs)
        await self.harness.settle()

    async def serve(self) -> None:
        """Play the layer until everything is sent and answered."""
        idle = 0
        while idle < 30:
            await self.step(grant=0, loaded=0, stored=0)
            if not self.harness.get("request"):
                done = not self.requests.left and self.harness.board.done
                idle = idle + 1 if done else 0
                continue
            idle = 0
            for _ in range(self.random.choice((0, 0, 1, 7))):
                await self.step()
                expect_equal("request until granted", 1, self.harness.get("request"))
            store = self.harness.get("store")
            at = (self.harness.get("row"), self.harness.get("word"))
            assert at in self.memory, f"row {at[0]}, word {at[1]} was asked for; there is none"
            await self.step(grant=1)
            for _ in range(self.random.choice((2, 5, 9))):
                await self.step(grant=0)
            if store:
                self.memory[at] = self.harness.get("word_o")
                await self.step(stored=1)
            else:
                await self.step(loaded=1, word_i=0)
                await self.step(loaded=0, word_i=self.memory[at])
                await self.step(word_i=0)

    def write(self, row: int, *, seek: bool = True) -> None:
        """Write random weights to a row."""
        low, high = -(1 << self.width - 1), (1 << self.width - 1) - 1
        values = [self.random.choice((low, high, self.random.randint(low, high))) for _ in self.weights[row]]
        self.weights[row] = values
        if seek:
            self.requests.send(("SEEK", row))
        self.requests.send(*(("WRITE", value) for value in values))

    def read(self, row: int, count: int | None = None, *, seek: bool = True) -> None:
        """Read the first weights of a row."""
        values = self.weights[row][:count]
        if seek:
            self.requests.send(("SEEK", row))
        self.requests.send(*[("READ",)] * len(values))
        self.harness.board.channel("access_o").expect_all([("WEIGHT", v) for v in values], row=row)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def rows(dut: Any, stall: str) -> None:
    """Rows written and read in any order, with and without going to each; partly read rows."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for row in range(ROWS):
        tb.write(row, seek=row == 0)
    for row in range(ROWS):
        tb.read(row, seek=row == 0)
    for _ in range(4):
        row = tb.random.randrange(ROWS)
        tb.read(row, tb.random.randint(1, tb.n_neurons))
        tb.write(tb.random.randrange(ROWS))
        tb.read(tb.random.randrange(ROWS))
    await tb.serve()


@cocotb.test()
async def abandoned_row(dut: Any) -> None:
    """A word that is partly written is dropped by the next SEEK."""
    tb = TB(dut, "0.3")
    await tb.harness.reset()
    tb.write(0)
    if tb.lanes > 1:
        tb.requests.send(("SEEK", 0), ("WRITE", 1))
    tb.read(0)
    await tb.serve()
