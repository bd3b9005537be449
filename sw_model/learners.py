# SPDX-License-Identifier: BSD-2-Clause
"""The learners of layered networks in the reference model, by what forms the errors of the output."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from erbium.sw_model.erbp import ErbpLayer, ErbpPrediction
from erbium.sw_model.first_spike import FirstSpikeLayer, FirstSpikePrediction
from erbium.sw_model.layer import LayerModel
from erbium.sw_model.network import Network
from erbium.sw_model.prediction import PredictionModel
from erbium.sw_model.rules import ErrorNeurons, FirstSpikeErrors, OutputErrors


class LearnerModel(NamedTuple):
    """What a learner makes of a layer, and of the output."""

    layer: type[LayerModel]
    prediction: Callable[[Network], PredictionModel]


LEARNERS: dict[type[OutputErrors], LearnerModel] = {
    ErrorNeurons: LearnerModel(ErbpLayer, ErbpPrediction),
    FirstSpikeErrors: LearnerModel(FirstSpikeLayer, FirstSpikePrediction),
}
"""By the class of :attr:`erbium.sw_model.network.Network.error`."""
