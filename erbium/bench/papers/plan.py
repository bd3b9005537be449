# SPDX-License-Identifier: BSD-2-Clause
"""How much is done: data, seeds, epochs, and which networks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from erbium.bench.request import Request
from erbium.sw_model import datasets
from erbium.sw_model.datasets import Dataset

NETWORKS: tuple[tuple[int, ...], ...] = ((100,), (200,), (500,), (200, 200))
"""Hidden layers of the networks in the source's table."""

LOOKED_INTO = (200,)
"""Hidden layers of the network that is looked into: learning speed, decisions, weights."""

FULL_WIDTH = 8
"""Bits of a weight where nothing is said of them."""


@dataclass(frozen=True)
class Effort:
    """How long everything is trained, and how often.

    Parameters
    ----------
    seeds : tuple of int
    epochs : int
        Of spiking networks without image shift.
    ann_epochs : int
        Of ordinary networks.
    preset_epochs : int, optional
        Of the presets; default is what their recipes say.
    widths : tuple of int
        Bits of a weight, from few to many.
    n_curve : int
        Validation images of a point of a learning curve.
    """

    seeds: tuple[int, ...]
    epochs: int
    ann_epochs: int
    preset_epochs: int | None
    widths: tuple[int, ...]
    n_curve: int


FULL = Effort((1, 2, 3), 16, 20, None, (4, 5, 6, 8, 10, 12), 10_000)
QUICK = Effort((1,), 4, 6, 8, (4, 6, 8, 12), 5_000)


class Size(NamedTuple):
    """Pixels of an image, and classes."""

    n_pixels: int
    n_classes: int


MNIST = Size(784, 10)


@dataclass(frozen=True)
class Plan:
    """What everything is measured on.

    Parameters
    ----------
    request : Request
    effort : Effort
    given : Dataset, optional
        The data; by default what the request asks for, loaded when it is needed.
    """

    request: Request
    effort: Effort
    given: Dataset | None = None

    @cached_property
    def dataset(self) -> Dataset:
        """The data that everything learns."""
        return self.given or load(self.request.data)

    @property
    def size(self) -> Size:
        """What networks know of the data; of whole runs it is known before there are any."""
        return Size(self.dataset.n_pixels, self.dataset.n_classes) if self.request.quick else MNIST

    def shape(self, hidden: tuple[int, ...]) -> str:
        """Return what a network with these hidden layers is called, such as ``784-200-10``."""
        return "-".join(map(str, (self.size.n_pixels, *hidden, self.size.n_classes)))

    @property
    def is_published(self) -> bool:
        """Whether the data are those of the sources."""
        return self.dataset.name == "MNIST"

    @property
    def has_targets(self) -> bool:
        """Whether targets hold: they are set for MNIST and for whole runs."""
        return self.is_published and not self.request.quick


def plan_of(request: Request) -> Plan:
    """Return the plan of a request. The quick form takes any data, the other one MNIST."""
    return Plan(request, QUICK if request.quick else FULL)


def load(data: Path | None) -> Dataset:
    """Return the data that everything learns."""
    return datasets.load(data)
