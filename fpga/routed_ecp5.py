# SPDX-License-Identifier: BSD-2-Clause
"""The routed netlist of an ECP5, as nextpnr writes it down, in cells that a simulator knows."""

from __future__ import annotations

from typing import Any

from erbium.fpga.cells import Cell, Netlist, ReadBackError, RoutedCell, literal, ports_of, routed_cells

_WRITE_PORT = {
    "WADO0": "D0",
    "WADO1": "B0",
    "WADO2": "C0",
    "WADO3": "A0",
    "WDO0": "C1",
    "WDO1": "A1",
    "WDO2": "D1",
    "WDO3": "B1",
}
"""Of a slice that writes to memory: outputs, and the inputs that they repeat."""

_COMB = ("MODE", "INITVAL", "CCU2_INJECT1", "WREMUX")
_FLIP_FLOP = ("CEMUX", "CLKMUX", "LSRMUX", "SRMODE", "REGSET")
_MEMORY = ("DATA_WIDTH", "REGMODE", "RESETMODE", "WRITEMODE", "CSDECODE", "GSR", "INITVAL", "INIT_DATA")


def routed(module: dict[str, Any], rx: str, tx: str) -> Netlist:
    """Return the cells of a design.

    Parameters
    ----------
    module : dict
        Of nextpnr's JSON.
    rx, tx : str
        Names of the ports.
    """
    made = Netlist()
    ports = ports_of(module)
    for cell in routed_cells(module):
        pins = cell.pins
        match cell.kind:
            case "TRELLIS_COMB":
                made.cells.append(_comb(cell))
            case "TRELLIS_FF":
                made.cells.append(_flip_flop(cell))
            case "TRELLIS_RAMW":
                made.aliases |= {
                    pins[port][0]: pins[source][0] or "1'b0"
                    for port, source in _WRITE_PORT.items()
                    if port in pins and pins[port][0]
                }
            case "DP16KD":
                made.cells.append(_memory(cell))
            case "DCCA":
                made.aliases[pins["CLKO"][0]] = pins["CLKI"][0]
            case "EHXPLLL":
                made.clocks += [pins[port][0] for port in ("CLKOP", "CLKOS") if pins[port][0]]
                made.aliases[pins["LOCK"][0]] = "1'b1"
            case "TRELLIS_IO":
                port = ports.get(pins["B"][0], "")
                if port == rx:
                    made.rx = pins["O"][0]
                elif port == tx:
                    made.tx = pins["I"][0]
            case kind:
                raise ReadBackError(f"cell {cell.name} is a {kind}, of which nobody says how it behaves")
    made.resolve()
    return made


def _comb(cell: RoutedCell) -> Cell:
    values = {key: literal(cell.parameters[key]) for key in _COMB if key in cell.parameters}
    if "INITVAL" in values:
        values["INITVAL"] = literal(cell.parameters["INITVAL"], 16)
    # Its place says whether the multiplexer joins two tables or the outputs of two others: only the latter are wired.
    if any(cell.pins.get("FXA", [""])):
        values["WIDE"] = "1'b1"
    # Nothing leads to DI0 and DI1: they are those of the flip-flops beside it. An open input of a table is 1.
    pins = {port: nets for port, nets in cell.closed("ABCD").items() if port not in ("DI0", "DI1")}
    return Cell("ROUTED_COMB", cell.name, values, pins, cell.outputs)


def _flip_flop(cell: RoutedCell) -> Cell:
    values = {key: literal(cell.parameters[key]) for key in _FLIP_FLOP if key in cell.parameters}
    data = "DI" if cell.parameters["SD"].strip().endswith("1") else "M"
    kept = {"DI": [cell.pins[data][0] or "1'b0"], "Q": cell.pins["Q"]}
    kept |= {port: [cell.pins.get(port, [""])[0] or "1'b0"] for port in ("CLK", "LSR", "CE")}
    return Cell("TRELLIS_FF", cell.name, values, kept, frozenset({"Q"}))


def _memory(cell: RoutedCell) -> Cell:
    values = {key: literal(value) for key, value in cell.parameters.items() if key.startswith(_MEMORY)}
    pins = {
        port: nets if port in cell.outputs else [_through_its_switch(cell, port, nets[0])]
        for port, nets in cell.pins.items()
    }
    return Cell("DP16KD", cell.name, values, pins, cell.outputs)


def _through_its_switch(cell: RoutedCell, port: str, net: str) -> str:
    """Return what an input of a block RAM gets: a net, what is open being 1, its inverse or a constant."""
    switch = cell.parameters.get(f"{port}MUX", port).strip()
    if switch in ("0", "1"):
        return f"1'b{switch}"
    if switch != "INV":
        return net or "1'b1"
    if net:
        raise ReadBackError(f"input {port} of {cell.name} is inverted, which nobody here simulates")
    return "1'b0"
