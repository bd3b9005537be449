# SPDX-License-Identifier: BSD-2-Clause
"""docs/contract.md: the layers and the prediction of eRBP."""

from __future__ import annotations

from typing import Any

from . import hashed
from .population import Layer


class ErbpLayer(Layer):
    """Learns in its row passes; its last row is the bias."""

    def __init__(self, network: dict[str, Any], number: int, inputs: int) -> None:
        super().__init__(network, number, inputs + 1, False)
        self.bias_row = inputs
        self.rule = self.description["rule"]
        self.gain = self.description["gain"]
        self.kind = self.description["feedback"]
        classes = network["layers"][-1]["n_neurons"]
        self.feedback = (
            [hashed.feedback(self.kind, network["seed"], number, i, classes) for i in range(self.n)]
            if self.kind != "none"
            else []
        )

    def begin(self, seed: int, learn: bool) -> None:
        super().begin(seed, learn)
        self.word = [0] * self.n

    def rows(self, spikes: list[int]) -> None:
        learns = self.rule is not None and self.learn and self.t >= self.rule["first_tick"] and any(self.word)
        s = 18 - self.width
        for k in [*spikes, self.bias_row]:
            kept = self.transmit(k)
            if learns:
                r = self.plasticity.draw() & ((1 << s) - 1)
                deltas = [(d + r) >> s for d in self.word]
                if kept is not None:
                    deltas = [delta if is_kept else 0 for delta, is_kept in zip(deltas, kept, strict=True)]
                self.change(k, deltas)

    def take_margin(self, label: int, margin: int) -> None:
        self.add(0, [-margin if i == label else 0 for i in range(self.n)])

    def take_errors(self, errors: list[int]) -> None:
        if self.kind != "none" and errors:
            sums = [sum(row[e // 2] if e % 2 == 0 else -row[e // 2] for e in errors) for row in self.feedback]
            self.add(1, [self.gain * total for total in sums])

    def before_reset(self, spiking: list[bool]) -> None:
        if self.rule is None or not self.learn:
            return
        low, high, u = self.rule["gate_lower"], self.rule["gate_upper"], self.x[self.rule["modulator"]]
        self.word = [u[i] if low <= v < high and not self.blanked[i] else 0 for i, v in enumerate(self.x[0])]


class ErbpPrediction:
    """Counts output spikes and forms errors."""

    def __init__(self, network: dict[str, Any]) -> None:
        self.n_classes = network["layers"][-1]["n_neurons"]
        self.error, self.quiet_ticks = network["error"], network["quiet_ticks"]
        self.decide_after = network["decide_after"]
        self.error_spikes = 0

    def begin(self, label: int | None) -> None:
        self.label, self.t, self.quiet = label, 0, 0
        self.counts = [0] * self.n_classes
        self.membranes = [0] * (2 * self.n_classes)
        self.answer = 0
        self.decision: int | None = None

    def tick(self, spikes: list[int], v: list[int]) -> tuple[list[int], bool]:
        """Return the error spikes and whether the sample is to stop."""
        for c in spikes:
            self.counts[c] += 1
        if self.decision is None:
            self.answer = max(range(self.n_classes), key=lambda c: (self.counts[c], v[c], -c))
        if self.label is None:
            errors: list[int] = []
            if self.decision is None and 0 < self.decide_after <= max(self.counts):
                self.decision = self.t
            stop = self.decision is not None
        else:
            errors = self._errors(spikes)
            if self.t >= 1:
                self.quiet = 0 if errors else self.quiet + 1
            stop = 0 < self.quiet_ticks <= self.quiet
        self.t += 1
        return errors, stop

    def _errors(self, spikes: list[int]) -> list[int]:
        weight, threshold = self.error["weight"], self.error["threshold"]
        errors = []
        for neuron in range(2 * self.n_classes):
            c = neuron // 2
            push = weight * ((c in spikes) - (c == self.label))
            a = self.membranes[neuron] + (-push if neuron % 2 else push)
            a = min(max(a, 0), 2 * threshold - 1)
            if a >= threshold:
                errors.append(neuron)
                a -= threshold
            self.membranes[neuron] = a
        self.error_spikes += len(errors)
        return errors
