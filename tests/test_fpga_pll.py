# SPDX-License-Identifier: BSD-2-Clause
"""The settings of the PLLs: legal, as near as can be, and those that the makers' own programs find."""

import re
import shutil
import subprocess
import sysconfig
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erbium.fpga.boards import BOARDS
from erbium.fpga.clock import clock_of
from erbium.fpga.pll import MHZ, PllSettings, pll_settings
from erbium.sw_model.programs import DescriptionError


def run(program, *arguments):
    path = shutil.which(program, path=sysconfig.get_path("scripts"))
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def number(pattern, text):
    (found,) = re.findall(pattern, text)
    return float(found)


def found_settings(family, source, target):
    found = pll_settings(family, source, target)
    assert found is not None
    return found


@pytest.mark.parametrize("described", BOARDS.values(), ids=BOARDS)
def test_every_board_gets_its_clock(described):
    assert clock_of(described) == described.clock
    found = pll_settings(described.family, described.oscillator, described.clock)
    assert found is None or found.is_legal


def test_no_pll_where_the_oscillator_is_right():
    assert pll_settings("ecp5", 100 * MHZ, 100 * MHZ) is None


@pytest.mark.parametrize("megahertz", [18, 24, 30, 39])
def test_ice40_as_icepll(megahertz):
    text = run("yowasp-icepll", "-i", "12", "-o", str(megahertz))
    found = found_settings("ice40", 12 * MHZ, megahertz * MHZ)
    assert found.frequency == pytest.approx(
        number(r"F_PLLOUT: +([\d.]+) MHz \(achieved", text) * MHZ, abs=500
    )
    assert found.divider == number(r"DIVR: +(\d+)", text) + 1
    assert found.multiplier == number(r"DIVF: +(\d+)", text) + 1
    assert found.post_divider == 1 << int(number(r"DIVQ: +(\d+)", text))


@pytest.mark.parametrize("megahertz", [50, 75, 90])
def test_ecp5_as_ecppll(megahertz):
    text = run("yowasp-ecppll", "-i", "25", "-o", str(megahertz))
    found = found_settings("ecp5", 25 * MHZ, megahertz * MHZ)
    assert found.frequency == number(r"clkout0 frequency: ([\d.]+)", text) * MHZ


@pytest.mark.parametrize("megahertz", [40.5, 54, 60])
def test_gowin_as_gowin_pll(megahertz):
    text = run("gowin_pll", "-d", "GW1NR-9 C6/I5", "-i", "27", "-o", str(megahertz))
    found = found_settings("gowin", 27 * MHZ, int(megahertz * MHZ))
    reached = number(r"Achieved output frequency: +([\d.]+)", text) * MHZ
    assert abs(found.exact - int(megahertz * MHZ)) <= abs(reached - megahertz * MHZ)


@pytest.mark.parametrize(
    ("setting", "legal"),
    [
        (PllSettings("ecp5", 25 * MHZ, 1, 24, 8), True),
        (PllSettings("ecp5", 25 * MHZ, 1, 15, 5), False),  # oscillator at 375 MHz
        (PllSettings("ecp5", 25 * MHZ, 1, 33, 11), False),  # at 825 MHz
        (PllSettings("ecp5", 25 * MHZ, 3, 72, 8), False),  # 8.3 MHz at the phase detector
        (PllSettings("ice40", 12 * MHZ, 1, 64, 32), True),
        (PllSettings("ice40", 12 * MHZ, 1, 44, 32), False),  # oscillator at 528 MHz
        (PllSettings("ice40", 12 * MHZ, 1, 64, 64), False),  # 12 MHz out
        (PllSettings("gowin", 27 * MHZ, 2, 3, 16), True),
        (PllSettings("gowin", 27 * MHZ, 2, 3, 8), False),  # oscillator at 324 MHz
    ],
)
def test_what_is_legal(setting, legal):
    assert setting.is_legal is legal


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([("ecp5", 25 * MHZ), ("ecp5", 100 * MHZ), ("ice40", 12 * MHZ)]),
    st.integers(18 * MHZ, 180 * MHZ),
)
def test_whatever_is_asked_for_is_met_nearly_and_legally(pair, target):
    family, source = pair
    found = pll_settings(family, source, target)
    assert found is None or (found.is_legal and abs(found.exact - target) <= Fraction(target, 50))


def test_a_clock_that_cannot_be_had():
    with pytest.raises(
        DescriptionError, match=r"a clock of 5 MHz cannot be made from 12 MHz; the PLL makes 16 to 275"
    ):
        pll_settings("ice40", 12 * MHZ, 5 * MHZ)
