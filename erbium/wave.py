# SPDX-License-Identifier: BSD-2-Clause
"""A sample as a waveform of the simulated chip, with layouts for the viewers beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.temporary import temporary_folder
from erbium.tracing import Trace, trace_seed
from erbium.verif.waveform import FORMATS, SimulationError, WaveArray
from erbium.verif.waveform_layouts import layouts


@dataclass(frozen=True)
class Sample:
    """What the chip is shown.

    Attributes
    ----------
    image : ndarray of uint8, shape (n_inputs,)
    label : int or None
        Class to learn it with; None: it is only answered.
    seed : int
        32-bit seed of the sample.
    factor : float
        Learning rate, as a share of the full one.
    """

    image: Array
    label: int | None
    seed: int
    factor: float = 1.0


@dataclass(frozen=True)
class Wave:
    """What was written.

    Attributes
    ----------
    path : Path
        The waveform.
    layouts : tuple of Path
        For GTKWave and for Surfer.
    clocks : int
        Simulated clocks from the sample's first token to the array's last step.
    trace : Trace
        The same sample on the model, which the chip agreed with.
    """

    path: Path
    layouts: tuple[Path, ...]
    clocks: int
    trace: Trace


def wave_format(path: Path) -> str:
    """Return the format that the ending of a file's name asks for.

    Raises
    ------
    DescriptionError
        If it is neither of :data:`FORMATS`.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise DescriptionError(
            f"the waveform is to be {str(path)!r}; the name must end in .fst, which is small, or in .vcd, which every "
            "viewer reads"
        )
    return kind


def write_wave(
    path: Path, network: Network, hardware: Hardware, weights: Sequence[Array], sample: Sample
) -> Wave:
    """Run one sample on the simulated chip and write everything that happens in it to a file.

    Answer, ticks and weights are compared with the model's. The file, and the layouts beside it with the endings
    ``.gtkw`` and ``.sucl``, appear when they are complete.

    Parameters
    ----------
    path : Path
        Its ending, ``.fst`` or ``.vcd``, is the format.
    network : Network
    hardware : Hardware
    weights : sequence of ndarray
        Of each layer, before the sample.
    sample : Sample

    Raises
    ------
    DescriptionError
        If the name ends in something else.
    erbium.verif.simulators.ToolError
        Without a simulator; for FST also without the headers of zlib and lz4.
    SimulationError
        If the chip does not do as the model.
    """
    kind = wave_format(path)
    rates = network.scaled_rates(sample.factor)
    expected = trace_seed(network, sample.image, sample.label, sample.seed, weights=weights, rates=rates)
    chip = WaveArray(network, hardware, kind)
    try:
        chip.load(weights)
        chip.set_rates(rates)
        with temporary_folder(path.parent, f".{path.name}.wave-") as folder:
            fresh = folder / path.name
            before = chip.clocks
            chip.start(fresh)
            labels = None if sample.label is None else np.array([sample.label])
            found = chip.run(sample.image[None], np.array([sample.seed], dtype=np.uint32), labels)
            clocks = chip.clocks - before
            chip.stop()
            _check(expected, int(found.answers[0]), int(found.ticks[0]), chip.weights)
            files = layouts(path, chip.design.shown)
            os.replace(fresh, path)
            for file, text in files.items():
                file.write_text(text, encoding="utf-8")
    finally:
        chip.close()
    return Wave(path, tuple(files), clocks, expected)


def _check(expected: Trace, answer: int, ticks: int, weights: Sequence[Array]) -> None:
    """Raise :class:`SimulationError` unless the chip did as the model."""
    if (answer, ticks) != (expected.answer, expected.ticks):
        raise SimulationError(
            f"the chip answered {answer} after {ticks} ticks and the model {expected.answer} after {expected.ticks}; "
            "this is a defect, please report it with the command"
        )
    if not all(map(np.array_equal, weights, expected.weights)):
        raise SimulationError(
            "the weights of the chip differ from the model's after the sample; this is a defect, please report it "
            "with the command"
        )
