# SPDX-License-Identifier: BSD-2-Clause
"""The memories of a chip, from its description: what :func:`erbium.fpga.inventory.other_memories` finds in the design.

Building a design takes half a second, and a plan looks at many. ``tests/test_fpga_chip_memories.py`` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from amaranth.utils import bits_for, ceil_log2

from erbium.fpga.boards import Board, flash_of, small_flash
from erbium.fpga.memories import Memory, MemoryKind
from erbium.fpga.readout_memories import fork_memory, readout_memories
from erbium.hdl.cobs import BANK
from erbium.hdl.counter_bank import PIECE_WIDTH
from erbium.hdl.csr import STORE_BYTES
from erbium.hdl.feedback_port import ROM_BITS
from erbium.hdl.flash.block_reader import SLOTS
from erbium.hdl.flash.control import LABELS
from erbium.hdl.flash.instructions import NEAR, WORD_BITS
from erbium.hdl.flash.layout import longest_payload
from erbium.hdl.flash.small_link import play_program
from erbium.hdl.frame import CRC_BYTES, SPARE
from erbium.hdl.neuron_unit import PORT_WIDTH
from erbium.hdl.plan import LayerPlan
from erbium.hdl.registers import RegisterMap, counter_names, performance_names
from erbium.hdl.rules.first_spike import vote_room
from erbium.hdl.sample_buffer import GROUP, PixelEntry, sample_words
from erbium.hdl.tokens import LABEL_WIDTH, Begin, ErrorToken
from erbium.hdl.word_file import LOGIC_UP_TO, REGISTERS_UP_TO
from erbium.sw_model.description.chain import graph_of
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


def chip_memories(
    board: Board, network: Network, hardware: Hardware, *, from_flash: bool = False
) -> list[Memory]:
    """Return all memories of the chip of a board but those of the weights, in the order of the design.

    Parameters
    ----------
    board : Board
    network : Network
    hardware : Hardware
    from_flash : bool
        Of a chip that learns from its flash, too.
    """
    return [
        *_link(board, network, hardware, plays=from_flash),
        *_encoder(network, hardware),
        *readout_memories(graph_of(network).readout, network, hardware),
        *(memory for number in range(len(network.layers)) for memory in _layer(network, hardware, number)),
        _counters(network),
    ]


def far_memories(board: Board, network: Network, hardware: Hardware) -> Iterator[Memory]:
    """Yield the memories of a chip that learns from its flash which are made of blocks that have no contents."""
    if small_flash(board):
        registers = RegisterMap(network, hardware, board.clock, board.buffer_bytes, plays=True, shares=True)
        octets = play_program(registers, flash_of(board).data_at, board.clock).octets
        yield Memory("link.flash.processor.far", octets - NEAR, 8, "spram")


def _counters(network: Network) -> Memory:
    n_counters = len(counter_names(network)) + len(performance_names(network))
    # Three pieces of a counter, in rows whose number is a power of two.
    return Memory("array.counters.memory", 4 * n_counters, PIECE_WIDTH)


def _file(name: str, depth: int, width: int, *, registered: bool) -> Iterator[Memory]:
    """Yield the memory of a :class:`erbium.hdl.word_file.WordFile`, if it is none of registers."""
    if depth > REGISTERS_UP_TO:
        yield Memory(
            f"{name}.memory",
            depth,
            width,
            "distributed" if registered and depth <= LOGIC_UP_TO else "generic",
        )


def _rom(name: str, depth: int, width: int) -> Iterator[Memory]:
    """Yield the memory of a :class:`erbium.hdl.word_file.WordRom`, if it is no constant."""
    if depth > 1:
        yield Memory(f"{name}.memory", depth, width, "rom")


def _link(board: Board, network: Network, hardware: Hardware, *, plays: bool) -> Iterator[Memory]:
    shares = plays and small_flash(board)
    registers = RegisterMap(network, hardware, board.clock, board.buffer_bytes, plays=plays, shares=shares)
    # A chip that plays samples has its host link beside what plays them.
    link = "link.link" if plays else "link"
    yield Memory(f"{link}.link.receiver.memory", 1 << ceil_log2(registers.max_message + CRC_BYTES + SPARE), 8)
    yield Memory(f"{link}.link.sender.encoder.memory", 2 * BANK, 8)
    yield Memory(f"{link}.link.csr.store", STORE_BYTES, 8)
    if board.buffer_bytes:
        yield fork_memory(f"{link}.buffer.fork", 8, board.buffer_bytes)
    if shares:
        program = play_program(registers, flash_of(board).data_at, board.clock)
        yield Memory("link.flash.processor.program", 1 << ceil_log2(len(program.words)), WORD_BITS)
        yield Memory("link.flash.processor.memory", NEAR, 8)
    elif plays:
        payload = longest_payload(registers)
        yield Memory("link.flash.blocks.memory", SLOTS << max(ceil_log2(payload), 1), 8)
        yield fork_memory("link.flash.control.labels.fork", LABEL_WIDTH, LABELS)


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


def _layer(network: Network, hardware: Hardware, number: int) -> Iterator[Memory]:
    plan, name = LayerPlan(network, number, hardware), f"array.layer{number + 1}"
    layer, groups = plan.population, list(enumerate(plan.groups))

    def file(where: str, depth: int, width: int) -> Iterator[Memory]:
        yield from _file(f"{name}.{where}", depth, width, registered=not plan.short)

    if layer.synapse_keep < 256 or layer.neuron_keep < 256:
        yield from _rom(f"{name}.pipeline.constants", plan.words, 16 * plan.lanes)
    for index, group in groups:
        lanes = f"pipeline.lanes_{index}"
        yield from file(f"{lanes}.port0", plan.words, group.lanes * PORT_WIDTH)
        yield from file(f"{lanes}.states", plan.places, group.units * plan.state_width)
        for kept, width in plan.rule.kept_words(plan).items():
            yield from file(f"{lanes}.{kept}", plan.words, group.lanes * width)
        for kept, width in plan.rule.kept_parts(plan).items():
            for part in range(plan.parts):
                part_lanes = group.part(part)
                if (count := part_lanes.stop - part_lanes.start) > 0:
                    suffix = f"_{part}" if plan.parts > 1 else ""
                    yield from file(f"{lanes}.{kept}{suffix}", plan.words, count * width)
    if plan.rule.votes(plan):
        spike = bits_for(max(plan.n_rows, 2) - 1) + bits_for(plan.n_ticks)
        yield Memory(f"{name}.pipeline.causes.rows", max(plan.n_rows, 2), spike)
    yield fork_memory(f"{name}.sweeps.fork", plan.sweep_token, plan.sweep_room + 1)
    if plan.has_feedback:
        yield from _rom(
            f"{name}.feedback.rom", plan.places * network.n_classes, ROM_BITS[layer.feedback] * plan.units
        )
        for index, group in groups:
            yield from file(f"feedback.file_{index}", plan.places, group.units * plan.feedback_width)
    if plan.rule.votes(plan):
        yield fork_memory(f"{name}.votes.fork", ErrorToken(plan.n_inputs), vote_room(plan) + 1)
    yield fork_memory(f"{name}_events.fork", plan.event_token, hardware.fifo_depth)
