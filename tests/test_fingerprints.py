# SPDX-License-Identifier: BSD-2-Clause
"""Fingerprints: what each preset computes, as one hash, held while the inside of the project is rebuilt.

A fingerprint is the SHA-256 of the weights, the counters and the answers after 200 learned and 100 inferred samples.
The images are drawn here, by Python's own generator, so that nothing of the project takes part in them. After a change
of integers that is meant::

    python tests/test_fingerprints.py

writes the golden file anew (about half an hour: the definition runs all presets, and the compiled path has to agree);
the reason belongs in the CHANGELOG under *Bit-exactness*.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest

import erbium
from erbium.gen.presets import PRESETS
from erbium.sw_model.network import Hardware, Network

GOLDEN = Path(__file__).with_name("golden") / "fingerprints.json"
N_LEARNED, N_INFERRED = 200, 100
ON_THE_RTL = ("tiny", "first-spike-tiny", "erbp-digits", "first-spike-digits")
WHOLE_ON_THE_RTL = ("erbp-mnist-100", "first-spike-mnist-20x20-320")
"""One full-size network of each learner."""
BY_THE_DEFINITION = (
    "tiny",
    "first-spike-tiny",
    "erbp-digits",
    "first-spike-digits",
    "first-spike-mnist-20x20-320",
)
"""Presets that the definition runs within a test; the command with `--check` runs all of them."""


def samples(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return 300 images and labels: a noisy stroke, dark around it, at a place that the label decides."""
    draw = random.Random(20_261_129)
    images = np.zeros((N_LEARNED + N_INFERRED, network.n_inputs), dtype=np.uint8)
    labels = np.zeros(len(images), dtype=np.int64)
    for image, k in zip(images, range(len(images)), strict=True):
        labels[k] = draw.randrange(network.n_classes)
        for pixel in range(network.n_inputs):
            near = (pixel * network.n_classes // network.n_inputs - int(labels[k])) % network.n_classes <= 1
            if draw.random() < (0.6 if near else 0.06):
                image[pixel] = draw.randrange(1, 256)
    return images, labels


def fingerprint(network: Network, backend: str, hardware: Hardware | None = None) -> str:
    """Return the fingerprint of a network on a backend."""
    images, labels = samples(network)
    digest = hashlib.sha256()
    with erbium.open_chip(network, backend, hardware) as chip:
        learned = chip.learn(images[:N_LEARNED], labels[:N_LEARNED])
        inferred = chip.infer(images[N_LEARNED:])
        for results in (learned, inferred):
            for values in (results.answers, results.ticks, results.ticks_to_decision):
                digest.update(np.asarray(values, dtype="<i8").tobytes())
        for weights in chip.weights:
            digest.update(np.asarray(weights, dtype="<i2").tobytes())
        # Counters of clocks and words are the hardware's own: those of the model are compared.
        counters = {name: int(chip.counters[name]) for name in counters_of_the_model(network)}
    digest.update(json.dumps(counters, sort_keys=True).encode())
    return digest.hexdigest()


def counters_of_the_model(network: Network) -> list[str]:
    """Return the names of the counters that every backend has."""
    return sorted(erbium.open_chip(network, "reference").counters)


def golden() -> dict[str, str]:
    """Return the fingerprints made when the guard was set up, by preset."""
    return dict(json.loads(GOLDEN.read_text()))


def test_every_preset_has_a_fingerprint() -> None:
    assert set(golden()) == set(PRESETS)


def test_a_changed_weight_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    initial = Network.initial_weights

    def one_more(network: Network) -> list[np.ndarray]:
        weights = initial(network)
        weights[0][0, 0] += 1
        return weights

    monkeypatch.setattr(Network, "initial_weights", one_more)
    assert fingerprint(PRESETS["tiny"].network, "model") != golden()["tiny"]


@pytest.mark.parametrize("name", PRESETS)
def test_the_compiled_path_keeps_the_fingerprint(name: str) -> None:
    assert fingerprint(PRESETS[name].network, "model") == golden()[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_THE_DEFINITION)
def test_the_definition_keeps_the_fingerprint(name: str) -> None:
    assert fingerprint(PRESETS[name].network, "reference") == golden()[name]


@pytest.mark.slow
@pytest.mark.verilator
@pytest.mark.parametrize("name", ON_THE_RTL + WHOLE_ON_THE_RTL)
def test_the_rtl_keeps_the_fingerprint(name: str) -> None:
    assert fingerprint(PRESETS[name].network, "rtl", Hardware(lanes=16)) == golden()[name]


if __name__ == "__main__":
    # `--check`: the definition runs all presets and must agree with the file; nothing is written.
    made = {}
    for preset_name, item in PRESETS.items():
        made[preset_name] = fingerprint(item.network, "model")
        if fingerprint(item.network, "reference") != made[preset_name]:
            sys.exit(f"{preset_name}: the compiled path and the definition do not agree")
        print(preset_name, made[preset_name], flush=True)
    if "--check" not in sys.argv:
        GOLDEN.write_text(json.dumps(made, indent=2) + "\n")
    elif made != golden():
        sys.exit("the fingerprints are not those of the file")
