# SPDX-License-Identifier: BSD-2-Clause
"""The top of a board's design: clock, serial port and lights around the chip. Nothing else is here."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, Elaboratable, Module, Value
from amaranth.lib import io

from erbium.fpga.boards import Board
from erbium.fpga.clock import ClockGenerator


class BoardTop(Elaboratable):
    """A chip on a board.

    Parameters
    ----------
    board : Board
    chip : Component
        With members ``rx``, ``tx``, ``learning``, ``active`` and ``answer``.
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
        return m

    def _lights(self) -> list[tuple[str, Value]]:
        """Return the lights and what they show."""
        lights, chip = self.board.lights, self.chip
        pairs = [(lights.learning, chip.learning), (lights.active, chip.active)]
        pairs += [(name, chip.answer[bit]) for bit, name in enumerate(lights.digit)]
        return [(name, value) for name, value in pairs if name is not None]
