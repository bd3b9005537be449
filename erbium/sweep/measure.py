# SPDX-License-Identifier: BSD-2-Clause
"""What is measured at a point. All of it follows from the point, whoever measures it where."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from erbium.answers import ask, synaptic_operations
from erbium.chip import open_chip
from erbium.learners import learner_face
from erbium.learners.base import LayerWork
from erbium.silence import silence
from erbium.sw_model import constants
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.fast import FastArray
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.results import Results
from erbium.sw_model.temporary import temporary_folder
from erbium.sweep.point import Point
from erbium.train import Plan, Trainer

MEASURES: dict[str, tuple[type, str]] = {
    "validation_error": (
        float,
        "share of the validation images with a wrong answer; nothing if none has an answer",
    ),
    "test_error": (float, "the same of the test images, if asked for"),
    "validation_without_answer": (int, "of the validation images, those without an output spike"),
    "silent": (str, "which populations did not spike in how many validation images, if that matters"),
    "validation_images": (int, ""),
    "test_images": (int, ""),
    "images_learned": (int, ""),
    "synops_per_inference": (float, "synaptic operations, over all layers"),
    "synops_per_learned_image": (float, ""),
    "ticks_per_inference": (float, "ticks that were run"),
    "ticks_to_decision": (float, ""),
    "input_spikes_per_inference": (float, ""),
    "hidden_spikes_per_inference": (float, "over all hidden layers"),
    "weights_changed": (int, "over the whole run"),
    "weight_bits": (int, "bits of all weights"),
    "memory_bits": (int, "bits of the synapse memories with these lanes, the padding of words included"),
    "cycles_per_inference": (float, "clocks, by the formulas of docs/hardware.md"),
    "cycles_per_learned_image": (float, "the same of the mean learned image of the run"),
    "counted_cycles_per_inference": (float, "clocks, counted on the simulated Verilog"),
    "counted_cycles_per_learned_image": (float, "the same, of images learned behind the run"),
    "built_lanes": (int, "lanes of the first layer in the bitstream"),
    "luts": (int, ""),
    "flip_flops": (int, ""),
    "block_rams": (int, ""),
    "sprams": (int, ""),
    "fmax_mhz": (float, "highest clock, placed and routed"),
    "build_problem": (str, "why the bitstream is not to be used"),
    "seconds": (float, "what the measurement took, without a training that points share"),
}
"""Columns of the results, and what they mean where the name does not say."""


@dataclass(frozen=True)
class Trained:
    """A run of training: the weights, and what was counted while they were learned."""

    weights: list[Array]
    work: dict[str, int]


def train(point: Point, dataset: Dataset) -> Trained:
    """Learn what the point says, on the compiled model."""
    seen = point.recipe.view(dataset)
    plan = Plan(point.recipe, point.n_learn)
    with open_chip(point.network, "model", faults=point.learning_faults) as chip:
        trainer = Trainer(chip, seen, plan)
        for _ in trainer.run():
            pass
        return Trained(chip.weights, trainer.work)


class _OneThread:
    """The compiled model, asked on one thread: whoever sweeps has a process for each core."""

    def __init__(self, point: Point, weights: Sequence[Array]) -> None:
        self.network = point.network
        faults = point.faults
        if point.learning_faults:
            # Bits are flipped once: when the chip began to learn.
            faults = replace(faults, weight_flipped=0.0)
        self.faults = faults
        self._array = FastArray(point.network, faults=faults)
        self._array.load(weights)
        if point.ask.decide_after >= 0:
            self._array.decide_after = point.ask.decide_after

    def infer(self, images: Array, n_ticks: int | None = None, first: int = 0) -> Results:
        """Classify images."""
        seeds = constants.sample_seeds(self.network.seed, False, first, len(images))
        return self._array.run(images, seeds, n_ticks=n_ticks)

    @property
    def counters(self) -> dict[str, int]:
        """What the array has done, by name."""
        return self._array.counters()

    @property
    def decide_after(self) -> int:
        """Output spikes that settle an inference, 0 for never."""
        return self._array.decide_after


def measure(point: Point, dataset: Dataset, trained: Trained, folder: Path | None = None) -> dict[str, Any]:
    """Measure a point that has been trained.

    Parameters
    ----------
    point : Point
    dataset : Dataset
        As it was loaded.
    trained : Trained
    folder : Path, optional
        Where a bitstream is left; otherwise it is built and forgotten.

    Returns
    -------
    dict
        Some of :data:`MEASURES`.
    """
    begin = time.perf_counter()
    seen = point.recipe.view(dataset)
    network, n_learn = point.network, point.n_learn
    hardware = hardware_of(point)
    chip = _OneThread(point, trained.weights)
    answers = {}
    splits = {"validation": seen.validation} | ({"test": seen.test} if point.ask.test else {})
    for name, split in splits.items():
        n_images = min(point.ask.images or len(split), len(split))
        answers[name] = ask(chip, split, 0, n_images, point.ask.ticks or None)
    silences = {
        name: silence(
            network,
            trained.weights,
            split,
            answers[name].n_images,
            n_ticks=point.ask.ticks or None,
            decide_after=chip.decide_after,
            faults=chip.faults,
            threads=1,
        )
        for name, split in splits.items()
    }
    asked, silent = answers["validation"], silences["validation"]
    work, n = asked.work, asked.n_images
    # What was never answered has no error: the number of the class that stands in for an answer would be one.
    found: dict[str, Any] = {
        f"{name}_error": one.error for name, one in answers.items() if not silences[name].dead
    }
    found |= {f"{name}_images": one.n_images for name, one in answers.items()}
    found |= {
        "validation_without_answer": silent.n_without_answer,
        "silent": silent.sentence(),
        "images_learned": n_learn,
        "synops_per_inference": synaptic_operations(work) / n,
        "synops_per_learned_image": synaptic_operations(trained.work) / n_learn,
        "ticks_per_inference": work["ticks"] / n,
        "ticks_to_decision": asked.ticks_to_decision / n,
        "input_spikes_per_inference": work["input_spikes"] / n,
        "hidden_spikes_per_inference": sum(
            work[f"layer{number}_spikes"] for number in range(1, len(network.layers))
        )
        / n,
        "weights_changed": _sum(trained.work, "weights_changed"),
        "cycles_per_inference": cycles(network, hardware, work) / n,
        "cycles_per_learned_image": cycles(network, hardware, trained.work, learning=True) / n_learn,
        **memory(network, hardware),
    }
    if point.count_cycles:
        found |= _counted(point, hardware, seen, trained)
    if point.build.board:
        found |= _built(point, folder)
    return found | {"seconds": round(time.perf_counter() - begin, 3)}


def _sum(work: Mapping[str, int], what: str) -> int:
    return sum(value for name, value in work.items() if name.endswith(f"_{what}"))


def hardware_of(point: Point) -> Hardware:
    """Return how the array of a point is built: as a board has it if there is to be a bitstream.

    Raises
    ------
    DescriptionError
        If the network does not fit there.
    """
    if not point.build.board:
        return point.hardware
    from erbium.fpga.boards import board
    from erbium.fpga.planner import plan

    planned = plan(board(point.build.board), point.network, point.lanes)
    if not planned.fits:
        # Plan.require() looks for the largest network that does, which can take minutes.
        worst = max(planned.needs, key=lambda need: need.share)
        raise DescriptionError(
            f"{point.network.name} needs {worst.need:,} {worst.name} (lanes: {planned.lanes}) and "
            f"{planned.board.title} has {worst.limit:,}; sweep over smaller networks, or over another build.board"
        )
    return planned.hardware


def memory(network: Network, hardware: Hardware) -> dict[str, int]:
    """Return the bits of the weights, and those of the memories that hold them."""
    stored = 0
    for number, layer in enumerate(network.layers):
        lanes = hardware.lanes_of(network, number)
        stored += network.n_rows(number) * hardware.stride_of(network, number) * lanes * layer.weight_width
    return {"weight_bits": sum(network.weight_bits), "memory_bits": stored}


def cycles(network: Network, hardware: Hardware, work: Mapping[str, int], learning: bool = False) -> float:
    """Return the clocks of counted work, by the formulas of ``docs/hardware.md``.

    A layer takes ``rows * words`` clocks for its row passes and ``words + 5`` (first spikes: ``words + 1``) for
    each tick. The layers work side by side, so the slowest one counts. What is learned after a sample comes on
    top, layer by layer: a replayed row takes ``words``, and 1 in the first layer if it is not touched.

    What the formulas leave out, such as the way from one layer to the next, is a few clocks of each sample.
    """
    face = learner_face(network)
    clocks = [
        face.clocks(LayerWork.of(network, hardware, work, number), work, learning=learning)
        for number in range(len(network.layers))
    ]
    return max(forward for forward, _ in clocks) + sum(after for _, after in clocks)


def _counted(point: Point, hardware: Hardware, dataset: Dataset, trained: Trained) -> dict[str, float]:
    """Count cycles on the simulated Verilog, with the weights that were learned."""
    from erbium.cycles import count_cycles

    counted = count_cycles(
        point.network, hardware, trained.weights, point.n_learn, dataset, point.recipe.shift
    )
    return {
        "counted_cycles_per_inference": counted.inference,
        "counted_cycles_per_learned_image": counted.training,
    }


def _built(point: Point, folder: Path | None) -> dict[str, Any]:
    """Build the bitstream; return what it takes and how fast it is."""
    from erbium.fpga.boards import board
    from erbium.fpga.build import MHZ, BuildRequest, build

    with temporary_folder(Path(tempfile.gettempdir()), "erbium-sweep-") as spare:
        request = BuildRequest(
            board(point.build.board),
            point.network,
            point.lanes,
            round(point.build.clock * MHZ) or None,
            None,
            point.build.seed,
            folder or spare / "build",
        )
        report = build(request)
    columns = {"LUTs": "luts", "flip-flops": "flip_flops", "block RAMs": "block_rams", "SPRAMs": "sprams"}
    found: dict[str, Any] = {
        column: report.uses[name].used for name, column in columns.items() if name in report.uses
    }
    return found | {
        "built_lanes": report.lanes,
        "fmax_mhz": report.timing.fmax,
        "build_problem": "; ".join(report.problems),
    }
