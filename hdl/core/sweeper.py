# SPDX-License-Identifier: BSD-2-Clause
"""What passes all neurons of a population: the sweep of a tick, clearing, and values for a port."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HostAccess, NeuronMemories, index, layout_of, words_layout
from erbium.hdl.core.micro_unit import S16, STAGES, MicroUnit, NeuronPlace, ResetModes, WordTerms
from erbium.hdl.core.noise_source import NoiseSource
from erbium.hdl.core.window_memory import WindowMemory
from erbium.hdl.fixed import delayed, total_of
from erbium.sw_model.description.machine import (
    BEGINNING,
    OPERATION,
    PIECE_WIDTH,
    PLACE_PIECES,
    PLACE_STRIDE,
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

FETCH_PHASES = PLACE_PIECES
"""Clocks from the first read of a part of a word until the units can take it: a piece of its neurons in each."""


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
        Plasticity words are formed, and spikes join the histories.
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
        From the clock after one of these three until all is written, in the last clock of a sweep no more.
    noise_load : In(1), noise_seed : In(32), noise_state : Out(32)
    n_spikes : Out(13), any_word : Out(1)
        Of the last sweep: spikes; some plasticity word is not 0.
    spikes_enable : Out(1), spikes_address : Out, spikes_data : Out(16)
    memories : Out(NeuronMemories)
    state_word : In, state_data : Out(units x 16, signed)
        For the readout while no sweep is on: state 0 of a part of a word, a clock later.
    probe_valid : Out(1), probe_part : Out, probe_spikes : Out(units), probe_states : Out(64 * units)
        Each part of a sweep as it is written.
    states, operations : In(HostAccess)

    Notes
    -----
    A sweep takes ``parts * max(operations + 1, 3)`` clocks and about 10 more; clearing three for each part, filling one
    for each word. Where noise is drawn more slowly than that, it waits.

    What is stored of a neuron passes in three pieces, in the three clocks that a part has at least: one that is three
    times as wide would need three times the block RAMs, and as many wires where there is least room for them.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self.hardware = hardware
        self._part_width = index(hardware.neuron_words * hardware.parts)
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
                "state_data": Out(data.ArrayLayout(S16, hardware.units)),
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
        per_word = SPIKE_WIDTH // units
        place_bits = (per_word - 1).bit_length()
        first_word = population.neuron_first
        first_part = (first_word << bits)[: self._part_width]

        m.submodules.state_memory = states = WindowMemory(
            *window_shapes(hw)[Window.STATES], period=PIECE_WIDTH, granularity=STATE_WIDTH, late_writes=True
        )
        wiring.connect(m, states.host, wiring.flipped(self.states))
        m.submodules.operation_memory = program = WindowMemory(*window_shapes(hw)[Window.OPERATIONS])
        wiring.connect(m, program.host, wiring.flipped(self.operations))
        m.submodules.noise_source = noise = NoiseSource(units)
        m.d.comb += [
            self.state_data.eq(
                Cat(states.read_data.word_select(unit, PIECE_WIDTH)[:STATE_WIDTH] for unit in range(units))
            ),
            noise.load.eq(self.noise_load),
            noise.seed.eq(self.noise_seed),
            self.noise_state.eq(noise.state),
        ]

        # --- who is where ----------------------------------------------------------------------------------
        # The part that is fetched, the one whose operations are under way, and the one that is written.
        fetched, following = Signal(16), Signal(16)
        phase, operation = Signal(5), Signal(5)
        # A part is fetched in three phases, a piece in each, and its operations take one more than there are.
        last_phase, phase_is_last = Signal(5, reset_less=True), Signal()
        m.d.sync += last_phase.eq(
            Mux(population.last_operation == 0, FETCH_PHASES - 1, population.last_operation + 1)
        )
        # All memories hang on these, so they are registers.
        fetched_word, fetched_part = Signal.like(memories.port_word), Signal(self._part_width)
        m.d.comb += following.eq(fetched)
        m.d.sync += [
            fetched.eq(following),
            fetched_word.eq(first_word + (following >> bits)),
            fetched_part.eq(first_part + following),
        ]
        sub_fetched = fetched[:bits]
        last_fetched = fetched == population.part_last
        busy = Signal()
        clearing, clear_write = Signal(), Signal()
        # Ports are cleared but where a value fills them.
        filling = Signal(16)
        m.d.comb += [
            self.busy.eq(busy),
            memories.port_word.eq(fetched_word),
            # Whether a neuron is silent is known three clocks later.
            memories.constant_word.eq(Mux(clearing, fetched + 1, fetched) >> bits),
            memories.port_write_word.eq(fetched_word),
            memories.port_write_data.eq(filling),
        ]

        # Pieces wait for the last one, with which the units take all of them.
        piece, arrived = Signal(range(PLACE_STRIDE)), Signal(range(PLACE_STRIDE))
        m.d.comb += piece.eq(Mux(phase < PLACE_PIECES, phase, PLACE_PIECES - 1))
        m.d.sync += arrived.eq(piece)
        waiting = [
            Signal.like(states.read_data, name=f"piece_{k}", reset_less=True) for k in range(PLACE_PIECES - 1)
        ]
        for number, early in enumerate(waiting):
            with m.If(arrived == number):
                m.d.sync += early.eq(states.read_data)
        stored = [
            NeuronPlace()(Cat(word.word_select(unit, PIECE_WIDTH) for word in (*waiting, states.read_data)))
            for unit in range(units)
        ]

        # --- units -----------------------------------------------------------------------------------------
        load, valid, final = Signal(), Signal(), Signal()
        port0, port1 = (Signal(16 * units, name=f"port{port}", reset_less=True) for port in range(2))
        sub = sub_fetched if bits else Const(0, 1)
        # The units take their neurons a clock after `load`, which would not reach all of them in its own.
        loaded = delayed(m, load, 1, "loaded")
        # Operations wait in a register on their way to all units, and are read two clocks ahead. Those of a state
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
        # What is the same for all neurons of a population is formed once.
        resets, words = Signal(ResetModes(), reset_less=True), Signal(WordTerms(), reset_less=True)
        m.d.sync += [resets[name].eq(value) for name, value in ResetModes.of(population, self.kept).items()]
        m.d.sync += [words[name].eq(value) for name, value in WordTerms.of(population).items()]
        unit_valid, unit_final = delayed(m, valid, 1, "unit_valid"), delayed(m, final, 1, "unit_final")
        unit_list = []
        for number in range(units):
            m.submodules[f"unit_{number}"] = unit = MicroUnit()
            unit_list.append(unit)
            m.d.comb += [
                unit.population.eq(population),
                unit.load.eq(loaded),
                unit.neuron.eq(stored[number]),
                unit.port0.eq(port0.word_select(number, 16)),
                unit.port1.eq(port1.word_select(number, 16)),
                unit.noise.eq(noise.noise[number]),
                unit.operation.eq(code),
                unit.valid.eq(unit_valid),
                unit.final.eq(unit_final),
                unit.dither.eq(self.tick),
                unit.resets.eq(resets),
                unit.words.eq(words),
                unit.idle.eq(clearing),
            ]
        # What is known of a part goes along with it: the next one may be only three clocks younger.
        ends = [valid & final]
        for clock in range(1 + STAGES):
            ends.append(delayed(m, ends[-1], 1, f"final_{clock}"))
        fifth, done = ends[5], ends[-1]
        worked_part, worked = Signal(self._part_width), Signal(max(place_bits, bits, 1))
        worked_last = Signal()
        written_part = delayed(m, worked_part, 1 + STAGES, "written_part", cleared=False)
        written = delayed(m, worked, 1 + STAGES, "written", cleared=False)
        last_present = delayed(m, worked_last, 4, "last_present", cleared=False)
        last_ending = delayed(m, last_present, STAGES - 4, "last_ending", cleared=False)
        last_written = delayed(m, last_ending, 1, "last_written", cleared=False)
        last_units = Signal(units, reset_less=True)
        m.d.sync += last_units.eq((2 << population.last_unit) - 1)

        def those_there(last: Value) -> Value:
            return Mux(last, last_units, (1 << units) - 1)[:units]

        present = those_there(last_present)
        there = delayed(m, those_there(last_ending), 1, "there", cleared=False)
        # Of a population whose spikes exclude each other, the first one that wants to spike does.
        taken = Signal()
        wants = Cat(*(unit.wants for unit in unit_list))
        for number, unit in enumerate(unit_list):
            m.d.comb += unit.present.eq(present[number])
            m.d.comb += unit.blocked.eq(population.exclusive & (taken | wants[:number].any()))
        with m.If(self.start):
            m.d.sync += taken.eq(0)
        with m.Elif(fifth & wants.any()):
            m.d.sync += taken.eq(1)

        # --- writing ---------------------------------------------------------------------------------------
        spikes = Signal(units)
        m.d.comb += spikes.eq(Cat(*(unit.spike_o for unit in unit_list)))
        collected, spike_word = Signal(SPIKE_WIDTH), Signal(12)
        place = written[:place_bits] if place_bits else Const(0, 1)
        with_new = collected | (spikes << (place * units))[:SPIKE_WIDTH]
        ends_word = last_written | (place == per_word - 1)
        some = Cat(*(unit.has_word for unit in unit_list)) & there
        written_word = (written_part >> bits)[: len(memories.port_word)]
        # Pieces are written in this clock and the next two.
        storing = [done]
        for which in range(1, PLACE_PIECES):
            storing.append(delayed(m, storing[-1], 1, f"storing_{which}"))
        stored_part = Signal.like(written_part, reset_less=True)
        with m.If(done):
            m.d.sync += stored_part.eq(written_part)
        new_pieces = []
        for which in range(PLACE_PIECES):
            of_units = Cat(unit.neuron_o.as_value().word_select(which, PIECE_WIDTH) for unit in unit_list)
            new_pieces.append(delayed(m, of_units, which, f"new_piece_{which}", cleared=False))
        cleared_fields = Array([~population.lasting[:2], ~population.lasting[2:], Const(0b11, 2)])
        beginnings = [self.beginning[f"initial{state}"] for state in range(MAX_STATES)]
        m.d.comb += [
            states.read_address.eq(Cat(piece, fetched_part)),
            states.write_address.eq(Cat(piece, fetched_part)),
            states.write_enable.eq(Mux(clearing, cleared_fields[piece], 0)),
            states.fill.eq(Mux(clearing, Mux(clear_write, 0b01, 0b11), 0)),
            states.fill_data.eq(
                Array([Cat(beginnings[:2]), Cat(beginnings[2:]), Const(0, PIECE_WIDTH)])[piece]
            ),
            self.probe_valid.eq(done),
            self.probe_part.eq(written_part),
            self.probe_spikes.eq(spikes),
            self.probe_states.eq(
                Cat(*(unit.neuron_o[f"x{state}"] for unit in unit_list for state in range(MAX_STATES)))
            ),
        ]
        # All of this is written a clock later, before a row looks at it.
        m.d.sync += [
            self.spikes_address.eq(self.slot + population.spike_first + spike_word),
            self.spikes_data.eq(with_new),
            self.spikes_enable.eq(done & ends_word),
        ]
        # Enables, address and spikes wait in registers beside the memories, words in these.
        words = Signal(words_layout(hw), name="new_words", reset_less=True)
        m.d.sync += [words[lane].eq(unit_list[lane % units].word_o) for lane in range(hw.lanes)]
        write_sub = Mux(clearing, sub_fetched, written[:bits]) if bits else Const(0, 1)
        m.d.comb += [
            memories.trace_word.eq(Mux(clearing, fetched_word, written_word)),
            memories.trace_write.eq(Mux(clear_write | (done & self.form), 1 << write_sub, 0)),
            memories.trace_clear.eq(clearing),
            memories.spikes.eq(spikes),
            memories.words.eq(words),
        ]
        with m.If(done):
            m.d.sync += [
                collected.eq(Mux(ends_word, 0, with_new)),
                spike_word.eq(spike_word + ends_word),
                self.n_spikes.eq(self.n_spikes + total_of(spikes)),
                self.any_word.eq(self.any_word | some.any()),
            ]

        # --- clearing --------------------------------------------------------------------------------------
        # All neurons get the same, but for whether they are silent: the lanes know that.
        quiet = memories.quiet.word_select(sub, units)
        m.d.comb += [memories.draw.eq(self.silence_draw), memories.keep.eq(population.keep)]
        silent = [
            Cat(Const(0, STATE_WIDTH), self.silence & quiet[number], Const(0, 15)) for number in range(units)
        ]
        m.d.comb += states.write_data.eq(Cat(silent))
        for which, new_piece in enumerate(new_pieces):
            with m.If(storing[which]):
                m.d.comb += [
                    states.write_address.eq(
                        Cat(Const(which, len(piece)), stored_part if which else written_part)
                    ),
                    states.write_data.eq(new_piece),
                    states.write_enable.eq(0b11),
                ]

        # --- control ---------------------------------------------------------------------------------------
        draw = Signal()
        m.d.comb += [
            noise.start.eq(draw & population.uses_noise),
            noise.last_unit.eq(Mux(last_fetched, population.last_unit, units - 1)),
            final.eq(operation == population.last_operation),
        ]
        more = Signal()  # a part is fetched
        ends_fetched = (last_fetched | sub_fetched.all()) if bits else Const(1, 1)
        sums = memories.port_data.word_select(sub, 16 * units)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += states.read_address.eq(Cat(Const(0, len(piece)), self.state_word))
                m.d.comb += following.eq(0)
                m.d.sync += [phase.eq(0), operation.eq(0), spike_word.eq(0), collected.eq(0)]
                with m.If(self.start):
                    m.d.sync += [busy.eq(1), self.n_spikes.eq(0), more.eq(1)]
                    with m.If(self.form):
                        m.d.sync += self.any_word.eq(0)
                    m.next = "FETCH"
                with m.Elif(self.clear):
                    m.d.sync += [busy.eq(1), self.any_word.eq(0)]
                    m.next = "SETTLE"
                with m.Elif(self.fill):
                    m.d.sync += [busy.eq(1), filling.eq(self.fill_value)]
                    m.next = "FILL"
            with m.State("FETCH"):
                self._fetch(m, phase, ends_fetched, sums, port0, port1)
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
                    m.d.comb += next_operation.eq(Mux(final, 0, operation + 1))
                    m.d.sync += operation.eq(operation + 1)
                with m.If(more):
                    self._fetch(m, phase, ends_fetched, sums, port0, port1)
                    m.d.comb += draw.eq(phase == 0)
                with m.If(~phase_is_last):
                    m.d.sync += [phase.eq(phase + 1), phase_is_last.eq(phase + 1 == last_phase)]
                with m.Elif(~more):
                    m.next = "WRITE"
                with m.Elif(~noise.busy):
                    m.d.comb += load.eq(1)
            with m.State("WRITE"):
                with m.If(ends[-2] & last_ending):
                    m.d.sync += busy.eq(0)
                    m.next = "IDLE"
            with m.State("SETTLE"):
                # The last pieces of the sweep before may still be on their way.
                m.d.comb += following.eq(0)
                with m.If(~Cat(storing).any()):
                    m.next = "CLEAR"
            with m.State("CLEAR"):
                m.d.comb += [
                    clearing.eq(1),
                    clear_write.eq(phase == PLACE_PIECES - 1),
                    memories.port_write.eq(~clear_write),
                    memories.port_write_port.eq(phase[0]),
                ]
                m.d.sync += phase.eq(phase + 1)
                with m.If(clear_write):
                    m.d.comb += following.eq(fetched + 1)
                    m.d.sync += phase.eq(0)
                    with m.If(last_fetched):
                        m.d.sync += busy.eq(0)
                        m.next = "IDLE"
            with m.State("FILL"):
                m.d.comb += [
                    memories.port_write.eq(1),
                    memories.port_write_port.eq(self.fill_port),
                ]
                m.d.comb += following.eq(fetched + parts)
                with m.If((fetched >> bits) == population.neuron_last):
                    m.d.sync += [busy.eq(0), filling.eq(0)]
                    m.next = "IDLE"
        with m.If(load):
            m.d.sync += [
                phase.eq(0),
                phase_is_last.eq(0),
                operation.eq(0),
                worked.eq(fetched),
                worked_part.eq(fetched_part),
                worked_last.eq(last_fetched),
                more.eq(~last_fetched),
            ]
            m.d.comb += following.eq(fetched + 1)
        return m

    def _fetch(
        self, m: Module, phase: Value, ends_word: Value, sums: Value, port0: Signal, port1: Signal
    ) -> None:
        """Read both ports of a part in the first three phases, and clear those of a word with its last part."""
        memories = self.memories
        with m.Switch(phase):
            with m.Case(0):
                m.d.comb += memories.port_read.eq(1)
            with m.Case(1):
                m.d.comb += [
                    memories.port_read.eq(1),
                    memories.port.eq(1),
                    memories.port_write.eq(ends_word),
                ]
                m.d.sync += port0.eq(sums)
            with m.Case(2):
                m.d.comb += [memories.port_write.eq(ends_word), memories.port_write_port.eq(1)]
                m.d.sync += port1.eq(sums)
