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
    end : Out
        Address behind its last word.
    read_address : In, read_enable : In(1)
        Word 0 is what its ``BEGIN`` said, the others have four pixels each.
    begin : Out(Begin), group : Out(4 x PixelEntry)
        The word, one clock after its address, until the next one is read.
    release : In(1)
        The sample has been read for the last time.

    Notes
    -----
    One token per clock. Pixels that cannot spike are dropped, as are those beyond `n_inputs`. A sample that is not
    ended is given up by the next ``BEGIN``.
    """

    def __init__(self, n_inputs: int, levels: Levels = ()) -> None:
        self._n_inputs, self._levels = n_inputs, levels
        self.max_words = 1 + -(-n_inputs // GROUP)
        self.entry = PixelEntry(n_inputs, levels)
        super().__init__(
            {
                "sample_i": In(stream.Signature(SampleToken())),
                "available": Out(1),
                "end": Out(range(self.max_words + 1)),
                "read_address": In(range(self.max_words)),
                "read_enable": In(1),
                "begin": Out(Begin()),
                "group": Out(data.ArrayLayout(self.entry, GROUP)),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        address_bits = ceil_log2(self.max_words)
        # Each place of a word is written by itself. Together they hold a BEGIN, too.
        width = max(self.entry.size, -(-Begin().size // GROUP))
        m.submodules.memory = store = memory.Memory(shape=width * GROUP, depth=2 << address_bits, init=[])
        write, read = store.write_port(granularity=width), store.read_port()

        full = Signal(2)
        writing, reading = Signal(), Signal()
        ends = Array(Signal.like(self.end, name=f"end_{bank}") for bank in range(2))
        token = self.sample_i.payload
        pixel = data.View(Pixel(), token.data[: Pixel().size])
        end = Signal.like(self.end, name="written")
        place = Signal(range(GROUP))
        takes, keeps = Signal(), Signal()
        value = Signal(self.entry["value"].width)
        m.d.comb += [
            value.eq(self._value(pixel.value)),
            self.sample_i.ready.eq(~full.bit_select(writing, 1)),
            takes.eq(self.sample_i.valid & self.sample_i.ready),
            keeps.eq((value != 0) & (end != self.max_words) & (pixel.address < self._n_inputs)),
            write.addr.eq(Cat(end[:address_bits], writing)),
        ]
        address = pixel.address[: self.entry["address"].width]
        for position in range(GROUP):
            # The first pixel of a word empties the other places.
            there = Mux(place == position, value, 0)
            m.d.comb += write.data.word_select(position, width).eq(Cat(there, address))
        with m.If(takes):
            with m.Switch(token.kind):
                with m.Case(SampleKind.BEGIN):
                    m.d.comb += [
                        write.addr.eq(Cat(Const(0, address_bits), writing)),
                        write.data.eq(token.data),
                        write.en.eq(-1),
                    ]
                    m.d.sync += [end.eq(1), place.eq(0)]
                with m.Case(SampleKind.PIXEL), m.If(keeps):
                    m.d.comb += write.en.eq(Mux(place == 0, -1, 1 << place))
                    m.d.sync += [place.eq(place + 1), end.eq(end + (place == GROUP - 1))]
                with m.Case(SampleKind.END):
                    m.d.sync += [
                        ends[writing].eq(end + (place != 0)),
                        full.bit_select(writing, 1).eq(1),
                        writing.eq(~writing),
                    ]

        m.d.comb += [
            read.addr.eq(Cat(self.read_address[:address_bits], reading)),
            read.en.eq(self.read_enable),
            self.available.eq(full.bit_select(reading, 1)),
            self.end.eq(ends[reading]),
            self.begin.eq(read.data),
        ]
        for position in range(GROUP):
            m.d.comb += self.group[position].eq(read.data.word_select(position, width))
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
