# SPDX-License-Identifier: BSD-2-Clause
"""Test tops that bring out what happens inside: every channel, every state, every write of a weight.

A path into the hierarchy of the generated Verilog is fragile: names are escaped, and differ between
simulators. So a probe elaborates the design first, and then wires what is inside to ports of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Value
from amaranth.lib.wiring import Component, Out, connect, flipped

from erbium.hdl.array import ErbiumArray
from erbium.hdl.layer import LayerEngine
from erbium.hdl.neuron_unit import NeuronLayout, plasticity_word_width
from erbium.hdl.plan import LayerPlan
from erbium.hdl.tokens import ErrorToken, FeedbackToken
from erbium.sw_model.network import Hardware, Network
from erbium.verif.codecs import Packer, signed


def elaborated(component: Component) -> Module:
    """Elaborate a component now, so that its parts can be seen; the design gets this very module."""
    module = component.elaborate(None)
    component.elaborate = lambda platform: module
    return module


@dataclass(frozen=True)
class Tap:
    """A place inside: `name`, and the bits of what passes."""

    name: str
    width: int


class StateCodec:
    """What the neuron units of a layer say at one place of a sweep.

    Parameters
    ----------
    plan : LayerPlan
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.layer, self.units = plan.population, plan.units
        layout = NeuronLayout(plan.program)
        self._packer = Packer(layout)
        self._neuron_width = layout.size
        self._word_width = plasticity_word_width(plan.program, plan.rule.swept_rule())
        self.width = self.units * (self._neuron_width + 1 + self._word_width)

    def decode(self, bits: int) -> list[dict[str, int]]:
        """Return for each unit its states by name, its spike, and its plasticity word."""
        found = []
        for unit in range(self.units):
            fields = self._packer.unpack(bits >> unit * self._neuron_width & ((1 << self._neuron_width) - 1))
            fields["spike"] = bits >> (self.units * self._neuron_width + unit) & 1
            start = self.units * (self._neuron_width + 1) + unit * self._word_width
            word = bits >> start & ((1 << self._word_width) - 1)
            fields["word"] = signed(word, self._word_width) if self.layer.rule is not None else 0
            found.append(fields)
        return found


class WriteCodec:
    """A write of the synapse memory: ``(row, word of the row, weight of each lane)``."""

    def __init__(self, plan: LayerPlan) -> None:
        self._weight_width, self._lanes, self._stride = plan.population.weight_width, plan.lanes, plan.stride
        self._address_width = (max(plan.n_rows * plan.stride, 2) - 1).bit_length()
        self.width = self._address_width + self._lanes * self._weight_width

    def decode(self, bits: int) -> tuple[int, int, list[int]]:
        """Return row, word and weights."""
        address = bits & ((1 << self._address_width) - 1)
        bits >>= self._address_width
        mask = (1 << self._weight_width) - 1
        return *divmod(address, self._stride), [
            signed(bits >> lane * self._weight_width & mask, self._weight_width)
            for lane in range(self._lanes)
        ]


class NeuronCodec:
    """A write of values of neurons: ``(address, value of each one that there is)``.

    Parameters
    ----------
    neurons : list of list
        For each address the neurons whose values lie there, ``None`` for none.
    width : int
        Bits of a value.
    """

    def __init__(self, neurons: list[list[int | None]], width: int) -> None:
        self._neurons, self._value_width = neurons, width
        self._address_width = (max(len(neurons), 2) - 1).bit_length()
        self.width = self._address_width + len(neurons[0]) * width

    def decode(self, bits: int) -> tuple[int, tuple[int, ...]]:
        """Return the address and the values."""
        address, bits = bits & ((1 << self._address_width) - 1), bits >> self._address_width
        mask, width = (1 << self._value_width) - 1, self._value_width
        here = enumerate(self._neurons[address])
        return address, tuple(bits >> place * width & mask for place, neuron in here if neuron is not None)


def word_codec(plan: LayerPlan, width: int) -> NeuronCodec:
    """Return the codec of a file of whole words."""
    lanes, n = plan.lanes, plan.n_neurons
    words = [range(base, base + lanes) for base in range(0, n, lanes)]
    return NeuronCodec([[neuron if neuron < n else None for neuron in word] for word in words], width)


def place_codec(plan: LayerPlan, width: int) -> NeuronCodec:
    """Return the codec of what a sweep writes."""
    return NeuronCodec([plan.neurons_at(place) for place in range(plan.places)], width)


class CauseCodec:
    """What a first-spike layer remembers of a spike: ``(row, tick)``."""

    def __init__(self, plan: LayerPlan) -> None:
        self._row_width = (max(plan.n_rows, 2) - 1).bit_length()
        self.width = self._row_width + plan.n_ticks.bit_length()

    def decode(self, bits: int) -> tuple[int, int]:
        """Return row and tick."""
        return bits & ((1 << self._row_width) - 1), bits >> self._row_width


class Probe(Component):
    """A component with its own ports, and taps on what is inside.

    Parameters
    ----------
    inner : Component
    taps : list of Tap

    Members
    -------
    tap_fires : Out
        One bit per tap, in order: something passes there in this clock.
    tap_... : Out
        What passes.
    """

    def __init__(self, inner: Component, taps: list[Tap]) -> None:
        self.inner, self.taps = inner, taps
        members: dict[str, Any] = dict(inner.signature.members)
        members |= {f"tap_{tap.name}": Out(tap.width) for tap in taps}
        super().__init__(members | {"tap_fires": Out(len(taps))})

    def places(self) -> dict[str, int]:
        """Return the bit of each tap in ``tap_fires``."""
        return {tap.name: place for place, tap in enumerate(self.taps)}

    def inside(self) -> dict[str, tuple[Value, Value]]:
        """Return for each tap when something passes, and what."""
        raise NotImplementedError

    def elaborate(self, platform: object) -> Module:
        """Wire the ports through and the taps out."""
        m = Module()
        inside = self.inside()
        m.submodules.inner = self.inner
        for name, member in self.inner.signature.members.items():
            here, there = getattr(self, name), getattr(self.inner, name)
            if not member.is_port:
                connect(m, flipped(here), there)
            elif member.flow is Out:
                m.d.comb += here.eq(there)
            else:
                m.d.comb += there.eq(here)
        for place, tap in enumerate(self.taps):
            fires, payload = inside[tap.name]
            m.d.comb += [self.tap_fires[place].eq(fires), getattr(self, f"tap_{tap.name}").eq(payload)]
        return m


def layer_taps(network: Network, number: int, hardware: Hardware, prefix: str) -> list[Tap]:
    """Return the taps of one layer, their names after a prefix."""
    plan = LayerPlan(network, number, hardware)
    writes = WriteCodec(plan).width
    taps = [Tap(f"{prefix}states", StateCodec(plan).width), Tap(f"{prefix}writes", writes)]
    if network.is_first_spike:
        taps += [Tap(f"{prefix}learned", writes), Tap(f"{prefix}words", word_codec(plan, 2).width)]
        if plan.timed:
            taps.append(Tap(f"{prefix}spike_ticks", place_codec(plan, plan.tick_width).width))
        if number > 0:
            taps.append(Tap(f"{prefix}causes", CauseCodec(plan).width))
    return taps


def _inside_layer(network: Network, number: int, layer: Any, prefix: str) -> dict[str, tuple[Value, Value]]:
    pipeline, plan = elaborated(layer).submodules.pipeline, layer.plan
    parts = elaborated(pipeline).submodules
    groups = [elaborated(group).submodules for group in pipeline.groups]
    memory = pipeline.memory
    written = Cat(memory.write_address[0], memory.write_data)
    inside = {
        "states": (pipeline.sweeps, pipeline.swept),
        "writes": (memory.write_enable[0], written),
    }
    if network.is_first_spike:
        words = [group.plasticity for group in groups]
        inside["learned"] = (pipeline.learned, written)
        inside["words"] = (
            words[0].write_enable,
            Cat(words[0].write_address, *[file.write_data for file in words]),
        )
        if plan.timed:
            # In the clock in which the units say it, and not when a file takes it.
            swept = pipeline.groups[0].pipe["E"]
            place = swept.place if plan.parts > 1 else swept.word
            inside["spike_ticks"] = (pipeline.sweeps, Cat(place, *[g.ticks_after for g in pipeline.groups]))
        if number > 0:
            causes = parts.causes
            inside["causes"] = (causes.push, Cat(causes.row, causes.tick))
    return {f"{prefix}{name}": tap for name, tap in inside.items()}


class ProbedLayer(Probe):
    """A layer engine with taps ``states`` (:class:`StateCodec`) and ``writes`` (:class:`WriteCodec`).

    A first-spike layer also has ``learned``, the writes of replayed rows, ``words``, the plasticity words as they
    are set, and, where it has the parts, ``spike_ticks`` (both :class:`NeuronCodec`) and ``causes``
    (:class:`CauseCodec`).
    """

    def __init__(self, network: Network, number: int, hardware: Hardware) -> None:
        self.network, self.number = network, number
        super().__init__(LayerEngine(network, number, hardware), layer_taps(network, number, hardware, ""))

    def inside(self) -> dict[str, tuple[Value, Value]]:
        """Return the taps."""
        return _inside_layer(self.network, self.number, self.inner, "")


def array_taps(network: Network, hardware: Hardware) -> list[Tap]:
    """Return the taps of :class:`ProbedArray`."""
    taps = [Tap("feedback", FeedbackToken(2 * network.n_classes).size)]
    for number, layer in enumerate(network.layers):
        prefix, plan = f"layer{number + 1}_", LayerPlan(network, number, hardware)
        taps += [
            Tap(f"{prefix}events", plan.event_token.size),
            Tap(f"{prefix}event_i", plan.event_token.size),
            Tap(f"{prefix}sweep", plan.sweep_token.size),
            *layer_taps(network, number, hardware, prefix),
        ]
        if layer.feedback != "none":
            taps.append(Tap(f"{prefix}feedback", FeedbackToken(2 * network.n_classes).size))
        if network.is_first_spike:
            taps.append(Tap(f"{prefix}errors", ErrorToken(layer.n_neurons).size))
    return taps


class ProbedArray(Probe):
    """The whole array with taps on every channel.

    ``feedback``: what the prediction unit sends. Per layer ``layerN_events``: what enters the queue before
    it, ``layerN_event_i``: what leaves that queue, ``layerN_sweep``, ``layerN_feedback``, ``layerN_errors``, and the
    taps of :class:`ProbedLayer`.
    """

    def __init__(self, network: Network, hardware: Hardware) -> None:
        self.network = network
        super().__init__(ErbiumArray(network, hardware), array_taps(network, hardware))

    def inside(self) -> dict[str, tuple[Value, Value]]:
        """Return the taps."""
        parts = elaborated(self.inner).submodules
        feedback = parts.prediction.feedback_o
        streams = {"feedback": feedback if self.network.is_first_spike else feedback[0]}
        result: dict[str, tuple[Value, Value]] = {}
        for number, description in enumerate(self.network.layers):
            name = f"layer{number + 1}"
            layer = getattr(parts, name)
            streams |= {
                f"{name}_events": getattr(parts, f"{name}_events").token_i,
                f"{name}_event_i": layer.event_i,
                f"{name}_sweep": layer.sweep_o,
            }
            if description.feedback != "none":
                streams[f"{name}_feedback"] = layer.feedback_i
            if self.network.is_first_spike:
                streams[f"{name}_errors"] = layer.error_i
            result |= _inside_layer(self.network, number, layer, f"{name}_")
        for name, stream in streams.items():
            result[name] = (stream.valid & stream.ready, Value.cast(stream.payload))
        return result
