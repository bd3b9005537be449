# SPDX-License-Identifier: BSD-2-Clause
"""What the machine offers at run time, beside others: facts of published papers, each with where it is said.

Where a source does not say a thing, nothing stands here. What Erbium's own core has comes from its sources.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from erbium.sw_model.description.machine import CoreHardware
from erbium.sw_model.programs import MAX_OPERATIONS, MAX_STATES
from erbium.sw_model.rules.history import WINDOWS

UNSAID = "–"


@dataclass(frozen=True)
class Machine:
    """One machine; each field but the first and the last is a heading of the table."""

    name: str
    states: str = UNSAID
    operations: str = UNSAID
    ports: str = UNSAID
    rules: str = UNSAID
    traces: str = UNSAID
    groups: str = UNSAID
    noise: str = UNSAID
    clocks: str = UNSAID
    luts: str = UNSAID
    open_hardware: str = UNSAID
    source: str = ""


def machines() -> tuple[Machine, ...]:
    """Return the machines, Erbium's core first."""
    windows = " or ".join(map(str, WINDOWS))
    return (
        Machine(
            "Erbium, the core",
            states=f"up to {MAX_STATES} of 16 bits",
            operations=f"up to {MAX_OPERATIONS} shifts and additions for a neuron and tick",
            ports="2",
            rules="three factors on presynaptic spikes (pairs, voltage, reward, eRBP); a pass at the end of a sample",
            traces=f"none; {windows} ticks of spikes for a neuron, one tick for a row",
            groups=f"a number of the build, {CoreHardware().groups} by default",
            noise="a number for each neuron and tick; synapses and neurons that are left out at random",
            clocks="one word of lanes a clock; ceil(neurons / units) * (operations + 1) for a sweep",
            open_hardware="yes",
            source="docs/core.md",
        ),
        Machine(
            "NSAT",
            states="up to 8",
            rules="three factors, in windows around spikes; supervised, unsupervised, by a reward",
            groups="8 of neurons, 8 of learning",
            source="Detorakis and others, Front. Neurosci. 12:583 (2018)",
        ),
        Machine(
            "Loihi 2",
            operations="microcode",
            rules="three factors",
            source="open-neuromorphic.org, page on Loihi 2, read in November 2026",
        ),
        Machine(
            "Catalyst N2",
            states="24-bit fixed point",
            operations="microcode",
            rules="pairs of spikes, three factors",
            traces="7 bits each",
            noise="for each neuron",
            luts="26,431, two cores (Kria K26)",
            source="doi:10.5281/zenodo.18728256; rules, noise, LUTs: catalyst-neuromorphic.com/processors/specs; "
            "figures of its author",
        ),
        Machine(
            "ODIN",
            operations="fixed: leaky integrate-and-fire, or a phenomenological model of 20 behaviours",
            rules="spike-driven synaptic plasticity, 4-bit synapses",
            open_hardware="yes",
            source="open hardware: open-neuromorphic.org, page on ODIN; else Frenkel and others, "
            "IEEE Trans. Biomed. Circuits Syst. 13(1):145 (2019)",
        ),
        Machine(
            "Darwin3",
            operations="10 primary instructions and a few extended ones",
            rules="local ones, by the same instructions",
            source="Ma and others, Natl. Sci. Rev. 11(5):nwae102 (2024)",
        ),
    )


def headings() -> list[str]:
    """Return the names of the columns."""
    return [field.name.replace("_", " ") for field in fields(Machine)]


def rows() -> list[list[str]]:
    """Return the cells, a list for each machine."""
    return [[getattr(machine, field.name) for field in fields(Machine)] for machine in machines()]


def markdown() -> str:
    """Return the table, a column for each machine."""
    columns = rows()
    lines = [["", *(column[0] for column in columns)], ["---"] * (len(columns) + 1)]
    for place, heading in enumerate(headings()[1:], 1):
        lines.append([heading, *(column[place] for column in columns)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
