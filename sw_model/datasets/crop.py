# SPDX-License-Identifier: BSD-2-Clause
"""The middle of each image, for networks that are too small for the whole."""

import numpy as np
from numpy.typing import NDArray

from erbium.sw_model.datasets.idx import DatasetError
from erbium.sw_model.datasets.split import Dataset, Labels, Split, make_dataset


def middle(dataset: Dataset, side: int, way_out: str = "use larger images, or another network") -> Dataset:
    """Return the square in the middle of every image.

    Where as many rows or columns cannot go on both sides, one more goes at the bottom or on the right.

    Parameters
    ----------
    dataset : Dataset
    side : int
        Height and width of the square in pixels; 0 for the whole image, which returns the data set itself.
    way_out : str
        End of the sentence for images that are too small.

    Raises
    ------
    DatasetError
        If the images are smaller than the square.
    """
    height, width = dataset.height, dataset.width
    if side in (0, height) and side in (0, width):
        return dataset
    if side > min(height, width):
        raise DatasetError(
            f"the images of {dataset.name} have {height} x {width} pixels and the middle {side} x {side} of "
            f"them are to be used; {way_out}"
        )
    top, left = (height - side) // 2, (width - side) // 2

    def cut(split: Split) -> tuple[NDArray[np.uint8], Labels]:
        images = split.images.reshape(len(split), height, width)
        return images[:, top : top + side, left : left + side], split.labels

    return make_dataset(
        name=f"{dataset.name} (middle {side} x {side})",
        source=dataset.source,
        notice=dataset.notice,
        size=(side, side),
        train=cut(dataset.train),
        validation=cut(dataset.validation),
        test=cut(dataset.test),
    )
