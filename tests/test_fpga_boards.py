# SPDX-License-Identifier: BSD-2-Clause
"""The boards: what is written of them agrees with their descriptions in amaranth-boards and with the tools."""

import pytest
from amaranth.build import ResourceError

from erbium.fpga.boards import BOARDS, board
from erbium.fpga.platforms import platform_of
from erbium.fpga.tools import TOOLS
from erbium.hdl.uart import bit_period
from erbium.sw_model.programs import DescriptionError

LOADER_BOARDS = {"ulx3s", "ecpix5", "colorlight", "ice40_generic", "tangnano9k"}
"""Names that openFPGALoader 0.10.0 knows: `board_list` in its ``src/board.hpp``."""

every_board = pytest.mark.parametrize("described", BOARDS.values(), ids=BOARDS)


def test_an_unknown_board_is_answered_with_those_that_there_are():
    with pytest.raises(
        DescriptionError, match=r"there is no board 'ulx4s'; there are ulx3s-85f, .*tang-nano-9k"
    ):
        board("ulx4s")


@every_board
def test_the_description_agrees_with_the_platform(described):
    platform = platform_of(described)
    assert platform.default_clk_frequency == described.oscillator
    if described.family == "gowin":
        assert (platform.family, platform.package, platform.speed) == (
            described.device.name,
            described.package,
            described.speed,
        )
    else:
        assert (platform.device, platform.package) == (described.device.name, described.package)
    if described.family == "ecp5":
        assert platform.speed == described.speed
    assert tuple(platform.required_tools) == TOOLS[described.family]


@every_board
def test_the_serial_port_and_every_light_are_there(described):
    platform = platform_of(described)
    uart = platform.lookup("uart", 0)
    assert {io.name for io in uart.ios} >= {"rx", "tx"}
    pins = {name for io in uart.ios if io.name in ("rx", "tx") for name in io.ios[0].names}
    lights = described.lights
    names = [name for name in (lights.learning, lights.active, *lights.digit) if name is not None]
    assert len(set(names)) == len(names)
    for name in names:
        resource, number, *colour = name.split(".")
        found = platform.lookup(resource, int(number))
        ios = [io for io in found.ios if not colour or io.name == colour[0]]
        assert len(ios) == 1
        # A light that shares its pin with the serial port would silence it.
        assert pins.isdisjoint(ios[0].ios[0].names if colour else ios[0].names)


def test_a_light_that_is_not_there_would_be_noticed():
    with pytest.raises(ResourceError):
        platform_of(board("icebreaker")).lookup("led", 7)


@every_board
def test_the_baud_rate_can_be_had(described):
    assert bit_period(described.clock, described.baud_rate) > 0


@every_board
def test_the_loader_knows_the_board_or_the_user_is_told_what_to_do(described):
    assert bool(described.loader) != bool(described.by_hand)
    if described.loader:
        assert described.loader[0] == "--board"
        assert described.loader[1] in LOADER_BOARDS
