# SPDX-License-Identifier: BSD-2-Clause
"""The report's plots for a notebook: each is shown by itself where it is the last value of a cell."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from erbium.report import CurvePoint as Point
from erbium.report import plots
from erbium.report.drawings import drawings
from erbium.report.pictures import svg_file
from erbium.report.record import trace_sample
from erbium.sw_model import constants
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.train import CurvePoint

_keys = itertools.count(1)
"""Names within a picture must differ from those of the other pictures of a notebook."""


@dataclass(frozen=True)
class Picture:
    """A picture that a notebook shows.

    Parameters
    ----------
    words : str
        What it shows, for those who cannot see it.
    svg, png : str or bytes
        One of them is there.
    """

    words: str
    svg: str | None = None
    png: bytes | None = None

    def _repr_svg_(self) -> str | None:
        return self.svg

    def _repr_png_(self) -> bytes | None:
        return self.png

    def __repr__(self) -> str:
        return f"<Picture: {self.words}>"


def _drawn(words: str, draw: Callable[[], Figure]) -> Picture:
    return Picture(words, svg=svg_file(plots.svg(f"picture{next(_keys)}", words, draw)))


def learning(curve: Sequence[CurvePoint]) -> Picture:
    """Return how the error fell: the `curve` of a :class:`erbium.Trainer`, on the images kept for validation."""
    points = [Point(point.position, "validation", 100 * point.error, point.n_images) for point in curve]
    if not any(point.images for point in points):
        raise DescriptionError(
            "the curve has no point after an image; train with a plan that has evaluate_at"
        )
    words = (
        f"Error from {points[0].error:.1f} % to {points[-1].error:.1f} % over {points[-1].images:,} images"
    )
    return _drawn(words, lambda: plots.learning_curve(points))


def spikes(
    network: Network,
    weights: Sequence[Array],
    image: Array,
    label: int,
    *,
    learn: bool = False,
    number: int = 0,
) -> Picture:
    """Return every spike of one sample, and in an eRBP network the membranes of its outputs.

    Parameters
    ----------
    network : Network
    weights : sequence of ndarray
        Of each layer, before the sample; they stay as they are.
    image : ndarray of uint8, shape (n_inputs,)
    label : int
        Its class: that output's membrane is drawn thick.
    learn : bool
        Learn the sample, which is when there are error spikes, or only answer it.
    number : int
        Number of the sample, which decides its random numbers.
    """
    check_range("label", label, 0, network.n_classes - 1)
    check_range("number of the sample", number, 0, (1 << 63) - 1)
    seed = int(constants.sample_seeds(network.seed, learn, number, 1)[0])
    found = trace_sample(network, weights, image, label, seed, learn)
    draw = drawings(network).spikes
    return _drawn(f"Spikes of a {label} that is answered as {found.answer}", lambda: draw(found, network))


def fields(weights: Array, height: int, width: int, neurons: int = 16) -> Picture:
    """Return what the first neurons of the first layer look for: red makes a neuron spike, blue holds it back.

    Parameters
    ----------
    weights : ndarray of int, shape (n_rows, n_neurons)
        Of the first layer; rows after the last pixel, as that of the bias, are left out.
    height, width : int
        Of an image.
    neurons : int
        How many at most, from the first one.
    """
    check_range("neurons", neurons, 1, 1024)
    neurons = min(neurons, weights.shape[1])
    check_range("height * width", height * width, 1, len(weights), ", the rows of the weights")
    shown = np.asarray(weights[: height * width, :neurons], dtype=float).T.reshape(neurons, height, width)
    columns = min(neurons, 8)
    rows = -(-neurons // columns)
    # A pixel of space around each.
    sheet = np.zeros((rows * (height + 1) - 1, columns * (width + 1) - 1))
    for number, field in enumerate(shown):
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        sheet[top : top + height, left : left + width] = field
    large = np.kron(sheet, np.ones((6, 6)))
    uri = plots.diverging_image(large, float(np.abs(shown).max()) or 1.0)
    return Picture(
        f"Weights from {height} x {width} pixels to {neurons} neurons",
        png=base64.b64decode(uri.split(",")[1]),
    )
