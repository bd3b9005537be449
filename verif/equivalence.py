# SPDX-License-Identifier: BSD-2-Clause
"""Whether the netlist of a component does what its source does: Yosys proves it, register by register.

Source and netlist get the same inputs. Registers and outputs of one name are assumed to be equal in one clock, and have
to be equal in the next one: so they are for ever, if they are once. That they are equal at the beginning follows from
the initial values, which synthesis keeps, and is what the benches on netlists see.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib.wiring import Out

from erbium.gen.synthesis import PREPARATION
from erbium.gen.verilog import component_rtlil, port_name
from erbium.verif.files import build_folder, locked
from erbium.verif.netlist import FAMILIES, FamilyName
from erbium.verif.processes import run_within
from erbium.verif.registry import REGISTRY
from erbium.verif.simulators import ToolError
from erbium.verif.yosys import find_yosys

TOP = "top"

SECONDS = 300.0
"""How long one attempt may take."""

_ATTEMPTS = 4
"""Each leaves the names out that the one before could not match."""

_WITHOUT_MEMORIES = {"ecp5": "-nobram -nolutram", "ice40": "-nobram"}
"""Memories become registers on both sides: a block RAM has no registers by which it could be compared."""

LEAVES = {
    "Crc": "crc",
    "CobsDecoder": "cobs",
    "UartReceiver": "8.3-clocks",
    "UartTransmitter": "8.3-clocks",
    "Generator": "salt",
    "NoiseBank": "lanes-1",
    "Queue": "depth-2",
    "Fork": "readers-3",
    "CounterBank": "five",
    "WeightAccess": "7-neurons-3-lanes-8-bits",
    "SampleSplit": "two",
    "SampleCount": "five",
    "TickMerge": "delays",
    "FeedbackGate": "tiny",
    "FeedbackPort": "sign",
    "CausalFifo": "5-inputs",
    "SignPopcount": "65-neurons-16-lanes",
    "SpikeSerializer": "lanes-37",
    "NeuronUnit": "lif",
    "PredictionUnit": "odd-classes",
    "FirstSpikePrediction": "three-lanes",
}
"""The components that are compared so, and the case of each."""

_OPEN = frozenset({"CausalFifo", "CounterBank", "FeedbackPort", "FirstSpikePrediction", "PredictionUnit"})
OPEN: dict[FamilyName, frozenset[str]] = {
    "ecp5": _OPEN,
    "ice40": _OPEN | {"CobsDecoder", "UartReceiver", "UartTransmitter"},
}
"""Those of a family that are not proved: equal registers of one clock are not enough for the next one.

Memories whose reads meet writes have contents that nobody asks for, and they may differ; on an iCE40 a register that
begins with 1 is stored the other way round. Nothing says that these netlists are wrong: their benches run on them.
"""


def compared(family: FamilyName) -> dict[str, str]:
    """Return the components whose netlists for a family are proved, and the case of each."""
    return {name: case for name, case in LEAVES.items() if name not in OPEN[family]}


class NotEquivalentError(Exception):
    """The netlist is not proved to do what the source does."""


@dataclass(frozen=True)
class Equivalence:
    """A proof.

    Attributes
    ----------
    points : int
        Bits of registers and outputs that are proved equal.
    apart : tuple of str
        Inner signals that the synthesis has made something else of, and that are left out: what depends on them is
        proved without them.
    seconds : float
    """

    points: int
    apart: tuple[str, ...]
    seconds: float


_UNPROVED = re.compile(r"Unproven \$equiv \S+: \\?(\S+?)_gold")
_FOUND = re.compile(r"Found (\d+) \$equiv cells")


def leaf(name: str, case_name: str | None, family: FamilyName) -> Equivalence:
    """Prove of one component, in a case of :data:`LEAVES` or another one, that its netlist does what its source does.

    Raises
    ------
    NotEquivalentError
        If it is not proved.
    ToolError
        As :func:`equivalent`.
    """
    entry = REGISTRY[name]
    case = entry.case(case_name or LEAVES[name])
    part = entry.build(case)
    outputs = {port_name(path) for path, member, _ in part.signature.flatten(part) if member.flow is Out}
    folder = build_folder() / "equivalence" / f"{name}-{case.name}-{family}"
    return equivalent(component_rtlil(part, TOP), outputs, family, folder)


def equivalent(
    source: str, ports: set[str], family: FamilyName, folder: Path, *, made_of: str | None = None
) -> Equivalence:
    """Prove that what Yosys makes of a source does the same.

    Parameters
    ----------
    source : str
        RTLIL, with the top :data:`TOP`.
    ports : set of str
        Its outputs; they are never left out.
    family : str
    folder : Path
        Where script and log are left.
    made_of : str, optional
        RTLIL of which the netlist is made; default is the source.

    Raises
    ------
    NotEquivalentError
        If it is not proved; the message names what may differ.
    ToolError
        When there is no Yosys, or it fails or takes longer than :data:`SECONDS`.
    """
    chosen, begin = FAMILIES[family], time.perf_counter()
    prepared = (f"hierarchy -top {TOP}", *PREPARATION, "flatten", "proc", "memory -nordff", "opt_clean")
    commands = (
        *("read_rtlil netlist.il", *prepared),
        f"{chosen.command} {_WITHOUT_MEMORIES[family]} -top {TOP}",
        f"techmap -wb -D EQUIV -autoproc -map +/{chosen.cells}",
        *("design -stash netlist", "read_rtlil source.il", *prepared, f"rename {TOP} gold"),
        *(f"design -copy-from netlist -as gate {TOP}", "equiv_make -blacklist apart gold gate both"),
        *("hierarchy -top both", "async2sync", "equiv_simple -seq 1", "equiv_induct", "equiv_status"),
    )
    apart: set[str] = set()
    with locked(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "source.il").write_text(source)
        (folder / "netlist.il").write_text(source if made_of is None else made_of)
        (folder / "equivalence.ys").write_text("\n".join([*commands, ""]))
        for _ in range(_ATTEMPTS):
            (folder / "apart").write_text("".join(f"{name}\n" for name in sorted(apart)))
            unproved, points = _attempt(folder)
            if not unproved:
                return Equivalence(points, tuple(sorted(apart)), time.perf_counter() - begin)
            # An output that differs is never a matter of names.
            if unproved & ports or unproved <= apart:
                break
            apart |= unproved
    named = ", ".join(sorted(unproved & ports or unproved)[:5])
    raise NotEquivalentError(
        f"the netlist for {family} is not proved to do what the source does: {named} may differ; "
        f"see {folder}/equivalence.log"
    )


def _attempt(folder: Path) -> tuple[set[str], int]:
    """Return the names that are not proved equal, and of how many bits that was asked."""
    command: list[str | Path] = [find_yosys().require(), "-q", "-l", "equivalence.log", "equivalence.ys"]
    done = run_within(SECONDS, command, folder)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-500:]
        raise ToolError(
            f"Yosys stopped with exit code {done.returncode}; see {folder}/equivalence.log:\n{said}"
        )
    log = (folder / "equivalence.log").read_text().rpartition("EQUIV_STATUS")[2]
    found = _FOUND.search(log)
    if found is None:
        raise ToolError(f"Yosys compared nothing; see {folder}/equivalence.log")
    return set(_UNPROVED.findall(log)), int(found[1])
