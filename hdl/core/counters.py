# SPDX-License-Identifier: BSD-2-Clause
"""Counters of all populations in one memory."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HostAccess, index
from erbium.hdl.core.window_memory import WindowMemory
from erbium.sw_model.description.machine import CoreHardware, Window, window_shapes

AMOUNT_WIDTH = 32
ROW = 4


class CoreCounters(wiring.Component):
    """Adds four amounts to the counters of a population, while other things go on.

    Parameters
    ----------
    hardware : CoreHardware

    Members
    -------
    add : In(1), row : In, amounts : In(4 x 32)
        Add to the counters of a row: a population, or after all of them ticks, samples and spikes of pixels.
    busy : Out(1)
        From the clock after `add` for 6 clocks, in which no other may come.
    host : In(HostAccess)
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self._rows = hardware.populations + 1
        self._shape = window_shapes(hardware)[Window.COUNTERS]
        super().__init__(
            {
                "add": In(1),
                "row": In(index(self._rows)),
                "amounts": In(data.ArrayLayout(AMOUNT_WIDTH, ROW)),
                "busy": Out(1),
                "host": In(HostAccess()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = store = WindowMemory(*self._shape)
        wiring.connect(m, store.host, wiring.flipped(self.host))
        row, which = Signal.like(self.row), Signal(range(ROW + 2))
        amounts, old = Signal(self.amounts.shape()), Signal(AMOUNT_WIDTH, reset_less=True)
        # A counter is read while the one before waits in a register and the one before that is written.
        m.d.sync += old.eq(store.read_data)
        m.d.comb += [
            store.read_address.eq((row << 2) + which[:2]),
            store.write_address.eq((row << 2) + (which - 2)[:2]),
            store.write_data.eq(old + amounts[0]),
            self.busy.eq(1),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.add):
                    m.d.sync += [row.eq(self.row), amounts.eq(self.amounts), which.eq(0)]
                    m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += which.eq(which + 1)
                with m.If(which >= 2):
                    m.d.comb += store.write_enable.eq(1)
                    m.d.sync += amounts.eq(amounts.as_value() >> AMOUNT_WIDTH)
                with m.If(which == ROW + 1):
                    m.next = "IDLE"
        return m
