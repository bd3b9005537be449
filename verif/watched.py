# SPDX-License-Identifier: BSD-2-Clause
"""An array whose spikes and output membranes can be watched: what a page draws of a sample while the chip runs it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Value

from erbium.hdl.array import ErbiumArray
from erbium.hdl.plan import LayerPlan
from erbium.hdl.tokens import STATE_WIDTH
from erbium.sw_model.network import Hardware, Network
from erbium.verif.probes import Probe, Tap, elaborated

LOG_KINDS = ("begin", "spike", "tick", "end", "membrane")
"""What an entry of the log says; its number is its place here."""

_PORT = 64
"""Widest port of the vectorised simulation."""
_MEMBRANES = _PORT // STATE_WIDTH


def _pieces(name: str, width: int) -> list[Tap]:
    return [Tap(f"{name}{low // _PORT}", min(_PORT, width - low)) for low in range(0, width, _PORT)]


def watched_taps(network: Network, hardware: Hardware) -> list[Tap]:
    """Return the taps of :class:`WatchedArray`."""
    plans = [LayerPlan(network, number, hardware) for number in range(len(network.layers))]
    sweep = plans[-1].sweep_token
    return [
        *(Tap(f"layer{number}_events", plan.event_token.size) for number, plan in enumerate(plans, 1)),
        Tap("word", sweep["spikes"].offset),
        *_pieces("spikes", sweep.lanes),
        *_pieces("v", sweep.lanes * STATE_WIDTH),
    ]


class WatchedArray(Probe):
    """The array with taps on the spikes of each population and on the membranes of the outputs.

    ``layerN_events`` is what enters the queue before a layer. The last layer's sweep is in pieces, as no port of the
    vectorised simulation has more than 64 bits: ``word``, kind and address, ``spikesN`` and ``vN``.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    """

    def __init__(self, network: Network, hardware: Hardware) -> None:
        self.network, self.hardware = network, hardware
        self._sweep = LayerPlan(network, len(network.layers) - 1, hardware).sweep_token
        super().__init__(ErbiumArray(network, hardware), watched_taps(network, hardware))

    def inside(self) -> dict[str, tuple[Value, Value]]:
        """Return the taps."""
        parts: Any = elaborated(self.inner).submodules
        result: dict[str, tuple[Value, Value]] = {}
        last = len(self.network.layers)
        for number in range(1, last + 1):
            stream = getattr(parts, f"layer{number}_events").token_i
            result[f"layer{number}_events"] = (stream.valid & stream.ready, Value.cast(stream.payload))
        sweep = getattr(parts, f"layer{last}").sweep_o
        fires, token = sweep.valid & sweep.ready, sweep.payload
        result["word"] = (fires, Value.cast(token)[: self._sweep["spikes"].offset])
        for name, value in (("spikes", token.spikes), ("v", Value.cast(token.v))):
            for low in range(0, len(value), _PORT):
                result[f"{name}{low // _PORT}"] = (fires, value[low : low + _PORT])
        return result

    def header(self) -> str:
        """Return the C++ that writes the log, for the header that ``harness.cpp`` includes.

        An entry is a number of 32 bits: kind (:data:`LOG_KINDS`) in 3, population (0 for the input, then the layers) in
        5, and in 24 the neuron that spikes, or the membrane as 16 bits with a sign; membranes come in the order of the
        neurons.
        """
        places, lines = self.places(), []
        for number in range(len(self.network.layers)):
            token = LayerPlan(self.network, number, self.hardware).event_token
            address = token.spike["address"].width
            second = 2 + token.spike.size if token.spikes == 2 else 0
            lines += [
                f"    if (top.tap_fires >> {places[f'layer{number + 1}_events']} & 1)",
                f"        log.event({number}, top.tap_layer{number + 1}_events, {address}, {second});",
            ]
        last, lanes, n = len(self.network.layers), self._sweep.lanes, self._sweep.n_neurons
        spikes = ", ".join(f"top.tap_{tap.name}" for tap in self.taps if tap.name.startswith("spikes"))
        membranes = ", ".join(f"top.tap_{tap.name}" for tap in self.taps if tap.name.startswith("v"))
        return _LOG + "\n".join(
            [
                "inline void array_watch(const Varray& top, ArrayLog& log) {",
                "    if (!log.next) return;",
                *lines,
                f"    if (!(top.tap_fires >> {places['word']} & 1)) return;",
                "    const uint32_t kind = top.tap_word & 3, first = uint32_t(top.tap_word >> 2);",
                f"    if (kind != LOG_SPIKE) return log.put(kind, {last}, 0);",
                f"    const uint64_t spikes[] = {{{spikes}}}, v[] = {{{membranes}}};",
                f"    for (uint32_t lane = 0; lane < {lanes} && first + lane < {n}; ++lane) {{",
                f"        if (spikes[lane / {_PORT}] >> lane % {_PORT} & 1) log.put(LOG_SPIKE, {last}, first + lane);",
                f"        const uint64_t shifted = v[lane / {_MEMBRANES}] >> lane % {_MEMBRANES} * {STATE_WIDTH};",
                f"        log.put(LOG_MEMBRANE, {last}, uint32_t(shifted & {(1 << STATE_WIDTH) - 1}));",
                "    }",
                "}",
                "",
            ]
        )


_LOG = """
#define ARRAY_WATCH
enum LogKind : uint32_t { LOG_BEGIN = 0, LOG_SPIKE = 1, LOG_TICK = 2, LOG_END = 3, LOG_MEMBRANE = 4 };
// What passed where it is watched, as far as there is room.
struct ArrayLog {
    uint32_t* next = nullptr;
    uint32_t room = 0, missed = 0;

    void put(uint32_t kind, uint32_t population, uint32_t value) {
        if (!room) {
            ++missed;
            return;
        }
        *next++ = kind | population << 3 | value << 8;
        --room;
    }
    // The second spike of a token begins at a bit, 0 for none; the bit above it says that it is there.
    void event(uint32_t population, uint64_t token, int address_width, int second) {
        const uint32_t kind = token & 3, mask = (1u << address_width) - 1;
        put(kind, population, kind == LOG_SPIKE ? uint32_t(token >> 2) & mask : 0);
        if (kind == LOG_SPIKE && second && token >> (second + address_width) & 1)
            put(kind, population, uint32_t(token >> second) & mask);
    }
};
"""
