# SPDX-License-Identifier: BSD-2-Clause
"""The whole array: encoders, populations, readout, and the channels between them."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.counter_bank import Count, CounterBank
from erbium.hdl.encoder import Encoder
from erbium.hdl.event_wires import EventWires
from erbium.hdl.fit import check_hardware
from erbium.hdl.fixed import joined, total_of
from erbium.hdl.fork import Fork
from erbium.hdl.inputs import inputs_of
from erbium.hdl.layer import LayerEngine
from erbium.hdl.plan import channel_spikes
from erbium.hdl.population import engine_names, engine_populations, read_population
from erbium.hdl.readouts import ReadoutPart, readout_part
from erbium.hdl.registers import COUNTER_WIDTH, counter_names, performance_names
from erbium.hdl.sample_split import SampleSplit
from erbium.hdl.serializer import SpikeSerializer
from erbium.hdl.tokens import AccessToken, Kind, Result, SampleKind, SampleToken
from erbium.hdl.weight_words import LayerWeights, check_weights, holds_contents
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import LOADED
from erbium.sw_model.network import Hardware, Network


def rate_ports(network: Network | Graph) -> dict[str, int]:
    """Return the ports that take the learning rate of each layer, in order, and their widths."""
    rates = [population.rate for population in engine_populations(network)]
    return {rate.name: rate.width for rate in rates}


class ErbiumArray(wiring.Component):
    """A neuron and synapse array that learns.

    Parameters
    ----------
    network : Network or Graph
    hardware : Hardware
    weights : sequence of sequence of int, optional
        Rows of each layer: what the synapse memories hold after configuration. SPRAM starts without, as all do without
        this argument.

    Raises
    ------
    ValueError
        If these weights are not those of the network.
    DescriptionError
        If the array cannot be built for this graph (:func:`erbium.hdl.fit.check_hardware`).

    Members
    -------
    sample_i : In(stream of SampleToken)
        ``BEGIN PIXEL* END`` for each sample; the next one is taken while the last one is processed.
    result_o : Out(stream of Result)
        One per sample, in order.
    access_i : In(stream of AccessToken), access_o : Out(stream of int16)
        Weights; only while `idle`. One answer for each ``READ``.
    gain_1, gain_2, ... : In(8)
        eRBP: amplitude of an error spike in each layer, the learning rate. Changed only while `idle`.
    rate_1, rate_2, ... : In(17)
        First-spike: probability in 1/65536 that a replayed row of each layer is touched. Changed only while `idle`.
    n_ticks : In(16)
        Longest presentation, 1 ... the network's. Changed only while `idle`.
    decide_after : In(16)
        Output spikes that settle an inference, 0 for never. Changed only while `idle`.
    idle : Out(1)
        No sample is in the array. A sample is in the array from its ``END`` on: one that was begun and not ended
        is given up without a trace by the next ``BEGIN``.
    collision : Out(1)
        A memory was misused: a fault of the hardware, never to be seen.
    counter_i : In(stream of int8), counter_o : Out(stream of int48)
        Counters since reset: a place in :func:`counter_names` and behind them :func:`performance_names`, and one
        answer for each request, exact while `idle`. `cycles` counts while not idle.

    Notes
    -----
    A reset stops everything but keeps the weights. Cycles per sample are close to the sum over its ticks of
    those of the slowest layer (:class:`erbium.hdl.layer.LayerEngine`): layers, encoder and prediction work
    on different ticks, and on different samples, at the same time. For some 60 clocks after a reset no sample is taken.
    """

    def __init__(
        self,
        network: Network | Graph,
        hardware: Hardware | None = None,
        weights: Sequence[LayerWeights] | None = None,
    ) -> None:
        self.network, self.graph, self.hardware = network, graph_of(network), hardware or Hardware()
        check_hardware(self.graph)
        if weights is not None:
            check_weights(network, weights)
        self._weights = weights
        self.counters = counter_names(network) + performance_names(network)
        members = {
            "sample_i": In(stream.Signature(SampleToken())),
            "result_o": Out(stream.Signature(Result())),
            "access_i": In(stream.Signature(AccessToken())),
            "access_o": Out(stream.Signature(16)),
            "n_ticks": In(16),
            "decide_after": In(16),
            "idle": Out(1),
            "collision": Out(1),
            "counter_i": In(stream.Signature(8)),
            "counter_o": Out(stream.Signature(COUNTER_WIDTH)),
        }
        members |= {name: In(width) for name, width in rate_ports(network).items()}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        graph, hardware = self.graph, self.hardware
        readout = readout_part(graph.readout, graph, hardware)
        encoders = self._encoders(m)
        engines: dict[str, LayerEngine] = {}
        for number, name in enumerate(engine_names(graph)):
            engines[name] = LayerEngine(graph, number, hardware, self._weights_of(number))
        *_, last = engines.values()
        wires = EventWires(m, graph, hardware)
        hearing = [engine for engine in engines.values() if engine.plan.has_feedback]
        listening = [
            engine for engine in hearing if readout.sends(engine.plan.population.feedback_projection)
        ]
        rows = [projection for name in engines for projection in graph.stored(name)]
        walked = any(readout.sends(projection) for projection in rows)
        readout.build(m, len(listening) + len(encoders) * readout.stops + walked, last)
        connect(m, readout.unit.result_o, flipped(self.result_o))
        readout.limits(m, self.n_ticks, self.decide_after)
        feedback = iter(readout.feedback())
        for encoder in encoders.values():
            m.d.comb += encoder.n_ticks.eq(self.n_ticks)
            if readout.stops:
                connect(m, next(feedback), encoder.feedback_i)
        for engine in hearing:
            if engine in listening:
                connect(m, next(feedback), engine.feedback_i)
            else:
                wires.feed_back(engine)

        if walked:
            wires.write_errors(readout.errors.population, next(feedback))

        first, *_ = encoders.values()
        counts: dict[str, tuple[Value, Count]] = {
            "ticks": (first.ticks, Count()),
            "input_spikes": (
                total_of(e.input_spikes for e in encoders.values()),
                Count(most=sum(e.spikes_at_once for e in encoders.values())),
            ),
        }
        counts |= readout.counts()
        for name, encoder in encoders.items():
            wires.write(name, encoder.event_o)
        for name, engine in engines.items():
            m.submodules[name] = engine
            counts |= self._layer_counts(engine, self._spikes(m, readout, wires, engine))
            wires.read(engine)
            self._set_rate(m, engine)
        if not readout.reads_sweeps:
            wires.watch(last.plan.population.name, readout.unit.event_i)
        wires.connect()
        readout.learn(m, list(engines.values()))
        self._access(m, list(engines.values()))
        self._idle(m, readout.busy(list(engines.values())), engines)
        counts["cycles"] = (~self.idle, Count())
        ready = self._count(m, counts)
        m.d.comb += [
            self._sample_i.payload.eq(self.sample_i.payload),
            self._sample_i.valid.eq(self.sample_i.valid & ready),
            self.sample_i.ready.eq(self._sample_i.ready & ready),
        ]
        m.d.comb += self.collision.eq(Cat(*[engine.collision for engine in engines.values()]).any())
        return m

    def _encoders(self, m: Module) -> dict[str, Encoder]:
        """Make an encoder for each source that takes pixels, and hand them the samples."""
        sources = [source for source in self.graph.sources if isinstance(source.encoder, LOADED)]
        encoders = {source.name: Encoder(self.graph, self.hardware, source.name) for source in sources}
        if len(sources) == 1:
            m.submodules.encoder = only = encoders[sources[0].name]
            self._sample_i = only.sample_i
            return encoders
        m.submodules.samples = split = SampleSplit([source.size for source in sources])
        self._sample_i = split.sample_i
        for number, (name, encoder) in enumerate(encoders.items()):
            m.submodules[f"{name}_encoder"] = encoder
            connect(m, split.sample_o[number], encoder.sample_i)
        return encoders

    def _spikes(self, m: Module, readout: ReadoutPart, wires: EventWires, engine: LayerEngine) -> Value:
        """Send the sweeps of a population to the readout, to a serializer, or to both; return its spikes as counted."""
        plan, name = engine.plan, engine.plan.population.name
        sends = any(p.source == name and self.graph.stored(p.target) for p in self.graph.projections)
        if plan.is_read and not sends:
            connect(m, engine.sweep_o, readout.unit.sweep_i)
            return readout.unit.output_spikes
        at_once = channel_spikes(self.graph, self.hardware, name)
        serializer = SpikeSerializer(plan.lanes, plan.n_neurons, self.hardware.begin_pieces, at_once)
        m.submodules[f"{name}_serializer"] = serializer
        wires.write(name, serializer.event_o)
        if not plan.is_read:
            connect(m, engine.sweep_o, serializer.sweep_i)
            return serializer.spikes
        m.submodules[f"{name}_sweeps"] = fork = Fork(plan.sweep_token, 2, 4)
        connect(m, engine.sweep_o, fork.token_i)
        connect(m, fork.token_o[0], readout.unit.sweep_i)
        # The serializer takes no membranes.
        both, sweep = fork.token_o[1], serializer.sweep_i
        m.d.comb += [
            sweep.valid.eq(both.valid),
            *(sweep.payload[member].eq(both.payload[member]) for member in ("kind", "data", "spikes")),
            both.ready.eq(sweep.ready),
        ]
        return readout.unit.output_spikes

    def _set_rate(self, m: Module, engine: LayerEngine) -> None:
        """Give a population the learning rate of its port; an amplitude that is no learning rate is fixed."""
        population = engine.plan.population
        port = getattr(self, population.rate.name)
        if population.spikes_once:
            m.d.comb += engine.rate.eq(port)
        elif (projection := population.feedback_projection) is not None:
            m.d.comb += engine.gain.eq(port if projection.scaled else population.gain)

    def _weights_of(self, number: int) -> LayerWeights | None:
        """Return what the memory of a layer holds at first, if anything."""
        if self._weights is None or not holds_contents(self.hardware.memory_of(number)):
            return None
        return self._weights[number]

    def _access(self, m: Module, layers: list[LayerEngine]) -> None:
        """Hand a request of the host to its layer, and the layer's answer back."""
        request, answers = self.access_i.payload, [layer.access_o for layer in layers]
        # One answer waits at a time, so they come in the order of the requests.
        m.d.comb += [
            self.access_o.valid.eq(Cat(*[one.valid for one in answers]).any()),
            self.access_o.payload.eq(joined(Mux(one.valid, one.payload, 0) for one in answers)),
            *(one.ready.eq(self.access_o.ready) for one in answers),
        ]
        with m.Switch(request.layer):
            for number, layer in enumerate(layers):
                m.d.comb += [
                    layer.access_i.payload.kind.eq(request.kind),
                    layer.access_i.payload.data.eq(request.data),
                ]
                others = Cat(*[one.valid for k, one in enumerate(answers) if k != number]).any()
                with m.Case(number):
                    m.d.comb += [
                        layer.access_i.valid.eq(self.access_i.valid & ~others),
                        self.access_i.ready.eq(layer.access_i.ready & ~others),
                    ]
            with m.Default():
                # A layer that is not there: the request is dropped.
                m.d.comb += self.access_i.ready.eq(1)

    def _idle(self, m: Module, busy: Value, engines: dict[str, LayerEngine]) -> None:
        sample = self.sample_i
        enters = sample.valid & sample.ready & (sample.payload.kind == SampleKind.END)

        def working(name: str, leaves: Value) -> Value:
            inside = Signal(3, name=f"inside_{name}")
            m.d.sync += inside.eq(inside + enters - leaves)
            return inside.any()

        # A first-spike network learns after the result.
        work = busy | working("array", self.result_o.valid & self.result_o.ready)
        before = self._before_result()
        for name, engine in engines.items():
            if name in before:
                continue
            # No result waits for it, so its own END says when it is through.
            sweep = engine.sweep_o
            work = work | working(name, sweep.valid & sweep.ready & (sweep.payload.kind == Kind.END))
        m.d.comb += self.idle.eq(~work)

    def _before_result(self) -> set[str]:
        """Return the populations through which each ``END`` has gone when a result comes: those that lead to it."""
        populations = {population.name: population for population in engine_populations(self.graph)}
        name = read_population(self.graph) or list(populations)[-1]
        found: set[str] = set()
        while name in populations:
            found.add(name)
            name = inputs_of(populations[name]).lead
        return found

    def _layer_counts(self, engine: LayerEngine, spikes: Value) -> dict[str, tuple[Value, Count]]:
        """Return what is counted of a layer: by name the increment, and what is known of it."""
        plan = engine.plan
        rows = plan.rows.at_once
        counts = {
            "spikes": (spikes, Count(most=min(plan.lanes, (1 << len(spikes)) - 1))),
            "synaptic_operations": (
                engine.rows_transmitted,
                Count(most=rows, spacing=plan.words, factor=plan.n_neurons),
            ),
            "rows_learned": (engine.rows_learned, Count(most=rows, spacing=plan.words)),
            "weights_changed": (engine.weights_changed, Count(most=plan.lanes)),
            "row_words": (engine.row_words, Count(most=rows)),
        }
        return {f"{plan.population.name}_{name}": count for name, count in counts.items()}

    def _count(self, m: Module, counts: dict[str, tuple[Value, Count]]) -> Value:
        """Count, and answer the host; return whether increments may come."""
        m.submodules.counters = bank = CounterBank([counts[name][1] for name in self.counters])
        for number, name in enumerate(self.counters):
            m.d.comb += getattr(bank, f"increment_{number}").eq(counts[name][0])
        connect(m, flipped(self.counter_i), bank.counter_i)
        connect(m, bank.counter_o, flipped(self.counter_o))
        return bank.ready
