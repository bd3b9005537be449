# SPDX-License-Identifier: BSD-2-Clause
"""The clock of a board's design: the oscillator, a PLL where another frequency is wanted, and the reset."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from erbium.fpga.boards import Board
from erbium.fpga.pll import PllSettings, pll_settings

MHZ = 1_000_000

SETTLE = 1 << 10
"""Clocks from the lock of the PLL to the end of the reset. Block RAM of an iCE40 reads as 0 for its first 3 us."""


def clock_of(board: Board, target: int | None = None) -> int:
    """Return the frequency in Hz that the design really gets when it asks for `target`.

    Raises
    ------
    DescriptionError
        If the PLL cannot make it.
    """
    settings = pll_settings(board.family, board.oscillator, target or board.clock)
    return settings.frequency if settings else board.oscillator


class ClockGenerator(Elaboratable):
    """Drives the domain ``sync`` of the top: reset until the PLL has locked, and for a while behind that.

    Parameters
    ----------
    board : Board
    target : int
        Frequency in Hz; see :func:`clock_of`.
    """

    def __init__(self, board: Board, target: int) -> None:
        self.board, self.target = board, target
        self.settings = pll_settings(board.family, board.oscillator, target)

    def elaborate(self, platform) -> Module:  # type: ignore[no-untyped-def]  # Amaranth's platforms have no types
        m = Module()
        pin = platform.request(platform.default_clk, dir="-")
        clock, locked = Signal(), Signal()
        if self.settings is None:
            m.submodules.clock_buffer = buffer = io.Buffer("i", pin)
            m.d.comb += [clock.eq(buffer.i), locked.eq(1)]
        elif self.board.family == "ice40":
            # The pin of the clock is that of the PLL: it goes there and nowhere else.
            m.submodules.pll = _ice40(self.settings, pin.io, clock, locked)
        else:
            m.submodules.clock_buffer = buffer = io.Buffer("i", pin)
            make = _ecp5 if self.board.family == "ecp5" else _gowin
            m.submodules.pll = make(self.settings, buffer.i, clock, locked)
        m.d.comb += ClockSignal().eq(clock)

        m.domains.settle = ClockDomain(local=True)
        m.d.comb += ClockSignal("settle").eq(clock)
        m.submodules.lock = ResetSynchronizer(~locked, domain="settle")
        count = Signal(range(SETTLE))
        resting = Signal(init=1)
        with m.If(count != SETTLE - 1):
            m.d.settle += count.eq(count + 1)
        with m.Else():
            m.d.settle += resting.eq(0)
        m.d.comb += ResetSignal().eq(resting)
        return m


def _ecp5(settings: PllSettings, source: Signal, clock: Signal, locked: Signal) -> Instance:
    # The first output closes the loop, the second one is the clock: so that the two divide independently.
    fed_back = Signal()
    return Instance(
        "EHXPLLL",
        # What prjtrellis needs to set the loop's filter.
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_FREQUENCY_PIN_CLKI=str(settings.source / MHZ),
        a_FREQUENCY_PIN_CLKOP=str(float(settings.reference) / MHZ),
        a_FREQUENCY_PIN_CLKOS=str(settings.frequency / MHZ),
        p_PLLRST_ENA="DISABLED",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_OUTDIVIDER_MUXA="DIVA",
        p_OUTDIVIDER_MUXB="DIVB",
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_CPHASE=settings.multiplier - 1,
        p_CLKOP_FPHASE=0,
        p_CLKOP_DIV=settings.multiplier,
        p_CLKOS_ENABLE="ENABLED",
        p_CLKOS_CPHASE=settings.post_divider - 1,
        p_CLKOS_FPHASE=0,
        p_CLKOS_DIV=settings.post_divider,
        p_CLKI_DIV=settings.divider,
        p_CLKFB_DIV=1,
        p_FEEDBK_PATH="CLKOP",
        i_CLKI=source,
        i_CLKFB=fed_back,
        i_RST=Const(0),
        i_STDBY=Const(0),
        i_PHASESEL0=Const(0),
        i_PHASESEL1=Const(0),
        i_PHASEDIR=Const(1),
        i_PHASESTEP=Const(1),
        i_PHASELOADREG=Const(1),
        i_PLLWAKESYNC=Const(0),
        i_ENCLKOP=Const(0),
        i_ENCLKOS=Const(0),
        o_CLKOP=fed_back,
        o_CLKOS=clock,
        o_LOCK=locked,
    )


def _ice40_filter(reference: float) -> int:
    """Return the setting of the loop's filter for a frequency at the phase detector."""
    steps = (17 * MHZ, 26 * MHZ, 44 * MHZ, 66 * MHZ, 101 * MHZ)
    return 1 + sum(reference >= step for step in steps)


def _ice40(settings: PllSettings, pin: object, clock: Signal, locked: Signal) -> Instance:
    return Instance(
        "SB_PLL40_PAD",
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=Const(settings.divider - 1, 4),
        p_DIVF=Const(settings.multiplier - 1, 7),
        p_DIVQ=Const(settings.post_divider.bit_length() - 1, 3),
        p_FILTER_RANGE=Const(_ice40_filter(float(settings.reference)), 3),
        i_PACKAGEPIN=pin,
        i_RESETB=Const(1),
        i_BYPASS=Const(0),
        o_PLLOUTGLOBAL=clock,
        o_LOCK=locked,
    )


def _gowin(settings: PllSettings, source: Signal, clock: Signal, locked: Signal) -> Instance:
    return Instance(
        "rPLL",
        p_FCLKIN=str(settings.source / MHZ),
        p_DEVICE="GW1NR-9C",
        p_IDIV_SEL=settings.divider - 1,
        p_FBDIV_SEL=settings.multiplier - 1,
        p_ODIV_SEL=settings.post_divider,
        p_DYN_IDIV_SEL="false",
        p_DYN_FBDIV_SEL="false",
        p_DYN_ODIV_SEL="false",
        p_DYN_DA_EN="false",
        p_DUTYDA_SEL="1000",
        p_PSDA_SEL="0000",
        p_CLKFB_SEL="internal",
        p_CLKOUT_BYPASS="false",
        p_CLKOUTP_BYPASS="false",
        p_CLKOUTD_BYPASS="false",
        i_CLKIN=source,
        i_CLKFB=Const(0),
        i_RESET=Const(0),
        i_RESET_P=Const(0),
        i_FBDSEL=Const(0, 6),
        i_IDSEL=Const(0, 6),
        i_ODSEL=Const(0, 6),
        i_PSDA=Const(0, 4),
        i_DUTYDA=Const(0, 4),
        i_FDLY=Const(0, 4),
        o_CLKOUT=clock,
        o_LOCK=locked,
    )
