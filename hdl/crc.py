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
"""Clocks of a byte."""


class Crc(wiring.Component):
    """Takes bytes, and knows the CRC of those since the start.

    Members
    -------
    start : In(1)
        Forget all bytes; not within a byte.
    valid : In(1), data : In(8)
        A byte; both stay until `ready`.
    append : In(1)
        With `valid`: the byte is the lowest one of `crc`, which makes room for the next one.
    first, ready : Out(1)
        Of the clocks of a byte it is the first one, or the last one.
    crc : Out(32)
        Its lowest byte is the first one on the line. Behind four bytes that were appended a start is due.
    match_detected : Out(1)
        The last four bytes were the CRC of those before them.

    Notes
    -----
    One byte per 4 clocks. Eight bits in one clock would take three times the logic.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "valid": In(1),
                "data": In(8),
                "append": In(1),
                "first": Out(1),
                "ready": Out(1),
                "crc": Out(32),
                "match_detected": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ones = (1 << 32) - 1
        register = Signal(32, init=ones)
        place = Signal(range(CLOCKS))
        bits = Signal(BITS)
        m.d.comb += bits.eq(self.data.word_select(place, BITS))
        following: Value = register
        for bit in range(BITS):
            feedback = Signal(name=f"feedback_{bit}")
            m.d.comb += feedback.eq((following[0] ^ bits[bit]) & ~self.append)
            following = (following >> 1) ^ Mux(feedback, Const(POLYNOMIAL, 32), 0)
        m.d.comb += [
            self.first.eq(place == 0),
            self.ready.eq(self.valid & (place == CLOCKS - 1)),
            self.crc.eq(~register),
            self.match_detected.eq(register == RESIDUE),
        ]
        m.d.sync += place.eq(place + self.valid)
        with m.If(self.start):
            m.d.sync += register.eq(ones)
        with m.Elif(self.valid):
            m.d.sync += register.eq(following)
        return m
