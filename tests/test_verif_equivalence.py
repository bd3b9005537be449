# SPDX-License-Identifier: BSD-2-Clause
"""The netlist of a component does what its source does, and a netlist of something else does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from erbium.gen.verilog import component_rtlil
from erbium.verif import equivalence
from erbium.verif.equivalence import LEAVES, TOP, NotEquivalentError, equivalent, leaf
from erbium.verif.registry import REGISTRY
from erbium.verif.simulators import ToolError


def test_every_leaf_is_a_component_with_that_case() -> None:
    for name, case in LEAVES.items():
        assert REGISTRY[name].case(case).name == case
    for family, names in equivalence.OPEN.items():
        assert names < set(LEAVES)
        assert equivalence.compared(family).keys() == LEAVES.keys() - names


def test_a_netlist_does_what_its_source_does() -> None:
    found = leaf("Crc", None, "ice40")
    assert found.points >= 32
    assert found.apart == ()


def test_a_netlist_of_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = REGISTRY["Crc"]
    source = component_rtlil(entry.build(entry.case("crc")), TOP)
    assert "cell $xor" in source
    other = source.replace("cell $xor", "cell $or", 1)
    folder = Path("build") / "equivalence" / "Crc-planted"
    with pytest.raises(NotEquivalentError, match="not proved to do what the source does: crc may differ"):
        equivalent(source, {"crc"}, "ice40", folder, made_of=other)
    monkeypatch.setattr(equivalence, "SECONDS", 0.01)
    with pytest.raises(ToolError, match=r"stopped after 0\.01 s"):
        equivalent(source, {"crc"}, "ice40", folder)
