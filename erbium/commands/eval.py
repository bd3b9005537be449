# SPDX-License-Identifier: BSD-2-Clause
"""``erbium eval``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import numpy as np

from erbium import summary
from erbium.checkpoint import Checkpoint
from erbium.chip import backend_named, open_chip
from erbium.commands import common
from erbium.report import Decisions
from erbium.silence import Silence, silence
from erbium.sw_model import datasets
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import check_range
from erbium.tables import PlainTable
from erbium.train import check_fits


@click.command(
    "eval",
    short_help="Test a trained network.",
    epilog=common.examples(
        "erbium eval erbp-mnist-200.npz",
        "erbium eval erbp-mnist-200.npz --ticks 8 --split validation",
        "erbium eval erbp-mnist-200.npz --decide-after 1",
        "erbium eval erbp-mnist-200.npz --backend rtl --images 1000",
    ),
)
@click.argument("checkpoint", type=common.FILE)
@click.option("--split", type=click.Choice(["test", "validation"]), default="test", show_default=True)
@click.option("--images", type=int, metavar="N", help="The first N images only.")
@click.option("--ticks", type=int, metavar="T", help="Longest presentation; default is the network's.")
@click.option(
    "--decide-after", type=int, metavar="K", help="Stop a sample at K spikes of one output neuron; 0: never."
)
@common.backend_option("model")
@common.lanes_option
@common.data_option
@click.option("--other-data", is_flag=True, help="Allow data that the network was not trained on.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(
    checkpoint: Path,
    split: str,
    images: int | None,
    ticks: int | None,
    decide_after: int | None,
    backend: str,
    lanes: int,
    data: Path | None,
    other_data: bool,
    as_json: bool,
) -> None:
    """Infer labelled images with the weights of a checkpoint.

    Shows the error, which class was taken for which, and what an image took: spikes, synaptic operations. The exit code
    is 1 if there is no answer although the network has learned for an epoch or more, or if no input spiked.
    """
    backend_named(backend)
    hardware = Hardware(lanes=lanes)
    saved = Checkpoint.load(checkpoint)
    dataset = datasets.load(data, n_inputs=saved.network.n_inputs)
    if dataset.notice:
        click.echo(dataset.notice, err=True)
    dataset = saved.plan.recipe.view(dataset, "name data of its size with --data")
    if not other_data:
        saved.check_dataset(dataset, checkpoint, "name its data with --data, or add --other-data")
    check_fits(saved.network, dataset, "name data of its size with --data")
    chosen = dataset.test if split == "test" else dataset.validation
    n_images = len(chosen) if images is None else images
    check_range("--images", n_images, 1, len(chosen), f", the size of the {split} split")
    with open_chip(saved.network, backend, hardware) as chip:
        chip.load(saved.weights)
        if decide_after is not None:
            chip.decide_after = decide_after
        answers = summary.ask(chip, chosen, 0, n_images, ticks)
        decisions = summary.decisions(saved.network, saved.weights, chosen, n_images, ticks)
        silent = silence(
            saved.network, saved.weights, chosen, n_images, n_ticks=ticks, decide_after=chip.decide_after
        )
    if as_json:
        record = _record(saved, split, answers, silent) | _decided(saved.network, decisions)
        common.say(json.dumps(record, indent=2))
    else:
        _show(saved.network, f"{split} images of {dataset.name}", answers, decisions, silent)
    common.tell_silence(silent)
    sys.exit(silent.exit_code(saved.position, len(dataset.train)))


def _decided(network: Network, decisions: Decisions | None) -> dict[str, object]:
    """Return what decisions took, for first-spike networks."""
    if decisions is None:
        return {}
    return {
        "spikes_to_decision_per_image": decisions.mean_spikes,
        "rows_read": decisions.rows_read(network),
    }


def _record(saved: Checkpoint, split: str, answers: summary.Answers, silent: Silence) -> dict[str, object]:
    return {
        "network": saved.network.name,
        "digest": saved.network.digest,
        "position": saved.position,
        "split": split,
        "images": answers.n_images,
        "wrong": None if silent.dead else answers.n_wrong,
        "error": None if silent.dead else answers.error,
        **silent.facts(),
        "synaptic_operations_per_image": summary.synaptic_operations(answers.work) / answers.n_images,
        "ticks_to_decision_per_image": answers.ticks_to_decision / answers.n_images,
        "counters": answers.work,
        "confusion": None if silent.dead else answers.confusion.tolist(),
    }


def _show(
    network: Network, what: str, answers: summary.Answers, decisions: Decisions | None, silent: Silence
) -> None:
    console = common.console()
    error = f"error {100 * answers.error:.2f} %: {answers.n_wrong:,} of {answers.n_images:,}"
    common.say(silent.verdict(error, what))
    rows = summary.work_per_image(network, answers.work, learning=False)
    if decisions is None:
        rows.insert(1, ("ticks to the decision", f"{answers.ticks_to_decision / answers.n_images:,.1f}"))
    else:
        rows = summary.decision_facts(network, decisions) + [
            (f"{name} in all", value) for name, value in rows
        ]
    table = PlainTable(show_header=False, title="per image")
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    if not silent.dead:
        _show_confusion(answers, silent)


def _show_confusion(answers: summary.Answers, silent: Silence) -> None:
    """Print the whole matrix of a few classes, or the worst pairs of many."""
    confusion = answers.confusion
    n_classes = len(confusion)
    table = PlainTable(title="label (rows) and answer")
    if n_classes <= 16:
        table.add_column("")
        for answer in range(n_classes):
            table.add_column(str(answer), justify="right")
        if silent.n_without_answer:
            # Counted among the classes, too: the readout named one of them by the membranes.
            table.add_column("(no output spike)", justify="right")
        for label, row in enumerate(confusion):
            counts = [*row, silent.no_answer[label]] if silent.n_without_answer else row
            table.add_row(str(label), *(str(count) if count else "." for count in counts))
    else:
        for name in ("label", "answer", "images"):
            table.add_column(name, justify="right")
        wrong = confusion - np.diag(np.diag(confusion))
        for place in np.argsort(-wrong, axis=None, kind="stable")[:20]:
            label, answer = divmod(int(place), n_classes)
            if wrong[label, answer]:
                table.add_row(str(label), str(answer), str(wrong[label, answer]))
    common.console().print(table)
