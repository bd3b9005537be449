# SPDX-License-Identifier: BSD-2-Clause
"""The files that ``erbium verilog`` writes: Verilog, manifest, C header, FuseSoC core; all by one name."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amaranth.hdl import Shape

from erbium.gen.bus_export import BusName, bus_header, bus_manifest, system_rdl
from erbium.gen.c_header import ENUMS, STREAMS, c_header, fields_of
from erbium.gen.driver_export import driver_header
from erbium.gen.files import write_text
from erbium.gen.link_export import link_manifest
from erbium.gen.netlist.write import KEYWORDS
from erbium.gen.verilog import component_verilog
from erbium.hdl.array import ErbiumArray, rate_ports
from erbium.hdl.bus_chip import AxiChip, WishboneChip
from erbium.hdl.bus_map import BusMap
from erbium.hdl.chip import ErbiumChip
from erbium.hdl.registers import COUNTER_WIDTH, RegisterMap, counter_names, performance_names
from erbium.hdl.uart import bit_period
from erbium.hdl.weight_words import LayerWeights, holds_contents
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError, check_name, check_range

FORMAT, FORMAT_VERSION = "erbium-manifest", 1
CORE_VERSION = "0.1.0"


Design = ErbiumArray | ErbiumChip | AxiChip | WishboneChip


def _streams() -> dict[str, Any]:
    result: dict[str, Any] = {
        name: {
            "direction": direction,
            "meaning": meaning,
            "width": layouts["token"]().size,
            "layouts": {part: fields_of(layout()) for part, layout in layouts.items()},
        }
        for name, (direction, layouts, meaning) in STREAMS.items()
    }
    for name, direction, width, meaning in (
        ("access_o", "out", 16, "one weight, signed, for each READ"),
        ("counter_i", "in", 8, "number of a counter: counters, then performance_counters, from 0"),
        ("counter_o", "out", COUNTER_WIDTH, "one counter for each number, exact while idle"),
    ):
        result[name] = {"direction": direction, "meaning": meaning, "width": width, "layouts": {}}
    return result


def _ports(network: Network, design: Design) -> list[dict[str, Any]]:
    """Return every port of a design with direction, width and meaning."""
    meanings = {
        "rx": "serial line from the host; high while it rests",
        "tx": "serial line to the host; high while it rests",
        "learning": "a sample is being learned",
        "active": "a sample is in the array",
        "answer": "the last answer",
        "n_ticks": f"longest presentation, 1 to {network.n_ticks}",
        "decide_after": "output spikes that settle an inference, 0 for never",
        "idle": "no sample is in the array",
        "collision": "a memory was misused; never to be seen",
    }
    for number, (name, layer) in enumerate(zip(rate_ports(network), network.layers, strict=True), 1):
        meanings[name] = f"{layer.rate.meaning} {number}, 0 to {layer.full_rate}"
    ports = [
        {"name": "clk", "direction": "in", "width": 1, "meaning": "clock"},
        {"name": "rst", "direction": "in", "width": 1, "meaning": "synchronous reset; keeps the weights"},
    ]
    for path, member, value in design.signature.flatten(design):
        stream = str(path[0]) if len(path) > 1 else None
        name = "_".join(map(str, path))
        meaning = meanings.get(name, "")
        ports.append(
            {
                "name": name,
                "direction": "in" if member.flow.name == "In" else "out",
                "width": Shape.cast(value.shape()).width,
                "meaning": f"{path[-1]} of stream {stream}" if stream else meaning,
            }
        )
    return ports


def manifest(
    network: Network,
    hardware: Hardware,
    design: Design,
    name: str,
    files: dict[str, str],
    options: ExportOptions,
) -> dict[str, Any]:
    """Return what a program needs to know to use an array, or a chip.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    design : ErbiumArray, ErbiumChip, AxiChip or WishboneChip
    name : str
        Of the top module.
    files : dict of str
        Contents of the files that belong to it, by name.
    options : ExportOptions
    """
    layers = []
    for number, layer in enumerate(network.layers):
        lanes, words = hardware.lanes_of(network, number), hardware.words_of(network, number)
        rows = network.n_rows(number)
        layers.append(
            {
                "neurons": layer.n_neurons,
                "rows": rows,
                "weight_width": layer.weight_width,
                "lanes": lanes,
                "words_per_row": words,
                "weight_bits": rows * layer.n_neurons * layer.weight_width,
                "starts_with_weights": options.weights is not None
                and holds_contents(hardware.memory_of(number)),
                "memory_bits": rows * words * lanes * layer.weight_width,
            }
        )
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "top": name,
        "digest": network.digest,
        "network": json.loads(network.to_json()),
        "hardware": asdict(hardware),
        "layers": layers,
        "weights": "undefined" if options.weights is None else weights_digest(options.weights),
        "serial": options.serial and asdict(options.serial),
        "ports": _ports(network, design),
        "bus": options.bus and bus_manifest(BusMap(RegisterMap(network, hardware)), options.bus),
        "streams": {} if options.serial or options.bus else _streams(),
        "codes": {kind.__name__: {item.name: item.value for item in kind} for kind in ENUMS},
        "counters": counter_names(network),
        "performance_counters": performance_names(network),
        "host_link": link_manifest(RegisterMap(network, hardware)),
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())},
    }


def weights_digest(weights: Sequence[LayerWeights]) -> str:
    """Return 64 bits of the SHA-256 of weights: 16 bits each, the low byte first, in the order of layers and rows."""
    digest = hashlib.sha256()
    for rows in weights:
        for row in rows:
            digest.update(b"".join(int(value).to_bytes(2, "little", signed=True) for value in row))
    return digest.hexdigest()[:16]


def core_file(network: Network, hardware: Hardware, name: str, what: str, *, on_bus: bool = False) -> str:
    """Return the FuseSoC core description (CAPI 2); `name` is that of the core and of its files.

    `what` it is stands in the heading of the Verilog, too; on a bus there are a driver and a description of registers.
    """
    of_bus = [
        f"      - {name}_driver.h: {{is_include_file: true, file_type: cSource}}",
        f"      - {name}.rdl: {{file_type: user}}",
    ]
    return "\n".join(
        [
            "CAPI=2:",
            f"name: erbium::{name}:{CORE_VERSION}",
            f'description: "Erbium {what} {network.name} with {hardware.lanes} lanes, digest {network.digest}"',
            "filesets:",
            "  rtl:",
            "    files:",
            f"      - {name}.v",
            f"      - {name}.h: {{is_include_file: true, file_type: cSource}}",
            *(of_bus if on_bus else []),
            "    file_type: verilogSource",
            "targets:",
            "  default:",
            "    filesets: [rtl]",
            f"    toplevel: {name}",
            "  lint:",
            "    default_tool: verilator",
            "    filesets: [rtl]",
            f"    toplevel: {name}",
            "    tools:",
            "      verilator: {mode: lint-only, verilator_options: [-Wall]}",
            "",
        ]
    )


def _heading(network: Network, hardware: Hardware, what: str) -> str:
    """Return the comment at the top of the Verilog."""
    return "\n".join(
        [
            "// SPDX-License-Identifier: BSD-2-Clause",
            f"// Erbium {what} {network.name}: {'-'.join(map(str, network.shape))}, digest {network.digest}",
            f"// {hardware.lanes} lanes, event queues of {hardware.fifo_depth} tokens, memory latency "
            f"{hardware.memory_latency}",
            "// Generated by `erbium verilog`; do not edit.",
            "// The modules belong together and are in one file, so only the top one has the file's name:",
            "/* verilator lint_off DECLFILENAME */",
            "",
        ]
    )


def file_names(name: str, bus: BusName | None = None) -> tuple[str, ...]:
    """Return the names of the files that :func:`export` writes by a name."""
    kinds = (".v", ".h", ".core", ".json", *((".rdl", "_driver.h") if bus else ()))
    return tuple(f"{name}{kind}" for kind in kinds)


@dataclass(frozen=True)
class SerialLine:
    """What the chip with its host link has to know of the line: in place of streams it has two wires.

    Parameters
    ----------
    clock : int
        Frequency of ``clk`` in Hz.
    baud_rate : int
        Bits per second; the clock has to make it.
    """

    clock: int = 50_000_000
    baud_rate: int = 1_000_000


@dataclass(frozen=True)
class ExportOptions:
    """What an export is besides a network on some hardware.

    Parameters
    ----------
    name : str
        Of modules, files, macros, header guard and core; empty: :func:`default_name`.
    weights : sequence, optional
        What the synapse memories hold from the start, as ``Network.initial_weights`` has it.
    serial : SerialLine, optional
        Export the whole chip, the array behind its host link, in place of the array.
    power_up : bool
        Of :func:`erbium.gen.verilog.verilog_from_rtlil`.
    bus : str, optional
        Export the array on a bus, one of :data:`erbium.gen.bus_export.BUSES`.
    clock : int
        Frequency of ``clk`` in Hz, for the register ``clock_frequency`` of an array on a bus.

    Raises
    ------
    DescriptionError
        If the name is none that modules, files and macros can have.
    """

    name: str = ""
    weights: Sequence[LayerWeights] | None = None
    serial: SerialLine | None = None
    power_up: bool = True
    bus: BusName | None = None
    clock: int = SerialLine.clock

    def __post_init__(self) -> None:
        if self.name:
            export_name(self.name, given=True)


def export_name(name: str, *, given: bool) -> str:
    """Return a name that modules, files and macros can have.

    Raises
    ------
    DescriptionError
        If the name was given by the user and is none. One that is made of a network's name is made to fit.
    """
    if not given:
        return re.sub(r"[-_]+", "_", name).strip("_")
    check_name("what is exported", name, identifier=True)
    if name in KEYWORDS or name.endswith("_") or "__" in name:
        raise DescriptionError(
            f"the name of what is exported is {name!r}; it must be no word of Verilog and have no '_' at its end or "
            "beside another one"
        )
    return name


def default_name(
    network: Network, hardware: Hardware, serial: SerialLine | None = None, bus: BusName | None = None
) -> str:
    """Return the name of an export that has no other: it tells networks, lanes, and arrays, chips and buses apart."""
    what = "chip" if serial else bus or "array"
    return export_name(f"erbium_{what}_{network.name}_{hardware.lanes}lanes", given=False)


def export(
    network: Network, hardware: Hardware, directory: Path, options: ExportOptions | None = None
) -> dict[str, Any]:
    """Write Verilog, JSON manifest, C header and FuseSoC core of an array, or of the chip around it.

    The files are made before the first one is written, and each is replaced at once; the manifest comes
    last. Other files in the folder are left alone. The same description gives the same bytes.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    directory : Path
        Made if it is not there.
    options : ExportOptions, optional

    Returns
    -------
    dict
        The manifest; its ``top`` is the name that the files have.

    Raises
    ------
    DescriptionError
        If the clock of a serial line cannot make its baud rate.
    ValueError
        If the weights are not those of the network.
    OSError
        If the folder cannot be written to.
    """
    options = options or ExportOptions()
    name = options.name or default_name(network, hardware, options.serial, options.bus)
    plan: BusMap | None = None
    what = "array"
    design: Design
    if line := options.serial:
        try:
            bit_period(line.clock, line.baud_rate)  # before anything is made that would then go unused
        except ValueError as error:
            raise DescriptionError(f"{error}; choose another --baud or --clock") from None
        what = "chip"
        design = ErbiumChip(network, hardware, line.clock, line.baud_rate, weights=options.weights)
    elif bus := options.bus:
        what = f"array on {bus}"
        check_range("clock in Hz", options.clock, 1, (1 << 32) - 1)
        registers = RegisterMap(network, hardware, options.clock)
        plan = BusMap(registers)
        if bus == "axi":
            design = AxiChip(registers, options.weights)
        else:
            pipelined = bus == "wishbone-pipelined"
            design = WishboneChip(registers, pipelined=pipelined, weights=options.weights)
    else:
        design = ErbiumArray(network, hardware, options.weights)
    logging.getLogger("erbium").info(
        "Generating the Verilog, which takes seconds for a small network and a minute or more for a large one."
    )
    verilog = component_verilog(design, name, power_up=options.power_up)
    files = {
        f"{name}.v": _heading(network, hardware, what) + verilog,
        f"{name}.h": c_header(
            network, name, bus_header(plan, options.bus, name.upper()) if plan and options.bus else ()
        ),
        f"{name}.core": core_file(network, hardware, name, what, on_bus=plan is not None),
    }
    if plan and options.bus:
        files[f"{name}.rdl"] = system_rdl(plan, options.bus, name)
        files[f"{name}_driver.h"] = driver_header(network, plan, options.bus, name)
    described = manifest(network, hardware, design, name, files, options)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        write_text(directory / file, text)
    write_text(directory / f"{name}.json", json.dumps(described, indent=2) + "\n")
    return described
