# SPDX-License-Identifier: BSD-2-Clause
"""The boards that a bitstream can be built for, as data.

Nothing is imported here that knows hardware: ``erbium boards`` and the planner work without Amaranth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from erbium.sw_model.programs import DescriptionError

Family = Literal["ecp5", "ice40", "gowin"]


CORE = "core"
"""What people call the core in place of a network, on the command line and in the names of folders."""


@dataclass(frozen=True)
class Device:
    """One FPGA and what is in it.

    Parameters
    ----------
    name : str
        As its maker calls it.
    family : str
    luts, ffs : int
        Look-up tables of four inputs, and flip-flops. In an iCE40 the two share a cell.
    block_rams, spram_blocks, dsps : int
        Block RAMs, single-port RAMs of 256 kbit, multipliers.
    """

    name: str
    family: Family
    luts: int
    ffs: int
    block_rams: int
    dsps: int
    spram_blocks: int = 0


LFE5U_25F = Device("LFE5U-25F", "ecp5", 24_288, 24_288, 56, 28)
LFE5U_85F = Device("LFE5U-85F", "ecp5", 83_640, 83_640, 208, 156)
LFE5UM5G_85F = Device("LFE5UM5G-85F", "ecp5", 83_640, 83_640, 208, 156)
UP5K = Device("iCE40UP5K", "ice40", 5_280, 5_280, 30, 8, spram_blocks=4)
GW1NR_9 = Device("GW1NR-9C", "gowin", 8_640, 6_480, 26, 20)


@dataclass(frozen=True)
class Lights:
    """Which lights show what: resources of the platform, a subsignal behind a dot.

    Parameters
    ----------
    learning, active : str, optional
        A sample is being learned; a sample is in the array.
    digit : tuple of str
        The last answer in binary, its lowest bit first; after a test from the flash its error in percent.
    failed : str, optional
        A run from the flash was stopped by what it found there.
    """

    learning: str | None = None
    active: str | None = None
    digit: tuple[str, ...] = ()
    failed: str | None = None


@dataclass(frozen=True)
class FlashMemory:
    """The SPI flash of a board, out of which its FPGA is configured, and whose rest may hold data.

    Parameters
    ----------
    octets : int
        Of the whole memory.
    data_at : int
        Address at which data begin: beyond the largest bitstream of the device, on a boundary of 64 KiB, which is what
        is erased at once.
    select : str
        Pin that selects it, low.
    data : tuple of str
        Pins of its data 0 and 1.
    high : tuple of str
        Pins of its data 2 and 3, WP and HOLD, which stay high.
    clock : str
        Pin of its clock; empty where a primitive of the FPGA leads there (USRMCLK of an ECP5).
    lanes : int
        Wires that it is read on, 1 or 2.
    """

    octets: int
    data_at: int
    select: str
    data: tuple[str, str]
    high: tuple[str, ...] = ()
    clock: str = ""
    lanes: int = 2

    @property
    def room(self) -> int:
        """Bytes that data may take."""
        return self.octets - self.data_at


@dataclass(frozen=True)
class Board:
    """One board.

    Parameters
    ----------
    name : str
        On the command line.
    title : str
        As people call it.
    device : Device
    package, speed : str
    platform : str
        ``module:class`` of its description in amaranth-boards.
    oscillator : int
        In Hz.
    clock : int
        Clock in Hz that a bitstream is built for.
    baud_rate : int
        Of the serial port, bits per second.
    serial_port : str
        What the UART of the FPGA is wired to.
    lights : Lights
    loader : tuple of str
        Arguments for openFPGALoader that name the board; empty if it cannot program it.
    usb_id : str
        Vendor and product of the USB device that openFPGALoader programs it through, in hexadecimal.
    by_hand : str
        How the board is programmed if openFPGALoader cannot.
    lanes : int
        Lanes of each layer unless the user asks for other ones.
    preset_lanes : mapping of int
        Those of layer 1 of presets that were routed with more.
    preset_clocks : mapping of int
        In Hz, of such presets that meet another clock than the board's.
    buffer_bytes : int
        Bytes of frames that the chip takes while it answers none.
    flash : FlashMemory, optional
        The memory that a chip may learn from by itself.
    button : str
        Resource of the platform that starts that; empty if there is none.
    """

    name: str
    title: str
    device: Device
    package: str
    speed: str
    platform: str
    oscillator: int
    clock: int
    baud_rate: int
    serial_port: str
    lights: Lights
    lanes: int
    buffer_bytes: int
    loader: tuple[str, ...] = ()
    usb_id: str = field(default="", kw_only=True)
    by_hand: str = field(default="", kw_only=True)
    preset_lanes: Mapping[str, int] = field(default_factory=dict, kw_only=True, hash=False)
    preset_clocks: Mapping[str, int] = field(default_factory=dict, kw_only=True, hash=False)
    flash: FlashMemory | None = field(default=None, kw_only=True)
    button: str = field(default="", kw_only=True)

    def lanes_for(self, name: str) -> int:
        """Return the lanes of layer 1 of a network unless the user asks for other ones, where they fit."""
        return self.preset_lanes.get(name, self.lanes)

    def own_clock(self, name: str, lanes: int) -> int | None:
        """Return the clock in Hz of a network that was routed with another one than the board's, with so many lanes."""
        return self.preset_clocks.get(name) if lanes == self.lanes_for(name) else None

    def clock_for(self, name: str, lanes: int) -> int:
        """Return the clock of a network with so many lanes in layer 1, in Hz, unless the user asks for another one."""
        return self.own_clock(name, lanes) or self.clock

    @property
    def family(self) -> Family:
        """Family of its FPGA."""
        return self.device.family


def _ulx3s(size: str, device: Device, clock: int, lanes: int, buffer_bytes: int) -> Board:
    return Board(
        name=f"ulx3s-{size.lower()}",
        title=f"ULX3S {size}",
        device=device,
        package="BG381",
        speed="6",
        platform=f"amaranth_boards.ulx3s:ULX3S_{size}_Platform",
        oscillator=25_000_000,
        clock=clock,
        baud_rate=3_000_000,
        serial_port="the USB port US1 (FT231X)",
        lights=Lights("led.7", "led.6", ("led.0", "led.1", "led.2", "led.3"), "led.5"),
        loader=("--board", "ulx3s"),
        usb_id="0403:6015",
        lanes=lanes,
        buffer_bytes=buffer_bytes,
        preset_lanes={"first-spike-mnist-24x24-640": 128, "erbp-mnist-200": 200, CORE: 32}
        if size == "85F"
        else {},
        preset_clocks={"erbp-mnist-200": 83_333_333, CORE: 60_000_000} if size == "85F" else {},
        # Bitstreams have up to 1.9 and 0.6 MB. Small ones of these boards come with 4 MB, the 85F with 16 MB.
        flash=FlashMemory(
            (16 if size == "85F" else 4) << 20,
            (2 if size == "85F" else 1) << 20,
            "R2",
            ("W2", "V2"),
            ("Y2", "W1"),
        ),
        button="button_fire.0",
    )


_ALL = (
    _ulx3s("85F", LFE5U_85F, 80_000_000, 64, 4096),
    _ulx3s("25F", LFE5U_25F, 50_000_000, 16, 2048),
    Board(
        name="ecpix5-85f",
        title="ECPIX-5 85F",
        device=LFE5UM5G_85F,
        package="BG554",
        speed="8",
        platform="amaranth_boards.ecpix5:ECPIX585Platform",
        oscillator=100_000_000,
        clock=80_000_000,
        baud_rate=4_000_000,
        serial_port="the debug USB port (FT2232H, its second port)",
        lights=Lights("rgb_led.0.r", "rgb_led.0.b", tuple(f"rgb_led.{number}.g" for number in range(4))),
        loader=("--board", "ecpix5"),
        usb_id="0403:6010",
        lanes=64,
        buffer_bytes=4096,
    ),
    Board(
        name="icesugar-pro-25f",
        title="iCESugar Pro",
        device=LFE5U_25F,
        package="BG256",
        speed="6",
        platform="amaranth_boards.icesugar_pro:ICESugarProPlatform",
        oscillator=25_000_000,
        clock=50_000_000,
        baud_rate=1_000_000,
        serial_port="the USB port (iCELink)",
        lights=Lights("rgb_led.0.r", "rgb_led.0.g"),
        by_hand="copy the file to the drive iCELink that the board shows, or use 'icesprog FILE'",
        lanes=16,
        buffer_bytes=2048,
    ),
    Board(
        name="colorlight-5a75b-25f",
        title="Colorlight 5A-75B v7.0",
        device=LFE5U_25F,
        package="BG256",
        speed="6",
        platform="amaranth_boards.colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
        oscillator=25_000_000,
        clock=50_000_000,
        baud_rate=1_000_000,
        serial_port="an adapter at J19: KEY+ receives, DATA_LED- sends, 3.3 V",
        # Its only light is the line on which the UART sends.
        lights=Lights(),
        loader=("--board", "colorlight", "--cable", "ft232"),
        usb_id="0403:6014",
        lanes=16,
        buffer_bytes=2048,
    ),
    Board(
        name="icebreaker",
        title="iCEBreaker",
        device=UP5K,
        package="SG48",
        speed="UP",
        platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
        oscillator=12_000_000,
        clock=24_000_000,
        baud_rate=3_000_000,
        serial_port="the USB port (FT2232H, its second port)",
        # 0 and 1 are on the board itself, 2 to 6 on the part that can be broken off.
        lights=Lights("led.0", "led.1", ("led.3", "led.4", "led.5", "led.6"), "led.2"),
        loader=("--board", "ice40_generic"),
        usb_id="0403:6010",
        lanes=1,
        buffer_bytes=0,
        flash=FlashMemory(16 << 20, 1 << 20, "16", ("14", "17"), ("12", "13"), "15"),
        button="button.0",
    ),
    Board(
        name="icesugar",
        title="iCESugar",
        device=UP5K,
        package="SG48",
        speed="UP",
        platform="amaranth_boards.icesugar:ICESugarPlatform",
        oscillator=12_000_000,
        clock=24_000_000,
        baud_rate=1_000_000,
        serial_port="the USB port (iCELink)",
        lights=Lights("led_r.0", "led_g.0"),
        by_hand="copy the file to the drive iCELink that the board shows, or use 'icesprog FILE'",
        lanes=1,
        buffer_bytes=0,
    ),
    Board(
        name="tang-nano-9k",
        title="Tang Nano 9K",
        device=GW1NR_9,
        package="QN88P",
        speed="C6/I5",
        platform="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
        oscillator=27_000_000,
        clock=40_500_000,
        baud_rate=2_000_000,
        serial_port="the USB port (BL702)",
        lights=Lights("led.5", "led.4", ("led.0", "led.1", "led.2", "led.3")),
        loader=("--board", "tangnano9k"),
        usb_id="0403:6010",
        lanes=4,
        buffer_bytes=0,
    ),
)

BOARDS = {board.name: board for board in _ALL}
"""All boards by name; a new one is an entry here."""


def board(name: str) -> Board:
    """Return the board called `name`.

    Raises
    ------
    DescriptionError
        If there is none, naming those that there are.
    """
    if name not in BOARDS:
        raise DescriptionError(f"there is no board {name!r}; there are {', '.join(BOARDS)}")
    return BOARDS[name]


def small_flash(board: Board) -> bool:
    """Whether a processor reads the flash of a board, for what does it in hardware is larger than the chip has room."""
    return board.family == "ice40"


def flash_of(described: Board) -> FlashMemory:
    """Return the flash of a board that a chip may learn from.

    Raises
    ------
    DescriptionError
        If Erbium knows nothing of it, naming the boards of whose flash it does.
    """
    if described.flash is None:
        known = ", ".join(name for name, each in BOARDS.items() if each.flash is not None)
        raise DescriptionError(
            f"a chip cannot learn from the flash of {described.title}, of whose pins nothing is known; it can on "
            f"{known}"
        )
    return described.flash
