# SPDX-License-Identifier: BSD-2-Clause
"""One tick of a neuron, for all its states, ports, noise and ticks: seven lines of the contract, with its F = 8."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Const, Mux, Value

from erbium.hdl.neuron_unit import NeuronUnit
from erbium.sw_model.programs import NeuronProgram, Operation, erbp_hidden, erbp_output, first_spike, lif
from erbium.sw_model.rules import ErbpRule
from erbium.verif.formal.claim import Claim
from erbium.verif.formal.claims.arithmetic import clip_of, sat16
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault

F = 8
RULE = ErbpRule(gate_lower=-20, gate_upper=300, modulator=1)


def tick_of(
    claim: Claim, program: NeuronProgram, rule: ErbpRule | None, unit: NeuronUnit, now: dict[str, Value]
) -> dict[str, Value]:
    """Return what a neuron is after a tick, by the numbers of the contract's list.

    Parameters
    ----------
    claim : Claim
    program : NeuronProgram
    rule : ErbpRule, optional
    unit : NeuronUnit
        Of one lane.
    now : dict
        Its inputs, as they were.
    """
    stored = {
        name: claim.named(now["neurons"][place : place + width], f"stored_{name}")
        for name, place, width in fields_of(unit)
    }
    old = [
        claim.named(
            Mux(now["begin"], program.initial[k], stored[f"x{k}"].as_signed()).as_signed(), f"old_{k}"
        )
        for k in range(program.n_states)
    ]
    refractory: Value = Const(0)
    if program.refractory:
        refractory = claim.named(Mux(now["begin"], 0, stored["refractory"]), "resting")
    ports, place = [], 0
    for width in unit.port_widths:
        ports.append(now["ports"][place : place + width].as_signed())
        place += width
    sources = {f"x{k}": value for k, value in enumerate(old)} | {
        f"u{k}": port for k, port in enumerate(ports)
    }
    sources["noise"] = now["noise"].as_signed()

    x = []
    for d in range(program.n_states):
        # 1. y_d = (x_d + b_d) 2^8 + sum of +-((source 2^8) >> shift)
        y: Value = (old[d] + program.bias[d]) * (1 << F)
        for operation in program.operations:
            if operation.destination == d:
                term = (sources[operation.source] * (1 << F)) >> operation.shift
                y = y + term if operation.sign > 0 else y - term
        # 2. x_d = clip(sat16((y_d + q(t)) >> 8)), q(t): bit b of t counts 2^(7 - b)
        q = sum(((now["dither"][bit] << (7 - bit)) for bit in range(8)), Const(0))
        rounded = claim.named((y + q) >> F, f"rounded_{d}")
        x.append(
            claim.named(clip_of(sat16(rounded), program.lower[d], program.upper[d]).as_signed(), f"x_{d}")
        )
    # 3. The threshold.
    threshold: Value = Const(program.threshold)
    if program.adaptive:
        threshold = program.threshold + x[1]
    spike = claim.named((x[0] >= threshold) & (refractory == 0) & ~now["silent"], "spike")
    after = {"spikes": spike}
    if rule is not None:
        gate = (x[0] >= rule.gate_lower) & (x[0] < rule.gate_upper)
        after["words"] = Mux(gate & now["learn"] & ~now["silent"], x[rule.modulator], 0)
    for d in range(program.n_states):
        value, mode, reset = x[d], program.reset_mode[d], program.reset_value[d]
        # 4. and 5.
        if d == 0 and program.hold:
            value = Mux(refractory > 0, program.reset_value[0], value)
        change = {
            "none": value,
            "set": Const(reset),
            "add": sat16(value + reset),
            "max": Mux(value > reset, value, reset),
        }[mode]
        after[f"x{d}"] = Mux(spike, change, value)
    # 6.
    if program.refractory:
        after["refractory"] = Mux(spike, program.refractory, Mux(refractory > 0, refractory - 1, 0))
    return after


def fields_of(unit: NeuronUnit) -> list[tuple[str, int, int]]:
    """Return name, place and width of what is stored of a neuron."""
    return [(name, field.offset, field.width) for name, field in unit.layout]


def unit(
    program: NeuronProgram, rule: ErbpRule | None = None, *, short: bool = False, widths: tuple[int, ...] = ()
) -> Callable[[], Claim]:
    """Return the claim about a neuron unit of one lane."""

    def made() -> Claim:
        claim = Claim()
        one = NeuronUnit(program, rule, 1, widths or (16,) * program.n_ports, short=short)
        part = claim.component(one)
        names = ("begin", "ports", "noise", "dither", "silent", "learn")
        now = {name: claim.past(getattr(part, name), one.latency) for name in names}
        now["neurons"] = claim.past(part.neurons.as_value(), one.latency)
        after = tick_of(claim, program, rule, one, now)
        claim.holds(part.valid_o == claim.past(part.valid, one.latency))
        there = part.valid_o
        claim.holds(~there | (part.spikes_o == after["spikes"]))
        if rule is not None:
            claim.holds(~there | (part.words_o.as_signed() == after["words"]))
        shown = part.neurons_o.as_value()
        for name, place, width in fields_of(one):
            field: Value = shown[place : place + width]
            field = field if name == "refractory" else field.as_signed()
            claim.holds(~there | (field == after[name]))
        claim.reached(there & part.spikes_o & now["begin"])
        claim.reached(there & part.spikes_o & ~now["begin"])
        claim.reached(there & ~part.spikes_o & (now["dither"] == 255))
        return claim

    return made


HOLDING = NeuronProgram(
    name="holding",
    states=("v", "a"),
    operations=(Operation(0, "u0", 2), Operation(1, "u1", 0, -1), Operation(1, "x0", 9)),
    n_ports=2,
    threshold=500,
    bias=(3, 0),
    lower=(-5000, -32768),
    upper=(30000, 32767),
    reset_mode=("set", "add"),
    reset_value=(-17, 30000),
    initial=(5, 0),
    adaptive=True,
    refractory=3,
    hold=True,
)
"""Two ports, bias, shifts of both signs and beyond F, a resting neuron that holds its membrane, an adaptive
threshold, and a reset that saturates."""

LARGEST = NeuronProgram(
    name="largest",
    states=("v", "b"),
    operations=(Operation(0, "x1", 8), Operation(0, "u0"), Operation(1, "x1", 15, -1)),
    n_ports=1,
    threshold=-3,
    bias=(0, -7),
    lower=(-32768, -100),
    upper=(32767, 100),
    reset_mode=("add", "max"),
    reset_value=(-15000, 50),
    initial=(0, -3),
)
"""A reset to the larger of two values, one that saturates below, the longest shift, a negative bias and threshold."""


def _proof(
    name: str, program: NeuronProgram, what: str, fault: Fault, *, clocks: int = 3, **options: object
) -> Proof:
    return Proof(
        "NeuronUnit",
        name,
        unit(program, **options),  # type: ignore[arg-type]
        f"{what}: states, spike, refractory counter and plasticity word after a tick are the contract's, for "
        "all states, ports, noise, ticks and flags",
        "all inputs",
        fault,
        "a spike in the first tick and in another one; no spike with the largest dither",
        clocks=clocks,
        source="contract, The neuron program, 1 … 6",
    )


PROOFS = (
    _proof(
        "erbp-hidden",
        erbp_hidden(leak_shift=6, refractory=2),
        "the hidden neuron of eRBP with leak and refractory time, and its rule",
        Fault(
            "plasticity", "~at_least(states[0], rule.gate_upper)", "~at_least(states[0], rule.gate_upper + 1)"
        ),
        rule=RULE,
        widths=(16, 12),
    ),
    _proof(
        "erbp-output",
        erbp_output(),
        "the output neuron of eRBP, which loses its threshold, in two stages",
        Fault("neuron_unit", "total = x + Const(value)", "total = x + Const(value + 1)"),
        clocks=2,
        rule=RULE,
        short=True,
    ),
    _proof(
        "lif",
        lif(noise=True),
        "the stochastic leaky neuron",
        Fault("neuron_unit", "reversed_bits(self.dither)", "self.dither"),
    ),
    _proof(
        "first-spike",
        first_spike(threshold=300, current_shift=3),
        "the first-spike neuron with a current that decays",
        Fault("neuron_unit", "rest - 1", "rest"),
    ),
    _proof(
        "holding",
        HOLDING,
        "a neuron with two ports, bias, an adaptive threshold, hold, and a reset that saturates",
        Fault("neuron_unit", "Mux(spike | hold,", "Mux(spike,"),
        widths=(16, 9),
    ),
    _proof(
        "largest",
        LARGEST,
        "a neuron with a reset to the larger of two values and one that saturates below",
        Fault("neuron_unit", "spike & (x < value)", "spike & (x > value)"),
    ),
)
