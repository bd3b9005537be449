# SPDX-License-Identifier: BSD-2-Clause
"""One synapse per clock: what it adds to the port of its neuron, and how its weight learns."""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HEIGHT_LAYOUT
from erbium.hdl.fixed import delayed, extended, joined, saturated, shifted_up, sum_with_carry
from erbium.hdl.rng import mixed_byte

LEARNED = 11
"""Stage at which the new weight is in a register, counted from the slot."""

N_MASKS = 5
"""Masks over a history: the first zone and the first two, causal and acausal ones; and all ticks that count."""

MOST_SHIFT = 10
"""The largest shift of a height."""

N_COARSE, N_FINE = 5, 4
"""The rounding, 0 ... 16, as fours and what is left, one bit for each value."""

SENT_WIDTH, SUM_WIDTH = 18, 28
"""Bits of what is sent: three times an amplitude; and of e: three words of 16 bits, shifted."""


def scalings(weight_width: int) -> int:
    """Return the number of widths that a scaled weight can have: 4 and more."""
    return weight_width - 3


class SynapseLane(wiring.Component):
    """A lane of the core. Stages are counted from the slot; operands come at stage 2.

    ===== ================================================================================================
    stage what happens
    ===== ================================================================================================
    2     blank-out; a fixed weight chooses a multiple of the amplitude; masks meet the history
    3     any other weight is scaled to what is sent; the first zone that is met chooses the heights; the word, or 1
    4     it is shifted by each height; the port's sum takes what is sent
    5     causal and acausal term are added; the sum is written
    6     the presynaptic term is added: e
    7     the random number of the row is added
    8     the sum is shifted: the step
    9     the step is added to the weight; soft bounds look at the weight
    10    the new weight is clamped
    11    it is written; is it another one
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
    zones : In(5 * window)
        Masks over the history, at stage 2: the first causal zone, the first two, the same of acausal ones, and all
        ticks since the row's last spike.
    transmit, keep, blank
        Whether it sends; blank-out, at stage 2.
    fixed, scale, amplitude, triple
        Of the projection: constant during a row pass, as all that follow. `scale` has a bit for each width of a weight,
        from 4 on, all 0 for fixed ones; `triple` is three times the amplitude.
    old : In(16, signed)
        The port's sum, at stage 4.
    heights : In(6 * 6), presynaptic : In(6), by_word : In(3)
        Codes of the heights, at stage 3, of which those that have no part in the event are 0; whether a term is times
        the word. All signs that the lanes share are in them.
    finish : In(1), bound : In(weight_width, signed), reversed : In(1)
        A pass at the end of a sample: the presynaptic term is the way to this bound, with the sign of the word and of
        g, for neurons with a word. At stage 2.
    learn : In(1)
        The row learns, at stage 9.
    random : In(16)
        r at stage 7.
    coarse : In(5), fine : In(4)
        The rounding as fours and what is left, a bit for each value.
    soft, soft_lowest, soft_highest
        Soft bounds, at stage 8: from these weights on a step is dropped.
    lowest, highest : In(weight_width, signed)
        Bounds of the weights.
    total : Out(16, signed)
        At stage 5.
    quiet : Out(1)
        The random number leaves the synapse out, at stage 3.
    some : Out(1)
        e is not 0, at stage 8.
    after : Out(weight_width, signed)
        At stage 11.
    changed : Out(1)
        At stage 12.

    Notes
    -----
    What all lanes share is prepared outside: signs, masks and shifts as a bit for each value.
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
                "zones": In(N_MASKS * window),
                "keep": In(9),
                "blank": In(32),
                "transmit": In(1),
                "fixed": In(1),
                "scale": In(scalings(weight_width)),
                "amplitude": In(s16),
                "triple": In(Shape(SENT_WIDTH, signed=True)),
                "old": In(s16),
                "heights": In(6 * 6),
                "presynaptic": In(6),
                "by_word": In(3),
                "finish": In(1),
                "bound": In(signed),
                "reversed": In(1),
                "learn": In(1),
                "random": In(16),
                "coarse": In(N_COARSE),
                "fine": In(N_FINE),
                "soft": In(1),
                "soft_lowest": In(Shape(weight_width + 1, signed=True)),
                "soft_highest": In(Shape(weight_width + 1, signed=True)),
                "lowest": In(signed),
                "highest": In(signed),
                "quiet": Out(1),
                "total": Out(s16),
                "some": Out(1),
                "after": Out(signed),
                "changed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        in_time = Signal(reset_less=True)
        m.d.sync += in_time.eq(self.keep[8] | (mixed_byte(self.blank, self.constant) < self.keep[:8]))
        m.d.comb += self.quiet.eq(~in_time)
        # From stage 3 on.
        mask, transmit = (
            delayed(m, value, 1, name, cleared=False)
            for value, name in ((self.mask, "mask"), (self.transmit, "transmit"))
        )
        has_word = delayed(m, ~self.finish | self.word.any(), 1, "has_word", cleared=False)
        kept = Signal()
        m.d.comb += kept.eq(mask & (in_time | ~transmit))
        self._send(m, kept)
        self._learn(m, kept & has_word)
        return m

    def _send(self, m: Module, kept: Value) -> None:
        # Stage 2: the size of a fixed weight, -3 ... 3, chooses a multiple of the amplitude that all lanes share.
        value, amplitude = self.weight[:3], self.amplitude
        sizes = [self.fixed & ((value == size) | (value == 8 - size)) for size in (1, 2, 3)]
        multiples = [Value.cast(each) for each in (amplitude, amplitude << 1, self.triple)]
        times = Signal(SENT_WIDTH, reset_less=True)
        chosen = [
            Mux(size, extended(multiple, SENT_WIDTH), 0)
            for size, multiple in zip(sizes, multiples, strict=True)
        ]
        m.d.sync += times.eq(joined(chosen))
        below = delayed(m, self.fixed & value[2], 1, "below", cleared=False)
        weight = delayed(m, self.weight, 1, "weight", cleared=False)
        # Stage 3: the sign; all other weights become 8 bits. What is not sent is 0 on both ways.
        wide = extended(weight << 4, SENT_WIDTH + len(self.scale))
        scaled = joined(
            Mux(self.scale[number], wide[number : number + SENT_WIDTH], 0)
            for number in range(len(self.scale))
        )
        added = Signal(Shape(SENT_WIDTH, signed=True), reset_less=True)
        carry = delayed(m, kept & below, 1, "carry", cleared=False)
        sent = (times ^ below.replicate(SENT_WIDTH)) | scaled
        m.d.sync += added.eq(sent & kept.replicate(SENT_WIDTH))
        # Stage 4. An addend of 18 bits and a sum of 16: the exact sum has 19.
        m.d.sync += self.total.eq(saturated(sum_with_carry(self.old, added, carry), 16))

    def _learn(self, m: Module, kept: Value) -> None:
        window, width = self._window, self._weight_width
        # Stage 2: which zones are met. The operand is the word, or in a pass at the end the way to the bound.
        met = Signal(N_MASKS, reset_less=True)
        for mask in range(N_MASKS):
            m.d.sync += met[mask].eq((self.history & self.zones.word_select(mask, window)).any())
        operand_width = max(16, width + 1)
        word = Signal(Shape(operand_width, signed=True), reset_less=True)
        m.d.sync += word.eq(Mux(self.finish, self.bound - self.weight, self.word))
        away = delayed(m, self.finish & (self.word[-1] ^ self.reversed), 1, "away", cleared=False)

        # Stage 3: the height of each term, as an operand and a shift. -x is ~x and a carry of 1: a shift fills up
        # with ones, and the carries of the three terms go into the three sums that follow.
        seen = met[N_MASKS - 1]
        terms, carries = [], []
        for term in range(3):
            code = Signal(HEIGHT_LAYOUT, name=f"height_{term}")
            if term < 2:
                near, middle = met[2 * term], met[2 * term + 1]
                codes = [self.heights.word_select(3 * term + zone, 6) for zone in range(3)]
                m.d.comb += code.eq(Mux(near, codes[0], Mux(middle, codes[1], codes[2])))
                there, negative = seen & ~code.zero, code.negative
            else:
                m.d.comb += code.eq(self.presynaptic)
                there, negative = ~code.zero, code.negative ^ away
            carry = Signal(name=f"carry_{term}", reset_less=True)
            operand = Signal(Shape(operand_width, signed=True), name=f"operand_{term}", reset_less=True)
            shift = Signal(4, name=f"shift_{term}", reset_less=True)
            sign = Signal(name=f"sign_{term}")
            m.d.comb += sign.eq(negative & there)
            of_word = self.by_word[term] & there
            size = (word.as_unsigned() & of_word.replicate(operand_width)) | (there & ~self.by_word[term])
            m.d.sync += [
                operand.eq(size ^ sign.replicate(operand_width)),
                carry.eq(sign),
                shift.eq(code.shift),
            ]
            # Stage 4: shifts of up to 10.
            value = Signal(
                Shape(operand_width + MOST_SHIFT, signed=True), name=f"term_{term}", reset_less=True
            )
            m.d.sync += value.eq(shifted_up(operand, shift, MOST_SHIFT, carry))
            terms.append(value)
            carries.append(delayed(m, carry, 1, f"carry_{term}", cleared=False))

        # Stages 5 to 8: e, with the random number, shifted.
        pair = Signal(Shape(SUM_WIDTH, signed=True), reset_less=True)
        m.d.sync += pair.eq(sum_with_carry(terms[0], terms[1], carries[0]))
        last = delayed(m, terms[2], 1, "last_term", cleared=False).as_signed()
        carries[1] = delayed(m, carries[1], 1, "carry_1_of_e", cleared=False)
        carries[2] = delayed(m, carries[2], 2, "carry_2_of_e", cleared=False)
        # Without the carry of the last term: with it, it is e.
        e = Signal(Shape(SUM_WIDTH, signed=True), reset_less=True)
        m.d.sync += e.eq(sum_with_carry(pair, last, carries[1]))
        dithered = Signal(Shape(SUM_WIDTH, signed=True), reset_less=True)
        m.d.sync += [
            dithered.eq(sum_with_carry(e, Cat(self.random, Const(0, 1)).as_signed(), carries[2])),
            self.some.eq((e.as_unsigned() ^ carries[2].replicate(SUM_WIDTH)).any()),
        ]
        # A step that is larger than all weights is as good as one that is just larger.
        bits = width + 2
        step = Signal(Shape(bits, signed=True), reset_less=True)
        m.d.sync += step.eq(self._step(m, dithered, bits))

        # Stages 9 to 11: the weight. One that does not learn takes a step of 0, and is not clamped.
        old_8 = delayed(m, self.weight, 6, "old_weight", cleared=False).as_signed()
        full, empty = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [full.eq(old_8 >= self.soft_highest), empty.eq(old_8 <= self.soft_lowest)]
        old = delayed(m, old_8, 1, "old_weight_9", cleared=False).as_signed()
        learns_9 = delayed(m, kept, 6, "kept", cleared=False) & self.learn
        steps = Signal()
        m.d.comb += steps.eq(learns_9 & ~(self.soft & Mux(step[-1], empty, full)))
        moved = Signal(Shape(bits + 1, signed=True), reset_less=True)
        m.d.sync += moved.eq(old + Mux(steps, step, Const(0, Shape(bits, signed=True))).as_signed())
        learns_10 = delayed(m, learns_9, 1, "learns", cleared=False)
        old_10 = delayed(m, old, 1, "older_weight", cleared=False).as_signed()
        below, above = Signal(), Signal()
        m.d.comb += [
            below.eq(learns_10 & (moved < self.lowest)),
            above.eq(learns_10 & (moved > self.highest)),
        ]
        new = Signal(Shape(width, signed=True))
        m.d.comb += new.eq(Mux(below, self.lowest, Mux(above, self.highest, moved)))
        old_11 = delayed(m, old_10, 1, "oldest_weight", cleared=False).as_signed()
        m.d.sync += [self.after.eq(new), self.changed.eq(self.after != old_11)]

    def _step(self, m: Module, value: Signal, bits: int) -> Value:
        """Return a sum shifted by the rounding and saturated to so many bits.

        First by fours, to three bits more than are wanted; then by what is left of that.
        """
        size = bits + 3
        wide = extended(value, 4 * (N_COARSE - 1) + size)
        coarse = joined(Mux(self.coarse[k], wide[4 * k : 4 * k + size], 0) for k in range(N_COARSE))
        part = Signal(size)
        fine = joined(Mux(self.fine[k], part[k : k + bits], 0) for k in range(len(self.fine)))
        sign = value[-1]
        # What is above the bits that are taken must all be the sign. Groups share their ends with the part and with
        # each other, so bits that differ anywhere show within one of them.
        groups = [wide[4 * k + size - 1 : 4 * k + size + 4] for k in range(N_COARSE - 1)]
        outside = [self.coarse[: k + 1].any() & group.any() & ~group.all() for k, group in enumerate(groups)]
        outside += [
            self.fine[: k + 1].any() & (part[bits - 1 + k] ^ part[bits + k])
            for k in range(len(self.fine) - 1)
        ]
        m.d.comb += part.eq(coarse)
        edge = Cat((~sign).replicate(bits - 1), sign)
        return Mux(joined(outside), edge, fine).as_signed()
