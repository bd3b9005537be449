# SPDX-License-Identifier: BSD-2-Clause
"""Lanes with what they read and write: weights, ports, and what neurons keep for plasticity."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import (
    HEIGHT_LAYOUT,
    HostAccess,
    NeuronMemories,
    RowSlot,
    index,
    layout_of,
)
from erbium.hdl.core.synapse_lane import FACTOR, HEIGHT, LEARNED, N_COARSE, N_FINE, SynapseLane
from erbium.hdl.core.window_memory import WindowMemory
from erbium.hdl.fixed import delayed, total_of
from erbium.hdl.groups import COPY
from erbium.hdl.marks import BLOCK_RAM, COLLISION_FREE
from erbium.hdl.word_file import WordRom
from erbium.sw_model import constants
from erbium.sw_model.description.machine import (
    HEIGHT_NAMES,
    POPULATION,
    CoreHardware,
    RuleKind,
    Window,
    window_shapes,
)
from erbium.sw_model.rules.end import END_ROUNDING

SENT = 5
"""Stage at which a port's new sum is written."""

SWEEP_DELAY = 2
"""Clocks from the end of `sending` until the memories may belong to the sweep."""

GROUP_LANES = 8
"""Lanes that share the registers which tell them what they have in common."""

BLOCK_TICKS = 16
"""Ticks of the histories that are kept in block RAM; there is not enough of it on an LFE5U-85F for more. Those of a
longer window are in logic cells, and need more wires."""

LEARN_LATENCY = LEARNED + 2
"""Clocks after a slot until a read sees its new weights."""


class RowLanes(wiring.Component):
    """Takes a word of a row per clock: sends it to the ports of its neurons, and lets it learn.

    Between row passes the memories of the neurons belong to the sweep.

    Parameters
    ----------
    hardware : CoreHardware

    Members
    -------
    population : In(record), tick : In(5)
        Constant while busy; the low bits of the tick.
    reversed : In(1)
        The factor g is -1.
    finish : In(1)
        A pass at the end of a sample.
    slot_valid : In(1), slot : In(RowSlot)
    busy : Out(1), sending : Out(1)
        Words are under way; some of them will be on their way to the ports in :data:`SWEEP_DELAY` clocks.
    clear_counts : In(1)
    operations, changed : Out(24), learned : Out(16)
        Synapses that transmitted, weights that changed, rows that learned since the counts were cleared.
    sweeping : In(1)
        The memories belong to the sweep: no slot may come.
    memories : In(NeuronMemories)
        For the sweep.
    weights : In(HostAccess)

    Notes
    -----
    A word per clock, without a bubble, however soon the same neurons come again: what is not yet written is taken from
    the pipeline. A port's sum is written 6 clocks after the slot, a weight 13; stages are counted from the clock after
    the slot.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self.hardware = hardware
        super().__init__(
            {
                "population": In(layout_of(POPULATION)),
                "tick": In(5),
                "reversed": In(1),
                "finish": In(1),
                "slot_valid": In(1),
                "slot": In(RowSlot(hardware)),
                "busy": Out(1),
                "sending": Out(1),
                "clear_counts": In(1),
                "operations": Out(24),
                "changed": Out(24),
                "learned": Out(16),
                "sweeping": In(1),
                "memories": In(NeuronMemories(hardware)),
                "weights": In(HostAccess()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        memories = self.memories
        hw, population = self.hardware, self.population
        lanes, width = hw.lanes, hw.weight_width
        # Slots of all stages, each field only as far as something reads it.
        # Weights are asked for a clock before stage 0: their memory lies all over the chip.
        begun = Signal(RowSlot(hw), name="slot_0", reset_less=True)
        m.d.sync += begun.eq(self.slot)
        slots, valids = [begun], [delayed(m, self.slot_valid, 1, "valid_0")]
        for stage in range(LEARNED + 1):
            after = Signal(RowSlot(hw), name=f"slot_{stage + 1}", reset_less=True)
            m.d.sync += after.eq(slots[-1])
            slots.append(after)
            valids.append(delayed(m, valids[-1], 1, f"valid_{stage + 1}"))
        m.d.comb += [
            self.busy.eq(Cat(valids).any()),
            self.sending.eq(Cat(valids[: SENT + 1 - SWEEP_DELAY]).any()),
        ]

        first = population.neuron_first
        # --- memories --------------------------------------------------------------------------------------
        m.submodules.weight_memory = weights = WindowMemory(
            *window_shapes(hw)[Window.WEIGHTS], registered=True
        )
        wiring.connect(m, weights.host, wiring.flipped(self.weights))
        m.d.comb += weights.read_address.eq(self.slot.weights)
        weight = delayed(m, weights.read_data, 1, "weight", cleared=False)

        # Lanes are told what they share by registers of their group, so that these lie near them.
        group = min(lanes, max(GROUP_LANES, hw.units))
        groups = range(lanes // group)
        attrs = COPY if len(groups) > 1 else {}

        def copied(value: Value, name: str) -> list[Signal]:
            copies = [
                Signal.like(value, name=f"{name}_{number}", reset_less=True, attrs=attrs) for number in groups
            ]
            m.d.sync += [copy.eq(value) for copy in copies]
            return copies

        # Addresses of wide memories wait in registers, and as block RAM is slow at its output, so do words: at stage 2.
        depth, group_parts = hw.neuron_words, group // hw.units
        reads = copied((first + self.slot.word)[: index(depth)], "trace_read")
        writes_word = copied(memories.trace_word, "trace_write")
        spikes = copied(memories.spikes, "spikes")
        bits = copied(Mux(memories.trace_clear, (1 << hw.window) - 1, 1 << self._now), "history_bits")
        word_of: list[Value] = []
        history_of: list[Value] = []
        for number in groups:
            parts = delayed(
                m, memories.trace_write[number * group_parts :][:group_parts], 1, f"trace_parts_{number}"
            )
            m.submodules[f"word_memory_{number}"] = words = memory.Memory(
                shape=data.ArrayLayout(16, group), depth=depth, init=[], attrs=COLLISION_FREE
            )
            written = []
            for part in range(group_parts):
                kept = Signal(hw.units, name=f"spikes_{number}_{part}", reset_less=True)
                if part < group_parts - 1:
                    with m.If(parts[part]):
                        m.d.sync += kept.eq(spikes[number])
                before = Mux(parts[part + 1 :].any(), kept, 0)
                written.append(Mux(parts[part], spikes[number], before))
            read_words, write_words = words.read_port(), words.write_port(granularity=hw.units)
            m.d.comb += [
                read_words.addr.eq(reads[number]),
                write_words.addr.eq(writes_word[number]),
                write_words.en.eq(parts),
                write_words.data.eq(
                    Cat(memories.words[lane] for lane in range(number * group, (number + 1) * group))
                ),
            ]
            # A bit for each neuron of the group and each tick of the window: a sweep writes those of its tick, part by
            # part, and each time those of the parts before as well.
            ticks: list[Value] = []
            for first_tick in range(0, hw.window, BLOCK_TICKS):
                m.submodules[f"history_memory_{number}_{first_tick}"] = histories = memory.Memory(
                    shape=data.ArrayLayout(group, BLOCK_TICKS),
                    depth=depth,
                    init=[],
                    attrs=COLLISION_FREE | ({} if first_tick else BLOCK_RAM),
                )
                read_bits, write_bits = histories.read_port(), histories.write_port(granularity=1)
                here = bits[number][first_tick : first_tick + BLOCK_TICKS]
                m.d.comb += [
                    read_bits.addr.eq(reads[number]),
                    write_bits.addr.eq(writes_word[number]),
                    write_bits.en.eq(here & parts.any().replicate(BLOCK_TICKS)),
                    write_bits.data.eq(Cat(written).replicate(BLOCK_TICKS)),
                ]
                ticks += [read_bits.data[tick] for tick in range(BLOCK_TICKS)]
            for lane in range(group):
                word = delayed(m, read_words.data[lane], 1, f"word_{number}_{lane}", cleared=False)
                word_of.append(word.as_signed())
                history = Cat(tick[lane] for tick in ticks)
                history_of.append(delayed(m, history, 1, f"history_{number}_{lane}", cleared=False))

        values = [constants.neuron_constant(neuron) for neuron in range(hw.neurons)]
        constant: list[Value] = []
        constant_words = copied(Mux(self.sweeping, memories.constant_word, slots[0].word), "constant_word")
        for number in groups:
            words = [
                sum(
                    value << (16 * lane)
                    for lane, value in enumerate(values[start + number * group :][:group])
                )
                for start in range(0, hw.neurons, lanes)
            ]
            m.submodules[f"constant_memory_{number}"] = rom = WordRom(words, 16 * group)
            m.d.comb += rom.address.eq(constant_words[number])
            constant += [rom.data.word_select(lane, 16) for lane in range(group)]

        m.submodules.port_memory = ports = memory.Memory(
            shape=16 * lanes, depth=2 * hw.neuron_words, init=[], attrs=COLLISION_FREE
        )
        read_port, write_port = ports.read_port(), ports.write_port()
        port_address = [
            Cat(slots[stage].projection.port, (first + slots[stage].word)[: index(hw.neuron_words)])
            for stage in (2, 5)
        ]
        m.d.comb += [
            read_port.addr.eq(Mux(self.sweeping, Cat(memories.port, memories.port_word), port_address[0])),
            read_port.en.eq(Mux(self.sweeping, memories.port_read, 1)),
            memories.port_data.eq(read_port.data),
        ]

        # --- what the rows share ---------------------------------------------------------------------------
        # What takes more than a level of logic is in a register before it goes to the groups.
        zones = self._zones(m, slots[0])
        rounding_mask = Signal(16)
        m.d.comb += rounding_mask.eq((1 << population.rounding) - 1)
        tail = Signal(lanes, reset_less=True)
        m.d.sync += tail.eq((2 << population.last_lane) - 1)

        # Bounds of weights are within the width of the lanes: other projections do not fit.
        def bounds(stage: int) -> list[Value]:
            return [slots[stage].projection[name][:width].as_signed() for name in ("lowest", "highest")]

        lowest, highest = bounds(1)
        low, high = (copied(each, name) for each, name in zip(bounds(9), ("low", "high"), strict=True))
        heights, by_word = self._heights(m, slots[1])
        presynaptic, times_word = (
            delayed(m, heights[6].as_unsigned() & there.replicate(HEIGHT.width), 1, name, cleared=False)
            for there, name in ((~by_word[2], "presynaptic_before"), (by_word[2], "times_word_before"))
        )
        factor = Signal(FACTOR, reset_less=True)
        projection = slots[0].projection
        m.d.sync += factor.eq(
            Mux(
                projection.fixed,
                projection.weight,
                Cat(projection.width == width - place for place in range(width - 3)),
            )
        )
        # The sweep asks which neurons are silent in a sample, the rows which synapses.
        blank = copied(Mux(self.sweeping, memories.draw, slots[1].blank), "blank")
        keep = copied(Mux(self.sweeping, memories.keep, slots[1].projection.keep), "keep")
        # Where steps are taken from the weight (eRBP), -((e + r) >> R) is (-e + 2^R - 1 - r) >> R.
        random = (slots[6].draw[:16] ^ self._negative().replicate(16)) & rounding_mask
        # With soft bounds a step is dropped from these weights on.
        room, (soft_low, soft_high) = slots[6].draw[25:], bounds(6)
        edge = Shape(width + 1, signed=True)
        soft_lowest, soft_highest = (Signal(edge, name=f"soft_{name}") for name in ("low", "high"))
        m.d.sync += [soft_lowest.eq(soft_low + room), soft_highest.eq(soft_high - room)]
        # What belongs to the population is there long before its rows.
        coarse, fine = (
            delayed(m, Cat(part == each for each in range(count)), 1, name, cleared=False)
            for part, count, name in (
                (population.rounding[2:], N_COARSE, "coarse_before"),
                (population.rounding[:2], N_FINE, "fine_before"),
            )
        )
        shared = {
            "heights": copied(Cat(heights[:6]), "heights"),
            "by_word": copied(by_word[:2], "by_word"),
            "presynaptic": copied(presynaptic, "presynaptic"),
            "presynaptic_by_word": copied(times_word, "presynaptic_by_word"),
            "fixed": copied(slots[1].projection.fixed, "fixed"),
            "factor": copied(factor, "factor"),
            "coarse": copied(coarse, "coarse"),
            "fine": copied(fine, "fine"),
            "finish": copied(self.finish, "finish"),
            "reversed": copied(self.reversed, "reversed"),
            "soft": copied(population.soft, "soft"),
            "lowest": low,
            "highest": high,
            "zones": copied(zones, "zones"),
            "keep": keep,
            "blank": blank,
            "bound": copied(Mux(slots[1].causal, highest, lowest), "bound"),
            "random": copied(random, "random"),
            "soft_lowest": copied(soft_lowest, "soft_lowest"),
            "soft_highest": copied(soft_highest, "soft_highest"),
        }

        # --- lanes -----------------------------------------------------------------------------------------
        # A port that is still under way: of the slot before (stage 5 to 4), and of the two before that. All lanes are
        # told by registers of their groups, so this looks at the slots two clocks before.
        def same(older: int, younger: int, name: str) -> list[Signal]:
            before, after = slots[older - 2], slots[younger - 2]
            met = (before.word == after.word) & (before.projection.port == after.projection.port)
            met &= valids[older - 2] & before.transmit
            return copied(delayed(m, met, 1, f"{name}_before"), name)

        totals: list[Value] = []
        afters: list[Value] = []
        some, changed = Signal(lanes), Signal(lanes)
        from_5, from_6 = same(5, 3, "from_5"), same(6, 3, "from_6")
        from_next = same(5, 4, "from_next")
        for lane in range(lanes):
            m.submodules[f"lane_{lane}"] = unit = SynapseLane(width, hw.window)
            old = Signal(16, name=f"old_{lane}", reset_less=True)
            total_6 = delayed(m, unit.total, 1, f"total_6_{lane}", cleared=False)
            read, mine = read_port.data.word_select(lane, 16), lane // group
            m.d.sync += old.eq(Mux(from_5[mine], unit.total, Mux(from_6[mine], total_6, read)))
            m.d.comb += [
                unit.weight.eq(weight.word_select(lane, width)),
                unit.word.eq(word_of[lane]),
                unit.history.eq(history_of[lane]),
                unit.constant.eq(constant[lane]),
                unit.mask.eq(slots[2].mask[lane]),
                memories.quiet[lane].eq(unit.quiet),
                unit.transmit.eq(slots[2].transmit),
                unit.old.eq(Mux(from_next[mine], unit.total, old.as_signed())),
                unit.learn.eq(slots[9].learn),
                some[lane].eq(unit.some & (~slots[8].last_word | tail[lane])),
                changed[lane].eq(unit.changed),
            ]
            m.d.comb += [getattr(unit, name).eq(copies[mine]) for name, copies in shared.items()]
            totals.append(unit.total)
            afters.append(unit.after)

        writes = valids[LEARNED - 1] & slots[LEARNED - 1].learn & slots[LEARNED - 1].mask.any()
        # What the sweep writes comes a clock later.
        clears = delayed(m, memories.port_write, 1, "clears")
        cleared = delayed(
            m, Cat(memories.port_write_port, memories.port_write_word), 1, "cleared", cleared=False
        )
        filling = delayed(m, memories.port_write_data, 1, "filling", cleared=False)
        m.d.comb += [
            write_port.addr.eq(Mux(self.sweeping, cleared, port_address[1])),
            write_port.data.eq(Mux(self.sweeping, filling.replicate(lanes), Cat(totals))),
            write_port.en.eq(Mux(self.sweeping, clears, valids[5] & slots[5].transmit)),
            weights.write_address.eq(slots[LEARNED].weights),
            weights.write_data.eq(Cat(afters)),
            weights.write_enable.eq(delayed(m, writes, 1, "writes")),
        ]
        self._count(m, slots, valids, slots[2].projection.fixed, some, changed)
        return m

    @property
    def _now(self) -> Value:
        """The bit of a history that the present tick has: histories go round."""
        return self.tick[: (self.hardware.window - 1).bit_length()]

    def _zones(self, m: Module, slot: data.View) -> Value:
        """Return the masks of :class:`SynapseLane` for a slot at stage 0: they are there at stage 1.

        A spike of j + 1 ticks ago is causal if it came after the row's own, ``age - 1 - j`` ticks later; j ticks before
        the present event, it is acausal.
        """
        window, population, now = self.hardware.window, self.population, self._now

        def below(bit: Value) -> Value:
            return Cat(place < bit for place in range(window))

        def kept(value: Value, name: str) -> Value:
            return delayed(m, value, 1, name, cleared=False)

        # What does not change during the rows of a population waits in registers.
        here, present = kept(below(now), "bits_before"), kept(now, "bit_now")

        def last(bit: Value, some: Value) -> Value:
            """Return the bits of the last ticks: from this one on, round the end, to that of the tick before."""
            round_the_end, some = some & (bit >= present), some.replicate(window)
            return Mux(round_the_end, here | ~below(bit), here & ~below(bit) & some)

        def near(zone: Value, name: str) -> Value:
            count = kept(Mux(zone > window, window, zone)[: len(present) + 1], f"{name}_count")
            return kept(last((present - count)[: len(present)], count.any()), name)

        def late(zone: Value, name: str) -> Value:
            end = kept((now + zone)[: len(present)], name)
            return last((end - slot.age)[: len(present)], slot.age > zone)

        seen = last((present - slot.age)[: len(present)], slot.age.any())
        late1, late2 = late(population.zone1, "late_1"), late(population.zone2, "late_2")
        near1, near2 = near(population.zone1, "near_1"), near(population.zone2, "near_2")
        # The first zone that is met counts, so each mask may have the zones before in it.
        masks = [seen & ~late1, seen & ~late2, seen & near1, seen & near2, seen]
        return Cat(kept(mask, f"zone_{number}") for number, mask in enumerate(masks))

    def _negative(self) -> Value:
        """Whether steps are taken from the weight and not added."""
        return self.population.rule == RuleKind.ERBP

    def _heights(self, m: Module, slot: data.View) -> tuple[list[Value], Value]:
        """Return the heights for a slot at stage 1, there at stage 2, and which are times the word.

        A pass at the end has a single term, in place of the presynaptic one: the way to a bound, shifted.
        """
        population = self.population
        shift = (END_ROUNDING - Mux(slot.causal, population.up, population.down))[:4]
        way = Cat(Const(0, 2), shift)
        heights: list[Value] = []
        for number, name in enumerate(HEIGHT_NAMES):
            written = HEIGHT_LAYOUT(population[name])
            part = slot.causal if number < 3 else slot.transmit
            negative = written.negative ^ self.reversed ^ self._negative()
            present = Cat(written.zero | ~part, negative, written.shift)
            if number == len(HEIGHT_NAMES) - 1:
                present = Mux(self.finish, way, present)
            code = HEIGHT_LAYOUT(delayed(m, present, 1, f"code_{number}", cleared=False))
            # -2^k has ones from k on.
            bits = Cat(
                (code.shift == k) | (code.negative & (code.shift < k)) for k in range(HEIGHT.width - 1)
            )
            heights.append((Cat(bits, code.negative) & (~code.zero).replicate(HEIGHT.width)).as_signed())
        by_word = Cat(
            population.causal_by_word,
            population.acausal_by_word,
            population.presynaptic_by_word | self.finish,
        )
        return heights, by_word

    def _count(
        self,
        m: Module,
        slots: list[data.View],
        valids: list[Value],
        fixed: Value,
        some: Value,
        changed: Value,
    ) -> None:
        def counted_bits(bits: Value, name: str) -> Value:
            """Return how many bits are set, a clock later, from the counts of some of them."""
            some_bits = [bits[start : start + GROUP_LANES] for start in range(0, len(bits), GROUP_LANES)]
            return total_of(
                delayed(m, total_of(each), 1, f"{name}_{number}", cleared=False)
                for number, each in enumerate(some_bits)
            )

        sends, learns = valids[2] & slots[2].transmit & ~fixed, valids[-1] & slots[-1].learn
        sent = Signal(range(len(some) + 1), reset_less=True)
        n_sent = counted_bits(slots[2].mask, "sent")
        m.d.sync += sent.eq(Mux(delayed(m, sends, 1, "sends"), n_sent, 0))
        new = Signal(range(len(changed) + 1), reset_less=True)
        n_new = counted_bits(changed, "new")
        m.d.sync += new.eq(Mux(delayed(m, learns, 1, "counts"), n_new, 0))
        row_some, lane_some = Signal(), Signal()
        m.d.sync += lane_some.eq(some.any())
        any_some = (
            (row_some & ~slots[9].first) | lane_some | (self.population.rule == RuleKind.ERBP) | self.finish
        )
        counted = Signal()
        m.d.comb += counted.eq(valids[9] & slots[9].learn & slots[9].last & any_some)
        with m.If(valids[9]):
            m.d.sync += row_some.eq(any_some)
        m.d.sync += [
            self.operations.eq(self.operations + sent),
            self.changed.eq(self.changed + new),
            self.learned.eq(self.learned + counted),
        ]
        with m.If(self.clear_counts):
            m.d.sync += [self.operations.eq(0), self.changed.eq(0), self.learned.eq(0)]
