# SPDX-License-Identifier: BSD-2-Clause
"""docs/contract-first-spike.md: the layers and the prediction of the first-spike network."""

from __future__ import annotations

from typing import Any

from .population import Layer

NEVER = 10**9


class FirstSpikeLayer(Layer):
    """Keeps the rows of a sample, and replays them when the sample is over."""

    def __init__(self, network: dict[str, Any], number: int, inputs: int) -> None:
        super().__init__(network, number, inputs, True)
        self.n_inputs = inputs
        self.probability = 65536
        self.step = self.description["rule"]["step"]

    def begin(self, seed: int, learn: bool) -> None:
        super().begin(seed, learn)
        self.kept_rows: list[tuple[int, int]] = []
        self.spike_ticks = [NEVER] * self.n

    def rows(self, spikes: list[int]) -> None:
        for k in spikes:
            self.transmit(k)
            self.kept_rows.append((k, self.t))

    def before_reset(self, spiking: list[bool]) -> None:
        for i, spikes in enumerate(spiking):
            if spikes:
                self.spike_ticks[i] = self.t

    def replay(self, words: list[int]) -> list[int]:
        """Learn; return the words of the presynaptic neurons."""
        of_inputs = [0] * self.n_inputs
        for k, t_k in self.kept_rows:
            causal = [t_k <= t_n for t_n in self.spike_ticks]
            votes = 0
            for word, w, is_causal in zip(words, self.weights[k], causal, strict=True):
                if is_causal:
                    votes += word if w >= 0 else -word
            of_inputs[k] = (votes > 0) - (votes < 0)
            if self.plasticity.draw() & 0xFFFF < self.probability:
                deltas = [
                    self.step * word if is_causal else 0
                    for word, is_causal in zip(words, causal, strict=True)
                ]
                self.change(k, deltas)
        return of_inputs


class FirstSpikePrediction:
    """The first output spike is the answer."""

    def __init__(self, network: dict[str, Any]) -> None:
        self.n_classes = network["layers"][-1]["n_neurons"]
        self.error, self.delay = network["error"], network["feedback_delay"]
        self.decide_after = network["decide_after"]
        self.updates = 0

    def begin(self, label: int | None) -> None:
        self.label, self.t, self.answer = label, 0, 0
        self.spike_ticks = [NEVER] * self.n_classes
        self.decision: int | None = None

    def tick(self, spikes: list[int], v: list[int]) -> tuple[list[int], bool]:
        """Return no errors, and whether the sample is to stop."""
        for c in spikes:
            self.spike_ticks[c] = self.t
        if self.decision is None:
            self.answer = max(spikes or range(self.n_classes), key=lambda c: (v[c], -c))
            if spikes:
                self.decision = self.t
        if self.label is None:
            stop = self.decide_after > 0 and self.decision is not None
        else:
            t_y = self.spike_ticks[self.label]
            stop = t_y < NEVER and self.t >= t_y + self.error["margin"] - 1 - self.delay
        self.t += 1
        return [], stop

    def words(self) -> list[int] | None:
        """Return the words of the outputs after a learned sample, or None if there is nothing to learn."""
        assert self.label is not None
        t_y = self.spike_ticks[self.label]
        wrong = [
            c
            for c, t in enumerate(self.spike_ticks)
            if c != self.label and t < NEVER and t < t_y + self.error["margin"]
        ]
        if not wrong and t_y < self.error["deadline"]:
            return None
        self.updates += 1
        if self.error["earliest_only"] and wrong:
            wrong = [min(wrong, key=lambda c: (self.spike_ticks[c], c))]
        return [1 if c in wrong else -int(c == self.label) for c in range(self.n_classes)]
