# SPDX-License-Identifier: BSD-2-Clause
"""What every test shares: a test whose simulator is not there is skipped, except in CI, where it fails."""

import os

import pytest

from erbium.verif import simulators


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``icarus`` or ``verilator`` where that simulator is missing; say how to get it."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        return
    for marker, tool in (("icarus", simulators.find_icarus()), ("verilator", simulators.find_verilator())):
        if not tool.found:
            reason = f"{tool.name} {tool.oldest} or newer was not found; get it with '{tool.hint}'"
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(pytest.mark.skip(reason=reason))
