# SPDX-License-Identifier: BSD-2-Clause
"""A sample as a waveform: the Verilated array, traced, with its tokens, states and kinds decoded beside its bits."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from pathlib import Path

from erbium.sw_model import cache
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.temporary import temporary_folder
from erbium.verif import waveform_verilog
from erbium.verif.environment import tool_environment
from erbium.verif.library import HARNESS, RtlArray, SimulationError, ports_header
from erbium.verif.simulators import ToolError, find_cxx
from erbium.verif.verilate import Design, cached_library, sources_hash
from erbium.verif.waveform_verilog import TOP, WaveDesign, wave_design

FORMATS = ("fst", "vcd")
"""Formats of a waveform, and the endings of its file."""

HALF_CLOCK = 5
"""Nanoseconds: a clock of the waveform takes 10, so that a time divided by 10 is a number of clocks."""

_HEADERS = ("zlib.h", "lz4.h")


class WaveArray(RtlArray):
    """The simulated chip, able to write what happens in it to a file.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    kind : str
        ``"fst"`` or ``"vcd"``.
    cache_dir : Path, optional
        Where compiled libraries are kept.

    Attributes
    ----------
    design : WaveDesign
        The Verilog that runs, and what the layouts of the viewers show of it.

    Raises
    ------
    ToolError
        Without a simulator; for ``"fst"`` also without the headers of zlib and lz4.
    """

    def __init__(
        self,
        network: Network,
        hardware: Hardware | None = None,
        kind: str = "fst",
        *,
        cache_dir: Path | None = None,
    ) -> None:
        self.kind = kind
        self.design: WaveDesign = wave_design(network, hardware or Hardware())
        super().__init__(network, hardware, cache_dir=cache_dir)

    def _built(self, cache_dir: Path | None) -> Path:
        if self.kind == "fst":
            require_fst()
        name = f"Verilated{self.kind.capitalize()}C"
        defines = (
            f'\n#include "verilated_{self.kind}_c.h"\n#define ARRAY_TRACE {name}\n'
            f"#define ARRAY_HALF_CLOCK {HALF_CLOCK}\n"
        )
        header = ports_header(self.network) + defines
        design = Design(
            TOP, "Varray", lambda: self.design.verilog, HARNESS, {"array_ports.h": header}, self.kind
        )
        files = (HARNESS, Path(str(waveform_verilog.__file__)), Path(__file__))
        key = (self.kind, sorted(asdict(self.hardware).items()), sources_hash(*files))
        return cached_library(design, "waves", self.network.digest, key, cache_dir)

    def start(self, path: Path) -> None:
        """Write everything that happens from now on to a file.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if self._library.chip_trace_open(self._chip, str(path).encode()):
            raise OSError(5, "the waveform cannot be written", str(path))

    def stop(self) -> None:
        """Complete the file."""
        self._library.chip_trace_close(self._chip)

    @property
    def clocks(self) -> int:
        """Clocks since the chip was made."""
        return int(self._library.chip_clocks(self._chip))


def require_fst() -> None:
    """Raise :class:`ToolError` unless the compiler finds what Verilator's FST files are compressed with."""
    compiler = find_cxx().require()
    with temporary_folder(cache.folder() / "waves", "probe-") as folder:
        source = folder / "probe.cpp"
        source.write_text("".join(f"#include <{name}>\n" for name in _HEADERS) + "int main() { return 0; }\n")
        done = subprocess.run(
            [str(compiler), str(source), "-lz", "-llz4", "-o", str(folder / "probe")],
            env=tool_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise ToolError(
            "an FST file needs the libraries zlib and lz4 with their headers, which the compiler does not find; get "
            "them with 'sudo apt-get install zlib1g-dev liblz4-dev', or name a .vcd file, which needs neither"
        )


__all__ = ["FORMATS", "SimulationError", "WaveArray", "WaveDesign", "require_fst"]
