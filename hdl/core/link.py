# SPDX-License-Identifier: BSD-2-Clause
"""The host link of a core: frames, messages and registers are those of every chip, windows and samples are its own."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.core.layouts import HostRequest
from erbium.hdl.core.link_map import SAMPLE_HEADER_BYTES, WINDOWS_AT, WORD_BYTES, CoreMap
from erbium.hdl.core.token_reader import CoreResult, SampleWord
from erbium.hdl.csr import WEIGHTS as MEMORIES
from erbium.hdl.csr import CsrBlock
from erbium.hdl.host_link import MessageLink, SerialLink
from erbium.hdl.registers import ErrorCode, LinkMap, Request
from erbium.hdl.reply_writer import ReplyWriter
from erbium.hdl.request_reader import RequestReader
from erbium.sw_model.description.machine import PIECE_WIDTH

_OFFSET = (WORD_BYTES - 1).bit_length()
"""Bits of a place in an entry that say which byte of a piece it is."""


def core_side(registers: LinkMap) -> dict[str, wiring.Member]:
    """Return the members that the link has for the core.

    Members
    -------
    sample_o : Out(stream of SampleWord), result_i : In(stream of CoreResult)
        Of :class:`erbium.hdl.core.token_reader.TokenReader`.
    host_o : Out(stream of HostRequest), reply : In(1), reply_data : In(32)
        To the memories of the core, only while it is `idle`.
    idle : In(1)
    array_reset : Out(1)
        One clock: reset the core.
    """
    return {
        "sample_o": Out(stream.Signature(SampleWord())),
        "result_i": In(stream.Signature(CoreResult())),
        "host_o": Out(stream.Signature(HostRequest())),
        "reply": In(1),
        "reply_data": In(PIECE_WIDTH),
        "idle": In(1),
        "array_reset": Out(1),
    }


class CoreReader(RequestReader):
    """Reads messages for a core: what is written goes to its memories in pieces of 32 bits, samples as words.

    ``SAMPLE`` has a turn and words to the end of the message, at least one; a sample may take several of them, see
    :class:`erbium.hdl.core.token_reader.TokenReader`.
    """

    def _outputs(self) -> dict[str, wiring.Member]:
        return {
            "sample_o": Out(stream.Signature(SampleWord())),
            "access_o": Out(stream.Signature(PIECE_WIDTH)),
        }

    def _after_turn(self, m: Module, final: Signal) -> None:
        m.d.comb += final.eq(self.kind == Request.SAMPLE)

    def _collect(self, m: Module, sink: wiring.PureInterface) -> None:
        """Take bytes of the message, and hand each four of them on."""
        message = self.message_i
        at = Signal(_OFFSET)
        full = at == WORD_BYTES - 1
        m.d.comb += [sink.valid.eq(message.valid & full), message.ready.eq(sink.ready | ~full)]
        with m.If(message.valid & message.ready):
            m.d.sync += at.eq(at + 1)

    def _memories(self, m: Module) -> None:
        """Write pieces, once the core is idle."""
        message = self.message_i
        m.d.comb += self.access_o.payload.eq(Cat(self.value[8:], self.byte))
        windows = self._registers.windows
        kept = [place for place, window in enumerate(windows) if place >= MEMORIES and not window.writable]
        is_read, read_only = self.kind == Request.READ, Cat(self.window == place for place in kept).any()
        with self._fsm.state("QUIET"):
            with m.If(~is_read & read_only):
                self._refuse(m, ErrorCode.READ_ONLY)
            with m.Elif(self.idle & is_read):
                self._fsm.go("ANSWER")
            with m.Elif(self.idle):
                self._fsm.go("STORE")
        with self._fsm.state("STORE"):
            self._collect(m, self.access_o)
            with m.If(message.valid & message.ready):
                m.d.comb += self.next_byte.eq(1)
                with m.If(self.last_byte):
                    m.d.comb += self.next_entry.eq(~self.last_entry)
                    with m.If(self.last_entry):
                        self._fsm.go("ANSWER")

    def _sample(self, m: Module, found: object) -> None:
        """Check turn and length, keep the tag, and send the words."""
        message, sample = self.message_i, self.sample_o
        m.d.comb += [
            sample.payload.word.eq(Cat(self.value[8:], self.byte)),
            sample.payload.last.eq(message.payload.last),
        ]
        length = self.outcome_i.payload.length
        with self._fsm.state("SAMPLE"):
            with m.If(length[:_OFFSET] != SAMPLE_HEADER_BYTES):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Elif(found.wrong_turn):
                self._refuse(m, ErrorCode.OUT_OF_TURN)
            with m.Else():
                self._fsm.go("KEEP")
        with self._fsm.state("KEEP"):
            # The result may come at once after the last word.
            m.d.comb += self.keep.eq(1)
            with m.If(self.kept):
                self._fsm.go("WORDS")
        with self._fsm.state("WORDS"):
            self._collect(m, sample)
            with m.If(message.valid & message.ready & message.payload.last):
                m.d.comb += [self.begins.eq(1), self.outcome_i.ready.eq(1)]
                self._fsm.go("WAIT")


class CoreCsr(CsrBlock):
    """Registers, results and memories of a core by their place in its map.

    Members
    -------
    weight_i : In(stream of 32 bits)
        A piece that is written at the address.
    host_o : Out(stream of HostRequest), reply : In(1), reply_data : In(32)
        To and from the core.
    """

    def _address(self) -> dict[str, wiring.Member]:
        windows = self._registers.windows
        return {
            "entry": In(bits_for(max(window.entries for window in windows) - 1)),
            "place": In(range(max(window.entry_bytes for window in windows))),
        }

    def _array_members(self) -> dict[str, wiring.Member]:
        side = core_side(self._registers)
        return {"weight_i": In(stream.Signature(PIECE_WIDTH))} | {
            name: side[name] for name in ("host_o", "reply", "reply_data")
        }

    def pass_on(self, m: Module, holder: wiring.Component) -> None:
        """Join the block to the core's side of who holds it: all but samples and results."""
        wiring.connect(m, self.host_o, wiring.flipped(holder.host_o))
        m.d.comb += [
            self.reply.eq(holder.reply),
            self.reply_data.eq(holder.reply_data),
            self.idle.eq(holder.idle),
            holder.array_reset.eq(self.array_reset),
        ]

    def _from_array(self, m: Module) -> tuple[Value, Value]:
        """Ask for a piece at its first byte; the others are there."""
        request, windows = self.host_o.payload, self._registers.windows
        at_memory, is_memory = Signal(), Signal()
        m.d.comb += at_memory.eq(self.select & ~self.show_turn & ~self.show_error & (self.window >= MEMORIES))
        m.d.sync += is_memory.eq(at_memory)
        with m.Switch(self.window):
            for number, window in enumerate(windows[MEMORIES:]):
                shift = max(window.entry_bytes // WORD_BYTES - 1, 0).bit_length()
                with m.Case(MEMORIES + number):
                    m.d.comb += [
                        request.window.eq(window.number - WINDOWS_AT),
                        request.address.eq(Cat(self.place[_OFFSET:][:shift], self.entry)),
                    ]
        offset = self.place[:_OFFSET]
        first = offset == 0
        asked, there, piece = Signal(), Signal(), Signal(PIECE_WIDTH)
        reads = self.read & is_memory & first & ~asked & ~there
        m.d.comb += [
            self.host_o.valid.eq(self.weight_i.valid | reads),
            request.write.eq(self.weight_i.valid),
            request.data.eq(self.weight_i.payload),
            self.weight_i.ready.eq(self.host_o.ready),
            self.ack.eq(~is_memory | ~first | there),
        ]
        with m.If(reads & self.host_o.ready):
            m.d.sync += asked.eq(1)
        with m.If(self.reply):
            m.d.sync += [piece.eq(self.reply_data), asked.eq(0), there.eq(1)]
        with m.If(self.read & self.ack):
            m.d.sync += there.eq(0)
        return at_memory, Mux(is_memory, piece.word_select(offset, 8), 0)


class CoreMessageLink(MessageLink):
    """Answers frames for a core; see :class:`erbium.hdl.host_link.MessageLink`, and :func:`core_side` for its members.

    Parameters
    ----------
    registers : CoreMap
    timeout : int
    """

    @staticmethod
    def side(registers: LinkMap) -> dict[str, wiring.Member]:
        """Return the members for what is behind the link."""
        return core_side(registers)

    def _parts(self) -> tuple[RequestReader, CsrBlock, ReplyWriter]:
        registers = self._registers
        return CoreReader(registers), CoreCsr(registers), ReplyWriter(registers, CoreResult())


class CoreLink(SerialLink):
    """The host link of a core on a serial line.

    Parameters
    ----------
    registers : CoreMap
    clock_frequency, baud_rate, buffer_bytes : int
        Of :class:`erbium.hdl.host_link.SerialLink`.
    """

    def __init__(self, registers: CoreMap, clock_frequency: int, baud_rate: int, buffer_bytes: int) -> None:
        super().__init__(CoreMessageLink, registers, clock_frequency, baud_rate, buffer_bytes)
