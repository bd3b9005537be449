# SPDX-License-Identifier: BSD-2-Clause
"""Port 1 of a layer: error spikes spread over the population by fixed random weights."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.feedback_gate import FeedbackGate
from erbium.hdl.fixed import delayed, product
from erbium.hdl.lane_group import copies_of, lane_groups
from erbium.hdl.tokens import FeedbackToken
from erbium.hdl.word_file import WordFile, WordRom, file_latency
from erbium.sw_model.network import Network

ROM_BITS = {"sign": 1, "wide": 3, "direct": 1}


class FeedbackPort(wiring.Component):
    """Sums the error spikes of one tick for each neuron: ``u1_i = gain * sum over c of e_c * G_ic``.

    Walks one word of neurons per clock for each error spike. The feedback weights are a ROM of one bit per
    synapse (three for the range -3 ... 3); the products are the gain, twice and three times the gain, with
    a sign.

    Parameters
    ----------
    network : Network
    number : int
        0-based layer.
    lanes : int
    short : bool
        The sums are read a clock sooner, see :class:`erbium.hdl.word_file.WordFile`.

    Members
    -------
    feedback_i : In(stream of FeedbackToken)
    gain : In(8)
        Amplitude of one error spike; changed only while the array is idle.
    ready : Out(1)
        The tick's sum is complete.
    read_address : In
        Word to read while `ready`; `read_data` follows `read_latency` clocks later.
    read_data : Out(lanes * width)
    release : In(1)
        The sum has been used.
    finish : In(1), draining : Out(1)
        As in :class:`erbium.hdl.feedback_gate.FeedbackGate`.

    Attributes
    ----------
    width : int
        Bits of one sum: it cannot saturate, so it is as narrow as its range.

    Notes
    -----
    One error spike takes ``words + read_latency + 3`` clocks. That is hidden behind the row passes of the layer.
    """

    def __init__(self, network: Network, number: int, lanes: int, *, short: bool = False) -> None:
        layer = network.layers[number]
        self._network, self._lanes = network, lanes
        self._kind = layer.feedback
        self._matrix = network.feedback_weights(number)
        self._words = -(-layer.n_neurons // lanes)
        reach = int(abs(self._matrix).sum(axis=1).max()) * layer.gain
        self.width = bits_for(reach) + 1
        self._short = short
        # One clock more than the files take: each group of lanes has an address register of its own.
        self.read_latency = file_latency(self._words, registered=not short)[0] + 1
        super().__init__(
            {
                "feedback_i": In(stream.Signature(FeedbackToken(network))),
                "gain": In(8),
                "ready": Out(1),
                "read_address": In(range(max(self._words, 2))),
                "read_data": Out(lanes * self.width),
                "release": In(1),
                "finish": In(1),
                "draining": Out(1),
            }
        )

    def _rom(self) -> WordRom:
        """Return the feedback weights, ``words`` words for class 0, then for class 1, ..."""
        bits = ROM_BITS[self._kind]
        encode = {"sign": lambda g: int(g < 0), "wide": lambda g: int(g) & 7, "direct": int}[self._kind]
        words = []
        for column in self._matrix.T:
            for start in range(0, len(column), self._lanes):
                lanes = column[start : start + self._lanes]
                words.append(sum(encode(g) << (bits * lane) for lane, g in enumerate(lanes)))
        return WordRom(words, bits * self._lanes)

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
        m.submodules.gate = gate = FeedbackGate(self._network)
        m.submodules.rom = rom = self._rom()
        wiring.connect(m, wiring.flipped(self.feedback_i), gate.feedback_i)

        # An error spike is walked by a small state machine: nothing overlaps, so nothing can collide.
        walking, fresh, first = Signal(), Signal(init=1), Signal()
        # Kept beside them: it walks, or the tail behind it is not over.
        busy = Signal()
        word = Signal(range(max(self._words, 2)))
        rom_address = Signal(range(max(self._words * self._network.n_classes, 2)))
        negative = Signal()
        tail = Signal(4)
        start = product(gate.spike_o.payload[1:], self._words)
        m.d.comb += gate.spike_o.ready.eq(~busy)
        with m.If(gate.spike_o.valid & gate.spike_o.ready):
            m.d.sync += [
                walking.eq(1),
                busy.eq(1),
                first.eq(fresh),
                fresh.eq(0),
                word.eq(0),
                rom_address.eq(start),
                negative.eq(gate.spike_o.payload[0]),
            ]
        with m.If(walking):
            m.d.sync += [word.eq(word + 1), rom_address.eq(rom_address + 1)]
            with m.If(word == self._words - 1):
                m.d.sync += [walking.eq(0), word.eq(0), tail.eq(self.read_latency + 2)]
        with m.If(tail != 0):
            m.d.sync += [tail.eq(tail - 1), busy.eq(tail != 1)]

        # Data of the files and of the ROM meet `meet` clocks after the address.
        meet = max(self.read_latency, 2)
        m.d.comb += rom.address.eq(rom_address)
        code = delayed(m, rom.data, meet - 1, "code", cleared=False)
        address = Signal.like(word)
        m.d.comb += address.eq(Mux(self.ready, self.read_address, word))
        active = delayed(m, walking, meet - 1, "active")
        at = delayed(m, word, meet - 1, "at", cleared=False)

        sums, start = [], 0
        for index, lanes in enumerate(lane_groups(self._lanes)):

            def copy(signal: Signal, name: str, index: int = index) -> Signal:
                """Return a register of the group for what all its lanes wait for."""
                register = Signal.like(
                    signal, name=f"{name}_of_{index}", reset_less=True, attrs=copies_of(self._lanes)
                )
                m.d.sync += register.eq(signal)
                return register

            bits = ROM_BITS[self._kind]
            codes = code[start * bits : (start + lanes) * bits]
            start += lanes
            m.submodules[f"file_{index}"] = file = WordFile(
                self._words, lanes * self.width, registered=not self._short
            )
            m.d.comb += file.read_address.eq(copy(address, "address"))
            data = Mux(copy(fresh, "fresh"), 0, file.read_data)
            sums.append(data)
            valid, minus, begins = copy(active, "active"), copy(negative, "negative"), copy(first, "first")
            gain = copy(self.gain, "gain")
            total = []
            for lane in range(lanes):
                amplitude = self._amplitude(codes.word_select(lane, bits), gain, minus)
                old = file.read_data.word_select(lane, self.width)
                total.append((Mux(begins, 0, old) + amplitude)[: self.width])
            new = Signal(lanes * self.width, name=f"new_{index}", reset_less=True)
            with m.If(valid):
                m.d.sync += new.eq(Cat(*total))
            m.d.comb += [
                file.write_enable.eq(delayed(m, valid, 1, f"write_{index}")),
                file.write_address.eq(delayed(m, copy(at, "at"), 1, f"write_at_{index}", cleared=False)),
                file.write_data.eq(new),
            ]

        m.d.comb += [
            self.ready.eq(gate.complete & ~busy),
            self.read_data.eq(Cat(*sums)),
            gate.release.eq(self.release),
            gate.finish.eq(self.finish),
            self.draining.eq(gate.draining),
        ]
        with m.If(self.release | gate.draining):
            m.d.sync += fresh.eq(1)
        return m
