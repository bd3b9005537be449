# SPDX-License-Identifier: BSD-2-Clause
"""The half of the host link that reads messages, checks them, and does what they ask for."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.bounds import exceeds
from erbium.hdl.cobs import MessageByte
from erbium.hdl.frame import FrameOutcome, FrameStatus
from erbium.hdl.link_registers import CODE_WIDTH
from erbium.hdl.registers import ErrorCode, PixelFormat, RegisterMap, Request, weight_bytes
from erbium.hdl.tokens import AccessKind, AccessToken, Begin, Pixel, SampleKind, SampleToken

# Places in a message: of the bytes that are looked at, or of the last byte of a number.
_TYPE, _TAG, _WINDOW_OR_TURN, _FLAGS, _FIRST_OR_LABEL, _COUNT, _SEED = 0, 1, 2, 3, 4, 6, 8
_COUNT_BITS = 4

# Places in RegisterMap.windows.
_REGISTERS, _RESULTS, _WEIGHTS = 0, 1, 2


class _Found(NamedTuple):
    """What is known of the message.

    Bytes of its header that were taken, what is wrong with it, and what it says of a sample.
    """

    count: Signal
    unknown: Signal
    wrong_turn: Signal
    wrong_flags: Signal
    wrong_label: Signal
    format: Signal
    label: Signal
    pixel: Signal
    ended: Signal


class RequestReader(wiring.Component):
    """Reads one message after the other, and has each of them answered before it reads the next.

    Everything is checked before anything is changed; the first thing that is wrong is what the host is told. Only the
    pixels of a sample go to the array as they come: it forgets a sample that is not ended.

    Parameters
    ----------
    registers : RegisterMap

    Members
    -------
    outcome_i : In(stream of FrameOutcome), message_i : In(stream of MessageByte)
        Of :class:`erbium.hdl.frame.FrameReceiver`.
    sample_o : Out(stream of SampleToken)
    access_o : Out(stream of AccessToken)
        ``SEEK`` and ``WRITE``.
    skip : Out(1)
        To the receiver, too.
    idle : In(1)
        Of the array.
    byte, pair, clear, set_window, set_first, set_count, add_first, next_byte, next_entry, next_end : Out
        To :class:`erbium.hdl.entry_cursor.EntryCursor`.
    window, known, entry, last_byte, last_entry, beyond : In
        From there.
    value : Out(32)
        Last bytes that were kept.
    writable, fits, waits : In(1), next_turn : In(8)
        Of :class:`erbium.hdl.link_registers.LinkRegisters`.
    ask : Out(1), kind : Out(2), tag : Out(8), refused : Out(1), code : Out
        A message is to be answered or refused; stays until `done`.
    done : In(1)
        The reply has been sent.
    keep : Out(1), kept : In(1)
        The tag of the sample is to be kept; it is.
    begins : Out(1), learns : Out(1)
        A sample was accepted; it is learned.

    Notes
    -----
    A byte as it comes, and a clock per step of what is checked. Pixels take two clocks each, those that are not 0
    three. What is written is measured before, one byte per clock.
    """

    def __init__(self, registers: RegisterMap) -> None:
        self._registers = registers
        self._network = registers.network
        entries = max(self._network.n_inputs, *(window.entries for window in registers.windows))
        super().__init__(
            {
                "outcome_i": In(stream.Signature(FrameOutcome(registers.max_message))),
                "message_i": In(stream.Signature(MessageByte())),
                "skip": Out(1),
                "sample_o": Out(stream.Signature(SampleToken())),
                "access_o": Out(stream.Signature(AccessToken())),
                "idle": In(1),
                "byte": Out(8),
                "pair": Out(16),
                "clear": Out(1),
                "set_window": Out(1),
                "set_first": Out(1),
                "set_count": Out(1),
                "add_first": Out(1),
                "next_byte": Out(1),
                "next_entry": Out(1),
                "next_end": Out(1),
                "window": In(range(len(registers.windows))),
                "known": In(1),
                "entry": In(bits_for(entries)),
                "last_byte": In(1),
                "last_entry": In(1),
                "beyond": In(1),
                "value": Out(32),
                "writable": In(1),
                "fits": In(1),
                "waits": In(1),
                "next_turn": In(8),
                "ask": Out(1),
                "kind": Out(bits_for(max(Request))),
                "tag": Out(8),
                "refused": Out(1),
                "code": Out(CODE_WIDTH),
                "done": In(1),
                "keep": Out(1),
                "kept": In(1),
                "begins": Out(1),
                "learns": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        message, byte = self.message_i, self.message_i.payload.byte
        found = _Found(
            count=Signal(_COUNT_BITS),
            unknown=Signal(),
            wrong_turn=Signal(),
            wrong_flags=Signal(),
            wrong_label=Signal(),
            format=Signal(2),
            label=Signal(range(self._network.n_classes)),
            pixel=Signal(8),
            ended=Signal(),
        )
        shifts = Signal()
        m.d.comb += [self.byte.eq(byte), self.pair.eq(Cat(self.value[24:], byte))]
        with m.If(shifts):
            m.d.sync += self.value.eq(Cat(self.value[8:], byte))
        wide = Signal()
        with m.Switch(self.window):
            for number, layer in enumerate(self._network.layers):
                with m.Case(_WEIGHTS + number):
                    m.d.comb += wide.eq(weight_bytes(layer.weight_width) == 2)
        begin = data.View(Begin(), self.sample_o.payload.data)
        m.d.comb += [
            # What is not looked at is not cleared: that would take logic.
            begin.seed.eq(self.value),
            begin.label.eq(found.label),
            begin.learn.eq(self.learns),
            self.sample_o.payload.data[: Pixel().size].eq(Cat(found.pixel, self.entry)),
            self.access_o.payload.layer.eq(self.window - _WEIGHTS),
            self.access_o.payload.data.eq(Mux(wide, self.pair, byte)),
        ]
        with m.FSM():
            with m.State("WAIT"):
                self._wait(m, found)
            with m.State("HEADER"), m.If(message.valid):
                m.d.comb += [message.ready.eq(1), shifts.eq(1)]
                self._header(m, found)
            self._entries(m, found, shifts)
            self._weights(m, wide, shifts)
            self._sample(m, found)
            self._pixels(m, found, shifts)
            with m.State("ANSWER"):
                m.d.comb += [self.ask.eq(1), self.outcome_i.ready.eq(self.done)]
                with m.If(self.done):
                    m.next = "WAIT"
        return m

    def _refuse(self, m: Module, code: Value | ErrorCode) -> None:
        m.d.sync += [self.refused.eq(1), self.code.eq(code)]
        m.next = "ANSWER"

    def _wait(self, m: Module, found: _Found) -> None:
        """Wait for a frame."""
        m.d.comb += self.clear.eq(1)
        m.d.sync += [found.count.eq(0), found.unknown.eq(0), self.refused.eq(0), self.tag.eq(0)]
        with m.If(self.outcome_i.valid):
            m.next = "HEADER"
            with m.If(self.outcome_i.payload.status != FrameStatus.VERIFIED):
                # The error codes begin with the numbers of the statuses.
                self._refuse(m, Value.cast(self.outcome_i.payload.status))

    def _header(self, m: Module, found: _Found) -> None:
        """Take one byte in front of the entries or pixels."""
        byte, last = self.byte, self.message_i.payload.last
        unknown, final, fails = Signal(), Signal(), Signal()
        m.d.comb += [unknown.eq(found.unknown), fails.eq(last)]
        m.d.sync += found.count.eq(found.count + 1)
        with m.Switch(found.count):
            with m.Case(_TYPE):
                m.d.comb += unknown.eq((byte == 0) | exceeds(byte, max(Request)))
                m.d.sync += [self.kind.eq(byte), found.unknown.eq(unknown)]
            with m.Case(_TAG):
                m.d.comb += fails.eq(last | unknown)
                m.d.sync += self.tag.eq(byte)
            with m.Case(_WINDOW_OR_TURN):
                m.d.comb += self.set_window.eq(1)
                m.d.sync += found.wrong_turn.eq(byte != self.next_turn)
            with m.Case(_FLAGS):
                pixels = byte[1:3]
                m.d.sync += [
                    self.learns.eq(byte[0]),
                    found.format.eq(pixels),
                    found.wrong_flags.eq(byte[3:].any() | exceeds(pixels, max(PixelFormat))),
                ]
            with m.Case(_FIRST_OR_LABEL):
                m.d.comb += [
                    self.set_first.eq(self.kind != Request.SAMPLE),
                    final.eq(self.kind == Request.WRITE),
                ]
                m.d.sync += [
                    found.label.eq(byte),
                    found.wrong_label.eq(exceeds(byte, self._network.n_classes - 1)),
                ]
            with m.Case(_COUNT), m.If(self.kind == Request.READ):
                m.d.comb += [final.eq(1), self.set_count.eq(1), fails.eq(~last | (self.pair == 0))]
            with m.Case(_SEED):
                m.d.comb += [final.eq(1), fails.eq(0)]
                m.d.sync += found.ended.eq(last)
        with m.If(fails):
            self._refuse(m, Mux(unknown, ErrorCode.UNKNOWN_REQUEST, ErrorCode.BAD_LENGTH))
        with m.Elif(final & (self.kind == Request.SAMPLE)):
            m.next = "SAMPLE"
        with m.Elif(final):
            m.next = "WINDOW"

    def _entries(self, m: Module, found: _Found, shifts: Signal) -> None:
        """Check the entries of a READ or WRITE, and the value of a register."""
        message = self.message_i
        is_read = self.kind == Request.READ
        with m.State("WINDOW"):
            m.d.comb += self.add_first.eq(is_read)
            with m.If(~self.known):
                self._refuse(m, ErrorCode.UNKNOWN_WINDOW)
            with m.Elif(is_read):
                m.next = "RANGE"
            with m.Else():
                m.next = "MEASURE"
        with m.State("MEASURE"), m.If(message.valid):
            # As if the bytes were read: do they end where an entry ends?
            m.d.comb += [
                self.skip.eq(~message.payload.last),
                self.next_byte.eq(1),
                self.next_end.eq(self.last_byte),
            ]
            with m.If(message.payload.last):
                m.next = "RANGE"
                with m.If(~self.last_byte):
                    self._refuse(m, ErrorCode.BAD_LENGTH)
        with m.State("RANGE"):
            with m.If((self.window == _REGISTERS) & ~is_read & ~self.last_entry):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Elif(self.beyond):
                self._refuse(m, ErrorCode.OUT_OF_WINDOW)
            with m.Elif(self.window > _RESULTS):
                m.next = "QUIET"
            with m.Elif(is_read):
                m.next = "ANSWER"
            with m.Elif((self.window == _RESULTS) | ~self.writable):
                self._refuse(m, ErrorCode.READ_ONLY)
            with m.Else():
                m.next = "VALUE"
        # What was skipped is read now: the cursor knows where it ends.
        with m.State("VALUE"), m.If(message.valid):
            m.d.comb += [message.ready.eq(1), shifts.eq(1), self.next_byte.eq(1)]
            with m.If(self.last_byte):
                m.next = "FITS"
        with m.State("FITS"):
            with m.If(~self.fits):
                self._refuse(m, ErrorCode.BAD_VALUE)
            with m.Elif(self.idle | ~self.waits):
                m.next = "ANSWER"

    def _weights(self, m: Module, wide: Signal, shifts: Signal) -> None:
        """Go to the first row, and write rows."""
        message, access = self.message_i, self.access_o
        with m.State("QUIET"), m.If(self.idle):
            m.next = "SEEK"
        waiting = Signal()  # for the high byte of the weight
        for state, following in (("SEEK", "STORE"), ("FLUSH", "ANSWER")):
            with m.State(state):
                m.d.comb += [
                    access.valid.eq(1),
                    access.payload.kind.eq(AccessKind.SEEK),
                    access.payload.data.eq(self.entry),
                ]
                with m.If(access.ready):
                    m.next = following
                    with m.If(self.kind == Request.READ):
                        m.next = "ANSWER"
        with m.State("STORE"):
            m.d.comb += [
                access.valid.eq(message.valid & (waiting | ~wide)),
                access.payload.kind.eq(AccessKind.WRITE),
                message.ready.eq(access.ready | wide & ~waiting),
            ]
            with m.If(message.valid & message.ready):
                m.d.comb += [shifts.eq(1), self.next_byte.eq(1)]
                m.d.sync += waiting.eq(wide & ~waiting)
                with m.If(self.last_byte):
                    m.d.comb += self.next_entry.eq(~self.last_entry)
                    with m.If(self.last_entry):
                        # Another SEEK waits until the last weight is in its memory.
                        m.next = "FLUSH"

    def _sample(self, m: Module, found: _Found) -> None:
        """Check what is said of a sample, begin it and end it."""
        sample = self.sample_o
        pixel = sample.payload.data[: Pixel().size]
        with m.State("SAMPLE"):
            m.next = "BEGIN"
            for wrong, code in (
                (found.ended & (found.format != PixelFormat.EVENTS), ErrorCode.BAD_LENGTH),
                (found.wrong_turn, ErrorCode.OUT_OF_TURN),
                (found.wrong_label, ErrorCode.BAD_LABEL),
                (found.wrong_flags, ErrorCode.BAD_FORMAT),
            ):
                # What comes last counts.
                with m.If(wrong):
                    self._refuse(m, code)
        with m.State("BEGIN"):
            m.d.comb += [
                sample.valid.eq(1),
                sample.payload.kind.eq(SampleKind.BEGIN),
                pixel.eq(self.value),
            ]
            with m.If(sample.ready):
                m.next = "PIXELS"
                with m.If(found.ended):
                    m.next = "KEEP"
                with m.Elif(found.format == PixelFormat.EVENTS):
                    m.next = "LOW"
        with m.State("KEEP"):
            # The result may come at once behind the END.
            m.d.comb += self.keep.eq(1)
            with m.If(self.kept):
                m.next = "END"
        with m.State("END"):
            m.d.comb += [sample.valid.eq(1), sample.payload.kind.eq(SampleKind.END)]
            with m.If(sample.ready):
                m.d.comb += [self.begins.eq(1), self.outcome_i.ready.eq(1)]
                m.next = "WAIT"

    def _pixels(self, m: Module, found: _Found, shifts: Signal) -> None:
        """Send pixels as they come."""
        message, sample = self.message_i, self.sample_o
        last, n_inputs = message.payload.last, self._network.n_inputs
        with m.State("LOW"), m.If(message.valid):
            m.d.comb += [message.ready.eq(1), shifts.eq(1)]
            m.next = "HIGH"
            with m.If(last):
                self._refuse(m, ErrorCode.BAD_LENGTH)
        with m.State("HIGH"), m.If(message.valid):
            m.d.comb += [message.ready.eq(1), self.set_first.eq(1)]
            m.next = "PIXELS"
            with m.If(last):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Elif((self.pair[: len(self.entry)] < self.entry) | exceeds(self.pair, n_inputs - 1)):
                self._refuse(m, ErrorCode.BAD_EVENT)
        passes, ends = Signal(), Signal()
        is_bits, is_events = found.format == PixelFormat.BITS, found.format == PixelFormat.EVENTS
        bit = self.byte.bit_select(self.entry[:3], 1)
        with m.State("PIXELS"), m.If(message.valid):
            # A register: the array does much with a pixel.
            m.d.sync += found.pixel.eq(Mux(is_bits, bit.replicate(8), self.byte))
            m.next = "PIXEL"
        with m.State("PIXEL"):
            m.d.comb += [
                sample.valid.eq(found.pixel != 0),
                sample.payload.kind.eq(SampleKind.PIXEL),
                # In events the entry is an address, and the next one is at least one more.
                passes.eq(~sample.valid | sample.ready),
                self.next_entry.eq(passes),
                ends.eq(self.entry == n_inputs - 1),
                message.ready.eq(passes & (~is_bits | ends | self.entry[:3].all())),
            ]
            with m.If(passes):
                m.next = "PIXELS"
            with m.If(message.ready):
                with m.If(last & (is_events | ends)):
                    m.next = "KEEP"
                with m.Elif(is_events):
                    m.next = "LOW"
                with m.Elif(last | ends):
                    self._refuse(m, ErrorCode.BAD_LENGTH)
