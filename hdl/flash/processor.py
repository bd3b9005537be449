# SPDX-License-Identifier: BSD-2-Clause
"""A processor of eight bits, for what is to be small and may take its time: two clocks an instruction."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from erbium.hdl.flash.instructions import (
    ADDRESS_BITS,
    NEAR,
    OPERAND_BITS,
    PORT_BIT,
    QUIET_BIT,
    WORD_BITS,
    Jump,
    Mode,
    Operation,
)
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.synapse_memory import SPRAM_DEPTH, spram_block
from erbium.sw_model.network import SPRAM_WIDTH


class Processor(wiring.Component):
    """Carries out a program (:mod:`erbium.hdl.flash.instructions`).

    Parameters
    ----------
    program : sequence of int
        Instructions of 16 bits, up to 1,024; the first one is carried out after a reset.
    octets : int
        Bytes of its memory, up to 2,048.
    contents : sequence of int
        What the first bytes of the memory hold after configuration, up to 512. A reset leaves all of it as it is.
    spram : bool
        Whether the bytes from 512 on lie in the SPRAM of an iCE40 UltraPlus.

    Members
    -------
    port : Out(8)
        Which port is read or written.
    near : Out(4)
        The lowest bits of the second index.
    read : Out(1), read_data : In(8)
        It is read.
    write : Out(1), write_data : Out(8)
        It is written.
    ready : In(1)
        The port gives or takes the byte in this clock. Until then the processor stands still.

    Notes
    -----
    Two clocks per instruction: in the first one the memory is read, and where a jump leads is known; in the second one
    the instruction takes effect while the next one is read.
    """

    def __init__(
        self, program: Sequence[int], octets: int, contents: Sequence[int] = (), *, spram: bool = False
    ) -> None:
        most = 1 << OPERAND_BITS
        if not 1 <= len(program) <= most:
            raise ValueError(f"the program has {len(program)} instructions; it must be 1 ... {most}")
        if len(contents) > NEAR:
            raise ValueError(f"there are {len(contents)} bytes of contents; there may be {NEAR}")
        if not max(len(contents), 1) <= octets <= 1 << ADDRESS_BITS:
            raise ValueError(
                f"octets is {octets}; it must be {max(len(contents), 1)} ... {1 << ADDRESS_BITS}"
            )
        self._program, self._octets, self._contents = list(program), octets, list(contents)
        self._spram = spram and octets > NEAR
        super().__init__(
            {
                "port": Out(8),
                "near": Out(4),
                "read": Out(1),
                "read_data": In(8),
                "write": Out(1),
                "write_data": Out(8),
                "ready": In(1),
            }
        )

    def _store(self, m: Module, address: Value, reads: Value, writes: Value, value: Value) -> Value:
        """Make the memory; return what was read, a clock after its address, which stays until then."""
        octets = min(self._octets, NEAR) if self._spram else self._octets
        m.submodules.memory = store = memory.Memory(
            shape=8, depth=max(octets, 2), init=self._contents, attrs=COLLISION_FREE
        )
        load, keep = store.read_port(), store.write_port()
        far = address[-1] | address[-2] if self._spram else Const(0, 1)
        m.d.comb += [
            load.addr.eq(address),
            load.en.eq(reads),
            keep.addr.eq(address),
            keep.data.eq(value),
            keep.en.eq(writes & ~far),
        ]
        if not self._spram:
            return load.data
        output = Signal(SPRAM_WIDTH, name="far_output")
        m.submodules.far = spram_block(
            Cat(address, Const(0, SPRAM_DEPTH.bit_length()))[: SPRAM_DEPTH.bit_length() - 1],
            reads & far,
            writes & far,
            value,
            output,
        )
        return Mux(far, output[:8], load.data)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        code_bits = max(ceil_log2(len(self._program)), 1)
        m.submodules.program = program = memory.Memory(
            shape=WORD_BITS, depth=1 << code_bits, init=self._program
        )
        fetch = program.read_port()

        executes, runs = Signal(), Signal()  # the second clock of an instruction; there is one
        accumulator, carry = Signal(8), Signal()
        first, second = (Signal(ADDRESS_BITS, name=name) for name in ("first", "second"))
        loaded = Signal(8)
        place, above, below = (Signal(code_bits, name=name) for name in ("place", "above", "below"))
        operand, mode = fetch.data[:OPERAND_BITS], fetch.data[OPERAND_BITS : OPERAND_BITS + 2]
        operation = fetch.data[OPERAND_BITS + 2 :]

        def does(which: Operation) -> Signal:
            found = Signal(name=f"does_{which.name.lower()}")
            m.d.comb += found.eq(operation == which)
            return found

        # What is worked on.
        immediate = Signal()
        of_port = Signal()
        computes = ~operation[3]
        is_sum, inverts = operation[2], operation[2] & operation[1]
        other, worked = Signal(8), Signal(8)
        m.d.comb += [
            immediate.eq(mode == Mode.CONSTANT),
            of_port.eq(immediate & operand[PORT_BIT]),
            other.eq(Mux(of_port, self.read_data, operand[:8])),
            worked.eq(Mux(immediate, other, loaded) ^ inverts.replicate(8)),
        ]
        logic, total = Signal(8), Signal(9)
        with m.Switch(operation[:2]):
            with m.Case(Operation.LOAD):
                m.d.comb += logic.eq(worked)
            with m.Case(Operation.AND):
                m.d.comb += logic.eq(accumulator & worked)
            with m.Case(Operation.XOR):
                m.d.comb += logic.eq(accumulator ^ worked)
            with m.Case(Operation.OR):
                m.d.comb += logic.eq(accumulator | worked)
        # Without the carry of before: that of a difference begins with 1.
        begins = Mux(operation[0], carry, operation[1])
        m.d.comb += total.eq(accumulator + worked + begins)

        # When it takes effect.
        stands, acts = Signal(), Signal()
        stores = does(Operation.STORE)
        m.d.comb += [
            self.port.eq(operand[:8]),
            self.read.eq(executes & runs & computes & of_port),
            self.write.eq(executes & runs & does(Operation.PORT)),
            self.write_data.eq(accumulator),
            stands.eq((self.read | self.write) & ~self.ready),
            acts.eq(executes & runs & ~stands),
        ]
        m.d.sync += executes.eq(~executes | stands)
        with m.If(executes):
            m.d.sync += runs.eq(1)
        with m.If(acts & computes):
            m.d.sync += accumulator.eq(Mux(is_sum, total[:8], logic))
            with m.If(is_sum & ~(immediate & operand[QUIET_BIT])):
                m.d.sync += carry.eq(total[8])
        address = Signal(ADDRESS_BITS)
        m.d.comb += [
            address.eq(Mux(mode[1], Mux(mode[0], second, first), operand)),
            loaded.eq(self._store(m, address, ~executes, acts & stores, accumulator)),
            self.near.eq(second),
        ]
        points, aims = acts & does(Operation.POINT), acts & does(Operation.AIM)
        # Both indices move on by one adder: the address is that of the one that does.
        moved = Signal(ADDRESS_BITS)
        m.d.comb += moved.eq(Mux(operation[3] & ~stores, Cat(operand, Const(0, 1)), address + 1))
        with m.If(points & mode[0] | acts & (mode == Mode.NEXT) & (computes | stores)):
            m.d.sync += first.eq(moved)
        with m.If(points & mode[1] | aims | acts & (mode == Mode.HERE) & stores):
            m.d.sync += second.eq(moved)
        with m.If(aims):
            m.d.sync += second[:8].eq(accumulator)

        # Where it goes on.
        is_zero, holds = ~accumulator.any(), Signal()
        m.d.comb += holds.eq(Mux(mode[1], carry, is_zero) ^ mode[0])
        leads = does(Operation.JUMP)
        jumps = leads | does(Operation.BRANCH) & holds
        following = Signal(code_bits)
        m.d.comb += following.eq(place + 1)
        with m.If(~executes & runs):
            m.d.sync += place.eq(Mux(jumps, operand[:code_bits], following))
            with m.If(leads & (mode == Jump.CALL)):
                m.d.sync += [above.eq(following), below.eq(above)]
            with m.If(leads & (mode == Jump.RETURN)):
                m.d.sync += [place.eq(above), above.eq(below)]
        m.d.comb += [fetch.addr.eq(place), fetch.en.eq(executes & ~stands)]
        return m
