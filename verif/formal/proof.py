# SPDX-License-Identifier: BSD-2-Clause
"""What a proof is: a claim, the way it is proved, and the fault that has to refute it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from erbium.verif.formal.claim import Claim
from erbium.verif.planted import Fault

Method = Literal["all inputs", "induction", "depth"]
"""How a claim is proved.

============== ========================================================================================
``all inputs`` a datapath without feedback: for all its inputs, through as many clocks as it has stages
``induction``  it holds after a reset, and in the clock after clocks in which it held: so for ever
``depth``      for so many clocks after a reset, and nothing is said of those that follow
============== ========================================================================================
"""


@dataclass(frozen=True)
class Proof:
    """One proof.

    Parameters
    ----------
    component : str
        What it is about.
    name : str
        Its parameters in short.
    claim : callable
        Makes the claim.
    says : str
        What is claimed, in a sentence.
    source : str
        Where that stands, if not in the component's docstring.
    method : str
        One of :data:`Method`.
    clocks : int
        Stages of a datapath, clocks that an induction looks back, or the depth.
    reason : str
        Why it is to a depth only.
    fault : Fault
        Has to refute it, by a run from a reset that the solver finds.
    reached : str
        What the cover beside it reaches.
    within : int
        Clocks in which the fault and the cover are looked for.
    arrays : bool
        Memories stay arrays for the solver: for those that are too large to be taken bit by bit.
    """

    component: str
    name: str
    claim: Callable[[], Claim]
    says: str
    method: Method
    fault: Fault
    reached: str
    clocks: int = 1
    source: str = ""
    reason: str = ""
    within: int = 20
    arrays: bool = False

    def __post_init__(self) -> None:
        assert bool(self.reason) == (self.method == "depth"), (
            f"{self.id}: a depth, and no other, has a reason"
        )

    @property
    def id(self) -> str:
        """Component and name."""
        return f"{self.component} {self.name}"

    @property
    def how(self) -> str:
        """The method in words."""
        if self.method == "all inputs":
            return "all inputs" + (f", {self.clocks} stages" if self.clocks > 1 else "")
        if self.method == "induction":
            return f"induction, k = {self.clocks}"
        return f"{self.clocks} clocks after a reset"
