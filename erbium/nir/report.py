# SPDX-License-Identifier: BSD-2-Clause
"""What became of each number of a graph that was brought in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from erbium.sw_model.constants import Array


@dataclass(frozen=True)
class Change:
    """One number, or one array of them, that was rounded.

    Attributes
    ----------
    node, what : str
    asked, got : float
        In units of the graph; of an array the value with the largest error.
    error : float
        Their difference.
    note : str
        For people.
    """

    node: str
    what: str
    asked: float
    got: float
    error: float
    note: str = ""


@dataclass
class Report:
    """All that was rounded, and what else is to be known.

    Attributes
    ----------
    changes : list of Change
    notes : list of str
    """

    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, node: str, what: str, asked: float, got: float, note: str = "") -> None:
        """Say that one number became another one."""
        self.changes.append(Change(node, what, float(asked), float(got), float(got - asked), note))

    def add_array(self, node: str, what: str, asked: Array, got: Array, step: float) -> None:
        """Say what became of an array whose values are now multiples of `step`."""
        at = np.unravel_index(int(np.argmax(np.abs(got - asked))), asked.shape)
        root = float(np.sqrt(np.mean((got - asked) ** 2)))
        size = float(np.sqrt(np.mean(asked**2)))
        share = f", {100 * root / size:.2f} % of theirs" if size else ""
        note = f"{asked.size:,} values in steps of {step:.4g}; root mean square error {root:.3g}{share}"
        self.add(node, what, float(asked[at]), float(got[at]), note)

    def to_dict(self) -> dict[str, object]:
        """Return the report as JSON can hold it."""
        return {"changes": [asdict(change) for change in self.changes], "notes": list(self.notes)}
