# SPDX-License-Identifier: BSD-2-Clause
"""Cleans a netlist: constants, aliases, equal cells, widths, dead logic."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from erbium.gen.netlist.bits import Bits, Sig, constant, cut, joined, plain_name, resized, value_of, width_of
from erbium.gen.netlist.module import Assign, Cell, Netlist, Register, Statement, Switch
from erbium.gen.netlist.rtlil import RtlilError
from erbium.gen.netlist.statements import (
    BITWISE,
    CARRYING,
    COMMUTATIVE,
    COMPARING,
    REDUCING,
    SHIFTING,
    anonymous,
    computed,
    folded,
    mapped,
    settled,
    without_overlap,
)


class Cleaner:
    """Brings one module into the form that is written: exact widths, muxes for processes, registers."""

    def __init__(self, module: Netlist, *, keep_names: bool = True) -> None:
        self.module = module
        self.keep_names = keep_names
        self.replaced: dict[str, Sig] = {}

    def resolve(self, sig: Sig) -> Sig:
        """Return `sig` with replaced wires looked up."""
        if not any(part.wire in self.replaced for part in sig):
            return sig
        parts: list[Bits] = []
        for part in sig:
            if part.wire in self.replaced:
                parts += self.resolve(cut(self.replaced[part.wire], part.low, part.width))
            else:
                parts.append(part)
        return joined(parts)

    def _define(self, wire: str, sig: Sig) -> None:
        """Let a wire that was driven by a cell or a process be `sig` from now on."""
        if anonymous(wire) or not (self.keep_names or wire in self.module.ports):
            self.replaced[wire] = sig
        else:
            self.module.connections[wire] = sig

    def _cell(self, kind: str, width: int, **ports: Sig) -> Sig:
        """Add an operator with a fresh output."""
        wire = self.module.new_wire(width)
        sig = self.module.whole(wire)
        self.module.cells.append(Cell(kind, wire, {}, {**ports, "Y": sig}))
        return sig

    def run(self) -> None:
        self._registers()
        for target, statements in self.module.processes.items():
            self._define(target, self._value_after(statements, self.module.whole(target)))
        self.module.processes = {}
        cells, self.module.cells = self.module.cells, []
        for cell in cells:
            self._exact(cell)
        if not self.keep_names:
            for wire in [wire for wire in self.module.connections if wire not in self.module.ports]:
                self.replaced[wire] = self.module.connections.pop(wire)
        while self._simplify():
            pass
        self.module.cells = [
            cell
            for cell in self.module.cells
            if cell.kind != "$memwr_v2" or value_of(self.resolve(cell.ports["EN"])) != 0
        ]
        self._adopt_names()
        self.apply()
        for register in self.module.registers:
            register.statements = settled(register.statements)

    def simplify(self) -> None:
        """Fold what has become constant or equal since the netlist was cleaned."""
        while self._simplify():
            pass
        self.apply()
        for register in self.module.registers:
            register.statements = settled(register.statements)

    def apply(self) -> None:
        """Look replaced wires up everywhere."""
        module = self.module
        for cell in module.cells:
            cell.ports = {name: self.resolve(sig) for name, sig in cell.ports.items()}
        for register in module.registers:
            register.statements = mapped(register.statements, self.resolve)
            register.clock, register.reset = self.resolve(register.clock), self.resolve(register.reset)
        module.connections = {wire: self.resolve(sig) for wire, sig in module.connections.items()}
        module.aliases = {wire: self.resolve(sig) for wire, sig in module.aliases.items()}

    # --- registers and processes

    def _registers(self) -> None:
        module = self.module
        rest = []
        for cell in module.cells:
            if cell.kind not in ("$dff", "$adff"):
                rest.append(cell)
                continue
            (output,), data = cell.ports["Q"], cell.ports["D"]
            assert output.wire is not None
            source = data[0].wire if len(data) == 1 else None
            statements: tuple[Statement, ...] = (Assign(0, data),)
            if source in module.processes and data == module.whole(source) and anonymous(source):
                statements = module.processes.pop(source)
            if statements and statements[0] == Assign(0, module.whole(output.wire)):
                statements = statements[1:]
            register = Register(output.wire, cell.ports["CLK"], cell.flag("CLK_POLARITY"), statements)
            if cell.kind == "$adff":
                register.reset, register.asynchronous = cell.ports["ARST"], True
                register.reset_value = int(cell.parameters["ARST_VALUE"])
            else:
                self._extract_reset(register)
            module.registers.append(register)
        module.cells = rest
        for register in module.registers:
            register.statements = self._tidy(register.statements)

    def _extract_reset(self, register: Register) -> None:
        match register.statements:
            case (*rest, Switch(selector, ((("1",), (Assign(0, value),)),))):
                width = self.module.widths[register.wire]
                if (number := value_of(value)) is not None and width_of(value) == width:
                    register.statements = tuple(rest)
                    register.reset, register.reset_value = selector, number

    def _tidy(self, statements: Iterable[Statement]) -> tuple[Statement, ...]:
        """Return clocked statements with every choice between single bits as a chain of ``if``."""
        result: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Assign):
                result.append(statement)
                continue
            cases = [(patterns, self._tidy(body)) for patterns, body in statement.cases]
            while cases and not cases[-1][1]:
                cases.pop()
            if cases:
                result += self._chain(statement.selector, cases)
        return folded(result)

    def _chain(
        self, selector: Sig, cases: list[tuple[tuple[str, ...], tuple[Statement, ...]]]
    ) -> tuple[Statement, ...]:
        if not cases:
            return ()
        if len(selector) == 1 and width_of(selector) > 1 and len(cases) > 1:
            constants = without_overlap(cases)
            if constants is not None:
                return (Switch(selector, constants),)
        patterns, body = cases[0]
        if not patterns:
            return body
        condition, rest = self._matches(selector, patterns), self._chain(selector, cases[1:])
        if not body:
            return (Switch(self._cell("$not", 1, A=condition), ((("1",), rest),)),) if rest else ()
        if not rest:
            return (Switch(condition, ((("1",), body),)),)
        return (Switch(condition, ((("1",), body), ((), rest))),)

    def _matches(self, selector: Sig, patterns: Iterable[str]) -> Sig:
        """Return one bit: whether the selector matches one of the patterns."""
        result: Sig = ()
        for pattern in patterns:
            checked = [bit for bit, digit in enumerate(reversed(pattern)) if digit != "-"]
            looked = joined(part for bit in checked for part in cut(selector, bit, 1))
            wanted = joined(Bits(None, int(pattern[-1 - bit]), 1) for bit in checked)
            if not looked:
                return constant(1, 1)
            here = looked
            if (len(checked), value_of(wanted)) != (1, 1):
                here = self._cell("$eq", 1, A=looked, B=wanted)
            result = self._cell("$or", 1, A=result, B=here) if result else here
        return result

    def _value_after(self, statements: Iterable[Statement], value: Sig) -> Sig:
        """Return the value of a combinational target after `statements`."""
        for statement in statements:
            if isinstance(statement, Assign):
                end = statement.low + width_of(statement.value)
                rest = cut(value, end, width_of(value) - end)
                value = joined([*cut(value, 0, statement.low), *statement.value, *rest])
            else:
                value = self._value_after_switch(statement, value)
        return value

    def _value_after_switch(self, switch: Switch, value: Sig) -> Sig:
        branches = [(patterns, self._value_after(body, value)) for patterns, body in switch.cases]
        otherwise = value
        for index, (patterns, branch) in enumerate(branches):
            if not patterns:
                otherwise, branches = branch, branches[:index]
                break
        conditions = [self._matches(switch.selector, patterns) for patterns, _ in branches]
        edges = {0, width_of(value)}
        for sig in (otherwise, *(branch for _, branch in branches)):
            at = 0
            for part in sig:
                at += part.width
                edges.add(at)
        places = sorted(edges)
        result: list[Bits] = []
        run: list[int] = []

        def flush() -> None:
            if not run:
                return
            low, width = run[0], run[-1] - run[0]
            chosen = cut(otherwise, low, width)
            for condition, (_, branch) in zip(reversed(conditions), reversed(branches), strict=True):
                here = cut(branch, low, width)
                if here != chosen:
                    chosen = self._cell("$mux", width, S=condition, A=chosen, B=here)
            result.extend(chosen)
            run.clear()

        for low, high in pairwise(places):
            kept = cut(otherwise, low, high - low)
            if all(cut(branch, low, high - low) == kept for _, branch in branches):
                flush()
                result.extend(kept)
            else:
                run[:] = [run[0] if run else low, high]
        flush()
        return joined(result)

    # --- operators

    def _exact(self, cell: Cell) -> None:
        """Make the operands of a cell as wide as it computes, or replace the cell by wires."""
        kind, ports = cell.kind, cell.ports
        if kind.startswith("\\") or kind in ("$memrd_v2", "$memwr_v2"):
            self.module.cells.append(cell)
            return
        if kind == "$meminit_v2":
            memory = self.module.memories[str(cell.parameters["MEMID"])]
            memory.contents = value_of(ports["DATA"]) or 0
            return
        (output,) = ports["Y"]
        assert output.wire is not None
        signed = cell.flag("A_SIGNED")
        width = output.width
        if kind in ("$shl", "$shr", "$sshr", "$shift"):
            self._define(output.wire, self._shifted(cell, signed, width))
            return
        if kind in COMPARING:
            both = max(width_of(ports["A"]), width_of(ports["B"]), 1)
            cell.ports |= {name: resized(ports[name], both, signed) for name in "AB"}
            cell.parameters = {"SIGNED": signed} if signed and kind not in ("$eq", "$ne") else {}
        elif kind in ("$divfloor", "$modfloor") and not signed:
            both = max(width, width_of(ports["A"]), width_of(ports["B"]))
            cell.ports = {name: resized(ports[name], both) for name in "AB"}
            self._define(output.wire, cut(self._cell(kind, both, **cell.ports), 0, width))
            return
        elif kind in (*BITWISE, *CARRYING):
            cell.ports |= {name: resized(ports[name], width, signed) for name in "AB" if name in ports}
            cell.parameters = {}
        elif kind not in REDUCING:
            raise RtlilError(f"signed cells of kind {kind!r} cannot be written as Verilog by this writer")
        self.module.cells.append(cell)

    def _shifted(self, cell: Cell, signed: bool, width: int) -> Sig:
        """Return a shifted value: wires for a constant distance, else an operator."""
        value, distance = cell.ports["A"], cell.ports["B"]
        if cell.kind == "$shift":
            reach = (1 << width_of(distance)) - 1 + width
            if len(value) == 1 and value[0].wire and reach <= value[0].width:
                return self._cell("$part", width, A=value, B=distance)
            cell.kind = "$shr"
        if cell.kind == "$sshr" and not signed:
            cell.kind = "$shr"
        both = max(width, width_of(value))
        cell.ports["A"] = resized(value, both, signed)
        steps = value_of(distance)
        if steps is not None:
            return self._shifted_by(cell, steps, width)
        return cut(self._cell(cell.kind, both, A=cell.ports["A"], B=distance), 0, width)

    def _shifted_by(self, cell: Cell, steps: int, width: int) -> Sig:
        """Return a value shifted by a constant; its operand has the width that is computed with."""
        value = cell.ports["A"]
        steps = min(steps, width_of(value))
        if cell.kind == "$shl":
            return resized(joined([*constant(0, steps), *value]), width)
        rest = cut(value, steps, width_of(value) - steps) or cut(value, width_of(value) - 1, 1)
        if steps == width_of(value) and cell.kind != "$sshr":
            rest = ()
        return resized(rest, width, cell.kind == "$sshr")

    def _simplify(self) -> bool:
        """Replace operators that are wires, and equal ones by one of them; say whether there were any."""
        found = False
        seen: dict[object, Sig] = {}
        cells, self.module.cells = self.module.cells, []
        rest = []
        for cell in cells:
            cell.ports = {name: self.resolve(sig) for name, sig in cell.ports.items()}
            if cell.kind.startswith("\\") or cell.kind in ("$memrd_v2", "$memwr_v2"):
                rest.append(cell)
                continue
            (output,) = cell.ports["Y"]
            assert output.wire is not None
            simpler = self._simpler(cell)
            operands = sorted((name, sig) for name, sig in cell.ports.items() if name != "Y")
            if cell.kind in COMMUTATIVE:
                operands.sort(key=lambda item: str(item[1]))
                operands = [("", sig) for _, sig in operands]
            key = (cell.kind, tuple(cell.parameters.items()), tuple(operands), output.width)
            if simpler is None and key in seen and anonymous(output.wire):
                simpler = seen[key]
            if simpler is None:
                seen.setdefault(key, cell.ports["Y"])
                rest.append(cell)
            else:
                found = True
                self._define(output.wire, simpler)
        # What was added on the way.
        self.module.cells = rest + self.module.cells
        return found

    def _simpler(self, cell: Cell) -> Sig | None:
        """Return what a cell is if it is no more than wires; may turn it into a simpler kind."""
        ports, kind = cell.ports, cell.kind
        width = ports["Y"][0].width
        number = computed(cell)
        if number is not None:
            return constant(number, width)
        if kind in ("$eq", "$ne") and value_of(ports["A"]) is not None:
            ports["A"], ports["B"] = ports["B"], ports["A"]
        if kind in ("$eq", "$ne") and width_of(ports["A"]) == 1 and value_of(ports["B"]) is not None:
            if (value_of(ports["B"]) == 1) == (kind == "$eq"):
                return ports["A"]
            cell.kind, cell.ports = "$not", {"A": ports["A"], "Y": ports["Y"]}
        elif kind in REDUCING and width_of(ports["A"]) <= 1:
            return resized(ports["A"], 1) if ports["A"] else constant(kind == "$reduce_and", 1)
        elif kind == "$mux":
            return self._simpler_mux(cell, width)
        elif kind in ("$part", *SHIFTING) and (steps := value_of(ports["B"])) is not None:
            return self._shifted_by(cell, steps, width)
        elif kind == "$part" and not (
            ports["A"][0].wire and ports["A"] == self.module.whole(ports["A"][0].wire)
        ):
            whole = max(width, width_of(ports["A"]))
            shifted = self._cell("$shr", whole, A=resized(ports["A"], whole), B=ports["B"])
            return cut(shifted, 0, width)
        elif kind in ("$and", "$or"):
            zero, ones = constant(0, width), constant(-1, width)
            for one, other in (("A", "B"), ("B", "A")):
                if ports[one] == (zero if kind == "$and" else ones):
                    return ports[one]
                if ports[one] == (ones if kind == "$and" else zero):
                    return ports[other]
            if ports["A"] == ports["B"]:
                return ports["A"]
        elif kind in ("$add", "$sub") and value_of(ports["B"]) == 0:
            return ports["A"]
        return None

    def _simpler_mux(self, cell: Cell, width: int) -> Sig | None:
        condition, no, yes = cell.ports["S"], cell.ports["A"], cell.ports["B"]
        if no == yes:
            return no
        if (chosen := value_of(condition)) is not None:
            return yes if chosen else no
        if width == 1:
            output = cell.ports["Y"]
            if (value_of(no), value_of(yes)) == (0, 1):
                return condition
            if (value_of(no), value_of(yes)) == (1, 0):
                cell.kind, cell.ports = "$not", {"A": condition, "Y": output}
            elif value_of(no) == 0:
                cell.kind, cell.ports = "$and", {"A": condition, "B": yes, "Y": output}
            elif value_of(yes) == 1:
                cell.kind, cell.ports = "$or", {"A": condition, "B": no, "Y": output}
            elif value_of(yes) == 0:
                cell.kind, cell.ports = (
                    "$and",
                    {"A": self._cell("$not", 1, A=condition), "B": no, "Y": output},
                )
            elif value_of(no) == 1:
                cell.kind, cell.ports = (
                    "$or",
                    {"A": self._cell("$not", 1, A=condition), "B": yes, "Y": output},
                )
        return None

    def _adopt_names(self) -> None:
        """Give a wire that is unnamed, or only there to become an output, the name that the source has for it."""
        module = self.module
        driven = {
            cell.wire(port): (cell, port)
            for cell in module.cells
            for port in cell.outputs
            if cell.ports.get(port)
        }
        for name, sig in list(module.connections.items()):
            sig = self.resolve(sig)
            wire = str(sig[0].wire) if len(sig) == 1 else ""
            if wire not in driven or wire in module.ports or sig != module.whole(wire):
                continue
            if anonymous(wire) or plain_name(wire) == plain_name(name):
                cell, port = driven.pop(wire)
                del module.connections[name]
                cell.ports[port] = module.whole(name)
                self.replaced[wire] = module.whole(name)
