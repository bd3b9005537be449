# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the neuron unit: random words of neurons, extremes among them, through every program."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import cocotb
import numpy as np

from erbium.hdl.neuron_unit import NOISE_WIDTH, NeuronLayout, state_range, sweep_latency
from erbium.sw_model.layer import plasticity_word
from erbium.sw_model.neuron import Population
from erbium.sw_model.programs import NeuronProgram
from erbium.sw_model.rules import ThreeFactorRule
from erbium.verif.codecs import Packer, signed
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import Harness, random_for

NOISE_BOUND = 510


class TB:
    """A neuron unit of some lanes beside a population of as many neurons."""

    def __init__(self, dut: Any) -> None:
        options = current().options
        self.program: NeuronProgram = options["program"]
        self.rule: ThreeFactorRule | None = options["rule"]
        self.lanes: int = options["lanes"]
        self.latency = sweep_latency(short=options.get("short", False))
        self.widths: tuple[int, ...] = tuple(options["port_widths"])
        self.harness = Harness(dut)
        self.random, self.aims = self.harness.random, random_for("aims")
        self.layout = Packer(NeuronLayout(self.program))
        self.word_width = len(dut.words_o) // self.lanes
        self.harness.set(valid=0)
        self._set(dict.fromkeys(("neurons", "begin", "ports", "noise", "dither", "silent", "learn"), 0))

    def _set(self, values: dict[str, int]) -> None:
        self.harness.set(**values)

    def value(self, low: int, high: int) -> int:
        """Return a number of a range, often one at or near an end of it or at 0."""
        if self.random.random() < 0.4:
            near = self.random.choice((low, low + 1, -1, 0, 1, high - 1, high))
            return min(max(near, low), high)
        return self.random.randint(low, high)

    def _aim(self, population: Population, tick: int, noise: Any) -> None:
        """Choose port 0 of some neurons so that they end at a bound: threshold, gate or clip."""
        into = [op for op in self.program.operations if op.destination == 0 and op.source == "u0"]
        bounds = [self.program.threshold, self.program.lower[0], self.program.upper[0]]
        if self.rule is not None:
            bounds += self.rule.edges
        if len(into) != 1:
            return
        trial = copy.deepcopy(population)
        trial.u[0] = 0
        at = trial.sweep(tick, noise).before_reset[0]
        limit = 1 << (self.widths[0] - 1)
        for lane in range(self.lanes):
            if self.random.random() < 0.5:
                missing = self.random.choice(bounds) + self.random.randint(-1, 1) - int(at[lane])
                push = into[0].sign * (missing << into[0].shift)
                population.u[0][lane] = min(max(push, -limit), limit - 1)

    def _aim_state(self, population: Population, lane: int, tick: int, noise: Any) -> tuple[int, int]:
        """Choose a state of a neuron and what is stored of it, so that it comes to a bound; return both."""
        program = self.program
        state = self.aims.randrange(program.n_states)
        bounds = [program.lower[state], program.upper[state]]
        if state == 0:
            bounds += [program.threshold, *(self.rule.edges if self.rule is not None else ())]
        wanted = self.aims.choice(bounds) + self.aims.randint(-1, 1)
        low, high = state_range(program, state)
        step = (high - low) // 256 + 1
        best, values = low, np.arange(low, high + 1, step)
        # From afar first, then one by one around the nearest.
        for _ in range(2):
            trial = Population(program, len(values))
            trial.x[:], trial.u[:] = population.x[:, [lane]], population.u[:, [lane]]
            trial.x[state], trial.refractory[:] = values, population.refractory[lane]
            found = trial.sweep(tick, np.full(len(values), noise[lane])).before_reset[state]
            best = int(values[np.argmin(np.abs(found - wanted))])
            values = np.arange(max(low, best - step), min(high, best + step) + 1)
        return state, best

    def _aim_port(self, population: Population, lane: int, tick: int, noise: Any) -> None:
        """Choose a port of a neuron so that a state comes to lie between its bounds, however close they are."""
        program = self.program
        operation = self.aims.choice([op for op in program.operations if op.source.startswith("u")])
        state, port = operation.destination, int(operation.source[1:])
        wanted = self.aims.randint(program.lower[state] - 1, program.upper[state] + 1)
        trial = Population(program, 1)
        limit = 1 << (self.widths[port] - 1)
        low, high = -limit, limit - 1
        while low < high:
            middle = (low + high) // 2
            trial.x[:], trial.u[:] = population.x[:, [lane]], population.u[:, [lane]]
            trial.u[port], trial.refractory[:] = middle, population.refractory[lane]
            found = trial.sweep(tick, noise[[lane]]).before_reset[state][0]
            if (found < wanted) == (operation.sign > 0):
                low = middle + 1
            else:
                high = middle
        population.u[port][lane] = low

    def stimulus(self) -> tuple[dict[str, int], dict[str, Any]]:
        """Return the inputs of a word, and what the model makes of it."""
        program, lanes = self.program, self.lanes
        population = Population(program, lanes)
        tick, begin = self.random.randrange(256), self.random.random() < 0.15
        stored = [
            {f"x{k}": self.value(*state_range(program, k)) for k in range(program.n_states)}
            for _ in range(lanes)
        ]
        if program.refractory:
            for neuron in stored:
                neuron["refractory"] = self.random.choice((0, 0, 1, program.refractory))
        if not begin:
            for lane, neuron in enumerate(stored):
                population.x[:, lane] = [neuron[f"x{k}"] for k in range(program.n_states)]
                population.refractory[lane] = neuron.get("refractory", 0)
        for port in range(program.n_ports):
            bound = 1 << (self.widths[port] - 1)
            population.u[port] = [self.value(-bound, bound - 1) for _ in range(lanes)]
        noise = np.array([self.value(-NOISE_BOUND, NOISE_BOUND) for _ in range(lanes)])
        self._aim(population, tick, noise)
        for lane in range(lanes if not begin else 0):
            if self.aims.random() < 0.3:
                state, value = self._aim_state(population, lane, tick, noise)
                stored[lane][f"x{state}"] = population.x[state, lane] = value
        for lane in range(lanes):
            if self.aims.random() < 0.25:
                self._aim_port(population, lane, tick, noise)
        silent = np.array([self.random.random() < 0.2 for _ in range(lanes)])
        learn = self.random.random() < 0.7
        ports = noise_bits = at = 0
        for port in range(program.n_ports):
            for lane in range(lanes):
                ports |= (int(population.u[port][lane]) & (1 << self.widths[port]) - 1) << at
                at += self.widths[port]
        for lane in range(lanes):
            noise_bits |= (int(noise[lane]) & (1 << NOISE_WIDTH) - 1) << NOISE_WIDTH * lane
        inputs = {
            "valid": 1,
            "neurons": sum(self.layout.pack(n) << self.layout.size * k for k, n in enumerate(stored)),
            "begin": int(begin),
            "ports": ports,
            "noise": noise_bits,
            "dither": tick,
            "silent": sum(int(flag) << lane for lane, flag in enumerate(silent)),
            "learn": int(learn),
        }
        before = {"x": population.x.copy(), "u": population.u.copy(), "tick": tick, "begin": begin}
        result = population.sweep(tick, noise, silent)
        words = np.zeros(lanes, dtype=np.int64)
        if self.rule is not None and learn:
            words = np.where(silent, 0, plasticity_word(self.rule, result.before_reset))
        expected = {"spikes": result.spikes.astype(int), "words": words}
        expected |= {f"x{k}": x for k, x in enumerate(population.x)}
        if program.refractory:
            expected["refractory"] = population.refractory
        return inputs, {"expected": expected, "inputs": before}

    def check(self, word: dict[str, Any], number: int) -> None:
        """Compare the outputs with a word of the model."""
        size = self.layout.size
        neurons, spikes, words = (self.harness.get(name) for name in ("neurons_o", "spikes_o", "words_o"))
        for lane in range(self.lanes):
            got = self.layout.unpack(neurons >> size * lane & (1 << size) - 1)
            got["spikes"] = spikes >> lane & 1
            got["words"] = signed(
                words >> self.word_width * lane & (1 << self.word_width) - 1, self.word_width
            )
            for signal, value in got.items():
                expected = int(word["expected"][signal][lane])
                expect_equal(signal, expected, value, word=number, lane=lane, inputs=word["inputs"])


@cocotb.test()
async def words(dut: Any) -> None:
    """Words with and without gaps between them."""
    tb = TB(dut)
    await tb.harness.reset()
    line: deque[dict[str, Any] | None] = deque([None] * tb.latency)
    for number in range(600):
        inputs: dict[str, int] = {"valid": 0}
        word = None
        if tb.random.random() < 0.7:
            inputs, word = tb.stimulus()
        await tb.harness.edge()
        tb.harness.set(**inputs)
        await tb.harness.settle()
        line.append(word)
        due = line.popleft()
        expect_equal("valid_o", int(due is not None), tb.harness.get("valid_o"), word=number - tb.latency)
        if due is not None:
            tb.check(due, number - tb.latency)
