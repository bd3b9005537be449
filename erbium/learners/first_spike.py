# SPDX-License-Identifier: BSD-2-Clause
"""What people read of the first-spike learner."""

from __future__ import annotations

from collections.abc import Mapping

from erbium.learners.base import LayerWork, LearnerFace
from erbium.sw_model.network import Layer
from erbium.sw_model.rules import FirstSpikeErrors, FirstSpikeRule


class FirstSpikeFace(LearnerFace):
    """The first output spike is the answer; plasticity words go back layer by layer."""

    learned = "samples that changed something"
    lead = (
        "Every neuron spikes at most once, and the first output spike is the answer; where it was wrong or late, "
        "each layer tells the one before which of its spikes came too early or too late."
    )
    columns = ("threshold", "blank-out")

    @property
    def _errors(self) -> FirstSpikeErrors:
        assert isinstance(self.network.error, FirstSpikeErrors)
        return self.network.error

    def facts(self) -> list[tuple[str, str]]:
        errors = self._errors
        wrong = "the earliest wrong output" if errors.earliest_only else "each wrong output"
        return [
            (
                "errors",
                f"{wrong} before the label's tick + {errors.margin}; label before tick {errors.deadline}",
            )
        ]

    def early_stop(self) -> str:
        inference = "at the first output spike" if self.network.decide_after else "never"
        return f"learning {self._errors.margin - 1} ticks after the label's spike, inference {inference}"

    def feedback(self, layer: Layer) -> str:
        return ""

    def end_of_a_sample(self) -> str:
        return f"ends {self._errors.margin - 1} ticks after the label’s spike"

    def way_back(self) -> str:
        return "plasticity words, after the sample"

    def page_facts(self) -> list[tuple[str, object]]:
        errors = self._errors
        which = "the earliest other output" if errors.earliest_only else "any other output"
        rules = (layer.rule for layer in self.network.layers)
        steps = {rule.step for rule in rules if isinstance(rule, FirstSpikeRule)}
        return [
            (
                "Wrong",
                f"{which} within {errors.margin} ticks of the label’s spike, or no such spike before tick "
                f"{errors.deadline}",
            ),
            ("Step of a weight", ", ".join(f"±{step}" for step in sorted(steps))),
        ]

    def cells(self, layer: Layer) -> tuple[object, ...]:
        return f"{layer.program.threshold:,}", f"{256 - layer.neuron_keep}/256"

    def clocks(self, layer: LayerWork, work: Mapping[str, int], *, learning: bool) -> tuple[float, float]:
        forward = layer.rows * layer.words + layer.ticks * (layer.words + 1)
        if not learning:
            return forward, 0.0
        replayed = layer.rows * work["updates"] / max(1, layer.samples)
        if not layer.is_first:
            return forward, replayed * layer.words * layer.turns
        # A row of the first layer that is not touched takes a clock.
        return forward, layer.learned * layer.words * layer.turns + max(0.0, replayed - layer.learned)
