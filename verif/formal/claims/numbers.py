# SPDX-License-Identifier: BSD-2-Clause
"""Random numbers: the generators, their jump ahead, the noise, and the bytes that a word shares."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Signal, Value
from amaranth.hdl._ast import Concat, Operator, Slice

from erbium.hdl.rng import Generator, NoiseBank, jumped, mixed_byte
from erbium.verif.formal.claim import Claim
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault

SALT = 0x9E3779B9
NOISE_LANES, NOISE_NEURONS = 3, 5


def drawn(x: Value) -> Value:
    """Return the draw after x, as the contract writes it: only XOR with shifted copies, zeros coming in."""
    x = x ^ Cat(Const(0, 13), x[:19])
    x = x ^ Cat(x[17:], Const(0, 17))
    return x ^ Cat(Const(0, 5), x[:27])


def begun(seed: Value, salt: int) -> Value:
    """Return the state with which a stream begins a sample: seed + salt modulo 2^32, or salt if that is 0."""
    return Mux((seed + salt)[:32] == 0, salt, (seed + salt)[:32])


def generator() -> Claim:
    """Say what each clock does to the number."""
    claim = Claim()
    part = claim.component(Generator(SALT))
    expected = claim.register(32, "expected")
    loaded = claim.register(1, "loaded")
    with claim.m.If(part.load):
        claim.m.d.sync += [expected.eq(begun(part.seed, SALT)), loaded.eq(1)]
    with claim.m.Elif(part.advance):
        claim.m.d.sync += expected.eq(drawn(expected))
    claim.holds(~loaded | (part.value == expected))
    # Never 0: then it would stay there.
    claim.holds(~loaded | (part.value != 0))
    claim.reached(loaded & (part.value == SALT))
    return claim


def is_linear(value: Value) -> bool:
    """Return whether a value is made only of the bits of one signal, zeros and XOR."""
    if isinstance(value, Const):
        return bool(value.value == 0)
    if isinstance(value, Slice):
        return is_linear(value.value)
    if isinstance(value, Concat):
        return all(is_linear(part) for part in value.parts)
    if isinstance(value, Operator):
        return value.operator in ("^", "r^") and all(is_linear(one) for one in value.operands)
    return isinstance(value, Signal)


def jump() -> Claim:
    """Compare a jump with so many draws on each state of a single bit: both are linear, so that is enough.

    A solver that knows no Gaussian elimination does not come to an end with two XORs of twenty bits in two orders.
    """
    claim = Claim()
    bit = claim.free(range(32), "bit")
    state = claim.named((Const(1, 32) << bit)[:32], "state")
    value: Value = state
    for steps in range(1, 17):
        value = drawn(claim.named(value, f"before_{steps}"))
        assert is_linear(value)
        assert is_linear(jumped(state, steps))
        claim.holds(jumped(state, steps) == value)
    claim.reached(bit == 31)
    return claim


def noise() -> Claim:
    """Say what each lane's state does, jumps being so many draws, and what its noise is."""
    claim = Claim()
    part = claim.component(NoiseBank(SALT, NOISE_LANES, NOISE_NEURONS))
    start = claim.named(begun(part.seed, SALT), "start_of_stream")
    rest = NOISE_NEURONS - NOISE_LANES
    after_reset = claim.past(1)
    for lane in range(NOISE_LANES):
        state = part[f"state_{lane}"]
        # Neuron n takes draw n + 1; a sweep has as many draws as there are neurons.
        stepped = Mux(part.last, jumped(state, rest), jumped(state, NOISE_LANES))
        expected = Mux(part.load, jumped(start, lane + 1), Mux(part.advance, stepped, state))
        claim.holds(~after_reset | (state == claim.past(expected)))
        total = state[0:8] + state[8:16] + state[16:24] + state[24:32] - 510
        claim.holds(part.noise.word_select(lane, 11).as_signed() == total)
    claim.reached(part.load & (start == SALT))
    claim.reached(part.last & part.advance & ~part.load)
    return claim


def mixing() -> Claim:
    """Compare the byte of a neuron with the contract's formula."""
    claim = Claim()
    r, c = claim.free(32, "r"), claim.free(16, "c")
    claim.holds(mixed_byte(r, c) == (((((r & 0xFFFF) ^ c) + (r >> 16)) >> 8) & 0xFF))
    claim.reached(mixed_byte(r, c) == 255)
    return claim


PROOFS = (
    Proof(
        "Generator",
        "one-salt",
        generator,
        "after a load the number is seed + salt, or salt if that is 0; a draw is x ⊕ (x ≪ 13), ⊕ (x ≫ 17), ⊕ "
        "(x ≪ 5); it is never 0, and stays if nothing is drawn",
        "induction",
        Fault("rng", "state ^ (state >> 17)", "state ^ (state >> 16)"),
        "the seed whose sum with the salt is 0",
        source="contract, Random numbers",
    ),
    Proof(
        "rng",
        "jump",
        jump,
        "a jump of 1 … 16 draws, made of XOR trees, is so many draws, from each state: both sides are linear, which is "
        "checked of their expressions, and equal on the 32 states of one bit",
        "all inputs",
        Fault("rng", "if columns[bit] >> row & 1]", "if columns[bit] >> row & 1 and bit != row + 17]"),
        "the highest bit",
        source="contract, Random numbers",
    ),
    Proof(
        "NoiseBank",
        "3-lanes-5-neurons",
        noise,
        "each neuron has the sum of the four bytes of a draw of its own minus 510, neurons ascending, over any "
        "number of sweeps and loads; that a jump is so many draws is proved by itself",
        "induction",
        Fault("rng", "Mux(self.last, jumped(state, self._rest)", "Mux(self.last, jumped(state, self._lanes)"),
        "a load, and the end of a sweep",
        source="contract, Random numbers: membrane noise",
    ),
    Proof(
        "rng",
        "mixing",
        mixing,
        "the byte of a neuron is ((((r & 0xffff) ^ c) + (r >> 16)) >> 8) & 0xff, for every draw and constant",
        "all inputs",
        Fault("rng", "+ draw[16:32])[8:16]", "+ draw[16:32])[7:15]"),
        "the largest byte",
        source="contract, Random numbers: Mixing",
    ),
)
