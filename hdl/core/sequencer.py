# SPDX-License-Identifier: BSD-2-Clause
"""The order of all that a core does: a sample, its ticks, in a tick the populations and their projections."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.counters import AMOUNT_WIDTH, ROW
from erbium.hdl.core.layouts import HostAccess, index, layout_of
from erbium.hdl.core.window_memory import WindowMemory
from erbium.hdl.fixed import delayed, saturated, saturated_sum, sum_with_carry
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.rng import xorshift32
from erbium.sw_model.description.machine import (
    BEGIN_TOKEN,
    BEGINNING,
    MODULATOR,
    NETWORK,
    POPULATION,
    PROJECTION,
    TABLE_WIDTH,
    VALUE_TOKEN,
    CoreHardware,
    Record,
    RuleKind,
    TokenKind,
    Window,
    window_shapes,
)
from erbium.sw_model.programs import MAX_STATES

S16 = Shape(16, signed=True)
N_DRAWS = 3
"""Generators of a population whose states are kept: plasticity, synaptic blank-out, noise."""
N_STOPS = 16
SEED_CLOCKS = 3
"""From the choice of a salt to the state that a generator begins with."""


class SampleOutcome(data.StructLayout):
    """What is known at the end of a sample.

    Members
    -------
    answer : best neuron, if `answered`
    ticks : number of ticks
    decision : tick in which the answer was decided, counted from 1
    """

    def __init__(self) -> None:
        super().__init__({"answer": 12, "answered": 1, "ticks": 13, "decision": 13})


class Sequencer(wiring.Component):
    """Reads the tables and tells the other parts what to do, one after the other.

    Parameters
    ----------
    hardware : CoreHardware

    Members
    -------
    sample_i : In(stream of 64 bits)
        A sample, see :class:`erbium.sw_model.description.machine.TokenKind`.
    result_o : Out(stream of SampleOutcome)
    idle : Out(1)
        Between two samples: the host may reach the memories while no token comes.
    asked : In(1)
        An access of the host that was taken is carried out in this clock: no token is taken.
    loaded : In(1)
        Without it samples are dropped.
    tables : In(HostAccess)
    network, population, beginning, projection : Out(record)
    ...
        The other members go to the parts of the same names, see there.

    Notes
    -----
    Before a sample that clears: three clocks for each part of a word of neurons and one for each word of timers. In a
    tick a population costs 2 clocks beside its rows and its sweep, a modulator 4, and 14 more if it heard spikes; a
    projection 9 from the last word of the one before to its first word; the last one 5 until the sweep. One of which
    nothing can come in this tick costs 6 at most. The tables of a population are read while the one before is swept.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self.hardware = hardware
        address = index(hardware.spike_words)
        super().__init__(
            {
                "sample_i": In(stream.Signature(TABLE_WIDTH)),
                "result_o": Out(stream.Signature(SampleOutcome())),
                "idle": Out(1),
                "asked": In(1),
                "loaded": In(1),
                "tables": In(HostAccess()),
                "network": Out(layout_of(NETWORK)),
                "population": Out(layout_of(POPULATION)),
                "beginning": Out(layout_of(BEGINNING)),
                "projection": Out(layout_of(PROJECTION)),
                "slot": Out(address),
                "tick": Out(8),
                "tick_done": Out(1),
                # Sources.
                "source_begin": Out(1),
                "source_store": Out(1),
                "source_reseed": Out(1),
                "source_start": Out(1),
                "source_tick": Out(12),
                "source_slot": Out(address),
                "source_busy": In(1),
                "n_hits": In(32),
                "event_o": Out(stream.Signature(TABLE_WIDTH)),
                "seed": Out(32),
                "label": Out(12),
                "has_label": Out(1),
                # Walker and lanes.
                "walker_start": Out(1),
                "walker_clear": Out(1),
                "walker_busy": In(1),
                "walker_moving": In(1),
                "spikes": Out(address),
                "silent": Out(1),
                "learns": Out(1),
                "learn": Out(1),
                "finish": Out(1),
                "reversed": Out(1),
                "draws_load": Out(1),
                "draws": Out(data.ArrayLayout(32, N_DRAWS)),
                "drawn": In(data.ArrayLayout(32, N_DRAWS)),
                "lanes_busy": In(1),
                "lanes_sending": In(1),
                "sweeping": Out(1),
                "clear_counts": Out(1),
                # Sweeps.
                "sweep_start": Out(1),
                "sweep_clear": Out(1),
                "sweep_fill": Out(1),
                "fill_port": Out(1),
                "fill_value": Out(16),
                "form": Out(1),
                "kept": Out(MAX_STATES),
                "silence": Out(1),
                "silence_draw": Out(32),
                "sweep_busy": In(1),
                "n_spikes": In(13),
                "any_word": In(1),
                # Readout and counters.
                "readout_clear": Out(1),
                "readout_count": Out(1),
                "readout_search": Out(1),
                "readout_busy": In(1),
                "most": In(13),
                "best": In(12),
                "count_add": Out(1),
                "count_row": Out(index(hardware.populations + 1)),
                "count_amounts": Out(data.ArrayLayout(AMOUNT_WIDTH, ROW)),
                "count_busy": In(1),
                "operations": In(24),
                "learned": In(16),
                "changed": In(24),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hw = self.hardware
        m.submodules.table_memory = table = WindowMemory(*window_shapes(hw)[Window.TABLES])
        wiring.connect(m, table.host, wiring.flipped(self.tables))
        network, population, projection = self.network, self.population, self.projection
        # The next projection is read while the rows of one are on, the next population during a sweep.
        modulator, coming = Signal(layout_of(MODULATOR)), Signal(layout_of(PROJECTION))
        coming_population = Signal(layout_of(POPULATION), reset_less=True)

        # --- records ---------------------------------------------------------------------------------------
        at = Signal(index(hw.table_words))
        left, requested, fetching = Signal(4), Signal(), Signal()
        fetches = requested | fetching
        records: Sequence[tuple[Record, Value]] = (
            (NETWORK, network),
            (POPULATION, coming_population),
            (BEGINNING, self.beginning),
            (MODULATOR, modulator),
            (PROJECTION, coming),
        )
        which = Signal(range(len(records)))
        m.d.comb += table.read_address.eq(at)

        def fetch(record: Record) -> list[object]:
            """Return what begins to read a record at the present place of the table: a clock for each word, and one."""
            number = [each is record for each, _ in records].index(True)
            return [requested.eq(1), which.eq(number), left.eq(record.n_words)]

        with m.If(requested):
            m.d.sync += [requested.eq(0), fetching.eq(1), at.eq(at + 1)]
        with m.If(fetching):
            with m.Switch(which):
                for number, (record, target) in enumerate(records):
                    with m.Case(number):
                        bits = Value.cast(target)
                        m.d.sync += bits.eq(
                            Cat(bits[TABLE_WIDTH:], table.read_data)[: record.n_words * TABLE_WIDTH]
                        )
            m.d.sync += left.eq(left - 1)
            with m.If(left == 1):
                m.d.sync += fetching.eq(0)
            with m.Else():
                m.d.sync += at.eq(at + 1)

        # --- the next population ---------------------------------------------------------------------------
        # It is read a clock after `looks`, from the present place of the table, or with `rewinds` from the first
        # population on; its first projection, too, unless modulators lie between.
        finishing, looks, is_ready, taken = Signal(), Signal(), Signal(), Signal()
        looks_now, rewinds = delayed(m, looks, 1, "looks"), Signal()
        with m.If(delayed(m, rewinds, 1, "rewinds")):
            m.d.sync += at.eq(NETWORK.n_words)
        # Much hangs on `is_ready`, so it comes from a register; whoever looks for it again looks clocks later.
        was_ready = Signal()
        m.d.sync += was_ready.eq(0)
        m.d.comb += is_ready.eq(was_ready & ~looks_now)
        modulates = (coming_population.n_modulators != 0) & ~finishing
        with m.FSM(name="ahead"):
            with m.State("NONE"), m.If(looks_now):
                m.next = "POPULATION"
            with m.State("POPULATION"):
                m.d.sync += fetch(POPULATION)
                m.next = "POPULATION_READ"
            with m.State("POPULATION_READ"), m.If(~fetches):
                skipped = Mux(finishing, coming_population.n_modulators, 0)
                m.d.sync += at.eq(at + BEGINNING.n_words + skipped)
                m.next = "PROJECTION"
            with m.State("PROJECTION"):
                m.next = "READY"
                with m.If((coming_population.n_projections != 0) & ~modulates):
                    m.d.sync += fetch(PROJECTION)
                    m.next = "PROJECTION_READ"
            with m.State("PROJECTION_READ"), m.If(~fetches):
                m.next = "READY"
            with m.State("READY"):
                m.d.sync += was_ready.eq(~looks_now)
                with m.If(looks_now):
                    m.next = "POPULATION"
                with m.Elif(taken):
                    m.next = "NONE"

        # --- what the sample is, and when ------------------------------------------------------------------
        begin = layout_of(BEGIN_TOKEN)(self.sample_i.payload)
        sample = Signal(layout_of(BEGIN_TOKEN))
        number, since = Signal(12), Signal(13)
        parity = Signal()
        which_population = Signal(index(hw.populations))
        last_population = which_population + 1 == network.n_populations
        to_go = Signal(7)
        stops = Signal(N_STOPS)
        next_slot = Signal.like(self.slot)
        quiet, decided, decision = Signal(13), Signal(), Signal(13)
        last, ended = Signal(), Signal()
        any_words = Signal(hw.populations)
        learn = sample.learn
        after = self.slot + network.slot_words
        m.d.comb += [
            next_slot.eq(Mux(after >= network.ring_words, after - network.ring_words, after)),
            last.eq((number == sample.last_tick) | stops.bit_select((network.stop_delay - 1)[:4], 1)),
            self.seed.eq(sample.seed),
            self.label.eq(sample.label),
            self.has_label.eq(sample.has_label),
            self.silence.eq(learn),
        ]
        # What begins a tick of the sources waits in registers.
        starts, at_first = Signal(), Signal()
        m.d.sync += [
            self.source_start.eq(starts),
            self.source_tick.eq(Mux(at_first, 0, number + 1)),
            self.source_slot.eq(Mux(at_first, self.slot, next_slot)),
        ]
        by_history, by_word = population.rule == RuleKind.HISTORY, population.rule == RuleKind.ERBP
        by_end = population.rule == RuleKind.END
        back = self.slot - projection.back
        m.d.comb += [
            # The factor is that of history rules and of passes at the end.
            self.reversed.eq(~by_word & (sample.factor < 0)),
            self.form.eq(by_history | by_end | (by_word & learn)),
            self.kept.eq(Mux(learn, 0, population.plastic)),
            self.learn.eq(learn),
            self.finish.eq(finishing),
            self.spikes.eq(
                Mux(self.slot < projection.back, back + network.ring_words, back) + projection.spike_first
            ),
        ]

        silent = (projection.only_learning & ~learn) | (since < projection.delay)
        # Registers, since much hangs on them.
        m.d.sync += [
            self.silent.eq(silent),
            self.learns.eq(
                learn
                & Mux(
                    by_history,
                    sample.factor != 0,
                    any_words.bit_select(which_population, 1)
                    & Mux(
                        by_end, finishing & (sample.factor != 0), by_word & (since >= population.first_tick)
                    ),
                )
            ),
        ]

        # --- states of the generators ----------------------------------------------------------------------
        m.submodules.draw_memory = kept = memory.Memory(
            shape=32, depth=4 * hw.populations, init=[], attrs=COLLISION_FREE
        )
        read_draw, write_draw = kept.read_port(), kept.write_port()
        # They are read from the clock on in which a population begins, and are there before its first row is taken.
        draw_at, draw_read, draw_valid = Signal(2), Signal(2), Signal()
        reading, still_reading = Signal(), Signal()
        drawn_soon = still_reading | draw_valid
        # A first state is written some clocks after its salt is looked for.
        begins = Signal()
        first_state, silence_state = Signal(32), Signal(32)
        beginnings = [begins]
        for clock in range(SEED_CLOCKS):
            beginnings.append(delayed(m, beginnings[-1], 1, f"begins_{clock}"))
        began, draw_begun = beginnings[-1], delayed(m, draw_at, SEED_CLOCKS, "draw_begun")
        m.d.comb += [
            read_draw.addr.eq(Cat(draw_at, which_population)),
            write_draw.addr.eq(Cat(Mux(began, draw_begun, draw_at), which_population)),
            write_draw.data.eq(first_state),
            write_draw.en.eq(began),
            self.silence_draw.eq(xorshift32(silence_state)),
        ]
        with m.If(began):
            m.d.sync += silence_state.eq(first_state)
        last_read = reading & (draw_at == N_DRAWS - 1)
        m.d.comb += [reading.eq(still_reading), self.draws_load.eq(delayed(m, last_read, 2, "draws_read"))]
        m.d.sync += [draw_read.eq(draw_at), draw_valid.eq(reading)]
        with m.If(reading):
            m.d.sync += [draw_at.eq(draw_at + 1), still_reading.eq(~last_read)]
        with m.If(draw_valid):
            m.d.sync += Array(self.draws[k] for k in range(N_DRAWS))[draw_read].eq(read_draw.data)
        salts = [self.beginning[f"salt{stream}"] for stream in (1, 2, 4, 3)]
        salt, total = Signal(32), Signal(32)
        m.d.sync += [salt.eq(Array(salts)[draw_at]), total.eq(sample.seed + salt)]
        salt_before = delayed(m, salt, 1, "salt_before")
        m.d.sync += first_state.eq(Mux(total == 0, salt_before, total))

        # --- modulators ------------------------------------------------------------------------------------
        m.submodules.value_memory = values = memory.Memory(
            shape=18, depth=hw.modulators, init=[], attrs=COLLISION_FREE
        )
        read_value, write_value = values.read_port(), values.write_port()
        m.submodules.heard_memory = heard = memory.Memory(
            shape=13, depth=2 * hw.populations, init=[], attrs=COLLISION_FREE
        )
        read_heard, write_heard = heard.read_port(), heard.write_port()
        given = layout_of(VALUE_TOKEN)(self.sample_i.payload)
        level = [Signal(S16, name=f"level_{port}") for port in range(2)]
        product, factor, bits_left = Signal(28), Signal(28), Signal(13)
        value, gain = read_value.data[:16].as_signed(), read_value.data[16:].as_signed()
        m.d.comb += [
            write_value.addr.eq(given.number),
            write_value.data.eq(Cat(given.value, given.gain)),
            read_value.addr.eq(modulator.number),
            read_heard.addr.eq(Cat(~parity, modulator.hears)),
            write_heard.addr.eq(Cat(parity, which_population)),
            write_heard.data.eq(self.n_spikes),
        ]
        present = Signal(S16)
        m.d.sync += present.eq(Array(level)[modulator.port])
        # What is given waits in registers while the spikes that were heard are multiplied.
        with_value, gains, takes = Signal(S16), Signal(), Signal()
        m.d.sync += [
            with_value.eq(saturated_sum(present, Mux(number == 0, value, Const(0, S16)).as_signed())),
            gains.eq(gain != 0),
            takes.eq(gain < 0),
        ]
        large = product[17:].any()
        brought = (product[:17] | large.replicate(17)) & gains.replicate(17)
        signed = Cat(brought ^ takes.replicate(17), takes).as_signed()
        raised = saturated(sum_with_carry(with_value, signed, takes), 16)

        # --- counters --------------------------------------------------------------------------------------
        hits = Signal(32)
        adds = Signal()
        m.d.sync += [
            self.count_add.eq(adds),
            self.count_row.eq(which_population),
            self.count_amounts[0].eq(Mux(finishing, 0, self.n_spikes)),
            self.count_amounts[1].eq(self.operations),
            self.count_amounts[2].eq(self.learned),
            self.count_amounts[3].eq(self.changed),
        ]
        # Those of a tick wait until those of its last population are added.
        tick_counts = Signal()
        with m.If(tick_counts & ~self.count_add & ~self.count_busy):
            m.d.comb += adds.eq(1)
            m.d.sync += [
                self.count_row.eq(hw.populations),
                self.count_amounts[0].eq(1),
                self.count_amounts[1].eq(ended),
                self.count_amounts[2].eq(self.n_hits - hits),
                self.count_amounts[3].eq(0),
            ]
            m.d.sync += [hits.eq(self.n_hits), tick_counts.eq(0)]
        counts_wait = tick_counts | self.count_add | self.count_busy
        swept = delayed(m, ~self.sweep_busy & ~counts_wait & is_ready, 1, "swept")

        kind = self.sample_i.payload[:3]
        token_ready = Signal()
        running = Signal()
        m.d.comb += [
            self.event_o.payload.eq(self.sample_i.payload),
            self.event_o.valid.eq(self.sample_i.valid & running),
            self.sample_i.ready.eq(token_ready | (running & self.event_o.ready)),
        ]
        outcome = self.result_o.payload
        m.d.comb += [
            outcome.answer.eq(self.best),
            outcome.answered.eq(network.reads),
            outcome.ticks.eq(number + 1),
            outcome.decision.eq(Mux(decided, decision, number + 1)),
        ]

        # All memories of neurons hang on this: it is a register, and set a clock before anything is done with them.
        sweeps = Signal()
        m.d.sync += self.sweeping.eq(sweeps)
        # All memories of the host hang on this, so it is a register; who looks at it looks at tokens that come, too.
        m.d.sync += self.idle.eq(0)
        # A population is entered in the clock in which this register is set, as much hangs on it. So does the start of
        # a row walk.
        enters = Signal()
        m.d.sync += [enters.eq(0), self.walker_start.eq(0)]
        with m.If(enters):
            m.d.sync += [population.eq(coming_population), projection.eq(coming)]
            m.d.sync += [signal.eq(0) for signal in level]
        with m.FSM():
            # The other parts may leave their reset a clock later.
            with m.State("WAKE"):
                m.next = "IDLE"
            with m.State("IDLE"):
                m.d.comb += token_ready.eq(~self.asked)
                m.d.sync += self.idle.eq(~counts_wait & ~self.sample_i.valid)
                m.d.sync += [at.eq(0), number.eq(0), stops.eq(0), quiet.eq(0), decided.eq(0)]
                with m.If(self.sample_i.valid & ~self.asked & self.loaded & (kind == TokenKind.BEGIN)):
                    m.d.sync += sample.eq(begin)
                    m.d.comb += self.source_begin.eq(1)
                    m.next = "NETWORK"
            with m.State("NETWORK"):
                m.d.sync += fetch(NETWORK)
                m.next = "READY"
            with m.State("READY"):
                with m.If(~fetches):
                    m.d.comb += self.readout_clear.eq(network.reads)
                    m.next = "LOAD"
                    with m.If(sample.clear):
                        m.d.comb += [self.source_reseed.eq(network.n_sources != 0), self.walker_clear.eq(1)]
                        m.d.sync += [which_population.eq(0), since.eq(0), self.tick.eq(0), any_words.eq(0)]
                        m.d.sync += self.slot.eq(0)
                        m.next = "CLEAR"
            # --- clearing ----------------------------------------------------------------------------------
            with m.State("CLEAR"):
                m.d.sync += fetch(POPULATION)
                m.next = "CLEAR_MORE"
            with m.State("CLEAR_MORE"):
                with m.If(~fetches):
                    m.d.sync += fetch(BEGINNING)
                    m.d.sync += [enters.eq(1), draw_at.eq(0)]
                    m.next = "CLEAR_DRAWS"
            with m.State("CLEAR_DRAWS"):
                m.d.comb += sweeps.eq(1)
                with m.If(~fetches):
                    m.d.comb += begins.eq(1)
                    m.d.sync += draw_at.eq(draw_at + 1)
                    with m.If(draw_at == N_DRAWS):
                        m.next = "CLEAR_DRAWN"
            with m.State("CLEAR_DRAWN"):
                m.d.comb += sweeps.eq(1)
                with m.If(~Cat(beginnings).any()):
                    m.next = "CLEAR_NEURONS"
            with m.State("CLEAR_NEURONS"):
                m.d.comb += [self.sweep_clear.eq(1), sweeps.eq(1)]
                m.d.sync += at.eq(
                    at + population.n_modulators + (population.n_projections << 1) + population.n_projections
                )
                m.next = "CLEAR_WAIT"
            with m.State("CLEAR_WAIT"):
                m.d.comb += sweeps.eq(1)
                with m.If(~self.sweep_busy & ~self.source_busy & ~self.walker_busy):
                    m.d.sync += which_population.eq(which_population + 1)
                    m.next = "CLEAR"
                    with m.If(last_population):
                        m.next = "LOAD"
            # --- what the host gives -----------------------------------------------------------------------
            with m.State("LOAD"):
                m.d.comb += token_ready.eq(1)
                with m.If(self.sample_i.valid):
                    m.d.comb += [
                        write_value.en.eq(kind == TokenKind.VALUE),
                        self.source_store.eq((kind == TokenKind.PIXEL) | (kind == TokenKind.STOP)),
                    ]
                    with m.If(kind == TokenKind.GO):
                        m.d.sync += running.eq(1)
                        m.next = "FIRST"
            with m.State("FIRST"):
                m.d.comb += [starts.eq(1), at_first.eq(1), looks.eq(1), rewinds.eq(1)]
                m.d.sync += draw_at.eq(0)
                m.next = "FIRST_WAIT"
            with m.State("FIRST_WAIT"):
                m.next = "TICK"
            # --- a tick ------------------------------------------------------------------------------------
            with m.State("TICK"):
                with m.If(~self.source_busy & ~self.readout_busy):
                    m.d.comb += starts.eq(~last)
                    m.d.sync += [which_population.eq(0), enters.eq(is_ready)]
                    m.next = "ENTER"
            with m.State("ENTER"):
                with m.If(~enters):
                    # Counts of the population before are still being added while its pass at the end is over.
                    m.d.sync += enters.eq(is_ready & ~(finishing & counts_wait))
                with m.Else():
                    m.d.comb += [taken.eq(1), reading.eq(1), self.clear_counts.eq(1)]
                    with m.If(modulates):
                        m.d.sync += to_go.eq(coming_population.n_modulators)
                        m.next = "MODULATE"
                    with m.Else():
                        m.d.sync += to_go.eq(coming_population.n_projections)
                        with m.If(coming_population.n_projections > 1):
                            m.d.sync += fetch(PROJECTION)
                        m.next = "ROWS"
                        with m.If(coming_population.n_projections == 0):
                            m.next = "EMPTY"
                            m.d.comb += [looks.eq(~finishing), rewinds.eq(last_population)]
            with m.State("MODULATE"):
                with m.If(to_go != 0):
                    m.d.sync += fetch(MODULATOR)
                    m.next = "HEAR"
                with m.Else():
                    m.d.sync += to_go.eq(population.n_projections)
                    m.next = "PROJECT"
                    with m.If(level[1].any()):
                        m.next = "FILL_1"
                    with m.If(level[0].any()):
                        m.next = "FILL_0"
            with m.State("HEAR"):
                with m.If(~fetches):
                    m.next = "HEARD"
            with m.State("HEARD"):
                m.d.sync += [
                    product.eq(0),
                    factor.eq(modulator.weight),
                    bits_left.eq(Mux(modulator.listens & (since != 0), read_heard.data, 0)),
                ]
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.sync += [factor.eq(factor << 1), bits_left.eq(bits_left >> 1)]
                with m.If(bits_left[0]):
                    m.d.sync += product.eq(product + factor)
                with m.If(~bits_left.any()):
                    m.d.sync += [Array(level)[modulator.port].eq(raised), to_go.eq(to_go - 1)]
                    m.next = "MODULATE"
            for port in range(2):
                with m.State(f"FILL_{port}"):
                    m.d.comb += [
                        sweeps.eq(1),
                        self.sweep_fill.eq(1),
                        self.fill_port.eq(port),
                        self.fill_value.eq(level[port]),
                    ]
                    m.next = f"FILL_{port}_WAIT"
                with m.State(f"FILL_{port}_WAIT"):
                    m.d.comb += [
                        sweeps.eq(1),
                        self.fill_port.eq(port),
                        self.fill_value.eq(level[port]),
                    ]
                    with m.If(~self.sweep_busy):
                        m.next = "PROJECT"
                        if port == 0:
                            with m.If(level[1].any()):
                                m.next = "FILL_1"
            with m.State("PROJECT"):
                with m.If(to_go != 0):
                    m.d.sync += fetch(PROJECTION)
                    m.next = "PROJECT_READ"
                with m.Else():
                    m.next = "EMPTY"
                    m.d.comb += [looks.eq(~finishing), rewinds.eq(last_population)]
            with m.State("PROJECT_READ"):
                with m.If(~fetches):
                    m.d.sync += projection.eq(coming)
                    with m.If(to_go > 1):
                        m.d.sync += fetch(PROJECTION)
                    m.next = "ROWS"
            with m.State("ROWS"):
                # Where nothing arrives and no timer is looked at, the walker would not find anything.
                m.d.sync += self.walker_start.eq(
                    Mux(finishing, by_end & projection.learns, ~silent | projection.timed)
                )
                m.d.sync += to_go.eq(to_go - 1)
                m.next = "ROWS_WAIT"
            with m.State("ROWS_WAIT"):
                # Rows that were found know of their projection what they need.
                with m.If(~self.walker_busy & ~fetches):
                    m.d.sync += projection.eq(coming)
                    with m.If(to_go > 1):
                        m.d.sync += fetch(PROJECTION)
                    m.next = "ROWS"
                    with m.If(to_go == 0):
                        m.next = "EMPTY"
                        m.d.comb += [looks.eq(~finishing), rewinds.eq(last_population)]
            with m.State("EMPTY"):
                with m.If(finishing):
                    with m.If(~self.walker_moving & ~self.lanes_busy):
                        m.next = "FINISH"
                with m.Elif(~self.walker_moving & ~self.lanes_sending & ~drawn_soon):
                    m.next = "SWEEP"
            with m.State("SWEEP"):
                m.d.comb += [sweeps.eq(1), self.sweep_start.eq(1)]
                m.d.sync += draw_at.eq(0)
                m.next = "SWEEP_WAIT"
            with m.State("SWEEP_WAIT"):
                m.d.comb += sweeps.eq(1)
                # Rows draw no more numbers; the noise is stored when the sweep is done.
                m.d.comb += write_draw.data.eq(Array(self.drawn[k] for k in range(N_DRAWS))[draw_at])
                with m.If(draw_at != N_DRAWS - 1):
                    m.d.comb += write_draw.en.eq(1)
                    m.d.sync += draw_at.eq(draw_at + 1)
                # The sweeper says so a clock ahead.
                with m.Elif(swept):
                    m.d.comb += [
                        write_draw.en.eq(1),
                        write_heard.en.eq(1),
                        adds.eq(1),
                        self.readout_count.eq(population.reads),
                    ]
                    with m.If(self.form):
                        m.d.sync += any_words.bit_select(which_population, 1).eq(self.any_word)
                    with m.If(population.quiet & (number != 0)):
                        m.d.sync += quiet.eq(Mux(self.n_spikes == 0, quiet + 1, 0))
                    m.d.sync += [which_population.eq(which_population + 1), draw_at.eq(0), enters.eq(1)]
                    m.next = "ENTER"
                    with m.If(last_population):
                        m.d.sync += enters.eq(0)
                        m.next = "DECIDE"
            with m.State("DECIDE"):
                reached = (network.decide_after != 0) & (self.most >= network.decide_after)
                decides = network.reads & ~learn & ~decided & reached
                stop = Mux(
                    learn,
                    (network.quiet_ticks != 0) & (quiet >= network.quiet_ticks),
                    decided | reached,
                )
                with m.If(~self.readout_busy):
                    m.d.sync += stops.eq(Cat(network.reads & stop, stops))
                    with m.If(decides):
                        m.d.sync += [decided.eq(1), decision.eq(number + 1)]
                    m.next = "TICK_COUNT"
                    with m.If(network.reads & ~decided & (decides | last)):
                        m.d.comb += self.readout_search.eq(1)
                        m.next = "TICK_END"
                    # Whether it is the last tick is what was known before this one.
                    m.d.sync += ended.eq(last)
            with m.State("TICK_END"):
                m.next = "TICK_COUNT"
            with m.State("TICK_COUNT"):
                with m.If(~self.readout_busy):
                    m.d.comb += self.tick_done.eq(1)
                    m.d.sync += [
                        tick_counts.eq(1),
                        self.tick.eq(self.tick + 1),
                        since.eq(Mux(since.all(), since, since + 1)),
                        self.slot.eq(next_slot),
                        parity.eq(~parity),
                    ]
                    m.next = "TICK"
                    with m.If(ended):
                        m.d.sync += [which_population.eq(0), finishing.eq(network.finishes)]
                        m.next = "RESULT"
                        with m.If(network.finishes):
                            m.d.comb += [looks.eq(1), rewinds.eq(1)]
                            m.next = "ENTER"
                    with m.Else():
                        m.d.sync += number.eq(number + 1)
            # --- passes at the end ---------------------------------------------------------------------------
            with m.State("FINISH"):
                # The last weights that changed are counted two clocks after the lanes are empty.
                m.d.sync += draw_at.eq(0)
                m.next = "FINISH_STORE"
            with m.State("FINISH_STORE"):
                m.d.comb += [
                    write_draw.en.eq(by_end),
                    write_draw.data.eq(self.drawn[0]),
                    adds.eq(by_end),
                ]
                m.d.sync += which_population.eq(which_population + 1)
                m.d.comb += looks.eq(1)
                m.next = "ENTER"
                with m.If(last_population):
                    m.d.comb += looks.eq(0)
                    m.d.sync += finishing.eq(0)
                    m.next = "RESULT"
            with m.State("RESULT"):
                m.d.comb += self.result_o.valid.eq(1)
                m.d.sync += running.eq(0)
                with m.If(self.result_o.ready):
                    m.next = "REST"
            with m.State("REST"):
                m.d.comb += token_ready.eq(1)
                with m.If(self.sample_i.valid & (kind == TokenKind.END)):
                    m.next = "IDLE"
        return m
