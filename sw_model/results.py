# SPDX-License-Identifier: BSD-2-Clause
"""Outcomes of samples, and what presents them in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erbium.sw_model.constants import Array


@dataclass(frozen=True)
class SampleResult:
    """Outcome of one sample: answer, ticks run, and ticks until the decision."""

    answer: int
    ticks: int
    ticks_to_decision: int

    @classmethod
    def of(cls, answer: int, decision_tick: int | None, last_tick: int) -> SampleResult:
        """Return the outcome of a sample that was decided at a tick, or not, and ran up to another one."""
        ticks = last_tick + 1
        return cls(answer, ticks, ticks if decision_tick is None else decision_tick + 1)


@dataclass(frozen=True)
class Results:
    """Outcomes of a batch, one entry per sample, each an int64 array of shape ``(n,)``.

    Attributes
    ----------
    answers : ndarray
        Class that the readout names.
    ticks : ndarray
        Ticks that were run.
    ticks_to_decision : ndarray
        Ticks until the answer was settled; equal to `ticks` without an early decision.
    """

    answers: Array
    ticks: Array
    ticks_to_decision: Array

    def _repr_html_(self) -> str:
        """Return what a notebook shows: how many samples there are, and the first ones."""
        shown = 10
        columns = {"sample": range(len(self.answers)), **vars(self)}
        head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in columns)
        rows = list(zip(*columns.values(), strict=True))[:shown]
        cells = "".join(f"<tr>{''.join(f'<td>{int(cell)}</td>' for cell in row)}</tr>" for row in rows)
        more = f", the first {shown} of them" if len(self.answers) > shown else ""
        return (
            f"<p>{len(self.answers):,} samples{more}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{cells}</tbody></table>"
        )


class SampleModel:
    """A model that runs samples one by one."""

    def sample(
        self, image: Array, *, seed: int, label: int | None = None, n_ticks: int | None = None
    ) -> SampleResult:
        """Present one sample; learn it if it has a label."""
        raise NotImplementedError

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order; learn them if there are labels.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_pixels)
        seeds : ndarray of uint32, shape (n,)
        labels : ndarray of int, shape (n,), optional
        n_ticks : int, optional
            Longest presentation; default is the network's.
        """
        rows = [
            self.sample(
                image, seed=int(seed), label=None if labels is None else int(labels[k]), n_ticks=n_ticks
            )
            for k, (image, seed) in enumerate(zip(images, seeds, strict=True))
        ]
        table = np.array([(r.answer, r.ticks, r.ticks_to_decision) for r in rows], dtype=np.int64).reshape(
            -1, 3
        )
        return Results(table[:, 0], table[:, 1], table[:, 2])
