# SPDX-License-Identifier: BSD-2-Clause
"""Block RAMs of FPGAs as the memories and registers that they are, in the modes that the array uses.

What `verif/cells` calls unknown, because the array never asks for it, may be any value here: what is read where it is
being written, and the output of an SPRAM after a write. The array's own flag ``collision`` watches over the first.
"""

from __future__ import annotations

from erbium.gen.netlist.bits import Bits, Sig, cut, joined, value_of
from erbium.gen.netlist.module import Assign, Cell, Memory, Netlist, Register
from erbium.gen.vectors.accept import UnknownCellError
from erbium.gen.vectors.graph import READ, WRITE, replace

_SPRAM_FIXED = {"STANDBY": 0, "SLEEP": 0, "POWEROFF": 1}
_DP16KD_FIXED = {
    "CEA": 1,
    "OCEB": 1,
    "WEB": 0,
    "RSTA": 0,
    "RSTB": 0,
    **{f"CS{p}{k}": 0 for p in "AB" for k in range(3)},
}
_DP16KD_MODES = {
    "REGMODE_B": "OUTREG",
    "RESETMODE": "SYNC",
    "WRITEMODE_A": "NORMAL",
    "WRITEMODE_B": "NORMAL",
    "CSDECODE_A": "0b000",
    "CSDECODE_B": "0b000",
}
_DP16KD_UNUSED = {9: 3, 18: 4}
"""Width of a word of a DP16KD, and how many of its lowest address bits choose no word."""


def replace_primitives(module: Netlist) -> None:
    """Replace every block RAM; other instances stay.

    Raises
    ------
    UnknownCellError
        For a block RAM in a mode that is not known.
    """
    known = {"\\SB_SPRAM256KA": _spram, "\\DP16KD": _dp16kd}
    cells, module.cells = module.cells, []
    driven: dict[str, dict[int, Bits]] = {}
    for cell in cells:
        if cell.kind not in known:
            module.cells.append(cell)
            continue
        for port, value in known[cell.kind](module, cell).items():
            (bits,) = cell.ports[port]
            for k in range(bits.width):
                driven.setdefault(str(bits.wire), {})[bits.low + k] = cut(value, k, 1)[0]
    replaced: dict[str, Sig] = {}
    for wire, parts in driven.items():
        # What nothing drives has no value of its own.
        missing = Bits(None, 0, 1)
        replaced[wire] = joined(parts.get(k, missing) for k in range(module.widths[wire]))
    module.connections |= {wire: value for wire, value in replaced.items() if wire in module.ports}
    replace(module, replaced)


def _check_ports(cell: Cell, fixed: dict[str, int]) -> None:
    for port, value in fixed.items():
        if value_of(cell.ports.get(port, ())) != value or not cell.ports.get(port):
            raise UnknownCellError(
                f"the cell {cell.kind[1:]!r} is not known with another {port} than {value}"
            )


def _memory(module: Netlist, cell: Cell, width: int, depth: int) -> str:
    name = f"{cell.name}.memory"
    module.memories[name] = Memory(width, depth)
    return name


def _read(
    module: Netlist, memory: str, width: int, clock: Sig, address: Sig, enable: Sig, name: str = "read"
) -> Sig:
    wire = module.new_wire(width)
    parameters: dict[str, int | str] = {
        "MEMID": memory,
        "CLK_ENABLE": 1,
        "CLK_POLARITY": 1,
        "TRANSPARENCY_MASK": 0,
    }
    ports = {"CLK": clock, "ADDR": address, "EN": enable, "DATA": module.whole(wire)}
    module.cells.append(Cell(READ, f"{memory}.{name}", parameters, ports, ("DATA",)))
    return module.whole(wire)


def _write(module: Netlist, memory: str, clock: Sig, address: Sig, enables: Sig, data: Sig) -> None:
    parameters: dict[str, int | str] = {"MEMID": memory, "CLK_ENABLE": 1, "CLK_POLARITY": 1, "PORTID": 0}
    ports = {"CLK": clock, "ADDR": address, "EN": enables, "DATA": data}
    module.cells.append(Cell(WRITE, f"{memory}.write", parameters, ports, ()))


def _gate(module: Netlist, kind: str, **ports: Sig) -> Sig:
    wire = module.new_wire(1)
    module.cells.append(Cell(kind, wire, {}, {**ports, "Y": module.whole(wire)}))
    return module.whole(wire)


def _spram(module: Netlist, cell: Cell) -> dict[str, Sig]:
    """One port of 16 bits; a write keeps the output, of which nobody may then think anything."""
    _check_ports(cell, _SPRAM_FIXED)
    ports = cell.ports
    memory = _memory(module, cell, 16, 1 << 14)
    clock, address, chosen, writes = (ports[name] for name in ("CLOCK", "ADDRESS", "CHIPSELECT", "WREN"))
    stores = _gate(module, "$and", A=chosen, B=writes)
    fetches = _gate(module, "$and", A=chosen, B=_gate(module, "$not", A=writes))
    enables = []
    for nibble in range(4):
        enables += [*_gate(module, "$and", A=stores, B=cut(ports["MASKWREN"], nibble, 1))] * 4
    _write(module, memory, clock, address, tuple(enables), ports["DATAIN"])
    return {"DATAOUT": _read(module, memory, 16, clock, address, fetches)}


def _dp16kd(module: Netlist, cell: Cell) -> dict[str, Sig]:
    """Port A writes words of 9 or 18 bits, port B reads such words into its output register.

    With an output register of its own, port A reads one in each clock in which it does not write.
    """
    _check_ports(cell, _DP16KD_FIXED)
    for name, mode in _DP16KD_MODES.items():
        if cell.parameters.get(name) != mode:
            raise UnknownCellError(f"the cell 'DP16KD' is not known with another {name} than {mode}")
    width = int(cell.parameters["DATA_WIDTH_A"])
    if width not in _DP16KD_UNUSED or cell.parameters["DATA_WIDTH_B"] != width:
        raise UnknownCellError("the cell 'DP16KD' is known with words of 9 or 18 bits at both ports only")
    unused, ports = _DP16KD_UNUSED[width], cell.ports
    if width == 18:
        # The lowest two bits of an address enable the halves of a word.
        _check_ports(cell, {"ADA0": 1, "ADA1": 1})
    clock = ports["CLKA"]
    if ports["CLKB"] != clock:
        raise UnknownCellError("the cell 'DP16KD' is not known with two clocks")
    addresses = {p: joined(part for bit in range(unused, 14) for part in ports[f"AD{p}{bit}"]) for p in "AB"}
    memory = _memory(module, cell, width, 1 << 14 - unused)
    module.memories[memory].contents = _contents(cell, width)
    data = joined(part for bit in range(width) for part in ports[f"DIA{bit}"])
    _write(module, memory, clock, addresses["A"], ports["WEA"] * width, data)
    fetched = {"B": _read(module, memory, width, clock, addresses["B"], ports["CEB"])}
    register = cell.parameters.get("REGMODE_A")
    if register == "OUTREG":
        _check_ports(cell, {"OCEA": 1})
        reads = _gate(module, "$not", A=ports["WEA"])
        fetched["A"] = _read(module, memory, width, clock, addresses["A"], reads, "second")
    elif register != "NOREG" or "DOA0" in ports:
        raise UnknownCellError(
            f"the cell 'DP16KD' is not known with REGMODE_A {register}, but as a port that only writes or as OUTREG"
        )
    driven: dict[str, Sig] = {}
    for port, value in fetched.items():
        held = module.new_wire(width)
        module.registers.append(Register(held, clock, True, (Assign(0, value),)))
        names = {bit: f"DO{port}{bit}" for bit in range(width)}
        driven |= {name: cut(module.whole(held), bit, 1) for bit, name in names.items() if name in ports}
    return driven


def _contents(cell: Cell, width: int) -> int:
    """Return with what a DP16KD begins: 16 words of 18 bits in each parameter, at distances of 20 bits."""
    contents = 0
    for block in range(64):
        value = int(cell.parameters.get(f"INITVAL_{block:02X}", 0))
        for word in range(16):
            contents |= (value >> 20 * word & (1 << 18) - 1) << 18 * (16 * block + word)
    assert width in (9, 18), "words of 9 bits lie there in pairs"
    return contents
