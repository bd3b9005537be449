# SPDX-License-Identifier: BSD-2-Clause
"""One command for each number that the documentation quotes.

``erbium bench NAME`` measures, compares with the target and writes JSON. A bench is a module with a function
``measure(request, display)`` that returns rows, and a line in :data:`BENCHES`.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from erbium.bench.display import Display
    from erbium.bench.request import Request
    from erbium.bench.result import Outcome


@dataclass(frozen=True)
class Bench:
    """Where a bench is, and what it measures in one phrase.

    Parameters
    ----------
    module : str
        Has ``measure(request, display)``.
    about : str
    pages : str
        Module with ``write_report(path, outcome)`` and ``write_pictures(folder, outcome)``, if there is one.
    keeps : bool
        Whether it keeps the runs that are done, and goes on from there.
    """

    module: str
    about: str
    pages: str = ""
    keeps: bool = False


BENCHES = {
    "accuracy": Bench("erbium.bench.accuracy", "test error of the MNIST presets, mean of three seeds"),
    "best": Bench("erbium.bench.best", "test error of the presets trained for the least error", keeps=True),
    "search": Bench(
        "erbium.bench.search", "validation error of what was tried on the way to those", keeps=True
    ),
    "first-spike": Bench(
        "erbium.bench.first_spike", "test error of the first-spike presets, and what their decisions take"
    ),
    "learners": Bench(
        "erbium.bench.learners", "the sign-popcount learner beside exact gradients, in one table"
    ),
    "papers": Bench(
        "erbium.bench.papers",
        "the tables and figures of the sources, beside the published figures",
        pages="erbium.bench.papers.page",
        keeps=True,
    ),
    "exact": Bench("erbium.bench.exact", "a whole epoch on the generated Verilog, compared with the model"),
    "board-link": Bench(
        "erbium.bench.board_link",
        "learning on the simulated chip of a bitstream over its serial line, compared",
    ),
    "service": Bench(
        "erbium.bench.service",
        "boards that are reset, killed, flooded or lose their line while they learn: weights after each",
    ),
    "model-speed": Bench("erbium.bench.model_speed", "images per second of the compiled model on one core"),
    "sim-speed": Bench("erbium.bench.sim_speed", "images per second of the simulated chip on one core"),
    "page": Bench(
        "erbium.bench.page", "the page in which the chip learns, in a browser: size, speed, exactness"
    ),
    "link": Bench("erbium.bench.link", "random and damaged frames that the host link survives"),
    "bus": Bench(
        "erbium.bench.bus", "random transfers and learning on AXI and on Wishbone, compared; what a bus costs"
    ),
    "lanes": Bench("erbium.bench.lanes", "share of clock cycles in which the lanes work, cycles per sample"),
    "proofs": Bench("erbium.bench.proofs", "components with formal proofs, and the faults that refute them"),
    "equivalence": Bench(
        "erbium.bench.equivalence", "netlists of components that are proved to do what their source does"
    ),
    "mutants": Bench(
        "erbium.bench.mutants",
        "faults sampled in the hardware that a bench notices, or that are proved to be none",
        keeps=True,
    ),
    "coverage": Bench(
        "erbium.bench.coverage",
        "lines of the generated Verilog that the benches reach, bits that go up and down",
        keeps=True,
    ),
    "read-back": Bench(
        "erbium.bench.read_back",
        "learning on what is read back: out of a Gowin bitstream, and out of routed netlists, with delays",
        keeps=True,
    ),
    "nir": Bench(
        "erbium.bench.bridge",
        "networks to and from other frameworks: digests, what 8 bits cost, what is won back after a shift",
        pages="erbium.bench.bridge.page",
    ),
    "core": Bench(
        "erbium.bench.core",
        "tasks of the machine: reward, reversals, sequences, without labels, Yin-Yang; controls",
    ),
    "boards": Bench("erbium.bench.boards", "frequency, size and images per second of the bitstreams"),
}
"""All benches by name; a new one is a line here."""


def bench_named(name: str) -> Bench:
    """Return the bench called `name`.

    Raises
    ------
    DescriptionError
        If there is none, naming those that there are.
    """
    from erbium.sw_model.programs import DescriptionError

    if name not in BENCHES:
        raise DescriptionError(f"there is no bench {name!r}; there are {', '.join(BENCHES)}")
    return BENCHES[name]


def listing() -> str:
    """Return what ``erbium bench --list`` prints: a line for each bench."""
    width = max(map(len, BENCHES))
    return "\n".join(f"{name:{width}}  {bench.about}" for name, bench in BENCHES.items())


def measure(request: Request, display: Display | None = None) -> Outcome:
    """Carry a bench out.

    Parameters
    ----------
    request : Request
    display : Display, optional
        What shows the progress; by default nothing does.

    Returns
    -------
    Outcome
        Its rows, those that the user asked for.

    Raises
    ------
    DescriptionError
        For an unknown bench, or a row that it does not have.
    DatasetError
        When the data it measures on is not there.
    erbium.verif.simulators.ToolError
        When it needs a simulator that is not there.
    """
    from erbium.bench.display import Display
    from erbium.bench.result import Outcome
    from erbium.summary import version

    module = importlib.import_module(bench_named(request.bench).module)
    with display or Display() as shown:
        rows = module.measure(request, shown)
    return Outcome(request.bench, version(), tuple(rows))


def run(
    name: str,
    *,
    quick: bool = False,
    json_file: Path | None = None,
    data: Path | None = None,
    jobs: int | None = None,
    only: tuple[str, ...] = (),
    keep: Path | None = None,
    report: Path | None = None,
    pictures: Path | None = None,
    overwrite: bool = True,
    console: Console | None = None,
    errors: Console | None = None,
) -> Outcome:
    """Carry a bench out and show it: what ``erbium bench NAME`` does.

    Parameters
    ----------
    name : str
        One of :data:`BENCHES`.
    quick : bool
        Whether a short form is enough, which needs no MNIST.
    json_file : Path, optional
        Where to write the rows, completely or not at all.
    data : Path, optional
        Folder with MNIST.
    jobs : int, optional
        Processes at a time; default is the number of processors.
    only : tuple of str
        Measure the rows of these ids alone, or those whose ids begin like one of them.
    keep : Path, optional
        Folder for the runs that are done: a bench that was interrupted goes on from there.
    report : Path, optional
        Where to write the figures as an HTML page.
    pictures : Path, optional
        Folder to write the figures to, each as an SVG file.
    overwrite : bool
        Whether files that are there already are replaced.
    console, errors : Console, optional
        Where to show the rows, and the progress.

    Raises
    ------
    DescriptionError
        If the bench has no figures, or keeps no runs, and is asked to.
    SystemExit
        With code 1, after everything is shown and written, if a row misses its target.
    """
    from rich.console import Console

    from erbium.bench.display import Display
    from erbium.bench.request import Request
    from erbium.gen import files

    chosen = bench_named(name)
    _check_options(name, chosen, keep=keep, report=report, pictures=pictures)
    # Before the work, and not after it.
    files.check_free(*(file for file in (json_file, report) if file is not None), overwrite=overwrite)
    if pictures is not None:
        if not pictures.parent.is_dir():
            raise FileNotFoundError(2, "No such folder", str(pictures.parent))
        files.check_free(*pictures.glob("*.svg"), overwrite=overwrite)
    request = Request(name, quick=quick, data=data, jobs=jobs, only=only, keep=keep)
    outcome = measure(request, Display(errors or Console(stderr=True)))
    outcome.show(console or Console(highlight=False))
    if json_file is not None:
        files.write_text(json_file, outcome.to_json())
    if report is not None:
        importlib.import_module(chosen.pages).write_report(report, outcome)
    if pictures is not None:
        importlib.import_module(chosen.pages).write_pictures(pictures, outcome)
    if not outcome.ok:
        sys.exit(1)
    return outcome


def _check_options(
    name: str, chosen: Bench, *, keep: Path | None, report: Path | None, pictures: Path | None
) -> None:
    """Refuse what a bench does not have."""
    from erbium.sw_model.programs import DescriptionError

    for option, value, ability, what in (
        ("--keep", keep, "keeps", "keeps no runs"),
        ("--report", report, "pages", "has no figures"),
        ("--pictures", pictures, "pages", "has no figures"),
    ):
        if value is not None and not getattr(chosen, ability):
            others = ", ".join(other for other, bench in BENCHES.items() if getattr(bench, ability))
            raise DescriptionError(
                f"{option} is '{value}' and bench {name!r} {what}; leave it out, or name {others}"
            )
