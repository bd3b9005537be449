# SPDX-License-Identifier: BSD-2-Clause
"""Bench of a core behind its host link: a graph is loaded in frames, learns, and is read back in frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np

from erbium.gen.core_image import CoreImage
from erbium.gen.core_records import words_of
from erbium.gen.core_tokens import sample_tokens
from erbium.hdl.core.link_map import CORE_MAGIC, WINDOWS_AT, CoreMap
from erbium.hdl.registers import REPLY_BIT, Control, ErrorCode, Request, WindowNumber
from erbium.sw_model.description.codec import digest
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import (
    BEGIN_TOKEN,
    RESULT,
    SPIKE_WIDTH,
    Info,
    TokenKind,
    Window,
    core_digest,
    digest_in,
    digest_pieces,
    pieces_of,
    window_shapes,
)
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.graph_model.drive import Drive
from erbium.verif.benches.core_memories import expect_memories
from erbium.verif.link_model import frame_of, message_of
from erbium.verif.link_traffic import read, write, write_register
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import Harness

PATIENCE = 30_000
STALLS = ("bursts",)
"""One pattern only: what goes wrong learns, too, with another one."""
MESSAGE_WORDS = 5
"""Words of a sample that a message holds: few, so that a sample takes several."""


class TB:
    """A host: sends messages, and takes their replies apart."""

    def __init__(self, dut: Any, stall: str) -> None:
        case = current()
        self.registers: CoreMap = case.options["registers"]
        self.graph: Graph = case.stimuli["graph"]
        self.image, self.model = CoreImage(self.graph, self.registers.hardware), GraphModel(self.graph)
        self.shapes = window_shapes(self.registers.hardware)
        self.harness = Harness(dut, stall)
        self.bytes = self.harness.drive("byte_i")
        self._rest = bytearray()
        self.replies: list[bytes] = []
        self.harness.monitor("byte_o", self._byte)
        self.turn = self.tag = 0

    def _byte(self, byte: int) -> None:
        if byte:
            self._rest.append(byte)
        else:
            message = message_of(bytes(self._rest))
            assert message is not None
            self.replies.append(message)
            self._rest.clear()

    async def ask(self, *messages: bytes) -> list[bytes]:
        """Send messages one after the other; return what their replies bring, without type and tag."""
        found = []
        for message in messages:
            self.bytes.send(*frame_of(message))
            await self.harness.run_until(lambda: bool(self.replies), patience=PATIENCE)
            (reply,) = self.replies
            self.replies.clear()
            expect_equal("reply", (message[0] | REPLY_BIT, message[1]), (reply[0], reply[1]))
            found.append(reply[2:])
        return found

    async def refused(self, code: ErrorCode, message: bytes) -> None:
        """Send a message that is refused."""
        self.bytes.send(*frame_of(message))
        await self.harness.run_until(lambda: bool(self.replies), patience=PATIENCE)
        (reply,) = self.replies
        self.replies.clear()
        expect_equal(f"refusal of {message.hex()}", bytes([0xFF, message[1], code]).hex(), reply.hex())

    async def write(self, window: Window, address: int, contents: Sequence[int]) -> None:
        """Write pieces of 32 bits: as many words of the window as a message holds."""
        places = pieces_of(self.shapes[window].width)
        data = np.array(contents, dtype="<u4").tobytes()
        most = (self.registers.max_message - 5) // (4 * places) * 4 * places
        for at in range(0, len(data), most):
            first = address // places + at // (4 * places)
            await self.ask(write(7, WINDOWS_AT + window, first, data[at : at + most]))

    async def read(self, window: Window, address: int, count: int) -> list[int]:
        """Read pieces of 32 bits."""
        places = pieces_of(self.shapes[window].width)
        (data,) = await self.ask(read(8, WINDOWS_AT + window, address // places, count // places))
        kind = "<u2" if window == Window.SPIKES else "<u4"
        return [int(piece) for piece in np.frombuffer(data, dtype=kind)]

    async def load(self) -> None:
        """Reset, and load the graph with its weights."""
        await self.harness.reset()
        for contents in self.image.contents():
            await self.write(*contents)
        name = digest(self.graph)
        await self.write(Window.INFO, Info.DIGEST, digest_pieces(name))
        await self.write(Window.INFO, Info.LOADED, [1])

    def messages(self, tokens: Any) -> list[bytes]:
        """Return the messages of a sample, and count their turns."""
        words = []
        for token in map(int, tokens):
            words += [token & 0xFFFF_FFFF] + [token >> 32] * (token & 7 == TokenKind.BEGIN)
        found = []
        for at in range(0, len(words), MESSAGE_WORDS):
            data = np.array(words[at : at + MESSAGE_WORDS], dtype="<u4").tobytes()
            found.append(bytes([Request.SAMPLE, 9, self.turn]) + data)
            self.turn = (self.turn + 1) % 256
        return found

    async def present(self, number: int, *, learn: bool, clear: bool) -> None:
        """Present a sample; compare its result, spikes, counters and weights."""
        random = np.random.default_rng(number)
        image = random.choice(np.array([0, 6, 60, 160], dtype=np.uint8), self.graph.n_pixels)
        values = {m.name: int(random.integers(-300, 300)) for m in self.graph.modulators if not m.source}
        events = {
            s.name: random.random((self.graph.n_ticks, s.size)) < 0.08 for s in self.graph.event_sources
        }
        drive = Drive(learn=learn, clear=clear, events=events, values=values)
        spikes: list[int] = []

        def expect(model: GraphModel, tick: Any) -> None:
            for name, population in model.populations.items():
                words = [0] * words_of(population.size, SPIKE_WIDTH)
                for neuron in tick.spikes[name]:
                    words[neuron // SPIKE_WIDTH] |= 1 << neuron % SPIKE_WIDTH
                spikes.extend(words)

        expected = self.model.sample(image, seed=number, drive=drive, observer=expect)
        tokens = sample_tokens(self.graph, image, number, None, self.graph.n_ticks, drive, clear=clear)
        messages = self.messages(tokens)
        for message, result in zip(messages, await self.ask(*messages), strict=True):
            expect_equal("turn", message[2], result[0])
            fields = RESULT.unpack(int.from_bytes(result[1:], "little"))
            expect_equal("ended", message is messages[-1], bool(fields["ended"]))
        expect_equal("ticks", expected.ticks, fields["ticks"])
        expect_equal("decision", expected.ticks_to_decision, fields["decision"])
        expect_equal("answer", expected.answer, fields["answer"] if fields["answered"] else -1)
        kept = spikes[: self.registers.hardware.record_words]
        expect_equal("spikes", kept, await self.read(Window.SPIKES, 0, len(kept)))
        await expect_memories(self.image, self.model, self.read)

    async def register(self, name: str) -> int:
        """Return what a register holds."""
        register = self.registers[name]
        (data,) = await self.ask(read(3, WindowNumber.REGISTERS, register.address, register.words))
        return int.from_bytes(data, "little")


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def learning(dut: Any, stall: str) -> None:
    """A graph is loaded and learns: results, spikes, weights and counters."""
    tb = TB(dut, stall)
    await tb.load()
    for number, (learn, clear) in enumerate(((True, True), (True, False), (False, True))):
        await tb.present(number, learn=learn, clear=clear)


@cocotb.test()
async def what_goes_wrong(dut: Any) -> None:
    """Refused messages, samples without an end, no network: nothing of it changes what comes afterwards."""
    tb = TB(dut, "0.3")
    await tb.load()
    await _every_error(tb)
    await tb.present(1, learn=True, clear=True)
    await _a_reset_in_the_middle_of_a_sample(tb)
    await tb.present(2, learn=True, clear=True)
    await _without_a_network(tb)
    await tb.present(3, learn=True, clear=True)


async def _every_error(tb: TB) -> None:
    """What is wrong is refused by its number."""
    weights, spikes = WINDOWS_AT + Window.WEIGHTS, WINDOWS_AT + Window.SPIKES
    last = tb.shapes[Window.WEIGHTS].depth - 1
    sample = bytes([Request.SAMPLE, 5, tb.turn])
    wrong = (
        (ErrorCode.BAD_LENGTH, sample),
        (ErrorCode.BAD_LENGTH, sample + bytes(5)),
        (ErrorCode.BAD_LENGTH, sample + bytes(7)),
        (ErrorCode.OUT_OF_TURN, bytes([Request.SAMPLE, 5, (tb.turn + 1) % 256]) + bytes(4)),
        (ErrorCode.BAD_LENGTH, write(5, weights, 0, bytes(6))),
        (ErrorCode.OUT_OF_WINDOW, write(5, weights, last, bytes(8))),
        (ErrorCode.OUT_OF_WINDOW, read(5, weights, last, 2)),
        (ErrorCode.READ_ONLY, write(5, spikes, 0, bytes(2))),
        (ErrorCode.READ_ONLY, write_register(5, tb.registers["status"].address, 0)),
        (ErrorCode.UNKNOWN_WINDOW, read(5, spikes + 1, 0, 1)),
        (ErrorCode.UNKNOWN_REQUEST, bytes([4, 5])),
    )
    for code, message in wrong:
        await tb.refused(code, message)
        expect_equal("last error", code, await tb.register("last_error"))
    expect_equal("refused", len(wrong), await tb.register("refused"))
    expect_equal("turn", tb.turn, await tb.register("next_turn"))


async def _a_reset_in_the_middle_of_a_sample(tb: TB) -> None:
    """A sample whose end does not come is dropped by a soft reset; what is loaded stays, and who it is, is told."""
    image, drive = np.full(tb.graph.n_pixels, 9, np.uint8), Drive(learn=False)
    *some, _ = tb.messages(sample_tokens(tb.graph, image, 1, None, 4, drive, clear=True))
    await tb.ask(*some)
    assert not tb.harness.get("idle")
    await tb.ask(write_register(6, tb.registers["control"].address, Control.SOFT_RESET))
    tb.turn = 0
    name = await tb.read(Window.INFO, Info.DIGEST, 2)
    expect_equal("digest", digest(tb.graph), digest_in(name))
    expect_equal("loaded", [1], await tb.read(Window.INFO, Info.LOADED, 1))
    expect_equal("magic", CORE_MAGIC, await tb.register("magic"))
    expect_equal("core", int(core_digest(tb.registers.hardware), 16), await tb.register("digest"))


async def _without_a_network(tb: TB) -> None:
    """A core without a whole network drops samples, and says of each that none ended."""
    await tb.write(Window.INFO, Info.LOADED, [0])
    begin = BEGIN_TOKEN.pack(dict.fromkeys(BEGIN_TOKEN.offsets, 0))
    for message in tb.messages([*begin, TokenKind.GO, TokenKind.END]):
        (result,) = await tb.ask(message)
        expect_equal("ended", 0, RESULT.unpack(int.from_bytes(result[1:], "little"))["ended"])
    await tb.write(Window.INFO, Info.LOADED, [1])
