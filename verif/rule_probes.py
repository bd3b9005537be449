# SPDX-License-Identifier: BSD-2-Clause
"""What a plasticity rule lets be seen of a layer, beside its states and the writes of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Value

from erbium.hdl.plan import LayerPlan
from erbium.hdl.tokens import ErrorToken
from erbium.sw_model.rules import FirstSpikeRule
from erbium.verif.layer_codecs import CauseCodec, WriteCodec, place_codec, word_codec


class RuleProbe:
    """Taps for one rule. This one has none: the words that a sweep forms are among the states.

    Parameters
    ----------
    plan : LayerPlan
        Of the layer.
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan

    def taps(self) -> dict[str, int]:
        """Return the taps inside of the layer by name, and the bits of what passes."""
        return {}

    def inside(self, pipeline: Any, parts: Any, groups: Sequence[Any]) -> dict[str, tuple[Value, Value]]:
        """Return for each of them when something passes, and what: in a pipeline, its parts, those of its groups."""
        return {}

    def channels(self) -> dict[str, int]:
        """Return the channels that lead to the layer for the rule by name, and the bits of a token."""
        return {}

    def streams(self, layer: Any) -> dict[str, Any]:
        """Return the streams of the layer to which they lead."""
        return {}


class FirstSpikeProbe(RuleProbe):
    """Rows that are replayed, plasticity words as they are set, spike ticks, and spikes that are remembered."""

    def taps(self) -> dict[str, int]:
        """Return the taps inside of the layer by name, and the bits of what passes."""
        plan = self.plan
        found = {"learned": WriteCodec(plan).width, "words": word_codec(plan, 2).width}
        if plan.timed:
            found["spike_ticks"] = place_codec(plan, plan.tick_width).width
        if plan.rule.votes(plan):
            found["causes"] = CauseCodec(plan).width
        return found

    def inside(self, pipeline: Any, parts: Any, groups: Sequence[Any]) -> dict[str, tuple[Value, Value]]:
        """Return for each of them when something passes, and what: in a pipeline, its parts, those of its groups."""
        plan, memory = self.plan, pipeline.memory
        words = [group.plasticity for group in groups]
        places = Cat(words[0].write_address, *[file.write_data for file in words])
        found = {
            "learned": (pipeline.learned, Cat(memory.write_address[0], memory.write_data)),
            "words": (words[0].write_enable, places),
        }
        if plan.timed:
            # In the clock in which the units say it, and not when a file takes it.
            swept = pipeline.groups[0].pipe["E"]
            place = swept.place if plan.parts > 1 else swept.word
            found["spike_ticks"] = (pipeline.sweeps, Cat(place, *[g.ticks_after for g in pipeline.groups]))
        if plan.rule.votes(plan):
            causes = parts.causes
            found["causes"] = (causes.push, Cat(causes.row, causes.tick))
        return found

    def channels(self) -> dict[str, int]:
        """Return the channels that lead to the layer for the rule by name, and the bits of a token."""
        return {"errors": ErrorToken(self.plan.n_neurons).size}

    def streams(self, layer: Any) -> dict[str, Any]:
        """Return the streams of the layer to which they lead."""
        return {"errors": layer.error_i}


PROBES: dict[type, type[RuleProbe]] = {FirstSpikeRule: FirstSpikeProbe}
"""By the class of the rule; all others have the plain one."""


def rule_probe(plan: LayerPlan) -> RuleProbe:
    """Return the taps of the rule of a layer."""
    return PROBES.get(type(plan.population.rule), RuleProbe)(plan)
