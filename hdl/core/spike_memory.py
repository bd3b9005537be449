# SPDX-License-Identifier: BSD-2-Clause
"""Spikes of all sources and populations, for as many ticks as the longest delay asks for."""

from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import index
from erbium.hdl.marks import COLLISION_FREE
from erbium.sw_model.description.machine import SPIKE_WIDTH, CoreHardware


class SpikeMemory(wiring.Component):
    """A bit for each neuron and tick, 16 neurons in a word: nothing is ever dropped.

    Slots of all that sends follow each other in a ring of ticks, and one slot more, in which the sources write a tick
    ahead. Never read where it is being written.

    Parameters
    ----------
    hardware : CoreHardware

    Notes
    -----
    One read for the rows, one for the readout and one write per clock; latency of a read one clock.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self._depth = hardware.spike_words
        address = index(self._depth)
        super().__init__(
            {
                "read_address": In(address),
                "read_data": Out(SPIKE_WIDTH),
                "count_address": In(address),
                "count_data": Out(SPIKE_WIDTH),
                "write_enable": In(1),
                "write_address": In(address),
                "write_data": In(SPIKE_WIDTH),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = store = memory.Memory(
            shape=SPIKE_WIDTH, depth=self._depth, init=[], attrs=COLLISION_FREE
        )
        read, count, write = store.read_port(), store.read_port(), store.write_port()
        m.d.comb += [
            read.addr.eq(self.read_address),
            self.read_data.eq(read.data),
            count.addr.eq(self.count_address),
            self.count_data.eq(count.data),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write_enable),
        ]
        return m
