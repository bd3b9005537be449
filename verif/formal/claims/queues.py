# SPDX-License-Identifier: BSD-2-Clause
"""Queues and forks: no token is lost, doubled, altered, overtaken or held back, under any stalls."""

from __future__ import annotations

from amaranth.hdl import Mux, Value

from erbium.hdl.causal_fifo import CausalFifo
from erbium.hdl.fork import Fork, Queue
from erbium.hdl.skid import Skid
from erbium.verif.formal.claim import Claim
from erbium.verif.formal.opened import Opened
from erbium.verif.formal.proof import Proof
from erbium.verif.formal.watch import Watch
from erbium.verif.planted import Fault

WIDTH = 4


def steady(claim: Claim, stream: object) -> None:
    """Claim that a token which is offered stays until it is taken."""
    valid, ready, payload = stream.valid, stream.ready, Value.cast(stream.payload)  # type: ignore[attr-defined]
    waits, before = claim.past(valid & ~ready), claim.past(payload)
    claim.holds(~waits | (valid & (payload == before)))


def forked(claim: Claim, part: Opened, readers: int, room: int, *, prompt: bool = False) -> None:
    """Say it of each reader of a fork."""
    place, token = part["place"], part.token_i
    size = 1 << (len(place) - 1)
    takes = token.valid & token.ready
    write = part.write_port("memory")
    for number in range(readers):
        out, at = part.token_o[number], part[f"place_{number}"]
        behind = claim.named((place - at)[: len(place)], f"in_memory_{number}")
        watch = Watch(claim, takes, token.payload, out.valid & out.ready, out.payload, size + 1, f"_{number}")
        # Where the token is: in the register after the memory, or so many places after the one that is read next.
        claim.holds(watch.inside == behind + out.valid)
        first = watch.picked & out.valid & (watch.ahead == 0)
        where = (at + watch.ahead - out.valid)[: len(place) - 1]
        stored = part.word("memory", claim.named(where, f"where_{number}"))
        claim.holds(~watch.picked | (Mux(first, out.payload, stored) == watch.token))
        claim.holds(behind <= size)
        claim.holds(~token.ready | (behind < size))
        claim.holds(~part.has_room | (behind + room <= size))
        steady(claim, out)
        # No deadlock: a token in the memory is offered in the next clock, and one goes in if there is room for two.
        waiting = claim.past(behind != 0)
        claim.holds(~waiting | out.valid)
        if prompt:
            claim.holds(~claim.past(takes) | out.valid)
        read = part.read_port("memory", number)
        # A memory that is read within a clock shows something in each, and it is looked at if a token waits there.
        reads = behind != 0 if prompt else read.en
        claim.holds(~(reads & write.en & (read.addr == write.addr)))
    most = 0
    for number in range(readers):
        most = most | ((place - part[f"place_{number}"])[: len(place)] >= size - 1)
    was_full = claim.past(most, init=1)
    claim.holds(was_full | token.ready)


def queue() -> Claim:
    """Follow a token through a queue."""
    claim = Claim()
    part = claim.component(Queue(WIDTH, 4))
    forked(claim, part.part("fork"), 1, 1)
    # The queue's own ports are those of the fork.
    inner = part.part_ports("fork")
    claim.holds(part.token_o.valid == inner.token_o[0].valid)
    claim.holds(part.token_i.ready == inner.token_i.ready)
    return claim


def fork() -> Claim:
    """Follow a token to each of two readers."""
    claim = Claim()
    part = claim.component(Fork(WIDTH, 2, 3, 2))
    forked(claim, part, 2, 2)
    return claim


def prompt_fork() -> Claim:
    """Follow a token to each of two readers, past a memory that is empty."""
    claim = Claim()
    part = claim.component(Fork(WIDTH, 2, 3, 2, prompt=True))
    forked(claim, part, 2, 2, prompt=True)
    return claim


def skid() -> Claim:
    """Follow a token through a register and its spare one."""
    claim = Claim()
    part = claim.component(Skid(WIDTH))
    token, out, waits = part.token_i, part.token_o, part["waits"]
    takes, gives = token.valid & token.ready, out.valid & out.ready
    watch = Watch(claim, takes, token.payload, gives, out.payload, 2)
    claim.holds(watch.inside == out.valid + waits)
    claim.holds(~waits | out.valid)
    held = Mux(watch.ahead == 0, out.payload, part["spare"])
    claim.holds(~watch.picked | (held == watch.token))
    steady(claim, out)
    # One is offered in the clock after it came, and one is taken if there was room for two.
    claim.holds(~claim.past(takes) | out.valid)
    claim.holds(claim.past(out.valid, init=0) | token.ready)
    claim.reached(gives & watch.picked & (watch.ahead == 0) & waits)
    return claim


INPUTS = 3


def causes() -> Claim:
    """Follow a spike through the list of those that a sample had."""
    claim = Claim()
    part = claim.component(CausalFifo(INPUTS, 4))
    m = claim.m
    pushed = claim.register(range(INPUTS + 2), "pushed")
    # Nothing else happens with a clear, and a presynaptic neuron spikes once.
    claim.given(~part.clear | ~(part.push | part.next_row))
    claim.given(~part.push | (pushed < INPUTS))
    claim.given(~part.next_row | part.available)
    with m.If(part.clear):
        m.d.sync += pushed.eq(0)
    with m.Else():
        m.d.sync += pushed.eq(pushed + part.push)
    end, at = part["end"], part["at"]
    token = claim.named((part.tick << 2) | part.row, "spike_in")
    out = claim.named((part.tick_o << 2) | part.row_o, "spike_out")
    pick, picked, number = (
        claim.free(1, "pick"),
        claim.register(1, "picked"),
        claim.register(range(INPUTS + 1), "number"),
    )
    value, read = claim.register(len(token), "followed"), claim.register(range(INPUTS + 2), "read")
    with m.If(part.clear):
        m.d.sync += [picked.eq(0), read.eq(0)]
    with m.Else():
        m.d.sync += read.eq(read + part.next_row)
        with m.If(part.push & pick & ~picked):
            m.d.sync += [picked.eq(1), number.eq(pushed), value.eq(token)]
    claim.holds((end == pushed) & (at == read + part.available) & (at <= end) & (pushed <= INPUTS))
    claim.holds(~picked | (number < pushed))
    # The spike that was pushed as number n is the one that is read as number n.
    claim.holds(~(picked & part.available & (read == number)) | (out == value))
    stored = part.word("rows", number)
    claim.holds(~picked | (stored == value))
    # It is offered two clocks after it was pushed, at the latest.
    waits = claim.past((at != end) & ~part.clear)
    claim.holds(~waits | part.available)
    write, port = part.write_port("rows"), part.read_port("rows")
    claim.holds(~(port.en & write.en & (port.addr == write.addr)))
    claim.reached(picked & part.available & part.next_row & (number == INPUTS - 1) & (read == number))
    return claim


_NOTHING = "no token is lost, doubled, altered or overtaken"
PROOFS = (
    Proof(
        "Queue",
        "depth-4",
        queue,
        f"{_NOTHING}; what is offered stays; one in the memory is offered in the next clock; the memory is "
        "never read where it is written",
        "induction",
        Fault("fork", "one[-1] | one[ceil_log2(room) : -1].all()", "one[-1]"),
        "the followed token leaves with another one after it",
    ),
    Proof(
        "Skid",
        "two-tokens",
        skid,
        f"{_NOTHING}; what is offered stays; a token is offered a clock after it came; one is taken unless two wait",
        "induction",
        Fault("skid", "shown.eq(Mux(waits, spare, token))", "shown.eq(token)"),
        "the followed token leaves with another one after it",
    ),
    Proof(
        "Fork",
        "2-readers",
        fork,
        f"{_NOTHING}, for each of two readers that stall as they like; `has_room` leaves room for two tokens",
        "induction",
        Fault(
            "fork",
            "port.en.eq(self._waits(m, place, at) & (~out.valid | out.ready))",
            "port.en.eq(self._waits(m, place, at))",
        ),
        "the followed token leaves with another one after it, at each reader",
    ),
    Proof(
        "Fork",
        "2-readers-prompt",
        prompt_fork,
        f"{_NOTHING}, for each of two readers that stall as they like; a token is offered a clock after it came",
        "induction",
        Fault("fork", "Mux(waits, port.data, self.token_i.payload)", "self.token_i.payload"),
        "the followed token leaves with another one after it, at each reader",
    ),
    Proof(
        "CausalFifo",
        "3-inputs",
        causes,
        "spikes come out in the order in which they were pushed, each once, row and tick unaltered, until a clear",
        "induction",
        Fault("causal_fifo", "read.en.eq((at != end) & (~there | self.next_row))", "read.en.eq((at != end))"),
        "the last of three spikes is read",
    ),
)
