# SPDX-License-Identifier: BSD-2-Clause
"""How much is done: data, seeds, epochs, and which networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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


FULL = Effort((1, 2, 3), 16, 30, None, (4, 5, 6, 7, 8, 10, 12), 10_000)
QUICK = Effort((1,), 4, 6, 4, (4, 6, 8, 12), 5_000)


@dataclass(frozen=True)
class Plan:
    """What everything is measured on.

    Parameters
    ----------
    request : Request
    effort : Effort
    dataset : Dataset
    """

    request: Request
    effort: Effort
    dataset: Dataset

    def shape(self, hidden: tuple[int, ...]) -> str:
        """Return what a network with these hidden layers is called, such as ``784-200-10``."""
        return "-".join(map(str, (self.dataset.n_pixels, *hidden, self.dataset.n_classes)))

    @property
    def is_published(self) -> bool:
        """Whether the data are those of the sources."""
        return self.dataset.name == "MNIST"

    @property
    def has_targets(self) -> bool:
        """Whether targets hold: they are set for MNIST and for whole runs."""
        return self.is_published and not self.request.quick


def plan_of(request: Request) -> Plan:
    """Return the plan of a request, its data loaded.

    Raises
    ------
    DatasetError
        Without MNIST, unless the quick form is asked for: that takes any data.
    """
    if not request.quick:
        request.check_mnist()
    return Plan(request, QUICK if request.quick else FULL, load(request.data))


def load(data: Path | None) -> Dataset:
    """Return the data that everything learns."""
    return datasets.load(data)
