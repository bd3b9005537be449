# SPDX-License-Identifier: BSD-2-Clause
"""Faults planted in the hardware on purpose: the benches have to notice every one of them."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from erbium.verif.planted import Fault
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
        "bounds",
        "Mux(at_least(value, low), Mux(",
        "Mux(above(value, low + 1), Mux(",
        "NeuronUnit",
        "erbp-hidden",
    ),
    Mutant(
        "gate-bound",
        "plasticity",
        "~at_least(states[0], rule.gate_upper)",
        "~at_least(states[0], rule.gate_upper + 1)",
        "NeuronUnit",
        "erbp-hidden",
    ),
    Mutant(
        "feedback-of-the-last-sweep",
        "plan",
        "x - self.feedback_latency + 1",
        "x - self.feedback_latency",
        "LayerEngine",
        "latency-3-lanes-3",
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
        "m.d.sync += self._fresh.eq(1)\n            self._set_tick",
        "m.d.sync += self._fresh.eq(0)\n            self._set_tick",
        "LayerEngine",
        "lanes-5",
        ONE_STALL,
    ),
    Mutant("weight-step", "rules.weight_step", "delta < 0", "delta > 0", "LayerEngine", "lanes-5", ONE_STALL),
    Mutant(
        "weight-step-of-one",
        "rules.weight_step",
        "stepped = weight - free",
        "stepped = weight - delta",
        "LayerEngine",
        "first-spike-blank-out",
    ),
    Mutant(
        "armed",
        "rules.erbp",
        "tick >= self.rule.first_tick",
        "tick > self.rule.first_tick",
        "LayerEngine",
        "first-tick-3",
        ONE_STALL,
    ),
    Mutant(
        "settle", "rules.erbp", "e + 2 - (x - 1)", "e + 1 - (x - 1)", "LayerEngine", "lanes-13", ONE_STALL
    ),
    Mutant(
        "settle-short",
        "rules.erbp",
        "e + 2 - (x - 1)",
        "e + 1 - (x - 1)",
        "LayerEngine",
        "short-lanes-13",
        ONE_STALL,
    ),
    Mutant(
        "feedback-twice",
        "plan",
        "self.words + 2, x + 1",
        "self.words + 3, x + 1",
        "LayerEngine",
        "feedback-only",
        "nothing_comes",
    ),
    Mutant(
        "part-without-lanes",
        "lane_group",
        "self.silent, 1, spare=1",
        "self.silent, 1",
        "LayerEngine",
        "units-two-groups",
        ONE_STALL,
    ),
    Mutant(
        "noise-of-a-part",
        "layer_random",
        'pipe.does(Work.SWEEP, "X") & pipe["X"].done',
        'pipe.does(Work.SWEEP, "X")',
        "LayerEngine",
        "units-paper-options",
        ONE_STALL,
    ),
    Mutant(
        "two-rows-change",
        "row_pairs",
        "two & ~(may[0] & may[1])",
        "two",
        "LayerEngine",
        "rows-2-lanes-13",
        ONE_STALL,
    ),
    Mutant(
        "rows-fall",
        "row_pairs",
        "rises | falls",
        "rises",
        "LayerEngine",
        "rows-2-lanes-13",
        ONE_STALL,
    ),
    Mutant(
        "numbers-given-back",
        "row_pairs",
        "m.Elif(restores)",
        "m.Elif(Const(0))",
        "LayerEngine",
        "rows-2-lanes-13",
        ONE_STALL,
    ),
    Mutant(
        "pair-while-written",
        "rows",
        "~(self._pair & self._written)",
        "~(self._pair & ~self._pair)",
        "LayerEngine",
        "rows-2-lanes-4",
        "learning",
    ),
    Mutant(
        "rows-saturate",
        "row_pairs",
        "SURE_ROWS = 255",
        "SURE_ROWS = 1000",
        "LayerEngine",
        "rows-2-saturation",
        "saturation",
    ),
    Mutant(
        "second-spike-late",
        "spike_window",
        "in_front & ~back.any()",
        "~back.any()",
        "Encoder",
        "two-spikes-bernoulli",
        ONE_STALL,
    ),
    Mutant(
        "holds-more", "neuron_unit", "program.hold and state == 0", "program.hold", "NeuronUnit", "two-resets"
    ),
    Mutant(
        "feedback-room",
        "prediction",
        "(longest_delay(self._plan.population.graph) + 2) * (classes + 2) + 1",
        "4",
        "PredictionUnit",
        "tiny",
        "never_blocks",
        says="no token passed",
    ),
    Mutant(
        "quiet-at-0",
        "prediction",
        "any_error | (tick == 0)",
        "any_error",
        "PredictionUnit",
        "one-lane",
        "quiet",
    ),
    Mutant(
        "counted-late",
        "rules.weight_step",
        "COUNTED = 5",
        "COUNTED = 1",
        "LayerEngine",
        "first-spike-lanes-5",
        ONE_STALL,
    ),
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
        "tick >= self._delay",
        "tick > self._delay",
        "Encoder",
        "bernoulli",
        ONE_STALL,
    ),
    Mutant(
        "vote-causal",
        "sign_popcount",
        "vote.eq(mask & self.causal)",
        "vote.eq(mask)",
        "SignPopcount",
        "17-neurons-5-lanes",
    ),
    Mutant(
        "vote-words",
        "sign_popcount",
        "total.eq(result)",
        "total.eq(difference)",
        "SignPopcount",
        "65-neurons-16-lanes",
    ),
    Mutant("vote-tie", "sign_popcount", "result > 0", "result >= 0", "SignPopcount", "10-neurons-10-lanes"),
    Mutant(
        "causes-lost",
        "causal_fifo",
        "end, at = Signal(range(self._room + 1))",
        "end, at = Signal(range(self._room))",
        "CausalFifo",
        "2-inputs",
    ),
    Mutant(
        "causes-kept",
        "causal_fifo",
        "[end.eq(0), at.eq(0), there.eq(0)]",
        "[end.eq(0), at.eq(0)]",
        "CausalFifo",
        "5-inputs",
    ),
    Mutant(
        "difference-without-its-carry",
        "flash.processor",
        "begins = Mux(operation[0], carry, operation[1])",
        "begins = Mux(operation[0], carry, 0)",
        "Processor",
        "1024-instructions",
        "programs",
    ),
    Mutant(
        "quiet-sum-that-carries",
        "flash.processor",
        "with m.If(is_sum & ~(immediate & operand[QUIET_BIT])):",
        "with m.If(is_sum):",
        "Processor",
        "256-instructions",
        "programs",
    ),
    Mutant(
        "increment-lost",
        "counter_bank",
        "m.d.sync += value.eq(increment)",
        "m.d.sync += value.eq(0)",
        "CounterBank",
        "five",
        "counting/stall=1",
    ),
    Mutant(
        "answer-early",
        "counter_bank",
        "ready.eq(due & second)",
        "ready.eq(due)",
        "CounterBank",
        "five",
        "counting/stall=1",
    ),
    Mutant(
        "ring-overrun",
        "sample_buffer",
        "~complete[1] & ~full",
        "~complete[1]",
        "SampleBuffer",
        "inputs-784",
        "a_full_ring",
    ),
    Mutant("queue-full", "fork", "one[-1] | one[ceil_log2(room) : -1].all()", "one[-1]", "Queue", "depth-5"),
    Mutant(
        "result-overwritten",
        "first_spike_prediction",
        "m.Case(Kind.BEGIN), m.If(~self.result_o.valid):",
        "m.Case(Kind.BEGIN):",
        "FirstSpikePrediction",
        "three-lanes",
    ),
    Mutant(
        "token-twice",
        "chip",
        "source.valid & ~done & ~apart",
        "source.valid & ~apart",
        "ErbiumChip",
        "tiny",
    ),
    Mutant(
        "margin",
        "first_spike_prediction",
        "age >= errors.margin",
        "age > errors.margin",
        "FirstSpikePrediction",
        "delay-5",
        ONE_STALL,
    ),
    Mutant(
        "deadline",
        "first_spike_prediction",
        "self.tick < errors.deadline",
        "self.tick <= errors.deadline",
        "FirstSpikePrediction",
        "three-lanes",
        ONE_STALL,
    ),
    Mutant(
        "first-spike-tie",
        "first_spike_prediction",
        "key > best_key",
        "key >= best_key",
        "FirstSpikePrediction",
        "tiny",
        ONE_STALL,
    ),
    Mutant(
        "stop-ahead",
        "first_spike_prediction",
        "self._readout.margin - 1 - self._readout.delay",
        "self._readout.margin - self._readout.delay",
        "FirstSpikePrediction",
        "three-lanes",
        ONE_STALL,
    ),
    Mutant(
        "earliest-only",
        "first_spike_prediction",
        "Mux(wrong.any(), 0, candidates & (~candidates + 1)[:lanes])",
        "candidates & (~candidates + 1)[:lanes]",
        "FirstSpikePrediction",
        "earliest-only",
        ONE_STALL,
    ),
    Mutant(
        "replay-counted",
        "encoder",
        "self.input_spikes.eq(~replaying)",
        "self.input_spikes.eq(1)",
        "Encoder",
        "latency",
        ONE_STALL,
    ),
    Mutant(
        "replay-too-far",
        "encoder",
        "n_scanned.eq(level)",
        "n_scanned.eq(len(levels))",
        "Encoder",
        "latency-late-pixels",
        "samples.*",
    ),
    Mutant(
        "level-bound",
        "sample_buffer",
        "pixel >= lowest",
        "pixel > lowest",
        "SampleBuffer",
        "late-pixels",
        ONE_STALL,
    ),
    Mutant(
        "replay-always",
        "feedback_gate",
        "self.replay.eq(token.address[0])",
        "self.replay.eq(1)",
        "FeedbackGate",
        "tiny",
        ONE_STALL,
    ),
    Mutant(
        "causal-bound",
        "rules.first_spike",
        "order.tick <= tick",
        "order.tick < tick",
        "LayerEngine",
        "first-spike-later-lanes-5",
        ONE_STALL,
    ),
    Mutant(
        "rest-by-spike-tick",
        "rules.first_spike",
        "Mux(rests, resting, 0)",
        "Mux(rests, 1, 0)",
        "LayerEngine",
        "first-spike-later-lanes-5",
        ONE_STALL,
    ),
    Mutant(
        "causes-of-inference",
        "rules.first_spike",
        "causes.push.eq(row & pipeline.begin.learn)",
        "causes.push.eq(row)",
        "LayerEngine",
        "first-spike-later-lanes-5",
        ONE_STALL,
    ),
    Mutant(
        "old-words",
        "rules.first_spike",
        "sets | clears",
        "sets",
        "LayerEngine",
        "first-spike-lanes-5",
        ONE_STALL,
    ),
    Mutant(
        "step-sign",
        "rules.first_spike",
        "Mux(group.later[lane], step",
        "Mux(group.later[lane], -step",
        "LayerEngine",
        "first-spike-lanes-5",
        ONE_STALL,
    ),
    Mutant(
        "touched",
        "rules.replay",
        "draws.value[:16] < control.rate",
        "draws.value[16:] < control.rate",
        "LayerEngine",
        "first-spike-lanes-5",
        ONE_STALL,
    ),
    Mutant(
        "words-collide",
        "rules.replay",
        "collides | (busy & (at == word))",
        "collides",
        "LayerEngine",
        "first-spike-later-lanes-3",
        "samples/stall=0",
    ),
    Mutant(
        "begin-too-soon",
        "plan",
        "max(0, x - 3 - self.settle",
        "min(0, x - 3 - self.settle",
        "LayerEngine",
        "first-spike-later-lanes-5",
        "nothing_comes",
    ),
    Mutant(
        "vote-settle",
        "rules.first_spike",
        "plan.places + 1, e - x",
        "plan.places + 2, e - x",
        "LayerEngine",
        "first-spike-later-units-4-lanes-7",
        "nothing_comes",
    ),
    Mutant(
        "vote-for-nothing",
        "rules.first_spike",
        "(pipeline.counted & ~votes) + taken",
        "taken",
        "LayerEngine",
        "first-spike-later-lanes-5",
        "samples/stall=0",
        says="no token passed",
    ),
    Mutant(
        "learn-drain",
        "rules.replay",
        "Mux(self._any_word, self._drain, 0)",
        "0",
        "LayerEngine",
        "first-spike-one-word-latency-3",
        "a_row_again",
    ),
    Mutant(
        "no-vote",
        "uart",
        "(raw & past[0]) | (raw & past[1]) | (past[0] & past[1])",
        "raw",
        "UartReceiver",
        "8.3-clocks",
        "glitches",
    ),
    Mutant("sample-late", "uart", "// 2 - 2 * _ONE", "// 2", "UartReceiver", "4-clocks", "received"),
    Mutant(
        "break-is-bytes",
        "uart",
        "m.d.sync += resting.eq(line)\n\n",
        "m.d.sync += resting.eq(1)\n\n",
        "UartReceiver",
        "4-clocks",
        "no_stop_bit",
    ),
    Mutant(
        "fraction-lost",
        "uart",
        "Mux(left == 0, _ONE - 1, rest)",
        "_ONE - 1",
        "UartTransmitter",
        "8.3-clocks",
        "transmitted/stall=0",
    ),
    Mutant("full-group-in", "cobs", "byte != GROUP + 1", "byte != 0", "CobsDecoder", "cobs"),
    Mutant("full-group-out", "cobs", "code == GROUP + 1", "code == GROUP", "CobsEncoder", "cobs"),
    Mutant("group-overrun", "cobs", "Mux(complete, idle,", "Mux(complete, 1,", "CobsEncoder", "cobs"),
    Mutant(
        "half-a-group",
        "frame",
        "ResetInserter(expired)(decoder)",
        "decoder",
        "FrameReceiver",
        "length-24",
        "every_status",
    ),
    Mutant(
        "crc-goes-on",
        "frame",
        "crc.start.eq(is_end | expired)",
        "crc.start.eq(is_end)",
        "FrameReceiver",
        "length-24",
        "every_status",
    ),
    Mutant(
        "no-crc", "frame", "m.Elif(~crc.match_detected)", "m.Elif(0)", "FrameReceiver", "length-24", "flipped"
    ),
    Mutant(
        "room-overrun",
        "frame",
        "full.eq(holds & (place == at))",
        "full.eq(0)",
        "FrameReceiver",
        "length-300",
        "slow_reader",
    ),
    Mutant(
        "time-out-late",
        "frame",
        "init=(1 << bits) - self._timeout)",
        "init=(1 << bits) - self._timeout - 1)",
        "FrameReceiver",
        "length-24",
        "time_out",
    ),
    Mutant(
        "stale-byte",
        "frame",
        "[out.valid.eq(0), fetched.eq(0), over.eq(0), at",
        "[fetched.eq(0), over.eq(0), at",
        "FrameReceiver",
        "length-24",
        "received/stall=0",
    ),
    Mutant(
        "half-a-turn",
        "request_reader",
        "byte != self.next_turn",
        "byte[:7] != self.next_turn[:7]",
        "MessageLink",
        "small",
        "every_error",
    ),
    Mutant(
        "half-a-row",
        "request_reader",
        'm.If(self.last_byte):\n                    self._fsm.go("MEASURED")',
        'm.If(1):\n                    self._fsm.go("MEASURED")',
        "MessageLink",
        "small",
        "every_error",
    ),
    Mutant(
        "event-again",
        "request_reader",
        "self.next_entry.eq(passes)",
        "self.next_entry.eq(passes & ~is_events)",
        "MessageLink",
        "small",
        "every_error",
    ),
    Mutant(
        "run-beyond-the-last-pixel",
        "request_reader",
        "is_events | ends & over",
        "is_events | ends",
        "MessageLink",
        "small",
        "every_error",
    ),
    Mutant(
        "black-run-too-short",
        "request_reader",
        "left.eq(self.byte), found",
        "left.eq(self.byte >> 1 << 1), found",
        "MessageLink",
        "small",
        "pixels_of_each_format",
    ),
    Mutant(
        "far-entry",
        "entry_cursor",
        "far | (end > entries)",
        "end > entries",
        "MessageLink",
        "small",
        "every_error",
    ),
    Mutant(
        "settings-at-once",
        "request_reader",
        "m.Elif(self.idle | ~self.waits)",
        "m.Else()",
        "MessageLink",
        "small",
        "changes_wait",
    ),
    Mutant(
        "tag-of-another",
        "csr",
        "HISTORY * RESULT_BYTES",
        "(HISTORY - 2) * RESULT_BYTES",
        "MessageLink",
        "small",
        "results_in_order",
    ),
    Mutant(
        "no-soft-reset",
        "csr_registers",
        "ResetInserter(self.soft_reset)(state)",
        "state",
        "MessageLink",
        "small",
        "soft_resets",
    ),
    Mutant(
        "weights-while-it-learns",
        "bus_front",
        "with m.If(~quiet):\n            refuse",
        "with m.If(0):\n            refuse",
        "WishboneChip",
        "tiny",
        "in_the_middle",
    ),
    Mutant(
        "a-byte-of-a-word",
        "bus_place",
        "bus.strobes.all() | ~bus.write",
        "bus.strobes.any() | ~bus.write",
        "WishboneChip",
        "tiny",
        "transfers/stall=0",
    ),
    Mutant(
        "weight-below-the-least",
        "bus_front",
        "(upper.all() | ~upper.any()) & ~lowest",
        "(upper.all() | ~upper.any())",
        "WishboneChip",
        "first-spike-tiny",
        "bounds",
    ),
    Mutant("crc-start", "crc", "register.eq(ones)", "register.eq(register)", "Crc", "crc"),
    Mutant(
        "idle-too-soon",
        "array",
        "work = busy | working(",
        "work = working(",
        "ErbiumArray",
        "first-spike-tiny",
        "weights_at_once",
    ),
    Mutant(
        "core-causal-zone",
        "core.row_lanes",
        "seen & ~late2",
        "seen",
        "CoreEngine",
        "machine",
        "learning/stall=1",
    ),
    Mutant(
        "core-factor-of-erbp",
        "core.sequencer",
        "~by_word & (sample.factor < 0)",
        "(sample.factor < 0)",
        "CoreEngine",
        "layers",
        "learning/stall=1",
    ),
    Mutant(
        "core-second-winner",
        "core.sweeper",
        "population.exclusive & (taken",
        "0 & (taken",
        "CoreEngine",
        "passes",
        "learning/stall=1",
    ),
    Mutant(
        "core-slot-not-kept",
        "core.source_unit",
        "self.spikes_address.eq(slot +",
        "self.spikes_address.eq(self.slot +",
        "CoreEngine",
        "machine",
        "learning/stall=1",
    ),
    Mutant(
        "core-plastic-state",
        "core.sweeper",
        "self.kept.bit_select(stored_code.destination, 1)",
        "0 & self.kept.bit_select(stored_code.destination, 1)",
        "CoreEngine",
        "passes",
        "learning/stall=1",
    ),
    Mutant(
        "core-sum-three-slots-under-way",
        "core.row_lanes",
        "Mux(from_6[mine], total_6, read)",
        "read",
        "CoreEngine",
        "passes",
        "learning/stall=0",
    ),
    Mutant(
        "core-expired-row-that-waits-on",
        "core.row_walker",
        "(timer.pending & ~expired[row])",
        "timer.pending",
        "CoreEngine",
        "machine-8-2",
        "learning/stall=0",
    ),
    Mutant(
        "core-spike-before-its-expiry",
        "core.row_walker",
        ' & ~(row["again"] & held)',
        "",
        "CoreEngine",
        "machine-8-2",
        "learning/stall=3",
    ),
    Mutant(
        "core-record-written-over",
        "core.spike_record",
        "self.enable & (count != self._depth)",
        "self.enable",
        "FrameCore",
        "machine",
        "learning",
    ),
]


BUILD = """
import sys

from erbium.verif.planted import Fault, plant

plant(Fault(*sys.argv[1:4]))
from erbium.gen.verilog import component_verilog
from erbium.verif.registry import REGISTRY
from erbium.verif.run_bench import TOP

component, case = sys.argv[4:]
entry = REGISTRY[component]
print(component_verilog(entry.build(entry.case(case)), TOP))
"""


def run_of(mutant):
    """Return the run of a bench on hardware with a fault."""
    built = subprocess.run(
        [sys.executable, "-c", BUILD, *mutant[1:6]],
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


def test_every_fault_can_be_planted():
    missing = [mutant.name for mutant in MUTANTS if not Fault(*mutant[1:4]).places]
    assert not missing


def test_every_fault_names_a_case_of_its_bench():
    cases = {name: {case.name for case in entry.cases} for name, entry in REGISTRY.items()}
    assert not [mutant.name for mutant in MUTANTS if mutant.case not in cases[mutant.component]]


@pytest.mark.slow
@pytest.mark.icarus
@pytest.mark.parametrize(
    "mutant",
    [
        # One in eight is in the short form; those that come after each other plant faults in the same component.
        pytest.param(mutant, id=mutant.name, marks=[pytest.mark.long] * (place % 8 != 0))
        for place, mutant in enumerate(MUTANTS)
    ],
)
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
    assert "erbium verify NeuronUnit lif --waves --simulator icarus --seed 1" in text
    (waveform,) = re.findall(r"waveform  (.*)", text)
    assert Path(waveform).stat().st_size > 1000
