# SPDX-License-Identifier: BSD-2-Clause
"""What an array pays for its bus: logic between the two, as Yosys makes it for an ECP5, and clocks of an access."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, connect
from amaranth.sim import Simulator, SimulatorContext

from erbium.fpga.lane_cost import ecp5_cells
from erbium.gen.bus_export import BusName
from erbium.gen.presets import preset
from erbium.hdl.bus_axi import AxiLite
from erbium.hdl.bus_front import BusFront
from erbium.hdl.bus_wishbone import Wishbone
from erbium.hdl.registers import RegisterMap
from erbium.sw_model.network import Hardware
from erbium.sw_model.temporary import temporary_folder

PRESET = "erbp-mnist-200"
"""Network whose registers and windows are on the bus."""

MOST_CLOCKS = 100


@dataclass(frozen=True)
class BusCost:
    """LUTs and clocks.

    Parameters
    ----------
    wrapper_luts : int
        Of what speaks the bus.
    luts : int
        Of all between the bus and the array: that, and registers, windows and samples. A carry cell counts as two.
    read_clocks, write_clocks : int
        From the clock in which an access of a setting is offered to that in which its answer is, both included.
    """

    wrapper_luts: int
    luts: int
    read_clocks: int
    write_clocks: int


def bus_cost(bus: BusName) -> BusCost:
    """Synthesise what lies between a bus and the array, which takes a minute, and simulate an access.

    Raises
    ------
    ToolError
        Without Yosys, or if it fails.
    """
    registers = RegisterMap(preset(PRESET).network, Hardware())
    front = _front(registers, bus)
    wrapper = _wrapper(front, bus)
    wrapper_luts = luts_of(wrapper)
    read, write = (clocks_of(registers, bus, write=write) for write in (False, True))
    return BusCost(wrapper_luts, wrapper_luts + luts_of(front), read, write)


def luts_of(part: Component) -> int:
    """Return the LUTs of a part on an ECP5."""
    with temporary_folder(Path.cwd(), "bus-cost-") as folder:
        cells = ecp5_cells(part, "bus", folder)
    return cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0)


def clocks_of(registers: RegisterMap, bus: BusName, *, write: bool) -> int:
    """Return the clocks of an access of the register ``n_ticks`` of an array that rests."""
    front = _front(registers, bus)
    port: Any = _wrapper(front, bus)
    m = Module()
    m.submodules += [front, port]
    connect(m, port.access_o, front.bus_i)
    m.d.comb += front.idle.eq(1)
    address = front.map.register("n_ticks")
    if bus == "axi":
        offered = {"awaddr": address, "awvalid": 1, "wdata": 1, "wstrb": 15, "wvalid": 1, "bready": 1}
        if not write:
            offered = {"araddr": address, "arvalid": 1, "rready": 1}
        offered = {f"s_axi_{name}": value for name, value in offered.items()}
        answer = port.s_axi_bvalid if write else port.s_axi_rvalid
    else:
        offered = {"cyc": 1, "stb": 1, "we": int(write), "adr": address, "datwr": 1, "sel": 15}
        offered = {f"wb_{name}": value for name, value in offered.items()}
        answer = port.wb_ack
    found: list[int] = []

    async def host(context: SimulatorContext) -> None:
        await context.tick().repeat(3)
        for name, value in offered.items():
            context.set(getattr(port, name), value)
        for clock in range(1, MOST_CLOCKS):
            if context.get(answer):
                found.append(clock)
                return
            await context.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.run()
    (clocks,) = found
    return clocks


def _front(registers: RegisterMap, bus: BusName) -> BusFront:
    return BusFront(registers, streams=bus == "axi")


def _wrapper(front: BusFront, bus: BusName) -> AxiLite | Wishbone:
    if bus == "axi":
        return AxiLite(front.map.address_bits)
    return Wishbone(front.map.address_bits, pipelined=bus == "wishbone-pipelined")
