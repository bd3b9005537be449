# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the plasticity rules: what a population keeps for its rule, and when its weights change.

======= ======================== =========================== ============================ ===========================
hook    three-factor (eRBP)      first-spike rule            history rule                 end rule
======= ======================== =========================== ============================ ===========================
begin   plasticity words are 0   no neuron has spiked, no    words, histories, timers of  words are 0, no row has
                                 event is remembered         rows are 0                   spiked
due     nothing                  nothing                     rows that expire in this
                                                             tick
row     changes the row's        remembers the event         changes them, starts the     notes that it spiked
        weights at once                                      timer
expire                                                       changes them
sweep   forms plasticity words   notes the tick of each      forms words, shifts          forms words
                                 spike                       histories
end     nothing                  replays the events; votes   nothing                      nothing
                                 for the sources
finish  nothing                  nothing                     nothing                      passes the rows
======= ======================== =========================== ============================ ===========================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from types import NoneType
from typing import TYPE_CHECKING

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.first_spike import NEVER, sign_popcount
from erbium.sw_model.layer import plasticity_word
from erbium.sw_model.neuron import Sweep, saturate16
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import EndRule, FirstSpikeRule, HistoryRule, PlasticityWord, ThreeFactorRule
from erbium.sw_model.rules.end import END_ROUNDING

if TYPE_CHECKING:
    from erbium.sw_model.graph_model.population import PopulationModel, SynapseModel


NO_ROWS: Array = np.array([], dtype=np.int64)


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

    def due(self, synapses: SynapseModel) -> Array:
        """Return the rows of a projection that expire in this tick, ascending."""
        return NO_ROWS

    def expire(self, synapses: SynapseModel, k: int) -> None:
        """Take the event that no spike of row k has followed for so long."""

    def sweep(self, result: Sweep) -> None:
        """Look at what the sweep of this tick did."""

    def set_rate(self, rate: int) -> None:
        """Set the learning rate that the rule itself has, if it has one."""

    def end(self, word: Array) -> Mapping[str, Array]:
        """Learn from plasticity words at the end of a sample; return those of the sources, by name."""
        return {}

    def finish(self) -> None:
        """End a sample that no readout has words for."""


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


def word_of(word: PlasticityWord, x: Array) -> Array:
    """Return M of each neuron from states of shape ``(n_states, n)`` before the reset."""
    gate = (word.lower <= x[word.gate]) & (x[word.gate] < word.upper)
    shifted = x[word.state] >> word.shift
    added = {
        "none": 0,
        "state": shifted,
        "gated": np.where(gate, shifted, 0),
        "below": word.offset - shifted,
    }[word.term]
    return saturate16(np.where(gate, word.inside, word.outside) + added)


class HistoryModel(RuleModel):
    """``w <- clamp(w + ((g e + r) >> rounding))`` at each event of a row, by the histories of the neurons.

    Attributes
    ----------
    word : ndarray of int64, shape (n_neurons,)
    spiked : ndarray of bool, shape (n_neurons, window)
        Histories: column j says whether the neuron spiked j + 1 ticks ago.
    last : dict of ndarray of int64, shape (n_rows,)
        Tick of the last spike of each row, by projection; far in the past where there was none.
    pending : dict of ndarray of bool, shape (n_rows,)
        Whether a row has spiked and not expired since.
    """

    def __init__(self, population: PopulationModel, rule: HistoryRule) -> None:
        super().__init__(population)
        self.rule = rule
        self.zone_ends = (*rule.zones, rule.window)

    def begin(self) -> None:
        """Clear words, histories and timers."""
        n, window = self.population.size, self.rule.window
        self.word = np.zeros(n, dtype=np.int64)
        self.spiked = np.zeros((n, window), dtype=bool)
        rows = {name: len(synapses.weights) for name, synapses in self.population.synapses.items()}
        self.last = {name: np.full(count, -window, dtype=np.int64) for name, count in rows.items()}
        self.pending = {name: np.zeros(count, dtype=bool) for name, count in rows.items()}

    def due(self, synapses: SynapseModel) -> Array:
        """Return the rows that expire in this tick."""
        name = synapses.projection.name
        age = self.population.tick_number - self.last[name]
        return np.flatnonzero(self.pending[name] & (age == self.rule.window))

    def expire(self, synapses: SynapseModel, k: int) -> None:
        """Learn by the causal term alone."""
        self.pending[synapses.projection.name][k] = False
        everywhere = np.ones(self.population.size, dtype=bool)
        self._learn(synapses, k, everywhere, self._causal(self.rule.window))

    def row(self, synapses: SynapseModel, k: int, kept: Array) -> None:
        """Learn by all three terms, and start the row's timer."""
        rule, name, tick = self.rule, synapses.projection.name, self.population.tick_number
        age = int(min(tick - self.last[name][k], rule.window))
        step = self._times_word(2, np.full(self.population.size, rule.presynaptic))
        step = step + self._times_word(1, self._heights(self.spiked[:, :age], rule.acausal))
        if self.pending[name][k]:
            step = step + self._causal(age)
        self.last[name][k], self.pending[name][k] = tick, True
        self._learn(synapses, k, kept, step)

    def _causal(self, age: int) -> Array:
        since = self.spiked[:, :age][:, ::-1]  # column d: d ticks after the row's spike
        return self._times_word(0, self._heights(since, self.rule.causal))

    def _heights(self, spiked: Array, heights: Sequence[int]) -> Array:
        """Return for each neuron the height of the first zone in which it spiked."""
        result = np.zeros(self.population.size, dtype=np.int64)
        for begin, end, height in reversed(
            list(zip((0, *self.rule.zones), self.zone_ends, heights, strict=True))
        ):
            result = np.where(spiked[:, begin:end].any(axis=1), height, result)
        return result

    def _times_word(self, term: int, heights: Array) -> Array:
        return heights * self.word if self.rule.by_word[term] else heights

    def _learn(self, synapses: SynapseModel, k: int, kept: Array, step: Array) -> None:
        population, rule = self.population, self.rule
        if not population.learn or population.factor == 0 or not synapses.learns:
            return
        draw = population.plasticity_draws.draw()
        delta = (population.factor * step + (draw & ((1 << rule.rounding) - 1))) >> rule.rounding
        if rule.soft:
            weights, r2 = synapses.weights[k], draw >> 25
            room = np.where(delta > 0, synapses.highest - weights, weights - synapses.lowest)
            delta = np.where(r2 >= room, 0, delta)
        if step.any():
            population.change(synapses, k, np.where(kept, -delta, 0))

    def sweep(self, result: Sweep) -> None:
        """Form the words from the states before the reset, and shift the histories."""
        self.word = np.where(self.population.silent, 0, word_of(self.rule.word, result.before_reset))
        self.spiked = np.concatenate([result.spikes[:, None], self.spiked[:, :-1]], axis=1)


class EndModel(RuleModel):
    """``w <- clamp(w + ((g sign(M) e + r) >> 8))`` in one pass over the rows at the end of a learned sample.

    Attributes
    ----------
    word : ndarray of int64, shape (n_neurons,)
    spiked : dict of ndarray of bool, shape (n_rows,)
        Which rows have spiked in this sample, by projection.
    """

    def __init__(self, population: PopulationModel, rule: EndRule) -> None:
        super().__init__(population)
        self.rule = rule

    def begin(self) -> None:
        """Clear words and rows."""
        self.word = np.zeros(self.population.size, dtype=np.int64)
        self._forget()

    def _forget(self) -> None:
        rows = {name: len(synapses.weights) for name, synapses in self.population.synapses.items()}
        self.spiked = {name: np.zeros(count, dtype=bool) for name, count in rows.items()}

    def row(self, synapses: SynapseModel, k: int, kept: Array) -> None:
        """Note that the row spiked."""
        if self.population.learn:
            self.spiked[synapses.projection.name][k] = True

    def sweep(self, result: Sweep) -> None:
        """Form the words from the states before the reset."""
        self.word = np.where(self.population.silent, 0, word_of(self.rule.word, result.before_reset))

    def finish(self) -> None:
        """Pass the rows of all projections that learn, in their order, ascending; forget which rows spiked."""
        population = self.population
        sign = population.factor * np.sign(self.word)
        if population.learn and sign.any():
            for name, synapses in population.synapses.items():
                if synapses.learns:
                    every = self.rule.rows == "all"
                    for k in range(len(synapses.weights)) if every else np.flatnonzero(self.spiked[name]):
                        self._pass(synapses, int(k), sign)
        self._forget()

    def _pass(self, synapses: SynapseModel, k: int, sign: Array) -> None:
        weights, rule = synapses.weights[k], self.rule
        if self.spiked[synapses.projection.name][k]:
            step = (synapses.highest - weights) << (END_ROUNDING - rule.up)
        else:
            step = -((weights - synapses.lowest) << (END_ROUNDING - rule.down))
        r = self.population.plasticity_draws.draw() & ((1 << END_ROUNDING) - 1)
        delta = np.where(sign != 0, (sign * step + r) >> END_ROUNDING, 0)
        self.population.change(synapses, k, -delta)


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


@rule_model.register(HistoryRule)
def _(rule: HistoryRule, population: PopulationModel) -> RuleModel:
    return HistoryModel(population, rule)


@rule_model.register(EndRule)
def _(rule: EndRule, population: PopulationModel) -> RuleModel:
    return EndModel(population, rule)
