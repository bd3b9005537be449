# SPDX-License-Identifier: BSD-2-Clause
"""The hardware as WebAssembly, run without a browser: for tests, and to load the weights with which a page begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from erbium.hdl.registers import counter_names, performance_names
from erbium.sw_model.constants import Array
from erbium.sw_model.distribution import pip_install
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.results import Results
from erbium.verif.library import SimulationError
from erbium.verif.simulators import ToolError
from erbium.verif.webassembly import webassembly

RUNTIME = "wasmtime"
"""The package that runs it."""


class WebAssemblyArray:
    """The array, with the batched interface of :class:`erbium.sw_model.array.ArrayModel`.

    Parameters
    ----------
    network : Network
    hardware : Hardware, optional
    cache_dir : Path, optional
        Where compiled arrays are kept.

    Attributes
    ----------
    handle : int
        Where the chip lies in the memory.

    Raises
    ------
    ToolError
        If the compiler or the run time is missing.
    """

    def __init__(
        self, network: Network, hardware: Hardware | None = None, *, cache_dir: Path | None = None
    ) -> None:
        try:
            import wasmtime
        except ImportError:
            raise ToolError(
                f"the chip's weights are loaded by running it, and the package {RUNTIME!r} is not installed; get it "
                f"with '{pip_install(RUNTIME)}'"
            ) from None
        self.network, self.hardware = network, hardware or Hardware()
        path = webassembly(network, self.hardware, cache_dir)
        self._store = wasmtime.Store()
        module = wasmtime.Module(self._store.engine, path.read_bytes())
        self._exports: Any = wasmtime.Instance(self._store, module, []).exports(self._store)
        self.handle: int = self._call("chip_new")
        self._rooms: dict[int, int] = {}
        self.load(network.initial_weights())

    def _call(self, name: str, *arguments: int) -> int:
        result: int = self._exports[name](self._store, *arguments)
        return result

    def _room(self, size: int) -> int:
        """Return room for so many bytes, the same one for the same number."""
        if size not in self._rooms:
            self._rooms[size] = self._call("memory_room", size)
        return self._rooms[size]

    def _write(self, values: Array) -> int:
        place = self._call("memory_room", values.nbytes)
        self._exports["memory"].write(self._store, values.tobytes(), place)
        return place

    def _read(self, place: int, count: int, kind: type[np.generic]) -> Array:
        size = count * np.dtype(kind).itemsize
        return np.frombuffer(
            bytes(self._exports["memory"].read(self._store, place, place + size)), dtype=kind
        )

    def _check(self, status: int) -> None:
        if status or self._call("chip_collision", self.handle):
            raise SimulationError(
                "the simulated array hung or misused a memory; this is a defect, please report it"
            )

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order; learn them if there are labels."""
        n, network = len(images), self.network
        results = self._room(24 * n)
        self._check(
            self._call(
                "chip_run",
                self.handle,
                n,
                network.n_inputs,
                self._write(np.ascontiguousarray(images, dtype=np.uint8)),
                self._write(np.asarray(seeds, dtype=np.uint32)),
                0 if labels is None else self._write(np.asarray(labels, dtype=np.uint8)),
                self._write(np.array(network.rates, dtype=np.uint32)),
                n_ticks or network.n_ticks,
                network.decide_after,
                results,
            )
        )
        table = self._read(results, 3 * n, np.int64).reshape(n, 3)
        return Results(table[:, 0], table[:, 1], table[:, 2])

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``, read back from the chip."""
        result = []
        for number, layer in enumerate(self.network.layers):
            shape = (self.network.n_rows(number), layer.n_neurons)
            room = self._room(2 * shape[0] * shape[1])
            self._check(self._call("chip_access", self.handle, number, 0, shape[0] * shape[1], room, 0))
            result.append(self._read(room, shape[0] * shape[1], np.int16).reshape(shape))
        return result

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights."""
        for number, values in enumerate(weights):
            held = np.ascontiguousarray(values, dtype=np.int16)
            room = self._room(held.nbytes)
            memory = self._exports["memory"]
            memory.write(self._store, held.tobytes(), room)
            self._check(self._call("chip_access", self.handle, number, 0, held.size, room, 1))
            memory.write(self._store, bytes(held.nbytes), room)

    def counters(self) -> dict[str, int]:
        """Return all counters by name, those of the hardware's own work, too."""
        names = counter_names(self.network) + performance_names(self.network)
        room = self._room(8 * len(names))
        self._check(self._call("chip_counters", self.handle, room))
        return {
            name: int(value)
            for name, value in zip(names, self._read(room, len(names), np.uint64), strict=True)
        }

    def watched(self, image: Array, seed: int, label: int | None = None, room: int = 1 << 18) -> Array:
        """Run a sample and return the entries of its log, see :meth:`erbium.verif.watched.WatchedArray.header`."""
        log = self._room(4 * room)
        self._call("chip_watch", self.handle, log, room)
        labels = None if label is None else np.array([label])
        self.run(image[None], np.array([seed]), labels)
        written = (self._call("chip_logged", self.handle) - log) // 4
        missed = self._call("chip_missed", self.handle)
        self._call("chip_watch", self.handle, 0, 0)
        if missed:
            raise SimulationError(f"{missed} entries found no room in a log of {room}")
        return self._read(log, written, np.uint32)

    def memory(self) -> bytes:
        """Return all memory: another instance that gets it goes on as this one would."""
        memory = self._exports["memory"]
        return bytes(memory.read(self._store, 0, memory.data_len(self._store)))
