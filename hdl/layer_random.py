# SPDX-License-Identifier: BSD-2-Clause
"""The random numbers of a layer's neurons and synapses: blank-out and membrane noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from amaranth.hdl import Const, Module, Mux, Signal, Value

from erbium.hdl.fixed import delayed
from erbium.hdl.neuron_unit import NOISE_WIDTH
from erbium.hdl.rng import NoiseBank, mixed_byte
from erbium.hdl.slot import Work
from erbium.hdl.word_file import WordRom
from erbium.sw_model.constants import (
    STREAM_BLANK_NEURON,
    STREAM_BLANK_SYNAPSE,
    STREAM_NOISE,
    neuron_constant,
    salt,
)

if TYPE_CHECKING:
    from erbium.hdl.layer_pipeline import LayerPipeline


DRAWN = 2
"""Clocks from the issue of the first slot of a sample until the neurons that take part have been drawn."""


class LayerRandom:
    """Forms the masks of blanked synapses and neurons and the noise of all lanes, in time for stage X.

    Attributes
    ----------
    kept : Value
        Synapses of the word that are not blanked out.
    silent : Value
        Neurons that neither spike nor learn: blanked out, or lanes of the last word without a neuron.
    noise : Value
    """

    def __init__(self, m: Module, pipeline: LayerPipeline) -> None:
        self._plan = plan = pipeline.plan
        self._pipeline, pipe, layer = pipeline, pipeline.pipe, plan.population
        self.kept: Value = Const(-1, plan.lanes)
        missing = Const(((1 << plan.lanes) - 1) & ~((1 << plan.rest) - 1), plan.lanes)
        self.silent: Value = Mux(pipe["X"].last, missing, 0)
        if layer.synapse_keep < 256 or layer.neuron_keep < 256:
            m.submodules.constants = rom = self._neuron_constants()
            m.d.comb += rom.address.eq(pipe["X-2"].word)
            if layer.synapse_keep < 256:
                draws = pipeline.generator(m, "synapse_draws", STREAM_BLANK_SYNAPSE)
                m.d.comb += draws.advance.eq(pipe.does(Work.ROW, "X-2") & pipe["X-2"].first)
                draw = [draws.value] * plan.lanes
                self.kept = self._bernoulli(m, "kept", draw, rom.data, layer.synapse_keep)
            if layer.neuron_keep < 256:
                draws = pipeline.generator(m, "neuron_draws", STREAM_BLANK_NEURON)
                m.d.comb += draws.advance.eq(delayed(m, pipeline.load, 1, "draw_neurons"))
                draw = self._held(m, draws.value)
                taking_part = self._bernoulli(m, "taking_part", draw, rom.data, layer.neuron_keep)
                self.silent = self.silent | Mux(pipeline.begin.learn, ~taking_part, 0)
        self.noise: Value = Const(0, NOISE_WIDTH * plan.lanes)
        if plan.program.uses_noise:
            self.noise = self._noise(m)

    def _neuron_constants(self) -> WordRom:
        lanes = self._plan.lanes
        words = [
            sum(neuron_constant(word * lanes + lane) << (16 * lane) for lane in range(lanes))
            for word in range(self._plan.words)
        ]
        return WordRom(words, 16 * lanes)

    def _held(self, m: Module, draw: Value) -> list[Value]:
        """Return a draw that a sample keeps, for each lane: from a register of its group, if there are several.

        It is drawn two clocks after the first slot that can be a sweep was issued, and used in stage X-1: so there has
        to be a clock for it.
        """
        if not self._plan.copies or self._plan.stages["X"] <= DRAWN + 1:
            return [draw] * self._plan.lanes
        held: list[Value] = []
        for index, group in enumerate(self._plan.groups):
            copy = Signal(len(draw), name=f"draw_{index}", reset_less=True, attrs=self._plan.copies)
            m.d.sync += copy.eq(draw)
            held += [copy] * group.lanes
        return held

    def _bernoulli(self, m: Module, name: str, draw: Sequence[Value], constants: Value, keep: int) -> Value:
        """Return one bit per lane, set with probability keep / 256, from a draw that the lanes share."""
        mask = Signal(self._plan.lanes, name=name)
        for lane in range(self._plan.lanes):
            m.d.sync += mask[lane].eq(mixed_byte(draw[lane], constants.word_select(lane, 16)) < keep)
        return mask

    def _noise(self, m: Module) -> Value:
        plan, pipe = self._plan, self._pipeline.pipe
        bank = NoiseBank(salt(plan.population.process, STREAM_NOISE), plan.lanes, plan.n_neurons)
        m.submodules.noise = bank
        m.d.comb += [
            bank.seed.eq(self._pipeline.begin.seed),
            bank.load.eq(self._pipeline.load),
            bank.advance.eq(pipe.does(Work.SWEEP, "X") & pipe["X"].done),
            bank.last.eq(pipe["X"].last),
        ]
        return bank.noise
