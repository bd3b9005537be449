# SPDX-License-Identifier: BSD-2-Clause
"""The chip: one interface to the array, whatever runs it.

A chip learns and infers batches of images. Every backend gives the same integers, so a script that ran on
the model runs on the generated Verilog by changing one argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from erbium.sw_model import constants
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import Array
from erbium.sw_model.faults import Faults
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sw_model.results import Results

if TYPE_CHECKING:
    from erbium.fpga.driver_open import Target
    from erbium.tracing import Trace

BACKENDS = {
    "model": "the model, compiled",
    "reference": "the model as NumPy spells it out: readable and slow",
    "rtl": "the hardware, simulated by whatever is fastest",
}
"""What can run the array, with one phrase about each."""

SIMULATOR_BACKENDS = {
    "rtl:vectors": "the hardware as C++ that is vectorised over its lanes",
    "rtl:verilator": "the generated Verilog, compiled by Verilator",
}
"""The hardware in a simulator that is named."""

BOARD_BACKENDS = {
    "board:PORT": "a board on a serial port, such as board:/dev/ttyUSB0",
    "sim:BOARD": "the chip of a board's bitstream, simulated behind its serial line",
}
"""What else can run it, with the name of a port or a board behind the colon."""

PARALLEL_IMAGES = 64
"""Inferences that are worth the start of some threads."""

_OTHER_NAMES = {"fast": "model"}


class ChipError(ValueError):
    """Images, labels or weights that the chip cannot take; the text names value, limit and way out."""


class Engine(Protocol):
    """What a backend offers to :class:`Chip`."""

    @property
    def weights(self) -> Sequence[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``."""

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order; learn them if there are labels."""

    def counters(self) -> Mapping[str, int]:
        """Return all counters by name."""

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights."""

    def set_rates(self, rates: Sequence[int], /) -> None:
        """Set the learning rate of each layer, 0 ... its full rate."""


class Chip:
    """An array that learns and infers.

    Parameters
    ----------
    network : Network
    engine : Engine
        What computes.
    backend : str
        Name of the backend, for people.

    Attributes
    ----------
    network : Network
    backend : str
    position : int
        Number of the next sample to learn. With the network's seed it decides every random number that the
        sample draws.

    Notes
    -----
    Use :func:`open_chip`. A chip is a context manager; leaving it closes it.
    """

    def __init__(self, network: Network, engine: Engine, backend: str) -> None:
        self.network = network
        self.backend = backend
        self.position = 0
        self._engine: Engine | None = engine
        self._counters_before: dict[str, int] = {}
        self._decide_after = network.decide_after

    def learn(self, images: Array, labels: Array, n_ticks: int | None = None) -> Results:
        """Learn images one after the other and advance :attr:`position`.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        labels : ndarray of int, shape (n,)
            Class of each image, 0 ... n_classes - 1.
        n_ticks : int, optional
            Longest presentation; default is the network's.

        Returns
        -------
        Results
            Of presentations that were learned. In eRBP the label takes part in them, so the answers are no
            measure of accuracy; in a first-spike network it does not, and they are the answers before learning.
        """
        engine = self._working()
        images = _checked_images(images, self.network)
        labels = _checked_labels(labels, len(images), self.network)
        _check_ticks(n_ticks, self.network)
        seeds = constants.sample_seeds(self.network.seed, True, self.position, len(images))
        results = engine.run(images, seeds, labels, n_ticks=n_ticks)
        self.position += len(images)
        return results

    def infer(self, images: Array, n_ticks: int | None = None, first: int = 0) -> Results:
        """Classify images. The answers follow from the weights, the images and `first` alone.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        n_ticks : int, optional
            Longest presentation; default is the network's.
        first : int
            Number of the first image, which decides its random numbers. Give the images of a large set
            their place in the set, and the answers do not depend on how it is cut into batches.
        """
        engine = self._working()
        images = _checked_images(images, self.network)
        _check_ticks(n_ticks, self.network)
        if first < 0:
            raise ChipError(f"the number of the first image is {first}; it must be at least 0")
        seeds = constants.sample_seeds(self.network.seed, False, first, len(images))
        # Inferences do not depend on each other, so whoever can does them side by side.
        parallel = getattr(engine, "infer_parallel", None)
        if parallel is not None and len(images) >= PARALLEL_IMAGES:
            results: Results = parallel(images, seeds, n_ticks)
            return results
        return engine.run(images, seeds, n_ticks=n_ticks)

    def trace(
        self, image: Array, label: int | None = None, *, number: int | None = None, n_ticks: int | None = None
    ) -> Trace:
        """Return every spike and every state of one sample, from the weights as they are now.

        The model runs the sample, which gives the same integers; this chip learns nothing by it, and counts nothing.

        Parameters
        ----------
        image : ndarray of uint8, shape (n_inputs,)
        label : int, optional
            Class to learn it with, at the full rate; without it the sample is only answered.
        number : int, optional
            Number of the sample, which decides its random numbers; default is 0 for an answer, and
            :attr:`position` for a sample that is learned.
        n_ticks : int, optional
            Longest presentation; default is the network's.
        """
        from erbium.tracing import trace

        chosen = (0 if label is None else self.position) if number is None else number
        return trace(self.network, image, label, weights=self.weights, number=chosen, n_ticks=n_ticks)

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``; in eRBP the last row is the bias. A copy."""
        return [np.array(values, dtype=np.int16) for values in self._working().weights]

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights."""
        self._working().load(_checked_weights(weights, self.network))

    @property
    def counters(self) -> dict[str, int]:
        """What the array has done, learning and inference together, by name; layers count from 1."""
        now = self._working().counters()
        return {name: int(value) + self._counters_before.get(name, 0) for name, value in now.items()}

    def restore(self, weights: Sequence[Array], position: int, counters: Mapping[str, int]) -> None:
        """Carry on from where another chip of this network stood: its weights, position and counters."""
        self.load(weights)
        check_range("position", position, 0, (1 << 63) - 1)
        now = self._working().counters()
        self.position = position
        self._counters_before = {name: counters.get(name, 0) - int(value) for name, value in now.items()}

    def set_rate(self, factor: float) -> None:
        """Set the learning rate to a share, 0 ... 1, of the network's full rates."""
        self._working().set_rates(self.network.scaled_rates(factor))

    @property
    def decide_after(self) -> int:
        """In inference a sample stops when an output neuron has spiked so often; 0: never."""
        return self._decide_after

    @decide_after.setter
    def decide_after(self, n_spikes: int) -> None:
        most, why = self.network.error.decide_limit(self.network.n_ticks)
        check_range("decide_after", n_spikes, 0, most, why)
        engine: Any = self._working()
        engine.decide_after = n_spikes
        self._decide_after = n_spikes

    @property
    def performance(self) -> dict[str, int]:
        """Measured work of the hardware: ``cycles``, ``layer1_row_words`` ...; empty for a model."""
        measure = getattr(self._working(), "performance", None)
        return {} if measure is None else {name: int(value) for name, value in measure().items()}

    @property
    def engine(self) -> Engine:
        """What computes: samples with seeds of their own go to it."""
        return self._working()

    def close(self) -> None:
        """Release the backend; the chip cannot be used afterwards."""
        engine, self._engine = self._engine, None
        close = getattr(engine, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _working(self) -> Engine:
        if self._engine is None:
            raise ChipError("the chip is closed; open another one with open_chip()")
        return self._engine


def backend_named(name: str) -> str:
    """Return what a backend is called in :data:`BACKENDS`.

    Raises
    ------
    DescriptionError
        If there is none of that name.
    """
    name = _OTHER_NAMES.get(name, name)
    kind, _, rest = name.partition(":")
    if name in BACKENDS:
        return name
    if name in SIMULATOR_BACKENDS:
        return "rtl"
    if kind not in ("board", "sim"):
        raise DescriptionError(
            f"there is no backend {name!r}; there are "
            f"{', '.join([*BACKENDS, *SIMULATOR_BACKENDS, *BOARD_BACKENDS])}"
        )
    if not rest:
        what = "its port, such as board:/dev/ttyUSB0" if kind == "board" else "a board, such as sim:ulx3s-85f"
        raise DescriptionError(f"backend {kind!r} needs the name of {what}")
    _target(name)
    return kind


def _target(backend: str) -> Target:
    from erbium.fpga.driver_open import Target

    return Target.of(backend.removeprefix("board:"))


def open_chip(
    network: Network,
    backend: str = "model",
    hardware: Hardware | None = None,
    faults: Faults | None = None,
) -> Chip:
    """Return a chip with the network's initial weights.

    Parameters
    ----------
    network : Network
    backend : str
        ``"model"`` (also called ``"fast"``), ``"reference"``, ``"rtl"``, ``"board:PORT"`` or ``"sim:BOARD"``. The
        simulator of ``"rtl"`` may be named: ``"rtl:vectors"`` or ``"rtl:verilator"``.
    hardware : Hardware, optional
        How the array is built; matters to ``"rtl"`` only, and cannot change a result there either. A board is
        built as it is.
    faults : Faults, optional
        What is broken; the two models alone can have faults.

    Raises
    ------
    DescriptionError
        For an unknown backend, or faults of one that is no model.
    erbium.verif.simulators.ToolError
        When ``"rtl"`` or ``"sim:BOARD"`` lacks a simulator or a compiler, or ``"rtl:vectors"`` does not know a cell;
        ``"rtl"`` takes Verilator then.
    erbium.fpga.transport.LinkError
        When there is no board at the port, or none that holds the network.
    """
    name = backend_named(backend)
    engine: Engine
    if faults and name not in ("model", "reference"):
        raise DescriptionError(
            f"there are faults and backend {backend!r} has none of its own making; take 'model' or 'reference'"
        )
    if name == "reference":
        engine = ArrayModel(network, faults)
    elif name == "model":
        # The compiler behind it takes a second to import; the reference and `--help` do without.
        from erbium.sw_model.fast import FastArray
        from erbium.sw_model.fast_learners import compiles

        # A rule of one's own is in the model as NumPy spells it out before, or without ever, being compiled.
        engine = FastArray(network, faults=faults) if compiles(network) else ArrayModel(network, faults)
    elif name == "rtl":
        from erbium.verif.library import ARRAY_SIMULATORS, RtlArray

        named = backend.partition(":")[2]
        simulator = next((one for one in ARRAY_SIMULATORS if one == named), None)
        engine = RtlArray(network, hardware or Hardware(), simulator=simulator)
    else:
        from erbium.fpga.driver_open import open_board
        from erbium.fpga.driver_resume import WAIT_SECONDS, ResumingBoard

        engine = ResumingBoard(partial(open_board, _target(backend), network), WAIT_SECONDS)
    return Chip(network, engine, name)


def check_sample(
    network: Network,
    image: Array,
    label: int | None,
    weights: Sequence[Array] | None = None,
    n_ticks: int | None = None,
) -> Array:
    """Return an image for a network as the array takes it.

    Raises
    ------
    ChipError
        If it, the label or the weights do not fit.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.shape != (network.n_inputs,):
        raise ChipError(
            f"the image is {image.dtype} of shape {image.shape}; network {network.name!r} takes uint8 of shape "
            f"({network.n_inputs},), its pixels row after row"
        )
    if label is not None:
        _checked_labels(np.array([label]), 1, network)
    if weights is not None:
        _checked_weights(weights, network)
    _check_ticks(n_ticks, network)
    return np.ascontiguousarray(image)


def _checked_images(images: Array, network: Network) -> Array:
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != network.n_inputs:
        raise ChipError(
            f"images are {images.dtype} of shape {images.shape}; network {network.name!r} takes uint8 of "
            f"shape (n, {network.n_inputs}), a row per image"
        )
    return np.ascontiguousarray(images)


def _check_ticks(n_ticks: int | None, network: Network) -> None:
    if n_ticks is not None:
        check_range("n_ticks", n_ticks, 1, network.n_ticks, ", the network's longest presentation")


def _checked_labels(labels: Array, n_images: int, network: Network) -> Array:
    labels = np.asarray(labels)
    if labels.shape != (n_images,) or (labels.size and labels.dtype.kind not in "iu"):
        raise ChipError(
            f"labels are {labels.dtype} of shape {labels.shape}; {n_images} images need integers of shape "
            f"({n_images},)"
        )
    labels = labels.astype(np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= network.n_classes))
    if wrong.size:
        raise ChipError(
            f"label {labels[wrong[0]]} of image {wrong[0]} of the batch is out of range; network "
            f"{network.name!r} knows classes 0 to {network.n_classes - 1}"
        )
    return labels


def _checked_weights(weights: Sequence[Array], network: Network) -> list[Array]:
    if len(weights) != len(network.layers):
        raise ChipError(
            f"there are weights for {len(weights)} layers; network {network.name!r} has {len(network.layers)}"
        )
    checked = []
    for number, (values, layer) in enumerate(zip(weights, network.layers, strict=True)):
        values = np.asarray(values)
        shape = (network.n_rows(number), layer.n_neurons)
        if values.shape != shape or values.dtype.kind not in "iu":
            raise ChipError(
                f"weights of layer {number + 1} are {values.dtype} of shape {values.shape}; network "
                f"{network.name!r} takes integers of shape {shape}"
                f"{', the last row being the bias' if network.has_bias else ''}"
            )
        low, high = int(values.min()), int(values.max())
        if low < layer.weight_min or high > layer.weight_max:
            wrong = low if low < layer.weight_min else high
            raise ChipError(
                f"weights of layer {number + 1} hold {wrong}; {layer.weight_width} bits hold "
                f"{layer.weight_min} to {layer.weight_max}"
            )
        checked.append(values.astype(np.int16))
    return checked
