# SPDX-License-Identifier: BSD-2-Clause
"""What travels down the pipeline of a layer."""

from amaranth.lib import data, enum

from erbium.hdl.tokens import ADDRESS_WIDTH, Kind


class Work(enum.Enum, shape=3):
    """What one slot of the pipeline does with one word of neurons or synapses.

    Members
    -------
    ROW : transmit a word of a synapse row, and learn if armed
    TEACH : take the margin from the label's neuron
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


class Slot(data.StructLayout):
    """One piece of work on one word.

    Members
    -------
    work : what to do
    row, word, base : synapse row, word within it, address of the neuron in lane 0
    first, last : first and last word of the row or population
    fresh : port 0 holds nothing yet, so the old sum counts as 0
    armed : the row learns if a plasticity word of the layer is not 0
    begin : first tick of the sample: states count as initial
    feedback : the sweep takes port 1 from the feedback port
    tick : low 8 bits of the tick number
    kind : of a token
    """

    def __init__(self, words: int) -> None:
        super().__init__(
            {
                "work": Work,
                "row": ADDRESS_WIDTH,
                "word": range(max(words, 2)),
                "base": ADDRESS_WIDTH,
                "first": 1,
                "last": 1,
                "fresh": 1,
                "armed": 1,
                "begin": 1,
                "feedback": 1,
                "tick": 8,
                "kind": Kind,
            }
        )
