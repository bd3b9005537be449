# SPDX-License-Identifier: BSD-2-Clause
"""The register map and the messages of the host link, declared once.

The gateware, the driver, the C header, the page in the documentation and the tests all read them from here, so
this module knows nothing of any of them, and needs no hardware library.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from erbium.hdl.population import engine_populations, readout_counters
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.codec import digest_of
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network

MAGIC = int.from_bytes(b"ERBM", "little")
"""First register: tells an Erbium chip from whatever else answers on a serial port."""

PROTOCOL_VERSION = 2
"""Of the messages; it moves when a host may send, or a chip answer, what one of the version before does not know.
Version 2 has runs of pixels, and two pixels in a byte."""

WORD_BYTES = 4
REPLY_BIT = 0x80
"""Set in the type of the reply to a request of that type."""

HISTORY = 16
"""Results that the chip remembers, so that the host can ask again for those that were damaged on their way."""

EVENT_BYTES = 3
"""Bytes of one event of a sample: address, two bytes, and value."""

RESULT_BYTES = 8


class Request(enum.IntEnum):
    """First byte of a message of the host; its second byte is a tag, which the reply repeats.

    Members
    -------
    READ : window (1 byte), first entry (2), number of entries (2). The reply holds the entries.
    WRITE : window (1 byte), first entry (2), entries to the end of the message. The reply is empty.
    SAMPLE : turn (1 byte), flags (1), label (1), seed (4), pixels to the end of the message. The reply comes when
        the sample has been processed: turn (1), answer (1), ticks (2), ticks to decision (2).
    """

    READ = 1
    WRITE = 2
    SAMPLE = 3


ERROR_REPLY = 0xFF
"""Type of the reply to a frame that was refused: tag (0 if it could not be read), error code (1 byte)."""


class PixelFormat(enum.IntEnum):
    """How a sample's pixels are sent: bits 1 and 2 of its flags; bit 0 says whether it is learned.

    Members
    -------
    BYTES : one byte per pixel, all of them
    BITS : one bit per pixel, the lowest first; a set bit stands for the value 255
    EVENTS : address and value of each pixel that is not 0, addresses ascending
    RUNS : a byte n below 128 stands for n + 1 pixels of 0; one from 128 on for n - 127 pixels whose values follow, one
        byte each; up to the last pixel
    """

    BYTES = 0
    BITS = 1
    EVENTS = 2
    RUNS = 3


NIBBLES = 8
"""Flag of a sample for a chip whose encoders see four bits of a pixel: BYTES and RUNS have two pixels in a byte."""


class ErrorCode(enum.IntEnum):
    """Why a frame was refused. Nothing was changed by it.

    Members
    -------
    MALFORMED : the byte stuffing is wrong
    DAMAGED : the CRC is wrong
    TOO_LONG : longer than the chip's longest message
    TOO_SHORT : too short to hold a message
    TIMED_OUT : the line fell silent within the frame
    UNKNOWN_REQUEST : no request has this type
    BAD_LENGTH : the message is longer or shorter than its type or window asks for
    UNKNOWN_WINDOW : no window has this number
    OUT_OF_WINDOW : an entry is not within the window
    READ_ONLY : the window or register cannot be written
    BAD_VALUE : a register does not take the value
    BAD_FORMAT : a reserved flag of the sample is set, or nibbles are said where there are none
    BAD_LABEL : the label names no class
    BAD_EVENT : the address of an event is outside of the input or does not ascend
    OUT_OF_TURN : the sample is not the next one; the register ``next_turn`` holds the number of that
    """

    MALFORMED = 1
    DAMAGED = 2
    TOO_LONG = 3
    TOO_SHORT = 4
    TIMED_OUT = 5
    UNKNOWN_REQUEST = 6
    BAD_LENGTH = 7
    UNKNOWN_WINDOW = 8
    OUT_OF_WINDOW = 9
    READ_ONLY = 10
    BAD_VALUE = 11
    BAD_FORMAT = 12
    BAD_LABEL = 13
    BAD_EVENT = 14
    OUT_OF_TURN = 15


class WindowNumber(enum.IntEnum):
    """Memory windows. An entry of a window is the smallest thing that can be read or written.

    Members
    -------
    REGISTERS : an entry is one register word of four bytes. A write takes exactly one.
    RESULTS : the last results; entry ``turn % 16`` holds answer (1 byte), 0 (1), ticks (2), ticks to decision (2),
        0 (2), valid from the time that ``turns_done`` has passed the turn until 16 turns later
    WEIGHTS : weights of layer 1; the next numbers are those of the next layers. An entry is a row: the weights of one
        presynaptic neuron (in eRBP the last row is the bias), one byte each or two if they have more than 8 bits
    """

    REGISTERS = 0
    RESULTS = 1
    WEIGHTS = 16


@dataclass(frozen=True)
class Register:
    """One register.

    Parameters
    ----------
    name : str
    address : int
        Number of its (lowest) word.
    width : int
        Bits, 1 ... 64; above 32 it takes two words, the lower one first.
    meaning : str
    writable : bool
    low, high : int
        What a write takes; another value is refused.
    value : int, optional
        Constant that it holds.
    reset : int
        What a writable register holds after configuration and after a soft reset.
    """

    name: str
    address: int
    width: int
    meaning: str
    writable: bool = False
    low: int = 0
    high: int = 0
    value: int | None = None
    reset: int = 0

    @property
    def words(self) -> int:
        """Words that it takes."""
        return -(-self.width // 32)


class Status(enum.IntFlag):
    """Bits of the register ``status``.

    Members
    -------
    IDLE : no sample is in the array
    COLLISION : a memory of the array was misused: a fault of the hardware, never to be seen
    """

    IDLE = 1
    COLLISION = 2


class Control(enum.IntFlag):
    """Bits of the register ``control``; each takes effect at once and reads as 0.

    Members
    -------
    SOFT_RESET : drop all samples and their replies, clear counters, turns and errors, set the writable registers to
        their reset values; the weights stay, but that of a sample which was being learned may be learned in part
    CLEAR_ERRORS : clear the registers ``last_error`` and ``refused``
    """

    SOFT_RESET = 1
    CLEAR_ERRORS = 2


@dataclass(frozen=True)
class Window:
    """One memory window: its number, its entries, bytes of an entry, and whether it can be written."""

    name: str
    number: int
    entries: int
    entry_bytes: int
    writable: bool
    meaning: str


def counter_names(network: Network | Graph) -> list[str]:
    """Return the counters of the array, in the order and with the names of the model's counters."""
    names, graph = ["samples", "ticks", "input_spikes"], graph_of(network)
    for population in engine_populations(network):
        names += [
            f"{population.name}_{name}"
            for name in ("spikes", "synaptic_operations", "rows_learned", "weights_changed")
        ]
    return [*names, *readout_counters(graph)]


def performance_names(network: Network | Graph) -> list[str]:
    """Return the counters of clock cycles, which the model does not have."""
    return ["cycles", *(f"{population.name}_row_words" for population in engine_populations(network))]


def rate_names(network: Network | Graph) -> list[str]:
    """Return the names of the learning rates, one per layer."""
    return [population.rate.name for population in engine_populations(network)]


COUNTER_WIDTH = 48
_RATES_AT, _COUNTERS_AT = 24, 32


class LinkMap:
    """Registers and windows of a chip, and its longest message: all that the serial link knows of what it belongs to.

    Attributes
    ----------
    registers : tuple of Register
        In ascending order of address.
    windows : tuple of Window
    settings : tuple of str
        Writable registers that hold what was written, in the order of their addresses.
    commands, watched : tuple of str
        Registers of a chip that learns from its flash: that which starts it, and those that show how far it is.
    plays, shares : bool
        Of such a chip; it plays samples through this link, and what would be watched lies in the store of its
        registers.
    max_message : int
        Bytes of the longest message of the host, without CRC and stuffing.
    """

    registers: tuple[Register, ...]
    windows: tuple[Window, ...]
    settings: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    plays: bool = False
    shares: bool = False
    max_message: int

    def __getitem__(self, name: str) -> Register:
        return next(register for register in self.registers if register.name == name)

    def __iter__(self) -> Iterator[Register]:
        return iter(self.registers)

    @property
    def n_inputs(self) -> int:
        """Pixels that are counted as a sample comes; 0 where none are."""
        return 0

    @property
    def n_classes(self) -> int:
        """Classes that a label can name."""
        return 1

    @property
    def takes_nibbles(self) -> bool:
        """Whether a sample may have two pixels in a byte."""
        return False

    @property
    def n_words(self) -> int:
        """Words of the register window, those between registers counted; they read as 0."""
        last = self.registers[-1]
        return last.address + last.words

    def window(self, number: int) -> Window:
        """Return a window by its number.

        Raises
        ------
        KeyError
            If there is none.
        """
        for window in self.windows:
            if window.number == number:
                return window
        raise KeyError(number)


class RegisterMap(LinkMap):
    """Registers and windows of the chip of one network.

    Parameters
    ----------
    network : Network or Graph
    hardware : Hardware
    clock_frequency : int
        In Hz.
    buffer_bytes : int
        Bytes of frames that the chip takes while it answers none; two frames of any length always fit.
    plays : bool
        Whether the chip learns from its flash, too.
    shares : bool
        Whether it does so through the link (:class:`erbium.hdl.flash.shared_link.SharedLink`).

    Attributes
    ----------
    registers, windows, settings, commands, watched, max_message
        Of :class:`LinkMap`. The longest message is a sample, or a row of weights.
    graph : Graph
    populations : tuple of EnginePopulation
        Those with a window of weights.
    """

    def __init__(
        self,
        network: Network | Graph,
        hardware: Hardware,
        clock_frequency: int = 0,
        buffer_bytes: int = 0,
        *,
        plays: bool = False,
        shares: bool = False,
    ) -> None:
        self.network, self.hardware = network, hardware
        self.plays, self.shares = plays, shares
        self.graph, self.populations = graph_of(network), engine_populations(network)
        self.windows = tuple(_windows(network))
        weights = [window.entry_bytes for window in self.windows if window.number >= WindowNumber.WEIGHTS]
        # Type and tag come first in each message, then what the type asks for.
        self.max_message = max(2 + 7 + self.n_inputs, 2 + 3 + max(weights))
        every = list(_registers(network, hardware, clock_frequency, buffer_bytes, self.max_message))
        if plays:
            every = sorted([*every, *flash_registers()], key=lambda register: register.address)
            self.commands = (FLASH_RUN,)
            if not shares:
                self.watched = tuple(one.name for one in flash_registers() if not one.writable)
        self.registers = tuple(every)
        self.settings = ("n_ticks", "decide_after", *rate_names(network))

    @property
    def n_inputs(self) -> int:
        """Pixels of a sample."""
        return self.graph.n_pixels

    @property
    def n_classes(self) -> int:
        """Classes that a label can name; of a graph that has none, label 0 is all there is."""
        return max(self.graph.n_classes, 1)

    @property
    def takes_nibbles(self) -> bool:
        """Whether a sample may have two pixels in a byte: no encoder sees more than four bits of one."""
        return self.graph.pixel_bits == 4


def weight_bytes(weight_width: int) -> int:
    """Return the bytes that a weight takes on the link, two's complement, the low byte first."""
    return 1 if weight_width <= 8 else 2


def pixel_bytes(pixels: PixelFormat, n_inputs: int, *, nibbles: bool = False) -> int:
    """Return the bytes of a sample's pixels; 0 if that depends on the sample."""
    in_bytes = -(-n_inputs // 2) if nibbles else n_inputs
    return {PixelFormat.BYTES: in_bytes, PixelFormat.BITS: -(-n_inputs // 8)}.get(pixels, 0)


def _windows(network: Network | Graph) -> Iterator[Window]:
    last = max(register.address + register.words for register in _registers(network, Hardware(), 0, 0, 0))
    yield from standard_windows(last)
    for number, population in enumerate(engine_populations(network)):
        yield Window(
            f"weights_{number + 1}",
            WindowNumber.WEIGHTS + number,
            population.n_rows,
            population.n_neurons * weight_bytes(population.weight_width),
            True,
            f"weights of layer {number + 1}, a row per presynaptic neuron",
        )


def identity_registers(letters: str, magic: int, meaning: str, digest: str) -> Iterator[Register]:
    """Return the registers by which a chip is known, the same in every version of the protocol."""
    yield Register("magic", 0, 32, f"the letters {letters}", value=magic)
    yield Register("protocol", 1, 16, "version of the host link's messages", value=PROTOCOL_VERSION)
    yield Register("digest", 2, 64, meaning, value=int(digest, 16))


def link_registers(clock_frequency: int, buffer_bytes: int, max_message: int) -> Iterator[Register]:
    """Return the registers of the link itself."""
    yield Register("clock_frequency", 8, 32, "clock in Hz", value=clock_frequency)
    yield Register("max_message", 9, 32, "bytes of the longest message of the host", value=max_message)
    yield Register(
        "buffer_bytes",
        10,
        32,
        "bytes of frames that may be unanswered; two frames may in any case",
        value=buffer_bytes,
    )
    yield Register("control", 11, 2, "what to do, see Control", writable=True, high=max(Control) * 2 - 1)
    yield Register("status", 12, 2, "what the array does, see Status")
    yield Register("last_error", 13, 8, "error code of the frame that was refused last, 0 if none was")
    yield Register("refused", 14, 16, "frames refused since the last reset; stays at its largest value")
    yield Register("next_turn", 15, 8, "turn of the next sample")
    yield Register("turns_done", 16, 8, "turn of the next result")


FLASH_RUN = "flash_run"
"""The register that starts a run from the flash."""


def flash_registers() -> Iterator[Register]:
    """Return the registers of a chip that learns from its flash; their words are empty in any other."""
    yield Register(
        FLASH_RUN,
        19,
        1,
        "a change from 0 to 1 starts a run from the flash; a soft reset stops it",
        True,
        high=1,
    )
    yield Register(
        "flash_state",
        20,
        32,
        "what such a run is at, of RunState (bits 0 to 7); Fault (8 to 15); number of the pass (16 to 31)",
    )
    yield Register("flash_samples", 21, 24, "samples of the pass that have been answered")
    yield Register("flash_right", 22, 24, "those of them that were answered with their label")
    yield Register("flash_tested", 23, 24, "right answers of the last test that is over")


def standard_windows(n_words: int) -> Iterator[Window]:
    """Return the windows that every chip has: its registers and the last results."""
    yield Window("registers", WindowNumber.REGISTERS, n_words, WORD_BYTES, True, "register words")
    yield Window("results", WindowNumber.RESULTS, HISTORY, RESULT_BYTES, False, "the last results by turn")


def _registers(
    network: Network | Graph, hardware: Hardware, clock_frequency: int, buffer_bytes: int, max_message: int
) -> Iterator[Register]:
    graph, populations = graph_of(network), engine_populations(network)
    yield from identity_registers("ERBM", MAGIC, "digest of the network", digest_of(network))
    yield Register("n_inputs", 4, 16, "pixels of a sample", value=graph.n_pixels)
    yield Register("n_layers", 5, 8, "layers", value=len(populations))
    yield Register("n_classes", 6, 16, "classes", value=graph.n_classes)
    yield Register("lanes", 7, 16, "synapses of one word", value=hardware.lanes)
    yield from link_registers(clock_frequency, buffer_bytes, max_message)
    yield Register(
        "n_ticks", 17, 16, "longest presentation", True, low=1, high=graph.n_ticks, reset=graph.n_ticks
    )
    most = 1 if populations[0].spikes_once else graph.n_ticks
    yield Register(
        "decide_after",
        18,
        16,
        "output spikes that settle an inference, 0 for never",
        True,
        high=most,
        reset=graph.decide_after,
    )
    for number, population in enumerate(populations):
        rows = "probability in 1/65536 that a row is touched which is replayed in"
        what = rows if population.spikes_once else "amplitude of an error spike in"
        name, width, full = population.rate
        yield Register(
            name, _RATES_AT + number, width, f"{what} layer {number + 1}", True, high=full, reset=full
        )
    for number, name in enumerate(counter_names(network) + performance_names(network)):
        yield Register(f"count_{name}", _COUNTERS_AT + 2 * number, COUNTER_WIDTH, "counter, valid while idle")
