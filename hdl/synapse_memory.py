# SPDX-License-Identifier: BSD-2-Clause
"""The memory of the weights: one contract, and what it is made of on each family of FPGAs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fixed import delayed
from erbium.hdl.groups import COPY
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.weight_words import holds_contents
from erbium.sw_model.network import SPRAM_WIDTH

SPRAM_DEPTH = 1 << 14
"""Words of SPRAM_WIDTH bits of one SB_SPRAM256KA."""

DP16KD_ADDRESS = 14
"""Address bits of a DP16KD; with words of 9 bits the lowest 3 are not used, with words of 18 bits the lowest 4."""

NEAR_BLOCKS = 16
"""Blocks of RAM that one register reaches in time on a large FPGA."""


def ecp5_banks(depth: int) -> list[tuple[int, int]]:
    """Return depth and word width of the banks of block RAM that together are so deep.

    Words of 9 and 18 bits use every bit of a block, the ninth bits as well, so weights of 9 bits cost no more than
    their share.
    """
    banks = []
    while depth > 0:
        banks.append((2048, 9) if depth > 1024 else (1024, 18))
        depth -= 2048
    return banks


def ecp5_blocks(depth: int, width: int) -> int:
    """Return the DP16KD blocks of a memory of so many words of so many bits."""
    return sum(-(-width // columns) for _, columns in ecp5_banks(depth))


def address_copies(depth: int, width: int, kind: str) -> int:
    """Return how many copies of its addresses a memory of so many words of so many bits takes."""
    return -(-ecp5_blocks(depth, width) // NEAR_BLOCKS) if kind == "ecp5" else 1


def keeps_pairs(width: int) -> bool:
    """Whether two words of so many bits go in one of SPRAM."""
    return 2 * width <= SPRAM_WIDTH


def spram_blocks(depth: int, width: int) -> int:
    """Return the SB_SPRAM256KA blocks of a memory of so many words of so many bits."""
    if keeps_pairs(width):
        return -(-depth // (2 * SPRAM_DEPTH))
    return -(-width // SPRAM_WIDTH) * -(-depth // SPRAM_DEPTH)


def spram_block(
    address: Value, reads: Value, writes: Value, data: Value, output: Value, mask: Value | None = None
) -> Instance:
    """Return a block of SPRAM: what is read is there a clock after its address, and stays until the next access.

    `mask` says which fours of the bits of a word are written; default: all.
    """
    return Instance(
        "SB_SPRAM256KA",
        i_ADDRESS=address,
        i_DATAIN=Cat(data, Const(0, SPRAM_WIDTH))[:SPRAM_WIDTH],
        i_MASKWREN=Const(0b1111, 4) if mask is None else mask,
        i_WREN=writes,
        i_CHIPSELECT=reads | writes,
        i_CLOCK=ClockSignal(),
        i_STANDBY=Const(0, 1),
        i_SLEEP=Const(0, 1),
        i_POWEROFF=Const(1, 1),
        o_DATAOUT=output,
    )


class SynapseMemory(wiring.Component):
    """One read and one write of a whole word per clock, never at the same address at once.

    Without `contents` they are unknown after configuration: weights are loaded by the host.

    =========== ======================================================================================
    kind        made of
    =========== ======================================================================================
    ``generic`` whatever the synthesis infers; the output is registered in fabric
    ``ecp5``    DP16KD blocks with their own output registers, in banks of 2,048 words of 9 bits, the
                last of 1,024 words of 18 bits if that is enough; the bank is chosen behind them
    ``spram``   SB_SPRAM256KA blocks, which have one port: a read and a write never come in the same clock
    =========== ======================================================================================

    Words of up to 8 bits lie in SPRAM in pairs, an even address and the odd one behind it. In the clock behind a
    read of an even address only the other word of its pair may be read, which then needs no access: it came along.
    A write to an even address is done a clock later, together with one to the odd address if that comes then, so
    `write_address` stays, or goes on to the odd one, and a read that needs an access must not come.

    With `two_reads` the port of the writes reads a second word in clocks in which nothing is written; SPRAM has no
    such.

    Parameters
    ----------
    depth : int
        Words.
    width : int
        Bits of a word (lanes times weight width).
    latency : int
        Clocks from address to data, 2 or 3; the kinds other than ``generic`` take 3, pairs take 2.
    kind : str
        One of :data:`erbium.sw_model.network.MEMORY_KINDS`.
    contents : sequence of int
        Words that it holds after configuration, from address 0 on. SPRAM can hold none.
    two_reads : bool
        Two words may be read in a clock.

    Raises
    ------
    ValueError
        For contents of SPRAM, and for two reads of it.

    Members
    -------
    read_address : In(copies), read_enable : In(copies), read_data : Out(width)
        What was read last stays until the data of the next read, but of the kind ``ecp5``.
    write_address : In(copies), write_enable : In(copies), write_data : In(width)
        Address and enable come in :func:`address_copies` equal copies, from registers of their own: each reaches the
        blocks of an equal part of a word.
    second_enable : In(copies), second_data : Out(width)
        With `two_reads`: the word at `write_address`, which nothing is written to in that clock.
    collision : Out(1)
        Set for good once a read met a write that it must not meet, which the layer never lets happen.
    """

    def __init__(
        self,
        depth: int,
        width: int,
        latency: int = 2,
        kind: str = "generic",
        contents: Sequence[int] = (),
        *,
        two_reads: bool = False,
    ) -> None:
        if two_reads and kind == "spram":
            raise ValueError("SPRAM has one port; two words cannot be read in a clock")
        if contents and not holds_contents(kind):
            raise ValueError("SPRAM holds no initial contents; load the weights after configuration")
        self._contents = contents
        self.depth, self.latency, self.kind = depth, latency, kind
        self.pairs = kind == "spram" and keeps_pairs(width)
        self.copies, self.two_reads = address_copies(depth, width, kind), two_reads
        address = data.ArrayLayout(range(max(depth, 2)), self.copies)
        second = {"second_enable": In(self.copies), "second_data": Out(width)} if two_reads else {}
        super().__init__(
            second
            | {
                "read_address": In(address),
                "read_enable": In(self.copies),
                "read_data": Out(width),
                "write_address": In(address),
                "write_enable": In(self.copies),
                "write_data": In(width),
                "collision": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._read_address, self._read_enable = self.read_address[0], self.read_enable[0]
        self._write_address, self._write_enable = self.write_address[0], self.write_enable[0]
        if self.kind == "spram":
            reads, writes = self._pairs(m) if self.pairs else self._singles(m)
            met = reads & writes
        else:
            self._ecp5(m) if self.kind == "ecp5" else self._generic(m)
            met = self._read_enable & self._write_enable & (self._read_address == self._write_address)
            if self.two_reads:
                met = met | (self._write_enable & self.second_enable[0])
        with m.If(met):
            m.d.sync += self.collision.eq(1)
        return m

    def _generic(self, m: Module) -> None:
        store = memory.Memory(
            shape=len(self.read_data), depth=self.depth, init=self._contents, attrs=COLLISION_FREE
        )
        m.submodules.memory = store
        write, read = store.write_port(), store.read_port()
        m.d.comb += [
            read.addr.eq(self._read_address),
            read.en.eq(self._read_enable),
            write.addr.eq(self._write_address),
            write.data.eq(self.write_data),
            write.en.eq(self._write_enable),
        ]
        m.d.comb += self.read_data.eq(self._registered(m, read.data, self._read_enable, self.latency - 1))
        if self.two_reads:
            second, enable = store.read_port(), self.second_enable[0]
            m.d.comb += [second.addr.eq(self._write_address), second.en.eq(enable)]
            clocks = self.latency - 1
            m.d.comb += self.second_data.eq(self._registered(m, second.data, enable, clocks, "second_"))

    def _registered(self, m: Module, value: Value, valid: Value, clocks: int, prefix: str = "") -> Value:
        """Return the data behind so many registers, each with an enable.

        The enables keep idle registers still, which saves power on the chip and time in simulation.
        """
        for stage in range(clocks):
            valid = delayed(m, valid, 1, f"{prefix}valid_{stage}")
            held = Signal(len(value), name=f"{prefix}data_{stage}", reset_less=True)
            with m.If(valid):
                m.d.sync += held.eq(value)
            value = held
        return value

    def _ecp5(self, m: Module) -> None:
        width, low = len(self.read_data), min(11, len(self._read_address))
        banks = ecp5_banks(self.depth)
        outputs: list[Value] = []
        seconds: list[Value] = []
        for bank, (bank_depth, columns) in enumerate(banks):
            parts, second_parts = [], []
            held = self._contents[2048 * bank : 2048 * bank + bank_depth]
            for start in range(0, width, columns):
                # A copy reaches the blocks of its lanes in all banks: those will lie together.
                near = start * self.copies // width
                write, address = self.write_enable[near], self.write_address[near]
                if len(banks) > 1:
                    write = write & (address[low:] == bank)
                part = self.write_data[start : start + columns]
                output = Signal(columns, name=f"output_{bank}_{start}")
                second = Signal(columns, name=f"second_{bank}_{start}") if self.two_reads else None
                m.submodules[f"block_{bank}_{start // columns}"] = _dp16kd(
                    columns,
                    self.read_address[near][:low],
                    self.read_enable[near],
                    output,
                    address[:low],
                    write,
                    part,
                    [word >> start & (1 << columns) - 1 for word in held],
                    second,
                )
                parts.append(output[: len(part)])
                if second is not None:
                    second_parts.append(second[: len(part)])
            outputs.append(Cat(*parts))
            seconds.append(Cat(*second_parts))
        ports = [(self.read_data, outputs, self._read_address, "")]
        if self.two_reads:
            ports.append((self.second_data, seconds, self._write_address, "second_"))
        for port, read, address, prefix in ports:
            word = self._of_bank(m, read, address[low:], prefix)
            m.d.comb += port.eq(delayed(m, word, 1, f"{prefix}word", cleared=False))

    def _of_bank(self, m: Module, outputs: list[Value], number: Value, prefix: str) -> Value:
        """Return the output of the bank whose number was part of the address two clocks ago."""
        if len(outputs) == 1:
            return outputs[0]
        width = len(self.read_data)
        before = delayed(m, number, 1, f"{prefix}bank", cleared=False)
        value = Signal(width, name=f"{prefix}chosen")
        part = -(-width // self.copies)
        for start in range(0, width, part):
            # As many copies of the bank's number as of the addresses.
            chosen = Signal.like(
                before, name=f"{prefix}bank_of_{start}", attrs=COPY if self.copies > 1 else {}
            )
            m.d.sync += chosen.eq(before)
            with m.Switch(chosen):
                for bank, output in enumerate(outputs[:-1]):
                    with m.Case(bank):
                        m.d.comb += value[start : start + part].eq(output[start : start + part])
                with m.Default():
                    m.d.comb += value[start : start + part].eq(outputs[-1][start : start + part])
        return value

    def _singles(self, m: Module) -> tuple[Value, Value]:
        """Make SPRAM of whole words; return when it is read and written."""
        address = Mux(self._write_enable, self._write_address, self._read_address)
        read = self._spram(
            m, address, self._read_enable, self._write_enable, self.write_data, Const(0b1111, 4)
        )
        # The second register costs cells and no time: the lanes need the data three clocks behind the address.
        m.d.comb += self.read_data.eq(self._registered(m, read, self._read_enable, self.latency - 1))
        return self._read_enable, self._write_enable

    def _pairs(self, m: Module) -> tuple[Value, Value]:
        """Make SPRAM of pairs of words; return when it is read and written."""
        width, odd = len(self.read_data), self._read_address[0]
        fetches, stores, waits = Signal(), Signal(), Signal()
        came = delayed(m, self._read_enable & ~odd, 1, "even_came")
        first = Signal(width, reset_less=True)
        m.d.sync += waits.eq(self._write_enable & ~self._write_address[0])
        with m.If(~self._write_address[0]):
            m.d.sync += first.eq(self.write_data)
        second = self._write_enable & self._write_address[0]
        m.d.comb += [fetches.eq(self._read_enable & ~(odd & came)), stores.eq(waits | second)]
        address = Mux(stores, self._write_address[1:], self._read_address[1:])
        half = SPRAM_WIDTH // 2
        data = Cat(first, Const(0, half - width), self.write_data)
        mask = Cat(waits.replicate(2), second.replicate(2))
        read = self._spram(m, address, fetches, stores, data, mask)
        pair = self._registered(m, read, fetches, 1)
        shown = delayed(m, odd, 2, "odd", cleared=False)
        m.d.comb += self.read_data.eq(Mux(shown, pair[half:], pair))
        return fetches, stores

    def _spram(
        self, m: Module, address: Value, reads: Value, writes: Value, data: Value, mask: Value
    ) -> Value:
        """Make the blocks; return what is read, in the clock behind its address."""
        at = Signal(max(len(address), SPRAM_DEPTH.bit_length()))
        m.d.comb += at.eq(address)
        address, high = at[: SPRAM_DEPTH.bit_length() - 1], at[SPRAM_DEPTH.bit_length() - 1 :]
        outputs = []
        banks = -(-self.depth // ((1 + self.pairs) * SPRAM_DEPTH))
        for number in range(banks):
            output = Signal(-(-len(data) // SPRAM_WIDTH) * SPRAM_WIDTH, name=f"output_{number}")
            for place, start in enumerate(range(0, len(data), SPRAM_WIDTH)):
                here = high == number
                m.submodules[f"block_{number}_{place}"] = spram_block(
                    address,
                    reads & here,
                    writes & here,
                    data[start : start + SPRAM_WIDTH],
                    output[start : start + SPRAM_WIDTH],
                    mask,
                )
            outputs.append(output)
        if banks == 1:
            return outputs[0][: len(data)]
        chosen = Signal(len(data), name="chosen")
        with m.Switch(delayed(m, high, 1, "bank", cleared=False)):
            for number, output in enumerate(outputs):
                with m.Case(number):
                    m.d.comb += chosen.eq(output)
        return chosen


def _dp16kd(
    columns: int,
    read_address: Value,
    read_enable: Value,
    output: Value,
    write_address: Value,
    write_enable: Value,
    write_data: Value,
    contents: Sequence[int],
    second: Value | None,
) -> Instance:
    """Return one block RAM: port A writes, port B reads into its output register, two clocks behind the address.

    With a place for a second word port A reads it into its own.
    """
    unused = 3 if columns == 9 else 4
    # In words of 18 bits the lowest two address bits are byte enables.
    enables = Const(0b11, unused) if columns == 18 else Const(0, unused)
    ports: dict[str, object] = {}
    for port, address in (("A", Cat(enables, write_address)), ("B", Cat(Const(0, unused), read_address))):
        address = Cat(address, Const(0, DP16KD_ADDRESS))
        ports |= {f"i_AD{port}{bit}": address[bit] for bit in range(DP16KD_ADDRESS)}
        ports |= {f"i_CS{port}{bit}": Const(0, 1) for bit in range(3)}
        ports |= {f"i_CLK{port}": ClockSignal(), f"i_RST{port}": Const(0, 1), f"i_OCE{port}": Const(1, 1)}
        ports |= {
            f"p_DATA_WIDTH_{port}": columns,
            f"p_WRITEMODE_{port}": "NORMAL",
            f"p_CSDECODE_{port}": "0b000",
        }
    data = Cat(write_data, Const(0, 18))
    ports |= {
        f"p_INITVAL_{k:02X}": Const(value, 320) for k, value in enumerate(_initial_values(contents, columns))
    }
    ports |= {f"i_DIA{bit}": data[bit] for bit in range(columns)}
    ports |= {f"o_DOB{bit}": output[bit] for bit in range(columns)}
    if second is not None:
        ports |= {f"o_DOA{bit}": second[bit] for bit in range(columns)}
    return Instance(
        "DP16KD",
        p_REGMODE_A="NOREG" if second is None else "OUTREG",
        p_REGMODE_B="OUTREG",
        p_RESETMODE="SYNC",
        p_GSR="DISABLED",
        i_CEA=Const(1, 1),
        i_WEA=write_enable,
        i_CEB=read_enable,
        i_WEB=Const(0, 1),
        **ports,
    )


def _initial_values(contents: Sequence[int], columns: int) -> Iterator[int]:
    """Return the parameters ``INITVAL_00`` to ``INITVAL_3F`` of a DP16KD, none for no contents.

    Each has 16 words of 18 bits at distances of 20 bits; words of 9 bits lie there in pairs.
    """
    per_word = 18 // columns
    for first in range(0, 1024 * per_word if contents else 0, 16 * per_word):
        words = contents[first : first + 16 * per_word]
        places = [(k // per_word) * 20 + k % per_word * columns for k in range(len(words))]
        yield sum(word << place for word, place in zip(words, places, strict=True))
