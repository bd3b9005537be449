# SPDX-License-Identifier: BSD-2-Clause
"""Writes a netlist as Verilog-2005."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from erbium.gen.netlist.bits import (
    Bits,
    Sig,
    cut,
    joined,
    plain_name,
    resized,
    unions,
    value_of,
    width_of,
)
from erbium.gen.netlist.choices import Choice, Write, merged
from erbium.gen.netlist.fields import all_read, read_bits
from erbium.gen.netlist.module import Assign, Cell, Netlist, Register, Statement
from erbium.gen.netlist.statements import UNNAMED_PORT, anonymous

COLUMNS = 110


_KEYWORDS_TEXT = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin
bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking
cmos config const constraint context continue cover covergroup coverpoint cross deassign default defparam
design disable dist do edge else end endcase endchecker endclass endclocking endconfig endfunction
endgenerate endgroup endinterface endmodule endpackage endprimitive endprogram endproperty endspecify
endsequence endtable endtask enum event eventually expect export extends extern final first_match for
force foreach forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone
ignore_bins illegal_bins implements implies import incdir include initial inout input inside instance int
integer interconnect interface intersect join join_any join_none large let liblist library local
localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos
nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive
priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent
pure rand randc randcase randsequence rcmos real realtime ref reg reject_on release repeat restrict return
rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared
sequence shortint shortreal showcancelled signed small soft solve specify specparam static string strong
strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this
throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef
union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait wait_order
wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
KEYWORDS = frozenset(_KEYWORDS_TEXT.split())
"""Words that Verilog or SystemVerilog keeps for itself."""
_RESULT = "%FUNCTION%"
"""Stands for the name of a function, which is also its result, until it has one."""
INLINE_UP_TO = 88
"""An unnamed value that is used once is written where it is used, up to so many characters."""

_BINARY = {
    "$add": "+",
    "$sub": "-",
    "$mul": "*",
    "$and": "&",
    "$or": "|",
    "$xor": "^",
    "$eq": "==",
    "$ne": "!=",
    "$lt": "<",
    "$le": "<=",
    "$gt": ">",
    "$ge": ">=",
    "$shl": "<<",
    "$shr": ">>",
    "$divfloor": "/",
    "$modfloor": "%",
}
_UNARY = {
    "$not": "~",
    "$neg": "-",
    "$reduce_or": "|",
    "$reduce_bool": "|",
    "$reduce_and": "&",
    "$reduce_xor": "^",
}


def _number(value: int, width: int) -> str:
    if width == 1:
        return f"1'b{value}"
    return f"{width}'d{value}" if value < 10 else f"{width}'h{value:x}"


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


class Names:
    """Hands out identifiers, each once."""

    def __init__(self, used: Iterable[str] = ()) -> None:
        self._used = {*KEYWORDS, *used}

    @property
    def used(self) -> frozenset[str]:
        return frozenset(self._used)

    def take(self, wish: str) -> str:
        name, number = wish, 1
        if wish in KEYWORDS:
            wish = name = f"{wish}_"
        while name in self._used:
            number += 1
            name = f"{wish}_{number}"
        self._used.add(name)
        return name


class Writer:
    """Writes one module."""

    def __init__(
        self,
        module: Netlist,
        name: str = "",
        writers: dict[str, Writer] | None = None,
        outer: frozenset[str] | None = None,
        *,
        power_up: bool = True,
    ) -> None:
        self.power_up = power_up
        self.module = module
        self.name = name
        self.writers = {} if writers is None else writers
        self.outer = outer
        self.lines: list[str] = []
        self.cell_of = {
            cell.wire(port): cell
            for cell in module.cells
            for port in cell.outputs
            if port in cell.ports and cell.kind != "$memwr_v2"
        }
        self.operators = {
            wire: cell
            for wire, cell in self.cell_of.items()
            if cell.kind.startswith("$") and cell.kind != "$memrd_v2"
        }
        self.registers = {register.wire: register for register in module.registers}
        self.clocked_reads = {
            wire
            for wire, cell in self.cell_of.items()
            if cell.kind == "$memrd_v2" and cell.flag("CLK_ENABLE")
        }
        self._texts: dict[str, str] = {}
        self._uses: Counter[str] = Counter()
        self._fixed: set[str] = set()
        self._count_uses()
        self.names: dict[str, str] = {}
        self.instance_names: dict[str, str] = {}
        self._unnamed = Names(outer or ())
        self._serial = 0
        self._functions: dict[str, str] = {}
        self._guards = self._find_guards()
        self._give_names()

    # --- names

    def _count_uses(self) -> None:
        for sig in all_read(self.module):
            for part in sig:
                if part.wire is not None:
                    self._uses[part.wire] += 1
                    if (part,) != self.module.whole(part.wire):
                        self._fixed.add(part.wire)
        transparent = any(cell.parameters.get("TRANSPARENCY_MASK") for cell in self.module.cells)
        for cell in self.module.cells:
            if transparent and cell.kind == "$memwr_v2":
                self._fixed |= {str(part.wire) for sig in cell.ports.values() for part in sig}
            if cell.kind.startswith("\\") or cell.kind == "$part":
                self._fixed |= {str(part.wire) for sig in cell.ports.values() for part in sig}
            if cell.kind == "$sshr":
                self._fixed.add(cell.wire("Y"))
            if cell.kind == "$memwr_v2" and len(list(_runs(cell.ports["EN"]))) > 1:
                self._fixed |= {str(part.wire) for port in ("DATA", "EN") for part in cell.ports[port]}

    def _give_names(self) -> None:
        module, names = self.module, self._unnamed
        for wire in sorted(module.ports, key=lambda wire: wire not in ("\\clk", "\\rst")):
            if wire == _RESULT:
                self.names[wire] = _RESULT
            elif UNNAMED_PORT.fullmatch(wire):
                self.names[wire] = names.take(self._wish_of_port(wire))
            elif module.is_top:
                # Who uses the module knows these names, whatever they are.
                name = wire[1:]
                plain = re.fullmatch(r"[A-Za-z_]\w*", name) and name not in KEYWORDS
                self.names[wire] = names.take(name if plain else f"\\{name} ")
            else:
                self.names[wire] = names.take(plain_name(wire))
        own = plain_name(module.name.rpartition(".")[2])
        for wire in module.memories:
            name = plain_name(wire)
            # An array with the name of the instance that holds it would hide it.
            self.names[wire] = names.take(f"{name}_words" if name == own else name)
        for wire in [*self.registers, *self.cell_of, *module.connections]:
            if wire not in self.names and not anonymous(wire) and wire not in self._guards:
                self.names[wire] = names.take(self._wish(wire))
        for cell in module.cells:
            if cell.kind.startswith("\\"):
                self.instance_names[cell.name] = names.take(plain_name(cell.name))
                for port in cell.outputs:
                    wire = cell.wire(port) if port in cell.ports else ""
                    if wire and wire not in self.names:
                        self.names[wire] = names.take(f"{plain_name(cell.name)}_{plain_name(port)}")
        self._given = names.used

    def _wish_of_port(self, wire: str) -> str:
        for alias, sig in self.module.aliases.items():
            if any(part.wire == wire for part in sig) and "." not in alias:
                return plain_name(alias)
        return "port"

    def _name(self, wire: str) -> str:
        if wire not in self.names:
            self._serial += 1
            wish = f"{'n' if self.outer is None else 't'}{self._serial}"
            self.names[wire] = self._unnamed.take(wish if anonymous(wire) else self._wish(wire))
        return self.names[wire]

    def _wish(self, wire: str) -> str:
        """Return the name that a wire should have; inside of a function that serves all lanes without number."""
        return plain_name(wire) if self.outer is None else re.sub(r"_\d+$", "", plain_name(wire))

    # --- functions

    def _find_guards(self) -> dict[str, object]:
        """Return the operators that matter to nothing but registers under one condition, with that condition.

        They are written as functions inside of that condition: a simulator then evaluates them only when the
        condition holds, and lanes that do the same share one text.
        """
        uses: dict[str, set[object]] = {}

        def use(sig: Sig, where: object) -> None:
            for part in sig:
                if part.wire in self.operators:
                    uses.setdefault(str(part.wire), set()).add(where)

        def visit(statements: Iterable[Statement], guard: object) -> None:
            for statement in statements:
                if isinstance(statement, Assign):
                    use(statement.value, guard)
                    continue
                use(statement.selector, None)
                for patterns, body in statement.cases:
                    visit(body, guard or (statement.selector, patterns))

        transparent = any(cell.parameters.get("TRANSPARENCY_MASK") for cell in self.module.cells)
        users: dict[str, list[str]] = {}
        for wire, cell in self.operators.items():
            for port, sig in cell.ports.items():
                for part in sig if port != "Y" else ():
                    if part.wire in self.operators:
                        users.setdefault(str(part.wire), []).append(wire)
        for register in self.module.registers:
            use(register.reset, None)
            visit(register.statements, None)
        for sig in self.module.connections.values():
            use(sig, None)
        for cell in self.module.cells:
            if cell.kind.startswith("\\") or cell.kind in ("$memrd_v2", "$memwr_v2"):
                enables = list(_runs(cell.ports["EN"])) if cell.kind == "$memwr_v2" else []
                alone = len(enables) == 1 and not transparent
                for port, sig in cell.ports.items():
                    use(sig, (enables[0][2], ("1",)) if port == "DATA" and alone else None)
        result: dict[str, object] = {}
        for wire in self._readers_first(users):
            guards = set(uses.get(wire, ())) | {result.get(user) for user in users.get(wire, ())}
            if len(guards) == 1 and None not in guards and wire not in self.module.ports:
                (result[wire],) = guards
        return result

    def _readers_first(self, users: dict[str, list[str]]) -> list[str]:
        """Return the operators, each behind all that read it."""
        order: list[str] = []
        done: set[str] = set()
        for start in self.operators:
            stack = [(start, False)]
            while stack:
                wire, ready = stack.pop()
                if ready:
                    order.append(wire)
                elif wire not in done:
                    done.add(wire)
                    stack.append((wire, True))
                    stack += [(user, False) for user in users.get(wire, ()) if user not in done]
        return order

    def _assigned(self, target: str, value: Sig) -> str:
        """Return what a register is assigned, with calls for what no wire holds."""
        groups: list[list[Bits]] = []
        for part in value:
            if groups and part.wire in self._guards and groups[-1][-1].wire == part.wire:
                groups[-1].append(part)
            else:
                groups.append([part])
        texts = [
            self._call(target, tuple(group)) if group[0].wire in self._guards else self.sig(tuple(group))
            for group in groups
        ]
        if not any(part.wire in self._guards for part in value):
            return self.sig(value)
        return texts[0] if len(texts) == 1 else "{" + ", ".join(reversed(texts)) + "}"

    def _call(self, target: str, result: Sig) -> str:
        """Return an expression for bits of an operator that is written inside of a condition."""
        root = str(result[0].wire)
        cone: dict[str, Cell] = {}
        leaves: dict[str, list[tuple[int, int]]] = {}
        pending = [root]
        while pending:
            wire = pending.pop()
            if wire in cone:
                continue
            cone[wire] = self.operators[wire]
            for port, sig in sorted(self.operators[wire].ports.items()):
                for part in sig if port != "Y" else ():
                    if part.wire in self._guards:
                        pending.append(str(part.wire))
                    elif part.wire is not None:
                        leaves.setdefault(part.wire, []).append((part.low, part.low + part.width))
        inner = [wire for wire in cone if wire != root]
        if (
            result == self.module.whole(root)
            and all(self._single(wire) for wire in cone)
            and all(self._inlined(wire) for wire in inner)
        ):
            text = self._text(root)
            if len(text) <= INLINE_UP_TO:
                return text
        pseudo = Netlist(root)
        arguments: list[Bits] = []
        taken = Names(self._given)
        replaced: dict[str, list[tuple[Bits, str]]] = {}
        for wire, ranges in leaves.items():
            for low, high in unions(ranges):
                wish = "a" if anonymous(wire) else re.sub(r"_\d+$", "", plain_name(wire))
                name = "\\" + taken.take(f"{wish}_in" if wish in self._given else wish)
                pseudo.ports[name], pseudo.widths[name] = "input", high - low
                arguments.append(Bits(wire, low, high - low))
                replaced.setdefault(wire, []).append((arguments[-1], name))

        def inside(sig: Sig) -> Sig:
            parts = []
            for part in sig:
                for argument, name in replaced.get(part.wire or "", ()):
                    if argument.low <= part.low < argument.low + argument.width:
                        part = Bits(name, part.low - argument.low, part.width)
                        break
                parts.append(part)
            return joined(parts)

        for wire, cell in cone.items():
            pseudo.widths[wire] = self.module.widths[wire]
            ports = {port: sig if port == "Y" else inside(sig) for port, sig in cell.ports.items()}
            pseudo.cells.append(Cell(cell.kind, cell.name, cell.parameters, ports))
        pseudo.cells.reverse()
        pseudo.ports[_RESULT], pseudo.widths[_RESULT] = "output", width_of(result)
        pseudo.connections[_RESULT] = result
        text = Writer(pseudo, outer=self._given).function()
        if text not in self._functions:
            base = re.sub(r"_\d+$", "", self.names[target])
            self._functions[text] = self._unnamed.take(f"next_{base}")
        values = ", ".join(self.sig((argument,)) for argument in arguments)
        return f"{self._functions[text]}({values})"

    def function(self) -> str:
        """Return this module, which has one output and no state, as a function with a blank for its name."""
        module, widths = self.module, self.module.widths
        lines = []
        for wire, text in self._in_order():
            lines += self._wrapped(f"{self._name(wire)} = {text};", 3)
        locals_ = [
            f"    reg {_range(widths[wire])}{name};"
            for wire, name in self.names.items()
            if wire not in module.ports
        ]
        unused = self._unused_bits()
        if unused:
            locals_.append("    reg unused_bits;")
            lines += self._wrapped(f"unused_bits = &{self.sig((*unused, Bits(None, 0, 1)))};", 3)
        inputs = ", ".join(
            f"input {_range(widths[wire])}{self.names[wire]}"
            for wire, way in module.ports.items()
            if way == "input"
        )
        head = self._wrapped(f"function automatic {_range(widths[_RESULT])}{_RESULT}({inputs});", 1)
        return "\n".join([*head, *locals_, "    begin", *lines, "    end", "  endfunction"])

    # --- expressions

    def _inlined(self, wire: str) -> bool:
        """Return whether a wire is written where it is used."""
        return self._single(wire) and len(self._text(wire)) <= INLINE_UP_TO

    def _single(self, wire: str) -> bool:
        """Return whether a wire has no name and is used once, as a whole."""
        return (
            anonymous(wire)
            and wire in self.operators
            and self._uses[wire] == 1
            and wire not in self._fixed
            and wire not in self.names
        )

    def _text(self, wire: str) -> str:
        """Return the expression of an operator."""
        if wire not in self._texts:
            self._texts[wire] = self._operator(self.operators[wire])
        return self._texts[wire]

    def _operator(self, cell: Cell) -> str:
        ports, kind = cell.ports, cell.kind
        if kind == "$mux":
            condition, yes = self._operand(ports["S"]), self._operand(ports["B"])
            return f"{condition} ? {yes} : {self._operand(ports['A'], mux=True)}"
        if kind in _UNARY:
            return f"{_UNARY[kind]}{self._operand(ports['A'], 'unary')}"
        if kind == "$part":
            # An index is as wide as it takes to name every bit.
            index = self.sig(resized(ports["B"], (width_of(ports["A"]) - 1).bit_length()))
            return f"{self._name(cell.wire('A'))}[{index} +: {width_of(ports['Y'])}]"
        if kind == "$sshr":
            return f"$signed({self.sig(ports['A'])}) >>> {self._operand(ports['B'])}"
        if cell.flag("SIGNED"):
            return f"$signed({self.sig(ports['A'])}) {_BINARY[kind]} $signed({self.sig(ports['B'])})"
        left, right = self._operand(ports["A"], kind), self._operand(ports["B"])
        return f"{left} {_BINARY[kind]} {right}"

    def _operand(self, sig: Sig, kind: str = "", *, mux: bool = False) -> str:
        """Return an operand, in parentheses where it needs some."""
        wire = sig[0].wire if len(sig) == 1 else None
        if wire is None or not self._inlined(wire):
            return self.sig(sig)
        inner = self.operators[wire].kind
        if (mux and inner == "$mux") or (kind == inner and kind in ("$and", "$or", "$xor", "$add")):
            return self._text(wire)
        if inner in ("$not", "$part") and kind != "unary":
            return self._text(wire)
        return f"({self._text(wire)})"

    def sig(self, sig: Sig) -> str:
        """Return bits side by side as a name, a constant, an expression or a concatenation."""
        parts = [(part, 1) for part in sig]
        merged: list[tuple[Bits, int]] = []
        for part, count in parts:
            if merged and merged[-1][0] == part and part.wire is not None:
                merged[-1] = (part, merged[-1][1] + count)
            else:
                merged.append((part, count))
        texts = [
            self._part(part) if count == 1 else f"{{{count}{{{self._part(part)}}}}}" for part, count in merged
        ]
        if len(texts) == 1:
            return texts[0]
        return "{" + ", ".join(reversed(texts)) + "}"

    def _part(self, part: Bits) -> str:
        if part.wire is None:
            return _number(part.low, part.width)
        width = self.module.widths[part.wire]
        if part.width == width:
            return self._text(part.wire) if self._inlined(part.wire) else self._name(part.wire)
        name = self._name(part.wire)
        if part.width == 1:
            return f"{name}[{part.low}]"
        return f"{name}[{part.low + part.width - 1}:{part.low}]"

    # --- module

    def write(self) -> str:
        module = self.module
        ports = [self._port(wire) for wire in sorted(module.ports, key=lambda w: w not in ("\\clk", "\\rst"))]
        self.lines = [f"module {self.name} ("]
        self.lines += [f"  {port}," for port in ports[:-1]] + [f"  {ports[-1]}", ");"]
        wires, memory_ports, clocked = self._wires(), self._memory_ports(), self._clocked()
        functions = [line for text, name in self._functions.items() for line in _named_function(text, name)]
        body = [
            self._memories(),
            self._declarations(),
            wires,
            functions,
            self._instances(),
            self._initial(),
            memory_ports,
            clocked,
            self._unused(),
        ]
        for part in body:
            if part:
                self.lines += [*part, ""]
        if self.lines[-1] == "":
            self.lines.pop()
        self.lines.append("endmodule")
        return "\n".join(self.lines) + "\n"

    def _port(self, wire: str) -> str:
        kind = self.module.ports[wire]
        if wire in self.registers or wire in self.clocked_reads:
            kind += " reg"
        return f"{kind} {_range(self.module.widths[wire])}{self.names[wire]}"

    def _memories(self) -> list[str]:
        return [
            f"  reg {_range(memory.width)}{self.names[wire]} [0:{memory.depth - 1}];"
            for wire, memory in self.module.memories.items()
        ]

    def _declarations(self) -> list[str]:
        widths = self.module.widths
        result = [
            f"  reg {_range(widths[wire])}{self._name(wire)};"
            for wire in (*self.registers, *sorted(self.clocked_reads))
            if wire not in self.module.ports
        ]
        for cell in self.module.cells:
            if cell.kind.startswith("\\"):
                for port in cell.outputs:
                    wire = cell.wire(port) if port in cell.ports else ""
                    if wire and wire not in self.module.ports:
                        result.append(f"  wire {_range(widths[wire])}{self.names[wire]};")
        return result

    def _wires(self) -> list[str]:
        result: list[str] = []
        for wire, text in self._in_order():
            if wire in self.module.ports:
                result += self._wrapped(f"assign {self.names[wire]} = {text};", 1)
            else:
                result += self._wrapped(
                    f"wire {_range(self.module.widths[wire])}{self._name(wire)} = {text};", 1
                )
        return result

    def _in_order(self) -> Iterator[tuple[str, str]]:
        """Return every combinational wire that is written, with its value, behind those it reads."""
        module = self.module
        asynchronous = {
            wire: cell
            for wire, cell in self.cell_of.items()
            if cell.kind == "$memrd_v2" and wire not in self.clocked_reads
        }
        sources: dict[str, list[Sig]] = {wire: [sig] for wire, sig in module.connections.items()}
        for wire, cell in self.operators.items():
            if wire not in self._guards:
                sources[wire] = [sig for port, sig in cell.ports.items() if port != "Y"]
        for wire, cell in asynchronous.items():
            sources[wire] = [cell.ports["ADDR"]]
        done: set[str] = set()
        for start in sources:
            stack = [(start, False)]
            while stack:
                wire, ready = stack.pop()
                if not ready:
                    if wire in done or wire not in sources:
                        continue
                    done.add(wire)
                    stack.append((wire, True))
                    stack += [
                        (part.wire, False)
                        for sig in reversed(sources[wire])
                        for part in reversed(sig)
                        if part.wire is not None and part.wire not in done
                    ]
                elif wire in self.operators:
                    if not self._inlined(wire):
                        yield wire, self._text(wire)
                elif wire in asynchronous:
                    yield wire, self._read(asynchronous[wire])
                else:
                    yield wire, self.sig(module.connections[wire])

    def _wrapped(self, text: str, depth: int) -> list[str]:
        lead = "  " * depth
        if len(text) + len(lead) <= COLUMNS:
            return [lead + text]
        return textwrap.wrap(
            text,
            COLUMNS,
            initial_indent=lead,
            subsequent_indent=lead + "    ",
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _instances(self) -> list[str]:
        result = []
        for cell in self.module.cells:
            if not cell.kind.startswith("\\"):
                continue
            child = self.writers.get(cell.kind)
            kind = child.name if child else cell.kind[1:]
            inner = {port: child.names[f"\\{port}"] if child else port for port in cell.ports}
            parameters = ", ".join(f".{name}({_literal(value)})" for name, value in cell.parameters.items())
            lines = [
                line
                for port, sig in cell.ports.items()
                for line in self._wrapped(f".{inner[port]}({self.sig(sig)}),", 2)
            ]
            lines[-1] = lines[-1][:-1]
            head = f"  {kind} #({parameters})" if parameters else f"  {kind}"
            result += [f"{head} {self.instance_names[cell.name]} (", *lines, "  );"]
        return result

    def _initial(self) -> list[str]:
        lines: list[str] = []
        loops = []
        written = {cell.parameters["MEMID"] for cell in self.module.cells if cell.kind == "$memwr_v2"}
        for wire, memory in self.module.memories.items():
            name = self.names[wire]
            if memory.contents == 0 and wire in written and not self.power_up:
                continue
            if memory.contents == 0:
                loops.append((name, memory))
                continue
            mask = (1 << memory.width) - 1
            for index in range(memory.depth):
                value = memory.contents >> index * memory.width & mask
                lines.append(f"    {name}[{index}] = {_number(value, memory.width)};")
        for wire in self.registers if self.power_up else ():
            value, width = self.module.initial.get(wire, 0), self.module.widths[wire]
            lines.append(f"    {self._name(wire)} = {_number(value, width)};")
        result = []
        if loops:
            count = self._unnamed.take("index")
            result.append(f"  integer {count};")
            for name, memory in loops:
                lines.append(f"    for ({count} = 0; {count} < {memory.depth}; {count} = {count} + 1)")
                lines.append(f"      {name}[{count}] = {_number(0, memory.width)};")
        return [*result, "  initial begin", *lines, "  end"] if lines else []

    def _read(self, cell: Cell) -> str:
        memory = self.names[str(cell.parameters["MEMID"])]
        address = cell.ports["ADDR"]
        return f"{memory}[{self.sig(address) if address else 0}]"

    def _memory_ports(self) -> list[str]:
        """Write the clocked ports of the memories; those with the same enable stand in one block."""
        writes: dict[tuple[str, str], list[str]] = {}
        reads: dict[tuple[str, str], list[str]] = {}
        for cell in self.module.cells:
            if cell.kind == "$memwr_v2":
                edge = self._edge(cell.ports["CLK"], cell.flag("CLK_POLARITY"))
                for enable, line in self._memory_write(cell):
                    writes.setdefault((edge, enable), []).append(line)
            elif cell.kind == "$memrd_v2" and cell.flag("CLK_ENABLE"):
                edge = self._edge(cell.ports["CLK"], cell.flag("CLK_POLARITY"))
                enable = self._condition(cell.ports["EN"])
                reads.setdefault((edge, enable), []).extend(self._memory_read(cell))
        result: list[str] = []
        for (edge, enable), lines in [*writes.items(), *reads.items()]:
            if result:
                result.append("")
            result.append(f"  always @({edge}) begin")
            if enable:
                result += self._wrapped(f"if ({enable}) begin", 2)
            for line in lines:
                result += self._wrapped(line, 3 if enable else 2)
            result += ["    end", "  end"] if enable else ["  end"]
        return result

    def _edge(self, clock: Sig, rising: bool) -> str:
        return f"{'posedge' if rising else 'negedge'} {self.sig(clock)}"

    def _condition(self, enable: Sig) -> str:
        """Return a condition; empty if it always holds."""
        return "" if value_of(enable) == 1 else self.sig(enable)

    def _memory_write(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Return conditions and what is written under them."""
        data, memory = cell.ports["DATA"], str(cell.parameters["MEMID"])
        for low, high, enable in _runs(cell.ports["EN"]):
            if value_of(enable) != 0:
                part = "" if (low, high) == (0, width_of(data)) else f"[{high - 1}:{low}]"
                value = self._assigned(memory, cut(data, low, high - low))
                yield self._condition(enable), f"{self._read(cell)}{part} <= {value};"

    def _memory_read(self, cell: Cell) -> list[str]:
        name = self._name(cell.wire("DATA"))
        result = [f"{name} <= {self._read(cell)};"]
        mask = int(cell.parameters.get("TRANSPARENCY_MASK", 0))
        for writer in self.module.cells:
            if writer.kind != "$memwr_v2" or writer.parameters["MEMID"] != cell.parameters["MEMID"]:
                continue
            if not mask >> int(writer.parameters["PORTID"]) & 1:
                continue
            data = writer.ports["DATA"]
            same = f"{self.sig(writer.ports['ADDR'])} == {self.sig(cell.ports['ADDR'])}"
            for low, high, enable in _runs(writer.ports["EN"]):
                part = "" if (low, high) == (0, width_of(data)) else f"[{high - 1}:{low}]"
                condition = same if value_of(enable) == 1 else f"{self.sig(enable)} && {same}"
                value = self.sig(cut(data, low, high - low))
                result.append(f"if ({condition}) {name}{part} <= {value};")
        return result

    def _clocked(self) -> list[str]:
        groups: dict[object, list[Register]] = {}
        for register in self.module.registers:
            key = (register.clock, register.rising, register.reset, register.asynchronous)
            groups.setdefault(key, []).append(register)
        result: list[str] = []
        for registers in groups.values():
            if result:
                result.append("")
            result += self._block(registers)
        return result

    def _block(self, registers: list[Register]) -> list[str]:
        first = registers[0]
        edges = self._edge(first.clock, first.rising)
        nodes = merged([(register.wire, register.statements) for register in registers])
        if not first.reset:
            return [f"  always @({edges}) begin", *self._nodes(nodes, 2), "  end"]
        if first.asynchronous:
            edges += f" or posedge {self.sig(first.reset)}"
        resets = [
            f"      {self._name(register.wire)} <= "
            f"{_number(register.reset_value, self.module.widths[register.wire])};"
            for register in registers
        ]
        return [
            f"  always @({edges}) begin",
            f"    if ({self.sig(first.reset)}) begin",
            *resets,
            "    end else begin",
            *self._nodes(nodes, 3),
            "    end",
            "  end",
        ]

    def _nodes(self, nodes: list[Write | Choice], depth: int) -> list[str]:
        result: list[str] = []
        for node in nodes:
            if isinstance(node, Choice):
                result += self._choice(node, depth)
                continue
            value = node.assign.value
            target = self._part(Bits(node.wire, node.assign.low, width_of(value)))
            result += self._wrapped(f"{target} <= {self._assigned(node.wire, value)};", depth)
        return result

    def _choice(self, choice: Choice, depth: int) -> list[str]:
        lead, selector, cases = "  " * depth, choice.selector, choice.cases
        if width_of(selector) == 1:
            result = self._wrapped(f"if ({self.sig(selector)}) begin", depth)
            result += self._nodes(cases[0][1], depth + 1)
            if len(cases) > 1:
                rest = self._nodes(cases[1][1], depth)
                if len(cases[1][1]) == 1 and rest[0].startswith(f"{lead}if "):
                    return [*result, f"{lead}end else {rest[0].strip()}", *rest[1:]]
                result += [f"{lead}end else begin", *self._nodes(cases[1][1], depth + 1)]
            return [*result, f"{lead}end"]
        result = [f"{lead}case ({self.sig(selector)})"]
        for patterns, body in cases:
            width = width_of(selector)
            labels = ", ".join(f"{width}'b{pattern}" for pattern in patterns)
            if body:
                result.append(f"{lead}  {labels or 'default'}: begin")
                result += [*self._nodes(body, depth + 2), f"{lead}  end"]
            else:
                result.append(f"{lead}  {labels or 'default'}: ;")
        if cases[-1][0]:
            result.append(f"{lead}  default: ;")
        return [*result, f"{lead}endcase"]

    def _unused(self) -> list[str]:
        """Name the bits that nothing reads, so that linters know that they are meant."""
        parts = self._unused_bits()
        if not parts:
            return []
        name = self._unnamed.take("unused")
        return self._wrapped(f"wire {name} = &{self.sig((*parts, Bits(None, 0, 1)))};", 1)

    def _unused_bits(self) -> list[Bits]:
        read = read_bits(self.module)
        parts: list[Bits] = []
        for wire in (*self.module.ports, *self.registers, *self.cell_of, *self.module.connections):
            if wire not in self.names or wire in self._guards or self.module.ports.get(wire) == "output":
                continue
            width = self.module.widths[wire]
            at = 0
            while at < width:
                low = at
                while at < width and not read[wire] >> at & 1:
                    at += 1
                if at > low:
                    parts.append(Bits(wire, low, at - low))
                at += 1
        return parts


def _named_function(text: str, name: str) -> list[str]:
    """Return the lines of a function, whose text has a blank for its name, under its own name."""
    return text.replace(_RESULT, name).split("\n")


def _runs(enable: Sig) -> Iterator[tuple[int, int, Sig]]:
    """Return the stretches of equal bits: first bit, end, the bit."""
    bits = [
        Bits(part.wire, part.low + bit, 1) if part.wire else Bits(None, part.low >> bit & 1, 1)
        for part in enable
        for bit in range(part.width)
    ]
    low = 0
    for index in range(1, len(bits) + 1):
        if index == len(bits) or bits[index] != bits[low]:
            yield low, index, (bits[low],)
            low = index


def _literal(value: int | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    # A number without a width has 32 bits, and tools may cut longer ones.
    return str(value) if value < 1 << 31 else f"{value.bit_length()}'h{value:x}"
