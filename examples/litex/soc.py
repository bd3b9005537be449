# SPDX-License-Identifier: BSD-2-Clause
"""A system on a chip by LiteX: a VexRiscv, its memories, a UART, and the array on its Wishbone."""

from __future__ import annotations

import contextlib
from pathlib import Path

from litex.build.generic_platform import GenericPlatform, Pins, Subsignal
from litex.soc.cores.cpu.vexriscv import core
from litex.soc.integration import export, soc_core
from migen import ClockDomain
from peripheral import Erbium

ERBIUM_AT = 0x8000_0000
"""Where the array begins: beyond what VexRiscv caches."""

ROM_BYTES, RAM_BYTES = 0x4_0000, 0x4000

_CPU = Path(core.__file__).parent
SOFTWARE = (_CPU, Path(soc_core.__file__).parents[1] / "software" / "include")
"""Folders of LiteX's own headers."""

START = _CPU / "crt0.S"
"""What LiteX has the processor do before ``main``."""

_PINS = [
    ("sys_clk", 0, Pins(1)),
    ("sys_rst", 0, Pins(1)),
    # A UART as LiteX has it in a simulation: bytes with a handshake, in place of bits.
    (
        "serial",
        0,
        Subsignal("source_valid", Pins(1)),
        Subsignal("source_ready", Pins(1)),
        Subsignal("source_data", Pins(8)),
        Subsignal("sink_valid", Pins(1)),
        Subsignal("sink_ready", Pins(1)),
        Subsignal("sink_data", Pins(8)),
    ),
]


class Soc(soc_core.SoCCore):
    """The system; ``ident`` and timer, which the firmware has no use for, are left out.

    Parameters
    ----------
    manifest : path
        Of an export with ``--bus wishbone``.
    clock : int
        In Hz; the simulation knows no time but clocks.
    """

    def __init__(self, manifest: Path, clock: int) -> None:
        platform = GenericPlatform("simulation", _PINS, name="soc")
        self.cd_sys = ClockDomain()
        super().__init__(
            platform,
            clock,
            cpu_type="vexriscv",
            cpu_variant="standard",
            integrated_rom_size=ROM_BYTES,
            integrated_rom_init=[0],
            integrated_sram_size=RAM_BYTES,
            uart_name="sim",
            with_timer=False,
            ident="",
        )
        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(platform.request("sys_rst")),
        ]
        self.erbium = Erbium(platform, manifest)
        self.bus.add_slave("erbium", self.erbium.bus, self.erbium.region(ERBIUM_AT))


def generate(manifest: Path, clock: int, folder: Path) -> list[Path]:
    """Write the system's Verilog and the headers of its software; return its Verilog and that of its parts.

    LiteX's ``Builder`` would do it, too, but asks for C libraries of its own even where nothing is compiled.
    """
    soc = Soc(manifest, clock)
    soc.finalize()
    headers = folder / "include" / "generated"
    headers.mkdir(parents=True, exist_ok=True)
    regions = soc.mem_regions
    for name, text in {
        "regions.ld": export.get_linker_regions(regions),
        "mem.h": export.get_mem_header(regions),
        "soc.h": export.get_soc_header(soc.constants),
        "csr.h": export.get_csr_header(soc.csr_regions, soc.constants, regions["csr"].origin),
    }.items():
        (headers / name).write_text(text, encoding="utf-8")
    # Contents of memories go to the current folder.
    with contextlib.chdir(folder):
        soc.platform.get_verilog(soc.get_fragment(), name="soc", regular_comb=False).write("soc.v")
    return [folder / "soc.v", *(Path(source[0]) for source in soc.platform.sources)]
