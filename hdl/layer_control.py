# SPDX-License-Identifier: BSD-2-Clause
"""The front end of a layer: turns tokens into work for the pipeline."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.plan import LayerPlan
from erbium.hdl.slot import Work
from erbium.hdl.tokens import ADDRESS_WIDTH, Begin, BeginRegister, Kind, piece_width


class LayerControl(wiring.Component):
    """Issues one word of work per clock.

    A spike is walked word by word; its token is taken with the last word, so the next one follows without
    a bubble. What a ``TICK`` becomes:

    ============= ==========================================================================
    bias row      where there is one
    margin        of a learned sample, in a learning output layer
    sweep         as soon as there is room for its tokens, and feedback if it is to use some
    ``TICK``      the token is passed on, and nothing is issued for `settle` clocks
    ============= ==========================================================================

    After an ``END`` no ``BEGIN`` is taken for `leave` clocks; both are the plan's. Where two rows may go together,
    :class:`erbium.hdl.row_pairs.RowPairs` puts them together, and a pair waits while the memory is written.

    What a rule does after the ``END`` of a sample is in its own states (:mod:`erbium.hdl.rules`), with its ports.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    event_i : In(stream of EventToken)
    slot : Out(Slot), issue : Out(1)
        Work of this clock.
    begin : Out(Begin), load : Out(1)
        What the sample's ``BEGIN`` said; `load` for one clock when it is new.
    begin_piece : Out, begin_left : In(1)
        What its last token said; that token has left the pipeline, so another one may be taken.
    sweep_taken : In(1)
        A token left the space after the pipeline.
    feedback_ready, feedback_draining : In(1)
    finish : Out(1)
        The sample is over for the feedback port.
    access_request, access_store : In(1), access_row, access_word : In, access_grant : Out(1)
        Work of the host, done between samples.
    words_known, any_word : In(1), words_above, words_below : In
        Where two rows may go together: what :class:`erbium.hdl.row_pairs.RowPairs` hears of a sweep.
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.plan, self._token = plan, plan.event_token
        super().__init__(
            plan.rule.control_ports(plan)
            | plan.rows.word_ports(In)
            | {
                "event_i": In(stream.Signature(self._token)),
                "slot": Out(plan.slot),
                "issue": Out(1),
                "begin": Out(Begin()),
                "begin_piece": Out(piece_width(plan.begin_pieces)),
                "begin_left": In(1),
                "load": Out(1),
                "sweep_taken": In(1),
                "feedback_ready": In(1),
                "feedback_draining": In(1),
                "finish": Out(1),
                "access_request": In(1),
                "access_store": In(1),
                "access_row": In(ADDRESS_WIDTH),
                "access_word": In(range(max(plan.words, 2))),
                "access_grant": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._register = BeginRegister(self.plan.begin_pieces)
        m.d.comb += [self.begin.eq(self._register.begin), self.begin_piece.eq(self._register.newest)]
        self._events = self.plan.rows.feed(m, self)
        self._places(m)
        self._ticks(m)
        self._rooms(m)
        self.plan.rule.prepare(m, self)
        m.d.sync += self.load.eq(0)
        with m.FSM() as self.fsm:
            self._idle(m)
            self._rows(m)
            self._sweeps(m)
            self.plan.rule.states(m, self)
        return m

    # --- what is kept --------------------------------------------------------------------------------

    def _places(self, m: Module) -> None:
        """Keep where a pass is."""
        plan, slot = self.plan, self.slot
        self._word, self.last_word = Signal(range(max(plan.words, 2)), name="word"), Signal(name="last_word")
        first = self._word == 0
        m.d.comb += [
            self.last_word.eq(self._word == plan.words - 1),
            slot.word.eq(self._word),
            slot.last.eq(self.last_word),
        ]
        self._last_part: Value = Const(1)
        if plan.parts > 1:
            self._part, self._place = (
                Signal(range(plan.parts), name="part"),
                Signal(range(plan.places), name="place"),
            )
            first = self._place == 0
            self._last_part = self._part == plan.parts - 1
            m.d.comb += [slot.part.eq(self._part), slot.place.eq(self._place), slot.done.eq(self._last_part)]
        m.d.comb += slot.first.eq(first & (self._word == 0))

    def _ticks(self, m: Module) -> None:
        """Keep the number of the tick, and what depends on it: compared when it changes, not when it is used."""
        slot = self.slot
        self._tick, self._fresh = Signal(bits_for(self.plan.n_ticks), name="tick"), Signal(name="fresh")
        self._wants_feedback, self._first_tick = Signal(name="wants_feedback"), Signal(name="first_tick")
        m.d.comb += [
            slot.fresh.eq(self._fresh),
            slot.begin.eq(self._first_tick),
            slot.feedback.eq(self._wants_feedback),
            slot.tick.eq(self._tick),
        ]

    def _set_tick(self, m: Module, value: Value, *, starts: bool) -> None:
        m.d.sync += [self._tick.eq(value), self._first_tick.eq(int(starts))]
        if self.plan.has_feedback:
            m.d.sync += self._wants_feedback.eq(value >= self.plan.population.feedback_delay)
        self.plan.rule.tick_begins(m, self, value)

    def _rooms(self, m: Module) -> None:
        """Keep what may be issued."""
        plan, slot, most = self.plan, self.slot, self.plan.sweep_room
        room, produces = Signal(range(most + 1), init=most), Signal()
        sweeps = (slot.work == Work.SWEEP) & self._last_part
        m.d.comb += produces.eq(self.issue & (sweeps | (slot.work == Work.TOKEN)))
        # A register, since much begins with it; what is issued and taken in a clock comes late.
        self._has_room = Signal(init=1, name="has_room")
        m.d.sync += [
            room.eq(room - produces + self.sweep_taken),
            self._has_room.eq(self.sweep_taken | (room > 1) | ((room == 1) & ~produces)),
        ]
        waits = self._wants_feedback & slot.first & ~self.feedback_ready
        self._may_sweep = self._has_room & ~waits
        # A memory with one port is written an odd number of clocks after each read that learns: so such words are
        # issued in every other clock only. The second word of a pair is read and written along with the first.
        self.may_write: Value = Const(1)
        if plan.one_port:
            odd = Signal()
            m.d.sync += odd.eq(~odd)
            self.may_write = ~odd | self._word[0] if plan.pairs else ~odd
        self._may_row = plan.rows.may_issue(self)

    # --- what is issued ------------------------------------------------------------------------------

    def walk(self, m: Module, work: Work) -> None:
        """Issue the present word of a pass and step to the next."""
        m.d.comb += [self.issue.eq(1), self.slot.work.eq(work)]
        m.d.sync += self._word.eq(Mux(self.last_word, 0, self._word + 1))

    def _emit(self, m: Module, kind: Kind) -> None:
        m.d.comb += [self.issue.eq(1), self.slot.work.eq(Work.TOKEN), self.slot.kind.eq(kind)]

    def _walk_row(self, m: Module) -> None:
        self.walk(m, Work.ROW)
        m.d.comb += self._events.ready.eq(self.last_word)
        with m.If(self.last_word):
            m.d.sync += self._fresh.eq(0)

    def _walk_sweep(self, m: Module) -> None:
        """Issue the present part of a sweep; take its ``TICK`` with the last one, unless the bias row has."""
        with m.If(self._may_sweep):
            if self.plan.parts == 1:
                self.walk(m, Work.SWEEP)
            else:
                m.d.comb += [self.issue.eq(1), self.slot.work.eq(Work.SWEEP)]
                m.d.sync += [self._part.eq(self._part + 1), self._place.eq(self._place + 1)]
                with m.If(self._last_part):
                    self.walk(m, Work.SWEEP)
                    m.d.sync += self._part.eq(0)
                    with m.If(self.last_word):
                        m.d.sync += self._place.eq(0)
            with m.If(self.last_word & self._last_part):
                if not self.plan.has_bias:
                    m.d.comb += self._events.ready.eq(1)
                m.next = "TICK"

    # --- states --------------------------------------------------------------------------------------

    def _idle(self, m: Module) -> None:
        pieces, slot, events = self.plan.begin_pieces, self.slot, self._events
        with m.State("IDLE"):
            with m.If(events.valid & self._has_room):
                m.d.comb += events.ready.eq(1)
                self._register.take(m, events.payload.data)
                m.d.sync += self._fresh.eq(1)
                self._set_tick(m, Const(0), starts=True)
                self._emit(m, Kind.BEGIN)
                m.next = "ROWS" if pieces == 1 else "BEGIN"
                if pieces == 1:
                    m.d.sync += self.load.eq(1)
            with m.Elif(self.access_request & ~events.valid):
                m.d.comb += [
                    self.access_grant.eq(1),
                    self.issue.eq(1),
                    slot.work.eq(Mux(self.access_store, Work.STORE, Work.LOAD)),
                    slot.row.eq(self.access_row),
                    slot.word.eq(self.access_word),
                ]
        if pieces > 1:
            n_taken = Signal(range(pieces))
            with m.State("BEGIN"), m.If(self.begin_left):
                m.d.sync += n_taken.eq(n_taken + 1)
                m.next = "IDLE"
                with m.If(n_taken == pieces - 1):
                    m.d.sync += [n_taken.eq(0), self.load.eq(1)]
                    m.next = "ROWS"

    def _rows(self, m: Module) -> None:
        plan, events = self.plan, self._events
        with m.State("ROWS"), m.If(events.valid), m.Switch(events.payload.kind):
            with m.Case(Kind.SPIKE), m.If(self._may_row):
                self._walk_row(m)
            with m.Case(Kind.TICK):
                if plan.has_bias:
                    plan.rows.take_bias(m, self)
                    with m.If(self._may_row):
                        self._walk_row(m)
                        with m.If(self.last_word):
                            m.next = "SWEEP"
                            if plan.margin:
                                with m.If(self.begin.learn):
                                    m.next = "TEACH"
                elif plan.margin:
                    m.next = "SWEEP"
                    with m.If(self.begin.learn):
                        m.next = "TEACH"
                else:
                    self._walk_sweep(m)
            with m.Case(Kind.END), m.If(self._has_room & ~self.feedback_draining):
                m.d.comb += [events.ready.eq(1), self.finish.eq(1)]
                self._emit(m, Kind.END)
                m.next = "LEAVE 1" if plan.leave else "IDLE"
                plan.rule.sample_ends(m, self)

    def _sweeps(self, m: Module) -> None:
        plan = self.plan
        if plan.margin:
            with m.State("TEACH"):
                self.walk(m, Work.TEACH)
                with m.If(self.last_word):
                    m.d.sync += self._fresh.eq(0)
                    m.next = "SWEEP"
        if plan.has_bias or plan.margin:
            with m.State("SWEEP"):
                self._walk_sweep(m)
        with m.State("TICK"), m.If(self._has_room):
            self._emit(m, Kind.TICK)
            # A state that is the sum of all inputs stays in port 0 from tick to tick.
            if plan.summed is None:
                m.d.sync += self._fresh.eq(1)
            self._set_tick(m, self._tick + 1, starts=False)
            m.next = "SETTLE 1" if plan.settle else "ROWS"
        self._wait(m, "SETTLE", plan.settle, "ROWS")
        self._wait(m, "LEAVE", plan.leave, "IDLE")

    @staticmethod
    def _wait(m: Module, name: str, clocks: int, then: str) -> None:
        """Add as many states in which nothing is issued."""
        for clock in range(1, clocks + 1):
            with m.State(f"{name} {clock}"):
                m.next = then if clock == clocks else f"{name} {clock + 1}"
