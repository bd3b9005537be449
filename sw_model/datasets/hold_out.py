# SPDX-License-Identifier: BSD-2-Clause
"""How many images are held out of training, for a last run that is to learn from more of them."""

import numpy as np

from erbium.sw_model.datasets.idx import DatasetError
from erbium.sw_model.datasets.split import Dataset, check_every_class, make_dataset


def hold_out(dataset: Dataset, count: int, way_out: str = "hold out fewer, or use more images") -> Dataset:
    """Return the data set with the last images before the test for validation, and all others to learn from.

    Parameters
    ----------
    dataset : Dataset
    count : int
        Validation images, the last so many of training and validation images together; 0 for the data set itself.
    way_out : str
        End of the sentence for data sets that are too small.

    Raises
    ------
    DatasetError
        If nothing would be left to learn from.
    """
    if count in (0, len(dataset.validation)):
        return dataset
    images = np.concatenate((dataset.train.images, dataset.validation.images))
    labels = np.concatenate([split.labels.astype(np.uint16) for split in (dataset.train, dataset.validation)])
    if count >= len(images):
        raise DatasetError(
            f"{dataset.name} has {len(images):,} images besides the test and {count:,} of them are to be held out; "
            f"{way_out}"
        )
    check_every_class(f"{dataset.name} with {count:,} images held out", labels[:-count], labels, way_out)
    size = (dataset.height, dataset.width)
    images = images.reshape(-1, *size)
    return make_dataset(
        name=f"{dataset.name} ({count:,} held out)",
        source=dataset.source,
        notice=dataset.notice,
        size=size,
        train=(images[:-count], labels[:-count]),
        validation=(images[-count:], labels[-count:]),
        test=(dataset.test.images.reshape(-1, *size), dataset.test.labels),
    )
