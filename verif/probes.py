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
from erbium.hdl.kept_state import keeps_spike_ticks
from erbium.hdl.layer import LayerEngine
from erbium.hdl.neuron_unit import NeuronLayout, plasticity_word_width
from erbium.hdl.slot import tick_width
from erbium.hdl.tokens import ErrorToken, FeedbackToken, event_token, sweep_token
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
    """A write of the synapse memory: ``(row, word of the row, weight of each lane)``."""

    def __init__(self, network: Network, number: int, hardware: Hardware) -> None:
        layer = network.layers[number]
        self._weight_width, self._lanes = layer.weight_width, hardware.lanes_of(network, number)
        self._stride = hardware.stride_of(network, number)
        self._address_width = (max(network.n_rows(number) * self._stride, 2) - 1).bit_length()
        self.width = self._address_width + self._lanes * layer.weight_width

    def decode(self, bits: int) -> tuple[int, int, list[int]]:
        """Return row, word and weights."""
        address = bits & ((1 << self._address_width) - 1)
        bits >>= self._address_width
        mask = (1 << self._weight_width) - 1
        return *divmod(address, self._stride), [
            signed(bits >> lane * self._weight_width & mask, self._weight_width)
            for lane in range(self._lanes)
        ]


class WordCodec:
    """A write of a word file: ``(number of the word, value of each lane that has a neuron)``."""

    def __init__(self, layer: Layer, lanes: int, lane_width: int) -> None:
        words = -(-layer.n_neurons // lanes)
        self._n_neurons, self._lanes, self._lane_width = layer.n_neurons, lanes, lane_width
        self._word_width = (max(words, 2) - 1).bit_length()
        self.width = self._word_width + lanes * lane_width

    def decode(self, bits: int) -> tuple[int, tuple[int, ...]]:
        """Return the word and its values."""
        word, bits = bits & ((1 << self._word_width) - 1), bits >> self._word_width
        here = min(self._lanes, self._n_neurons - word * self._lanes)
        mask = (1 << self._lane_width) - 1
        return word, tuple(bits >> lane * self._lane_width & mask for lane in range(here))


class CauseCodec:
    """What a first-spike layer remembers of a spike: ``(row, tick)``."""

    def __init__(self, network: Network, number: int) -> None:
        self._row_width = (max(network.n_rows(number), 2) - 1).bit_length()
        self.width = self._row_width + network.n_ticks.bit_length()

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
    """Return the taps of one layer, their names behind a prefix."""
    layer = network.layers[number]
    lanes = hardware.lanes_of(network, number)
    writes = WriteCodec(network, number, hardware).width
    taps = [Tap(f"{prefix}states", StateCodec(layer, lanes).width), Tap(f"{prefix}writes", writes)]
    if network.is_first_spike:
        taps += [Tap(f"{prefix}learned", writes), Tap(f"{prefix}words", WordCodec(layer, lanes, 2).width)]
        if keeps_spike_ticks(network, number):
            ticks = WordCodec(layer, lanes, tick_width(network))
            taps.append(Tap(f"{prefix}spike_ticks", ticks.width))
        if number > 0:
            taps.append(Tap(f"{prefix}causes", CauseCodec(network, number).width))
    return taps


def _inside_layer(network: Network, number: int, layer: Any, prefix: str) -> dict[str, tuple[Value, Value]]:
    pipeline = elaborated(layer).submodules.pipeline
    parts = elaborated(pipeline).submodules
    groups = [elaborated(group).submodules for group in pipeline.groups]
    memory = pipeline.memory
    written = Cat(memory.write_address[0], memory.write_data)
    inside = {
        "states": (pipeline.sweeps, pipeline.swept),
        "writes": (memory.write_enable[0], written),
    }
    if network.is_first_spike:
        inside["learned"] = (pipeline.learned, written)
        files = {"words": [group.plasticity for group in groups]}
        if keeps_spike_ticks(network, number):
            files["spike_ticks"] = [group.spike_ticks for group in groups]
        for name, parts_of in files.items():
            written = Cat(parts_of[0].write_address, *[file.write_data for file in parts_of])
            inside[name] = (parts_of[0].write_enable, written)
        if number > 0:
            causes = parts.causes
            inside["causes"] = (causes.push, Cat(causes.row, causes.tick))
    return {f"{prefix}{name}": tap for name, tap in inside.items()}


class ProbedLayer(Probe):
    """A layer engine with taps ``states`` (:class:`StateCodec`) and ``writes`` (:class:`WriteCodec`).

    A first-spike layer also has ``learned``, the writes of replayed rows, ``words``, the plasticity words as they
    are set, and, where it has the parts, ``spike_ticks`` (both :class:`WordCodec`) and ``causes``
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
    taps = [Tap("feedback", FeedbackToken(network).size)]
    for number, layer in enumerate(network.layers):
        prefix = f"layer{number + 1}_"
        taps += [
            Tap(f"{prefix}events", event_token(network, hardware, number).size),
            Tap(f"{prefix}event_i", event_token(network, hardware, number).size),
            Tap(f"{prefix}sweep", sweep_token(network, hardware, number).size),
            *layer_taps(network, number, hardware, prefix),
        ]
        if layer.feedback != "none":
            taps.append(Tap(f"{prefix}feedback", FeedbackToken(network).size))
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
