# SPDX-License-Identifier: BSD-2-Clause
"""docs/contract.md, The neuron program; and what the layers of both learners have in common."""

from __future__ import annotations

from operator import add, ne
from typing import Any

from . import hashed, streams

LOW, HIGH = -(1 << 15), (1 << 15) - 1


def sat16(value: int) -> int:
    return LOW if value < LOW else min(value, HIGH)


def clamped(values: list[int], low: int, high: int) -> list[int]:
    """Return a row of numbers within their limits; hardly any is beyond them, which is found out fast."""
    if min(values) >= low and max(values) <= high:
        return values
    return [min(max(value, low), high) for value in values]


class Layer:
    """One population with its synapses: row passes that transmit, and the sweep.

    Attributes
    ----------
    weights : list of list of int
        Row by row.
    x, u : list of list of int
        States and ports, each with a number for every neuron.
    """

    def __init__(self, network: dict[str, Any], number: int, rows: int, first_spike: bool) -> None:
        self.description = layer = network["layers"][number]
        self.program = layer["program"]
        self.n = layer["n_neurons"]
        self.width = layer["weight_width"]
        self.limits = hashed.weight_range(self.width, first_spike)
        self.weights = hashed.initial_weights(
            network["seed"], number, rows, self.n, layer["weight_bound"], self.width, first_spike
        )
        self.mixing = [hashed.mixing(i) for i in range(self.n)]
        self.plasticity, self.blank_synapse, self.blank_neuron, self.noise = (
            streams.Stream(number + 1, stream)
            for stream in (hashed.PLASTICITY, hashed.BLANK_SYNAPSE, hashed.BLANK_NEURON, hashed.NOISE)
        )
        self.draws_noise = any(op["source"] == "noise" for op in self.program["operations"])
        self.spikes = self.synaptic_operations = self.rows_learned = self.weights_changed = 0

    def begin(self, seed: int, learn: bool) -> None:
        for stream in (self.plasticity, self.blank_synapse, self.blank_neuron, self.noise):
            stream.begin(seed)
        self.learn, self.t = learn, 0
        self.x = [[value] * self.n for value in self.program["initial"]]
        self.u = [[0] * self.n for _ in range(self.program["n_ports"])]
        self.resting = [0] * self.n
        self.blanked = [False] * self.n
        keep = self.description["neuron_keep"]
        if learn and keep < 256:
            bytes_ = streams.mixed(self.blank_neuron.draw(), self.mixing)
            self.blanked = [byte >= keep for byte in bytes_]

    def add(self, port: int, values: list[int]) -> None:
        self.u[port] = clamped(list(map(add, self.u[port], values)), LOW, HIGH)

    def transmit(self, k: int) -> list[bool] | None:
        """Add row k to port 0; return which synapses are kept, or None for all."""
        b = self.width
        values = (
            [w >> (b - 8) for w in self.weights[k]] if b >= 8 else [w << (8 - b) for w in self.weights[k]]
        )
        kept = None
        keep = self.description["synapse_keep"]
        if keep < 256:
            kept = [byte < keep for byte in streams.mixed(self.blank_synapse.draw(), self.mixing)]
            values = [value if is_kept else 0 for value, is_kept in zip(values, kept, strict=True)]
        self.add(0, values)
        self.synaptic_operations += self.n
        return kept

    def change(self, k: int, deltas: list[int]) -> None:
        """Take `deltas` from row k."""
        old = self.weights[k]
        new = clamped([w - delta for w, delta in zip(old, deltas, strict=True)], *self.limits)
        self.weights[k] = new
        self.rows_learned += 1
        self.weights_changed += sum(map(ne, old, new))

    def sweep(self) -> list[int]:
        """Run the program once for each neuron; return the spikes."""
        program = self.program
        self._sums()
        x, neurons = self.x, range(self.n)
        thresholds = [program["threshold"] + (x[1][i] if program["adaptive"] else 0) for i in neurons]
        spiking = [x[0][i] >= thresholds[i] and not self.resting[i] and not self.blanked[i] for i in neurons]
        self.before_reset(spiking)
        for i in neurons:
            if program["hold"] and self.resting[i]:
                x[0][i] = program["reset_value"][0]
            if spiking[i]:
                self._reset(i)
                self.resting[i] = program["refractory"]
            elif self.resting[i]:
                self.resting[i] -= 1
        self.u = [[0] * self.n for _ in self.u]
        self.t += 1
        spikes = [i for i in neurons if spiking[i]]
        self.spikes += len(spikes)
        return spikes

    def before_reset(self, spiking: list[bool]) -> None:
        """Let plasticity look at the states."""

    def _sums(self) -> None:
        program = self.program
        sources = {f"x{d}": values for d, values in enumerate(self.x)}
        sources |= {f"u{p}": values for p, values in enumerate(self.u)}
        if self.draws_noise:
            sources["noise"] = [self.noise.noise() for _ in range(self.n)]
        y = [[(v + b) << 8 for v in values] for values, b in zip(self.x, program["bias"], strict=True)]
        for op in program["operations"]:
            d, shift, sign = op["destination"], op["shift"], op["sign"]
            source = sources[op["source"]]
            y[d] = [total + sign * ((v << 8) >> shift) for total, v in zip(y[d], source, strict=True)]
        q = int(f"{self.t & 0xFF:08b}"[::-1], 2)
        self.x = [
            clamped(clamped([(total + q) >> 8 for total in sums], LOW, HIGH), low, high)
            for sums, low, high in zip(y, program["lower"], program["upper"], strict=True)
        ]

    def _reset(self, i: int) -> None:
        modes = zip(self.x, self.program["reset_mode"], self.program["reset_value"], strict=True)
        for values, mode, value in modes:
            match mode:
                case "set":
                    values[i] = value
                case "add":
                    values[i] = sat16(values[i] + value)
                case "max":
                    values[i] = max(values[i], value)
