# SPDX-License-Identifier: BSD-2-Clause
"""Plays a block of the flash as a sample: pixels unpacked and moved."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.bounds import exceeds
from erbium.hdl.flash.layout import MAX_SHIFT, PixelKind, most_sample_octets
from erbium.hdl.flash.sample_draw import Draw
from erbium.hdl.runs import RUN_LIMIT
from erbium.hdl.tokens import ADDRESS_WIDTH, LABEL_WIDTH, Begin, Pixel, SampleKind, SampleToken

SIDE_BITS = 8
"""Bits of the height and the width of an image."""

_SIGNED = Shape(SIDE_BITS + 2, signed=True)
"""Of a row or column, which may lie up to four pixels outside of the image."""


@dataclass(frozen=True)
class _Place:
    """Where a pixel goes: its row, its column, its address; and what these are after the last pixel of each."""

    row: Signal
    column: Signal
    address: Signal
    last_column: Signal
    end_row: Signal


class SamplePlayer(wiring.Component):
    """Makes a sample of a block.

    Parameters
    ----------
    n_inputs, n_classes : int
    address_bits : int
        Of a byte in a block.

    Members
    -------
    play : In(1)
        A block is there that is to be played; stays until `done` or, where it is `wrong`, until that was seen.
    length : In(16)
        Bytes of it.
    address : Out, data_i : In(8)
        A byte of it, a clock after its address.
    pixels : In(1)
        How they are kept, of :class:`erbium.hdl.flash.layout.PixelKind`.
    height, width : In(8)
        Of the image, 1 ... 255. They stay, as does `pixels`, while a block is played.
    learn : In(1)
        The sample is to be learned.
    draw_i : In(stream of Draw)
        Seed and shift: a pixel at row y and column x goes to row y + down and column x + right, or is dropped where
        that lies outside of the image.
    sample_o : Out(stream of SampleToken)
        ``BEGIN PIXEL* END``; without ``END`` if the block is wrong.
    label : Out(8)
        Of the block.
    done : Out(1)
        One clock: the ``END`` has been taken.
    wrong : Out(1)
        The block says what cannot be: a label that is no class, more or fewer pixels than there are.

    Notes
    -----
    One clock per pixel that is black or outside, one per token for each of the others where they are bits, and two
    where they are runs; 1 more per run, 6 per sample.
    """

    def __init__(self, n_inputs: int, n_classes: int, address_bits: int) -> None:
        self._n_inputs, self._n_classes = n_inputs, n_classes
        super().__init__(
            {
                "play": In(1),
                "length": In(16),
                "address": Out(address_bits),
                "data_i": In(8),
                "pixels": In(PixelKind),
                "height": In(SIDE_BITS),
                "width": In(SIDE_BITS),
                "learn": In(1),
                "draw_i": In(stream.Signature(Draw())),
                "sample_o": Out(stream.Signature(SampleToken())),
                "label": Out(LABEL_WIDTH),
                "done": Out(1),
                "wrong": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        out, draw = self.sample_o, self.draw_i.payload
        begin = data.View(Begin(), out.payload.data)
        pixel = data.View(Pixel(), out.payload.data[: Pixel().size])
        place = _Place(
            Signal(_SIGNED, name="row"),
            Signal(_SIGNED, name="column"),
            Signal(Shape(ADDRESS_WIDTH + 2, signed=True), name="place"),
            Signal(_SIGNED, name="last_column"),
            Signal(_SIGNED, name="end_row"),
        )
        at = Signal(16)
        bits, left = Signal(8), Signal(range(RUN_LIMIT))
        inside, over, ended = Signal(), Signal(), Signal()
        m.d.comb += [
            self.address.eq(at[: len(self.address)]),
            inside.eq(_within(place.row, self.height) & _within(place.column, self.width)),
            over.eq(place.row == place.end_row),
            ended.eq(at == self.length),
        ]
        length_of_bits = most_sample_octets(self._n_inputs, PixelKind.BITS)

        def show(value: Value) -> None:
            m.d.comb += [
                out.valid.eq(1),
                out.payload.kind.eq(SampleKind.PIXEL),
                pixel.value.eq(value),
                pixel.address.eq(place.address),
            ]

        with m.FSM():
            with m.State("REST"):
                m.d.sync += at.eq(0)
                with m.If(self.play):
                    m.next = "FETCH LABEL"
            with m.State("FETCH LABEL"):
                m.next = "LABEL"
            with m.State("LABEL"):
                m.d.sync += [self.label.eq(self.data_i), at.eq(1)]
                m.next = "BEGIN"
                bad_length = (self.pixels == PixelKind.BITS) & (self.length != length_of_bits)
                with m.If(exceeds(self.data_i, self._n_classes - 1) | bad_length):
                    m.next = "WRONG"
            with m.State("BEGIN"):
                m.d.comb += [
                    out.valid.eq(self.draw_i.valid),
                    self.draw_i.ready.eq(out.ready),
                    out.payload.kind.eq(SampleKind.BEGIN),
                    begin.seed.eq(draw.seed),
                    begin.label.eq(self.label),
                    begin.learn.eq(self.learn),
                ]
                with m.If(out.valid & out.ready):
                    self._enter(m, place)
                    m.next = "NEXT"
            with m.State("NEXT"):
                # The byte at this address is there: nothing moved it in the last clock.
                with m.If(ended):
                    m.next = "END"
                with m.Else():
                    m.d.sync += [at.eq(at + 1), bits.eq(self.data_i), left.eq(self.data_i)]
                    with m.If(self.pixels == PixelKind.BITS):
                        m.d.sync += left.eq(7)
                        m.next = "BITS"
                    with m.Elif(self.data_i[-1]):
                        m.next = "FETCH"
                    with m.Else():
                        m.next = "BLACK"
            with m.State("BITS"):
                # Behind the last pixel there are spare bits.
                passes = Signal()
                with m.If(bits[0] & inside & ~over):
                    show(Const(255, 8))
                m.d.comb += passes.eq(~out.valid | out.ready)
                with m.If(passes):
                    self._step(m, place)
                    m.d.sync += [bits.eq(bits >> 1), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.d.sync += [at.eq(at + 1), bits.eq(self.data_i), left.eq(7)]
                        with m.If(ended):
                            m.d.sync += at.eq(at)
                            m.next = "END"
            with m.State("BLACK"):
                self._step(m, place)
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.next = "NEXT"
                with m.If(over):
                    m.next = "WRONG"
            with m.State("FETCH"):
                m.next = "VALUE"
            with m.State("VALUE"):
                value_passes = Signal()
                with m.If(self.data_i.any() & inside & ~over & ~ended):
                    show(self.data_i)
                m.d.comb += value_passes.eq(~out.valid | out.ready)
                with m.If(value_passes):
                    self._step(m, place)
                    m.d.sync += [at.eq(at + 1), left.eq(left - 1)]
                    m.next = "FETCH"
                    with m.If(left == 0):
                        m.next = "FETCH NEXT"
                    with m.If(over | ended):
                        m.next = "WRONG"
            with m.State("FETCH NEXT"):
                m.next = "NEXT"
            with m.State("END"):
                m.d.comb += [out.valid.eq(1), out.payload.kind.eq(SampleKind.END), self.done.eq(out.ready)]
                with m.If(out.ready):
                    m.next = "REST"
            with m.State("WRONG"):
                m.d.comb += self.wrong.eq(1)
                with m.If(~self.play):
                    m.next = "REST"
        return m

    def _enter(self, m: Module, place: _Place) -> None:
        """Go to where the first pixel goes."""
        draw = self.draw_i.payload
        rows = sum(
            (Mux(draw.down[bit], self.width << bit, 0) for bit in range(MAX_SHIFT.bit_length())), Const(0)
        )
        # The highest bit counts negative.
        sign = Mux(draw.down[-1], self.width << MAX_SHIFT.bit_length(), 0)
        m.d.sync += [
            place.row.eq(draw.down),
            place.column.eq(draw.right),
            place.last_column.eq(self.width - 1 + draw.right),
            place.end_row.eq(self.height + draw.down),
            place.address.eq(rows - sign + draw.right),
        ]

    def _step(self, m: Module, place: _Place) -> None:
        """Go to where the next pixel goes."""
        m.d.sync += [place.column.eq(place.column + 1), place.address.eq(place.address + 1)]
        with m.If(place.column == place.last_column):
            m.d.sync += [
                place.row.eq(place.row + 1),
                place.column.eq(place.last_column - self.width + 1),
            ]


def _within(place: Signal, size: Value) -> Value:
    """Return whether a row or a column is one of the image."""
    return ~place[-1] & (place[:-1] < Cat(size))
