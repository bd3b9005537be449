# SPDX-License-Identifier: BSD-2-Clause
"""What the components of the host link refuse, in one sentence each."""

import re

import pytest

from erbium.hdl.frame import check_limits
from erbium.hdl.uart import FRACTION_BITS, bit_period


@pytest.mark.parametrize(
    ("clock_frequency", "baud_rate"),
    [
        (12_000_000, 3_000_000),
        (12_000_000, 3_050_000),  # 1.6 % too slow
        (25_000_000, 3_000_000),
        (25_000_000, 6_250_000),
        (27_000_000, 6_000_000),
        (12_000_000, 115_200),
        (100_000_000, 9_600),
        (48_000_000, 921_600),
    ],
)
def test_a_baud_rate_is_met(clock_frequency, baud_rate):
    period = bit_period(clock_frequency, baud_rate)
    assert period >= 4 << FRACTION_BITS
    possible = clock_frequency / (period / (1 << FRACTION_BITS))
    assert abs(possible / baud_rate - 1) <= (0.02 if baud_rate == 3_050_000 else 0.002)


@pytest.mark.parametrize(
    ("clock_frequency", "baud_rate", "text"),
    [
        (
            12_000_000,
            3_500_000,
            "baud_rate is 3500000; the nearest possible with a clock_frequency of 12000000 is 3000000, "
            "and it may be off by 2 % at most",
        ),
        (12_000_000, 0, "baud_rate is 0; it must be an integer of at least 1"),
        (12e6, 9600, "clock_frequency is 12000000.0; it must be an integer of at least 1"),
    ],
)
def test_a_baud_rate_that_cannot_be_met_is_refused(clock_frequency, baud_rate, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        bit_period(clock_frequency, baud_rate)


@pytest.mark.parametrize(
    ("max_length", "timeout", "text"),
    [
        (0, 100, "max_length is 0; it must be 1 ... 65536"),
        (65_537, 100, "max_length is 65537; it must be 1 ... 65536"),
        (16, 0, "timeout is 0; it must be at least 1 clock"),
    ],
)
def test_a_receiver_that_cannot_be_built_is_refused(max_length, timeout, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        check_limits(max_length, timeout)
