# SPDX-License-Identifier: BSD-2-Clause
"""Plasticity rules as hardware, one file for each."""

from __future__ import annotations

from erbium.hdl.rules.base import RulePart
from erbium.hdl.rules.erbp import ThreeFactorPart
from erbium.hdl.rules.first_spike import FirstSpikePart
from erbium.sw_model.rules import FirstSpikeRule, ThreeFactorRule

__all__ = ["RulePart", "has_part", "rule_part"]

PARTS: dict[type, type[RulePart]] = {
    type(None): RulePart,
    ThreeFactorRule: ThreeFactorPart,
    FirstSpikeRule: FirstSpikePart,
}
"""The part for each kind of rule; one for a base class serves the rules that are made from it."""


def has_part(rule: object) -> bool:
    """Whether there is hardware for a rule."""
    return any(kind in PARTS for kind in type(rule).__mro__)


def rule_part(rule: object) -> RulePart:
    """Return the hardware of a rule, ``None`` for fixed weights.

    Raises
    ------
    KeyError
        If there is none for this kind of rule.
    """
    kind = next(kind for kind in type(rule).__mro__ if kind in PARTS)
    return PARTS[kind](rule)
