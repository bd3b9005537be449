# SPDX-License-Identifier: BSD-2-Clause
"""The routed netlist of an iCE40, as nextpnr writes it down, in cells that a simulator knows."""

from __future__ import annotations

from typing import Any

from erbium.fpga.cells import Cell, Netlist, ReadBackError, literal, pins_of

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
    ports = {f"n{port['bits'][0]}": name for name, port in module["ports"].items()}
    outputs = {
        name: frozenset(p for p, way in cell["port_directions"].items() if way == "output")
        for name, cell in module["cells"].items()
    }
    for name, cell in module["cells"].items():
        pins, parameters = pins_of(cell["connections"]), cell["parameters"]
        match cell["type"]:
            case "ICESTORM_LC":
                values = {key: literal(value) for key, value in parameters.items()}
                made.cells.append(
                    Cell("ROUTED_LC", name, values, _closed(pins, outputs[name]), outputs[name])
                )
            case "ICESTORM_RAM":
                made.cells.append(_ram(name, parameters, pins, outputs[name]))
            case "ICESTORM_SPRAM":
                made.cells.append(_spram(name, pins, outputs[name]))
            case "SB_GB":
                # The output of the PLL reaches its buffer by wires of the pad, which have no name here.
                pins = {port: [net or PLL for net in nets] for port, nets in pins.items()}
                made.cells.append(Cell("ROUTED_BUFFER", name, {}, pins, outputs[name]))
            case "ICESTORM_PLL":
                made.aliases[pins["LOCK"][0]] = "1'b1"
            case "SB_IO":
                port = ports.get(pins["PACKAGE_PIN"][0], "")
                if port == rx:
                    made.rx = pins["D_IN_0"][0]
                elif port == tx:
                    if parameters["PIN_TYPE"][-6:] not in _OUTPUT_PINS:
                        raise ReadBackError(f"the pad of {port} is of type {parameters['PIN_TYPE']}")
                    made.tx = pins["D_OUT_0"][0]
            case kind:
                raise ReadBackError(f"cell {name} is a {kind}, of which nobody says how it behaves")
    made.clocks = [PLL]
    made.resolve()
    return made


def _closed(pins: dict[str, list[str]], outputs: frozenset[str]) -> dict[str, list[str]]:
    """Connect inputs that are open to what they read then."""
    return {
        port: nets if port in outputs else [net or ("1'b1" if port in _OPEN_HIGH else "1'b0") for net in nets]
        for port, nets in pins.items()
    }


def _bus(pins: dict[str, list[str]], port: str, width: int) -> list[str]:
    return [pins[f"{port}_{bit}"][0] for bit in reversed(range(width))]


def _ram(name: str, parameters: dict[str, str], pins: dict[str, list[str]], outputs: frozenset[str]) -> Cell:
    if "1" in parameters["NEG_CLK_R"] + parameters["NEG_CLK_W"]:
        raise ReadBackError(f"memory {name} runs on the falling edge")
    values = {key: literal(value) for key, value in parameters.items() if not key.startswith("NEG")}
    pins = _closed(pins, outputs)
    buses = {port: _bus(pins, port, 16) for port in ("RDATA", "WDATA", "MASK")}
    buses |= {port: _bus(pins, port, 11) for port in ("RADDR", "WADDR")}
    buses |= {port: pins[port] for port in ("RCLK", "RCLKE", "RE", "WCLK", "WCLKE", "WE")}
    return Cell("CHECKED_RAM40_4K", name, values, buses, frozenset({"RDATA"}))


def _spram(name: str, pins: dict[str, list[str]], outputs: frozenset[str]) -> Cell:
    pins = _closed(pins, outputs)
    buses = {"DATAOUT": _bus(pins, "DATAOUT", 16), "DATAIN": _bus(pins, "DATAIN", 16)}
    buses |= {"ADDRESS": _bus(pins, "ADDRESS", 14), "MASKWREN": _bus(pins, "MASKWREN", 4)}
    buses |= {port: pins[port] for port in ("WREN", "CHIPSELECT", "CLOCK", "STANDBY", "SLEEP", "POWEROFF")}
    return Cell("SB_SPRAM256KA", name, {}, buses, frozenset({"DATAOUT"}))
