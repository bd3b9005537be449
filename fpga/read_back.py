# SPDX-License-Identifier: BSD-2-Clause
"""A bitstream, or the netlist that was placed and routed, read back: its logic learns behind its own serial line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from erbium.fpga import flow, routed_ecp5, routed_ice40, unpacked_gowin
from erbium.fpga.boards import Board
from erbium.fpga.cells import Netlist
from erbium.fpga.clock import clock_of
from erbium.fpga.design import chip
from erbium.fpga.planner import plan
from erbium.fpga.simulated import longest_silence
from erbium.fpga.simulated_line import TOP, SimulatedLine, build_verilog
from erbium.fpga.top import BoardTop
from erbium.sw_model.network import Network
from erbium.verif.simulators import cell_models, cell_names
from erbium.verif.yosys import cell_library

ROUTED, DELAYS = "erbium.pnr.json", "erbium.sdf"
RX, TX = "uart_0__rx__io", "uart_0__tx__io"

_LIBRARIES = {"ecp5": "ecp5/cells_sim.v", "ice40": "ice40/cells_sim.v", "gowin": "gowin/cells_sim.v"}


@dataclass(frozen=True)
class Placed:
    """What the programs made of a design, with all that they wrote down.

    Attributes
    ----------
    board : Board
    network : Network
    folder : Path
        Where the files are.
    clock : int
        In Hz.
    """

    board: Board
    network: Network
    folder: Path
    clock: int

    def netlist(self) -> Netlist:
        """Return the netlist: routed, or of the Gowin part read out of its bitstream."""
        if self.board.family == "gowin":
            return unpacked_gowin.unpacked(self.folder, self.board, RX, TX)
        module = json.loads((self.folder / ROUTED).read_text())["modules"]["top"]
        read = routed_ice40.routed if self.board.family == "ice40" else routed_ecp5.routed
        return read(module, RX, TX)

    def line(self, cache_dir: Path | None = None) -> SimulatedLine:
        """Return the serial line of what was read back, compiled by Verilator."""
        verilog = simulated(self.netlist(), self.board)
        key = hashlib.sha256(verilog.encode()).hexdigest()
        library = build_verilog(lambda: verilog, f"{self.board.name}-read-back", key, cache_dir)
        hardware = plan(self.board, self.network).require().hardware
        quiet = longest_silence(self.network, hardware, self.clock)
        title = f"the read-back {self.board.title}"
        return SimulatedLine(library, title, self.clock, self.board.baud_rate, quiet)


def simulated(netlist: Netlist, board: Board) -> str:
    """Return the Verilog of a netlist with the behaviour of its cells."""
    verilog = netlist.verilog(TOP)
    own = "".join(path.read_text() for path in cell_models(verilog))
    macros = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" if board.family == "ice40" else ""
    return verilog + macros + cell_library(_LIBRARIES[board.family], verilog + own, but=cell_names())


def placed(board: Board, network: Network, folder: Path, progress: flow.Progress) -> Placed:
    """Place and route the design of a board's bitstream, and keep all that the programs write down.

    What is in the folder already is taken, if it was made of the same design by the same commands.

    Raises
    ------
    ToolError
        If a program is missing or fails.
    """
    clock = clock_of(board, None)
    hardware = plan(board, network).require().hardware
    place(board, chip(board, network, hardware, clock, board.baud_rate), clock, folder, progress)
    return Placed(board, network, folder, clock)


def place(board: Board, core: Any, clock: int, folder: Path, progress: flow.Progress) -> None:
    """Place and route what :class:`BoardTop` takes, and keep the routed netlist and its delays besides."""
    flow.check_tools(board)
    prepared = flow.prepare(board, BoardTop(board, core, board.clock), clock)
    synthesis, placing, *rest = prepared.commands
    placing = (*placing, "--sdf", DELAYS)
    if board.family != "gowin":
        placing = (*placing, "--write", ROUTED)
    prepared = replace(prepared, commands=(synthesis, placing, *rest))
    stamp, key = (
        folder / "made",
        hashlib.sha256(repr((prepared.files, prepared.commands)).encode()).hexdigest(),
    )
    if stamp.exists() and stamp.read_text() == key:
        for stage in flow.STAGES:
            progress(stage, 0.0)
        return
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    flow.run(prepared, folder, progress, (1, 2, 3))
    stamp.write_text(key)
