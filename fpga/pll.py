# SPDX-License-Identifier: BSD-2-Clause
"""Which divider settings make a phase-locked loop turn one clock into another.

Frequencies are in Hz; a setting is legal if every frequency within the loop is in the range of the data sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from erbium.fpga.boards import Family
from erbium.sw_model.programs import DescriptionError

MAX_ERROR = Fraction(1, 50)
"""Share by which the clock may miss what was asked for; the serial port is computed from the real one."""

MHZ = 1_000_000


@dataclass(frozen=True)
class PllLimits:
    """What the data sheet allows.

    Parameters
    ----------
    reference, oscillator, output : (int, int)
        Lowest and highest frequency in Hz at the phase detector, of the oscillator, of the clock.
    dividers, multipliers, post_dividers : tuple of int
        Values of the dividers before the phase detector, in the feedback and behind the oscillator.
    """

    reference: tuple[int, int]
    oscillator: tuple[int, int]
    output: tuple[int, int]
    dividers: tuple[int, ...]
    multipliers: tuple[int, ...]
    post_dividers: tuple[int, ...]


LIMITS: dict[Family, PllLimits] = {
    # ECP5 family data sheet, sysCLOCK PLL timing. A second output, of the frequency at the phase detector, is fed back.
    "ecp5": PllLimits(
        (10 * MHZ, 400 * MHZ),
        (400 * MHZ, 800 * MHZ),
        (3_125_000, 400 * MHZ),
        tuple(range(1, 129)),
        tuple(range(1, 129)),
        tuple(range(1, 129)),
    ),
    # iCE40 UltraPlus family data sheet, simple feedback. The oscillator itself is fed back.
    "ice40": PllLimits(
        (10 * MHZ, 133 * MHZ),
        (533 * MHZ, 1066 * MHZ),
        (16 * MHZ, 275 * MHZ),
        tuple(range(1, 17)),
        tuple(range(1, 129)),
        tuple(1 << power for power in range(1, 7)),
    ),
    # GW1NR data sheet, rPLL of speed grade C6/I5. The clock itself is fed back.
    "gowin": PllLimits(
        (3 * MHZ, 400 * MHZ),
        (400 * MHZ, 1200 * MHZ),
        (3_125_000, 600 * MHZ),
        tuple(range(1, 65)),
        tuple(range(1, 65)),
        (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128),
    ),
}

CLOCK_IS_FED_BACK = ("gowin",)
"""Families in which the multiplier is that of the clock; in the others it is that of the loop's oscillator."""


@dataclass(frozen=True)
class PllSettings:
    """One way to make a clock.

    Parameters
    ----------
    family : str
    source : int
        Frequency that goes in.
    divider, multiplier, post_divider : int
        Before the phase detector, in the feedback, behind the oscillator.
    """

    family: Family
    source: int
    divider: int
    multiplier: int
    post_divider: int

    @property
    def reference(self) -> Fraction:
        """Frequency at the phase detector."""
        return Fraction(self.source, self.divider)

    @property
    def oscillator(self) -> Fraction:
        """Frequency of the loop's oscillator."""
        fed_back = self.reference * self.multiplier
        return fed_back * self.post_divider if self.family in CLOCK_IS_FED_BACK else fed_back

    @property
    def exact(self) -> Fraction:
        """Frequency that comes out."""
        return self.oscillator / self.post_divider

    @property
    def frequency(self) -> int:
        """Frequency that comes out, to the nearest Hz."""
        return round(self.exact)

    @property
    def is_legal(self) -> bool:
        """Whether every frequency is in range."""
        limits = LIMITS[self.family]
        pairs = (
            (self.reference, limits.reference),
            (self.oscillator, limits.oscillator),
            (self.exact, limits.output),
        )
        return all(low <= value <= high for value, (low, high) in pairs)


def _candidates(family: Family, source: int, target: int) -> Iterator[PllSettings]:
    """Yield the legal settings near the target."""
    limits = LIMITS[family]
    for divider in limits.dividers:
        for post_divider in limits.post_dividers:
            ratio = Fraction(target * divider, source) * (1 if family in CLOCK_IS_FED_BACK else post_divider)
            for multiplier in {int(ratio), int(ratio) + 1} & set(limits.multipliers):
                settings = PllSettings(family, source, divider, multiplier, post_divider)
                if settings.is_legal:
                    yield settings


def pll_settings(family: Family, source: int, target: int) -> PllSettings | None:
    """Find the settings that come nearest to a clock.

    Parameters
    ----------
    family : str
    source, target : int
        Frequency of the board's oscillator and of the clock, Hz.

    Returns
    -------
    PllSettings or None
        None if both are the same and no PLL is needed. Of settings that are equally near, that with the highest
        frequency at the phase detector, then in the middle of the oscillator's range: they jitter least.

    Raises
    ------
    DescriptionError
        If none comes within 2 %, naming the range.
    """
    if source == target:
        return None
    limits = LIMITS[family]
    middle = sum(limits.oscillator) // 2
    best = min(
        _candidates(family, source, target),
        key=lambda s: (abs(s.exact - target), -s.reference, abs(s.oscillator - middle)),
        default=None,
    )
    if best is None or abs(best.exact - target) > MAX_ERROR * target:
        low, high = (value / MHZ for value in limits.output)
        near = f"; the nearest is {float(best.exact) / MHZ:g} MHz" if best else ""
        raise DescriptionError(
            f"a clock of {target / MHZ:g} MHz cannot be made from {source / MHZ:g} MHz{near}; the PLL makes "
            f"{low:g} to {high:g} MHz"
        )
    return best
