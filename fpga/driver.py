# SPDX-License-Identifier: BSD-2-Clause
"""The host's driver: a chip on the other end of a line, with the batched interface of the model."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from erbium.fpga.driver_link import Link
from erbium.fpga.driver_protocol import Read, Write, pack_weights, unpack_weights
from erbium.fpga.driver_samples import SampleBatch
from erbium.fpga.transport import (
    BoardLostError,
    BoardMismatchError,
    BoardResetError,
    CoreFoundError,
    LineLostError,
    LinkError,
    NoAnswerError,
    Transport,
)
from erbium.gen.presets import PRESETS
from erbium.hdl.core.link_map import CORE_MAGIC
from erbium.hdl.population import engine_populations
from erbium.hdl.registers import (
    COUNTER_WIDTH,
    MAGIC,
    PROTOCOL_VERSION,
    WORD_BYTES,
    Control,
    RegisterMap,
    Status,
    WindowNumber,
    counter_names,
    performance_names,
    rate_names,
)
from erbium.sw_model.constants import Array
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.codec import digest_of
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.results import Results

BURST_BYTES = 1_024
"""Bytes that one request reads: long enough to keep the line busy, short enough to repeat."""

BUSY_SECONDS = 10.0
"""How long the chip may take to finish what it was given."""

_WRITE_BYTES = 5
"""Type, tag, window and first entry, before the entries of a write."""


_IDENTITY = Read(WindowNumber.REGISTERS, 0, 4, WORD_BYTES)
"""Magic number, version of the protocol and digest; they are where they are in every version."""


PROBE_SECONDS = 1.0
"""How long a line is asked for a chip: some times as long as one takes to answer."""


@dataclass(frozen=True)
class Probe:
    """What is on a line that was asked for a chip once.

    Attributes
    ----------
    digest : str
        Of the network that an array holds, 16 hexadecimal digits; empty if there is none.
    is_core : bool
        Whether it is a core, which takes any network.
    answers : bool
        Whether anything speaks the protocol.
    heard : bool
        Whether anything came at all.
    """

    digest: str = ""
    answers: bool = False
    heard: bool = False
    is_core: bool = False


def probe(transport: Transport) -> Probe:
    """Ask once what is on a line.

    Raises
    ------
    LineLostError
        If the line is gone.
    """
    link = Link(transport, attempts=1, stall_seconds=PROBE_SECONDS)
    link.wake()
    try:
        (data,) = link.exchange([_IDENTITY])
    except NoAnswerError:
        return Probe(heard=link.heard > 0)
    magic, _, digest = _identity_of(data)
    return Probe(digest if magic == MAGIC else "", True, True, magic == CORE_MAGIC)


def _identity_of(data: bytes) -> tuple[int, int, str]:
    """Return magic number, version of the protocol and digest."""
    magic, protocol, digest = struct.unpack("<IIQ", data)
    return magic, protocol, f"{digest:016x}"


@dataclass(frozen=True)
class BoardFacts:
    """What a board says of itself: synapses of a word, clock in Hz, bytes of frames that it buffers."""

    lanes: int
    clock_frequency: int
    buffer_bytes: int


class BoardArray:
    """The chip on a board, with the batched interface of :class:`erbium.sw_model.array.ArrayModel`.

    Parameters
    ----------
    network : Network or Graph
        What the board must hold; it is compared by its digest. It starts with the initial weights.
    transport : Transport
        The line to it, which is closed with the array.

    Attributes
    ----------
    network : Network or Graph
    populations : tuple of EnginePopulation
        Those with weights, in the order of rates and weights.
    facts : BoardFacts
    decide_after : int
        Output spikes that settle an inference; starts as the network's.

    Raises
    ------
    NoAnswerError
        If nothing that speaks the protocol is on the line.
    BoardMismatchError
        If it is another network, or another version of the protocol.
    BoardLostError
        By each method, if the board goes away or gives no answer any more.
    """

    def __init__(self, network: Network | Graph, transport: Transport) -> None:
        self.network, self._graph = network, graph_of(network)
        self.populations = engine_populations(network)
        self.decide_after = self._graph.decide_after
        self._link = Link(transport)
        self._registers = RegisterMap(network, Hardware())
        self._rates = [population.rate.full for population in self.populations]
        self._turn = 0
        self._n_samples = 0
        self._before: dict[str, int] = {}
        self._counted: dict[str, int] | None = None
        self._known_weights: list[Array] | None = None
        self._loaded = False
        try:
            self._check_identity()
            self._begin()
        except BaseException:
            transport.close()
            raise

    def _begin(self) -> None:
        """Bring the chip to where samples can be sent."""
        self.facts = self._reset()
        self._mark()

    @property
    def name(self) -> str:
        """What people call the line to the board."""
        return self._link.transport.name

    @property
    def baud_rate(self) -> int:
        """Bits per second of the line."""
        return self._link.transport.baud_rate

    @property
    def retries(self) -> int:
        """Frames that had to be sent again."""
        return self._link.retries

    def close(self) -> None:
        """Give the line back."""
        self._link.transport.close()

    def set_rates(self, rates: Sequence[int]) -> None:
        """Set the learning rate of each layer, 0 ... its full rate."""
        self._rates = [int(rate) for rate in rates]

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order; learn them if there are labels.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        seeds : ndarray of uint32, shape (n,)
        labels : ndarray of int, shape (n,), optional
        n_ticks : int, optional
            Longest presentation; default is the network's.

        Raises
        ------
        BoardLostError
            If the board goes away; it says how many samples were learned, with their results.
        """
        self._load_initial_weights()
        batch = SampleBatch(self._link, self._registers, self._turn, images, seeds, labels)
        with self._guarded(batch):
            self._write_settings(n_ticks or self._graph.n_ticks)
            if len(images):
                self._counted = None
                self._known_weights = None if labels is not None else self._known_weights
            batch.run()
        self._turn = batch.next_turn
        self._n_samples += len(images)
        return batch.results()

    def counters(self) -> dict[str, int]:
        """Return the counters that the model has too, by name."""
        every = self._all_counters()
        return {name: every[name] for name in counter_names(self.network)}

    def performance(self) -> dict[str, int]:
        """Return the clock cycles in which the array was busy, and those in which lanes did a row word.

        The bytes of all frames that brought samples are ``line_bytes``.
        """
        every = self._all_counters()
        counted = {name: every[name] for name in performance_names(self.network)}
        return counted | {"line_bytes": self._link.sample_bytes}

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``, read back from the board."""
        self._load_initial_weights()
        if self._known_weights is None:
            with self._guarded():
                weights = [self._read_layer(k) for k in range(len(self.populations))]
            # That the board has not been reset by now, which would pass for very odd weights.
            self._counted = None
            self._all_counters()
            self._known_weights = weights
        return [values.copy() for values in self._known_weights]

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights."""
        writes = []
        for number, values in enumerate(weights):
            window = self._registers.window(WindowNumber.WEIGHTS + number)
            data = pack_weights(values, self.populations[number].weight_width)
            most = max(1, (self._registers.max_message - _WRITE_BYTES) // window.entry_bytes)
            for row in range(0, window.entries, most):
                here = slice(row * window.entry_bytes, (row + most) * window.entry_bytes)
                writes.append(Write(window.number, row, data[here]))
        self._known_weights = self._counted = None
        with self._guarded():
            self._link.exchange(writes)
        self._all_counters()
        self._loaded = True

    def _load_initial_weights(self) -> None:
        """Load them unless others have been: that takes its time, and whoever carries on a run has others."""
        if not self._loaded:
            self.load([population.initial_rows() for population in self.populations])

    def _check_identity(self) -> None:
        """Find out whether this is a chip of the network."""
        name, network = self._link.transport.name, self.network
        self._link.wake()
        try:
            (data,) = self._link.exchange([_IDENTITY])
        except NoAnswerError as error:
            raise NoAnswerError(
                f"{error}; check the cable and the baud rate, and that the board holds a bitstream of "
                f"{network.name!r} and is out of reset"
            ) from None
        magic, protocol, digest = _identity_of(data)
        if magic == CORE_MAGIC:
            raise CoreFoundError(
                f"the board on {name} holds a core and not the array of {network.name!r}; 'erbium run' loads the "
                f"network into it, or load a bitstream of {network.name!r}"
            )
        if magic != MAGIC:
            raise BoardMismatchError(
                f"what answers on {name} is no Erbium chip: its first register holds {magic:#010x} and not "
                f"{MAGIC:#010x}; name another port, or load a bitstream of {network.name!r}"
            )
        if protocol != PROTOCOL_VERSION:
            raise BoardMismatchError(
                f"the board on {name} speaks version {protocol} of the host link and this Erbium version "
                f"{PROTOCOL_VERSION}; load a bitstream that this Erbium built, or use the Erbium that built this one"
            )
        if digest != digest_of(network):
            raise BoardMismatchError(other_network(name, digest, network))

    def _reset(self) -> BoardFacts:
        """Bring the chip to a known state, and ask it how it is built."""
        register = self._registers["control"]
        with self._guarded():
            self._wait_until_idle()
            value = Control.SOFT_RESET.to_bytes(WORD_BYTES, "little")
            self._link.exchange([Write(WindowNumber.REGISTERS, register.address, value)])
            self._written = {name: self._registers[name].reset for name in self._setting_names()}
            facts = BoardFacts(*(self._register(name) for name in BoardFacts.__annotations__))
        self._link.window.buffer_bytes = facts.buffer_bytes
        return facts

    def _mark(self) -> None:
        """Have the board answer an empty sample, before anything is on it that it could lose.

        From here on its turn and its count of samples are those of a board that was reset for none of the samples
        that follow: it is noticed whenever it happens, even in the middle of the first one that is learned.
        """
        empty = np.zeros((1, self._registers.n_inputs), dtype=np.uint8)
        batch = SampleBatch(self._link, self._registers, 0, empty, np.zeros(1, dtype=np.uint32), None)
        with self._guarded():
            batch.run()
        self._turn, self._n_samples = batch.next_turn, 1
        self._before = dict(self._all_counters())
        self._counted = None

    def _setting_names(self) -> list[str]:
        return ["n_ticks", "decide_after", *rate_names(self.network)]

    def _write_settings(self, n_ticks: int) -> None:
        """Write the registers that do not hold what they should."""
        wanted = dict(zip(self._setting_names(), (n_ticks, self.decide_after, *self._rates), strict=True))
        changed = {name: value for name, value in wanted.items() if value != self._written[name]}
        writes = [
            Write(WindowNumber.REGISTERS, self._registers[name].address, value.to_bytes(WORD_BYTES, "little"))
            for name, value in changed.items()
        ]
        self._link.exchange(writes)
        self._written |= changed

    def _register(self, name: str) -> int:
        register = self._registers[name]
        read = Read(WindowNumber.REGISTERS, register.address, register.words, WORD_BYTES)
        (data,) = self._link.exchange([read])
        return int.from_bytes(data, "little")

    def _wait_until_idle(self) -> bytes:
        """Wait until the array has finished; return the registers from the status to the last counter."""
        first = self._registers["status"].address
        read = Read(WindowNumber.REGISTERS, first, self._registers.n_words - first, WORD_BYTES)
        deadline = self._link.transport.now() + BUSY_SECONDS
        while True:
            (data,) = self._link.exchange([read])
            if Status.IDLE in Status(data[0]):
                return data
            if self._link.transport.now() > deadline:
                raise NoAnswerError(
                    f"the array of the board on {self._link.transport.name} is still busy after {BUSY_SECONDS:.0f} s; "
                    "reset the board"
                )

    def _all_counters(self) -> dict[str, int]:
        if self._counted is None:
            with self._guarded():
                data = self._wait_until_idle()
            if Status.COLLISION in Status(data[0]):
                raise LinkError(
                    f"a synapse memory of the board on {self._link.transport.name} was read where it was written; "
                    "this is a defect, please report it"
                )
            first = self._registers["status"].address
            counts = {}
            for name in counter_names(self.network) + performance_names(self.network):
                at = (self._registers[f"count_{name}"].address - first) * WORD_BYTES
                counts[name] = int.from_bytes(data[at : at + COUNTER_WIDTH // 8], "little")
            if counts["samples"] != self._n_samples:
                raise BoardLostError(
                    f"the board on {self._link.transport.name} has counted {counts['samples']:,} samples of "
                    f"{self._n_samples - 1:,}; it was reset meanwhile, so start again from the last checkpoint"
                )
            self._counted = {name: count - self._before.get(name, 0) for name, count in counts.items()}
        return self._counted

    def _read_layer(self, number: int) -> Array:
        window = self._registers.window(WindowNumber.WEIGHTS + number)
        most = max(1, BURST_BYTES // window.entry_bytes)
        reads = [
            Read(window.number, row, min(most, window.entries - row), window.entry_bytes)
            for row in range(0, window.entries, most)
        ]
        layer = self.populations[number]
        return unpack_weights(b"".join(self._link.exchange(reads)), layer.n_neurons, layer.weight_width)

    @contextmanager
    def _guarded(self, batch: SampleBatch | None = None) -> Iterator[None]:
        """Turn a line that is lost into a board that is lost, with what `batch` has come to."""
        try:
            yield
        except (BoardResetError, LineLostError, NoAnswerError) as error:
            if batch is None:
                raise BoardLostError(str(error)) from None
            raise BoardLostError(
                f"{error}; {batch.n_done:,} samples of the last batch had been answered",
                batch.n_done,
                batch.results(),
            ) from None


def other_network(port: str, digest: str, network: Network | Graph) -> str:
    """Say which network a board holds in place of `network`."""
    names = [name for name, preset in PRESETS.items() if preset.network.digest == digest]
    holds = f"{names[0]!r} (digest {digest})" if names else f"a network with digest {digest}, no preset"
    way_out = f"run {names[0]!r} on it, or " if names else ""
    return (
        f"the board on {port} holds {holds}, and {network.name!r} has digest {digest_of(network)}; {way_out}load a "
        f"bitstream of {network.name!r}"
    )
