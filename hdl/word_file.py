# SPDX-License-Identifier: BSD-2-Clause
"""Storage of one value per neuron, a word of neurons at a time."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.marks import COLLISION_FREE

REGISTERS_UP_TO = 3
"""A file of at most so many words is made of registers."""

LOGIC_UP_TO = 16
"""A file of at most so many words is read within a clock: an FPGA whose logic cells can be RAM makes it of those."""


def file_latency(depth: int, *, registered: bool = True) -> tuple[int, int]:
    """Return the read latency and the write delay of a file of so many words, see :class:`WordFile`."""
    slow = registered and depth > LOGIC_UP_TO
    return 0 if depth == 1 else 1 + slow, int(slow)


class WordFile(wiring.Component):
    """One read and one write per clock of whole words; never read where it is being written.

    =========== ==================================================== ============ ===========
    depth       made of                                              read latency write delay
    =========== ==================================================== ============ ===========
    1           a register                                           0            0
    2, 3        registers, and one behind the choice                 1            0
    4 ... 16    RAM, and a register behind it                        1            0
    17 and more block RAM, and a register behind it if `registered`  2, or 1      1, or 0
    =========== ==================================================== ============ ===========

    Parameters
    ----------
    depth : int
        Words.
    width : int
        Bits of a word.
    registered : bool
        Block RAM has an output register, and whatever is shorter may be RAM that is read within a clock.

    Members
    -------
    read_address : In, read_enable : In(1), read_clear : In(1), read_data : Out(width)
        `read_data` belongs to the address of `read_latency` clocks before; `read_enable` goes with the
        address and is 1 where it is not connected. With `read_clear` it is 0 instead. What was read last stays
        until the data of the next read, but with a depth of 1.
    write_enable : In(1), write_address : In, write_data : In(width)

    Attributes
    ----------
    read_latency, write_delay : int
        Clocks from an address to its data, and those by which a write may come later and still be seen in time.
    """

    def __init__(self, depth: int, width: int, *, registered: bool = True) -> None:
        self.depth, self._registered = depth, registered
        self.read_latency, self.write_delay = file_latency(depth, registered=registered)
        address = range(max(depth, 2))
        super().__init__(
            {
                "read_address": In(address),
                "read_enable": In(1, init=1),
                "read_clear": In(1),
                "read_data": Out(width),
                "write_enable": In(1),
                "write_address": In(address),
                "write_data": In(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(self.read_data)
        value = Signal(width, name="value", reset_less=True)
        m.d.comb += self.read_data.eq(value)
        if self.depth == 1:
            m.d.comb += self.read_data.eq(Mux(self.read_clear, 0, value))
            with m.If(self.write_enable):
                m.d.sync += value.eq(self.write_data)
        elif self.depth <= REGISTERS_UP_TO:
            words = Array(Signal(width, name=f"word_{k}", reset_less=True) for k in range(self.depth))
            with m.If(self.read_enable):
                m.d.sync += value.eq(Mux(self.read_clear, 0, words[self.read_address]))
            for index, word in enumerate(words):
                with m.If(self.write_enable & (self.write_address == index)):
                    m.d.sync += word.eq(self.write_data)
        else:
            self._memory(m, value)
        return m

    def _memory(self, m: Module, value: Signal) -> None:
        at_once = self._registered and self.depth <= LOGIC_UP_TO
        m.submodules.memory = store = memory.Memory(
            shape=len(value), depth=self.depth, init=[], attrs=COLLISION_FREE
        )
        write, read = store.write_port(), store.read_port(domain="comb" if at_once else "sync")
        m.d.comb += [
            read.addr.eq(self.read_address),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write_enable),
        ]
        if at_once:
            with m.If(self.read_enable):
                m.d.sync += value.eq(Mux(self.read_clear, 0, read.data))
            return
        m.d.comb += read.en.eq(self.read_enable)
        cleared = Signal(reset_less=True)
        with m.If(self.read_enable):
            m.d.sync += cleared.eq(self.read_clear)
        data = Mux(cleared, 0, read.data)
        if self.read_latency == 1:
            m.d.comb += value.eq(data)
        else:
            # It begins at 1, so that it is no register where reads are always enabled.
            enabled = Signal(init=1)
            m.d.sync += enabled.eq(self.read_enable)
            with m.If(enabled):
                m.d.sync += value.eq(data)


class WordRom(wiring.Component):
    """Constants, one word per word of neurons; `data` belongs to the address of one clock before."""

    def __init__(self, words: list[int], width: int) -> None:
        self._words = words
        super().__init__({"address": In(range(max(len(words), 2))), "data": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if len(self._words) == 1:
            m.d.comb += self.data.eq(self._words[0])
        else:
            m.submodules.memory = store = memory.Memory(
                shape=len(self.data), depth=len(self._words), init=self._words
            )
            read = store.read_port()
            m.d.comb += [read.addr.eq(self.address), self.data.eq(read.data)]
        return m
