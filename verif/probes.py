# SPDX-License-Identifier: BSD-2-Clause
"""Test tops that bring out what happens inside: every channel, every state, every write of a weight.

A path into the hierarchy of the generated Verilog is fragile: names are escaped, and differ between
simulators. So a probe elaborates the design first, and then wires what is inside to ports of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Value
from amaranth.lib.wiring import Component, Out

from erbium.hdl.array import ErbiumArray
from erbium.hdl.layer import LayerEngine
from erbium.hdl.plan import LayerPlan
from erbium.hdl.ports import pass_through
from erbium.hdl.tokens import FeedbackToken
from erbium.sw_model.network import Hardware, Network
from erbium.verif.layer_codecs import StateCodec, WriteCodec
from erbium.verif.rule_probes import rule_probe


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
        pass_through(m, self, self.inner, self.inner.signature.members)
        for place, tap in enumerate(self.taps):
            fires, payload = inside[tap.name]
            m.d.comb += [self.tap_fires[place].eq(fires), getattr(self, f"tap_{tap.name}").eq(payload)]
        return m


def layer_taps(network: Network, number: int, hardware: Hardware, prefix: str) -> list[Tap]:
    """Return the taps of one layer, their names after a prefix."""
    plan = LayerPlan(network, number, hardware)
    writes = WriteCodec(plan).width
    taps = [Tap(f"{prefix}states", StateCodec(plan).width), Tap(f"{prefix}writes", writes)]
    taps += [Tap(f"{prefix}{name}", width) for name, width in rule_probe(plan).taps().items()]
    return taps


def _inside_layer(layer: Any, prefix: str) -> dict[str, tuple[Value, Value]]:
    pipeline, plan = elaborated(layer).submodules.pipeline, layer.plan
    parts = elaborated(pipeline).submodules
    groups = [elaborated(group).submodules for group in pipeline.groups]
    memory = pipeline.memory
    written = Cat(memory.write_address[0], memory.write_data)
    inside = {
        "states": (pipeline.sweeps, pipeline.swept),
        "writes": (memory.write_enable[0], written),
    }
    inside |= rule_probe(plan).inside(pipeline, parts, groups)
    return {f"{prefix}{name}": tap for name, tap in inside.items()}


class ProbedLayer(Probe):
    """A layer engine with taps ``states`` (:class:`StateCodec`) and ``writes`` (:class:`WriteCodec`).

    A first-spike layer also has ``learned``, the writes of replayed rows, ``words``, the plasticity words as they
    are set, and, where it has the parts, ``spike_ticks`` (both :class:`NeuronCodec`) and ``causes``
    (:class:`CauseCodec`).
    """

    def __init__(self, network: Network, number: int, hardware: Hardware) -> None:
        super().__init__(LayerEngine(network, number, hardware), layer_taps(network, number, hardware, ""))

    def inside(self) -> dict[str, tuple[Value, Value]]:
        """Return the taps."""
        return _inside_layer(self.inner, "")


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
        for name, width in rule_probe(plan).channels().items():
            taps.append(Tap(f"{prefix}{name}", width))
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
        # One for each listener, or one for all.
        streams = {"feedback": feedback[0] if isinstance(feedback, list) else feedback}
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
            for stream_name, port in rule_probe(layer.plan).streams(layer).items():
                streams[f"{name}_{stream_name}"] = port
            result |= _inside_layer(layer, f"{name}_")
        for name, stream in streams.items():
            result[name] = (stream.valid & stream.ready, Value.cast(stream.payload))
        return result
