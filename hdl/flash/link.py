# SPDX-License-Identifier: BSD-2-Clause
"""The host link of a chip that learns from its flash, too: whose the array is, and what the host sees of a run."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.csr import array_side
from erbium.hdl.flash.block_reader import BlockReader
from erbium.hdl.flash.control import FlashControl
from erbium.hdl.flash.layout import RunState, longest_payload
from erbium.hdl.flash.reader import FlashReader
from erbium.hdl.flash.sample_draw import SampleDraw
from erbium.hdl.flash.sample_player import SamplePlayer
from erbium.hdl.host_link import LIGHTS, HostLink
from erbium.hdl.registers import RegisterMap
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network

DEBOUNCE_SECONDS = 0.002
"""A button counts as pressed, or as let go of, when it has stayed so for so long."""

WAKE_SECONDS = 50e-6
"""How long a flash may take to wake up: 3 to 30 us."""


@dataclass(frozen=True)
class FlashPort:
    """How a chip is joined to its flash.

    Parameters
    ----------
    lanes : int
        Wires that carry data, 1, 2 or 4; see :data:`erbium.hdl.flash.reader.READ_COMMANDS`.
    data_at : int
        Address at which the data begin, after the bitstream.
    small : bool
        Whether a processor plays them (:class:`erbium.hdl.flash.small_link.SmallFlashLink`), which needs one wire.
    spram : bool
        Whether that keeps a block in SPRAM.

    Raises
    ------
    ValueError
        For a processor with more than one wire.
    """

    lanes: int
    data_at: int
    small: bool = False
    spram: bool = False

    def __post_init__(self) -> None:
        if self.small and self.lanes != 1:
            raise ValueError(f"lanes is {self.lanes}; a small chip reads its flash on one wire")


PINS: dict[str, wiring.Member] = {
    "flash_select": Out(1),
    "flash_clock": Out(1),
    "flash_io_o": Out(4),
    "flash_io_oe": Out(4),
    "flash_io_i": In(4),
    "button": In(1),
    "failed": Out(1),
}
"""Ports of a chip that learns from its flash: those of the flash, a button, a light."""


def flash_side(registers: RegisterMap) -> dict[str, wiring.Member]:
    """Return the members of a link that plays the flash itself: those of the line and of the array."""
    own = {*registers.watched, *registers.commands, "playing"}
    side = {name: member for name, member in array_side(registers).items() if name not in own}
    return {"rx": In(1, init=1), "tx": Out(1, init=1)} | side


class FlashLink(wiring.Component):
    """A host link, and beside it what plays the samples of the flash.

    The array belongs to one of the two at a time. While a run from the flash is under way the host reads registers and
    results; it sees an array that is not idle, so it neither changes settings nor reads weights, and a sample of it is
    refused. A run begins when no message is dealt with and the array is idle.

    Parameters
    ----------
    network : Network or Graph
    hardware : Hardware
    clock_frequency, baud_rate, buffer_bytes : int
        Of :class:`erbium.hdl.host_link.HostLink`.
    flash : FlashPort

    Members
    -------
    rx : In(1), tx : Out(1), learning, active : Out(1), answer : Out(8)
        Of :class:`erbium.hdl.host_link.HostLink`. From the end of a test to the next run, `answer` is its error in
        percent, 15 for more.
    flash_select, flash_clock : Out(1), flash_io_o, flash_io_oe : Out(4), flash_io_i : In(4)
        Of :class:`erbium.hdl.flash.reader.FlashReader`.
    button : In(1)
        Starts a run when it is pressed; it bounces as it likes.
    failed : Out(1)
        A run was stopped by what it found in the flash.
    sample_o, result_i, access_o, access_i, counter_o, counter_i, idle, collision, array_reset, n_ticks, ...
        Of the array, see :func:`erbium.hdl.csr.array_side`.

    Notes
    -----
    A soft reset, or one of the chip, stops a run at once.
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
        self._link = HostLink(network, hardware, clock_frequency, baud_rate, buffer_bytes, plays=True)
        self.registers = registers = self._link.registers
        self._reader = FlashReader(flash.lanes, max(round(WAKE_SECONDS * clock_frequency), 1))
        self._blocks = BlockReader(longest_payload(registers))
        bits = len(self._blocks.address)
        self._control = FlashControl(registers, flash.data_at, bits)
        self._player = SamplePlayer(registers.n_inputs, registers.n_classes, bits)
        self._debounce = max(round(DEBOUNCE_SECONDS * clock_frequency), 1)
        super().__init__(flash_side(registers) | LIGHTS | PINS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = self._link
        # What plays is stopped by a soft reset, as the array is.
        flash = Module()
        m.submodules.flash = ResetInserter(link.array_reset)(flash)
        m.submodules.button = button = Module()
        control = self._control
        self._play(flash)
        self._share(m, link, control)
        command = getattr(link, self.registers.commands[0])
        before = Signal()
        flash.d.sync += before.eq(command)
        m.d.comb += control.start.eq(command & ~before | self._pressed(button))
        self._tell(m, link, control)
        return m

    def _play(self, m: Module) -> None:
        """Join the parts that read and play the flash."""
        reader, blocks, control, player = self._reader, self._blocks, self._control, self._player
        m.submodules.reader = reader
        m.submodules.blocks = blocks
        m.submodules.control = control
        # What was drawn for a run that was stopped is not for the next one.
        draws = SampleDraw()
        m.submodules.draws = ResetInserter(control.restart)(draws)
        m.submodules.player = ResetInserter(control.restart)(player)
        connect(m, control.address_o, reader.address_i)
        connect(m, reader.byte_o, blocks.byte_i)
        connect(m, control.number_o, draws.number_i)
        connect(m, draws.draw_o, player.draw_i)
        for source, sink, names in (
            (control, blocks, ("restart", "fetch", "release")),
            (blocks, control, ("begins", "resting", "available", "good", "fits", "length", "data_o")),
            (blocks, player, ("length", "data_o")),
            (control, draws, ("seed_state", "shift_state", "shift")),
            (control, player, ("play", "learn", "pixels", "height", "width")),
            (player, control, ("label", "done", "wrong")),
        ):
            for name in names:
                into = "data_i" if name == "data_o" else name
                m.d.comb += getattr(sink, into).eq(getattr(source, name))
        m.d.comb += blocks.address.eq(Mux(control.reads, control.address, player.address))
        for name in ("select", "clock", "io_o", "io_oe"):
            m.d.comb += getattr(self, f"flash_{name}").eq(getattr(reader, name))
        m.d.comb += reader.io_i.eq(self.flash_io_i)

    def _share(self, m: Module, link: HostLink, control: FlashControl) -> None:
        """Give the array to the flash while a run is under way, else to the host."""
        active = control.active
        m.d.comb += [
            link.idle.eq(self.idle & ~active),
            link.collision.eq(self.collision),
            link.playing.eq(active),
            self.array_reset.eq(link.array_reset),
            control.idle.eq(self.idle),
            control.may_start.eq(self.idle & ~link.active),
        ]
        for host, own, out in (
            (link.sample_o, self._player.sample_o, self.sample_o),
            (link.access_o, control.access_o, self.access_o),
        ):
            m.d.comb += [
                out.payload.eq(Mux(active, own.payload, host.payload)),
                out.valid.eq(Mux(active, own.valid, host.valid)),
                own.ready.eq(out.ready & active),
                host.ready.eq(out.ready & ~active),
            ]
        m.d.comb += [
            link.result_i.payload.eq(self.result_i.payload),
            control.result_i.payload.eq(self.result_i.payload),
            link.result_i.valid.eq(self.result_i.valid & ~active),
            control.result_i.valid.eq(self.result_i.valid & active),
            self.result_i.ready.eq(Mux(active, control.result_i.ready, link.result_i.ready)),
        ]
        for name in ("access_i", "counter_i"):
            connect(m, flipped(getattr(self, name)), getattr(link, name))
        connect(m, link.counter_o, flipped(self.counter_o))
        for name in self.registers.settings:
            m.d.comb += getattr(self, name).eq(Mux(active, getattr(control, name), getattr(link, name)))

    def _pressed(self, m: Module) -> Signal:
        """Return when the button is pressed: once, however it bounces."""
        seen, earlier = Signal(), Signal()
        held, pressed = Signal(), Signal()
        count = Signal(range(self._debounce + 1))
        # The button knows no clock.
        m.d.sync += [earlier.eq(self.button), seen.eq(earlier), pressed.eq(0), count.eq(0)]
        with m.If(seen != held):
            m.d.sync += count.eq(count + 1)
            with m.If(count == self._debounce):
                m.d.sync += [held.eq(seen), pressed.eq(seen)]
        return pressed

    def _tell(self, m: Module, link: HostLink, control: FlashControl) -> None:
        """Show the host, and whoever looks at the lights, how far a run is."""
        state = Signal(8)
        fault = Signal(8)
        learns = control.active & (control.state == RunState.LEARNS)
        shows = (control.state == RunState.DONE) | (control.state == RunState.TESTS)
        m.d.comb += [
            state.eq(control.state),
            fault.eq(control.fault),
            link.flash_state.eq(Cat(state, fault, control.number_of_pass)),
            link.flash_samples.eq(control.samples),
            link.flash_right.eq(control.right),
            link.flash_tested.eq(control.tested),
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            self.learning.eq(link.learning | learns),
            self.active.eq(link.active | control.active),
            self.answer.eq(Mux(shows, control.percent, link.answer)),
            self.failed.eq(control.state == RunState.STOPPED),
        ]
