# SPDX-License-Identifier: BSD-2-Clause
"""Write the hex files of the testbench anew, a whole run of docs/constants.md: ``python vectors.py [DIR]``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import erbium
from erbium.sw_model.constants import hash64, sample_seeds

COUNT = 20
BEGIN, PIXEL, END = 0, 1, 3


def lines(weights: list[np.ndarray]) -> str:
    """Return weights, one a line."""
    return "".join(f"{int(w) & 0xFFFF:04x}\n" for rows in weights for w in rows.ravel())


def image(n: int, n_inputs: int) -> np.ndarray:
    """Return image n of the whole runs."""
    hashes = hash64(7, n, np.arange(n_inputs))
    return np.where(hashes & 1, hashes >> 56, 0).astype(np.uint8)


def tokens(pixels: np.ndarray, seed: int, learn: bool, label: int) -> str:
    """Return the tokens of a sample, one a line: kind in the lowest two bits, then a Begin or a Pixel."""
    words = [(learn << 40 | label << 32 | seed) << 2 | BEGIN]
    words += [(p << 8 | int(pixels[p])) << 2 | PIXEL for p in np.flatnonzero(pixels).tolist()]
    return "".join(f"{word:011x}\n" for word in [*words, END])


def main(folder: Path) -> None:
    """Write the four files."""
    network = erbium.preset("tiny").network
    with erbium.open_chip(network) as chip:
        (folder / "weights.hex").write_text(lines(chip.weights))
        samples, results = "", ""
        images = np.array([image(n, network.n_inputs) for n in range(COUNT)])
        labels = np.arange(COUNT) % network.n_classes
        for learn, got in ((True, chip.learn(images, labels)), (False, chip.infer(images))):
            seeds = sample_seeds(network.seed, learn, 0, COUNT).tolist()
            for n in range(COUNT):
                samples += tokens(images[n], seeds[n], learn, int(labels[n]) if learn else 0)
                ticks = int(got.ticks_to_decision[n]) << 24 | int(got.ticks[n]) << 8
                results += f"{ticks | int(got.answers[n]):010x}\n"
        (folder / "samples.hex").write_text(samples)
        (folder / "results.hex").write_text(results)
        (folder / "learned.hex").write_text(lines(chip.weights))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
