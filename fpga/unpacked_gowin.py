# SPDX-License-Identifier: BSD-2-Clause
"""The logic in a Gowin bitstream: what ``gowin_unpack`` finds in it, in cells that a simulator knows.

What apycula 0.32 leaves out is read here with its own tables. It names no function of most carry cells, and leaves out
those that begin a chain with a 1, so they are found tile by tile, and their truth tables are read by a second pass that
takes them for look-up tables. It names no mode of a block RAM, so its
attributes are read tile by tile, and no contents of memories, so these are, too. It knows no long wires, and of
the four taps of a clock's spine, of which a column has one, it takes the last. It gives small memories a fifth output,
which is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from erbium.fpga import tools
from erbium.fpga.boards import Board
from erbium.fpga.cells import Cell, Netlist, ReadBackError
from erbium.fpga.flow import BITSTREAMS
from erbium.sw_model.distribution import pip_install
from erbium.verif.environment import tool_environment
from erbium.verif.processes import run_within
from erbium.verif.simulators import ToolError

DEVICE = "GW1N-9C"
"""What apycula calls the die."""

PART = "GW1NR-9C"
"""What apycula calls the die in its package with memory beside it, for the pins."""

UNPACK_SECONDS = 1_800.0

_CONSTANTS = {"VCC": "1'b1", "VSS": "1'b0"}
_DEFINE = re.compile(r"^`define (\w+) (\w+)$")
_ASSIGN = re.compile(r"^assign `?(\w+) = `?(\w+);$")
_INSTANCE = re.compile(r"^(\w+) (\w+) \($")
_PIN = re.compile(r"^\.(\w+)\((.*)\),?$")
_PARAMETER = re.compile(r"^defparam (\w+)\.(\w+) = (.*);$")
_PLACE = re.compile(r"^R(\d+)C(\d+)_(?:ALU|LUT4)_(\d)$")
_OUTPUT = re.compile(r"^R(\d+)C(\d+)_F(\d)$")
_FLIP_FLOPS = ("DFF", "DFFE", "DFFRE", "DFFSE", "DFFCE", "DFFPE", "DFFR", "DFFS", "DFFC", "DFFP")
_LINES = 256
_QUARTERS = (0x00, 0x80, 0x40, 0xC0)
BLOCK_RAM_BITS = 18_432
_CARRIES = 6
"""Carry cells of a tile; the chain goes on in the next column."""

BLOCK_RAM_MODES = {
    # Attributes of the three tiles of a block RAM that tell what it is.
    frozenset(
        {("SPA_DATA_WIDTH", "9"), ("SPB_DATA_WIDTH", "9"), ("SPA_MODE", "WT"), ("SPB_MODE", "WT")}
    ): "GOWIN_DP9",
    frozenset({("DBLWA", "X36"), ("DBLWB", "X36")}): "GOWIN_SDP36",
}
_ALWAYS = {"CSA_0", "CSA_1", "CSA_2", "CSB_0", "CSB_1", "CSB_2", "GSR", "MODE", "OUTREG_ASYNC"}


def unpacked(folder: Path, board: Board, rx: str, tx: str) -> Netlist:
    """Return the cells of a bitstream.

    Parameters
    ----------
    folder : Path
        With the bitstream and the file of constraints ``erbium.cst``.
    board : Board
    rx, tx : str
        Names of the ports.

    Raises
    ------
    ToolError
        Without apycula, or if its unpacker fails.
    ReadBackError
        If something is in the bitstream that nobody here knows.
    """
    bitstream = BITSTREAMS[board.family]
    text = _run(folder, bitstream, "unpacked.v")
    tables = _tables(_run(folder, bitstream, "tables.v", "--noalu"))
    chip = _device()
    tiles = _tiles(chip, folder / bitstream, folder / "erbium.cst", board)
    made = Netlist()
    parsed = _Text(text)
    made.aliases = _mended(parsed.aliases, _driven(parsed), chip)
    for kind, name, pins in parsed.instances:
        if kind in ("IBUF", "IOBUF"):
            _pad(made, name, pins, {tiles.pads[rx]: "rx", tiles.pads[tx]: "tx"})
        elif kind == "rPLL":
            made.clocks.append(pins["CLKOUT"][0])
            made.aliases[pins["LOCK"][0]] = "1'b1"
        elif kind == "ALU":
            continue
        elif kind == "RAM16SDP4":
            place = tuple(map(int, re.findall(r"\d+", name)[:2]))
            made.cells.append(_logic(kind, name, pins, tiles.contents[place]))
        elif kind == "BSRAM":
            made.cells.append(_block_ram(name, pins, tiles))
        else:
            made.cells.append(_logic(kind, name, pins, parsed.parameters.get(name, {})))
    made.cells += [_carry(*place, tables) for place in tiles.carries]
    made.resolve()
    _tie(made)
    _unhook(made)
    return made


def _run(folder: Path, bitstream: str, output: str, *options: str) -> str:
    """Unpack a bitstream, and return the Verilog."""
    program = tools.find("gowin_unpack").require()
    command: list[str | Path] = [program, "-d", DEVICE, "-o", output, *options, bitstream]
    done = run_within(UNPACK_SECONDS, command, folder, tool_environment())
    if done.returncode:
        raise ToolError(
            f"gowin_unpack stopped with exit code {done.returncode}: {(done.stdout + done.stderr)[-500:]}"
        )
    return (folder / output).read_text()


class _Text:
    """The Verilog of the unpacker, line by line.

    Attributes
    ----------
    aliases : dict of str
    instances : list of tuple
        Kind, name, and pins, the highest bit first.
    parameters : dict of dict of str
    """

    def __init__(self, text: str) -> None:
        self.aliases: dict[str, str] = dict(_CONSTANTS)
        self.instances: list[tuple[str, str, dict[str, list[str]]]] = []
        self.parameters: dict[str, dict[str, str]] = {}
        self._defined: dict[str, str] = {}
        self._take(text)
        self.aliases |= self._defined

    def _take(self, text: str) -> None:
        pins: dict[str, list[str]] = {}
        for line in text.splitlines():
            if found := _PIN.match(line):
                pins[found[1]] = [net.strip().removeprefix("`") for net in found[2].strip("{}").split(",")]
            elif found := _ASSIGN.match(line):
                self._assign(found[1], found[2])
            elif found := _INSTANCE.match(line):
                pins = {}
                self.instances.append((found[1], found[2], pins))
            elif found := _PARAMETER.match(line):
                self.parameters.setdefault(found[1], {})[found[2]] = found[3]
            elif found := _DEFINE.match(line):
                self._defined[found[1]] = found[2]

    def _assign(self, net: str, source: str) -> None:
        net = self._defined.get(net, net)
        if net in _CONSTANTS:
            return
        if self.aliases.setdefault(net, source) != source:
            raise ReadBackError(
                f"net {net} of the bitstream is driven by {self.aliases[net]} and by {source}"
            )


def _tables(text: str) -> dict[tuple[str, str, str], str]:
    """Return the truth tables by row, column and place in the tile."""
    found, parsed = {}, _Text(text)
    for net, source in parsed.aliases.items():
        # Of a table of zeros only its output is left.
        if source == "VSS" and (place := _OUTPUT.match(net)):
            found[place[1], place[2], place[3]] = "16'h0000"
    for name, values in parsed.parameters.items():
        if place := _PLACE.match(name):
            found[place[1], place[2], place[3]] = values["INIT"]
    return found


def _carry(row: int, column: int, number: int, tables: dict[tuple[str, str, str], str]) -> Cell:
    """Return a carry cell; its pins are where they are in each tile."""
    here = f"R{row}C{column}"
    after = f"{here}_CIN{number + 1}" if number + 1 < _CARRIES else f"R{row}C{column + 1}_CIN0"
    pins = {f"I{k}": [f"{here}_{letter}{number}"] for k, letter in enumerate("ABCD")}
    pins |= {"CIN": [f"{here}_CIN{number}"], "COUT": [after], "SUM": [f"{here}_F{number}"]}
    # A table of ones has no fuse that is blown, and the unpacker does not see it.
    init = tables.get((str(row), str(column), str(number)), "16'hffff")
    return Cell("GOWIN_CARRY", f"{here}_ALU_{number}", {"INIT": init}, pins, frozenset({"COUT", "SUM"}))


def _logic(kind: str, name: str, pins: dict[str, list[str]], parameters: dict[str, str]) -> Cell:
    outputs = {"LUT4": "F", "MUX2": "O", "RAM16SDP4": "DO", **dict.fromkeys(_FLIP_FLOPS, "Q")}
    if kind not in outputs:
        raise ReadBackError(f"cell {name} of the bitstream is a {kind}, of which nobody says how it behaves")
    if kind == "RAM16SDP4":
        pins = pins | {"DO": pins["DO"][-4:]}
    return Cell(kind, name, parameters, pins, frozenset({outputs[kind]}))


def _pad(made: Netlist, name: str, pins: dict[str, list[str]], roles: dict[str, str]) -> None:
    match roles.get(name.replace("_IBUF_", "_").replace("_IOBUF_", "_")):
        case "rx":
            made.rx = pins["O"][0]
        case "tx":
            made.tx = pins["I"][0]


def _block_ram(name: str, pins: dict[str, list[str]], tiles: _Tiles) -> Cell:
    found = re.match(r"R(\d+)C(\d+)_", pins["CLKA"][0])
    if found is None:
        raise ReadBackError(f"block RAM {name} has no place")
    place = int(found[1]), int(found[2])
    attributes = tiles.modes[place]
    kind = BLOCK_RAM_MODES.get(attributes)
    if kind is None:
        raise ReadBackError(
            f"block RAM {name} has the attributes {sorted(attributes)}, which nobody here knows"
        )

    def bus(port: str, width: int) -> list[str]:
        return [pins[f"{port}{bit}"][0] for bit in reversed(range(width))]

    contents = {"INIT": f"{BLOCK_RAM_BITS}'h{tiles.initial[place]:x}"}
    common = {port: pins[port] for port in ("CLKA", "CEA", "WREA", "CLKB", "CEB", "WREB")}
    common |= {port: bus(port, 14) for port in ("ADA", "ADB")}
    if kind == "GOWIN_SDP36":
        common |= {"DI": bus("DI", 36), "DO": bus("DO", 36)}
        return Cell(kind, name, contents, common, frozenset({"DO"}))
    common |= {port: bus(port, 9) for port in ("DIA", "DIB", "DOA", "DOB")}
    return Cell(kind, name, contents, common, frozenset({"DOA", "DOB"}))


def _driven(parsed: _Text) -> set[str]:
    """Return the nets that cells drive, before they are joined."""
    ports = ("F", "O", "Q", "DO", "SUM", "COUT", "CLKOUT", "LOCK")
    return {
        net
        for _, _, pins in parsed.instances
        for port, nets in pins.items()
        if port in ports or port.startswith("DO")
        for net in nets
    }


def _device() -> Any:
    """Return apycula's tables of the die."""
    try:
        from apycula.chipdb import load_chipdb
    except ModuleNotFoundError:
        raise ToolError(f"apycula is not installed; get it with '{pip_install('apycula')}'") from None
    with resources.as_file(resources.files("apycula") / f"{DEVICE}.msgpack.xz") as path:
        return load_chipdb(path)


def _mended(aliases: dict[str, str], driven: set[str], device: Any) -> dict[str, str]:
    """Return the aliases with the long wires, and with the taps of the clocks' spines that are there."""
    spines = {
        _net(*place)
        for _, places in device.nodes.values()
        for place in places
        if place[2].startswith("SPINE")
    }

    def tap(net: str) -> str:
        found = re.match(r"(R\d+C\d+_SPINE)(\d+)$", net)
        if found is None or net in spines:
            return net
        first = int(found[2]) // 4 * 4
        there = [one for one in (f"{found[1]}{k}" for k in range(first, first + 4)) if one in spines]
        return there[0] if len(there) == 1 else net

    mended = {net: tap(source) for net, source in aliases.items()}
    _join_nodes(mended, driven, device)
    for (_, column, index), segment in device.segments.items():
        half = index // 4
        ends = [
            _net(segment[f"{end}_row"], column, segment[f"{end}_wire"])
            for end in ("top", "bottom")
            if segment[f"{end}_wire"]
        ]
        sources = [end for end in ends if end in aliases]
        for row in range(segment["min_y"], segment["max_y"] + 1):
            if sources:
                mended[_net(row, column, f"LT0{1 + 3 * half}")] = sources[0]
            for place in range(segment["min_x"], segment["max_x"] + 1):
                mended[_net(row, place, f"LB{index}1")] = _net(row, column, f"LBO{half}")
    return mended


def _join_nodes(aliases: dict[str, str], driven: set[str], device: Any) -> None:
    """Make one net of the wires of each node; the unpacker joins only those that its own text names."""
    for _, places in device.nodes.values():
        nets = sorted(_net(*place) for place in places)
        sources = [net for net in nets if net in driven or (net in aliases and aliases[net] not in nets)]
        named = [aliases[net] for net in nets if aliases.get(net) in nets]
        root = (sources or named or nets)[0]
        for net in nets:
            # An output of a block RAM has a name for each of its modes.
            if net != root and (net not in sources or net in driven):
                aliases[net] = root
        if aliases.get(root) in nets:
            del aliases[root]


def _net(row: int, column: int, wire: str) -> str:
    return f"R{row + 1}C{column + 1}_{wire}"


def _tie(made: Netlist) -> None:
    """Connect what nobody drives: a carry that comes in is 0, and all else 1."""
    tied = {
        net: "1'b0" if all(reader.endswith(".CIN") for reader in readers) else "1'b1"
        for net, readers in made.floating().items()
    }
    for cell in made.cells:
        cell.pins = {port: [tied.get(net, net) for net in nets] for port, nets in cell.pins.items()}


def _unhook(made: Netlist) -> None:
    """Put a 1 on the inputs of look-up tables and carry cells that decide nothing.

    No switch of the part is open: where nothing was routed to an input, it still hears some net, often one that the
    cell itself drives. A simulator would see a loop there that is none.
    """
    for cell in made.cells:
        if cell.kind not in ("LUT4", "GOWIN_CARRY"):
            continue
        table = int(cell.parameters["INIT"].removeprefix("16'h"), 16)
        nets = [cell.pins[f"I{k}"][0] for k in range(4)]
        # The quarter that says which carry is made is read with the upper two inputs at 0, whatever they are.
        readings = [nets] if cell.kind == "LUT4" else [nets, [*nets[:2], "1'b0", "1'b0"]]
        for k, net in enumerate(nets):
            if not net.startswith("1'b") and not any(_decides(table, reading, k) for reading in readings):
                cell.pins[f"I{k}"] = ["1'b1"]


def _decides(table: int, nets: list[str], k: int) -> bool:
    """Whether input k of a truth table of 16 bits changes what comes out, its constant inputs being what they are."""
    if nets[k].startswith("1'b"):
        return False
    possible = [
        row
        for row in range(16)
        if all(row >> j & 1 == int(net[-1]) for j, net in enumerate(nets) if net.startswith("1'b"))
    ]
    return any(table >> row & 1 != table >> (row ^ 1 << k) & 1 for row in possible)


class _Tiles(NamedTuple):
    """What is read tile by tile.

    Members
    -------
    pads : of the ports, by their names
    modes : attributes of block RAMs, by row and column
    contents : of small memories, by row and column
    initial : what block RAMs hold at first, by row and column: 1,024 words of 18 bits, the first one lowest
    carries : row, column and place of the carry cells
    """

    pads: dict[str, str]
    modes: dict[tuple[int, int], frozenset[Any]]
    contents: dict[tuple[int, ...], dict[str, str]]
    initial: dict[tuple[int, int], int]
    carries: list[tuple[int, int, int]]


def _tiles(device: Any, bitstream: Path, constraints: Path, board: Board) -> _Tiles:
    from apycula import attrids, chipdb
    from apycula.bslib import read_bitstream
    from apycula.gowin_unpack import parse_attrvals

    bits = read_bitstream(str(bitstream))[0]
    tiles = chipdb.tile_bitmap(device, bits)
    values = {number: name for name, number in attrids.bsram_attrvals.items()}
    modes: dict[tuple[int, int], frozenset[Any]] = {}
    for row, column in _block_ram_places(device):
        found: set[tuple[str, str]] = set()
        for place in ((row, column + k) for k in range(3)):
            table = device.shortval[device[place].ttyp].get("BSRAM_SP")
            if table is None or place not in tiles:
                continue
            read = parse_attrvals(
                tiles[place], device.rev_logicinfo("BSRAM"), table, attrids.bsram_attrids, "BSRAM"
            )
            found |= {
                (name, values.get(value, str(value))) for name, value in read.items() if name not in _ALWAYS
            }
        modes[row + 1, column + 1] = frozenset(found)
    contents: dict[tuple[int, ...], dict[str, str]] = {
        (row + 1, column + 1): _contents(device[row, column].bels, tile)
        for (row, column), tile in tiles.items()
        if "RAM16" in device[row, column].bels
    }
    carries = [
        (row + 1, column + 1, number)
        for (row, column), tile in sorted(tiles.items())
        for number in range(_CARRIES)
        if f"ALU{number}" in device[row, column].bels
        and _slice_mode(device, row, column, tile, number) == attrids.cls_attrvals["ALU"]
    ]
    pinout = device.pinout[PART][board.package.replace("QN", "QFN")]
    located = dict(re.findall(r'IO_LOC "(\S+)" (\d+);', constraints.read_text()))
    pads = {port: _site(pinout[pin][0], device) for port, pin in located.items()}
    initial = {
        (row + 1, column + 1): _initial(device, bits, row, column)
        for row, column in _block_ram_places(device)
        if modes[row + 1, column + 1] in BLOCK_RAM_MODES
    }
    return _Tiles(pads, modes, contents, initial, carries)


def _initial(device: Any, bits: Any, row: int, column: int) -> int:
    """Return what a block RAM holds at first; a bitstream without such contents ends before them.

    They stand after the fuses of the tiles, 256 lines for each row of block RAMs, the last line first, and a block RAM
    is three tiles wide. Apycula's table says in which column a bit of a word of 18 is; which line it is follows from
    the address, whose lowest two bits choose a quarter.
    """
    lines = bits[device.height + _LINES * sorted(device.simplio_rows).index(row) :][:_LINES]
    left = sum(device[0, place].width for place in range(column))
    places = device.rev_logicinfo("BSRAM_INIT")
    total = 0
    for address in range(1024 if len(lines) else 0):
        line = lines[_LINES - 1 - (_QUARTERS[address & 3] + (address >> 2 & 0x3F))]
        for bit in range(18):
            if line[left + places[bit * 4 + (address >> 8)][0] - 1]:
                total |= 1 << 18 * address + bit
    return total


def _slice_mode(device: Any, row: int, column: int, tile: Any, number: int) -> Any:
    """Return what the slice of a carry cell is: carry cells, tables or small memories."""
    from apycula import attrids
    from apycula.gowin_unpack import parse_attrvals

    table = device.shortval[device[row, column].ttyp][f"CLS{number // 2}"]
    read = parse_attrvals(tile, device.rev_logicinfo("SLICE"), table, attrids.cls_attrids, "CLS")
    return read.get("MODE")


def _contents(bels: Any, tile: Any) -> dict[str, str]:
    """Return what a small memory holds at first: the tables of four look-up tables, a fuse being a 0."""
    return {
        f"INIT_{number}": f"16'h{_table(bels[f'LUT{number}'].flags, tile):04x}"
        for number in range(4)
        if f"LUT{number}" in bels
    }


def _table(flags: dict[int, set[tuple[int, int]]], tile: Any) -> int:
    return sum(
        1 << bit for bit, fuses in flags.items() if not all(tile[row][column] for row, column in fuses)
    )


def _block_ram_places(device: Any) -> Iterator[tuple[int, int]]:
    for row in range(device.rows):
        for column in range(device.cols):
            if "BSRAM" in device[row, column].bels:
                yield row, column


def _site(pad: str, device: Any) -> str:
    """Return the place of a pad such as IOB2A as the unpacker writes it: R29C2_A."""
    found = re.match(r"IO([TBLR])(\d+)([A-Z])$", pad)
    if found is None:
        raise ReadBackError(f"pad {pad} has no place")
    side, number, letter = found.groups()
    row = {"T": 1, "B": device.rows}.get(side, int(number))
    column = {"L": 1, "R": device.cols}.get(side, int(number))
    return f"R{row}C{column}_{letter}"
