# SPDX-License-Identifier: BSD-2-Clause
"""Holds all pixels of the present sample, each at its own address."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.sample_buffer import Levels, PixelEntry, kept_value
from erbium.hdl.tokens import Begin, Pixel, SampleKind, SampleToken


class PixelMemory(wiring.Component):
    """One sample, read pixel by pixel as often as it takes: the smaller sibling of `SampleBuffer`.

    Parameters
    ----------
    n_inputs : int
    levels : tuple of (int, int)
        Of the latency encoder; empty for another one.
    pixel_bits : int
        Of 4 the upper half of a pixel is seen, as both halves.

    Members
    -------
    sample_i : In(stream of SampleToken)
        ``BEGIN PIXEL* END``, addresses ascending. Waits while a sample is there.
    available : Out(1), begin : Out(Begin)
        A complete sample is there to be read; what its ``BEGIN`` said.
    there : Out(1), group : Out(1 x PixelEntry)
        The next pixel; a value of 0 cannot spike.
    over : Out(1)
        All pixels have been taken.
    taken : In(1), restart : In(1)
        The next pixel is taken; go back to the first one.
    read_address : Out, read_enable : Out(1)
        The pixel that is there from the next clock on.
    release : In(1)
        The sample has been read for the last time.

    Notes
    -----
    One pixel per clock, in and out, of `n_inputs` each: those that are left out are filled in. Pixels beyond `n_inputs`
    are dropped, and a sample that is not ended is given up by the next ``BEGIN``.

    Attributes
    ----------
    depth : int
        Pixels.
    """

    def __init__(self, n_inputs: int, levels: Levels = (), pixel_bits: int = 8) -> None:
        self.depth, self._levels, self._pixel_bits = n_inputs, levels, pixel_bits
        self.entry = PixelEntry(n_inputs, levels)
        super().__init__(
            {
                "sample_i": In(stream.Signature(SampleToken())),
                "available": Out(1),
                "begin": Out(Begin()),
                "there": Out(1),
                "group": Out(data.ArrayLayout(self.entry, 1)),
                "over": Out(1),
                "taken": In(1),
                "restart": In(1),
                "read_address": Out(range(n_inputs)),
                "read_enable": Out(1),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self.entry["value"].width
        m.submodules.memory = store = memory.Memory(
            shape=width, depth=self.depth, init=[], attrs=COLLISION_FREE
        )
        write, read = store.write_port(), store.read_port()
        token = self.sample_i.payload
        pixel = data.View(Pixel(), token.data[: Pixel().size])

        # The place that is filled or read next; `whole`: there is none.
        place = Signal(range(self.depth + 1))
        whole, here, fills, fetches = Signal(), Signal(), Signal(), Signal()
        at = Signal(self.entry["address"].width, reset_less=True)
        is_begin, is_pixel = token.kind == SampleKind.BEGIN, token.kind == SampleKind.PIXEL
        m.d.comb += [
            whole.eq(place == self.depth),
            here.eq(is_pixel & (pixel.address == place)),
            fills.eq(self.sample_i.valid & ~self.available & ~is_begin & ~whole),
            fetches.eq(self.available & ~whole & (~self.there | self.taken)),
            self.sample_i.ready.eq(~self.available & (is_begin | here | whole)),
            *(write.addr.eq(place), write.en.eq(fills)),
            write.data.eq(Mux(here, kept_value(self._levels, self._pixel_bits, pixel.value), 0)),
            *(self.read_address.eq(place), self.read_enable.eq(fetches)),
            *(read.addr.eq(place), read.en.eq(fetches)),
            *(self.group[0].value.eq(read.data), self.group[0].address.eq(at)),
            self.over.eq(whole & ~self.there),
        ]
        m.d.sync += [place.eq(place + (fills | fetches)), self.there.eq(fetches | (self.there & ~self.taken))]
        with m.If(fetches):
            m.d.sync += at.eq(place)
        with m.If(self.sample_i.valid & self.sample_i.ready & ~is_pixel):
            m.d.sync += [place.eq(0), self.available.eq(~is_begin)]
            with m.If(is_begin):
                m.d.sync += self.begin.eq(token.data)
        with m.If(self.restart):
            m.d.sync += [place.eq(0), self.there.eq(0)]
        with m.If(self.release):
            m.d.sync += [place.eq(0), self.there.eq(0), self.available.eq(0)]
        return m
