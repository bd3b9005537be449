# SPDX-License-Identifier: BSD-2-Clause
"""Hardware that reads a flash, with the flash of cocotbext-qspi at its pins: tops for benches."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.chip import ErbiumChip
from erbium.hdl.flash.link import FlashPort
from erbium.hdl.flash.reader import READ_COMMANDS, FlashReader
from erbium.hdl.ports import pass_through
from erbium.sw_model.network import Hardware, Network

FLASH_OCTETS = 1 << 16
"""Of the flash: what cocotbext-qspi's has unless it is told."""


def _add_flash(m: Module, lanes: int, part: Any, prefix: str = "") -> None:
    """Add a flash at the pins of a part."""
    # Wires of their own, whose names are no ports'.
    driven, enable, there = (Signal(4, name=f"wires_{name}") for name in ("driven", "enable", "there"))
    m.d.comb += [
        driven.eq(getattr(part, f"{prefix}io_o")),
        enable.eq(getattr(part, f"{prefix}io_oe")),
        getattr(part, f"{prefix}io_i").eq(there),
    ]
    m.submodules.memory = Instance(
        "JEDEC_FLASH",
        p_DUMMY=READ_COMMANDS[lanes].dummy,
        i_SELECT=getattr(part, f"{prefix}select"),
        i_CLOCK=getattr(part, f"{prefix}clock"),
        i_DRIVEN=driven,
        i_ENABLE=enable,
        o_THERE=there,
    )


class FlashedReader(wiring.Component):
    """A reader and a flash; parameters and members are those of the reader, but for the pins, which can be seen."""

    def __init__(self, lanes: int, wake_clocks: int) -> None:
        self._reader, self._lanes = FlashReader(lanes, wake_clocks), lanes
        members = self._reader.signature.members.items()
        super().__init__({name: member for name, member in members if not name.startswith("io_")})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reader = reader = self._reader
        _add_flash(m, self._lanes, reader)
        pass_through(m, self, reader, self.signature.members)
        return m


class FlashedChip(wiring.Component):
    """A chip that learns from a flash, and the flash.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    clock_frequency, baud_rate : int
    flash : FlashPort

    Members
    -------
    rx : In(1), tx : Out(1), learning, active, failed : Out(1), answer : Out(8), button : In(1)
        Of :class:`erbium.hdl.chip.ErbiumChip`.
    """

    def __init__(
        self, network: Network, hardware: Hardware, clock_frequency: int, baud_rate: int, flash: FlashPort
    ) -> None:
        self._chip = ErbiumChip(network, hardware, clock_frequency, baud_rate, flash=flash)
        self._lanes = flash.lanes
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "learning": Out(1),
                "active": Out(1),
                "failed": Out(1),
                "answer": Out(8),
                "button": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.chip = chip = self._chip
        _add_flash(m, self._lanes, chip, "flash_")
        pass_through(m, self, chip, self.signature.members)
        return m


def write_flash(dut: Any, address: int, octets: bytes) -> None:
    """Put bytes into the flash of a device under test, whatever was there before."""
    memory = dut.memory.flash.memory
    for place, octet in enumerate(octets, address):
        memory[place].value = octet
