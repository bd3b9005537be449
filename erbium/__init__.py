# SPDX-License-Identifier: BSD-2-Clause
"""Erbium: a synthesizable spiking neuron and synapse array that learns on the chip.

A network is described once and runs on any backend with the same integers::

    from erbium import open_chip, preset

    with open_chip(preset("erbp-mnist-200").network, "model") as chip:
        chip.learn(images, labels)
        answers = chip.infer(images).answers
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from erbium.sw_model import cache as _cache

if TYPE_CHECKING:
    from erbium.checkpoint import Checkpoint, CheckpointError
    from erbium.chip import Chip, ChipError, open_chip
    from erbium.exact import Lockstep, MismatchError, Verdict, compare
    from erbium.fpga.transport import BoardLostError, LinkError
    from erbium.gen.presets import PRESETS, Preset, Recipe, erbp_network, first_spike_network, preset
    from erbium.sw_model.datasets import Dataset, DatasetError
    from erbium.sw_model.faults import Faults
    from erbium.sw_model.network import Hardware, Network
    from erbium.sw_model.programs import DescriptionError
    from erbium.sw_model.results import Results
    from erbium.tracing import Trace, trace
    from erbium.train import Plan, Trainer

# Before anything is loaded that keeps something.
_cache.prepare()

_HOMES = {
    "erbium.checkpoint": ("Checkpoint", "CheckpointError"),
    "erbium.chip": ("Chip", "ChipError", "open_chip"),
    "erbium.exact": ("Lockstep", "MismatchError", "Verdict", "compare"),
    "erbium.fpga.transport": ("BoardLostError", "LinkError"),
    "erbium.gen.presets": ("PRESETS", "Preset", "Recipe", "erbp_network", "first_spike_network", "preset"),
    "erbium.sw_model.results": ("Results",),
    "erbium.sw_model.datasets": ("Dataset", "DatasetError"),
    "erbium.sw_model.faults": ("Faults",),
    "erbium.sw_model.network": ("Hardware", "Network"),
    "erbium.sw_model.programs": ("DescriptionError",),
    "erbium.tracing": ("Trace", "trace"),
    "erbium.train": ("Plan", "Trainer"),
}

__all__ = [
    "PRESETS",
    "BoardLostError",
    "Checkpoint",
    "CheckpointError",
    "Chip",
    "ChipError",
    "Dataset",
    "DatasetError",
    "DescriptionError",
    "Faults",
    "Hardware",
    "LinkError",
    "Lockstep",
    "MismatchError",
    "Network",
    "Plan",
    "Preset",
    "Recipe",
    "Results",
    "Trace",
    "Trainer",
    "Verdict",
    "compare",
    "erbp_network",
    "first_spike_network",
    "open_chip",
    "preset",
    "trace",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used.

    Importing a part, such as the model, must not load the rest: it runs where the rest cannot.
    """
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    if name == "__version__":
        return importlib.import_module("erbium.sw_model.distribution").version()
    raise AttributeError(f"module 'erbium' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, loaded or not: what TAB offers."""
    return sorted({*globals(), *__all__, "__version__"})
