# SPDX-License-Identifier: BSD-2-Clause
"""The top of a board's design: clock, serial port and lights around the chip. Nothing else is here."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, Const, Elaboratable, Instance, Module, Value
from amaranth.lib import io

from erbium.fpga.boards import Board
from erbium.fpga.clock import ClockGenerator
from erbium.fpga.platforms import FLASH


class BoardTop(Elaboratable):
    """A chip on a board.

    Parameters
    ----------
    board : Board
    chip : Component
        With members ``rx``, ``tx``, ``learning``, ``active`` and ``answer``; with those of
        :data:`erbium.hdl.flash.link.PINS` the flash and a button of the board are joined to it, too.
    clock : int
        Frequency in Hz that the PLL is set to.

    Notes
    -----
    The lights change with the chip's signals; those of a sample are too short for the eye, so a board that
    works looks dim and one that waits looks dark.
    """

    def __init__(self, board: Board, chip: Any, clock: int) -> None:
        self.board, self.chip, self.clock = board, chip, clock

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.clock = ClockGenerator(self.board, self.clock)
        m.submodules.chip = chip = self.chip
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [chip.rx.eq(rx.i), tx.o.eq(chip.tx)]
        # A light of several colours is one resource, which can be asked for once.
        resources: dict[tuple[str, int], Any] = {}
        for index, (name, value) in enumerate(self._lights()):
            resource, number, *colour = name.split(".")
            key = (resource, int(number))
            if key not in resources:
                resources[key] = platform.request(*key, dir="-")
            pin = getattr(resources[key], colour[0]) if colour else resources[key]
            m.submodules[f"light_{index}"] = light = io.Buffer("o", pin)
            m.d.comb += light.o.eq(value)
        if hasattr(chip, "flash_select"):
            self._join_flash(m, platform)
        return m

    def _join_flash(self, m: Module, platform: Any) -> None:
        """Join the flash of the board, and its button."""
        board, chip = self.board, self.chip
        assert board.flash is not None
        pins = platform.request(FLASH, 0, dir="-")
        m.submodules.flash_select = select = io.Buffer("o", pins.select)
        m.d.comb += select.o.eq(chip.flash_select)
        for number in range(2):
            m.submodules[f"flash_data_{number}"] = wire = io.Buffer("io", pins.data[number])
            m.d.comb += [
                wire.o.eq(chip.flash_io_o[number]),
                wire.oe.eq(chip.flash_io_oe[number]),
                chip.flash_io_i[number].eq(wire.i),
            ]
        if board.flash.high:
            # WP and HOLD: on two wires the flash is neither written nor paused.
            m.submodules.flash_high = high = io.Buffer("o", pins.high)
            m.d.comb += high.o.eq(-1)
        if board.flash.clock:
            m.submodules.flash_clock = clock = io.Buffer("o", pins.clock)
            m.d.comb += clock.o.eq(chip.flash_clock)
        else:
            # The pin belongs to what configures an ECP5; this leads to it.
            m.submodules.flash_clock = Instance("USRMCLK", i_USRMCLKI=chip.flash_clock, i_USRMCLKTS=Const(0))
        if board.button:
            name, number_of_button = board.button.split(".")
            pin = platform.request(name, int(number_of_button), dir="-")
            m.submodules.button = button = io.Buffer("i", pin)
            m.d.comb += chip.button.eq(button.i)
        if board.lights.failed is not None:
            self._light(m, platform, board.lights.failed, chip.failed)

    def _light(self, m: Module, platform: Any, name: str, value: Value) -> None:
        """Let a light of its own show a bit."""
        resource, number = name.split(".")
        m.submodules.light_failed = light = io.Buffer("o", platform.request(resource, int(number), dir="-"))
        m.d.comb += light.o.eq(value)

    def _lights(self) -> list[tuple[str, Value]]:
        """Return the lights and what they show."""
        lights, chip = self.board.lights, self.chip
        pairs = [(lights.learning, chip.learning), (lights.active, chip.active)]
        pairs += [(name, chip.answer[bit]) for bit, name in enumerate(lights.digit)]
        return [(name, value) for name, value in pairs if name is not None]
