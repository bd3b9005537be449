# SPDX-License-Identifier: BSD-2-Clause
"""The core in hardware, compiled into a library by Verilator, behind the interface of its model."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from erbium.gen.core_image import CoreImage
from erbium.gen.core_tokens import sample_tokens
from erbium.gen.verilog import component_verilog
from erbium.hdl.core.engine import CoreEngine
from erbium.sw_model.constants import Array
from erbium.sw_model.description import machine
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import COUNTER_WIDTH, CoreHardware, Counter, Window, pieces_of
from erbium.sw_model.graph_model.drive import NOTHING, Drive
from erbium.sw_model.results import SampleModel, SampleResult
from erbium.verif.library import SimulationError
from erbium.verif.verilate import Design, cached_library, sources_hash

HARNESS = Path(__file__).with_name("core_harness.cpp")
TOP = "core"
N_COUNTERS = len(Counter)


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


class CoreRtl(SampleModel):
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

    def __init__(
        self,
        graph: Graph,
        hardware: CoreHardware | None = None,
        *,
        probes: bool = False,
        cache_dir: Path | None = None,
    ) -> None:
        self.hardware, self._probes = hardware or CoreHardware(), probes
        image = CoreImage(graph, self.hardware)
        self._library = ctypes.CDLL(str(build(self.hardware, cache_dir)))
        self._library.core_new.restype = ctypes.c_void_p
        self._library.core_clocks.restype = ctypes.c_uint64
        self._core: ctypes.c_void_p | None = ctypes.c_void_p(self._library.core_new())
        self._load(image)

    def close(self) -> None:
        """Give the simulation back; nothing can be done with it afterwards."""
        if self._core is not None:
            self._library.core_free(self._core)
            self._core = None

    def __del__(self) -> None:
        if getattr(self, "_core", None) is not None:
            self.close()

    # --- loading ---------------------------------------------------------------------------------------

    def load_graph(self, graph: Graph) -> None:
        """Load another graph with its initial weights; one that does not fit leaves the present one in place."""
        self._load(CoreImage(graph, self.hardware))

    def _load(self, image: CoreImage) -> None:
        self.image, self.graph = image, image.graph
        for window, address, contents in image.windows():
            self._write(window, address, contents)
        rows = N_COUNTERS * (self.hardware.populations + 1) * pieces_of(COUNTER_WIDTH)
        self._write(Window.COUNTERS, 0, [0] * rows)
        self.load({name: self.graph.initial_weights(projection) for name, projection in image.stored.items()})
        self._fresh, self._rates = True, dict[str, int]()
        self.spikes: dict[str, Array] = {}
        self.states: dict[str, Array] = {}
        self.clocks = 0

    def _write(self, window: Window, address: int, contents: list[int]) -> None:
        self._access(window, address, np.array(contents, dtype=np.uint32), write=True)

    def _read(self, window: Window, address: int, count: int) -> Array:
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

    # --- what the model has too ------------------------------------------------------------------------

    def sample(
        self,
        image: Array,
        *,
        seed: int,
        label: int | None = None,
        n_ticks: int | None = None,
        drive: Drive = NOTHING,
    ) -> SampleResult:
        """Present one sample; see :meth:`erbium.sw_model.core.fast.CoreModel.sample`."""
        graph, ticks = self.graph, n_ticks or self.graph.n_ticks
        drive.check(graph)
        image = np.ascontiguousarray(image)
        if image.dtype != np.uint8 or image.shape != (graph.n_pixels,):
            raise ValueError(
                f"the image is {image.dtype} of shape {image.shape}; it must be uint8 of shape ({graph.n_pixels},)"
            )
        if label is not None and not 0 <= label < max(graph.n_classes, 1):
            raise ValueError(f"label is {label}; it must be from 0 to {max(graph.n_classes, 1) - 1}")
        tokens = sample_tokens(graph, image, seed, label, ticks, drive, clear=drive.clear or self._fresh)
        raster = np.zeros((ticks, self.hardware.neurons), dtype=np.uint8)
        probe = np.zeros((ticks if self._probes else 0, self.hardware.neurons, 4), dtype=np.int16)
        result = np.zeros(5, dtype=np.int64)
        status = self._library.core_run(
            self._core,
            ctypes.c_int64(tokens.size),
            ctypes.c_void_p(tokens.ctypes.data),
            ctypes.c_int64(ticks),
            ctypes.c_void_p(raster.ctypes.data),
            ctypes.c_void_p(probe.ctypes.data if self._probes else None),
            ctypes.c_void_p(result.ctypes.data),
        )
        self._check(status)
        self._fresh = False
        answered, answer, run, decision, self.clocks = (int(value) for value in result)
        for population in graph.populations:
            first = self.image.first_neuron[population.name]
            columns = slice(first, first + population.size)
            self.spikes[population.name] = raster[:run, columns].astype(bool)
            if self._probes:
                states = probe[:run, columns, : population.program.n_states]
                self.states[population.name] = states.transpose(0, 2, 1)
        return SampleResult(answer if answered else -1, run, decision)

    @property
    def weights(self) -> dict[str, Array]:
        """Weights by projection, int16 of shape ``(source size, target size)``, read back from the core."""
        places = pieces_of(self.hardware.weight_width * self.hardware.lanes)
        result = {}
        for name in self.image.stored:
            first, count = self.image.weight_words[name]
            contents = self._read(Window.WEIGHTS, first * places, count * places)
            result[name] = self.image.weights_from(name, contents.tolist())
        return result

    def load(self, weights: Mapping[str, Array]) -> None:
        """Replace the weights of the projections that are named; of the others nothing changes."""
        for name in weights:
            if name not in self.image.stored:
                known = ", ".join(self.image.stored)
                raise ValueError(f"there are no weights of a projection {name!r}; there are {known}")
        for contents in [self.image.weight_contents(name, values) for name, values in weights.items()]:
            self._write(*contents)

    def set_rates(self, rates: Mapping[str, int]) -> None:
        """Set learning rates by name, each 0 ... its full rate (:attr:`Graph.rates`)."""
        self.graph.check_rates(rates)
        self._rates |= rates
        self._write(*self.image.rate_table(self._rates))

    def counters(self) -> dict[str, int]:
        """Return all counters by name, read back from the core."""
        places = pieces_of(COUNTER_WIDTH)
        rows = self._read(Window.COUNTERS, 0, N_COUNTERS * (self.hardware.populations + 1) * places)
        values = rows.reshape(-1, places).astype(np.int64)
        table = (values[:, 0] | values[:, 1] << 32).reshape(-1, N_COUNTERS)
        ticks, samples, pixels = (int(value) for value in table[self.hardware.populations, :3])
        result = {"samples": samples, "ticks": ticks, "input_spikes": pixels}
        for population, row in zip(self.graph.populations, table, strict=False):
            counted = list(Counter) if self.graph.stored(population.name) else [Counter.SPIKES]
            result |= {f"{population.name}_{counter.name.lower()}": int(row[counter]) for counter in counted}
        return result
