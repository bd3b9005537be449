# SPDX-License-Identifier: BSD-2-Clause
"""Port 1 of a layer: error spikes spread over the population by fixed random weights."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.feedback_gate import FeedbackGate
from erbium.hdl.fixed import delayed, product
from erbium.hdl.plan import LayerPlan
from erbium.hdl.tokens import FeedbackToken
from erbium.hdl.word_file import WordFile, WordRom

ROM_BITS = {"sign": 1, "wide": 3, "direct": 1}


class FeedbackPort(wiring.Component):
    """Sums the error spikes of one tick for each neuron: ``u1_i = gain * sum over c of e_c * G_ic``.

    Walks one place of a sweep per clock for each error spike: a word of neurons, or a part of one. The feedback
    weights are a ROM of one bit per synapse (three for the range -3 ... 3); the products are the gain, twice and three
    times the gain, with a sign.

    Parameters
    ----------
    plan : LayerPlan

    Members
    -------
    feedback_i : In(stream of FeedbackToken)
    gain : In(8)
        Amplitude of one error spike; changed only while the array is idle.
    ready : Out(1)
        The tick's sums are complete as many clocks later as the plan says: the first place may be read then, and each
        of the others a clock after the one before it.
    read_address : In
        Place to read; `read_data` follows as many clocks later as the plan says.
    read_data : Out(units * width)
        Sums of the neurons that the units have at that place.
    release : In(1)
        The sum has been used.
    finish : In(1), draining : Out(1)
        As in :class:`erbium.hdl.feedback_gate.FeedbackGate`.

    Notes
    -----
    One error spike takes as many clocks as there are places, or 3, or 4 with block RAM, if that is more, hidden beside
    the row passes of the layer (``LayerPlan.feedback_period``). Latency from the last error spike to `ready`: one clock
    more, less those that a sweep takes to its first address here (``LayerPlan.feedback_lead``).
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.plan, self._kind = plan, plan.population.feedback
        super().__init__(
            {
                "feedback_i": In(stream.Signature(FeedbackToken(plan.population.feedback_addresses))),
                "gain": In(8),
                "ready": Out(1),
                "read_address": In(range(max(plan.places, 2))),
                "read_data": Out(plan.units * plan.feedback_width),
                "release": In(1),
                "finish": In(1),
                "draining": Out(1),
            }
        )

    def _rom(self) -> WordRom:
        """Return the feedback weights, all places for column 0, then for column 1, ..."""
        bits = ROM_BITS[self._kind]
        encode = {"sign": lambda g: int(g < 0), "wide": lambda g: int(g) & 7, "direct": int}[self._kind]
        places = [self.plan.neurons_at(place) for place in range(self.plan.places)]
        words = [
            sum(
                encode(column[neuron]) << bits * unit
                for unit, neuron in enumerate(neurons)
                if neuron is not None
            )
            for column in self.plan.population.feedback_weights.T
            for neurons in places
        ]
        return WordRom(words, bits * self.plan.units)

    def _amplitude(self, code: Value, gain: Value, negative: Value) -> Value:
        """Return ``+-gain * G`` for the code of one synapse."""
        if self._kind == "direct":
            value, minus = Mux(code, gain, 0), negative
        elif self._kind == "sign":
            value, minus = gain, negative ^ code
        else:
            magnitude = Mux(code[2], -code, code)[:2]
            value = Mux(magnitude[0], gain, 0) + Mux(magnitude[1], gain << 1, 0)
            minus = negative ^ code[2]
        return Mux(minus, -value, value)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, width = self.plan, self.plan.feedback_width
        m.submodules.gate = gate = FeedbackGate(plan.population.feedback_addresses)
        m.submodules.rom = rom = self._rom()
        wiring.connect(m, wiring.flipped(self.feedback_i), gate.feedback_i)

        # Each error spike walks all places, one per clock. The next one follows as soon as what it reads is written.
        walking, fresh, first = Signal(), Signal(init=1), Signal()
        word = Signal(range(max(plan.places, 2)))
        columns = plan.population.feedback_weights.shape[1]
        rom_address = Signal(range(max(plan.places * columns, 2)))
        is_negative = Signal()
        # Clocks until all places may be walked, and read, one after the other; what depends on them is kept beside it.
        left, busy, early = Signal(range(plan.feedback_period + 1)), Signal(), Signal()
        # Of a pair, the lowest bit says which one it is.
        pairs = plan.population.pairs
        start = product(gate.spike_o.payload[pairs:], plan.places)
        m.d.comb += gate.spike_o.ready.eq(~busy)
        with m.If(walking):
            m.d.sync += [word.eq(word + 1), rom_address.eq(rom_address + 1)]
            with m.If(word == plan.places - 1):
                m.d.sync += [walking.eq(0), word.eq(0)]
        with m.If(left != 0):
            m.d.sync += [left.eq(left - 1), busy.eq(left > 2), early.eq(left > plan.feedback_lead + 1)]
        with m.If(gate.spike_o.valid & gate.spike_o.ready):
            m.d.sync += [
                walking.eq(1),
                first.eq(fresh),
                fresh.eq(0),
                rom_address.eq(start),
                is_negative.eq(gate.spike_o.payload[0] if pairs else 0),
                left.eq(plan.feedback_period),
                busy.eq(1),
                early.eq(int(plan.feedback_period > plan.feedback_lead)),
            ]

        # Data of the files and of the ROM meet `meet` clocks after the address.
        meet = max(plan.feedback_latency, 2)
        m.d.comb += rom.address.eq(rom_address)
        code = delayed(m, rom.data, meet - 1, "code", cleared=False)
        address, clears = Signal.like(word), Signal()
        # Nothing has been added yet in this tick: what lies there is of the last one.
        # Of a single place the sum is there before the code, and is cleared when that comes.
        walks, clears_sum = (
            delayed(m, value, meet - plan.feedback_latency, name)
            for value, name in ((walking, "walks"), (first, "clears_sum"))
        )
        m.d.comb += [
            address.eq(Mux(walking, word, self.read_address)),
            clears.eq(Mux(walks, clears_sum, fresh)),
        ]
        active = delayed(m, walking, meet - 1, "active")
        negative = delayed(m, is_negative, meet - 1, "negative", cleared=False)
        at = delayed(m, word, meet - 1, "at", cleared=False)

        sums, start = [], 0
        for index, group in enumerate(plan.groups):

            def copy(signal: Signal, name: str, index: int = index) -> Signal:
                """Return a register of the group for what all its units wait for."""
                register = Signal.like(signal, name=f"{name}_of_{index}", reset_less=True, attrs=plan.copies)
                m.d.sync += register.eq(signal)
                return register

            bits, units = ROM_BITS[self._kind], group.units
            codes = code[start * bits : (start + units) * bits]
            start += units
            file = WordFile(plan.places, units * width, registered=not plan.short)
            m.submodules[f"file_{index}"] = file
            m.d.comb += [
                file.read_address.eq(copy(address, "address")),
                file.read_clear.eq(copy(clears, "clears")),
            ]
            sums.append(file.read_data)
            valid, minus = copy(active, "active"), copy(negative, "negative")
            gain = copy(self.gain, "gain")
            total = []
            for unit in range(units):
                amplitude = self._amplitude(codes.word_select(unit, bits), gain, minus)
                old = file.read_data.word_select(unit, width)
                total.append((old + amplitude)[:width])
            new = Signal(units * width, name=f"new_{index}", reset_less=True)
            with m.If(valid):
                m.d.sync += new.eq(Cat(*total))
            m.d.comb += [
                file.write_enable.eq(delayed(m, valid, 1, f"write_{index}")),
                file.write_address.eq(delayed(m, copy(at, "at"), 1, f"write_at_{index}", cleared=False)),
                file.write_data.eq(new),
            ]

        m.d.comb += [
            self.ready.eq(gate.complete & ~early),
            self.read_data.eq(Cat(*sums)),
            gate.release.eq(self.release),
            gate.finish.eq(self.finish),
            self.draining.eq(gate.draining),
        ]
        with m.If(self.release | gate.draining):
            m.d.sync += fresh.eq(1)
        return m
