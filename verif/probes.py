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
from erbium.hdl.tokens import EventToken, FeedbackToken, SweepToken
from erbium.sw_model.network import Hardware, Layer, Network
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
    """What the neuron unit of a layer says of one word of neurons.

    Parameters
    ----------
    layer : Layer
    lanes : int
    """

    def __init__(self, layer: Layer, lanes: int) -> None:
        self.layer, self.lanes = layer, lanes
        layout = NeuronLayout(layer.program)
        self._packer = Packer(layout)
        self._neuron_width = layout.size
        self._word_width = plasticity_word_width(layer.program, layer.rule)
        self.width = lanes * (self._neuron_width + 1 + self._word_width)

    def decode(self, bits: int) -> list[dict[str, int]]:
        """Return for each lane its states by name, its spike, and its plasticity word."""
        lanes = []
        for lane in range(self.lanes):
            fields = self._packer.unpack(bits >> lane * self._neuron_width & ((1 << self._neuron_width) - 1))
            fields["spike"] = bits >> (self.lanes * self._neuron_width + lane) & 1
            start = self.lanes * (self._neuron_width + 1) + lane * self._word_width
            word = bits >> start & ((1 << self._word_width) - 1)
            fields["word"] = signed(word, self._word_width) if self.layer.rule is not None else 0
            lanes.append(fields)
        return lanes


class WriteCodec:
    """A write of the synapse memory: ``(address of the word, weight of each lane)``."""

    def __init__(self, network: Network, number: int, lanes: int) -> None:
        layer = network.layers[number]
        self._weight_width, self._lanes = layer.weight_width, lanes
        words = network.n_rows(number) * -(-layer.n_neurons // lanes)
        self._address_width = (max(words, 2) - 1).bit_length()
        self.width = self._address_width + lanes * layer.weight_width

    def decode(self, bits: int) -> tuple[int, list[int]]:
        """Return the address and the weights."""
        address = bits & ((1 << self._address_width) - 1)
        bits >>= self._address_width
        mask = (1 << self._weight_width) - 1
        return address, [
            signed(bits >> lane * self._weight_width & mask, self._weight_width)
            for lane in range(self._lanes)
        ]


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


def _layer_taps(network: Network, number: int, hardware: Hardware, prefix: str) -> list[Tap]:
    layer = network.layers[number]
    lanes = hardware.lanes_of(layer)
    return [
        Tap(f"{prefix}states", StateCodec(layer, lanes).width),
        Tap(f"{prefix}writes", WriteCodec(network, number, lanes).width),
    ]


def _inside_layer(layer: Any, prefix: str) -> dict[str, tuple[Value, Value]]:
    pipeline = elaborated(layer).submodules.pipeline
    elaborated(pipeline)
    unit, memory = pipeline.neurons, pipeline.memory
    return {
        f"{prefix}states": (unit.valid_o, Cat(unit.neurons_o.as_value(), unit.spikes_o, unit.words_o)),
        f"{prefix}writes": (memory.write_enable, Cat(memory.write_address, memory.write_data)),
    }


class ProbedLayer(Probe):
    """A layer engine with taps ``states`` (:class:`StateCodec`) and ``writes`` (:class:`WriteCodec`)."""

    def __init__(self, network: Network, number: int, hardware: Hardware) -> None:
        super().__init__(LayerEngine(network, number, hardware), _layer_taps(network, number, hardware, ""))

    def inside(self) -> dict[str, tuple[Value, Value]]:
        """Return the taps."""
        return _inside_layer(self.inner, "")


def array_taps(network: Network, hardware: Hardware) -> list[Tap]:
    """Return the taps of :class:`ProbedArray`."""
    taps = [Tap("feedback", FeedbackToken(network).size)]
    for number, layer in enumerate(network.layers):
        prefix = f"layer{number + 1}_"
        last = number == len(network.layers) - 1
        taps += [
            Tap(f"{prefix}events", EventToken().size),
            Tap(f"{prefix}event_i", EventToken().size),
            Tap(f"{prefix}sweep", SweepToken(hardware.lanes_of(layer), last).size),
            *_layer_taps(network, number, hardware, prefix),
        ]
        if layer.feedback != "none":
            taps.append(Tap(f"{prefix}feedback", FeedbackToken(network).size))
    return taps


class ProbedArray(Probe):
    """The whole array with taps on every channel.

    ``feedback``: what the prediction unit sends. Per layer ``layerN_events``: what enters the queue before
    it, ``layerN_event_i``: what leaves that queue, ``layerN_sweep``, ``layerN_feedback``, and the taps of
    :class:`ProbedLayer`.
    """

    def __init__(self, network: Network, hardware: Hardware) -> None:
        self.network = network
        super().__init__(ErbiumArray(network, hardware), array_taps(network, hardware))

    def inside(self) -> dict[str, tuple[Value, Value]]:
        """Return the taps."""
        parts = elaborated(self.inner).submodules
        streams = {"feedback": parts.prediction.feedback_o}
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
            result |= _inside_layer(layer, f"{name}_")
        for name, stream in streams.items():
            result[name] = (stream.valid & stream.ready, Value.cast(stream.payload))
        return result
