# SPDX-License-Identifier: BSD-2-Clause
"""The files that ``erbium verilog`` writes: Verilog, manifest, C header, FuseSoC core."""

from __future__ import annotations

import enum
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data

from erbium.gen.files import write_text
from erbium.gen.link_export import link_header, link_manifest
from erbium.gen.verilog import TOP, component_verilog
from erbium.hdl import tokens
from erbium.hdl.array import ErbiumArray, rate_ports
from erbium.hdl.registers import COUNTER_WIDTH, RegisterMap, counter_names, performance_names
from erbium.sw_model.network import Hardware, Network

FORMAT, FORMAT_VERSION = "erbium-manifest", 1

STREAMS: dict[str, tuple[str, dict[str, type[data.StructLayout]], str]] = {
    "sample_i": (
        "in",
        {"token": tokens.SampleToken, "begin": tokens.Begin, "pixel": tokens.Pixel},
        "samples: BEGIN PIXEL* END; data is a begin or a pixel",
    ),
    "result_o": ("out", {"token": tokens.Result}, "one result per sample, in order"),
    "access_i": ("in", {"token": tokens.AccessToken}, "weights, only while idle: SEEK (READ | WRITE)*"),
}
"""Streams with a structure: direction, layouts of token and data, meaning."""

_ENUMS: tuple[type[enum.Enum], ...] = (tokens.SampleKind, tokens.AccessKind)


def _fields(layout: data.StructLayout) -> list[dict[str, Any]]:
    """Return name, lowest bit and width of the members of a layout."""
    return [
        {"name": name, "low": field.offset, "width": Shape.cast(field.shape).width} for name, field in layout
    ]


def _streams() -> dict[str, Any]:
    result: dict[str, Any] = {
        name: {
            "direction": direction,
            "meaning": meaning,
            "width": layouts["token"]().size,
            "layouts": {part: _fields(layout()) for part, layout in layouts.items()},
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


def _ports(array: ErbiumArray) -> list[dict[str, Any]]:
    """Return every port of the array with direction, width and meaning."""
    network = array.network
    meanings = {
        "n_ticks": f"longest presentation, 1 to {network.n_ticks}",
        "decide_after": "output spikes that settle an inference, 0 for never",
        "idle": "no sample is in the array",
        "collision": "a memory was misused; never to be seen",
    }
    what = "amplitude of an error spike in layer"
    if network.is_first_spike:
        what = "probability in 1/65536 that a row is touched which is replayed in layer"
    for number, (name, layer) in enumerate(zip(rate_ports(network), network.layers, strict=True), 1):
        meanings[name] = f"{what} {number}, 0 to {layer.full_rate}"
    ports = [
        {"name": "clk", "direction": "in", "width": 1, "meaning": "clock"},
        {"name": "rst", "direction": "in", "width": 1, "meaning": "synchronous reset; keeps the weights"},
    ]
    for path, member, value in array.signature.flatten(array):
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


def manifest(array: ErbiumArray, files: dict[str, str]) -> dict[str, Any]:
    """Return what a program needs to know to use the array.

    Parameters
    ----------
    array : ErbiumArray
    files : dict of str
        Contents of the files that belong to it, by name.
    """
    network, hardware = array.network, array.hardware
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
                "memory_bits": rows * words * lanes * layer.weight_width,
            }
        )
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "top": TOP,
        "digest": network.digest,
        "network": json.loads(network.to_json()),
        "hardware": asdict(hardware),
        "layers": layers,
        "ports": _ports(array),
        "streams": _streams(),
        "codes": {kind.__name__: {item.name: item.value for item in kind} for kind in _ENUMS},
        "counters": counter_names(network),
        "performance_counters": performance_names(network),
        "host_link": link_manifest(RegisterMap(network, hardware)),
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())},
    }


def c_header(network: Network) -> str:
    """Return the layouts of the tokens and the sizes of the network as a C header."""
    lines = [
        "/* SPDX-License-Identifier: BSD-2-Clause */",
        f"/* Network {network.name}, digest {network.digest}. Generated by `erbium verilog`; do not edit. */",
        "#ifndef ERBIUM_ARRAY_H",
        "#define ERBIUM_ARRAY_H",
        "",
        "#include <stdint.h>",
        "",
        f"#define ERBIUM_DIGEST UINT64_C(0x{network.digest})",
        f"#define ERBIUM_N_INPUTS {network.n_inputs}",
        f"#define ERBIUM_N_CLASSES {network.n_classes}",
        f"#define ERBIUM_N_LAYERS {len(network.layers)}",
        f"#define ERBIUM_N_TICKS {network.n_ticks}",
        f"#define ERBIUM_SEED UINT64_C({network.seed & (1 << 64) - 1})",
        f"#define ERBIUM_FIRST_SPIKE {int(network.is_first_spike)} /* which learner it is: 0 for eRBP */",
    ]
    for number, layer in enumerate(network.layers):
        rows = network.n_rows(number)
        bias = " /* the last one is the bias */" if network.has_bias else ""
        lines.append(f"#define ERBIUM_LAYER{number + 1}_ROWS {rows}{bias}")
        lines.append(f"#define ERBIUM_LAYER{number + 1}_NEURONS {layer.n_neurons}")
        lines.append(f"#define ERBIUM_LAYER{number + 1}_WEIGHT_WIDTH {layer.weight_width}")
        lines.append(
            f"#define ERBIUM_LAYER{number + 1}_WEIGHT_BOUND {layer.weight_bound} /* of initial weights */"
        )
        rate = "RATE" if network.is_first_spike else "GAIN"
        lines.append(f"#define ERBIUM_LAYER{number + 1}_{rate} {layer.full_rate} /* at full learning rate */")
    for kind in _ENUMS:
        lines.append("")
        stem = _upper(kind.__name__)
        lines += [f"#define ERBIUM_{stem}_{item.name} {item.value}" for item in kind]
    lines += ["", "/* Numbers of the counters. */"]
    for number, name in enumerate(counter_names(network) + performance_names(network)):
        lines.append(f"#define ERBIUM_COUNTER_{name.upper()} {number}")
    for stream, (_, layouts, meaning) in STREAMS.items():
        lines += ["", f"/* {stream}: {meaning} */"]
        for part, layout in layouts.items():
            stem = f"ERBIUM_{stream[:-2].upper()}_{part.upper()}"
            for field in _fields(layout()):
                name = field["name"].upper()
                lines.append(f"#define {stem}_{name}_LOW {field['low']}")
                lines.append(f"#define {stem}_{name}_WIDTH {field['width']}")
    lines += link_header(RegisterMap(network, Hardware()))
    return "\n".join([*lines, "", "#endif", ""])


def _upper(name: str) -> str:
    """Return a class name in upper case with underscores: SampleKind becomes SAMPLE_KIND."""
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in name).lstrip("_")


def core_file(network: Network) -> str:
    """Return the FuseSoC core description (CAPI 2)."""
    return "\n".join(
        [
            "CAPI=2:",
            f"name: erbium::{network.name.replace('_', '-')}:0.1.0",
            f"description: Erbium array {network.name}, digest {network.digest}",
            "filesets:",
            "  rtl:",
            "    files:",
            f"      - {TOP}.v",
            f"      - {TOP}.h: {{is_include_file: true, file_type: cSource}}",
            "    file_type: verilogSource",
            "targets:",
            "  default:",
            "    filesets: [rtl]",
            f"    toplevel: {TOP}",
            "  lint:",
            "    default_tool: verilator",
            "    filesets: [rtl]",
            f"    toplevel: {TOP}",
            "    tools:",
            "      verilator: {mode: lint-only, verilator_options: [-Wall]}",
            "",
        ]
    )


def _heading(network: Network, hardware: Hardware) -> str:
    """Return the comment at the top of the Verilog."""
    return "\n".join(
        [
            "// SPDX-License-Identifier: BSD-2-Clause",
            f"// Erbium array {network.name}: {'-'.join(map(str, network.shape))}, digest {network.digest}",
            f"// {hardware.lanes} lanes, event queues of {hardware.fifo_depth} tokens, memory latency "
            f"{hardware.memory_latency}",
            "// Generated by `erbium verilog`; do not edit.",
            "// The modules belong together and are in one file, so only the top one has the file's name:",
            "/* verilator lint_off DECLFILENAME */",
            "",
        ]
    )


def file_names() -> tuple[str, ...]:
    """Return the names of the files that :func:`export` writes."""
    return tuple(f"{TOP}.{kind}" for kind in ("v", "h", "core", "json"))


def export(network: Network, hardware: Hardware, directory: Path) -> dict[str, Any]:
    """Write Verilog, JSON manifest, C header and FuseSoC core of an array.

    The files are made before the first one is written, and each is replaced at once; the manifest comes
    last. Other files in the folder are left alone. The same description gives the same bytes.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    directory : Path
        Made if it is not there.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    array = ErbiumArray(network, hardware)
    files = {
        f"{TOP}.v": _heading(network, hardware) + component_verilog(array, TOP),
        f"{TOP}.h": c_header(network),
        f"{TOP}.core": core_file(network),
    }
    described = manifest(array, files)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_text(directory / name, text)
    write_text(directory / f"{TOP}.json", json.dumps(described, indent=2) + "\n")
    return described
