# SPDX-License-Identifier: BSD-2-Clause
"""The serial line: CRC-32, COBS both ways, and the UART."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Value

from erbium.hdl.cobs import CobsDecoder, CobsEncoder, CobsKind
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


def encoder() -> Claim:
    """Write the groups of messages down, and follow one place in them, any one, from the message to the line."""
    claim = Claim()
    part = claim.component(CobsEncoder())
    m, message, line = claim.m, part.message_i, part.byte_o
    waits, before = claim.past(message.valid & ~message.ready), claim.past(Value.cast(message.payload))
    claim.given(~waits | (message.valid & (Value.cast(message.payload) == before)))
    at = claim.constant(8, "followed_place")
    claim.given((at >= 1) & (at <= 254))
    takes, gives = message.valid & message.ready, line.valid & line.ready
    byte, is_zero = message.payload.byte, message.payload.byte == 0
    # The group that is being collected: how many bytes, the followed one, and whether the message is over with it.
    length, value, over = (
        claim.register(8, "length"),
        claim.register(8, "value"),
        claim.register(1, "message_over"),
    )
    # The group that is being sent, and how many bytes of it have been.
    sends, code = claim.register(1, "sends"), claim.register(8, "code_sent")
    ends, sent_value = claim.register(1, "ends_frame"), claim.register(8, "value_sent")
    place = claim.register(9, "bytes_sent")
    whole = over | (length == 254)
    # A group ends before a zero byte, after 254 bytes, or with its message; it waits until the one before is sent.
    closes = claim.named(Mux(whole, ~sends, takes & is_zero), "closes_group")
    with m.If(takes):
        m.d.sync += [length.eq(length + 1), over.eq(message.payload.last)]
        with m.If(length + 1 == at):
            m.d.sync += value.eq(byte)
    with m.If(closes):
        m.d.sync += [
            length.eq(0),
            sends.eq(1),
            code.eq(length + 1),
            ends.eq(over),
            sent_value.eq(value),
            place.eq(0),
        ]
        with m.If(whole):
            m.d.sync += over.eq(0)
    with m.Elif(sends):
        m.d.sync += [place.eq(place + gives), sends.eq(~((place == code) & (gives | ~ends)))]
    claim.holds(~takes | (~whole & (~is_zero | ~sends)))
    claim.holds(message.ready | whole | (is_zero & sends))
    # The line: the code, which is the length and one, the bytes, and a zero byte after the last group of a message.
    bytes_ = claim.named((place >= 1) & (place < code), "is_at_bytes")
    claim.holds(~line.valid | (sends & (place <= code) & ((place < code) | ends)))
    claim.holds(~line.valid | (place != 0) | (line.payload == code))
    claim.holds(~(line.valid & bytes_ & (place == at)) | ((line.payload == sent_value) & (line.payload != 0)))
    claim.holds(~line.valid | (place != code) | (line.payload == 0))
    # What the component keeps.
    states = {name: part.is_in(name) for name in ("IDLE", "LENGTH", "READ", "BYTE", "END")}
    claim.holds(part["code"] == length + 1)
    claim.holds(part["ending"] == over)
    claim.holds(length <= 254)
    claim.holds((length < at) | (value != 0))
    claim.holds(~sends | (code < at + 1) | (sent_value != 0))
    claim.holds(part.state < part.states)
    claim.holds(sends == ~states["IDLE"])
    bank, shown = part["bank"], part.read_port("memory").data
    claim.holds((length < at) | (part.word("memory", claim.named(Cat(at, bank), "collected_at")) == value))
    claim.holds(
        ~sends | (code <= at) | (part.word("memory", claim.named(Cat(at, ~bank), "sent_from")) == sent_value)
    )
    claim.holds(~sends | ((code >= 1) & (part["length"] == code) & (part["last"] == ends)))
    claim.holds(~states["LENGTH"] | ((place == 0) & (part["place"] == 1)))
    claim.holds(
        ~(states["READ"] | states["BYTE"]) | ((place == part["place"]) & (place >= 1) & (place <= code))
    )
    claim.holds(~states["BYTE"] | ((place < code) & ((place != at) | (shown == sent_value))))
    claim.holds(~states["END"] | ((place == code) & ends))
    claim.holds(~line.valid | ~states["READ"])
    # No deadlock: a clock in which nothing is offered is followed by one in which there is, or by rest.
    was_reading = claim.past(states["READ"])
    claim.holds(~(states["READ"] & was_reading))
    claim.reached(line.valid & bytes_ & (place == at) & (place == 2))
    claim.reached(states["END"] & takes)
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
    Proof(
        "CobsEncoder",
        "any-message",
        encoder,
        "a message leaves as its groups, each its length and one, then its bytes, and a zero byte at the end; "
        "groups end before a zero byte, after 254 bytes or with the message, which may be of any length",
        "induction",
        Fault("cobs", "~complete & (idle | ~is_zero)", "~complete"),
        "the second byte of a group; the end of a frame while the next message comes in",
        arrays=True,
    ),
)
