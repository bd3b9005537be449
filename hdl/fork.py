# SPDX-License-Identifier: BSD-2-Clause
"""Sends one stream to several readers."""

from amaranth.hdl import Cat, Module, Shape, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

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

    Members
    -------
    token_i : In(stream), token_o : Out(stream).array(readers)

    Notes
    -----
    One token per clock while no reader is too far behind; latency 2 clocks. The room is a power of two, so places
    wrap around by themselves: full and empty differ in one bit of the writer's place. After a reset it takes a token
    from the second clock on.
    """

    def __init__(self, shape, readers: int, depth: int) -> None:
        self._depth = depth
        signature = stream.Signature(shape)
        super().__init__({"token_i": In(signature), "token_o": Out(signature).array(readers)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = Shape.cast(self.token_i.payload.shape()).width
        bits = ceil_log2(max(self._depth, 4))
        # A short memory is to be made of logic where that can be done: its data come sooner than a block RAM's.
        attributes = {SHORT_ATTRIBUTE: 1} if bits <= SHORT_BITS else {}
        m.submodules.memory = store = memory.Memory(shape=width, depth=1 << bits, init=[], attrs=attributes)
        write = store.write_port()
        place = Signal(bits + 1)
        takes = self.token_i.valid & self.token_i.ready
        m.d.sync += place.eq(place + takes)
        m.d.comb += [write.addr.eq(place), write.data.eq(self.token_i.payload), write.en.eq(takes)]
        full = [self._read(m, number, place, store.read_port()) for number in range(len(self.token_o))]
        # A register, so that it is never at the end of a long path: it has to leave room for one more token.
        m.d.sync += self.token_i.ready.eq(~Cat(*full).any())
        return m

    def _read(self, m: Module, number: int, place: Signal, port: memory.ReadPort) -> Value:
        """Read for one reader, at a place of its own; return whether it is nearly as far behind as it may be."""
        out, at = self.token_o[number], Signal.like(place, name=f"place_{number}")
        same = Signal(name=f"same_{number}")
        around = place[-1] ^ at[-1]
        m.d.comb += [
            same.eq(place[:-1] == at[:-1]),
            port.addr.eq(at),
            port.en.eq((~same | around) & (~out.valid | out.ready)),
            out.payload.eq(port.data),
        ]
        m.d.sync += at.eq(at + port.en)
        with m.If(port.en):
            m.d.sync += out.valid.eq(1)
        with m.Elif(out.ready):
            m.d.sync += out.valid.eq(0)
        behind = (place - at)[: len(place)]
        return behind >= (1 << len(place) - 1) - 1


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
