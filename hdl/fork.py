# SPDX-License-Identifier: BSD-2-Clause
"""Sends one stream to several readers."""

from amaranth.hdl import Cat, Module, Shape
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out


class Fork(wiring.Component):
    """Copies every token to each reader; each has a queue of its own.

    Parameters
    ----------
    shape : ShapeLike
        Of a token.
    readers : int
    depth : int
        Tokens that the queue of each reader holds.

    Members
    -------
    token_i : In(stream), token_o : Out(stream).array(readers)

    Notes
    -----
    One token per clock while every queue has room; latency 2 clocks.
    """

    def __init__(self, shape, readers: int, depth: int) -> None:
        self._depth = depth
        signature = stream.Signature(shape)
        super().__init__({"token_i": In(signature), "token_o": Out(signature).array(readers)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = Shape.cast(self.token_i.payload.shape()).width
        queues = []
        for number, out in enumerate(self.token_o):
            queue = fifo.SyncFIFOBuffered(width=width, depth=self._depth)
            m.submodules[f"queue_{number}"] = queue
            queues.append(queue)
            m.d.comb += [
                queue.w_data.eq(self.token_i.payload),
                queue.w_en.eq(self.token_i.valid & self.token_i.ready),
                out.payload.eq(queue.r_data),
                out.valid.eq(queue.r_rdy),
                queue.r_en.eq(out.ready),
            ]
        m.d.comb += self.token_i.ready.eq(Cat(*[queue.w_rdy for queue in queues]).all())
        return m


class Queue(wiring.Component):
    """A first-in first-out queue of tokens: one in and one out per clock, latency 2 clocks.

    A queue of depth 2 passes a token every second clock only.

    Parameters
    ----------
    shape : ShapeLike
        Of a token.
    depth : int
        Tokens that it holds.
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
