# SPDX-License-Identifier: BSD-2-Clause
"""Event-driven random backpropagation, as a description: its plasticity rule and its error neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from erbium.sw_model.programs import (
    STATE_MAX,
    STATE_MIN,
    DescriptionError,
    NeuronProgram,
    check_range,
    erbp_error,
)
from erbium.sw_model.rules.base import MAX_TICKS, OutputErrors, ThreeFactorRule

if TYPE_CHECKING:
    from erbium.sw_model.network import Layer, Network


@dataclass(frozen=True)
class ErbpRule(ThreeFactorRule):
    """Plasticity rule of event-driven random backpropagation.

    The plasticity word of a neuron is ``gate_lower <= v < gate_upper ? u : 0`` with ``v`` its membrane
    before the reset and ``u`` the state `modulator`. A row pass at tick ``first_tick`` or later changes
    each weight of the row by ``-((word + r) >> shift)``, with one random ``r`` for the whole row.

    Notes
    -----
    Source: Neftci and others, *Front. Neurosci.* 11:324 (2017), equation 7, figure 1.
    """

    gate_lower: int = 0
    gate_upper: int = 512
    modulator: int = 1
    first_tick: int = 1

    def __post_init__(self) -> None:
        check_range("gate_lower", self.gate_lower, STATE_MIN, STATE_MAX)
        check_range("gate_upper", self.gate_upper, self.gate_lower + 1, STATE_MAX + 1)
        check_range("modulator", self.modulator, 0, 3)
        check_range(
            "first_tick", self.first_tick, 1, MAX_TICKS, "; at tick 0 no neuron has a plasticity word"
        )

    def check(self, program: NeuronProgram) -> None:
        if self.modulator >= program.n_states:
            raise DescriptionError(
                f"modulator is {self.modulator} but program {program.name!r} has states 0 to "
                f"{program.n_states - 1}"
            )

    @property
    def edges(self) -> tuple[int, ...]:
        return self.gate_lower, self.gate_upper

    def describe(self) -> str:
        return f"learns by x{self.modulator} while {self.gate_lower} <= x0 < {self.gate_upper}"


@dataclass(frozen=True)
class ErrorNeurons(OutputErrors):
    """The two error populations, one neuron for false positives and one for false negatives per class.

    An output spike without label adds `weight` to the first, a label without output spike to the second;
    `threshold` is what a spike takes away. The paper's ratio is 9 / 10.
    """

    weight: int = 1
    threshold: int = 1

    stem: ClassVar[str] = "erbp"
    counter: ClassVar[str] = "error_spikes"
    has_bias: ClassVar[bool] = True
    usual_schedule: ClassVar[str] = "steps"

    def __post_init__(self) -> None:
        check_range("error neuron weight", self.weight, 1, 255)
        check_range(
            "error neuron threshold",
            self.threshold,
            self.weight,
            255,
            "; a threshold below the weight would leave a growing rest",
        )

    @property
    def program(self) -> NeuronProgram:
        """The neuron program of both populations."""
        return erbp_error(self.threshold)

    @property
    def first_tick(self) -> int:
        """Earliest tick, from 0, of an error spike: one that was due at every tick before."""
        return -(-self.threshold // self.weight) - 1

    def check(self, network: Network) -> None:
        if any(layer.rule is not None and layer.rule.replays for layer in network.layers):
            raise DescriptionError(
                "a layer has a FirstSpikeRule, but the errors of the network are error neurons; the first-spike "
                "learner needs FirstSpikeErrors"
            )

    def decide_limit(self, n_ticks: int) -> tuple[int, str]:
        return n_ticks, ", the longest presentation"

    def populations(self, n_classes: int) -> Mapping[str, tuple[NeuronProgram, int]]:
        return {"error": (self.program, 2 * n_classes)}

    def first_lesson(self, network: Network, layer: Layer) -> int:
        # An error spike of tick E reaches the sweep of tick E + delay; its plasticity words are used at the tick after.
        rule = layer.rule
        if type(rule) is not ErbpRule:
            return 0
        if not _taught_by_errors(layer.program, rule.modulator):
            return rule.first_tick
        return max(rule.first_tick, self.first_tick + network.feedback_delay + 1)

    def obstacle(self, network: Network, number: int, layer: Layer) -> str:
        return _obstacle(self, network, number, layer)


def _obstacle(errors: ErrorNeurons, network: Network, number: int, layer: Layer) -> str:
    rule, program = layer.rule, layer.program
    if type(rule) is not ErbpRule:
        return ""
    low, high = program.lower[0], program.upper[0]
    if rule.gate_lower > high or rule.gate_upper <= low:
        return (
            f"the rule of layer {number} learns while {rule.gate_lower} <= {program.states[0]} < {rule.gate_upper}, "
            f"and {program.states[0]!r} is clipped to {low} ... {high}; move the gate"
        )
    name = program.states[rule.modulator]
    if program.lower[rule.modulator] == program.upper[rule.modulator] == 0:
        return f"the rule of layer {number} learns by state {name!r}, which is clipped to 0 ... 0; widen its clip"
    if _taught_by_errors(program, rule.modulator):
        if layer.feedback == "none" or layer.gain == 0 or "u1" not in _sources(program, rule.modulator):
            return (
                f"layer {number} has feedback {layer.feedback!r} and gain {layer.gain}, so no error reaches its state "
                f"{name!r}; give it feedback, a gain from 1 on and a program that adds u1 to that state, or set its "
                "rule to null for fixed weights"
            )
        quiet, first = network.quiet_ticks, errors.first_tick
        if 0 < quiet < first:
            return (
                f"error neurons of weight {errors.weight} and threshold {errors.threshold} spike at tick {first} at "
                f"the earliest, and quiet_ticks of {quiet} stops each learned sample before; set quiet_ticks to at "
                f"least {first}, or 0 for never, or the threshold to at most {errors.weight * (quiet + 1)}"
            )
    last, lesson = network.n_ticks - 1, errors.first_lesson(network, layer)
    if lesson > last:
        return (
            f"a sample has ticks 0 to {last} and layer {number} learns at tick {lesson} at the earliest (first_tick "
            f"{rule.first_tick}, first error at tick {errors.first_tick}, feedback_delay {network.feedback_delay}); "
            f"set n_ticks to at least {lesson + 1}, or these lower"
        )
    return ""


def _sources(program: NeuronProgram, state: int) -> set[str]:
    """Return what a state depends on, itself included: states, ports, noise."""
    found, new = set[str](), {f"x{state}"}
    while new:
        found |= new
        new = {op.source for op in program.operations if f"x{op.destination}" in found} - found
    return found


def _taught_by_errors(program: NeuronProgram, modulator: int) -> bool:
    """Whether a state is 0 until the feedback port has brought an error."""
    sources = _sources(program, modulator)
    if sources & {"u0", "noise"}:
        return False
    states = [int(source[1:]) for source in sources if source[0] == "x"]
    return not any(
        program.bias[k] or program.initial[k] or (program.reset_mode[k] != "none" and program.reset_value[k])
        for k in states
    )
