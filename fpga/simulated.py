# SPDX-License-Identifier: BSD-2-Clause
"""A board that does not exist: the chip of its bitstream, simulated behind its serial line."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

from erbium.fpga.boards import CORE, board
from erbium.fpga.clock import clock_of
from erbium.fpga.core_plan import core_of
from erbium.fpga.design import flash_port
from erbium.fpga.planner import plan
from erbium.fpga.simulated_line import SimulatedLine, build
from erbium.hdl.chip import ErbiumChip
from erbium.hdl.core.chip import ErbiumCore
from erbium.hdl.flash.link import FlashPort
from erbium.hdl.host_link import TIMEOUT_SECONDS
from erbium.hdl.plan import LayerPlan
from erbium.hdl.population import engine_populations
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.codec import digest_of
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import CoreHardware, core_digest
from erbium.sw_model.network import Hardware, Network

CORE_SILENCE = 20_000_000
"""Clocks without a byte after which a simulated core is asked again; a sample may take longer and is not lost by it."""


def simulated_chip(
    network: Network | Graph,
    hardware: Hardware,
    *,
    clock_frequency: int,
    baud_rate: int,
    buffer_bytes: int,
    name: str = "the simulated board",
    cache_dir: Path | None = None,
    flash: FlashPort | None = None,
) -> SimulatedLine:
    """Return the line of a simulated chip, compiling it if the cache has none.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    clock_frequency, baud_rate : int
        In Hz and bits per second. Only their ratio changes what is simulated.
    buffer_bytes : int
        Bytes of frames that the chip takes while it answers none.
    name : str
        For people.
    cache_dir : Path, optional
        Where compiled libraries are kept.
    flash : FlashPort, optional
        Of a chip that learns from its flash, too.

    Raises
    ------
    ToolError
        If there is no library in the cache and no simulator to make one.
    """
    numbers = (clock_frequency, baud_rate, buffer_bytes)
    key = (sorted(asdict(hardware).items()), numbers, flash)
    library = build(
        lambda: ErbiumChip(network, hardware, *numbers, flash=flash),
        digest_of(network),
        key,
        cache_dir,
        has_flash=flash is not None,
    )
    return SimulatedLine(
        library, name, clock_frequency, baud_rate, longest_silence(network, hardware, clock_frequency)
    )


def simulated_core(
    hardware: CoreHardware,
    *,
    clock_frequency: int,
    baud_rate: int,
    buffer_bytes: int,
    name: str = "the simulated board",
    cache_dir: Path | None = None,
) -> SimulatedLine:
    """Return the line of a simulated core, compiling it if the cache has none; see :func:`simulated_chip`."""
    numbers = (clock_frequency, baud_rate, buffer_bytes)
    key = (sorted(asdict(hardware).items()), numbers)
    library = build(lambda: ErbiumCore(hardware, *numbers), f"core-{core_digest(hardware)}", key, cache_dir)
    quiet = max(CORE_SILENCE, math.ceil(1.2 * TIMEOUT_SECONDS * clock_frequency))
    return SimulatedLine(library, name, clock_frequency, baud_rate, quiet)


def longest_silence(network: Network | Graph, hardware: Hardware, clock_frequency: int) -> int:
    """Return clocks after which a chip without a byte on its line has nothing more to do.

    No sample takes as many, with all rows of all layers at every tick, read and learned; and a frame that came
    to no end is given up before.
    """
    words = [
        population.n_rows * LayerPlan(network, number, hardware).words
        for number, population in enumerate(engine_populations(network))
    ]
    return max(4 * graph_of(network).n_ticks * sum(words), math.ceil(1.2 * TIMEOUT_SECONDS * clock_frequency))


def simulated_board(
    name: str, network: Network, cache_dir: Path | None = None, *, from_flash: bool = False
) -> SimulatedLine:
    """Return the line of a simulated board: its clock, its baud rate and the chip that fits it.

    With `from_flash` that chip learns from the flash, too.

    Raises
    ------
    DescriptionError
        If there is no board of that name, or the network does not fit it.
    ToolError
        If there is no library in the cache and no simulator to make one.
    """
    which = board(name)
    planned = plan(which, network, from_flash=from_flash).require()
    return simulated_chip(
        network,
        planned.hardware,
        clock_frequency=clock_of(which, which.clock_for(network.name, planned.lanes)),
        baud_rate=which.baud_rate,
        buffer_bytes=which.buffer_bytes,
        name=f"the simulated {which.title}",
        cache_dir=cache_dir,
        flash=flash_port(which) if from_flash else None,
    )


def simulated_core_board(name: str, cache_dir: Path | None = None) -> SimulatedLine:
    """Return the line of a simulated board with its core: clock, baud rate and size of its bitstream.

    Raises
    ------
    DescriptionError
        If there is no board of that name, or none of it is planned with a core.
    ToolError
        If there is no library in the cache and no simulator to make one.
    """
    which = board(name)
    hardware = core_of(which)
    return simulated_core(
        hardware,
        clock_frequency=which.clock_for(CORE, hardware.lanes),
        baud_rate=which.baud_rate,
        buffer_bytes=which.buffer_bytes,
        name=f"the simulated {which.title} with its core",
        cache_dir=cache_dir,
    )
