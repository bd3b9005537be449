# SPDX-License-Identifier: BSD-2-Clause
"""Sends one stream to several readers."""

from amaranth.hdl import Array, Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from erbium.hdl.fixed import delayed
from erbium.hdl.marks import COLLISION_FREE

SHORT_ATTRIBUTE, SHORT_BITS = "short_memory", 6
"""Attribute of memories of up to so many address bits, for a synthesis that knows RAM made of logic."""


class Fork(wiring.Component):
    """Copies every token to each reader; each reads at its own pace.

    Parameters
    ----------
    shape : ShapeLike
        Of a token.
    readers : int
    depth : int
        Tokens that a reader may be behind, at least; of a power of two it may be one fewer.
    room : int
        Tokens beyond `depth` that a writer may send which has begun and cannot stop.
    in_turn : bool
        The readers are served in turn, from one memory, in place of one for each.
    prompt : bool
        A token goes past a memory that is empty, if the memory is short: of up to ``2 ** SHORT_BITS`` tokens.

    Members
    -------
    token_i : In(stream), token_o : Out(stream).array(readers)
    has_room : Out(1)
        There is room for `room` tokens.

    Notes
    -----
    One token per clock while no reader is too far behind; latency 2 clocks, or 1 if it is prompt. In turn: a token per
    reader and round, of as many clocks as there are readers, at least 2. The room is a power of two, so places wrap
    around by themselves: full and empty differ in one bit of the writer's place. After a reset it takes a token from
    the second clock on.
    """

    def __init__(
        self, shape, readers: int, depth: int, room: int = 1, *, in_turn: bool = False, prompt: bool = False
    ) -> None:
        # How far it is from full is told by a few high bits.
        self._room = 1 << ceil_log2(room)
        self._bits = ceil_log2(max(depth + self._room - 1, 4))
        self._in_turn, self._prompt = in_turn, prompt and self._bits <= SHORT_BITS
        signature = stream.Signature(shape)
        super().__init__(
            {"token_i": In(signature), "token_o": Out(signature).array(readers), "has_room": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = Shape.cast(self.token_i.payload.shape()).width
        bits = self._bits
        # A short memory is to be made of logic where that can be done: its data come sooner than a block RAM's.
        attributes = COLLISION_FREE | {SHORT_ATTRIBUTE: 1} if bits <= SHORT_BITS else COLLISION_FREE
        m.submodules.memory = store = memory.Memory(shape=width, depth=1 << bits, init=[], attrs=attributes)
        write = store.write_port()
        place = Signal(bits + 1)
        takes = self.token_i.valid & self.token_i.ready
        m.d.sync += place.eq(place + takes)
        # Where there is room it is written at once, token or not: that takes the enable off the path to the token.
        m.d.comb += [
            write.addr.eq(place),
            write.data.eq(self.token_i.payload),
            write.en.eq(self.token_i.ready),
        ]
        numbers = range(len(self.token_o))
        at = [Signal.like(place, name=f"place_{number}") for number in numbers]
        if self._in_turn:
            self._serve(m, place, at, store.read_port())
        elif self._prompt:
            for number in numbers:
                self._read_or_pass(m, number, place, at[number], store.read_port(domain="comb"))
        else:
            for number in numbers:
                self._read(m, number, place, at[number], store.read_port())
        # A register, so that it is never at the end of a long path: it has to leave room for one more token.
        behind = [Signal.like(place, name=f"behind_{number}") for number in numbers]
        m.d.comb += [one.eq(place - there) for one, there in zip(behind, at, strict=True)]
        for flag, room in ((self.token_i.ready, 1), (self.has_room, self._room)):
            full = Cat(*[one[-1] | one[ceil_log2(room) : -1].all() for one in behind])
            m.d.sync += flag.eq(~full.any())
        return m

    def _read(self, m: Module, number: int, place: Signal, at: Signal, port: memory.ReadPort) -> None:
        """Read for one reader, at a place of its own."""
        out = self.token_o[number]
        m.d.comb += [
            port.addr.eq(at),
            port.en.eq(self._waits(m, place, at) & (~out.valid | out.ready)),
            out.payload.eq(port.data),
        ]
        with m.If(port.en):
            m.d.sync += [at.eq(at + 1), out.valid.eq(1)]
        with m.Elif(out.ready):
            m.d.sync += out.valid.eq(0)

    def _read_or_pass(self, m: Module, number: int, place: Signal, at: Signal, port: memory.ReadPort) -> None:
        """Read for one reader, at a place of its own, what waits in the memory, or what comes if nothing does."""
        out, waits, moves = self.token_o[number], Signal(name="waits"), Signal(name="moves")
        comes = self.token_i.valid & self.token_i.ready
        m.d.comb += [waits.eq(self._waits(m, place, at)), moves.eq(~out.valid | out.ready), port.addr.eq(at)]
        payload = Signal.like(Value.cast(out.payload), name=f"shown_{number}", reset_less=True)
        m.d.comb += Value.cast(out.payload).eq(payload)
        with m.If(moves):
            m.d.sync += [
                out.valid.eq(waits | comes),
                at.eq(at + (waits | comes)),
                payload.eq(Mux(waits, port.data, self.token_i.payload)),
            ]

    def _serve(self, m: Module, place: Signal, places: list[Signal], port: memory.ReadPort) -> None:
        """Read for one reader after the other; each keeps its token in a register."""
        rounds = max(len(places), 2)
        turn = Signal(range(rounds))
        m.d.sync += turn.eq(turn + 1)
        with m.If(turn == rounds - 1):
            m.d.sync += turn.eq(0)
        m.d.comb += [port.addr.eq(Array([*places, *places])[turn]), port.en.eq(1)]
        for number, (out, at) in enumerate(zip(self.token_o, places, strict=True)):
            reads = Signal(name=f"reads_{number}")
            m.d.comb += reads.eq((turn == number) & self._waits(m, place, at) & (~out.valid | out.ready))
            m.d.sync += at.eq(at + reads)
            with m.If(delayed(m, reads, 1, f"comes_{number}")):
                m.d.sync += [out.payload.eq(port.data), out.valid.eq(1)]
            with m.Elif(out.ready):
                m.d.sync += out.valid.eq(0)

    def _waits(self, m: Module, place: Value, at: Value) -> Value:
        """Return whether a token is there at a reader's place."""
        same = Signal(name="same")
        m.d.comb += same.eq(place[:-1] == at[:-1])
        return ~same | (place[-1] ^ at[-1])


class Queue(wiring.Component):
    """A first-in first-out queue of tokens: one in and one out per clock, latency 2 clocks.

    Parameters
    ----------
    shape : ShapeLike
        Of a token.
    depth : int
        Tokens that it holds, at least; of a power of two it may be one fewer.
    """

    def __init__(self, shape, depth: int) -> None:
        self._depth = depth
        signature = stream.Signature(shape)
        super().__init__({"token_i": In(signature), "token_o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fork = fork = Fork(self.token_i.payload.shape(), 1, self._depth)
        wiring.connect(m, wiring.flipped(self.token_i), fork.token_i)
        wiring.connect(m, fork.token_o[0], wiring.flipped(self.token_o))
        return m
