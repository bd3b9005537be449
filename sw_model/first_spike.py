# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the first-spike learner: hidden errors from two popcounts and a comparison.

Each neuron spikes at most once in a sample; the answer is the output that spikes first. What is to be learned
is known only at the end of a sample. Then the plasticity words (+1 later, -1 earlier) go from the outputs down,
layer by layer, and each layer replays the presynaptic spikes of the sample through its row passes.

Source: Mostafa, *Fast classification using sparsely active spiking networks*, ISCAS 2017, last two slides.
"""

from __future__ import annotations

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.description.parts import FirstSpike
from erbium.sw_model.faults import LayerFaults
from erbium.sw_model.layer import LayerModel
from erbium.sw_model.network import Network
from erbium.sw_model.neuron import Sweep
from erbium.sw_model.prediction import Decision
from erbium.sw_model.rules import FirstSpikeErrors, FirstSpikeRule

NEVER = 1 << 30
"""Spike tick of a neuron that has not spiked."""


def sign_popcount(word: Array, negative: Array, causal: Array) -> int:
    """Return the plasticity word of a neuron from those of the neurons that it reaches.

    A postsynaptic neuron that is to spike later votes "later" if its weight is positive and "earlier" if it is
    negative; one that is to spike earlier votes the other way round. Only those vote that had not spiked before.

    Parameters
    ----------
    word : ndarray of int, shape (n,)
        Plasticity words, -1, 0 or +1, of the postsynaptic neurons.
    negative, causal : ndarray of bool, shape (n,)
        Sign bits of the weights before the sample's update (0 counts as positive), and the causal set.

    Returns
    -------
    int
        +1 if more vote "later", -1 if more vote "earlier", 0 if as many do.
    """
    later = np.count_nonzero(causal & (((word > 0) & ~negative) | ((word < 0) & negative)))
    earlier = np.count_nonzero(causal & (((word > 0) & negative) | ((word < 0) & ~negative)))
    return int(later > earlier) - int(later < earlier)


class FirstSpikeLayer(LayerModel):
    """A layer whose neurons spike once, and that learns after the sample.

    Attributes
    ----------
    spike_tick : ndarray of int64, shape (n_neurons,)
        Tick of each neuron's spike in this sample, or :data:`NEVER`.
    events : list of (int, int)
        Presynaptic spikes of this sample in order: address and tick.
    """

    def __init__(self, network: Network, number: int, faults: LayerFaults | None = None) -> None:
        rule = network.layers[number].rule
        assert isinstance(rule, FirstSpikeRule)
        self.step = rule.step
        super().__init__(network, number, faults)

    def begin(self, seed: int, learn: bool) -> None:
        """Start a sample."""
        super().begin(seed, learn)
        self.spike_tick = np.full(self.layer.n_neurons, NEVER, dtype=np.int64)
        self.events: list[tuple[int, int]] = []

    def row(self, k: int) -> None:
        """Row pass of presynaptic neuron `k`: transmit its weights and remember it."""
        super().row(k)
        self.events.append((k, self.tick_number))

    def replay(self, word: Array) -> Array | None:
        """Learn from plasticity words; return those of the presynaptic neurons, or None if all are 0.

        The words of the layer below come from the weights before the update. Each row with an event draws one
        random number r of 16 bits and is touched if r is less than the rate.
        """
        self.word = word
        below = np.zeros(self.n_rows, dtype=np.int64)
        for k, tick in self.events:
            causal = tick <= self.spike_tick
            below[k] = sign_popcount(word, self.weights[k] < 0, causal)
            if self.plasticity_draws.draw() & 0xFFFF < self.rate:
                self._change(k, np.where(causal, self.step * word, 0))
        return below if below.any() else None

    def _after_sweep(self, result: Sweep) -> None:
        self.spike_tick[result.spikes] = self.tick_number


class FirstSpikeDecision(Decision):
    """The first output spike decides, in learning as in inference; what is to be learned follows from spike ticks.

    Parameters
    ----------
    n_classes, decide_after, delay : int
        See :class:`erbium.sw_model.prediction.Decision`.
    wanted : FirstSpikeErrors or FirstSpike
        Which outputs are wrong: `margin`, `deadline`, `earliest_only`.

    Attributes
    ----------
    spike_tick : ndarray of int64, shape (n_classes,)
        Tick of each output spike in this sample, or :data:`NEVER`.
    updates : int
        Samples that were to change something.
    """

    def __init__(
        self, n_classes: int, decide_after: int, delay: int, wanted: FirstSpikeErrors | FirstSpike
    ) -> None:
        self.wanted, self.updates = wanted, 0
        super().__init__(n_classes, decide_after, delay)

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample; the label matters in learning only."""
        super().begin(learn, label)
        self.spike_tick = np.full(self.n_classes, NEVER, dtype=np.int64)

    def stops(self, spikes: Array) -> bool:
        """End a tick with these output spikes; return whether the sample is to stop."""
        number, self.tick_number = self.tick_number, self.tick_number + 1
        self.spike_tick[spikes] = number
        if self.decision_tick is None and spikes.size:
            self.decision_tick = number
        if not self.learn:
            return self.decide_after > 0 and self.decision_tick is not None
        # The last tick that can matter is known once the label has spiked; the stop is sent the delay ahead.
        last = int(self.spike_tick[self.label]) + self.wanted.margin - 1
        return number >= last - self.delay and last < NEVER

    def counters(self) -> dict[str, int]:
        """Return the counters of the learner, by name."""
        return {"updates": self.updates}

    def finish(self) -> Array | None:
        """End the sample; return the plasticity words of the outputs, +1 later or -1 earlier, or None."""
        if not self.learn:
            return None
        wanted, target = self.wanted, int(self.spike_tick[self.label])
        wrong = (self.spike_tick != NEVER) & (self.spike_tick < target + wanted.margin)
        wrong[self.label] = False
        if not wrong.any() and target < wanted.deadline:
            return None
        self.updates += 1
        if wanted.earliest_only and wrong.any():
            earliest = int(np.argmin(np.where(wrong, self.spike_tick, NEVER)))
            wrong = np.arange(wrong.size) == earliest
        word: Array = wrong.astype(np.int64)
        word[self.label] = -1
        return word


class FirstSpikePrediction(FirstSpikeDecision):
    """The decision of layers in a row."""

    def __init__(self, network: Network) -> None:
        assert isinstance(network.error, FirstSpikeErrors)
        super().__init__(network.n_classes, network.decide_after, network.feedback_delay, network.error)

    def tick(self, spikes: Array, v: Array) -> tuple[list[int], bool]:
        """Take the output spikes and membranes of one tick; return no error spikes, and whether to stop."""
        self.count(spikes, v)
        return [], self.stops(spikes)
