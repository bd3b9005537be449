# SPDX-License-Identifier: BSD-2-Clause
"""The host's way to the weights of a layer, one weight at a time."""

from amaranth.hdl import Cat, Module, Shape, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.groups import copies_of, lane_groups
from erbium.hdl.tokens import ADDRESS_WIDTH, AccessKind


class AccessRequest(data.StructLayout):
    """Token of the host to one layer."""

    def __init__(self) -> None:
        super().__init__({"kind": AccessKind, "data": 16})


class WeightAccess(wiring.Component):
    """Collects the weights of a word for a store, or deals out those of a loaded word.

    The order of the weights is row by row, neuron by neuron, whatever the number of lanes.

    Parameters
    ----------
    n_neurons, lanes, width : int
        Neurons of the population, synapses of a word, bits of a weight.

    Members
    -------
    access_i : In(stream of AccessRequest), access_o : Out(stream of int16)
        Requests, and one answer for each ``READ``, which is taken as the answer is ready.
    request : Out(1), store : Out(1), row : Out(16), word : Out
        A word is to be loaded or stored; stays until `grant`.
    grant : In(1)
    loaded : In(1), word_i : In(lanes * width)
        The word that was asked for, one clock behind `loaded`.
    stored : In(1), word_o : Out(lanes * width)
        The word to store, stable until `stored`.

    Notes
    -----
    One weight per two clocks, and at most ``lanes + 12`` clocks more for each word. A row must be written whole,
    from its first weight; a partly written word is dropped by the next ``SEEK``.
    """

    def __init__(self, n_neurons: int, lanes: int, width: int) -> None:
        self._n_neurons, self._lanes, self._width = n_neurons, lanes, width
        self._words = words = -(-n_neurons // lanes)
        super().__init__(
            {
                "access_i": In(stream.Signature(AccessRequest())),
                "access_o": Out(stream.Signature(Shape(16, signed=True))),
                "request": Out(1),
                "store": Out(1),
                "row": Out(ADDRESS_WIDTH),
                "word": Out(range(max(words, 2))),
                "grant": In(1),
                "loaded": In(1),
                "word_i": In(lanes * width),
                "stored": In(1),
                "word_o": Out(lanes * width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self._width
        lane = Signal(range(self._lanes))
        have, shifts = Signal(), Signal()
        request = self.access_i.payload
        last_lane = lane == self._lanes - 1
        last_word = self.word == self._words - 1
        # The last word of a row may be partly filled.
        rest = self._n_neurons - (self._words - 1) * self._lanes
        end_of_word = last_lane | (last_word & (lane == rest - 1))
        incoming = Signal(width)
        held = self._held(m, shifts, incoming)
        m.d.comb += self.word_o.eq(held)
        # An answer waits in a register, so that no path goes through whoever takes it and back to the lanes.
        with m.If(self.access_o.ready):
            m.d.sync += self.access_o.valid.eq(0)

        def next_word() -> None:
            m.d.sync += [lane.eq(0), have.eq(0), self.word.eq(self.word + 1)]
            with m.If(last_word):
                m.d.sync += [self.word.eq(0), self.row.eq(self.row + 1)]

        with m.FSM():
            with m.State("READY"), m.If(self.access_i.valid):
                with m.Switch(request.kind):
                    with m.Case(AccessKind.SEEK):
                        m.d.comb += self.access_i.ready.eq(1)
                        m.d.sync += [
                            self.row.eq(request.data),
                            self.word.eq(0),
                            lane.eq(0),
                            have.eq(0),
                        ]
                    with m.Case(AccessKind.READ):
                        with m.If(~have):
                            m.next = "LOAD"
                        with m.Elif(~self.access_o.valid):
                            m.d.comb += [self.access_i.ready.eq(1), shifts.eq(1)]
                            m.d.sync += [
                                self.access_o.valid.eq(1),
                                self.access_o.payload.eq(held[:width].as_signed()),
                                lane.eq(lane + 1),
                            ]
                            with m.If(end_of_word):
                                next_word()
                            m.next = "MOVED"
                    with m.Case(AccessKind.WRITE):
                        m.d.comb += shifts.eq(1)
                        m.next = "WRITE"
            with m.State("MOVED"):
                m.next = "READY"
            with m.State("WRITE"):
                m.d.comb += [incoming.eq(request.data), self.access_i.ready.eq(1)]
                m.d.sync += lane.eq(lane + 1)
                m.next = "READY"
                with m.If(last_lane):
                    m.next = "STORE"
                with m.Elif(end_of_word):
                    m.d.comb += shifts.eq(1)
                    m.next = "ALIGN"
            with m.State("ALIGN"):
                # Lane 0 must come to lie lowest in a partly filled word, too.
                m.d.sync += lane.eq(lane + 1)
                with m.If(last_lane):
                    m.next = "STORE"
                with m.Else():
                    m.d.comb += shifts.eq(1)
            with m.State("STORE"):
                m.d.comb += [self.request.eq(1), self.store.eq(1)]
                with m.If(self.grant):
                    m.next = "STORED"
            with m.State("STORED"), m.If(self.stored):
                next_word()
                m.next = "READY"
            with m.State("LOAD"):
                m.d.comb += self.request.eq(1)
                with m.If(self.grant):
                    m.next = "LOADED"
            with m.State("LOADED"), m.If(self.loaded):
                m.d.sync += have.eq(1)
                m.next = "MOVED"
        return m

    def _held(self, m: Module, shifts: Value, incoming: Value) -> Value:
        """Return the word: one clock behind `shifts` it moves by a lane, one clock behind `loaded` it is new.

        Each group of lanes has registers of its own for the two, since every bit of the word waits for them.
        """
        held = Signal(len(self.word_o), reset_less=True)
        moved = Cat(held[self._width :], incoming)
        at = 0
        for index, lanes in enumerate(lane_groups(self._lanes)):
            bits = slice(at, at := at + lanes * self._width)
            move, load = (
                Signal(name=f"{name}_{index}", attrs=copies_of(self._lanes)) for name in ("move", "load")
            )
            m.d.sync += [move.eq(shifts), load.eq(self.loaded)]
            with m.If(load):
                m.d.sync += held[bits].eq(self.word_i[bits])
            with m.Elif(move):
                m.d.sync += held[bits].eq(moved[bits])
        return held
