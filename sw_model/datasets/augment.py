# SPDX-License-Identifier: BSD-2-Clause
"""Training images moved by a pixel: the same digit, another input."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def _check_offsets(name: str, offsets: NDArray[Any], n: int) -> None:
    if offsets.shape != (n,) or not np.issubdtype(offsets.dtype, np.integer):
        raise ValueError(
            f"{name}: found {offsets.dtype} of shape {offsets.shape}, expected integers of shape ({n},)"
        )
    for value in (offsets.min(initial=0), offsets.max(initial=0)):
        if not -1 <= value <= 1:
            raise ValueError(f"{name}: found {value}, expected -1, 0 or 1")


def move_images(
    images: NDArray[np.uint8], height: int, width: int, dy: NDArray[Any], dx: NDArray[Any], most: int
) -> NDArray[np.uint8]:
    """Shift each image as :func:`shift_images`, by up to `most` pixels.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height * width)
    height, width : int
    dy, dx : ndarray of integers, shape (n,)
        Pixels to move down and right, -`most` to `most`.
    most : int
    """
    for _ in range(most):
        step_y, step_x = np.clip(dy, -1, 1), np.clip(dx, -1, 1)
        images = shift_images(images, height, width, step_y, step_x)
        dy, dx = dy - step_y, dx - step_x
    return images


def shift_images(
    images: NDArray[np.uint8], height: int, width: int, dy: NDArray[Any], dx: NDArray[Any]
) -> NDArray[np.uint8]:
    """Shift each image by its own offset: ``out[k, y, x] = images[k, y - dy[k], x - dx[k]]``.

    Zeros come in where the source lies outside of the image.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height * width)
        Pixels 0 to 255, row by row.
    height, width : int
        Image size in pixels.
    dy, dx : ndarray of integers, shape (n,)
        Pixels to move down and right, -1 to 1. Pixels that leave the image are dropped.

    Returns
    -------
    ndarray of uint8, shape (n, height * width)
        A new, writable array.

    Raises
    ------
    ValueError
        If a shape, an element type or an offset is another.
    """
    n, n_pixels = len(images), height * width
    if images.shape != (n, n_pixels) or images.dtype != np.uint8:
        raise ValueError(
            f"images: found {images.dtype} of shape {images.shape}, expected uint8 of shape ({n}, {n_pixels})"
        )
    _check_offsets("dy", dy, n)
    _check_offsets("dx", dx, n)
    out = np.empty((n, n_pixels), dtype=np.uint8)
    # Nine groups of images that move alike, each moved as flat rows by one offset: long copies instead of one
    # index per pixel. What wraps from one image row into the next lands in the column cleared afterwards.
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            members = np.flatnonzero((dy == down) & (dx == right))
            step = down * width + right
            start, stop = max(0, step), min(n_pixels, n_pixels + step)
            moved = np.zeros((len(members), height, width), dtype=np.uint8)
            flat = moved.reshape(len(members), n_pixels)
            if start < stop:
                flat[:, start:stop] = images[members, start - step : stop - step]
            if right:
                moved[:, :, 0 if right == 1 else -1] = 0
            out[members] = flat
    return out
