# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of a whole graph: it defines the tokens of every channel and every memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.description.channels import Channel
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import LOADED
from erbium.sw_model.graph_model.drive import NOTHING, Drive
from erbium.sw_model.graph_model.population import PopulationModel
from erbium.sw_model.graph_model.readout import readout_model
from erbium.sw_model.graph_model.rules import NO_ROWS
from erbium.sw_model.graph_model.sources import EventSource, source_model
from erbium.sw_model.results import SampleModel, SampleResult


@dataclass(frozen=True)
class GraphTick:
    """What was written in one tick.

    Attributes
    ----------
    number : int
        From 0.
    spikes : dict of list of int
        Addresses, ascending, by the name of the source or population.
    stop : bool
        Whether this tick decided to stop the sample.
    """

    number: int
    spikes: Mapping[str, Sequence[int]]
    stop: bool


class GraphObserver(Protocol):
    """Called after each tick with the graph as it stands then."""

    def __call__(self, model: GraphModel, tick: GraphTick, /) -> None:
        """Look; change nothing."""


class GraphModel(SampleModel):
    """A graph, one sample at a time.

    Parameters
    ----------
    graph : Graph

    Attributes
    ----------
    populations : dict of PopulationModel
        By name, in the order in which they are swept.
    channels : tuple of Channel
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.channels: tuple[Channel, ...] = graph.channels()
        self.sources = {source.name: source_model(source) for source in graph.sources}
        self.populations = {p.name: PopulationModel(graph, p) for p in graph.populations}
        self.readout = readout_model(graph.readout, graph)
        self.samples = self.ticks = self.input_spikes = 0
        self._reads = {sink: channel.name for channel in self.channels for sink in channel.sinks}
        self._in_flight: dict[str, deque[Array]] = {}
        self._heard: dict[str, int] = {}

    def set_rates(self, rates: Mapping[str, int]) -> None:
        """Set learning rates by name, each 0 ... its full rate (:attr:`Graph.rates`)."""
        self.graph.check_rates(rates)
        for population in self.populations.values():
            for name, fixed in population.fixed.items():
                fixed.weight = rates.get(name, fixed.weight)
            if population.population.name in rates:
                population.rule.set_rate(rates[population.population.name])

    def sample(
        self,
        image: Array,
        *,
        seed: int,
        label: int | None = None,
        n_ticks: int | None = None,
        observer: GraphObserver | None = None,
        drive: Drive = NOTHING,
    ) -> SampleResult:
        """Present one sample; learn it if it has a label.

        Parameters
        ----------
        image : ndarray of uint8, shape (n_pixels,)
        seed : int
            32-bit seed of the sample.
        label : int, optional
            Class to learn; ``None`` infers.
        n_ticks : int, optional
            Longest presentation; default is the graph's.
        observer : GraphObserver, optional
            Called after each tick.
        drive : Drive, optional
            What else the host says: whether to learn without a label, to clear, events, modulators.
        """
        drive.check(self.graph)
        learn = drive.learns(label)
        self._begin(image, seed, label, drive)
        in_flight = self._in_flight
        stops = deque([False] * self.readout.delay)
        self.readout.begin(learn, label or 0)
        number = 0
        for number in range(n_ticks or self.graph.n_ticks):
            arrived: dict[str, Array] = {}
            written: dict[str, Array] = {}

            def write(name: str, spikes: Array, arrived: dict[str, Array] = arrived) -> None:
                for channel in self.channels:
                    if channel.source == name and channel.delay == 0:
                        arrived[channel.name] = spikes

            for channel in self.channels:
                if channel.delay:
                    arrived[channel.name] = in_flight[channel.name].popleft()
            for name, source in self.sources.items():
                written[name] = source.tick()
                write(name, written[name])
            self.input_spikes += sum(written[name].size for name in self._loaded)
            self._modulate(number, drive)
            for name, population in self.populations.items():
                for projection in self.graph.onto(name):
                    population.take(projection, arrived[self._reads[projection.name]])
                written[name] = population.sweep()
                write(name, written[name])
            for channel in self.channels:
                if channel.delay:
                    in_flight[channel.name].append(written[channel.source])
            self._heard = {m.name: written[m.source].size for m in self.graph.modulators if m.source}
            states = {name: population.neurons.x[0] for name, population in self.populations.items()}
            stop = self.readout.tick(written, states)
            stops.append(stop)
            self.ticks += 1
            if observer is not None:
                observer(self, GraphTick(number, {n: [int(k) for k in s] for n, s in written.items()}, stop))
            if stops.popleft():
                break
        self._end()
        self.samples += 1
        return SampleResult.of(self.readout.answer, self.readout.decision_tick, number)

    @property
    def _loaded(self) -> list[str]:
        return [source.name for source in self.graph.sources if isinstance(source.encoder, LOADED)]

    def _begin(self, image: Array, seed: int, label: int | None, drive: Drive) -> None:
        clear = drive.clear or not self._in_flight
        image, at = self.graph.seen(image), 0
        for source in self.graph.sources:
            size = source.size if isinstance(source.encoder, LOADED) else 0
            model = self.sources[source.name]
            model.begin(image[at : at + size], seed if clear else None, label)
            if isinstance(model, EventSource):
                model.give([np.flatnonzero(row) for row in drive.events.get(source.name, ())])
            at += size
        for population in self.populations.values():
            population.begin(seed, drive.learns(label), clear=clear, factor=drive.factor)
        if clear:
            # A channel holds the ticks of its delay before the first one is written.
            self._in_flight = {c.name: deque([NO_ROWS] * c.delay) for c in self.channels}
            self._heard = {}

    def _modulate(self, tick: int, drive: Drive) -> None:
        """Add what the modulators bring in this tick, before the row passes."""
        for modulator in self.graph.modulators:
            value = drive.values.get(modulator.name, 0) if tick == 0 else 0
            gain = drive.gains.get(modulator.name, 0)
            heard = gain * modulator.weight * self._heard.get(modulator.name, 0)
            for added in (value, heard):
                if added:
                    self.populations[modulator.target].neurons.add(modulator.port, np.array(added))

    def _end(self) -> None:
        """Learn what is known only at the end of a sample: from the readout back to the sources, then in passes."""
        first = self.readout.end()
        words = dict([first]) if first else {}
        for name in reversed(list(self.populations)):
            if name in words:
                words |= self.populations[name].rule.end(words[name])
        for population in self.populations.values():
            population.rule.finish()

    def counters(self) -> dict[str, int]:
        """Return all counters by name."""
        result = {"samples": self.samples, "ticks": self.ticks, "input_spikes": self.input_spikes}
        for name, population in self.populations.items():
            result |= population.counters.named(name)
        return result | self.readout.counters()

    @property
    def weights(self) -> dict[str, Array]:
        """Weights by projection, int16 of shape ``(source size, target size)``, as copies."""
        return {
            name: synapses.weights.astype(np.int16)
            for population in self.populations.values()
            for name, synapses in population.synapses.items()
        }

    def load(self, weights: Mapping[str, Array]) -> None:
        """Replace the weights of the projections that are named; of the others nothing changes."""
        mine = {
            name: synapses
            for population in self.populations.values()
            for name, synapses in population.synapses.items()
        }
        self.graph.check_weights(weights)
        for name, values in weights.items():
            mine[name].load(values)
