# SPDX-License-Identifier: BSD-2-Clause
"""A graph as what is loaded into a core: the contents of its windows, and samples as tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erbium.gen.core_records import (
    is_timed,
    kind_of,
    operations_of,
    population_record,
    projection_record,
    source_record,
    words_of,
)
from erbium.sw_model.constants import Array, salt
from erbium.sw_model.core.tables import check_readout
from erbium.sw_model.description.connect import Dense, Identity, Sparse
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import (
    BEGINNING,
    COUNTER_WIDTH,
    ENTRY_WORD_WIDTH,
    HEAD,
    MODULATOR,
    NETWORK,
    OPERATION,
    OPERATIONS,
    PIECE_WIDTH,
    PLACE_STRIDE,
    POPULATION,
    PROJECTION,
    SOURCE,
    SPIKE_WIDTH,
    TABLE_WIDTH,
    CoreHardware,
    Counter,
    RuleKind,
    Window,
    pieces_of,
)
from erbium.sw_model.description.parts import (
    Population,
    Projection,
)
from erbium.sw_model.programs import MAX_STATES, DescriptionError
from erbium.sw_model.rules import HistoryRule


@dataclass(frozen=True)
class Need:
    """How much of something a graph takes, and how much a core has.

    Parameters
    ----------
    what : str
    needed, available : int
    """

    what: str
    needed: int
    available: int

    @property
    def fits(self) -> bool:
        """Whether there is enough."""
        return self.needed <= self.available

    def __str__(self) -> str:
        missing = "" if self.fits else f": {self.needed - self.available} too many"
        return f"{self.needed} of {self.available} {self.what}{missing}"


class CoreImage:
    """A graph, laid out for a core.

    Parameters
    ----------
    graph : Graph
    hardware : CoreHardware
    checked : bool
        Whether there must be enough of everything; without it :meth:`require` asks later.

    Attributes
    ----------
    needs : tuple of Need
        What the graph takes of each kind.
    first_neuron : dict of int
        Place of the first neuron of each population.
    weight_words : dict of (int, int)
        First word and words of each projection whose weights can be read and written.

    Raises
    ------
    DescriptionError
        For a part that no core has, or that this one has too few of: the first such part, and how many are missing.
    """

    def __init__(self, graph: Graph, hardware: CoreHardware, *, checked: bool = True) -> None:
        self.graph, self.hardware = graph, hardware
        _check_parts(graph, hardware)
        lanes = hardware.lanes
        self.words = {p.name: words_of(p.size, lanes) for p in graph.populations}
        self.first_neuron: dict[str, int] = {}
        at = 0
        for population in graph.populations:
            self.first_neuron[population.name] = at * lanes
            at += self.words[population.name]
        self.neuron_words = at
        self.spike_first: dict[str, int] = {}
        at = 0
        for part in graph.writers:
            self.spike_first[part.name] = at
            at += words_of(part.size, SPIKE_WIDTH)
        self.slot_words = at
        self.n_slots = 2 + max(p.delay for p in graph.projections)
        self._ordered = [p for population in graph.populations for p in graph.onto(population.name)]
        self._place_rows()
        self.programs = _unique([tuple(operations_of(p.program)) for p in graph.populations])
        self.table = self._tables({})
        self.needs = self._needs()
        if checked:
            self.require()

    def require(self) -> None:
        """Raise :class:`DescriptionError` unless there is enough of everything."""
        for need in self.needs:
            if not need.fits:
                raise DescriptionError(
                    f"graph {self.graph.name!r} does not fit this core: it takes {need.needed} {need.what} of "
                    f"{need.available}, {need.needed - need.available} too many; take a core with more of them or a "
                    "smaller graph"
                )

    # --- where things lie ------------------------------------------------------------------------------

    def _place_rows(self) -> None:
        """Give each projection its words of weights, its heads and entries, and its timers."""
        self.weight_words: dict[str, tuple[int, int]] = {}
        self._contents: dict[str, list[tuple[int, ...]]] = {}
        self.heads: dict[str, int] = {}
        self.timers: dict[str, int] = {}
        self._head_words: list[dict[str, int]] = []
        self._entries: list[tuple[int, int]] = []
        self._sparse: set[str] = set()
        words = timers = 0
        for projection in self._ordered:
            connect, rows = projection.connect, self.graph.size_of(projection.source)
            first = words
            if isinstance(connect, Sparse):
                words = self._place_sparse(projection, words)
            elif isinstance(connect, Identity):
                words = self._place_identity(projection, words)
            else:
                words += rows * self.words[projection.target]
            self.weight_words[projection.name] = first, words - first
            if is_timed(projection):
                self.timers[projection.name] = timers
                timers += words_of(rows, SPIKE_WIDTH)
        self.n_weight_words, self.timer_words = words, timers

    def _place_sparse(self, projection: Projection, word: int) -> int:
        """Lay out rows of lists: words without a synapse are not stored, and walked only where a rule looks at all."""
        self.heads[projection.name] = len(self._head_words)
        self._sparse.add(projection.name)
        for row in self.graph.synapses(projection):
            masks = self._masks(row)
            kept = [(k, mask) for k, mask in enumerate(masks) if mask or is_timed(projection)] or [(0, 0)]
            self._head_words.append(
                {"first_word": word, "first_entry": len(self._entries), "last": len(kept) - 1}
            )
            self._entries += kept
            word += sum(mask != 0 for _, mask in kept)
        return word

    def _place_identity(self, projection: Projection, word: int) -> int:
        """Rows of an identity share their words: there are no more of them than lanes and signs."""
        self.heads[projection.name] = len(self._head_words)
        known: dict[tuple[tuple[int, ...], ...], int] = {}
        contents: list[tuple[int, ...]] = []
        for row in self.graph.fixed_weights(projection):
            padded = np.zeros(self.words[projection.target] * self.hardware.lanes, dtype=np.int64)
            padded[: row.size] = row
            parts = padded.reshape(-1, self.hardware.lanes)
            used = [k for k, part in enumerate(parts) if part.any()] or [0]
            values = tuple(tuple(int(v) for v in parts[k]) for k in used)
            if values not in known:
                known[values] = word + len(contents)
                contents += values
            self._head_words.append(
                {"first_word": known[values], "first_entry": len(self._entries), "last": len(used) - 1}
            )
            self._entries += [(k, (1 << self.hardware.lanes) - 1) for k in used]
        self._contents[projection.name] = contents
        return word + len(contents)

    def _masks(self, row: Array) -> list[int]:
        lanes = self.hardware.lanes
        padded = np.zeros(words_of(row.size, lanes) * lanes, dtype=bool)
        padded[: row.size] = row
        return [sum(1 << int(lane) for lane in np.flatnonzero(part)) for part in padded.reshape(-1, lanes)]

    def _needs(self) -> tuple[Need, ...]:
        graph, hw = self.graph, self.hardware
        pixels = graph.n_pixels
        classes = graph.size_of(graph.readout.population) if graph.readout else 0
        return (
            Need("sources", len(graph.sources), hw.sources),
            Need("populations", len(graph.populations), hw.populations),
            Need("modulators", len(graph.modulators), hw.modulators),
            Need("neuron programs", len(self.programs), hw.groups),
            Need(f"words of {hw.lanes} neurons", self.neuron_words, hw.neuron_words),
            Need(f"words of {hw.lanes} weights", self.n_weight_words, hw.weight_words),
            Need("words of 16 spikes", self.n_slots * self.slot_words, hw.spike_words),
            Need("words of 16 row timers", self.timer_words, hw.timer_words),
            Need("table words", len(self.table), hw.table_words),
            Need("heads of sparse rows", len(self._head_words), hw.heads),
            Need("entries of sparse rows", len(self._entries), hw.entries),
            Need("pixels", pixels, hw.pixels),
            Need("classes", classes, hw.classes),
        )

    # --- tables ----------------------------------------------------------------------------------------

    def _tables(self, rates: Mapping[str, int], decide_after: int | None = None) -> list[int]:
        """Return the words of the table, with other weights of scaled projections than theirs, and another decision."""
        graph, readout = self.graph, self.graph.readout
        if decide_after is None:
            decide_after = readout.decide_after if readout else 0
        words = NETWORK.pack(
            {
                "n_sources": len(graph.sources),
                "n_populations": len(graph.populations),
                "slot_words": self.slot_words,
                "ring_words": self.n_slots * self.slot_words,
                "timer_words": self.timer_words,
                "reads": readout is not None,
                "finishes": any(kind_of(p.rule) == RuleKind.END for p in graph.projections),
                "n_classes": graph.size_of(readout.population) if readout else 0,
                "first_class": self.first_neuron[readout.population] if readout else 0,
                "quiet_ticks": readout.quiet_ticks if readout else 0,
                "decide_after": decide_after,
                "stop_delay": readout.delay if readout else 1,
            }
        )
        for population in graph.populations:
            words += POPULATION.pack(population_record(self, population))
            initial = (*population.program.initial, 0, 0, 0, 0)
            words += BEGINNING.pack(
                {f"initial{k}": initial[k] for k in range(4)}
                | {f"salt{stream}": salt(population.process, stream) for stream in range(1, 5)}
            )
            for number, modulator in enumerate(graph.modulators):
                if modulator.target == population.name:
                    heard = [p.name for p in graph.populations]
                    words += MODULATOR.pack(
                        {
                            "port": modulator.port,
                            "number": number,
                            "listens": bool(modulator.source),
                            "hears": heard.index(modulator.source) if modulator.source else 0,
                            "weight": modulator.weight,
                        }
                    )
            for projection in graph.onto(population.name):
                words += PROJECTION.pack(projection_record(self, projection, rates))
        return words

    def source_table(self) -> list[int]:
        """Return the words of the table of sources."""
        return [word for source in self.graph.sources for word in SOURCE.pack(source_record(self, source))]

    # --- contents --------------------------------------------------------------------------------------

    def windows(self) -> Iterator[tuple[Window, int, list[int]]]:
        """Return what is loaded before the weights: window, first place, pieces of 32 bits."""
        wide = pieces_of(TABLE_WIDTH)
        yield Window.TABLES, 0, pieces(self.table, TABLE_WIDTH)
        yield Window.SOURCES, 0, pieces(self.source_table(), TABLE_WIDTH)
        for number, program in enumerate(self.programs):
            words = [OPERATION.pack(dict(operation))[0] for operation in program]
            yield Window.OPERATIONS, number * OPERATIONS * wide, pieces(words, TABLE_WIDTH)
        if self._head_words:
            words = [HEAD.pack(values)[0] for values in self._head_words]
            yield Window.HEADS, 0, pieces(words, TABLE_WIDTH)
            entries = [word | mask << ENTRY_WORD_WIDTH for word, mask in self._entries]
            yield Window.ENTRIES, 0, pieces(entries, ENTRY_WORD_WIDTH + self.hardware.lanes)
        for population in self.graph.populations:
            if population.lasting:
                yield self._initial_states(population)
        for projection in self._ordered:
            if not isinstance(projection.connect, Dense):
                yield self._weight_pieces(projection, self._fixed_words(projection))

    def contents(self) -> Iterator[tuple[Window, int, list[int]]]:
        """Return all that is loaded, the initial weights and counters of 0 included, as :meth:`windows` does."""
        yield from self.windows()
        for name, projection in self.stored.items():
            yield self.weight_contents(name, self.graph.initial_weights(projection))
        yield Window.COUNTERS, 0, [0] * self.counter_places

    @property
    def counter_places(self) -> int:
        """Places of the window of counters."""
        return len(Counter) * (self.hardware.populations + 1) * pieces_of(COUNTER_WIDTH)

    def counters_from(self, contents: Sequence[int]) -> dict[str, int]:
        """Return all counters by name from the pieces of their window."""
        values = np.array(contents, dtype=np.int64).reshape(-1, pieces_of(COUNTER_WIDTH))
        table = (values[:, 0] | values[:, 1] << PIECE_WIDTH).reshape(-1, len(Counter))
        ticks, samples, pixels = (int(value) for value in table[self.hardware.populations, :3])
        result = {"samples": samples, "ticks": ticks, "input_spikes": pixels}
        for population, row in zip(self.graph.populations, table, strict=False):
            counted = list(Counter) if self.graph.stored(population.name) else [Counter.SPIKES]
            result |= {f"{population.name}_{counter.name.lower()}": int(row[counter]) for counter in counted}
        return result

    def weight_places(self, name: str) -> tuple[int, int]:
        """Return where the weights of a projection lie in their window: the first place, and how many."""
        places = pieces_of(self.hardware.weight_width * self.hardware.lanes)
        first, count = self.weight_words[name]
        return first * places, count * places

    def _initial_states(self, population: Population) -> tuple[Window, int, list[int]]:
        """Return the first states of a population whose states last: no sample sets them."""
        hw, initial = self.hardware, (*population.program.initial, 0, 0, 0, 0)
        pairs = [(initial[k] & 0xFFFF) | (initial[k + 1] & 0xFFFF) << 16 for k in range(0, MAX_STATES, 2)]
        of_part = [pair for pair in pairs for _ in range(hw.units)]
        of_part += [0] * (PLACE_STRIDE * hw.units - len(of_part))
        first = self.first_neuron[population.name] // hw.units
        return Window.STATES, first * len(of_part), of_part * words_of(population.size, hw.units)

    def rate_table(
        self, rates: Mapping[str, int], decide_after: int | None = None
    ) -> tuple[Window, int, list[int]]:
        """Return the table with other learning rates or another number of spikes that decides, as :meth:`windows`."""
        return Window.TABLES, 0, pieces(self._tables(rates, decide_after), TABLE_WIDTH)

    def _fixed_words(self, projection: Projection) -> Array:
        if projection.name in self._contents:
            return np.array(self._contents[projection.name], dtype=np.int64).reshape(-1, self.hardware.lanes)
        return self._dense_words(projection, self.graph.fixed_weights(projection))

    def _dense_words(self, projection: Projection, matrix: Array) -> Array:
        lanes, words = self.hardware.lanes, self.words[projection.target]
        padded = np.zeros((len(matrix), words * lanes), dtype=np.int64)
        padded[:, : matrix.shape[1]] = matrix
        return padded.reshape(-1, lanes)

    def _weight_pieces(self, projection: Projection, words: Array) -> tuple[Window, int, list[int]]:
        width, lanes = self.hardware.weight_width, self.hardware.lanes
        first, _ = self.weight_places(projection.name)
        dtype = np.int8 if width == 8 else np.int16
        data = np.ascontiguousarray(words.astype(dtype)).tobytes()
        size = lanes * width // 8
        if size < 4:
            data = b"".join(data[k : k + size].ljust(4, b"\0") for k in range(0, len(data), size))
        return Window.WEIGHTS, first, np.frombuffer(data, dtype="<u4").tolist()

    def weight_contents(self, name: str, weights: Array) -> tuple[Window, int, list[int]]:
        """Return the weights of a stored projection, int of shape ``(source size, target size)``, as pieces.

        Raises
        ------
        ValueError
            For weights of another shape, or outside of the bounds of the projection.
        """
        projection = self.stored[name]
        shape = (self.graph.size_of(projection.source), self.graph.size_of(projection.target))
        if np.shape(weights) != shape:
            raise ValueError(f"weights of projection {name!r} have shape {np.shape(weights)}, not {shape}")
        low, high = self.graph.weight_bounds(projection)
        weights = np.where(self.graph.synapses(projection), weights, 0).astype(np.int64)
        outside = weights[(weights < min(low, 0)) | (weights > max(high, 0))]
        if outside.size:
            raise ValueError(
                f"a weight of projection {name!r} is {outside[0]}; its bounds are {low} and {high}"
            )
        words = self._dense_words(projection, weights)
        if name in self._sparse:
            per_row = self.words[projection.target]
            words = words[self._sparse_places(name, per_row)]
        return self._weight_pieces(projection, words)

    def weights_from(self, name: str, contents: Sequence[int]) -> Array:
        """Return the weights of a projection, int16, from the pieces of its words."""
        projection, hw = self.stored[name], self.hardware
        shape = (self.graph.size_of(projection.source), self.graph.size_of(projection.target))
        size = hw.lanes * hw.weight_width // 8
        data = np.array(contents, dtype="<u4").tobytes()
        if size < 4:
            data = b"".join(data[k : k + size] for k in range(0, len(data), 4))
        dtype = np.int8 if hw.weight_width == 8 else np.int16
        words = np.frombuffer(data, dtype=dtype).astype(np.int16).reshape(-1, hw.lanes)
        per_row = self.words[projection.target]
        whole = np.zeros((shape[0] * per_row, hw.lanes), dtype=np.int16)
        if name in self._sparse:
            whole[self._sparse_places(name, per_row)] = words
        else:
            whole[:] = words
        return np.where(self.graph.synapses(projection), whole.reshape(shape[0], -1)[:, : shape[1]], 0)

    def _sparse_places(self, name: str, per_row: int) -> list[int]:
        """Return for each stored word of a sparse projection which word of the whole matrix it is."""
        rows: list[int] = []
        projection = self.stored[name]
        for number, row in enumerate(self.graph.synapses(projection)):
            rows += [number * per_row + k for k, mask in enumerate(self._masks(row)) if mask]
        return rows

    @property
    def stored(self) -> dict[str, Projection]:
        """Projections whose weights are read and written."""
        return {p.name: p for p in self._ordered if isinstance(p.connect, Dense)}


def _unique(items: Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys(items))


def pieces(words: Sequence[int], width: int) -> list[int]:
    """Return words of so many bits as pieces of 32, each word from a power of two on."""
    places = pieces_of(width)
    mask = (1 << PIECE_WIDTH) - 1
    return [word >> (PIECE_WIDTH * place) & mask for word in words for place in range(places)]


def _check_parts(graph: Graph, hardware: CoreHardware) -> None:
    """Raise for parts that no core has, or that this one is too narrow for."""
    check_readout(graph)
    for population in graph.populations:
        rule = graph.rule_of(population.name)
        kind_of(rule)
        if isinstance(rule, HistoryRule) and rule.window > hardware.window:
            raise DescriptionError(
                f"the rule of population {population.name!r} looks at {rule.window} ticks; this core keeps "
                f"{hardware.window}: take a rule with a window of {hardware.window}"
            )
    for projection in graph.projections:
        connect = projection.connect
        if isinstance(connect, Dense) and connect.width > hardware.weight_width:
            raise DescriptionError(
                f"the weights of projection {projection.name!r} have {connect.width} bits; those of this core have "
                f"{hardware.weight_width}: take fewer bits or a core with wider weights"
            )
