# SPDX-License-Identifier: BSD-2-Clause
"""One synapse per clock: what it adds to the port of its neuron, and how its weight learns."""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fixed import delayed, extended, joined, saturated
from erbium.hdl.rng import mixed_byte
from erbium.sw_model.rules.history import MAX_HEIGHT_SHIFT

LEARNED = 11
"""Stage at which the new weight is in a register, counted from the slot."""

N_MASKS = 5
"""Masks over a history: the first zone and the first two, causal and acausal ones; and all ticks that count."""

HEIGHT = Shape(MAX_HEIGHT_SHIFT + 2, signed=True)
"""A height: 0, or a power of two with a sign."""

HEIGHTS = Shape(HEIGHT.width + 1, signed=True)
"""The sum of three heights."""

N_COARSE, N_FINE = 5, 4
"""The rounding, 0 ... 16, as fours and what is left, one bit for each value."""

SENT_WIDTH, SUM_WIDTH = 18, 28
"""Bits of what is sent: three times an amplitude; and of e: three words of 16 bits, shifted."""


FACTOR = Shape(16, signed=True)
"""What a stored weight is times: the amplitude, or a power of two that makes it 8 bits."""

SCALED_BITS = 8
"""Bits of a weight as it is sent, if its projection does not have a fixed one."""


class SynapseLane(wiring.Component):
    """A lane of the core. Stages are counted from the slot; operands come at stage 2.

    ===== ================================================================================================
    stage what happens
    ===== ================================================================================================
    2     blank-out; the weight times the factor of its projection; masks meet the history
    3     the first zone that is met chooses the heights; what is left out is sent as 0
    4     heights are added, those that are times the word and the others; the port's sum takes what is sent
    5     the first of the two sums times the word; the port's sum is written
    6     both are added: e
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
    fixed : In(1), factor : In(16, signed)
        Of the projection: constant during a row pass, as all that follow. What a weight is times, at stage 2: the
        amplitude for a fixed one, 2^(weight_width - width) for one of `width` bits.
    old : In(16, signed)
        The port's sum, at stage 4.
    heights : In(6 * 12), by_word : In(2)
        Of the causal term in its zones and of the acausal one in its own, at stage 3, those that have no part in the
        event as 0; whether a term is times the word.
    presynaptic, presynaptic_by_word : In(12, signed)
        The height of the presynaptic term at stage 4, at one of the two places; the other one is 0.
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

    Both products are of numbers that one hard multiplier takes. Of look-up tables, three shifters of the word in their
    place were a third of a lane.
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
                "factor": In(FACTOR),
                "old": In(s16),
                "heights": In(6 * HEIGHT.width),
                "by_word": In(2),
                "presynaptic": In(HEIGHT),
                "presynaptic_by_word": In(HEIGHT),
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
        # Stage 2: a fixed weight is -3 ... 3; of a wider one than 8 bits the upper ones are sent.
        product = Signal(Shape(self._weight_width + FACTOR.width, signed=True), reset_less=True)
        m.d.sync += product.eq(self.weight * self.factor)
        fixed = delayed(m, self.fixed, 1, "fixed", cleared=False)
        # Stage 3.
        sent = Mux(fixed, product, product >> (self._weight_width - SCALED_BITS))
        added = Signal(Shape(SENT_WIDTH, signed=True), reset_less=True)
        m.d.sync += added.eq(sent & kept.replicate(SENT_WIDTH).as_signed())
        # Stage 4. An addend of 18 bits and a sum of 16: the exact sum has 19.
        m.d.sync += self.total.eq(saturated(self.old + added, 16))

    def _learn(self, m: Module, kept: Value) -> None:
        window, width = self._window, self._weight_width
        # Stage 2: which zones are met. The word, or in a pass at the end the way to the bound: b - w, or w - b, which
        # is ~b - ~w.
        met = Signal(N_MASKS, reset_less=True)
        for mask in range(N_MASKS):
            m.d.sync += met[mask].eq((self.history & self.zones.word_select(mask, window)).any())
        word = Signal(Shape(max(16, width + 1), signed=True), name="word_3", reset_less=True)
        away = (self.word[-1] ^ self.reversed).replicate(width).as_signed()
        way = (self.bound ^ away) - (self.weight ^ away)
        m.d.sync += word.eq(Mux(self.finish, way, self.word))

        # Stage 3: the height of each term. The first zone is within the first two, and these within all ticks.
        seen = met[N_MASKS - 1]
        chosen = []
        for term in range(2):
            near, middle = met[2 * term], met[2 * term + 1]
            first, second, third = (
                self.heights.word_select(3 * term + zone, HEIGHT.width) for zone in range(3)
            )
            height = Signal(HEIGHT, name=f"height_{term}", reset_less=True)
            m.d.sync += height.eq(Mux(near, first, Mux(middle, second, third & seen.replicate(HEIGHT.width))))
            chosen.append(height)
        word_4 = delayed(m, word, 1, "word_4", cleared=False)

        # Stage 4: those that are times the word, and the others.
        def summed(by_word: Value, presynaptic: Value, name: str) -> Value:
            terms = [
                (height.as_unsigned() & by_word[term].replicate(HEIGHT.width)).as_signed()
                for term, height in enumerate(chosen)
            ]
            total = Signal(HEIGHTS, name=name, reset_less=True)
            m.d.sync += total.eq(terms[0] + terms[1] + presynaptic)
            return total

        times_word = summed(self.by_word, self.presynaptic_by_word, "times_word")
        constant = summed(~self.by_word, self.presynaptic, "constant")
        word_5 = delayed(m, word_4, 1, "word_5", cleared=False).as_signed()

        # Stages 5 to 8: e, with the random number, shifted.
        product = Signal(Shape(SUM_WIDTH, signed=True), name="product_6", reset_less=True)
        m.d.sync += product.eq(word_5 * times_word)
        e = Signal(Shape(SUM_WIDTH, signed=True), reset_less=True)
        m.d.sync += e.eq(product + delayed(m, constant, 1, "constant_6", cleared=False).as_signed())
        dithered = Signal(Shape(SUM_WIDTH, signed=True), reset_less=True)
        m.d.sync += [dithered.eq(e + self.random), self.some.eq(e.any())]
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
