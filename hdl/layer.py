# SPDX-License-Identifier: BSD-2-Clause
"""The layer engine: row passes, tick sweeps and learning of one population."""

from __future__ import annotations

from amaranth.hdl import Module, Shape
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.feedback_port import FeedbackPort
from erbium.hdl.fork import Queue
from erbium.hdl.layer_control import LayerControl
from erbium.hdl.layer_pipeline import LayerPipeline
from erbium.hdl.plan import LayerPlan
from erbium.hdl.tokens import FeedbackToken
from erbium.hdl.weight_access import AccessRequest, WeightAccess
from erbium.hdl.weight_words import LayerWeights
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network

COUNTERS = ("rows_transmitted", "rows_learned", "weights_changed", "row_words")
"""What a layer counts."""


class LayerEngine(wiring.Component):
    """One population of neurons and the projections that end on it.

    The front end (:class:`LayerControl`) turns tokens into words of work, the datapath
    (:class:`LayerPipeline`) does one word per clock, the feedback port sums the error spikes beside it.

    Parameters
    ----------
    network : Network or Graph
    number : int
        0-based among the populations that have an engine.
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
        sample is being worked on, or what it changed has not been written and counted.
    sweep_o : Out(stream of SweepToken)
        Per tick one token per word of neurons, in order, then ``TICK``. With membranes in the last layer.
    access_i : In(stream of AccessRequest), access_o : Out(stream of int16)
        Weights; served between samples.
    rows_transmitted, rows_learned, row_words, weights_changed : Out
        What is to be counted in this clock: so many rows that are transmitted or learned begin, the lanes do words of
        so many row passes, 0, 1 or 2 each; so many weights have changed, 0 ... lanes.
    collision : Out(1)
        A read met a write in the synapse memory: a fault of the hardware.

    Notes
    -----
    Clocks of a tick with n spikes, in `words` W of a row and `places` P of a sweep (W times the parts in which it
    takes a word), while no feedback has to be waited for:

    ================================ ==========================================================================
    rows, bias row, sweep, ``TICK``  ``(n + 1) W + P + 1 + settle``; without a bias row ``n W + P + 1 + settle``
    margin                           W more in a learned sample
    plasticity word of a first-spike 1, up to 4 after one of the same word of neurons
    replayed row                     W, or 1 if an untouched one in the first layer
    ================================ ==========================================================================

    Where two rows may go together (``Hardware.rows_per_clock``, :class:`erbium.hdl.row_pairs.RowPairs`) a pair takes
    the W clocks of one row, and as many words of rows are done in them. Of a sample that is not learned, all rows of a
    tick but an odd one go in pairs. Of one that is learned a row goes by itself if it and the next one may change, and
    W clocks of a pair wait, or a row goes by itself, while the memory is written: X + 2 - A clocks after a row that may
    change was issued. From the last part of a sweep to the ``TICK`` or bias row after it are E + 4 clocks at least.

    `settle` and `leave`, the clocks after an inference in which no ``BEGIN`` is taken, are those of the plan. Rows that
    learn in a memory with one port take twice that, in pairs of words none longer but one word if their number is odd.
    Latency from the issue of the last part of a word of neurons to its token: E + 1 clocks
    (:class:`erbium.hdl.plan.LayerPlan`). Contract: ``docs/contract.md``, ``docs/contract-first-spike.md``.

    Raises
    ------
    HazardError
        When it is elaborated, if something would be read before it is written.
    """

    def __init__(
        self,
        network: Network | Graph,
        number: int,
        hardware: Hardware,
        weights: LayerWeights | None = None,
    ) -> None:
        self.plan = plan = LayerPlan(network, number, hardware)
        self._weights = weights
        members = {
            "event_i": In(stream.Signature(plan.event_token)),
            "sweep_o": Out(stream.Signature(plan.sweep_token)),
            "access_i": In(stream.Signature(AccessRequest())),
            "access_o": Out(stream.Signature(Shape(16, signed=True))),
            "rows_transmitted": Out(range(plan.rows.at_once + 1)),
            "rows_learned": Out(range(plan.rows.at_once + 1)),
            "weights_changed": Out(range(plan.lanes + 1)),
            "row_words": Out(range(plan.rows.at_once + 1)),
            "collision": Out(1),
        }
        if plan.has_feedback:
            members |= {
                "feedback_i": In(stream.Signature(FeedbackToken(plan.population.feedback_addresses))),
                "gain": In(8),
            }
        super().__init__(members | plan.rule.engine_ports(plan))

    def elaborate(self, platform: object) -> Module:
        plan = self.plan
        plan.check()
        m = Module()
        m.submodules.control = control = LayerControl(plan)
        m.submodules.access = access = WeightAccess(plan.n_neurons, plan.lanes, plan.population.weight_width)
        m.submodules.pipeline = pipeline = LayerPipeline(plan, self._weights)
        m.submodules.sweeps = sweeps = Queue(plan.sweep_token, plan.sweep_room + 1)

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
        m.d.comb += [getattr(control, name).eq(getattr(pipeline, name)) for name in plan.rows.word_ports(In)]
        m.d.comb += [getattr(self, name).eq(getattr(pipeline, name)) for name in COUNTERS]
        if plan.has_feedback:
            self._feed_back(m, control, pipeline)
        plan.rule.connect(m, self, control, pipeline)
        return m

    def _feed_back(self, m: Module, control: LayerControl, pipeline: LayerPipeline) -> None:
        m.submodules.feedback = port = FeedbackPort(self.plan)
        connect(m, flipped(self.feedback_i), port.feedback_i)
        # The port lies among the lanes, and ticks lie between the ends of two samples: there is time on the way.
        m.d.sync += [port.finish.eq(control.finish), control.feedback_draining.eq(port.draining)]
        m.d.comb += [
            port.gain.eq(self.gain),
            port.read_address.eq(pipeline.feedback_address),
            pipeline.feedback_data.eq(port.read_data),
            port.release.eq(pipeline.feedback_used),
            control.feedback_ready.eq(port.ready),
        ]
