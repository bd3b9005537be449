# SPDX-License-Identifier: BSD-2-Clause
"""A neuron unit whose program is data: one operation per clock."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import layout_of
from erbium.hdl.fixed import reversed_bits, saturated, saturated_sum, sum_with_carry
from erbium.hdl.groups import COPY
from erbium.hdl.neuron_unit import NOISE_WIDTH
from erbium.sw_model.description.machine import OPERATION, POPULATION, Operand
from erbium.sw_model.programs import FRACTION_BITS, MAX_STATES, RESET_MODES
from erbium.sw_model.rules.history import TERMS

S16, S17 = Shape(16, signed=True), Shape(17, signed=True)

STAGES = 6
"""Clocks from the last operation to the outputs."""


class NeuronPlace(data.StructLayout):
    """What is stored of a neuron between two ticks, in three pieces of 32 bits."""

    def __init__(self) -> None:
        states = {f"x{state}": S16 for state in range(MAX_STATES)}
        super().__init__(states | {"refractory": 16, "silent": 1, "unused": 15})


class ResetModes(data.StructLayout):
    """What a spike does to each state, one bit each: whether it does anything, and if so, what."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(("changes", "sets", "adds", "raises"), MAX_STATES))

    @staticmethod
    def of(population: data.View, kept: Value) -> dict[str, Value]:
        """Return the fields for a population; states that are `kept` do not change."""
        modes = [population[f"mode{state}"] for state in range(MAX_STATES)]
        found = {
            name: Cat(mode == RESET_MODES.index(how) for mode in modes) & ~kept
            for name, how in (("sets", "set"), ("adds", "add"), ("raises", "max"))
        }
        return found | {"changes": ~kept}


class WordTerms(data.StructLayout):
    """The plasticity word of a population: what is added to a term, and whether there is one, and its complement."""

    def __init__(self) -> None:
        super().__init__({"inside": S17, "outside": S17, "always": 1, "gated": 1, "below": 1})

    @staticmethod
    def of(population: data.View) -> dict[str, Value]:
        """Return the fields for a population."""
        below = population.term == TERMS.index("below")
        offset = Mux(below, population.offset, 0)
        return {
            "inside": population.inside + offset,
            "outside": population.outside + offset,
            "always": (population.term == TERMS.index("state")) | below,
            "gated": population.term == TERMS.index("gated"),
            "below": below,
        }


class MicroUnit(wiring.Component):
    """Runs the program of a population on one neuron after the other.

    The operations of a state follow each other, so one accumulator is enough. Stages are counted from an operation:

    ===== ====================================================================================
    stage what happens
    ===== ====================================================================================
    1     the operand is chosen and shifted by fours; a state takes its bias
    2     the rest of the shift; it is added, the first operation of a state to that state
    3     after the last one of a state: dither, saturation, clip
    4     after the last one of all: threshold; the gate of the plasticity word
    5     whether it spikes; the word
    6     resets
    ===== ====================================================================================

    Members
    -------
    population : In(record)
    load : In(1), neuron : In(NeuronPlace), port0, port1 : In(16, signed), noise : In(11, signed)
        Take a neuron: in the clock before its first operation, and after the last operation of the one before.
    operation : In(record), valid : In(1), final : In(1)
        At stage 1.
    dither : In(8)
        Low bits of the tick. As the population, and what is formed of it: at least a clock before the first operation.
    resets : In(ResetModes)
        What a spike does to each state; that no operation changes those that are kept is up to what comes as
        `operation`.
    words : In(WordTerms)
        The plasticity word of the population.
    idle : In(1)
        There is no neuron: word and spike are 0.
    present : In(1)
        At stage 4: there is such a neuron.
    wants : Out(1), blocked : In(1)
        At stage 5: it would spike; it must not.
    neuron_o : Out(NeuronPlace), spike_o : Out(1), word_o : Out(16, signed), has_word : Out(1)
        6 clocks after the last operation; the word, and whether it differs from 0.

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
                "resets": In(ResetModes()),
                "words": In(WordTerms()),
                "idle": In(1),
                "present": In(1),
                "wants": Out(1),
                "blocked": In(1),
                "neuron_o": Out(NeuronPlace()),
                "spike_o": Out(1),
                "word_o": Out(S16),
                "has_word": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # What does not change in a sweep lies beside the unit: each has copies of its own.
        population, resets = (
            Signal.like(each, name=name, attrs=COPY, reset_less=True)
            for each, name in ((self.population, "population_here"), (self.resets, "resets_here"))
        )
        dither = Signal.like(self.dither, name="dither_here", attrs=COPY, reset_less=True)
        m.d.sync += [population.eq(self.population), resets.eq(self.resets), dither.eq(self.dither)]
        operation = self.operation
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
        part = Signal(Shape(16 + FRACTION_BITS, signed=True), reset_less=True)
        start = Signal(S17, reset_less=True)
        m.d.sync += [
            part.eq((operand << FRACTION_BITS) >> (operation.shift & 0b1100)),
            start.eq(Array(x)[operation.destination] + operation.bias),
        ]
        second = Signal(layout_of(OPERATION), reset_less=True)
        valid_2, final_2 = Signal(), Signal()
        m.d.sync += [second.eq(operation), valid_2.eq(self.valid), final_2.eq(self.valid & self.final)]

        # Stage 2. 16 operations of 24 bits, a state and a bias. -x is ~x and a carry of 1.
        total = Signal(Shape(30, signed=True), reset_less=True)
        term = Signal(part.shape())
        m.d.comb += term.eq((part >> second.shift[:2]) ^ second.negative.replicate(len(part)))
        before = Mux(second.first, start << FRACTION_BITS, total)
        with m.If(valid_2):
            m.d.sync += total.eq(sum_with_carry(before, term, second.negative))
        third = Signal(layout_of(OPERATION), reset_less=True)
        last_3 = Signal()
        m.d.sync += [third.eq(second), last_3.eq(valid_2 & second.last)]

        # Stage 3.
        new = [Signal(S16, name=f"new{state}", reset_less=True) for state in range(MAX_STATES)]
        exact = (total + reversed_bits(dither)) >> FRACTION_BITS
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
        spike, mute_6 = Signal(reset_less=True), Signal(reset_less=True)
        word, rest_6 = Signal(S16, reset_less=True), Signal(16, reset_less=True)
        holds = resting_5 & population.hold & resets.changes[0]
        m.d.comb += self.wants.eq(wants)
        m.d.sync += [
            spike.eq(wants & ~self.blocked),
            mute_6.eq(mute_5),
            rest_6.eq(rest_5),
            word.eq(Mux(mute_5, 0, self._word(opened, shifted))),
        ]

        # Stage 6.
        for number, state in enumerate(new):
            m.d.sync += self.neuron_o[f"x{number}"].eq(
                self._reset(
                    m,
                    population[f"reset{number}"],
                    resets,
                    number,
                    state,
                    spike,
                    holds if number == 0 else Const(0),
                )
            )
        m.d.sync += [
            self.neuron_o.refractory.eq(Mux(spike, population.refractory, rest_6)),
            self.neuron_o.silent.eq(mute_6),
            self.spike_o.eq(spike),
            self.word_o.eq(word),
            self.has_word.eq(word.any()),
        ]
        with m.If(self.idle):
            m.d.sync += [self.spike_o.eq(0), self.word_o.eq(0)]
        return m

    def _reset(
        self,
        m: Module,
        value: Value,
        resets: data.View,
        number: int,
        state: Value,
        spike: Value,
        holds: Value,
    ) -> Value:
        """Return at stage 6 a state of stage 5 after what a spike, or the rest after one, does to it.

        It is a sum of the state, or 0, and of the value, or 0.
        """
        old = Signal(S16, name=f"old{number}", reset_less=True)
        replaces, held = Signal(name=f"replaces{number}", reset_less=True), Signal(name=f"held{number}")
        m.d.sync += [
            old.eq(state),
            replaces.eq(resets.sets[number] | (resets.raises[number] & (state < value))),
            held.eq(holds),
        ]
        replaced, added = Signal(name=f"replaced{number}"), Signal(name=f"added{number}")
        m.d.comb += [
            replaced.eq((spike & replaces) | held),
            added.eq(replaced | (spike & resets.adds[number])),
        ]
        return saturated_sum(
            (old.as_unsigned() & (~replaced).replicate(16)).as_signed(),
            (value.as_unsigned() & added.replicate(16)).as_signed(),
        )

    def _word(self, opened: Value, shifted: Value) -> Value:
        """Return the plasticity word."""
        words = self.words
        base = Mux(opened, words.inside, words.outside)
        has_term = words.always | (words.gated & opened)
        term = (shifted.as_unsigned() & has_term.replicate(16)) ^ words.below.replicate(16)
        return saturated(sum_with_carry(base, term.as_signed(), words.below), 16)
