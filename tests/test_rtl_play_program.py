# SPDX-License-Identifier: BSD-2-Clause
"""The program of a small chip, on the model of its processor: what it sends of a run in the flash."""

import zlib
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from erbium.gen.flash_image import FlashPass, FlashRun, flash_image, row_payload, samples_of
from erbium.gen.presets import preset
from erbium.hdl.flash.layout import Fault, PixelKind, RunState
from erbium.hdl.flash.play_program import Bit, Input, Output
from erbium.hdl.flash.small_link import play_program
from erbium.hdl.registers import PixelFormat, RegisterMap, Request, WindowNumber
from erbium.sw_model.datasets import Split
from erbium.sw_model.network import Hardware
from erbium.sw_model.programs import DescriptionError
from erbium.verif.processor_model import ProcessorModel

DATA_AT = 0x3000
TINY = preset("tiny").network


@dataclass
class Surroundings:
    """A flash, a link that takes every message and answers each sample with its label, and a run that is asked for."""

    flash: bytes
    command: list[int] = field(default_factory=list)
    came: int = 0xFF
    checked: bytes = b""
    low: int = 0
    left: int = 0
    message: bytes = b""
    messages: list[bytes] = field(default_factory=list)
    replies: list[int] = field(default_factory=list)
    status: bytearray = field(default_factory=lambda: bytearray(16))
    lights: int = 0
    playing: list[int] = field(default_factory=list)

    def read(self, port: int) -> int:
        """Give a byte."""
        if port == Input.FLASH:
            return self.came
        if port == Input.REPLY:
            return self.replies.pop(0)
        body, crc = self.checked[:-4], self.checked[-4:]
        good = Bit.GOOD if zlib.crc32(body).to_bytes(4, "little") == crc else 0
        return Bit.RUN | (Bit.REPLY if self.replies else 0) | (Bit.MESSAGE if self.left else 0) | good

    def write(self, port: int, second: int, value: int) -> None:
        """Take a byte."""
        match port:
            case Output.SELECT:
                self.command.clear()
            case Output.FLASH:
                if len(self.command) >= 4:
                    at = int.from_bytes(self.command[1:4], "big") + len(self.command) - 4 - DATA_AT
                    self.came = self.flash[at] if at < len(self.flash) else 0xFF
                self.command.append(value)
            case Output.CRC_START:
                self.checked = b""
            case Output.CRC:
                self.checked += bytes([value])
            case Output.LENGTH_LOW:
                self.low = value
            case Output.LENGTH_HIGH:
                assert not self.left
                self.left, self.message = self.low | value << 8, b""
            case Output.MESSAGE:
                assert self.left
                self.message += bytes([value])
                self.left -= 1
                if not self.left:
                    self._take(self.message)
            case Output.STATUS:
                self.status[second & 15] = value
            case Output.LIGHTS:
                self.lights = value
            case Output.PLAY:
                self.playing.append(value & 1)

    def _take(self, message: bytes) -> None:
        self.messages.append(message)
        if message[0] == Request.SAMPLE:
            self.replies += [0x83, 0, 0, message[4], 1, 0, 1, 0]
        else:
            self.replies += [0x82, 0]


def played(run: FlashRun, image: bytes) -> Surroundings:
    """Let the program play data until it is over."""
    registers = RegisterMap(run.network, Hardware(), plays=True, shares=True)
    program = play_program(registers, DATA_AT, 400_000)
    around = Surroundings(image)
    processor = ProcessorModel(program.words, program.octets, program.contents, around.read, around.write)
    for _ in range(4_000_000):
        processor.step()
        if around.playing[-2:] == [1, 0]:
            return around
    raise AssertionError("the program did not end")


def a_run(pixels: PixelKind, side: int = 4) -> FlashRun:
    """Return a run with shifts, two splits, and a pass that goes round the end of one."""
    rng = np.random.default_rng(3)
    levels = np.array([0, 255] if pixels is PixelKind.BITS else [0, 0, 40, 255], np.uint8)

    def split(count: int) -> Split:
        images = rng.choice(levels, (count, TINY.n_inputs)).astype(np.uint8)
        return Split(images, rng.integers(0, TINY.n_classes, count).astype(np.uint8))

    def passed(*, learn: bool, start: int, count: int, shift: int) -> FlashPass:
        where = "train" if learn else "test"
        return FlashPass(learn, where, start, count, 70_000 + start, 5, 0, shift, TINY.rates)

    passes = (
        passed(learn=True, start=2, count=5, shift=4),
        passed(learn=False, start=0, count=2, shift=0),
        passed(learn=True, start=0, count=2, shift=1),
    )
    splits = {"train": split(4), "test": split(3)}
    return FlashRun(TINY, side, TINY.n_inputs // side, pixels, splits, TINY.initial_weights(), passes)


@pytest.mark.parametrize("pixels", PixelKind)
@pytest.mark.parametrize("side", [4, 2])
def test_what_is_sent(pixels, side):
    run = a_run(pixels, side)
    around = played(run, flash_image(run, DATA_AT, 1 << 16))
    assert around.status[:4] == bytes([RunState.DONE, Fault.NONE, len(run.weights) + len(run.passes), 0])
    messages = iter(around.messages)
    for number, (layer, rows) in enumerate(zip(TINY.layers, run.weights, strict=True)):
        for place, row in enumerate(rows):
            head = bytes([Request.WRITE, 0, WindowNumber.WEIGHTS + number, place, 0])
            assert next(messages) == head + row_payload(row, layer.weight_width)
    for one in run.passes:
        for value, address in zip((one.n_ticks, 0, *one.rates), (17, 18, 24, 25), strict=True):
            head = bytes([Request.WRITE, 0, WindowNumber.REGISTERS, address, 0])
            assert next(messages) == head + value.to_bytes(4, "little")
        kind = PixelFormat.BITS if pixels is PixelKind.BITS else PixelFormat.BYTES
        for image, label, seed in zip(*samples_of(run, one), strict=True):
            head = bytes([Request.SAMPLE, 0, 0, one.learn | kind << 1, label])
            sent = np.packbits(image > 0, bitorder="little") if kind is PixelFormat.BITS else image
            assert next(messages) == head + int(seed).to_bytes(4, "little") + sent.tobytes()
    assert next(messages, None) is None
    # Each answer is right, and the last test had two.
    assert around.status[12:] == bytes([2, 0, 0, 0])


def test_a_block_that_is_damaged():
    run = a_run(PixelKind.BITS)
    image = bytearray(flash_image(run, DATA_AT, 1 << 16))
    image[-4] ^= 1  # the last sample of the test
    run_of_three = replace(run, passes=(replace(run.passes[1], count=3),))
    whole = bytearray(flash_image(run_of_three, DATA_AT, 1 << 16))
    whole[-4] ^= 1
    around = played(run_of_three, bytes(whole))
    assert around.status[:2] == bytes([RunState.STOPPED, Fault.DAMAGED_BLOCK])
    assert around.status[4] == 2


def test_it_fits():
    """The program grows by no instruction beyond three layers; an image that has no room is refused."""
    for name in ("tiny", "erbp-mnist-100", "erbp-mnist-200-200", "first-spike-digits"):
        registers = RegisterMap(preset(name).network, Hardware(), plays=True, shares=True)
        assert len(play_program(registers, 1 << 20, 24_000_000).words) <= 1024
    large = preset("erbp-mnist-100").network
    registers = RegisterMap(replace(large, n_inputs=1024), Hardware(), plays=True, shares=True)
    with pytest.raises(DescriptionError, match="no room for the 1024 pixels"):
        play_program(registers, 1 << 20, 24_000_000)
