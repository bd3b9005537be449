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
from erbium.hdl.csr import REGISTERS, RESULTS, WEIGHTS
from erbium.hdl.csr_registers import CODE_WIDTH
from erbium.hdl.frame import FrameOutcome, FrameStatus
from erbium.hdl.one_hot import OneHot
from erbium.hdl.registers import ErrorCode, PixelFormat, RegisterMap, Request, weight_bytes
from erbium.hdl.runs import RUN_LIMIT
from erbium.hdl.tokens import AccessKind, Begin, Pixel, SampleKind, SampleToken
from erbium.hdl.weight_access import AccessRequest

# Places in a message: of the bytes that are looked at, or of the last byte of a number.
_TYPE, _TAG, _WINDOW_OR_TURN, _FLAGS, _FIRST_OR_LABEL, _COUNT, _SEED = 0, 1, 2, 3, 4, 6, 8
_COUNT_BITS = 4


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
    spikes: Signal
    ended: Signal
    nibbles: Signal


class RequestReader(wiring.Component):
    """Reads one message after the other, and has each of them answered before it reads the next.

    Everything is checked before anything is changed; the first thing that is wrong is what the host is told. Only the
    pixels of a sample go to the array as they come: it forgets a sample that is not ended. Frames, registers and
    windows are read alike for every chip; what else there is to be written, and samples, are matters of methods of
    their own, which :class:`erbium.hdl.core.link.CoreReader` has, too.

    Parameters
    ----------
    registers : RegisterMap

    Members
    -------
    outcome_i : In(stream of FrameOutcome), message_i : In(stream of MessageByte)
        Of :class:`erbium.hdl.frame.FrameReceiver`.
    sample_o : Out(stream of SampleToken)
    access_o : Out(stream of AccessRequest)
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
        Of :class:`erbium.hdl.csr.CsrBlock`.
    playing : In(1)
        Of a chip that learns from its flash: it does, and no sample has a turn.
    own : In(1)
        Of one that does so through the link: the message is that of the run. Then a sample has a turn, whatever it
        says; and while such a run is under way nobody else writes what waits for the array.
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
    three, and events seven; of runs black pixels take one each, and the first byte of a run one, or two if values
    follow. What is written is measured before, one byte per clock.
    """

    def __init__(self, registers: RegisterMap) -> None:
        self._registers = registers
        self._n_inputs, self._n_classes = registers.n_inputs, registers.n_classes
        self._plays, self._shares = registers.plays, registers.shares
        entries = max(self._n_inputs, *(window.entries for window in registers.windows))
        super().__init__(
            {
                "outcome_i": In(stream.Signature(FrameOutcome(registers.max_message))),
                "message_i": In(stream.Signature(MessageByte())),
                "skip": Out(1),
                **self._outputs(),
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
                **({"playing": In(1)} if self._plays else {}),
                **({"own": In(1)} if self._shares else {}),
            }
        )

    def _outputs(self) -> dict[str, wiring.Member]:
        """Return the members for samples and for what is written."""
        return {
            "sample_o": Out(stream.Signature(SampleToken())),
            "access_o": Out(stream.Signature(AccessRequest())),
        }

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
            label=Signal(range(self._n_classes)),
            pixel=Signal(8),
            spikes=Signal(),
            ended=Signal(),
            nibbles=Signal(),
        )
        m.d.comb += [self.byte.eq(byte), self.pair.eq(Cat(self.value[24:], byte))]
        with m.If(message.valid & message.ready):
            m.d.sync += self.value.eq(Cat(self.value[8:], byte))
        self._fsm = fsm = OneHot(m, "WAIT")
        self._wrong = Signal(len(ErrorCode))  # by the number of the code less one
        with fsm.state("WAIT"):
            self._wait(m, found)
        with fsm.state("HEADER"), m.If(message.valid):
            m.d.comb += [message.ready.eq(1)]
            self._header(m, found)
        self._entries(m, found)
        self._memories(m)
        self._sample(m, found)
        with fsm.state("ANSWER"):
            m.d.comb += [self.ask.eq(1), self.outcome_i.ready.eq(self.done)]
            with m.If(self.done):
                fsm.go("WAIT")
        fsm.close()
        self._note(m)
        return m

    def _refuse(self, m: Module, code: ErrorCode) -> None:
        m.d.comb += self._wrong[code - 1].eq(1)
        self._fsm.go("ANSWER")

    def _note(self, m: Module) -> None:
        """Note what was refused, for which only one reason holds in a clock."""
        with m.If(self._wrong.any()):
            m.d.sync += self.refused.eq(1)
            for place in range(CODE_WIDTH):
                reasons = [self._wrong[code - 1] for code in ErrorCode if code >> place & 1]
                m.d.sync += self.code[place].eq(Cat(*reasons).any())

    def _wait(self, m: Module, found: _Found) -> None:
        """Wait for a frame."""
        m.d.comb += self.clear.eq(1)
        m.d.sync += [found.count.eq(0), found.unknown.eq(0), self.refused.eq(0), self.tag.eq(0)]
        with m.If(self.outcome_i.valid):
            with m.If(self.outcome_i.payload.status == FrameStatus.VERIFIED):
                self._fsm.go("HEADER")
            with m.Else():
                # The error codes begin with the numbers of the statuses.
                status = Value.cast(self.outcome_i.payload.status)
                m.d.sync += [self.refused.eq(1), self.code.eq(status)]
                self._fsm.go("ANSWER")

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
                wrong_turn: Value = byte != self.next_turn
                if self._plays:
                    wrong_turn |= self.playing
                if self._shares:
                    wrong_turn &= ~self.own
                m.d.sync += found.wrong_turn.eq(wrong_turn)
                self._after_turn(m, final)
            with m.Case(_FLAGS):
                wrong = byte[3:].any()
                if self._registers.takes_nibbles:
                    # Only bytes and runs have them, whose two bits are equal.
                    wrong = byte[4:].any() | byte[3] & (byte[1] ^ byte[2])
                    m.d.sync += found.nibbles.eq(byte[3])
                m.d.sync += [
                    self.learns.eq(byte[0]),
                    found.format.eq(byte[1:3]),
                    found.wrong_flags.eq(wrong),
                ]
            with m.Case(_FIRST_OR_LABEL):
                m.d.comb += [
                    self.set_first.eq(self.kind != Request.SAMPLE),
                    final.eq(self.kind == Request.WRITE),
                ]
                m.d.sync += [
                    found.label.eq(byte),
                    found.wrong_label.eq(exceeds(byte, self._n_classes - 1)),
                ]
            with m.Case(_COUNT), m.If(self.kind == Request.READ):
                m.d.comb += [final.eq(1), self.set_count.eq(1), fails.eq(~last | (self.pair == 0))]
            with m.Case(_SEED):
                m.d.comb += [final.eq(1), fails.eq(0)]
                m.d.sync += found.ended.eq(last)
        with m.If(fails & unknown):
            self._refuse(m, ErrorCode.UNKNOWN_REQUEST)
        with m.Elif(fails):
            self._refuse(m, ErrorCode.BAD_LENGTH)
        with m.Elif(final & (self.kind == Request.SAMPLE)):
            self._fsm.go("SAMPLE")
        with m.Elif(final):
            self._fsm.go("WINDOW")

    def _after_turn(self, m: Module, final: Signal) -> None:
        """Say whether the header of a sample ends with its turn: here flags, label and seed follow."""

    def _entries(self, m: Module, found: _Found) -> None:
        """Check the entries of a READ or WRITE, and the value of a register."""
        message = self.message_i
        is_read = self.kind == Request.READ
        with self._fsm.state("WINDOW"):
            m.d.comb += self.add_first.eq(is_read)
            with m.If(~self.known):
                self._refuse(m, ErrorCode.UNKNOWN_WINDOW)
            with m.Elif(is_read):
                self._fsm.go("MEASURED")
            with m.Else():
                self._fsm.go("MEASURE")
        with self._fsm.state("MEASURE"), m.If(message.valid):
            # As if the bytes were read: do they end where an entry ends?
            m.d.comb += [
                self.skip.eq(~message.payload.last),
                self.next_byte.eq(1),
                self.next_end.eq(self.last_byte),
            ]
            with m.If(message.payload.last):
                with m.If(self.last_byte):
                    self._fsm.go("MEASURED")
                with m.Else():
                    self._refuse(m, ErrorCode.BAD_LENGTH)
        with self._fsm.state("MEASURED"):
            self._fsm.go("RANGE")
        with self._fsm.state("RANGE"):
            with m.If((self.window == REGISTERS) & ~is_read & ~self.last_entry):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Elif(self.beyond):
                self._refuse(m, ErrorCode.OUT_OF_WINDOW)
            if self._shares:
                with m.Elif(self.playing & ~self.own & ~is_read & (self.waits | (self.window > RESULTS))):
                    self._refuse(m, ErrorCode.READ_ONLY)
            with m.Elif(self.window > RESULTS):
                self._fsm.go("QUIET")
            with m.Elif(is_read):
                self._fsm.go("ANSWER")
            with m.Elif((self.window == RESULTS) | ~self.writable):
                self._refuse(m, ErrorCode.READ_ONLY)
            with m.Else():
                self._fsm.go("VALUE")
        # What was skipped is read now: the cursor knows where it ends.
        with self._fsm.state("VALUE"), m.If(message.valid):
            m.d.comb += [message.ready.eq(1), self.next_byte.eq(1)]
            with m.If(self.last_byte):
                self._fsm.go("FITS")
        with self._fsm.state("FITS"):
            with m.If(~self.fits):
                self._refuse(m, ErrorCode.BAD_VALUE)
            with m.Elif(self.idle | ~self.waits):
                self._fsm.go("ANSWER")

    def _memories(self, m: Module) -> None:
        """Go to the first row, and write rows."""
        message, access = self.message_i, self.access_o
        wide = Signal()
        with m.Switch(self.window):
            for number, layer in enumerate(self._registers.populations):
                with m.Case(WEIGHTS + number):
                    m.d.comb += wide.eq(weight_bytes(layer.weight_width) == 2)
        m.d.comb += access.payload.data.eq(Mux(wide, self.pair, self.byte))
        with self._fsm.state("QUIET"), m.If(self.idle):
            self._fsm.go("SEEK")
        waiting = Signal()  # for the high byte of the weight
        for state, following in (("SEEK", "STORE"), ("FLUSH", "ANSWER")):
            with self._fsm.state(state):
                m.d.comb += [
                    access.valid.eq(1),
                    access.payload.kind.eq(AccessKind.SEEK),
                    access.payload.data.eq(self.entry),
                ]
                with m.If(access.ready & (self.kind == Request.READ)):
                    self._fsm.go("ANSWER")
                with m.Elif(access.ready):
                    self._fsm.go(following)
        with self._fsm.state("STORE"):
            m.d.comb += [
                access.valid.eq(message.valid & (waiting | ~wide)),
                access.payload.kind.eq(AccessKind.WRITE),
                message.ready.eq(access.ready | wide & ~waiting),
            ]
            with m.If(message.valid & message.ready):
                m.d.comb += [self.next_byte.eq(1)]
                m.d.sync += waiting.eq(wide & ~waiting)
                with m.If(self.last_byte):
                    m.d.comb += self.next_entry.eq(~self.last_entry)
                    with m.If(self.last_entry):
                        # Another SEEK waits until the last weight is in its memory.
                        self._fsm.go("FLUSH")

    def _sample(self, m: Module, found: _Found) -> None:
        """Check what is said of a sample, begin it and end it."""
        sample = self.sample_o
        begin = data.View(Begin(), sample.payload.data)
        m.d.comb += [
            # What is not looked at is not cleared: that would take logic.
            begin.seed.eq(self.value),
            begin.label.eq(found.label),
            begin.learn.eq(self.learns),
            sample.payload.data[: Pixel().size].eq(Cat(found.pixel, self.entry)),
        ]
        pixel = sample.payload.data[: Pixel().size]
        with self._fsm.state("SAMPLE"):
            with m.If(found.wrong_flags):
                self._refuse(m, ErrorCode.BAD_FORMAT)
            with m.Elif(found.wrong_label):
                self._refuse(m, ErrorCode.BAD_LABEL)
            with m.Elif(found.wrong_turn):
                self._refuse(m, ErrorCode.OUT_OF_TURN)
            with m.Elif(found.ended & (found.format != PixelFormat.EVENTS)):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Else():
                self._fsm.go("BEGIN")
        with self._fsm.state("BEGIN"):
            m.d.comb += [
                sample.valid.eq(1),
                sample.payload.kind.eq(SampleKind.BEGIN),
                pixel.eq(self.value),
            ]
            with m.If(sample.ready):
                with m.If(found.ended):
                    self._fsm.go("KEEP")
                with m.Elif(found.format == PixelFormat.EVENTS):
                    self._fsm.go("LOW")
                with m.Elif(found.format == PixelFormat.RUNS):
                    self._fsm.go("RUN")
                with m.Else():
                    self._fsm.go("PIXELS")
        with self._fsm.state("KEEP"):
            # The result may come at once behind the END.
            m.d.comb += self.keep.eq(1)
            with m.If(self.kept):
                self._fsm.go("END")
        with self._fsm.state("END"):
            m.d.comb += [sample.valid.eq(1), sample.payload.kind.eq(SampleKind.END)]
            with m.If(sample.ready):
                m.d.comb += [self.begins.eq(1), self.outcome_i.ready.eq(1)]
                self._fsm.go("WAIT")
        self._pixels(m, found)

    def _pixels(self, m: Module, found: _Found) -> None:
        """Send pixels as they come."""
        message, sample = self.message_i, self.sample_o
        last, n_inputs = message.payload.last, self._n_inputs
        with self._fsm.state("LOW"), m.If(message.valid):
            m.d.comb += [message.ready.eq(1)]
            with m.If(last):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Else():
                self._fsm.go("HIGH")
        with self._fsm.state("HIGH"), m.If(message.valid):
            m.d.comb += [message.ready.eq(1), self.set_first.eq(1)]
            with m.If(last):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Elif((self.pair[: len(self.entry)] < self.entry) | exceeds(self.pair, n_inputs - 1)):
                self._refuse(m, ErrorCode.BAD_EVENT)
            with m.Else():
                self._fsm.go("PIXELS")
        is_bits, is_events, is_runs = (
            found.format == each for each in (PixelFormat.BITS, PixelFormat.EVENTS, PixelFormat.RUNS)
        )
        black, left = Signal(), Signal(range(RUN_LIMIT))
        with self._fsm.state("RUN"), m.If(message.valid):
            # The byte of black pixels stays until the last of them, as one of bits does.
            is_black = ~self.byte[-1]
            m.d.comb += message.ready.eq(~is_black)
            m.d.sync += [black.eq(is_black), left.eq(self.byte), found.spikes.eq(0)]
            with m.If(is_black):
                self._fsm.go("PIXEL")
            with m.Elif(last):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Else():
                self._fsm.go("PIXELS")
        passes, ends, over, stays = Signal(), Signal(), Signal(), Signal()
        upper = Signal()  # nibble of a byte
        if self._registers.takes_nibbles:
            with self._fsm.state("BEGIN"):
                m.d.sync += upper.eq(0)
            with self._fsm.state("RUN"):
                m.d.sync += upper.eq(0)
            with self._fsm.state("PIXEL"), m.If(passes):
                m.d.sync += upper.eq(~upper)
        bit = self.byte.bit_select(self.entry[:3], 1)
        value = Mux(found.nibbles, self.byte.word_select(upper, 4).replicate(2), self.byte)
        with self._fsm.state("PIXELS"), m.If(message.valid):
            # A register: the array does much with a pixel.
            m.d.sync += [
                found.pixel.eq(Mux(is_bits, bit.replicate(8), value)),
                found.spikes.eq(Mux(is_bits, bit, value.any())),
            ]
            self._fsm.go("PIXEL")
        with self._fsm.state("PIXEL"):
            m.d.comb += [
                sample.valid.eq(found.spikes),
                sample.payload.kind.eq(SampleKind.PIXEL),
                # In events the entry is an address, and the next one is at least one more.
                passes.eq(~found.spikes | sample.ready),
                self.next_entry.eq(passes),
                ends.eq(self.entry == n_inputs - 1),
                over.eq(~is_runs | (left == 0)),
                stays.eq(
                    Mux(
                        found.nibbles & ~(is_runs & black),
                        ~upper & ~(is_runs & over),
                        is_bits & ~self.entry[:3].all() | black & ~over,
                    )
                ),
                message.ready.eq(passes & (~stays | ends)),
            ]
            with m.If(passes):
                m.d.sync += left.eq(left - 1)
            with m.If(message.ready & last & (is_events | ends & over)):
                self._fsm.go("KEEP")
            with m.Elif(message.ready & is_events):
                self._fsm.go("LOW")
            with m.Elif(message.ready & (last | ends)):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Elif(passes & is_runs & over):
                self._fsm.go("RUN")
            with m.Elif(passes & (~is_runs | ~black)):
                self._fsm.go("PIXELS")
