# SPDX-License-Identifier: BSD-2-Clause
"""What travels down the pipeline of a layer."""

from amaranth.lib import data, enum
from amaranth.utils import bits_for

from erbium.hdl.tokens import Kind
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import FRACTION_BITS


def tick_width(network: Network) -> int:
    """Return the bits of a tick number in a slot; a first-spike layer needs room for "never", too."""
    return (
        bits_for(network.n_ticks) if network.is_first_spike else min(bits_for(network.n_ticks), FRACTION_BITS)
    )


def operand_stage(network: Network, number: int, hardware: Hardware) -> int:
    """Return the stage X of the pipeline, counted from the issue of a slot, in which all operands meet."""
    words = hardware.stride_of(network, number)
    at_once = hardware.short_pipelines or words & (words - 1) == 0
    return (1 if at_once else 3) + hardware.latency_of(network, number)


class Work(enum.Enum, shape=3):
    """What one slot of the pipeline does with one word of neurons or synapses.

    Members
    -------
    ROW : transmit a word of a synapse row, and learn if armed
    TEACH : take the margin from the label's neuron
    WORD : set the plasticity word of one neuron
    LEARN : replay a word of a synapse row: learn without transmitting
    SWEEP : run the neuron program
    TOKEN : pass a token on, in order with the words before it
    LOAD, STORE : hand a word of weights to the host, or take one
    """

    ROW = 0
    TEACH = 1
    SWEEP = 2
    TOKEN = 3
    LOAD = 4
    STORE = 5
    WORD = 6
    LEARN = 7


class Slot(data.StructLayout):
    """One piece of work on one word.

    Members
    -------
    work : what to do
    row, word : synapse row, word within it
    lane : of the neuron of a ``WORD``
    first, last : first and last word of the row or population
    fresh : port 0 holds nothing yet, so the old sum counts as 0
    armed : the row learns, with eRBP if a plasticity word of the layer is not 0
    begin : first tick of the sample: states count as initial
    feedback : the sweep takes port 1 from the feedback port
    tick : low bits of the tick number (``LEARN``: the whole number of the tick of the replayed spike)
    later : of a ``WORD``
    kind : of a token
    """

    def __init__(self, network: Network, number: int, hardware: Hardware) -> None:
        super().__init__(
            {
                "work": Work,
                "row": range(max(network.n_rows(number), 2)),
                "word": range(max(hardware.words_of(network, number), 2)),
                "lane": range(hardware.lanes_of(network, number)),
                "first": 1,
                "last": 1,
                "fresh": 1,
                "armed": 1,
                "begin": 1,
                "feedback": 1,
                "tick": tick_width(network),
                "later": 1,
                "kind": Kind,
            }
        )
