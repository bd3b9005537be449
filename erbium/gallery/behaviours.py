# SPDX-License-Identifier: BSD-2-Clause
"""What the gallery shows: neurons, what drives them, and the equations that they stand for.

The twenty behaviours are those of Mihalas and Niebur, *Neural Computation* 21:704 (2009), with the parameters of its
table 1 in steps of 0.78125 ms. How long a current lasts is said here, and so are the pulses of the last two. The six
are those of Detorakis and others, *Front. Neurosci.* 12:583 (2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from erbium.gallery.equations import Equations, Linear, MihalasNiebur
from erbium.sw_model import programs
from erbium.sw_model.programs import NeuronProgram

TICK_MS = 0.78125
"""Of a Mihalas-Niebur neuron."""
PER_VOLT = 200
"""What 1 V/s adds to v in a tick: 0.78125 mV, of which each is 256."""

Steps = Sequence[tuple[int, int]]
"""Drive and how many ticks it stays."""


@dataclass(frozen=True)
class Behaviour:
    """One panel of the gallery.

    Parameters
    ----------
    name : str
        A plain name.
    title : str
    program : NeuronProgram
    equations : Equations
        What the program stands for, in floating point.
    drive : tuple of int
        What port 0 gets at each tick, -2048 ... 2047.
    about : str
        What is to be seen, in one sentence.
    tick_ms : float or None
        Milliseconds of a tick, where they have a meaning.
    """

    name: str
    title: str
    program: NeuronProgram
    equations: Equations
    drive: tuple[int, ...]
    about: str
    tick_ms: float | None = None


def steps(*parts: tuple[int, int]) -> tuple[int, ...]:
    """Return a drive that stays for so many ticks at each value."""
    return tuple(value for value, ticks in parts for _ in range(ticks))


def ramp(first: int, last: int, ticks: int) -> tuple[int, ...]:
    """Return a drive that rises in a line."""
    return tuple(first + (last - first) * tick // (ticks - 1) for tick in range(ticks))


def currents(*parts: tuple[float, float]) -> tuple[int, ...]:
    """Return the drive of currents in V/s, each for so many milliseconds."""
    return steps(*((round(volts * PER_VOLT), round(ms / TICK_MS)) for volts, ms in parts))


def _pairs(*gaps: int) -> tuple[int, ...]:
    """Return pairs of pulses, so many milliseconds apart; from pair to pair the neuron comes to rest."""
    return tuple(value for gap in gaps for value in currents((5, 5), (0, gap), (3, 7), (0, 300)))


def _niebur(
    name: str,
    title: str,
    about: str,
    drive: tuple[int, ...],
    a: int = 0,
    a1: float = 0.0,
    a2: float = 0.0,
    threshold: float = 20.0,
) -> Behaviour:
    """Return a Mihalas-Niebur neuron whose threshold begins so many millivolts above the rest."""
    program = programs.mihalas_niebur(a, a1, a2)
    initial = (0, round(256 * threshold), *program.initial[2:])
    return Behaviour(
        name,
        title,
        replace(program, initial=initial),
        MihalasNiebur(a, a1, a2, threshold),
        drive,
        about,
        TICK_MS,
    )


def twenty() -> tuple[Behaviour, ...]:
    """Return the behaviours of Mihalas and Niebur.

    A current of just above 1 or 2 V/s is one step of the machine above it: 1.005 and 2.005 V/s.
    """
    return (
        _niebur(
            "tonic-spiking", "Tonic spiking", "spikes as long as the current is there", currents((1.5, 200))
        ),
        _niebur("class-1", "Class 1", "a rate that begins near 0", currents((1.005, 500))),
        _niebur("adaptation", "Spike frequency adaptation", "intervals grow", currents((2, 200)), 5),
        _niebur("phasic-spiking", "Phasic spiking", "spikes at the onset only", currents((1.5, 500)), 5),
        _niebur(
            "accommodation",
            "Accommodation",
            "a fast rise makes it spike, a slow one to the same value does not",
            currents((1.5, 100), (0, 500), (0.5, 100), (1, 100), (1.5, 100), (0, 100)),
            5,
        ),
        _niebur(
            "threshold-variability",
            "Threshold variability",
            "a pulse that is too weak is not after an inhibiting one",
            currents((1.5, 22), (0, 178), (-1.5, 60), (0, 25), (1.5, 22), (0, 131)),
            5,
        ),
        _niebur(
            "rebound-spike",
            "Rebound spike",
            "spikes after inhibition",
            currents((0, 50), (-3.5, 750), (0, 200)),
            5,
        ),
        _niebur(
            "class-2", "Class 2", "a rate that begins far from 0", currents((2.005, 300)), 5, threshold=40
        ),
        _niebur(
            "integrator",
            "Integrator",
            "two pulses that are near each other make it spike, two far ones do not",
            currents((1.5, 20), (0, 10), (1.5, 20), (0, 250), (1.5, 20), (0, 30), (1.5, 20), (0, 30)),
            5,
        ),
        _niebur(
            "input-bistability",
            "Input bistability",
            "the same current, with spikes or without, by what came before",
            currents((1.5, 100), (1.7, 400), (1.5, 100), (1.7, 400)),
            5,
        ),
        _niebur(
            "hyperpolarization-spiking",
            "Hyperpolarization-induced spiking",
            "spikes under inhibition",
            currents((-1, 400)),
            30,
        ),
        _niebur(
            "hyperpolarization-bursting",
            "Hyperpolarization-induced bursting",
            "bursts under inhibition",
            currents((-1, 400)),
            30,
            10,
            -0.6,
        ),
        _niebur(
            "tonic-bursting", "Tonic bursting", "bursts again and again", currents((2, 500)), 5, 10, -0.6
        ),
        _niebur(
            "phasic-bursting", "Phasic bursting", "one burst at the onset", currents((1.5, 500)), 5, 10, -0.6
        ),
        _niebur(
            "rebound-burst",
            "Rebound burst",
            "a burst after inhibition",
            currents((0, 100), (-3.5, 500), (0, 400)),
            5,
            10,
            -0.6,
        ),
        _niebur("mixed-mode", "Mixed mode", "a burst, then single spikes", currents((2, 500)), 5, 5, -0.3),
        _niebur(
            "afterpotentials",
            "Afterpotentials",
            "depolarized and then hyperpolarized after its spikes",
            currents((2, 15), (0, 185)),
            5,
            5,
            -0.3,
        ),
        _niebur(
            "basal-bistability",
            "Basal bistability",
            "a pulse begins the spiking, another one ends it",
            currents((5, 10), (0, 90), (5, 10), (0, 90)),
            0,
            8,
            -0.1,
        ),
        _niebur(
            "preferred-frequency",
            "Preferred frequency",
            "of two pulses the second one makes it spike at a middle distance only",
            _pairs(5, 45, 120),
            5,
            -3,
            0.5,
        ),
        _niebur(
            "spike-latency", "Spike latency", "spikes long after a pulse", currents((7, 2), (0, 48)), -80
        ),
    )


def six() -> tuple[Behaviour, ...]:
    """Return the behaviours of the machine's paper, each over a second."""
    second = 1280
    return (
        _niebur("six-tonic", "Tonic spiking", "equal intervals", steps((300, second))),
        _niebur("six-class-1", "Class I", "a ramp: the rate begins near 0", ramp(190, 260, second)),
        _niebur("six-class-2", "Class II", "a ramp: the rate begins with a jump", ramp(100, 600, second), 5),
        _niebur("six-phasic", "Phasic spiking", "exactly one spike", steps((260, second)), 5),
        _niebur("six-mixed", "Mixed mode", "a burst, then single spikes", steps((400, second)), 5, 5, -0.3),
        _niebur(
            "six-bursting", "Tonic bursting", "bursts again and again", steps((400, second)), 5, 10, -0.6
        ),
    )


def others() -> tuple[Behaviour, ...]:
    """Return the simpler neurons of the machine, driven by pulses or a constant."""
    pulses = steps(*(((1200, 1), (0, 12)) * 30))
    second = [[-1 / 16, 1 / 4, 0], [0, -1 / 8, 1 / 4], [0, 0, -1 / 4]]
    compartments = [[-1 / 16, 1 / 32, 0], [1 / 32, -1 / 16, 1 / 4], [0, 0, -1 / 8]]
    return (
        Behaviour(
            "lif",
            "Leaky integrate-and-fire",
            programs.lif(),
            Linear([[-1 / 16]], 0, 2000),
            steps((140, 400)),
            "equal intervals",
        ),
        Behaviour(
            "stochastic-lif",
            "Stochastic LIF",
            programs.lif(noise=True),
            Linear([[-1 / 16]], 0, 2000, noise=1.0),
            steps((100, 400)),
            "spikes by noise, at a current that would not do",
        ),
        Behaviour(
            "lif-first-order",
            "LIF, first-order synapse",
            programs.lif_first_order(),
            Linear([[-1 / 16, 1 / 4], [0, -1 / 8]], 1, 2000),
            pulses,
            "pulses decay in a current",
        ),
        Behaviour(
            "lif-second-order",
            "LIF, second-order synapse",
            programs.lif_second_order(),
            Linear(second, 2, 2000),
            pulses,
            "the current rises before it decays",
        ),
        Behaviour(
            "two-compartments",
            "Two compartments",
            programs.two_compartment(),
            Linear(compartments, 2, 1000),
            pulses,
            "a dendrite takes the pulses to the soma",
        ),
    )
