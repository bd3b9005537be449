# SPDX-License-Identifier: BSD-2-Clause
"""The core in hardware, compiled into a library by Verilator, behind the interface of its model."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from erbium.gen.core_chip import CoreChip, Outcome
from erbium.gen.core_image import CoreImage
from erbium.gen.verilog import component_verilog
from erbium.hdl.core.engine import CoreEngine
from erbium.sw_model.constants import Array
from erbium.sw_model.description import machine
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import CoreHardware, Info, Window
from erbium.sw_model.programs import MAX_STATES
from erbium.sw_model.results import SampleResult
from erbium.verif.library import SimulationError
from erbium.verif.verilate import Design, cached_library, sources_hash

SMALL = CoreHardware(lanes=2, units=1)
"""What tasks and behaviours are run on: one core, compiled once, into which they are loaded one after the other."""

HARNESS = Path(__file__).with_name("core_harness.cpp")
TOP = "core"


def ports_header(hardware: CoreHardware) -> str:
    """Return the C++ header that says how wide a core is built."""
    word = "top.probe_states[word]" if hardware.units > 1 else "uint32_t(top.probe_states >> (32 * word))"
    return (
        '#pragma once\n#include <cstdint>\n#include "Vcore.h"\n'
        f"constexpr int CORE_UNITS = {hardware.units};\n"
        f"constexpr int64_t CORE_PLACES = {hardware.neurons};\n"
        f"inline uint32_t core_state_word(const Vcore& top, int word) {{ return {word}; }}\n"
    )


def build(hardware: CoreHardware, cache_dir: Path | None = None) -> Path:
    """Return the compiled library of a core, compiling it if the cache has none.

    Raises
    ------
    ToolError
        If Verilator or the C++ compiler is missing or fails.
    """
    design = Design(
        TOP,
        "Vcore",
        lambda: component_verilog(CoreEngine(hardware), TOP),
        HARNESS,
        {"core_ports.h": ports_header(hardware)},
    )
    key = (sorted(asdict(hardware).items()), sources_hash(HARNESS, Path(__file__), Path(machine.__file__)))
    return cached_library(design, "core", f"core-{hardware.lanes}-{hardware.units}", key, cache_dir)


class SimulatedPort:
    """A simulated core, compiled, and what its neurons did in the last sample.

    Parameters
    ----------
    hardware : CoreHardware
    probes : bool
        Whether states are kept.
    cache_dir : Path, optional
        Where compiled libraries are kept.

    Attributes
    ----------
    raster : ndarray of uint8, shape (ticks, places for neurons)
        Spikes of the last sample.
    states : ndarray of int16, shape (ticks, places for neurons, 4)
        States after each sweep; without probes there are no rows.
    clocks : int
        Of the last sample, from its first token on.
    """

    def __init__(
        self, hardware: CoreHardware, *, probes: bool = False, cache_dir: Path | None = None
    ) -> None:
        self._places, self._probes = hardware.neurons, probes
        self._library = ctypes.CDLL(str(build(hardware, cache_dir)))
        self._library.core_new.restype = ctypes.c_void_p
        self._core: ctypes.c_void_p | None = ctypes.c_void_p(self._library.core_new())
        self.raster = np.zeros((0, self._places), dtype=np.uint8)
        self.states = np.zeros((0, self._places, MAX_STATES), dtype=np.int16)
        self.clocks = 0

    def close(self) -> None:
        """Give the simulation back; nothing can be done with it afterwards."""
        if self._core is not None:
            self._library.core_free(self._core)
            self._core = None

    def __del__(self) -> None:
        if getattr(self, "_core", None) is not None:
            self.close()

    def write(self, window: Window, address: int, contents: Sequence[int]) -> None:
        """Write pieces of 32 bits from a place of a window on."""
        self._access(window, address, np.array(contents, dtype=np.uint32), write=True)

    def read(self, window: Window, address: int, count: int) -> Array:
        """Read so many pieces, uint32."""
        data = np.zeros(count, dtype=np.uint32)
        self._access(window, address, data, write=False)
        return data

    def _access(self, window: Window, address: int, data: Array, *, write: bool) -> None:
        status = self._library.core_access(
            self._core,
            ctypes.c_uint32(window),
            ctypes.c_uint32(address),
            ctypes.c_int64(data.size),
            ctypes.c_void_p(data.ctypes.data),
            ctypes.c_int(write),
        )
        self._check(status)

    def _check(self, status: int) -> None:
        if status:
            raise SimulationError(
                "the simulated core hung; this is a defect, please report it with the command"
            )

    def present(self, tokens: Array, n_ticks: int) -> Outcome | None:
        """Send a sample of at most so many ticks, uint64 tokens, and wait for its end; ``None`` if it is dropped."""
        if not self.read(Window.INFO, Info.LOADED, 1)[0]:
            return None
        self.raster = np.zeros((n_ticks, self._places), dtype=np.uint8)
        self.states = np.zeros((n_ticks if self._probes else 0, self._places, MAX_STATES), dtype=np.int16)
        result = np.zeros(5, dtype=np.int64)
        status = self._library.core_run(
            self._core,
            ctypes.c_int64(tokens.size),
            ctypes.c_void_p(tokens.ctypes.data),
            ctypes.c_int64(n_ticks),
            ctypes.c_void_p(self.raster.ctypes.data),
            ctypes.c_void_p(self.states.ctypes.data if self._probes else None),
            ctypes.c_void_p(result.ctypes.data),
        )
        self._check(status)
        answered, answer, ticks, decision, self.clocks = (int(value) for value in result)
        return Outcome(answer if answered else -1, ticks, decision)


class CoreRtl(CoreChip):
    """The simulated core: :class:`erbium.sw_model.core.fast.CoreModel`, in hardware.

    Another graph is loaded into the same core by :meth:`load_graph`; nothing is compiled again.

    Parameters
    ----------
    graph : Graph
    hardware : CoreHardware
    probes : bool
        Whether :attr:`states` are kept.
    cache_dir : Path, optional
        Where compiled libraries are kept.

    Attributes
    ----------
    spikes : dict of ndarray of bool, shape (ticks, size)
        Of the last sample, by population.
    states : dict of ndarray of int16, shape (ticks, n_states, size)
        Of the last sample after each sweep, by population; empty without probes.
    clocks : int
        Of the last sample, from its first token on.

    Raises
    ------
    DescriptionError
        For a graph that does not fit.
    ToolError
        If there is no library in the cache and no simulator to make one.
    """

    port: SimulatedPort

    def __init__(
        self,
        graph: Graph,
        hardware: CoreHardware | None = None,
        *,
        probes: bool = False,
        cache_dir: Path | None = None,
    ) -> None:
        hardware = hardware or CoreHardware()
        CoreImage(graph, hardware)  # what does not fit is said before anything is compiled
        super().__init__(SimulatedPort(hardware, probes=probes, cache_dir=cache_dir))
        self._probes = probes
        self.load_graph(graph)

    def close(self) -> None:
        """Give the simulation back; nothing can be done with it afterwards."""
        self.port.close()

    @property
    def clocks(self) -> int:
        """Of the last sample."""
        return self.port.clocks

    def load_graph(self, graph: Graph) -> None:
        """Load another graph with its initial weights; one that does not fit leaves the present one in place."""
        super().load_graph(graph)
        self.spikes: dict[str, Array] = {}
        self.states: dict[str, Array] = {}

    def _sampled(self, result: SampleResult) -> None:
        """Keep its spikes and states."""
        for population in self.graph.populations:
            first = self.image.first_neuron[population.name]
            columns = slice(first, first + population.size)
            self.spikes[population.name] = self.port.raster[: result.ticks, columns].astype(bool)
            if self._probes:
                states = self.port.states[: result.ticks, columns, : population.program.n_states]
                self.states[population.name] = states.transpose(0, 2, 1)
