# SPDX-License-Identifier: BSD-2-Clause
"""The datapath of a layer: lanes of read-add-learn-write, and the neuron unit behind them."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.causal_fifo import CausalFifo
from erbium.hdl.fixed import clamped, delayed, extended, product, saturated_sum, total_of
from erbium.hdl.neuron_unit import LATENCY as SWEEP_LATENCY
from erbium.hdl.neuron_unit import NOISE_WIDTH, PORT_WIDTH, NeuronUnit, signed_width
from erbium.hdl.rng import Generator, NoiseBank, mixed_byte
from erbium.hdl.sign_popcount import SignPopcount
from erbium.hdl.slot import Slot, Work, operand_stage, tick_width
from erbium.hdl.synapse_memory import SynapseMemory
from erbium.hdl.tokens import ADDRESS_WIDTH, Begin, ErrorToken, Kind, SweepToken
from erbium.hdl.word_file import WordFile, WordRom
from erbium.sw_model.constants import (
    STREAM_BLANK_NEURON,
    STREAM_BLANK_SYNAPSE,
    STREAM_NOISE,
    STREAM_PLASTICITY,
    neuron_constant,
    salt,
)
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.rules import FirstSpikeRule, LatencyEncoder

TRANSMITTED_WIDTH = 8
COUNT_GROUP = 16
"""Lanes whose changed weights are counted in one clock."""


class LayerPipeline(wiring.Component):
    """Does one slot of work per clock and never stalls.

    Stages are counted from the issue of a slot. A is the clock of the weight address (1 if a row is a power
    of two of words, else 3), X = A + memory latency the clock in which all operands meet.

    ===== =======================================================================================
    A     the weight word is addressed
    X     row: ``u0 <- sat16(u0 + w)``; ``d + r`` is formed. Sweep: the neuron unit takes the word
    X + 1 row: ``w' = clamp(w - ((d + r) >> shift))``
    X + 2 row: ``w'`` is written
    X + 3 sweep: states, plasticity words and the sweep token are written
    ===== =======================================================================================

    A first-spike layer learns in replayed rows instead: their operands meet in stage X, too, and their weights
    are written in stage X + 2. Spike ticks are kept where a row has to know which neurons had not spiked before it.

    Parameters
    ----------
    network : Network
    number : int
        0-based layer.
    hardware : Hardware
    feedback_width : int
        Bits of port 1; 0 without feedback.
    feedback_latency : int
        Clocks from the address to the data of the feedback port.

    Members
    -------
    slot : In(Slot), issue : In(1)
        Work of this clock.
    begin : In(Begin), load : In(1)
        The present sample; `load` restarts the random numbers.
    feedback_address : Out, feedback_data : In, feedback_used : Out(1)
        Port 1; `feedback_used` with the last word of a sweep that read it.
    sweep_o : Out(stream of SweepToken)
        Never waits for ready: the front end sees to it that there is room.
    word_o : Out, loaded : Out(1), word_i : In, stored : Out(1)
        Words of weights for the host.
    rows_transmitted, rows_learned, row_words : Out(1), weights_changed : Out
        What is to be counted in this clock, see :class:`erbium.hdl.layer.LayerEngine`.
    collision : Out(1)
    spike_available : Out(1), spike_row, spike_tick : Out, next_spike : In(1)
        First-spike layers behind the first: the oldest presynaptic spike that has not been replayed.
    counted : Out(1), vote : Out(ErrorToken)
        The same: a replayed row has voted, and for what (a ``SPIKE``), or for nothing (an ``END``).
    """

    def __init__(
        self, network: Network, number: int, hardware: Hardware, feedback_width: int, feedback_latency: int
    ) -> None:
        self.layer = layer = network.layers[number]
        self.process = number + 1
        self.margin = network.margin
        self.n_rows = network.n_rows(number)
        self.is_last = number == len(network.layers) - 1
        self.lanes, self.words = hardware.lanes_of(network, number), hardware.words_of(network, number)
        self.rest = layer.n_neurons - (self.words - 1) * self.lanes
        self.memory_latency = hardware.memory_latency
        self.feedback_width, self.feedback_latency = feedback_width, feedback_latency
        self.stage_x = operand_stage(network, number, hardware)
        self.stage_a = self.stage_x - self.memory_latency
        self.first_spike = network.is_first_spike
        self.n_ticks, self.tick_width = network.n_ticks, tick_width(network)
        # A later layer remembers its presynaptic spikes; the encoder keeps those of the first one.
        self.remembers = self.first_spike and number > 0
        levels = network.encoder.levels if isinstance(network.encoder, LatencyEncoder) else ()
        self.timed = self.remembers or len(levels) > 1
        weights = self.lanes * layer.weight_width
        members = {}
        if self.remembers:
            members |= {
                "spike_available": Out(1),
                "spike_row": Out(ADDRESS_WIDTH),
                "spike_tick": Out(self.tick_width),
                "next_spike": In(1),
                "counted": Out(1),
                "vote": Out(ErrorToken()),
            }
        super().__init__(
            members
            | {
                "slot": In(Slot(self.words, self.tick_width)),
                "issue": In(1),
                "begin": In(Begin()),
                "load": In(1),
                "feedback_address": Out(range(max(self.words, 2))),
                "feedback_data": In(self.lanes * max(feedback_width, 1)),
                "feedback_used": Out(1),
                "sweep_o": Out(stream.Signature(SweepToken(self.lanes, self.is_last), always_ready=True)),
                "word_o": Out(weights),
                "loaded": Out(1),
                "word_i": In(weights),
                "stored": Out(1),
                "rows_transmitted": Out(1),
                "rows_learned": Out(1),
                "weights_changed": Out(range(self.lanes + 1)),
                "row_words": Out(1),
                "collision": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._delay_slots(m)
        self._memory(m)
        self._random(m)
        self._accumulate(m)
        self._sweep(m)
        if self.first_spike:
            self._learn_behind(m)
        elif self.layer.rule is not None:
            self._learn(m)
        else:
            m.d.comb += self.memory.write_data.eq(self.word_i)
        return m

    # --- slots ---------------------------------------------------------------------------------------

    def _delay_slots(self, m: Module) -> None:
        """Make the registers that carry a slot from stage to stage."""
        self.slots, self.valid = [self.slot], [self.issue]
        for stage in range(1, self.stage_x + SWEEP_LATENCY + 2):
            slot = Signal(Slot(self.words, self.tick_width), name=f"slot_{stage}", reset_less=True)
            valid = Signal(name=f"valid_{stage}")
            m.d.sync += [slot.eq(self.slots[-1]), valid.eq(self.valid[-1])]
            self.slots.append(slot)
            self.valid.append(valid)
        row, learn = self._does(Work.ROW, 1), self._does(Work.LEARN, 1)
        m.d.comb += [
            self.row_words.eq(row | learn if self.first_spike else row),
            self.rows_transmitted.eq(row & self.slots[1].first),
        ]

    def _does(self, work: Work, stage: int) -> Value:
        """Return whether the slot in a stage does this work."""
        return self.valid[stage] & (self.slots[stage].work == work)

    def _file(self, m: Module, name: str, lane_width: int, *works: Work) -> WordFile:
        """Make a file with one value per neuron, read for some kinds of work, data there in stage X."""
        file = WordFile(self.words, self.lanes * lane_width)
        m.submodules[name] = file
        stage = self.stage_x - file.read_latency
        enable: Value = Const(0)
        for work in works:
            enable = enable | self._does(work, stage)
        m.d.comb += [file.read_address.eq(self.slots[stage].word), file.read_enable.eq(enable)]
        return file

    def _write(self, m: Module, file: WordFile, stage: int, enable: Value, value: Value) -> None:
        """Write a file in a stage, or one clock later where the file allows the time."""
        if file.write_delay:
            held = Signal(value.shape(), name="write_data", reset_less=True)
            with m.If(enable):
                m.d.sync += held.eq(value)
            enable, value = delayed(m, enable, 1, "write_enable"), held
        m.d.comb += [
            file.write_enable.eq(enable),
            file.write_address.eq(self.slots[stage + file.write_delay].word),
            file.write_data.eq(value),
        ]

    # --- weights -------------------------------------------------------------------------------------

    def _memory(self, m: Module) -> None:
        m.submodules.memory = self.memory = memory = SynapseMemory(
            self.n_rows * self.words, self.lanes * self.layer.weight_width, self.memory_latency
        )
        at = self.slots[1]
        address = Signal.like(memory.read_address)
        if self.stage_a == 1:
            m.d.comb += address.eq(Cat(at.word[: (self.words - 1).bit_length()], at.row))
        else:
            start = Signal.like(memory.read_address)
            m.d.sync += [start.eq(product(at.row, self.words)), address.eq(start + self.slots[2].word)]
        a, x = self.stage_a, self.stage_x
        reads = self._does(Work.ROW, a) | self._does(Work.LOAD, a)
        if self.first_spike:
            reads = reads | (self._does(Work.LEARN, a) & self.slots[a].armed)
        m.d.comb += [
            memory.read_address.eq(address),
            memory.read_enable.eq(reads),
            memory.write_address.eq(delayed(m, address, x + 2 - a, "address")),
            self.word_o.eq(memory.read_data),
            self.loaded.eq(self._does(Work.LOAD, x)),
            self.stored.eq(self._does(Work.STORE, x + 2)),
            self.collision.eq(memory.collision),
        ]
        self.learned = Signal()
        m.d.comb += memory.write_enable.eq(self.learned | self.stored)

    def _weight(self, word: Value, lane: int) -> Value:
        return word.word_select(lane, self.layer.weight_width).as_signed()

    def _transmitted(self, weight: Value) -> Value:
        excess = self.layer.weight_width - TRANSMITTED_WIDTH
        return weight.shift_right(excess) if excess >= 0 else weight.shift_left(-excess)

    def _if_kept(self, lane: int, value: Value) -> Value:
        """Return a value, or 0 for a synapse that is blanked out."""
        return Mux(self.kept[lane], value, 0) if self.layer.synapse_keep < 256 else value

    # --- random numbers ------------------------------------------------------------------------------

    def _generator(self, m: Module, name: str, number: int) -> Generator:
        generator = Generator(salt(self.process, number))
        m.submodules[name] = generator
        m.d.comb += [generator.seed.eq(self.begin.seed), generator.load.eq(self.load)]
        return generator

    def _random(self, m: Module) -> None:
        """Form the masks of blanked synapses and neurons and the noise, in time for stage X."""
        layer, x = self.layer, self.stage_x
        self.kept: Value = Const(-1, self.lanes)
        # Lanes beyond the last neuron never spike and never learn.
        missing = Const(((1 << self.lanes) - 1) & ~((1 << self.rest) - 1), self.lanes)
        self.silent: Value = Mux(self.slots[x].last, missing, 0)
        if layer.synapse_keep < 256 or layer.neuron_keep < 256:
            m.submodules.constants = rom = self._neuron_constants()
            m.d.comb += rom.address.eq(self.slots[x - 2].word)
            if layer.synapse_keep < 256:
                draws = self._generator(m, "synapse_draws", STREAM_BLANK_SYNAPSE)
                m.d.comb += draws.advance.eq(self._does(Work.ROW, x - 2) & self.slots[x - 2].first)
                self.kept = self._bernoulli(m, "kept", draws.value, rom.data, layer.synapse_keep)
            if layer.neuron_keep < 256:
                draws = self._generator(m, "neuron_draws", STREAM_BLANK_NEURON)
                m.d.comb += draws.advance.eq(delayed(m, self.load, 1, "draw_neurons"))
                taking_part = self._bernoulli(m, "taking_part", draws.value, rom.data, layer.neuron_keep)
                self.silent = self.silent | Mux(self.begin.learn, ~taking_part, 0)
        self.noise: Value = Const(0, NOISE_WIDTH * self.lanes)
        if layer.program.uses_noise:
            bank = NoiseBank(salt(self.process, STREAM_NOISE), self.lanes, layer.n_neurons)
            m.submodules.noise = bank
            m.d.comb += [
                bank.seed.eq(self.begin.seed),
                bank.load.eq(self.load),
                bank.advance.eq(self._does(Work.SWEEP, x)),
                bank.last.eq(self.slots[x].last),
            ]
            self.noise = bank.noise

    def _neuron_constants(self) -> WordRom:
        words = [
            sum(neuron_constant(word * self.lanes + lane) << (16 * lane) for lane in range(self.lanes))
            for word in range(self.words)
        ]
        return WordRom(words, 16 * self.lanes)

    def _bernoulli(self, m: Module, name: str, draw: Value, constants: Value, keep: int) -> Value:
        """Return one bit per lane, set with probability keep / 256, from a shared draw."""
        mask = Signal(self.lanes, name=name)
        for lane in range(self.lanes):
            m.d.sync += mask[lane].eq(mixed_byte(draw, constants.word_select(lane, 16)) < keep)
        return mask

    # --- row pass ------------------------------------------------------------------------------------

    def _accumulate(self, m: Module) -> None:
        x, lanes = self.stage_x, self.lanes
        file = self._file(m, "port0", PORT_WIDTH, Work.ROW, Work.TEACH, Work.SWEEP)
        teach = self._does(Work.TEACH, x)
        # Which lane is the label's, or the one whose plasticity word is set: compared one clock ahead.
        distance = self.distance = Signal(range(-(1 << 16), 1 << 16))
        chosen = self.slots[x - 1].row if self.first_spike else self.begin.label
        m.d.sync += distance.eq(chosen - self.slots[x - 1].base)
        # With a bias row, a sweep comes after the first row of its tick and may take the sums as they are.
        self.port0 = file.read_data
        if self.first_spike:
            self.port0 = Mux(self.slots[x].fresh, 0, file.read_data)
        sums = []
        for lane in range(lanes):
            fresh = self.slots[x].fresh
            old = Mux(fresh, 0, file.read_data.word_select(lane, PORT_WIDTH)).as_signed()
            push = self._if_kept(lane, self._transmitted(self._weight(self.memory.read_data, lane)))
            if self.is_last and not self.first_spike:
                push = Mux(teach, Mux(distance == lane, -self.margin, 0), push)
            sums.append(saturated_sum(old, extended(push, PORT_WIDTH)))
        self._write(m, file, x, self._does(Work.ROW, x) | teach, Cat(*sums))

    # --- tick sweep ----------------------------------------------------------------------------------

    def _sweep(self, m: Module) -> None:
        x, layer, lanes = self.stage_x, self.layer, self.lanes
        widths = [PORT_WIDTH]
        ports: list[Value] = [self.port0]
        if layer.program.n_ports == 2:
            widths.append(len(self.feedback_data) // lanes)
            ports.append(Mux(self.slots[x].feedback, self.feedback_data, 0))
        m.d.comb += [
            self.feedback_address.eq(self.slots[x - self.feedback_latency].word),
            self.feedback_used.eq(self._does(Work.SWEEP, x) & self.slots[x].last & self.slots[x].feedback),
        ]
        m.submodules.neurons = self.neurons = unit = NeuronUnit(layer.program, layer.rule, lanes, widths)
        states = self._file(m, "states", unit.layout.size, Work.SWEEP)
        m.d.comb += [
            unit.valid.eq(self._does(Work.SWEEP, x)),
            unit.neurons.eq(states.read_data),
            unit.begin.eq(self.slots[x].begin),
            unit.ports.eq(Cat(*ports)),
            unit.noise.eq(self.noise),
            unit.dither.eq(self.slots[x].tick),
            unit.silent.eq(self.silent),
            unit.learn.eq(self.begin.learn),
        ]
        end = x + SWEEP_LATENCY
        self._write(m, states, end, unit.valid_o, unit.neurons_o.as_value())
        slot, out = self.slots[end], self.sweep_o.payload
        m.d.comb += [
            self.sweep_o.valid.eq(unit.valid_o | self._does(Work.TOKEN, end)),
            out.kind.eq(Mux(unit.valid_o, Kind.SPIKE, slot.kind)),
            out.data.eq(Mux(unit.valid_o, slot.base, self.begin.as_value())),
            out.spikes.eq(Mux(unit.valid_o, unit.spikes_o, 0)),
        ]
        if self.is_last:
            for lane in range(lanes):
                m.d.comb += out.v[lane].eq(unit.neurons_o[lane].x0)

    # --- learning ------------------------------------------------------------------------------------

    def _learn(self, m: Module) -> None:
        x, layer, lanes, width = self.stage_x, self.layer, self.lanes, self.neurons.word_width
        words = self._file(m, "plasticity", width, Work.ROW)
        self._write(m, words, x + SWEEP_LATENCY, self.neurons.valid_o, self.neurons.words_o)
        learns = Signal()
        m.d.comb += learns.eq(self._does(Work.ROW, x - 1) & self.slots[x - 1].armed & self._any_word(m))
        draws = self._generator(m, "plasticity_draws", STREAM_PLASTICITY)
        m.d.comb += draws.advance.eq(learns & self.slots[x - 1].first)
        shift = layer.rounding_shift
        random = draws.value[:shift]
        word_min, word_max = -(1 << (width - 1)), (1 << (width - 1)) - 1
        delta_width = signed_width(word_min >> shift, (word_max + (1 << shift) - 1) >> shift)
        deltas = []
        for lane in range(lanes):
            word = words.read_data.word_select(lane, width).as_signed()
            deltas.append(self._if_kept(lane, (word + random)[shift:].as_signed()))
        self._change(m, delayed(m, learns, 1, "learns_x"), deltas, delta_width)

    def _change(self, m: Module, learns: Value, deltas: list[Value], delta_width: int) -> None:
        """Take the deltas, there in stage X while `learns`, from the weights of the word, and count the changes."""
        layer, x = self.layer, self.stage_x
        stages = [learns]
        for stage in ("x1", "x2"):
            stages.append(delayed(m, stages[-1], 1, f"learns_{stage}"))
        m.d.comb += self.rows_learned.eq(stages[0] & self.slots[x].first)
        new_weights, changes = [], []
        for lane, lane_delta in enumerate(deltas):
            weight = Signal(Shape(layer.weight_width, signed=True), name=f"weight_{lane}", reset_less=True)
            delta = Signal(Shape(delta_width, signed=True), name=f"delta_{lane}", reset_less=True)
            new = Signal(layer.weight_width, name=f"new_{lane}", reset_less=True)
            step = Signal(Shape(delta_width, signed=True), name=f"step_{lane}", reset_less=True)
            with m.If(stages[0]):
                m.d.sync += [weight.eq(self._weight(self.memory.read_data, lane)), delta.eq(lane_delta)]
            at_bound = Mux(delta < 0, weight == layer.weight_max, weight == layer.weight_min)
            free = Mux(at_bound, 0, delta)
            stepped = weight - free
            if delta_width > 2:
                # Steps larger than 1 can overshoot a bound, too.
                stepped = clamped(stepped, layer.weight_min, layer.weight_max)
            with m.If(stages[1]):
                m.d.sync += [new.eq(stepped), step.eq(free)]
            new_weights.append(new)
            changes.append(step.any())
        m.d.comb += [
            self.learned.eq(stages[2]),
            self.memory.write_data.eq(Mux(stages[2], Cat(*new_weights), self.word_i)),
        ]
        self._count_changes(m, stages[2], Cat(*changes))

    # --- learning behind the sample ------------------------------------------------------------------

    def _learn_behind(self, m: Module) -> None:
        """Set plasticity words, and change the weights of replayed rows by them."""
        x, lanes, rule = self.stage_x, self.lanes, self.layer.rule
        assert isinstance(rule, FirstSpikeRule)
        # Two bits per neuron: it is to spike later, it is to spike earlier. The first sweep of a sample clears them.
        file = self._file(m, "plasticity", 2, Work.WORD, Work.LEARN)
        slot, bits = self.slots[x], []
        for lane in range(lanes):
            old = file.read_data.word_select(lane, 2)
            bits.append(Mux(self.distance == lane, Cat(slot.later, ~slot.later), old))
        sets, clears = self._does(Work.WORD, x), self._does(Work.SWEEP, x) & slot.begin
        self._write(m, file, x, sets | clears, Mux(clears, 0, Cat(*bits)))
        later = Cat(*[file.read_data[2 * lane] for lane in range(lanes)])
        earlier = Cat(*[file.read_data[2 * lane + 1] for lane in range(lanes)])

        self.causal = causal = self._spike_ticks(m) if self.timed else Const(-1, lanes)
        deltas = [
            Mux(causal[lane], Mux(later[lane], rule.step, Mux(earlier[lane], -rule.step, 0)), 0)
            for lane in range(lanes)
        ]
        learns = self._does(Work.LEARN, x) & slot.armed
        self._change(m, learns, deltas, signed_width(-rule.step, rule.step))
        if self.remembers:
            self._vote(m, later, earlier)

    def _spike_ticks(self, m: Module) -> Value:
        """Keep the spike tick of each neuron; return which had not spiked before the row in stage X did."""
        x, width, end = self.stage_x, self.tick_width, self.stage_x + SWEEP_LATENCY
        file = self._file(m, "spike_ticks", width, Work.ROW, Work.SWEEP, Work.LEARN)
        slot, unit, never = self.slots[x], self.neurons, Const(self.n_ticks, width)
        kept, ticks, causal = delayed(m, file.read_data, SWEEP_LATENCY, "kept_ticks", cleared=False), [], []
        for lane in range(self.lanes):
            old = Mux(self.slots[end].begin, never, kept.word_select(lane, width))
            ticks.append(Mux(unit.spikes_o[lane], self.slots[end].tick, old))
            causal.append(slot.tick <= file.read_data.word_select(lane, width))
        self._write(m, file, end, unit.valid_o, Cat(*ticks))
        # In the first tick the file still holds the last sample's ticks, but tick 0 comes before none of them.
        return Cat(*causal)

    def _vote(self, m: Module, later: Value, earlier: Value) -> None:
        """Remember what was transmitted, and let each replayed row vote on its presynaptic neuron."""
        x, lanes, slot = self.stage_x, self.lanes, self.slots[self.stage_x]
        m.submodules.causes = causes = CausalFifo(self.n_rows, self.words, lanes, self.n_ticks)
        m.submodules.votes = votes = SignPopcount(self.layer.n_neurons, lanes)
        row, learn = self._does(Work.ROW, x), self._does(Work.LEARN, x)
        m.d.comb += [
            causes.clear.eq(self.load),
            causes.push.eq(row & self.begin.learn),
            causes.first.eq(slot.first),
            causes.row.eq(slot.row),
            causes.tick.eq(slot.tick),
            causes.negative.eq(
                Cat(*[self._weight(self.memory.read_data, lane)[-1] for lane in range(lanes)])
            ),
            causes.causal.eq(self.causal),
            self.spike_available.eq(causes.available),
            self.spike_row.eq(causes.row_o),
            self.spike_tick.eq(causes.tick_o),
            causes.next_row.eq(self.next_spike),
            causes.next_word.eq(learn),
            votes.valid.eq(learn),
            votes.first.eq(slot.first),
            votes.last.eq(slot.last),
            votes.address.eq(slot.row),
            votes.later.eq(later),
            votes.earlier.eq(earlier),
            votes.negative.eq(causes.negative_o),
            votes.causal.eq(causes.causal_o),
            self.counted.eq(votes.valid_o),
            self.vote.kind.eq(Mux(votes.later_o | votes.earlier_o, Kind.SPIKE, Kind.END)),
            self.vote.address.eq(votes.address_o),
            self.vote.later.eq(votes.later_o),
        ]

    def _any_word(self, m: Module) -> Value:
        """Return whether any plasticity word of the last whole sweep differs from 0, two clocks after it."""
        end, width = self.stage_x + SWEEP_LATENCY, self.neurons.word_width
        lanes_any = Signal(self.lanes)
        with m.If(self.neurons.valid_o):
            for lane in range(self.lanes):
                m.d.sync += lanes_any[lane].eq(self.neurons.words_o.word_select(lane, width).any())
        valid = delayed(m, self.neurons.valid_o, 1, "words_valid")
        first, last = (delayed(m, flag, 1, "end") for flag in (self.slots[end].first, self.slots[end].last))
        running, result = Signal(), Signal(name="any_word")
        present = (running & ~first) | lanes_any.any()
        with m.If(valid):
            m.d.sync += running.eq(present)
            with m.If(last):
                m.d.sync += result.eq(present)
        return result

    def _count_changes(self, m: Module, valid: Value, changed: Value) -> None:
        groups = []
        for start in range(0, self.lanes, COUNT_GROUP):
            part = changed[start : start + COUNT_GROUP]
            count = Signal(range(len(part) + 1), name=f"changes_{start}")
            m.d.sync += count.eq(0)
            with m.If(valid):
                m.d.sync += count.eq(total_of(part[bit] for bit in range(len(part))))
            groups.append(count)
        m.d.comb += self.weights_changed.eq(total_of(groups))
