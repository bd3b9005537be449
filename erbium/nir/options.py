# SPDX-License-Identifier: BSD-2-Clause
"""What a NIR graph leaves open, and how the array is to take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erbium.sw_model.description.connect import check_choice
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sw_model.rules import MAX_TICKS

TICK_SECONDS = 1e-4
"""Length of a tick where nobody says one: what snnTorch and nirtorch write."""

Reset = Literal["value", "subtract"]
RESETS: tuple[Reset, ...] = ("value", "subtract")
ENCODERS = ("bernoulli", "phase")


@dataclass(frozen=True)
class Options:
    """How a NIR graph is brought in.

    Parameters
    ----------
    dt : float or None
        Seconds of a tick; ``None``: what the graph's metadata say, else 1e-4.
    width : int
        Bits of a weight, 4 ... 16; more than 8 transmit no more than 8 do.
    n_ticks : int
        Longest sample.
    encoder : str
        What makes spikes of the values at the inputs: ``"bernoulli"`` or ``"phase"``.
    reset : str
        ``"value"``: a spike sets the membrane to the node's ``v_reset``, as NIR has it. ``"subtract"``: it takes the
        threshold away. Frameworks know both, and NIR writes only the first.
    late_reset : bool
        The reset happens a tick after the spike, as snnTorch has it unless ``reset_delay=False``: what is taken away
        has leaked by then, and a membrane that is set stays so for a tick, whatever comes in.
    seed : int
        Of all random numbers.
    """

    dt: float | None = None
    width: int = 8
    n_ticks: int = 32
    encoder: str = "bernoulli"
    reset: Reset = "value"
    late_reset: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if self.dt is not None and not 0 < self.dt < 1e6:
            raise DescriptionError(f"dt is {self.dt}; it must be more than 0 s, such as {TICK_SECONDS}")
        check_range("width of a weight", self.width, 4, 16, " bits")
        check_range("n_ticks", self.n_ticks, 1, MAX_TICKS)
        check_choice("encoder", self.encoder, ENCODERS)
        check_choice("reset", self.reset, RESETS)
        check_range("seed", self.seed, 0, (1 << 63) - 1)
