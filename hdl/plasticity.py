# SPDX-License-Identifier: BSD-2-Clause
"""How each plasticity rule forms its word in the tick sweep, as logic: one pair of functions per rule."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from amaranth.hdl import Mux, Value

from erbium.hdl.bounds import at_least
from erbium.sw_model.programs import DescriptionError, NeuronProgram
from erbium.sw_model.rules import ErbpRule


@singledispatch
def word_range(rule: object, program: NeuronProgram) -> tuple[int, int]:
    """Return the smallest and largest plasticity word that a rule forms; 0 is one of those between them.

    A rule of one's own says so by ``word_range.register``. The hardware has a word as narrow as that.

    Raises
    ------
    DescriptionError
        If the hardware does not know the rule.
    """
    raise DescriptionError(
        f"the hardware does not know the plasticity rule {type(rule).__name__}; it needs a word_range and a "
        "plasticity_word in hdl/plasticity.py"
    )


@singledispatch
def plasticity_word(rule: object, states: Sequence[Value]) -> Value:
    """Return the plasticity word of one neuron that is learned and not silent, signed.

    Parameters
    ----------
    rule : ThreeFactorRule
    states : sequence of Value
        Its states as the tick leaves them, before the reset, each signed.

    Notes
    -----
    All of it lies between two registers: a comparison and a multiplexer fit, a multiplier does not.
    """
    raise NotImplementedError(f"there is no plasticity_word for {type(rule).__name__}")


@word_range.register
def _(rule: ErbpRule, program: NeuronProgram) -> tuple[int, int]:
    return min(program.lower[rule.modulator], 0), max(program.upper[rule.modulator], 0)


@plasticity_word.register
def _(rule: ErbpRule, states: Sequence[Value]) -> Value:
    gate = at_least(states[0], rule.gate_lower) & ~at_least(states[0], rule.gate_upper)
    return Mux(gate, states[rule.modulator], 0)
