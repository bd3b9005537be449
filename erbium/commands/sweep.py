# SPDX-License-Identifier: BSD-2-Clause
"""``erbium sweep``."""

from __future__ import annotations

import os
import shlex
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import TaskID

from erbium.commands import common
from erbium.interrupt import Interruption, StoppedError
from erbium.progress import ProgressDisplay
from erbium.sw_model import datasets
from erbium.sw_model.datasets import DatasetError
from erbium.sw_model.datasets.sources import BUNDLED, OWN_DATA
from erbium.sw_model.distribution import not_installed, pip_install
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sweep import SweepError, axes
from erbium.sweep.axes import Settings, Value

if TYPE_CHECKING:
    from erbium.sweep.point import Base, Point
    from erbium.sweep.store import Row, Store

PACKAGES = ("dask", "distributed", "pyarrow")
_KEYS = {"network", "set", "over", "zip", "sample", "sample_seed"}


@dataclass(frozen=True)
class Request:
    """The options of the command, and what a file of a sweep says, as one.

    Attributes
    ----------
    network : str
    settings : dict
        What all points have.
    over : dict
        Values of each field.
    zips : sequence of sequence of str
    sample : int or None
    sample_seed : int
    """

    network: str
    settings: Settings
    over: dict[str, tuple[Value, ...]]
    zips: Sequence[Sequence[str]]
    sample: int | None
    sample_seed: int

    def points(self) -> list[Settings]:
        """Return the settings of all points that the sweep names."""
        if not self.over:
            raise click.UsageError("a sweep goes over something; name it with --over FIELD=VALUES")
        both = sorted(self.over.keys() & self.settings)
        if both:
            raise DescriptionError(f"{both[0]!r} is set and swept over; it can be one of them")
        return axes.points(axes.join(self.over, self.zips), self.sample, self.sample_seed)


@click.command(
    short_help="Explore a design space: accuracy, work, memory, faults.",
    epilog=common.examples(
        "erbium sweep erbp-mnist-100 --over 'layers.*.weight_width=4..12' --set images=20000",
        "erbium sweep erbp-mnist-100 --over hidden=50,100,200,200-200 --over 'hardware.lanes=16..64*2'",
        "erbium sweep erbp-digits --data digits --over 'faults.weight_stuck_0=0,0.001..0.1*10' "
        "--over faults.onset=learning,inference",
        "erbium sweep erbp-mnist-200 --over eval.ticks=1..32 --set recipe.epochs=4",
        "erbium sweep erbp-digits --data digits --over layers.0.gain=4..20 --over layers.1.gain=4..20 --sample 50",
        "erbium sweep first-spike-mnist-600 --over hidden=100..600+100 --build ulx3s-85f --jobs 1",
        "erbium sweep mine.toml --scheduler tcp://node1:8786",
    ),
)
@click.argument("network", metavar="[PRESET|FILE]", shell_complete=common.complete_network, required=False)
@click.option(
    "--over", multiple=True, metavar="FIELD=VALUES", help="An axis: values and ranges with commas between."
)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="What all points have.")
@click.option(
    "--zip", "zips", multiple=True, metavar="FIELD,FIELD", help="Axes that walk together, not as a grid."
)
@click.option("--sample", type=int, metavar="N", help="N points of the grid at random, in place of all.")
@click.option("--sample-seed", type=int, metavar="S", help="Another choice of those.  [default: 1]")
@click.option(
    "--test", is_flag=True, help="Ask the test images, too. To choose by, there are the validation images."
)
@click.option("--eval-images", type=int, metavar="N", help="Ask the first N images of a split only.")
@click.option(
    "--count-cycles", is_flag=True, help="Count clocks on the simulated Verilog, besides the formulas."
)
@click.option(
    "--build", "build_board", metavar="BOARD", help="Build a bitstream of each point: LUTs and Fmax."
)
@click.option("--jobs", type=int, metavar="N", help="Points at a time on this machine; default is its cores.")
@click.option("--scheduler", metavar="ADDRESS", help="Work on a Dask cluster, such as tcp://node1:8786.")
@common.data_option
@click.option(
    "-o", "--output", type=common.FOLDER, metavar="DIR", help="Folder of the sweep; default sweep-NETWORK."
)
@common.overwrite_option
@click.option("--retry", is_flag=True, help="Try points again that failed.")
@click.option(
    "--log", type=common.FILE, metavar="FILE", help="Append a line at both ends of each computation."
)
@click.option(
    "--list", "list_only", is_flag=True, help="List the points, with those refused, and do nothing."
)
@click.option("--fields", is_flag=True, help="List the fields of PRESET that a sweep can go over.")
def sweep(network: str | None, **options: Any) -> None:
    """Measure a network at many points of its design space.

    A point is a network with some fields set: of its description (layers.0.weight_width, n_ticks), of the way it is
    trained (recipe.epochs, images), built (hardware.lanes), broken (faults.dead_neurons) and asked (eval.ticks).
    VALUES are 6,8,10 or ranges: 4..12, 16..64+16, 16..128*2. Several --over span a grid. A .toml file can say
    all of that.

    Measured are the validation error, synaptic operations, clocks and memory; the results are a Parquet file with
    plots and a page beside it. Ctrl-C, a lost worker or a lost machine cost what was under way and nothing else: the
    same command carries on, also with more values. The exit code is 1 if no point has an answer.
    """
    if fields := options.pop("fields"):
        assert fields
        _list_fields(network or "erbp-mnist-100")
        return
    request = _request(network, options)
    _require_packages()
    from erbium.sweep.point import Ask, Base, Build

    for name, low in (("jobs", 1), ("eval_images", 1)):
        if options[name] is not None:
            check_range(f"--{name.replace('_', '-')}", options[name], low, 1_000_000)
    if options["jobs"] is not None and options["scheduler"] is not None:
        raise click.UsageError("--jobs is for this machine and --scheduler for a cluster; give one of them")
    first = common.named_network(request.network).network
    dataset = datasets.load(options["data"], n_inputs=first.n_inputs)
    own = OWN_DATA.get(first.n_inputs)
    if options["data"] is None and own is not None and dataset.digest == BUNDLED[own]().digest:
        options["data"] = Path(own)  # for the workers, too
    if dataset.notice:
        click.echo(dataset.notice, err=True)
    base = Base(
        request.network,
        dataset,
        Ask(images=options["eval_images"] or 0, test=options["test"]),
        Build(options["build_board"] or ""),
        options["count_cycles"],
    )
    settings = [request.settings | point for point in request.points()]
    points, refused = _resolved(base, settings)
    errors = Console(stderr=True)
    _say_refused(errors, refused, len(settings))
    if options["list_only"]:
        _list_points(settings, refused)
        return
    if not points:
        raise DescriptionError(f"all {len(settings)} points are refused: {next(iter(refused.values()))}")
    about = f"network {first.name} ({first.digest}) on {dataset.name} ({dataset.digest})"
    _carry_out(_Sweep(request, settings, points, refused, options, dataset.name, about), errors)


def _require_packages() -> None:
    if missing := not_installed(*PACKAGES):
        raise SweepError(
            f"'erbium sweep' needs {' and '.join(missing)}, not installed here; get all that it needs with: "
            f"{pip_install('dask', 'pyarrow')}"
        )


# --- What is asked for ---


def _request(network: str | None, options: dict[str, Any]) -> Request:
    said: dict[str, Any] = {}
    if network is not None and Path(network).suffix == ".toml":
        said = _read(Path(network))
        network = said.get("network")
    if network is None:
        raise click.UsageError("name a network to sweep, such as erbp-mnist-100; 'erbium presets' lists them")
    over = {name: _values(name, values) for name, values in said.get("over", {}).items()}
    over |= _once(map(axes.parse_axis, options["over"]), "--over")
    settings = {name: _frozen(value) for name, value in said.get("set", {}).items()}
    settings |= _once(map(axes.parse_setting, options["settings"]), "--set")
    zips = [*said.get("zip", []), *(text.split(",") for text in options["zips"])]
    sample = said.get("sample") if options["sample"] is None else options["sample"]
    seed = said.get("sample_seed", 1) if options["sample_seed"] is None else options["sample_seed"]
    return Request(network, settings, over, zips, sample, seed)


def _once(pairs: Any, option: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise DescriptionError(f"{option} names {name!r} twice; give all its values at once")
        found[name] = value
    return found


def _read(path: Path) -> dict[str, Any]:
    """Read the file of a sweep."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DescriptionError(f"{path} is no TOML: {error}") from None
    unknown = sorted(set(said) - _KEYS)
    if unknown:
        raise DescriptionError(f"{path} says {unknown[0]!r}; a sweep has {', '.join(sorted(_KEYS))}")
    for name, kind in (("network", str), ("set", dict), ("over", dict), ("zip", list), ("sample", int)):
        if name in said and not isinstance(said[name], kind):
            raise DescriptionError(
                f"{path}: {name!r} is {said[name]!r}; see docs/sweep.md for what it can be"
            )
    for name in ("set", "over"):
        said[name] = _flat(said.get(name, {}))
    return said


def _flat(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return the values of a table, and of those in it, by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _flat(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return found


def _values(name: str, values: Any) -> tuple[Value, ...]:
    if isinstance(values, str):
        return axes.parse_axis(f"{name}={values}")[1]
    if not isinstance(values, list) or not values:
        raise DescriptionError(f'{name!r} goes over {values!r}; write a list, or a range such as "4..12"')
    return tuple(_frozen(value) for value in values)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _resolved(base: Base, settings: Sequence[Settings]) -> tuple[dict[int, Point], dict[int, str]]:
    """Return the points by their numbers, and why there are no others."""
    from erbium.sweep.point import resolve

    points, refused = {}, {}
    for number, one in enumerate(settings):
        try:
            points[number] = resolve(base, one)
        except (DescriptionError, DatasetError) as error:
            refused[number] = " ".join(str(error).split())
    return points, refused


def _say_refused(errors: Console, refused: dict[int, str], total: int) -> None:
    if not refused:
        return
    _print(errors, f"{len(refused)} of {total} points are refused:")
    for message, count in Counter(refused.values()).items():
        _print(errors, f"  {count} times: {message}" if count > 1 else f"  {message}")


def _list_points(settings: Sequence[Settings], refused: dict[int, str]) -> None:
    for number, one in enumerate(settings):
        common.say(f"{number + 1}: {axes.spelled(one)}{' (refused)' if number in refused else ''}")


def _list_fields(network: str) -> None:
    from erbium.sweep.point import describe_fields
    from erbium.tables import PlainTable

    table = PlainTable()
    table.add_column("field")
    table.add_column(f"in {network}, or what it is", overflow="fold")
    for name, value in describe_fields(network):
        table.add_row(name, value)
    common.console().print(table)


# --- Doing it ---


@dataclass(frozen=True)
class _Sweep:
    """All that is known before the first point is measured."""

    request: Request
    settings: Sequence[Settings]
    points: dict[int, Point]
    refused: dict[int, str]
    options: dict[str, Any]
    dataset: str
    about: str

    @property
    def swept(self) -> list[Settings]:
        """Settings of each point, without those that all have."""
        return [{name: one[name] for name in self.request.over} for one in self.settings]


def _carry_out(sweep: _Sweep, errors: Console) -> None:
    from erbium.sweep.cluster import workers
    from erbium.sweep.run import Work, run
    from erbium.sweep.store import FAILED, Store
    from erbium.sweep.tasks import Place

    options = sweep.options
    store = Store(options["output"] or Path(f"sweep-{Path(sweep.request.network).stem}"))
    data = options["data"] or (Path(found) if (found := os.environ.get("ERBIUM_DATA")) else None)
    place = Place(
        str(store.folder),
        store.id,
        None
        if data is None
        else str(data)
        if str(data) in BUNDLED
        else str(Path(data).expanduser().absolute()),
        None if options["log"] is None else str(options["log"].absolute()),
    )
    with store.locked():
        store.claim(sweep.about, overwrite=options["overwrite"])
        todo = {point.key: point for point in sweep.points.values()}
        for key in list(todo):
            row = store.row(key)
            if row is not None and row.status == FAILED and options["retry"]:
                store.forget(key)
            elif row is not None:
                del todo[key]
        n_done = len({point.key for point in sweep.points.values()}) - len(todo)
        known = f", {n_done} of them measured before" if n_done else ""
        _print(
            errors,
            f"{len(sweep.points)} points over {', '.join(sweep.request.over)} in {store.folder}{known}.",
        )
        stop = Interruption("when what is under way is done")
        try:
            if todo:
                work = Work(list(todo.values()), store, place)
                with (
                    stop,
                    workers(options["scheduler"], options["jobs"] or os.cpu_count() or 1) as client,
                    _Display(errors, dict(todo.items()), sweep.request.over) as display,
                ):
                    run(work, client, display.finished, lambda: stop.number != 0)
        finally:
            rows = _rows(sweep, store)
            _write(sweep, store, rows)
    _conclude(sweep, store, rows, stop.number)


def _rows(sweep: _Sweep, store: Store) -> list[tuple[Settings, Row]]:
    """Return what is known of each point, in the order of the sweep."""
    from erbium.sweep.store import REFUSED, Row

    rows = []
    for number, settings in enumerate(sweep.swept):
        if number in sweep.refused:
            rows.append((settings, Row("", REFUSED, sweep.refused[number], {})))
        elif (row := store.row(sweep.points[number].key)) is not None:
            rows.append((settings, row))
    return rows


def _command(sweep: _Sweep) -> str:
    """Return the command line that asks for the same."""
    request, options = sweep.request, sweep.options
    words = ["erbium", "sweep", request.network]
    for name, values in request.over.items():
        words += [
            "--over",
            f"{name}={','.join(axes.spelled({name: value}).partition('=')[2] for value in values)}",
        ]
    for name, value in request.settings.items():
        words += ["--set", axes.spelled({name: value})]
    for group in request.zips:
        words += ["--zip", ",".join(group)]
    if request.sample is not None:
        words += ["--sample", str(request.sample), "--sample-seed", str(request.sample_seed)]
    for name in ("eval_images", "data"):
        if options[name] is not None:
            words += [f"--{name.replace('_', '-')}", str(options[name])]
    words += [f"--{name.replace('_', '-')}" for name in ("test", "count_cycles") if options[name]]
    if options["build_board"]:
        words += ["--build", options["build_board"]]
    return shlex.join(words)


def _write(sweep: _Sweep, store: Store, rows: Sequence[tuple[Settings, Row]]) -> None:
    """Write the table, the plots and the page, in place of those that are there."""
    from erbium.sweep import page, plots
    from erbium.sweep.store import whole_file

    command = _command(sweep)
    store.write_table(rows, command)
    made = plots.plots(rows)
    files = {f"{plot.name}.{kind}": plots.write(plot, kind) for plot in made for kind in ("svg", "png")}
    fields = "; ".join(map(plots.readable, sweep.request.over))
    about = f"{len(rows)} points of {sweep.dataset}, over: {fields}."
    title = f"{Path(sweep.request.network).stem}, swept"
    files["index.html"] = page.render(title, about, command, rows, made).encode()
    for name, data in files.items():
        with whole_file(store.folder / name) as file:
            file.write(data)


def _conclude(sweep: _Sweep, store: Store, rows: Sequence[tuple[Settings, Row]], stopped: int) -> None:
    from erbium.sweep.store import DONE, FAILED, TABLE

    by_status = Counter(row.status for _, row in rows)
    left = len(sweep.points) - by_status[DONE] - by_status[FAILED]
    failed = f", {by_status[FAILED]} failed" if by_status[FAILED] else ""
    unanswered = sum(row.status == DONE and not _answered(row) for _, row in rows)
    silent = f", {unanswered} of them without an answer" if unanswered else ""
    where = store.folder / TABLE
    text = f"{by_status[DONE]} of {len(sweep.settings)} points measured{silent}{failed}; the table is {where}"
    if left:
        raise StoppedError(f"Stopped with {left} points to go: {text}; the same command carries on.", stopped)
    common.say(f"{text}, the page {store.folder / 'index.html'}")
    if unanswered == by_status[DONE]:
        sys.exit(1)


class _Display(ProgressDisplay):
    """A line for each point that is finished, and a bar on a terminal."""

    def __init__(self, console: Console, points: dict[str, Point], fields: Any) -> None:
        super().__init__(console)
        self._points, self._fields, self._count = points, list(fields), 0
        self._task: TaskID = self._progress.add_task("measuring", total=len(points))

    def finished(self, row: Row) -> None:
        """Show what became of a point."""
        from erbium.sweep.store import DONE

        self._count += 1
        self._progress.update(self._task, completed=self._count)
        settings = self._points[row.key].settings
        swept = axes.spelled({name: settings[name] for name in self._fields})
        if row.status == DONE:
            found = _found(row)
        else:
            found = f"failed: {row.message}"
        _print(self.console, f"{self._count} of {len(self._points)}: {swept}: {found}")


def _answered(row: Row) -> bool:
    """Whether a point that was measured has an answer to any image."""
    return row.measures.get("validation_error") is not None


def _found(row: Row) -> str:
    """Return what was found at a point: how many answers were wrong, and what was silent."""
    measures = row.measures
    if not _answered(row):
        return f"no answer; {measures['silent']}"
    found = f"{100 * measures['validation_error']:.2f} % wrong"
    return f"{found}; {measures['silent']}" if measures["silent"] else found


def _print(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
