# SPDX-License-Identifier: BSD-2-Clause
"""The array on AXI and on Wishbone: random transfers and samples learned, compared with the model; what a bus costs."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

from erbium.bench.display import Display
from erbium.bench.request import Request
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.fpga.bus_cost import bus_cost
from erbium.gen.bus_export import BusName
from erbium.verif.environment import environment
from erbium.verif.registry import REGISTRY
from erbium.verif.run_bench import BenchError, Run, run_bench
from erbium.verif.simulators import SimulatorName

LONGEST = 3600
"""Seconds that one simulation may take."""

BUSES: dict[BusName, tuple[str, str]] = {
    "axi": ("AxiChip", "tiny"),
    "wishbone": ("WishboneChip", "tiny"),
    "wishbone-pipelined": ("WishboneChip", "pipelined"),
}
"""Buses, and the components and cases whose benches they are measured with."""

DIGITS = ("erbp-digits", "first-spike-digits")
"""What learns digits over each bus, among accesses of every kind."""


@dataclass(frozen=True)
class Figure:
    """Random transfers, in two runs of other pauses; samples that are learned, digits, batches of accesses at once."""

    transfers: int
    learned: int
    digits: int
    batches: int

    @property
    def variables(self) -> dict[str, str]:
        """What the benches are told."""
        return {f"ERBIUM_BUS_{name.upper()}": str(value) for name, value in asdict(self).items()}


FIGURE, QUICK_FIGURE = Figure(10_000, 200, 200, 500), Figure(400, 5, 3, 10)
QUANTITIES = (
    "differing-weights",
    "wrong-transfers",
    "wrapper-luts",
    "luts",
    "clocks-of-a-read",
    "clocks-of-a-write",
)


@dataclass(frozen=True)
class Part:
    """One run: tests of a bench of a case, under a simulator, that belong to a quantity of a bus."""

    bus: BusName
    quantity: str
    case: str
    tests: str
    simulator: SimulatorName


@dataclass(frozen=True)
class Found:
    """What became of a run: why it failed, if it did."""

    part: Part
    text: str


def parts(bus: BusName, *, quick: bool) -> list[Part]:
    """Return what is run on a bus; the quick form has the digits of 4 x 4 pixels."""
    component, case = BUSES[bus]
    found = []
    for simulator in REGISTRY[component].case(case).simulators:
        found += [
            Part(bus, "differing-weights", case, "learning", simulator),
            Part(bus, "wrong-transfers", case, "transfers", simulator),
        ]
    prefix = "pipelined-" if case == "pipelined" else ""
    at_work: SimulatorName = "icarus" if quick else "verilator"
    named = [f"{case}-at-work"] if quick else [prefix + name for name in DIGITS]
    found += [Part(bus, "differing-weights", name, "digits", at_work) for name in named]
    return [*found, Part(bus, "wrong-transfers", f"{case}-at-work", "at_once", at_work)]


def measure(request: Request, display: Display) -> list[Row]:
    """Run the benches of the buses, and synthesise their parts."""
    figure = QUICK_FIGURE if request.quick else FIGURE
    ids = [request.id(bus, quantity) for bus in BUSES for quantity in QUANTITIES]
    wanted = request.select(ids)
    tasks = [
        Task(f"{part.case} on {bus} under {part.simulator}: {part.tests}", 1, run, (part, figure))
        for bus in BUSES
        for part in parts(bus, quick=request.quick)
        if request.id(bus, part.quantity) in wanted
    ]
    found: list[Found] = carry_out(tasks, request.n_processes, display)
    rows: list[Row] = []
    for bus in BUSES:
        named = {quantity: request.id(bus, quantity) for quantity in QUANTITIES}
        for quantity, counts in (
            ("differing-weights", {"of": figure.learned, "digits": figure.digits}),
            ("wrong-transfers", {"of": figure.transfers, "batches": figure.batches}),
        ):
            row_id = named[quantity]
            if row_id not in wanted:
                continue
            mine = [one for one in found if (one.part.bus, one.part.quantity) == (bus, quantity)]
            wrong = [one for one in mine if one.text]
            # A run stops at its first difference.
            extra = {
                **counts,
                "runs": [f"{one.part.case}: {one.part.tests}, {one.part.simulator}" for one in mine],
                "first": [one.text for one in wrong[:1]],
                "quick": request.quick,
            }
            rows.append(Row(row_id, len(wrong), "runs", request.command(row_id), 0, "exactly", extra))
        if wanted & set(list(named.values())[2:]):
            with display.during(f"synthesising the parts of {bus}"):
                cost = bus_cost(bus)
            for quantity, value, unit in (
                ("wrapper-luts", cost.wrapper_luts, "LUTs"),
                ("luts", cost.luts, "LUTs"),
                ("clocks-of-a-read", cost.read_clocks, "clocks"),
                ("clocks-of-a-write", cost.write_clocks, "clocks"),
            ):
                if named[quantity] in wanted:
                    rows.append(Row(named[quantity], value, unit, request.command(named[quantity])))
    return rows


def run(advance: Advance, part: Part, figure: Figure) -> Found:
    """Run a bench of a bus under a simulator."""
    entry = REGISTRY[BUSES[part.bus][0]]
    case, text = entry.case(part.case), ""
    with environment({**os.environ, **figure.variables}):
        try:
            run_bench(Run(entry, case, part.simulator, tests=part.tests, seconds=LONGEST), again=False)
        except BenchError as error:
            text = str(error)
    advance(1)
    return Found(part, text)
