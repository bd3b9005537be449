# SPDX-License-Identifier: BSD-2-Clause
"""Joins what sends spikes to what walks them: the channels of a graph as queues, forks and merges."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import connect, flipped

from erbium.hdl.fork import Fork, Queue
from erbium.hdl.inputs import inputs_of
from erbium.hdl.layer import LayerEngine
from erbium.hdl.tick_merge import TickMerge
from erbium.hdl.tokens import EventToken, Kind
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Population
from erbium.sw_model.network import Hardware


def queue_depth(n_addresses: int, delay: int, begin_pieces: int) -> int:
    """Return the tokens that a channel has to hold so that nothing can wait in a circle.

    Every reader may still be at a tick while the writer finishes it for another one, and what is delayed lies there for
    so many ticks; all neurons may spike in each of them.
    """
    return (delay + 1) * (n_addresses + 1) + begin_pieces + 2


class EventWires:
    """Collects writers and readers of spikes, and joins them.

    Parameters
    ----------
    m : Module
    graph : Graph
    hardware : Hardware
    """

    def __init__(self, m: Module, graph: Graph, hardware: Hardware) -> None:
        self._m, self._graph, self._hardware = m, graph, hardware
        self._writers: dict[str, stream.Interface] = {}
        self._readers: dict[str, list[tuple[str, stream.Interface, int]]] = {}

    def write(self, name: str, events: stream.Interface) -> None:
        """Say where the spikes of a source or population come from."""
        self._writers[name] = events
        self._readers.setdefault(name, [])

    def write_errors(self, population: Population, feedback: stream.Interface) -> None:
        """Say where the spikes of error neurons come from: a channel of feedback, which has no ``BEGIN``."""
        token = EventToken(population.size, begin_pieces=self._hardware.begin_pieces)
        events = stream.Signature(token).create(path=(f"{population.name}_as_events",))
        self._m.d.comb += [
            events.valid.eq(feedback.valid),
            events.payload.kind.eq(feedback.payload.kind),
            token.spike_in(events.payload).address.eq(feedback.payload.address),
            feedback.ready.eq(events.ready),
        ]
        self.write(population.name, events)

    def read(self, engine: LayerEngine) -> None:
        """Join an engine to all that it walks."""
        m, population = self._m, engine.plan.population
        inputs = inputs_of(population)
        if inputs.is_direct:
            self._add(
                inputs.channels[0], f"{population.name}_events", engine.event_i, self._hardware.fifo_depth
            )
        else:
            pieces = self._hardware.begin_pieces
            m.submodules[f"{population.name}_merge"] = merge = TickMerge(inputs.merged, pieces)
            for number, writer in inputs.channels.items():
                one = inputs.merged[number]
                depth = queue_depth(one.n_addresses, one.delay, pieces)
                self._add(writer, f"{inputs.names[number]}_queue", getattr(merge, f"event_i_{number}"), depth)
            m.submodules[f"{population.name}_events"] = queue = Queue(
                engine.plan.event_token, self._hardware.fifo_depth
            )
            connect(m, merge.event_o, queue.token_i)
            connect(m, queue.token_o, engine.event_i)

    def feed_back(self, engine: LayerEngine) -> None:
        """Join port 1 of an engine to the population that reaches it."""
        projection = engine.plan.population.feedback_projection
        assert projection is not None
        n_neurons = self._graph.size_of(projection.source)
        token = EventToken(n_neurons, begin_pieces=self._hardware.begin_pieces)
        events = stream.Signature(token).create(path=(f"{projection.name}_to_port",))
        kind, feedback = events.payload.kind, engine.feedback_i
        # Feedback channels have no BEGIN.
        self._m.d.comb += [
            feedback.valid.eq(events.valid & (kind != Kind.BEGIN)),
            feedback.payload.kind.eq(kind),
            feedback.payload.address.eq(token.spike_in(events.payload).address),
            events.ready.eq(feedback.ready | (kind == Kind.BEGIN)),
        ]
        depth = queue_depth(n_neurons, projection.delay, self._hardware.begin_pieces)
        self._add(projection.source, f"{projection.name}_queue", flipped(events), depth)

    def watch(self, name: str, reader: stream.Interface) -> None:
        """Join a reader that takes no part in the graph."""
        self._add(name, f"{name}_watched", reader, self._hardware.fifo_depth)

    def _add(self, writer: str, queue: str, reader: stream.Interface, depth: int) -> None:
        self._readers.setdefault(writer, []).append((queue, reader, depth))

    def connect(self) -> None:
        """Add the queues: a writer waits until all that read it have room."""
        m = self._m
        for name, events in self._writers.items():
            readers = self._readers[name]
            if not readers:
                m.d.comb += events.ready.eq(1)
            elif len(readers) == 1:
                queue_name, reader, depth = readers[0]
                m.submodules[queue_name] = queue = Queue(events.payload.shape(), depth)
                connect(m, events, queue.token_i)
                connect(m, queue.token_o, reader)
            else:
                depth = max(depth for _, _, depth in readers)
                m.submodules[f"{name}_fork"] = fork = Fork(events.payload.shape(), len(readers), depth)
                connect(m, events, fork.token_i)
                for number, (_, reader, _) in enumerate(readers):
                    connect(m, fork.token_o[number], reader)
