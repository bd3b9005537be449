# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the host link: frames in, replies out, and an array played by the bench."""

from __future__ import annotations

import zlib
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import cocotb

from erbium.hdl.registers import (
    NIBBLES,
    Control,
    ErrorCode,
    PixelFormat,
    RegisterMap,
    Request,
    WindowNumber,
    counter_names,
    performance_names,
)
from erbium.hdl.runs import RUN_LIMIT, nibble_octets, run_octets
from erbium.hdl.tokens import AccessKind, AccessToken, Begin, Pixel, Result, SampleKind, SampleToken
from erbium.verif.codecs import Packer, signed
from erbium.verif.link_model import SAMPLE_REPLY, LinkModel, Reply, Sample, frame_of, message_of
from erbium.verif.link_traffic import Traffic, events, read, sample, write, write_register
from erbium.verif.registry import current
from erbium.verif.scoreboard import MismatchError, differ, expect_equal, repeat_hint
from erbium.verif.streams import PATIENCE, STALLS, Harness

N_LINES = 120

MOST_SAMPLES = 5
"""Samples that the array holds."""

SLOW = (3000,)
"""Clocks that a sample takes where other things are to happen meanwhile."""

_SAMPLE, _BEGIN, _PIXEL = Packer(SampleToken()), Packer(Begin()), Packer(Pixel())
_RESULT, _ACCESS = Packer(Result()), Packer(AccessToken())


def played(given: Sample) -> tuple[int, int, int]:
    """Return the result of a sample: anything that follows from all of it."""
    digest = zlib.crc32(repr(given).encode())
    return digest & 0xFF, digest >> 8 & 0xFFFF, zlib.crc32(digest.to_bytes(4, "little")) & 0xFFFF


class PlayedArray:
    """What is known of the array that the bench plays, for the model and for the hardware."""

    def __init__(self, registers: RegisterMap) -> None:
        network = registers.network
        self.samples: list[Sample] = []
        self._n_counters = len(counter_names(network) + performance_names(network))
        self.weights = [
            [[0] * population.n_neurons for _ in range(population.n_rows)]
            for population in registers.populations
        ]

    def row(self, layer: int, number: int) -> list[int]:
        """Return the weights of a row."""
        return self.weights[layer][number]

    def set_row(self, layer: int, number: int, weights: list[int]) -> None:
        """Replace the weights of a row."""
        self.weights[layer][number] = weights

    def run(self, given: Sample) -> tuple[int, int, int]:
        """Process a sample."""
        self.samples.append(given)
        return played(given)

    def counters(self) -> list[int | None]:
        """Return 48-bit numbers that tell counters and samples apart."""
        return [self.counter(number) for number in range(self._n_counters)]

    def counter(self, number: int) -> int:
        """Return one of them."""
        return (zlib.crc32(bytes([number])) << 16 ^ len(self.samples) * 0x0101_0101_0101) & (1 << 48) - 1

    def reset(self) -> None:
        """Forget all samples."""
        self.samples.clear()


class ArraySide:
    """Plays the array at the ports of the link: samples take some clocks, and results wait."""

    def __init__(self, harness: Harness, registers: RegisterMap, settings: tuple[str, ...]) -> None:
        self.harness, self._settings = harness, settings
        self.array = PlayedArray(registers)
        self._widths = [layer.weight_width for layer in registers.populations]
        self.inside: deque[Sample] = deque()
        self._open: list[tuple[int, int]] | None = None
        self._begin = (0, 0, 0)
        self._wait = 0
        self._at: tuple[int, int, int] = (0, 0, 0)
        self._held: dict[str, int] = {}
        self.delays: tuple[int, ...] = (0, 3, 40, 400)
        self.passed = harness.monitor("sample_o", self._sample, lambda: len(self.inside) >= MOST_SAMPLES)
        harness.monitor("access_o", self._access)
        harness.monitor("counter_o", lambda number: self._counter.send(self.array.counter(number)))
        self._counter = harness.drive("counter_i")
        self._weight = harness.drive("access_i")
        self._result = harness.drive("result_i")
        harness.set(idle=1, collision=0)

    @property
    def idle(self) -> bool:
        """Whether no sample is inside."""
        return not self.inside and not self._result.left

    def _sample(self, bits: int) -> None:
        token = _SAMPLE.unpack(bits)
        kind = SampleKind(token["kind"])
        if kind == SampleKind.BEGIN:
            begin = _BEGIN.unpack(token["data"])
            self._begin = (begin["seed"], begin["label"], begin["learn"])
            self._open = []
            return
        assert self._open is not None, f"{kind.name} without BEGIN"
        if kind == SampleKind.PIXEL:
            pixel = _PIXEL.unpack(token["data"] & (1 << _PIXEL.size) - 1)
            self._open.append((pixel["address"], pixel["value"]))
            return
        settings = tuple((name, self.harness.get(name)) for name in self._settings)
        self.inside.append(Sample(*self._begin, tuple(self._open), settings))
        self._open = None
        if len(self.inside) == 1:
            self._wait = self._delay()

    def _delay(self) -> int:
        return self.harness.random.choice(self.delays)

    def _access(self, bits: int) -> None:
        token = _ACCESS.unpack(bits)
        assert self.idle, "weights are asked for while the array is busy"
        kind = AccessKind(token["kind"])
        if kind == AccessKind.SEEK:
            self._at = (token["layer"], token["data"], 0)
            return
        layer, row, neuron = self._at
        expect_equal("layer of the access", layer, token["layer"])
        weights = self.array.weights[layer]
        if kind == AccessKind.READ:
            self._weight.send(weights[row][neuron] & 0xFFFF)
        else:
            width = self._widths[layer]
            weights[row][neuron] = signed(token["data"] & (1 << width) - 1, width)
        ends = neuron == len(weights[row]) - 1
        self._at = (layer, row + ends, 0 if ends else neuron + 1)

    def step(self) -> None:
        """Do what the array does in a clock, before its edge."""
        harness = self.harness
        if harness.get("array_reset"):
            self.inside.clear()
            self._result.clear()
            self._open = None
            self.array.reset()
        held = {name: harness.get(name) for name in self._settings}
        if not self.idle and self._held and not harness.get("array_reset"):
            expect_equal("settings while the array is busy", self._held, held)
        self._held = held
        if self.inside:
            self._wait -= 1
            if self._wait <= 0:
                given = self.inside.popleft()
                answer, ticks, decision = self.array.run(given)
                self._result.send(
                    _RESULT.pack({"answer": answer, "ticks": ticks, "ticks_to_decision": decision})
                )
                self._wait = self._delay()


class TB:
    """A host, the link and the array."""

    def __init__(self, dut: Any, stall: str) -> None:
        self.registers, self.timeout = self.limits()
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.expected = PlayedArray(self.registers)
        self.model = LinkModel(self.registers, self.expected)
        self.side = ArraySide(self.harness, self.registers, tuple(self.model.settings))
        self.input = self.connect()
        self._line = b""
        self._pending = b""
        self.replies: deque[Reply] = deque()
        self.results: deque[tuple[int, Reply]] = deque()
        self._resets: deque[tuple[Reply, int]] = deque()
        self.seen: list[bytes] = []
        self.learned = 0

    def limits(self) -> tuple[RegisterMap, int]:
        """Return the register map, and the clocks of the time-out."""
        options = current().options
        return options["registers"], options["timeout"]

    def connect(self) -> Any:
        """Connect the line; return what bytes are sent with."""
        self.harness.monitor("byte_o", self.receive)
        return self.harness.drive("byte_i")

    def receive(self, byte: int) -> None:
        """Take a byte of the replies; compare each reply when it is complete."""
        self._line += bytes([byte])
        if byte:
            return
        message = message_of(self._line[:-1])
        self._line = b""
        self.seen.append(message)
        number = len(self.seen)
        if message[0] == SAMPLE_REPLY:
            if not self.results or not self.results[0][1].accepts(message):
                raise differ("result", self.results and self.results[0], message.hex(), reply=number)
            self.results.popleft()
            return
        if not self.replies or not self.replies[0].accepts(message):
            raise differ("reply", self.replies and self.replies[0], message.hex(), reply=number)
        reply = self.replies.popleft()
        if self._resets and reply is self._resets[0][0]:
            _, resets = self._resets.popleft()
            while self.results and self.results[0][0] < resets:
                self.results.popleft()

    @property
    def quiet(self) -> bool:
        """Whether everything was answered."""
        return not self.input.left and not self.replies and not self.results

    def send(self, line: bytes, *, silence: bool = False) -> None:
        """Send bytes; what comes back is what the model says."""
        self.input.send(*line)
        *ended, self._pending = (self._pending + line).split(b"\0")
        for frame in filter(None, ended):
            self._expect(frame)
        if silence and self._pending:
            self._expect(self._pending, timed_out=True)
            self._pending = b""

    def _expect(self, frame: bytes, *, timed_out: bool = False) -> None:
        resets = self.model.resets
        reply = self.model.take(frame, settled=self.settled, timed_out=timed_out)
        if reply.kind == SAMPLE_REPLY:
            self.results.append((resets, reply))
            return
        self.replies.append(reply)
        if self.model.resets != resets:
            self._resets.append((reply, self.model.resets))

    @property
    def unfinished(self) -> bool:
        """Whether what was sent ends within a frame: a pause would end that, too."""
        return bool(self._pending)

    @property
    def settled(self) -> bool:
        """Whether no sample is under way."""
        return not self.results

    async def clock(self) -> bool:
        """Do a clock."""
        await self.harness.edge()
        self.harness.set(idle=int(self.side.idle))
        moved = await self.harness.settle()
        self.side.step()
        return moved

    async def until(self, condition: Callable[[], bool]) -> None:
        """Do clocks until the condition holds."""
        still = 0
        while not condition():
            still = 0 if await self.clock() else still + 1
            if still > PATIENCE:
                raise MismatchError(
                    f"no token passed for {PATIENCE} clocks; awaited {list(self.replies)[:2]} and "
                    f"{list(self.results)[:2]}\n{repeat_hint()}"
                )

    async def silence(self) -> None:
        """Send everything, and nothing for long enough."""
        await self.until(lambda: not self.input.left)
        self.send(b"", silence=True)
        for _ in range(self.timeout + 2):
            await self.clock()

    async def finish(self) -> None:
        """Wait for every reply; compare settings and weights."""
        await self.until(lambda: self.quiet)
        for _ in range(60):
            await self.clock()
        expect_equal("weights", self.expected.weights, self.side.array.weights)
        expect_equal(
            "settings", self.model.settings, {name: self.harness.get(name) for name in self.model.settings}
        )

    async def ask(self, message: bytes) -> bytes:
        """Send a message and return its reply."""
        count = len(self.seen)
        self.send(frame_of(message))
        await self.until(lambda: self.quiet)
        expect_equal("replies", 1, len(self.seen) - count)
        return self.seen[-1]

    async def register(self, name: str) -> int:
        """Read a register."""
        register = self.registers[name]
        reply = await self.ask(read(1, WindowNumber.REGISTERS, register.address, register.words))
        return int.from_bytes(reply[2:], "little")

    def dark(self, turn: int, tag: int = 0, *, learn: int = 0) -> bytes:
        """Return a sample without a pixel."""
        return sample(tag, turn, PixelFormat.EVENTS << 1 | learn, 0, turn, b"")


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def traffic(dut: Any, stall: str) -> None:
    """Good, wrong, damaged and unfinished frames, many at a time or one by one."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    source = Traffic(tb.random, tb.model, resets=0.02)
    for _ in range(N_LINES):
        line = source.line()
        tb.send(line)
        if line[-1] and tb.random.random() < 0.8:
            await tb.silence()
        if not tb.unfinished and tb.random.random() < 0.4:
            await tb.until(lambda: tb.quiet)
    tb.send(b"\0")
    await tb.finish()
    tb.harness.log(f"replies {Counter((m[0], m[2] if m[0] == 255 else 0) for m in tb.seen)}")
    for number in (WindowNumber.REGISTERS, WindowNumber.WEIGHTS):
        window = tb.registers.window(number)
        await tb.ask(read(9, number, 0, window.entries))


@cocotb.test()
async def every_error(dut: Any) -> None:
    """Each way in which a frame can be wrong, alone and with what is checked later; nothing is changed."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    registers = tb.registers
    weights, results = registers.window(WindowNumber.WEIGHTS), registers.window(WindowNumber.RESULTS)
    last = registers.n_words - 1
    row = bytes(weights.entry_bytes)
    ticks, settings = registers["n_ticks"], [r for r in registers if r.writable and r.name != "control"]
    full, edge = bytes(registers.n_inputs), registers.n_inputs - 1
    kinds: list[tuple[ErrorCode, list[bytes]]] = [
        (ErrorCode.UNKNOWN_REQUEST, [bytes([k, 7]) for k in (0, 4, 5, 128, 255)] + [b"\x00", b"\x07"]),
        (
            ErrorCode.BAD_LENGTH,
            [
                *(bytes([kind]) for kind in Request),
                *(read(3, 0, 0, 1)[:n] for n in range(2, 7)),
                read(3, 0, 0, 1) + b"\0",
                read(3, 0, 0, 0),
                read(3, WindowNumber.WEIGHTS, 0, 0),
                read(3, 99, 0, 0),
                *(write(3, 0, ticks.address, b"\1\0\0\0")[:n] for n in range(2, 9)),
                write(3, 0, ticks.address, b"\1\0\0\0\0"),
                write(3, 0, ticks.address, b"\1\0\0\0" * 2),
                write(3, 99, 0, b""),
                write(3, WindowNumber.WEIGHTS, 0, row[1:]),
                write(3, WindowNumber.WEIGHTS, 0xFFFF, row + b"\1"),
                *(sample(3, 0, 0, 0, 0, full)[:n] for n in range(2, 10)),
                *(sample(3, 0, 0, 0, 0, octets) for octets in (full[1:], full + b"\1", b"")),
                *(sample(3, 0, 2, 0, 0, bytes(-(-registers.n_inputs // 8) + n)) for n in (-1, 1)),
                *(sample(3, 0, 4, 0, 0, events([(0, 9)]) + bytes(n)) for n in (1, 2)),
                *(sample(3, 0, 6, 0, 0, octets) for octets in _wrong_runs(registers.n_inputs)),
                *_wrong_nibbles(registers),
            ],
        ),
        (
            ErrorCode.UNKNOWN_WINDOW,
            [read(3, number, 0, 1) for number in (2, 15, 17 + len(registers.populations) - 1, 255)]
            + [write(3, 15, 0, b"1234"), write(3, 2, 0xFFFF, b"1")],
        ),
        (
            ErrorCode.OUT_OF_WINDOW,
            [
                read(3, 0, last, 2),
                read(3, 0, last + 1, 1),
                read(3, 0, 0, last + 2),
                read(3, 0, 0xFFFF, 0xFFFF),
                read(3, 0, 0xFFFF, 1),
                read(3, 0, 1, 0xFFFF),
                read(3, 1, results.entries, 1),
                read(3, WindowNumber.WEIGHTS, 0, weights.entries + 1),
                write(3, 0, last + 1, bytes(4)),
                write(3, 1, results.entries, bytes(8)),
                write(3, WindowNumber.WEIGHTS, weights.entries, row),
                write(3, WindowNumber.WEIGHTS, 0x8000, row),
            ],
        ),
        (
            ErrorCode.READ_ONLY,
            [
                write_register(3, n, 1)
                for n in range(last + 1)
                if n not in [r.address for r in registers if r.writable]
            ]
            + [write(3, 1, n, bytes(8)) for n in (0, 15)],
        ),
        (
            ErrorCode.BAD_VALUE,
            [write_register(3, r.address, r.high + 1) for r in settings]
            + [
                write_register(3, r.address, 1 << bit)
                for r in settings
                for bit in (16, 24, 31)
                if 1 << bit > r.high
            ]
            + [write_register(3, ticks.address, 0), write_register(3, registers["control"].address, 4)],
        ),
        (
            ErrorCode.BAD_FORMAT,
            [
                sample(3, 0, flags, 0, 0, full)
                for flags in (*((10, 12) if registers.takes_nibbles else (8, 14)), 16, 32, 64, 128)
            ]
            + [sample(3, 9, 11, 255, 0, b"")],
        ),
        (
            ErrorCode.BAD_LABEL,
            [sample(3, 0, 0, k, 0, full) for k in (registers.n_classes, 255)]
            + [sample(3, 9, 0, 255, 0, b"")],
        ),
        (
            ErrorCode.OUT_OF_TURN,
            [sample(3, turn, 0, 0, 0, full) for turn in (1, 128, 255)] + [sample(3, 9, 0, 0, 0, b"")],
        ),
        (
            ErrorCode.BAD_EVENT,
            [
                sample(3, 0, 5, 0, 0, events(pixels))
                for pixels in (
                    [(edge + 1, 1)],
                    [(0xFFFF, 1)],
                    [(0x8000, 1)],
                    [(1, 1), (1, 1)],
                    [(1, 0), (0, 1)],
                    [(edge, 1), (0, 1)],
                    [(0, 1), (256, 0), (0, 1)],
                )
            ],
        ),
    ]
    count = 0
    for code, wrong in kinds:
        # A longer one is refused for that alone.
        for message in (one for one in wrong if len(one) <= registers.max_message):
            reply = await tb.ask(message)
            expect_equal("code", code, ErrorCode(reply[2]), message=message.hex())
            expect_equal("tag", message[1] if len(message) > 1 else 0, reply[1], message=message.hex())
            count += 1
        expect_equal("last_error", code, await tb.register("last_error"))
        expect_equal("refused", count, await tb.register("refused"))
    await tb.ask(write_register(3, registers["control"].address, Control.CLEAR_ERRORS))
    for name in ("last_error", "refused", "next_turn"):
        expect_equal(name, 0, await tb.register(name))
    expect_equal("samples", [], tb.side.array.samples)
    await tb.finish()


def _wrong_runs(n_inputs: int) -> list[bytes]:
    """Return runs that are not those of all pixels."""
    black, values = bytes(n_inputs), bytes([9]) * n_inputs
    found = [b"", run_octets(black) + b"\0", run_octets(values) + b"\0", run_octets(values) + b"\x80\1"]
    for pixels in (black, values):
        # Runs that end before the last pixel, and that go beyond it.
        found += [run_octets(pixels[1:]), run_octets(pixels + pixels[:1]), run_octets(pixels * 2)]
    # The message ends within a run, where pixels are missing and where none are; or after the byte that begins one.
    found += [run_octets(values)[:-1], run_octets(values + values[:1])[:-1]]
    found += [
        run_octets(black[1:]) + octets for octets in (b"\x80", b"\x81\1", b"\x81\1\1", b"\x81\0\0", b"\1")
    ]
    return found


def _wrong_nibbles(registers: RegisterMap) -> list[bytes]:
    """Return samples of two pixels in a byte that are not all pixels, for a chip that takes such."""
    if not registers.takes_nibbles:
        return []
    n_inputs = registers.n_inputs
    values, more = bytes([9]) * n_inputs, bytes([9]) * (n_inputs + 1)
    runs = [run_octets(pixels, nibbles=True) for pixels in (values[1:], values + more[:2])]
    runs += [run_octets(more, nibbles=True), run_octets(values, nibbles=True)[:-1]]
    runs += [run_octets(values, nibbles=True) + octets for octets in (b"\0", b"\x80\1", b"\1")]
    whole = -(-n_inputs // 2)
    return [
        *(sample(3, 0, NIBBLES | PixelFormat.RUNS << 1, 0, 0, octets) for octets in runs),
        *(sample(3, 0, NIBBLES, 0, 0, bytes(size)) for size in (0, 1, whole - 1, whole + 1, n_inputs)),
    ]


@cocotb.test()
async def pixels_of_each_format(dut: Any) -> None:
    """The same pixels in every format are the same sample, each in its clocks from ``BEGIN`` to ``END``."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    tb.side.delays = (0,)
    image = bytearray(tb.registers.n_inputs)
    for address in (0, 1, 5, 6, 8, 15):
        image[address] = 255
    places = [address for address, value in enumerate(image) if value]
    # Two clocks, three where the pixel is not 0, and three to end the sample.
    each = 2 * len(image) + len(places) + 3
    # Of runs a black pixel takes one, but for the lone one, and their bytes: 1 for those of black ones, 2 for others.
    black = len(image) - len(places) - 1
    heads = 2 + -(-(len(image) - 16) // RUN_LIMIT) + 2 * 3 - 1  # the first byte comes meanwhile
    ways = {
        PixelFormat.BYTES: (bytes(image), each),
        PixelFormat.BITS: (
            sum(1 << address for address in places).to_bytes(-(-len(image) // 8), "little"),
            each,
        ),
        PixelFormat.EVENTS: (events([(address, image[address]) for address in places]), 7 * len(places) + 2),
        PixelFormat.RUNS: (run_octets(bytes(image)), black + 2 + 3 * len(places) + heads + 3),
    }
    sent = [(pixels << 1, octets, clocks) for pixels, (octets, clocks) in ways.items()]
    if tb.registers.takes_nibbles:
        # As halves three black pixels more are in a run, a clock each, and two runs fewer take three clocks less.
        halves, clocks_of_runs = bytes(value >> 4 for value in image), ways[PixelFormat.RUNS][1]
        runs = run_octets(halves, nibbles=True)
        sent += [
            (NIBBLES, nibble_octets(halves), each),
            (NIBBLES | PixelFormat.RUNS << 1, runs, clocks_of_runs),
        ]
    turn = 0
    for flags, octets, clocks in sent:
        message = sample(1, turn, flags, 0, 7, octets)
        if len(message) > tb.registers.max_message:
            continue
        before = len(tb.side.passed.clocks)
        await tb.ask(message)
        begin, *_, end = tb.side.passed.clocks[before:]
        expect_equal("clocks", clocks, end - begin, flags=flags)
        turn += 1
    (expected,) = {given.pixels for given in tb.side.array.samples}
    expect_equal("pixels", tuple((address, 255) for address in places), expected)
    await tb.finish()


@cocotb.test()
async def results_in_order(dut: Any) -> None:
    """Samples one behind the other through more than 256 turns; reads overtake results; old results stay."""
    tb = TB(dut, "0.3")
    await tb.harness.reset()
    tb.side.delays = (0, 1, 60)
    for number in range(300):
        tb.send(frame_of(tb.dark(number % 256, number % 251, learn=1)))
        if number % 7 == 0:
            tb.send(frame_of(read(200, WindowNumber.REGISTERS, 0, tb.registers.n_words)))
        if number % 50 == 0:
            await tb.until(lambda: tb.quiet)
            expect_equal("turns_done", (number + 1) % 256, await tb.register("turns_done"))
            await tb.ask(read(201, WindowNumber.RESULTS, 0, 16))
    await tb.until(lambda: tb.quiet)
    tb.side.delays = SLOW
    tb.send(frame_of(tb.dark(300 % 256, 77, learn=1)) + frame_of(read(78, WindowNumber.REGISTERS, 0, 2)))
    await tb.until(lambda: tb.quiet)
    expect_equal("tags", [78, 77], [message[1] for message in tb.seen[-2:]])
    # It was sent again since its reply had been lost.
    reply = await tb.ask(tb.dark(300 % 256, 79))
    expect_equal("code", ErrorCode.OUT_OF_TURN, ErrorCode(reply[2]))
    await tb.finish()


@cocotb.test()
async def changes_wait(dut: Any) -> None:
    """Settings and weights wait until the array is idle, and the message behind them waits, too."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    tb.side.delays = SLOW
    row = bytes(range(100, 100 + tb.registers.window(WindowNumber.WEIGHTS).entry_bytes))
    messages = [
        write_register(2, tb.registers["n_ticks"].address, 3),
        write_register(2, tb.registers["decide_after"].address, 1),
        write(2, WindowNumber.WEIGHTS, 1, row),
        read(2, WindowNumber.WEIGHTS, 1, 1),
    ]
    for turn, message in enumerate(messages):
        tb.send(frame_of(tb.dark(turn, 1)) + frame_of(message))
        await tb.until(lambda: tb.quiet)
        expect_equal("tags", [1, 2], [reply[1] for reply in tb.seen[-2:]])
    await tb.finish()


@cocotb.test()
async def learning_is_shown(dut: Any) -> None:
    """What the lamps show."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    tb.side.delays = SLOW
    for turn, learn in enumerate((0, 1, 0)):
        expect_equal("active", 0, tb.harness.get("active"))
        tb.send(frame_of(tb.dark(turn, learn=learn)))
        await tb.until(lambda: bool(tb.side.inside))
        for _ in range(100):
            await tb.clock()
        expect_equal("learning", learn, tb.harness.get("learning"))
        await tb.until(lambda: tb.quiet)
        expect_equal("learning", 0, tb.harness.get("learning"))
        expect_equal("answer", tb.seen[-1][3], tb.harness.get("answer"))


@cocotb.test()
async def soft_resets(dut: Any) -> None:
    """A soft reset at any time: samples and their replies are dropped, weights stay, the next one works."""
    tb = TB(dut, "0.3")
    await tb.harness.reset()
    reset = write_register(5, tb.registers["control"].address, Control.SOFT_RESET)
    for number in range(30):
        tb.send(frame_of(write_register(4, tb.registers["n_ticks"].address, 1 + number % 2)))
        tb.send(frame_of(b"\xfe"))
        for turn in range(number % 4):
            tb.send(frame_of(tb.dark(turn)))
        for _ in range(tb.random.randrange(400)):
            await tb.clock()
        tb.send(frame_of(reset))
        for turn in range(number % 3):
            tb.send(frame_of(tb.dark(turn)))
        await tb.until(lambda: tb.quiet)
        expect_equal("next_turn", number % 3, await tb.register("next_turn"))
        expect_equal("refused", 0, await tb.register("refused"))
        expect_equal("n_ticks", tb.registers["n_ticks"].reset, await tb.register("n_ticks"))
        await tb.ask(reset)
    await tb.finish()


@cocotb.test()
async def pace(dut: Any) -> None:
    """Frames of pixels are taken at one byte per 5 clocks."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    tb.side.delays = SLOW
    pixels = bytes(tb.random.randrange(1, 256) for _ in range(tb.registers.n_inputs))
    frames = [frame_of(sample(1, turn, 1, 0, 7, pixels)) for turn in range(3)]
    for frame in frames:
        tb.send(frame)
    for _ in range(5 * sum(map(len, frames)) + 10):
        await tb.clock()
    expect_equal("bytes left", 0, tb.input.left)
    await tb.finish()
