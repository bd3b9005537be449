# SPDX-License-Identifier: BSD-2-Clause
"""The prediction unit of a first-spike network: the first output spike, and who was too early or too late."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.fixed import total_of
from erbium.hdl.plan import read_plan
from erbium.hdl.tokens import (
    STATE_WIDTH,
    BeginRegister,
    ErrorToken,
    FeedbackToken,
    Kind,
    Result,
)
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import FirstSpike
from erbium.sw_model.network import Hardware, Network


class FirstSpikePrediction(wiring.Component):
    """Names the output that spikes first; in learning it says which outputs are to spike earlier or later.

    Of the outputs that spike in the first tick with a spike the one with the largest membrane is the answer; if
    there is no such tick, that of the last tick's membranes is. An output is wrong if it is not the label and
    spikes before the label's tick + margin: since it spikes once, one bit per class remembers it.

    Parameters
    ----------
    network : Network or Graph
    hardware : Hardware

    Members
    -------
    sweep_i : In(stream of SweepToken with membranes)
    feedback_o : Out(stream of FeedbackToken)
        ``TICK* END``. The ``END`` says whether the sample is replayed.
    result_o : Out(stream of Result)
        One per sample; that of a learned sample comes before it has been learned.
    error_o : Out(stream of ErrorToken)
        Behind each learned sample the plasticity words of the outputs.
    decide_after, n_ticks : In(16)
        In inference, stop after the first output spike unless 0; longest presentation. Changed only while the
        array is idle.
    output_spikes : Out, updates, samples : Out(1)
        What is to be counted in this clock: spikes of the layer, 0 ... lanes, a sample to be learned, a finished one.

    Notes
    -----
    One clock for each word and each ``TICK``; a clock for each lane more for a word that can hold the answer
    (the first tick with a spike, and the last tick there can be). Behind a learned sample 2 clocks, and one for each
    class if the sample is replayed.
    """

    def __init__(self, network: Network | Graph, hardware: Hardware) -> None:
        self._plan = plan = read_plan(network, hardware)
        assert plan is not None
        self._classes, self._lanes, self._token, self._words = (
            plan.n_neurons,
            plan.lanes,
            plan.sweep_token,
            plan.words,
        )
        readout = plan.population.graph.readout
        assert isinstance(readout, FirstSpike)
        self._readout = readout
        super().__init__(
            {
                "sweep_i": In(stream.Signature(self._token)),
                "feedback_o": Out(stream.Signature(FeedbackToken(2 * plan.n_neurons))),
                "result_o": Out(stream.Signature(Result())),
                "error_o": Out(stream.Signature(ErrorToken(plan.n_neurons))),
                "decide_after": In(16),
                "n_ticks": In(16),
                "output_spikes": Out(range(self._lanes + 1)),
                "updates": Out(1),
                "samples": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        token, classes, n_ticks = self.sweep_i.payload, self._classes, self._plan.n_ticks
        register = BeginRegister(self._token.begin_pieces)
        self.begin = register.begin
        self.tick = Signal(range(n_ticks + 1))
        self.next_tick = (self.tick + 1)[: len(self.tick)]
        takes, starts = Signal(), Signal()
        m.d.comb += takes.eq(self.sweep_i.valid & (token.kind == Kind.SPIKE))
        answer, decision_ticks, decided, scanning = self._answer(m, takes, starts)
        wrong, age = self._errors(m, takes & ~scanning, starts)

        # The stop is sent the feedback delay ahead of the last tick that can matter.
        wait = max(self._readout.margin - 1 - self._readout.delay, 0)
        stop = Mux(self.begin.learn, self.labelled & (age >= wait), decided & (self.decide_after != 0))
        update = wrong.any() | ~self.in_time
        n_left = Signal(range(classes + 1))
        queue = Signal(classes)
        feedback, error, result = self.feedback_o.payload, self.error_o.payload, self.result_o.payload
        m.d.comb += [
            result.answer.eq(answer),
            result.ticks.eq(self.tick),
            result.ticks_to_decision.eq(Mux(decided, decision_ticks, self.tick)),
        ]
        place = Signal(range(classes))
        is_label = place == self.begin.label
        m.d.comb += [error.address.eq(place), error.later.eq(~is_label)]

        with m.If(self.result_o.ready):
            m.d.sync += self.result_o.valid.eq(0)
        with m.FSM():
            with m.State("TICKS"), m.If(self.sweep_i.valid):
                with m.Switch(token.kind):
                    # Until a result is taken, what it is made of has to stay.
                    with m.Case(Kind.BEGIN), m.If(~self.result_o.valid):
                        m.d.comb += [self.sweep_i.ready.eq(1), starts.eq(1)]
                        register.take(m, token.data)
                        m.d.sync += self.tick.eq(0)
                    with m.Case(Kind.SPIKE):
                        m.d.comb += self.sweep_i.ready.eq(~scanning)
                    with m.Case(Kind.TICK), m.If(~scanning):
                        m.d.comb += [
                            self.feedback_o.valid.eq(1),
                            feedback.kind.eq(Kind.TICK),
                            feedback.address.eq(stop),
                            self.sweep_i.ready.eq(self.feedback_o.ready),
                        ]
                        with m.If(self.feedback_o.ready):
                            m.d.sync += self.tick.eq(self.next_tick)
                    with m.Case(Kind.END):
                        m.d.comb += [self.sweep_i.ready.eq(1), self.samples.eq(1)]
                        m.d.sync += self.result_o.valid.eq(1)
                        m.next = "END"
            with m.State("END"):
                m.d.comb += [
                    self.feedback_o.valid.eq(1),
                    feedback.kind.eq(Kind.END),
                    feedback.address.eq(self.begin.learn & update),
                ]
                m.d.sync += [queue.eq(wrong), n_left.eq(0), place.eq(0)]
                with m.If(self.feedback_o.ready):
                    m.next = "TICKS"
                    with m.If(self.begin.learn):
                        m.next = "ERRORS"
                    with m.If(self.begin.learn & update):
                        m.d.comb += self.updates.eq(1)
                        m.d.sync += n_left.eq(classes)
            with m.State("ERRORS"):
                with m.If(n_left == 0):
                    m.d.comb += [self.error_o.valid.eq(1), error.kind.eq(Kind.END), error.later.eq(update)]
                    with m.If(self.error_o.ready):
                        m.next = "TICKS"
                with m.Else():
                    m.d.comb += [self.error_o.valid.eq(queue[0] | is_label), error.kind.eq(Kind.SPIKE)]
                    with m.If(self.error_o.ready | ~self.error_o.valid):
                        m.d.sync += [queue.eq(queue >> 1), place.eq(place + 1), n_left.eq(n_left - 1)]
        return m

    def _answer(self, m: Module, takes: Value, starts: Value) -> tuple[Value, Value, Value, Value]:
        """Look for the answer, lane by lane; return it, its tick count, whether it is final, whether a look is on."""
        classes, lanes, token = self._classes, self._lanes, self.sweep_i.payload
        spikes, membranes = Signal(lanes), Signal(STATE_WIDTH * lanes, reset_less=True)
        left = Signal(range(lanes + 1))
        here = Signal(range(classes + lanes))
        best, best_key, found = Signal(range(classes)), Signal(STATE_WIDTH + 1), Signal()
        decided, spiked, decision_ticks = Signal(), Signal(), Signal.like(self.tick)
        scanning = Signal()

        # Until a tick with a spike has ended, a word can hold the answer if it has a spike, or in the last tick.
        can = ~decided & (token.spikes.any() | (self.next_tick == self.n_ticks))
        with m.If(takes & ~scanning):
            m.d.sync += [spikes.eq(token.spikes), membranes.eq(Cat(*token.v)), here.eq(token.data)]
            with m.If(can):
                m.d.sync += [left.eq(lanes), scanning.eq(1)]
            with m.If(token.spikes.any()):
                m.d.sync += spiked.eq(1)
        with m.If(scanning):
            m.d.sync += [
                spikes.eq(spikes >> 1),
                membranes.eq(membranes >> STATE_WIDTH),
                left.eq(left - 1),
                here.eq(here + 1),
                scanning.eq(left != 1),
            ]
            # Offset binary makes the comparison of spike and membrane a single unsigned one.
            key = Cat(membranes[: STATE_WIDTH - 1], ~membranes[STATE_WIDTH - 1], spikes[0])
            with m.If((here < classes) & (~found | (key > best_key))):
                m.d.sync += [best_key.eq(key), best.eq(here), found.eq(1)]
        with m.If(self.feedback_o.valid & self.feedback_o.ready & spiked & ~decided):
            m.d.sync += [decided.eq(1), decision_ticks.eq(self.next_tick)]
        with m.If(starts):
            m.d.sync += [found.eq(0), decided.eq(0), spiked.eq(0)]
        # A tick with a spike counts from its own TICK token on.
        return best, decision_ticks, decided | spiked, scanning

    def _errors(self, m: Module, taken: Value, starts: Value) -> tuple[Value, Value]:
        """Remember which outputs were wrong and when the label spiked; return the wrong ones and the label's age."""
        classes, lanes, token = self._classes, self._lanes, self.sweep_i.payload
        errors = self._readout
        wrong = Signal(classes)
        age = Signal(range(self._plan.n_ticks + 1))
        self.labelled, self.in_time = Signal(), Signal()
        labels_now, closed = Signal(), Signal()
        base = token.data
        is_label = Signal(lanes)
        m.d.comb += is_label.eq(
            Cat(*[self.begin.label == (base + lane)[: bits_for(classes + lanes)] for lane in range(lanes)])
        )
        m.d.comb += [
            labels_now.eq((token.spikes & is_label).any()),
            closed.eq(self.labelled & (age >= errors.margin)),
        ]
        candidates = token.spikes & ~is_label
        if errors.earliest_only:
            candidates = Mux(wrong.any(), 0, candidates & (~candidates + 1)[:lanes])
        n_spikes = total_of(token.spikes[lane] for lane in range(lanes))
        m.d.sync += self.output_spikes.eq(Mux(taken, n_spikes, 0))
        with m.If(taken):
            with m.If(labels_now):
                m.d.sync += [self.labelled.eq(1), age.eq(0), self.in_time.eq(self.tick < errors.deadline)]
            with m.If(~closed):
                for word in range(self._words):
                    part = wrong[word * lanes : (word + 1) * lanes]
                    with m.If(base == word * lanes):
                        m.d.sync += part.eq(part | candidates[: len(part)])
        with m.If(self.feedback_o.valid & self.feedback_o.ready & self.labelled):
            m.d.sync += age.eq(age + 1)
        with m.If(starts):
            m.d.sync += [wrong.eq(0), self.labelled.eq(0), self.in_time.eq(0), age.eq(0)]
        return wrong, age
