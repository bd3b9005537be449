# SPDX-License-Identifier: BSD-2-Clause
"""A core on a board: the core's port over the serial link, and its graph's interface behind that."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from erbium.fpga.driver_link import Link
from erbium.fpga.driver_protocol import Read, Write
from erbium.fpga.driver_samples import Batch
from erbium.fpga.transport import BoardMismatchError, NoAnswerError, Transport
from erbium.gen.core_chip import CoreChip, CoreError, Outcome
from erbium.gen.core_records import words_of
from erbium.hdl.core.link_map import (
    CORE_MAGIC,
    SAMPLE_HEADER_BYTES,
    WINDOWS_AT,
    WORD_BYTES,
    CoreMap,
    entry_bytes,
)
from erbium.hdl.registers import MAGIC, PROTOCOL_VERSION, Control, Request, WindowNumber
from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import (
    BEGIN_TOKEN,
    CAPACITY,
    INFO_CAPACITY,
    PIECE_WIDTH,
    PLACE_PIECES,
    PLACE_STRIDE,
    RESULT,
    SPIKE_WIDTH,
    CoreHardware,
    Shape,
    TokenKind,
    Window,
    announced,
    pieces_of,
    window_shapes,
)
from erbium.sw_model.results import SampleResult

BURST_BYTES = 1_024
"""Bytes that one request reads: long enough to keep the line busy, short enough to repeat."""

_WRITE_HEADER = 5
"""Type, tag, window and first entry, before the entries of a write."""


class LinePort:
    """The port of a core on a serial line: :class:`erbium.gen.core_chip.CorePort`.

    Parameters
    ----------
    transport : Transport
        The line, which is closed with the port.

    Attributes
    ----------
    link : Link

    Raises
    ------
    NoAnswerError
        If nothing that speaks the protocol is on the line.
    BoardMismatchError
        If it is no core, or speaks another version of the protocol.
    """

    def __init__(self, transport: Transport) -> None:
        self.link, self._map = Link(transport), CoreMap(CoreHardware())
        self._turn = 0
        try:
            self._check_identity()
            # What a host left in the middle of a sample would wait for the rest of it.
            reset = Control.SOFT_RESET.to_bytes(WORD_BYTES, "little")
            self.link.exchange([Write(WindowNumber.REGISTERS, self._map["control"].address, reset)])
            self.clock_frequency = self.register("clock_frequency")
            self.link.window.buffer_bytes = self.register("buffer_bytes")
        except BaseException:
            transport.close()
            raise

    @property
    def name(self) -> str:
        """What people call the line to the board."""
        return self.link.transport.name

    def close(self) -> None:
        """Give the line back."""
        self.link.transport.close()

    def register(self, name: str) -> int:
        """Return what a register of the link holds."""
        register = self._map[name]
        read = Read(WindowNumber.REGISTERS, register.address, register.words, WORD_BYTES)
        (data,) = self.link.exchange([read])
        return int.from_bytes(data, "little")

    def write(self, window: Window, address: int, contents: Sequence[int]) -> None:
        """Write pieces of 32 bits from a place of a window on: whole words of it."""
        size, places = self._entry(window)
        data = np.array(contents, dtype="<u4").tobytes()
        most = (self._map.max_message - _WRITE_HEADER) // size * size
        first = address // places
        self.link.exchange(
            [
                Write(WINDOWS_AT + window, first + at // size, data[at : at + most])
                for at in range(0, len(data), most)
            ]
        )

    def read(self, window: Window, address: int, count: int) -> Array:
        """Read so many pieces, uint32: whole words of the window."""
        size, places = self._entry(window)
        first, entries, most = address // places, count // places, max(1, BURST_BYTES // size)
        reads = [
            Read(WINDOWS_AT + window, first + at, min(most, entries - at), size)
            for at in range(0, entries, most)
        ]
        data = b"".join(self.link.exchange(reads))
        kind = "<u2" if size * 8 < PIECE_WIDTH else "<u4"
        return np.frombuffer(data, dtype=kind).astype(np.uint32)

    def present(self, tokens: Array, n_ticks: int) -> Outcome | None:
        """Send a sample, uint64 tokens, and wait for its end; ``None`` if it was dropped."""
        data = _words(tokens)
        most = (self._map.max_message - SAMPLE_HEADER_BYTES) // WORD_BYTES * WORD_BYTES

        def encode(number: int, tag: int, turn: int) -> bytes:
            return bytes([Request.SAMPLE, tag, turn]) + data[number * most : (number + 1) * most]

        batch = Batch(self.link, self._map, self._turn, -(-len(data) // most), encode, _result)
        batch.run()
        self._turn = batch.next_turn
        result = batch.done[-1]
        if not result["ended"]:
            return None
        return Outcome(result["answer"] if result["answered"] else -1, result["ticks"], result["decision"])

    def _entry(self, window: Window) -> tuple[int, int]:
        """Return the bytes of an entry of a window, and its pieces."""
        if window == Window.INFO:
            return WORD_BYTES, 1
        shape = self._shapes[window]
        return entry_bytes(window, shape), pieces_of(shape.width)

    @cached_property
    def _shapes(self) -> dict[Window, Shape]:
        capacity = self.read(Window.INFO, INFO_CAPACITY, len(CAPACITY))
        return window_shapes(announced(capacity.tolist()))

    def _check_identity(self) -> None:
        """Find out whether this is a core."""
        self.link.wake()
        try:
            (data,) = self.link.exchange([Read(WindowNumber.REGISTERS, 0, 2, WORD_BYTES)])
        except NoAnswerError as error:
            raise NoAnswerError(
                f"{error}; check the cable and the baud rate, and that the board holds the bitstream of a core and is "
                "out of reset"
            ) from None
        magic, protocol = struct.unpack("<II", data)
        way_out = "load the bitstream of a core, of 'erbium build BOARD core'"
        if magic == MAGIC:
            raise BoardMismatchError(
                f"the board on {self.name} holds the array of one network and no core, which takes any; {way_out}, "
                "or run the network that it holds"
            )
        if magic != CORE_MAGIC:
            raise BoardMismatchError(
                f"what answers on {self.name} is no Erbium core: its first register holds {magic:#010x} and not "
                f"{CORE_MAGIC:#010x}; name another port, or {way_out}"
            )
        if protocol != PROTOCOL_VERSION:
            raise BoardMismatchError(
                f"the board on {self.name} speaks version {protocol} of the host link and this Erbium version "
                f"{PROTOCOL_VERSION}; {way_out}, that this Erbium built, or use the Erbium that built this one"
            )


class BoardCore(CoreChip):
    """A core on a board: :class:`erbium.sw_model.core.fast.CoreModel`, at the end of a serial line.

    It starts with whatever is loaded; :meth:`load_graph` loads another network, as often as one likes.

    Parameters
    ----------
    transport : Transport
        The line, which is closed with the core.
    graph : Graph, optional
        What to load at once.

    Raises
    ------
    NoAnswerError, BoardMismatchError
        If there is no core on the line.
    CoreError
        If its tables are of another version.
    DescriptionError
        If the graph does not fit; the core keeps the network that it had.
    """

    port: LinePort

    def __init__(self, transport: Transport, graph: Graph | None = None) -> None:
        port = LinePort(transport)
        try:
            super().__init__(port)
            self._ticks = 0
            self._spikes: dict[str, Array] | None = {}
            if graph is not None:
                self.load_graph(graph)
        except BaseException:
            port.close()
            raise

    @property
    def name(self) -> str:
        """What people call the line to the board."""
        return self.port.name

    @property
    def retries(self) -> int:
        """Frames that had to be sent again."""
        return self.port.link.retries

    def close(self) -> None:
        """Give the line back."""
        self.port.close()

    def load_graph(self, graph: Graph) -> None:
        """Load another graph with its initial weights; one that does not fit leaves the present one in place."""
        super().load_graph(graph)
        self._ticks, self._spikes = 0, {}

    def _sampled(self, result: SampleResult) -> None:
        """Keep its ticks: its spikes are read when they are asked for."""
        self._ticks, self._spikes = result.ticks, None

    @property
    def recorded_ticks(self) -> int:
        """Ticks of a sample of this network whose spikes the core keeps."""
        return self.hardware.record_words // self._words_of_tick

    @property
    def spikes(self) -> dict[str, Array]:
        """Spikes of the last sample, bool of shape ``(ticks, size)``, by population; read when they are asked for.

        Raises
        ------
        CoreError
            For a sample of more ticks than the core keeps.
        """
        if self._spikes is None:
            self._spikes = self._read_spikes()
        return self._spikes

    @property
    def last_states(self) -> dict[str, Array]:
        """States after the last tick, int16 of shape ``(n_states, size)``, by population."""
        found, units = {}, self.hardware.units
        places = PLACE_STRIDE * pieces_of(units * PIECE_WIDTH)
        for population in self.graph.populations:
            first = self.image.first_neuron[population.name] // units
            count = words_of(population.size, units)
            pieces = self.port.read(Window.STATES, first * places, count * places)
            pairs = (
                pieces.astype("<u4").view("<i2").reshape(count, PLACE_STRIDE, -1, 2)[:, :PLACE_PIECES, :units]
            )
            neurons = pairs.transpose(0, 2, 1, 3).reshape(count * units, 2 * PLACE_PIECES)
            found[population.name] = neurons[: population.size, : population.program.n_states].T.astype(
                np.int16
            )
        return found

    @property
    def _words_of_tick(self) -> int:
        return sum(words_of(population.size, SPIKE_WIDTH) for population in self.graph.populations)

    def _read_spikes(self) -> dict[str, Array]:
        ticks, words = self._ticks, self._words_of_tick
        if ticks > self.recorded_ticks:
            raise CoreError(
                f"the core keeps the spikes of {self.recorded_ticks} ticks of graph {self.graph.name!r}, and the last "
                f"sample had {ticks}; present it in fewer ticks, or a smaller graph"
            )
        record = self.port.read(Window.SPIKES, 0, ticks * words).astype("<u2").reshape(ticks, words)
        bits = np.unpackbits(record.view(np.uint8), axis=1, bitorder="little").astype(bool)
        spikes, at = {}, 0
        for population in self.graph.populations:
            spikes[population.name] = bits[:, at : at + population.size]
            at += words_of(population.size, SPIKE_WIDTH) * SPIKE_WIDTH
        return spikes


def _words(tokens: Array) -> bytes:
    """Return tokens as the words of 32 bits in which they are sent."""
    both = tokens.astype("<u8").view("<u4").reshape(-1, 2)
    at, field = BEGIN_TOKEN.offsets["kind"]
    sent = np.ones(both.shape, dtype=bool)
    sent[:, 1] = (both[:, 0] >> at & (1 << field.width) - 1) == TokenKind.BEGIN
    return both[sent].astype("<u4").tobytes()


def _result(body: bytes) -> dict[str, int]:
    """Read the five bytes of a result."""
    return RESULT.unpack(int.from_bytes(body, "little"))
