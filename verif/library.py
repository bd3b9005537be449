# SPDX-License-Identifier: BSD-2-Clause
"""The generated hardware as a chip: compiled into a library that is called in batches.

Two simulators make it. ``vectors`` is C++ of the netlist, vectorised over the lanes (:mod:`erbium.gen.vectors`);
``verilator`` compiles the generated Verilog, and is the witness of the first. Their libraries have one harness.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from erbium.gen.vectors.accept import UnknownCellError
from erbium.gen.verilog import TOP, component_rtlil, component_verilog
from erbium.hdl.array import ErbiumArray, rate_ports
from erbium.hdl.population import engine_populations
from erbium.hdl.registers import counter_names, performance_names
from erbium.sw_model.constants import Array
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.codec import digest_of
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.results import Results
from erbium.verif.simulators import ToolError
from erbium.verif.vectors import vector_library
from erbium.verif.verilate import Design, cached_library, sources_hash

HARNESS = Path(__file__).with_name("harness.cpp")

ArraySimulator = Literal["vectors", "verilator"]
"""What simulates an array."""

ARRAY_SIMULATORS: tuple[ArraySimulator, ...] = get_args(ArraySimulator)


class SimulationError(RuntimeError):
    """The simulated hardware hung or reported a fault: a defect of Erbium, not of its user."""


def ports_header(network: Network | Graph) -> str:
    """Return the C++ header that names the ports of this network's array."""
    populations = engine_populations(network)
    rates = "".join(f"    top.{name} = rates[{index}];\n" for index, name in enumerate(rate_ports(network)))
    names = counter_names(network) + performance_names(network)
    tail = 32 + max(population.n_neurons for population in populations)
    return (
        '#pragma once\n#include <cstdint>\n#include "Varray.h"\n'
        f"constexpr int ARRAY_ACCESS_TAIL = {tail};\n"
        f"constexpr int ARRAY_COUNTERS = {len(names)};\n"
        f"constexpr int ARRAY_LOWEST_PIXEL = {graph_of(network).lowest_pixel};\n"
        f"inline void array_set_rates(Varray& top, const uint32_t* rates) {{\n{rates}}}\n"
    )


def build(
    network: Network | Graph,
    hardware: Hardware,
    cache_dir: Path | None = None,
    simulator: ArraySimulator | None = None,
) -> Path:
    """Return the compiled library of an array, compiling it if the cache has none.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    cache_dir : Path, optional
        Where compiled libraries are kept.
    simulator : str, optional
        One of :data:`ARRAY_SIMULATORS`. Without it ``vectors``, if that knows every cell; else ``verilator``, and the
        log has a line about it.

    Raises
    ------
    ToolError
        If Verilator or the C++ compiler is missing or fails, or if `simulator` is ``vectors`` and the netlist holds
        something that it does not know.
    """
    design = Design(
        TOP,
        "Varray",
        lambda: component_verilog(ErbiumArray(network, hardware), TOP),
        HARNESS,
        {"array_ports.h": ports_header(network)},
    )
    key = (sorted(asdict(hardware).items()), sources_hash(HARNESS, Path(__file__)))
    place = ("rtl", digest_of(network), key, cache_dir)
    if simulator != "verilator":
        rtlil = partial(_rtlil, network, hardware)
        try:
            return vector_library(design, rtlil, *place)
        except UnknownCellError as error:
            if simulator is not None:
                raise ToolError(
                    f"the vectorised simulation cannot run the array of {network.name!r}: {error}; take the backend "
                    "'rtl:verilator'"
                ) from None
            logging.getLogger("erbium").warning(
                "Verilator simulates the array of %r, as the vectorised simulation cannot: %s.",
                network.name,
                error,
            )
    return cached_library(design, *place)


def _rtlil(network: Network | Graph, hardware: Hardware) -> str:
    return component_rtlil(ErbiumArray(network, hardware), TOP)


def _pointer(values: Array | None) -> ctypes.c_void_p | None:
    return None if values is None else ctypes.c_void_p(values.ctypes.data)


class RtlChip:
    """The simulated chip of a network in either form: batches in, rows of weights and counters out.

    Parameters
    ----------
    network : Network or Graph
    hardware : Hardware
    cache_dir : Path, optional
        Where compiled libraries are kept.
    simulator : str, optional
        See :func:`build`.

    Attributes
    ----------
    populations : tuple of EnginePopulation
        Those that have an engine, in the order of rates and weights.
    decide_after : int
        Output spikes that settle an inference; starts as the network's.

    Raises
    ------
    ToolError
        If there is no library in the cache and no simulator to make one.
    """

    def __init__(
        self,
        network: Network | Graph,
        hardware: Hardware | None = None,
        *,
        cache_dir: Path | None = None,
        simulator: ArraySimulator | None = None,
    ) -> None:
        self.described, self.hardware = network, hardware or Hardware()
        self._graph, self.populations = graph_of(network), engine_populations(network)
        self.decide_after = self._graph.decide_after
        self._simulator = simulator
        self._library = ctypes.CDLL(str(self._built(cache_dir)))
        self._library.chip_new.restype = ctypes.c_void_p
        self._library.chip_clocks.restype = ctypes.c_uint64
        self._chip = ctypes.c_void_p(self._library.chip_new())
        self._rates = np.array([population.rate.full for population in self.populations], dtype=np.uint32)
        self.load([population.initial_rows() for population in self.populations])

    def _built(self, cache_dir: Path | None) -> Path:
        """Return the compiled library."""
        return build(self.described, self.hardware, cache_dir, self._simulator)

    def close(self) -> None:
        """Give the simulation back; nothing can be done with it afterwards."""
        if self._chip:
            self._library.chip_free(self._chip)
            self._chip = ctypes.c_void_p()

    def __del__(self) -> None:
        if getattr(self, "_chip", None):
            self.close()

    def set_rates(self, rates: Sequence[int]) -> None:
        """Set the learning rate of each layer, 0 ... its full rate."""
        self._rates = np.array(rates, dtype=np.uint32)

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
        SimulationError
            If the hardware hangs or a memory is misused.
        """
        images = np.ascontiguousarray(images, dtype=np.uint8)
        seeds = np.ascontiguousarray(seeds, dtype=np.uint32)
        label_bytes = None if labels is None else np.ascontiguousarray(labels, dtype=np.uint8)
        results = np.zeros((len(images), 3), dtype=np.int64)
        status = self._library.chip_run(
            self._chip,
            ctypes.c_int64(len(images)),
            ctypes.c_int64(self._graph.n_pixels),
            _pointer(images),
            _pointer(seeds),
            _pointer(label_bytes),
            _pointer(self._rates),
            ctypes.c_uint32(n_ticks or self._graph.n_ticks),
            ctypes.c_uint32(self.decide_after),
            _pointer(results),
        )
        self._check(status)
        return Results(results[:, 0], results[:, 1], results[:, 2])

    def _check(self, status: int) -> None:
        if status:
            raise SimulationError(
                "the simulated array hung; this is a defect, please report it with the command"
            )
        if self._library.chip_collision(self._chip):
            raise SimulationError(
                "a synapse memory was read where it was written; this is a defect, please report it"
            )

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``, read back from the chip."""
        result = []
        for number, population in enumerate(self.populations):
            values = np.zeros((population.n_rows, population.n_neurons), dtype=np.int16)
            self._access(number, values, write=False)
            result.append(values)
        return result

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights."""
        for number, values in enumerate(weights):
            self._access(number, np.ascontiguousarray(values, dtype=np.int16), write=True)

    def _access(self, layer: int, values: Array, *, write: bool) -> None:
        self._check(
            self._library.chip_access(
                self._chip,
                ctypes.c_uint32(layer),
                ctypes.c_uint32(0),
                ctypes.c_int64(values.size),
                _pointer(values),
                ctypes.c_int(write),
            )
        )

    def _all_counters(self) -> dict[str, int]:
        names = counter_names(self.described) + performance_names(self.described)
        values = np.zeros(len(names), dtype=np.uint64)
        self._check(self._library.chip_counters(self._chip, _pointer(values)))
        return {name: int(value) for name, value in zip(names, values, strict=True)}

    def counters(self) -> dict[str, int]:
        """Return the counters that the model has too, by name."""
        every = self._all_counters()
        return {name: every[name] for name in counter_names(self.described)}

    def performance(self) -> dict[str, int]:
        """Return the clock cycles in which the array was busy, and those in which lanes did a row word."""
        every = self._all_counters()
        return {name: every[name] for name in performance_names(self.described)}

    @property
    def cycles(self) -> int:
        """Clock cycles in which a sample was in the array."""
        return self.performance()["cycles"]


class RtlArray(RtlChip):
    """The simulated chip, with the batched interface of :class:`erbium.sw_model.array.ArrayModel`.

    Parameters
    ----------
    network : Network
    hardware, cache_dir, simulator
        See :class:`RtlChip`.
    """

    def __init__(
        self,
        network: Network,
        hardware: Hardware | None = None,
        *,
        cache_dir: Path | None = None,
        simulator: ArraySimulator | None = None,
    ) -> None:
        self.network = network
        super().__init__(network, hardware, cache_dir=cache_dir, simulator=simulator)
