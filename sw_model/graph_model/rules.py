# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the plasticity rules: what a population keeps for its rule, and when its weights change.

================= ============================================== ===================================================
hook              three-factor rules (eRBP)                      first-spike rule
================= ============================================== ===================================================
begin             plasticity words are 0                         no neuron has spiked, no event is remembered
row               changes the weights of the row at once         remembers the event
sweep             forms the plasticity words                     notes the tick of each spike
end               nothing                                        replays the events; votes for the sources
================= ============================================== ===================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from types import NoneType
from typing import TYPE_CHECKING

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.first_spike import NEVER, sign_popcount
from erbium.sw_model.layer import plasticity_word
from erbium.sw_model.neuron import Sweep
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import FirstSpikeRule, ThreeFactorRule

if TYPE_CHECKING:
    from erbium.sw_model.graph_model.population import PopulationModel, SynapseModel


class RuleModel:
    """What all rules share: nothing learns.

    Parameters
    ----------
    population : PopulationModel
        Whose weights change.
    """

    def __init__(self, population: PopulationModel) -> None:
        self.population = population

    def begin(self) -> None:
        """Start a sample."""

    def row(self, synapses: SynapseModel, k: int, kept: Array) -> None:
        """Look at a row pass that has just transmitted.

        Parameters
        ----------
        synapses : SynapseModel
            Of a projection that learns.
        k : int
            Source neuron.
        kept : ndarray of bool, shape (n_neurons,)
            Synapses that were not blanked out.
        """

    def sweep(self, result: Sweep) -> None:
        """Look at what the sweep of this tick did."""

    def set_rate(self, rate: int) -> None:
        """Set the learning rate that the rule itself has, if it has one."""

    def end(self, word: Array) -> Mapping[str, Array]:
        """Learn from plasticity words at the end of a sample; return those of the sources, by name."""
        return {}


class ThreeFactorModel(RuleModel):
    """``w <- clamp(w - ((d + r) >> shift))`` in each row pass, with the plasticity word d and one random r for the row.

    Attributes
    ----------
    word : ndarray of int64, shape (n_neurons,)
        Plasticity words.
    """

    def __init__(self, population: PopulationModel, rule: ThreeFactorRule) -> None:
        super().__init__(population)
        self.rule = rule

    def begin(self) -> None:
        """Start a sample."""
        self.word = np.zeros(self.population.size, dtype=np.int64)

    def row(self, synapses: SynapseModel, k: int, kept: Array) -> None:
        """Learn in the row, from `first_tick` on, while a plasticity word of the population differs from 0."""
        population = self.population
        if population.learn and population.tick_number >= self.rule.first_tick and self.word.any():
            shift = 18 - synapses.connect.width
            r = population.plasticity_draws.draw() & ((1 << shift) - 1)
            population.change(synapses, k, np.where(kept, (self.word + r) >> shift, 0))

    def sweep(self, result: Sweep) -> None:
        """Form the words from the states before the reset."""
        if self.population.learn:
            word = plasticity_word(self.rule, result.before_reset)
            self.word = np.where(self.population.silent, 0, word)


class FirstSpikeModel(RuleModel):
    """``w <- clamp(w - step * e)`` in rows replayed at the end of a sample, by the plasticity words e.

    Attributes
    ----------
    spike_tick : ndarray of int64, shape (n_neurons,)
        Tick of each neuron's spike in this sample, or ``NEVER``.
    """

    def __init__(self, population: PopulationModel, rule: FirstSpikeRule) -> None:
        super().__init__(population)
        self.rule = rule
        self.set_rate(rule.full_rate)

    def set_rate(self, rate: int) -> None:
        """Set the probability that a replayed row is touched, in 1/65536."""
        self.rate = rate

    def begin(self) -> None:
        """Start a sample."""
        self.spike_tick = np.full(self.population.size, NEVER, dtype=np.int64)
        self.events: list[tuple[SynapseModel, int, int]] = []

    def row(self, synapses: SynapseModel, k: int, kept: Array) -> None:
        """Remember the event."""
        self.events.append((synapses, k, self.population.tick_number))

    def sweep(self, result: Sweep) -> None:
        """Note who spiked."""
        self.spike_tick[result.spikes] = self.population.tick_number

    def end(self, word: Array) -> Mapping[str, Array]:
        """Replay the events in their order; the words of the sources come from the weights before the update.

        Each row draws one random number r of 16 bits and is touched if r is less than the rate.
        """
        votes: dict[str, Array] = {}
        for synapses, k, tick in self.events:
            causal = tick <= self.spike_tick
            below = votes.setdefault(synapses.source, np.zeros(len(synapses.weights), dtype=np.int64))
            below[k] = sign_popcount(word, synapses.weights[k] < 0, causal & synapses.there[k])
            if self.population.plasticity_draws.draw() & 0xFFFF < self.rate:
                self.population.change(synapses, k, np.where(causal, self.rule.step * word, 0))
        return {source: words for source, words in votes.items() if words.any()}


@singledispatch
def rule_model(rule: object, population: PopulationModel) -> RuleModel:
    """Return the model of a rule; one of one's own registers its model here."""
    raise DescriptionError(
        f"the model does not know the plasticity rule {type(rule).__name__}; it needs a rule_model in "
        "sw_model/graph_model/rules.py"
    )


@rule_model.register(NoneType)
def _(rule: None, population: PopulationModel) -> RuleModel:
    return RuleModel(population)


@rule_model.register(ThreeFactorRule)
def _(rule: ThreeFactorRule, population: PopulationModel) -> RuleModel:
    return ThreeFactorModel(population, rule)


@rule_model.register(FirstSpikeRule)
def _(rule: FirstSpikeRule, population: PopulationModel) -> RuleModel:
    return FirstSpikeModel(population, rule)
