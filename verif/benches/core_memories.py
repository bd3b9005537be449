# SPDX-License-Identifier: BSD-2-Clause
"""What lies in the memories of a core after a sample, compared with the reference."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from erbium.gen.core_image import CoreImage
from erbium.sw_model.description.machine import Window
from erbium.sw_model.graph_model.array import GraphModel
from erbium.verif.scoreboard import expect_equal


async def expect_memories(
    image: CoreImage, model: GraphModel, read: Callable[[Window, int, int], Awaitable[list[int]]]
) -> None:
    """Compare all weights and counters; `read` reads so many pieces of a window from an address on."""
    for name, weights in model.weights.items():
        contents = await read(Window.WEIGHTS, *image.weight_places(name))
        expect_equal(f"weights {name}", weights.tolist(), image.weights_from(name, contents).tolist())
    contents = await read(Window.COUNTERS, 0, image.counter_places)
    counters = model.counters()
    for name, value in image.counters_from(contents).items():
        expect_equal(name, counters[name], value)
