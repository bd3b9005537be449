# SPDX-License-Identifier: BSD-2-Clause
"""Ports of a component that are those of a part of it."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped


def pass_through(
    m: Module, outer: wiring.Component, inner: wiring.Component, members: Mapping[str, wiring.Member]
) -> None:
    """Join ports, streams and other interfaces of a component to those of the same names of a part inside of it."""
    for name, member in members.items():
        outside, inside = getattr(outer, name), getattr(inner, name)
        if member.is_signature:
            # An array of interfaces is a list, here of one dimension.
            pairs = zip(outside, inside, strict=True) if member.dimensions else ((outside, inside),)
            for port, part in pairs:
                connect(m, flipped(port), part)
        elif member.flow is In:
            m.d.comb += inside.eq(outside)
        else:
            m.d.comb += outside.eq(inside)
