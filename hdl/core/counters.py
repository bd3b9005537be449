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
        From the clock after `add` for 5 clocks, in which no other may come.
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
        row, which = Signal.like(self.row), Signal(range(ROW + 1))
        amounts = Signal(self.amounts.shape())
        # A counter is read while the one before is written.
        m.d.comb += [
            store.read_address.eq((row << 2) + which[:2]),
            store.write_address.eq((row << 2) + (which - 1)[:2]),
            store.write_data.eq(store.read_data + amounts[0]),
            self.busy.eq(1),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.add):
                    m.d.sync += [row.eq(self.row), amounts.eq(self.amounts), which.eq(0)]
                    m.next = "READ"
            with m.State("READ"):
                m.d.sync += which.eq(1)
                m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += store.write_enable.eq(1)
                m.d.sync += [which.eq(which + 1), amounts.eq(amounts.as_value() >> AMOUNT_WIDTH)]
                with m.If(which == ROW):
                    m.next = "IDLE"
        return m
