# SPDX-License-Identifier: BSD-2-Clause
"""Carries proofs out: Yosys writes a claim as formulas, and Yices looks for values that break them."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from erbium.verif.environment import tool_environment
from erbium.verif.files import build_folder, locked
from erbium.verif.formal.claim import RUNNING, TOP
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault
from erbium.verif.processes import run_within
from erbium.verif.simulators import ToolError
from erbium.verif.yosys import SMTBMC, YICES, YOSYS, run_yosys

SECONDS = 60.0
"""How long each of the two parts of a proof may take: the claim with its cover, and its fault."""


def script(proof: Proof) -> list[str]:
    """Return what Yosys does with a claim before it writes it."""
    return [
        "read_rtlil claim.il",
        f"hierarchy -top {TOP}",
        *("proc", "flatten", "memory_collect", "memory_nordff"),
        *([] if proof.arrays else ["memory_map"]),
        # A reset may come in any state: no register but one has a value before it, and no memory that is written.
        f"setattr -unset init w:* w:*{RUNNING}* %d",
        *("async2sync", "chformal -lower", "opt_clean", "dffunmap"),
        "write_smt2 -wires claim.smt2",
    ]


class ProofError(Exception):
    """A proof does not hold, or cannot be carried out."""


class NotRefutedError(ProofError):
    """The fault of a proof does not refute it: so it may say nothing of what the fault changes."""


def check_programs() -> None:
    """Raise :class:`ToolError`, naming the command that installs it, if a program is missing."""
    for program in (YOSYS, YICES, SMTBMC):
        program.find().require()


@dataclass(frozen=True)
class Verdict:
    """What became of a proof.

    Attributes
    ----------
    seconds : float
        Of the claim and its cover, from the hardware's source on.
    fault_seconds : float
        Until the fault was refuted.
    """

    seconds: float
    fault_seconds: float


def folder_of(proof: Proof) -> Path:
    """Return the folder of what a proof leaves behind: formulas, logs and, where it fails, the trace."""
    return build_folder() / "formal" / f"{proof.component}-{proof.name}"


def prove(proof: Proof, seconds: float = SECONDS) -> Verdict:
    """Carry a proof out, its cover, and its fault.

    Parameters
    ----------
    proof : Proof
    seconds : float
        How long the claim may take, and its fault.

    Raises
    ------
    ProofError
        If it does not hold, proves nothing, misses its fault, or takes too long.
    ToolError
        When a program is missing, naming the command that installs it.
    """
    with locked(folder_of(proof)):
        return _prove(proof, seconds)


def _prove(proof: Proof, seconds: float) -> Verdict:
    begin = time.perf_counter()
    run = _Run(proof, "claim", seconds)
    run.write(proof.claim().rtlil())
    # The first step is the reset itself.
    held, said = run.ask("base", ["-t", str(proof.clocks + 1)])
    if not held:
        raise ProofError(_broken(proof, run, "base", said))
    if proof.method != "depth":
        held, said = run.ask("step", ["-i", "-t", str(proof.clocks)])
        if not held:
            raise ProofError(_broken(proof, run, "step", said))
    held, said = run.ask("cover", ["-c", "-t", str(proof.within + 1)])
    if not held:
        raise ProofError(
            f"{proof.id} says nothing: '{proof.reached}' is not reached within {proof.within} clocks\n{said}"
        )
    half = time.perf_counter()
    run = _Run(proof, "fault", seconds)
    run.write_planted(proof.fault)
    held, said = run.ask("base", ["-t", str(max(proof.within, proof.clocks) + 1)])
    if held:
        raise NotRefutedError(
            f"{proof.id} is not refuted by its fault: {proof.fault.new!r} in place of {proof.fault.old!r} in "
            f"hdl/{proof.fault.module.replace('.', '/')}.py"
        )
    return Verdict(half - begin, time.perf_counter() - half)


def _broken(proof: Proof, run: _Run, what: str, said: str) -> str:
    where = "after a reset" if what == "base" else "in a state that the clocks before allow"
    return f"{proof.id} does not hold {where}: {proof.says}\n{said}\n  trace     {run.folder / f'{what}.vcd'}"


class _Run:
    """The formulas of one claim, and what the solver says of them."""

    def __init__(self, proof: Proof, name: str, seconds: float) -> None:
        self._proof, self._name, self._seconds = proof, name, seconds
        self._end = time.monotonic() + seconds
        check_programs()
        self.folder = folder_of(proof) / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    @property
    def _left(self) -> float:
        return max(self._end - time.monotonic(), 0.001)

    def write(self, rtlil: str) -> None:
        """Write the formulas of a claim."""
        (self.folder / "claim.il").write_text(rtlil)
        run_yosys(script(self._proof), self.folder, "claim")

    def write_planted(self, fault: Fault) -> None:
        """Write the formulas of the claim about hardware with a fault, made in a process of its own."""
        words = [sys.executable, "-m", "erbium.verif.formal.planted_claim"]
        done = run_within(self._left, [*words, self._proof.component, self._proof.name, *fault])
        if done.returncode:
            raise ProofError(f"{self._proof.id}: its fault cannot be planted\n{done.stderr.strip()[-2000:]}")
        self.write(done.stdout)

    def _named(self, line: str) -> str:
        """Return a line of the solver with the line of the claim in place of a cell's number."""
        if not (cell := re.search(r"\$\d+$", line)):
            return line
        text = (self.folder / "claim.il").read_text()
        place = re.search(rf"cell \$check {re.escape(cell[0])}\n(?:.*\n)*?    connect \\A \\line_(\d+)", text)
        return f"{line} of line {place[1]} of the claim" if place else line

    def ask(self, name: str, options: list[str]) -> tuple[bool, str]:
        """Ask the solver; return whether what was asked holds, and what was said."""
        solver, smtbmc = YICES.find().require(), SMTBMC.find().require()
        env = tool_environment()
        env["PATH"] = f"{solver.parent}{os.pathsep}{env.get('PATH', '')}"
        words = [str(smtbmc), "-s", "yices", "--presat", *options, "--dump-vcd", f"{name}.vcd", "claim.smt2"]
        try:
            done = run_within(self._left, words, self.folder, env)
        except ToolError:
            raise ProofError(
                f"{self._proof.id} was given up after {self._seconds:g} s, which proves nothing; give it more with "
                f"'erbium verify --formal {self._proof.id} --seconds {10 * self._seconds:g}'"
            ) from None
        said = done.stdout + done.stderr
        (self.folder / f"{name}.log").write_text(said)
        lines = [line.partition("  ")[2].strip() for line in said.splitlines()]
        lines = [line.partition("  ")[2].strip() or line for line in lines]
        if "Status: PASSED" in said:
            return True, ""
        if "Assumptions are unsatisfiable" in said:
            raise ProofError(f"{self._proof.id} says nothing: no inputs fulfil what it assumes")
        if "Status: FAILED" in said:
            return False, "\n".join(
                f"  {self._named(line)}" for line in lines if "ailed" in line or "nreached" in line
            )
        raise ProofError(
            f"{self._proof.id}: {smtbmc.name} stopped with exit code {done.returncode} and no verdict; see "
            f"{self.folder / f'{name}.log'}\n{said.strip()[-1000:]}"
        )
