# SPDX-License-Identifier: BSD-2-Clause
"""Fewer or more images held out of training: each one is in one split, the test is left alone."""

import numpy as np
import pytest

from erbium.gen.presets import Recipe
from erbium.sw_model.datasets import DatasetError, hold_out
from erbium.sw_model.datasets.sources import load_digits

DIGITS = load_digits()
N_BOTH = len(DIGITS.train) + len(DIGITS.validation)


@pytest.mark.parametrize("count", [1, 100, 254, 256, N_BOTH - 40])
def test_the_last_images_are_held_out(count):
    split = hold_out(DIGITS, count)
    assert (len(split.train), len(split.validation)) == (N_BOTH - count, count)
    for part in ("images", "labels"):
        mine, before = (
            np.concatenate((getattr(dataset.train, part), getattr(dataset.validation, part)))
            for dataset in (split, DIGITS)
        )
        assert np.array_equal(mine, before)
        assert mine.dtype == before.dtype
    assert np.array_equal(split.test.images, DIGITS.test.images)
    assert np.array_equal(split.test.labels, DIGITS.test.labels)
    assert split.name == f"digits ({count:,} held out)"
    assert split.digest != DIGITS.digest
    assert (split.height, split.width, split.n_classes) == (8, 8, 10)


@pytest.mark.parametrize("count", [0, len(DIGITS.validation)])
def test_the_usual_split_is_the_data_set_itself(count):
    assert hold_out(DIGITS, count) is DIGITS


@pytest.mark.parametrize("count", [N_BOTH, 2_000])
def test_nothing_left_to_learn_from(count):
    sentence = rf"digits has 1,545 images besides the test and {count:,} of them are to be held out; get more"
    with pytest.raises(DatasetError, match=sentence):
        hold_out(DIGITS, count, "get more")


def test_a_recipe_cuts_and_holds_out():
    seen = Recipe(crop=4, held_out=100).view(DIGITS)
    assert (seen.height, len(seen.validation), len(seen.test)) == (4, 100, len(DIGITS.test))
    assert seen.name == "digits (middle 4 x 4) (100 held out)"


def test_a_class_of_which_nothing_is_left_to_learn_is_named():
    with pytest.raises(
        DatasetError, match=r"found images of class 1 only among those .* for validation.*; hold out fewer"
    ):
        hold_out(DIGITS, N_BOTH - 1)
