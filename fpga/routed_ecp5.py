# SPDX-License-Identifier: BSD-2-Clause
"""The routed netlist of an ECP5, as nextpnr writes it down, in cells that a simulator knows."""

from __future__ import annotations

from typing import Any

from erbium.fpga.cells import Cell, Netlist, ReadBackError, literal, pins_of

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

_COMB = ("MODE", "INITVAL", "CCU2_INJECT1", "WREMUX", "IS_Z1")
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
    ports = {f"n{port['bits'][0]}": name for name, port in module["ports"].items()}
    for name, cell in module["cells"].items():
        pins, parameters = pins_of(cell["connections"]), cell["parameters"]
        outputs = frozenset(p for p, way in cell["port_directions"].items() if way == "output")
        match cell["type"]:
            case "TRELLIS_COMB":
                made.cells.append(_comb(name, parameters, pins, outputs))
            case "TRELLIS_FF":
                made.cells.append(_flip_flop(name, parameters, pins))
            case "TRELLIS_RAMW":
                made.aliases |= {
                    pins[port][0]: pins[source][0] or "1'b0"
                    for port, source in _WRITE_PORT.items()
                    if port in pins and pins[port][0]
                }
            case "DP16KD":
                made.cells.append(_memory(name, parameters, pins, outputs))
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
                raise ReadBackError(f"cell {name} is a {kind}, of which nobody says how it behaves")
    made.resolve()
    return made


def _comb(name: str, parameters: dict[str, str], pins: dict[str, list[str]], outputs: frozenset[str]) -> Cell:
    values = {key: literal(parameters[key]) for key in _COMB if key in parameters}
    if "INITVAL" in values:
        values["INITVAL"] = literal(parameters["INITVAL"], 16)
    inputs = {port: [net or "1'b0" for net in nets] for port, nets in pins.items() if port not in outputs}
    kept = inputs | {port: pins[port] for port in outputs}
    return Cell("ROUTED_COMB", name, values, kept, outputs)


def _flip_flop(name: str, parameters: dict[str, str], pins: dict[str, list[str]]) -> Cell:
    values = {key: literal(parameters[key]) for key in _FLIP_FLOP if key in parameters}
    data = "DI" if parameters["SD"].strip().endswith("1") else "M"
    kept = {"DI": [pins[data][0] or "1'b0"], "Q": pins["Q"]}
    kept |= {port: [pins.get(port, [""])[0] or "1'b0"] for port in ("CLK", "LSR", "CE")}
    return Cell("TRELLIS_FF", name, values, kept, frozenset({"Q"}))


def _memory(
    name: str, parameters: dict[str, str], pins: dict[str, list[str]], outputs: frozenset[str]
) -> Cell:
    values = {key: literal(value) for key, value in parameters.items() if key.startswith(_MEMORY)}
    kept = {port: nets if port in outputs else [net or "1'b0" for net in nets] for port, nets in pins.items()}
    return Cell("DP16KD", name, values, kept, outputs)
