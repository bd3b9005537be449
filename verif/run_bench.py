# SPDX-License-Identifier: BSD-2-Clause
"""Builds a component for a simulator and runs its bench: what ``erbium verify`` does."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import logging
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from erbium.gen.verilog import component_verilog
from erbium.sw_model.distribution import pip_install
from erbium.sw_model.temporary import temporary_folder
from erbium.verif import simulators
from erbium.verif.files import build_folder, locked
from erbium.verif.netlist import FamilyName, netlist
from erbium.verif.programs import package_version
from erbium.verif.registry import BENCH_VARIABLE, Case, Entry
from erbium.verif.scoreboard import COMMAND_VARIABLE, SEED_VARIABLE, WAVE_VARIABLE
from erbium.verif.simulators import SimulatorName
from erbium.verif.yosys import find_yosys

TOP = "bench_top"
WAVES_VARIABLE = "ERBIUM_WAVES"

_VERILATOR_FLAGS = (
    *("-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-MULTITOP"),
    *("--x-assign", "unique", "--x-initial", "unique"),
    # One source file: quicker than several as long as there are no more cores than benches.
    *("--output-split", "0"),
)

# Cocotb asks for everything to be visible; a bench looks only at ports.
_ONLY_PORTS = ("--no-public-flat-rw", "--public-depth", "1")

# But into a flash it puts what is there; that is never written or erased, which takes its time.
_WITH_FLASH = ("--no-timing",)

# Bits of wide signals, too.
_COVERAGE_FLAGS = (
    "--coverage-line",
    "--coverage-toggle",
    "--coverage-underscore",
    "--coverage-max-width",
    "100000",
)

# Speed of the compiler counts more than that of what it compiles: a bench runs for a second.
_MAKE = {"OPT_FAST": "-O0"}

LONGEST_RUN = 300
"""Seconds after which a simulation is stopped; also what ends one that hangs without clocks."""

TIMED_OUT = 124
"""Exit code of ``timeout`` when it has stopped a program."""

NETLIST_SLOWNESS = 10
"""How much longer the simulation of a netlist may take."""

# Verilator's own run time takes ten times as long to compile as most designs, and is the same for all.
_RUNTIME = "verilated*.o"


class BenchError(AssertionError):
    """A bench failed; the text has everything that is needed to repeat it."""


@dataclass(frozen=True)
class Run:
    """One bench on one simulator.

    Parameters
    ----------
    entry : Entry
    case : Case
    simulator : str
    seed : int
    variant : str
        Sets builds of changed hardware (mutants) apart; empty for the hardware as it is.
    verilog : str
        The changed hardware.
    tests : str
        Regular expression: which tests of the bench to run; empty for all.
    family : str
        Run on what a synthesis for this family of FPGAs makes of the hardware; empty for the hardware itself.
    seconds : int
        How long the simulation may take; that of a netlist some times longer.
    coverage : bool
        Note in ``coverage.dat`` which lines were reached and which bits went up and down; for Verilator.
    before : str
        Module with tests that go before those of the bench.
    variables : mapping of str to str
        Of the environment, for what goes before.
    """

    entry: Entry
    case: Case
    simulator: SimulatorName
    seed: int = 1
    variant: str = ""
    verilog: str = ""
    tests: str = ""
    family: FamilyName | Literal[""] = ""
    seconds: int = LONGEST_RUN
    coverage: bool = False
    before: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where this bench is built and run."""
        variant = self.variant or "coverage" * self.coverage
        parts = (self.entry.name, self.case.name, self.family, variant, self.simulator)
        return build_folder() / "-".join(filter(None, parts))

    @property
    def longest(self) -> int:
        """Seconds that the simulation may take."""
        return self.seconds * (NETLIST_SLOWNESS if self.family else 1)

    def source(self) -> str:
        """Return the Verilog of what is simulated: the hardware, what a synthesis makes of it, or a mutant.

        Raises
        ------
        ToolError
            When there is no Yosys for a netlist, or it fails.
        """
        if self.verilog:
            return self.verilog
        name = f"{self.entry.name}-{self.case.name}"
        if self.family:
            kept = build_folder() / "netlists" / f"{name}-{self.family}"
            return netlist(self.entry.build(self.case), TOP, self.family, kept)
        return self._generated(build_folder() / "verilog" / f"{name}.v")

    def _generated(self, kept: Path) -> str:
        """Return the Verilog of the hardware, which is generated once for all simulators."""
        key = f"// {_sources_hash()}\n"
        with locked(kept):
            if kept.exists() and (text := kept.read_text()).startswith(key):
                return text
            text = key + component_verilog(self.entry.build(self.case), TOP)
            kept.write_text(text)
        return text

    def command(self) -> str:
        """Return the command that repeats this run and writes its waveforms."""
        command = f"erbium verify {self.entry.name} {self.case.name} --waves"
        tests = f" --tests '{self.tests}'" if self.tests else ""
        family = f" --netlist {self.family}" if self.family else ""
        return f"{command}{family} --simulator {self.simulator} --seed {self.seed}{tests}"


@cache
def _sources_hash() -> str:
    """Return a hash of all code that decides what hardware is built."""
    here = Path(__file__).parent
    packages = (importlib.import_module(f"erbium.{name}") for name in ("hdl", "gen", "sw_model"))
    folders = [Path(package.__file__ or "").parent for package in packages]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    # The registry and all that its cases are made of: tops, graphs, programs.
    files += sorted(here.glob("*.py"))
    files += sorted(here.glob("cells/*.v"))
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _build(run: Run, folder: Path, *, waves: bool) -> None:
    """Generate and compile, unless that has been done for this very hardware."""
    stamp = folder / "built"
    tool = simulators.find_icarus() if run.simulator == "icarus" else simulators.find_verilator()
    version = f"{tool.path} {tool.version}"
    changed = hashlib.sha256(run.verilog.encode()).hexdigest()
    key = f"{_sources_hash()} {changed} {version}"
    if run.family:
        key = f"{key} {find_yosys().path} {find_yosys().version}"
    if stamp.exists() and stamp.read_text() == key:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = folder / f"{TOP}.v"
    source.write_text(run.source())
    if run.simulator == "icarus" or waves:
        _compile(run, source, waves=waves)
    else:
        made_by = f"{version} with coverage" if run.coverage else version
        shared = folder.parent / f"runtime-{hashlib.sha256(made_by.encode()).hexdigest()[:12]}"
        with locked(shared) if not shared.exists() else contextlib.nullcontext():
            _compile(run, source, runtime=shared)
    stamp.write_text(key)


def _compile(run: Run, source: Path, *, waves: bool = False, runtime: Path | None = None) -> None:
    """Compile; take Verilator's compiled run time from a folder, or keep it there for the builds to come."""
    folder, make = source.parent, dict(_MAKE)
    further = _WITH_FLASH if simulators.FLASH_CELL in source.read_text() else _ONLY_PORTS
    flags = (*_VERILATOR_FLAGS, *further, *(_COVERAGE_FLAGS if run.coverage else ()))
    if ready := runtime is not None and runtime.exists():
        objects = [f"../{runtime.name}/{path.name}" for path in sorted(runtime.glob(_RUNTIME))]
        make |= {"VK_GLOBAL_OBJS": "", "LIBS": " ".join(objects)}
    try:
        simulators.runner(run.simulator, make).build(
            sources=[source, *simulators.cell_models(source.read_text())],
            hdl_toplevel=TOP,
            build_dir=folder,
            build_args=flags if run.simulator == "verilator" else (),
            waves=waves,
            timescale=("1ns", "1ps"),
            log_file=folder / "build.log",
            always=True,
        )
    except simulators.ToolError:
        raise  # a simulator, or cocotb itself, is not there: no fault of the bench
    except (SystemExit, Exception) as error:
        if _is_told_to_end(error):
            raise
        log = folder / "build.log"
        text = log.read_text()[-3000:] if log.exists() else ""
        what = f"{run.simulator} did not build {run.entry.name} {run.case.name}"
        raise BenchError(f"{what}: {error!r}\n{text}") from error
    if runtime is not None and not ready:
        _keep_runtime(folder, runtime)


def _keep_runtime(folder: Path, runtime: Path) -> None:
    """Keep Verilator's compiled run time, whole or not at all, out of the folder of a build."""
    # No name that begins like those of run times, which would be swept away with what a killed process has left.
    with temporary_folder(runtime.parent, ".making-") as work:
        fresh = work / "objects"
        fresh.mkdir()
        for path in folder.glob(_RUNTIME):
            shutil.copy(path, fresh)
        fresh.rename(runtime)


def _simulate(run: Run, *, waves: bool) -> list[str]:
    """Build, run, and return what failed."""
    folder = run.folder.with_name(run.folder.name + ("-waves" if waves else ""))
    with locked(folder):
        _build(run, folder, waves=waves)
        # Verilator's runs write `dump.vcd` where they run, Icarus's `TOP.fst` where it was built.
        waveform = folder / (f"{TOP}.fst" if run.simulator == "icarus" else "dump.vcd") if waves else None
        results = folder / "results.xml"
        log = folder / "run.log"
        environment = {
            BENCH_VARIABLE: f"{run.entry.name}/{run.case.name}",
            SEED_VARIABLE: str(run.seed),
            WAVE_VARIABLE: str(waveform or ""),
            COMMAND_VARIABLE: run.command(),
            **run.variables,
            "COCOTB_ANSI_OUTPUT": "0",
            # Rewriting the assertions of everything that is imported takes longer than most simulations.
            "COCOTB_REWRITE_ASSERTION_FILES": "",
        }
        bench = f"erbium.verif.benches.{run.entry.bench_of(run.case)}"
        results.unlink(missing_ok=True)
        seconds = run.longest if shutil.which("timeout") else None
        ended = ""
        # Under pytest the runner leaves by sys.exit when a test fails; the results say which.
        try:
            simulators.runner(run.simulator, seconds=seconds).test(
                test_module=[*filter(None, [run.before]), bench],
                hdl_toplevel=TOP,
                hdl_toplevel_lang="verilog",
                build_dir=folder,
                test_dir=folder,
                results_xml=str(results),
                extra_env=environment,
                seed=run.seed,
                waves=waves,
                test_filter=run.tests or None,
                log_file=log,
                timescale=("1ns", "1ps") if run.simulator == "icarus" else None,
            )
        except simulators.ToolError:
            raise
        except SystemExit as error:
            if _is_told_to_end(error):
                raise
        except RuntimeError as error:
            # A simulation that did not end well may have left results all the same.
            late = str(error).endswith(f" {TIMED_OUT}")
            ended = (
                f"the simulation was stopped after {seconds} second{'s' * (seconds != 1)}"
                if late
                else f"the simulation: {error}"
            )
        return [*filter(None, [ended]), *_failures(results, log)]


def _is_told_to_end(error: BaseException) -> bool:
    """Whether SIGTERM is what ends this process: cocotb's runner leaves in the same way when a test fails."""
    return isinstance(error, SystemExit) and error.code == 128 + signal.SIGTERM


def _failures(results: Path, log: Path) -> list[str]:
    """Return one text for each test that failed."""
    tail = log.read_text(errors="replace")[-4000:] if log.exists() else ""
    if not results.exists():
        return [f"the simulation ended without results\n{tail}"]
    texts = []
    cases = list(ElementTree.parse(results).iter("testcase"))
    if not cases:
        return [f"no test ran\n{tail}"]
    for case in cases:
        for failure in (*case.iter("failure"), *case.iter("error")):
            message = failure.get("error_msg") or failure.get("message") or failure.text or "failed"
            texts.append(f"{case.get('name')}: {message}")
        if case.find("skipped") is not None:
            texts.append(f"{case.get('name')}: was skipped")
    return texts


def run_bench(run: Run, *, again: bool = True) -> None:
    """Run a bench; if it fails, run it again with waveforms, unless `again` is false.

    Raises
    ------
    BenchError
        If any of its tests fails, or the simulation takes too long.
    ToolError
        When a simulator, or a package that the bench needs, is missing.
    """
    missing = [name for name in run.entry.packages if package_version(name) is None]
    if missing:
        raise simulators.ToolError(
            f"the bench of {run.entry.name} needs {' and '.join(missing)}; get it with '{pip_install(*missing)}'."
        )
    logging.getLogger("FoundSimulator").setLevel(logging.ERROR)
    waves = os.environ.get(WAVES_VARIABLE, "") not in ("", "0")
    failures = _simulate(run, waves=waves)
    if failures and not waves and again:
        failures = _simulate(run, waves=True) or [
            *failures,
            "and it passed when it was run again with waveforms",
        ]
    if failures:
        text = "\n".join(failures)
        raise BenchError(f"{run.entry.name} {run.case.name} under {run.simulator}:\n{text}")
