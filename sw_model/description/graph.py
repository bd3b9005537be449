# SPDX-License-Identifier: BSD-2-Clause
"""A network as a graph of sources, populations and projections, and what is asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from erbium.sw_model import constants
from erbium.sw_model.description.channels import Channel
from erbium.sw_model.description.connect import Given, Identity, RandomSigns, Sparse, Stored
from erbium.sw_model.description.fit import check_graph
from erbium.sw_model.description.parts import (
    LOADED,
    Events,
    Label,
    Modulator,
    Population,
    Projection,
    Readout,
    Source,
)
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import LatencyEncoder, Rule
from erbium.sw_model.rules.pixels import lowest_seen, rounded


@dataclass(frozen=True)
class Graph:
    """Everything that decides what an array computes.

    A tick, for each population in the order of the list: the row passes of its projections in their order, rows
    ascending; then its sweep. Its spikes are events of the same tick (delay 0) or of later ones.

    Parameters
    ----------
    name : str
        For people; not part of the digest.
    sources : tuple of Source
    populations : tuple of Population
        In the order in which they are swept.
    projections : tuple of Projection
        Those that end on one population are walked in this order.
    readout : SpikeCount, FirstSpike or None
        What names an answer and ends a sample; ``None``: a sample has all its ticks and no answer.
    n_ticks : int
        Longest sample, 1 ... 4096.
    seed : int
        Seed of initial weights, random signs and all random numbers.
    modulators : tuple of Modulator
        Values that reach all neurons of a population at once.

    Raises
    ------
    DescriptionError
        For parts that do not fit each other: one sentence that names the part, the value, the limit and the way out.
    """

    name: str
    sources: tuple[Source, ...]
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    readout: Readout | None = None
    n_ticks: int = 32
    seed: int = 1
    modulators: tuple[Modulator, ...] = ()

    def __post_init__(self) -> None:
        check_graph(self)

    # --- what is asked ---------------------------------------------------------------------------------

    @property
    def writers(self) -> tuple[Source | Population, ...]:
        """All that sends spikes: the sources, then the populations."""
        return (*self.sources, *self.populations)

    def source(self, name: str) -> Source | None:
        """Return the source of this name, or ``None``."""
        return next((source for source in self.sources if source.name == name), None)

    def population(self, name: str) -> Population:
        """Return the population of this name."""
        for population in self.populations:
            if population.name == name:
                return population
        raise DescriptionError(
            f"there is no population {name!r}; there are {', '.join(repr(p.name) for p in self.populations)}"
        )

    def size_of(self, name: str) -> int:
        """Return how many addresses a source or population has."""
        return (self.source(name) or self.population(name)).size

    def onto(self, population: str) -> tuple[Projection, ...]:
        """Return the projections that end on a population, in the order in which they are walked."""
        return tuple(p for p in self.projections if p.target == population)

    def stored(self, population: str) -> tuple[Projection, ...]:
        """Return those of them whose weights lie in a memory."""
        return tuple(p for p in self.onto(population) if isinstance(p.connect, Stored))

    def rule_of(self, population: str) -> Rule | None:
        """Return the rule by which the projections of a population learn."""
        return next((p.rule for p in self.onto(population) if p.rule is not None), None)

    @property
    def n_pixels(self) -> int:
        """Pixels of a sample: those of all sources that encode them, one source after the other."""
        return sum(source.size for source in self.loaded)

    @property
    def loaded(self) -> tuple[Source, ...]:
        """Sources that encode pixels."""
        return tuple(source for source in self.sources if isinstance(source.encoder, LOADED))

    @property
    def event_sources(self) -> tuple[Source, ...]:
        """Sources whose events the host gives, tick by tick."""
        return tuple(source for source in self.sources if isinstance(source.encoder, Events))

    @property
    def n_classes(self) -> int:
        """Neurons that are read out, or labels that can be taught; 0 where there is neither."""
        if self.readout is not None:
            return self.size_of(self.readout.population)
        return max((s.size for s in self.sources if isinstance(s.encoder, Label)), default=0)

    @property
    def lowest_pixel(self) -> int:
        """Smallest pixel value that can spike in any source; darker pixels need not be sent."""
        return min(map(_lowest_pixel, self.loaded), default=1)

    @property
    def one_bit_pixels(self) -> bool:
        """Whether all pixels from :attr:`lowest_pixel` on do the same in every source, so that one bit says it."""
        return all(
            isinstance(source.encoder, LatencyEncoder)
            and len(source.encoder.levels) == 1
            and _lowest_pixel(source) == self.lowest_pixel
            for source in self.loaded
        )

    @property
    def pixel_bits(self) -> int:
        """Bits of the pixels that encoders see: 4 if that is enough for every source, else 8."""
        return max((source.pixel_bits for source in self.loaded), default=8)

    def seen(self, pixels: constants.Array) -> constants.Array:
        """Return pixels, in the last dimension those of a sample, as the encoders of the sources see them."""
        if all(source.pixel_bits == 8 for source in self.loaded):
            return pixels
        ends = np.cumsum([source.size for source in self.loaded])[:-1]
        parts = np.split(pixels, ends, axis=-1)
        return np.concatenate(
            [rounded(part, source.pixel_bits) for part, source in zip(parts, self.loaded, strict=True)],
            axis=-1,
        )

    @property
    def decide_after(self) -> int:
        """Spikes of a class that settle an inference, 0 for never."""
        return self.readout.decide_after if self.readout is not None else 0

    @property
    def spikes_once(self) -> bool:
        """Whether neurons spike at most once in a sample."""
        return self.readout is not None and self.readout.spikes_once

    @property
    def replays(self) -> bool:
        """Whether the readout says at the end of a sample what rows that are replayed learn."""
        return self.readout is not None and self.readout.replays

    @property
    def rates(self) -> dict[str, int]:
        """Full learning rates, by the name of the scaled projection or of the population that has one.

        A scaled projection's is its weight; that of a first-spike population is the probability, in 1/65536, that a
        replayed row is touched.
        """
        result: dict[str, int] = {}
        for projection in self.projections:
            if projection.scaled and isinstance(projection.connect, (Identity, RandomSigns)):
                result[projection.name] = projection.connect.weight
        for population in self.populations:
            rule = self.rule_of(population.name)
            if rule is not None and rule.full_rate:
                result[population.name] = rule.full_rate
        return result

    def check_rates(self, rates: Mapping[str, int]) -> None:
        """Raise ``ValueError`` unless each rate has a name of :attr:`rates` and is 0 ... its full rate."""
        full = self.rates
        for name, rate in rates.items():
            if name not in full or not 0 <= rate <= full[name]:
                known = ", ".join(f"{key} (0 to {value})" for key, value in full.items())
                raise ValueError(f"rate {name!r} is set to {rate}; the graph has {known or 'no rates'}")

    def check_weights(self, names: Iterable[str]) -> None:
        """Raise ``ValueError`` unless each is the name of a projection whose weights are stored."""
        known = [p.name for population in self.populations for p in self.stored(population.name)]
        for name in names:
            if name not in known:
                raise ValueError(
                    f"there are no weights of a projection {name!r}; there are {', '.join(known)}"
                )

    def check_sample(self, image: constants.Array, label: int | None) -> constants.Array:
        """Return an image as it is presented; raise ``ValueError`` for one, or a label, that does not fit."""
        image = np.ascontiguousarray(image)
        if image.dtype != np.uint8 or image.shape != (self.n_pixels,):
            raise ValueError(
                f"the image is {image.dtype} of shape {image.shape}; it must be uint8 of shape ({self.n_pixels},)"
            )
        classes = max(self.n_classes, 1)
        if label is not None and not 0 <= label < classes:
            raise ValueError(f"label is {label}; it must be from 0 to {classes - 1}")
        return self.seen(image)

    def channels(self) -> tuple[Channel, ...]:
        """Return every channel: one from each source and population to the projections that begin there."""
        return tuple(self._channels())

    def _channels(self) -> Iterator[Channel]:
        for part in self.writers:
            delays = sorted({p.delay for p in self.projections if p.source == part.name})
            for delay in delays:
                sinks = tuple(p.name for p in self.projections if p.source == part.name and p.delay == delay)
                name = f"{part.name}_spikes" + (f"_{delay}" if delay else "")
                yield Channel(name, part.name, sinks, part.size, delay)

    # --- weights ---------------------------------------------------------------------------------------

    def weight_bounds(self, projection: Projection) -> tuple[int, int]:
        """Return the smallest and largest weight of a projection whose weights are stored."""
        assert isinstance(projection.connect, Stored)
        rule = self.rule_of(projection.target)
        half = 1 << (projection.connect.width - 1)
        return (-half, half - 1) if rule is None else rule.bounds(projection.connect.width)

    def initial_weights(self, projection: Projection) -> constants.Array:
        """Return the weights of a projection at first, int16 of shape ``(source size, target size)``.

        Those of a ``Sparse`` one are 0 where no synapse is. Identities and random signs have none that are stored.
        """
        connect = projection.connect
        assert isinstance(connect, Stored)
        rows, columns = self.size_of(projection.source), self.size_of(projection.target)
        low, high = self.weight_bounds(projection)
        if isinstance(connect.weights, Given):
            values = np.array(connect.weights.values, dtype=np.int64)
        else:
            uniform = connect.weights
            stream = uniform.stream if uniform.stream is not None else constants.named_stream(projection.name)
            drawn = constants.uniform_weights(
                self.seed, stream, uniform.first_row + rows, columns, uniform.bound
            )
            drawn = drawn[uniform.first_row :].astype(np.int64)
            values = drawn << (connect.width - 8) if connect.width >= 8 else drawn >> (8 - connect.width)
        mask = self.synapses(projection)
        return np.where(mask, np.clip(values, low, high), 0).astype(np.int16)

    def synapses(self, projection: Projection) -> constants.Array:
        """Return where a stored projection has a synapse: bool of shape ``(source size, target size)``."""
        shape = (self.size_of(projection.source), self.size_of(projection.target))
        if not isinstance(projection.connect, Sparse):
            return np.ones(shape, dtype=bool)
        mask = np.zeros(shape, dtype=bool)
        for row, targets in enumerate(projection.connect.targets):
            mask[row, list(targets)] = True
        return mask

    def fixed_weights(self, projection: Projection) -> constants.Array:
        """Return what an event adds at a weight of 1: int64 of shape ``(source size, target size)``."""
        connect = projection.connect
        rows, columns = self.size_of(projection.source), self.size_of(projection.target)
        assert isinstance(connect, (Identity, RandomSigns))
        if isinstance(connect, Identity):
            matrix = np.zeros((rows, columns), dtype=np.int64)
            neurons = np.arange(min(rows, columns))
            if connect.pairs == "source":
                matrix[2 * neurons, neurons], matrix[2 * neurons + 1, neurons] = 1, -1
            elif connect.pairs == "target":
                matrix[neurons, 2 * neurons], matrix[neurons, 2 * neurons + 1] = 1, -1
            else:
                matrix[neurons, neurons] = 1
            return matrix
        groups = rows // 2 if connect.pairs == "source" else rows
        stream = connect.stream if connect.stream is not None else constants.named_stream(projection.name)
        draw = constants.sign_feedback if connect.largest == 1 else constants.wide_feedback
        matrix = draw(self.seed, stream, columns, groups).T.astype(np.int64)
        if connect.pairs == "source":
            matrix = np.stack([matrix, -matrix], axis=1).reshape(rows, columns)
        return matrix


def _lowest_pixel(source: Source) -> int:
    """Return the smallest pixel that can spike in a source."""
    encoder = source.encoder
    return lowest_seen(encoder.lowest if isinstance(encoder, LatencyEncoder) else 1, source.pixel_bits)
