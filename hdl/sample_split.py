# SPDX-License-Identifier: BSD-2-Clause
"""Hands the pixels of a sample to the encoders of several sources."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fork import Fork
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
    One token per clock while every reader takes its tokens; latency 2 clocks. A reader to which a token is shown may be
    4 more behind.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = tuple(sizes)
        signature = stream.Signature(SampleToken())
        super().__init__({"sample_i": In(signature), "sample_o": Out(signature).array(len(self._sizes))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fork = fork = Fork(SampleToken(), len(self._sizes), 4)
        wiring.connect(m, wiring.flipped(self.sample_i), fork.token_i)
        first = 0
        for token_o, out, size in zip(fork.token_o, self.sample_o, self._sizes, strict=True):
            token, own = token_o.payload, data.View(Pixel(), out.payload.data[: Pixel().size])
            pixel, is_pixel = data.View(Pixel(), token.data[: Pixel().size]), token.kind == SampleKind.PIXEL
            mine = ~is_pixel | ((pixel.address >= first) & (pixel.address < first + size))
            m.d.comb += [
                out.valid.eq(token_o.valid & mine),
                out.payload.eq(token),
                token_o.ready.eq(out.ready | ~mine),
            ]
            with m.If(is_pixel):
                m.d.comb += own.address.eq(pixel.address - first)
            first += size
        return m
