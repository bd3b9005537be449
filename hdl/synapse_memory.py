# SPDX-License-Identifier: BSD-2-Clause
"""The memory of the weights."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out


class SynapseMemory(wiring.Component):
    """One read and one write of a whole word per clock, never at the same address at once.

    The output of the block RAM is registered in fabric, which about doubles the clock that a
    read-add-write closes at. Contents are unknown after configuration: weights are loaded by the host.

    Parameters
    ----------
    depth : int
        Words.
    width : int
        Bits of a word (lanes times weight width).
    latency : int
        Clocks from address to data, 2 or 3.

    Members
    -------
    read_address : In, read_enable : In(1), read_data : Out(width)
    write_address : In, write_enable : In(1), write_data : In(width)
    collision : Out(1)
        Set for good once a read met a write at the same address, which the layer never lets happen.
    """

    def __init__(self, depth: int, width: int, latency: int = 2) -> None:
        self.depth, self.latency = depth, latency
        address = range(max(depth, 2))
        super().__init__(
            {
                "read_address": In(address),
                "read_enable": In(1),
                "read_data": Out(width),
                "write_address": In(address),
                "write_enable": In(1),
                "write_data": In(width),
                "collision": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(self.read_data)
        m.submodules.memory = store = memory.Memory(shape=width, depth=self.depth, init=[])
        write, read = store.write_port(), store.read_port()
        m.d.comb += [
            read.addr.eq(self.read_address),
            read.en.eq(self.read_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write_enable),
        ]
        value, valid = read.data, self.read_enable
        for stage in range(self.latency - 1):
            held_valid, held = (
                Signal(name=f"valid_{stage}"),
                Signal(width, name=f"data_{stage}", reset_less=True),
            )
            m.d.sync += held_valid.eq(valid)
            # Enables keep idle registers still, which saves power on the chip and time in simulation.
            with m.If(held_valid):
                m.d.sync += held.eq(value)
            value, valid = held, held_valid
        m.d.comb += self.read_data.eq(value)
        with m.If(self.read_enable & self.write_enable & (self.read_address == self.write_address)):
            m.d.sync += self.collision.eq(1)
        return m
