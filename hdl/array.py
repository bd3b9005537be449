# SPDX-License-Identifier: BSD-2-Clause
"""The whole array: encoder, layers, prediction unit and the channels between them."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.counter_bank import Count, CounterBank
from erbium.hdl.encoder import Encoder
from erbium.hdl.first_spike_prediction import FirstSpikePrediction
from erbium.hdl.fork import Queue
from erbium.hdl.layer import LayerEngine
from erbium.hdl.prediction import PredictionUnit
from erbium.hdl.registers import COUNTER_WIDTH, counter_names, performance_names, rate_names
from erbium.hdl.rules.replay import RATE_WIDTH
from erbium.hdl.serializer import SpikeSerializer
from erbium.hdl.tokens import (
    AccessToken,
    FeedbackToken,
    Result,
    SampleKind,
    SampleToken,
    event_token,
)
from erbium.hdl.weight_words import LayerWeights, check_weights, holds_contents
from erbium.sw_model.network import Hardware, Network


def rate_ports(network: Network) -> dict[str, int]:
    """Return the ports that take the learning rate of each layer, in order, and their widths."""
    return dict.fromkeys(rate_names(network), RATE_WIDTH if network.is_first_spike else 8)


class ErbiumArray(wiring.Component):
    """A neuron and synapse array that learns.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    weights : sequence of sequence of int, optional
        Rows of each layer: what the synapse memories hold after configuration. SPRAM starts without, as all do without
        this argument.

    Raises
    ------
    ValueError
        If these weights are not those of the network.

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
        network: Network,
        hardware: Hardware | None = None,
        weights: Sequence[LayerWeights] | None = None,
    ) -> None:
        self.network, self.hardware = network, hardware or Hardware()
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
        network, hardware = self.network, self.hardware
        counts: dict[str, tuple[Value, Count]] = {}
        m.submodules.encoder = encoder = Encoder(network, hardware)
        # Each layer with feedback reads it, and the encoder.
        n_listening = sum(layer.feedback != "none" for layer in network.layers)
        if network.is_first_spike:
            prediction = FirstSpikePrediction(network, hardware)
            m.submodules.feedback = queue = Queue(
                FeedbackToken(network), 2 * (network.feedback_delay + 2) + 1
            )
            connect(m, prediction.feedback_o, queue.token_i)
            feedback = [queue.token_o]
        else:
            prediction = PredictionUnit(network, hardware, n_listening + 1)
            feedback = prediction.feedback_o
        m.submodules.prediction = prediction
        connect(m, prediction.result_o, flipped(self.result_o))
        m.d.comb += [
            encoder.n_ticks.eq(self.n_ticks),
            prediction.decide_after.eq(self.decide_after),
        ]
        counts |= {
            "samples": (prediction.samples, Count()),
            "ticks": (encoder.ticks, Count()),
            "input_spikes": (encoder.input_spikes, Count()),
        }
        if network.is_first_spike:
            m.d.comb += prediction.n_ticks.eq(self.n_ticks)
            counts["updates"] = (prediction.updates, Count())
        else:
            counts["error_spikes"] = (prediction.error_spikes, Count())

        layers: list[LayerEngine] = []
        events = encoder.event_o
        for number in range(len(network.layers)):
            name = f"layer{number + 1}"
            m.submodules[name] = layer = LayerEngine(network, number, hardware, self._weights_of(number))
            m.submodules[f"{name}_events"] = queue = Queue(
                event_token(network, hardware, number), hardware.fifo_depth
            )
            connect(m, events, queue.token_i)
            connect(m, queue.token_o, layer.event_i)
            if number == len(network.layers) - 1:
                connect(m, layer.sweep_o, prediction.sweep_i)
                spikes = prediction.output_spikes
            else:
                serializer = SpikeSerializer(
                    hardware.lanes_of(network, number),
                    network.layers[number].n_neurons,
                    hardware.begin_pieces,
                )
                m.submodules[f"{name}_serializer"] = serializer
                connect(m, layer.sweep_o, serializer.sweep_i)
                spikes, events = serializer.spikes, serializer.event_o
            counts |= self._layer_counts(number, layer, spikes)
            if layer.plan.has_feedback:
                m.d.comb += layer.gain.eq(getattr(self, f"gain_{number + 1}"))
            if network.is_first_spike:
                m.d.comb += layer.rate.eq(getattr(self, f"rate_{number + 1}"))
            layers.append(layer)

        connect(m, feedback[0], encoder.feedback_i)
        listening = [layer for layer in layers if layer.plan.has_feedback]
        for number, layer in enumerate(listening, 1):
            connect(m, feedback[number], layer.feedback_i)

        if network.is_first_spike:
            connect(m, prediction.error_o, layers[-1].error_i)
            for above, below in zip(layers[1:], layers, strict=False):
                connect(m, above.error_o, below.error_i)
        self._access(m, layers)
        self._idle(m, layers)
        counts["cycles"] = (~self.idle, Count())
        ready = self._count(m, counts)
        m.d.comb += [
            encoder.sample_i.payload.eq(self.sample_i.payload),
            encoder.sample_i.valid.eq(self.sample_i.valid & ready),
            self.sample_i.ready.eq(encoder.sample_i.ready & ready),
        ]
        m.d.comb += self.collision.eq(Cat(*[layer.collision for layer in layers]).any())
        return m

    def _weights_of(self, number: int) -> LayerWeights | None:
        """Return what the memory of a layer holds at first, if anything."""
        if self._weights is None or not holds_contents(self.hardware.memory_of(number)):
            return None
        return self._weights[number]

    def _access(self, m: Module, layers: list[LayerEngine]) -> None:
        """Hand a request of the host to its layer, and the layer's answer back."""
        request = self.access_i.payload
        with m.Switch(request.layer):
            for number, layer in enumerate(layers):
                m.d.comb += [
                    layer.access_i.payload.kind.eq(request.kind),
                    layer.access_i.payload.data.eq(request.data),
                ]
                with m.Case(number):
                    m.d.comb += [
                        layer.access_i.valid.eq(self.access_i.valid),
                        self.access_i.ready.eq(layer.access_i.ready),
                        self.access_o.valid.eq(layer.access_o.valid),
                        self.access_o.payload.eq(layer.access_o.payload),
                        layer.access_o.ready.eq(self.access_o.ready),
                    ]
            with m.Default():
                # A layer that is not there: the request is dropped.
                m.d.comb += self.access_i.ready.eq(1)

    def _idle(self, m: Module, layers: list[LayerEngine]) -> None:
        inside = Signal(3)
        sample = self.sample_i
        enters = sample.valid & sample.ready & (sample.payload.kind == SampleKind.END)
        leaves = self.result_o.valid & self.result_o.ready
        m.d.sync += inside.eq(inside + enters - leaves)
        # A first-spike network learns behind the result.
        busy = Cat(*[layer.busy for layer in layers]).any() if self.network.is_first_spike else Const(0)
        m.d.comb += self.idle.eq((inside == 0) & ~busy)

    def _layer_counts(self, number: int, layer: LayerEngine, spikes: Value) -> dict[str, tuple[Value, Count]]:
        """Return what is counted of a layer: by name the increment, and what is known of it."""
        n_neurons = self.network.layers[number].n_neurons
        words = self.hardware.words_of(self.network, number)
        lanes = self.hardware.lanes_of(self.network, number)
        counts = {
            "spikes": (spikes, Count(most=lanes if len(spikes) > 1 else 1)),
            "synaptic_operations": (layer.rows_transmitted, Count(spacing=words, factor=n_neurons)),
            "rows_learned": (layer.rows_learned, Count(spacing=words)),
            "weights_changed": (layer.weights_changed, Count(most=lanes)),
            "row_words": (layer.row_words, Count()),
        }
        return {f"layer{number + 1}_{name}": count for name, count in counts.items()}

    def _count(self, m: Module, counts: dict[str, tuple[Value, Count]]) -> Value:
        """Count, and answer the host; return whether increments may come."""
        m.submodules.counters = bank = CounterBank([counts[name][1] for name in self.counters])
        for number, name in enumerate(self.counters):
            m.d.comb += getattr(bank, f"increment_{number}").eq(counts[name][0])
        connect(m, flipped(self.counter_i), bank.counter_i)
        connect(m, bank.counter_o, flipped(self.counter_o))
        return bank.ready
