# SPDX-License-Identifier: BSD-2-Clause
"""What a chip is to do with the data in its flash: the run of a recipe, as passes over the samples."""

from __future__ import annotations

from collections.abc import Iterator

from erbium.gen.flash_image import FlashPass, FlashRun, binarised
from erbium.gen.presets import Recipe
from erbium.hdl.flash.layout import MAX_SHIFT, PixelKind
from erbium.sw_model.datasets import Dataset, Split
from erbium.sw_model.network import Network
from erbium.sw_model.programs import check_range
from erbium.sw_model.reach import check_long_enough
from erbium.train import Plan, check_fits

MAX_EPOCHS = 1_000


def flash_run(
    network: Network,
    recipe: Recipe,
    dataset: Dataset,
    pixels: PixelKind,
    *,
    epochs: int,
    n_train: int | None = None,
    n_test: int | None = None,
) -> FlashRun:
    """Return the run of a recipe on the first samples of a data set, with a test after each epoch.

    It is the run of :class:`erbium.train.Trainer` on these samples: order, seeds, shifts, rates and lengths are the
    same, so the weights are, too; with bits as pixels, those of the binarised images.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    dataset : Dataset
        As the network sees it.
    pixels : PixelKind
    epochs : int
    n_train, n_test : int, optional
        Default is all that there are.
    """
    check_fits(network, dataset, "name data of its size with --data, or another network")
    check_range("--epochs", epochs, 1, MAX_EPOCHS)
    check_range("shift", recipe.shift, 0, MAX_SHIFT, " pixels")
    most = network.n_ticks
    check_range("learn_ticks", recipe.learn_ticks, 0, most, ", the network's longest presentation")
    check_long_enough(network, recipe.learn_ticks or most)
    train = _first(dataset.train, "--images", n_train, pixels)
    test = _first(dataset.test, "--test-images", n_test, pixels)
    plan = Plan(recipe, epochs * len(train))
    passes = tuple(_passes(network, plan, len(train), len(test)))
    splits = {"train": train, "test": test}
    return FlashRun(network, dataset.height, dataset.width, pixels, splits, network.initial_weights(), passes)


def _first(split: Split, option: str, count: int | None, pixels: PixelKind) -> Split:
    """Return the first samples of a split as they are kept in the flash."""
    n = len(split) if count is None else count
    check_range(option, n, 1, len(split), f", the size of the split of {len(split):,}")
    first = Split(split.images[:n], split.labels[:n])
    return binarised(first) if pixels is PixelKind.BITS else first


def _passes(network: Network, plan: Plan, n_train: int, n_test: int) -> Iterator[FlashPass]:
    """Yield a pass for each part of an epoch in which rate and shift stay, and a test after each epoch."""
    ticks = plan.recipe.learn_ticks or network.n_ticks
    position = 0
    while position < plan.total:
        epoch_ends = (position // n_train + 1) * n_train
        end = min(plan.next_change(position), epoch_ends)
        yield FlashPass(
            learn=True,
            split="train",
            start=position % n_train,
            count=end - position,
            first=position,
            n_ticks=ticks,
            decide_after=network.decide_after,
            shift=plan.shift(position),
            rates=network.scaled_rates(plan.rate(position)),
        )
        position = end
        if position == epoch_ends:
            yield FlashPass(
                False, "test", 0, n_test, 0, network.n_ticks, network.decide_after, 0, network.rates
            )
