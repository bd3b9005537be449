# SPDX-License-Identifier: BSD-2-Clause
"""A core behind a port, whatever that is: what it announces, graphs that are loaded into it, samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from erbium.gen.core_image import CoreImage
from erbium.gen.core_tokens import sample_tokens
from erbium.sw_model.constants import Array
from erbium.sw_model.description.codec import digest
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import (
    CAPACITY,
    DIGEST_PIECES,
    INFO_CAPACITY,
    MAGIC,
    TABLES_VERSION,
    CoreHardware,
    Info,
    Window,
    announced,
    digest_in,
    digest_pieces,
)
from erbium.sw_model.graph_model.drive import NOTHING, Drive
from erbium.sw_model.results import SampleModel, SampleResult


class CoreError(RuntimeError):
    """A core is not what it should be; the text says what to do."""


class NoNetworkError(CoreError):
    """No whole network is loaded."""


class Outcome(NamedTuple):
    """What a core says at the end of a sample: its answer, -1 for none, ticks, and the tick of the decision."""

    answer: int
    ticks: int
    decision: int


class CorePort(Protocol):
    """How a host reaches a core."""

    def write(self, window: Window, address: int, contents: Sequence[int]) -> None:
        """Write pieces of 32 bits from a place of a window on."""

    def read(self, window: Window, address: int, count: int) -> Array:
        """Read so many pieces, uint32."""

    def present(self, tokens: Array, n_ticks: int) -> Outcome | None:
        """Send a sample of at most so many ticks, uint64 tokens, and wait for its end.

        Return ``None`` if the core dropped it, since no whole network is loaded.
        """


class CoreChip(SampleModel):
    """A core with a graph: the interface of :class:`erbium.sw_model.core.fast.CoreModel`.

    Parameters
    ----------
    port : CorePort

    Attributes
    ----------
    hardware : CoreHardware
        How large it is, by its own account.
    graph : Graph or None
        What was loaded through this object.

    Raises
    ------
    CoreError
        If no core answers, or one whose tables are of another version.
    """

    graph: Graph

    def __init__(self, port: CorePort) -> None:
        self.port = port
        magic, version = (int(self._info(place)) for place in (Info.MAGIC, Info.VERSION))
        if magic != MAGIC:
            raise CoreError(
                f"what answers is no core: it says {magic:#x} and not {MAGIC:#x}; load the bitstream of a core"
            )
        if version != TABLES_VERSION:
            raise CoreError(
                f"the core has tables of version {version}, this host writes those of version {TABLES_VERSION}; "
                "build the core with the same Erbium"
            )
        self.hardware: CoreHardware = announced(port.read(Window.INFO, INFO_CAPACITY, len(CAPACITY)).tolist())
        self._fresh, self._rates = True, dict[str, int]()

    def _info(self, place: int) -> int:
        return int(self.port.read(Window.INFO, place, 1)[0])

    # --- loading ---------------------------------------------------------------------------------------

    @property
    def loaded(self) -> bool:
        """Whether a whole network lies in the core; not when it was just switched on, nor in the middle of loading."""
        return bool(self._info(Info.LOADED))

    @property
    def digest(self) -> str:
        """Digest of what is loaded, by the core's own account."""
        return digest_in(self.port.read(Window.INFO, Info.DIGEST, DIGEST_PIECES))

    def load_graph(self, graph: Graph) -> None:
        """Load a graph with its initial weights.

        Raises
        ------
        DescriptionError
            For one that does not fit; the graph before stays.
        CoreError
            If the core does not say in the end that it has this graph.
        """
        image = CoreImage(graph, self.hardware)
        self.port.write(Window.INFO, Info.LOADED, [0])
        self.image, self.graph = image, graph
        for contents in image.contents():
            self.port.write(*contents)
        self._fresh, self._rates = True, {}
        name = digest(graph)
        self.port.write(Window.INFO, Info.DIGEST, digest_pieces(name))
        self.port.write(Window.INFO, Info.LOADED, [1])
        if self.digest != name or not self.loaded:
            raise CoreError(
                f"the core says that it has {self.digest[:12]} and not {name[:12]}, which was loaded; load it again"
            )

    def load(self, weights: Mapping[str, Array]) -> None:
        """Replace the weights of the projections that are named; of the others nothing changes."""
        self.graph.check_weights(weights)
        for contents in [self.image.weight_contents(name, values) for name, values in weights.items()]:
            self.port.write(*contents)

    def set_rates(self, rates: Mapping[str, int]) -> None:
        """Set learning rates by name, each 0 ... its full rate (:attr:`Graph.rates`)."""
        self.graph.check_rates(rates)
        self._rates |= rates
        self.port.write(*self.image.rate_table(self._rates))

    # --- samples ---------------------------------------------------------------------------------------

    def sample(
        self,
        image: Array,
        *,
        seed: int,
        label: int | None = None,
        n_ticks: int | None = None,
        drive: Drive = NOTHING,
    ) -> SampleResult:
        """Present one sample; see :meth:`erbium.sw_model.core.fast.CoreModel.sample`.

        Raises
        ------
        NoNetworkError
            If no whole network is loaded.
        """
        graph, ticks = self.graph, n_ticks or self.graph.n_ticks
        drive.check(graph)
        image = graph.check_sample(image, label)
        tokens = sample_tokens(graph, image, seed, label, ticks, drive, clear=drive.clear or self._fresh)
        outcome = self.port.present(tokens, ticks)
        if outcome is None:
            raise NoNetworkError(
                "no whole network is loaded: loading was interrupted, or the board was switched on anew; load one again"
            )
        self._fresh = False
        result = SampleResult(*outcome)
        self._sampled(result)
        return result

    def _sampled(self, result: SampleResult) -> None:
        """Note what else there is to know of a sample that was presented."""

    # --- reading back ----------------------------------------------------------------------------------

    @property
    def weights(self) -> dict[str, Array]:
        """Weights by projection, int16 of shape ``(source size, target size)``, read back from the core."""
        return {
            name: self.image.weights_from(name, self.port.read(Window.WEIGHTS, *places).tolist())
            for name, places in ((name, self.image.weight_places(name)) for name in self.image.stored)
        }

    def counters(self) -> dict[str, int]:
        """Return all counters by name, read back from the core."""
        return self.image.counters_from(
            self.port.read(Window.COUNTERS, 0, self.image.counter_places).tolist()
        )
