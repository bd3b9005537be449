# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the sample split: each reader gets whole samples with its own pixels, however the others wait."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.verif.codecs import SampleCodec, Token
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness, StreamMonitor

BEHIND = 4
"""Tokens that a reader may be behind."""


class TB:
    """Sends samples and expects what each reader is to get, as bits."""

    def __init__(self, dut: Any, stall: str) -> None:
        self.sizes: tuple[int, ...] = tuple(current().options["sizes"])
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.codec = SampleCodec()
        self.input = self.harness.drive("sample_i", self.codec.encode)
        self.pausing: int | None = None
        self.outputs = [self._output(k) for k in range(len(self.sizes))]

    def _output(self, number: int) -> StreamMonitor:
        name = f"sample_o_{number}"
        return self.harness.monitor(name, self.harness.checker(name, int), lambda: self.pausing == number)

    def send(self, share: float = 0.6) -> int:
        """Send a sample in which a share of the pixels is named; return its tokens."""
        tokens: list[Token] = [
            ("BEGIN", self.random.getrandbits(32), self.random.randrange(256), self.random.randrange(2))
        ]
        expected = [[tokens[0]] for _ in self.sizes]
        first = 0
        for reader, size in zip(expected, self.sizes, strict=True):
            for address in range(size):
                if self.random.random() < share:
                    value = self.random.randrange(256)
                    tokens.append(("PIXEL", value, first + address))
                    reader.append(("PIXEL", value, address))
            first += size
        tokens.append(("END",))
        self.input.send(*tokens)
        for number, reader in enumerate(expected):
            reader.append(("END",))
            channel = self.harness.board.channel(f"sample_o_{number}")
            channel.expect_all([self.codec.encode(token) for token in reader])
        return len(tokens)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples with all, some and no pixels."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for share in (1, 0.5, 0, 0.1, 0.9, 0.5):
        tb.send(share)
    await tb.harness.finish()


@cocotb.test()
async def one_waits(dut: Any) -> None:
    """While a reader takes nothing, one of its tokens is shown and as many as it may be behind are taken, for each."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    taken = set()
    for number in range(len(tb.sizes)):
        tb.pausing, before = number, tb.input.sent
        tb.send(0)
        tb.send(0)
        tb.send(0)
        await tb.harness.run_for(50)
        taken.add(tb.input.sent - before)
        tb.pausing = None
        await tb.harness.finish()
    expect_equal("tokens that are taken", {1 + BEHIND}, taken)


@cocotb.test()
async def throughput(dut: Any) -> None:
    """A token per clock."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    length = tb.send(1)
    await tb.harness.finish()
    clocks = tb.outputs[-1].clocks
    expect_equal("clocks of a sample", length - 1, clocks[-1] - clocks[0])
