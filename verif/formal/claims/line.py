# SPDX-License-Identifier: BSD-2-Clause
"""The serial line: CRC-32, COBS both ways, and the UART."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Value

from erbium.hdl.cobs import CobsDecoder, CobsKind
from erbium.hdl.crc import RESIDUE, Crc
from erbium.verif.formal.claim import Claim, code
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault

ONES = (1 << 32) - 1


def crc_of_byte(register: Value, byte: Value) -> Value:
    """Return CRC-32's register after a byte, the definition of IEEE 802.3: bit by bit, lowest first."""
    register = register ^ Cat(byte, Const(0, 24))
    for _ in range(8):
        register = Cat(register[1:], Const(0, 1)) ^ Mux(register[0], Const(0xEDB88320, 32), Const(0, 32))
    return register


def crc() -> Claim:
    """Keep the register of the definition byte by byte beside the component's, which takes two bits per clock."""
    claim = Claim()
    part = claim.component(Crc())
    m = claim.m
    waits = claim.past(part.valid & ~part.ready)
    claim.given(~waits | (part.valid & (part.data == claim.past(part.data))))
    claim.given(~waits | (part.append == claim.past(part.append)))
    # A start comes between two bytes, or with the end of one.
    claim.given(~part.start | part.ready | (part.first & ~part.valid))
    # Of the clocks before this byte.
    register = claim.register(32, "register_of_bytes", init=ONES)
    place = part["place"]
    # What the component's register is after 2, 4 and 6 bits of the byte that lies there.
    steps = [register]
    for step in range(4):
        value: Value = steps[-1]
        for bit in range(2):
            feedback = (value[0] ^ part.data[2 * step + bit]) & ~part.append
            value = Cat(value[1:], Const(0, 1)) ^ Mux(feedback, Const(0xEDB88320, 32), Const(0, 32))
        steps.append(claim.named(value, f"after_{step}"))
    for step in range(4):
        claim.holds((place != step) | (part["register"] == steps[step]))
    after = claim.named(crc_of_byte(register, part.data), "after_byte")
    claim.holds(part.append | (steps[4] == after))
    with m.If(part.start):
        m.d.sync += register.eq(ONES)
    with m.Elif(part.ready):
        # A byte that is appended is the lowest one of the CRC and leaves it.
        m.d.sync += register.eq(Mux(part.append, Cat(register[8:], Const(0, 8)), after))
    claim.holds((place != 0) | (part.crc == ~register))
    claim.holds((place == 0) | waits)
    claim.reached(part.ready & part.append)
    claim.reached((place == 0) & (part.crc == 0xE8B7BE43))  # zlib.crc32(b"a")
    return claim


def residue() -> Claim:
    """Feed four bytes after any register: it holds the residue if they are its CRC, and only then."""
    claim = Claim()
    register, line = claim.free(32, "before"), claim.free(32, "line")
    value: Value = register
    for byte in range(4):
        value = claim.named(crc_of_byte(value, line.word_select(byte, 8)), f"after_{byte}")
    claim.holds((value == RESIDUE) == (line == ~register))
    claim.reached(value == RESIDUE)
    return claim


def decoder() -> Claim:
    """Write COBS down byte by byte: what each byte of the line says, and what has to be known for the next one."""
    claim = Claim()
    part = claim.component(CobsDecoder())
    m = claim.m
    line, token = part.byte_i, part.token_o
    waits = claim.past(line.valid & ~line.ready)
    claim.given(~waits | (line.valid & (line.payload == claim.past(line.payload))))
    # Bytes of the group that are to come; whether a zero byte follows it; whether anything has come of the frame.
    rest, owes, inside = claim.register(8, "rest"), claim.register(1, "owes"), claim.register(1, "inside")
    byte, takes = line.payload, line.valid & line.ready
    is_end, is_code = byte == 0, (byte != 0) & (rest == 0)
    says = claim.named(Mux(is_end, inside, Mux(is_code, owes, 1)), "says")
    with m.If(takes):
        with m.If(is_end):
            m.d.sync += [rest.eq(0), owes.eq(0), inside.eq(0)]
        with m.Elif(is_code):
            # A code of n stands for n - 1 bytes and, unless it is 255, the zero byte after them.
            m.d.sync += [rest.eq(byte - 1), owes.eq(byte != 255), inside.eq(1)]
        with m.Else():
            m.d.sync += rest.eq(rest - 1)
    kind = Mux(is_end, Mux(rest == 0, code(CobsKind.END), code(CobsKind.MALFORMED)), code(CobsKind.BYTE))
    claim.holds(~takes | (token.valid == says))
    claim.holds(~takes | ~says | token.ready)
    claim.holds(~token.valid | (token.payload.kind.as_value() == kind))
    claim.holds(~token.valid | (token.payload.byte == Mux(is_end | is_code, 0, byte)))
    # A token is offered for a byte that is there and says one, and is taken with it; so none is lost or said twice.
    claim.holds(~token.valid | (line.valid & says))
    claim.holds(~(token.valid & token.ready) | takes)
    # No deadlock: a byte is taken in its second clock if its token can be.
    claim.holds(~waits | (line.ready == (token.ready | ~says)))
    for name, value in (("left", (rest + 1)[:8]), ("zero", owes), ("inside", inside)):
        claim.holds(part[name] == value)
    claim.holds(~part["looked"] | (waits & (part["is_zero"] == is_end) & (part["ends"] == (rest == 0))))
    claim.reached(token.valid & (token.payload.kind == CobsKind.MALFORMED))
    claim.reached(takes & is_code & says)
    return claim


PROOFS = (
    Proof(
        "Crc",
        "byte-by-byte",
        crc,
        "after each byte the register is that of CRC-32 (IEEE 802.3, as of zlib.crc32), and appended bytes "
        "leave it lowest first, for any bytes, pauses and starts",
        "induction",
        Fault("crc", "register.eq(ones)", "register.eq(register)"),
        "an appended byte; the CRC of b'a'",
        source="host link, Frames",
        within=12,
    ),
    Proof(
        "Crc",
        "residue",
        residue,
        "the register holds the residue if, and only if, the last four bytes were the CRC of those before them",
        "all inputs",
        Fault("crc", "RESIDUE = 0xDEBB20E3", "RESIDUE = 0xDEBB20E2"),
        "a frame that matches",
    ),
    Proof(
        "CobsDecoder",
        "any-line",
        decoder,
        "every byte of any line says what COBS says of it, the end of a group that is not complete MALFORMED; "
        "no token is lost, said twice or held back",
        "induction",
        Fault("cobs", "zero.eq(byte != GROUP + 1)", "zero.eq(byte != GROUP)"),
        "a frame that ends within a group; a zero byte between two groups",
    ),
)
