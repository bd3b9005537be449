# SPDX-License-Identifier: BSD-2-Clause
"""Rules of three factors, such as eRBP: each row learns as it is transmitted, by words that the last sweep formed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In

from erbium.hdl.fixed import delayed, joined
from erbium.hdl.hazard import Hazard
from erbium.hdl.neuron_unit import plasticity_word_width, signed_width
from erbium.hdl.rules.base import RulePart
from erbium.hdl.rules.weight_step import step_weights
from erbium.hdl.slot import Work
from erbium.sw_model.constants import STREAM_PLASTICITY

if TYPE_CHECKING:
    from erbium.hdl.lane_group import LaneGroup
    from erbium.hdl.layer_control import LayerControl
    from erbium.hdl.layer_pipeline import LayerPipeline
    from erbium.hdl.plan import LayerPlan


class ThreeFactorPart(RulePart):
    """A row that is armed takes ``(word + r) >> shift`` from each weight, with one random number for the whole row.

    A row counts as learned, and takes a number, if any plasticity word of the layer differs from 0. The last sweep says
    so in time for the last word of the first row after it; until then rows learn as if one did: a word of 0 changes
    nothing.

    Where two rows may go together, a row has its number from the control (:class:`erbium.hdl.row_pairs.RowPairs`),
    which hears from here by what bits the words of a sweep differ from 0.
    """

    def swept_rule(self) -> object:
        return self.rule

    def kept_parts(self, plan: LayerPlan) -> dict[str, int]:
        return {"plasticity": plasticity_word_width(plan.program, self.rule)}

    def word_bits(self, plan: LayerPlan) -> int:
        return max(plasticity_word_width(plan.program, self.rule) - 1, 1)

    def hazards(self, plan: LayerPlan) -> tuple[Hazard, ...]:
        a, x, e = (plan.stages[name] for name in "AXE")
        reads, delay = plan.word_latency
        return (
            # A bias row comes back first. What it learned is written in stage X + 2, and read in stage A.
            Hazard("weights", plan.words + plan.places + 1, x + 2 - a + 1),
            Hazard("plasticity words", plan.words + 1, e - x + delay + reads + 1),
            # Whether a word of a part differs from 0 is known two clocks after stage E, and asked in stage X-1 of the
            # last word of a row.
            Hazard("whether there is a plasticity word", plan.words + 1, e + 2 - (x - 1)),
        )

    def tick_begins(self, m: Module, control: LayerControl, tick: Value) -> None:
        # Compared when the tick changes, not when it is used.
        m.d.sync += self._late_enough.eq(tick >= self.rule.first_tick)

    def prepare(self, m: Module, control: LayerControl) -> None:
        self._late_enough = Signal(name="late_enough")
        m.d.comb += control.slot.armed.eq(control.begin.learn & self._late_enough)

    def group_ports(self, plan: LayerPlan) -> dict[str, object]:
        ports: dict[str, object] = {"random": In(max(plan.population.rounding_shift, 0)), "any_word": In(1)}
        return ports | plan.rows.group_word_ports(self.word_bits(plan))

    # --- pipeline ------------------------------------------------------------------------------------

    def learn(self, m: Module, pipeline: LayerPipeline) -> None:
        pipeline.plan.rows.learn(m, self, pipeline)

    def learn_in_turn(self, m: Module, pipeline: LayerPipeline) -> None:
        pipe = pipeline.pipe
        any_word = self._any_word(m, pipeline)
        learns = pipe.does(Work.ROW, "X-1") & pipe["X-1"].armed & any_word
        draws = pipeline.generator(m, "plasticity_draws", STREAM_PLASTICITY)
        # The number of a row is drawn ahead, after the last word of the row before: that leaves a clock for the
        # registers which carry it to the groups.
        first_draw = delayed(m, pipeline.load, 1, "first_draw")
        m.d.comb += draws.advance.eq(first_draw | (learns & pipe["X-1"].last))
        for index, group in enumerate(pipeline.groups):
            random = Signal.like(
                group.random, name=f"random_{index}", reset_less=True, attrs=pipeline.plan.copies
            )
            m.d.sync += random.eq(draws.value[: len(random)])
            m.d.comb += [group.any_word.eq(any_word), group.random.eq(random)]
        pipeline.learns(m, learns, "last")

    def learn_ahead(self, m: Module, pipeline: LayerPipeline) -> None:
        """Learn by the numbers that rows come with, and say what the words of a sweep are like."""
        pipe, groups = pipeline.pipe, pipeline.groups
        any_word = Signal()
        with m.If(pipe.does(Work.SWEEP, "X") & pipe["X"].first):
            m.d.sync += any_word.eq(1)
        swept = pipe.does(Work.SWEEP, "E+1") & pipe["E+1"].last & pipe["E+1"].done
        m.d.sync += pipeline.words_known.eq(swept)
        with m.If(swept):
            m.d.sync += any_word.eq(Cat(*[group.words_differ for group in groups]).any())
        m.d.comb += pipeline.any_word.eq(any_word)
        for name in ("words_above", "words_below"):
            m.d.sync += getattr(pipeline, name).eq(joined(getattr(group, name) for group in groups))
        for index, group in enumerate(groups):
            random = Signal.like(
                group.random, name=f"random_{index}", reset_less=True, attrs=pipeline.plan.copies
            )
            m.d.sync += random.eq(pipe["X-1"].random)
            m.d.comb += [group.any_word.eq(any_word), group.random.eq(random)]
        pipeline.learns(m, pipe.does(Work.ROW, "X-1") & pipe["X-1"].armed & any_word, "last")

    def _any_word(self, m: Module, pipeline: LayerPipeline) -> Value:
        """Return whether any plasticity word of the last whole sweep differs from 0, or is not known yet."""
        pipe = pipeline.pipe
        last = pipe["E+1"].last & pipe["E+1"].done
        running, result = Signal(), Signal(name="any_word")
        present = (running & ~pipe["E+1"].first) | pipeline.all("words_any").any()
        with m.If(pipe.does(Work.SWEEP, "X") & pipe["X"].first):
            m.d.sync += result.eq(1)
        with m.If(pipe.does(Work.SWEEP, "E+1")):
            m.d.sync += running.eq(present)
            with m.If(last):
                m.d.sync += result.eq(present)
        return result

    # --- lanes ---------------------------------------------------------------------------------------

    def lanes(self, m: Module, group: LaneGroup) -> None:
        pipe, unit, width = group.pipe, group.neurons, group.neurons.word_width
        words = group.banks(m, "plasticity", width, unit.words_o, Work.ROW)
        rows = group.plan.rows
        rows.join(m, group)
        words_any = Signal(unit.lanes, reset_less=True)
        m.d.comb += group.words_any.eq(words_any)
        with m.If(unit.valid_o):
            for lane in range(unit.lanes):
                m.d.sync += words_any[lane].eq(unit.words_o.word_select(lane, width).any())
        learns = Signal(attrs=group.copies)
        m.d.sync += learns.eq(pipe.does(Work.ROW, "X-1") & rows.may_learn(pipe["X-1"]) & group.any_word)
        shift = group.plan.population.rounding_shift
        word_min, word_max = -(1 << (width - 1)), (1 << (width - 1)) - 1
        delta_width = signed_width(word_min >> shift, (word_max + (1 << shift) - 1) >> shift)
        deltas = []
        for lane, word in enumerate(words):
            deltas.append(group.if_kept(lane, (word.as_signed() + group.random)[shift:].as_signed()))
        step_weights(m, group, learns, deltas, delta_width)
