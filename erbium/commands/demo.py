# SPDX-License-Identifier: BSD-2-Clause
"""``erbium demo``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from erbium import demo as the_demo
from erbium.commands import common
from erbium.gen.files import check_free
from erbium.sw_model.network import Hardware


@click.command(
    short_help="Train MNIST on the simulated chip, and prove it.",
    epilog=common.examples(
        "erbium demo",
        "erbium demo --images 2000 --lanes 32",
        "erbium demo --preset erbp-mnist-100 --data ~/mnist --report digits.html",
        "erbium demo --data fashion-mnist --hidden 100,100",
    ),
)
@click.option(
    "--preset",
    metavar="PRESET",
    help=f"Network; default {the_demo.PRESET}, or {the_demo.DIGITS_PRESET} where MNIST cannot be had.",
)
@common.hidden_option
@click.option(
    "--images", type=int, default=the_demo.N_IMAGES, show_default=True, metavar="N", help="Images to learn."
)
@click.option("--seed", type=int, help="Seed of weights and all random numbers.")
@common.backend_option("rtl")
@common.lanes_option
@common.data_option
@click.option(
    "--report",
    type=common.FILE,
    default=Path("erbium-demo.html"),
    show_default=True,
    help="Where to write the HTML report.",
)
@common.report_sample_option
@common.overwrite_option
@click.option(
    "--stop-after",
    type=int,
    metavar="N",
    help="End early, after N images of the run: to repeat a difference.",
)
def demo(
    preset: str | None,
    hidden: tuple[int, ...] | None,
    images: int,
    seed: int | None,
    backend: str,
    lanes: int,
    data: Path | None,
    report: Path,
    report_sample: int,
    overwrite: bool,
    stop_after: int | None,
) -> None:
    """Train a network on the generated Verilog, and compare every weight with the model's.

    Shows the accuracy while it learns, then the verdict, the test error, spikes, synaptic operations and
    clock cycles, and writes an HTML report. The exit code is 1 if the chip and the model differ.
    """
    hardware = Hardware(lanes=lanes)
    check_free(report, overwrite=overwrite)
    options = the_demo.Options(
        preset, images, seed, hardware, backend, data, report, stop_after, hidden, report_sample
    )
    sys.exit(the_demo.run(options, common.console()))
