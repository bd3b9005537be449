# SPDX-License-Identifier: BSD-2-Clause
"""Feedback sums: what the error spikes of a tick come to for each neuron."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from amaranth.hdl import Array, Const, Mux, Signal, Value, signed

from erbium.gen.presets import erbp_network
from erbium.hdl.feedback_port import FeedbackPort
from erbium.hdl.plan import LayerPlan
from erbium.sw_model.network import FeedbackKind, Hardware
from erbium.verif.formal.claim import Claim
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault


def plan_of(kind: FeedbackKind) -> LayerPlan:
    """Return a hidden layer of three neurons in words of two, or for direct feedback the output layer."""
    network = erbp_network("proof", (3,), n_inputs=4, n_classes=2, n_ticks=8)
    layers = network.layers
    if kind != "direct":
        layers = (replace(layers[0], feedback=kind), *layers[1:])
    return LayerPlan(replace(network, layers=layers), int(kind == "direct"), Hardware(lanes=2))


def amplitudes() -> Claim:
    """Compare what one error spike adds with the product, for every gain, weight and sign."""
    claim = Claim()
    gain, negative = claim.free(8, "gain"), claim.free(1, "negative")
    kinds: tuple[tuple[FeedbackKind, tuple[int, ...]], ...] = (
        ("sign", (-1, 1)),
        ("wide", (-3, -2, -1, 0, 1, 2, 3)),
        ("direct", (0, 1)),
    )
    for kind, weights in kinds:
        port = FeedbackPort(plan_of(kind))
        port._MustUse__used = True
        for weight in weights:
            code = {"sign": int(weight < 0), "wide": weight & 7, "direct": weight}[kind]
            bits = claim.constant({"sign": 1, "wide": 3, "direct": 1}[kind], f"code_{kind}_{weight & 7}")
            e = Mux(negative, -1, 1)
            claim.holds((bits != code) | (port._amplitude(bits, gain, negative) == gain * e * weight))
    claim.reached((gain == 255) & negative)
    return claim


def port(kind: FeedbackKind) -> Callable[[], Claim]:
    """Return the claim about the sums of one neuron, any one."""

    def made() -> Claim:
        claim = Claim()
        plan = plan_of(kind)
        part = claim.component(FeedbackPort(plan), driven=("gain",))
        gate = part.part("gate")
        m, width = claim.m, plan.feedback_width
        gain = claim.constant(8, "constant_gain")
        m.d.comb += part.gain.eq(gain)
        claim.given(~part.finish | ~part.draining)
        claim.given(~part.release | part.ready)
        unit, place = claim.constant(range(plan.units), "unit"), claim.constant(range(plan.places), "place")
        claim.given((unit < plan.units) & (place < plan.places))
        claim.given(part.read_address < plan.places)
        # G of the followed neuron, a column for each class; units without a neuron are not looked at.
        column = []
        for c in range(plan.population.feedback_weights.shape[1]):
            weights = []
            for at in range(plan.places):
                here = [
                    0 if n is None else int(plan.population.feedback_weights[n][c])
                    for n in plan.neurons_at(at)
                ]
                weights.append(Array([_constant(w) for w in here])[unit])
            column.append(Array(weights)[place])
        exists = Array(
            [Array([int(n is not None) for n in plan.neurons_at(at)])[unit] for at in range(plan.places)]
        )[place]
        spike = gate.spike_o
        takes = spike.valid & spike.ready
        weight = Array(column)[spike.payload[1:]].as_signed()
        adds = gain * Mux(spike.payload[0], -1, 1) * weight
        total = Signal(signed(width), name="sum_of_tick")
        none = claim.register(1, "no_spike_yet", init=1)
        with m.If(takes):
            m.d.sync += [total.eq(Mux(none, 0, total) + adds), none.eq(0)]
        with m.If(part.release | part.draining):
            m.d.sync += none.eq(1)
        # Read for as long as it takes, as early as a sweep may that is issued when the sum is ready.
        open_: list[Value] = [part.ready]
        for _ in range(plan.feedback_lead + plan.places - 1):
            open_.append(part.ready & claim.past(open_[-1]))
        may_read = Array(open_[plan.feedback_lead :])[place]
        asks = may_read & (part.read_address == place) & ~part.release
        steady: Value = asks
        for _ in range(plan.feedback_latency):
            asks = claim.past(asks)
            steady = steady & asks
        shown = part.read_data.word_select(unit, width).as_signed()
        claim.holds(~(steady & exists) | (shown == Mux(none, 0, total)))
        # What the component keeps.
        walking, word, left = part["walking"], part["word"], part["left"]
        period, unwalked = plan.feedback_period, plan.feedback_period - plan.places
        claim.holds(left <= period)
        claim.holds(part["busy"] == (left > 1))
        claim.holds(part["early"] == (left > plan.feedback_lead))
        claim.holds(walking == (left > unwalked))
        claim.holds(word == Mux(walking, period - left, 0))
        claim.holds(part["fresh"] == none)
        # What lies at the place is the sum as it was when the place was walked, so many clocks ago.
        passes: Value = walking & (word == place)
        under_way, then = passes, total
        for _ in range(max(plan.feedback_latency, 2) + 1):
            passes, then = claim.past(passes), claim.past(then)
            under_way = under_way | passes
        written, settled = claim.register(1, "written"), Signal(signed(width), name="settled")
        with m.If(passes):
            m.d.sync += [written.eq(1), settled.eq(then)]
        file = part.part("file_0")
        kept: Value = file["word_0"].word_select(unit, width)
        for at in range(1, plan.places):
            kept = Mux(place == at, file[f"word_{at}"].word_select(unit, width), kept)
        claim.holds(~written | ~exists | (kept.as_signed() == settled))
        to_come = walking & (word <= place)
        claim.holds(to_come | under_way | none | (written & (settled == total)))
        claim.reached(steady & exists & ~none & (shown < 0))
        return claim

    return made


def _constant(value: int) -> Value:
    return Const(value, signed(4))


_CLOCKS = 12
PROOFS = (
    Proof(
        "FeedbackPort",
        "amplitudes",
        amplitudes,
        "an error spike adds gain · e · G, for every gain, sign and feedback weight of the three kinds",
        "all inputs",
        Fault("feedback_port", "Mux(magnitude[1], gain << 1, 0)", "Mux(magnitude[1], gain, 0)"),
        "the largest gain, negative",
        source="contract, One sample, 4",
    ),
    Proof(
        "FeedbackPort",
        "3-neurons-2-lanes",
        port("sign"),
        "what is read of a complete tick is g · Σ e · G of its error spikes, for each neuron and any spikes, "
        "stalls and ends of samples; 0 without any",
        "induction",
        Fault(
            "feedback_port",
            "clears.eq(Mux(walks, clears_sum, fresh))",
            "clears.eq(Mux(walks, 0, fresh))",
        ),
        "a negative sum is read",
        source="contract, One sample, 4",
        clocks=_CLOCKS,
        within=30,
    ),
)
