# SPDX-License-Identifier: BSD-2-Clause
"""Memories: what is read is what was written last."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Mux, Signal, Value

from erbium.hdl.synapse_memory import SynapseMemory
from erbium.hdl.word_file import WordFile
from erbium.verif.formal.claim import Claim
from erbium.verif.formal.opened import Opened
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault

WIDTH = 3


def word_file(depth: int, *, registered: bool = True) -> Callable[[], Claim]:
    """Return the claim about a file of so many words: it follows one word, any one."""

    def made() -> Claim:
        claim = Claim()
        part = claim.component(WordFile(depth, WIDTH, registered=registered))
        m = claim.m
        at = claim.constant(range(max(depth, 2)), "followed_address")
        claim.given(at < depth)
        claim.given((part.read_address < depth) & (part.write_address < depth))
        # The contract of the callers: it is never read where it is being written.
        met = part.read_enable & part.write_enable & (part.read_address == part.write_address)
        if depth > 1:
            claim.given(~met)
        value, known = Signal(WIDTH, name="followed"), claim.register(1, "known")
        here = part.write_enable & ((part.write_address == at) if depth > 1 else 1)
        with m.If(here):
            m.d.sync += [value.eq(part.write_data), known.eq(1)]
        # What the read of so many clocks ago has to show; it stays while nothing is read.
        latency = part.read_latency
        reads = claim.named(
            part.read_enable & known & ((part.read_address == at) if depth > 1 else 1), "reads"
        )
        answer = claim.named(Mux(part.read_clear, 0, value), "answer")
        clears = claim.named(part.read_enable & part.read_clear, "clears")
        if latency == 0:
            claim.holds(~(known & ~part.read_clear) | (part.read_data == value))
            claim.holds(~part.read_clear | (part.read_data == 0))
        else:
            due, expected, zero = (
                claim.register(1, "due"),
                Signal(WIDTH, name="expected"),
                claim.register(1, "zero"),
            )
            with m.If(part.read_enable):
                m.d.sync += [due.eq(reads), expected.eq(answer), zero.eq(clears)]
            if latency == 2:
                enabled = claim.past(part.read_enable, init=1)
                later, after, cleared = (
                    claim.register(1, "due_later"),
                    Signal(WIDTH, name="expected_later"),
                    claim.register(1, "zero_later"),
                )
                with m.If(enabled):
                    m.d.sync += [later.eq(due), after.eq(expected), cleared.eq(zero)]
                due, expected, zero = later, after, cleared
            claim.holds(~due | (part.read_data == expected))
            claim.holds(~zero | (part.read_data == 0))
        _invariants(claim, part, depth, at, value, known)
        claim.reached(known & reads & (value == 5))
        return claim

    return made


def _invariants(claim: Claim, part: Opened, depth: int, at: Value, value: Value, known: Value) -> None:
    """Say where the followed word is."""
    if depth == 1:
        claim.holds(~known | (part["value"] == value))
    elif depth <= 3:
        for place in range(depth):
            claim.holds(~known | (at != place) | (part[f"word_{place}"] == value))
    else:
        claim.holds(~known | (part.word("memory", at) == value))


def synapse_memory(latency: int) -> Callable[[], Claim]:
    """Return the claim about a generic synapse memory."""

    def made() -> Claim:
        claim = Claim()
        depth = 5
        part = claim.component(SynapseMemory(depth, WIDTH, latency))
        m = claim.m
        at = claim.constant(range(depth), "followed_address")
        read_address, write_address = part.read_address[0], part.write_address[0]
        claim.given((at < depth) & (read_address < depth) & (write_address < depth))
        met = part.read_enable[0] & part.write_enable[0] & (read_address == write_address)
        value, known = Signal(WIDTH, name="followed"), claim.register(1, "known")
        with m.If(part.write_enable[0] & (write_address == at)):
            m.d.sync += [value.eq(part.write_data), known.eq(1)]
        # A read that meets a write is told for good; any other one shows the word that was written last.
        was_met = claim.register(1, "was_met")
        m.d.sync += was_met.eq(was_met | met)
        claim.holds(part.collision == was_met)
        reads = part.read_enable[0] & known & (read_address == at) & ~met
        due, expected = reads, value
        due, expected = claim.past(due, latency), claim.past(expected, latency)
        claim.holds(~due | (part.read_data == expected))
        claim.holds(~known | (part.word("memory", at) == value))
        claim.reached(due & (part.read_data == 5))
        claim.reached(part.collision)
        return claim

    return made


PROOFS = (
    *(
        Proof(
            "WordFile",
            name,
            word_file(depth, registered=registered),
            f"{what}: a read shows, {clocks}, the word that was written last at its address, 0 with "
            "`read_clear`, and keeps it while nothing is read",
            "induction",
            fault,
            "a word is read that was written",
            clocks=3,
        )
        for name, depth, registered, what, clocks, fault in (
            (
                "1-word",
                1,
                True,
                "a register",
                "in the same clock",
                Fault("word_file", "Mux(self.read_clear, 0, value))", "value)"),
            ),
            (
                "3-words",
                3,
                True,
                "registers",
                "in the next clock",
                Fault(
                    "word_file",
                    "Mux(self.read_clear, 0, words[self.read_address])",
                    "words[self.read_address]",
                ),
            ),
            (
                "8-words",
                8,
                True,
                "RAM made of logic",
                "in the next clock",
                Fault("word_file", "value.eq(Mux(self.read_clear, 0, read.data))", "value.eq(read.data)"),
            ),
            (
                "18-words",
                18,
                True,
                "block RAM with a register",
                "two clocks later",
                Fault("word_file", "data = Mux(cleared, 0, read.data)", "data = read.data"),
            ),
            (
                "18-words-short",
                18,
                False,
                "block RAM",
                "in the next clock",
                Fault("word_file", "cleared.eq(self.read_clear)", "cleared.eq(0)"),
            ),
        )
    ),
    *(
        Proof(
            "SynapseMemory",
            f"latency-{latency}",
            synapse_memory(latency),
            f"a read shows after {latency} clocks the word that was written last at its address, and "
            "`collision` tells for good, and only then, that a read has met a write",
            "induction",
            fault,
            "a word is read that was written; a collision",
            clocks=latency + 1,
        )
        for latency, fault in (
            (
                2,
                Fault(
                    "synapse_memory",
                    "read.en.eq(self._read_enable)",
                    "read.en.eq(self._read_enable & self._write_enable)",
                ),
            ),
            (
                3,
                Fault(
                    "synapse_memory",
                    "self._read_enable & self._write_enable & (self._read",
                    "self._read_enable & (self._read",
                ),
            ),
        )
    ),
)
