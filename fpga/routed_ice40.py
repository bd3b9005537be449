# SPDX-License-Identifier: BSD-2-Clause
"""The routed netlist of an iCE40, as nextpnr writes it down, in cells that a simulator knows."""

from __future__ import annotations

from typing import Any

from erbium.fpga.cells import Cell, Netlist, ReadBackError, RoutedCell, literal, ports_of, routed_cells

PLL = "pll"
"""Net that the PLL drives."""

_OPEN_HIGH = ("CEN", "RCLKE", "WCLKE")
"""Pins that are 1 where nothing is connected; all others are 0."""

_OUTPUT_PINS = ("101001", "011001")
"""Kinds of pads that only send; the first one only while it is enabled."""


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
            case "ICESTORM_LC":
                values = {key: literal(value) for key, value in cell.parameters.items()}
                made.cells.append(Cell("ROUTED_LC", cell.name, values, cell.closed(_OPEN_HIGH), cell.outputs))
            case "ICESTORM_RAM":
                made.cells.append(_ram(cell))
            case "ICESTORM_SPRAM":
                made.cells.append(_spram(cell))
            case "SB_GB":
                # The output of the PLL reaches its buffer by wires of the pad, which have no name here.
                pins = {port: [net or PLL for net in nets] for port, nets in pins.items()}
                made.cells.append(Cell("ROUTED_BUFFER", cell.name, {}, pins, cell.outputs))
            case "ICESTORM_PLL":
                made.aliases[pins["LOCK"][0]] = "1'b1"
            case "SB_IO":
                port = ports.get(pins["PACKAGE_PIN"][0], "")
                if port == rx:
                    made.rx = pins["D_IN_0"][0]
                elif port == tx:
                    if cell.parameters["PIN_TYPE"][-6:] not in _OUTPUT_PINS:
                        raise ReadBackError(f"the pad of {port} is of type {cell.parameters['PIN_TYPE']}")
                    made.tx = pins["D_OUT_0"][0]
            case kind:
                raise ReadBackError(f"cell {cell.name} is a {kind}, of which nobody says how it behaves")
    made.clocks = [PLL]
    made.resolve()
    return made


def _bus(pins: dict[str, list[str]], port: str, width: int) -> list[str]:
    return [pins[f"{port}_{bit}"][0] for bit in reversed(range(width))]


def _ram(cell: RoutedCell) -> Cell:
    if "1" in cell.parameters["NEG_CLK_R"] + cell.parameters["NEG_CLK_W"]:
        raise ReadBackError(f"memory {cell.name} runs on the falling edge")
    values = {key: literal(value) for key, value in cell.parameters.items() if not key.startswith("NEG")}
    pins = cell.closed(_OPEN_HIGH)
    buses = {port: _bus(pins, port, 16) for port in ("RDATA", "WDATA", "MASK")}
    buses |= {port: _bus(pins, port, 11) for port in ("RADDR", "WADDR")}
    buses |= {port: pins[port] for port in ("RCLK", "RCLKE", "RE", "WCLK", "WCLKE", "WE")}
    return Cell("CHECKED_RAM40_4K", cell.name, values, buses, frozenset({"RDATA"}))


def _spram(cell: RoutedCell) -> Cell:
    pins = cell.closed(_OPEN_HIGH)
    buses = {"DATAOUT": _bus(pins, "DATAOUT", 16), "DATAIN": _bus(pins, "DATAIN", 16)}
    buses |= {"ADDRESS": _bus(pins, "ADDRESS", 14), "MASKWREN": _bus(pins, "MASKWREN", 4)}
    buses |= {port: pins[port] for port in ("WREN", "CHIPSELECT", "CLOCK", "STANDBY", "SLEEP", "POWEROFF")}
    return Cell("SB_SPRAM256KA", cell.name, {}, buses, frozenset({"DATAOUT"}))
