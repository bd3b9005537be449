# SPDX-License-Identifier: BSD-2-Clause
"""Hardware drawn at random, on which what is made of a netlist is tried."""

from __future__ import annotations

import random
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import memory
from amaranth.lib.wiring import Component, In, Out


class Random(Component):
    """Every operator, nested choices, memories, registers with and without reset.

    Parameters
    ----------
    seed : int
        The same hardware comes of the same seed.
    nested : bool
        Whether there is a module inside.
    widths : int, optional
        Ports have so many bits at most.
    """

    _MustUse__silence = True  # some are made for the sake of their ports

    def __init__(self, seed: int, *, nested: bool = True, widths: int = 80) -> None:
        self._widest = widths
        self.draw, self.nested, self.seed = random.Random(f"{seed}{nested}"), nested, seed
        members = {f"i{k}": In(self.shape((1, 2, 3, 8, 13, 20, 70))) for k in range(5)}
        members |= {f"o{k}": Out(self.shape((1, 2, 4, 8, 17, 33, 80))) for k in range(6)}
        super().__init__(members | {"release": In(1)})  # a keyword of Verilog

    def shape(self, widths: tuple[int, ...]) -> Shape:
        return Shape(
            self.draw.choice([width for width in widths if width <= self._widest]),
            signed=self.draw.random() < 0.5,
        )

    def value(self, depth: int) -> Value:
        draw = self.draw
        if depth == 0 or draw.random() < 0.1:
            return Const(draw.randrange(-20, 20)) if draw.random() < 0.15 else draw.choice(self.pool)
        a, b = self.value(depth - 1), self.value(depth - 1)
        short_a, short_b, distance = a[:40], b[:40], Cat(b)[:3]
        first = draw.randrange(max(len(a), 1))
        kinds: list[Any] = [
            lambda: Cat(~a),
            lambda: -a,
            a.any,
            a.all,
            a.xor,
            lambda: a[first : draw.randrange(first, len(a)) + 1] if len(a) else a,
            lambda: Cat(a, b),
            lambda: a.as_signed() if len(a) else a,
            lambda: Cat(a),
            lambda: a >> draw.randrange(6),
            lambda: short_a << draw.randrange(6),
            lambda: a >> distance,
            lambda: a[:20] << distance,
            lambda: Cat(a).bit_select(distance, draw.randrange(1, 6)),
            lambda: Mux(self.value(depth - 1), a, b),
            lambda: short_a + short_b,
            lambda: short_a - short_b,
            lambda: short_a & short_b,
            lambda: short_a | short_b,
            lambda: short_a ^ short_b,
            lambda: short_a == short_b,
            lambda: short_a != short_b,
            lambda: short_a < short_b,
            lambda: short_a > short_b,
            lambda: short_a <= short_b,
            lambda: short_a >= short_b,
        ]
        return draw.choice(kinds)()

    def statements(self, m: Module, domain: str, targets: list[Signal], depth: int) -> None:
        draw = self.draw
        for _ in range(draw.randrange(1, 3)):
            target: Value = draw.choice(targets)
            if depth == 0 or draw.random() < 0.6:
                if len(target) > 1 and draw.random() < 0.4:
                    first = draw.randrange(len(target))
                    target = target[first : draw.randrange(first, len(target)) + 1]
                m.d[domain] += target.eq(self.value(draw.randrange(1, 4)))
            elif draw.random() < 0.4:
                with m.If(self.value(1)):
                    self.statements(m, domain, targets, depth - 1)
                if draw.random() < 0.5:
                    with m.Elif(self.value(1)):
                        self.statements(m, domain, targets, depth - 1)
                if draw.random() < 0.5:
                    with m.Else():
                        self.statements(m, domain, targets, depth - 1)
            else:
                self.switch(m, domain, targets, depth)

    def switch(self, m: Module, domain: str, targets: list[Signal], depth: int) -> None:
        draw = self.draw
        selector = Cat(self.value(1), Const(1, 1))[:3]
        digits = draw.choice(("01", "01", "01-"))
        with m.Switch(selector):
            for _ in range(draw.randrange(1, 4)):
                patterns = {
                    "".join(draw.choice(digits) for _ in range(len(selector)))
                    for _ in range(draw.randrange(1, 3))
                }
                with m.Case(*sorted(patterns)):
                    if draw.random() < 0.8:
                        self.statements(m, domain, targets, depth - 1)
            if draw.random() < 0.5:
                with m.Default():
                    self.statements(m, domain, targets, depth - 1)

    def elaborate(self, platform: object) -> Module:
        m, draw = Module(), self.draw
        inputs = [getattr(self, f"i{k}") for k in range(5)]
        self.pool = [*inputs, self.release]
        registers = [
            Signal(
                self.shape((1, 3, 8, 16, 40)),
                name=f"r{k}",
                init=draw.choice((0, -1)),
                reset_less=draw.random() < 0.3,
            )
            for k in range(4)
        ]
        self.pool += registers
        for _ in range(2):
            self.statements(m, "sync", registers, 3)
        self.memory(m)
        if self.nested:
            m.submodules.inner = inner = Random(self.seed, nested=False)
            m.d.comb += [getattr(inner, f"i{k}").eq(self.value(2)) for k in range(5)]
            self.pool += [getattr(inner, f"o{k}") for k in range(6)]
        for k in range(3):
            wire = Signal(self.shape((1, 3, 8, 16, 40)), name=f"w{k}", init=draw.choice((0, -1)))
            self.statements(m, "comb", [wire], 2)
            self.pool.append(wire)
        for k in range(6):
            self.statements(m, draw.choice(("comb", "sync")), [getattr(self, f"o{k}")], 2)
        return m

    def memory(self, m: Module) -> None:
        draw = self.draw
        depth = draw.choice((3, 4, 8))
        init = [draw.randrange(1 << 16) for _ in range(depth)] if draw.random() < 0.5 else []
        m.submodules.store = store = memory.Memory(shape=16, depth=depth, init=init)
        write = store.write_port(granularity=draw.choice((8, 16)))
        read = store.read_port(
            domain=(domain := draw.choice(("sync", "comb"))),
            transparent_for=[write] if domain == "sync" and draw.random() < 0.5 else [],
        )
        for port in (write, read):
            # An address that is not there is nobody's business.
            wish = Cat(self.value(1), Const(0, 4))[: len(port.addr)]
            m.d.comb += port.addr.eq(Mux(wish < depth, wish, 0))
        m.d.comb += [write.data.eq(self.value(2)), write.en.eq(self.value(1))]
        self.pool.append(read.data)
