# SPDX-License-Identifier: BSD-2-Clause
"""Parts of the host link: windows and entries, counters, frames, the state machines of messages."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Mux, Value

from erbium.gen.presets import erbp_network
from erbium.hdl.counter_bank import Count, CounterBank
from erbium.hdl.entry_cursor import EntryCursor
from erbium.hdl.frame import FrameReceiver, FrameStatus
from erbium.hdl.registers import RegisterMap
from erbium.hdl.reply_writer import ReplyWriter
from erbium.hdl.request_reader import RequestReader
from erbium.sw_model.network import Hardware
from erbium.verif.formal.claim import Claim, code
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault


def cursor() -> Claim:
    """Say what each order does to window, entry and byte."""
    claim = Claim()
    registers = registers_of_link()
    part = claim.component(EntryCursor(registers))
    m, windows = claim.m, registers.windows
    orders = (
        "clear",
        "set_first",
        "set_count",
        "add_first",
        "next_entry",
        "next_end",
        "next_byte",
        "set_window",
    )
    order = {name: getattr(part, name) for name in orders}
    # One order at a time, but that a byte may be the end of an entry.
    moves = [name for name in orders if name not in ("next_byte", "next_entry")]
    for name in moves:
        others = [order[other] for other in orders if other != name]
        claim.given(~order[name] | ~Cat(*others).any())
    width = part.width
    window, known = claim.register(range(len(windows)), "window"), claim.register(1, "known")
    entry, end = claim.register(width, "entry"), claim.register(part._end_width, "end")
    place, far = claim.register(len(part.place), "place"), claim.register(1, "far")
    sizes = [Const(one.entry_bytes) for one in windows]
    size: Value = sizes[0]
    entries: Value = Const(windows[0].entries)
    for index, one in enumerate(windows):
        size, entries = (
            Mux(window == index, one.entry_bytes, size),
            Mux(window == index, one.entries, entries),
        )
    last_byte = place == size - 1
    # The whole numbers that were asked for, too large for the registers or not.
    with m.If(order["set_window"]):
        m.d.sync += known.eq(0)
        for index, one in enumerate(windows):
            with m.If(part.byte_i == one.number):
                m.d.sync += [known.eq(1), window.eq(index)]
    with m.If(order["clear"]):
        m.d.sync += [entry.eq(0), place.eq(0), far.eq(0)]
    with m.If(order["set_first"]):
        m.d.sync += [entry.eq(part.pair), end.eq(part.pair[:width]), far.eq(far | (part.pair >= 1 << width))]
    with m.If(order["set_count"]):
        m.d.sync += [end.eq(part.pair[:width]), far.eq(far | (part.pair >= 1 << width))]
    with m.If(order["add_first"]):
        m.d.sync += end.eq(end + entry)
    with m.If(order["next_end"]):
        m.d.sync += end.eq(end + 1)
    with m.If(order["next_entry"]):
        m.d.sync += entry.eq(entry + 1)
    with m.If(order["next_byte"]):
        m.d.sync += place.eq(Mux(last_byte, 0, place + 1))
    claim.holds(~known | (part.window == window))
    claim.holds(part["window"] == window)
    claim.holds((part.known == known) & (part.entry == entry) & (part.place == place))
    claim.holds(part.last_byte == last_byte)
    claim.holds(part.last_entry == (entry + 1 == end))
    claim.holds((part["end"] == end) & (part["far"] == far))
    was_beyond = claim.past(far | (end > entries))
    claim.holds(part.beyond == was_beyond)
    claim.holds(window < len(windows))
    claim.reached(part.beyond & known & ~far)
    claim.reached(part.last_byte & part.last_entry & known & (place != 0))
    return claim


COUNTS = (Count(most=2, factor=3), Count())


def counters() -> Claim:
    """Count beside each counter, and say when its words in the memory are up to date."""
    claim = Claim()
    part = claim.component(CounterBank(COUNTS))
    m = claim.m
    number, piece = part["number"], part["piece"]
    asks, answers = part.counter_i, part.counter_o
    waits, asked = claim.past(asks.valid & ~asks.ready), claim.past(asks.payload)
    claim.given(~waits | (asks.valid & (asks.payload == asked)))
    # Requests come one at a time: the answer is taken before the next one is asked.
    open_ = claim.register(1, "answer_is_due")
    with m.If(asks.valid & asks.ready):
        m.d.sync += open_.eq(1)
    with m.Elif(answers.valid & answers.ready):
        m.d.sync += open_.eq(0)
    claim.given(~open_ | ~asks.valid)
    claim.given(asks.payload < len(COUNTS))
    turn = claim.named((piece == 0) & part.ready, "turn_begins")
    totals, taken = [], []
    for k, count in enumerate(COUNTS):
        port = getattr(part, f"increment_{k}")
        claim.given(part.ready | (port == 0))
        claim.given(port <= count.most)
        total, at_turn = claim.register(48, f"total_{k}"), claim.register(48, f"total_at_turn_{k}")
        m.d.sync += total.eq(total + port * count.factor)
        with m.If((piece == 0) & (number == k)):
            # What came in the clock before is for the next turn.
            m.d.sync += at_turn.eq(total - part[f"increment_{k}_1"] * count.factor)
        totals.append(total)
        taken.append(at_turn)
        # What has been gathered since the last turn, and what is on its way there.
        gathered = part[f"gathered_{k}"] + part[f"increment_{k}_1"]
        claim.holds(total == (at_turn + gathered * count.factor)[:48])
        stored = Cat(*[part.word("memory", Const(4 * k + p, 3)) for p in range(3)])
        # Two clocks after its last piece was read, a counter's words are those of its last turn.
        other = 1 - k
        claim.holds(~(part.ready & (number == other) & (piece == 2)) | (stored == at_turn))
        claim.holds(part[f"gathered_{k}"] <= 6 * count.most)
        # While the memory is cleared, nothing is counted.
        claim.holds(part.ready | ((total == 0) & (at_turn == 0) & (gathered == 0)))
        for p in range(3):
            cleared = 3 * number + piece >= 3 * k + p + 3
            claim.holds(part.ready | ~cleared | (stored[16 * p : 16 * p + 16] == 0))
    expected, since = claim.register(48, "expected"), claim.register(48, "total_when_asked")
    chosen = Mux(asks.payload == 0, taken[0], taken[1])
    # At the earliest the total when the request came, at the latest that of now.
    new = asks.valid & ~waits
    m.d.sync += since.eq(Mux(new, Mux(asks.payload == 0, totals[0], totals[1]), since))
    with m.If(asks.valid & asks.ready):
        m.d.sync += expected.eq(chosen)
    claim.holds(~answers.valid | (answers.payload == expected))
    claim.holds(~(turn & ~part.ready))
    claim.holds(part["first"] == (piece == 0))
    claim.holds(piece < 3)
    claim.reached(answers.valid & (answers.payload == 9))
    del since
    return claim


LONGEST = 124
"""With it a message that waits and the longest frame after it do not fit into the ring: the frame has to wait."""


def receiver() -> Claim:
    """Follow a byte of the message that waits, and the place where the next message begins."""
    claim = Claim()
    part = claim.component(FrameReceiver(LONGEST, 20))
    line, outcome, message = part.byte_i, part.outcome_o, part.message_o
    waits, before = claim.past(line.valid & ~line.ready), claim.past(line.payload)
    claim.given(~waits | (line.valid & (line.payload == before)))
    start, at, count, holds_bytes, place, full = (
        part[f"{method}.{name}"]
        for method, name in (
            *(("elaborate", "start"), ("elaborate", "at")),
            *(("_receive", "count"), ("_receive", "holds"), ("_receive", "place"), ("_receive", "full")),
        )
    )
    # To measure a message with `skip` is for its reader to survive.
    claim.given(~part.skip)
    bits = len(start)
    size = 1 << bits
    verified = claim.named(Value.cast(outcome.payload.status) == code(FrameStatus.VERIFIED), "verified")
    # What a frame changes: a place is moved by a frame that is verified, and by no other.
    old_start, was_valid = claim.past(start), claim.past(outcome.valid)
    new = claim.named(outcome.valid & ~was_valid, "outcome_is_new")
    after_reset = claim.past(1)
    claim.holds(~after_reset | (start == old_start) | (new & verified))
    claim.holds(~outcome.valid | verified | (outcome.payload.length == 0))
    claim.holds(
        ~(outcome.valid & verified) | ((outcome.payload.length >= 1) & (outcome.payload.length <= LONGEST))
    )
    # A byte is offered of the message of a verified frame only, while its outcome waits.
    claim.holds(~message.valid | (outcome.valid & verified))
    stays, status, length = (
        claim.past(outcome.valid & ~outcome.ready),
        claim.past(Value.cast(outcome.payload.status)),
        claim.past(outcome.payload.length),
    )
    claim.holds(
        ~stays
        | (
            outcome.valid
            & (Value.cast(outcome.payload.status) == status)
            & (outcome.payload.length == length)
        )
    )
    # No byte of the message that waits is overwritten, whatever comes in meanwhile.
    where = claim.constant(bits, "followed_place")
    write = part.write_port("memory")
    used = claim.named((start - at)[:bits], "bytes_that_wait")
    claim.holds(~(((where - at)[:bits] < used) & write.en & (write.addr == where)))
    # What is written comes after the message, and the two together fit.
    claim.holds(used + count <= size)
    claim.holds(count <= LONGEST + 5)
    claim.holds(holds_bytes == (count != 0))
    # How much of the message has been read, which is all that waits.
    read, fetched, over = part["_offer.place"], part["fetched"], part["over"]
    waiting = claim.named(outcome.valid & verified, "message_waits")
    claim.holds(Mux(waiting, used == outcome.payload.length + 5 - read, used == 0))
    claim.holds(Mux(waiting, (read >= 1) & (read <= outcome.payload.length + 1), read == 1))
    claim.holds(over == (waiting & (read == outcome.payload.length + 1)))
    claim.holds(~fetched | waiting)
    # Place and fullness are those of a clock before: a byte takes the CRC longer.
    claim.holds(place == claim.past((start + count)[:bits]))
    claim.holds(full == claim.past(holds_bytes & (place == at)))
    claim.reached(outcome.valid & ~verified)
    claim.reached(message.valid & message.payload.last)
    return claim


def registers_of_link() -> RegisterMap:
    """Return the register map of a small network."""
    network = erbp_network("proof", (2,), n_inputs=4, n_classes=2, n_ticks=8)
    return RegisterMap(network, Hardware(lanes=2), 12_000_000)


def one_state(kind: type[RequestReader] | type[ReplyWriter]) -> Callable[[], Claim]:
    """Return the claim that a state machine with a flip-flop per state is always in one of them."""

    def made() -> Claim:
        claim = Claim()
        part = claim.component(kind(registers_of_link()))
        enters, leaves = part.starting("enters_"), part.starting("leaves_")
        states = [part["is_" + signal.name.removeprefix("enters_")] for signal in enters]
        assert len(states) == len(leaves) > 2
        claim.holds(sum(states, Const(0)) == 1)
        # It goes to one state at most, from the state that it is in.
        claim.holds(sum(enters, Const(0)) <= 1)
        for here, leave in zip(states, leaves, strict=True):
            claim.holds(~leave | here)
        for here in states:
            claim.reached(here)
        return claim

    return made


PROOFS = (
    Proof(
        "EntryCursor",
        "erbp-windows",
        cursor,
        "window, entry, byte and end are what the orders so far say; `beyond` tells every entry that is not in "
        "the window, 16-bit numbers that no register holds included",
        "induction",
        Fault("entry_cursor", "far.eq(far | Cat(self.pair[self.width :]).any())", "far.eq(far)"),
        "an entry beyond the window; the last byte of the last entry",
    ),
    Proof(
        "CounterBank",
        "2-counters",
        counters,
        "48-bit counters are the sums of all increments, carries between their pieces included; an answer is "
        "the total at a turn after its request",
        "induction",
        Fault("counter_bank", "Mux(counted, sum_of_piece, 0)", "sum_of_piece"),
        "a counter of 9 is answered",
        clocks=9,
        within=40,
    ),
    Proof(
        "FrameReceiver",
        "longest-124",
        receiver,
        "a frame that is not verified leaves nothing but its outcome: no place moves, no byte is offered, and "
        "no byte of the message that waits is overwritten, whatever comes in",
        "induction",
        Fault(
            "frame",
            "with m.If(verified):\n                m.d.sync += start.eq(place)",
            "with m.If(1):\n                m.d.sync += start.eq(place)",
        ),
        "a frame that is refused; a message, with the CRC that the solver finds for it",
        clocks=4,
        within=60,
        arrays=True,
    ),
    *(
        Proof(
            "OneHot",
            name,
            one_state(kind),
            f"the state machine of {what} is in one state at a time, and leaves only the one that it is in",
            "induction",
            Fault(
                "one_hot", "self._enters[name] | (here & ~self._leaves[name])", "self._enters[name] | here"
            ),
            "every state",
            within=40,
        )
        for name, kind, what in (
            ("request-reader", RequestReader, "the reader of requests, with any messages"),
            ("reply-writer", ReplyWriter, "the writer of replies"),
        )
    ),
)
