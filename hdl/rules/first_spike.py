# SPDX-License-Identifier: BSD-2-Clause
"""The sign-popcount first-spike rule: a layer learns after the sample, in rows that it replays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.causal_fifo import CausalFifo
from erbium.hdl.fixed import delayed
from erbium.hdl.fork import Queue
from erbium.hdl.hazard import Hazard
from erbium.hdl.neuron_unit import signed_width
from erbium.hdl.rules.base import RulePart
from erbium.hdl.rules.replay import RATE_WIDTH, Replay
from erbium.hdl.rules.weight_step import step_weights
from erbium.hdl.sign_popcount import LATENCY, SignPopcount
from erbium.hdl.slot import Work
from erbium.hdl.tokens import ErrorToken, Kind

if TYPE_CHECKING:
    from erbium.hdl.lane_group import LaneGroup
    from erbium.hdl.layer import LayerEngine
    from erbium.hdl.layer_control import LayerControl
    from erbium.hdl.layer_pipeline import LayerPipeline
    from erbium.hdl.pipe import Pipe
    from erbium.hdl.plan import LayerPlan

LATER_BIT, EARLIER_BIT = 0, 1
"""Two bits are kept of a neuron: it is to spike later, or earlier. The first sweep of a sample clears them."""


def vote_room(plan: LayerPlan) -> int:
    """Return how many rows may be under way that have not voted, so that no row has to wait for a vote.

    A vote is there when the last word of its row has been counted after stage X, and has left a clock later.
    """
    clocks = plan.stages["X"] + LATENCY + 3
    return -(-clocks // plan.words) + 1


class FirstSpikePart(RulePart):
    """A replayed row changes its weights by ± step where the neuron had not spiked before the row did.

    The rows of a later layer also vote on the plasticity words of the layer before.
    """

    known_ahead = False

    def fields(self, plan: LayerPlan) -> dict[str, object]:
        # Of the slot that sets a plasticity word: which neuron of its word, and which way.
        return {"lane": range(plan.lanes), "later": 1}

    def tick_width(self, n_ticks_width: int, dither_width: int) -> int:
        # There is room for "never", too.
        return n_ticks_width

    def votes(self, plan: LayerPlan) -> bool:
        return not plan.population.is_first

    def kept_words(self, plan: LayerPlan) -> dict[str, int]:
        return {"plasticity": 2}

    def kept_parts(self, plan: LayerPlan) -> dict[str, int]:
        return {"spike_ticks": plan.tick_width} if plan.timed else {}

    def hazards(self, plan: LayerPlan) -> tuple[Hazard, ...]:
        x, e = plan.stages["X"], plan.stages["E"]
        reads, delay = plan.word_latency
        # The next sweep asks whether a neuron has spiked. Rows do so after the sample only.
        return (Hazard("spike ticks", plan.places + 1, e - x + delay + reads + 1),) if plan.timed else ()

    # --- engine --------------------------------------------------------------------------------------

    def engine_ports(self, plan: LayerPlan) -> dict[str, object]:
        ports: dict[str, object] = {
            "error_i": In(stream.Signature(ErrorToken(plan.n_neurons))),
            "rate": In(RATE_WIDTH),
            "busy": Out(1),
        }
        if self.votes(plan):
            ports["error_o"] = Out(stream.Signature(ErrorToken(plan.n_inputs)))
        return ports

    def connect(self, m: Module, engine: LayerEngine, control: LayerControl, pipeline: LayerPipeline) -> None:
        connect(m, flipped(engine.error_i), control.error_i)
        m.d.comb += [control.rate.eq(engine.rate), engine.busy.eq(control.busy)]
        if self.votes(engine.plan):
            self._hand_down(m, engine, control, pipeline)

    def _hand_down(
        self, m: Module, engine: LayerEngine, control: LayerControl, pipeline: LayerPipeline
    ) -> None:
        """Send the votes of the replayed rows, those for nothing left out, and an ``END`` after them."""
        token = ErrorToken(engine.plan.n_inputs)
        m.submodules.votes = queue = Queue(token, vote_room(engine.plan) + 1)
        connect(m, queue.token_o, flipped(engine.error_o))
        end = Signal(token)
        votes = pipeline.counted & (pipeline.vote.kind == Kind.SPIKE)
        taken = engine.error_o.valid & engine.error_o.ready & (engine.error_o.payload.kind == Kind.SPIKE)
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

    # --- control -------------------------------------------------------------------------------------

    def control_ports(self, plan: LayerPlan) -> dict[str, object]:
        ports: dict[str, object] = {
            "error_i": In(stream.Signature(ErrorToken(plan.n_neurons))),
            "rate": In(RATE_WIDTH),
            "busy": Out(1),
        }
        if self.votes(plan):
            ports |= {
                "spike_available": In(1),
                "spike_row": In(plan.slot["row"].shape),
                "spike_tick": In(plan.tick_width),
                "next_spike": Out(1),
                "votes_retired": In(2),
                "end_errors": Out(1),
                "end_replay": Out(1),
            }
        return ports

    def prepare(self, m: Module, control: LayerControl) -> None:
        self._replay = Replay(m, control, vote_room(control.plan) if self.votes(control.plan) else 0)

    def sample_ends(self, m: Module, control: LayerControl) -> None:
        self._replay.begin(m)

    def states(self, m: Module, control: LayerControl) -> None:
        self._replay.states(m)

    # --- pipeline ------------------------------------------------------------------------------------

    def pipeline_ports(self, plan: LayerPlan) -> dict[str, object]:
        if not self.votes(plan):
            return {}
        return {
            "spike_available": Out(1),
            "spike_row": Out(plan.slot["row"].shape),
            "spike_tick": Out(plan.tick_width),
            "next_spike": In(1),
            "counted": Out(1),
            "vote": Out(ErrorToken(plan.n_inputs)),
        }

    def reads(self, plan: LayerPlan, pipe: Pipe) -> Value:
        # A row that votes is read even if it does not learn.
        learns = pipe.does(Work.LEARN, "A")
        return learns if self.votes(plan) else learns & pipe["A"].armed

    def row_words(self, pipe: Pipe) -> Value:
        return pipe.does(Work.LEARN, 1)

    def chosen(self, m: Module, pipeline: LayerPipeline) -> Value | None:
        return pipeline.pipe["X-1"].lane

    def learn(self, m: Module, pipeline: LayerPipeline) -> None:
        pipe = pipeline.pipe
        pipeline.learns(m, pipe.does(Work.LEARN, "X-1") & pipe["X-1"].armed, "first")
        if self.votes(pipeline.plan):
            self._vote(m, pipeline)

    def _vote(self, m: Module, pipeline: LayerPipeline) -> None:
        """Remember what was transmitted, and let each replayed row vote on its presynaptic neuron."""
        plan, pipe = pipeline.plan, pipeline.pipe
        m.submodules.causes = causes = CausalFifo(plan.n_rows, plan.n_ticks)
        m.submodules.votes = votes = SignPopcount(plan.n_neurons, plan.lanes)
        row, slot = pipe.does(Work.ROW, 1) & pipe[1].first, pipe["X"]
        m.d.comb += [
            causes.clear.eq(pipeline.load),
            causes.push.eq(row & pipeline.begin.learn),
            causes.row.eq(pipe[1].row),
            causes.tick.eq(pipe[1].tick),
            pipeline.spike_available.eq(causes.available),
            pipeline.spike_row.eq(causes.row_o),
            pipeline.spike_tick.eq(causes.tick_o),
            causes.next_row.eq(pipeline.next_spike),
            votes.valid.eq(pipe.does(Work.LEARN, "X")),
            votes.first.eq(slot.first),
            votes.last.eq(slot.last),
            votes.address.eq(slot.row),
            votes.later.eq(pipeline.all("later")),
            votes.earlier.eq(pipeline.all("earlier")),
            votes.negative.eq(pipeline.all("negative")),
            votes.causal.eq(pipeline.all("causal")),
            pipeline.counted.eq(votes.valid_o),
            pipeline.vote.kind.eq(Mux(votes.later_o | votes.earlier_o, Kind.SPIKE, Kind.END)),
            pipeline.vote.address.eq(votes.address_o),
            pipeline.vote.later.eq(votes.later_o),
        ]

    # --- lanes ---------------------------------------------------------------------------------------

    def group_ports(self, plan: LayerPlan) -> dict[str, object]:
        return {}

    def lanes(self, m: Module, group: LaneGroup) -> None:
        pipe, lanes, step = group.pipe, range(group.lanes), self.rule.step
        file = group.file(m, "plasticity", 2, Work.WORD, Work.LEARN)
        kept = [file.read_data.word_select(lane, 2) for lane in lanes]
        chosen = Cat(pipe["X"].later, ~pipe["X"].later)
        bits = [Mux(group.chosen[lane], chosen, kept[lane]) for lane in lanes]
        clears = pipe.does(Work.SWEEP, "X") & pipe["X"].begin & pipe["X"].done
        sets = pipe.does(Work.WORD, "X")
        group.write(m, file, "X", sets | clears, Mux(clears, 0, Cat(*bits)))
        m.d.comb += [
            group.later.eq(Cat(*[word[LATER_BIT] for word in kept])),
            group.earlier.eq(Cat(*[word[EARLIER_BIT] for word in kept])),
            group.negative.eq(Cat(*[group.weight(lane)[-1] for lane in lanes])),
            group.causal.eq(self._spike_ticks(m, group) if group.plan.timed else Const(-1, len(lanes))),
        ]
        deltas = [
            Mux(group.causal[lane], Mux(group.later[lane], step, Mux(group.earlier[lane], -step, 0)), 0)
            for lane in lanes
        ]
        learns = Signal(attrs=group.copies)
        m.d.sync += learns.eq(pipe.does(Work.LEARN, "X-1") & pipe["X-1"].armed)
        step_weights(m, group, learns, deltas, signed_width(-step, step))

    def _spike_ticks(self, m: Module, group: LaneGroup) -> Value:
        """Keep the spike tick of each neuron; return which had not spiked before the row in stage X did."""
        plan, pipe, unit = group.plan, group.pipe, group.neurons
        width, order, end = plan.tick_width, pipe["X"], pipe["E"]
        never, resting = Const(plan.n_ticks, width), Const(plan.program.refractory)
        group.ticks_after = after = Signal(unit.lanes * width, name="ticks_after")
        ticks = group.banks(m, "spike_ticks", width, after, Work.SWEEP, Work.LEARN)
        swept = group.part_of(m, "swept_ticks", Cat(*ticks), width)
        clocks = plan.stages["E"] - plan.stages["S"]
        kept = delayed(m, swept, clocks, "kept_ticks", cleared=False)
        for lane in range(unit.lanes):
            if plan.rest_told_by == "spike tick":
                rests = swept.word_select(lane, width) != never
                m.d.comb += unit.neurons[lane].refractory.eq(Mux(rests, resting, 0))
            old = Mux(end.begin, never, kept.word_select(lane, width))
            tick = Mux(unit.spikes_o[lane], end.tick, old)
            m.d.comb += after.word_select(lane, width).eq(tick)
        # In the first tick the file still holds the last sample's ticks, but tick 0 comes before none of them.
        return Cat(*[order.tick <= tick for tick in ticks])
