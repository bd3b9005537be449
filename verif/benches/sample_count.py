# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the sample count: the ticks of each sample, and no answer."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.hdl.tokens import NO_ANSWER
from erbium.verif.codecs import EventCodec, ResultCodec
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples of any length, one without a tick, too; each is counted once."""
    token = current().options["token"]
    harness = Harness(dut, stall)
    events = harness.drive("event_i", EventCodec(token).encode)
    harness.check("result_o", ResultCodec().decode)
    await harness.reset()
    counted = harness.tally("samples")
    for n_ticks in (3, 1, 0, 7, 2):
        events.send(("BEGIN", harness.random.getrandbits(32), 0, 0))
        for _ in range(n_ticks):
            spikes = [k for k in range(5) if harness.random.random() < 0.4]
            events.send(*(("SPIKE", k) for k in spikes), ("TICK",))
        events.send(("END",))
        harness.board.channel("result_o").expect(("RESULT", NO_ANSWER, n_ticks, n_ticks))
    await harness.finish()
    expect_equal("samples", 5, counted.total)


@cocotb.test()
async def a_long_sample(dut: Any) -> None:
    """The ticks are counted in 16 bits: each of them goes up, the highest but one as the last."""
    harness = Harness(dut)
    events = harness.drive("event_i", EventCodec(current().options["token"]).encode)
    harness.check("result_o", ResultCodec().decode)
    await harness.reset()
    for n_ticks in (21, 42, (1 << 14) + 1):
        events.send(("BEGIN", 1, 0, 0), *[("TICK",)] * n_ticks, ("END",))
        harness.board.channel("result_o").expect(("RESULT", NO_ANSWER, n_ticks, n_ticks))
    await harness.finish()
