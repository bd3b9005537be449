# SPDX-License-Identifier: BSD-2-Clause
"""The control of a layer: no word of weights is read before what was learned is written; and its pipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Mux, Value

from erbium.gen.presets import erbp_network
from erbium.hdl.layer_control import LayerControl
from erbium.hdl.pipe import Pipe
from erbium.hdl.plan import LayerPlan
from erbium.hdl.slot import Slot, Work
from erbium.hdl.tokens import Kind
from erbium.sw_model.network import Hardware
from erbium.verif.formal.claim import Claim, code
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault


def rows_apart(n_neurons: int, lanes: int) -> Callable[[], Claim]:
    """Return the claim that a word of a row comes again no sooner than its weights are back in the memory."""

    def made() -> Claim:
        claim = Claim()
        network = erbp_network("proof", (n_neurons,), n_inputs=3, n_classes=2, n_ticks=4)
        plan = LayerPlan(network, 0, Hardware(lanes=lanes))
        part = claim.component(LayerControl(plan))
        m, slot, event = claim.m, part.slot, part.event_i
        # A word is read in stage A and written in stage X + 2: the next read of it must come after that.
        needed = plan.stages["X"] + 2 - plan.stages["A"] + 1
        words, places = plan.words, plan.places
        assert plan.parts == 1
        assert plan.has_bias

        # The word that is followed, any one: clocks since it was issued last, and whether it was in this tick.
        row, word = (
            claim.constant(range(plan.n_rows), "row"),
            claim.constant(range(max(words, 2)), "word_of_row"),
        )
        claim.given((row < plan.n_rows) & (word < words))
        since = claim.register(range(needed + 1), "clocks_since", init=needed)
        now = claim.register(1, "in_this_tick")
        work = claim.named(Value.cast(slot.work), "work_of_slot")
        kind = claim.named(Value.cast(event.payload.kind), "kind_of_event")
        hit = claim.named(
            part.issue & (work == code(Work.ROW)) & (slot.row == row) & (slot.word == word), "is_issued"
        )
        m.d.sync += since.eq(Mux(hit, 1, Mux(since == needed, needed, since + 1)))
        claim.holds(~hit | (since == needed))
        claim.holds(since <= needed)

        # What comes: a token stays until it is taken, and the spikes of a tick have ascending addresses.
        waits, before = claim.past(event.valid & ~event.ready), claim.past(Value.cast(event.payload))
        claim.given(~waits | (event.valid & (Value.cast(event.payload) == before)))
        address = plan.event_token.spike_in(event.payload).address
        is_spike = claim.named(event.valid & (kind == code(Kind.SPIKE)), "is_spike")
        rows, ticks = part.is_in("ROWS"), part.is_in("TICK")
        some, highest = claim.register(1, "some_row"), claim.register(len(address), "highest_row")
        claim.given(~(rows & is_spike) | ((address < plan.n_inputs) & (~some | (address > highest))))
        claim.given(~(rows & event.valid & (kind == code(Kind.BEGIN))))
        claim.given(~(rows & event.valid & (kind == code(Kind.END))) | ~some)
        # The weights are the layer's own meanwhile: the host waits for its words one by one.
        claim.given(~part.access_request)
        with m.If(rows & is_spike & event.ready):
            m.d.sync += [some.eq(1), highest.eq(address)]
        with m.If(ticks & part.issue):
            m.d.sync += [some.eq(0), now.eq(0)]
        with m.If(hit):
            m.d.sync += now.eq(1)

        # Where the control is, and how long ago the followed word can have been.
        place = part["word"]
        walks = claim.named(rows & (place != 0), "walks")
        is_bias = kind == code(Kind.TICK)
        here = claim.named(Mux(is_bias, plan.n_inputs, address), "row_here")
        claim.holds(~walks | (waits & event.valid & (is_bias | (kind == code(Kind.SPIKE)))))
        claim.holds(place < words)
        claim.holds(~some | (highest < plan.n_inputs))
        in_it = claim.named(walks & (here == row) & (place > word), "is_in_the_row")
        claim.holds(~(rows & now) | in_it | (some & (row <= highest)))
        claim.holds(~(rows & ~now & walks & (here == row)) | (place <= word))

        def at_least(clocks: Value | int) -> Value:
            return claim.named((since == needed) | (since >= clocks), f"at_least_{len(claim.m._statements)}")

        rest = claim.named(words - word, "clocks_to_the_end_of_the_row")
        claim.holds(~in_it | at_least(place - word))
        claim.holds(~(rows & now & ~in_it) | at_least(rest))
        claim.holds(~(rows & ~now) | at_least(rest + places + 1 + plan.settle + place))
        teaches = part.is_in("TEACH") if plan.margin else 0
        claim.holds(~(part.is_in("SWEEP") | teaches) | at_least(Mux(part.is_in("SWEEP"), rest + place, rest)))
        claim.holds(~ticks | (at_least(rest + places) & (place == 0)))
        for clock in range(1, plan.settle + 1):
            settles = part.is_in(f"SETTLE {clock}")
            claim.holds(~settles | (at_least(rest + places + clock) & (place == 0) & ~now & ~some))
        outside: Value = part.is_in("IDLE")
        for clock in range(1, plan.leave + 1):
            outside = outside | part.is_in(f"LEAVE {clock}")
        claim.holds(~outside | (at_least(rest + places + 1 + plan.settle) & (place == 0) & ~now & ~some))
        claim.holds(part.state < part.states)
        # A word that comes again in the next tick, as soon as that can be.
        again = claim.register(1, "came_before")
        with m.If(hit):
            m.d.sync += again.eq(1)
        claim.reached(hit & again & (since == needed))
        return claim

    return made


WORKS: tuple[Any, ...] = (
    *(Work.ROW, Work.TEACH, Work.SWEEP, Work.TOKEN),
    *(Work.LOAD, Work.STORE, Work.WORD, Work.LEARN),
)


def stages() -> Claim:
    """Send any slots down a pipe, and compare each field in each stage with what it was when it was issued."""
    claim = Claim()
    layout = Slot(5, 3, 1, 2, {})
    slot, issue = claim.free(layout, "slot"), claim.free(1, "issue")
    pipe = Pipe(claim.m, {"A": 1, "X": 4}, slot, issue)
    branch = pipe.branch("A", "of_group", {})
    for one, stage, number in (
        (pipe, "A", 1),
        (pipe, "X-1", 3),
        (pipe, "X", 4),
        (pipe, "X+2", 6),
        (pipe, 2, 2),
        (branch, "X", 4),
        (branch, "A", 1),
    ):
        there = claim.past(issue, number)
        claim.holds(one[stage].valid == there)
        for name in ("row", "word", "last", "tick"):
            claim.holds(~there | (one.field(name, stage) == claim.past(slot[name], number)))
        for work in WORKS:
            issued = claim.past(issue & (Value.cast(slot.work) == code(work)), number)
            claim.holds(one.does(work, stage) == issued)
    pipe.close()
    claim.reached(pipe["X+2"].valid & (pipe["X+2"].row == 4))
    return claim


PROOFS = (
    *(
        Proof(
            "LayerControl",
            f"rows-apart-{neurons}-neurons-{lanes}-lanes",
            rows_apart(neurons, lanes),
            "a word of a row, the bias row's too, is issued again no sooner than what it learned is in the memory, "
            "under any stalls: so the synapse memory is never read where it is written",
            "induction",
            Fault("layer_control", 'm.next = "SETTLE 1" if plan.settle else "ROWS"', 'm.next = "ROWS"'),
            "the followed word comes again",
            within=40,
        )
        for neurons, lanes in ((3, 3), (3, 2))
    ),
    Proof(
        "Pipe",
        "seven-stages",
        stages,
        "a field of a slot, whether there is one, and what it does, are in stage n what they were n clocks "
        "before, in a branch of the pipe, too, for any slots and bubbles",
        "all inputs",
        Fault(
            "pipe", "before = self.field(name, number - 1)", "before = self.field(name, max(number - 2, 0))"
        ),
        "a slot in the last stage",
        clocks=6,
    ),
)
