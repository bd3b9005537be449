# SPDX-License-Identifier: BSD-2-Clause
"""From the spikes of a tick to the words of synapse rows."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import (
    SLOT_FIELDS,
    TIMERS,
    HostAccess,
    RowSlot,
    SlotProjection,
    Timer,
    index,
    lane_mask_layout,
    layout_of,
)
from erbium.hdl.core.window_memory import WindowMemory
from erbium.hdl.fixed import joined, total_of
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.rng import xorshift32
from erbium.sw_model.description.machine import (
    HEAD,
    POPULATION,
    PROJECTION,
    SPIKE_WIDTH,
    CoreHardware,
    RuleKind,
    Window,
    window_shapes,
)


def _several(bits: Value) -> Value:
    """Return whether more than one bit is set, in few levels of logic."""
    groups = [bits[start : start + 4] for start in range(0, len(bits), 4)]
    pairs = [(group.any(), (group & (group - 1)).any()) for group in groups]
    while len(pairs) > 1:
        pairs = [
            (a | b, more_a | more_b | (a & b))
            for (a, more_a), (b, more_b) in zip(pairs[::2], pairs[1::2], strict=True)
        ]
    return pairs[0][1]


class RowWalker(wiring.Component):
    """Walks the rows of a projection that have an event in this tick: ascending, of each its expiry before its spike.

    A word of 16 spikes is read at once, and with it the timers of the same rows: a row whose neuron spiked a whole
    window ago, and not since, expires. Rows without an event cost a sixteenth of a clock each.

    Parameters
    ----------
    hardware : CoreHardware
    learn_latency : int
        Clocks from a slot to its weights in memory: a spike waits so long for the expiry of its own row.

    Members
    -------
    start : In(1)
        Walk. Spikes and projection are there from a clock before on.
    busy : Out(1)
        From `start` on: words of spikes are looked through. Afterwards the next projection can start.
    moving : Out(1)
        Rows that were found are on their way out, with what is to be known of their projection.
    population, projection : In(record)
        The former is constant while busy or moving, the latter while busy.
    spikes : In
        Word of the spike memory at which the spikes begin.
    silent : In(1)
        No spikes arrive. From two clocks after `start` on, as `learns`.
    learns : In(1)
        Rows learn in this tick by the rule of the population.
    learn : In(1)
        The sample is learned: rows that spike are marked for the pass at its end.
    finish : In(1)
        That pass: instead of spikes, all rows or those that are marked; the marks are taken away.
    tick : In(5)
        Low bits of the tick.
    clear : In(1), timer_words : In(15)
        Forget all timers; takes a clock for each of their words.
    seed_plasticity, seed_blank : In(32), load : In(1)
        Random numbers of the population.
    plasticity, blank : Out(32)
        Their last draws.
    spike_address : Out, spike_data : In(16)
    slot_valid : Out(1), slot : Out(RowSlot)
        A word of a row.
    heads, entries : In(HostAccess)

    Notes
    -----
    A word of synapses per clock. A row of one word begins in each clock; one with a head costs three more.
    """

    def __init__(self, hardware: CoreHardware, learn_latency: int) -> None:
        self.hardware, self._learn_latency = hardware, learn_latency
        address = index(hardware.spike_words)
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "moving": Out(1),
                "population": In(layout_of(POPULATION)),
                "projection": In(layout_of(PROJECTION)),
                "spikes": In(address),
                "silent": In(1),
                "learns": In(1),
                "learn": In(1),
                "finish": In(1),
                "tick": In(5),
                "clear": In(1),
                "timer_words": In(15),
                "seed_plasticity": In(32),
                "seed_blank": In(32),
                "load": In(1),
                "plasticity": Out(32),
                "blank": Out(32),
                "spike_address": Out(address),
                "spike_data": In(SPIKE_WIDTH),
                "slot_valid": Out(1),
                "slot": Out(RowSlot(hardware)),
                "heads": In(HostAccess()),
                "entries": In(HostAccess()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hw, population, projection = self.hardware, self.population, self.projection
        timed = projection.timed

        # --- words of spikes and of timers ---------------------------------------------------------------
        m.submodules.timers = timers = memory.Memory(
            shape=TIMERS, depth=hw.timer_words, init=[], attrs=COLLISION_FREE
        )
        read, write = timers.read_port(), timers.write_port()
        word, after = Signal(13), Signal(13)
        m.d.comb += [
            after.eq(word),
            self.spike_address.eq(self.spikes + after),
            read.addr.eq(projection.first_timer + after),
            write.addr.eq(projection.first_timer + word),
        ]
        window = Mux(population.long_window, 32, 16)
        low_mask = Cat(Const(0xF, 4), population.long_window)
        # A word waits in registers while the next one is at the outputs of the memories.
        advances = Signal()
        spiked, timers_here = Signal(SPIKE_WIDTH), Signal(TIMERS)
        with m.If(advances):
            m.d.sync += [
                spiked.eq(Mux(self.silent | self.finish, 0, self.spike_data)),
                timers_here.eq(read.data),
            ]
        expired, marked, existing = Signal(SPIKE_WIDTH), Signal(SPIKE_WIDTH), Signal(SPIKE_WIDTH)
        by_history = population.rule == RuleKind.HISTORY
        marks = by_history | self.learn
        m.d.comb += existing.eq(Mux(word == projection.spike_last, (2 << projection.last_bits) - 1, -1))
        written = TIMERS(write.data)
        for row in range(SPIKE_WIDTH):
            timer = timers_here[row]
            same = ((timer.tick ^ self.tick) & low_mask) == 0
            m.d.comb += [
                expired[row].eq(timed & by_history & ~self.finish & timer.pending & same),
                marked[row].eq(timer.pending),
                written[row].pending.eq(
                    ((timer.pending & ~expired[row]) | (spiked[row] & marks)) & ~self.finish
                ),
                written[row].tick.eq(Mux(spiked[row], self.tick, timer.tick)),
            ]
        passing = Mux(population.every_row, existing, marked)
        expires = Mux(self.learns, Mux(self.finish, passing, expired), 0)

        # --- one row after the other ---------------------------------------------------------------------
        spikes, expiries = Signal(SPIKE_WIDTH), Signal(SPIKE_WIDTH)
        was, had = Signal(TIMERS), Signal(SPIKE_WIDTH)
        was_last = Signal()
        base = Signal(index(hw.weight_words))
        first_row = Signal(16)
        # Of the word whose rows are on; the others are already those of the next word.
        base_here, first_row_here = Signal.like(base), Signal.like(first_row)
        n_words = population.neuron_last + 1
        both = spikes | expiries
        # The first row with an event, as one bit of 16.
        one = Signal(SPIKE_WIDTH)
        m.d.comb += one.eq(both & ~(both - 1))
        found, expires_now = Signal(), Signal()
        m.d.comb += [found.eq(both.any()), expires_now.eq((expiries & one).any())]
        chosen = Cat(
            Cat(one[row] for row in range(SPIKE_WIDTH) if row >> bit & 1).any()
            for bit in range((SPIKE_WIDTH - 1).bit_length())
        )
        timer = Timer()(joined(Mux(one[row], was[row].as_value(), 0) for row in range(SPIKE_WIDTH)))

        # What is known of the next row (A), and what is known of the one that waits for its turn (B).
        row_valid, row_taken = Signal(), Signal()
        row_in_word = Signal(4)
        row = {
            name: Signal(width, name=f"row_{name}")
            for name, width in (
                ("transmit", 1),
                ("causal", 1),
                ("pending", 1),
                ("tick", 5),
                ("again", 1),
                ("headed", 1),
                ("learn", 1),
                ("blanks", 1),
                ("projection", SlotProjection()),
            )
        }
        age = Mux(row["transmit"] & row["pending"], (self.tick - row["tick"]) & low_mask, window)
        row_base, row_number = Signal.like(base), Signal.like(first_row)
        row_free = ~row_valid | row_taken
        with m.If(row_taken):
            m.d.sync += row_valid.eq(0)

        idle = Signal()
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += idle.eq(1)
                m.d.sync += word.eq(0)
                # The first word is read already: its place was known a clock before the start.
                with m.If(self.start):
                    m.d.sync += [base.eq(projection.first_word), first_row.eq(projection.first_head)]
                    m.next = "LOAD"
                with m.Elif(self.clear & (self.timer_words != 0)):
                    m.next = "CLEAR"
            with m.State("CLEAR"):
                m.d.comb += [write.en.eq(1), write.addr.eq(word)]
                for each in written:
                    m.d.comb += [each.pending.eq(0), each.tick.eq(0)]
                m.d.sync += word.eq(word + 1)
                with m.If(word + 1 == self.timer_words):
                    m.next = "IDLE"
            with m.State("LOAD"):
                m.d.comb += [after.eq(word + 1), advances.eq(1)]
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += [after.eq(word + 2), advances.eq(1), write.en.eq(timed)]
                m.d.sync += [word.eq(word + 1), spikes.eq(spiked), expiries.eq(expires), had.eq(expires)]
                m.d.sync += [was.eq(timers_here), was_last.eq(word == projection.spike_last)]
                for k in range(SPIKE_WIDTH):
                    m.d.sync += was[k].pending.eq(timers_here[k].pending & ~expired[k])
                m.d.sync += [
                    base_here.eq(base),
                    base.eq(base + (n_words << 4)),
                    first_row_here.eq(first_row),
                    first_row.eq(first_row + SPIKE_WIDTH),
                ]
                with m.If((spiked | expires).any()):
                    m.next = "ROWS"
                with m.Elif(word == projection.spike_last):
                    m.next = "IDLE"
            with m.State("ROWS"):
                m.d.comb += after.eq(word + 1)
                with m.If(row_free):
                    rest_spikes, rest_expiries = Signal(SPIKE_WIDTH), Signal(SPIKE_WIDTH)
                    m.d.comb += [
                        rest_expiries.eq(expiries & ~one),
                        rest_spikes.eq(Mux(expires_now, spikes, spikes & ~one)),
                    ]
                    m.d.sync += [
                        row_valid.eq(found),
                        row_in_word.eq(chosen),
                        row["transmit"].eq(~expires_now),
                        row["causal"].eq((expires_now & ~self.finish) | timer.pending),
                        row["pending"].eq(timer.pending),
                        row["tick"].eq(timer.tick),
                        row_base.eq(base_here),
                        row_number.eq(first_row_here),
                        expiries.eq(rest_expiries),
                        spikes.eq(rest_spikes),
                        # The spike of a row that has just expired reads weights that are being written.
                        row["again"].eq(~expires_now & (had & one).any()),
                        row["headed"].eq(projection.headed),
                        row["learn"].eq(self.learns & projection.learns),
                        row["blanks"].eq(projection.keep[:8] != 0),
                        *(row["projection"][name].eq(projection[name]) for name in SLOT_FIELDS),
                    ]
                    # Nothing is left if that was the only row, and it does not both expire and spike.
                    with m.If(~(_several(both) | (spikes & expiries).any())):
                        m.next = "TAKE"
                        with m.If(was_last):
                            m.next = "IDLE"

        # --- words of a row ------------------------------------------------------------------------------
        shapes = window_shapes(hw)
        m.submodules.head_memory = heads = WindowMemory(*shapes[Window.HEADS])
        m.submodules.entry_memory = entries = WindowMemory(*shapes[Window.ENTRIES])
        wiring.connect(m, heads.host, wiring.flipped(self.heads))
        wiring.connect(m, entries.host, wiring.flipped(self.entries))
        head = layout_of(HEAD)(heads.read_data)
        m.d.comb += heads.read_address.eq(row_number + row_in_word)

        # Words that are left of the row that is being issued; the first slot of a row carries its numbers.
        going, left, last_left = Signal(), Signal(12), Signal()
        fetched = Signal()
        hold, held = Signal(range(self._learn_latency + 2)), Signal()
        with m.If(held):
            m.d.sync += [hold.eq(hold - 1), held.eq(hold != 1)]
        free = ~going | last_left
        ready = row_valid & (fetched | ~row["headed"]) & ~(row["again"] & held)
        m.d.sync += fetched.eq(row_valid & ~row_taken)
        m.d.comb += row_taken.eq(free & ready)

        drawn, blanked = xorshift32(self.plasticity), xorshift32(self.blank)
        with m.If(self.load):
            m.d.sync += [self.plasticity.eq(self.seed_plasticity), self.blank.eq(self.seed_blank)]
        with m.Elif(row_taken):
            with m.If(row["learn"]):
                m.d.sync += self.plasticity.eq(drawn)
            with m.If(row["blanks"] & row["transmit"]):
                m.d.sync += self.blank.eq(blanked)
        dense = total_of([Mux(row_in_word[bit], n_words << bit, 0) for bit in range(4)])
        begin, entry = Signal.like(base), Signal(16)
        current = {
            name: Signal(width, name=f"now_{name}")
            for name, width in (
                ("transmit", 1),
                ("causal", 1),
                ("age", 6),
                ("headed", 1),
                ("learn", 1),
                ("projection", SlotProjection()),
            )
        }
        opening = Signal()
        m.d.sync += opening.eq(row_taken)
        with m.If(row_taken):
            further = Mux(row["headed"], head.last, population.neuron_last)
            m.d.sync += [
                going.eq(1),
                left.eq(further),
                last_left.eq(further == 0),
                begin.eq(Mux(row["headed"], head.first_word, row_base + dense)),
                entry.eq(head.first_entry),
                *(signal.eq(age if name == "age" else row[name]) for name, signal in current.items()),
            ]
            with m.If(~row["transmit"]):
                m.d.sync += [hold.eq(self._learn_latency + 1), held.eq(1)]
        with m.Elif(going):
            m.d.sync += [left.eq(left - 1), last_left.eq(left == 1), entry.eq(entry + 1)]
            with m.If(last_left):
                m.d.sync += going.eq(0)
            with m.If(~current["transmit"]):
                m.d.sync += [hold.eq(self._learn_latency + 1), held.eq(1)]

        # The slot a clock later, when the entry is there.
        m.d.comb += entries.read_address.eq(entry)
        valid, first, last = Signal(), Signal(), Signal()
        place, stored = Signal.like(base), Signal(12)
        moving, placed = Signal(), Signal.like(base)
        dense_word = Signal(12)
        staged = {name: Signal.like(signal, name=f"staged_{name}") for name, signal in current.items()}
        draws = Signal(32), Signal(32)
        m.d.sync += [valid.eq(going), first.eq(opening), last.eq(last_left)]
        with m.If(going):
            m.d.sync += dense_word.eq(Mux(opening, 0, dense_word + 1))
            with m.If(opening):
                m.d.sync += [
                    place.eq(begin),
                    moving.eq(0),
                    draws[0].eq(self.plasticity),
                    draws[1].eq(self.blank),
                ]
                m.d.sync += [staged[name].eq(signal) for name, signal in current.items()]
        found_entry = lane_mask_layout(hw)(entries.read_data)
        tail = ((2 << population.last_lane) - 1)[: hw.lanes]
        full = Const((1 << hw.lanes) - 1, hw.lanes)
        m.d.comb += stored.eq(Mux(staged["headed"], found_entry.word, dense_word))
        mask = Mux(staged["headed"], found_entry.mask, Mux(dense_word == population.neuron_last, tail, full))
        slot = self.slot
        # The words of a row follow each other, so the one before is in the slot: it has weights of its own, or none.
        m.d.comb += placed.eq(place + (moving & slot.mask.any()))
        with m.If(valid & ~(going & opening)):
            m.d.sync += [place.eq(placed), moving.eq(1)]
        m.d.sync += [
            self.slot_valid.eq(valid),
            slot.weights.eq(placed),
            slot.word.eq(stored),
            slot.last_word.eq(stored == population.neuron_last),
            slot.first.eq(first),
            slot.last.eq(last),
            slot.mask.eq(mask),
            *(slot[name].eq(signal) for name, signal in staged.items() if name != "headed"),
            slot.draw.eq(draws[0]),
            slot.blank.eq(draws[1]),
        ]
        m.d.comb += [
            self.busy.eq(~idle | self.start),
            self.moving.eq(row_valid | going | valid | self.slot_valid),
        ]
        return m
