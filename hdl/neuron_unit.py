# SPDX-License-Identifier: BSD-2-Clause
"""The neuron program, unrolled into logic: one word of neurons per clock."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.bounds import at_least, clamped
from erbium.hdl.fixed import delayed, extended, reversed_bits, saturated_sum, total_of
from erbium.hdl.plasticity import plasticity_word, word_range
from erbium.sw_model.programs import FRACTION_BITS, STATE_MAX, STATE_MIN, NeuronProgram, Operation

PORT_WIDTH = 16
NOISE_WIDTH = 11
LATENCY = 3


def sweep_latency(*, short: bool) -> int:
    """Return the clocks of a :class:`NeuronUnit`."""
    return LATENCY - short


def signed_width(low: int, high: int) -> int:
    """Return the bits of a signed number that holds ``low ... high``."""
    return max(bits_for(low, require_sign_bit=True), bits_for(high, require_sign_bit=True))


def state_range(program: NeuronProgram, state: int) -> tuple[int, int]:
    """Return the smallest and largest value that a state can hold between two ticks."""
    low, high = program.lower[state], program.upper[state]
    mode, value = program.reset_mode[state], program.reset_value[state]
    if mode == "add":
        low, high = min(low, max(low + value, STATE_MIN)), max(high, min(high + value, STATE_MAX))
    elif mode != "none":
        low, high = min(low, value), max(high, value)
    return low, high


def plasticity_word_width(program: NeuronProgram, rule: object) -> int:
    """Return the bits of the plasticity word that a sweep forms; 1 if it forms none."""
    return 1 if rule is None else signed_width(*word_range(rule, program))


class NeuronLayout(data.StructLayout):
    """What is stored of one neuron: its states, as narrow as their ranges allow, and its refractory counter."""

    def __init__(self, program: NeuronProgram) -> None:
        members = {
            f"x{state}": Shape(signed_width(*state_range(program, state)), signed=True)
            for state in range(program.n_states)
        }
        if program.refractory:
            members["refractory"] = Shape(bits_for(program.refractory))
        super().__init__(members)


class NeuronUnit(wiring.Component):
    """Runs one tick of a neuron program on `lanes` neurons at once.

    Formula: :mod:`erbium.sw_model.programs`. Only as many fractional bits are built as the largest shift
    into a state needs: the bits below are zero in every sum, so they cannot carry.

    Parameters
    ----------
    program : NeuronProgram
    rule : ThreeFactorRule or None
        One that forms its plasticity word here (:mod:`erbium.hdl.plasticity`); without one it is 0.
    lanes : int
    port_widths : sequence of int
        Bits of each port, at most 16: a port whose range is known to be smaller may be narrower.
    short : bool
        Clip within the same clock as threshold, gate and reset.

    Members
    -------
    valid : In(1)
        A word is there.
    neurons : In(lanes x NeuronLayout)
        Stored states.
    begin : In(1)
        First tick of a sample: take the initial states instead of the stored ones.
    ports : In
        Port p of lane l, signed, all of port 0 first.
    noise : In(11 * lanes)
    dither : In(8)
        Low 8 bits of the tick number.
    silent : In(lanes)
        Lanes that neither spike nor learn.
    learn : In(1)
    valid_o, neurons_o, spikes_o, words_o : Out
        The same word `latency` clocks later: new states, spikes, plasticity words (`word_width` bits each).

    Attributes
    ----------
    latency : int
        3 clocks: sums and dither; clip; threshold, gate and reset. Two if `short`.

    Notes
    -----
    One word per clock, no stall.
    """

    def __init__(
        self,
        program: NeuronProgram,
        rule: object,
        lanes: int,
        port_widths: Sequence[int],
        *,
        short: bool = False,
    ) -> None:
        self.latency = sweep_latency(short=short)
        self.rule, self.program, self.lanes, self.port_widths = rule, program, lanes, tuple(port_widths)
        self.layout = NeuronLayout(program)
        self.word_width = plasticity_word_width(program, rule)
        super().__init__(
            {
                "valid": In(1),
                "neurons": In(data.ArrayLayout(self.layout, lanes)),
                "begin": In(1),
                "ports": In(lanes * sum(self.port_widths)),
                "noise": In(NOISE_WIDTH * lanes),
                "dither": In(8),
                "silent": In(lanes),
                "learn": In(1),
                "valid_o": Out(1),
                "neurons_o": Out(data.ArrayLayout(self.layout, lanes)),
                "spikes_o": Out(lanes),
                "words_o": Out(lanes * self.word_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valids = [self.valid]
        for stage in range(self.latency):
            valids.append(delayed(m, valids[-1], 1, f"valid_{stage}"))
        m.d.comb += self.valid_o.eq(valids[-1])
        learn = delayed(m, self.learn, self.latency - 1, "learn", cleared=False)
        silent = delayed(m, self.silent, self.latency - 1, "silent", cleared=False)
        spikes = Signal(self.lanes, reset_less=True)
        neurons = Signal.like(self.neurons_o, name="neurons_after", reset_less=True)
        words = Signal(len(self.words_o), reset_less=True)
        m.d.comb += [self.spikes_o.eq(spikes), self.neurons_o.eq(neurons), self.words_o.eq(words)]
        for lane in range(self.lanes):
            word = words.word_select(lane, self.word_width)
            self._lane(m, lane, valids, learn, silent[lane], spikes[lane], neurons[lane], word)
        return m

    def _port(self, lane: int, port: int) -> Value:
        start = self.lanes * sum(self.port_widths[:port]) + lane * self.port_widths[port]
        return self.ports[start : start + self.port_widths[port]].as_signed()

    def _source(self, lane: int, operation: Operation, states: Sequence[Value]) -> Value:
        if operation.kind == "state":
            return states[operation.index]
        if operation.kind == "port":
            return self._port(lane, operation.index)
        return self.noise.word_select(lane, NOISE_WIDTH).as_signed()

    def _lane(
        self,
        m: Module,
        lane: int,
        valids: Sequence[Value],
        learn: Value,
        silent: Value,
        spikes: Value,
        after: data.View,
        word: Value,
    ) -> None:
        program, stored = self.program, self.neurons[lane]
        # Expressions, not signals: what only an enabled register uses costs a simulation nothing while idle.
        states = [
            Mux(self.begin, Const(program.initial[state], stored[f"x{state}"].shape()), stored[f"x{state}"])
            for state in range(program.n_states)
        ]
        clipped = []
        for state in range(program.n_states):
            total, fraction = self._sum(lane, state, states)
            y = Signal(total.shape(), name=f"y{state}_{lane}", reset_less=True)
            with m.If(valids[0]):
                m.d.sync += y.eq(total)
            low, high = program.lower[state], program.upper[state]
            x = Signal(Shape(signed_width(low, high), signed=True), name=f"x{state}_{lane}", reset_less=True)
            within = clamped(y.shift_right(fraction), low, high)
            if self.latency == 2:
                m.d.comb += x.eq(within)
            else:
                with m.If(valids[1]):
                    m.d.sync += x.eq(within)
            clipped.append(x)

        rest: Value = Const(0)
        if program.refractory:
            rest = Mux(self.begin, 0, stored.refractory)
            rest = delayed(m, rest, self.latency - 1, f"rest_{lane}", cleared=False)
        resting = rest.any()
        reaches = at_least(clipped[0], program.threshold)
        if program.adaptive:
            reaches = clipped[0] >= program.threshold + clipped[1]
        spike = reaches & ~resting & ~silent
        with m.If(valids[-2]):
            m.d.sync += spikes.eq(spike)
            for state, x in enumerate(clipped):
                m.d.sync += after[f"x{state}"].eq(self._after(state, x, spike, resting))
            if program.refractory:
                m.d.sync += after.refractory.eq(Mux(spike, program.refractory, Mux(resting, rest - 1, 0)))
            if self.rule is not None:
                m.d.sync += word.eq(Mux(learn & ~silent, plasticity_word(self.rule, clipped), 0))

    def _sum(self, lane: int, state: int, states: Sequence[Value]) -> tuple[Value, int]:
        """Return sum and dither of one state with as many fractional bits as its shifts need, and their number."""
        operations = [op for op in self.program.operations if op.destination == state]
        fraction = min(FRACTION_BITS, max((op.shift for op in operations), default=0))
        # The state has no fraction, so the dither lies below it, and need not be added.
        dither = reversed_bits(self.dither)[FRACTION_BITS - fraction :]
        terms: list[Value] = [Cat(dither[:fraction], states[state]).as_signed()]
        if self.program.bias[state]:
            terms.append(Const(self.program.bias[state] << fraction))
        for operation in operations:
            source = self._source(lane, operation, states)
            up = fraction - operation.shift
            term = source.shift_left(up) if up >= 0 else source.shift_right(-up)
            terms.append(term if operation.sign > 0 else -term)
        return total_of(terms), fraction

    def _after(self, state: int, x: Value, spike: Value, resting: Value) -> Value:
        """Return a state after the reset that a spike brings, or the hold of a resting neuron."""
        program = self.program
        mode, value = program.reset_mode[state], program.reset_value[state]
        if mode == "none":
            return x
        if mode == "set":
            hold = resting if program.hold and state == 0 else Const(0)
            return Mux(spike | hold, value, x)
        if mode == "max":
            return Mux(spike & (x < value), value, x)
        total = x + Const(value)
        if not STATE_MIN <= program.lower[state] + value <= program.upper[state] + value <= STATE_MAX:
            total = saturated_sum(extended(x, 16).as_signed(), Const(value, Shape(16, signed=True)))
        return Mux(spike, total, x)
