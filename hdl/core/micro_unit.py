# SPDX-License-Identifier: BSD-2-Clause
"""A neuron unit whose program is data: one operation per clock."""

from amaranth.hdl import Array, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import layout_of
from erbium.hdl.fixed import reversed_bits, saturated, saturated_sum, sum_with_carry
from erbium.hdl.neuron_unit import NOISE_WIDTH
from erbium.sw_model.description.machine import OPERATION, POPULATION, Operand
from erbium.sw_model.programs import FRACTION_BITS, MAX_STATES, RESET_MODES
from erbium.sw_model.rules.history import TERMS

S16 = Shape(16, signed=True)

STAGES = 5
"""Clocks from the last operation to the outputs."""


class NeuronPlace(data.StructLayout):
    """What is stored of a neuron between two ticks, in three pieces of 32 bits."""

    def __init__(self) -> None:
        states = {f"x{state}": S16 for state in range(MAX_STATES)}
        super().__init__(states | {"refractory": 16, "silent": 1, "unused": 15})


class MicroUnit(wiring.Component):
    """Runs the program of a population on one neuron after the other.

    The operations of a state follow each other, so one accumulator is enough. Stages are counted from an operation:

    ===== ====================================================================================
    stage what happens
    ===== ====================================================================================
    1     the operand is chosen and shifted
    2     it is added; the first operation of a state begins with the state and its bias
    3     after the last one of a state: dither, saturation, clip
    4     after the last one of all: threshold; the gate of the plasticity word
    5     resets, the word
    ===== ====================================================================================

    Members
    -------
    population : In(record)
    load : In(1), neuron : In(NeuronPlace), port0, port1 : In(16, signed), noise : In(11, signed)
        Take a neuron: in the clock before its first operation, and after the last operation of the one before.
    operation : In(record), valid : In(1), final : In(1)
        At stage 1.
    dither : In(8)
        Low bits of the tick.
    kept : In(4)
        States that no reset changes. That no operation does either is up to what comes as `operation`.
    idle : In(1)
        There is no neuron: word and spike are 0.
    present : In(1)
        At stage 4: there is such a neuron.
    wants : Out(1), blocked : In(1)
        At stage 5: it would spike; it must not.
    neuron_o : Out(NeuronPlace), spike_o : Out(1), word_o : Out(16, signed)
        5 clocks after the last operation.

    Notes
    -----
    A neuron needs a clock for each operation and one more, three at least: the last stages of one lie beside the first
    ones of the next.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "population": In(layout_of(POPULATION)),
                "load": In(1),
                "neuron": In(NeuronPlace()),
                "port0": In(S16),
                "port1": In(S16),
                "noise": In(Shape(NOISE_WIDTH, signed=True)),
                "operation": In(layout_of(OPERATION)),
                "valid": In(1),
                "final": In(1),
                "dither": In(8),
                "kept": In(MAX_STATES),
                "idle": In(1),
                "present": In(1),
                "wants": Out(1),
                "blocked": In(1),
                "neuron_o": Out(NeuronPlace()),
                "spike_o": Out(1),
                "word_o": Out(S16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        population, operation = self.population, self.operation
        # The neuron that is loaded.
        x = [Signal(S16, name=f"x{state}", reset_less=True) for state in range(MAX_STATES)]
        ports = [Signal(S16, name=f"u{port}", reset_less=True) for port in range(2)]
        noise = Signal(S16, reset_less=True)
        refractory, silent = Signal(16, reset_less=True), Signal(reset_less=True)
        with m.If(self.load):
            m.d.sync += [state.eq(self.neuron[f"x{k}"]) for k, state in enumerate(x)]
            m.d.sync += [ports[0].eq(self.port0), ports[1].eq(self.port1), noise.eq(self.noise)]
            m.d.sync += [refractory.eq(self.neuron.refractory), silent.eq(self.neuron.silent)]

        # Stage 1.
        operand = Signal(S16)
        sources = {Operand.U0: ports[0], Operand.U1: ports[1], Operand.NOISE: noise}
        sources |= {Operand(state): x[state] for state in range(MAX_STATES)}
        with m.Switch(operation.source):
            for code, source in sources.items():
                with m.Case(code):
                    m.d.comb += operand.eq(source)
        term = Signal(Shape(16 + FRACTION_BITS, signed=True), reset_less=True)
        # -x is ~x and a carry of 1.
        shifted_term = (operand << FRACTION_BITS) >> operation.shift
        m.d.sync += term.eq(shifted_term ^ operation.negative.replicate(len(term)))
        second = Signal(layout_of(OPERATION), reset_less=True)
        valid_2, final_2 = Signal(), Signal()
        m.d.sync += [second.eq(operation), valid_2.eq(self.valid), final_2.eq(self.valid & self.final)]

        # Stage 2. 16 operations of 24 bits, a state and a bias.
        total = Signal(Shape(30, signed=True), reset_less=True)
        start = (Array(x)[second.destination] + second.bias) << FRACTION_BITS
        before = Mux(second.first, start, total)
        with m.If(valid_2):
            m.d.sync += total.eq(sum_with_carry(before, term, second.negative))
        third = Signal(layout_of(OPERATION), reset_less=True)
        last_3 = Signal()
        m.d.sync += [third.eq(second), last_3.eq(valid_2 & second.last)]

        # Stage 3.
        new = [Signal(S16, name=f"new{state}", reset_less=True) for state in range(MAX_STATES)]
        exact = (total + reversed_bits(self.dither)) >> FRACTION_BITS
        clipped = Signal(S16)
        m.d.comb += clipped.eq(
            Mux(exact < third.lower, third.lower, Mux(exact > third.upper, third.upper, exact))
        )
        # What the plasticity word looks at is kept when it comes by.
        gated, modulating = Signal(S16, reset_less=True), Signal(S16, reset_less=True)
        with m.If(last_3):
            with m.Switch(third.destination):
                for number, state in enumerate(new):
                    with m.Case(number):
                        m.d.sync += state.eq(clipped)
            with m.If(third.destination == population.gate):
                m.d.sync += gated.eq(clipped)
            with m.If(third.destination == population.state):
                m.d.sync += modulating.eq(clipped)
        # The next neuron may be loaded a clock after the last operation, while that is added.
        rest, mute = Signal(16, reset_less=True), Signal(reset_less=True)
        with m.If(final_2):
            m.d.sync += [rest.eq(refractory), mute.eq(silent)]

        # Stage 4.
        resting = rest.any()
        threshold = population.threshold + Mux(population.adaptive, new[1], 0)
        wants, resting_5, mute_5 = (
            Signal(name=name, reset_less=True) for name in ("wanting", "resting", "mute_5")
        )
        opened, shifted = Signal(reset_less=True), Signal(S16, reset_less=True)
        rest_5 = Signal(16, reset_less=True)
        m.d.sync += [
            wants.eq((new[0] >= threshold) & ~resting & ~mute & self.present),
            resting_5.eq(resting),
            mute_5.eq(mute),
            rest_5.eq(rest - resting),
            opened.eq((gated >= population.lower) & (gated < population.upper)),
            shifted.eq(modulating >> population.word_shift),
        ]

        # Stage 5.
        spike = Signal()
        m.d.comb += [self.wants.eq(wants), spike.eq(wants & ~self.blocked)]
        for number, state in enumerate(new):
            m.d.sync += self.neuron_o[f"x{number}"].eq(self._reset(m, number, state, spike, resting_5))
        m.d.sync += [
            self.neuron_o.refractory.eq(Mux(spike, population.refractory, rest_5)),
            self.neuron_o.silent.eq(mute_5),
            self.spike_o.eq(spike),
            self.word_o.eq(Mux(mute_5, 0, self._word(opened, shifted))),
        ]
        with m.If(self.idle):
            m.d.sync += [self.spike_o.eq(0), self.word_o.eq(0)]
        return m

    def _reset(self, m: Module, number: int, state: Value, spike: Value, resting: Value) -> Value:
        """Return a state after what a spike, or the rest after one, does to it.

        It is a sum of the state, or 0, and of the value, or 0.
        """
        value, mode = self.population[f"reset{number}"], self.population[f"mode{number}"]
        changes = ~self.kept[number]
        sets, adds, raises = (changes & (mode == RESET_MODES.index(name)) for name in ("set", "add", "max"))
        replaced, added = Signal(name=f"replaced{number}"), Signal(name=f"added{number}")
        m.d.comb += replaced.eq(spike & (sets | (raises & (state < value))))
        if number == 0:
            with m.If(resting & self.population.hold & changes):
                m.d.comb += replaced.eq(1)
        m.d.comb += added.eq(replaced | (spike & adds))
        return saturated_sum(
            (state.as_unsigned() & (~replaced).replicate(16)).as_signed(),
            (value.as_unsigned() & added.replicate(16)).as_signed(),
        )

    def _word(self, opened: Value, shifted: Value) -> Value:
        """Return the plasticity word."""
        population = self.population
        below = population.term == TERMS.index("below")
        offset = Mux(below, population.offset, 0)
        base = Mux(opened, population.inside + offset, population.outside + offset)
        has_term = (population.term == TERMS.index("state")) | below
        has_term |= (population.term == TERMS.index("gated")) & opened
        term = (shifted.as_unsigned() & has_term.replicate(16)) ^ below.replicate(16)
        return saturated(sum_with_carry(base, term.as_signed(), below), 16)
