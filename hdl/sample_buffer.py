# SPDX-License-Identifier: BSD-2-Clause
"""Holds the nonzero pixels of the present sample while the next one is loaded."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.tokens import Begin, Pixel, SampleKind, SampleToken

LEAST_WORDS = 256
"""Words of the memory at least: those of a small block RAM."""

GROUP = 4
"""Pixels of one word: as many as one 32-bit draw has bytes."""

NIBBLE = 4
"""Bits of half a byte, which may be all that is seen of a pixel."""

Levels = tuple[tuple[int, int], ...]


class PixelEntry(data.StructLayout):
    """One pixel that can spike: value and address. A value of 0 marks an empty place.

    The value is that of the pixel or, with a latency encoder, the number of its level counted from 1.
    """

    def __init__(self, n_inputs: int, levels: Levels = ()) -> None:
        super().__init__({"value": bits_for(len(levels)) if levels else 8, "address": bits_for(n_inputs - 1)})


def kept_value(levels: Levels, pixel_bits: int, pixel: Value) -> Value:
    """Return what is kept of a pixel's value; 0 if it cannot spike."""
    if pixel_bits == NIBBLE:
        # Times 17.
        pixel = pixel[NIBBLE:].replicate(2)
    if not levels:
        return pixel
    level: Value = Const(0)
    for number, (lowest, _) in reversed(list(enumerate(levels, 1))):
        level = Mux(pixel >= lowest, number, level)
    return level


def sample_words(n_inputs: int) -> int:
    """Return the words of the memory: a power of two, more than those of the largest sample."""
    return max(LEAST_WORDS, 1 << bits_for(1 + -(-n_inputs // GROUP)))


class SampleBuffer(wiring.Component):
    """A ring of pixel lists: one sample is read while the next one is written.

    Parameters
    ----------
    n_inputs : int
    levels : tuple of (int, int)
        Of the latency encoder, see :class:`erbium.sw_model.rules.LatencyEncoder`; empty for another one.
    pixel_bits : int
        Of 4 the upper half of a pixel is seen, as both halves.

    Members
    -------
    sample_i : In(stream of SampleToken)
        ``BEGIN PIXEL* END``. Waits while two samples are there, or no room; there always is for one sample.
    available : Out(1)
        A complete sample is there to be read.
    start, end : Out
        Address of its first word, and the one behind its last word; addresses wrap around.
    read_address : In, read_enable : In(1)
        The first word is what its ``BEGIN`` said, the others have four pixels each.
    begin : Out(Begin), group : Out(4 x PixelEntry)
        The word, one clock after its address, until the next one is read.
    release : In(1)
        The sample has been read for the last time.

    Notes
    -----
    One token per clock. Pixels that cannot spike are dropped, as are those beyond `n_inputs`. A sample that is not
    ended is given up by the next ``BEGIN``. Two samples fit up to 508 pixels that can spike, or half of what `depth`
    words hold.

    Attributes
    ----------
    depth : int
        Words: a power of two, at least 256, more than those of the largest sample.
    """

    def __init__(self, n_inputs: int, levels: Levels = (), pixel_bits: int = 8) -> None:
        self._n_inputs, self._levels, self._pixel_bits = n_inputs, levels, pixel_bits
        self.depth = sample_words(n_inputs)
        self.entry = PixelEntry(n_inputs, levels)
        super().__init__(
            {
                "sample_i": In(stream.Signature(SampleToken())),
                "available": Out(1),
                "start": Out(range(self.depth)),
                "end": Out(range(self.depth)),
                "read_address": In(range(self.depth)),
                "read_enable": In(1),
                "begin": Out(Begin()),
                "group": Out(data.ArrayLayout(self.entry, GROUP)),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Each place of a word is written by itself. Together they hold a BEGIN, too.
        width = max(self.entry.size, -(-Begin().size // GROUP))
        m.submodules.memory = store = memory.Memory(
            shape=width * GROUP, depth=self.depth, init=[], attrs=COLLISION_FREE
        )
        write, read = store.write_port(granularity=width), store.read_port()

        # The sample that is written starts behind the last complete one.
        complete = Signal(range(3))
        base, at = Signal.like(self.start, name="base"), Signal.like(self.start, name="at")
        place = Signal(range(GROUP))
        token = self.sample_i.payload
        pixel = data.View(Pixel(), token.data[: Pixel().size])
        takes, keeps, begins = Signal(), Signal(), Signal()
        value = Signal(self.entry["value"].width)
        behind = (at + (place != 0))[: len(at)]
        # All places are taken when the ring comes to the start. That stops an END, too, which would fit: so this is
        # known before the token is.
        full = (complete != 0) & ((base == self.start) | (at == self.start))
        m.d.comb += [
            value.eq(kept_value(self._levels, self._pixel_bits, pixel.value)),
            begins.eq(token.kind == SampleKind.BEGIN),
            self.sample_i.ready.eq(~complete[1] & ~full),
            takes.eq(self.sample_i.valid & self.sample_i.ready),
            keeps.eq((value != 0) & (pixel.address < self._n_inputs)),
            write.addr.eq(Mux(begins, base, at)),
        ]
        address = pixel.address[: self.entry["address"].width]
        for position in range(GROUP):
            # The first pixel of a word empties the other places.
            there = Mux(place == position, value, 0)
            m.d.comb += write.data.word_select(position, width).eq(Cat(there, address))
        with m.If(takes):
            with m.Switch(token.kind):
                with m.Case(SampleKind.BEGIN):
                    m.d.comb += [write.data.eq(token.data), write.en.eq(-1)]
                    m.d.sync += [at.eq(base + 1), place.eq(0)]
                with m.Case(SampleKind.PIXEL), m.If(keeps):
                    m.d.comb += write.en.eq(Mux(place == 0, -1, 1 << place))
                    m.d.sync += [place.eq(place + 1), at.eq(at + (place == GROUP - 1))]
                with m.Case(SampleKind.END):
                    m.d.sync += base.eq(behind)
                    with m.If(~self.available | self.release):
                        m.d.sync += self.end.eq(behind)

        ends = takes & (token.kind == SampleKind.END)
        m.d.sync += complete.eq(complete + ends - self.release)
        with m.If(self.release):
            m.d.sync += self.start.eq(self.end)
            with m.If(~ends):
                m.d.sync += self.end.eq(base)
        m.d.comb += [
            read.addr.eq(self.read_address),
            read.en.eq(self.read_enable),
            self.available.eq(complete != 0),
            self.begin.eq(read.data),
        ]
        for position in range(GROUP):
            m.d.comb += self.group[position].eq(read.data.word_select(position, width))
        return m
