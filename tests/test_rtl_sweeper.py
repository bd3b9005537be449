# SPDX-License-Identifier: BSD-2-Clause
"""The sweep of the core where another one follows it at once."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.sim import Simulator

from erbium.hdl.core.sweeper import Sweeper
from erbium.sw_model.description.machine import PLACE_PIECES, PLACE_STRIDE, CoreHardware

INITIAL = (101, -2, 303, -4)
MOST_CLOCKS = 60


@pytest.mark.parametrize("gap", range(4))
def test_what_is_cleared_right_after_a_sweep_stays_cleared(gap: int) -> None:
    """The last pieces of a sweep are written after its end: those of clearing must come after them."""
    sweeper = Sweeper(CoreHardware(lanes=2, units=1))
    found: list[int] = []

    async def until_done(context: Any, signal: Any) -> None:
        context.set(signal, 1)
        await context.tick()
        context.set(signal, 0)
        for _ in range(MOST_CLOCKS):
            if not context.get(sweeper.busy):
                return
            await context.tick()
        pytest.fail("the sweeper never ends")

    async def bench(context: Any) -> None:
        # A population of two neurons, a part each, whose program leaves 0 in all states.
        context.set(sweeper.population.part_last, 1)
        context.set(sweeper.population.threshold, 32_767)
        for state, value in enumerate(INITIAL):
            context.set(sweeper.beginning[f"initial{state}"], value)
        await until_done(context, sweeper.start)
        for _ in range(gap):
            await context.tick()
        await until_done(context, sweeper.clear)
        for _ in range(4):
            await context.tick()
        context.set(sweeper.states.valid, 1)
        for part in range(2):
            for piece in range(PLACE_PIECES):
                context.set(sweeper.states.address, PLACE_STRIDE * part + piece)
                for _ in range(3):
                    await context.tick()
                found.append(context.get(sweeper.states.read_data))

    simulator = Simulator(sweeper)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    pairs = [INITIAL[k] & 0xFFFF | (INITIAL[k + 1] & 0xFFFF) << 16 for k in (0, 2)]
    assert found == [*pairs, 0] * 2
