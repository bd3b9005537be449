# SPDX-License-Identifier: BSD-2-Clause
"""The datapath of a layer: lanes of read-add-learn-write, and the neuron units that serve them."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fixed import delayed, product, total_of
from erbium.hdl.groups import COPY
from erbium.hdl.lane_group import LaneGroup
from erbium.hdl.layer_random import LayerRandom
from erbium.hdl.pipe import Pipe
from erbium.hdl.plan import LayerPlan
from erbium.hdl.rng import Generator
from erbium.hdl.slot import Work
from erbium.hdl.synapse_memory import SynapseMemory
from erbium.hdl.tokens import ADDRESS_WIDTH, LABEL_WIDTH, STATE_WIDTH, Begin, Kind, piece_width
from erbium.hdl.weight_words import LayerWeights, memory_words
from erbium.sw_model.constants import salt


class LayerPipeline(wiring.Component):
    """Does one slot of work per clock and never stalls.

    Stages as in :class:`erbium.hdl.plan.LayerPlan`:

    ===== =======================================================================================
    A     the weight word is addressed
    X     row: ``u0 <- sat16(u0 + w)``; ``d + r`` is formed
    X + 1 row: ``w' = clamp(w - ((d + r) >> shift))``
    X + 2 row: ``w'`` is written
    S     sweep: the neuron units take a part of a word, or all of it
    E     sweep: states and plasticity words are written; with the last part the token leaves
    ===== =======================================================================================

    A layer that learns after the sample does so in replayed rows: their operands meet in stage X, too, and their
    weights are written in stage X + 2.

    Parameters
    ----------
    plan : LayerPlan
    weights : sequence, optional
        What the synapse memory holds after configuration.

    Members
    -------
    slot : In(Slot), issue : In(1)
        Work of this clock.
    begin : In(Begin), load : In(1)
        The present sample; `load` restarts the random numbers.
    begin_piece : In, begin_left : Out(1)
        What a ``BEGIN`` token is to say; it leaves.
    feedback_address : Out, feedback_data : In, feedback_used : Out(1)
        Port 1; `feedback_used` with the last part of a sweep that read it.
    sweep_o : Out(stream of SweepToken)
        Never waits for ready: the front end sees to it that there is room.
    word_o : Out, loaded : Out(1), word_i : In, stored : Out(1)
        Words of weights for the host; `word_o` is there one clock after `loaded`.
    rows_transmitted, rows_learned, row_words, weights_changed : Out
        What is to be counted in this clock, see :class:`erbium.hdl.layer.LayerEngine`.
    words_known, any_word : Out(1), words_above, words_below : Out
        Where two rows may go together: what :class:`erbium.hdl.row_pairs.RowPairs` hears of a sweep.
    collision : Out(1)
    spike_available : Out(1), spike_row, spike_tick : Out, next_spike : In(1)
        First-spike layers after the first: the oldest presynaptic spike that has not been replayed.
    counted : Out(1), vote : Out(ErrorToken)
        The same: a replayed row has voted, and for what (a ``SPIKE``), or for nothing (an ``END``).
    """

    def __init__(self, plan: LayerPlan, weights: LayerWeights | None = None) -> None:
        self.plan = plan
        self._contents = (
            []
            if weights is None
            else memory_words(weights, plan.lanes, plan.stride, plan.population.weight_width)
        )
        self.groups = [LaneGroup(plan, place) for place in plan.groups]
        weights = plan.lanes * plan.population.weight_width
        super().__init__(
            plan.rule.pipeline_ports(plan)
            | plan.rows.word_ports(Out)
            | {
                "slot": In(plan.slot),
                "issue": In(1),
                "begin": In(Begin()),
                "load": In(1),
                "begin_piece": In(piece_width(plan.begin_pieces)),
                "begin_left": Out(1),
                "feedback_address": Out(range(max(plan.places, 2))),
                "feedback_data": In(plan.units * max(plan.feedback_width, 1)),
                "feedback_used": Out(1),
                "sweep_o": Out(stream.Signature(plan.sweep_token, always_ready=True)),
                "word_o": Out(weights),
                "loaded": Out(1),
                "word_i": In(weights),
                "stored": Out(1),
                "rows_transmitted": Out(range(plan.rows.at_once + 1)),
                "rows_learned": Out(range(plan.rows.at_once + 1)),
                "weights_changed": Out(range(plan.lanes + 1)),
                "row_words": Out(range(plan.rows.at_once + 1)),
                "collision": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        self.pipe = pipe = Pipe(m, plan.stages, self.slot, self.issue, fixed=plan.fixed)
        row = pipe.does(Work.ROW, 1)
        m.d.comb += [
            self.row_words.eq(plan.rows.count(pipe[1], row) | plan.rule.row_words(pipe)),
            self.rows_transmitted.eq(plan.rows.count(pipe[1], row & pipe[1].first)),
        ]
        # Whether the word that is written now, or in the next clock, was learned.
        self.learned, self.learns_next = Signal(), Signal()
        self._memory(m)
        self.random = LayerRandom(m, self)
        self._group(m)
        self._sweep(m)
        plan.rule.learn(m, self)
        pipe.close()
        return m

    def base(self, m: Module, stage: str) -> Value:
        """Return the address of the neuron in lane 0 of the word in a stage."""
        lanes, number = self.plan.lanes, self.pipe.number(stage)
        if lanes & (lanes - 1) == 0:
            return product(self.pipe[number].word, lanes)
        base = Signal(ADDRESS_WIDTH, name=f"base_{number}", reset_less=True)
        m.d.sync += base.eq(product(self.pipe[number - 1].word, lanes))
        return base

    def generator(self, m: Module, name: str, number: int) -> Generator:
        """Make a stream of random numbers that each sample restarts."""
        generator = Generator(salt(self.plan.population.process, number))
        m.submodules[name] = generator
        m.d.comb += [generator.seed.eq(self.begin.seed), generator.load.eq(self.load)]
        return generator

    # --- weights -------------------------------------------------------------------------------------

    def _memory(self, m: Module) -> None:
        plan, pipe = self.plan, self.pipe
        m.submodules.memory = self.memory = memory = SynapseMemory(
            plan.n_rows * plan.stride,
            plan.lanes * plan.population.weight_width,
            plan.memory_latency,
            plan.memory_kind,
            self._contents,
            two_reads=plan.rows.at_once > 1,
        )
        # The memory takes addresses and enables in copies, each out of a register.
        attributes = COPY if memory.copies > 1 else {}

        def copies(name: str, shape) -> list[Signal]:
            numbers = range(memory.copies)
            return [Signal(shape, name=f"{name}_{k}", reset_less=True, attrs=attributes) for k in numbers]

        addresses = copies("address", memory.read_address[0].shape())
        address = self.address(m, "row")
        m.d[self._domain] += [copy.eq(address) for copy in addresses]
        # What is written in this clock was learned, or will be in the next one.
        writes = self.learns_next | pipe.does(Work.STORE, "X+1")
        # The address of a write stays until the next one: a word that waits for the other of its pair needs it.
        written = copies("written", addresses[0].shape())
        write_enables = [Signal(name=f"write_enable_{k}", attrs=attributes) for k in range(memory.copies)]
        clocks = plan.stages["X"] + 1 - plan.stages["A"]
        read_before = delayed(m, addresses[0], clocks, "address", cleared=False)
        plan.rows.address(m, self, written, read_before, writes)
        m.d.sync += [copy.eq(writes) for copy in write_enables]
        reads: list[Value] = []
        second_reads: list[Value] = []
        for number in range(memory.copies):
            branch = pipe.branch("A-1", f"of_copy_{number}", attributes)
            wanted = branch.does(Work.ROW, "A") | branch.does(Work.LOAD, "A")
            reads.append(wanted | plan.rule.reads(plan, branch))
            second_reads += plan.rows.second_reads(branch)
        m.d.comb += [
            Cat(*memory.read_address).eq(Cat(*addresses)),
            memory.read_enable.eq(Cat(*reads)),
            Cat(*memory.write_address).eq(Cat(*written)),
            memory.write_enable.eq(Cat(*write_enables)),
            self.word_o.eq(memory.read_data),
            self.loaded.eq(pipe.does(Work.LOAD, plan.rows.loaded)),
            self.stored.eq(pipe.does(Work.STORE, "X+2")),
            self.collision.eq(memory.collision),
        ]
        if second_reads:
            m.d.comb += memory.second_enable.eq(Cat(*second_reads))

    @property
    def _domain(self) -> str:
        """That of the registers of addresses: with short pipelines there are none where a row is no power of two."""
        stride = self.plan.stride
        return "comb" if self.plan.short and stride & (stride - 1) else "sync"

    def address(self, m: Module, row: str) -> Value:
        """Form the address of the weight word of a row of the slot, to be registered for stage A."""
        plan, pipe, stride = self.plan, self.pipe, self.plan.stride
        of = "" if row == "row" else f"_of_{row}"
        address = Signal.like(self.memory.read_address[0], name=f"address{of}")
        if stride & (stride - 1) == 0:
            m.d.comb += address.eq(Cat(self.slot.word[: (stride - 1).bit_length()], self.slot[row]))
        elif plan.short:
            m.d.comb += address.eq(product(pipe.field(row, 1), stride) + pipe[1].word)
        else:
            start = Signal.like(address, name=f"start{of}")
            m.d.sync += start.eq(product(pipe.field(row, 1), stride))
            m.d.comb += address.eq(start + pipe[2].word)
        return address

    # --- lanes ---------------------------------------------------------------------------------------

    def _group(self, m: Module) -> None:
        """Make the groups of lanes, and hand each its part of every word."""
        plan = self.plan
        chosen = Signal(plan.lanes)
        place = self._label_lane(m) if plan.margin else plan.rule.chosen(m, self)
        if place is not None:
            m.d.sync += chosen.eq(Cat(*[place == lane for lane in range(plan.lanes)]))
        unit = 0
        for index, group in enumerate(self.groups):
            lanes = slice(group.place.first, group.place.first + group.lanes)

            def part(word: Value, lanes: slice = lanes) -> Value:
                width = len(word) // plan.lanes
                return word[lanes.start * width : lanes.stop * width]

            width = max(plan.feedback_width, 1)
            m.submodules[f"lanes_{index}"] = group
            m.d.comb += [
                group.slot.eq(self.slot),
                group.issue.eq(self.issue),
                group.learn.eq(self.begin.learn),
                group.weights.eq(part(self.memory.read_data)),
                group.feedback.eq(self.feedback_data[unit * width : (unit + group.units) * width]),
                group.noise.eq(part(self.random.noise)),
                group.kept.eq(part(self.random.kept)),
                group.silent.eq(part(self.random.silent)),
                group.chosen.eq(part(chosen)),
                group.stored.eq(part(self.word_i)),
                part(self.memory.write_data).eq(group.new_weights),
            ]
            plan.rows.connect(m, group, part, self.memory)
            unit += group.units

    def _label_lane(self, m: Module) -> Value:
        """Return the lane of the label in the word in stage X-1, compared one clock ahead."""
        place = Signal(range(-self.plan.n_neurons, 1 << LABEL_WIDTH))
        m.d.sync += place.eq(self.begin.label - self.base(m, "X-2"))
        return place

    def all(self, name: str) -> Value:
        """Return what all groups say, their lanes one after the other."""
        return Cat(*[getattr(group, name) for group in self.groups])

    @property
    def swept(self) -> Value:
        """States, spikes and plasticity words of what was swept, lowest unit first, while :attr:`sweeps`."""
        return Cat(self.all("neurons_o"), self.all("spikes_o"), self.all("words_o"))

    @property
    def sweeps(self) -> Value:
        """A part of a word has been swept."""
        return self.groups[0].valid_o

    # --- tick sweep ----------------------------------------------------------------------------------

    def _sweep(self, m: Module) -> None:
        plan, pipe, out = self.plan, self.pipe, self.sweep_o.payload
        slot, token = pipe["X"], pipe.does(Work.TOKEN, "E")
        swept = self.sweeps & pipe["E"].done
        address = pipe[plan.feedback_lead] if plan.has_feedback else None
        if address is not None:
            m.d.comb += self.feedback_address.eq(address.place if plan.parts > 1 else address.word)
        m.d.comb += [
            self.feedback_used.eq(pipe.does(Work.SWEEP, "X") & slot.last & slot.done & slot.feedback),
            self.sweep_o.valid.eq(swept | token),
            out.kind.eq(Mux(swept, Kind.SPIKE, pipe["E"].kind)),
            out.data.eq(Mux(swept, self.base(m, "E"), self.begin_piece)),
            self.begin_left.eq(token & (pipe["E"].kind == Kind.BEGIN)),
            out.spikes.eq(Mux(swept, self.all("swept_spikes"), 0)),
        ]
        if plan.is_read:
            membranes = self.all("swept_membranes")
            m.d.comb += [v.eq(membranes.word_select(lane, STATE_WIDTH)) for lane, v in enumerate(out.v)]

    # --- learning ------------------------------------------------------------------------------------

    def learns(self, m: Module, learns: Value, counted: str) -> None:
        """Write what is learned of the word in stage X-1, count its row with its `counted` word, and its changes."""
        slot = self.pipe["X"]
        learns = delayed(m, learns, 1, "learns")
        m.d.comb += self.rows_learned.eq(self.plan.rows.count(slot, learns & getattr(slot, counted)))
        # Of a row of which no weight changes none is written, where that is known.
        m.d.sync += [
            self.learns_next.eq(self.plan.rows.writes(learns, slot)),
            self.learned.eq(self.learns_next),
        ]
        changes = self.plan.rows.changes(m, [group.changes for group in self.groups])
        m.d.sync += self.weights_changed.eq(total_of(changes))
