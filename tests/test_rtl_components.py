# SPDX-License-Identifier: BSD-2-Clause
"""Every component of the hardware against its model, on both simulators."""

import importlib
import os
import pkgutil
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator

from erbium import hdl
from erbium.hdl.one_hot import OneHot
from erbium.verif import simulators
from erbium.verif.registry import COVERED_BY, REGISTRY
from erbium.verif.run_bench import BenchError, Run, run_bench
from erbium.verif.scoreboard import SEED_VARIABLE
from erbium.verif.simulators import ToolError

# The long ones first, so that no worker is left with one at the end.
LONG = {"ErbiumArray": 0, "LayerEngine": 1}

ROOT = Path(__file__).parent.parent

SIMULATORS = ("icarus", "verilator")

MATRIX = sorted(
    (
        (entry, case, simulator)
        for entry in REGISTRY.values()
        for case in entry.cases
        for simulator in case.simulators
    ),
    key=lambda item: (LONG.get(item[0].name, 2), item[2] != "verilator"),
)

LESS = r"^(?!.*/(stall=({})|clocks=(7|600))$)"
"""Tests of a bench but some patterns of stalls, which go by their number, and two of the moments of a reset."""

LEFT_OUT = ("0|2", "1|3", "0|1", "2|3", "1|2", "0|3")
"""Patterns that one case after the other leaves out: each pattern meets half of them, each pair of patterns a sixth.
``erbium verify`` leaves none out."""


ALL_BUT_ONE = ("0|2|3", "0|1|3", "0|1|2", "1|2|3")
"""Patterns that one case after the other leaves out in the short form: each of the four is met by a fourth of them."""

BUSES = {"AxiChip", "WishboneChip"}
"""Their benches have two patterns of stalls."""


def bench_tests(entry, case, simulator, *, short=False):
    """Return which tests of the bench to run.

    Icarus does fewer of those that Verilator does on the same Verilog. Where there are many cases for it alone, each
    meets two of the four patterns of stalls; in the short form one, as Verilator runs all of them on one case.
    """
    if simulator != "icarus":
        return ""
    if short and entry.name not in BUSES:
        at = [one.name for one in entry.cases].index(case.name) + list(REGISTRY).index(entry.name)
        return LESS.format(ALL_BUT_ONE[at % len(ALL_BUT_ONE)])
    if "verilator" in case.simulators:
        return LESS.format(LEFT_OUT[0])
    if entry.name not in LONG:
        return ""
    alone = [one.name for one in entry.cases if "verilator" not in one.simulators]
    return LESS.format(LEFT_OUT[alone.index(case.name) % len(LEFT_OUT)])


_NAMES = {"name", "seed", "states", "source", "target", "population", "quiet"}
"""Fields that name a part, or say nothing of the hardware."""

_ELSEWHERE = {"CoreHardware"}
"""How large a core is: random graphs run on several (test_rtl_core.py)."""


def traits(value, place=""):
    """Yield what a configuration decides, as pairs of a place in the description and a value, without names and seeds.

    Whole numbers above two count as one value: what the hardware asks of a number is whether there is one, or several.
    """
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value).__name__
        yield place, kind
        for one in () if kind in _ELSEWHERE else fields(value):
            if one.name not in _NAMES:
                yield from traits(getattr(value, one.name), f"{kind}.{one.name}")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from traits(one, str(key))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from traits(one, place)
    elif isinstance(value, int) and not isinstance(value, bool | Enum):
        yield place, "below zero" if value < 0 else str(min(value, 3))
    else:
        yield place, str(value) if isinstance(value, bool | str | Enum | None) else type(value).__name__


def first_of(entry, simulator):
    """Return the name of the first case for both simulators, or the first for this one where there is none."""
    both = [case.name for case in entry.cases if len(case.simulators) == len(SIMULATORS)]
    these = [case.name for case in entry.cases if simulator in case.simulators]
    return [*both, *these, *(case.name for case in entry.cases)][0]


def cover(entry, met):
    """Return cases that have, with those of the set `met`, each trait that any case of a component has; add them to it.

    Always the case with the most of those that are missing, so that there are few.
    """
    have = {case.name: set(traits(case.options)) for case in entry.cases}
    chosen = [first_of(entry, "icarus")]
    met |= have[chosen[0]]
    while missing := set().union(*have.values()) - met:
        chosen.append(max(have, key=lambda name: len(have[name] & missing)))
        met |= have[chosen[-1]]
    return chosen


@cache
def short_cases():
    """Return the cases by component that the short form runs, with Icarus where they have it.

    Of a component it has each value of each option that any of its cases has; of whole arrays what no part of them has
    met.
    """
    arrays, parts = REGISTRY["ErbiumArray"], set()
    chosen = {}
    for entry in REGISTRY.values():
        if entry is not arrays:
            met: set[tuple[str, str]] = set()
            chosen[entry.name] = cover(entry, met)
            parts |= met
    chosen[arrays.name] = cover(arrays, parts)
    return chosen


WHOLE = {
    *("ErbiumArray", "ErbiumChip", "FrameChip", "AxiChip", "WishboneChip"),
    *("MessageLink", "HostLink", "CoreEngine", "FrameCore"),
}
"""What Verilator takes longer to compile than to run: in the short form Icarus alone runs it, and Verilator its parts.

That Verilator makes the same of whole arrays, cores and chips is seen by compiled libraries and simulated boards.
"""


ELSEWHERE = {
    "ErbiumChip": "test_fpga_board.py",
    "FrameCore": "test_fpga_core.py",
    "SmallFlashLink": "test_face_flash.py",
}
"""What other tests of the short form run whole, as a simulated board."""


def is_long(entry, case, simulator):
    """Whether the short form leaves it out.

    Icarus runs :func:`short_cases`, Verilator one of each component and what it alone has.
    """
    if entry.name in ELSEWHERE:
        return True
    if simulator == "verilator" and "icarus" in case.simulators:
        return entry.name in WHOLE or case.name != first_of(entry, simulator)
    return case.name not in short_cases()[entry.name]


def marks_of(entry, case, simulator):
    marks = [getattr(pytest.mark, simulator)]
    marks += [pytest.mark.slow] * (entry.name == "ErbiumArray")
    return marks + [pytest.mark.long] * is_long(entry, case, simulator)


def test_the_short_form_has_every_component_on_both_simulators():
    short = {
        (entry.name, simulator) for entry, case, simulator in MATRIX if not is_long(entry, case, simulator)
    }
    every = {(name, simulator) for name in REGISTRY for simulator in SIMULATORS}
    elsewhere = {(name, simulator) for name in ELSEWHERE for simulator in SIMULATORS}
    assert every - short <= {(name, "verilator") for name in WHOLE} | elsewhere
    assert set(REGISTRY) >= WHOLE
    assert all((ROOT / "tests" / test).exists() for test in ELSEWHERE.values())


def test_the_short_form_meets_every_option():
    every, short = set(), set()
    for entry, case, simulator in MATRIX:
        if entry.name in ELSEWHERE:
            continue
        here = set(traits(case.options))
        every |= here
        if not is_long(entry, case, simulator):
            short |= here
    assert every == short
    # Hardware that depends on one value only: a step of one is an adder without a shift, and went unnoticed once.
    assert {("FirstSpikeRule.step", step) for step in "123"} <= short
    assert ("Layer.rule", "None") in short
    assert ("Hardware.memory_latency", "3") in short


@pytest.mark.parametrize(
    ("entry", "case", "simulator"),
    [
        pytest.param(
            entry,
            case,
            simulator,
            marks=marks_of(entry, case, simulator),
            id=f"{entry.name}-{case.name}-{simulator}",
        )
        for entry, case, simulator in MATRIX
    ],
)
def test_component(entry, case, simulator, short):
    seed = int(os.environ.get(SEED_VARIABLE, "1"))
    run_bench(Run(entry, case, simulator, seed, tests=bench_tests(entry, case, simulator, short=short)))


def test_the_short_form_meets_one_pattern_in_each_case_and_each_pattern_in_a_fourth_of_the_cases():
    met: Counter[int] = Counter()
    for entry in REGISTRY.values():
        for name in short_cases()[entry.name]:
            tests = re.compile(bench_tests(entry, entry.case(name), "icarus", short=True))
            chosen = [k for k in range(2 if entry.name in BUSES else 4) if tests.search(f"samples/stall={k}")]
            assert len(chosen) == 1
            met.update(chosen)
    assert min(met[k] for k in range(4)) > met.total() / 6


def test_each_case_meets_two_patterns_and_each_pattern_half_of_the_cases():
    for name in LONG:
        entry = REGISTRY[name]
        chosen = [re.compile(bench_tests(entry, case, "icarus")) for case in entry.cases]
        met = [[k for k in range(4) if tests.search(f"samples/stall={k}")] for tests in chosen]
        assert {len(patterns) for patterns in met} == {2}
        for pattern in range(4):
            assert sum(pattern in patterns for patterns in met) >= len(met) / 4
        assert all(tests.search("throughput") and tests.search("reset/clocks=150") for tests in chosen)


@pytest.mark.verilator
def test_the_run_time_of_verilator_is_compiled_for_the_first_bench_alone():
    entry = REGISTRY["Crc"]
    for variant in ("first", "second"):
        run = Run(entry, entry.case("crc"), "verilator", variant=variant)
        run_bench(run)
    log = (run.folder / "build.log").read_text()
    assert "/verilated_vpi.o" in log
    assert "verilated_vpi.cpp" not in log


@pytest.mark.icarus
@pytest.mark.skipif(shutil.which("timeout") is None, reason="needs the program timeout")
def test_a_simulation_that_takes_too_long_is_stopped():
    entry = REGISTRY["MessageLink"]
    run = Run(entry, entry.case("small"), "icarus", variant="stopped", seconds=1)
    with pytest.raises(BenchError, match="the simulation was stopped after 1 second"):
        run_bench(run, again=False)


@pytest.mark.icarus
@pytest.mark.parametrize("step", ["build", "test"])
def test_sigterm_ends_a_bench_and_not_only_its_simulation(step, monkeypatch):
    entry = REGISTRY["Crc"]
    run = Run(entry, entry.case("crc"), "icarus", variant=f"told-to-end-{step}")
    runner = simulators.runner

    def told(*options, **others):
        made = runner(*options, **others)
        setattr(made, step, lambda **_: sys.exit(128 + signal.SIGTERM))
        return made

    monkeypatch.setattr(simulators, "runner", told)
    with pytest.raises(SystemExit) as caught:
        run_bench(run, again=False)
    assert caught.value.code == 128 + signal.SIGTERM


def test_a_package_that_is_missing_is_named():
    entry = replace(REGISTRY["Crc"], packages=("cocotb", "no-such-package"))
    with pytest.raises(
        ToolError, match=r'the bench of Crc needs no-such-package; get it with .*"no-such-package"'
    ):
        run_bench(Run(entry, entry.case("crc"), "icarus"))


def public_components():
    names = set()
    for module in pkgutil.walk_packages(hdl.__path__, "erbium.hdl."):
        for name, value in vars(importlib.import_module(module.name)).items():
            is_class = isinstance(value, type) and issubclass(value, Component)
            if is_class and value.__module__ == module.name and not name.startswith("_"):
                names.add(name)
    return names


def test_every_component_has_a_bench():
    assert public_components() == set(REGISTRY) | set(COVERED_BY)
    assert set(COVERED_BY.values()) <= set(REGISTRY)
    assert not set(COVERED_BY) & set(REGISTRY)


def test_every_component_runs_on_both_simulators():
    for entry in REGISTRY.values():
        seen = {simulator for case in entry.cases for simulator in case.simulators}
        assert seen == set(SIMULATORS), entry.name
        names = [case.name for case in entry.cases]
        assert len(set(names)) == len(names), entry.name


def test_a_state_machine_with_a_flip_flop_per_state_is_in_one_state():
    m, forward, jumps = Module(), Signal(), Signal()
    fsm = OneHot(m, "A")
    with fsm.state("A") as a, m.If(forward):
        fsm.go("B")
    with fsm.state("B") as b:
        with m.If(jumps):
            fsm.go("B")
        with m.Elif(forward):
            fsm.go("C")
    with fsm.state("C") as c, m.If(forward):
        fsm.go("A")
    fsm.close()
    seen = []

    async def bench(ctx):
        for go, jump in ((0, 0), (1, 0), (0, 0), (1, 1), (1, 0), (0, 1), (1, 0), (0, 0)):
            ctx.set(forward, go)
            ctx.set(jumps, jump)
            seen.append("".join(name for name, here in zip("ABC", (a, b, c), strict=True) if ctx.get(here)))
            await ctx.tick()

    simulation = Simulator(m)
    simulation.add_clock(1e-6)
    simulation.add_testbench(bench)
    simulation.run()
    assert seen == ["A", "A", "B", "B", "B", "C", "C", "A"]
