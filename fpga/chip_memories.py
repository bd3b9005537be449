# SPDX-License-Identifier: BSD-2-Clause
"""The memories of a chip, from its description: what :func:`erbium.fpga.inventory.other_memories` finds in the design.

Building a design takes half a second, and a plan looks at many. ``tests/test_fpga_chip_memories.py`` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import cast

from amaranth.hdl import Shape
from amaranth.utils import bits_for, ceil_log2

from erbium.fpga.boards import Board
from erbium.fpga.memories import Memory, MemoryKind
from erbium.hdl.cobs import BANK
from erbium.hdl.counter_bank import PIECE_WIDTH
from erbium.hdl.feedback_port import ROM_BITS
from erbium.hdl.frame import CRC_BYTES, SPARE
from erbium.hdl.kept_state import keeps_spike_ticks, rest_told_by, summed_state
from erbium.hdl.lane_group import lane_groups
from erbium.hdl.layer import SWEEP_ROOM, VOTE_CLOCKS
from erbium.hdl.neuron_unit import PORT_WIDTH, NeuronLayout, plasticity_word_width
from erbium.hdl.registers import RegisterMap, counter_names, performance_names
from erbium.hdl.reply_writer import STORE_BYTES
from erbium.hdl.sample_buffer import GROUP, PixelEntry, sample_words
from erbium.hdl.slot import tick_width
from erbium.hdl.tokens import Begin, ErrorToken, FeedbackToken, event_token, sweep_token
from erbium.hdl.word_file import REGISTERS_UP_TO
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.rules import LatencyEncoder

SYNAPSES = "layer{}_synapses"
"""Name of the synapse memory of a layer, counted from 1."""


def synapse_memories(network: Network, hardware: Hardware) -> list[Memory]:
    """Return the memories of the weights, one per layer: they depend on the description alone."""
    return [
        Memory(
            SYNAPSES.format(number + 1),
            network.n_rows(number) * hardware.stride_of(network, number),
            hardware.lanes_of(network, number) * layer.weight_width,
            cast(MemoryKind, hardware.memory_of(number)),
        )
        for number, layer in enumerate(network.layers)
    ]


def chip_memories(board: Board, network: Network, hardware: Hardware) -> list[Memory]:
    """Return all memories of the chip of a board but those of the weights, in the order of the design.

    Parameters
    ----------
    board : Board
    network : Network
    hardware : Hardware
    """
    return [
        *_link(board, network, hardware),
        *_encoder(network, hardware),
        *_prediction(network, hardware),
        *(memory for number in range(len(network.layers)) for memory in _layer(network, hardware, number)),
        _counters(network),
    ]


def _counters(network: Network) -> Memory:
    n_counters = len(counter_names(network)) + len(performance_names(network))
    # Three pieces of a counter, in rows whose number is a power of two.
    return Memory("array.counters.memory", 4 * n_counters, PIECE_WIDTH)


def _width(shape: object) -> int:
    return int(Shape.cast(shape).width)


def _fork(name: str, shape: object, depth: int, room: int = 1, readers: int = 1) -> Memory:
    """Return the memory of a :class:`erbium.hdl.fork.Fork`."""
    rows = 1 << ceil_log2(max(depth + (1 << ceil_log2(room)) - 1, 4))
    return Memory(f"{name}.memory", rows, _width(shape), read_ports=readers)


def _file(name: str, depth: int, width: int) -> Iterator[Memory]:
    """Yield the memory of a :class:`erbium.hdl.word_file.WordFile`, if it is none of registers."""
    if depth > REGISTERS_UP_TO:
        yield Memory(f"{name}.memory", depth, width)


def _rom(name: str, depth: int, width: int) -> Iterator[Memory]:
    """Yield the memory of a :class:`erbium.hdl.word_file.WordRom`, if it is no constant."""
    if depth > 1:
        yield Memory(f"{name}.memory", depth, width, "rom")


def _link(board: Board, network: Network, hardware: Hardware) -> Iterator[Memory]:
    registers = RegisterMap(network, hardware, board.clock, board.buffer_bytes)
    yield Memory("link.link.receiver.memory", 1 << ceil_log2(registers.max_message + CRC_BYTES + SPARE), 8)
    yield Memory("link.link.sender.encoder.memory", 2 * BANK, 8)
    yield Memory("link.link.store", STORE_BYTES, 8)
    if board.buffer_bytes:
        yield _fork("link.buffer.fork", 8, board.buffer_bytes)


def _encoder(network: Network, hardware: Hardware) -> Iterator[Memory]:
    levels = network.encoder.levels if isinstance(network.encoder, LatencyEncoder) else ()
    entry = PixelEntry(network.n_inputs, levels)
    if hardware.encoder_pixels == 1:
        depth, group, width = network.n_inputs, 1, entry["value"].width
    else:
        depth, group = sample_words(network.n_inputs), GROUP
        width = GROUP * max(entry.size, -(-Begin().size // GROUP))
    yield Memory("array.encoder.buffer.memory", depth, width)
    if not levels and network.encoder != "bernoulli":
        yield Memory("array.encoder.phases", depth, 8 * group)


def _prediction(network: Network, hardware: Hardware) -> Iterator[Memory]:
    token, classes = FeedbackToken(network), network.n_classes
    if network.is_first_spike:
        yield _fork("array.feedback.fork", token, 2 * (network.feedback_delay + 2) + 1)
        return
    errors = 2 * NeuronLayout(network.error_neurons.program).size
    yield Memory("array.prediction.classes", max(classes, 2), bits_for(network.n_ticks) + errors)
    # The encoder, and each layer with feedback; in turn they share a port.
    readers = 1 if hardware.short_pipelines else 1 + sum(layer.feedback != "none" for layer in network.layers)
    depth = (network.feedback_delay + 2) * (classes + 2) + 1
    yield _fork("array.prediction.queue", token, depth, classes + 3, readers)


@lru_cache(maxsize=64)
def _feedback_width(network: Network, number: int) -> int:
    """Return the bits of a sum of feedback."""
    reach = int(abs(network.feedback_weights(number)).sum(axis=1).max()) * network.layers[number].gain
    return int(bits_for(reach)) + 1


def _layer(network: Network, hardware: Hardware, number: int) -> Iterator[Memory]:
    layer, name = network.layers[number], f"array.layer{number + 1}"
    lanes, words = hardware.lanes_of(network, number), hardware.words_of(network, number)
    groups = list(enumerate(lane_groups(lanes)))
    if layer.feedback != "none":
        yield from _rom(f"{name}.feedback.rom", words * network.n_classes, ROM_BITS[layer.feedback] * lanes)
        width = _feedback_width(network, number)
        for index, count in groups:
            yield from _file(f"{name}.feedback.file_{index}", words, count * width)
    if layer.synapse_keep < 256 or layer.neuron_keep < 256:
        yield from _rom(f"{name}.pipeline.constants", words, 16 * lanes)
    for index, count in groups:
        for kept, width in _kept(network, number).items():
            yield from _file(f"{name}.pipeline.lanes_{index}.{kept}", words, count * width)
    hands_down = network.is_first_spike and number > 0
    rows = network.n_rows(number)
    if hands_down:
        spike = bits_for(max(rows, 2) - 1) + bits_for(network.n_ticks)
        yield Memory(f"{name}.pipeline.causes.rows", max(rows, 2), spike)
    yield _fork(f"{name}.sweeps.fork", sweep_token(network, hardware, number), SWEEP_ROOM + 1)
    if hands_down:
        room = -(-VOTE_CLOCKS // words) + 1
        yield _fork(f"{name}.votes.fork", ErrorToken(network.shape[number]), room + 1)
    yield _fork(f"{name}_events.fork", event_token(network, hardware, number), hardware.fifo_depth)


def _kept(network: Network, number: int) -> dict[str, int]:
    """Return what a layer keeps of each neuron, and its bits."""
    layer = network.layers[number]
    summed, rest = summed_state(network, number), rest_told_by(network, number)
    derived = {f"x{summed}"} if summed is not None else set()
    if rest != "counter":
        derived.add("refractory")
    states = sum(field.width for name, field in NeuronLayout(layer.program) if name not in derived)
    kept = {"port0": PORT_WIDTH, "states": states}
    if network.is_first_spike:
        kept["plasticity"] = 2
        if keeps_spike_ticks(network, number):
            kept["spike_ticks"] = tick_width(network)
    elif layer.rule is not None:
        kept["plasticity"] = plasticity_word_width(layer.program, layer.rule)
    return kept
