# SPDX-License-Identifier: BSD-2-Clause
"""The chip: one interface, the same integers whatever runs it, and one sentence for a mistake."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import erbium
from erbium.chip import Chip, ChipError, open_chip
from erbium.fpga.transport import PortError
from erbium.gen.presets import erbp_network, preset
from erbium.sw_model import constants
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.network import Hardware
from erbium.sw_model.programs import DescriptionError

TINY = preset("tiny").network
BACKENDS = ["model", "reference", pytest.param("rtl", marks=[pytest.mark.verilator, pytest.mark.slow])]


def images_and_labels(n, seed=5, network=TINY):
    """Noise, with a bright block whose place is the class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, network.n_classes, n)
    images = random.integers(0, 120, (n, network.n_inputs), dtype=np.uint8)
    bright = np.arange(network.n_inputs) * network.n_classes // network.n_inputs == labels[:, None]
    return np.where(bright, 200, images).astype(np.uint8), labels


def lively_weights():
    """Weights with which every class is an answer, as after long training."""
    random = np.random.default_rng(1)
    return [random.integers(-60, 100, w.shape).astype(np.int16) for w in TINY.initial_weights()]


def same(results, others):
    return all(
        np.array_equal(getattr(results, name), getattr(others, name))
        for name in ("answers", "ticks", "ticks_to_decision")
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_chip_does_what_the_array_does_with_the_seeds_of_its_samples(backend):
    images, labels = images_and_labels(12)
    array = ArrayModel(TINY)
    with open_chip(TINY, backend, Hardware(lanes=8)) as chip:
        for here, n_ticks in ((slice(0, 5), None), (slice(5, 12), 4)):
            seeds = constants.sample_seeds(TINY.seed, True, here.start, here.stop - here.start)
            expected = array.run(images[here], seeds, labels[here], n_ticks=n_ticks)
            assert same(chip.learn(images[here], labels[here], n_ticks), expected)
            assert chip.position == here.stop
        seeds = constants.sample_seeds(TINY.seed, False, 3, 12)
        assert same(chip.infer(images, 9, first=3), array.run(images, seeds, n_ticks=9))
        assert chip.counters == array.counters()
        for mine, other in zip(chip.weights, array.weights, strict=True):
            assert mine.dtype == np.int16
            assert np.array_equal(mine, other)
    assert any((a != b).any() for a, b in zip(array.weights, TINY.initial_weights(), strict=True))


@pytest.mark.parametrize("backend", ["model", "reference"])
def test_inference_is_a_pure_function(backend):
    images, _ = images_and_labels(150)
    with open_chip(TINY, backend) as chip:
        weights = lively_weights()
        chip.load(weights)
        whole = chip.infer(images)
        parts = [chip.infer(images[k : k + 30], first=k).answers for k in range(0, 150, 30)]
        assert np.array_equal(np.concatenate(parts), whole.answers)
        assert same(chip.infer(images), whole)
        assert chip.position == 0
        assert all(np.array_equal(a, b) for a, b in zip(chip.weights, weights, strict=True))
        other = chip.infer(images, first=1)
        assert not same(other, whole), "the number of an image decides its random numbers"


def test_the_rate_sets_the_gains():
    images, labels = images_and_labels(30)
    array = ArrayModel(TINY)
    array.set_rates(TINY.scaled_rates(0.25))
    array.run(images, constants.sample_seeds(TINY.seed, True, 0, 30), labels)
    for backend in ("model", "reference"):
        with open_chip(TINY, backend) as chip:
            chip.set_rate(0.25)
            chip.learn(images, labels)
            assert all(np.array_equal(a, b) for a, b in zip(chip.weights, array.weights, strict=True))


def test_an_early_decision_is_set_at_run_time():
    images, _ = images_and_labels(30)
    decided = replace(TINY, decide_after=1)
    for backend in ("model", "reference"):
        with open_chip(TINY, backend) as chip, open_chip(decided, backend) as expected:
            assert (chip.decide_after, expected.decide_after) == (0, 1)
            chip.load(lively_weights())
            expected.load(lively_weights())
            before = chip.infer(images)
            chip.decide_after = 1
            assert same(chip.infer(images), expected.infer(images))
            assert chip.infer(images).ticks.sum() < before.ticks.sum()


@pytest.mark.parametrize("backend", ["model", "reference"])
def test_another_chip_carries_on(backend):
    images, labels = images_and_labels(20)
    with open_chip(TINY, "reference") as first, open_chip(TINY, backend) as second:
        first.learn(images[:8], labels[:8])
        second.infer(images[:3])  # what it did before is forgotten
        second.restore(first.weights, first.position, first.counters)
        assert second.counters == first.counters
        first.learn(images[8:], labels[8:])
        second.learn(images[8:], labels[8:])
        assert second.position == first.position == 20
        assert second.counters == first.counters
        assert all(np.array_equal(a, b) for a, b in zip(first.weights, second.weights, strict=True))


@pytest.mark.parametrize("backend", ["model", "reference"])
def test_weights_are_a_copy_and_load_takes_the_extremes(backend):
    with open_chip(TINY, backend) as chip:
        mine = chip.weights
        mine[0][:] = 99
        assert np.array_equal(chip.weights[0], TINY.initial_weights()[0])
        mine[0][0, 0], mine[1][-1, -1] = -128, 127
        chip.load(mine)
        assert all(np.array_equal(a, b) for a, b in zip(chip.weights, mine, strict=True))


def test_no_images_are_no_work():
    images, labels = images_and_labels(0)
    for backend in ("model", "reference"):
        with open_chip(TINY, backend) as chip:
            assert chip.learn(images, labels).answers.size == 0
            assert chip.infer(images).answers.size == 0
            assert not any(chip.counters.values())


def good(chip):
    return images_and_labels(3, network=chip.network)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c, x, y: c.learn(x.astype(np.float64), y), r"float64 .* takes uint8 of shape \(n, 16\)"),
        (lambda c, x, y: c.learn(x[:, :15], y), r"images are uint8 of shape \(3, 15\)"),
        (lambda c, x, y: c.infer(x[0]), r"images are uint8 of shape \(16,\)"),
        (lambda c, x, y: c.learn(x, y[:2]), r"labels are int64 of shape \(2,\); 3 images need"),
        (lambda c, x, y: c.learn(x, y * 1.0), "labels are float64"),
        (lambda c, x, y: c.learn(x, [0, 4, 0]), "label 4 of image 1 of the batch is out of range; .* 0 to 3"),
        (lambda c, x, y: c.learn(x, [0, 1, -1]), "label -1 of image 2"),
        (lambda c, x, y: c.learn(x, y, 17), "n_ticks is 17; it must be from 1 to 16"),
        (lambda c, x, y: c.infer(x, 17), "n_ticks is 17; it must be from 1 to 16"),
        (lambda c, x, y: c.infer(x, 0), "n_ticks is 0"),
        (lambda c, x, y: c.infer(x, first=-1), "number of the first image is -1"),
        (lambda c, x, y: c.load(c.weights[:1]), "weights for 1 layers; network 'tiny' has 2"),
        (lambda c, x, y: c.load([w.T for w in c.weights]), r"layer 1 are int16 of shape \(12, 17\)"),
        (lambda c, x, y: c.load([w * 0.5 for w in c.weights]), "layer 1 are float64"),
        (
            lambda c, x, y: c.load([c.weights[0], c.weights[1] * 0 + 128]),
            "layer 2 hold 128; 8 bits hold -128",
        ),
        (lambda c, x, y: c.load([c.weights[0] * 0 - 129, c.weights[1]]), "layer 1 hold -129"),
        (lambda c, x, y: c.set_rate(1.5), "learning rate factor is 1.5; it must be from 0 to 1"),
        (lambda c, x, y: setattr(c, "decide_after", -1), "decide_after is -1"),
    ],
)
@pytest.mark.parametrize("backend", ["model", "reference"])
def test_a_mistake_is_one_sentence_and_changes_nothing(backend, call, text):
    with open_chip(TINY, backend) as chip:
        weights, counters = chip.weights, chip.counters
        with pytest.raises((ChipError, DescriptionError), match=text) as caught:
            call(chip, *good(chip))
        assert "\n" not in str(caught.value)
        assert chip.position == 0
        assert chip.counters == counters
        assert all(np.array_equal(a, b) for a, b in zip(chip.weights, weights, strict=True))


def test_backends_by_name():
    with open_chip(TINY) as chip:
        assert chip.backend == "model"
    with open_chip(TINY, "fast") as chip:
        assert chip.backend == "model"
    with pytest.raises(DescriptionError, match="'board' needs the name of its port, such as board:/dev/tty"):
        open_chip(TINY, "board")
    with pytest.raises(DescriptionError, match="'sim' needs the name of a board, such as sim:ulx3s-85f"):
        open_chip(TINY, "sim:")
    with pytest.raises(DescriptionError, match="there is no board 'toaster'; there are ulx3s-85f"):
        open_chip(TINY, "sim:toaster")
    with pytest.raises(
        DescriptionError,
        match=r"there is no backend 'gpu'; there are model, reference, rtl, rtl:vectors, rtl:verilator, board:PORT, "
        r"sim:BOARD$",
    ):
        open_chip(TINY, "gpu")
    with pytest.raises(PortError, match="there is no port /dev/ttyNONE"):
        open_chip(TINY, "board:/dev/ttyNONE@115200")


def test_a_closed_chip_says_so():
    class Engine(ArrayModel):
        closed = 0

        def close(self):
            self.closed += 1

    engine = Engine(TINY)
    with Chip(TINY, engine, "reference") as chip:
        assert chip.performance == {}
    chip.close()
    assert engine.closed == 1
    with pytest.raises(ChipError, match="the chip is closed"):
        _ = chip.weights


def test_an_odd_number_of_classes_and_two_hidden_layers():
    network = erbp_network("odd", (9, 5), n_inputs=20, n_classes=3, n_ticks=8)
    images, labels = images_and_labels(10, network=network)
    with open_chip(network, "model") as chip, open_chip(network, "reference") as reference:
        assert same(chip.learn(images, labels), reference.learn(images, labels))
        assert chip.counters == reference.counters


def test_the_public_names_are_there():
    for name in erbium.__all__:
        assert getattr(erbium, name) is not None
    assert erbium.open_chip is open_chip
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = erbium.nothing


def test_the_face_loads_nothing_before_it_is_used():
    script = (
        "import sys, erbium, erbium.cli\n"
        "heavy = {'numpy', 'numba', 'amaranth', 'matplotlib', 'sklearn', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("backend", ["model", "reference"])
def test_a_first_spike_chip_answers_while_it_learns_as_if_it_did_not(backend):
    described = preset("first-spike-tiny").network
    # Without blank-out, which is on in learning only.
    layers = tuple(replace(layer, neuron_keep=256) for layer in described.layers)
    network = replace(described, layers=layers)
    images, labels = images_and_labels(30, network=network)
    with open_chip(network, backend) as chip, open_chip(network, backend) as asked:
        for k in range(30):
            asked.load(chip.weights)
            before = asked.infer(images[k : k + 1])
            assert chip.learn(images[k : k + 1], labels[k : k + 1]).answers == before.answers
        assert chip.counters["updates"] > 0
        assert "error_spikes" not in chip.counters


def test_a_first_spike_chip_decides_at_the_first_spike_or_never():
    network = preset("first-spike-tiny").network
    with open_chip(network, "reference") as chip:
        with pytest.raises(
            DescriptionError, match="decide_after is 2; it must be from 0 to 1; a neuron spikes once"
        ):
            chip.decide_after = 2
        images, _ = images_and_labels(10, network=network)
        chip.decide_after = 0
        assert set(chip.infer(images).ticks) == {network.n_ticks}
        with pytest.raises(ChipError, match=r"takes integers of shape \(16, 12\)$"):
            chip.load([np.zeros((17, 12), int), np.zeros((12, 4), int)])
        wrong = [np.full((16, 12), -128), np.zeros((12, 4), int)]
        with pytest.raises(ChipError, match="hold -128; 8 bits hold -127 to 127"):
            chip.load(wrong)
