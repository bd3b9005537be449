# SPDX-License-Identifier: BSD-2-Clause
"""Bench of one short run of a chip that learns from its flash, for a simulator that is slow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cocotb

from erbium.gen.flash_image import flash_image
from erbium.hdl.flash.layout import PixelKind
from erbium.verif.benches.flash_link import ROOM, TB


@cocotb.test()
async def learns_and_tests(dut: Any) -> None:
    """One sample is learned and one tested; every weight."""
    tb = TB(dut)
    await tb.harness.reset()
    whole = tb.make(PixelKind.BITS)
    run = replace(whole, passes=tuple(replace(one, count=1) for one in whole.passes[:2]))
    tb.fill(flash_image(run, tb.data_at, ROOM))
    await tb.start()
    await tb.until_over()
    await tb.check_all(run)
