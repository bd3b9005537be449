# SPDX-License-Identifier: BSD-2-Clause
"""The host link: what a host on a serial line sees of the array.

The messages, the registers and their addresses are those of :mod:`erbium.hdl.registers`.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.csr import REGISTERS, CsrBlock, Handshake, array_side, tag_address
from erbium.hdl.entry_cursor import EntryCursor
from erbium.hdl.fork import Queue
from erbium.hdl.frame import FrameReceiver, FrameSender
from erbium.hdl.ports import pass_through
from erbium.hdl.registers import LinkMap, RegisterMap, Request
from erbium.hdl.reply_writer import ReplyWriter
from erbium.hdl.request_reader import RequestReader
from erbium.hdl.uart import UartReceiver, UartTransmitter
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network

TIMEOUT_SECONDS = 0.05
"""Silence after which an unfinished frame is given up."""


LIGHTS: dict[str, wiring.Member] = {"learning": Out(1), "answer": Out(8), "active": Out(1)}
"""Ports of a link for lamps."""


class _Register(wiring.Component):
    """A register behind a slow memory: one token per clock, latency 1 clock.

    Members
    -------
    token_i : In(stream), token_o : Out(stream)
    clear : In(1)
        Drop the token: its message is done with.
    """

    def __init__(self, shape: ShapeLike) -> None:
        signature = stream.Signature(shape)
        super().__init__({"token_i": In(signature), "token_o": Out(signature), "clear": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source, out = self.token_i, self.token_o
        m.d.comb += source.ready.eq(~out.valid | out.ready)
        with m.If(source.ready):
            m.d.sync += [out.valid.eq(source.valid), out.payload.eq(source.payload)]
        with m.If(self.clear):
            m.d.sync += out.valid.eq(0)
        return m


class MessageLink(wiring.Component):
    """Answers frames: the host link without its serial line.

    Every frame that holds a byte is answered by one frame, but for samples that a soft reset drops. What is wrong
    with a frame is found before it changes anything. One message is dealt with at a time, while the next one is
    received; only the results of samples come when they are there.

    Parameters
    ----------
    registers : LinkMap
    timeout : int
        Clocks of silence after which an unfinished frame is given up.

    Members
    -------
    byte_i : In(stream of 8), byte_o : Out(stream of 8)
        Frames.
    sample_o : Out(stream of SampleToken)
        ``BEGIN PIXEL* END``; a sample that turns out wrong has no ``END``, and the next ``BEGIN`` makes the array
        forget it.
    result_i : In(stream of Result)
    access_o : Out(stream of AccessToken), access_i : In(stream of int16)
        Weights; only while `idle`.
    counter_o : Out(stream of 8), counter_i : In(stream of 48)
        Number of a counter, in the order of the registers, and the counter.
    idle, collision : In(1)
    array_reset : Out(1)
        One clock: reset the array.
    n_ticks, decide_after, gain_k / rate_k : Out
        Change only while `idle`, or by a reset.
    learning : Out(1)
        The newest sample is learned, and the array is busy.
    answer : Out(8)
        The last one.
    active : Out(1)
        A message is being answered.
    flash_run : Out(1), flash_state, flash_samples, flash_right, flash_tested : In, playing : In(1)
        Of a chip that learns from its flash: the registers of these names, and whether it does, so that no sample of
        the host has a turn.

    Notes
    -----
    Bytes come and go faster than a serial line with four clocks per bit carries them: one per 5 clocks in, one per 6
    out, but that a group of a reply may have to wait for the one before. Pixels go into the array at one per 3
    clocks, and weights take what the array takes. Latency from the end of a frame to its reply: about 30 clocks, for
    a write of weights four more per byte. Memory: a message and what comes in while it is read
    (:class:`erbium.hdl.frame.FrameReceiver`), 512 bytes of replies, 512 bytes for
    constants, the last results and the tags of the samples under way, at most 16 of them.
    """

    def __init__(self, registers: LinkMap, timeout: int) -> None:
        self._registers, self._timeout = registers, timeout
        frames = {"byte_i": In(stream.Signature(8)), "byte_o": Out(stream.Signature(8))}
        super().__init__(frames | self.side(registers) | LIGHTS)

    @staticmethod
    def side(registers: LinkMap) -> dict[str, wiring.Member]:
        """Return the members for what is behind the link."""
        return array_side(registers)

    def _parts(self) -> tuple[RequestReader, CsrBlock, ReplyWriter]:
        """Return the parts that know what is behind the link."""
        return RequestReader(self._registers), CsrBlock(self._registers), ReplyWriter(self._registers)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = FrameReceiver(self._registers.max_message, self._timeout)
        reader, csr, writer = self._parts()
        m.submodules.reader = reader
        m.submodules.cursor = cursor = EntryCursor(self._registers)
        m.submodules.csr = csr
        m.submodules.writer = writer
        m.submodules.sender = sender = FrameSender()
        connect(m, flipped(self.byte_i), receiver.byte_i)
        self._hand_over(m, receiver, reader)
        m.submodules.samples = samples = Handshake(reader.sample_o.payload.shape())
        connect(m, reader.sample_o, samples.token_i)
        connect(m, samples.token_o, flipped(self.sample_o))
        connect(m, flipped(self.result_i), writer.result_i)
        self._reply(m, writer, sender)
        connect(m, sender.byte_o, flipped(self.byte_o))
        csr.pass_on(m, self)
        connect(m, reader.access_o, csr.weight_i)
        self._cursor(m, reader, writer, cursor)
        self._state(m, reader, writer, cursor, csr)
        self._read(m, reader, writer, cursor, csr)

        answer = self.result_i.payload.answer
        with m.If(self._result_of_host(self.result_i.valid & self.result_i.ready)):
            m.d.sync += self.answer.eq(answer)
        learned = Signal()
        with m.If(reader.begins):
            m.d.sync += learned.eq(reader.learns)
        m.d.comb += [
            self.learning.eq(learned & ~self.idle),
            self.active.eq(receiver.outcome_o.valid),
        ]
        return m

    def _hand_over(self, m: Module, receiver: FrameReceiver, reader: RequestReader) -> None:
        """Hand the messages of the frames over."""
        connect(m, receiver.outcome_o, reader.outcome_i)
        connect(m, receiver.message_o, reader.message_i)
        m.d.comb += receiver.skip.eq(reader.skip)

    def _reply(self, m: Module, writer: ReplyWriter, sender: FrameSender) -> None:
        """Send the replies."""
        connect(m, writer.message_o, sender.message_i)

    def _of_host(self, value: Value) -> Value:
        """Return a flag if the message that is dealt with is one of the host's."""
        return value

    def _result_of_host(self, value: Value, *, told: bool = False) -> Value:
        """Return a flag if the result that is taken, or told, is one of the host's."""
        return value

    def _cursor(self, m: Module, reader: RequestReader, writer: ReplyWriter, cursor: EntryCursor) -> None:
        """Let both halves move the cursor; one waits for the other."""
        m.d.comb += [
            cursor.byte_i.eq(reader.byte),
            cursor.pair.eq(reader.pair),
            cursor.next_byte.eq(reader.next_byte | writer.next_byte),
            cursor.next_entry.eq(reader.next_entry | writer.next_entry),
        ]
        for name in ("clear", "set_window", "set_first", "set_count", "add_first", "next_end"):
            m.d.comb += getattr(cursor, name).eq(getattr(reader, name))
        for half, names in (
            (reader, ("window", "known", "entry", "last_byte", "last_entry", "beyond")),
            (writer, ("last_byte", "last_entry")),
        ):
            m.d.comb += [getattr(half, name).eq(getattr(cursor, name)) for name in names]

    def _state(
        self,
        m: Module,
        reader: RequestReader,
        writer: ReplyWriter,
        cursor: EntryCursor,
        csr: CsrBlock,
    ) -> None:
        """Connect the registers, and what the two halves say to each other."""
        writes = ~reader.refused & (reader.kind == Request.WRITE) & (cursor.window == REGISTERS)
        m.d.comb += [
            csr.show_turn.eq(writer.of_sample),
            csr.show_error.eq(reader.refused),
            csr.value.eq(reader.value),
            csr.write.eq(writer.accepts & writes),
            csr.refuse.eq(self._of_host(writer.accepts & reader.refused)),
            csr.code.eq(reader.code),
            csr.begins.eq(self._of_host(reader.begins)),
            csr.ends.eq(self._result_of_host(writer.ends, told=True)),
            reader.idle.eq(self.idle),
            reader.writable.eq(csr.writable),
            reader.fits.eq(csr.fits),
            reader.waits.eq(csr.waits),
            reader.next_turn.eq(csr.next_turn),
            *([reader.playing.eq(self.playing)] if self._registers.plays else []),
            reader.done.eq(writer.done),
            writer.ask.eq(reader.ask),
            writer.kind.eq(reader.kind),
            writer.tag.eq(reader.tag),
            writer.refused.eq(reader.refused),
            writer.turn.eq(csr.turns_done),
        ]

    def _read(
        self, m: Module, reader: RequestReader, writer: ReplyWriter, cursor: EntryCursor, csr: CsrBlock
    ) -> None:
        """Read where the cursor is, or for a sample's reply; keep results, which go first, and tags."""
        m.d.comb += [
            csr.window.eq(cursor.window),
            csr.entry.eq(cursor.entry),
            csr.place.eq(cursor.place),
            csr.select.eq(writer.select),
            csr.read.eq(writer.read),
            csr.own.eq(writer.own),
            csr.own_address.eq(writer.own_address),
            writer.data.eq(csr.data_o),
            writer.ack.eq(csr.ack),
            reader.kept.eq(~writer.notes),
            csr.keep.eq(writer.notes | self._of_host(reader.keep)),
            csr.keep_address.eq(Mux(writer.notes, writer.write_address, tag_address(csr.next_turn))),
            csr.keep_data.eq(Mux(writer.notes, writer.write_data, reader.tag)),
        ]


class SerialLink(wiring.Component):
    """A link of messages on a serial line.

    Parameters
    ----------
    link : type of MessageLink
    registers : LinkMap
    clock_frequency, baud_rate : int
        In Hz and bits per second, see :func:`erbium.hdl.uart.bit_period`.
    buffer_bytes : int
        Bytes of frames that are held in front of the receiver; 0 for none.

    Members
    -------
    rx : In(1), tx : Out(1)
        The line, see :mod:`erbium.hdl.uart`. Others as in :class:`MessageLink`.

    Raises
    ------
    ValueError
        If the baud rate cannot be met, or `buffer_bytes` is negative.

    Notes
    -----
    Bytes come and go at the rate of the line. A host that keeps to two unanswered frames, or to
    `buffer_bytes` of them, loses none.
    """

    def __init__(
        self,
        link: type[MessageLink],
        registers: LinkMap,
        clock_frequency: int,
        baud_rate: int,
        buffer_bytes: int,
    ) -> None:
        if buffer_bytes < 0:
            raise ValueError(f"buffer_bytes is {buffer_bytes}; it must be 0 or more")
        self.registers = registers
        self._link, self._buffer_bytes = link, buffer_bytes
        self._timeout = max(round(clock_frequency * TIMEOUT_SECONDS), 1)
        self._receiver = UartReceiver(clock_frequency, baud_rate)
        self._transmitter = UartTransmitter(clock_frequency, baud_rate)
        self._through = link.side(registers) | LIGHTS
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)} | self._through)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = self._receiver
        m.submodules.transmitter = transmitter = self._transmitter
        m.submodules.link = link = self._link(self.registers, self._timeout)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        if self._buffer_bytes:
            m.submodules.buffer = buffer = Queue(8, self._buffer_bytes)
            connect(m, receiver.byte_o, buffer.token_i)
            m.submodules.bytes = behind = _Register(8)
            connect(m, buffer.token_o, behind.token_i)
            connect(m, behind.token_o, link.byte_i)
        else:
            connect(m, receiver.byte_o, link.byte_i)
        connect(m, link.byte_o, transmitter.byte_i)
        pass_through(m, self, link, self._through)
        return m


class HostLink(SerialLink):
    """The host link of an array on a serial line.

    Parameters
    ----------
    network : Network or Graph
    hardware : Hardware
    clock_frequency, baud_rate, buffer_bytes : int
        Of :class:`SerialLink`, as are the members and the errors.
    plays : bool
        Whether it is that of a chip that learns from its flash, too.
    """

    def __init__(
        self,
        network: Network | Graph,
        hardware: Hardware | None = None,
        clock_frequency: int = 12_000_000,
        baud_rate: int = 1_000_000,
        buffer_bytes: int = 0,
        *,
        plays: bool = False,
    ) -> None:
        registers = RegisterMap(network, hardware or Hardware(), clock_frequency, buffer_bytes, plays=plays)
        super().__init__(MessageLink, registers, clock_frequency, baud_rate, buffer_bytes)
