# SPDX-License-Identifier: BSD-2-Clause
"""The prediction unit: readout, error neurons, and the decision to stop a sample."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.fixed import delayed, total_of
from erbium.hdl.fork import Fork
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.neuron_unit import NeuronUnit, sweep_latency
from erbium.hdl.plan import read_plan
from erbium.hdl.population import error_population, longest_delay
from erbium.hdl.serializer import lowest_bit
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
    output_spikes : Out, error_spikes, samples : Out(1)
        What is to be counted in this clock: spikes of the layer, as many as classes at once, a spike of an error
        neuron, a finished sample.

    Notes
    -----
    A clock for each lane of each word, or for every two (``LayerPlan.classes_at_once``), and 7 clocks more per tick, 6
    with short pipelines; of two at once also one for each error spike that has not been said by then. Latency from the
    ``TICK`` of a sweep to the ``TICK`` of its feedback: 2 clocks once the classes are through, or 1 with two at once.
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
                "output_spikes": Out(range(plan.classes_at_once + 1)),
                "error_spikes": Out(1),
                "samples": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, token, n_ticks = self._lanes, self.sweep_i.payload, self._plan.n_ticks
        classes, short = self._plan.n_neurons, self._plan.short
        count_width = bits_for(n_ticks)
        register = BeginRegister(self._token.begin_pieces)
        begin = register.begin
        tick = Signal(range(n_ticks + 1))
        first_tick = Signal()

        # A word of the sweep is shifted out, one class per clock or two.
        at_once = self._plan.classes_at_once
        steps, places = -(-lanes // at_once), -(-classes // at_once)
        spikes = Signal(lanes)
        membranes = Signal(16 * lanes, reset_less=True)
        left = Signal(range(steps + 1))
        here = Signal(range(places + 1))
        active, starts = Signal(), Signal()
        m.d.comb += active.eq((left != 0) & (here != places))
        # Kept beside the counter: another word may be taken with the last lane of this one.
        may_take = Signal(init=1)
        with m.If(left != 0):
            m.d.sync += [
                may_take.eq(left <= 2),
                spikes.eq(spikes >> at_once),
                membranes.eq(membranes >> 16 * at_once),
                left.eq(left - 1),
                here.eq(Mux(here == places, places, here + 1)),
            ]
        # Of the last place, maybe only the first class is there.
        last = classes - (places - 1) * at_once
        there = [active & (here != places - 1) if k >= last else active for k in range(at_once)]
        spike = [spikes[k] & there[k] for k in range(at_once)]

        # What is kept of a class: its spike count and its two error neurons.
        weight = self._errors.weight if self._errors is not None else 0
        error_width = bits_for(weight) + 1
        unit = (
            NeuronUnit(self._errors.population.program, None, 2 * at_once, [error_width], short=short)
            if self._errors is not None
            else None
        )
        errors_width = len(unit.neurons.as_value()) if unit is not None else 0
        counts_width = at_once * count_width
        m.submodules.classes = store = memory.Memory(
            shape=counts_width + errors_width, depth=max(places, 2), init=[], attrs=COLLISION_FREE
        )
        write, read = store.write_port(), store.read_port()
        latency, unit_latency = 1, sweep_latency(short=short)
        ends = latency + unit_latency
        at = [here]
        for clock in range(ends):
            at.append(delayed(m, at[-1], 1, f"class_{clock}", cleared=False))
        m.d.comb += [read.addr.eq(here), read.en.eq(active)]
        now_there = [delayed(m, one, latency, f"there_{k}") for k, one in enumerate(there)]
        now_spike = [delayed(m, one, latency, f"spike_{k}") for k, one in enumerate(spike)]
        # The first class of a place is there if any is.
        now = now_there[0]
        candidates, counts, silent = [], [], []
        for k, exists in enumerate(now_there):
            membrane = delayed(m, membranes.word_select(k, 16), latency, f"membrane_{k}", cleared=False)
            count = Signal(count_width, name=f"count_{k}")
            m.d.comb += count.eq(
                Mux(first_tick, 0, read.data[:counts_width].word_select(k, count_width)) + now_spike[k]
            )
            counts.append(count)
            silent += [~exists, ~exists]
            # Unless pipelines are short, compared a clock later: that shortens the longest path of the unit.
            late = 0 if short else 1
            candidates.append([delayed(m, value, late, f"late_{k}") for value in (exists, count, membrane)])
        self._keep_best(m, delayed(m, at[latency], late, "late"), candidates)

        kept = [delayed(m, count, unit_latency, f"kept_{k}", cleared=False) for k, count in enumerate(counts)]
        m.submodules.saying = saying = ErrorSpikes(classes, at_once)
        if unit is not None:
            # Error neurons: a spike without label raises the first, a label without spike the second.
            m.submodules.errors = unit
            pushes = []
            for k in range(at_once):
                is_label = begin.label == Cat(Const(k, at_once - 1), at[latency])
                push = Signal(Shape(error_width, signed=True), name=f"push_{k}")
                m.d.comb += push.eq(Mux(now_spike[k], Mux(is_label, 0, weight), Mux(is_label, -weight, 0)))
                pushes += [push, (-push)[:error_width]]
            m.d.comb += [
                unit.valid.eq(now & begin.learn),
                unit.neurons.eq(read.data[counts_width:]),
                unit.begin.eq(first_tick),
                unit.ports.eq(Cat(*pushes)),
                saying.place.eq(at[ends]),
                saying.errors.eq(Mux(unit.valid_o, unit.spikes_o, 0)),
            ]
            if at_once > 1:
                m.d.comb += unit.silent.eq(Cat(*silent))
            kept.append(unit.neurons_o.as_value())
        m.d.comb += [
            write.en.eq(delayed(m, now, unit_latency, "write_enable")),
            write.addr.eq(at[ends]),
            write.data.eq(Cat(*kept)),
        ]

        feedback = FeedbackToken(2 * classes)
        # A tick begins when there is room for all that it can say.
        depth = (longest_delay(self._plan.population.graph) + 2) * (classes + 2) + 1
        readers = len(self.feedback_o)
        m.submodules.queue = queue = Fork(
            feedback, readers, depth, classes + 3, in_turn=self._in_turn, prompt=at_once > 1
        )
        for token_o, reader in zip(queue.token_o, self.feedback_o, strict=True):
            wiring.connect(m, token_o, wiring.flipped(reader))
        out, says = queue.token_i.payload, queue.token_i.valid
        any_error = Signal()
        with m.If(saying.says):
            m.d.comb += [
                says.eq(1),
                out.kind.eq(Kind.SPIKE),
                out.address.eq(saying.address),
                self.error_spikes.eq(1),
            ]
        with m.If(saying.errors.any()):
            m.d.sync += any_error.eq(1)

        m.d.comb += self.output_spikes.eq(total_of(spike))

        busy_for = Signal(range(ends + 1))
        with m.If(left != 0):
            m.d.sync += busy_for.eq(ends)
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
                        left.eq(steps),
                        may_take.eq(int(steps <= 1)),
                        settled.eq(0),
                        starts.eq(0),
                    ]
                with m.Case(Kind.TICK), m.If(settled & ~saying.waits & queue.token_i.ready):
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

    def _keep_best(self, m: Module, place: Value, candidates: Sequence[Sequence[Value]]) -> None:
        """Keep the class with the largest (count, membrane); an equal one later does not replace it.

        The classes of a place are compared with each other, and a clock later the better one with the best so far.
        """
        at_once = len(candidates)
        # Offset binary makes the comparison of count and membrane a single unsigned one.
        keys = [Cat(membrane ^ 0x8000, count) for _, count, membrane in candidates]
        valid, which, key = candidates[0][0], Const(0, 0), keys[0]
        if at_once > 1:
            second = candidates[1][0] & (keys[1] > keys[0])
            values = (valid, place, second, Mux(second, keys[1], keys[0]))
            valid, place, which, key = (
                delayed(m, value, 1, name)
                for value, name in zip(values, ("valid", "place", "which", "key"), strict=True)
            )
        count_width = len(key) - 16
        self.best = Signal(range(self._plan.n_neurons))
        self.best_count = Signal(count_width)
        best_key = Signal(len(key))
        with m.If(valid & ((place == 0) | (key > best_key))):
            m.d.sync += [best_key.eq(key), self.best.eq(Cat(which, place))]
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


class ErrorSpikes(wiring.Component):
    """Says the error spikes of the classes one by one, in the order of the classes.

    Parameters
    ----------
    classes : int
    at_once : int
        Classes of a place, 1 or 2.

    Members
    -------
    place : In, errors : In(2 * at_once)
        Spikes of the error neurons of a place, two of each class, of which at most one spikes. Places ascend within a
        tick.
    says : Out(1), address : Out
        A spike of this error neuron is said now.
    waits : Out(1)
        There is one that is said now, or later.

    Notes
    -----
    One error spike per clock. Of one class at once it is said as it comes; of two, from the clock after it on.
    """

    def __init__(self, classes: int, at_once: int) -> None:
        self._classes, self._at_once = classes, at_once
        super().__init__(
            {
                "place": In(range(-(-classes // at_once) + 1)),
                "errors": In(2 * at_once),
                "says": Out(1),
                "address": Out(range(2 * classes)),
                "waits": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._at_once == 1:
            m.d.comb += [self.says.eq(self.errors.any()), self.address.eq(Cat(self.errors[1], self.place))]
            return m
        pending, which = Signal(self._classes), Signal(self._classes)
        found, first = lowest_bit(m, pending)
        m.d.comb += [
            self.says.eq(found),
            self.waits.eq(found),
            self.address.eq(Cat(which.bit_select(first, 1), first)),
        ]
        # Clearing the lowest set bit: x & (x - 1).
        m.d.sync += pending.eq(pending & (pending - 1))
        for number in range(self._classes):
            place, k = divmod(number, self._at_once)
            neurons = self.errors[2 * k : 2 * k + 2]
            with m.If((self.place == place) & neurons.any()):
                m.d.sync += [pending[number].eq(1), which[number].eq(neurons[1])]
        return m
