# SPDX-License-Identifier: BSD-2-Clause
"""The host link of a small chip that learns from its flash, too: a processor plays the run as a host would."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring

from erbium.hdl.crc import Crc
from erbium.hdl.flash.link import DEBOUNCE_SECONDS, PINS, WAKE_SECONDS, FlashPort, flash_side
from erbium.hdl.flash.play_program import Bit, Input, Light, Output, PlayProgram
from erbium.hdl.flash.processor import Processor
from erbium.hdl.flash.shared_link import SharedLink
from erbium.hdl.host_link import LIGHTS, SerialLink
from erbium.hdl.ports import pass_through
from erbium.hdl.registers import RegisterMap
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network


def play_program(registers: RegisterMap, data_at: int, clock_frequency: int) -> PlayProgram:
    """Return the program of a chip whose data begin at an address of its flash."""
    return PlayProgram(
        registers,
        data_at,
        clock_frequency,
        wake_seconds=WAKE_SECONDS,
        debounce_seconds=DEBOUNCE_SECONDS,
    )


class SmallFlashLink(wiring.Component):
    """A host link, and beside it a processor that plays the samples of the flash through it.

    It is :class:`erbium.hdl.flash.link.FlashLink` with a fifth of the logic, and some 90,000 clocks for a sample of 784
    pixels, while an array of one lane takes more for the sample before. Its parameters and members are those.
    What else differs: registers and weights may be read while a run is under way, and to write them is refused.
    """

    def __init__(
        self,
        network: Network | Graph,
        hardware: Hardware,
        clock_frequency: int,
        baud_rate: int,
        buffer_bytes: int,
        flash: FlashPort,
    ) -> None:
        self.registers = registers = RegisterMap(
            network, hardware, clock_frequency, buffer_bytes, plays=True, shares=True
        )
        self._link = SerialLink(SharedLink, registers, clock_frequency, baud_rate, buffer_bytes)
        program = play_program(registers, flash.data_at, clock_frequency)
        self._processor = Processor(program.words, program.octets, program.contents, spram=flash.spram)
        self._side = flash_side(registers)
        super().__init__(self._side | LIGHTS | PINS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = self._link
        # What plays is stopped by a soft reset, as the array is.
        flash = Module()
        m.submodules.flash = ResetInserter(self._link.array_reset)(flash)
        flash.submodules.processor = self._processor
        flash.submodules.crc = crc = Crc()
        came, busy = self._wires(flash)
        self._registers(flash)
        self._read(m, crc, came, busy)
        self._write(m, crc, busy)
        return m

    def _writes(self, port: Output) -> Value:
        return self._processor.write & (self._processor.port[:4] == port)

    def _reads(self, port: Input) -> Value:
        return self._processor.read & (self._processor.port[:2] == port)

    def _wires(self, m: Module) -> tuple[Signal, Signal]:
        """Shift bytes to the flash and from there, on one wire each; return what came, and whether it still comes."""
        shift, left, busy = Signal(8), Signal(3), Signal()
        with m.If(busy):
            m.d.sync += self.flash_clock.eq(~self.flash_clock)
            # What the flash sends is taken as its clock falls.
            with m.If(self.flash_clock):
                m.d.sync += [
                    shift.eq(Cat(self.flash_io_i[1], shift)),
                    left.eq(left - 1),
                    busy.eq(left != 0),
                ]
        with m.Elif(self._writes(Output.FLASH)):
            m.d.sync += [shift.eq(self._processor.write_data), left.eq(7), busy.eq(1)]
        m.d.comb += [self.flash_io_o.eq(shift[7]), self.flash_io_oe.eq(1)]
        return shift, busy

    def _registers(self, m: Module) -> None:
        """Hold what the processor has written."""
        link, processor = self._link, self._processor
        lights, value = Signal(7), processor.write_data
        for port, register in ((Output.SELECT, self.flash_select), (Output.LIGHTS, lights)):
            with m.If(self._writes(port)):
                m.d.sync += register.eq(value)
        with m.If(self._writes(Output.PLAY) & processor.ready):
            m.d.sync += link.playing.eq(value)
        shows, learns, failed = (lights[int(light).bit_length() - 1] for light in Light)
        m.d.comb += [
            self.learning.eq(link.learning | learns),
            self.active.eq(link.active | link.playing),
            self.answer.eq(Mux(shows, lights[:4], link.answer)),
            self.failed.eq(failed),
        ]

    def _read(self, m: Module, crc: Crc, came: Value, busy: Value) -> None:
        """Show the processor what it reads."""
        link, processor = self._link, self._processor
        # The button knows no clock.
        button, earlier = Signal(), Signal()
        m.d.sync += [earlier.eq(self.button), button.eq(earlier)]
        state = {
            Bit.RUN: getattr(link, self.registers.commands[0]),
            Bit.BUTTON: button,
            Bit.REPLY: link.replies,
            Bit.MESSAGE: link.under_way,
            Bit.GOOD: crc.match_detected,
        }
        with m.Switch(processor.port[:2]):
            with m.Case(Input.FLASH):
                m.d.comb += processor.read_data.eq(came)
            with m.Case(Input.REPLY):
                m.d.comb += processor.read_data.eq(link.reply)
            with m.Default():
                m.d.comb += processor.read_data.eq(Cat(state[bit] for bit in Bit))
        waits = self._reads(Input.FLASH) & busy | self._reads(Input.REPLY) & ~link.replies
        for port, ready in (
            (Output.FLASH, ~busy),
            (Output.CRC, crc.ready),
            (Output.MESSAGE, link.taken),
            (Output.STATUS, link.told),
            (Output.PLAY, ~processor.write_data[0] | link.free),
        ):
            waits |= self._writes(port) & ~ready
        m.d.comb += processor.ready.eq(~waits)

    def _write(self, m: Module, crc: Crc, busy: Value) -> None:
        """Give away what the processor writes, and let the host have the rest of the link."""
        link, value = self._link, self._processor.write_data
        pass_through(m, self, link, self._side)
        m.d.comb += [
            crc.data.eq(value),
            crc.valid.eq(self._writes(Output.CRC)),
            crc.start.eq(self._writes(Output.CRC_START)),
            link.length.eq(value),
            link.sizes.eq(self._writes(Output.LENGTH_LOW)),
            link.begins.eq(self._writes(Output.LENGTH_HIGH)),
            link.octet.eq(value),
            link.offered.eq(self._writes(Output.MESSAGE)),
            link.status.eq(value),
            link.status_at.eq(self._processor.near),
            link.tells.eq(self._writes(Output.STATUS)),
            link.heard.eq(self._reads(Input.REPLY)),
            link.array_idle.eq(self.idle),
            link.idle.eq(self.idle & ~link.playing),
        ]
