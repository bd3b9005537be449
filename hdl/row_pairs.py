# SPDX-License-Identifier: BSD-2-Clause
"""Which rows of a tick go together: two, where it is known that no weight of one of them will change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fixed import delayed
from erbium.hdl.rng import jumped, seeded, xorshift32
from erbium.hdl.tokens import SEED_WIDTH, Kind, piece_width
from erbium.sw_model.constants import STREAM_PLASTICITY, salt

if TYPE_CHECKING:
    from erbium.hdl.plan import LayerPlan

SURE_ROWS = 255
"""So many rows of a tick cannot saturate port 0, whatever their weights: each adds at most 128. Two rows of a clock
before, and two of this one, may not be counted yet."""


class RowToken(data.StructLayout):
    """What the control of a layer takes: an event token, or one or two rows.

    Members
    -------
    kind : as in :class:`erbium.hdl.tokens.EventToken`; a ``TICK`` comes with the bias row, where there is one
    data : of a ``BEGIN``
    row, second : synapse rows; the one that may change is `row`
    pair : there is a second one
    may_change : a weight of `row` may change
    random : random number of `row`
    """

    def __init__(self, plan: LayerPlan) -> None:
        row = range(max(plan.n_rows, 2))
        super().__init__(
            {
                "kind": Kind,
                "data": piece_width(plan.begin_pieces),
                "row": row,
                "second": row,
                "pair": 1,
                "may_change": 1,
                "random": max(plan.population.rounding_shift, 0),
            }
        )


class RowPairs(wiring.Component):
    """Puts rows together that the lanes do in one clock, in the order of the events.

    A row that learns takes ``(word + r) >> shift`` from each weight, with a random number r of `shift` bits for the
    whole row. With p a power of two above the largest plasticity word of the layer, and n one that is at least as large
    as the smallest is below 0, no weight changes unless ``r >= 2**shift - p`` or ``r < n``. A second row goes along if
    one of the two does not change. Nothing else could tell the two from one after the other: their weights are others,
    and port 0 cannot saturate before :data:`SURE_ROWS` rows of a tick.

    Whether there is a plasticity word at all, and so whether a row takes a random number, may be known only when some
    rows have taken one: then those are given back.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    event_i : In(stream of EventToken), row_o : Out(stream of RowToken)
        A tick goes on, and the end of a sample, when the plasticity words of the last sweep are known.
    opens : In(1)
        The control has passed a token on that is not a spike: what comes after it may be looked at from the clock after
        the next one on.
    armed : In(1)
        Rows that are looked at in the next clock learn, if there is a plasticity word.
    reserved : In(1)
        A row that is given out in the next clock goes without a second one: the memory is written when it is read.
    seed : In(32), load : In(1)
        Restart of the random numbers.
    known : In(1), any_word : In(1), above, below : In
        The sweep of the last tick has formed its plasticity words: whether one is not 0; bits of those above 0, and of
        the complements of those below 0, all joined by OR.

    Notes
    -----
    A token or up to two rows per clock, latency one clock; nothing in the six clocks from `load` on.
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        self._shift = max(plan.population.rounding_shift, 0)
        self._learns = plan.rule.swept_rule() is not None
        bits = plan.rule.word_bits(plan)
        super().__init__(
            {
                "event_i": In(stream.Signature(plan.event_token)),
                "row_o": Out(stream.Signature(RowToken(plan))),
                "opens": In(1),
                "armed": In(1),
                "reserved": In(1),
                "seed": In(SEED_WIDTH),
                "load": In(1),
                "known": In(1),
                "any_word": In(1),
                "above": In(bits),
                "below": In(bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, token, event = self.plan, self.plan.event_token, self.event_i.payload
        out, valid = self.row_o.payload, Signal()
        is_spike = self.event_i.valid & (event.kind == Kind.SPIKE)
        is_tick = self.event_i.valid & (event.kind == Kind.TICK)
        # At the end of a tick, or of a sample.
        ends = (event.kind == Kind.TICK) | (event.kind == Kind.END)
        has_second = is_spike & token.has_second(event)
        head, second_of_head = token.spike_in(event).address, token.second_in(event).address
        # A row that did not go along with the one before it waits for the next one.
        left, has_left = Signal.like(out.row, reset_less=True), Signal()
        closed, knows, begins = Signal(), Signal(init=1), Signal()
        n_rows, sure = Signal(range(SURE_ROWS + 1)), Signal(init=1)

        steps, moves = Signal(range(3)), Signal()
        m.d.comb += [self.row_o.valid.eq(valid), moves.eq(~valid | self.row_o.ready)]
        self._draws(m, steps, is_tick & self.event_i.ready)

        with_bias: Value = is_tick & knows if plan.has_bias else Const(0)
        next_row = Mux(is_spike, head, plan.n_inputs) if plan.has_bias else head
        first, second = Mux(has_left, left, next_row), Mux(has_left, next_row, second_of_head)
        is_row, two = has_left | is_spike | with_bias, Mux(has_left, is_spike | with_bias, has_second)
        # The state of the control is far from here, and much waits for it.
        armed, opened = Signal(), Signal()
        m.d.sync += [armed.eq(self.armed), opened.eq(self.opens)]
        may = [armed & change for change in self.changes]
        pair, goes = Signal(), Signal()
        m.d.comb += [
            pair.eq(two & ~(may[0] & may[1]) & ~self.reserved & sure),
            # After a BEGIN, which may be several tokens, comes the restart of the random numbers.
            goes.eq(
                (moves & ~closed & ~self.restarts & (~begins | (event.kind == Kind.BEGIN)))
                & (is_row | (self.event_i.valid & (knows | ~ends)))
            ),
            # The token goes unless the row that was left goes by itself.
            self.event_i.ready.eq(goes & self.event_i.valid & (~has_left | pair)),
        ]
        m.d.sync += sure.eq(n_rows < SURE_ROWS - 3)
        with m.If(moves):
            m.d.sync += valid.eq(goes)
        # Which of two rows may change is known late, so they are exchanged when they leave.
        rows = [Signal.like(out.row, name=f"row_{k}", reset_less=True) for k in range(2)]
        randoms = [Signal.like(out.random, name=f"random_{k}", reset_less=True) for k in range(2)]
        swaps, exchanged = Signal(), pair & may[1]
        m.d.comb += [
            out.row.eq(Mux(swaps, rows[1], rows[0])),
            out.second.eq(Mux(swaps, rows[0], rows[1])),
            out.random.eq(Mux(swaps, randoms[1], randoms[0])),
        ]
        with m.If(goes):
            m.d.sync += [
                out.kind.eq(Mux(self.event_i.ready, event.kind, Kind.SPIKE)),
                out.data.eq(event.data),
                swaps.eq(exchanged),
                *(row.eq(looked) for row, looked in zip(rows, (first, second), strict=True)),
                *(number.eq(drawn) for number, drawn in zip(randoms, self.randoms, strict=True)),
                out.pair.eq(pair),
                out.may_change.eq(may[0] | exchanged),
                # What is left: the second row of a token, unless it went along; a pair takes the first at least.
                left.eq(second_of_head),
                has_left.eq(has_second & (has_left | ~pair) & self.event_i.ready),
                closed.eq(self.event_i.ready & ~is_spike),
            ]
            with m.If(is_row & sure):
                m.d.sync += n_rows.eq(n_rows + 1 + pair)
            m.d.comb += steps.eq(Mux(is_row & armed & self.consumes, 1 + pair, 0))
            with m.If(self.event_i.ready & (event.kind == Kind.BEGIN)):
                m.d.sync += begins.eq(1)
        with m.If(self.load):
            m.d.sync += begins.eq(0)
        with m.If(opened):
            m.d.sync += [closed.eq(0), n_rows.eq(0), sure.eq(1)]
        if self._learns:
            with m.If(self.known):
                m.d.sync += knows.eq(1)
            with m.If(is_tick & self.event_i.ready):
                m.d.sync += knows.eq(0)
        return m

    def _draws(self, m: Module, steps: Value, ends: Value) -> None:
        """Keep the next random numbers, and whether a row changes by the first two."""
        shift, bits = self._shift, len(self.above)
        if not self._learns:
            self.consumes: Value = Const(0)
            self.restarts: Value = Const(0)
            self.changes: list[Value] = [Const(0), Const(0)]
            self.randoms: list[Value] = [Const(0, shift), Const(0, shift)]
            return
        # Four numbers ahead, and the state that the fifth is of. They move a clock after they were used, so that none
        # of them waits for what decides that; until then the first that is unused stands so many places on.
        numbers = [Signal(shift, name=f"number_{k}", reset_less=True) for k in range(4)]
        state = Signal(32, reset_less=True)
        kept = [Signal.like(one, name=f"kept_{k}") for k, one in enumerate((*numbers, state))]
        given = Const(salt(self.plan.population.process, STREAM_PLASTICITY), 32)
        # After a restart the seed is the state; one draw leads to the first number, and two to two numbers each. In
        # the last clock it is looked at them.
        fills = Signal(5)
        self.restarts = self.load | fills.any()
        start = Signal(32, reset_less=True)
        m.d.sync += [fills.eq(Cat(self.load, fills)), start.eq(seeded(self.seed, given))]
        stepped, restores = Signal.like(steps, name="stepped"), Signal()
        m.d.sync += [stepped.eq(steps), restores.eq(self.known & ~self.any_word)]
        following = [*numbers, state[:shift], xorshift32(state)[:shift]]
        with m.If(fills[0]):
            m.d.sync += state.eq(start)
        with m.Elif(restores):
            # No row has taken a number since the last sweep.
            m.d.sync += [now.eq(before) for now, before in zip((*numbers, state), kept, strict=True)]
        with m.Elif(fills[1] | (stepped == 1)):
            m.d.sync += state.eq(xorshift32(state))
            m.d.sync += [number.eq(following[k + 1]) for k, number in enumerate(numbers)]
        with m.Elif(fills[2:4].any() | (stepped == 2)):
            m.d.sync += state.eq(jumped(state, 2))
            m.d.sync += [number.eq(following[k + 2]) for k, number in enumerate(numbers)]
        # No row is looked at between the end of a tick and what comes after its sweep.
        ended = delayed(m, ends, 1, "ended")
        with m.If(delayed(m, ended, 1, "moved")):
            m.d.sync += [before.eq(now) for now, before in zip((*numbers, state), kept, strict=True)]

        # As long as the words are not known, they are taken for any that there can be.
        consumes = Signal(init=1)
        high, low = Signal(bits, init=-1), Signal(bits, init=-1)
        with m.If(self.known):
            m.d.sync += [
                consumes.eq(self.any_word),
                # A bit that is set makes all below it count as set.
                *(high[bit].eq(self.above[bit:].any()) for bit in range(bits)),
                *(low[bit].eq(self.below[bit:].any()) for bit in range(bits)),
            ]
        with m.If(ended):
            m.d.sync += [consumes.eq(1), high.eq(-1), low.eq(-1)]
        found = []
        for number in following:
            rises = (number | high)[:shift].all() if shift else Const(1)
            falls = ~(number & ~_extended(low, shift)).any() if shift else Const(1)
            found.append(rises | falls)
        # By the words of a clock before. When they become known that is any word, as it was; when they are no more, no
        # row is looked at until the sweep is over.
        ahead = [_moved(found[k:], stepped) for k in range(4)]
        changes = [Signal(name=f"change_{k}", init=1) for k in range(2)]
        m.d.sync += [change.eq(_moved(ahead[k:], steps)) for k, change in enumerate(changes)]
        self.consumes, self.changes = consumes, [consumes & change for change in changes]
        self.randoms = [_moved(numbers[k:], stepped) for k in range(2)]


def _moved(values: Sequence[Value], steps: Value) -> Value:
    """Return the first, second or third of some values, by a number of steps."""
    return Mux(steps == 2, values[2], Mux(steps == 1, values[1], values[0]))


def _extended(value: Value, width: int) -> Value:
    """Return a value as so many bits, zeros above it."""
    return Cat(value, Const(0, max(width - len(value), 1)))[:width]
