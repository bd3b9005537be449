# SPDX-License-Identifier: BSD-2-Clause
"""What travels down the pipeline of a layer."""

from __future__ import annotations

from amaranth.lib import data, enum

from erbium.hdl.tokens import Kind


class Work(enum.Enum, shape=3):
    """What one slot of the pipeline does with one word of neurons or synapses.

    Members
    -------
    ROW : transmit a word of a synapse row, and learn if armed
    TEACH : take the margin from the label's neuron
    WORD : set the plasticity word of one neuron
    LEARN : replay a word of a synapse row: learn without transmitting
    SWEEP : run the neuron program on a part of a word
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

    Parameters
    ----------
    rows, words, parts : int
        Of the layer: synapse rows, words of a row, and parts in which a sweep takes a word.
    tick_width : int
    fields : dict
        What a plasticity rule adds.

    Members
    -------
    work : what to do
    row, word : synapse row, word within it
    part, place : of a sweep, if it takes a word in parts: part of the word, and number of the part in the population
    first, last : first slot of a pass; slot of its last word
    done : last part of its word, if words are taken in parts
    fresh : port 0 holds nothing yet, so the old sum counts as 0
    armed : the row learns, with eRBP if a plasticity word of the layer is not 0
    begin : first tick of the sample: states count as initial
    feedback : the sweep takes port 1 from the feedback port
    tick : low bits of the tick number (``LEARN``: the whole number of the tick of the replayed spike)
    kind : of a token
    """

    def __init__(self, rows: int, words: int, parts: int, tick_width: int, fields: dict[str, object]) -> None:
        members: dict[str, object] = {
            "work": Work,
            "row": range(max(rows, 2)),
            "word": range(max(words, 2)),
            "first": 1,
            "last": 1,
            "fresh": 1,
            "armed": 1,
            "begin": 1,
            "feedback": 1,
            "tick": tick_width,
            "kind": Kind,
        }
        if parts > 1:
            members |= {"part": range(parts), "place": range(words * parts), "done": 1}
        super().__init__(members | fields)
