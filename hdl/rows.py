# SPDX-License-Identifier: BSD-2-Clause
"""How many rows of synapses a layer does in a clock, as a part of its control, its pipeline and its lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Flow, In, Out

from erbium.hdl.fixed import delayed, joined, total_of
from erbium.hdl.row_pairs import RowPairs
from erbium.hdl.slot import Work

if TYPE_CHECKING:
    from erbium.hdl.lane_group import LaneGroup
    from erbium.hdl.layer_control import LayerControl
    from erbium.hdl.layer_pipeline import LayerPipeline
    from erbium.hdl.pipe import Pipe
    from erbium.hdl.plan import LayerPlan
    from erbium.hdl.rules import RulePart


class OneRow:
    """A row in a clock, in the order of the spikes.

    ============ ================== =====================================================================
    what for     method             what it says
    ============ ================== =====================================================================
    slot         `fields`           what is added to it
    ports        `word_ports`       what the control hears of a sweep; `way` is In or Out
    ports        `group_ports`      of a group of lanes, whose words of weights have `width` bits
    ports        `group_word_ports` of a group of lanes that forms plasticity words of so many `bits`
    control      `feed`             the tokens that the control takes, and the row of the slot
    control      `may_issue`        a word of a row may be issued
    control      `take_bias`        the slot is of the bias row
    pipeline     `count`            rows of the slot in a stage, or 0 unless a condition holds
    pipeline     `address`          where a word is written, and what else the write port does
    pipeline     `second_reads`     the slot at a copy of the memory reads two rows
    pipeline     `connect`          what a group of lanes gets beside the first row
    pipeline     `writes`           a row that learns is written
    pipeline     `changes`          changes of all groups, as they are added up
    rule         `learn`            how the rule learns
    rule         `may_learn`        the lanes learn of the slot in a stage
    lanes        `pushes`           what each lane adds to its port 0, if that is not formed of the weight itself
    lanes        `join`             what a group says of the plasticity words of a sweep
    ============ ================== =====================================================================

    Parameters
    ----------
    plan : LayerPlan
    """

    at_once = 1
    held = 0
    """Registers between the memory and stage X."""
    loaded = "X-1"
    """Stage in which a word for the host comes out of the memory."""

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan

    # --- ports ---------------------------------------------------------------------------------------

    def fields(self) -> dict[str, object]:
        return {}

    def word_ports(self, way: Flow) -> dict[str, object]:
        return {}

    def group_ports(self, width: int) -> dict[str, object]:
        return {}

    def group_word_ports(self, bits: int) -> dict[str, object]:
        return {}

    # --- control -------------------------------------------------------------------------------------

    def feed(self, m: Module, control: LayerControl) -> stream.Interface:
        events: Any = control.event_i
        m.d.comb += control.slot.row.eq(self.plan.event_token.spike_in(events.payload).address)
        return events

    def may_issue(self, control: LayerControl) -> Value:
        return control.may_write | ~control.slot.armed

    def take_bias(self, m: Module, control: LayerControl) -> None:
        m.d.comb += control.slot.row.eq(self.plan.n_inputs)

    # --- pipeline ------------------------------------------------------------------------------------

    def count(self, slot: Any, condition: Value) -> Value:
        return condition

    def address(
        self, m: Module, pipeline: LayerPipeline, written: Sequence[Signal], before: Value, writes: Value
    ) -> None:
        with m.If(writes):
            m.d.sync += [copy.eq(before) for copy in written]

    def second_reads(self, branch: Pipe) -> list[Value]:
        return []

    def connect(self, m: Module, group: LaneGroup, part: Callable[[Value], Value], memory: Any) -> None:
        pass

    def writes(self, learns: Value, slot: Any) -> Value:
        return learns

    def changes(self, m: Module, changes: Sequence[Value]) -> list[Value]:
        return list(changes)

    # --- rule and lanes ------------------------------------------------------------------------------

    def learn(self, m: Module, rule: RulePart, pipeline: LayerPipeline) -> None:
        rule.learn_in_turn(m, pipeline)

    def may_learn(self, slot: Any) -> Value:
        armed: Value = slot.armed
        return armed

    def pushes(self, m: Module, group: LaneGroup) -> list[Value]:
        return []

    def join(self, m: Module, group: LaneGroup) -> None:
        pass


class TwoRows(OneRow):
    """Up to two rows in a clock, put together by :class:`erbium.hdl.row_pairs.RowPairs`.

    The memory's port for the second row is that of the writes, so a pair waits while a word is written, and a row of
    which no weight changes is not written at all. Weights come into stage X through a register, with the sum of what
    two rows transmit.
    """

    at_once, held, loaded = 2, 1, "X-2"

    def fields(self) -> dict[str, object]:
        row = range(max(self.plan.n_rows, 2))
        random = max(self.plan.population.rounding_shift, 0)
        return {"second": row, "pair": 1, "may_change": 1, "random": random}

    def word_ports(self, way: Flow) -> dict[str, object]:
        bits = self.plan.rule.word_bits(self.plan)
        return {"words_known": way(1), "any_word": way(1), "words_above": way(bits), "words_below": way(bits)}

    def group_ports(self, width: int) -> dict[str, object]:
        return {"second_weights": In(width)}

    def group_word_ports(self, bits: int) -> dict[str, object]:
        return {"words_above": Out(bits), "words_below": Out(bits), "words_differ": Out(1)}

    def feed(self, m: Module, control: LayerControl) -> stream.Interface:
        plan, slot = self.plan, control.slot
        m.submodules.pairs = pairs = RowPairs(plan)
        wiring.connect(m, wiring.flipped(control.event_i), pairs.event_i)
        row = pairs.row_o.payload
        # What is issued now reads in stage A; what was issued so many clocks ago is written then.
        # What the issue is made of is looked at a clock later: much waits for it already.
        clocks = plan.stages["X"] + 1 - plan.stages["A"]
        row_writes = delayed(m, slot.armed & slot.may_change, 1, "row_writes", cleared=False)
        work = delayed(m, slot.work, 1, "work_issued", cleared=False)
        writes = (work == Work.ROW) & row_writes | (work == Work.STORE)
        ahead = delayed(m, delayed(m, control.issue, 1, "issued") & writes, clocks - 1, "writes")
        self._written = Signal(name="written")
        m.d.sync += self._written.eq(ahead)
        m.d.comb += [
            pairs.opens.eq(control.issue & (slot.work == Work.TOKEN)),
            pairs.armed.eq(slot.armed),
            pairs.reserved.eq(ahead),
            pairs.seed.eq(control.begin.seed),
            pairs.load.eq(control.load),
            pairs.known.eq(control.words_known),
            pairs.any_word.eq(control.any_word),
            pairs.above.eq(control.words_above),
            pairs.below.eq(control.words_below),
            *(slot[name].eq(row[name]) for name in ("row", "second", "pair", "may_change", "random")),
        ]
        rows: stream.Interface = pairs.row_o
        self._pair = row.pair
        return rows

    def may_issue(self, control: LayerControl) -> Value:
        return ~(self._pair & self._written)

    def take_bias(self, m: Module, control: LayerControl) -> None:
        # It comes with its TICK.
        pass

    def count(self, slot: Any, condition: Value) -> Value:
        return Cat(condition & ~slot.pair, condition & slot.pair)

    def address(
        self, m: Module, pipeline: LayerPipeline, written: Sequence[Signal], before: Value, writes: Value
    ) -> None:
        # In other clocks that port reads the second row.
        second = pipeline.address(m, "second")
        m.d.sync += [copy.eq(Mux(writes, before, second)) for copy in written]

    def second_reads(self, branch: Pipe) -> list[Value]:
        return [branch.does(Work.ROW, "A") & branch["A"].pair]

    def connect(self, m: Module, group: LaneGroup, part: Callable[[Value], Value], memory: Any) -> None:
        m.d.comb += group.second_weights.eq(part(memory.second_data))

    def writes(self, learns: Value, slot: Any) -> Value:
        return learns & slot.may_change

    def changes(self, m: Module, changes: Sequence[Value]) -> list[Value]:
        # What a wide layer adds up takes two clocks.
        parts = [total_of(changes[k : k + 4]) for k in range(0, len(changes), 4)]
        return [delayed(m, part, 1, f"changes_{k}", cleared=False) for k, part in enumerate(parts)]

    def learn(self, m: Module, rule: RulePart, pipeline: LayerPipeline) -> None:
        rule.learn_ahead(m, pipeline)

    def may_learn(self, slot: Any) -> Value:
        return slot.armed & slot.may_change

    def pushes(self, m: Module, group: LaneGroup) -> list[Value]:
        """Add what two rows transmit, in stage X-1."""
        pair = Signal(name="pair", attrs=group.copies)
        m.d.sync += pair.eq(group.pipe["X-2"].pair)
        first_word, found = group.hold_weights(m), []
        width = self.plan.population.weight_width
        for lane in range(group.lanes):
            first, second = (
                group.transmitted(word.word_select(lane, width).as_signed())
                for word in (first_word, group.second_weights)
            )
            push = Signal(Shape(len(first) + 1, signed=True), name=f"push_{lane}", reset_less=True)
            m.d.sync += push.eq(first.as_signed() + Mux(pair, second, 0).as_signed())
            found.append(push)
        return found

    def join(self, m: Module, group: LaneGroup) -> None:
        """Join the words of a sweep bit by bit: those above 0, and the complements of those below."""
        unit, width = group.neurons, group.neurons.word_width
        words = [unit.words_o.word_select(lane, width) for lane in range(unit.lanes)]
        above = joined(Mux(word[-1], 0, word[: width - 1]) for word in words)
        below = joined(Mux(word[-1], ~word[: width - 1], 0) for word in words)
        first = group.pipe["E"].first
        for port, here in (
            (group.words_above, above),
            (group.words_below, below),
            (group.words_differ, unit.words_o.any()),
        ):
            so_far = Signal.like(port, name=f"{port.name}_so_far", reset_less=True)
            m.d.comb += port.eq(so_far)
            with m.If(unit.valid_o):
                m.d.sync += so_far.eq(here | Mux(first, 0, so_far))
