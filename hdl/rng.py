# SPDX-License-Identifier: BSD-2-Clause
"""Random numbers on the chip: xorshift32 generators and what is derived from a shared draw."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

NOISE_OFFSET = 510


def xorshift32(state: Value) -> Value:
    """Return the expression of the state after one draw (Marsaglia 2003, triple 13, 17, 5)."""
    state = state ^ (state << 13)[:32]
    state = state ^ (state >> 17)
    return (state ^ (state << 5)[:32])[:32]


def seeded(seed: Value, salt: Value) -> Value:
    """Return the state with which a stream of 32-bit `salt` starts a sample of 32-bit `seed`."""
    total = (seed + salt)[:32]
    return Mux(total == 0, salt, total)


def noise_of(draw: Value) -> Value:
    """Return the membrane noise of a draw, 11 bits signed: the sum of its four bytes minus 510."""
    return sum((draw.word_select(byte, 8) for byte in range(4)), Const(0)) - NOISE_OFFSET


class Generator(wiring.Component):
    """One stream of random numbers.

    Parameters
    ----------
    salt : int
        Constant of the stream.
    early_seed : bool
        The seed is there a clock before `load`: that shortens the path from it.

    Members
    -------
    seed : In(32), load : In(1)
        Restart from the seed of a sample; takes precedence over `advance`.
    advance : In(1)
        Draw: `value` is the new number from the next clock on.
    value : Out(32)
        The number drawn last.

    Notes
    -----
    Latency one clock, one draw per clock.
    """

    def __init__(self, salt: int, *, early_seed: bool = False) -> None:
        self._salt, self._early_seed = salt, early_seed
        super().__init__({"seed": In(32), "load": In(1), "advance": In(1), "value": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total, is_zero = Signal(32, reset_less=True), Signal(reset_less=True)
        home = m.d.sync if self._early_seed else m.d.comb
        home += [
            total.eq(self.seed + Const(self._salt, 32)),
            is_zero.eq(self.seed == -self._salt % (1 << 32)),
        ]
        state = Signal(32, reset_less=True)
        m.d.comb += self.value.eq(state)
        with m.If(self.load):
            m.d.sync += state.eq(total)
        with m.Elif(self.advance):
            m.d.sync += state.eq(xorshift32(state))
        # Where the sum is 0 the salt takes its place: a synthesis makes this the set inputs of flip-flops.
        with m.If(self.load & is_zero):
            for bit in range(32):
                if self._salt >> bit & 1:
                    m.d.sync += state[bit].eq(1)
        return m


def mixed_byte(draw: Value, constant: Value) -> Value:
    """Derive the byte of one neuron from a shared draw and the neuron's 16-bit constant."""
    return ((draw[:16] ^ constant) + draw[16:32])[8:16]


def _matrix_power(steps: int) -> list[int]:
    """Return the columns of the linear map of `steps` draws: entry b is the state that bit b alone becomes."""
    columns = []
    for bit in range(32):
        state = 1 << bit
        for _ in range(steps):
            state ^= (state << 13) & 0xFFFF_FFFF
            state ^= state >> 17
            state ^= (state << 5) & 0xFFFF_FFFF
        columns.append(state)
    return columns


def jumped(state: Value, steps: int) -> Value:
    """Return the expression of the state after `steps` draws, as one level of XOR trees."""
    columns = _matrix_power(steps)
    bits = []
    for row in range(32):
        taps: Sequence[Value] = [state[bit] for bit in range(32) if columns[bit] >> row & 1]
        bits.append(Cat(taps).xor())
    return Cat(bits)


class NoiseBank(wiring.Component):
    """Membrane noise: one xorshift32 draw per neuron, a word of neurons per clock.

    xorshift is linear over GF(2), so lane l holds the state jumped l + 1 draws ahead and all lanes jump
    together; the numbers do not depend on the lane count.

    Parameters
    ----------
    salt : int
    lanes : int
        Neurons of a word.
    n_neurons : int
        Neurons of the population; the last word may be partly filled.

    Members
    -------
    seed : In(32), load : In(1)
        Restart for a sample.
    advance : In(1), last : In(1)
        Go to the next word; `last` when the present word is the last of the population.
    noise : Out, per lane
        Sum of the four bytes of the draw minus 510, 11 bits signed each, lane 0 lowest.
    """

    def __init__(self, salt: int, lanes: int, n_neurons: int) -> None:
        self._salt, self._lanes = salt, lanes
        self._rest = n_neurons - (n_neurons - 1) // lanes * lanes
        super().__init__(
            {"seed": In(32), "load": In(1), "advance": In(1), "last": In(1), "noise": Out(11 * lanes)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        start = Signal(32)
        m.d.comb += start.eq(seeded(self.seed, Const(self._salt, 32)))
        for lane in range(self._lanes):
            state = Signal(32, name=f"state_{lane}")
            with m.If(self.load):
                m.d.sync += state.eq(jumped(start, lane + 1))
            with m.Elif(self.advance):
                m.d.sync += state.eq(Mux(self.last, jumped(state, self._rest), jumped(state, self._lanes)))
            m.d.comb += self.noise.word_select(lane, 11).eq(noise_of(state))
        return m
