# SPDX-License-Identifier: BSD-2-Clause
"""Writes a claim about hardware with a fault: run as a program, since the fault has to be there before the hardware."""

from __future__ import annotations

import sys

from erbium.verif.planted import Fault, plant


def main(component: str, name: str, *fault: str) -> None:
    """Print the claim as RTLIL."""
    plant(Fault(*fault))
    from erbium.verif.formal.table import proof_named

    print(proof_named(component, name).claim().rtlil())


if __name__ == "__main__":
    main(*sys.argv[1:])
