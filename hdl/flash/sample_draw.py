# SPDX-License-Identifier: BSD-2-Clause
"""Seeds and shifts of samples: the hash of a sample's number, a bit of the factor in a clock."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.flash.layout import MAX_SHIFT
from erbium.hdl.tokens import SEED_WIDTH

WIDTH = 64
INCREMENT = 0x9E3779B97F4A7C15
FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
SHIFTS = (30, 27, 31)
"""Of splitmix64 (Steele, Lea and Flood, OOPSLA 2014), of which :func:`erbium.sw_model.constants.hash64` is made."""

_SPAN_BITS = (2 * MAX_SHIFT + 1).bit_length()
_DRAW_BITS = 24


class Draw(data.StructLayout):
    """What is drawn for a sample: its seed, and by how many pixels it is moved down and right."""

    def __init__(self) -> None:
        signed = Shape(_SPAN_BITS, signed=True)
        super().__init__({"seed": SEED_WIDTH, "down": signed, "right": signed})


class SampleDraw(wiring.Component):
    """Draws for one sample after the other.

    The hash of the words ``w, ..., n`` is, with the state `s` after the words before the last, and all modulo 2**64::

        s = (s ^ n) + 0x9E3779B97F4A7C15
        s = (s ^ s >> 30) * 0xBF58476D1CE4E5B9
        s = (s ^ s >> 27) * 0x94D049BB133111EB
        s = s ^ s >> 31

    The seed is its upper half; for a shift of up to k pixels its bits 40 to 63 and 8 to 31, modulo 2k + 1 and less k,
    are the pixels down and right. So both are those of :func:`erbium.sw_model.constants.sample_seeds` and
    :func:`erbium.sw_model.constants.image_shifts`, of which the host takes the states before the number.

    Members
    -------
    number_i : In(stream of 32)
        Numbers of samples.
    seed_state, shift_state : In(64)
        States of the hash before the number.
    shift : In(3)
        k, 0 ... 4. The three stay while a number is there and until its draw is.
    draw_o : Out(stream of Draw)

    Notes
    -----
    One adder of 64 bits: a factor takes 64 clocks, a seed 134, a seed and a shift 294, so a draw is made while the
    sample before is on its way.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "number_i": In(stream.Signature(32)),
                "seed_state": In(WIDTH),
                "shift_state": In(WIDTH),
                "shift": In(MAX_SHIFT.bit_length()),
                "draw_o": Out(stream.Signature(Draw())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total, factor = Signal(WIDTH), Signal(WIDTH)  # what is formed, and what is added to it, shifted
        bit = Signal(range(WIDTH))
        second, of_shift = Signal(), Signal()
        span = Signal(_SPAN_BITS)
        rests = [Signal(_SPAN_BITS, name=name) for name in ("down", "right")]
        out = self.draw_o.payload
        factor_bit = Mux(second, _bit_of(FACTORS[1], bit), _bit_of(FACTORS[0], bit))
        m.d.comb += span.eq((self.shift << 1) | 1)
        with m.FSM():
            with m.State("NUMBER"):
                m.d.sync += of_shift.eq(0)
                with m.If(self.number_i.valid & ~self.draw_o.valid):
                    m.d.sync += [out.down.eq(0), out.right.eq(0)]
                    m.next = "FIRST"
            with m.State("FIRST"):
                state = Mux(of_shift, self.shift_state, self.seed_state)
                m.d.sync += [
                    total.eq((state ^ self.number_i.payload) + Const(INCREMENT, WIDTH)),
                    second.eq(0),
                ]
                m.next = "MIX"
            with m.State("MIX"):
                shifted = Mux(second, total >> SHIFTS[1], total >> SHIFTS[0])
                m.d.sync += [factor.eq(total ^ shifted), total.eq(0), bit.eq(0)]
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.sync += [
                    total.eq(total + Mux(factor_bit, factor, 0)),
                    factor.eq(factor << 1),
                    bit.eq(bit + 1),
                ]
                with m.If(bit == WIDTH - 1):
                    m.d.sync += second.eq(1)
                    m.next = "MIX"
                    with m.If(second):
                        m.next = "LAST"
            with m.State("LAST"):
                m.d.sync += [factor.eq(total ^ (total >> SHIFTS[2])), bit.eq(0)]
                m.d.sync += [rest.eq(0) for rest in rests]
                m.next = "TAKE"
            with m.State("TAKE"):
                with m.If(of_shift):
                    m.next = "DIVIDE"
                with m.Else():
                    m.d.sync += [out.seed.eq(factor[WIDTH - SEED_WIDTH :]), of_shift.eq(1)]
                    m.next = "FIRST"
                    with m.If(self.shift == 0):
                        m.next = "DONE"
            with m.State("DIVIDE"):
                # Both rests at once, from the highest bit down; the bits move up past places 63 and 31.
                for rest, place in zip(rests, (63, 31), strict=True):
                    m.d.sync += rest.eq(_rest(rest, factor[place], span))
                m.d.sync += [factor.eq(factor << 1), bit.eq(bit + 1)]
                with m.If(bit == _DRAW_BITS - 1):
                    m.next = "CENTRE"
            with m.State("CENTRE"):
                m.d.sync += [out.down.eq(rests[0] - self.shift), out.right.eq(rests[1] - self.shift)]
                m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.number_i.ready.eq(1)
                m.d.sync += self.draw_o.valid.eq(1)
                m.next = "NUMBER"
        with m.If(self.draw_o.valid & self.draw_o.ready):
            m.d.sync += self.draw_o.valid.eq(0)
        return m


def _bit_of(constant: int, place: Signal) -> Value:
    """Return a bit of a constant."""
    return Array(Const(constant >> number & 1, 1) for number in range(WIDTH))[place]


def _rest(rest: Value, bit: Value, span: Value) -> Value:
    """Return the rest of a number with one bit more after it."""
    twice = (rest << 1) | bit
    return Mux(twice >= span, twice - span, twice)[:_SPAN_BITS]
