# SPDX-License-Identifier: BSD-2-Clause
"""Faults planted in the hardware on purpose: the benches have to notice every one of them."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from erbium.verif.registry import REGISTRY
from erbium.verif.run_bench import BenchError, Run, run_bench

ONE_STALL = "samples/stall=1"
"""One pattern of stalls is enough to notice a fault."""


class Mutant(NamedTuple):
    name: str
    module: str
    old: str
    new: str
    component: str
    case: str
    tests: str = ""
    says: str = "differs from the model"


MUTANTS = [
    Mutant("dither-order", "neuron_unit", "reversed_bits(self.dither)", "self.dither", "NeuronUnit", "lif"),
    Mutant(
        "clip-bound",
        "fixed",
        "value < low, Const(low)",
        "value <= low, Const(low + 1)",
        "NeuronUnit",
        "erbp-hidden",
    ),
    Mutant(
        "gate-bound",
        "neuron_unit",
        "< self.rule.gate_upper",
        "<= self.rule.gate_upper",
        "NeuronUnit",
        "erbp-hidden",
    ),
    Mutant("refractory", "neuron_unit", "rest - 1", "rest", "NeuronUnit", "erbp-hidden-options"),
    Mutant(
        "saturation",
        "fixed",
        "Cat((~sign).replicate(len(a) - 1), sign)",
        "Cat(sign.replicate(len(a) - 1), sign)",
        "LayerEngine",
        "saturation",
        "saturation",
    ),
    Mutant(
        "fresh-port",
        "layer_control",
        "tick.eq(tick + 1), fresh.eq(1)",
        "tick.eq(tick + 1)",
        "LayerEngine",
        "lanes-5",
        ONE_STALL,
    ),
    Mutant("weight-step", "layer_pipeline", "delta < 0", "delta > 0", "LayerEngine", "lanes-5", ONE_STALL),
    Mutant(
        "armed",
        "layer_control",
        "tick >= layer.rule.first_tick",
        "tick > layer.rule.first_tick",
        "LayerEngine",
        "first-tick-3",
        ONE_STALL,
    ),
    Mutant("settle", "layer_control", "SETTLE = 4", "SETTLE = 2", "LayerEngine", "lanes-13", ONE_STALL),
    Mutant("xorshift", "rng", "state >> 17", "state >> 16", "Generator", "salt"),
    Mutant("noise-jump", "rng", "jumped(start, lane + 1)", "jumped(start, lane)", "NoiseBank", "lanes-3"),
    Mutant("tie", "prediction", "key > best_key", "key >= best_key", "PredictionUnit", "tiny", ONE_STALL),
    Mutant(
        "feedback-sign",
        "feedback_port",
        "minus = negative ^ code[2]",
        "minus = negative",
        "FeedbackPort",
        "wide",
        ONE_STALL,
    ),
    Mutant("first-carry", "encoder", "total[8]", "total[7]", "Encoder", "phase", ONE_STALL),
    Mutant(
        "stop-late",
        "encoder",
        "tick >= network.feedback_delay",
        "tick > network.feedback_delay",
        "Encoder",
        "bernoulli",
        ONE_STALL,
    ),
]


BUILD = """
import importlib.abc, importlib.util, sys

module, old, new, component, case = sys.argv[1:]


class Planter(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        loader = spec.loader
        text = loader.get_source(name)
        assert old in text, f'{old!r} stands no more in {name}; plant the fault in what stands there now'
        loader.get_code = lambda name: compile(text.replace(old, new), spec.origin, "exec")
        return spec


sys.meta_path.insert(0, Planter())
from erbium.gen.verilog import component_verilog
from erbium.verif.registry import REGISTRY
from erbium.verif.run_bench import TOP

entry = REGISTRY[component]
print(component_verilog(entry.build(entry.case(case)), TOP))
"""


def run_of(mutant):
    """Return the run of a bench on hardware with a fault."""
    built = subprocess.run(
        [sys.executable, "-c", BUILD, f"erbium.hdl.{mutant.module}", *mutant[2:6]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-2000:]
    entry = REGISTRY[mutant.component]
    return Run(
        entry,
        entry.case(mutant.case),
        "icarus",
        variant=mutant.name,
        verilog=built.stdout,
        tests=mutant.tests,
    )


@pytest.mark.slow
@pytest.mark.icarus
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_is_noticed(mutant):
    with pytest.raises(BenchError, match=mutant.says):
        run_bench(run_of(mutant), again=False)


@pytest.mark.icarus
def test_a_failure_is_explained():
    run = run_of(MUTANTS[0]._replace(name="explained"))
    with pytest.raises(BenchError) as caught:
        run_bench(run)
    text = str(caught.value)
    assert "NeuronUnit lif under icarus" in text
    assert re.search(r"words: x0 differs from the model at word \d+, lane \d+, inputs ", text)
    assert re.search(r"expected  -?\d+\n  got       -?\d+\n  seed      1\n", text)
    assert (
        "ERBIUM_WAVES=1 python -m erbium.verif.run_bench NeuronUnit lif --simulator icarus --seed 1" in text
    )
    (waveform,) = re.findall(r"waveform  (.*)", text)
    assert Path(waveform).stat().st_size > 1000
