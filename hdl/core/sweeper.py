# SPDX-License-Identifier: BSD-2-Clause
"""What passes all neurons of a population: the sweep of a tick, clearing, and values for a port."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HostAccess, NeuronMemories, index, layout_of, trace_layout
from erbium.hdl.core.micro_unit import STAGES, MicroUnit, NeuronPlace
from erbium.hdl.core.noise_source import NoiseSource
from erbium.hdl.core.window_memory import WindowMemory
from erbium.hdl.fixed import delayed, total_of
from erbium.sw_model.description.machine import (
    BEGINNING,
    OPERATION,
    PLACE_WIDTH,
    POPULATION,
    SPIKE_WIDTH,
    CoreHardware,
    Operand,
    Window,
    window_shapes,
)
from erbium.sw_model.programs import MAX_STATES, STATE_MAX, STATE_MIN

STATE_WIDTH = 16
"""Bits of a field of what is stored of a neuron."""

FETCH_PHASES = 3
"""Clocks from the first read of a part of a word until the units can take it."""


class Sweeper(wiring.Component):
    """Runs the program of a population on all its neurons, `units` at a time.

    Parameters
    ----------
    hardware : CoreHardware

    Members
    -------
    population, beginning : In(record)
    tick : In(8)
    form : In(1)
        Plasticity words are formed, and histories shifted.
    kept : In(4)
        States that this sweep leaves as they are.
    slot : In
        Where the spikes of this tick begin in the spike memory.
    start : In(1)
        Sweep.
    clear : In(1), silence : In(1), silence_draw : In(32)
        Give all neurons their initial states, but for those that last; draw who is silent.
    fill : In(1), fill_port : In(1), fill_value : In(16)
        Give all neurons this value at a port.
    busy : Out(1)
        From the clock after one of these three until all is written.
    noise_load : In(1), noise_seed : In(32), noise_state : Out(32)
    n_spikes : Out(13), any_word : Out(1)
        Of the last sweep: spikes; some plasticity word is not 0.
    spikes_enable : Out(1), spikes_address : Out, spikes_data : Out(16)
    memories : Out(NeuronMemories)
    state_word : In, state_data : Out(units x NeuronPlace)
        For the readout while no sweep is on: a part of a word, a clock later.
    probe_valid : Out(1), probe_part : Out, probe_spikes : Out(units), probe_states : Out(64 * units)
        Each part of a sweep as it is written.
    states, operations : In(HostAccess)

    Notes
    -----
    A sweep takes ``parts * max(operations + 1, 3)`` clocks and about 10 more; clearing two for each part, filling one
    for each word. Where noise is drawn more slowly than that, it waits.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self.hardware, self._traces = hardware, trace_layout(hardware)
        self._part_width = index(hardware.neuron_words * hardware.parts)
        self.place = data.ArrayLayout(NeuronPlace(), hardware.units)
        address = index(hardware.spike_words)
        super().__init__(
            {
                "population": In(layout_of(POPULATION)),
                "beginning": In(layout_of(BEGINNING)),
                "tick": In(8),
                "form": In(1),
                "kept": In(MAX_STATES),
                "slot": In(address),
                "start": In(1),
                "clear": In(1),
                "silence": In(1),
                "silence_draw": In(32),
                "fill": In(1),
                "fill_port": In(1),
                "fill_value": In(16),
                "busy": Out(1),
                "noise_load": In(1),
                "noise_seed": In(32),
                "noise_state": Out(32),
                "n_spikes": Out(13),
                "any_word": Out(1),
                "spikes_enable": Out(1),
                "spikes_address": Out(address),
                "spikes_data": Out(SPIKE_WIDTH),
                "memories": Out(NeuronMemories(hardware)),
                "state_word": In(self._part_width),
                "state_data": Out(self.place),
                "probe_valid": Out(1),
                "probe_part": Out(self._part_width),
                "probe_spikes": Out(hardware.units),
                "probe_states": Out(64 * hardware.units),
                "states": In(HostAccess()),
                "operations": In(HostAccess()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        memories = self.memories
        hw, population = self.hardware, self.population
        units, parts = hw.units, hw.parts
        bits = (parts - 1).bit_length()
        first_word = population.neuron_first
        first_part = (first_word << bits)[: self._part_width]

        m.submodules.state_memory = states = WindowMemory(
            *window_shapes(hw)[Window.STATES], period=PLACE_WIDTH, granularity=STATE_WIDTH
        )
        wiring.connect(m, states.host, wiring.flipped(self.states))
        m.submodules.operation_memory = program = WindowMemory(*window_shapes(hw)[Window.OPERATIONS])
        wiring.connect(m, program.host, wiring.flipped(self.operations))
        m.submodules.noise_source = noise = NoiseSource(units)
        stored = self.place(states.read_data)
        m.d.comb += [
            self.state_data.eq(stored),
            noise.load.eq(self.noise_load),
            noise.seed.eq(self.noise_seed),
            self.noise_state.eq(noise.state),
        ]

        # --- who is where ----------------------------------------------------------------------------------
        # The part that is fetched, the one whose operations are under way, and the one that is written.
        fetched, worked = Signal(16), Signal(16)
        phase, operation = Signal(5), Signal(5)
        # A part is fetched in three phases, and its operations take one more than there are.
        last_phase = Signal(5, reset_less=True)
        m.d.sync += last_phase.eq(
            Mux(population.last_operation == 0, FETCH_PHASES - 1, population.last_operation + 1)
        )
        fetched_word = (first_word + (fetched >> bits))[: len(memories.port_word)]
        sub_fetched = fetched[:bits]
        last_fetched = fetched == population.part_last
        busy = Signal()
        clearing, clear_write = Signal(), Signal()
        m.d.comb += [
            self.busy.eq(busy),
            memories.port_word.eq(fetched_word),
            memories.trace_word.eq(fetched_word),
            memories.constant_word.eq(Mux(clear_write, fetched + 1, fetched) >> bits),
            memories.port_write_word.eq(fetched_word),
        ]

        # --- units -----------------------------------------------------------------------------------------
        load, valid, final = Signal(), Signal(), Signal()
        port0 = Signal(16 * hw.lanes, reset_less=True)
        sub = sub_fetched if bits else Const(0, 1)
        mine0 = port0.word_select(sub, 16 * units)
        mine1 = memories.port_data.word_select(sub, 16 * units)
        traces = self._traces(memories.trace_data)
        history_width = hw.window
        all_histories = Cat(*(traces[lane].history for lane in range(hw.lanes)))
        # A clock after the neurons: those of the part before are still wanted.
        history_loaded, loaded = Signal(history_width * units, reset_less=True), delayed(m, load, 1, "loaded")
        sub_loaded = delayed(m, sub, 1, "sub_loaded", cleared=False)
        with m.If(loaded):
            m.d.sync += history_loaded.eq(all_histories.word_select(sub_loaded, history_width * units))
        # Operations wait in a register on their way to all units, and are read as many clocks ahead. Those of a state
        # that is kept leave it as it is.
        stored_code, code = (
            layout_of(OPERATION)(program.read_data),
            Signal(layout_of(OPERATION), reset_less=True),
        )
        next_operation = Signal(5)
        m.d.comb += program.read_address.eq(Cat(next_operation, population.group))
        m.d.sync += code.eq(stored_code)
        with m.If(self.kept.bit_select(stored_code.destination, 1)):
            m.d.sync += [
                code.source.eq(Operand.ZERO),
                code.negative.eq(0),
                code.bias.eq(0),
                code.lower.eq(STATE_MIN),
                code.upper.eq(STATE_MAX),
            ]
        unit_list = []
        for number in range(units):
            m.submodules[f"unit_{number}"] = unit = MicroUnit()
            unit_list.append(unit)
            m.d.comb += [
                unit.population.eq(population),
                unit.load.eq(load),
                unit.neuron.eq(stored[number]),
                unit.port0.eq(mine0.word_select(number, 16)),
                unit.port1.eq(mine1.word_select(number, 16)),
                unit.noise.eq(noise.noise[number]),
                unit.operation.eq(code),
                unit.valid.eq(valid),
                unit.final.eq(final),
                unit.dither.eq(self.tick),
                unit.kept.eq(self.kept),
                unit.idle.eq(clearing),
            ]
        # Stage 3: what the unit that is loaded next would overwrite.
        third = delayed(m, valid & final, 2, "final")
        done = delayed(m, third, STAGES - 2, "done")
        written, histories = Signal(16), Signal(history_width * units, reset_less=True)
        last_written, last_units = Signal(), Signal(units, reset_less=True)
        m.d.sync += last_units.eq((2 << population.last_unit) - 1)
        worked_before = delayed(m, worked, 1, "worked", cleared=False)
        with m.If(third):
            m.d.sync += [written.eq(worked_before), histories.eq(history_loaded)]
            m.d.sync += last_written.eq(worked_before == population.part_last)
        with m.If(clearing):
            m.d.sync += histories.eq(0)

        there = Mux(last_written, last_units, (1 << units) - 1)[:units]
        # Of a population whose spikes exclude each other, the first one that wants to spike does.
        fifth, taken = delayed(m, third, 2, "fifth"), Signal()
        wants = Cat(*(unit.wants for unit in unit_list))
        for number, unit in enumerate(unit_list):
            m.d.comb += unit.present.eq(there[number])
            m.d.comb += unit.blocked.eq(population.exclusive & (taken | wants[:number].any()))
        with m.If(self.start):
            m.d.sync += taken.eq(0)
        with m.Elif(fifth & wants.any()):
            m.d.sync += taken.eq(1)

        # --- writing ---------------------------------------------------------------------------------------
        spikes = Signal(units)
        m.d.comb += spikes.eq(Cat(*(unit.spike_o for unit in unit_list)))
        collected, spike_word = Signal(SPIKE_WIDTH), Signal(12)
        per_word = SPIKE_WIDTH // units
        place_bits = (per_word - 1).bit_length()
        place = written[:place_bits] if place_bits else Const(0, 1)
        with_new = collected | (spikes << (place * units))[:SPIKE_WIDTH]
        ends_word = last_written | (place == per_word - 1)
        some = Cat(*(unit.word_o.any() for unit in unit_list)) & there
        written_word = (first_word + (written >> bits))[: len(memories.port_word)]
        written_places = Signal(self.place)
        m.d.comb += [
            states.read_address.eq(first_part + fetched),
            states.write_address.eq(first_part + Mux(clearing, fetched, written)),
            states.write_data.eq(written_places),
            states.write_enable.eq(
                Mux(done, -1, Mux(clear_write, Cat(~population.lasting, Const(0b11, 2)), 0))
            ),
            states.fill.eq(Mux(clearing, (1 << (MAX_STATES + 1)) - 1, 0)),
            states.fill_data.eq(Cat(*(self.beginning[f"initial{state}"] for state in range(MAX_STATES)))),
            self.spikes_address.eq(self.slot + population.spike_first + spike_word),
            self.spikes_data.eq(with_new),
            self.spikes_enable.eq(done & ends_word),
            memories.trace_write_word.eq(Mux(clearing, fetched_word, written_word)),
            self.probe_valid.eq(done),
            self.probe_part.eq(first_part + written),
            self.probe_spikes.eq(spikes),
            self.probe_states.eq(
                Cat(*(unit.neuron_o[f"x{state}"] for unit in unit_list for state in range(MAX_STATES)))
            ),
        ]
        new_traces = self._traces(memories.trace_write_data)
        for lane in range(hw.lanes):
            unit = unit_list[lane % units]
            old = histories.word_select(lane % units, history_width)
            shifted = Cat(unit.spike_o, old)[:history_width]
            m.d.comb += [
                new_traces[lane].word.eq(unit.word_o),
                new_traces[lane].history.eq(shifted),
            ]
        write_sub = Mux(clearing, sub_fetched, written[:bits]) if bits else Const(0, 1)
        m.d.comb += memories.trace_write.eq(Mux(clear_write | (done & self.form), 1 << write_sub, 0))
        with m.If(done):
            m.d.sync += [
                collected.eq(Mux(ends_word, 0, with_new)),
                spike_word.eq(spike_word + ends_word),
                self.n_spikes.eq(self.n_spikes + total_of(spikes)),
                self.any_word.eq(self.any_word | some.any()),
            ]

        # --- clearing --------------------------------------------------------------------------------------
        # The places of all neurons are filled with the same, but for whether they are silent: the lanes know that.
        quiet = memories.quiet.word_select(sub, units)
        m.d.comb += [memories.draw.eq(self.silence_draw), memories.keep.eq(population.keep)]
        for number, unit in enumerate(unit_list):
            m.d.comb += written_places[number].eq(unit.neuron_o)
            with m.If(clearing):
                m.d.comb += written_places[number].silent.eq(self.silence & quiet[number])

        # --- control ---------------------------------------------------------------------------------------
        draw = Signal()
        m.d.comb += [
            noise.start.eq(draw & population.uses_noise),
            noise.last_unit.eq(Mux(last_fetched, population.last_unit, units - 1)),
            final.eq(operation == population.last_operation),
        ]
        more = Signal()  # a part is fetched
        new_word = (sub_fetched == 0) if bits else Const(1, 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += states.read_address.eq(self.state_word)
                m.d.sync += [fetched.eq(0), phase.eq(0), operation.eq(0), spike_word.eq(0), collected.eq(0)]
                with m.If(self.start):
                    m.d.sync += [busy.eq(1), self.n_spikes.eq(0), more.eq(1)]
                    with m.If(self.form):
                        m.d.sync += self.any_word.eq(0)
                    m.next = "FETCH"
                with m.Elif(self.clear):
                    m.d.sync += [busy.eq(1), self.any_word.eq(0)]
                    m.next = "CLEAR"
                with m.Elif(self.fill):
                    m.d.sync += busy.eq(1)
                    m.next = "FILL"
            with m.State("FETCH"):
                self._fetch(m, phase, new_word, port0)
                m.d.comb += draw.eq(phase == 0)
                m.d.sync += phase.eq(phase + 1)
                with m.If(phase == 2):
                    m.d.sync += phase.eq(phase)
                    with m.If(~noise.busy):
                        m.d.comb += load.eq(1)
                        m.next = "WORK"
            with m.State("WORK"):
                m.d.comb += valid.eq(phase <= population.last_operation)
                with m.If(valid):
                    m.d.comb += next_operation.eq(Mux(final, 0, operation + 2))
                    m.d.sync += operation.eq(operation + 1)
                with m.If(more):
                    self._fetch(m, phase, new_word, port0)
                    m.d.comb += draw.eq(phase == 0)
                with m.If(phase != last_phase):
                    m.d.sync += phase.eq(phase + 1)
                with m.Elif(~more):
                    m.next = "WRITE"
                with m.Elif(~noise.busy):
                    m.d.comb += load.eq(1)
            with m.State("WRITE"):
                with m.If(done):
                    m.d.sync += busy.eq(0)
                    m.next = "IDLE"
            with m.State("CLEAR"):
                m.d.comb += [clearing.eq(1), memories.port_write.eq(1)]
                m.next = "CLEAR_WRITE"
            with m.State("CLEAR_WRITE"):
                m.d.comb += [
                    clearing.eq(1),
                    clear_write.eq(1),
                    memories.port_write.eq(1),
                    memories.port_write_port.eq(1),
                ]
                m.d.sync += fetched.eq(fetched + 1)
                m.next = "CLEAR"
                with m.If(last_fetched):
                    m.d.sync += busy.eq(0)
                    m.next = "IDLE"
            with m.State("FILL"):
                m.d.comb += [
                    memories.port_write.eq(1),
                    memories.port_write_port.eq(self.fill_port),
                    memories.port_write_data.eq(self.fill_value),
                ]
                m.d.sync += fetched.eq(fetched + parts)
                with m.If((fetched >> bits) == population.neuron_last):
                    m.d.sync += busy.eq(0)
                    m.next = "IDLE"
        with m.If(load):
            m.d.sync += [
                phase.eq(0),
                operation.eq(0),
                worked.eq(fetched),
                fetched.eq(fetched + 1),
                more.eq(~last_fetched),
            ]
            m.d.comb += next_operation.eq(1)
        return m

    def _fetch(self, m: Module, phase: Value, new_word: Value, port0: Signal) -> None:
        """Read both ports and the histories of a new word in the first three phases, and clear the ports."""
        memories = self.memories
        with m.If(new_word):
            with m.Switch(phase):
                with m.Case(0):
                    m.d.comb += [memories.port_read.eq(1), memories.trace_read.eq(1)]
                with m.Case(1):
                    m.d.comb += [
                        memories.port_read.eq(1),
                        memories.port.eq(1),
                        memories.port_write.eq(1),
                    ]
                    m.d.sync += port0.eq(memories.port_data)
                with m.Case(2):
                    m.d.comb += [memories.port_write.eq(1), memories.port_write_port.eq(1)]
