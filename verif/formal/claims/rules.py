# SPDX-License-Identifier: BSD-2-Clause
"""Plasticity rules: the word that a sweep forms, the step of a weight and the votes, for all words and draws."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Const, Mux, Value, signed

from erbium.gen.presets import erbp_network, first_spike_network
from erbium.hdl.lane_group import LaneGroup
from erbium.hdl.plan import LayerPlan
from erbium.hdl.plasticity import plasticity_word
from erbium.hdl.sign_popcount import LATENCY, SignPopcount
from erbium.hdl.slot import Work
from erbium.sw_model.network import Hardware
from erbium.sw_model.rules import ErbpRule
from erbium.verif.formal.claim import Claim
from erbium.verif.formal.claims.arithmetic import clip_of, sat16
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault


def words() -> Claim:
    """Compare the plasticity word with the contract's formula, for gates of several forms."""
    claim = Claim()
    v, u = claim.free(signed(16), "v"), claim.free(signed(16), "u")
    for lower, upper in ((0, 512), (-1, 1), (-300, 777), (-32768, 32767), (100, 101)):
        rule = ErbpRule(gate_lower=lower, gate_upper=upper, modulator=1)
        word = Value.cast(plasticity_word(rule, [v, u])).as_signed()
        claim.holds(word == Mux((lower <= v) & (v < upper), u, 0))
    claim.reached((v == 511) & (u == -4))
    return claim


def erbp_plan(weight_width: int) -> LayerPlan:
    """Return the output layer of a small eRBP network, two lanes wide."""
    network = erbp_network("proof", (2,), n_inputs=4, n_classes=2, n_ticks=8, weight_width=weight_width)
    return LayerPlan(network, 1, Hardware(lanes=2))


def transmitted(weight: Value, width: int) -> Value:
    """Return ``w >> (b - 8)``, or ``w << (8 - b)`` for b < 8."""
    return weight >> (width - 8) if width >= 8 else weight * (1 << (8 - width))


def erbp_step(weight_width: int) -> Callable[[], Claim]:
    """Return the claim about the lanes of an eRBP layer with weights of so many bits."""

    def made() -> Claim:
        claim = Claim()
        plan = erbp_plan(weight_width)
        part = claim.component(LaneGroup(plan, plan.groups[0]))
        words = part.part("plasticity").read_data
        port = part.part("port0")
        x, slot = plan.stages["X"], part.slot
        row = claim.past(part.issue & (slot.work == Work.ROW), x)
        teach = claim.past(part.issue & (slot.work == Work.TEACH), x)
        # Whether the word learns is asked a clock before its operands meet.
        learns = row & claim.past(slot.armed, x) & claim.past(part.any_word)
        s, low, high = 18 - weight_width, -(1 << (weight_width - 1)), (1 << (weight_width - 1)) - 1
        changed = []
        for lane in range(2):
            weight = claim.named(part.weights.word_select(lane, weight_width).as_signed(), f"w_{lane}")
            word_width = len(words) // 2
            word = claim.named(words.word_select(lane, word_width).as_signed(), f"D_{lane}")
            # w <- clamp(w - ((D + r) >> s))
            step = claim.named((word + part.random) >> s, f"step_{lane}")
            learned = claim.named(clip_of(weight - step, low, high).as_signed(), f"learned_{lane}")
            new = part.new_weights.word_select(lane, weight_width).as_signed()
            claim.holds(~claim.past(learns, 2) | (new == claim.past(learned, 2)))
            changed.append(claim.past(learns & (learned != weight), 3))
            # u0 <- sat16(u0 + w), and the margin for the label's neuron
            old = port.read_data.word_select(lane, 16).as_signed()
            sum_of_port = port.write_data.word_select(lane, 16).as_signed()
            claim.holds(~row | (sum_of_port == sat16(old + transmitted(weight, weight_width))))
            margin = Mux(part.chosen[lane], plan.margin, 0)
            claim.holds(~teach | row | (sum_of_port == sat16(old - margin)))
        claim.holds(part.changes == sum(changed, Const(0)))
        claim.holds(port.write_enable == (row | teach))
        claim.reached(
            claim.past(learns, 2) & (part.new_weights.word_select(1, weight_width).as_signed() == low)
        )
        claim.reached(part.changes == 2)
        return claim

    return made


def first_spike_step() -> Claim:
    """Compare the replayed step of two lanes of a first-spike layer with the contract's formula."""
    claim = Claim()
    network = first_spike_network(
        "proof", (2,), n_inputs=4, n_classes=2, n_ticks=8, deadline=6, step=3, thresholds=(100, 100)
    )
    plan = LayerPlan(network, 1, Hardware(lanes=2))
    part = claim.component(LaneGroup(plan, plan.groups[0]))
    words, ticks = part.part("plasticity").read_data, part.part("spike_ticks").read_data
    x, slot, width = plan.stages["X"], part.slot, plan.population.weight_width
    replayed = claim.past(part.issue & (slot.work == Work.LEARN), x)
    learns = replayed & claim.past(slot.armed, x)
    tick = claim.past(slot.tick, x)
    for lane in range(2):
        weight = claim.named(part.weights.word_select(lane, width).as_signed(), f"w_{lane}")
        later, earlier = words[2 * lane], words[2 * lane + 1]
        # The word is +1 for a neuron that is to spike later, -1 for one that is to spike earlier.
        word = claim.named(Mux(later, 1, Mux(earlier, -1, 0)), f"word_{lane}").as_signed()
        spiked = ticks.word_select(lane, plan.tick_width)
        causal = claim.named(tick <= spiked, f"causal_{lane}")
        bound = (1 << (width - 1)) - 1
        learned = clip_of(weight - Mux(causal, 3 * word, 0), -bound, bound).as_signed()
        new = part.new_weights.word_select(lane, width).as_signed()
        claim.holds(~claim.past(learns, 2) | (new == claim.past(learned, 2)))
        claim.holds(~replayed | (part.causal[lane] == causal))
        claim.holds(part.negative[lane] == (weight < 0))
    claim.reached(claim.past(learns, 2) & (part.new_weights.word_select(1, width).as_signed() == -127))
    return claim


NEURONS, LANES = 20, 18


def votes() -> Claim:
    """Count the votes of a row word by word, and compare the two counts at its end."""
    claim = Claim()
    part = claim.component(SignPopcount(NEURONS, LANES))
    m = claim.m
    inside = claim.register(1, "inside")
    # A row is two words, with no more lanes than there are neurons.
    claim.given(~part.valid | (part.first == ~inside))
    claim.given(~part.valid | (part.last == inside))
    with m.If(part.valid):
        m.d.sync += [inside.eq(~part.last)]
    used = Mux(inside, (1 << (NEURONS - LANES)) - 1, (1 << LANES) - 1)
    claim.given(~part.valid | ((part.causal & ~used) == 0))
    same, other = claim.register(range(NEURONS + 1), "same"), claim.register(range(NEURONS + 1), "other")
    counts: list[Value] = [Const(0), Const(0)]
    for lane in range(LANES):
        word_later, word_earlier = part.later[lane], part.earlier[lane]
        negative, causal = part.negative[lane], part.causal[lane]
        # A vote for later: the word and the weight have the same sign; for earlier: they differ. A lane has both words
        # only where nothing looks.
        counts[0] = counts[0] + (causal & Mux(negative, word_earlier, word_later))
        counts[1] = counts[1] + (causal & Mux(negative, word_later, word_earlier))
    totals = [
        claim.named(count + Mux(part.first, 0, old), f"total_{k}")
        for k, (count, old) in enumerate(zip(counts, (same, other), strict=True))
    ]
    with m.If(part.valid):
        m.d.sync += [same.eq(totals[0]), other.eq(totals[1])]
    # What the words so far come to, for the induction.
    for count in (same, other):
        claim.holds(~inside | (count <= LANES))
    came = claim.past(inside, LATENCY - 1)
    claim.holds(~came | (part["total"] == claim.past(same, LATENCY - 1) - claim.past(other, LATENCY - 1)))
    done = claim.past(part.valid & part.last, LATENCY)
    claim.holds(part.valid_o == done)
    claim.holds(~done | (part.address_o == claim.past(part.address, LATENCY)))
    claim.holds(~done | (part.later_o == claim.past(totals[0] > totals[1], LATENCY)))
    claim.holds(~done | (part.earlier_o == claim.past(totals[0] < totals[1], LATENCY)))
    claim.reached(part.valid_o & part.later_o)
    claim.reached(part.valid_o & ~part.later_o & ~part.earlier_o)
    return claim


_STEP = (
    "w ← clamp(w − ((D + r) ≫ s)), u0 ← sat16(u0 + w), margin, and count of changed weights, for all weights"
)
PROOFS = (
    Proof(
        "ErbpRule",
        "word",
        words,
        "the plasticity word is u if gate_lower ≤ v < gate_upper, else 0, for all v and u and five gates",
        "all inputs",
        Fault(
            "plasticity", "at_least(states[0], rule.gate_lower)", "at_least(states[0], rule.gate_lower + 1)"
        ),
        "a word in the gate's last place",
        source="contract, One sample, 5",
    ),
    Proof(
        "ThreeFactorPart",
        "8-bit",
        erbp_step(8),
        f"{_STEP} of 8 bits, words, draws and sums",
        "all inputs",
        Fault("rules.weight_step", "delta < 0", "delta > 0"),
        "a weight at its lower bound; two changed weights",
        clocks=8,
        source="contract, One sample, 2 and 3",
    ),
    Proof(
        "ThreeFactorPart",
        "12-bit",
        erbp_step(12),
        f"{_STEP} of 12 bits, of which 8 are transmitted",
        "all inputs",
        Fault("lane_group", "weight.shift_right(excess)", "weight.shift_right(excess - 1)"),
        "a weight at its lower bound; two changed weights",
        clocks=8,
        source="contract, One sample, 2 and 3",
    ),
    Proof(
        "FirstSpikePart",
        "step-3",
        first_spike_step,
        "w ← clamp(w − step · word) for the neurons that had not spiked before the row did, within ±127, for "
        "all weights, words and ticks",
        "all inputs",
        Fault("rules.first_spike", "order.tick <= tick for tick", "order.tick < tick for tick"),
        "a weight at its lower bound",
        clocks=8,
        source="first-spike contract, Learning behind the sample, 2",
    ),
    Proof(
        "SignPopcount",
        "20-neurons-18-lanes",
        votes,
        "the word of a row is sign(later − earlier), two counts over all its words, rows and pauses in any order",
        "induction",
        Fault(
            "sign_popcount",
            "self.later & ~self.negative | self.earlier & self.negative",
            "self.later | self.earlier & self.negative",
        ),
        "a row that votes for later, and a tie",
        clocks=5,
        source="first-spike contract, Learning behind the sample, 2",
    ),
)
