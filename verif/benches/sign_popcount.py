# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the sign popcount."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb
import numpy as np

from erbium.hdl.sign_popcount import LATENCY
from erbium.sw_model.first_spike import sign_popcount
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness, Stall

INPUTS = ("valid", "first", "last", "address", "later", "earlier", "negative", "causal")


class TB:
    """Sends rows a word at a time, and expects each row's answer a fixed number of clocks behind its last word."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.n: int = options["n_neurons"]
        self.lanes: int = options["lanes"]
        self.words = -(-self.n // self.lanes)
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.stall = Stall(stall, "words")
        self.harness.set(**dict.fromkeys(INPUTS, 0))
        self.expected: deque[tuple[int, tuple[int, int, int]]] = deque()

    def bits(self, rate: float, width: int) -> int:
        """Return bits that are set with a probability."""
        return sum((self.random.random() < rate) << bit for bit in range(width))

    def row(self) -> tuple[list[int], list[int], list[int]]:
        """Return a row: plasticity words, signs and causal bits, with every extreme and many ties."""
        draw = self.random
        rate = draw.choice((0.0, 0.05, 0.5, 1.0))
        words = [draw.choice((-1, 1)) if draw.random() < rate else 0 for _ in range(self.n)]
        if draw.random() < 0.3:
            words = [draw.choice((-1, 1))] * self.n
        signs = [draw.choice((0, 1))] * self.n if draw.random() < 0.3 else [draw.randrange(2) for _ in words]
        share = draw.choice((0.0, 0.5, 1.0, 1.0))
        return words, signs, [int(draw.random() < share) for _ in words]

    async def clock(self, **inputs: int) -> None:
        """Do a clock with these inputs and compare the output."""
        await self.harness.edge()
        self.harness.set(**inputs)
        await self.harness.settle()
        now = self.harness.clocks
        due = bool(self.expected) and self.expected[0][0] == now
        expect_equal("valid_o", int(due), self.harness.get("valid_o"), clock=now)
        if due:
            _, expected = self.expected.popleft()
            got = tuple(self.harness.get(name) for name in ("address_o", "later_o", "earlier_o"))
            expect_equal("address, later, earlier", expected, got, clock=now)

    async def send(self, row: tuple[list[int], list[int], list[int]], address: int) -> None:
        """Send a row."""
        words, signs, causal = row
        vote = sign_popcount(np.array(words), np.array(signs, dtype=bool), np.array(causal, dtype=bool))
        for base in range(0, self.n, self.lanes):
            while self.stall():
                # What stands at the inputs of no word is nobody's business.
                junk = {name: self.bits(0.5, self.lanes) for name in INPUTS[4:]}
                await self.clock(
                    valid=0, first=self.random.randrange(2), last=self.random.randrange(2), **junk
                )
            here = range(base, min(base + self.lanes, self.n))
            beyond = self.bits(0.5, self.lanes - len(here)) << len(here)

            def mask(flags: Any, rest: int = 0, here: range = here) -> int:
                return sum(int(flags(k)) << k - here.start for k in here) | rest

            inputs = {
                "valid": 1,
                "first": int(base == 0),
                "last": int(base + self.lanes >= self.n),
                "address": address,
                "later": mask(lambda k: words[k] > 0),
                "earlier": mask(lambda k: words[k] < 0),
                # Lanes without neuron have no plasticity word, whatever sign their weight has.
                "negative": mask(lambda k: signs[k], beyond),
                "causal": mask(lambda k: causal[k], beyond),
            }
            if inputs["last"]:
                due = self.harness.clocks + 1 + LATENCY
                self.expected.append((due, (address, int(vote > 0), int(vote < 0))))
            await self.clock(**inputs)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def rows(dut: Any, stall: str) -> None:
    """Rows back to back and with gaps between their words; answers come a fixed number of clocks later."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for _ in range(max(10, min(120, 1000 // tb.words))):
        await tb.send(tb.row(), tb.random.getrandbits(16))
    for _ in range(2 * LATENCY):
        await tb.clock(valid=0)
    expect_equal("rows without answer", 0, len(tb.expected))
