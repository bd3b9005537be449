# SPDX-License-Identifier: BSD-2-Clause
"""The spikes of a sample, kept for the host."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In

from erbium.hdl.core.layouts import HostAccess
from erbium.hdl.marks import COLLISION_FREE
from erbium.sw_model.description.machine import SPIKE_WIDTH, CoreHardware


class SpikeRecord(wiring.Component):
    """Keeps the words of spikes in the order in which sweeps find them: tick, population, 16 neurons.

    What comes when it is full is not kept. How many words a tick has is known to who loaded the network.

    Parameters
    ----------
    hardware : CoreHardware

    Members
    -------
    clear : In(1)
        A sample begins: forget those of the one before.
    enable : In(1), spikes : In(16)
        A word is found.
    host : In(HostAccess)
        A word has a place of its own; writes do nothing.

    Notes
    -----
    A word per clock; latency of a read one clock.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self._depth = hardware.record_words
        super().__init__(
            {"clear": In(1), "enable": In(1), "spikes": In(SPIKE_WIDTH), "host": In(HostAccess())}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = store = memory.Memory(
            shape=SPIKE_WIDTH, depth=self._depth, init=[], attrs=COLLISION_FREE
        )
        read, write = store.read_port(), store.write_port()
        count = Signal(range(self._depth + 1))
        keeps = Signal()
        m.d.comb += [
            keeps.eq(self.enable & (count != self._depth)),
            read.addr.eq(self.host.address),
            self.host.read_data[:SPIKE_WIDTH].eq(read.data),
            write.addr.eq(count),
            write.data.eq(self.spikes),
            write.en.eq(keeps),
        ]
        with m.If(self.clear):
            m.d.sync += count.eq(0)
        with m.Elif(keeps):
            m.d.sync += count.eq(count + 1)
        return m
