# SPDX-License-Identifier: BSD-2-Clause
"""What the components of the host link refuse, in one sentence each."""

import re

import pytest

from erbium.gen.presets import preset
from erbium.hdl.frame import check_limits
from erbium.hdl.host_link import HostLink
from erbium.hdl.registers import ErrorCode
from erbium.hdl.uart import FRACTION_BITS, bit_period
from erbium.sw_model.network import Hardware
from erbium.verif.link_fuzz import fuzz


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


class RefusedLink(HostLink):
    """A link that is not built, so nobody is to miss it."""

    _MustUse__silence = True


def test_a_negative_buffer_is_refused():
    with pytest.raises(ValueError, match=r"^buffer_bytes is -1; it must be 0 or more$"):
        RefusedLink(preset("tiny").network, buffer_bytes=-1)


@pytest.mark.verilator
def test_random_frames_do_no_harm():
    found = fuzz(preset("tiny").network, Hardware(lanes=4), seed=7, frames=3000)
    assert found.wrong == []
    assert found.hangs == 0
    assert found.frames >= 3000
    assert sum(found.replies.values()) > 2900
    errors = {code.name for code in ErrorCode}
    assert errors <= set(found.replies)
    assert found.resets > 3
