# SPDX-License-Identifier: BSD-2-Clause
"""Where a sweep keeps what it has found: a folder that remembers every point it was ever asked for.

A point is finished when its file is there, and files appear whole or not at all; so nothing that was finished is
lost or computed again, whoever is killed when. The table for everybody else is a Parquet file.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from erbium.gen.files import locked, replacing
from erbium.sweep import SweepError
from erbium.sweep.axes import Settings, Value
from erbium.sweep.measure import MEASURES, Trained

TABLE, CSV_TABLE = "results.parquet", "results.csv"
DONE, FAILED, REFUSED = "done", "failed", "refused"

_ARROW = {float: pa.float64(), int: pa.int64(), str: pa.string()}


@dataclass(frozen=True)
class Row:
    """What became of a point.

    Attributes
    ----------
    key : str
    status : str
        ``"done"``, ``"failed"`` or ``"refused"``.
    message : str
        Why it failed or was refused.
    measures : dict
        Some of :data:`erbium.sweep.measure.MEASURES`.
    """

    key: str
    status: str
    message: str
    measures: dict[str, Any]


class Store:
    """The folder of a sweep.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.points, self.weights, self.builds = (
            self.folder / name for name in ("points", "trained", "builds")
        )
        for part in (self.points, self.weights):
            part.mkdir(parents=True, exist_ok=True)
        mark = self.folder / "id"
        if not mark.is_file():
            with whole_file(mark) as file:
                file.write(secrets.token_hex(8).encode())
        self.id = mark.read_text().strip()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other sweeps out of the folder.

        Raises
        ------
        OutputError
            If one is at work there.
        """
        with locked(
            self.folder / "lock",
            f"another sweep is at work in {self.folder}; wait for its end, or name another folder with --output",
        ):
            yield

    def claim(self, what: str, *, overwrite: bool) -> None:
        """Take the folder for a sweep of one network and data set, so that its table and plots are of that.

        Parameters
        ----------
        what : str
            Names both. A sweep of the same may go on there, also over more values.
        overwrite : bool
            Whether results of another one are replaced; points that were measured are kept, whatever they are of.

        Raises
        ------
        SweepError
            If the folder holds the results of another sweep.
        """
        mark, results = self.folder / "about", [*self.folder.glob("*.svg"), *self.folder.glob("*.png")]
        results += [path for path in (self.folder / TABLE, self.folder / "index.html") if path.exists()]
        found = mark.read_text(encoding="utf-8").strip() if mark.is_file() else ""
        if found != what:
            if results and not overwrite:
                raise SweepError(
                    f"{self.folder} holds the results of {found or 'another sweep'}, and this is {what}; add "
                    "--overwrite to replace them, or name another folder with --output"
                )
            for path in results:
                path.unlink()
            with whole_file(mark) as file:
                file.write(what.encode())

    def row(self, key: str) -> Row | None:
        """Return what became of a point, None if it is not finished."""
        try:
            data = json.loads((self.points / f"{key}.json").read_bytes())
            return Row(key, data["status"], data["message"], data["measures"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            # Nobody but a broken disk writes half a file; the point is computed again.
            return None

    def keep(self, row: Row) -> None:
        """Remember what became of a point."""
        data = {"status": row.status, "message": row.message, "measures": row.measures}
        with whole_file(self.points / f"{row.key}.json") as file:
            file.write(json.dumps(data).encode())

    def forget(self, key: str) -> None:
        """Forget what became of a point."""
        (self.points / f"{key}.json").unlink(missing_ok=True)

    def trained(self, key: str) -> Trained | None:
        """Return the weights of a training, None if it is not finished."""
        try:
            with np.load(self.weights / f"{key}.npz") as data:
                work = json.loads(str(data["work"]))
                return Trained([data[f"layer{number}"] for number in range(1, len(data.files))], work)
        except (FileNotFoundError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def keep_trained(self, key: str, trained: Trained) -> None:
        """Remember the weights of a training."""
        weights = {f"layer{number}": values for number, values in enumerate(trained.weights, 1)}
        with whole_file(self.weights / f"{key}.npz") as file:
            np.savez_compressed(file, work=np.array(json.dumps(trained.work)), **weights)  # type: ignore[arg-type]

    def write_table(self, rows: Sequence[tuple[Settings, Row]], command: str) -> Path:
        """Write the table, as Parquet and as CSV: a row for each point, in the order given.

        Parameters
        ----------
        rows : sequence of (Settings, Row)
        command : str
            The command line that asks for it; kept in the metadata of the file.
        """
        path, made = self.folder / TABLE, table(rows, command)
        with whole_file(path) as file:
            parquet.write_table(made, file)
        with whole_file(self.folder / CSV_TABLE) as file:
            csv.write_csv(made, file)
        return path


def table(rows: Sequence[tuple[Settings, Row]], command: str = "") -> pa.Table:
    """Return results as a table: the fields of the sweep, then key, status and message, then the measures."""
    names = list(dict.fromkeys(name for settings, _ in rows for name in settings))
    columns = {name: _column([settings.get(name) for settings, _ in rows]) for name in names}
    for name in ("key", "status", "message"):
        columns[name] = pa.array([getattr(row, name) for _, row in rows], pa.string())
    for name, (kind, _) in MEASURES.items():
        columns[name] = pa.array([row.measures.get(name) for _, row in rows], _ARROW[kind])
    made = pa.table(columns)
    return made.replace_schema_metadata({"erbium.command": command})


def _column(values: Sequence[Value | None]) -> pa.Array:
    """Return settings as a column: of numbers if all are, else of their spelling."""
    present = [value for value in values if value is not None]
    for kind, arrow in ((bool, pa.bool_()), (int, pa.int64()), (float, pa.float64())):
        allowed = (int, float) if kind is float else kind
        same = all(
            isinstance(value, allowed) and isinstance(value, bool) == (kind is bool) for value in present
        )
        if present and same:
            return pa.array(values, arrow)
    return pa.array([None if value is None else str(value) for value in values], pa.string())


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that is there whole, or not at all."""
    with replacing(path) as file:
        yield file
