# SPDX-License-Identifier: BSD-2-Clause
"""An export of ``erbium verilog PRESET --bus wishbone`` as a peripheral of LiteX. It uses nothing of Erbium's Python.

from peripheral import Erbium

self.erbium = Erbium(self.platform, "out/erbium.json")
self.bus.add_slave("erbium", self.erbium.bus, self.erbium.region(0x8000_0000))
"""

from __future__ import annotations

import json
from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect import wishbone
from migen import Cat, ClockSignal, Constant, Instance, ResetSignal, Signal


class Erbium(LiteXModule):
    """The array on a Wishbone of LiteX, which counts words where the array counts bytes.

    Parameters
    ----------
    platform : litex.build.generic_platform.GenericPlatform
        Gets the Verilog.
    manifest : path
        The export's ``NAME.json``; ``NAME.v`` lies beside it.

    Attributes
    ----------
    bus : wishbone.Interface
    idle : Signal
        No sample is in the array: may serve as an interrupt.
    """

    def __init__(self, platform, manifest):
        manifest = Path(manifest)
        described = json.loads(manifest.read_text(encoding="utf-8"))
        kind = described.get("bus", {}).get("kind")
        if kind != "wishbone":
            raise ValueError(f"{manifest} is an export with the bus {kind!r}; make one with --bus wishbone")
        self.address_bits = described["bus"]["address_bits"]
        self.bus = bus = wishbone.Interface(data_width=32, address_width=32, addressing="word")
        self.idle = Signal()
        acknowledged, refused = Signal(), Signal()
        # What LiteX has on its bus waits for `ack`, whatever `err` says.
        self.comb += [bus.ack.eq(acknowledged | refused), bus.err.eq(refused)]
        platform.add_source(str(manifest.with_suffix(".v").resolve()))
        self.specials += Instance(
            described["top"],
            i_clk=ClockSignal("sys"),
            i_rst=ResetSignal("sys"),
            i_wb_cyc=bus.cyc,
            i_wb_stb=bus.stb,
            i_wb_we=bus.we,
            i_wb_adr=Cat(Constant(0, 2), bus.adr[: self.address_bits - 2]),
            i_wb_sel=bus.sel,
            i_wb_datwr=bus.dat_w,
            o_wb_datrd=bus.dat_r,
            o_wb_ack=acknowledged,
            o_wb_err=refused,
            o_idle=self.idle,
            o_collision=Signal(),
        )

    def region(self, origin):
        """Return the addresses from `origin` on; caches keep out."""
        return SoCRegion(origin=origin, size=1 << self.address_bits, cached=False)
