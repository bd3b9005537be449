# SPDX-License-Identifier: BSD-2-Clause
"""Reads blocks, and checks each of them before anybody sees it."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, ResetInserter, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from erbium.hdl.bounds import exceeds
from erbium.hdl.crc import Crc
from erbium.hdl.marks import COLLISION_FREE

SLOTS = 2
"""Blocks that are kept: one is used while the next one comes."""


class BlockReader(wiring.Component):
    """Keeps two blocks of the flash, and knows of each whether its CRC was right.

    Parameters
    ----------
    max_length : int
        Bytes of the longest payload, 1 ... 65535.

    Members
    -------
    byte_i : In(stream of 8)
        Blocks, one after the other; a byte is taken when it is in the CRC.
    restart : In(1)
        Forget all blocks: the bytes that come next begin one.
    fetch : In(1)
        Another block may be begun.
    begins, resting : Out(1)
        One clock: it is. None is being read.
    available : Out(1)
        A block is there, whole, and until it is released.
    good, fits : Out(1), length : Out(16)
        Of that block: its CRC is right; its length is 1 ... `max_length`, else nothing of it was read but that; its
        length.
    address : In, data_o : Out(8)
        A byte of its payload, a clock after its address.
    release : In(1)
        It is not needed any more; with `available`.

    Notes
    -----
    Four clocks per byte, those of the CRC, and two more per block. A block that is longer than what fits cannot be
    skipped: what comes after it is not read as a block, until a restart.
    """

    def __init__(self, max_length: int) -> None:
        if not 1 <= max_length < 1 << 16:
            raise ValueError(f"max_length is {max_length}; it must be from 1 to 65535")
        self._max_length = max_length
        self._bits = max(ceil_log2(max_length), 1)
        super().__init__(
            {
                "byte_i": In(stream.Signature(8)),
                "restart": In(1),
                "fetch": In(1),
                "begins": Out(1),
                "resting": Out(1),
                "available": Out(1),
                "good": Out(1),
                "fits": Out(1),
                "length": Out(16),
                "address": In(self._bits),
                "data_o": Out(8),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = store = memory.Memory(
            shape=8, depth=SLOTS << self._bits, init=[], attrs=COLLISION_FREE
        )
        write, read = store.write_port(), store.read_port()
        m.d.comb += [write.data.eq(self.byte_i.payload), read.en.eq(1), self.data_o.eq(read.data)]
        # All but the bytes themselves is forgotten.
        state = Module()
        m.submodules.state = ResetInserter(self.restart)(state)
        self._read(state, write, read)
        return m

    def _read(self, m: Module, write: memory.WritePort, read: memory.ReadPort) -> None:
        """Read block after block into the memory."""
        m.submodules.crc = crc = Crc()
        to_write, to_read, count = Signal(), Signal(), Signal(range(SLOTS + 1))
        lengths = Array(Signal(16, name=f"length_{slot}") for slot in range(SLOTS))
        goods = Array(Signal(name=f"good_{slot}") for slot in range(SLOTS))
        fit = Array(Signal(name=f"fits_{slot}") for slot in range(SLOTS))
        at, length = Signal(16), Signal(16)
        reads, ends = Signal(), Signal()
        m.d.comb += [
            crc.data.eq(self.byte_i.payload),
            crc.valid.eq(self.byte_i.valid & reads),
            self.byte_i.ready.eq(crc.ready),
            write.addr.eq(Cat(at[: self._bits], to_write)),
            read.addr.eq(Cat(self.address, to_read)),
            self.available.eq(count != 0),
            self.length.eq(lengths[to_read]),
            self.good.eq(goods[to_read]),
            self.fits.eq(fit[to_read]),
        ]
        with m.FSM():
            with m.State("REST"):
                m.d.comb += [crc.start.eq(1), self.resting.eq(1)]
                with m.If(self.fetch & ~count[-1]):
                    m.d.comb += self.begins.eq(1)
                    m.next = "LOW"
            with m.State("LOW"):
                m.d.comb += reads.eq(1)
                with m.If(crc.ready):
                    m.d.sync += length[:8].eq(self.byte_i.payload)
                    m.next = "HIGH"
            with m.State("HIGH"):
                m.d.comb += reads.eq(1)
                m.d.sync += at.eq(0)
                with m.If(crc.ready):
                    m.d.sync += length[8:].eq(self.byte_i.payload)
                    m.next = "LENGTH"
            with m.State("LENGTH"):
                m.next = "PAYLOAD"
                with m.If(exceeds(length, self._max_length) | (length == 0)):
                    m.d.comb += ends.eq(1)
                    m.d.sync += [goods[to_write].eq(0), fit[to_write].eq(0)]
                    # Where the next block begins is not known.
                    m.next = "LOST"
            with m.State("PAYLOAD"):
                m.d.comb += [reads.eq(1), write.en.eq(crc.ready)]
                with m.If(crc.ready):
                    m.d.sync += at.eq(at + 1)
                    with m.If(at == length - 1):
                        m.d.sync += at.eq(0)
                        m.next = "CRC"
            with m.State("CRC"):
                m.d.comb += reads.eq(1)
                with m.If(crc.ready):
                    m.d.sync += at.eq(at + 1)
                    with m.If(at[:2].all()):
                        m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += ends.eq(1)
                m.d.sync += [goods[to_write].eq(crc.match_detected), fit[to_write].eq(1)]
                m.next = "REST"
            with m.State("LOST"):
                pass
        with m.If(ends):
            m.d.sync += [lengths[to_write].eq(length), to_write.eq(~to_write)]
        m.d.sync += count.eq(count + ends - self.release)
        with m.If(self.release):
            m.d.sync += to_read.eq(~to_read)
