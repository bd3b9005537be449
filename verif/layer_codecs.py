# SPDX-License-Identifier: BSD-2-Clause
"""What passes inside of a layer, at the taps of :mod:`erbium.verif.probes`, as numbers."""

from __future__ import annotations

from erbium.hdl.neuron_unit import NeuronLayout, plasticity_word_width
from erbium.hdl.plan import LayerPlan
from erbium.verif.codecs import Packer, signed


class StateCodec:
    """What the neuron units of a layer say at one place of a sweep.

    Parameters
    ----------
    plan : LayerPlan
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.layer, self.units = plan.population, plan.units
        layout = NeuronLayout(plan.program)
        self._packer = Packer(layout)
        self._neuron_width = layout.size
        self._word_width = plasticity_word_width(plan.program, plan.rule.swept_rule())
        self.width = self.units * (self._neuron_width + 1 + self._word_width)

    def decode(self, bits: int) -> list[dict[str, int]]:
        """Return for each unit its states by name, its spike, and its plasticity word."""
        found = []
        for unit in range(self.units):
            fields = self._packer.unpack(bits >> unit * self._neuron_width & ((1 << self._neuron_width) - 1))
            fields["spike"] = bits >> (self.units * self._neuron_width + unit) & 1
            start = self.units * (self._neuron_width + 1) + unit * self._word_width
            word = bits >> start & ((1 << self._word_width) - 1)
            fields["word"] = signed(word, self._word_width) if self.layer.rule is not None else 0
            found.append(fields)
        return found


class WriteCodec:
    """A write of the synapse memory: ``(row, word of the row, weight of each lane)``."""

    def __init__(self, plan: LayerPlan) -> None:
        self._weight_width, self._lanes, self._stride = plan.population.weight_width, plan.lanes, plan.stride
        self._address_width = (max(plan.n_rows * plan.stride, 2) - 1).bit_length()
        self.width = self._address_width + self._lanes * self._weight_width

    def decode(self, bits: int) -> tuple[int, int, list[int]]:
        """Return row, word and weights."""
        address = bits & ((1 << self._address_width) - 1)
        bits >>= self._address_width
        mask = (1 << self._weight_width) - 1
        return *divmod(address, self._stride), [
            signed(bits >> lane * self._weight_width & mask, self._weight_width)
            for lane in range(self._lanes)
        ]


class NeuronCodec:
    """A write of values of neurons: ``(address, value of each one that there is)``.

    Parameters
    ----------
    neurons : list of list
        For each address the neurons whose values lie there, ``None`` for none.
    width : int
        Bits of a value.
    """

    def __init__(self, neurons: list[list[int | None]], width: int) -> None:
        self._neurons, self._value_width = neurons, width
        self._address_width = (max(len(neurons), 2) - 1).bit_length()
        self.width = self._address_width + len(neurons[0]) * width

    def decode(self, bits: int) -> tuple[int, tuple[int, ...]]:
        """Return the address and the values."""
        address, bits = bits & ((1 << self._address_width) - 1), bits >> self._address_width
        mask, width = (1 << self._value_width) - 1, self._value_width
        here = enumerate(self._neurons[address])
        return address, tuple(bits >> place * width & mask for place, neuron in here if neuron is not None)


def word_codec(plan: LayerPlan, width: int) -> NeuronCodec:
    """Return the codec of a file of whole words."""
    lanes, n = plan.lanes, plan.n_neurons
    words = [range(base, base + lanes) for base in range(0, n, lanes)]
    return NeuronCodec([[neuron if neuron < n else None for neuron in word] for word in words], width)


def place_codec(plan: LayerPlan, width: int) -> NeuronCodec:
    """Return the codec of what a sweep writes."""
    return NeuronCodec([plan.neurons_at(place) for place in range(plan.places)], width)


class CauseCodec:
    """What a first-spike layer remembers of a spike: ``(row, tick)``."""

    def __init__(self, plan: LayerPlan) -> None:
        self._row_width = (max(plan.n_rows, 2) - 1).bit_length()
        self.width = self._row_width + plan.n_ticks.bit_length()

    def decode(self, bits: int) -> tuple[int, int]:
        """Return row and tick."""
        return bits & ((1 << self._row_width) - 1), bits >> self._row_width
