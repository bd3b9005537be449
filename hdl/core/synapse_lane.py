# SPDX-License-Identifier: BSD-2-Clause
"""One synapse per clock: what it adds to the port of its neuron, and how its weight learns."""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HEIGHT_LAYOUT
from erbium.hdl.fixed import delayed, saturated
from erbium.hdl.rng import mixed_byte

SENT, ADDED, LEARNED = 3, 5, 11
"""Stages at which what is sent, the port's new sum and the new weight are in registers, counted from the slot."""


class SynapseLane(wiring.Component):
    """A lane of the core. Stages are counted from the slot; operands come at stage 2.

    ===== ================================================================================================
    stage what happens
    ===== ================================================================================================
    2     blank-out; the weight is scaled to what is sent; zones meet the history
    3     the zones that are met choose the heights
    4     the word, or 1, is shifted by each height; the port's sum takes what is sent
    5     causal and acausal term are added; the sum is written
    6     the presynaptic term is added: e
    7     the random number of the row is added
    8     the sum is shifted: the step
    9     the step is added to the weight; soft bounds look at the room that is left
    10    the new weight is clamped
    11    it is written
    ===== ================================================================================================

    Parameters
    ----------
    weight_width, window : int
        Bits of a stored weight and of a history.

    Members
    -------
    weight, word : In, signed; history : In; constant : In(16)
        Of the synapse and of its neuron, at stage 2.
    mask : In(1)
        The synapse is there.
    zones : In(6 * window)
        Masks over the history: causal zones 0 to 2, then acausal ones. All 0 where a term has no part in the event.
    transmit, keep, draw
        Whether it sends; blank-out, at stage 2.
    fixed, width, amplitude
        Of the projection: constant during a row pass, as all that follow.
    old : In(16, signed)
        The port's sum, at stage 4.
    negative : In(1)
        Steps are taken from the weight (eRBP) and not added.
    heights, by_word, presynaptic
        Codes of the heights, at stage 3: their signs have the factor g in them.
    finish : In(1), bound : In(16, signed), reversed : In(1), finish_shift : In(4)
        A pass at the end of a sample: e is the way to this bound, with the sign of the word and of g (at stage 2),
        shifted (at stage 3), for neurons with a word.
    learn : In(1), whether the row learns, at stage 10.
    random, rounding : In
        r at stage 7; bits of rounding.
    soft, soft_random, lowest, highest
        Soft bounds: at stage 9.
    sent : Out(18, signed)
        At stage 3.
    total : Out(16, signed)
        At stage 5.
    some : Out(1)
        e is not 0, at stage 8.
    after : Out(weight_width, signed), changed : Out(1)
        At stage 11.
    """

    def __init__(self, weight_width: int, window: int) -> None:
        self._weight_width, self._window = weight_width, window
        signed = Shape(weight_width, signed=True)
        s16 = Shape(16, signed=True)
        super().__init__(
            {
                "weight": In(signed),
                "word": In(s16),
                "history": In(window),
                "constant": In(16),
                "mask": In(1),
                "zones": In(6 * window),
                "keep": In(9),
                "blank": In(32),
                "transmit": In(1),
                "fixed": In(1),
                "width": In(5),
                "amplitude": In(s16),
                "old": In(s16),
                "heights": In(6 * 6),
                "presynaptic": In(6),
                "spiked": In(1),
                "by_word": In(3),
                "negative": In(1),
                "finish": In(1),
                "bound": In(s16),
                "reversed": In(1),
                "finish_shift": In(4),
                "learn": In(1),
                "random": In(16),
                "rounding": In(5),
                "soft": In(1),
                "soft_random": In(7),
                "lowest": In(s16),
                "highest": In(s16),
                "sent": Out(Shape(18, signed=True)),
                "total": Out(s16),
                "some": Out(1),
                "after": Out(signed),
                "changed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept = Signal()
        in_time = self.keep[8] | (mixed_byte(self.blank, self.constant) < self.keep[:8])
        m.d.comb += kept.eq(self.mask & (in_time | ~self.transmit) & (~self.finish | self.word.any()))
        self._send(m, kept)
        self._learn(m, kept)
        return m

    def _send(self, m: Module, kept: Value) -> None:
        scaled = (self.weight << 4) >> (self.width - 4)[:4]
        value, amplitude = self.weight[:3].as_signed(), self.amplitude
        times = Signal(Shape(18, signed=True))
        with m.Switch(value):
            for factor in range(-3, 4):
                with m.Case(factor):
                    m.d.comb += times.eq(
                        amplitude * factor if abs(factor) != 3 else _three(amplitude, factor)
                    )
        sent = Mux(self.fixed, times, scaled)
        m.d.sync += self.sent.eq(Mux(kept & self.transmit, sent, 0))
        added = Signal(Shape(18, signed=True), reset_less=True)
        m.d.sync += added.eq(self.sent)
        # An addend of 18 bits and a sum of 16: the exact sum has 19.
        m.d.sync += self.total.eq(saturated(self.old + added, 16))

    def _learn(self, m: Module, kept: Value) -> None:
        window = self._window
        # Stage 2: which zones are met, and both signs of the word.
        met = Signal(6)
        for zone in range(6):
            hit = (self.history & self.zones.word_select(zone, window)).any()
            m.d.sync += met[zone].eq(hit)
        word, opposite = Signal(Shape(17, signed=True)), Signal(Shape(17, signed=True))
        m.d.sync += [word.eq(self.word), opposite.eq(-self.word)]

        way = Signal(Shape(17, signed=True))
        away = self.word[-1] ^ self.reversed
        m.d.sync += way.eq(Mux(away, self.weight - self.bound, self.bound - self.weight))

        # Stage 3: the height of each term, as an operand and a shift.
        terms = []
        for term in range(3):
            code = Signal(HEIGHT_LAYOUT, name=f"height_{term}")
            if term < 2:
                m.d.comb += code.zero.eq(1)
                for zone in reversed(range(3)):
                    with m.If(met[3 * term + zone]):
                        m.d.comb += code.eq(self.heights.word_select(3 * term + zone, 6))
            else:
                m.d.comb += code.eq(self.presynaptic)
                with m.If(~self.spiked):
                    m.d.comb += code.zero.eq(1)
            operand = Signal(Shape(17, signed=True), name=f"operand_{term}")
            shift = Signal(4, name=f"shift_{term}")
            signed = Mux(
                self.by_word[term],
                Mux(code.negative, opposite, word),
                Mux(code.negative, Const(-1, Shape(17, signed=True)), Const(1, Shape(17, signed=True))),
            )
            m.d.sync += [operand.eq(Mux(code.zero, 0, signed)), shift.eq(code.shift)]
            if term == 2:
                with m.If(self.finish):
                    m.d.sync += [operand.eq(way), shift.eq(self.finish_shift)]
            # Stage 4: shifts of up to 10.
            value = Signal(Shape(27, signed=True), name=f"term_{term}")
            m.d.sync += value.eq(operand << shift)
            terms.append(value)

        # Stages 5 to 8: e, with the random number, shifted.
        pair, last = Signal(Shape(28, signed=True)), Signal(Shape(27, signed=True))
        m.d.sync += [pair.eq(terms[0] + terms[1]), last.eq(terms[2])]
        e = Signal(Shape(29, signed=True))
        m.d.sync += e.eq(pair + last)
        dithered = Signal(Shape(30, signed=True))
        m.d.sync += [dithered.eq(e + self.random), self.some.eq(e != 0)]
        shifted = Signal(Shape(30, signed=True))
        m.d.comb += shifted.eq(dithered >> self.rounding)
        # A step that is larger than all weights is as good as one that is just larger.
        bits = self._weight_width + 2
        step = Signal(Shape(bits, signed=True))
        m.d.sync += step.eq(saturated(shifted, bits))

        # Stages 9 to 11: the weight.
        old = delayed(m, self.weight, 7, "old_weight", cleared=False).as_signed()
        up = Mux(self.negative, step < 0, step > 0)
        room = Mux(up, self.highest - old, old - self.lowest)
        dropped, moved = Signal(), Signal(Shape(bits + 1, signed=True))
        m.d.sync += [
            dropped.eq(self.soft & (self.soft_random >= room)),
            moved.eq(Mux(self.negative, old - step, old + step)),
        ]
        kept_10 = delayed(m, kept, 8, "kept", cleared=False)
        old_10 = delayed(m, old, 1, "older_weight", cleared=False).as_signed()
        wanted = Mux(dropped, old_10, moved)
        clamped = Mux(wanted < self.lowest, self.lowest, Mux(wanted > self.highest, self.highest, wanted))
        new = Signal(Shape(self._weight_width, signed=True))
        m.d.comb += new.eq(Mux(kept_10 & self.learn, clamped, old_10))
        m.d.sync += [self.after.eq(new), self.changed.eq(new != old_10)]


def _three(amplitude: Value, factor: int) -> Value:
    total = (amplitude << 1) + amplitude
    return total if factor > 0 else -total
