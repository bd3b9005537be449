# SPDX-License-Identifier: BSD-2-Clause
"""The UART: bytes to the line, and from the line."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Signal, signed

from erbium.hdl.uart import UartReceiver, UartTransmitter
from erbium.verif.formal.claim import Claim
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault

PERIOD = 290
"""64ths of a clock in a bit: about 4.53 clocks, so that bits and bytes are not alike."""


def transmitter() -> Claim:
    """Write the line down bit by bit, and keep the time since the first of the bytes that come without a pause."""
    claim = Claim()
    part = claim.component(UartTransmitter(45_300_000, 10_000_000))
    m, line = claim.m, part.byte_i
    unit = 64
    takes = line.valid & line.ready
    # The bit on the line, 0 the start bit and 9 the stop bit, and how much later than it should the next one begins.
    bit, busy, byte = claim.register(range(11), "bit"), claim.register(1, "sends"), claim.register(8, "byte")
    late = Signal(signed(16), name="late")
    period = PERIOD
    assert part.period == PERIOD
    # Where the present bit ends: as soon as its time is over, in whole clocks.
    ends = claim.named(late + unit >= 0, "bit_is_over")
    with m.If(takes):
        m.d.sync += [busy.eq(1), bit.eq(0), byte.eq(line.payload)]
        m.d.sync += late.eq(Mux(busy, late + unit, 0) - period)
    with m.Elif(busy):
        m.d.sync += late.eq(late + unit)
        with m.If(ends):
            m.d.sync += [bit.eq(bit + 1), late.eq(late + unit - period)]
            with m.If(bit == 9):
                m.d.sync += [busy.eq(0), bit.eq(0)]
    frame = Cat(Const(0, 1), byte, Const(1, 1))
    claim.holds(part.tx == Mux(busy, (frame >> bit)[0], 1))
    # A byte is taken at rest, or with the end of a stop bit; so no bit is cut short, and none is longer by a clock.
    claim.holds(line.ready == (~busy | ((bit == 9) & ends)))
    claim.holds(~busy | ((late >= -period) & (late < 0)))
    claim.holds(~busy | (bit <= 9))
    # What the component keeps.
    left, rest, bits = part["left"], part["rest"], part["bits"]
    claim.holds(left == Mux(busy, 10 - bit, 0))
    claim.holds(~busy | (bits == ((frame | (0x3FF << 10)) >> (bit + 1))[:9]))
    claim.holds(~busy | (rest == -late - 1))
    claim.holds(busy | (bits == 0x1FF))
    claim.reached(takes & busy)
    return claim


def loop() -> Claim:
    """Send a byte, any one, over the line from a transmitter to a receiver."""
    claim = Claim(reset_clocks=8)
    claim.reset_once()
    sender = claim.component(UartTransmitter(40_000_000, 10_000_000), "sender")
    part = claim.component(UartReceiver(40_000_000, 10_000_000), "receiver", driven=("rx", "byte_o"))
    claim.m.d.comb += [part.rx.eq(sender.tx), part.byte_o.ready.eq(1)]
    line, out = sender.byte_i, part.byte_o
    byte = claim.constant(8, "byte")
    claim.given(~line.valid | (line.payload == byte))
    takes = line.valid & line.ready
    sent, received = claim.register(2, "bytes_sent"), claim.register(2, "bytes_received")
    claim.m.d.sync += [sent.eq(sent + takes), received.eq(received + out.valid)]
    claim.holds(~out.valid | ((out.payload == byte) & (received != sent)))
    claim.holds(~part.framing_error & ~part.overrun)
    # It is there within ten bits and eight clocks.
    waiting = claim.register(range(64), "clocks_since_a_byte", init=63)
    with claim.m.If(line.valid & line.ready):
        claim.m.d.sync += waiting.eq(0)
    with claim.m.Elif(waiting != 63):
        claim.m.d.sync += waiting.eq(waiting + 1)
    claim.holds((waiting != 48) | (received == sent))
    claim.reached(out.valid & (byte == 0xA5))
    return claim


PROOFS = (
    Proof(
        "UartTransmitter",
        "4.53-clocks",
        transmitter,
        "the line rests at 1 and carries 0, the byte lowest bit first, and 1, for any bytes and pauses; no "
        "edge is off by a whole clock, counted from the first byte of those without a pause",
        "induction",
        Fault("uart", "kept = Mux(left == 0, _ONE - 1, rest)", "kept = _ONE - 1"),
        "a byte follows another one without a pause",
        within=60,
    ),
    Proof(
        "UartReceiver",
        "behind-a-transmitter",
        loop,
        "each byte that a transmitter sends is received, once and unaltered, within ten bits and eight clocks; no "
        "framing error, no overrun",
        "depth",
        Fault("uart", "bits.eq(Cat(bits[1:], line))", "bits.eq(Cat(line, bits[:-1]))"),
        "a byte is received",
        clocks=64,
        reason="a byte after any pause, four clocks per bit; an induction would have to tie the phases of both sides",
        within=64,
    ),
)
