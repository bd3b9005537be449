# SPDX-License-Identifier: BSD-2-Clause
"""What people read of event-driven random backpropagation."""

from __future__ import annotations

from collections.abc import Mapping

from erbium.learners.base import LayerWork, LearnerFace
from erbium.sw_model.network import Layer
from erbium.sw_model.rules import ErrorNeurons


class ErbpFace(LearnerFace):
    """Error spikes that go back through fixed random weights."""

    learned = "error spikes"
    lead = (
        "Spikes run from left to right; where the output differs from the label, error spikes run back through fixed "
        "random weights."
    )
    columns = ("feedback", "gain")

    def facts(self) -> list[tuple[str, str]]:
        neurons = self.network.error
        assert isinstance(neurons, ErrorNeurons)
        return [
            ("error neurons", f"weight {neurons.weight}, threshold {neurons.threshold}"),
            ("margin", str(self.network.margin)),
        ]

    def early_stop(self) -> str:
        network = self.network
        learning = f"after {network.quiet_ticks} quiet ticks" if network.quiet_ticks else "never"
        inference = f"at {network.decide_after} output spikes" if network.decide_after else "never"
        return f"learning {learning}, inference {inference}"

    def feedback(self, layer: Layer) -> str:
        return f"feedback {layer.feedback}, gain {layer.gain}, "

    def end_of_a_sample(self) -> str:
        quiet = self.network.quiet_ticks
        return f"ends after {quiet} ticks without an error spike" if quiet else "never ends early"

    def way_back(self) -> str:
        delay = self.network.feedback_delay
        return f"error spikes, {delay} tick{'s' if delay > 1 else ''} later"

    def cells(self, layer: Layer) -> tuple[object, ...]:
        return layer.feedback, layer.gain

    def clocks(self, layer: LayerWork, work: Mapping[str, int], *, learning: bool) -> tuple[float, float]:
        margin = layer.words if learning and layer.is_last else 0
        passes = layer.rows * layer.words + layer.learned * layer.words * (layer.turns - 1)
        return passes + layer.ticks * (layer.words + 5 + margin), 0.0
