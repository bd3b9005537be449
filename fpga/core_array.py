# SPDX-License-Identifier: BSD-2-Clause
"""A layered network on the core of a board, with the interface of an array on a board."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from erbium.fpga.core_board import BoardCore
from erbium.fpga.driver import BoardFacts
from erbium.fpga.transport import BoardLostError, BoardResetError, LineLostError, NoAnswerError, Transport
from erbium.gen.core_chip import NoNetworkError
from erbium.hdl.population import engine_populations
from erbium.hdl.registers import counter_names
from erbium.sw_model.constants import Array
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Network
from erbium.sw_model.results import Results


class CoreArray:
    """A core that runs a layered network: the interface of :class:`erbium.fpga.driver.BoardArray`.

    Parameters
    ----------
    network : Network or Graph
        It is loaded with its initial weights.
    transport : Transport
        The line to the board, which is closed with it.

    Attributes
    ----------
    core : BoardCore
    network, populations, facts, decide_after
        Of :class:`erbium.fpga.driver.BoardArray`.

    Raises
    ------
    DescriptionError
        If the network does not fit the core.
    NoAnswerError, BoardMismatchError, CoreError
        Of :class:`erbium.fpga.core_board.BoardCore`.
    BoardLostError
        By each method, if the board goes away or gives no answer any more.
    """

    def __init__(self, network: Network | Graph, transport: Transport) -> None:
        self.network, self._graph = network, graph_of(network)
        self.populations = engine_populations(network)
        self.core = BoardCore(transport, self._graph)
        hardware, port = self.core.hardware, self.core.port
        self.facts = BoardFacts(hardware.lanes, port.clock_frequency, port.link.window.buffer_bytes)
        self.decide_after = self._decides_after = self._graph.decide_after
        self._rates = self._rates_written = [population.rate.full for population in self.populations]
        self._n_samples = 0

    @property
    def name(self) -> str:
        """What people call the line to the board."""
        return self.core.name

    @property
    def baud_rate(self) -> int:
        """Bits per second of the line."""
        return self.core.port.link.transport.baud_rate

    @property
    def retries(self) -> int:
        """Frames that had to be sent again."""
        return self.core.retries

    def close(self) -> None:
        """Give the line back."""
        self.core.close()

    def set_rates(self, rates: Sequence[int]) -> None:
        """Set the learning rate of each layer, 0 ... its full rate."""
        self._rates = [int(rate) for rate in rates]

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order; learn them if there are labels. See :meth:`BoardArray.run`."""
        with self._guarded():
            self._write_settings()
            results = self.core.run(images, seeds, labels, n_ticks=n_ticks)
        self._n_samples += len(images)
        return results

    def counters(self) -> dict[str, int]:
        """Return the counters that the model has too, by name."""
        with self._guarded():
            counted = self.core.counters()
        if counted["samples"] != self._n_samples:
            raise BoardLostError(
                f"the core on {self.name} has counted {counted['samples']:,} samples of {self._n_samples:,}; it was "
                "loaded anew meanwhile, so start again from the last checkpoint"
            )
        return {name: counted[name] for name in counter_names(self.network)}

    def performance(self) -> dict[str, int]:
        """Return the bytes of all frames that brought samples, ``line_bytes``: a core counts no clocks."""
        return {"line_bytes": self.core.port.link.sample_bytes}

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``, read back from the board."""
        with self._guarded():
            weights = self.core.weights
        return [population.rows_of(weights) for population in self.populations]

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights."""
        by_name: dict[str, Array] = {}
        for population, rows in zip(self.populations, weights, strict=True):
            by_name |= population.weights_in(np.asarray(rows))
        with self._guarded():
            self.core.load(by_name)

    def _write_settings(self) -> None:
        """Write the tables anew if they do not hold what they should."""
        if (self.decide_after, self._rates) == (self._decides_after, self._rates_written):
            return
        rates: dict[str, int] = {}
        for population, rate in zip(self.populations, self._rates, strict=True):
            projection = population.feedback_projection
            rates[population.name if projection is None else projection.name] = rate
        self.core.port.write(*self.core.image.rate_table(rates, self.decide_after))
        self._decides_after, self._rates_written = self.decide_after, self._rates

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn a line that is lost, or a core that has lost its network, into a board that is lost."""
        try:
            yield
        except (BoardResetError, LineLostError, NoAnswerError, NoNetworkError) as error:
            raise BoardLostError(str(error)) from None
