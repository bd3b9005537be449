# SPDX-License-Identifier: BSD-2-Clause
"""Processes that read and write tokens: the serializer, the merge, the gate and the control of a layer."""

from __future__ import annotations

from amaranth.hdl import Const, Mux, Value

from erbium.gen.presets import erbp_network
from erbium.hdl.feedback_gate import FeedbackGate
from erbium.hdl.layer_control import LayerControl
from erbium.hdl.plan import LayerPlan
from erbium.hdl.serializer import SpikeSerializer
from erbium.hdl.slot import Work
from erbium.hdl.tick_merge import MergeInput, TickMerge
from erbium.hdl.tokens import Kind
from erbium.sw_model.network import Hardware
from erbium.verif.formal.claim import Claim, code
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault

SPIKE, TICK, BEGIN, END = code(Kind.SPIKE), code(Kind.TICK), code(Kind.BEGIN), code(Kind.END)
LANES = 6


def kind_of(stream: object) -> Value:
    """Return the kind of the token on a stream, as a number."""
    return Value.cast(stream.payload.kind)  # type: ignore[attr-defined]


def serializer() -> Claim:
    """Write down what is to leave: the token in the output register, then the spikes left of a word, ascending."""
    claim = Claim()
    part = claim.component(SpikeSerializer(LANES, 64))
    m, taken, out = claim.m, part.sweep_i, part.event_o
    width = part._address_width
    waits, before = claim.past(taken.valid & ~taken.ready), claim.past(Value.cast(taken.payload))
    claim.given(~waits | (taken.valid & (Value.cast(taken.payload) == before)))
    there, kind = claim.register(1, "there"), claim.register(2, "expected_kind")
    data = claim.register(len(out.payload.data), "expected_data")
    mask, base = claim.register(LANES, "spikes_left"), claim.register(width, "base_of_word")
    moves = claim.named(~there | out.ready, "may_move")
    lowest: Value = Const(0, 3)
    for lane in reversed(range(LANES)):
        lowest = Mux(mask[lane], lane, lowest)
    lowest = claim.named(lowest, "lowest")
    left = claim.named(mask & ~(Const(1, LANES) << lowest)[:LANES], "left_after")
    takes = taken.valid & taken.ready
    is_word = kind_of(taken) == SPIKE
    with m.If(moves):
        m.d.sync += there.eq(0)
        with m.If(mask != 0):
            m.d.sync += [there.eq(1), kind.eq(SPIKE), data.eq((base + lowest)[:width]), mask.eq(left)]
        with m.Elif(takes & ~is_word):
            m.d.sync += [there.eq(1), kind.eq(kind_of(taken)), data.eq(taken.payload.data)]
    with m.If(takes & is_word):
        m.d.sync += [mask.eq(taken.payload.spikes), base.eq(taken.payload.data)]
    claim.holds(out.valid == there)
    claim.holds(~there | (kind_of(out) == kind))
    shown = Mux(kind == SPIKE, out.payload.data[:width], out.payload.data)
    claim.holds(~there | (shown == data))
    claim.holds(part.spikes == (there & out.ready & (kind == SPIKE)))
    # A token is not taken before the spikes before it have left or moved on, and then without a pause.
    after = claim.named(Mux(moves, left, mask), "mask_after")
    claim.holds(~takes | Mux(is_word, after == 0, moves & (mask == 0)))
    claim.holds(~(moves & (mask == 0)) | taken.ready)
    # What the component knows of the spikes that are left.
    pending = part["pending"]
    count = sum((mask[lane] for lane in range(LANES)), Const(0))
    claim.holds((pending == mask) & (part["any_pending"] == (mask != 0)))
    claim.holds((mask == 0) | (part["last_pending"] == (count == 1)))
    claim.holds((mask == 0) | (part["base"] == base))
    held, spike = part["held"], part["spike"]
    claim.holds(~there | ((held[:width] + spike)[:width] == data[:width]))
    claim.holds(~there | (kind == SPIKE) | ((held == data) & (spike == 0)))
    claim.holds(~there | (Value.cast(part["kind"]) == kind))
    claim.reached(there & (kind == SPIKE) & (mask == 0) & takes & is_word)
    claim.reached(there & (kind == END) & (data != 0))
    return claim


def gate() -> Claim:
    """Write down what of the feedback belongs to which tick, and what is dropped."""
    claim = Claim()
    part = claim.component(FeedbackGate(4))
    m, line, out = claim.m, part.feedback_i, part.spike_o
    claim.given(~part.finish | ~part.draining)
    read, drops, stop = (
        claim.register(1, "tick_is_read"),
        claim.register(1, "drops"),
        claim.register(1, "stop_flag"),
    )
    takes, kind = line.valid & line.ready, claim.named(kind_of(line), "kind_of_token")
    flag = line.payload.address[0]
    with m.If(takes & ~drops & (kind == TICK)):
        m.d.sync += [read.eq(1), stop.eq(flag)]
    with m.If(part.release):
        m.d.sync += read.eq(0)
    with m.If(takes & drops & (kind == END)):
        m.d.sync += drops.eq(0)
    with m.If(part.finish):
        m.d.sync += [read.eq(0), drops.eq(1)]
    claim.holds((part.complete == read) & (part.draining == drops) & (part.stop == stop))
    # A spike passes if, and only if, it belongs to the tick that is being read; it is taken as it passes.
    claim.holds(out.valid == (line.valid & (kind == SPIKE) & ~read & ~drops))
    claim.holds(~out.valid | ((out.payload == line.payload.address) & (line.ready == out.ready)))
    # Nothing of a later tick, nor the end of the sample, is taken before it is its turn; what is dropped is never held.
    claim.holds(~takes | drops | (~read & ((kind == SPIKE) | (kind == TICK))))
    claim.holds(~drops | line.ready)
    claim.holds(drops | read | (kind != TICK) | line.ready)
    claim.reached(takes & drops & (kind == END))
    claim.reached(part.complete & part.stop & part.release)
    return claim


MERGED = (MergeInput(3), MergeInput(2, first_row=3, delay=1), MergeInput(1, first_row=5))


def merge() -> Claim:
    """Count the ticks that came of each input and went out, and say which spikes may go out between them."""
    claim = Claim()
    part = claim.component(TickMerge(MERGED))
    m, out = claim.m, part.event_o
    streams = [getattr(part, f"event_i_{k}") for k in range(len(MERGED))]
    for stream in streams:
        waits, before = claim.past(stream.valid & ~stream.ready), claim.past(Value.cast(stream.payload))
        claim.given(~waits | (stream.valid & (Value.cast(stream.payload) == before)))
    lead = streams[0]
    inside = claim.register(1, "inside_sample")
    begun = claim.register(1, "a_tick_is_out")  # at least as many as the delay
    takes = [claim.named(stream.valid & stream.ready, f"takes_{k}") for k, stream in enumerate(streams)]
    kinds = [claim.named(kind_of(stream), f"kind_{k}") for k, stream in enumerate(streams)]
    gives, kind = claim.named(out.valid & out.ready, "gives"), claim.named(kind_of(out), "kind_out")
    # Which input's ticks are one ahead of those that went out, apart from its delay.
    ahead = claim.register(len(streams), "ahead")
    spikes = [take & (one == SPIKE) & inside for take, one in zip(takes, kinds, strict=True)]
    # A sample is BEGIN (SPIKE* TICK)* END on the input that leads; others have their BEGIN before their first tick.
    claim.given(inside | (kinds[0] == BEGIN) | ~lead.valid)
    claim.given(~inside | (kinds[0] != BEGIN))
    started = claim.register(1, "lead_is_within_tick")
    claim.given(~started | (kinds[0] != END))
    reads = [part.is_in(f"READ {k}") for k in range(len(streams))]
    drains, ends = part.is_in("DRAIN"), part.is_in("END")
    for k in (1, 2):
        claim.given(~(inside & reads[k]) | (kinds[k] != END))
    with m.If(takes[0]), m.Switch(kinds[0]):
        with m.Case(BEGIN):
            m.d.sync += [inside.eq(1), begun.eq(0), started.eq(0), ahead.eq(0)]
        with m.Case(SPIKE):
            m.d.sync += started.eq(1)
        with m.Case(TICK):
            m.d.sync += [started.eq(0), ahead[0].eq(1)]
        with m.Case(END):
            m.d.sync += inside.eq(0)
    with m.If(takes[1] & (kinds[1] == TICK) & inside):
        m.d.sync += ahead[1].eq(1)
    with m.If(gives & (kind == TICK)):
        # All inputs are in step again.
        m.d.sync += [begun.eq(1), ahead.eq(0)]
    # The rows of a tick in the declared order: each spike that is taken goes out as its row, and nothing else does.
    claim.holds((spikes[0] + spikes[1] + spikes[2]) == (gives & (kind == SPIKE)))
    for k, one in enumerate(MERGED):
        address = part._tokens[k].spike_in(streams[k].payload).address
        row = part.token.spike_in(out.payload).address
        claim.holds(~spikes[k] | (row == address + one.first_row))
    claim.holds(~spikes[0] | ~ahead[0])
    claim.holds(~spikes[1] | (ahead[0] & begun & ~ahead[1]))
    claim.holds(~spikes[2] | (ahead[0] & (ahead[1] | ~begun)))
    # A tick goes out when each input's has been taken: that of tick t - delay of the one with a delay.
    ticks = gives & (kind == TICK)
    claim.holds(~ticks | (ahead[0] & (ahead[1] | ~begun) & takes[2] & (kinds[2] == TICK)))
    claim.holds(~(takes[0] & (kinds[0] == TICK)) | ~ahead[0])
    claim.holds(~(takes[1] & (kinds[1] == TICK) & inside) | ~ahead[1])
    claim.holds(~(takes[2] & (kinds[2] == TICK) & inside) | ticks)
    # BEGIN and END are those of the input that leads.
    claim.holds((gives & (kind == BEGIN)) == (takes[0] & (kinds[0] == BEGIN)))
    claim.holds((gives & (kind == END)) == (takes[0] & (kinds[0] == END)))
    claim.holds(~(gives & (kind == BEGIN)) | (out.payload.data == lead.payload.data))
    # Where the state machine is.
    looks = part.is_in("LOOK")
    claim.holds(part.state < part.states)
    claim.holds(inside == (looks | reads[0] | reads[1] | reads[2] | ends | (part.is_in("BEGIN") & inside)))
    claim.holds(~(reads[0] | looks | ends | part.is_in("BEGIN")) | (ahead == 0) | ~inside)
    claim.holds(~reads[1] | (ahead == 1))
    claim.holds(~reads[2] | (ahead == Mux(begun, 3, 1)))
    claim.holds(~inside | (part["tick"] == begun))
    claim.holds(~ends | (lead.valid & (kinds[0] == END)))
    claim.holds(~reads[0] | started | (lead.valid & (kinds[0] != END)))
    claim.holds(~started | reads[0])
    claim.holds(~(drains & inside))
    claim.reached(spikes[1])
    claim.reached(gives & (kind == END) & begun)
    return claim


def room() -> Claim:
    """Count the tokens that are between the control and what reads them, and the words of each pass."""
    claim = Claim()
    network = erbp_network("proof", (5,), n_inputs=4, n_classes=2, n_ticks=4)
    plan = LayerPlan(network, 0, Hardware(lanes=2))
    part = claim.component(LayerControl(plan))
    m, slot, event = claim.m, part.slot, part.event_i
    work = claim.named(Value.cast(slot.work), "work_of_slot")
    inside = claim.register(range(plan.sweep_room + 2), "tokens_inside")
    makes = part.issue & ((work == code(Work.SWEEP)) | (work == code(Work.TOKEN)))
    claim.given(~part.sweep_taken | (inside != 0))
    m.d.sync += inside.eq(inside + makes - part.sweep_taken)
    claim.holds(inside <= plan.sweep_room)
    claim.holds(part["room"] == plan.sweep_room - inside)
    claim.holds(~part["has_room"] | (inside < plan.sweep_room))
    # No deadlock: room that there is, is seen a clock later.
    free = claim.past(inside < plan.sweep_room - 1, init=1)
    claim.holds(~free | part["has_room"])
    # A pass is words 0 ... n - 1, each once; a spike is taken with its last word.
    word = claim.register(range(plan.words + 1), "next_word")
    passes = part.issue & ((work == code(Work.ROW)) | (work == code(Work.SWEEP)) | (work == code(Work.TEACH)))
    with m.If(passes):
        m.d.sync += word.eq(Mux(word == plan.words - 1, 0, word + 1))
    claim.holds((part["word"] == word) & (word < plan.words))
    claim.holds(
        ~passes
        | ((slot.word == word) & (slot.last == (word == plan.words - 1)) & (slot.first == (word == 0)))
    )
    spike = event.valid & (kind_of(event) == SPIKE) & part.is_in("ROWS")
    claim.holds(~(spike & event.ready) | (part.issue & slot.last))
    claim.holds(~spike | (part.issue == (work == code(Work.ROW))))
    claim.holds(~spike | ~part.issue | (slot.row == plan.event_token.spike_in(event.payload).address))
    # A sweep waits until its feedback is there.
    waits = part["wants_feedback"] & slot.first & ~part.feedback_ready
    claim.holds(~(part.issue & (work == code(Work.SWEEP))) | ~waits)
    claim.reached(inside == plan.sweep_room)
    claim.reached(spike & event.ready)
    return claim


PROOFS = (
    Proof(
        "SpikeSerializer",
        "6-lanes",
        serializer,
        "a word leaves as its spikes in ascending order, other tokens unaltered, all in order; nothing is "
        "lost, doubled or held back",
        "induction",
        Fault("serializer", "last_pending.eq(number_pending == 2)", "last_pending.eq(number_pending == 3)"),
        "a word follows the last spike of the one before; an END with data",
    ),
    Proof(
        "FeedbackGate",
        "4-errors",
        gate,
        "error spikes pass in the tick that they belong to; a tick waits until it is used; what is left of a "
        "sample that is over is dropped up to its END",
        "induction",
        Fault(
            "feedback_gate",
            "m.d.sync += [self.complete.eq(0), self.draining.eq(1)]",
            "m.d.sync += [self.draining.eq(1)]",
        ),
        "the END of a sample that is over; a tick that stops",
    ),
    Proof(
        "TickMerge",
        "3-inputs-one-delayed",
        merge,
        "each tick is the spikes of all inputs in the declared order, those of the delayed input from the tick "
        "before, each once and as its row; BEGIN and END are the leading input's",
        "induction",
        Fault("tick_merge", "m.If(tick < one.delay)", "m.If(tick <= one.delay)"),
        "a delayed spike; the END of a sample",
        within=16,
    ),
    Proof(
        "LayerControl",
        "5-neurons-2-lanes",
        room,
        "no token is made for which there is no room, and room is used; passes are words 0 … n − 1 in order; a "
        "spike is walked whole, and taken with its last word",
        "induction",
        Fault("layer_control", "(room > 1) | ((room == 1) & ~produces)", "(room != 0)"),
        "all room is used; a spike is taken",
        within=40,
    ),
)
