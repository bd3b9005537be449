# SPDX-License-Identifier: BSD-2-Clause
"""Training: the same run gives the same integers, whatever the batches, the backend and the interruptions."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from erbium.chip import open_chip
from erbium.gen.presets import LINEAR, SCHEDULE, Recipe, preset
from erbium.sw_model import constants
from erbium.sw_model.datasets import DatasetError
from erbium.sw_model.datasets.split import make_dataset
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.results import Results
from erbium.train import (
    CurvePoint,
    Evaluated,
    Evaluating,
    Learned,
    Pace,
    Plan,
    Trainer,
    evaluation_ticks,
    training_batch,
    usual_evaluations,
)

TINY = preset("tiny").network


def some_data(n_train=23, size=(4, 4), n_classes=4):
    random = np.random.default_rng(3)

    def split(n):
        labels = random.integers(0, n_classes, n).astype(np.uint8)
        labels[:n_classes] = np.arange(n_classes)
        return random.integers(0, 256, (n, *size), dtype=np.uint8), labels

    return make_dataset(
        name="noise",
        source="a test",
        notice="",
        size=size,
        train=split(n_train),
        validation=split(9),
        test=split(7),
    )


DATA = some_data()
PLAN = Plan(Recipe(shift=1), total=40, evaluate_at=(0, 13, 23, 40), n_evaluate=5, n_ticks=4)


class Recorder:
    """A chip that learns nothing and remembers what it was asked."""

    network = TINY

    def __init__(self):
        self.position = 0
        self.factor = None
        self.factors, self.images, self.labels, self.ticks, self.inferred = [], [], [], [], []
        self.counters = {"samples": 0}
        self.performance = {"cycles": 0}
        self.weights = []

    def set_rate(self, factor):
        self.factor = factor

    def learn(self, images, labels, n_ticks=None):
        self.ticks += [n_ticks] * len(images)
        self.factors += [self.factor] * len(images)
        self.images += list(images)
        self.labels += list(labels)
        self.position += len(images)
        self.counters = {"samples": self.counters["samples"] + len(images)}
        self.performance = {"cycles": self.performance["cycles"] + 10 * len(images)}
        return self._results(len(images))

    def infer(self, images, n_ticks=None, first=0):
        self.inferred.append((self.position, len(images), n_ticks, first))
        self.counters = {"samples": self.counters["samples"] + len(images)}
        self.performance = {"cycles": self.performance["cycles"] + 1000}
        return self._results(len(images))

    @staticmethod
    def _results(n):
        return Results(*np.zeros((3, n), dtype=np.int64))


def finished(trainer, until=None):
    for _ in trainer.run(until):
        pass
    return trainer


def outcome(trainer):
    weights = [w.tolist() for w in trainer.chip.weights]
    return weights, trainer.counters, trainer.work, trainer.curve, trainer.chip.position


@pytest.fixture(scope="module")
def expected():
    with open_chip(TINY, "reference") as chip:
        return outcome(finished(Trainer(chip, DATA, PLAN)))


@pytest.mark.parametrize("batch", [1, 7, 1000])
@pytest.mark.parametrize("backend", ["reference", "model"])
def test_the_batch_size_and_the_backend_change_nothing(backend, batch, expected):
    with open_chip(TINY, backend) as chip:
        assert outcome(finished(Trainer(chip, DATA, PLAN, batch=batch))) == expected


@pytest.mark.parametrize("leave_at", [Learned, Evaluating, Evaluated])
@pytest.mark.parametrize("count", [1, 3])
def test_leaving_and_taking_up_again_changes_nothing(leave_at, count, expected):
    with open_chip(TINY, "model") as chip:
        first = Trainer(chip, DATA, PLAN, batch=2)
        seen = 0
        for event in first.run():
            seen += isinstance(event, leave_at)
            if seen == count:
                break
        assert chip.position < PLAN.total
        with open_chip(TINY, "reference") as other:
            other.restore(chip.weights, chip.position, first.counters)
            second = Trainer(other, DATA, PLAN, curve=first.curve, work=first.work)
            assert outcome(finished(second)) == expected


def test_a_run_can_be_cut_anywhere(expected):
    with open_chip(TINY, "model") as chip:
        trainer = Trainer(chip, DATA, PLAN)
        for until in (0, 5, 13, 14, 23, 39, 100):
            finished(trainer, until)
            assert chip.position == min(until, 40)
        assert outcome(trainer) == expected


def test_the_rate_changes_at_the_right_image():
    for total in (1, 2, 3, 7, 19, 20, 40, 61, 100, 333):
        for schedule in (
            SCHEDULE,
            ((1.0, 0.5),),
            ((0.1, 1.0), (0.3, 0.7)),
            ((1 / 3, 1.0), (2 / 3, 0.5), (1.0, 0.1)),
        ):
            recipe = Recipe(schedule=schedule)
            chip = Recorder()
            trainer = Trainer(chip, DATA, Plan(recipe, total), batch=9)
            finished(trainer)
            assert chip.factors == [recipe.factor(position, total) for position in range(total)]


def test_images_come_in_order_and_shifted_by_their_number():
    chip = Recorder()
    finished(Trainer(chip, DATA, PLAN, batch=6))
    dy, dx = constants.image_shifts(TINY.seed, 0, 40, 1)
    for k in range(40):
        image = np.zeros((4, 4), dtype=np.uint8)
        source = DATA.train.images[k % 23].reshape(4, 4)
        for y in range(4):
            for x in range(4):
                if 0 <= y - dy[k] < 4 and 0 <= x - dx[k] < 4:
                    image[y, x] = source[y - dy[k], x - dx[k]]
        assert np.array_equal(chip.images[k], image.ravel())
        assert chip.labels[k] == DATA.train.labels[k % 23]


@pytest.mark.parametrize("share", [0, 0.3, 0.5, 0.99, 1])
def test_images_are_moved_in_a_share_of_the_run(share):
    chip = Recorder()
    plan = replace(PLAN, recipe=replace(PLAN.recipe, shift_share=share))
    finished(Trainer(chip, DATA, plan, batch=6))
    n_moved = math.ceil(share * 40)
    moved, _ = training_batch(DATA, TINY, 1, 0, n_moved)
    plain, _ = training_batch(DATA, TINY, 0, n_moved, 40 - n_moved)
    assert np.array_equal(chip.images, np.concatenate((moved, plain)))
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_training_images_may_be_shown_for_a_shorter_time():
    usual, short, long = (replace(PLAN, recipe=Recipe(learn_ticks=n)) for n in (0, 3, TINY.n_ticks + 1))
    for plan, n_ticks in ((usual, None), (short, 3)):
        chip = Recorder()
        finished(Trainer(chip, DATA, plan))
        assert chip.ticks == [n_ticks] * 40
    with pytest.raises(DescriptionError, match=rf"learn_ticks is {TINY.n_ticks + 1}; it must be from 0 to "):
        Trainer(Recorder(), DATA, long)
    with pytest.raises(
        DescriptionError, match="shown for 2 ticks and no weight changes before tick 2; show them for at"
    ):
        Trainer(Recorder(), DATA, replace(PLAN, recipe=Recipe(learn_ticks=2)))


def test_a_wide_shift_is_one_move():
    images, _ = training_batch(DATA, TINY, 3, 5, 60)
    dy, dx = constants.image_shifts(TINY.seed, 5, 60, 3)
    assert np.abs(dy).max() == 3
    for k in range(60):
        padded = np.pad(DATA.train.images[(5 + k) % 23].reshape(4, 4), 3)
        y, x = 3 - dy[k], 3 - dx[k]
        assert np.array_equal(images[k].reshape(4, 4), padded[y : y + 4, x : x + 4])


def test_evaluations():
    chip = Recorder()
    trainer = Trainer(chip, DATA, replace(PLAN, n_evaluate=50), batch=4)
    events = list(trainer.run())
    places = [(position, first, n) for position, n, _, first in chip.inferred]
    assert places == [(p, f, n) for p in PLAN.evaluate_at for f, n in ((0, 4), (4, 4), (8, 1))]
    assert {ticks for _, _, ticks, _ in chip.inferred} == {4}
    wrong = int((DATA.validation.labels != 0).sum())
    assert trainer.curve == [CurvePoint(position, 9, wrong) for position in PLAN.evaluate_at]
    assert [e.point for e in events if isinstance(e, Evaluated)] == trainer.curve
    assert sum(e.n_images for e in events if isinstance(e, Learned)) == trainer.n_learned == 40
    assert trainer.curve[0].error == wrong / 9
    assert trainer.counters["samples"] == 40 + 4 * 9
    assert trainer.work == {"samples": 40}, "the evaluations are not part of it"
    assert trainer.effort == {"cycles": 400}


def test_no_evaluations():
    chip = Recorder()
    finished(Trainer(chip, DATA, replace(PLAN, n_evaluate=0)))
    assert (chip.inferred, chip.position) == ([], 40)


def test_the_answers_of_an_evaluation_are_those_of_an_inference():
    with open_chip(TINY, "model") as chip:
        trainer = finished(Trainer(chip, DATA, PLAN, batch=3))
        answers = chip.infer(DATA.validation.images[:5], 4).answers
        assert trainer.curve[-1] == CurvePoint(40, 5, int((answers != DATA.validation.labels[:5]).sum()))


@pytest.mark.parametrize("backend", ["model", "reference"])
def test_a_first_spike_network_in_pieces(backend):
    """Interruptions and batches change nothing, and the answers while learning are those before it."""
    network = preset("first-spike-tiny").network
    plan = replace(PLAN, recipe=Recipe(shift=1, schedule=LINEAR), n_ticks=8)
    with open_chip(network, "reference") as chip:
        whole = finished(Trainer(chip, DATA, plan, batch=7))
        weights, counters = chip.weights, chip.counters
    with open_chip(network, backend) as chip:
        first = Trainer(chip, DATA, plan)
        for _ in first.run(until=17):
            pass
        with open_chip(network, backend) as other:
            other.restore(chip.weights, chip.position, first.counters)
            second = finished(Trainer(other, DATA, plan, curve=first.curve, work=first.work))
            assert all(np.array_equal(a, b) for a, b in zip(other.weights, weights, strict=True))
            assert other.counters == counters
            assert (second.curve, second.work) == (whole.curve, whole.work)
    assert counters["updates"] > 0


def test_how_long_an_evaluation_is():
    assert evaluation_ticks(TINY, 8) == 8
    assert evaluation_ticks(TINY, 99) == TINY.n_ticks
    assert evaluation_ticks(preset("first-spike-mnist-600").network, 8) == 16


def test_usual_evaluations():
    assert usual_evaluations(1, 50) == (0, 1)
    assert usual_evaluations(300, 5000) == (0, 100, 200, 300)
    assert usual_evaluations(130, 50) == (0, 50, 100, 130)
    assert usual_evaluations(100_000, 50_000)[-5:] == (5000, 10000, 20000, 50000, 100000)


def test_the_pace():
    pace = Pace(0.2, first=8)
    pace.took(8, 0.0)
    assert pace.size == 16, "not more than twice as many at once"
    pace.took(16, 0.4)
    assert pace.size == 8
    pace.took(8, 100.0)
    assert pace.size == 1
    for _ in range(20):
        pace.took(pace.size, 0.0)
    assert pace.size == 4096


def test_a_plan_survives_json():
    assert Plan.from_dict(json.loads(json.dumps(PLAN.to_dict()))) == PLAN


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"total": 0}, "number of images to learn is 0; it must be from 1"),
        ({"n_evaluate": -1}, "number of validation images is -1"),
        ({"n_ticks": 0}, "n_ticks is 0"),
        ({"evaluate_at": (3, 3)}, r"positions to evaluate at are \(3, 3\); they must ascend from 0 to 40"),
        ({"evaluate_at": (41,)}, "ascend from 0 to 40"),
        ({"evaluate_at": (-1,)}, "ascend from 0 to 40"),
    ],
)
def test_an_impossible_plan(change, text):
    with pytest.raises(DescriptionError, match=text):
        replace(PLAN, **change)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            some_data(size=(5, 4)),
            "images of noise have 5 x 4 = 20 pixels and network 'tiny' takes 16; use another",
        ),
        (some_data(n_classes=5), "noise has 5 classes and network 'tiny' tells 4 apart; use another"),
    ],
)
def test_data_that_does_not_fit(data, text):
    with pytest.raises(DatasetError, match=text):
        Trainer(Recorder(), data, PLAN)


def test_fewer_classes_fit():
    chip = Recorder()
    finished(Trainer(chip, some_data(n_classes=3), PLAN))
    assert chip.position == 40
