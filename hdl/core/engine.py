# SPDX-License-Identifier: BSD-2-Clause
"""The folded engine: one machine for every graph that fits."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.counters import CoreCounters
from erbium.hdl.core.info import CoreInfo
from erbium.hdl.core.layouts import HostRequest, index
from erbium.hdl.core.readout import CoreReadout
from erbium.hdl.core.row_lanes import LEARN_LATENCY, RowLanes
from erbium.hdl.core.row_walker import RowWalker
from erbium.hdl.core.sequencer import SampleOutcome, Sequencer
from erbium.hdl.core.source_unit import SourceUnit
from erbium.hdl.core.spike_memory import SpikeMemory
from erbium.hdl.core.spike_record import SpikeRecord
from erbium.hdl.core.sweeper import Sweeper
from erbium.hdl.fixed import delayed, joined
from erbium.hdl.own_reset import with_own_reset
from erbium.sw_model.description.machine import PIECE_WIDTH, TABLE_WIDTH, CoreHardware, Window

HOST_CLOCKS = {Window.INFO: 1, Window.SPIKES: 1, Window.WEIGHTS: 3}
"""Clocks from an access of the host to the piece that it reads; 2 where nothing is said."""


class CoreEngine(wiring.Component):
    """Runs the graph whose tables lie in its memories.

    ::

        host ──▶ tables, weights, programs        tokens ──▶ sequencer ──▶ result
                                                     │
             source unit ──▶ spike memory ──▶ row walker ──▶ lanes ──▶ sweeper ──▶ spike memory

    Parameters
    ----------
    hardware : CoreHardware

    Members
    -------
    host_i : In(stream of HostRequest)
        Reads and writes of memories; taken between samples only.
    reply : Out(1), reply_data : Out(32)
        What was read, four clocks after its request.
    sample_i : In(stream of 64 bits)
        Samples, see :class:`erbium.sw_model.description.machine.TokenKind`.
    result_o : Out(stream of SampleOutcome)
    idle : Out(1)
        No sample is in the core.
    probe_valid : Out(1), probe_part : Out, probe_spikes : Out(units), probe_states : Out(64 * units)
        Neurons as they are swept, see :class:`erbium.hdl.core.sweeper.Sweeper`.
    tick_done : Out(1)
        A tick ends.

    Notes
    -----
    A row pass takes a word of synapses per clock, a sweep ``ceil(neurons / units) * (operations + 1)`` clocks. Nothing
    that is computed depends on lanes or units.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self.hardware = hardware
        super().__init__(
            {
                "host_i": In(stream.Signature(HostRequest())),
                "reply": Out(1),
                "reply_data": Out(PIECE_WIDTH),
                "sample_i": In(stream.Signature(TABLE_WIDTH)),
                "result_o": Out(stream.Signature(SampleOutcome())),
                "idle": Out(1),
                "probe_valid": Out(1),
                "probe_part": Out(index(hardware.neuron_words * hardware.parts)),
                "probe_spikes": Out(hardware.units),
                "probe_states": Out(64 * hardware.units),
                "tick_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hw = self.hardware
        sequencer, sources, spikes = Sequencer(hw), SourceUnit(hw), SpikeMemory(hw)
        walker, lanes, sweeper = RowWalker(hw, LEARN_LATENCY), RowLanes(hw), Sweeper(hw)
        readout, counters, info, record = CoreReadout(hw), CoreCounters(hw), CoreInfo(hw), SpikeRecord(hw)
        with_own_reset(
            m,
            sequencer=sequencer,
            source_unit=sources,
            row_walker=walker,
            row_lanes=lanes,
            sweeper=sweeper,
            core_readout=readout,
        )
        m.submodules.spike_memory, m.submodules.core_counters = spikes, counters
        m.submodules.core_info, m.submodules.spike_record = info, record
        wiring.connect(m, sequencer.sample_i, wiring.flipped(self.sample_i))
        wiring.connect(m, sequencer.result_o, wiring.flipped(self.result_o))
        wiring.connect(m, sequencer.event_o, sources.event_i)
        wiring.connect(m, sweeper.memories, lanes.memories)

        population, projection = sequencer.population, sequencer.projection
        m.d.comb += [
            # Sources.
            sources.n_sources.eq(sequencer.network.n_sources),
            sources.begin.eq(sequencer.source_begin),
            sources.store.eq(sequencer.source_store),
            sources.token.eq(self.sample_i.payload),
            sources.reseed.eq(sequencer.source_reseed),
            sources.seed.eq(sequencer.seed),
            sources.start.eq(sequencer.source_start),
            sources.tick.eq(sequencer.source_tick),
            sources.label.eq(sequencer.label),
            sources.has_label.eq(sequencer.has_label),
            sequencer.source_busy.eq(sources.busy),
            sequencer.n_hits.eq(sources.n_hits),
            # Spikes: those of a sweep go first.
            spikes.write_enable.eq(sweeper.spikes_enable | sources.spikes_enable),
            spikes.write_address.eq(
                Mux(sweeper.spikes_enable, sweeper.spikes_address, sources.spikes_address)
            ),
            spikes.write_data.eq(Mux(sweeper.spikes_enable, sweeper.spikes_data, sources.spikes_data)),
            sources.spikes_ready.eq(~sweeper.spikes_enable),
            spikes.read_address.eq(walker.spike_address),
            walker.spike_data.eq(spikes.read_data),
            spikes.count_address.eq(readout.spike_address),
            readout.spike_data.eq(spikes.count_data),
            # Rows.
            walker.start.eq(sequencer.walker_start),
            walker.clear.eq(sequencer.walker_clear),
            walker.timer_words.eq(sequencer.network.timer_words),
            walker.population.eq(population),
            walker.projection.eq(projection),
            walker.spikes.eq(sequencer.spikes),
            walker.silent.eq(sequencer.silent),
            walker.learns.eq(sequencer.learns),
            walker.learn.eq(sequencer.learn),
            walker.finish.eq(sequencer.finish),
            lanes.finish.eq(sequencer.finish),
            walker.tick.eq(sequencer.tick),
            walker.load.eq(sequencer.draws_load),
            walker.seed_plasticity.eq(sequencer.draws[0]),
            walker.seed_blank.eq(sequencer.draws[1]),
            sequencer.drawn[0].eq(walker.plasticity),
            sequencer.drawn[1].eq(walker.blank),
            sequencer.drawn[2].eq(sweeper.noise_state),
            sequencer.walker_busy.eq(walker.busy),
            sequencer.walker_moving.eq(walker.moving),
            lanes.slot_valid.eq(walker.slot_valid),
            lanes.slot.eq(walker.slot),
            lanes.population.eq(population),
            lanes.tick.eq(sequencer.tick),
            lanes.reversed.eq(sequencer.reversed),
            lanes.clear_counts.eq(sequencer.clear_counts),
            lanes.sweeping.eq(sequencer.sweeping),
            sequencer.lanes_busy.eq(lanes.busy),
            sequencer.lanes_sending.eq(lanes.sending),
            sequencer.operations.eq(lanes.operations),
            sequencer.learned.eq(lanes.learned),
            sequencer.changed.eq(lanes.changed),
            # Sweeps.
            sweeper.population.eq(population),
            sweeper.beginning.eq(sequencer.beginning),
            sweeper.tick.eq(sequencer.tick),
            sweeper.form.eq(sequencer.form),
            sweeper.kept.eq(sequencer.kept),
            sweeper.slot.eq(sequencer.slot),
            sweeper.start.eq(sequencer.sweep_start),
            sweeper.clear.eq(sequencer.sweep_clear),
            sweeper.silence.eq(sequencer.silence),
            sweeper.silence_draw.eq(sequencer.silence_draw),
            sweeper.fill.eq(sequencer.sweep_fill),
            sweeper.fill_port.eq(sequencer.fill_port),
            sweeper.fill_value.eq(sequencer.fill_value),
            sweeper.noise_load.eq(sequencer.draws_load),
            sweeper.noise_seed.eq(sequencer.draws[2]),
            sequencer.sweep_busy.eq(sweeper.busy),
            sequencer.n_spikes.eq(sweeper.n_spikes),
            sequencer.any_word.eq(sweeper.any_word),
            # Readout and counters.
            readout.n_classes.eq(sequencer.network.n_classes),
            readout.first_class.eq(sequencer.network.first_class),
            readout.clear.eq(sequencer.readout_clear),
            readout.count.eq(sequencer.readout_count),
            readout.spikes.eq(sequencer.slot + population.spike_first),
            readout.spike_last.eq(population.spike_last),
            readout.search.eq(sequencer.readout_search),
            sequencer.readout_busy.eq(readout.busy),
            sequencer.most.eq(readout.most),
            sequencer.best.eq(readout.best),
            sweeper.state_word.eq(readout.state_word),
            readout.state_data.eq(sweeper.state_data),
            counters.add.eq(sequencer.count_add),
            counters.row.eq(sequencer.count_row),
            counters.amounts.eq(sequencer.count_amounts),
            sequencer.count_busy.eq(counters.busy),
            record.clear.eq(sequencer.source_begin),
            record.enable.eq(sweeper.spikes_enable),
            record.spikes.eq(sweeper.spikes_data),
            # What leaves.
            sequencer.loaded.eq(info.loaded),
            self.idle.eq(sequencer.idle),
            self.probe_valid.eq(sweeper.probe_valid),
            self.probe_part.eq(sweeper.probe_part),
            self.probe_spikes.eq(sweeper.probe_spikes),
            self.probe_states.eq(sweeper.probe_states),
            self.tick_done.eq(sequencer.tick_done),
        ]
        # A token TICK reaches the sources a tick ahead: their slot is the next one.
        m.d.comb += sources.slot.eq(sequencer.source_slot)
        self._host(m, sequencer, sources, walker, lanes, sweeper, counters, info, record)
        return m

    def _host(
        self,
        m: Module,
        sequencer: Sequencer,
        sources: SourceUnit,
        walker: RowWalker,
        lanes: RowLanes,
        sweeper: Sweeper,
        counters: CoreCounters,
        info: CoreInfo,
        record: SpikeRecord,
    ) -> None:
        windows = {
            Window.TABLES: sequencer.tables,
            Window.OPERATIONS: sweeper.operations,
            Window.SOURCES: sources.host,
            Window.HEADS: walker.heads,
            Window.ENTRIES: walker.entries,
            Window.WEIGHTS: lanes.weights,
            Window.STATES: sweeper.states,
            Window.COUNTERS: counters.host,
            Window.INFO: info.host,
            Window.SPIKES: record.host,
        }
        request = self.host_i.payload
        m.d.comb += self.host_i.ready.eq(sequencer.idle & ~self.sample_i.valid)
        taken = self.host_i.valid & self.host_i.ready
        # All memories hang on the request, so it waits in registers, and a sample for it.
        m.d.sync += sequencer.asked.eq(taken)
        asked = Signal(HostRequest(), reset_less=True)
        m.d.sync += [
            asked.eq(request),
            self.reply.eq(delayed(m, taken & ~request.write, 3, "reads")),
        ]
        found = []
        for window, access in windows.items():
            name = window.name.lower()
            valid = Signal(name=f"asks_{name}")
            m.d.sync += valid.eq(taken & (request.window == window))
            m.d.comb += [
                access.valid.eq(valid),
                access.write.eq(asked.write),
                access.address.eq(asked.address),
                access.write_data.eq(asked.data),
            ]
            further = 3 - HOST_CLOCKS.get(window, 2)
            read = delayed(m, access.read_data, further, f"read_{name}", cleared=False)
            found.append(Mux(delayed(m, valid, 3, f"asked_{name}"), read, 0))
        m.d.comb += self.reply_data.eq(joined(found))
