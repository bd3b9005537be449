# SPDX-License-Identifier: BSD-2-Clause
"""Faults that are planted in the hardware on purpose: a piece of the text of a module is replaced as it is imported."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """One fault.

    Members
    -------
    module : of ``erbium.hdl``, as ``rules.erbp``
    old, new : what stands there, and what stands in its place
    """

    module: str
    old: str
    new: str

    @property
    def places(self) -> int:
        """How often what it replaces stands in its module."""
        spec = importlib.util.find_spec(f"erbium.hdl.{self.module}")
        assert spec is not None
        loader: Any = spec.loader
        return str(loader.get_source(spec.name)).count(self.old)


class FaultError(Exception):
    """What a fault replaces stands no more in its module."""


class _Planter(importlib.abc.MetaPathFinder):
    """Finds one module, and changes its text."""

    def __init__(self, fault: Fault) -> None:
        self._fault, self._name = fault, f"erbium.hdl.{fault.module}"

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find the module without this finder, and give it a loader that plants."""
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        loader: Any = spec.loader
        text = loader.get_source(name)
        if self._fault.old not in text:
            raise FaultError(
                f"{self._fault.old!r} stands no more in {name}; plant the fault in what stands there now"
            )
        planted = text.replace(self._fault.old, self._fault.new)

        def get_code(name: str) -> CodeType:
            return compile(planted, str(spec.origin), "exec")

        loader.get_code = get_code
        return spec


def plant(fault: Fault) -> None:
    """Plant a fault in a module that this process has not imported yet, nor will ever import without it."""
    name = f"erbium.hdl.{fault.module}"
    if name in sys.modules:
        raise FaultError(f"{name} is imported already; plant the fault in a process of its own")
    sys.meta_path.insert(0, _Planter(fault))
