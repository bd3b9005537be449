# SPDX-License-Identifier: BSD-2-Clause
"""Takes apart wires that, as wholes, depend on themselves.

A structure in one wire whose fields depend on each other is no loop of logic: each bit depends on other bits. Tools
that look at wires as wholes see a loop all the same; Verilator up to 5.006 warns of it (UNOPTFLAT) and works such
wires out again and again until nothing changes. What reads a part of such a wire reads what drives that part instead.
"""

from __future__ import annotations

from collections.abc import Iterable

from erbium.gen.netlist.bits import Bits, Sig, cut, joined
from erbium.gen.netlist.clean import Cleaner
from erbium.gen.netlist.module import Netlist


def take_loops_apart(module: Netlist) -> None:
    """Let parts of connections that lie in a loop of wires be read from where they are driven."""
    looped = _in_loops(_dependencies(module))
    driven = {wire: sig for wire, sig in module.connections.items() if wire in looped}
    if driven:
        _Untangler(module, driven).apply()


class _Untangler(Cleaner):
    """Looks parts of wires up; whoever reads a whole wire goes on doing so, by its name."""

    def __init__(self, module: Netlist, driven: dict[str, Sig]) -> None:
        super().__init__(module)
        self.replaced = driven

    def resolve(self, sig: Sig) -> Sig:
        parts: list[Bits] = []
        for part in sig:
            driver = None if part.wire is None else self.replaced.get(part.wire)
            if driver is None or part.width == self.module.widths[str(part.wire)]:
                parts.append(part)
            else:
                parts += self.resolve(cut(driver, part.low, part.width))
        return joined(parts)


def _dependencies(module: Netlist) -> dict[str, set[str]]:
    """Return, for each wire that logic drives without a clock, the wires that it depends on at once."""
    found = {wire: _wires([sig]) for wire, sig in module.connections.items()}
    for cell in module.cells:
        if cell.kind == "$memwr_v2" or not cell.kind.startswith("$") or cell.flag("CLK_ENABLE"):
            continue
        inputs = _wires(sig for port, sig in cell.ports.items() if port not in cell.outputs)
        for port in cell.outputs:
            found.setdefault(cell.wire(port), set()).update(inputs)
    return found


def _wires(sigs: Iterable[Sig]) -> set[str]:
    return {part.wire for sig in sigs for part in sig if part.wire is not None}


def _in_loops(after: dict[str, set[str]]) -> set[str]:
    """Return the wires that lie in loops, or between two of them: what is left when all ends are taken away."""
    while True:
        before = set().union(*after.values())
        left = {wire: sources & after.keys() for wire, sources in after.items() if wire in before}
        left = {wire: sources for wire, sources in left.items() if sources}
        if len(left) == len(after):
            return set(left)
        after = left
