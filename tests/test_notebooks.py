# SPDX-License-Identifier: BSD-2-Clause
"""The notebooks run as they stand, and print what they have kept: integers are the same on every machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import erbium
from erbium import notebook
from erbium.train import CurvePoint

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
SIMULATED = [pytest.mark.verilator]

RUN = """
import sys
import nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], as_version=4)
for cell in book.cells:
    if cell.cell_type == "code":
        cell.outputs = []
NotebookClient(book, timeout=240, kernel_name="python3").execute()
nbformat.write(book, sys.argv[2])
"""
"""In a process of its own: a kernel's client leaves sockets to the end of its process."""


def outputs(book: Any) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield of each cell of code its source, what it prints, and the kinds of the pictures that it shows."""
    for cell in book.cells:
        if cell.cell_type == "code":
            yield (
                cell.source,
                [out.text for out in cell.outputs if out.output_type == "stream" and out.name == "stdout"],
                sorted(kind for out in cell.outputs if "data" in out for kind in out.data),
            )


def test_there_are_three() -> None:
    assert [book.stem for book in BOOKS] == ["board", "rule", "train"]


@pytest.mark.parametrize(
    "path",
    [pytest.param(book, id=book.stem, marks=SIMULATED if book.stem == "board" else []) for book in BOOKS],
)
def test_it_runs_and_says_what_it_has_kept(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, path, tmp_path / "done.ipynb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    kept, found = (nbformat.read(each, as_version=4) for each in (path, tmp_path / "done.ipynb"))
    assert list(outputs(found)) == list(outputs(kept))
    pictures = [kinds for _, _, kinds in outputs(kept) if kinds]
    assert len(pictures) >= 2
    assert all({"image/svg+xml", "image/png"} & set(kinds) for kinds in pictures)
    assert path.stat().st_size < 400_000


def test_pictures_say_what_they_show() -> None:
    network = erbium.preset("tiny").network
    image = np.arange(0, 256, 16, dtype=np.uint8)
    weights = network.initial_weights()
    answered, learned = (
        notebook.spikes(network, weights, image, 1, learn=learn, number=4) for learn in (False, True)
    )
    assert "Spikes of a 1 that is answered as" in answered.words
    assert answered.words in str(answered.svg)
    assert str(answered.svg).startswith("<svg")
    assert answered.svg != learned.svg
    first = erbium.preset("first-spike-tiny").network
    assert "<svg" in str(notebook.spikes(first, first.initial_weights(), image, 1).svg)
    shown = notebook.fields(weights[0], 4, 4, neurons=12)
    assert shown.png is not None
    assert shown.png.startswith(b"\x89PNG")
    assert shown.svg is None
    points = [CurvePoint(0, 50, 45), CurvePoint(100, 48, 12)]
    assert notebook.learning(points).words == "Error from 90.0 % to 25.0 % over 100 images"
    for wrong, words in (
        (lambda: notebook.learning([]), "the curve has no point"),
        (lambda: notebook.fields(weights[0], 4, 4, neurons=0), "neurons is 0"),
        (lambda: notebook.fields(weights[0], 5, 4), "height \\* width is 20"),
        (lambda: notebook.spikes(network, weights, image[:3], 1), "the image is"),
        (lambda: notebook.spikes(network, weights, image, 9), "label is 9"),
        (lambda: notebook.spikes(network, weights, image, 1, number=-1), "number of the sample is -1"),
    ):
        with pytest.raises(ValueError, match=words):
            wrong()
