# SPDX-License-Identifier: BSD-2-Clause
"""The prediction unit: readout, error neurons, and the decision to stop a sample."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.fixed import delayed
from erbium.hdl.fork import Fork
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.neuron_unit import LATENCY, NeuronUnit
from erbium.hdl.plan import read_plan
from erbium.hdl.population import error_population, longest_delay
from erbium.hdl.tokens import NO_ANSWER, BeginRegister, FeedbackToken, Kind, Result
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import SpikeCount
from erbium.sw_model.network import Hardware, Network


class PredictionUnit(wiring.Component):
    """Takes the sweeps of the output layer class by class.

    For each class it counts spikes, keeps the best answer of the tick (most spikes, then the larger
    membrane, then the lower index) and, in learning, runs the two error neurons.

    Parameters
    ----------
    network : Network or Graph
    hardware : Hardware
    readers : int
        Of the feedback.

    Members
    -------
    sweep_i : In(stream of SweepToken with membranes)
    feedback_o : Out(stream of FeedbackToken).array(readers)
        ``(SPIKE* TICK)* END``; at most one error neuron of a class spikes in a tick. In an array this never blocks:
        what can be under way, `feedback_delay` ticks and what a finished sample left behind, waits here.
    result_o : Out(stream of Result)
        One per sample, a clock behind its ``END``; until it is taken no other sample begins here.
    decide_after : In(16)
        In inference, stop when a class has so many spikes; 0: never. Changed only while the array is idle.
    output_spikes, error_spikes, samples : Out(1)
        What is to be counted in this clock: a spike of the layer or of an error neuron, a finished sample.

    Notes
    -----
    A clock for each lane of each word, and 9 clocks more per tick.
    Latency from the ``TICK`` of a sweep to the ``TICK`` of its feedback: 2 clocks once the classes are through.
    """

    def __init__(self, network: Network | Graph, hardware: Hardware, readers: int = 1) -> None:
        self._plan = plan = read_plan(network, hardware)
        assert plan is not None
        self._in_turn, self._lanes, self._token = (
            hardware.short_pipelines and readers > 1,
            plan.lanes,
            plan.sweep_token,
        )
        self._readout, self._errors = plan.population.graph.readout, error_population(plan.population.graph)
        assert self._readout is None or isinstance(self._readout, SpikeCount)
        super().__init__(
            {
                "sweep_i": In(stream.Signature(self._token)),
                "feedback_o": Out(stream.Signature(FeedbackToken(2 * plan.n_neurons))).array(readers),
                "result_o": Out(stream.Signature(Result())),
                "decide_after": In(16),
                "output_spikes": Out(1),
                "error_spikes": Out(1),
                "samples": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, token, n_ticks = self._lanes, self.sweep_i.payload, self._plan.n_ticks
        classes = self._plan.n_neurons
        count_width = bits_for(n_ticks)
        register = BeginRegister(self._token.begin_pieces)
        begin = register.begin
        tick = Signal(range(n_ticks + 1))
        first_tick = Signal()

        # A word of the sweep is shifted out lane by lane, one class per clock.
        spikes = Signal(lanes)
        membranes = Signal(16 * lanes)
        left = Signal(range(lanes + 1))
        here = Signal(range(classes + 1))
        active, starts = Signal(), Signal()
        spike, membrane = spikes[0], membranes[:16]
        m.d.comb += active.eq((left != 0) & (here != classes))
        # Kept beside the counter: another word may be taken with the last lane of this one.
        may_take = Signal(init=1)
        with m.If(left != 0):
            m.d.sync += [
                may_take.eq(left <= 2),
                spikes.eq(spikes >> 1),
                membranes.eq(membranes >> 16),
                left.eq(left - 1),
                here.eq(Mux(here == classes, classes, here + 1)),
            ]

        # What is kept of a class: its spike count and its two error neurons.
        weight = self._errors.weight if self._errors is not None else 0
        error_width = bits_for(weight) + 1
        unit = (
            NeuronUnit(self._errors.population.program, None, 2, [error_width])
            if self._errors is not None
            else None
        )
        errors_width = len(unit.neurons.as_value()) if unit is not None else 0
        m.submodules.classes = store = memory.Memory(
            shape=count_width + errors_width, depth=max(classes, 2), init=[], attrs=COLLISION_FREE
        )
        write, read = store.write_port(), store.read_port()
        latency = 1
        ends = latency + LATENCY
        at = [here]
        for clock in range(ends):
            at.append(delayed(m, at[-1], 1, f"class_{clock}", cleared=False))
        m.d.comb += [read.addr.eq(here), read.en.eq(active)]
        now = delayed(m, active, latency, "active")
        now_spike = delayed(m, spike, latency, "spike")
        now_membrane = delayed(m, membrane, latency, "membrane", cleared=False)

        count = Signal(count_width)
        m.d.comb += count.eq(Mux(first_tick, 0, read.data[:count_width]) + now_spike)
        # Compared a clock later, which shortens the longest path of the unit.
        late = [delayed(m, value, 1, "late") for value in (now, at[latency], count, now_membrane)]
        self._keep_best(m, *late)

        kept = [delayed(m, count, LATENCY, "count", cleared=False)]
        erring, which = Signal(), Signal()
        if unit is not None:
            # Error neurons: a spike without label raises the first, a label without spike the second.
            m.submodules.errors = unit
            is_label = at[latency] == begin.label
            push = Signal(Shape(error_width, signed=True))
            m.d.comb += push.eq(Mux(now_spike, Mux(is_label, 0, weight), Mux(is_label, -weight, 0)))
            m.d.comb += [
                unit.valid.eq(now & begin.learn),
                unit.neurons.eq(read.data[count_width:]),
                unit.begin.eq(first_tick),
                unit.ports.eq(Cat(push, (-push)[:error_width])),
                erring.eq(unit.valid_o & unit.spikes_o.any()),
                which.eq(unit.spikes_o[1]),
            ]
            kept.append(unit.neurons_o.as_value())
        m.d.comb += [
            write.en.eq(delayed(m, now, LATENCY, "write_enable")),
            write.addr.eq(at[ends]),
            write.data.eq(Cat(*kept)),
        ]

        feedback = FeedbackToken(2 * classes)
        # A tick begins when there is room for all that it can say.
        depth = (longest_delay(self._plan.population.graph) + 2) * (classes + 2) + 1
        readers = len(self.feedback_o)
        m.submodules.queue = queue = Fork(feedback, readers, depth, classes + 3, in_turn=self._in_turn)
        for token_o, reader in zip(queue.token_o, self.feedback_o, strict=True):
            wiring.connect(m, token_o, wiring.flipped(reader))
        out, says = queue.token_i.payload, queue.token_i.valid
        any_error = Signal()
        with m.If(erring):
            m.d.comb += [
                says.eq(1),
                out.kind.eq(Kind.SPIKE),
                out.address.eq(Cat(which, at[ends])),
            ]
            m.d.comb += self.error_spikes.eq(1)
            m.d.sync += any_error.eq(1)

        m.d.comb += self.output_spikes.eq(active & spike)

        busy_for = Signal(range(ends + 3))
        with m.If(left != 0):
            m.d.sync += busy_for.eq(ends + 2)
        with m.Elif(busy_for != 0):
            m.d.sync += busy_for.eq(busy_for - 1)
        settled = Signal()
        m.d.sync += settled.eq((left == 0) & (busy_for == 0))

        self._decide(m, begin, tick, any_error)
        result = Signal(Result())
        m.d.comb += [
            result.answer.eq(self.answer if self._readout is not None else NO_ANSWER),
            result.ticks.eq(tick),
            result.ticks_to_decision.eq(Mux(self.decided, self.decision_ticks, tick)),
            self.result_o.payload.eq(result),
        ]
        with m.If(self.result_o.ready):
            m.d.sync += self.result_o.valid.eq(0)
        with m.If(self.sweep_i.valid):
            with m.Switch(token.kind):
                # Until a result is taken, what it is made of has to stay.
                with m.Case(Kind.BEGIN), m.If(~self.result_o.valid):
                    m.d.comb += self.sweep_i.ready.eq(1)
                    register.take(m, token.data)
                    m.d.sync += [
                        tick.eq(0),
                        first_tick.eq(1),
                        here.eq(0),
                        starts.eq(1),
                        self.quiet.eq(0),
                        self.decided.eq(0),
                        any_error.eq(0),
                    ]
                with m.Case(Kind.SPIKE), m.If(may_take & (~starts | queue.has_room)):
                    m.d.comb += self.sweep_i.ready.eq(1)
                    m.d.sync += [
                        spikes.eq(token.spikes),
                        membranes.eq(token.v),
                        left.eq(lanes),
                        may_take.eq(int(lanes <= 1)),
                        settled.eq(0),
                        starts.eq(0),
                    ]
                with m.Case(Kind.TICK), m.If(settled & queue.token_i.ready):
                    m.d.comb += [
                        self.sweep_i.ready.eq(1),
                        says.eq(1),
                        out.kind.eq(Kind.TICK),
                        out.address[0].eq(self.stop),
                    ]
                    m.d.sync += [
                        tick.eq(tick + 1),
                        first_tick.eq(0),
                        here.eq(0),
                        starts.eq(1),
                        any_error.eq(0),
                        self.quiet.eq(self.next_quiet),
                    ]
                    with m.If(~self.decided):
                        m.d.sync += [
                            self.answer.eq(self.best),
                            self.decided.eq(self.decides),
                            self.decision_ticks.eq(tick + 1),
                        ]
                with m.Case(Kind.END), m.If(queue.token_i.ready):
                    m.d.sync += self.result_o.valid.eq(1)
                    m.d.comb += [
                        self.sweep_i.ready.eq(1),
                        says.eq(1),
                        out.kind.eq(Kind.END),
                        self.samples.eq(1),
                    ]
        return m

    def _keep_best(self, m: Module, valid, here, count, membrane) -> None:
        """Keep the class with the largest (count, membrane); an equal one later does not replace it."""
        self.best, self.best_count = Signal(range(self._plan.n_neurons)), Signal(len(count))
        best_key = Signal(len(count) + 16)
        # Offset binary makes the comparison of count and membrane a single unsigned one.
        key = Cat(membrane ^ 0x8000, count)
        with m.If(valid & ((here == 0) | (key > best_key))):
            m.d.sync += [best_key.eq(key), self.best.eq(here)]
        m.d.comb += self.best_count.eq(best_key[16:])

    def _decide(self, m: Module, begin, tick, any_error) -> None:
        """Form the decision to stop from the tick that ends now."""
        quiet_ticks = self._readout.quiet_ticks if self._readout is not None else 0
        self.answer = Signal(range(self._plan.n_neurons))
        self.decided, self.decides, self.stop = Signal(), Signal(), Signal()
        self.decision_ticks = Signal.like(tick)
        self.quiet, self.next_quiet = Signal.like(tick), Signal.like(tick)
        m.d.comb += [
            self.next_quiet.eq(Mux(any_error | (tick == 0), 0, self.quiet + 1)),
            self.decides.eq(~begin.learn & (self.decide_after != 0) & (self.best_count >= self.decide_after)),
        ]
        # A register: by the time that a tick ends, what it is formed of has been there for a clock.
        with m.If(begin.learn):
            m.d.sync += self.stop.eq(self.next_quiet >= quiet_ticks if quiet_ticks else 0)
        with m.Else():
            m.d.sync += self.stop.eq(self.decided | self.decides if self._readout is not None else 0)
