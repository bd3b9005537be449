# SPDX-License-Identifier: BSD-2-Clause
"""The front end of a layer: turns tokens into work for the pipeline."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.slot import Slot, Work
from erbium.hdl.tokens import ADDRESS_WIDTH, Begin, EventToken, Kind
from erbium.sw_model.network import Hardware, Network

SETTLE = 4
"""Clocks between the ``TICK`` token behind a sweep and the first row that may use its plasticity words."""


class LayerControl(wiring.Component):
    """Issues one word of work per clock.

    A spike is walked word by word; its token is taken with the last word, so the next one follows without
    a bubble. ``TICK`` becomes the bias row, the margin (learning output layer) and the sweep.

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
    sweep_taken : In(1)
        A token left the space behind the pipeline.
    feedback_ready, feedback_draining : In(1)
    feedback_released : In(1)
        The sweep that used the feedback has read it.
    finish : Out(1)
        The sample is over for the feedback port.
    access_request, access_store : In(1), access_row, access_word : In, access_grant : Out(1)
        Work of the host, done between samples.
    """

    def __init__(self, network: Network, number: int, hardware: Hardware, sweep_room: int) -> None:
        self._network, self._room = network, sweep_room
        self._layer = network.layers[number]
        self._n_inputs = network.shape[number]
        self._words, self._lanes = hardware.words_of(self._layer), hardware.lanes_of(self._layer)
        self._teaches = number == len(network.layers) - 1 and network.margin > 0
        word = range(max(self._words, 2))
        super().__init__(
            {
                "event_i": In(stream.Signature(EventToken())),
                "slot": Out(Slot(self._words)),
                "issue": Out(1),
                "begin": Out(Begin()),
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
        base = Signal(ADDRESS_WIDTH)
        fresh, learning = Signal(), self.begin.learn
        tick = Signal(bits_for(max(network.n_ticks, 255)))
        last_word = Signal()
        m.d.comb += last_word.eq(word == self._words - 1)

        room = Signal(range(self._room + 1), init=self._room)
        produces = Signal()
        m.d.comb += produces.eq(self.issue & ((slot.work == Work.SWEEP) | (slot.work == Work.TOKEN)))
        m.d.sync += room.eq(room - produces + self.sweep_taken)
        has_room = room != 0

        # From the first word of a sweep until the feedback has been read, it is not there for another sweep.
        using = Signal()
        with m.If(self.feedback_released):
            m.d.sync += using.eq(0)
        wants_feedback = Signal()
        if has_feedback:
            m.d.comb += wants_feedback.eq(tick >= network.feedback_delay)
        may_sweep = Mux(wants_feedback & (word == 0), self.feedback_ready & ~using, 1) & has_room

        def walk(work: Work) -> None:
            """Issue the present word of a pass and step to the next."""
            m.d.comb += [self.issue.eq(1), slot.work.eq(work)]
            m.d.sync += [word.eq(word + 1), base.eq(base + self._lanes)]
            with m.If(last_word):
                m.d.sync += [word.eq(0), base.eq(0)]

        def emit(kind: Kind) -> None:
            m.d.comb += [self.issue.eq(1), slot.work.eq(Work.TOKEN), slot.kind.eq(kind)]

        m.d.comb += [
            slot.word.eq(word),
            slot.base.eq(base),
            slot.first.eq(word == 0),
            slot.last.eq(last_word),
            slot.fresh.eq(fresh),
            slot.begin.eq(tick == 0),
            slot.feedback.eq(wants_feedback),
            slot.tick.eq(tick[:8]),
            slot.row.eq(token.data),
        ]
        if layer.rule is not None:
            m.d.comb += slot.armed.eq(learning & (tick >= layer.rule.first_tick))
        m.d.sync += self.load.eq(0)

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.event_i.valid & has_room):
                    m.d.comb += self.event_i.ready.eq(1)
                    m.d.sync += [self.begin.eq(token.data), self.load.eq(1), tick.eq(0), fresh.eq(1)]
                    emit(Kind.BEGIN)
                    m.next = "ROWS"
                with m.Elif(self.access_request & ~self.event_i.valid):
                    m.d.comb += [
                        self.access_grant.eq(1),
                        self.issue.eq(1),
                        slot.work.eq(Mux(self.access_store, Work.STORE, Work.LOAD)),
                        slot.row.eq(self.access_row),
                        slot.word.eq(self.access_word),
                    ]
            with m.State("ROWS"), m.If(self.event_i.valid):
                with m.Switch(token.kind):
                    with m.Case(Kind.SPIKE):
                        walk(Work.ROW)
                        m.d.comb += self.event_i.ready.eq(last_word)
                        with m.If(last_word):
                            m.d.sync += fresh.eq(0)
                    with m.Case(Kind.TICK):
                        walk(Work.ROW)
                        m.d.comb += [slot.row.eq(self._n_inputs), self.event_i.ready.eq(last_word)]
                        with m.If(last_word):
                            m.d.sync += fresh.eq(0)
                            if self._teaches:
                                with m.If(learning):
                                    m.next = "TEACH"
                                with m.Else():
                                    m.next = "SWEEP"
                            else:
                                m.next = "SWEEP"
                    with m.Case(Kind.END):
                        with m.If(has_room & ~self.feedback_draining):
                            m.d.comb += [self.event_i.ready.eq(1), self.finish.eq(1)]
                            emit(Kind.END)
                            m.next = "IDLE"
            if self._teaches:
                with m.State("TEACH"):
                    walk(Work.TEACH)
                    with m.If(last_word):
                        m.next = "SWEEP"
            with m.State("SWEEP"), m.If(may_sweep):
                walk(Work.SWEEP)
                m.d.sync += using.eq(wants_feedback)
                with m.If(last_word):
                    m.next = "TICK"
            with m.State("TICK"), m.If(has_room):
                emit(Kind.TICK)
                m.d.sync += [tick.eq(tick + 1), fresh.eq(1)]
                m.next = "SETTLE 1"
            for clock in range(1, SETTLE + 1):
                with m.State(f"SETTLE {clock}"):
                    m.next = "ROWS" if clock == SETTLE else f"SETTLE {clock + 1}"
        return m
