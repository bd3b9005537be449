# SPDX-License-Identifier: BSD-2-Clause
"""Named networks, and the builder behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erbium.sw_model.network import EncoderKind, ErbpRule, ErrorNeurons, FeedbackKind, Layer, Network
from erbium.sw_model.programs import DescriptionError, check_range, erbp_hidden, erbp_output

SCHEDULE = ((0.35, 1.0), (0.55, 0.6), (0.75, 0.35), (0.90, 0.2), (1.0, 0.1))
"""Learning rate: up to this share of the run, this factor of the gain."""


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained. The chip does not depend on it.

    Parameters
    ----------
    epochs : int
        Passes over the training images.
    shift : int
        Training images are moved by up to so many pixels in each direction, 0 for none.
    schedule : tuple of (float, float)
        Pairs of (share of the run, factor of the gain).
    """

    epochs: int = 16
    shift: int = 0
    schedule: tuple[tuple[float, float], ...] = SCHEDULE

    def __post_init__(self) -> None:
        check_range("epochs", self.epochs, 1, 10_000)
        check_range("shift", self.shift, 0, 4, " pixels")

    def factor(self, position: int, total: int) -> float:
        """Return the learning rate factor of training image `position` of `total`."""
        return next((f for share, f in self.schedule if position < share * total), self.schedule[-1][1])


@dataclass(frozen=True)
class Preset:
    """A named network with the way to train it and one sentence about it."""

    network: Network
    recipe: Recipe
    about: str


def erbp_network(
    name: str,
    hidden: Sequence[int],
    *,
    n_inputs: int = 784,
    n_classes: int = 10,
    weight_width: int = 8,
    feedback: FeedbackKind | None = None,
    encoder: EncoderKind = "bernoulli",
    n_ticks: int = 32,
    quiet_ticks: int = 3,
    decide_after: int = 0,
    feedback_delay: int = 1,
    first_tick: int = 1,
    synapse_keep: int = 256,
    neuron_keep: int = 256,
    noise_shift: int | None = None,
    leak_shift: int | None = None,
    synapse_shift: int | None = None,
    refractory: int = 0,
    error: tuple[int, int] = (1, 1),
    margin: int = 320,
    seed: int = 1,
) -> Network:
    """Describe an eRBP network with any hidden layers.

    Parameters
    ----------
    name : str
    hidden : sequence of int
        Sizes of the hidden layers; empty for a single layer.
    n_inputs, n_classes : int
    weight_width : int
        Bits of every weight, 4 ... 16.
    feedback : str, optional
        ``"sign"`` or ``"wide"`` for the hidden layers; default ``"sign"`` for an even number of classes.
    synapse_keep, neuron_keep : int
        Blank-out of synapses (all layers) and of hidden neurons, in 1/256.
    noise_shift, leak_shift, synapse_shift, refractory
        Options of :func:`erbium.sw_model.programs.erbp_hidden`, for hidden and output neurons.
    first_tick : int
        No weight changes before this tick.
    error : (int, int)
        Weight and threshold of the error neurons; the paper's are (9, 10).

    Other parameters as in :class:`erbium.sw_model.network.Network`.

    Raises
    ------
    DescriptionError
        For sizes or options that no chip can be built from.

    Notes
    -----
    The gains are 12 (``"sign"``) or 8 (``"wide"``) in the first hidden layer, half of that in later ones,
    and 8 in the output layer. Source: ``docs/contract.md``.
    """
    kind = feedback or ("wide" if n_classes % 2 else "sign")
    if kind not in ("sign", "wide"):
        raise DescriptionError(f"feedback is {kind!r}; hidden layers need 'sign' or 'wide'")
    options = {
        "leak_shift": leak_shift,
        "synapse_shift": synapse_shift,
        "noise_shift": noise_shift,
        "refractory": refractory,
    }
    full_gain = 12 if kind == "sign" else 8
    layers = [
        Layer(
            n_neurons=size,
            program=erbp_hidden(**options),  # type: ignore[arg-type]
            rule=ErbpRule(0, 512, 1, first_tick),
            weight_width=weight_width,
            weight_bound=24 if number == 0 else 16,
            feedback=kind,
            gain=full_gain if number == 0 else full_gain // 2,
            synapse_keep=synapse_keep,
            neuron_keep=neuron_keep,
        )
        for number, size in enumerate(hidden)
    ]
    layers.append(
        Layer(
            n_neurons=n_classes,
            program=erbp_output(**options),  # type: ignore[arg-type]
            rule=ErbpRule(-(1 << 15), 1024, 1, first_tick),
            weight_width=weight_width,
            weight_bound=32,
            feedback="direct",
            gain=8,
            synapse_keep=synapse_keep,
        )
    )
    return Network(
        name=name,
        n_inputs=n_inputs,
        layers=tuple(layers),
        encoder=encoder,
        n_ticks=n_ticks,
        error=ErrorNeurons(*error),
        margin=margin,
        quiet_ticks=quiet_ticks,
        decide_after=decide_after,
        feedback_delay=feedback_delay,
        seed=seed,
    )


def _all() -> dict[str, Preset]:
    shifted = Recipe(epochs=32, shift=1)
    presets = [
        Preset(erbp_network("erbp-mnist-100", (100,)), shifted, "MNIST, 100 hidden neurons."),
        Preset(
            erbp_network("erbp-mnist-200", (200,)), shifted, "MNIST, 200 hidden neurons: the demo's network."
        ),
        Preset(
            erbp_network("erbp-mnist-500", (500,), neuron_keep=224),
            shifted,
            "MNIST, 500 hidden neurons, an eighth of them blanked out in each training sample.",
        ),
        Preset(
            erbp_network("erbp-mnist-200-200", (200, 200)),
            shifted,
            "MNIST, two hidden layers of 200 neurons.",
        ),
        Preset(
            erbp_network("erbp-digits", (64,), n_inputs=64),
            Recipe(epochs=20),
            "The 8 x 8 digits that need no download, 64 hidden neurons.",
        ),
        Preset(
            erbp_network("tiny", (12,), n_inputs=16, n_classes=4, n_ticks=16),
            Recipe(epochs=4),
            "16 pixels, 12 hidden neurons, 4 classes: small enough to read every signal in a waveform.",
        ),
    ]
    return {preset.network.name: preset for preset in presets}


PRESETS = _all()


def preset(name: str) -> Preset:
    """Return the preset called `name`.

    Raises
    ------
    DescriptionError
        If there is none, naming those that there are.
    """
    if name not in PRESETS:
        raise DescriptionError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
