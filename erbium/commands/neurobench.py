# SPDX-License-Identifier: BSD-2-Clause
"""``erbium neurobench``."""

from __future__ import annotations

from pathlib import Path

import click

from erbium.checkpoint import Checkpoint
from erbium.chip import backend_named, open_chip
from erbium.commands import common
from erbium.sw_model import datasets
from erbium.sw_model.distribution import not_installed, pip_install
from erbium.sw_model.network import Hardware
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.tables import PlainTable
from erbium.train import check_fits


@click.command(
    short_help="Measure a trained network with NeuroBench's harness.",
    epilog=common.examples(
        "erbium neurobench erbp-mnist-200.npz",
        "erbium neurobench erbp-mnist-200.npz --backend rtl --images 1000 --json",
    ),
)
@click.argument("checkpoint", type=common.FILE)
@click.option("--images", type=int, metavar="N", help="The first N test images only.")
@common.backend_option("model")
@common.lanes_option
@common.data_option
@common.json_option
def neurobench(
    checkpoint: Path, images: int | None, backend: str, lanes: int, data: Path | None, as_json: bool
) -> None:
    """Measure accuracy, footprint, sparsity and synaptic operations of a checkpoint on its test images.

    The operations are those that the counters of the chip have. Needs the package 'neurobench'.
    """
    backend_named(backend)
    if missing := not_installed("torch", "neurobench"):
        raise DescriptionError(
            f"the harness of NeuroBench needs {', '.join(missing)}, not installed: {pip_install(*missing)}"
        )
    saved = Checkpoint.load(checkpoint)
    dataset = datasets.load(data, n_inputs=saved.network.n_inputs)
    if dataset.notice:
        click.echo(dataset.notice, err=True)
    dataset = saved.plan.recipe.view(dataset, "name data of its size with --data")
    check_fits(saved.network, dataset, "name data of its size with --data")
    n_images = len(dataset.test) if images is None else images
    check_range("--images", n_images, 1, len(dataset.test), ", the test images")
    from erbium.neurobench import benchmark

    with open_chip(saved.network, backend, Hardware(lanes=lanes)) as chip:
        chip.load(saved.weights)
        results = benchmark(chip, dataset.test, n_images)
    if as_json:
        common.say_json({"network": saved.network.name, "images": n_images, **results})
        return
    table = PlainTable(show_header=False, title=f"{n_images:,} test images of {dataset.name}")
    table.add_column()
    table.add_column(justify="right")
    for name, value in results.items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for part, number in parts:
            table.add_row(f"{name} {part}".strip(), f"{number:,.4f}".rstrip("0").rstrip("."))
    common.console().print(table)
