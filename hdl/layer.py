# SPDX-License-Identifier: BSD-2-Clause
"""The layer engine: row passes, tick sweeps and learning of one population."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.feedback_port import FeedbackPort
from erbium.hdl.fork import Queue
from erbium.hdl.layer_control import RATE_WIDTH, LayerControl
from erbium.hdl.layer_pipeline import LayerPipeline
from erbium.hdl.tokens import ErrorToken, FeedbackToken, Kind, event_token, sweep_token
from erbium.hdl.weight_access import AccessRequest, WeightAccess
from erbium.hdl.weight_words import LayerWeights
from erbium.sw_model.network import Hardware, Network

SWEEP_ROOM = 16
"""Tokens between the issue of a sweep word and the reader: as many as the pipeline is long, or a sweep stutters."""

VOTE_CLOCKS = 16
"""Clocks until the vote of a row has left for the layer before, at most: for so long its place is taken."""

COUNTERS = ("rows_transmitted", "rows_learned", "weights_changed", "row_words")
"""What a layer counts."""


class LayerEngine(wiring.Component):
    """One population of neurons and the projections that end on it.

    The front end (:class:`LayerControl`) turns tokens into words of work, the datapath
    (:class:`LayerPipeline`) does one word per clock, the feedback port sums the error spikes beside it.

    Parameters
    ----------
    network : Network
    number : int
        0-based layer.
    hardware : Hardware
        Lanes and memory latency; cannot change a result.
    weights : sequence, optional
        What the synapse memory holds after configuration.

    Members
    -------
    event_i : In(stream of EventToken)
        Spikes of the presynaptic population, ascending within a tick.
    feedback_i : In(stream of FeedbackToken), gain : In(8)
        Only if the layer has feedback. The gain changes only while the array is idle.
    error_i : In(stream of ErrorToken), error_o : Out(stream of ErrorToken), rate : In(17), busy : Out(1)
        Only in a first-spike network: plasticity words from above and, except in the first layer, for the layer
        before; probability in 1/65536 that a replayed row is touched, changed only while the array is idle; a
        sample is being worked on.
    sweep_o : Out(stream of SweepToken)
        Per tick one token per word of neurons, in order, then ``TICK``. With membranes in the last layer.
    access_i : In(stream of AccessRequest), access_o : Out(stream of int16)
        Weights; served between samples.
    rows_transmitted, rows_learned, row_words : Out(1), weights_changed : Out
        What is to be counted in this clock: a row that is transmitted or learned begins, the lanes do a word of a row
        pass, so many weights have changed, 0 ... lanes.
    collision : Out(1)
        A read met a write in the synapse memory: a fault of the hardware.

    Notes
    -----
    Throughput: a tick with n spikes takes ``(n + 1) * words + words + 5`` clocks: the rows with the bias
    row, the sweep, and five clocks until a row may use the new plasticity words. A learning output layer
    takes ``words`` more for the margin. In a first-spike layer the tick takes ``n * words + words + 1`` clocks (up to
    2 more with few words); a plasticity word 1 (up to 4 behind one of the same word of neurons), a replayed row
    ``words``, or 1 if an untouched one in the first layer. Rows that learn in a memory with one port take twice that,
    in pairs of words none longer but one word if their number is odd. Behind an inference it takes no ``BEGIN`` for up
    to 3 clocks. Latency from the issue of a sweep word to its token: E + 1 clocks (E: :class:`LayerPipeline`).
    Contract: ``docs/contract.md``, ``docs/contract-first-spike.md``.
    """

    def __init__(
        self, network: Network, number: int, hardware: Hardware, weights: LayerWeights | None = None
    ) -> None:
        self._weights = weights
        self._network, self._number, self._hardware = network, number, hardware
        self._layer = layer = network.layers[number]
        self._lanes = hardware.lanes_of(network, number)
        self._vote_room = -(-VOTE_CLOCKS // hardware.words_of(network, number)) + 1
        self.has_feedback = layer.feedback != "none"
        self._token = sweep_token(network, hardware, number)
        # Errors of this layer, and those that it hands down to the layer before.
        error, self._vote = ErrorToken(layer.n_neurons), ErrorToken(network.shape[number])
        members = {
            "event_i": In(stream.Signature(event_token(network, hardware, number))),
            "sweep_o": Out(stream.Signature(self._token)),
            "access_i": In(stream.Signature(AccessRequest())),
            "access_o": Out(stream.Signature(Shape(16, signed=True))),
            "rows_transmitted": Out(1),
            "rows_learned": Out(1),
            "weights_changed": Out(range(self._lanes + 1)),
            "row_words": Out(1),
            "collision": Out(1),
        }
        if self.has_feedback:
            members |= {"feedback_i": In(stream.Signature(FeedbackToken(network))), "gain": In(8)}
        self.hands_down = network.is_first_spike and number > 0
        if network.is_first_spike:
            members |= {"error_i": In(stream.Signature(error)), "rate": In(RATE_WIDTH), "busy": Out(1)}
        if self.hands_down:
            members |= {"error_o": Out(stream.Signature(self._vote))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        network, number, hardware, layer = self._network, self._number, self._hardware, self._layer
        m.submodules.control = control = LayerControl(network, number, hardware, SWEEP_ROOM, self._vote_room)
        m.submodules.access = access = WeightAccess(layer.n_neurons, self._lanes, layer.weight_width)
        port = None
        if self.has_feedback:
            short = hardware.short_pipelines
            m.submodules.feedback = port = FeedbackPort(network, number, self._lanes, short=short)
        m.submodules.pipeline = pipeline = LayerPipeline(
            network,
            number,
            hardware,
            port.width if port else 0,
            port.read_latency if port else 0,
            self._weights,
        )
        m.submodules.sweeps = sweeps = Queue(self._token, SWEEP_ROOM + 1)

        connect(m, flipped(self.event_i), control.event_i)
        connect(m, flipped(self.access_i), access.access_i)
        connect(m, access.access_o, flipped(self.access_o))
        connect(m, sweeps.token_o, flipped(self.sweep_o))
        m.d.comb += [
            pipeline.slot.eq(control.slot),
            pipeline.issue.eq(control.issue),
            pipeline.begin.eq(control.begin),
            pipeline.load.eq(control.load),
            pipeline.begin_piece.eq(control.begin_piece),
            control.begin_left.eq(pipeline.begin_left),
            control.access_request.eq(access.request),
            control.access_store.eq(access.store),
            control.access_row.eq(access.row),
            control.access_word.eq(access.word),
            access.grant.eq(control.access_grant),
            access.loaded.eq(pipeline.loaded),
            access.word_i.eq(pipeline.word_o),
            access.stored.eq(pipeline.stored),
            pipeline.word_i.eq(access.word_o),
            # The front end sees to it that there is room.
            sweeps.token_i.payload.eq(pipeline.sweep_o.payload),
            sweeps.token_i.valid.eq(pipeline.sweep_o.valid),
            control.sweep_taken.eq(self.sweep_o.valid & self.sweep_o.ready),
            self.collision.eq(pipeline.collision),
        ]
        m.d.comb += [getattr(self, name).eq(getattr(pipeline, name)) for name in COUNTERS]
        if network.is_first_spike:
            connect(m, flipped(self.error_i), control.error_i)
            m.d.comb += [control.rate.eq(self.rate), self.busy.eq(control.busy)]
        if self.hands_down:
            self._hand_down(m, control, pipeline)
        if port is not None:
            connect(m, flipped(self.feedback_i), port.feedback_i)
            # The port lies among the lanes, and ticks lie between the ends of two samples: there is time on the way.
            m.d.sync += [port.finish.eq(control.finish), control.feedback_draining.eq(port.draining)]
            m.d.comb += [
                port.gain.eq(self.gain),
                port.read_address.eq(pipeline.feedback_address),
                pipeline.feedback_data.eq(port.read_data),
                port.release.eq(pipeline.feedback_used),
                control.feedback_ready.eq(port.ready),
                control.feedback_released.eq(pipeline.feedback_used),
            ]
        return m

    def _hand_down(self, m: Module, control: LayerControl, pipeline: LayerPipeline) -> None:
        """Send the votes of the replayed rows, those for nothing left out, and an ``END`` behind them."""
        m.submodules.votes = queue = Queue(self._vote, self._vote_room + 1)
        connect(m, queue.token_o, flipped(self.error_o))
        end = Signal(self._vote)
        votes = pipeline.counted & (pipeline.vote.kind == Kind.SPIKE)
        taken = self.error_o.valid & self.error_o.ready & (self.error_o.payload.kind == Kind.SPIKE)
        m.d.comb += [
            end.kind.eq(Kind.END),
            end.later.eq(control.end_replay),
            queue.token_i.valid.eq(votes | control.end_errors),
            queue.token_i.payload.eq(Mux(control.end_errors, end, pipeline.vote)),
            control.votes_retired.eq((pipeline.counted & ~votes) + taken),
            control.spike_available.eq(pipeline.spike_available),
            control.spike_row.eq(pipeline.spike_row),
            control.spike_tick.eq(pipeline.spike_tick),
            pipeline.next_spike.eq(control.next_spike),
        ]
