# SPDX-License-Identifier: BSD-2-Clause
"""The serial line: bytes with one start bit, eight data bits from the lowest on, and one stop bit (8N1)."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import cdc, stream, wiring
from amaranth.lib.wiring import In, Out

FRACTION_BITS = 6
"""Bits behind the point of the clocks per bit: the baud rate is met to 0.2 % even at four clocks per bit."""

MIN_CLOCKS = 4
MAX_ERROR = 0.02

_ONE = 1 << FRACTION_BITS
_BITS = 10


def bit_period(clock_frequency: int, baud_rate: int) -> int:
    """Return the clocks per bit, as a multiple of ``2 ** -FRACTION_BITS``.

    Parameters
    ----------
    clock_frequency, baud_rate : int
        In Hz and bits per second.

    Raises
    ------
    ValueError
        If the nearest baud rate of at least four clocks per bit is off by more than 2 %.
    """
    for name, value in (("clock_frequency", clock_frequency), ("baud_rate", baud_rate)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be an integer of at least 1")
    scaled = clock_frequency * _ONE
    period = max((2 * scaled + baud_rate) // (2 * baud_rate), MIN_CLOCKS * _ONE)
    if abs(scaled / period - baud_rate) > MAX_ERROR * baud_rate:
        raise ValueError(
            f"baud_rate is {baud_rate}; the nearest possible with a clock_frequency of {clock_frequency} is "
            f"{scaled // period}, and it may be off by 2 % at most"
        )
    return period


class UartReceiver(wiring.Component):
    """Receives bytes from a serial line.

    The line goes through two synchronising flip-flops and a majority vote over three clocks, which delays
    all edges alike and removes whatever lasts for one clock only. A bit is read in its middle, counted from the
    falling edge of the start bit.

    Parameters
    ----------
    clock_frequency, baud_rate : int
        In Hz and bits per second, see :func:`bit_period`.

    Members
    -------
    rx : In(1)
        The line; it may change at any time. 1 when it rests.
    byte_o : Out(stream of 8)
    framing_error : Out(1)
        One clock: a byte had no stop bit. It is dropped, and the next one waits until the line rests.
    overrun : Out(1)
        One clock: a byte was dropped because the one before it had not been taken.

    Notes
    -----
    One byte per ten bits, without a pause between them. Latency from the middle of the stop bit 5 clocks, up to one
    more for the phase of the line. The sender's clock may be off by 2 % in either direction at any number of
    clocks per bit. A start bit that is over by its middle is ignored; the next one is looked for from there on.
    """

    def __init__(self, clock_frequency: int, baud_rate: int) -> None:
        self.period = bit_period(clock_frequency, baud_rate)
        super().__init__(
            {
                "rx": In(1, init=1),
                "byte_o": Out(stream.Signature(8)),
                "framing_error": Out(1),
                "overrun": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        raw = Signal(init=1)
        m.submodules.synchronizer = cdc.FFSynchronizer(self.rx, raw, init=1)
        past = Signal(2, init=0b11)
        line = Signal(init=1)
        m.d.sync += [
            past.eq(Cat(raw, past[0])),
            line.eq((raw & past[0]) | (raw & past[1]) | (past[0] & past[1])),
        ]

        # The clocks until the next bit is read; it is read where the whole clocks are used up.
        rest = Signal(range(self.period))
        # The first sample stands one clock before the middle of the start bit: the edge is seen up to one clock
        # late and a fraction is rounded up, so this is the middle on average.
        first = self.period // 2 - 2 * _ONE + _ONE - 1
        left = Signal(range(_BITS + 1))
        bits = Signal(8)
        resting = Signal(init=1)
        done = Signal()
        with m.If(~resting):
            m.d.sync += resting.eq(line)
        with m.Elif(left == 0):
            with m.If(~line):
                m.d.sync += [left.eq(_BITS), rest.eq(first)]
        with m.Elif(rest[FRACTION_BITS:] != 0):
            m.d.sync += rest.eq(rest - _ONE)
        with m.Else():
            m.d.sync += [rest.eq(rest + (self.period - _ONE)), left.eq(left - 1)]
            with m.If(left == _BITS):
                with m.If(line):
                    m.d.sync += left.eq(0)
            with m.Elif(left != 1):
                m.d.sync += bits.eq(Cat(bits[1:], line))
            with m.Else():
                m.d.comb += [done.eq(line), self.framing_error.eq(~line)]
                m.d.sync += resting.eq(line)

        out = self.byte_o
        m.d.comb += self.overrun.eq(done & out.valid & ~out.ready)
        with m.If(out.ready):
            m.d.sync += out.valid.eq(0)
        with m.If(done & (~out.valid | out.ready)):
            m.d.sync += [out.valid.eq(1), out.payload.eq(bits)]
        return m


class UartTransmitter(wiring.Component):
    """Sends bytes to a serial line.

    Parameters
    ----------
    clock_frequency, baud_rate : int
        In Hz and bits per second, see :func:`bit_period`.

    Members
    -------
    byte_i : In(stream of 8)
    tx : Out(1)
        The line, from a flip-flop. 1 when it rests.

    Notes
    -----
    One byte per ten bits, without a pause if the next byte is there in time. The start bit begins one clock after the
    byte is taken. No edge is off by a whole clock, counted from the first byte of those without a pause.
    """

    def __init__(self, clock_frequency: int, baud_rate: int) -> None:
        self.period = bit_period(clock_frequency, baud_rate)
        super().__init__({"byte_i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rest = Signal(range(self.period))
        left = Signal(range(_BITS + 1))
        # What follows the bit on the line; ones move in, so the line rests behind the last bit.
        bits = Signal(_BITS - 1, init=(1 << (_BITS - 1)) - 1)
        ends = Signal()
        m.d.comb += [
            ends.eq(rest[FRACTION_BITS:] == 0),
            self.byte_i.ready.eq((left == 0) | (left == 1) & ends),
        ]
        with m.If(self.byte_i.valid & self.byte_i.ready):
            # A pause forgets the fraction.
            kept = Mux(left == 0, _ONE - 1, rest)
            m.d.sync += [
                rest.eq(kept + (self.period - _ONE)),
                left.eq(_BITS),
                self.tx.eq(0),
                bits.eq(Cat(self.byte_i.payload, Const(1, 1))),
            ]
        with m.Elif(left != 0):
            m.d.sync += rest.eq(rest - _ONE)
            with m.If(ends):
                m.d.sync += [
                    rest.eq(rest + (self.period - _ONE)),
                    left.eq(left - 1),
                    self.tx.eq(bits[0]),
                    bits.eq(Cat(bits[1:], Const(1, 1))),
                ]
        return m
