# SPDX-License-Identifier: BSD-2-Clause
"""What each learner lets be seen of a whole array: followers of its layers, and what comes at the end of a sample."""

from __future__ import annotations

import numpy as np

from erbium.sw_model.array import ArrayModel
from erbium.sw_model.first_spike import FirstSpikeLayer
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.rules import ErrorNeurons, FirstSpikeErrors, OutputErrors
from erbium.verif.benches.first_spike_layer import FirstSpikeView
from erbium.verif.benches.layer import LayerView
from erbium.verif.codecs import Token
from erbium.verif.scoreboard import Scoreboard, expect_equal


class ErbpLearning:
    """Error spikes, which go to the layers tick by tick.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    board : Scoreboard

    Attributes
    ----------
    views : list of LayerView
        A follower of each layer.
    """

    views: list[LayerView]

    def __init__(self, network: Network, hardware: Hardware, board: Scoreboard) -> None:
        self.board = board
        self.views = [LayerView(network, number, hardware) for number in range(len(network.layers))]
        layers = enumerate(network.layers, 1)
        self._feedback = [
            "feedback",
            *(f"layer{n}_feedback" for n, layer in layers if layer.feedback != "none"),
        ]

    def begin(self, model: ArrayModel) -> None:
        """Look at the model before a sample."""

    def expect(self, model: ArrayModel, sample: int, *, learn: bool) -> None:
        """Expect what comes at the end of a sample that the model has just run."""
        for name in self._feedback:
            self.board.channel(name).expect(("END",), sample=sample)

    def check_idle(self) -> None:
        """Compare what is to be over when the array is idle."""


class FirstSpikeLearning(ErbpLearning):
    """Votes, which go from layer to layer after a sample, and rows that are replayed."""

    def __init__(self, network: Network, hardware: Hardware, board: Scoreboard) -> None:
        super().__init__(network, hardware, board)
        numbers = range(len(network.layers))
        self._voters = [FirstSpikeView(network, number, hardware, board) for number in numbers]
        for above, below in zip(self._voters[1:], self._voters, strict=False):
            above.before = below
        self.views = list(self._voters)

    def begin(self, model: ArrayModel) -> None:
        """Look at the model before a sample."""
        self._updates = model.counters()["updates"]

    def expect(self, model: ArrayModel, sample: int, *, learn: bool) -> None:
        """Expect what comes at the end of a sample that the model has just run."""
        board, where = self.board, {"sample": sample}
        update = model.counters()["updates"] - self._updates
        board.channel("feedback").expect(("END", update), **where)
        if not learn:
            return
        word = model.layers[-1].word
        votes: list[Token] = [("SPIKE", int(c), int(word[c] > 0)) for c in np.flatnonzero(word)]
        for n, view in reversed(list(enumerate(self._voters, 1))):
            board.channel(f"layer{n}_errors").expect_all([*votes, ("END", update)], **where)
            votes = view.votes if votes else []
        if update:
            first = model.layers[0]
            assert isinstance(first, FirstSpikeLayer)
            again = [("SPIKE", *event) for event in first.events]
            for stream in ("events", "event_i"):
                board.channel(f"layer1_{stream}").expect_all([*again, ("END",)], **where)

    def check_idle(self) -> None:
        """Compare what is to be over when the array is idle."""
        expect_equal("tokens and rows that are to come", False, not self.board.done)


LEARNING: dict[type[OutputErrors], type[ErbpLearning]] = {
    ErrorNeurons: ErbpLearning,
    FirstSpikeErrors: FirstSpikeLearning,
}
"""By the class of :attr:`erbium.sw_model.network.Network.error`."""


def array_learning(network: Network, hardware: Hardware, board: Scoreboard) -> ErbpLearning:
    """Return what is seen of the learner of a network."""
    return LEARNING[type(network.error)](network, hardware, board)
