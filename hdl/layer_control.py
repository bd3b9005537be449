# SPDX-License-Identifier: BSD-2-Clause
"""The front end of a layer: turns tokens into work for the pipeline."""

from collections.abc import Callable

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.fixed import delayed, product, quotient
from erbium.hdl.kept_state import summed_state
from erbium.hdl.neuron_unit import sweep_latency
from erbium.hdl.rng import Generator
from erbium.hdl.slot import Slot, Work, operand_stage, tick_width
from erbium.hdl.tokens import ADDRESS_WIDTH, Begin, BeginRegister, ErrorToken, Kind, event_token, piece_width
from erbium.hdl.word_file import file_latency
from erbium.sw_model.constants import STREAM_PLASTICITY, salt
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.rules import ThreeFactorRule

SETTLE = 4
"""Clocks between the ``TICK`` token behind a sweep and the first row that may use its plasticity words."""

COUNTED = 6
"""Clocks from stage X of a word that learns until it is stored and its changes are counted."""

RATE_WIDTH = 17
"""Bits of the probability, 0 ... 65536, that a replayed row is touched."""


def settle_clocks(network: Network, number: int, hardware: Hardware) -> int:
    """Return the clocks behind a ``TICK`` token in which nothing is issued.

    Rows of a first-spike layer use nothing that a sweep wrote but spike ticks. Those, and the states of the
    next sweep, have to be stored by the time that their word comes around again.
    """
    if not network.is_first_spike:
        return SETTLE
    words, short = hardware.words_of(network, number), hardware.short_pipelines
    read_latency, write_delay = file_latency(words, registered=not short)
    return max(0, sweep_latency(short=short) + 1 + write_delay + read_latency - words - 1)


def leave_clocks(network: Network, number: int, hardware: Hardware) -> int:
    """Return the clocks behind the ``END`` of a first-spike inference in which no ``BEGIN`` is taken.

    What a ``BEGIN`` said has to stay for its own token, which leaves in stage E, and for the last word of the last
    sweep, which uses it in stage X.
    """
    stage_x, settle = operand_stage(network, number, hardware), settle_clocks(network, number, hardware)
    beside = sweep_latency(short=hardware.short_pipelines) - hardware.words_of(network, number)
    return max(0, stage_x - 3 - settle + max(0, beside))


class LayerControl(wiring.Component):
    """Issues one word of work per clock.

    A spike is walked word by word; its token is taken with the last word, so the next one follows without
    a bubble. With eRBP ``TICK`` becomes the bias row, the margin (learning output layer) and the sweep.

    A first-spike layer has no bias row. Behind the ``END`` of a learned sample it takes its plasticity words, then
    replays its presynaptic spikes as rows that learn: from the encoder in the first layer, which skips an
    untouched row in one clock, and from what it remembered in a later one, which walks all rows since they
    also vote on the plasticity words of the layer before.

    Parameters
    ----------
    network : Network
    number : int
        0-based layer.
    hardware : Hardware
    sweep_room : int
        Tokens that fit behind the pipeline.

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
        A token left the space behind the pipeline.
    feedback_ready, feedback_draining : In(1)
    feedback_released : In(1)
        The sweep that used the feedback has read it.
    finish : Out(1)
        The sample is over for the feedback port.
    access_request, access_store : In(1), access_row, access_word : In, access_grant : Out(1)
        Work of the host, done between samples.
    error_i : In(stream of ErrorToken), rate : In(17), busy : Out(1)
        First-spike only: plasticity words; probability in 1/65536 that a replayed row is touched; a sample is
        being worked on.
    spike_available : In(1), spike_row, spike_tick : In, next_spike : Out(1)
        First-spike layers behind the first: what was remembered.
    votes_retired : In(2), end_errors : Out(1), end_replay : Out(1)
        The same: rows whose vote has left for the layer before, or was 0; and the ``END`` behind them.
    """

    def __init__(
        self, network: Network, number: int, hardware: Hardware, sweep_room: int, vote_room: int = 0
    ) -> None:
        self._network, self._room, self._vote_room = network, sweep_room, vote_room
        self._first_spike, self._is_first = network.is_first_spike, number == 0
        self._layer = network.layers[number]
        self._n_inputs = network.shape[number]
        self._words, self._lanes = hardware.words_of(network, number), hardware.lanes_of(network, number)
        self._teaches = number == len(network.layers) - 1 and network.margin > 0
        self._process = number + 1
        self._token = event_token(network, hardware, number)
        self._drain = operand_stage(network, number, hardware) + COUNTED
        # A state that is the sum of all inputs stays in port 0 from tick to tick.
        self._fresh_ticks = summed_state(network, number) is None
        self._settle = settle_clocks(network, number, hardware)
        self._leave = leave_clocks(network, number, hardware)
        self._one_port, self._pairs = hardware.memory_of(number) == "spram", hardware.pairs(network, number)
        self._file_latency = file_latency(self._words, registered=not hardware.short_pipelines)
        word, shape = range(max(self._words, 2)), Slot(network, number, hardware)
        members = {}
        if self._first_spike:
            members |= {
                "error_i": In(stream.Signature(ErrorToken(self._layer.n_neurons))),
                "rate": In(RATE_WIDTH),
                "busy": Out(1),
            }
            if not self._is_first:
                members |= {
                    "spike_available": In(1),
                    "spike_row": In(shape["row"].shape),
                    "spike_tick": In(tick_width(network)),
                    "next_spike": Out(1),
                    "votes_retired": In(2),
                    "end_errors": Out(1),
                    "end_replay": Out(1),
                }
        super().__init__(
            members
            | {
                "event_i": In(stream.Signature(self._token)),
                "slot": Out(shape),
                "issue": Out(1),
                "begin": Out(Begin()),
                "begin_piece": Out(piece_width(self._token.begin_pieces)),
                "begin_left": In(1),
                "load": Out(1),
                "sweep_taken": In(1),
                "feedback_ready": In(1),
                "feedback_draining": In(1),
                "feedback_released": In(1),
                "finish": Out(1),
                "access_request": In(1),
                "access_store": In(1),
                "access_row": In(ADDRESS_WIDTH),
                "access_word": In(word),
                "access_grant": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        network, layer, slot, token = self._network, self._layer, self.slot, self.event_i.payload
        has_feedback = layer.feedback != "none"

        word = Signal(range(max(self._words, 2)))
        fresh, learning = Signal(), self.begin.learn
        tick = Signal(bits_for(network.n_ticks))
        spike = self._token.spike_in(token)
        begin, n_pieces = BeginRegister(self._token.begin_pieces), self._token.begin_pieces
        n_taken = Signal(range(n_pieces))
        m.d.comb += [self.begin.eq(begin.begin), self.begin_piece.eq(begin.newest)]
        last_word = Signal()
        m.d.comb += last_word.eq(word == self._words - 1)

        room = Signal(range(self._room + 1), init=self._room)
        produces = Signal()
        m.d.comb += produces.eq(self.issue & ((slot.work == Work.SWEEP) | (slot.work == Work.TOKEN)))
        # A register, since much begins with it; what is issued and taken in a clock comes late.
        has_room = Signal(init=1)
        m.d.sync += [
            room.eq(room - produces + self.sweep_taken),
            has_room.eq(self.sweep_taken | (room > 1) | ((room == 1) & ~produces)),
        ]

        # From the first word of a sweep until the feedback has been read, it is not there for another sweep.
        using = Signal()
        with m.If(self.feedback_released):
            m.d.sync += using.eq(0)
        # What depends on the number of the tick is kept beside it: compared when it changes, not when it is used.
        wants_feedback, late_enough, first_tick = Signal(), Signal(), Signal()

        def set_tick(value: Value, *, starts: bool) -> None:
            m.d.sync += [tick.eq(value), first_tick.eq(int(starts))]
            if has_feedback:
                m.d.sync += wants_feedback.eq(value >= network.feedback_delay)
            if isinstance(layer.rule, ThreeFactorRule):
                m.d.sync += late_enough.eq(value >= layer.rule.first_tick)

        may_sweep = Mux(wants_feedback & (word == 0), self.feedback_ready & ~using, 1) & has_room

        def walk(work: Work) -> None:
            """Issue the present word of a pass and step to the next."""
            m.d.comb += [self.issue.eq(1), slot.work.eq(work)]
            m.d.sync += word.eq(word + 1)
            with m.If(last_word):
                m.d.sync += word.eq(0)

        def emit(kind: Kind) -> None:
            m.d.comb += [self.issue.eq(1), slot.work.eq(Work.TOKEN), slot.kind.eq(kind)]

        m.d.comb += [
            slot.word.eq(word),
            slot.first.eq(word == 0),
            slot.last.eq(last_word),
            slot.fresh.eq(fresh),
            slot.begin.eq(first_tick),
            slot.feedback.eq(wants_feedback),
            slot.tick.eq(tick),
            slot.row.eq(spike.address),
        ]
        if isinstance(layer.rule, ThreeFactorRule):
            m.d.comb += slot.armed.eq(learning & late_enough)
        # A memory with one port is written an odd number of clocks behind each read that learns: so such words are
        # issued in every other clock only. The second word of a pair is read and written along with the first.
        may_write: Value = Const(1)
        if self._one_port:
            odd = Signal()
            m.d.sync += odd.eq(~odd)
            may_write = ~odd | word[0] if self._pairs else ~odd
        may_row = may_write | ~slot.armed
        m.d.sync += self.load.eq(0)
        self._quiet = Signal(range(self._drain + 1), name="quiet")

        with m.FSM() as fsm:
            if self._first_spike:
                m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                with m.If(self.event_i.valid & has_room):
                    m.d.comb += self.event_i.ready.eq(1)
                    begin.take(m, token.data)
                    m.d.sync += fresh.eq(1)
                    set_tick(Const(0), starts=True)
                    emit(Kind.BEGIN)
                    m.next = "ROWS" if n_pieces == 1 else "BEGIN"
                    if n_pieces == 1:
                        m.d.sync += self.load.eq(1)
                with m.Elif(self.access_request & ~self.event_i.valid):
                    m.d.comb += [
                        self.access_grant.eq(1),
                        self.issue.eq(1),
                        slot.work.eq(Mux(self.access_store, Work.STORE, Work.LOAD)),
                        slot.row.eq(self.access_row),
                        slot.word.eq(self.access_word),
                    ]
            if n_pieces > 1:
                with m.State("BEGIN"), m.If(self.begin_left):
                    m.d.sync += n_taken.eq(n_taken + 1)
                    m.next = "IDLE"
                    with m.If(n_taken == n_pieces - 1):
                        m.d.sync += [n_taken.eq(0), self.load.eq(1)]
                        m.next = "ROWS"
            with m.State("ROWS"), m.If(self.event_i.valid):
                with m.Switch(token.kind):
                    with m.Case(Kind.SPIKE), m.If(may_row):
                        walk(Work.ROW)
                        m.d.comb += self.event_i.ready.eq(last_word)
                        with m.If(last_word):
                            m.d.sync += fresh.eq(0)
                    with m.Case(Kind.TICK):
                        if network.has_bias:
                            m.d.comb += slot.row.eq(self._n_inputs)
                            with m.If(may_row):
                                walk(Work.ROW)
                                m.d.comb += self.event_i.ready.eq(last_word)
                                with m.If(last_word):
                                    m.d.sync += fresh.eq(0)
                                    m.next = "SWEEP"
                                    if self._teaches:
                                        with m.If(learning):
                                            m.next = "TEACH"
                        else:
                            with m.If(may_sweep):
                                walk(Work.SWEEP)
                                m.d.comb += self.event_i.ready.eq(last_word)
                                with m.If(last_word):
                                    m.next = "TICK"
                    with m.Case(Kind.END):
                        with m.If(has_room & ~self.feedback_draining):
                            m.d.comb += [self.event_i.ready.eq(1), self.finish.eq(1)]
                            emit(Kind.END)
                            m.next = "IDLE"
                            if self._first_spike:
                                if self._leave:
                                    m.next = "WAIT"
                                    m.d.sync += self._quiet.eq(self._leave - 1)
                                with m.If(learning):
                                    m.next = "WORDS"
            if self._teaches:
                with m.State("TEACH"):
                    walk(Work.TEACH)
                    with m.If(last_word):
                        m.next = "SWEEP"
            if network.has_bias:
                with m.State("SWEEP"), m.If(may_sweep):
                    walk(Work.SWEEP)
                    m.d.sync += using.eq(wants_feedback)
                    with m.If(last_word):
                        m.next = "TICK"
            with m.State("TICK"), m.If(has_room):
                emit(Kind.TICK)
                if self._fresh_ticks:
                    m.d.sync += fresh.eq(1)
                set_tick(tick + 1, starts=False)
                m.next = "SETTLE 1" if self._settle else "ROWS"
            for clock in range(1, self._settle + 1):
                with m.State(f"SETTLE {clock}"):
                    m.next = "ROWS" if clock == self._settle else f"SETTLE {clock + 1}"
            if self._first_spike:
                self._learn_behind(m, walk, last_word, may_write)
        return m

    def _learn_behind(
        self, m: Module, walk: Callable[[Work], None], last_word: Value, may_write: Value
    ) -> None:
        """Add the states that learn behind the end of a sample."""
        slot, token = self.slot, self.event_i.payload
        any_word, replay, touched = Signal(), Signal(), Signal()
        quiet = self._quiet
        m.submodules.draws = draws = Generator(salt(self._process, STREAM_PLASTICITY))
        m.d.comb += [
            draws.seed.eq(self.begin.seed),
            draws.load.eq(self.load),
            touched.eq(draws.value[:16] < self.rate),
        ]

        def learn_row(row: Value, tick: Value) -> None:
            walk(Work.LEARN)
            m.d.comb += [slot.row.eq(row), slot.tick.eq(tick), slot.armed.eq(touched)]

        self._words_state(m, any_word, replay, quiet, draws)
        with m.State("WAIT"):
            # Behind the last write of a weight a row of the next sample may read it.
            m.d.sync += [quiet.eq(quiet - 1), any_word.eq(0)]
            with m.If(quiet == 0):
                m.next = "IDLE"
        if self._is_first:
            spike = self._token.spike_in(token)
            with m.State("REPLAY"):
                with m.If(~replay):
                    m.next = "WAIT"
                with m.Elif(self.event_i.valid):
                    with m.If(token.kind == Kind.END):
                        m.d.comb += self.event_i.ready.eq(1)
                        m.next = "WAIT"
                    with m.Elif(any_word & touched):
                        with m.If(may_write):
                            learn_row(spike.address, spike.tick)
                            m.d.comb += [self.event_i.ready.eq(last_word), draws.advance.eq(last_word)]
                    with m.Else():
                        m.d.comb += [self.event_i.ready.eq(1), draws.advance.eq(1)]
            return

        # A later layer replays what it remembered; there is room for so many votes behind the pipeline.
        room = Signal(range(self._vote_room + 1), init=self._vote_room)
        starts = Signal()
        m.d.sync += room.eq(room - starts + self.votes_retired)
        with m.State("REPLAY"):
            with m.If(any_word & self.spike_available):
                with m.If((~slot.first | (room != 0)) & may_write):
                    learn_row(self.spike_row, self.spike_tick)
                    m.d.comb += [
                        starts.eq(slot.first),
                        self.next_spike.eq(last_word),
                        draws.advance.eq(last_word),
                    ]
            with m.Elif(room == self._vote_room):
                m.d.comb += [self.end_errors.eq(1), self.end_replay.eq(replay)]
                m.next = "WAIT"

    def _words_state(self, m: Module, any_word: Value, replay: Value, quiet: Value, draws: Generator) -> None:
        """Add the state that takes plasticity words, one per clock unless two of one word come close together."""
        slot, error = self.slot, self.error_i.payload
        held, issues = Signal(), Signal()
        collides: Value = Const(0)
        unsettled: Value = held
        address, later = Signal(ADDRESS_WIDTH), Signal()
        word = Signal.like(slot.word, name="error_word")
        # The word is read and written back: the next one that is the same, and what follows, has to wait for that.
        busy, at = issues, word
        for clock in range(sum(self._file_latency)):
            busy = delayed(m, busy, 1, f"error_busy_{clock}")
            at = delayed(m, at, 1, f"error_at_{clock}")
            collides, unsettled = collides | (busy & (at == word)), unsettled | busy
        takes = self.error_i.valid & (error.kind == Kind.SPIKE) & (~held | issues)
        with m.State("WORDS"):
            with m.If(held & ~collides):
                m.d.comb += [issues.eq(1), self.issue.eq(1), slot.work.eq(Work.WORD)]
                m.d.comb += [
                    slot.later.eq(later),
                    slot.word.eq(word),
                ]
                if self._lanes > 1:
                    m.d.comb += slot.lane.eq(address - product(word, self._lanes))
                m.d.sync += [any_word.eq(1), held.eq(0)]
            with m.If(takes):
                m.d.comb += self.error_i.ready.eq(1)
                m.d.sync += [
                    held.eq(1),
                    later.eq(error.later),
                    address.eq(error.address),
                    word.eq(quotient(error.address, self._lanes, self._layer.n_neurons)),
                ]
            with m.Elif(self.error_i.valid & (error.kind == Kind.END) & ~unsettled):
                m.d.comb += [self.error_i.ready.eq(1), draws.advance.eq(1)]
                m.d.sync += [replay.eq(error.later), quiet.eq(Mux(any_word, self._drain, 0))]
                m.next = "REPLAY"
