# SPDX-License-Identifier: BSD-2-Clause
"""CRC-32 of IEEE 802.3, as of ``zlib.crc32``, two bits at a time."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

POLYNOMIAL = 0xEDB88320
"""Bit 31 is the coefficient of the lowest power but one: bits go through the register from the top down."""

RESIDUE = 0xDEBB20E3
"""What the register holds behind a message and its CRC."""

BITS = 2
"""Bits of one clock: with two, each bit of the register still follows from at most four bits."""

CLOCKS = 8 // BITS
"""Clocks that a byte takes behind the one in which it is given."""


class Crc(wiring.Component):
    """Takes bytes, and knows the CRC of those since the start.

    Members
    -------
    start : In(1)
        Forget all bytes.
    valid : In(1), data : In(8)
        A byte; only while not `busy`.
    busy : Out(1)
        The last byte is not in the CRC yet.
    crc : Out(32)
        Its lowest byte is the first one on the line.
    match_detected : Out(1)
        The last four bytes were the CRC of those before them.

    Notes
    -----
    One byte per 5 clocks. Eight bits in one clock would take three times the logic.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "valid": In(1),
                "data": In(8),
                "busy": Out(1),
                "crc": Out(32),
                "match_detected": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ones = (1 << 32) - 1
        register, rest = Signal(32, init=ones), Signal(8)
        left = Signal(range(CLOCKS + 1))
        following: Value = register
        for bit in range(BITS):
            feedback = following[0] ^ rest[bit]
            following = (following >> 1) ^ Mux(feedback, Const(POLYNOMIAL, 32), 0)
        m.d.comb += [
            self.busy.eq(left != 0),
            self.crc.eq(~register),
            self.match_detected.eq(register == RESIDUE),
        ]
        with m.If(self.valid):
            m.d.sync += [rest.eq(self.data), left.eq(CLOCKS)]
        with m.Elif(self.busy):
            m.d.sync += [rest.eq(rest >> BITS), left.eq(left - 1), register.eq(following)]
        with m.If(self.start):
            m.d.sync += [register.eq(ones), left.eq(0)]
        return m
