# SPDX-License-Identifier: BSD-2-Clause
"""What people read of each learner: words of ``erbium show``, of reports and summaries, and the clocks of a sweep."""

from __future__ import annotations

from erbium.learners.base import LearnerFace
from erbium.learners.erbp import ErbpFace
from erbium.learners.first_spike import FirstSpikeFace
from erbium.sw_model.network import Network
from erbium.sw_model.rules import ErrorNeurons, FirstSpikeErrors, OutputErrors

__all__ = ["FACES", "LearnerFace", "learner_face"]

FACES: dict[type[OutputErrors], type[LearnerFace]] = {
    ErrorNeurons: ErbpFace,
    FirstSpikeErrors: FirstSpikeFace,
}
"""By the class of :attr:`erbium.sw_model.network.Network.error`."""


def learner_face(network: Network) -> LearnerFace:
    """Return what people read of the learner of a network."""
    return FACES[type(network.error)](network)
