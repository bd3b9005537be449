# SPDX-License-Identifier: BSD-2-Clause
"""Named networks, and the builder behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from erbium.sw_model.datasets import Dataset, hold_out, middle
from erbium.sw_model.network import EncoderKind, FeedbackKind, Layer, Network
from erbium.sw_model.programs import DescriptionError, check_range, erbp_hidden, erbp_output, first_spike
from erbium.sw_model.rules import ErbpRule, ErrorNeurons, FirstSpikeErrors, FirstSpikeRule, LatencyEncoder

Schedule = tuple[tuple[float, float], ...]

SCHEDULE: Schedule = ((0.35, 1.0), (0.55, 0.6), (0.75, 0.35), (0.90, 0.2), (1.0, 0.1))
"""Learning rate: up to this share of the run, this factor of the full rate."""

HALVING: Schedule = tuple((0.2 * fifth, 0.5 ** (fifth - 1)) for fifth in range(1, 6))
"""The rate halves after each fifth of the run: probabilities that are an AND of random bits."""

LINEAR_STEPS = 200
LINEAR: Schedule = tuple(
    (step / LINEAR_STEPS, 1 - (step - 1) / LINEAR_STEPS) for step in range(1, LINEAR_STEPS + 1)
)
"""The rate falls from 1 to 0 in equal steps."""

SCHEDULES: dict[str, Schedule] = {
    "steps": SCHEDULE,
    "linear": LINEAR,
    "halving": HALVING,
    "constant": ((1.0, 1.0),),
}
"""Schedules of the learning rate by name."""


def describe_schedule(schedule: Schedule) -> str:
    """Return a schedule in words."""
    if schedule == LINEAR:
        return "x 1 falling to 0 in a straight line"
    return ", ".join(f"x {factor:g} up to {100 * share:g} %" for share, factor in schedule)


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained. The chip does not depend on it.

    Parameters
    ----------
    epochs : int
        Passes over the training images.
    shift : int
        Training images are moved by up to so many pixels in each direction, 0 for none.
    shift_share : float
        Share of the run, from its beginning, in which they are moved: 0 ... 1. After it they are learned as they are.
    schedule : tuple of (float, float)
        Pairs of (share of the run, factor of the full learning rate).
    crop : int
        Side of the square in the middle of the image that the network sees, 0 for the whole image.
    held_out : int
        Images kept for validation, the last so many before the test; 0 for as many as the data set has it. The
        others are learned: a last run, when all is chosen, may hold out fewer.
    learn_ticks : int
        Longest presentation of a training image, 0 for the network's.
    """

    epochs: int = 16
    shift: int = 0
    schedule: Schedule = SCHEDULE
    crop: int = 0
    held_out: int = 0
    shift_share: float = 1.0
    learn_ticks: int = 0

    def __post_init__(self) -> None:
        check_range("epochs", self.epochs, 1, 10_000)
        check_range("shift", self.shift, 0, 4, " pixels")
        check_range("crop", self.crop, 0, 255, " pixels")
        check_range("held_out", self.held_out, 0, 10_000_000, " images")
        check_range("learn_ticks", self.learn_ticks, 0, 4096)
        if not 0 <= self.shift_share <= 1:
            raise DescriptionError(
                f"shift_share is {self.shift_share}; it must be from 0 to 1, a share of the run"
            )

    @classmethod
    def usual(cls, network: Network) -> Recipe:
        """Return the recipe of a network that comes without one."""
        return cls(schedule=SCHEDULES[network.error.usual_schedule])

    def view(self, dataset: Dataset, way_out: str = "use other data, or another preset") -> Dataset:
        """Return what the network sees of a data set.

        Parameters
        ----------
        dataset : Dataset
        way_out : str
            End of the sentence for data that is too small.

        Raises
        ------
        DatasetError
            If the images are smaller than what is cut out of them, or fewer than what is held out.
        """
        return hold_out(middle(dataset, self.crop, way_out), self.held_out, way_out)

    def shift_at(self, position: int, total: int) -> int:
        """Return by how many pixels training image `position` of `total` is moved at most."""
        return self.shift if position < self.shift_share * total else 0

    def factor(self, position: int, total: int) -> float:
        """Return the learning rate factor of training image `position` of `total`."""
        return next((f for share, f in self.schedule if position < share * total), self.schedule[-1][1])


def describe_shift(recipe: Recipe) -> str:
    """Return a recipe's image shift in words."""
    if not recipe.shift or not recipe.shift_share:
        return "off"
    until = f", for {100 * recipe.shift_share:g} % of the run" if recipe.shift_share < 1 else ""
    pixels = "pixel" if recipe.shift == 1 else "pixels"
    return f"up to ±{recipe.shift} {pixels}{until}"


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
    threshold: int = 256,
    output_shift: int = 1,
    feedback: FeedbackKind | None = None,
    gains: Sequence[int] | None = None,
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
    threshold : int
        Of the hidden neurons. Their gate, initial weights and default gains are in proportion: with twice the threshold
        the weights have one bit more and half the reach.
    output_shift : int
        The output neurons take their weights divided by 2 to this power. Their default gain is in proportion.
    feedback : str, optional
        ``"sign"`` or ``"wide"`` for the hidden layers; default ``"sign"`` for an even number of classes.
    gains : sequence of int, optional
        Amplitude of an error spike in each layer, the output layer included; default as below.
    synapse_keep, neuron_keep : int
        Blank-out of synapses (all layers) and of hidden neurons, in 1/256.
    noise_shift, leak_shift, synapse_shift, refractory
        Options of :func:`erbium.sw_model.programs.erbp_hidden`, for hidden and output neurons.
    first_tick : int
        No weight changes before this tick.
    error : (int, int)
        Weight and threshold of the error neurons; the paper's are (9, 10).

    Raises
    ------
    DescriptionError
        For sizes or options that no chip can be built from.

    Notes
    -----
    Other parameters as in :class:`erbium.sw_model.network.Network`. At a threshold of 256 the gains are 12
    (``"sign"``) or 8 (``"wide"``) in the first hidden layer and half of that in later ones; at an output shift of 1
    it is 8 in the output layer. Source: ``docs/contract.md``.
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

    def scaled(value: int) -> int:
        return value * threshold // 256

    first_gain = scaled(12 if kind == "sign" else 8)
    later_gains = [first_gain // 2] * (len(hidden) - 1)
    rates = gains or [*[first_gain][: len(hidden)], *later_gains, 4 << output_shift]
    if len(rates) != len(hidden) + 1:
        raise DescriptionError(f"there are {len(rates)} gains; the network has {len(hidden) + 1} layers")
    layers = [
        Layer(
            n_neurons=size,
            program=erbp_hidden(threshold=threshold, **options),  # type: ignore[arg-type]
            rule=ErbpRule(0, 2 * threshold, 1, first_tick),
            weight_width=weight_width,
            weight_bound=scaled(24 if number == 0 else 16),
            feedback=kind,
            gain=rates[number],
            synapse_keep=synapse_keep,
            neuron_keep=neuron_keep,
        )
        for number, size in enumerate(hidden)
    ]
    layers.append(
        Layer(
            n_neurons=n_classes,
            program=erbp_output(input_shift=output_shift, **options),  # type: ignore[arg-type]
            rule=ErbpRule(-(1 << 15), 1024, 1, first_tick),
            weight_width=weight_width,
            weight_bound=32,
            feedback="direct",
            gain=rates[-1],
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


def first_spike_network(
    name: str,
    hidden: Sequence[int],
    *,
    n_inputs: int = 784,
    n_classes: int = 10,
    thresholds: Sequence[int] = (5500, 2000),
    n_ticks: int = 16,
    margin: int = 4,
    deadline: int = 12,
    step: int = 2,
    weight_width: int = 8,
    weight_bound: int = 64,
    current_shifts: Sequence[int] | None = None,
    neuron_keep: int = 224,
    levels: tuple[tuple[int, int], ...] = ((128, 0),),
    earliest_only: bool = False,
    feedback_delay: int | None = None,
    seed: int = 1,
) -> Network:
    """Describe a first-spike network with any hidden layers.

    Parameters
    ----------
    name : str
    hidden : sequence of int
        Sizes of the hidden layers; empty for a single layer.
    n_inputs, n_classes : int
    thresholds : sequence of int
        Thresholds of the layers from the first hidden layer to the output.
    n_ticks : int
        Longest sample.
    margin, deadline, earliest_only
        See :class:`erbium.sw_model.rules.FirstSpikeErrors`; ticks.
    step : int
        Change of a weight, in units of an 8-bit weight.
    weight_width : int
        Bits of every weight, 4 ... 16.
    weight_bound : int
        Initial weights are uniform on ``-weight_bound ... weight_bound``.
    current_shifts : sequence of int, optional
        Synaptic decay of each layer: the current loses ``i >> shift`` per tick. Default: no decay.
    neuron_keep : int
        Blank-out of hidden neurons in learning: each takes part with probability ``neuron_keep / 256``.
    levels : tuple of (int, int)
        Pairs of (smallest pixel, tick), see :class:`erbium.sw_model.rules.LatencyEncoder`.
    feedback_delay : int, optional
        Default: as long as it can be without making a learned sample longer, ``margin - 1``, at most 3.

    Raises
    ------
    DescriptionError
        For sizes or options that no chip can be built from.

    Notes
    -----
    Source: ``docs/contract-first-spike.md``.
    """
    sizes = (*hidden, n_classes)
    for what, values in (("thresholds", thresholds), ("current_shifts", current_shifts)):
        if values is not None and len(values) != len(sizes):
            raise DescriptionError(f"there are {len(values)} {what}; the network has {len(sizes)} layers")
    shifts: Sequence[int | None] = current_shifts or [None] * len(sizes)
    rule = FirstSpikeRule(
        step << (weight_width - 8) if weight_width >= 8 else max(step >> (8 - weight_width), 1)
    )
    layers = [
        Layer(
            n_neurons=size,
            program=first_spike(threshold=threshold, current_shift=shift, n_ticks=n_ticks),
            rule=rule,
            weight_width=weight_width,
            weight_bound=weight_bound,
            neuron_keep=256 if number == len(hidden) else neuron_keep,
        )
        for number, (size, threshold, shift) in enumerate(zip(sizes, thresholds, shifts, strict=True))
    ]
    return Network(
        name=name,
        n_inputs=n_inputs,
        layers=tuple(layers),
        encoder=LatencyEncoder(levels),
        n_ticks=n_ticks,
        error=FirstSpikeErrors(margin, deadline, earliest_only),
        margin=0,
        quiet_ticks=0,
        decide_after=1,
        feedback_delay=feedback_delay or min(max(margin - 1, 1), 3),
        seed=seed,
    )


def _first_spike() -> list[Preset]:
    recipe = Recipe(epochs=40, shift=1, schedule=LINEAR)
    return [
        Preset(
            first_spike_network("first-spike-mnist-600", (600,)),
            recipe,
            "MNIST, 600 hidden neurons that spike at most once; the first output spike is the answer.",
        ),
        Preset(
            first_spike_network(
                "first-spike-mnist-600-short",
                (600,),
                n_ticks=8,
                margin=2,
                deadline=6,
                thresholds=(2750, 1000),
            ),
            recipe,
            "The same in half the ticks.",
        ),
        Preset(
            first_spike_network(
                "first-spike-mnist-600-decay", (600,), thresholds=(4000, 2000), current_shifts=(4, 3)
            ),
            recipe,
            "The same with synaptic currents that decay, as in the source.",
        ),
        Preset(
            first_spike_network("first-spike-mnist-800", (800,), thresholds=(5500, 2500)),
            recipe,
            "MNIST, 800 hidden neurons.",
        ),
        Preset(
            first_spike_network("first-spike-mnist-24x24-700", (700,), n_inputs=576, thresholds=(5500, 2500)),
            replace(recipe, crop=24),
            "The middle 24 x 24 pixels of MNIST, 700 hidden neurons, for a mid-sized FPGA.",
        ),
        Preset(
            first_spike_network("first-spike-mnist-24x24-640", (640,), n_inputs=576, thresholds=(5500, 2500)),
            replace(recipe, crop=24),
            "The middle 24 x 24 pixels of MNIST, 640 hidden neurons: 64 lanes of a mid-sized FPGA are full.",
        ),
        Preset(
            first_spike_network(
                "first-spike-mnist-20x20-320",
                (320,),
                n_inputs=400,
                thresholds=(5500, 2500),
                neuron_keep=240,
            ),
            replace(recipe, crop=20),
            "The middle 20 x 20 pixels of MNIST, 320 hidden neurons, for a small FPGA.",
        ),
        Preset(
            first_spike_network(
                "first-spike-digits",
                (100,),
                n_inputs=64,
                thresholds=(2000, 1000),
                neuron_keep=240,
                levels=((160, 0), (96, 2), (48, 4)),
            ),
            Recipe(epochs=40, schedule=LINEAR),
            "The 8 x 8 digits that need no download, 100 hidden neurons, pixels at one of three ticks.",
        ),
        Preset(
            first_spike_network(
                "first-spike-tiny",
                (12,),
                n_inputs=16,
                n_classes=4,
                n_ticks=8,
                margin=3,
                deadline=6,
                thresholds=(500, 300),
                neuron_keep=240,
            ),
            Recipe(epochs=4, schedule=HALVING),
            "16 pixels, 12 hidden neurons, 4 classes, each spiking once: for reading waveforms.",
        ),
    ]


BEST = Recipe(epochs=200, shift=1, shift_share=0.75, held_out=2_000)
"""How the presets are trained that were made for accuracy: all is chosen, so few images are held out."""


def _best() -> list[Preset]:
    """Return the presets with the least error that was found; ``docs/accuracy.md`` says how, and what it is."""
    return [
        Preset(
            # Few neurons are overfitted sooner: a slower rate, and no more than half of the epochs.
            erbp_network("erbp-mnist-100-best", (100,), gains=(8, 6)),
            replace(BEST, epochs=100),
            "MNIST, 100 hidden neurons, trained for the least error.",
        ),
        *(
            Preset(
                erbp_network(f"erbp-mnist-{size}-best", (size,)),
                BEST,
                f"MNIST, {size} hidden neurons, trained for the least error.",
            )
            for size in (160, 200)
        ),
        Preset(
            # All weights with one bit more and half the reach: with so many neurons these need less of it. They
            # fit the images however these are moved.
            erbp_network("erbp-mnist-500-best", (500,), neuron_keep=208, threshold=512, output_shift=2),
            replace(BEST, shift_share=1.0),
            "MNIST, 500 hidden neurons, trained for the least error.",
        ),
        Preset(
            erbp_network("erbp-mnist-500-12bit-best", (500,), neuron_keep=224, weight_width=12),
            BEST,
            "MNIST, 500 hidden neurons, weights of 12 bits.",
        ),
        Preset(
            erbp_network("erbp-mnist-200-200-best", (200, 200), neuron_keep=224, gains=(12, 3, 8)),
            BEST,
            "MNIST, two hidden layers of 200 neurons that are blanked out in training, the second one slower.",
        ),
        Preset(
            first_spike_network("first-spike-mnist-600-best", (600,)),
            Recipe(epochs=100, shift=1, schedule=LINEAR),
            "MNIST, 600 hidden neurons that spike at most once, trained for the least error.",
        ),
    ]


def _all() -> dict[str, Preset]:
    shifted = Recipe(epochs=32, shift=1)
    presets = [
        Preset(erbp_network("erbp-mnist-100", (100,)), shifted, "MNIST, 100 hidden neurons."),
        Preset(
            erbp_network("erbp-mnist-160", (160,)),
            shifted,
            "MNIST, 160 hidden neurons: what a small FPGA holds.",
        ),
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
        *_first_spike(),
        *_best(),
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
