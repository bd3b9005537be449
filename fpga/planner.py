# SPDX-License-Identifier: BSD-2-Clause
"""The memory planner: which memories of a network go where on a board, with how many lanes, and whether it fits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from erbium.fpga.boards import Board
from erbium.fpga.chip_memories import chip_memories, far_memories, synapse_memories
from erbium.fpga.logic import Logic, logic_of
from erbium.fpga.memories import BLOCK_BITS, LUTS_PER_CELL, SPRAM_BITS, Memory, Resource, take
from erbium.sw_model.network import MAX_NEURONS, Hardware, Network
from erbium.sw_model.programs import DescriptionError, check_range

LATER_LANES_SMALL = 1
"""Lanes of the layers behind the first in a small device: they have few rows, and cells are scarce there."""

BEGIN_PIECES_SMALL, FIFO_DEPTH_SMALL = 4, 16
"""Tokens of a ``BEGIN`` and room of a channel in a small device, where one block RAM is to do for a channel."""

SWEEP_PARTS, LOGIC_RAM_WORDS = 4, 16
"""Parts in which a sweep takes a word of neurons, at most; words of a RAM that a device makes of its logic."""

WIDE_LANES = 64
"""With more lanes a row of one word is swept in parts, too, and two rows are done in a clock: a unit in each lane would
be half of the logic, and the row passes are what takes the time."""

MIN_LANES = 1
"""Fewest lanes that are tried where the user asks for no number."""


@dataclass(frozen=True)
class MemoryPlan:
    """Where one memory goes.

    Parameters
    ----------
    memory : Memory
    resource : str
        What holds it.
    count : int
        How many of those it takes.
    words_per_row : int
        Words of a synapse row; 0 for any other memory.
    wasted : float
        Share of the bits of those blocks that nothing uses; 0 where the resource has no blocks.
    """

    memory: Memory
    resource: Resource
    count: int
    words_per_row: int
    wasted: float


@dataclass(frozen=True)
class Need:
    """How much of a resource is needed, and how much there is."""

    name: str
    need: int
    limit: int

    @property
    def fits(self) -> bool:
        """Whether there is enough."""
        return self.need <= self.limit

    @property
    def share(self) -> float:
        """Share that is needed, 1 for all there is."""
        return self.need / self.limit if self.limit else float(self.need > 0)


@dataclass(frozen=True)
class Plan:
    """How a network goes on a board.

    Attributes
    ----------
    board : Board
    network : Network
    hardware : Hardware
        Lanes, memories and latencies to build with.
    memories : tuple of MemoryPlan
        The synapse memories in the order of the layers, then all others.
    logic : Logic
        LUTs and flip-flops, estimated.
    from_flash : bool
        Whether it learns from the flash of the board, too.
    """

    board: Board
    network: Network
    hardware: Hardware
    memories: tuple[MemoryPlan, ...]
    logic: Logic
    from_flash: bool = False

    def count(self, resource: Resource) -> int:
        """Return how many of a resource the memories take."""
        return sum(use.count for use in self.memories if use.resource == resource)

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """What is needed of each resource of the device. LUTs and flip-flops are estimates."""
        device = self.board.device
        cells = LUTS_PER_CELL * self.count("LUT RAM") + self.count("LUTs")
        return (
            Need("block RAMs", self.count("block RAM"), device.block_rams),
            Need("SPRAMs", self.count("SPRAM"), device.spram_blocks),
            Need("LUTs", self.logic.luts + cells, device.luts),
            Need("flip-flops", self.logic.ffs + self.count("flip-flops"), device.ffs),
        )

    @property
    def fits(self) -> bool:
        """Whether there is enough of everything."""
        return all(need.fits for need in self.needs)

    @property
    def lanes(self) -> int:
        """Lanes of the first layer."""
        return self.hardware.lanes_of(self.network, 0)

    def require(self) -> Plan:
        """Return the plan, or say what is too much.

        Raises
        ------
        DescriptionError
            If the network does not fit, naming the need, the limit and the largest hidden layer that does.
        """
        if self.fits:
            return self
        worst = max(self.needs, key=lambda need: need.share)
        parts = _lanes(self.lanes) + (" and what reads the flash" if self.from_flash else "")
        raise DescriptionError(
            f"{self.network.name} with {parts} needs {worst.need:,} {worst.name} and {self.board.title} has "
            f"{worst.limit:,}; {_way_out(self)}"
        )


def _hardware(board: Board, network: Network, lanes: int) -> Hardware:
    """Return how a network is built on a board with so many lanes in the first layer."""
    match board.family:
        case "ecp5":
            hardware = Hardware(lanes=lanes, layer_memories=("ecp5",) * len(network.layers))
            rows = 1 + (hardware.lanes_of(network, 0) > WIDE_LANES)
            return replace(hardware, layer_neuron_units=neuron_units(network, hardware), rows_per_clock=rows)
        case "ice40" | "gowin":
            # Cells are what there is least of.
            return Hardware(
                lanes=lanes,
                layer_lanes=(lanes, *[LATER_LANES_SMALL] * (len(network.layers) - 1)),
                layer_memories=("spram",) if board.family == "ice40" else (),
                fifo_depth=FIFO_DEPTH_SMALL,
                begin_pieces=BEGIN_PIECES_SMALL,
                encoder_pixels=1,
                short_pipelines=True,
            )


def neuron_units(network: Network, hardware: Hardware) -> tuple[int, ...]:
    """Return the neuron units of each layer: a quarter of its lanes, or as many as keep its states in RAM of logic.

    A layer of few lanes that is swept in one word keeps a unit in each lane: there the way through the loop counts.
    """
    units = []
    for number in range(len(network.layers)):
        words, lanes = hardware.words_of(network, number), hardware.lanes_of(network, number)
        at_once = words == 1 and lanes <= WIDE_LANES
        parts = 1 if at_once else max(1, min(SWEEP_PARTS, LOGIC_RAM_WORDS // words))
        units.append(-(-lanes // parts))
    return tuple(units)


def _plan(board: Board, network: Network, lanes: int, *, from_flash: bool = False) -> Plan:
    """Return the plan for a number of lanes, whether it fits or not."""
    hardware = _hardware(board, network, lanes)
    synapses = synapse_memories(network, hardware)
    uses = [_use(board, memory, hardware.words_of(network, number)) for number, memory in enumerate(synapses)]
    others = chip_memories(board, network, hardware, from_flash=from_flash)
    if from_flash:
        others += far_memories(board, network, hardware)
    uses += [_use(board, memory, 0) for memory in others]
    logic = logic_of(board.family, network, hardware, from_flash=from_flash)
    return Plan(board, network, hardware, tuple(uses), logic, from_flash)


def _use(board: Board, memory: Memory, words: int) -> MemoryPlan:
    resource, count = take(board.family, memory)
    bits = {"block RAM": BLOCK_BITS[board.family], "SPRAM": SPRAM_BITS}.get(resource, 0) * count
    return MemoryPlan(memory, resource, count, words, 1 - memory.bits / bits if bits else 0.0)


def _lane_counts(board: Board, network: Network) -> Iterator[int]:
    """Yield the numbers of lanes to try: the board's, then as few as give the next numbers of words per row."""
    n_neurons = network.layers[0].n_neurons
    most = min(board.lanes_for(network.name), n_neurons)
    yield most
    before = most
    words = -(-n_neurons // most)
    while before > MIN_LANES:
        lanes = max(-(-n_neurons // words), MIN_LANES)
        if lanes < before:
            yield lanes
            before = lanes
        # A tenth more words each time: a small change of the lanes hardly changes what they take.
        words = max(words + 1, words * 11 // 10)


def plan(board: Board, network: Network, lanes: int | None = None, *, from_flash: bool = False) -> Plan:
    """Plan a network on a board.

    Parameters
    ----------
    board : Board
    network : Network
    lanes : int, optional
        Of the first layer; by default the most that fit, up to the board's usual number.
    from_flash : bool
        Of a chip that learns from the flash of the board, too.

    Returns
    -------
    Plan
        Whether it fits or not; :meth:`Plan.require` refuses one that does not.

    Raises
    ------
    DescriptionError
        For a number of lanes that no array has.
    """
    if lanes is not None:
        check_range("--lanes", lanes, 1, MAX_NEURONS)
        return _plan(board, network, lanes, from_flash=from_flash)
    found = None
    for count in _lane_counts(board, network):
        if found is None or _synapses_fit(board, network, count):
            found = _plan(board, network, count, from_flash=from_flash)
            if found.fits:
                return found
    assert found is not None
    return found


def _synapses_fit(board: Board, network: Network, lanes: int, spare: int = 0) -> bool:
    """Whether the memories of the weights alone fit beside `spare` block RAMs, which is quick to say."""
    counts = {"block RAM": spare, "SPRAM": 0}
    for memory in synapse_memories(network, _hardware(board, network, lanes)):
        resource, count = take(board.family, memory)
        if resource in counts:
            counts[resource] += count
    device = board.device
    return counts["block RAM"] <= device.block_rams and counts["SPRAM"] <= device.spram_blocks


def with_hidden(network: Network, size: int) -> Network:
    """Return a network with every hidden layer at most so large."""
    *hidden, output = network.layers
    layers = [replace(layer, n_neurons=min(layer.n_neurons, size)) for layer in hidden]
    return replace(network, layers=(*layers, output))


def largest_hidden(board: Board, network: Network, lanes: int, *, from_flash: bool = False) -> int:
    """Return the largest size of the hidden layers with which a network fits; 0 if none does.

    Parameters
    ----------
    board : Board
    network : Network
        Its hidden layers are the largest that are tried.
    lanes : int
        Of the first layer.
    from_flash : bool
        Of a chip that learns from the flash of the board, too.
    """
    sizes = range(max((layer.n_neurons for layer in network.layers[:-1]), default=0) + 1)

    def quick(size: int, spare: int) -> bool:
        return size > 0 and not _synapses_fit(board, with_hidden(network, size), lanes, spare)

    def fits(size: int) -> bool:
        return size == 0 or _plan(board, with_hidden(network, size), lanes, from_flash=from_flash).fits

    # Whole plans take their time: begin where the weights and what is beside them would fit.
    size = bisect_left(sizes, True, key=lambda size: quick(size, 0)) - 1
    if fits(size):
        return size
    planned = _plan(board, with_hidden(network, size), lanes, from_flash=from_flash)
    beside = planned.count("block RAM") - sum(
        use.count for use in planned.memories[: len(network.layers)] if use.resource == "block RAM"
    )
    size = max(bisect_left(sizes, True, key=lambda size: quick(size, beside)) - 1, 0)
    if not any(fits(smaller) for smaller in {1, size} if smaller):
        return 0
    while not fits(size):
        size -= 1
    while fits(size + 1):
        size += 1
    return size


def _lanes(count: int) -> str:
    return "1 lane" if count == 1 else f"{count} lanes"


def _way_out(refused: Plan) -> str:
    """Say what fits instead."""
    board, network, from_flash = refused.board, refused.network, refused.from_flash
    if (usual := plan(board, network, from_flash=from_flash)).fits:
        return f"with {_lanes(usual.lanes)} it fits"
    command = f"erbium plan {board.name}" + (" --from-flash" if from_flash else "")
    lanes = min(board.lanes_for(network.name), network.layers[0].n_neurons)
    while lanes >= MIN_LANES:
        if size := largest_hidden(board, network, lanes, from_flash=from_flash):
            return (
                f"the largest hidden layer that fits has {size} neurons, with {_lanes(min(lanes, size))}; "
                f"'{command}' lists the presets that fit"
            )
        lanes //= 2
    return f"no hidden layer of such a network fits; '{command}' lists the presets that do"
