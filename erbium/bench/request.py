# SPDX-License-Identifier: BSD-2-Clause
"""What a bench is asked to do, and the data that it does it with."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from erbium.gen.presets import preset
from erbium.sw_model import datasets
from erbium.sw_model.datasets import Dataset, DatasetError
from erbium.sw_model.datasets.sources import load_digits, load_tiny_digits
from erbium.sw_model.programs import DescriptionError, check_range


@dataclass(frozen=True)
class Request:
    """What the user asked for; see ``erbium bench --help``.

    Parameters
    ----------
    bench : str
        Its name.
    quick : bool
        Whether the short form is enough.
    data : Path, optional
        Folder with MNIST.
    jobs : int, optional
        Processes at a time; default is the number of processors that may be used.
    only : tuple of str
        Ids of the rows that are wanted, or how they begin; without any, all of them are.
    keep : Path, optional
        Folder where the runs that are done are kept, and found again.
    """

    bench: str
    quick: bool = False
    data: Path | None = None
    jobs: int | None = None
    only: tuple[str, ...] = ()
    keep: Path | None = None

    def __post_init__(self) -> None:
        if self.jobs is not None:
            check_range("--jobs", self.jobs, 1, 1024)

    @property
    def n_processes(self) -> int:
        """Processes at a time."""
        if self.jobs is not None:
            return self.jobs
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def id(self, network: str, quantity: str) -> str:
        """Return the id of a row."""
        return f"{self.bench}/{network}/{quantity}"

    def command(self, row_id: str) -> str:
        """Return the command line that repeats one row."""
        words = ["erbium", "bench", self.bench, "--only", row_id]
        if self.quick:
            words.append("--quick")
        if self.data is not None:
            words += ["--data", str(self.data)]
        return shlex.join(words)

    def select(self, row_ids: Iterable[str]) -> set[str]:
        """Return those ids, out of all, that the user asked for: those named, or all that begin so.

        Raises
        ------
        DescriptionError
            If there is none to one of the names.
        """
        ids = list(row_ids)
        if not self.only:
            return set(ids)
        return set().union(*(self._begin_with(wanted, ids) for wanted in self.only))

    def _begin_with(self, wanted: str, ids: Sequence[str]) -> set[str]:
        if wanted in ids:
            return {wanted}
        if found := {row_id for row_id in ids if row_id.startswith(wanted)}:
            return found
        raise DescriptionError(
            f"--only is {wanted!r} and no row of bench {self.bench!r}"
            f"{' --quick' if self.quick else ''} begins like that; there are {', '.join(ids)}"
        )

    def check_mnist(self) -> None:
        """Raise :class:`DatasetError` unless MNIST is there."""
        dataset = datasets.load(self.data)
        if dataset.notice:
            reason = dataset.notice.split(", so ")[0]
            raise DatasetError(
                f"bench {self.bench!r} measures on MNIST: {reason}; point --data or ERBIUM_DATA at a folder "
                "with its four files, or add --quick for a form that needs none"
            )
        if dataset.name != "MNIST":
            raise DatasetError(
                f"bench {self.bench!r} measures on MNIST and {dataset.source} holds {dataset.name}; point "
                "--data or ERBIUM_DATA at MNIST, or add --quick for a form that needs none"
            )


def load_named(name: str, data: Path | None = None) -> Dataset:
    """Return the data that a preset learns: MNIST or its middle, the digits, or the tiny digits.

    Parameters
    ----------
    name : str
        Of the preset.
    data : Path, optional
        Folder with MNIST.
    """
    if name in ("tiny", "first-spike-tiny"):
        return load_tiny_digits()
    if name in ("erbp-digits", "first-spike-digits"):
        return load_digits()
    return preset(name).recipe.view(datasets.load(data))
