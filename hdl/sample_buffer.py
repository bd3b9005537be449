# SPDX-License-Identifier: BSD-2-Clause
"""Holds the nonzero pixels of the present sample while the next one is loaded."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from erbium.hdl.tokens import Begin, Pixel, SampleKind, SampleToken

GROUP = 4
"""Pixels of one word: as many as one 32-bit draw has bytes."""

Levels = tuple[tuple[int, int], ...]


class PixelEntry(data.StructLayout):
    """One pixel that can spike: value and address. A value of 0 marks an empty place.

    The value is that of the pixel or, with a latency encoder, the number of its level counted from 1.
    """

    def __init__(self, n_inputs: int, levels: Levels = ()) -> None:
        super().__init__({"value": bits_for(len(levels)) if levels else 8, "address": bits_for(n_inputs - 1)})


class SampleBuffer(wiring.Component):
    """Two banks of pixel lists: one is read while the other is written.

    Parameters
    ----------
    n_inputs : int
    levels : tuple of (int, int)
        Of the latency encoder, see :class:`erbium.sw_model.rules.LatencyEncoder`; empty for another one.

    Members
    -------
    sample_i : In(stream of SampleToken)
        ``BEGIN PIXEL* END``. Waits while both banks are full.
    available : Out(1)
        A complete sample is there to be read.
    begin : Out(Begin), groups : Out
        What its ``BEGIN`` said, and its number of words of four pixels.
    read_address : In, read_enable : In(1), read_data : Out(4 x PixelEntry)
        Data two clocks after the address.
    release : In(1)
        The sample has been read for the last time.

    Notes
    -----
    One token per clock. Pixels that cannot spike are dropped, as are those beyond `n_inputs`.
    """

    def __init__(self, n_inputs: int, levels: Levels = ()) -> None:
        self._n_inputs, self._levels = n_inputs, levels
        self.max_groups = -(-n_inputs // GROUP)
        self.entry = PixelEntry(n_inputs, levels)
        super().__init__(
            {
                "sample_i": In(stream.Signature(SampleToken())),
                "available": Out(1),
                "begin": Out(Begin()),
                "groups": Out(range(self.max_groups + 1)),
                "read_address": In(range(max(self.max_groups, 2))),
                "read_enable": In(1),
                "read_data": Out(data.ArrayLayout(self.entry, GROUP)),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        address_bits = ceil_log2(max(self.max_groups, 2))
        width = self.entry.size * GROUP
        m.submodules.memory = store = memory.Memory(shape=width, depth=2 << address_bits, init=[])
        write, read = store.write_port(), store.read_port()

        full = Signal(2)
        writing, reading = Signal(), Signal()
        headers = Array(Signal(Begin(), name=f"begin_{bank}") for bank in range(2))
        counts = Array(Signal(range(self.max_groups + 1), name=f"groups_{bank}") for bank in range(2))
        token = self.sample_i.payload
        pixel = data.View(Pixel(), token.data[: Pixel().size])
        held = Signal(width)
        place = Signal(range(GROUP))
        count = counts[writing]
        takes = Signal()
        keeps = Signal()
        value = Signal(self.entry["value"].width)
        m.d.comb += value.eq(self._value(pixel.value))
        m.d.comb += [
            self.sample_i.ready.eq(~full.bit_select(writing, 1)),
            takes.eq(self.sample_i.valid & self.sample_i.ready),
            keeps.eq((value != 0) & (count != self.max_groups) & (pixel.address < self._n_inputs)),
            write.addr.eq(Cat(count[:address_bits], writing)),
        ]
        entry = Cat(value, pixel.address[: self.entry["address"].width])
        with m.If(takes):
            with m.Switch(token.kind):
                with m.Case(SampleKind.BEGIN):
                    m.d.sync += [headers[writing].eq(token.data), count.eq(0), place.eq(0), held.eq(0)]
                with m.Case(SampleKind.PIXEL), m.If(keeps):
                    for position in range(GROUP):
                        with m.If(place == position):
                            m.d.comb += write.data.eq(held | (entry << (position * self.entry.size)))
                    m.d.sync += [held.eq(write.data), place.eq(place + 1)]
                    with m.If(place == GROUP - 1):
                        m.d.comb += write.en.eq(1)
                        m.d.sync += [held.eq(0), count.eq(count + 1)]
                with m.Case(SampleKind.END):
                    m.d.comb += write.data.eq(held)
                    with m.If(place != 0):
                        m.d.comb += write.en.eq(1)
                        m.d.sync += count.eq(count + 1)
                    m.d.sync += [full.bit_select(writing, 1).eq(1), writing.eq(~writing)]

        held_enable = Signal()
        m.d.sync += held_enable.eq(self.read_enable)
        with m.If(held_enable):
            m.d.sync += self.read_data.eq(read.data)
        m.d.comb += [
            read.addr.eq(Cat(self.read_address, reading)),
            read.en.eq(self.read_enable),
            self.available.eq(full.bit_select(reading, 1)),
            self.begin.eq(headers[reading]),
            self.groups.eq(counts[reading]),
        ]
        with m.If(self.release):
            m.d.sync += [full.bit_select(reading, 1).eq(0), reading.eq(~reading)]
        return m

    def _value(self, pixel: Value) -> Value:
        """Return what is kept of a pixel's value; 0 if it cannot spike."""
        if not self._levels:
            return pixel
        level: Value = Const(0)
        for number, (lowest, _) in reversed(list(enumerate(self._levels, 1))):
            level = Mux(pixel >= lowest, number, level)
        return level
