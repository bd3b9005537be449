# SPDX-License-Identifier: BSD-2-Clause
"""The array on AXI and on Wishbone: random transfers and samples learned, compared with the model; what a bus costs."""

from __future__ import annotations

import os
from dataclasses import dataclass

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

TRANSFERS_VARIABLE, LEARNED_VARIABLE = "ERBIUM_BUS_TRANSFERS", "ERBIUM_BUS_LEARNED"

BUSES: dict[BusName, tuple[str, str]] = {
    "axi": ("AxiChip", "tiny"),
    "wishbone": ("WishboneChip", "tiny"),
    "wishbone-pipelined": ("WishboneChip", "pipelined"),
}
"""Buses, and the components and cases whose benches they are measured with."""

SIMULATORS: tuple[SimulatorName, ...] = ("icarus", "verilator")


@dataclass(frozen=True)
class Figure:
    """Random transfers, in two runs of other pauses, and samples that are learned."""

    transfers: int
    learned: int


FIGURE, QUICK_FIGURE = Figure(10_000, 200), Figure(400, 5)
QUANTITIES = (
    "differing-weights",
    "wrong-transfers",
    "wrapper-luts",
    "luts",
    "clocks-of-a-read",
    "clocks-of-a-write",
)


@dataclass(frozen=True)
class Found:
    """What became of one bus: which of its runs failed, and why."""

    bus: BusName
    learning: str
    transfers: str


def measure(request: Request, display: Display) -> list[Row]:
    """Run the benches of the buses, and synthesise their parts."""
    figure = QUICK_FIGURE if request.quick else FIGURE
    ids = [request.id(bus, quantity) for bus in BUSES for quantity in QUANTITIES]
    wanted = request.select(ids)
    tasks = [
        Task(f"{bus} under {simulator}", 2, run, (bus, simulator, figure))
        for bus in BUSES
        for simulator in _simulators(bus)
        if wanted & {request.id(bus, quantity) for quantity in QUANTITIES[:2]}
    ]
    found: list[Found] = carry_out(tasks, request.n_processes, display)
    rows: list[Row] = []
    for bus in BUSES:
        mine = [one for one in found if one.bus == bus]
        named = {quantity: request.id(bus, quantity) for quantity in QUANTITIES}
        for quantity, texts, count in (
            ("differing-weights", [one.learning for one in mine if one.learning], figure.learned),
            ("wrong-transfers", [one.transfers for one in mine if one.transfers], figure.transfers),
        ):
            row_id = named[quantity]
            if row_id in wanted:
                # A run stops at its first difference.
                extra = {
                    "of": count,
                    "simulators": list(_simulators(bus)),
                    "first": texts[:1],
                    "quick": request.quick,
                }
                rows.append(Row(row_id, len(texts), "runs", request.command(row_id), 0, "exactly", extra))
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


def _simulators(bus: BusName) -> tuple[SimulatorName, ...]:
    component, case = BUSES[bus]
    return REGISTRY[component].case(case).simulators


def run(advance: Advance, bus: BusName, simulator: SimulatorName, figure: Figure) -> Found:
    """Run the bench of a bus under a simulator."""
    component, case = BUSES[bus]
    entry = REGISTRY[component]
    texts = {"learning": "", "transfers": ""}
    variables = {
        TRANSFERS_VARIABLE: str(figure.transfers),
        LEARNED_VARIABLE: str(figure.learned),
    }
    with environment({**os.environ, **variables}):
        for tests in texts:
            try:
                run_bench(Run(entry, entry.case(case), simulator, tests=tests, seconds=LONGEST), again=False)
            except BenchError as error:
                texts[tests] = str(error)
            advance(1)
    return Found(bus, texts["learning"], texts["transfers"])
