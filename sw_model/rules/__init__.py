# SPDX-License-Identifier: BSD-2-Clause
"""What sets the learners apart: encoders, plasticity rules, and how the errors of the output are formed.

A network is described by data, and the parts here are the data that name a learner: event-driven random
backpropagation (:class:`ErbpRule`, :class:`ErrorNeurons`) or the sign-popcount first-spike learner
(:class:`FirstSpikeRule`, :class:`FirstSpikeErrors`). Nobody else asks which of them a network has: what is to be known
of a learner is a fact or a hook of these classes (:class:`Rule`, :class:`OutputErrors`), and other layers of the
project have rooms of their own for it, found by the class.
"""

from __future__ import annotations

from erbium.sw_model.rules.base import (
    FULL_PROBABILITY,
    GAIN,
    MAX_TICKS,
    ROW_PROBABILITY,
    RULES,
    LearningRate,
    OutputErrors,
    Rule,
    ThreeFactorRule,
)
from erbium.sw_model.rules.encoders import MAX_LEVELS, LatencyEncoder
from erbium.sw_model.rules.end import EndRule
from erbium.sw_model.rules.erbp import ErbpRule, ErrorNeurons
from erbium.sw_model.rules.first_spike import MAX_CAUSES, FirstSpikeErrors, FirstSpikeRule
from erbium.sw_model.rules.history import HistoryRule, PlasticityWord, WordRule

__all__ = [
    "FULL_PROBABILITY",
    "GAIN",
    "MAX_CAUSES",
    "MAX_LEVELS",
    "MAX_TICKS",
    "OUTPUT_ERRORS",
    "ROW_PROBABILITY",
    "RULES",
    "RULE_KINDS",
    "EndRule",
    "ErbpRule",
    "ErrorNeurons",
    "FirstSpikeErrors",
    "FirstSpikeRule",
    "HistoryRule",
    "LatencyEncoder",
    "LearningRate",
    "OutputErrors",
    "PlasticityWord",
    "Rule",
    "ThreeFactorRule",
    "WordRule",
]

RULE_KINDS: tuple[type[Rule], ...] = (FirstSpikeRule, ErbpRule)
"""Rules of Erbium itself. A field tells them apart; without one the last is meant."""

OUTPUT_ERRORS: tuple[type[OutputErrors], ...] = (FirstSpikeErrors, ErrorNeurons)
"""What can form the errors of the output; told apart in the same way."""
