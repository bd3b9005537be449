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
        self.drivers = {
            k: self.harness.drive(
                f"event_i_{k}", EventCodec(EventToken(one.n_addresses, begin_pieces=pieces)).encode
            )
            for k, one in enumerate(self.inputs)
            if one.has_channel
        }
        n_rows = max(one.first_row + one.n_addresses for one in self.inputs if one.kind != "pace")
        self.output = self.harness.check(
            "event_o", EventCodec(EventToken(n_rows, begin_pieces=pieces)).decode
        )

    def spikes(self, one: Any, label: int, learn: int) -> list[int]:
        """Return the spikes of a tick: of a channel none, all, or some."""
        if one.kind == "constant":
            return list(range(one.n_addresses))
        if one.kind == "label":
            return [label] * learn
        some = [k for k in range(one.n_addresses) if self.random.random() < 0.4]
        return self.random.choice(([], list(range(one.n_addresses)), some, some))

    def sample(self, n_ticks: int) -> list[list[list[int]]]:
        """Send a sample; return for each input the spikes of each tick that become rows.

        `dropped` keeps for each input how many spikes of each tick become none.
        """
        labels = min([one.n_addresses for one in self.inputs if one.kind == "label"], default=256)
        label, learn = self.random.randrange(labels), self.random.randrange(2)
        begin = ("BEGIN", self.random.getrandbits(32), label, learn)
        expected = self.harness.board.channel("event_o")
        expected.expect(begin)
        walked: list[list[list[int]]] = []
        self.dropped: list[list[int]] = []
        for number, one in enumerate(self.inputs):
            here = [self.spikes(one, label, learn) for _ in range(n_ticks)]
            if driver := self.drivers.get(number):
                if one.begins:
                    driver.send(begin)
                for spikes in here:
                    driver.send(*(("SPIKE", address) for address in spikes), ("TICK",))
                driver.send(("END",))
            counts = one.kind != "pace" and (learn or not one.learned)
            walked.append(here if counts else [[]] * n_ticks)
            drops = one.has_channel and not counts
            self.dropped.append([len(spikes) * drops for spikes in here])
        delays, rows = [one.delay for one in self.inputs], [one.first_row for one in self.inputs]
        for spikes in merged(walked, delays, rows):
            expected.expect_all([*(("SPIKE", row) for row in spikes), ("TICK",)])
        expected.expect(("END",))
        return walked


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples of any length, shorter than a delay, too; some without a tick."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for sample in range(10):
        n_ticks = 0 if sample == 4 else tb.random.randint(1, 7)
        tb.sample(n_ticks)
    await tb.harness.finish()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Clocks of a tick as the component says: a token each, one besides, and one for most inputs but the last."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    walked = tb.sample(12)
    await tb.harness.finish()
    history = tb.harness.board.channel("event_o").history
    clocks = [clock for clock, token in zip(tb.output.clocks, history, strict=True) if token == ("TICK",)]
    rows = merged(walked, [one.delay for one in tb.inputs], [one.first_row for one in tb.inputs])
    settled = (
        max(one.delay for one in tb.inputs) + 1
    )  # by then the BEGINs of delayed inputs have been dropped
    for tick, (first, last) in enumerate(itertools.pairwise(clocks), 1):
        if tick > settled:
            turns = [
                one.has_channel or not here[tick - one.delay]
                for one, here in zip(tb.inputs[:-1], walked, strict=False)
            ]
            dropped = [here[tick - one.delay] for one, here in zip(tb.inputs, tb.dropped, strict=True)]
            expected = len(rows[tick]) + 2 + sum(turns) + sum(dropped)
            expect_equal("clocks of a tick", expected, last - first, tick=tick)
