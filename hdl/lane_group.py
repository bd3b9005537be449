# SPDX-License-Identifier: BSD-2-Clause
"""Some lanes of a layer: read-add-learn-write, and the neuron units that serve them."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fixed import delayed, extended, saturated_sum
from erbium.hdl.neuron_unit import NOISE_WIDTH, PORT_WIDTH, NeuronUnit
from erbium.hdl.pipe import Pipe
from erbium.hdl.plan import Group, LayerPlan
from erbium.hdl.slot import Work
from erbium.hdl.tokens import STATE_WIDTH
from erbium.hdl.word_file import WordFile
from erbium.sw_model.programs import STATE_MAX

TRANSMITTED_WIDTH = 8


class LaneGroup(wiring.Component):
    """Does its lanes' part of one slot of work per clock.

    Stages as in :class:`erbium.hdl.plan.LayerPlan`.
    Each group carries its own copies of the control signals from stage to stage, so none of them has to reach more
    than sixteen lanes in a clock.

    Parameters
    ----------
    plan : LayerPlan
    place : Group
        Which lanes.

    Members
    -------
    slot : In(Slot), issue : In(1)
        Work of this clock.
    learn : In(1)
        The sample is learned, one clock before it matters.
    weights : In, noise : In, kept : In(lanes), silent : In(lanes), chosen : In(lanes)
        In stage X: the word of weights, noise; synapses that are not blanked out; neurons that neither spike
        nor learn; the neuron of a ``TEACH`` or ``WORD``.
    second_weights : In
        Where two rows may go together: the word of the second one. Then `weights` and this come in stage X-1.
    feedback : In
        In stage X: port 1 of the neurons that the units take.
    random : In, any_word : In(1)
        eRBP: random number of the row, in stage X; a plasticity word of the layer differs from 0, in stage X-1.
    stored : In
        Word of the host, in stage X + 1 of a ``STORE``.
    new_weights : Out
        In stage X + 2 of a row that learns or of a ``STORE``: what is to be written.
    changes : Out
        In stage X + 3: how many weights of the word have changed.
    valid_o, neurons_o, spikes_o, words_o : Out
        Of the :class:`NeuronUnit`, in stage E of a sweep; the membranes of resting neurons as they are kept
        (:mod:`erbium.hdl.kept_state`).
    swept_spikes, swept_membranes : Out
        Spikes and, in the last layer, membranes of all lanes, in stage E of the last part of a word.
    words_any : Out
        One clock later: the plasticity words of the units that differ from 0.
    later, earlier, causal, negative : Out(lanes)
        In stage X of a first-spike layer: plasticity words, neurons that had not spiked before the row did, signs of
        the weights.

    Notes
    -----
    One word of synapses, or one part of a word of neurons, per clock; never stalls.
    """

    def __init__(self, plan: LayerPlan, place: Group) -> None:
        self.plan, self.place = plan, place
        self.lanes, self.units, self.copies = place.lanes, place.units, plan.copies
        self.short, layer = plan.short, plan.population
        port_width = max(plan.feedback_width, 1)
        widths = [PORT_WIDTH] + [port_width] * (plan.program.n_ports - 1)
        rule = plan.rule.swept_rule()
        self.neurons = NeuronUnit(plan.program, rule, self.units, widths, short=plan.short)
        lanes, weights = self.lanes, self.lanes * layer.weight_width
        super().__init__(
            plan.rule.group_ports(plan)
            | {
                "slot": In(plan.slot),
                "issue": In(1),
                "learn": In(1),
                "weights": In(weights),
                **plan.rows.group_ports(weights),
                "feedback": In(self.units * port_width),
                "noise": In(NOISE_WIDTH * lanes),
                "kept": In(lanes),
                "silent": In(lanes),
                "chosen": In(lanes),
                "stored": In(weights),
                "new_weights": Out(weights),
                "changes": Out(range(lanes + 1)),
                "valid_o": Out(1),
                "neurons_o": Out(data.ArrayLayout(self.neurons.layout, self.units)),
                "spikes_o": Out(self.units),
                "words_o": Out(self.units * self.neurons.word_width),
                "words_any": Out(self.units),
                "swept_spikes": Out(lanes),
                "swept_membranes": Out(lanes * STATE_WIDTH if plan.is_read else 0),
                "later": Out(lanes),
                "earlier": Out(lanes),
                "causal": Out(lanes),
                "negative": Out(lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        self.pipe = Pipe(m, plan.stages, self.slot, self.issue, fixed=plan.fixed, attrs=self.copies)
        # Where two rows may go together the weights are in registers in stage X, and the sum of each two.
        self._weights: Value = self.weights
        self._pushes = plan.rows.pushes(m, self)
        self._accumulate(m)
        self._sweep(m)
        plan.rule.lanes(m, self)
        self.pipe.close()
        return m

    # --- files ---------------------------------------------------------------------------------------

    def file(self, m: Module, name: str, lane_width: int, *works: Work, lanes: int | None = None) -> WordFile:
        """Make a file with a value for each of some lanes, read for some kinds of work, data there in stage X."""
        width = (self.lanes if lanes is None else lanes) * lane_width
        file = WordFile(self.plan.words, width, registered=not self.short)
        m.submodules[name] = file
        self._read(m, file, self.plan.stages["X"] - file.read_latency, "word", works)
        return file

    def _read(self, m: Module, file: WordFile, stage: int, address: str, works: tuple[Work, ...]) -> None:
        enable: Value = Const(0)
        for work in works:
            enable = enable | self.pipe.does(work, stage)
        m.d.comb += [file.read_address.eq(self.pipe.field(address, stage)), file.read_enable.eq(enable)]

    def write(
        self, m: Module, file: WordFile, stage: str, enable: Value, value: Value, address: str = "word"
    ) -> None:
        """Write a file in a stage, or one clock later where the file allows the time."""
        number = self.pipe.number(stage) + file.write_delay
        if file.write_delay:
            held = Signal(value.shape(), name="write_data", reset_less=True)
            with m.If(enable):
                m.d.sync += held.eq(value)
            enable, value = delayed(m, enable, 1, "write_enable"), held
        m.d.comb += [
            file.write_enable.eq(enable),
            file.write_address.eq(self.pipe.field(address, number)),
            file.write_data.eq(value),
        ]

    def banks(self, m: Module, name: str, width: int, value: Value, *works: Work) -> list[Value]:
        """Keep a value per neuron that a sweep writes part by part, in stage E, and that rows read word by word.

        Returns
        -------
        list of Value
            That of each lane, in stage X.
        """
        read = []
        for part in range(self.plan.parts):
            lanes = self.place.part(part)
            if not (count := lanes.stop - lanes.start):
                continue
            file = self.file(m, f"{name}_{part}" if self.plan.parts > 1 else name, width, *works, lanes=count)
            enable = self.neurons.valid_o & (self.pipe["E"].part == part)
            self.write(m, file, "E", enable, value[: count * width])
            read += [file.read_data.word_select(lane, width) for lane in range(count)]
        return read

    def part_of(self, m: Module, name: str, value: Value, width: int, spare: int = 0) -> Value:
        """Return what a value of all lanes, there in stage X of a sweep, is for the lanes of its part in stage S.

        A unit that has no lane in a part gets bits that are all `spare`.
        """
        if self.plan.parts == 1:
            return value
        selected = Signal(self.units * width, name=name, reset_less=True)
        with m.If(self.pipe.does(Work.SWEEP, "X")), m.Switch(self.pipe["X"].part):
            for part in range(self.plan.parts):
                lanes = self.place.part(part)
                with m.Case(part):
                    here = value[lanes.start * width : lanes.stop * width]
                    m.d.sync += selected.eq(Cat(here, Const(spare, 1).replicate(len(selected) - len(here))))
        return selected

    # --- row pass ------------------------------------------------------------------------------------

    def weight(self, lane: int) -> Value:
        """Return the weight of a lane in stage X."""
        return self._weights.word_select(lane, self.plan.population.weight_width).as_signed()

    def hold_weights(self, m: Module) -> Value:
        """Take the weights through a register from stage X-1 to stage X; return them as they are before it."""
        self._weights = Signal.like(self.weights, name="held_weights", reset_less=True)
        m.d.sync += self._weights.eq(self.weights)
        return self.weights

    def transmitted(self, weight: Value) -> Value:
        """Return what a weight adds to port 0, of :data:`TRANSMITTED_WIDTH` bits."""
        excess = self.plan.population.weight_width - TRANSMITTED_WIDTH
        return weight.shift_right(excess) if excess >= 0 else weight.shift_left(-excess)

    def if_kept(self, lane: int, value: Value) -> Value:
        """Return a value, or 0 for a synapse that is blanked out."""
        return Mux(self.kept[lane], value, 0) if self.plan.population.synapse_keep < 256 else value

    def _accumulate(self, m: Module) -> None:
        pipe, margin = self.pipe, self.plan.margin
        file = self.file(m, "port0", PORT_WIDTH, Work.ROW, Work.TEACH, Work.SWEEP)
        # The first row of a tick, or a sweep before which there was none, takes the old sums as 0.
        m.d.comb += file.read_clear.eq(pipe[self.plan.stages["X"] - file.read_latency].fresh)
        self.port0: Value = file.read_data
        teach = Signal()
        m.d.sync += teach.eq(pipe.does(Work.TEACH, "X-1"))
        sums = []
        for lane in range(self.lanes):
            old = file.read_data.word_select(lane, PORT_WIDTH).as_signed()
            if self._pushes:
                push = self._pushes[lane]
            else:
                push = self.if_kept(lane, self.transmitted(self.weight(lane)))
            if margin:
                push = Mux(teach, Mux(self.chosen[lane], -margin, 0), push)
            sums.append(saturated_sum(old, extended(push, PORT_WIDTH)))
        adds = Signal(attrs=self.copies)
        m.d.sync += adds.eq(pipe.does(Work.ROW, "X-1") | pipe.does(Work.TEACH, "X-1"))
        self.write(m, file, "X", adds, Cat(*sums))

    # --- tick sweep ----------------------------------------------------------------------------------

    def _sweep(self, m: Module) -> None:
        plan, pipe, unit = self.plan, self.pipe, self.neurons
        m.submodules.neurons = unit
        sums = self.part_of(m, "sums", self.port0, PORT_WIDTH)
        # If port 0 is the state, no input comes but in the first tick.
        ports = [sums if plan.summed is None else Mux(pipe["S"].begin, sums, 0)]
        if plan.program.n_ports == 2:
            feedback = (
                self.feedback if plan.parts == 1 else delayed(m, self.feedback, 1, "port1", cleared=False)
            )
            ports.append(Mux(pipe["S"].feedback, feedback, 0))
        self._states(m, sums)
        sweeps, learn = Signal(attrs=self.copies), Signal(reset_less=True, attrs=self.copies)
        m.d.sync += [sweeps.eq(pipe.does(Work.SWEEP, "S-1")), learn.eq(self.learn)]
        m.d.comb += [
            unit.valid.eq(sweeps),
            unit.begin.eq(pipe["S"].begin),
            unit.ports.eq(Cat(*ports)),
            unit.noise.eq(self.part_of(m, "noise_of_part", self.noise, NOISE_WIDTH)),
            unit.dither.eq(pipe["S"].tick),
            unit.silent.eq(self.part_of(m, "silent_of_part", self.silent, 1, spare=1)),
            unit.learn.eq(learn),
            self.valid_o.eq(unit.valid_o),
            self.spikes_o.eq(unit.spikes_o),
            self.words_o.eq(unit.words_o),
            self.swept_spikes.eq(self._whole(m, "spikes", unit.spikes_o, 1)),
        ]
        if plan.is_read:
            membranes = Cat(*[extended(neuron.x0, STATE_WIDTH) for neuron in self.neurons_o])
            m.d.comb += self.swept_membranes.eq(self._whole(m, "membranes", membranes, STATE_WIDTH))

    def _states(self, m: Module, sums: Value) -> None:
        """Keep the states of the neurons, one part of a word after the other."""
        plan, unit = self.plan, self.neurons
        stored, width = plan.stored, plan.state_width
        m.submodules.states = file = WordFile(plan.places, self.units * width, registered=not self.short)
        address = "place" if plan.parts > 1 else "word"
        self._read(m, file, plan.stages["S"] - file.read_latency, address, (Work.SWEEP,))
        after = []
        for lane in range(self.units):
            neuron, shown = unit.neurons[lane], self.neurons_o[lane]
            m.d.comb += [
                Cat(*[neuron[name] for name in stored]).eq(file.read_data.word_select(lane, width)),
                shown.eq(unit.neurons_o[lane]),
            ]
            if plan.rest_told_by == "membrane":
                rest = Mux(neuron.x0 == STATE_MAX, plan.program.refractory, 0)
                m.d.comb += neuron.refractory.eq(rest)
                with m.If(unit.neurons_o[lane].refractory.any()):
                    m.d.comb += shown.x0.eq(STATE_MAX)
            after += [shown[name] for name in stored]
            if plan.summed is not None:
                m.d.comb += neuron[f"x{plan.summed}"].eq(sums.word_select(lane, PORT_WIDTH))
        self.write(m, file, "E", unit.valid_o, Cat(*after), address)

    def _whole(self, m: Module, name: str, value: Value, width: int) -> Value:
        """Return what the units say of all lanes of a word, in stage E of its last part."""
        last = self.plan.parts - 1
        held = []
        for part in range(last):
            lanes = self.place.part(part)
            register = Signal((lanes.stop - lanes.start) * width, name=f"{name}_{part}", reset_less=True)
            with m.If(self.neurons.valid_o & (self.pipe["E"].part == part)):
                m.d.sync += register.eq(value)
            held.append(register)
        lanes = self.place.part(last)
        return Cat(*held, value[: (lanes.stop - lanes.start) * width])
