# SPDX-License-Identifier: BSD-2-Clause
"""What a plasticity rule adds to a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Const, Module, Value

from erbium.hdl.hazard import Hazard

if TYPE_CHECKING:
    from erbium.hdl.lane_group import LaneGroup
    from erbium.hdl.layer import LayerEngine
    from erbium.hdl.layer_control import LayerControl
    from erbium.hdl.layer_pipeline import LayerPipeline
    from erbium.hdl.pipe import Pipe
    from erbium.hdl.plan import LayerPlan


class RulePart:
    """A plasticity rule as hardware: each part of a layer asks it at one place. This one adds nothing: fixed weights.

    ============ ================= ====================================================================
    room         hook              what it says
    ============ ================= ====================================================================
    plan         `fields`          what a slot carries for the rule
    plan         `tick_width`      bits of the tick number in a slot
    plan         `kept_words`      files with a value per neuron, and its bits
    plan         `kept_parts`      the same of those that a sweep writes and rows read
    plan         `known_ahead`     it can be told before a row is issued that none of its weights will change
    plan         `word_bits`       bits of a plasticity word without its sign, from which that is told
    plan         `hazards`         what else must not come too close together
    plan         `votes`           a replayed row tells the layer before about its neuron
    sweep        `swept_rule`      the rule that forms a plasticity word in the sweep
    engine       `engine_ports`    ports of the layer, with `connect`, which wires them
    control      `control_ports`   ports of the control
    control      `prepare`         what a row that is issued is told
    control      `tick_begins`     a tick of this number begins
    control      `sample_ends`     the ``END`` of a sample is passed on
    control      `states`          more states of the control
    pipeline     `pipeline_ports`  ports of the pipeline
    pipeline     `reads`           a slot reads its weights, beside one that transmits
    pipeline     `row_words`       a slot is a word of a replayed row
    pipeline     `chosen`          lane of the neuron that a slot names
    pipeline     `learn`           when the lanes learn, and what all lanes share
    lanes        `group_ports`     ports of a group of lanes
    lanes        `lanes`           what is kept of a neuron, and the step of a synapse
    ============ ================= ====================================================================

    Parameters
    ----------
    rule : object
        Of the description.
    """

    def __init__(self, rule: object) -> None:
        self.rule: Any = rule

    known_ahead = True

    def fields(self, plan: LayerPlan) -> dict[str, object]:
        """Return the fields that the rule adds to a slot."""
        return {}

    def tick_width(self, n_ticks_width: int, dither_width: int) -> int:
        """Return the bits of a tick number in a slot: by default those that the dither takes."""
        return min(n_ticks_width, dither_width)

    def votes(self, plan: LayerPlan) -> bool:
        """Return whether the rows of a layer vote on their presynaptic neurons."""
        return False

    def kept_words(self, plan: LayerPlan) -> dict[str, int]:
        """Return the files with a value per neuron that are written word by word, by name, and the bits of a value."""
        return {}

    def kept_parts(self, plan: LayerPlan) -> dict[str, int]:
        """Return the files with a value per neuron that a sweep writes, part by part, and rows read, word by word."""
        return {}

    def word_bits(self, plan: LayerPlan) -> int:
        """Return the bits of a plasticity word without its sign, at least 1."""
        return 1

    def hazards(self, plan: LayerPlan) -> tuple[Hazard, ...]:
        """Return what else must not come too close together."""
        return ()

    def swept_rule(self) -> Any:
        """Return the rule if its plasticity word is formed in the sweep, from the states before the reset."""
        return None

    def engine_ports(self, plan: LayerPlan) -> dict[str, object]:
        """Return ports of the layer."""
        return {}

    def connect(self, m: Module, engine: LayerEngine, control: LayerControl, pipeline: LayerPipeline) -> None:
        """Wire the ports of the layer to its parts."""

    def control_ports(self, plan: LayerPlan) -> dict[str, object]:
        """Return ports of the control."""
        return {}

    def prepare(self, m: Module, control: LayerControl) -> None:
        """Begin the control: say whether a row that is issued is to learn."""

    def tick_begins(self, m: Module, control: LayerControl, tick: Value) -> None:
        """Note that a tick begins."""

    def sample_ends(self, m: Module, control: LayerControl) -> None:
        """Go on after the ``END`` of a sample; else the control waits for the next one."""

    def states(self, m: Module, control: LayerControl) -> None:
        """Add states to the control."""

    def pipeline_ports(self, plan: LayerPlan) -> dict[str, object]:
        """Return ports of the pipeline."""
        return {}

    def reads(self, plan: LayerPlan, pipe: Pipe) -> Value:
        """Return whether the slot in stage A reads weights, beside a row that transmits."""
        return Const(0)

    def row_words(self, pipe: Pipe) -> Value:
        """Return whether the slot in the first stage is a word of a row that is not transmitted."""
        return Const(0)

    def chosen(self, m: Module, pipeline: LayerPipeline) -> Value | None:
        """Return the lane of the neuron that the slot in stage X-1 names, or ``None``."""
        return None

    def learn(self, m: Module, pipeline: LayerPipeline) -> None:
        """Say when the lanes learn, and give them what they share."""

    def learn_in_turn(self, m: Module, pipeline: LayerPipeline) -> None:
        """Do so where rows go one by one: only with the first one after a sweep is it known whether they learn."""

    def learn_ahead(self, m: Module, pipeline: LayerPipeline) -> None:
        """Do so where rows come with their random numbers, and are put together by what changes."""

    def group_ports(self, plan: LayerPlan) -> dict[str, object]:
        """Return ports of a group of lanes."""
        return {}

    def lanes(self, m: Module, group: LaneGroup) -> None:
        """Keep what the rule keeps of each neuron, and form the new weights of a word."""
        m.d.comb += group.new_weights.eq(group.stored)
