# SPDX-License-Identifier: BSD-2-Clause
"""What the processor of a small chip does: it plays a run from the flash as a host would, in messages of the host link.

It does what :class:`erbium.hdl.flash.control.FlashControl`, :class:`erbium.hdl.flash.sample_draw.SampleDraw` and
:class:`erbium.hdl.flash.sample_player.SamplePlayer` do in hardware, one byte after the other.
"""

from __future__ import annotations

import enum

from erbium.hdl.flash.instructions import ADDRESS_BITS, OPERAND_BITS, Condition, Mode, Place, Port, Program
from erbium.hdl.flash.layout import (
    CRC_BYTES,
    HEADER,
    MAGIC,
    MOST_PERCENT,
    VERSION,
    Fault,
    PassKind,
    PixelKind,
    RunState,
    longest_payload,
    most_sample_octets,
    octets_of,
    pass_fields,
)
from erbium.hdl.flash.reader import READ_COMMANDS, RELEASE_POWER_DOWN
from erbium.hdl.flash.sample_draw import FACTORS, INCREMENT, SHIFTS, WIDTH
from erbium.hdl.registers import (
    REPLY_BIT,
    WORD_BYTES,
    PixelFormat,
    RegisterMap,
    Request,
    WindowNumber,
    weight_bytes,
)
from erbium.hdl.runs import RUN_LIMIT
from erbium.sw_model.programs import DescriptionError

ZERO, NONZERO, CARRY, NO_CARRY = Condition
NEXT, HERE = Mode.NEXT, Mode.HERE


class Input(enum.IntEnum):
    """Ports that are read: a byte of the flash, a byte of a reply, :class:`Bit`."""

    FLASH = 0
    REPLY = 1
    STATE = 2


class Bit(enum.IntFlag):
    """Bits of the port ``STATE``.

    Members
    -------
    RUN : the register ``flash_run``
    BUTTON : it is held
    REPLY : a byte of a reply waits
    MESSAGE : a message is under way
    GOOD : the last four bytes were the CRC of those before them
    """

    RUN = 1
    BUTTON = 2
    REPLY = 4
    MESSAGE = 8
    GOOD = 16


class Output(enum.IntEnum):
    """Ports that are written.

    Members
    -------
    FLASH : a byte goes to the flash, while one comes from there
    CRC, CRC_START : a byte goes into the CRC; it begins anew
    LENGTH_LOW, LENGTH_HIGH : bytes of the message that begins with the latter
    MESSAGE : a byte of it
    STATUS : a byte of what the host reads of a run; its number is in the lowest bits of the second index
    SELECT : whether the flash is selected
    LIGHTS : percent (bits 0 to 3), and of :class:`Light`
    PLAY : whether the array belongs to the run; it waits until nobody else uses it
    """

    FLASH = 0
    CRC = 1
    CRC_START = 2
    LENGTH_LOW = 3
    LENGTH_HIGH = 4
    MESSAGE = 5
    STATUS = 6
    SELECT = 7
    LIGHTS = 8
    PLAY = 9


class Light(enum.IntFlag):
    """Bits of the port ``LIGHTS``: percent are shown; samples are learned; a run was stopped."""

    SHOWS = 16
    LEARNS = 32
    FAILED = 64


_LIGHTS = {
    RunState.LEARNS: Light.LEARNS,
    RunState.TESTS: Light.SHOWS,
    RunState.DONE: Light.SHOWS,
    RunState.STOPPED: Light.FAILED,
}

STATUS_OCTETS = 4 * WORD_BYTES
"""Of the registers ``flash_state`` to ``flash_tested``."""

_IN_FLIGHT = 4
"""Samples that may be in the array at a time: it takes three."""

_CLOCKS = 2
"""Of an instruction."""


class PlayProgram:
    """The program of a chip.

    Parameters
    ----------
    registers : RegisterMap
        Of the chip.
    data_at : int
        Address in the flash at which its data begin.
    clock_frequency : int
        In Hz.
    wake_seconds, debounce_seconds, rest_seconds : float
        How long the flash takes to wake up, how long a button stays as it is before that counts, and how long the
        flash is not selected between two commands.

    Attributes
    ----------
    words : list of int
    octets : int
        Bytes of memory that it needs.
    contents : bytes
        What the first of them hold.
    """

    def __init__(
        self,
        registers: RegisterMap,
        data_at: int,
        clock_frequency: int,
        *,
        wake_seconds: float,
        debounce_seconds: float,
        rest_seconds: float = 100e-9,
    ) -> None:
        self._registers = registers
        self._clock = clock_frequency
        self._wake, self._debounce, self._rest = wake_seconds, debounce_seconds, rest_seconds
        self._longest = longest_payload(registers)
        self._p = p = Program()
        # The bytes of the factors, the highest one first, as they are taken.
        factors = b"".join(factor.to_bytes(WIDTH // 8, "big") for factor in FACTORS)
        self._factors = p.held(factors)
        digest = int(registers["digest"].value or 0)
        self._increment = p.held(INCREMENT.to_bytes(WIDTH // 8, "little"))
        self._expected = {
            "magic": p.held(MAGIC),
            "version": p.held(VERSION.to_bytes(2, "little")),
            "header": p.held(octets_of(HEADER).to_bytes(2, "little")),
            "pass": p.held(octets_of(pass_fields(len(registers.populations))).to_bytes(2, "little")),
            "bits": p.held(most_sample_octets(registers.n_inputs, PixelKind.BITS).to_bytes(2, "little")),
            "digest": p.held(digest.to_bytes(8, "little")),
        }
        lengths = [one.n_neurons * weight_bytes(one.weight_width) for one in registers.populations]
        self._lengths = [p.held([length >> shift & 0xFF for length in lengths]) for shift in (0, 8)]
        self._address = p.held(data_at.to_bytes(3, "little"))
        self._lights = p.held([_LIGHTS.get(state, 0) for state in RunState])
        self._places()
        self._begin()
        self._rests()
        self._starts()
        self._header()
        self._passes()
        self._load()
        self._play()
        self._after()
        self._ends()
        self._publish()
        self._read_block()
        self._write_register()
        self._poll()
        self._work()
        self._mix()
        self._rest_of()
        self._clip()
        self._check_runs()
        self._pixels()
        self.words, self.octets, self.contents = p.words(), p.octets, p.contents

    def _places(self) -> None:
        """Name the bytes of the memory. Blocks are read into the last ones; one that is too long runs into the next."""
        p, registers = self._p, self._registers
        self._seed = p.place(4)
        # The number of a byte of the status is the lowest bits of its address.
        p.place(-p.octets % STATUS_OCTETS)
        self._status = status = p.place(STATUS_OCTETS)
        self._state, self._fault, self._number = status[0], status[1], Place(status.at + 2, 2)
        # The highest byte of each is 0.
        self._samples, self._right, self._tested = (
            Place(status.at + WORD_BYTES * word, WORD_BYTES) for word in (1, 2, 3)
        )
        self._percent = p.place()
        self._asked, self._held, self._steady = p.place(), p.place(), p.place(2)
        self._length, self._left, self._good, self._fits = p.place(2), p.place(2), p.place(), p.place()
        self._target = p.place(2)
        # The number of the sample, and a byte that takes its carry.
        self._index, _ = p.place(4), p.place()
        # Samples that are left, and those up to the end of the split, are counted where the pass says them.
        self._row, self._layer_octets = p.place(2), p.place(2)
        self._value, self._register = p.place(4), p.place()
        self._inside, self._into, self._from, self._refused = (p.place() for _ in range(4))
        self._labels = p.place(_IN_FLIGHT)
        self._answer = p.place()
        self._sum, self._factor, self._tail = p.place(8), p.place(8), p.place(6)
        self._octet, self._loops = p.place(), [p.place() for _ in range(3)]
        self._span, self._digits, self._remainder = p.place(), p.place(3), p.place()
        self._down, self._aside, self._of_shift = p.place(), p.place(), p.place()
        # How many rows or columns come before what is moved, and after it, and how many are left of it.
        self._rows, self._columns, self._shift, self._size = p.place(3), p.place(3), p.place(), p.place()
        self._kind, self._width, self._height = p.place(), p.place(), p.place()
        self._bits, self._bit, self._run, self._run_left = (p.place() for _ in range(4))
        self._pixel, self._packed, self._place, self._flags = (p.place() for _ in range(4))
        self._total, self._todo, self._rows_left = p.place(2), p.place(), p.place()
        self._record = p.place(octets_of(pass_fields(len(registers.populations))))
        self._samples_left, self._until = self._said("count"), self._said("until_base")
        # The pixels of a sample as they are sent, and maybe a byte more.
        self._moved = p.place(registers.n_inputs + 1)
        self._buffer = p.place(self._longest + self._spare)
        if self._buffer.at + 1 >> OPERAND_BITS or p.octets >> ADDRESS_BITS:
            raise DescriptionError(
                f"a small chip has no room for the {registers.n_inputs} pixels of a sample in its flash; use fewer"
            )

    @property
    def _spare(self) -> int:
        """Bytes after a sample of runs, which say that all that is missing is black."""
        return -(-self._registers.n_inputs // RUN_LIMIT)

    def _said(self, name: str) -> Place:
        """Return a field of the pass."""
        (field,) = (one for one in pass_fields(len(self._registers.populations)) if one.name == name)
        return Place(self._record.at + field.at, field.octets)

    # --- what the parts are made of

    def _again(self, place: Place, again: str) -> None:
        """Count a place down, and go on there unless it is 0 then."""
        self._count(place, "down")
        self._p.any(place)
        self._p.branch(NONZERO, again)

    def _wait(self, seconds: float, clocks: int, place: Place) -> None:
        """Set a place of two bytes for so many seconds of :meth:`_again`."""
        self._p.set(place, min(max(round(seconds * self._clock / clocks), 1), 0xFFFF))

    def _send(self, *octets: int | Place | Mode) -> None:
        """Send bytes of a message."""
        before = None
        for octet in octets:
            constant = None if isinstance(octet, Place | Mode) else octet
            if constant is None or constant != before:
                self._p.load(octet)
            self._p.out(Output.MESSAGE)
            before = constant

    def _do(self, what: str, place: Place, source: Place | None = None) -> None:
        """Do something with all bytes of a place: ``clear``, ``double``; ``copy``, ``xor``, ``add``, ``less``
        with another one.
        """
        p = self._p
        p.point_here(place)
        if source is not None:
            p.point(source)
        p.load(place.octets)
        p.call(what)

    def _count(self, place: Place, way: str = "up") -> None:
        """Count a place up, of which the next byte takes a carry, or down if it is not 0."""
        self._p.point_here(place)
        self._p.call(way)

    def _work(self) -> None:
        """What is done with as many bytes as A says, from where the indices are."""
        p = self._p
        for name in ("copy", "clear", "xor", "add", "less", "double"):
            p.name(name)
            if name in ("add", "double"):
                p.add(0)
            elif name == "less":
                p.subtract(0)
            with p.times(self._loops[2]):
                if name in ("copy", "clear"):
                    p.load(NEXT if name == "copy" else 0)
                else:
                    p.load(HERE)
                if name == "xor":
                    p.xor(NEXT)
                elif name == "less":
                    p.subtract(NEXT, borrow=True)
                elif name in ("add", "double"):
                    p.add(NEXT if name == "add" else HERE, carry=True)
                p.store(HERE)
            p.leave()
        # A is 0 only if they are; they are 0 then.
        p.name("same")
        with p.times(self._loops[2]):
            p.load(HERE)
            p.xor(NEXT)
            p.branch(NONZERO, "differ")
            p.store(HERE)
        p.name("differ")
        p.leave()
        for name, further in (("up", CARRY), ("down", NO_CARRY)):
            p.name(name)
            p.load(HERE)
            (p.add if name == "up" else p.subtract)(1)
            p.store(HERE)
            p.branch(further, name)
            p.leave()

    def _message(self, length: int) -> None:
        """Begin a message."""
        self._p.load(length)
        self._p.out(Output.LENGTH_LOW)
        self._p.load(length >> 8)
        self._p.out(Output.LENGTH_HIGH)

    def _take(self, count: int = 1) -> None:
        """Take bytes of a reply; A is the last one."""
        for _ in range(count):
            self._p.load(Port(Input.REPLY))

    def _stop(self, fault: Fault, name: str) -> None:
        """Stop the run, where this is come to."""
        self._p.name(name)
        self._p.load(fault)
        self._p.jump("stop")

    def _unless(self, state: Bit, name: str) -> None:
        """Go on there unless a bit of the state is set."""
        self._p.load(Port(Input.STATE))
        self._p.mask(state)
        self._p.branch(ZERO, name)

    def _enter(self, state: RunState) -> None:
        """Say what the run is at."""
        self._p.set(self._state, state)
        self._p.call("publish")

    def _drain(self, name: str) -> None:
        """Wait until all samples have been answered."""
        p = self._p
        p.name(f"{name} drain")
        p.load(self._inside)
        p.branch(ZERO, f"{name} drained")
        p.call("poll")
        p.jump(f"{name} drain")
        p.name(f"{name} drained")

    # --- a run

    def _begin(self) -> None:
        """Stop whatever was under way, and wake the flash up."""
        p = self._p
        p.load(0)
        p.out(Output.SELECT)
        p.out(Output.PLAY)
        self._do("clear", Place(self._status.at, STATUS_OCTETS + 3))
        p.load(1)
        p.out(Output.SELECT)
        p.load(RELEASE_POWER_DOWN)
        p.out(Output.FLASH)
        p.load(Port(Input.FLASH))
        p.load(0)
        p.out(Output.SELECT)
        self._wait(self._wake, 10 * _CLOCKS, self._left)
        p.name("wakes")
        self._again(self._left, "wakes")
        p.call("publish")

    def _rests(self) -> None:
        """Wait for the register or the button."""
        p = self._p
        p.name("steady")
        self._wait(self._debounce, 18 * _CLOCKS, self._steady)
        p.name("rest")
        self._unless(Bit.RUN, "not asked")
        p.load(self._asked)
        p.branch(NONZERO, "button")
        p.set(self._asked, 1)
        p.jump("start")
        p.name("not asked")
        p.store(self._asked)
        p.name("button")
        p.load(Port(Input.STATE))
        p.mask(Bit.BUTTON)
        p.xor(self._held)
        p.branch(ZERO, "steady")
        self._again(self._steady, "rest")
        p.load(self._held)
        p.xor(Bit.BUTTON)
        p.store(self._held)
        p.branch(ZERO, "steady")

    def _starts(self) -> None:
        """Take the array."""
        p = self._p
        p.name("start")
        p.load(1)
        p.out(Output.PLAY)
        self._do("clear", Place(self._status.at, STATUS_OCTETS + 1))
        self._do("clear", Place(self._inside.at, 4))
        self._enter(RunState.READS)
        p.point(self._address)
        p.call("seek")

    def _header(self) -> None:
        """Find out whether these are data for this chip."""
        p = self._p
        fields = {field.name: Place(self._record.at + field.at, field.octets) for field in HEADER}

        p.point(self._record)
        p.call("read block")
        p.load(self._fits)
        p.branch(ZERO, "no data")
        self._differ(fields["magic"], self._expected["magic"], "no data")
        p.load(self._good)
        p.branch(ZERO, "damaged header")
        self._differ(fields["version"], self._expected["version"], "other version")
        self._differ(self._length, self._expected["header"], "other version")
        self._differ(fields["digest"], self._expected["digest"], "other network")
        for place, name in ((self._kind, "pixels"), (self._width, "width"), (self._height, "height")):
            p.copy(place, fields[name])
        p.jump("pass")
        self._stop(Fault.NO_DATA, "no data")
        self._stop(Fault.DAMAGED_HEADER, "damaged header")
        self._stop(Fault.OTHER_VERSION, "other version")
        self._stop(Fault.OTHER_NETWORK, "other network")
        self._stop(Fault.DAMAGED_BLOCK, "damaged")
        self._stop(Fault.WRONG_BLOCK, "wrong")

    def _block(self, place: Place, octets: Place | None) -> None:
        """Read a block; it is right, and as long as it should be. Its length is lost then."""
        p = self._p
        p.point(place)
        p.call("read block")
        p.load(self._good)
        p.branch(ZERO, "damaged")
        if octets is not None:
            self._differ(self._length, octets, "wrong")

    def _differ(self, place: Place, expected: Place, otherwise: str) -> None:
        """Go on there if a place is other than expected. It is lost."""
        self._do("same", place, expected)
        self._p.branch(NONZERO, otherwise)

    def _passes(self) -> None:
        """Read what is to be done next."""
        p = self._p
        p.name("pass")
        self._enter(RunState.READS)
        self._block(self._record, self._expected["pass"])
        kind = self._said("kind")
        p.load(kind)
        p.branch(ZERO, "over")
        p.subtract(max(PassKind) + 1)
        p.branch(CARRY, "wrong")
        self._do("clear", Place(self._samples.at, 2 * WORD_BYTES))
        self._do("copy", self._index, self._said("first"))
        # The states of passes follow each other as the kinds of passes do.
        p.load(kind)
        p.add(RunState.LOADS - PassKind.WEIGHTS)
        p.store(self._state)
        p.call("publish")
        p.point(self._said("start"))
        p.call("seek")
        p.load(kind)
        p.xor(PassKind.WEIGHTS)
        p.branch(NONZERO, "samples")

    def _load(self) -> None:
        """Load rows of weights. A row is whole, and right, before its first weight is written."""
        p, layer = self._p, self._said("layer")
        p.load(layer)
        p.subtract(len(self._registers.populations))
        p.branch(CARRY, "wrong")
        for each, lengths in zip(self._layer_octets, self._lengths, strict=True):
            p.load(layer)
            p.aim(lengths)
            p.load(HERE)
            p.store(each)
        p.set(self._row, 0)
        p.name("row")
        p.any(self._samples_left)
        p.branch(ZERO, "done")
        self._block(self._buffer, self._layer_octets)
        p.load(self._layer_octets[0])
        p.add(5)
        p.out(Output.LENGTH_LOW)
        p.load(self._layer_octets[1])
        p.add(0, carry=True)
        p.out(Output.LENGTH_HIGH)
        self._send(Request.WRITE, 0)
        p.load(layer)
        p.add(WindowNumber.WEIGHTS)
        p.out(Output.MESSAGE)
        self._send(*self._row)
        p.copy(self._left, self._layer_octets)
        p.point(self._buffer)
        p.name("weights")
        self._send(NEXT)
        self._again(self._left, "weights")
        p.call("written")
        self._count(self._row)
        self._count(self._samples_left, "down")
        p.jump("row")

    @property
    def _rates(self) -> list[str]:
        return [name for name in self._registers.settings if name not in ("n_ticks", "decide_after")]

    def _set(self, setting: str, value: Place) -> None:
        """Write a setting."""
        self._p.point(value)
        self._p.load(self._registers[setting].address)
        self._p.call("write register")

    def _set_rates(self, first: Place) -> None:
        """Write the learning rates, whose registers follow each other as their values do."""
        p = self._p
        self._set(self._rates[0], first)
        if len(self._rates) > 1:
            with p.times(self._rows_left, len(self._rates) - 1):
                self._count(self._register)
                p.load(self._register)
                p.call("write register")

    def _play(self) -> None:
        """Play the samples of a pass."""
        p, registers = self._p, self._registers
        kind = self._said("kind")
        p.name("samples")
        for setting in ("n_ticks", "decide_after"):
            p.copy(self._value, self._said(setting))
            self._set(setting, self._value)
        self._set_rates(self._said("rate_1"))

        p.name("sample")
        p.any(self._samples_left)
        p.branch(ZERO, "answered")
        p.any(self._until)
        p.branch(NONZERO, "go on")
        p.point(self._said("base"))
        p.call("seek")
        self._do("copy", self._until, self._said("size"))
        p.name("go on")
        self._count(self._until, "down")
        self._block(self._buffer, None)
        # What is missing of runs is black.
        with p.times(self._loops[0], self._spare):
            p.load(RUN_LIMIT - 1)
            p.store(NEXT)
        p.load(self._kind)
        p.branch(NONZERO, "runs")
        self._differ(self._length, self._expected["bits"], "wrong")
        p.jump("draw")
        p.name("runs")
        p.call("check runs")

        p.name("draw")
        p.set(Place(self._down.at, 3), 0)
        p.point(self._said("seed_state"))
        self._hash()
        p.load(self._of_shift)
        p.branch(NONZERO, "shifts")
        self._do("copy", self._seed, Place(self._sum.at + 4, 4))
        p.load(self._said("shift"))
        p.branch(ZERO, "place")
        p.store(self._of_shift)
        p.point(self._said("shift_state"))
        p.jump("hash")
        p.name("shifts")
        # 24 bits each, less the shift.
        for place, first in ((self._down, 5), (self._aside, 1)):
            self._do("copy", self._digits, Place(self._sum.at + first, 3))
            p.call("rest of")
            p.store(place)
        p.name("place")
        for axis, place, size in (
            (self._rows, self._down, self._height),
            (self._columns, self._aside, self._width),
        ):
            p.copy(self._shift, place)
            p.copy(self._size, size)
            p.point(axis)
            p.call("clip")
        self._count(self._index)

        p.point(self._buffer[1])
        p.point_here(self._moved)
        p.set(self._bit, 0x80)
        p.set(self._run_left, 0)
        p.set(self._packed, 0)
        p.set(self._place, 1)
        before, after, within = self._rows
        self._each(after, "skip")
        self._each(before, "black")
        self._each(within, "row")
        self._each(after, "black")
        if registers.n_inputs % 8:
            p.load(self._packed)
            p.store(HERE)

        # One that is answered makes room.
        p.name("room")
        p.call("poll")
        p.load(self._inside)
        p.subtract(_IN_FLIGHT - 1)
        p.branch(CARRY, "room")
        p.load(self._into)
        p.aim(self._labels)
        p.load(self._buffer[0])
        p.store(HERE)
        self._move(self._into)
        self._count(self._inside)

        p.load(self._kind)
        p.branch(NONZERO, "bytes")
        self._begin_sample(-(-registers.n_inputs // 8), PixelFormat.BITS)
        p.jump("head")
        p.name("bytes")
        self._begin_sample(registers.n_inputs, PixelFormat.BYTES)
        p.name("head")
        self._send(Request.SAMPLE, 0, 0)
        # PassKind.LEARN is even and TEST is odd; the lowest flag says whether it is learned.
        p.load(kind)
        p.xor(PassKind.LEARN ^ 1)
        p.mask(1)
        p.join(self._flags)
        p.out(Output.MESSAGE)
        self._send(self._buffer[0], *self._seed)
        p.point(self._moved)
        p.name("send")
        self._send(NEXT)
        self._again(self._left, "send")
        p.name("taken")
        p.call("poll")
        p.load(self._refused)
        p.branch(NONZERO, "refused")
        p.load(Port(Input.STATE))
        p.mask(Bit.MESSAGE)
        p.branch(NONZERO, "taken")
        self._count(self._samples_left, "down")
        p.jump("sample")
        p.name("refused")
        self._count(self._inside, "down")
        p.jump("wrong")

    def _begin_sample(self, octets: int, pixels: PixelFormat) -> None:
        """Begin the message of a sample with so many bytes of pixels."""
        self._message(9 + octets)
        self._p.set(self._left, octets)
        self._p.set(self._flags, pixels << 1)

    def _each(self, count: Place, what: str) -> None:
        """Do something with as many rows as are said, which may be none."""
        p = self._p
        over = p.new_name()
        p.load(count)
        p.branch(ZERO, over)
        with p.times(self._rows_left):
            if what == "row":
                before, after, within = self._columns
                for number, do in (
                    (after, "skip"),
                    (before, "black"),
                    (within, "pixels"),
                    (after, "black"),
                    (before, "skip"),
                ):
                    p.load(number)
                    p.call(do)
            else:
                p.load(self._width)
                p.call(what)
        p.name(over)

    def _move(self, place: Place) -> None:
        """Move on among the labels."""
        p = self._p
        p.load(place)
        p.add(1)
        p.mask(_IN_FLIGHT - 1)
        p.store(place)

    def _after(self) -> None:
        """Wait for the last answers of a pass, and divide the wrong ones by the samples."""
        p = self._p
        p.name("answered")
        self._drain("pass")
        p.set(self._percent, 0)
        p.load(self._state)
        p.xor(RunState.TESTS)
        p.branch(NONZERO, "done")
        wrong, rest = Place(self._factor.at, 4), Place(self._sum.at, 4)
        self._do("copy", self._tested, self._right)
        self._do("copy", wrong, self._samples)
        self._do("less", wrong, self._right)
        self._do("clear", rest)
        with p.times(self._loops[0], 100):
            self._do("add", rest, wrong)
        p.name("divide")
        p.load(self._percent)
        p.xor(MOST_PERCENT)
        p.branch(ZERO, "done")
        self._do("less", rest, self._samples)
        p.branch(NO_CARRY, "done")
        self._count(self._percent)
        p.jump("divide")
        p.name("done")
        self._count(self._number)
        p.point(self._said("next"))
        p.call("seek")
        p.jump("pass")

    def _ends(self) -> None:
        """End a run: what is in the array is answered yet."""
        p = self._p
        p.name("stop")
        p.store(self._fault)
        self._drain("stop")
        p.set(self._state, RunState.STOPPED)
        p.jump("end")
        p.name("over")
        p.set(self._state, RunState.DONE)
        p.name("end")
        p.call("publish")
        p.load(0)
        p.out(Output.PLAY)
        p.jump("rest")

    # --- subroutines

    def _publish(self) -> None:
        """Show the host, and whoever looks at the lights, how far the run is."""
        p = self._p
        p.name("publish")
        p.load(self._state)
        p.aim(self._lights)
        p.load(self._percent)
        p.join(HERE)
        p.out(Output.LIGHTS)
        p.point_here(self._status)
        with p.times(self._loops[2], STATUS_OCTETS):
            p.load(HERE)
            p.out(Output.STATUS)
            p.store(HERE)
        p.leave()

    def _read_block(self) -> None:
        """Read a block to where the index is, the CRC and all; go to an address; read a byte."""
        p = self._p
        p.name("read block")
        p.out(Output.CRC_START)
        p.set(Place(self._good.at, 2), 0)
        for each in self._length:
            p.call("byte")
            p.store(each)
        p.any(self._length)
        p.branch(ZERO, "unread")
        for number, each in enumerate(self._length):
            p.load(self._longest >> 8 * number)
            p.subtract(each, borrow=number > 0)
        p.branch(NO_CARRY, "unread")
        p.set(self._fits, 1)
        p.copy(self._left, self._length)
        p.name("payload")
        p.call("byte")
        p.store(NEXT)
        self._again(self._left, "payload")
        with p.times(self._loops[0], CRC_BYTES):
            p.call("byte")
        p.load(Port(Input.STATE))
        p.mask(Bit.GOOD)
        p.store(self._good)
        p.name("unread")
        p.leave()

        p.name("byte")
        p.out(Output.FLASH)
        p.load(Port(Input.FLASH))
        p.out(Output.CRC)
        p.leave()

        p.name("seek")
        p.load(0)
        for _ in range(1 + round(self._rest * self._clock / _CLOCKS)):
            p.out(Output.SELECT)
        p.load(1)
        p.out(Output.SELECT)
        p.load(READ_COMMANDS[1].opcode)
        p.out(Output.FLASH)
        # The lowest byte of the address goes last.
        for each in self._target:
            p.load(NEXT)
            p.store(each)
        for octet in (NEXT, *reversed(list(self._target))):
            p.load(octet)
            p.out(Output.FLASH)
        p.load(Port(Input.FLASH))
        p.leave()

    def _write_register(self) -> None:
        """Write the register whose number A is: four bytes from where the index is. See that a write was done."""
        p = self._p
        p.name("write register")
        p.store(self._register)
        self._message(5 + WORD_BYTES)
        self._send(Request.WRITE, 0, WindowNumber.REGISTERS, self._register, 0, *[NEXT] * WORD_BYTES)
        p.name("written")
        self._take()
        p.xor(Request.WRITE | REPLY_BIT)
        p.branch(NONZERO, "not written")
        self._take()
        p.leave()
        p.name("not written")
        self._take(2)
        p.jump("wrong")

    def _poll(self) -> None:
        """Take a result if there is one, or that a message was refused."""
        p = self._p
        p.name("poll")
        self._unless(Bit.REPLY, "none")
        self._take()
        p.xor(Request.SAMPLE | REPLY_BIT)
        p.branch(ZERO, "result")
        self._take(2)
        p.set(self._refused, 1)
        p.leave()
        p.name("result")
        self._take(3)
        p.store(self._answer)
        self._take(4)
        p.load(self._from)
        p.aim(self._labels)
        p.load(self._answer)
        p.xor(HERE)
        p.branch(NONZERO, "not right")
        self._count(self._right)
        p.name("not right")
        self._count(self._samples)
        self._move(self._from)
        self._count(self._inside, "down")
        p.jump("publish")
        p.name("none")
        p.leave()

    def _hash(self) -> None:
        """Mix the number of the sample into the state where the first index is."""
        p = self._p
        p.name("hash")
        p.point_here(self._sum)
        p.load(self._sum.octets)
        p.call("copy")
        self._do("xor", Place(self._sum.at, self._index.octets), self._index)
        self._do("add", self._sum, self._increment)
        # A shift to the right by 32 - n is one to the left by n, of what lies from byte 3 on, without its lowest byte.
        for shift, factor in zip(SHIFTS, (self._factors[0], self._factors[WIDTH // 8], None), strict=True):
            p.load(32 - shift)
            p.call("mix")
            if factor is not None:
                p.point(factor)
                p.call("multiply")

    def _mix(self) -> None:
        """What :meth:`_hash` is made of."""
        p = self._p
        p.name("mix")
        p.store(self._loops[0])
        self._do("copy", Place(self._tail.at, 5), Place(self._sum.at + 3, 5))
        p.set(self._tail[5], 0)
        p.load(self._loops[0])
        with p.times(self._loops[0]):
            self._do("double", self._tail)
        self._do("xor", Place(self._sum.at, 5), self._tail[1])
        self._do("copy", self._factor, self._sum)
        p.leave()

        p.name("multiply")
        self._do("clear", self._sum)
        with p.times(self._loops[0], WIDTH // 8):
            p.load(NEXT)
            p.store(self._octet)
            with p.times(self._loops[1], 8):
                again = p.new_name()
                # Without counting the bytes, which would take twice as long.
                for number, each in enumerate(self._sum):
                    p.load(each)
                    p.add(each, carry=number > 0)
                    p.store(each)
                p.load(self._octet)
                p.add(self._octet)
                p.store(self._octet)
                p.branch(NO_CARRY, again)
                p.change(self._sum, self._factor)
                p.name(again)
        p.leave()

    def _rest_of(self) -> None:
        """A becomes the rest of three bytes modulo twice the shift and one, less the shift."""
        p, shift = self._p, self._said("shift")
        p.name("rest of")
        p.load(shift)
        p.add(shift)
        p.add(1)
        p.store(self._span)
        p.set(self._remainder, 0)
        with p.times(self._loops[0], 24):
            smaller = p.new_name()
            # The remainder is the byte after the digits.
            self._do("double", Place(self._digits.at, 4))
            p.load(self._remainder)
            p.subtract(self._span)
            p.branch(NO_CARRY, smaller)
            p.store(self._remainder)
            p.name(smaller)
        p.load(self._remainder)
        p.subtract(shift)
        p.leave()

    def _clip(self) -> None:
        """Say where the index is what a shift does to as many rows or columns."""
        p = self._p
        p.name("clip")
        p.load(self._shift)
        p.mask(0x80)
        p.branch(ZERO, "forward")
        p.load(0)
        p.store(NEXT)
        p.subtract(self._shift)
        p.call("at most all")
        p.store(NEXT)
        p.jump("within")
        p.name("forward")
        p.load(self._shift)
        p.call("at most all")
        p.store(NEXT)
        p.load(0)
        p.store(NEXT)
        p.name("within")
        p.load(self._size)
        p.subtract(self._todo)
        p.store(NEXT)
        p.leave()
        p.name("at most all")
        p.store(self._todo)
        p.load(self._size)
        p.subtract(self._todo)
        p.branch(CARRY, "fewer")
        p.copy(self._todo, self._size)
        p.name("fewer")
        p.load(self._todo)
        p.leave()

    def _check_runs(self) -> None:
        """See that the runs of a sample are no more than its pixels, and that none ends too early."""
        p = self._p
        p.name("check runs")
        p.set(self._total, 0)
        p.change(self._length, 1, less=True, into=self._left)  # bytes after the label
        p.point(self._buffer[1])
        p.name("check run")
        p.any(self._left)
        p.branch(ZERO, "checked")
        self._count(self._left, "down")
        p.load(NEXT)
        p.store(self._run)
        p.mask(RUN_LIMIT - 1)
        p.add(1)
        p.store(self._todo)
        p.change(self._total, self._todo)
        n_inputs = self._registers.n_inputs
        for number, each in enumerate(self._total):
            p.load(n_inputs >> 8 * number)
            p.subtract(each, borrow=number > 0)
        p.branch(NO_CARRY, "wrong")
        p.load(self._run)
        p.mask(RUN_LIMIT)
        p.branch(ZERO, "check run")
        p.change(self._left, self._todo, less=True)
        p.branch(NO_CARRY, "wrong")
        p.name("over values")
        p.load(NEXT)
        p.load(self._todo)
        p.subtract(1)
        p.store(self._todo)
        p.branch(NONZERO, "over values")
        p.jump("check run")
        p.name("checked")
        p.leave()

    def _pixels(self) -> None:
        """Move as many pixels as A says, or black ones; pass as many over; take a pixel; move one."""
        p = self._p
        for name, takes, sends in (("pixels", True, True), ("black", False, True), ("skip", True, False)):
            p.name(name)
            p.branch(ZERO, f"no {name}")
            p.store(self._todo)
            p.name(f"more {name}")
            if takes:
                p.call("pixel")
            else:
                p.load(0)
            if sends:
                p.call("move")
            p.load(self._todo)
            p.subtract(1)
            p.store(self._todo)
            p.branch(NONZERO, f"more {name}")
            p.name(f"no {name}")
            p.leave()

        p.name("pixel")
        p.load(self._kind)
        p.branch(NONZERO, "of a run")
        p.load(self._bit)
        p.add(self._bit)
        p.store(self._bit)
        p.branch(NONZERO, "bit")
        p.load(NEXT)
        p.store(self._bits)
        p.set(self._bit, 1)
        p.name("bit")
        p.mask(self._bits)
        p.branch(ZERO, "nothing")
        p.load(0xFF)
        p.name("nothing")
        p.leave()
        p.name("of a run")
        p.load(self._run_left)
        p.branch(NONZERO, "in a run")
        p.load(NEXT)
        p.store(self._run)
        p.mask(RUN_LIMIT - 1)
        p.add(1)
        p.name("in a run")
        p.subtract(1)
        p.store(self._run_left)
        p.load(self._run)
        p.mask(RUN_LIMIT)
        p.branch(ZERO, "nothing")
        p.load(NEXT)
        p.leave()

        # Pixels of one bit are packed again, the lowest first.
        p.name("move")
        p.store(self._pixel)
        p.load(self._kind)
        p.branch(NONZERO, "move whole")
        p.load(self._pixel)
        p.mask(self._place)
        p.join(self._packed)
        p.store(self._packed)
        p.load(self._place)
        p.add(self._place)
        p.store(self._place)
        p.branch(NO_CARRY, "moved")
        p.load(self._packed)
        p.store(HERE)
        p.set(self._packed, 0)
        p.set(self._place, 1)
        p.name("moved")
        p.leave()
        p.name("move whole")
        p.load(self._pixel)
        p.store(HERE)
        p.leave()
