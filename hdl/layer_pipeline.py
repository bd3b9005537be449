# SPDX-License-Identifier: BSD-2-Clause
"""The datapath of a layer: lanes of read-add-learn-write, and the neuron unit behind them."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.causal_fifo import CausalFifo
from erbium.hdl.fixed import delayed, product, total_of
from erbium.hdl.lane_group import COPY, LaneGroup, copies_of, lane_groups
from erbium.hdl.neuron_unit import NOISE_WIDTH, sweep_latency
from erbium.hdl.rng import Generator, NoiseBank, mixed_byte
from erbium.hdl.sign_popcount import SignPopcount
from erbium.hdl.slot import Slot, Work, operand_stage, tick_width
from erbium.hdl.synapse_memory import SynapseMemory
from erbium.hdl.tokens import ADDRESS_WIDTH, LABEL_WIDTH, Begin, ErrorToken, Kind, piece_width, sweep_token
from erbium.hdl.weight_words import LayerWeights, memory_words
from erbium.hdl.word_file import WordRom
from erbium.sw_model.constants import (
    STREAM_BLANK_NEURON,
    STREAM_BLANK_SYNAPSE,
    STREAM_NOISE,
    STREAM_PLASTICITY,
    neuron_constant,
    salt,
)
from erbium.sw_model.network import Hardware, Network


class LayerPipeline(wiring.Component):
    """Does one slot of work per clock and never stalls.

    Stages are counted from the issue of a slot. A is the clock of the weight address (1 if a row is a power
    of two of words or the pipelines are short, else 3), X = A + memory latency the clock in which all operands meet,
    E = X + 3, with short pipelines X + 2.

    ===== =======================================================================================
    A     the weight word is addressed
    X     row: ``u0 <- sat16(u0 + w)``; ``d + r`` is formed. Sweep: the neuron unit takes the word
    X + 1 row: ``w' = clamp(w - ((d + r) >> shift))``
    X + 2 row: ``w'`` is written
    E     sweep: states, plasticity words and the sweep token are written
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
    begin_piece : In, begin_left : Out(1)
        What a ``BEGIN`` token is to say; it leaves.
    feedback_address : Out, feedback_data : In, feedback_used : Out(1)
        Port 1; `feedback_used` with the last word of a sweep that read it.
    sweep_o : Out(stream of SweepToken)
        Never waits for ready: the front end sees to it that there is room.
    word_o : Out, loaded : Out(1), word_i : In, stored : Out(1)
        Words of weights for the host; `word_o` is there one clock behind `loaded`.
    rows_transmitted, rows_learned, row_words : Out(1), weights_changed : Out
        What is to be counted in this clock, see :class:`erbium.hdl.layer.LayerEngine`.
    collision : Out(1)
    spike_available : Out(1), spike_row, spike_tick : Out, next_spike : In(1)
        First-spike layers behind the first: the oldest presynaptic spike that has not been replayed.
    counted : Out(1), vote : Out(ErrorToken)
        The same: a replayed row has voted, and for what (a ``SPIKE``), or for nothing (an ``END``).
    """

    def __init__(
        self,
        network: Network,
        number: int,
        hardware: Hardware,
        feedback_width: int,
        feedback_latency: int,
        weights: LayerWeights | None = None,
    ) -> None:
        self._contents = [] if weights is None else memory_words(network, hardware, number, weights)
        self.layer = layer = network.layers[number]
        self.process = number + 1
        self.n_rows = network.n_rows(number)
        self.is_last = number == len(network.layers) - 1
        self.lanes, self.words = hardware.lanes_of(network, number), hardware.words_of(network, number)
        self.rest = layer.n_neurons - (self.words - 1) * self.lanes
        self.stride, self.pairs = hardware.stride_of(network, number), hardware.pairs(network, number)
        self.memory_kind, self.memory_latency = (
            hardware.memory_of(number),
            hardware.latency_of(network, number),
        )
        self.feedback_latency = feedback_latency
        self.short = hardware.short_pipelines
        self.stage_x = operand_stage(network, number, hardware)
        self.stage_a = self.stage_x - self.memory_latency
        self.stage_e = self.stage_x + sweep_latency(short=self.short)
        self.shape = Slot(network, number, hardware)
        self.first_spike = network.is_first_spike
        self.n_ticks, self.tick_width = network.n_ticks, tick_width(network)
        self.groups = [
            LaneGroup(network, number, hardware, lanes, feedback_width) for lanes in lane_groups(self.lanes)
        ]
        # A later layer remembers its presynaptic spikes; the encoder keeps those of the first one.
        self.remembers = self.first_spike and number > 0
        weights = self.lanes * layer.weight_width
        members = {}
        if self.remembers:
            members |= {
                "spike_available": Out(1),
                "spike_row": Out(self.shape["row"].shape),
                "spike_tick": Out(self.tick_width),
                "next_spike": In(1),
                "counted": Out(1),
                "vote": Out(ErrorToken(network.shape[number])),
            }
        super().__init__(
            members
            | {
                "slot": In(self.shape),
                "issue": In(1),
                "begin": In(Begin()),
                "load": In(1),
                "begin_piece": In(piece_width(hardware.begin_pieces)),
                "begin_left": Out(1),
                "feedback_address": Out(range(max(self.words, 2))),
                "feedback_data": In(self.lanes * max(feedback_width, 1)),
                "feedback_used": Out(1),
                "sweep_o": Out(stream.Signature(sweep_token(network, hardware, number), always_ready=True)),
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
        self._group(m)
        self._sweep(m)
        if self.layer.rule is not None:
            self._learn(m)
        if self.remembers:
            self._vote(m)
        return m

    # --- slots ---------------------------------------------------------------------------------------

    def _delay_slots(self, m: Module) -> None:
        """Make the registers that carry a slot from stage to stage."""
        self.slots, self.valid = [self.slot], [self.issue]
        for stage in range(1, self.stage_e + 2):
            slot = Signal(self.shape, name=f"slot_{stage}", reset_less=True)
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

    def _base(self, m: Module, stage: int) -> Value:
        """Return the address of the neuron in lane 0 of the word in a stage."""
        if self.lanes & (self.lanes - 1) == 0:
            return product(self.slots[stage].word, self.lanes)
        base = Signal(ADDRESS_WIDTH, name=f"base_{stage}", reset_less=True)
        m.d.sync += base.eq(product(self.slots[stage - 1].word, self.lanes))
        return base

    # --- weights -------------------------------------------------------------------------------------

    def _memory(self, m: Module) -> None:
        m.submodules.memory = self.memory = memory = SynapseMemory(
            self.n_rows * self.stride,
            self.lanes * self.layer.weight_width,
            self.memory_latency,
            self.memory_kind,
            self._contents,
        )
        # The memory takes addresses and enables in copies, each out of a register.
        attributes = COPY if memory.copies > 1 else {}

        def copies(name: str, shape) -> list[Signal]:
            numbers = range(memory.copies)
            return [Signal(shape, name=f"{name}_{k}", reset_less=True, attrs=attributes) for k in numbers]

        a, x = self.stage_a, self.stage_x
        at = self.slots[1]
        addresses = copies("address", memory.read_address[0].shape())
        address = Signal.like(addresses[0], name="address")
        if self.stride & (self.stride - 1) == 0:
            m.d.comb += address.eq(Cat(self.slot.word[: (self.stride - 1).bit_length()], self.slot.row))
            m.d.sync += [copy.eq(address) for copy in addresses]
        elif self.short:
            m.d.comb += address.eq(product(at.row, self.stride) + at.word)
            m.d.comb += [copy.eq(address) for copy in addresses]
        else:
            start = Signal.like(address, name="start")
            m.d.sync += start.eq(product(at.row, self.stride))
            m.d.comb += address.eq(start + self.slots[2].word)
            m.d.sync += [copy.eq(address) for copy in addresses]
        # What is written in this clock was learned, or will be in the next one.
        self.learned, self.learns_next, writes = Signal(), Signal(), Signal()
        m.d.comb += writes.eq(self.learns_next | self._does(Work.STORE, x + 1))
        # The address of a write stays until the next one: a word that waits for the other of its pair needs it.
        written = copies("written", addresses[0].shape())
        write_enables = [Signal(name=f"write_enable_{k}", attrs=attributes) for k in range(memory.copies)]
        read_before = delayed(m, addresses[0], x + 1 - a, "address", cleared=False)
        with m.If(writes):
            m.d.sync += [copy.eq(read_before) for copy in written]
        m.d.sync += [copy.eq(writes) for copy in write_enables]
        m.d.comb += [
            Cat(*memory.read_address).eq(Cat(*addresses)),
            memory.read_enable.eq(Cat(*self._reads(m, attributes))),
            Cat(*memory.write_address).eq(Cat(*written)),
            memory.write_enable.eq(Cat(*write_enables)),
            self.word_o.eq(memory.read_data),
            self.loaded.eq(self._does(Work.LOAD, x - 1)),
            self.stored.eq(self._does(Work.STORE, x + 2)),
            self.collision.eq(memory.collision),
        ]

    def _reads(self, m: Module, attributes: dict[str, int]) -> list[Value]:
        """Return for each copy of the address whether a word is read, formed from registers of its own."""
        before, reads = self.slots[self.stage_a - 1], []
        for number in range(self.memory.copies):
            valid = Signal(name=f"reads_valid_{number}", attrs=attributes)
            work = Signal(Work, name=f"reads_work_{number}", reset_less=True, attrs=attributes)
            m.d.sync += [valid.eq(self.valid[self.stage_a - 1]), work.eq(before.work)]
            wanted = (work == Work.ROW) | (work == Work.LOAD)
            if self.first_spike and self.remembers:
                # A row that votes is read even if it does not learn.
                wanted |= work == Work.LEARN
            elif self.first_spike:
                armed = Signal(name=f"reads_armed_{number}", reset_less=True, attrs=attributes)
                m.d.sync += armed.eq(before.armed)
                wanted |= (work == Work.LEARN) & armed
            reads.append(valid & wanted)
        return reads

    # --- lanes ---------------------------------------------------------------------------------------

    def _group(self, m: Module) -> None:
        """Make the groups of lanes, and hand each its part of every word."""
        # Which lane is the label's, or the one whose plasticity word is set: compared one clock ahead.
        chosen = Signal(self.lanes)
        if self.first_spike:
            place: Value = self.slots[self.stage_x - 1].lane
        else:
            place = Signal(range(-self.layer.n_neurons, 1 << LABEL_WIDTH))
            m.d.sync += place.eq(self.begin.label - self._base(m, self.stage_x - 2))
        m.d.sync += chosen.eq(Cat(*[place == lane for lane in range(self.lanes)]))
        at = 0
        for index, group in enumerate(self.groups):
            lanes = slice(at, at + group.lanes)
            at = lanes.stop

            def part(word: Value, lanes: slice = lanes) -> Value:
                width = len(word) // self.lanes
                return word[lanes.start * width : lanes.stop * width]

            m.submodules[f"lanes_{index}"] = group
            m.d.comb += [group.order[name].eq(self.slot[name]) for name, _ in group.order.shape()]
            m.d.comb += [
                group.issue.eq(self.issue),
                group.learn.eq(self.begin.learn),
                group.weights.eq(part(self.memory.read_data)),
                group.feedback.eq(part(self.feedback_data)),
                group.noise.eq(part(self.noise)),
                group.kept.eq(part(self.kept)),
                group.silent.eq(part(self.silent)),
                group.chosen.eq(part(chosen)),
                group.stored.eq(part(self.word_i)),
                part(self.memory.write_data).eq(group.new_weights),
            ]

    def _all(self, name: str) -> Value:
        """Return what all groups say, their lanes one after the other."""
        return Cat(*[getattr(group, name) for group in self.groups])

    @property
    def swept(self) -> Value:
        """States, spikes and plasticity words of a swept word, lane 0 lowest, while :attr:`sweeps`."""
        return Cat(self._all("neurons_o"), self._all("spikes_o"), self._all("words_o"))

    @property
    def sweeps(self) -> Value:
        """A word has been swept."""
        return self.groups[0].valid_o

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

    # --- tick sweep ----------------------------------------------------------------------------------

    def _sweep(self, m: Module) -> None:
        x, end = self.stage_x, self.stage_e
        slot, out = self.slots[end], self.sweep_o.payload
        m.d.comb += [
            self.feedback_address.eq(self.slots[x - self.feedback_latency].word),
            self.feedback_used.eq(self._does(Work.SWEEP, x) & self.slots[x].last & self.slots[x].feedback),
            self.sweep_o.valid.eq(self.sweeps | self._does(Work.TOKEN, end)),
            out.kind.eq(Mux(self.sweeps, Kind.SPIKE, slot.kind)),
            out.data.eq(Mux(self.sweeps, self._base(m, end), self.begin_piece)),
            self.begin_left.eq(self._does(Work.TOKEN, end) & (slot.kind == Kind.BEGIN)),
            out.spikes.eq(Mux(self.sweeps, self._all("spikes_o"), 0)),
        ]
        if self.is_last:
            membranes = [neuron.x0 for group in self.groups for neuron in group.neurons_o]
            m.d.comb += [out.v[lane].eq(membrane) for lane, membrane in enumerate(membranes)]

    # --- learning ------------------------------------------------------------------------------------

    def _learn(self, m: Module) -> None:
        """Say when the lanes learn, give them the random number of the row, and count."""
        x = self.stage_x
        before = self.slots[x - 1]
        if self.first_spike:
            learns = self._does(Work.LEARN, x - 1) & before.armed
        else:
            any_word = self._any_word(m)
            learns = self._does(Work.ROW, x - 1) & before.armed & any_word
            draws = self._generator(m, "plasticity_draws", STREAM_PLASTICITY)
            # The number of a row is drawn ahead, behind the last word of the row before: that leaves a clock for
            # the registers which carry it to the groups.
            first_draw = delayed(m, self.load, 1, "first_draw")
            m.d.comb += draws.advance.eq(first_draw | (learns & before.last))
            for index, group in enumerate(self.groups):
                copies = copies_of(self.lanes)
                random = Signal.like(group.random, name=f"random_{index}", reset_less=True, attrs=copies)
                m.d.sync += random.eq(draws.value[: len(random)])
                m.d.comb += [group.any_word.eq(any_word), group.random.eq(random)]
        learns = delayed(m, learns, 1, "learns")
        m.d.comb += self.rows_learned.eq(learns & self.slots[x].first)
        m.d.sync += [self.learns_next.eq(learns), self.learned.eq(self.learns_next)]
        changes = total_of(group.changes for group in self.groups)
        m.d.sync += self.weights_changed.eq(changes)

    def _any_word(self, m: Module) -> Value:
        """Return whether any plasticity word of the last whole sweep differs from 0, two clocks after it."""
        slot = self.slots[self.stage_e]
        valid = delayed(m, self.sweeps, 1, "words_valid")
        first, last = (delayed(m, flag, 1, "end") for flag in (slot.first, slot.last))
        running, result = Signal(), Signal(name="any_word")
        present = (running & ~first) | self._all("words_any").any()
        with m.If(valid):
            m.d.sync += running.eq(present)
            with m.If(last):
                m.d.sync += result.eq(present)
        return result

    # --- votes ---------------------------------------------------------------------------------------

    def _vote(self, m: Module) -> None:
        """Remember what was transmitted, and let each replayed row vote on its presynaptic neuron."""
        x, slot = self.stage_x, self.slots[self.stage_x]
        m.submodules.causes = causes = CausalFifo(self.n_rows, self.n_ticks)
        m.submodules.votes = votes = SignPopcount(self.layer.n_neurons, self.lanes)
        row, learn = self._does(Work.ROW, 1) & self.slots[1].first, self._does(Work.LEARN, x)
        m.d.comb += [
            causes.clear.eq(self.load),
            causes.push.eq(row & self.begin.learn),
            causes.row.eq(self.slots[1].row),
            causes.tick.eq(self.slots[1].tick),
            self.spike_available.eq(causes.available),
            self.spike_row.eq(causes.row_o),
            self.spike_tick.eq(causes.tick_o),
            causes.next_row.eq(self.next_spike),
            votes.valid.eq(learn),
            votes.first.eq(slot.first),
            votes.last.eq(slot.last),
            votes.address.eq(slot.row),
            votes.later.eq(self._all("later")),
            votes.earlier.eq(self._all("earlier")),
            votes.negative.eq(self._all("negative")),
            votes.causal.eq(self._all("causal")),
            self.counted.eq(votes.valid_o),
            self.vote.kind.eq(Mux(votes.later_o | votes.earlier_o, Kind.SPIKE, Kind.END)),
            self.vote.address.eq(votes.address_o),
            self.vote.later.eq(votes.later_o),
        ]
