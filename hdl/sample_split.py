# SPDX-License-Identifier: BSD-2-Clause
"""Hands the pixels of a sample to the encoders of several sources."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fork import Queue
from erbium.hdl.tokens import Pixel, SampleKind, SampleToken


class SampleSplit(wiring.Component):
    """Sends ``BEGIN`` and ``END`` of a sample to all readers, and each pixel to the one whose it is.

    Parameters
    ----------
    sizes : sequence of int
        Pixels of each reader; addresses of the next one begin after them, and at 0 for itself.

    Members
    -------
    sample_i : In(stream of SampleToken)
    sample_o : Out(stream of SampleToken).array(readers)

    Notes
    -----
    One token per clock while every reader takes its tokens; latency 2 clocks.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = tuple(sizes)
        signature = stream.Signature(SampleToken())
        super().__init__({"sample_i": In(signature), "sample_o": Out(signature).array(len(self._sizes))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        queues = [Queue(SampleToken(), 4) for _ in self._sizes]
        token = self.sample_i.payload
        pixel = data.View(Pixel(), token.data[: Pixel().size])
        m.d.comb += self.sample_i.ready.eq(Cat(*[queue.token_i.ready for queue in queues]).all())
        first = 0
        for number, (queue, size) in enumerate(zip(queues, self._sizes, strict=True)):
            m.submodules[f"queue_{number}"] = queue
            wiring.connect(m, queue.token_o, wiring.flipped(self.sample_o[number]))
            mine = (pixel.address >= first) & (pixel.address < first + size)
            for_it = (token.kind != SampleKind.PIXEL) | mine
            own = data.View(Pixel(), queue.token_i.payload.data[: Pixel().size])
            m.d.comb += [
                queue.token_i.valid.eq(self.sample_i.valid & self.sample_i.ready & for_it),
                queue.token_i.payload.eq(token),
            ]
            if first:
                with m.If(token.kind == SampleKind.PIXEL):
                    m.d.comb += own.address.eq(pixel.address - first)
            first += size
        return m
