# SPDX-License-Identifier: BSD-2-Clause
"""The step of a weight: two clocks after its operands have met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Mux, Shape, Signal, Value

from erbium.hdl.bounds import clamped
from erbium.hdl.fixed import total_of
from erbium.hdl.slot import Work

if TYPE_CHECKING:
    from erbium.hdl.lane_group import LaneGroup

COUNTED = 5
"""Stages after X until the changes of a word have been counted: the step takes two, its change one, the sums of a group
and of all groups one each."""


def step_weights(m: Module, group: LaneGroup, learns: Value, deltas: list[Value], delta_width: int) -> None:
    """Take deltas from the weights of a word, within their bounds, and count the changes.

    Parameters
    ----------
    m : Module
    group : LaneGroup
    learns : Value
        A register: the word in stage X learns.
    deltas : list of Value
        One of each lane, in stage X.
    delta_width : int
        Bits of a delta, signed.
    """
    layer = group.plan.population
    stages = [learns]
    for stage in ("x1", "x2"):
        copy = Signal(name=f"learns_{stage}", attrs=group.copies)
        m.d.sync += copy.eq(stages[-1])
        stages.append(copy)
    changes = []
    words = Signal(len(group.new_weights), name="new", reset_less=True)
    m.d.comb += group.new_weights.eq(words)
    for lane, lane_delta in enumerate(deltas):
        weight = Signal(Shape(layer.weight_width, signed=True), name=f"weight_{lane}", reset_less=True)
        delta = Signal(Shape(delta_width, signed=True), name=f"delta_{lane}", reset_less=True)
        step = Signal(Shape(delta_width, signed=True), name=f"step_{lane}", reset_less=True)
        new = words.word_select(lane, layer.weight_width)
        with m.If(stages[0]):
            m.d.sync += [weight.eq(group.weight(lane)), delta.eq(lane_delta)]
        at_bound = Mux(delta < 0, weight == layer.weight_max, weight == layer.weight_min)
        free = Mux(at_bound, 0, delta)
        # Steps larger than 1 can overshoot a bound; steps of 1 only start from it.
        stepped = weight - free
        if delta_width > 2:
            stepped = clamped(weight - delta, layer.weight_min, layer.weight_max)
        with m.If(stages[1]):
            m.d.sync += [new.eq(stepped), step.eq(free)]
        changes.append(step.any())
    # A word of the host goes the same way, so that a register is all that lies before the memory.
    with m.If(group.pipe.does(Work.STORE, "X+1")):
        m.d.sync += words.eq(group.stored)
    m.d.sync += group.changes.eq(Mux(stages[2], total_of(changes), 0))
