# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the tick merge: rows of several channels in the declared order, whatever comes late."""

from __future__ import annotations

import itertools
from typing import Any

import cocotb

from erbium.hdl.tokens import EventToken
from erbium.sw_model.graph_model.merge import merged
from erbium.verif.codecs import EventCodec
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness


class TB:
    """Sends samples on all channels and expects them as one."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.inputs = options["inputs"]
        pieces = options.get("begin_pieces", 1)
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.drivers = [
            self.harness.drive(
                f"event_i_{k}", EventCodec(EventToken(one.n_addresses, begin_pieces=pieces)).encode
            )
            for k, one in enumerate(self.inputs)
        ]
        n_rows = max(one.first_row + one.n_addresses for one in self.inputs)
        self.output = self.harness.check(
            "event_o", EventCodec(EventToken(n_rows, begin_pieces=pieces)).decode
        )

    def spikes(self, one: Any) -> list[int]:
        """Return the spikes of a tick: none, all, or some."""
        some = [k for k in range(one.n_addresses) if self.random.random() < 0.4]
        return self.random.choice(([], list(range(one.n_addresses)), some, some))

    def sample(self, ticks: list[list[list[int]]]) -> None:
        """Send a sample; `ticks` has for each channel the spikes of each tick."""
        begin = ("BEGIN", self.random.getrandbits(32), self.random.randrange(256), self.random.randrange(2))
        expected = self.harness.board.channel("event_o")
        expected.expect(begin)
        for driver, here in zip(self.drivers, ticks, strict=True):
            driver.send(begin)
            for spikes in here:
                driver.send(*(("SPIKE", address) for address in spikes), ("TICK",))
            driver.send(("END",))
        delays, rows = [one.delay for one in self.inputs], [one.first_row for one in self.inputs]
        for spikes in merged(ticks, delays, rows):
            expected.expect_all([*(("SPIKE", row) for row in spikes), ("TICK",)])
        expected.expect(("END",))


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples of any length, shorter than a delay, too; some without a tick."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for sample in range(10):
        n_ticks = 0 if sample == 4 else tb.random.randint(1, 7)
        tb.sample([[tb.spikes(one) for _ in range(n_ticks)] for one in tb.inputs])
    await tb.harness.finish()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Clocks of a tick as the component says: a token each, one besides, and one for each input but the last."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    ticks = [[tb.spikes(one) for _ in range(12)] for one in tb.inputs]
    tb.sample(ticks)
    await tb.harness.finish()
    history = tb.harness.board.channel("event_o").history
    clocks = [clock for clock, token in zip(tb.output.clocks, history, strict=True) if token == ("TICK",)]
    rows = merged(ticks, [one.delay for one in tb.inputs], [one.first_row for one in tb.inputs])
    settled = (
        max(one.delay for one in tb.inputs) + 1
    )  # by then the BEGINs of delayed inputs have been dropped
    for tick, (first, last) in enumerate(itertools.pairwise(clocks), 1):
        if tick > settled:
            expect_equal("clocks of a tick", len(rows[tick]) + 1 + len(tb.inputs), last - first, tick=tick)
