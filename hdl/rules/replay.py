# SPDX-License-Identifier: BSD-2-Clause
"""What the control of a first-spike layer does after a learned sample: take plasticity words, replay the rows, wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Const, Module, Mux, Signal, Value

from erbium.hdl.fixed import delayed, product, quotient
from erbium.hdl.rng import Generator
from erbium.hdl.rules.weight_step import COUNTED
from erbium.hdl.slot import Work
from erbium.hdl.tokens import ADDRESS_WIDTH, Kind
from erbium.sw_model.constants import STREAM_PLASTICITY, salt

if TYPE_CHECKING:
    from erbium.hdl.layer_control import LayerControl

RATE_WIDTH = 17
"""Bits of the probability, 0 ... 65536, that a replayed row is touched."""

REPLAY_ENDS = 3
"""Clocks from the slot of the last replayed word to the clock in which the layer is idle, if it did not wait."""


class Replay:
    """States ``WORDS``, ``REPLAY`` and ``WAIT`` of a control.

    The first layer replays what the encoder sends again, and skips an untouched row in one clock. A later layer replays
    what it remembered, and walks all rows since they also vote on the plasticity words of the layer before.

    Parameters
    ----------
    m : Module
    control : LayerControl
    room : int
        Rows of a later layer that may be under way.
    """

    def __init__(self, m: Module, control: LayerControl, room: int) -> None:
        self._control, self._plan, self._room = control, control.plan, room
        # The weights are written and counted before the layer is idle.
        self._drain = max(0, self._plan.stages["X"] + COUNTED - REPLAY_ENDS)
        self._any_word, self._replays, self._touched = (
            Signal(name=n) for n in ("any_word", "replay", "touched")
        )
        self._quiet = Signal(range(self._drain + 1), name="quiet")
        m.submodules.draws = self._draws = draws = Generator(
            salt(self._plan.population.process, STREAM_PLASTICITY)
        )
        m.d.comb += [
            draws.seed.eq(control.begin.seed),
            draws.load.eq(control.load),
            self._touched.eq(draws.value[:16] < control.rate),
        ]
        if room:
            self._left, self._starts = Signal(range(room + 1), init=room, name="room"), Signal(name="starts")
            m.d.sync += self._left.eq(self._left - self._starts + control.votes_retired)

    def begin(self, m: Module) -> None:
        """Leave the ``END`` of a sample."""
        with m.If(self._control.begin.learn):
            m.next = "WORDS"

    def states(self, m: Module) -> None:
        """Add the states."""
        quiet = self._quiet
        m.d.comb += self._control.busy.eq(~self._control.fsm.ongoing("IDLE"))
        self._words_state(m)
        with m.State("WAIT"):
            # A row of the next sample may read a weight after its last write.
            m.d.sync += [quiet.eq(quiet - 1), self._any_word.eq(0)]
            with m.If(quiet == 0):
                m.next = "IDLE"
        with m.State("REPLAY"):
            if self._plan.population.is_first:
                self._replay_the_encoder(m)
            else:
                self._replay_what_was_remembered(m)

    def _learn_row(self, m: Module, row: Value, tick: Value) -> None:
        slot = self._control.slot
        self._control.walk(m, Work.LEARN)
        m.d.comb += [slot.row.eq(row), slot.tick.eq(tick), slot.armed.eq(self._touched)]

    def _replay_the_encoder(self, m: Module) -> None:
        control, draws = self._control, self._draws
        token, last_word = control.event_i.payload, control.last_word
        spike = self._plan.event_token.spike_in(token)
        with m.If(~self._replays):
            m.next = "WAIT"
        with m.Elif(control.event_i.valid):
            with m.If(token.kind == Kind.END):
                m.d.comb += control.event_i.ready.eq(1)
                m.next = "WAIT"
            with m.Elif(self._any_word & self._touched):
                with m.If(control.may_write):
                    self._learn_row(m, spike.address, spike.tick)
                    m.d.comb += [control.event_i.ready.eq(last_word), draws.advance.eq(last_word)]
            with m.Else():
                m.d.comb += [control.event_i.ready.eq(1), draws.advance.eq(1)]

    def _replay_what_was_remembered(self, m: Module) -> None:
        control, first = self._control, self._control.slot.first
        with m.If(self._any_word & control.spike_available):
            with m.If((~first | (self._left != 0)) & control.may_write):
                self._learn_row(m, control.spike_row, control.spike_tick)
                m.d.comb += [
                    self._starts.eq(first),
                    control.next_spike.eq(control.last_word),
                    self._draws.advance.eq(control.last_word),
                ]
        with m.Elif(self._left == self._room):
            m.d.comb += [control.end_errors.eq(1), control.end_replay.eq(self._replays)]
            m.next = "WAIT"

    def _words_state(self, m: Module) -> None:
        """Add the state that takes plasticity words, one per clock unless two of one word come close together."""
        control, plan = self._control, self._plan
        slot, error = control.slot, control.error_i.payload
        held, issues = Signal(), Signal()
        collides: Value = Const(0)
        unsettled: Value = held
        address, later = Signal(ADDRESS_WIDTH), Signal()
        word = Signal.like(slot.word, name="error_word")
        # The word is read and written back: the next one that is the same, and what follows, has to wait for that.
        busy, at = issues, word
        for clock in range(sum(plan.word_latency)):
            busy = delayed(m, busy, 1, f"error_busy_{clock}")
            at = delayed(m, at, 1, f"error_at_{clock}")
            collides, unsettled = collides | (busy & (at == word)), unsettled | busy
        takes = control.error_i.valid & (error.kind == Kind.SPIKE) & (~held | issues)
        with m.State("WORDS"):
            with m.If(held & ~collides):
                m.d.comb += [issues.eq(1), control.issue.eq(1), slot.work.eq(Work.WORD)]
                m.d.comb += [slot.later.eq(later), slot.word.eq(word)]
                if plan.lanes > 1:
                    m.d.comb += slot.lane.eq(address - product(word, plan.lanes))
                m.d.sync += [self._any_word.eq(1), held.eq(0)]
            with m.If(takes):
                m.d.comb += control.error_i.ready.eq(1)
                m.d.sync += [
                    held.eq(1),
                    later.eq(error.later),
                    address.eq(error.address),
                    word.eq(quotient(error.address, plan.lanes, plan.n_neurons)),
                ]
            with m.Elif(control.error_i.valid & (error.kind == Kind.END) & ~unsettled):
                m.d.comb += [control.error_i.ready.eq(1), self._draws.advance.eq(1)]
                m.d.sync += [
                    self._replays.eq(error.later),
                    self._quiet.eq(Mux(self._any_word, self._drain, 0)),
                ]
                m.next = "REPLAY"
