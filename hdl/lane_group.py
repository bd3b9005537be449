# SPDX-License-Identifier: BSD-2-Clause
"""Some lanes of a layer: read-add-learn-write, and the neuron unit behind them."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fixed import clamped, delayed, extended, saturated_sum, total_of
from erbium.hdl.kept_state import keeps_spike_ticks, rest_told_by, summed_state
from erbium.hdl.neuron_unit import NOISE_WIDTH, PORT_WIDTH, NeuronUnit, signed_width
from erbium.hdl.slot import Work, operand_stage, tick_width
from erbium.hdl.word_file import WordFile
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import STATE_MAX
from erbium.sw_model.rules import FirstSpikeRule

TRANSMITTED_WIDTH = 8

GROUP_LANES = 16
"""Lanes of a group: few enough that the copies of the control signals reach them in time on a large FPGA."""

COPY_ATTRIBUTE = "lane_copy"
COPY = {COPY_ATTRIBUTE: 1}
"""Attribute of registers that are alike in all groups, and that a synthesis must not make one of."""


def lane_groups(lanes: int) -> list[int]:
    """Return the lanes of each group of a layer, as even as they can be."""
    count = -(-lanes // GROUP_LANES)
    return [(lanes + index) // count for index in range(count)]


def copies_of(lanes: int) -> dict[str, int]:
    """Return the attributes of a register that each group of a layer's lanes has of its own."""
    return COPY if lanes > GROUP_LANES else {}


class Order(data.StructLayout):
    """What a group has to know of a slot of work; see :class:`erbium.hdl.slot.Slot`."""

    def __init__(self, words: int, tick_width: int) -> None:
        super().__init__(
            {
                "work": Work,
                "word": range(max(words, 2)),
                "fresh": 1,
                "armed": 1,
                "begin": 1,
                "feedback": 1,
                "later": 1,
                "tick": tick_width,
            }
        )


class LaneGroup(wiring.Component):
    """Does its lanes' part of one slot of work per clock.

    Stages as in :class:`erbium.hdl.layer_pipeline.LayerPipeline`.
    Each group carries its own copies of the control signals from stage to stage, so none of them has to reach more
    than sixteen lanes in a clock.

    Parameters
    ----------
    network : Network
    number : int
        0-based layer.
    hardware : Hardware
    lanes : int
        Lanes of the group.
    feedback_width : int
        Bits of port 1; 0 without feedback.

    Members
    -------
    order : In(Order), issue : In(1)
        Work of this clock.
    learn : In(1), any_word : In(1)
        The sample is learned, one clock before it matters; a plasticity word of the layer differs from 0 (eRBP).
    weights : In, feedback : In, noise : In, kept : In(lanes), silent : In(lanes), chosen : In(lanes)
        In stage X: the word of weights, port 1, noise; synapses that are not blanked out; neurons that neither spike
        nor learn; the neuron of a ``TEACH`` or ``WORD``.
    random : In
        In stage X: random number of the row (eRBP).
    stored : In
        Word of the host, in stage X + 1 of a ``STORE``.
    new_weights : Out
        In stage X + 2 of a row that learns or of a ``STORE``: what is to be written.
    changes : Out
        In stage X + 3: how many weights of the word have changed.
    valid_o, neurons_o, spikes_o, words_o : Out
        Of the :class:`NeuronUnit`, in stage E of a sweep; the membranes of resting neurons as they are kept
        (:mod:`erbium.hdl.kept_state`).
    words_any : Out(lanes)
        One clock later: the plasticity words that differ from 0.
    later, earlier, causal, negative : Out(lanes)
        In stage X of a first-spike layer: plasticity words, neurons that had not spiked before the row did, signs of
        the weights.

    Notes
    -----
    One word per clock, never stalls.
    """

    def __init__(
        self,
        network: Network,
        number: int,
        hardware: Hardware,
        lanes: int,
        feedback_width: int,
    ) -> None:
        self.layer = layer = network.layers[number]
        self.lanes, self.words = lanes, hardware.words_of(network, number)
        self.short = hardware.short_pipelines
        self.copies = copies_of(hardware.lanes_of(network, number))
        self.margin = network.margin
        self.is_last = number == len(network.layers) - 1
        self.first_spike = network.is_first_spike
        self.n_ticks, self.tick_width = network.n_ticks, tick_width(network)
        self.timed = keeps_spike_ticks(network, number)
        widths = [PORT_WIDTH] + [max(feedback_width, 1)] * (layer.program.n_ports - 1)
        self.neurons = NeuronUnit(layer.program, layer.rule, lanes, widths, short=self.short)
        self.stage_x = operand_stage(network, number, hardware)
        self.stage_e = self.stage_x + self.neurons.latency
        self.summed, self.rest_told_by = summed_state(network, number), rest_told_by(network, number)
        # What is not stored, for it can be told.
        self.derived = {f"x{self.summed}"} if self.summed is not None else set()
        if self.rest_told_by != "counter":
            self.derived.add("refractory")
        self.random_width = max(layer.rounding_shift, 0)
        weights = lanes * layer.weight_width
        super().__init__(
            {
                "order": In(Order(self.words, self.tick_width)),
                "issue": In(1),
                "learn": In(1),
                "any_word": In(1),
                "weights": In(weights),
                "feedback": In(lanes * max(feedback_width, 1)),
                "noise": In(NOISE_WIDTH * lanes),
                "kept": In(lanes),
                "silent": In(lanes),
                "chosen": In(lanes),
                "random": In(self.random_width),
                "stored": In(weights),
                "new_weights": Out(weights),
                "changes": Out(range(lanes + 1)),
                "valid_o": Out(1),
                "neurons_o": Out(data.ArrayLayout(self.neurons.layout, lanes)),
                "spikes_o": Out(lanes),
                "words_o": Out(lanes * self.neurons.word_width),
                "words_any": Out(lanes),
                "later": Out(lanes),
                "earlier": Out(lanes),
                "causal": Out(lanes),
                "negative": Out(lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._carry(m)
        self._accumulate(m)
        self._sweep(m)
        if self.first_spike:
            self._learn_behind(m)
        elif self.layer.rule is not None:
            self._learn(m)
        else:
            m.d.comb += self.new_weights.eq(self.stored)
        return m

    # --- orders --------------------------------------------------------------------------------------

    def _carry(self, m: Module) -> None:
        """Make the registers that carry an order from stage to stage."""
        self.orders, self.valid = [self.order], [self.issue]
        for stage in range(1, self.stage_e + 2):
            order = Signal(self.order.shape(), name=f"order_{stage}", reset_less=True, attrs=self.copies)
            valid = Signal(name=f"valid_{stage}", attrs=self.copies)
            m.d.sync += [order.eq(self.orders[-1]), valid.eq(self.valid[-1])]
            self.orders.append(order)
            self.valid.append(valid)

    def _does(self, work: Work, stage: int) -> Value:
        """Return whether the order in a stage says this work."""
        return self.valid[stage] & (self.orders[stage].work == work)

    def _file(self, m: Module, name: str, lane_width: int, *works: Work) -> WordFile:
        """Make a file with one value per neuron, read for some kinds of work, data there in stage X."""
        file = WordFile(self.words, self.lanes * lane_width, registered=not self.short)
        m.submodules[name] = file
        stage = self.stage_x - file.read_latency
        enable: Value = Const(0)
        for work in works:
            enable = enable | self._does(work, stage)
        m.d.comb += [file.read_address.eq(self.orders[stage].word), file.read_enable.eq(enable)]
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
            file.write_address.eq(self.orders[stage + file.write_delay].word),
            file.write_data.eq(value),
        ]

    # --- row pass ------------------------------------------------------------------------------------

    def _weight(self, lane: int) -> Value:
        return self.weights.word_select(lane, self.layer.weight_width).as_signed()

    def _transmitted(self, weight: Value) -> Value:
        excess = self.layer.weight_width - TRANSMITTED_WIDTH
        return weight.shift_right(excess) if excess >= 0 else weight.shift_left(-excess)

    def _if_kept(self, lane: int, value: Value) -> Value:
        """Return a value, or 0 for a synapse that is blanked out."""
        return Mux(self.kept[lane], value, 0) if self.layer.synapse_keep < 256 else value

    def _accumulate(self, m: Module) -> None:
        x = self.stage_x
        file = self._file(m, "port0", PORT_WIDTH, Work.ROW, Work.TEACH, Work.SWEEP)
        fresh = self.orders[x].fresh
        teach = Signal()
        m.d.sync += teach.eq(self._does(Work.TEACH, x - 1))
        # With a bias row, a sweep comes after the first row of its tick and may take the sums as they are.
        self.port0: Value = file.read_data
        if self.first_spike:
            self.port0 = Signal(len(file.read_data), name="port0_value")
            m.d.comb += self.port0.eq(Mux(fresh, 0, file.read_data))
        sums = []
        for lane in range(self.lanes):
            old = Mux(fresh, 0, file.read_data.word_select(lane, PORT_WIDTH)).as_signed()
            push = self._if_kept(lane, self._transmitted(self._weight(lane)))
            if self.is_last and not self.first_spike:
                push = Mux(teach, Mux(self.chosen[lane], -self.margin, 0), push)
            sums.append(saturated_sum(old, extended(push, PORT_WIDTH)))
        adds = Signal(attrs=self.copies)
        m.d.sync += adds.eq(self._does(Work.ROW, x - 1) | self._does(Work.TEACH, x - 1))
        self._write(m, file, x, adds, Cat(*sums))

    # --- tick sweep ----------------------------------------------------------------------------------

    def _sweep(self, m: Module) -> None:
        x, unit = self.stage_x, self.neurons
        ports: list[Value] = [self.port0]
        if self.layer.program.n_ports == 2:
            ports.append(Mux(self.orders[x].feedback, self.feedback, 0))
        if self.summed is not None:
            # In the first tick the sum comes by the port; then it is the state, and no input comes.
            ports[0] = Mux(self.orders[x].begin, self.port0, 0)
        m.submodules.neurons = unit
        stored = [name for name, _ in unit.layout if name not in self.derived]
        width = sum(unit.layout[name].width for name in stored)
        states = self._file(m, "states", width, Work.SWEEP)
        after = []
        for lane in range(self.lanes):
            neuron, shown = unit.neurons[lane], self.neurons_o[lane]
            m.d.comb += [
                Cat(*[neuron[name] for name in stored]).eq(states.read_data.word_select(lane, width)),
                shown.eq(unit.neurons_o[lane]),
            ]
            if self.rest_told_by == "membrane":
                rest = Mux(neuron.x0 == STATE_MAX, self.layer.program.refractory, 0)
                m.d.comb += neuron.refractory.eq(rest)
                with m.If(unit.neurons_o[lane].refractory.any()):
                    m.d.comb += shown.x0.eq(STATE_MAX)
            after += [shown[name] for name in stored]
            if self.summed is not None:
                sums = self.port0.word_select(lane, PORT_WIDTH)
                m.d.comb += neuron[f"x{self.summed}"].eq(sums)
        sweeps, learn = Signal(attrs=self.copies), Signal(reset_less=True, attrs=self.copies)
        m.d.sync += [sweeps.eq(self._does(Work.SWEEP, x - 1)), learn.eq(self.learn)]
        m.d.comb += [
            unit.valid.eq(sweeps),
            unit.begin.eq(self.orders[x].begin),
            unit.ports.eq(Cat(*ports)),
            unit.noise.eq(self.noise),
            unit.dither.eq(self.orders[x].tick),
            unit.silent.eq(self.silent),
            unit.learn.eq(learn),
            self.valid_o.eq(unit.valid_o),
            self.spikes_o.eq(unit.spikes_o),
            self.words_o.eq(unit.words_o),
        ]
        self._write(m, states, self.stage_e, unit.valid_o, Cat(*after))

    # --- learning ------------------------------------------------------------------------------------

    def _learn(self, m: Module) -> None:
        """Change the weights by the plasticity words, stochastically rounded."""
        x, width = self.stage_x, self.neurons.word_width
        words = self._file(m, "plasticity", width, Work.ROW)
        self._write(m, words, self.stage_e, self.neurons.valid_o, self.neurons.words_o)
        words_any = Signal(self.lanes, reset_less=True)
        m.d.comb += self.words_any.eq(words_any)
        with m.If(self.neurons.valid_o):
            for lane in range(self.lanes):
                m.d.sync += words_any[lane].eq(self.neurons.words_o.word_select(lane, width).any())
        learns = Signal(attrs=self.copies)
        m.d.sync += learns.eq(self._does(Work.ROW, x - 1) & self.orders[x - 1].armed & self.any_word)
        shift = self.layer.rounding_shift
        word_min, word_max = -(1 << (width - 1)), (1 << (width - 1)) - 1
        delta_width = signed_width(word_min >> shift, (word_max + (1 << shift) - 1) >> shift)
        deltas = []
        for lane in range(self.lanes):
            word = words.read_data.word_select(lane, width).as_signed()
            deltas.append(self._if_kept(lane, (word + self.random)[shift:].as_signed()))
        self._change(m, learns, deltas, delta_width)

    def _change(self, m: Module, learns: Value, deltas: list[Value], delta_width: int) -> None:
        """Take the deltas, there in stage X while `learns`, from the weights of the word, and count the changes."""
        layer = self.layer
        stages = [learns]
        for stage in ("x1", "x2"):
            copy = Signal(name=f"learns_{stage}", attrs=self.copies)
            m.d.sync += copy.eq(stages[-1])
            stages.append(copy)
        changes = []
        words = Signal(len(self.new_weights), name="new", reset_less=True)
        m.d.comb += self.new_weights.eq(words)
        for lane, lane_delta in enumerate(deltas):
            weight = Signal(Shape(layer.weight_width, signed=True), name=f"weight_{lane}", reset_less=True)
            delta = Signal(Shape(delta_width, signed=True), name=f"delta_{lane}", reset_less=True)
            new = words.word_select(lane, layer.weight_width)
            step = Signal(Shape(delta_width, signed=True), name=f"step_{lane}", reset_less=True)
            with m.If(stages[0]):
                m.d.sync += [weight.eq(self._weight(lane)), delta.eq(lane_delta)]
            at_bound = Mux(delta < 0, weight == layer.weight_max, weight == layer.weight_min)
            free = Mux(at_bound, 0, delta)
            # Steps larger than 1 can overshoot a bound; steps of 1 only start from it.
            stepped = weight - free
            if delta_width > 2:
                stepped = clamped(weight - delta, layer.weight_min, layer.weight_max)
            with m.If(stages[1]):
                m.d.sync += [new.eq(stepped), step.eq(free)]
            changes.append(step.any())
        # A word of the host goes the same way, so that a register is all that lies before the memory.
        with m.If(self._does(Work.STORE, self.stage_x + 1)):
            m.d.sync += words.eq(self.stored)
        m.d.sync += self.changes.eq(Mux(stages[2], total_of(changes), 0))

    # --- learning behind the sample ------------------------------------------------------------------

    def _learn_behind(self, m: Module) -> None:
        """Set plasticity words, and change the weights of replayed rows by them."""
        x, lanes, rule = self.stage_x, self.lanes, self.layer.rule
        assert isinstance(rule, FirstSpikeRule)
        # Two bits per neuron: it is to spike later, it is to spike earlier. The first sweep of a sample clears them.
        file = self._file(m, "plasticity", 2, Work.WORD, Work.LEARN)
        order, bits = self.orders[x], []
        for lane in range(lanes):
            old = file.read_data.word_select(lane, 2)
            bits.append(Mux(self.chosen[lane], Cat(order.later, ~order.later), old))
        sets, clears = self._does(Work.WORD, x), self._does(Work.SWEEP, x) & order.begin
        self._write(m, file, x, sets | clears, Mux(clears, 0, Cat(*bits)))
        m.d.comb += [
            self.later.eq(Cat(*[file.read_data[2 * lane] for lane in range(lanes)])),
            self.earlier.eq(Cat(*[file.read_data[2 * lane + 1] for lane in range(lanes)])),
            self.negative.eq(Cat(*[self._weight(lane)[-1] for lane in range(lanes)])),
            self.causal.eq(self._spike_ticks(m) if self.timed else Const(-1, lanes)),
        ]
        deltas = [
            Mux(
                self.causal[lane], Mux(self.later[lane], rule.step, Mux(self.earlier[lane], -rule.step, 0)), 0
            )
            for lane in range(lanes)
        ]
        learns = Signal(attrs=self.copies)
        m.d.sync += learns.eq(self._does(Work.LEARN, x - 1) & self.orders[x - 1].armed)
        self._change(m, learns, deltas, signed_width(-rule.step, rule.step))

    def _spike_ticks(self, m: Module) -> Value:
        """Keep the spike tick of each neuron; return which had not spiked before the row in stage X did."""
        x, width, end = self.stage_x, self.tick_width, self.stage_e
        file = self._file(m, "spike_ticks", width, Work.ROW, Work.SWEEP, Work.LEARN)
        order, unit, never = self.orders[x], self.neurons, Const(self.n_ticks, width)
        resting = Const(self.layer.program.refractory)
        kept, ticks, causal = delayed(m, file.read_data, end - x, "kept_ticks", cleared=False), [], []
        for lane in range(self.lanes):
            tick = file.read_data.word_select(lane, width)
            if self.rest_told_by == "spike tick":
                m.d.comb += unit.neurons[lane].refractory.eq(Mux(tick == never, 0, resting))
            old = Mux(self.orders[end].begin, never, kept.word_select(lane, width))
            ticks.append(Mux(unit.spikes_o[lane], self.orders[end].tick, old))
            causal.append(order.tick <= tick)
        self._write(m, file, end, unit.valid_o, Cat(*ticks))
        # In the first tick the file still holds the last sample's ticks, but tick 0 comes before none of them.
        return Cat(*causal)
