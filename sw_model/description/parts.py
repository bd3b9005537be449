# SPDX-License-Identifier: BSD-2-Clause
"""The parts of a graph: sources, populations, projections, readouts. Frozen dataclasses that check themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from erbium.sw_model.constants import named_stream
from erbium.sw_model.description.connect import Connectivity, Identity, RandomSigns, Stored, check_choice
from erbium.sw_model.programs import STATE_MAX, DescriptionError, NeuronProgram, check_name, check_range
from erbium.sw_model.rules import MAX_TICKS, LatencyEncoder, Rule
from erbium.sw_model.rules.pixels import check_pixel_bits

MAX_NEURONS = 4_096
MAX_SOURCE = 65_534
MAX_DELAY = 16

When = Literal["always", "learn"]


@dataclass(frozen=True)
class Bernoulli:
    """Encoder: a pixel of value p (0 ... 255) spikes at each tick with probability p / 256."""


@dataclass(frozen=True)
class Phase:
    """Encoder: an 8-bit accumulator per pixel adds the pixel at each tick; the pixel spikes on carry."""


@dataclass(frozen=True)
class Constant:
    """Every neuron spikes at every tick: a bias row."""


@dataclass(frozen=True)
class Label:
    """The neuron of the sample's label spikes at every tick of a learned sample."""


@dataclass(frozen=True)
class Events:
    """The host says at each tick which neurons spike."""


Encoder = Bernoulli | Phase | LatencyEncoder | Constant | Label | Events
LOADED = (Bernoulli, Phase, LatencyEncoder)
"""Encoders whose sources take their part of the sample that the host loads."""


@dataclass(frozen=True)
class Source:
    """Where spikes come from that no neuron sends.

    Parameters
    ----------
    name : str
    size : int
        1 ... 65534.
    encoder : Bernoulli, Phase, LatencyEncoder, Constant, Label or Events
        What makes the spikes. The first three encode pixels: a sample holds those of such sources one after the other.
    stream : int or None
        Which random numbers; ``None`` derives the number from the name.
    pixel_bits : int
        8, or 4 for an encoder that sees only the upper four bits of each pixel, times 17.
    """

    name: str
    size: int
    encoder: Encoder = Bernoulli()
    stream: int | None = None
    pixel_bits: int = 8

    def __post_init__(self) -> None:
        check_name("a source", self.name, identifier=True)
        check_pixel_bits(self.pixel_bits)
        if self.pixel_bits != 8 and not isinstance(self.encoder, LOADED):
            raise DescriptionError(
                f"pixel_bits of source {self.name!r} is {self.pixel_bits}; it encodes no pixels: leave it out"
            )
        check_range(f"size of source {self.name!r}", self.size, 1, MAX_SOURCE)
        if self.stream is not None:
            check_range(f"stream of source {self.name!r}", self.stream, 0, (1 << 32) - 1)

    @property
    def process(self) -> int:
        """The number of its random streams: the one it says, else that of its name."""
        return named_stream(self.name) if self.stream is None else self.stream


@dataclass(frozen=True)
class Population:
    """Neurons that run one program.

    Parameters
    ----------
    name : str
    size : int
        1 ... 4096.
    program : NeuronProgram
    keep : int
        Neuron blank-out: in learning, a neuron takes part in a sample with probability ``keep / 256``.
    stream : int or None
        Which random numbers; ``None`` derives the number from the name.
    lasting : tuple of int
        States that live for the whole run: no sample clears them.
    exclusive : bool
        In a tick at most one neuron spikes: the first, in ascending order, of those that would. The others go on as if
        they had not reached the threshold, and a pass at the end of a sample has one winner of a tick.
    plastic : tuple of int
        States that change in learned samples only, as weights do: in others no operation and no reset writes them.
    """

    name: str
    size: int
    program: NeuronProgram
    keep: int = 256
    stream: int | None = None
    lasting: tuple[int, ...] = ()
    exclusive: bool = False
    plastic: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_name("a population", self.name, identifier=True)
        check_range(f"size of population {self.name!r}", self.size, 1, MAX_NEURONS)
        check_range(f"keep of population {self.name!r}", self.keep, 1, 256)
        if self.stream is not None:
            check_range(f"stream of population {self.name!r}", self.stream, 0, (1 << 32) - 1)
        for state in self.lasting:
            check_range(f"lasting state of population {self.name!r}", state, 0, self.program.n_states - 1)
        for state in self.plastic:
            check_range(f"plastic state of population {self.name!r}", state, 0, self.program.n_states - 1)
        check_choice(f"exclusive of population {self.name!r}", self.exclusive, (False, True))

    @property
    def process(self) -> int:
        """The number of its random streams: the one it says, else that of its name."""
        return named_stream(self.name) if self.stream is None else self.stream


@dataclass(frozen=True)
class Projection:
    """Synapses from a source or population to a port of a population.

    Parameters
    ----------
    source, target : str
        Names.
    connect : Dense, Sparse, Identity or RandomSigns
        Which neurons are joined, and by which weights.
    port : int
        Port of the target that an event adds to.
    delay : int
        Ticks from a spike to the row pass that it causes, 0 ... 16. 0 only from a source, or from a population that
        comes before the target: it is swept earlier in the same tick.
    rule : ThreeFactorRule, FirstSpikeRule or None
        How the weights learn; ``None`` for fixed ones. All projections of a population that learn have one rule.
    when : str
        ``"learn"``: events pass in learned samples only.
    name : str
        Default is ``SOURCE_to_TARGET``.
    scaled : bool
        The weight of an identity or of random signs is a learning rate: it can be lowered while the chip runs.
    """

    source: str
    target: str
    connect: Connectivity
    port: int = 0
    delay: int = 0
    rule: Rule | None = None
    when: When = "always"
    name: str = ""
    scaled: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"{self.source}_to_{self.target}"[:64])
        check_name("a projection", self.name, identifier=True)
        check_range(f"port of projection {self.name!r}", self.port, 0, 1)
        check_range(f"delay of projection {self.name!r}", self.delay, 0, MAX_DELAY, " ticks")
        check_choice(f"'when' of projection {self.name!r}", self.when, ("always", "learn"))
        if self.rule is not None and not isinstance(self.connect, Stored):
            kind = type(self.connect).__name__
            raise DescriptionError(
                f"projection {self.name!r} has the rule {type(self.rule).__name__}, but a connectivity {kind}, whose "
                "weights are fixed; only Dense and Sparse ones learn"
            )
        if self.scaled and not isinstance(self.connect, (Identity, RandomSigns)):
            raise DescriptionError(
                f"projection {self.name!r} is scaled; only the weight of Identity or RandomSigns can be a learning rate"
            )


@dataclass(frozen=True)
class Modulator:
    """A value that is added to a port of all neurons of a population, such as a reward.

    The host gives a value at the beginning of a sample: it is added before the row passes of the first tick. Where the
    modulator listens to a population, each of its spikes adds ``gain * weight`` at the next tick; the gain, -1, 0 or 1,
    is the host's, too.

    Parameters
    ----------
    name : str
    target : str
        Population.
    port : int
    source : str
        Population whose spikes it hears; empty for none.
    weight : int
        Of such a spike, 0 ... 32767.
    """

    name: str
    target: str
    port: int = 1
    source: str = ""
    weight: int = 0

    def __post_init__(self) -> None:
        check_name("a modulator", self.name, identifier=True)
        check_range(f"port of modulator {self.name!r}", self.port, 0, 1)
        check_range(f"weight of modulator {self.name!r}", self.weight, 0, STATE_MAX)


class Readout:
    """Base of the readouts: which neuron is the answer, and what ends a sample."""

    population: str
    decide_after: int
    delay: int
    quiet: str = ""
    """Population whose silence ends a learned sample; empty for none."""
    quiet_ticks: int = 0
    counters: ClassVar[tuple[str, ...]] = ()
    """What it counts, by name."""
    spikes_once: ClassVar[bool] = False
    """Whether the neurons of a graph with this readout spike at most once in a sample."""
    replays: ClassVar[bool] = False
    """Whether it forms plasticity words at the end of a sample, by which rows that are replayed change."""


@dataclass(frozen=True)
class SpikeCount(Readout):
    """Readout: the neuron with most spikes; ties go to the larger state 0, then to the lower index.

    Parameters
    ----------
    population : str
        Its neurons are the classes.
    decide_after : int
        In inference a sample stops when a neuron has spiked so often, 0 for never.
    quiet : str
        Population whose silence ends a learned sample; empty for none.
    quiet_ticks : int
        Consecutive ticks of silence, from tick 1 on, that end it; 0 for never.
    delay : int
        Ticks from the decision to stop to the sweep in which it takes effect, 1 ... 16.
    """

    population: str
    decide_after: int = 0
    quiet: str = ""
    quiet_ticks: int = 0
    delay: int = 1

    def __post_init__(self) -> None:
        check_range("decide_after", self.decide_after, 0, MAX_TICKS)
        check_range("quiet_ticks", self.quiet_ticks, 0, MAX_TICKS)
        check_range("delay of the readout", self.delay, 1, MAX_DELAY, " ticks")
        if self.quiet_ticks and not self.quiet:
            raise DescriptionError(
                f"quiet_ticks is {self.quiet_ticks}, but 'quiet' names no population whose silence could be counted"
            )


@dataclass(frozen=True)
class FirstSpike(Readout):
    """Readout: the neuron that spikes first, and the plasticity words of the first-spike learner.

    Parameters
    ----------
    population : str
        Its neurons are the classes.
    margin, deadline : int
        In ticks; see :class:`erbium.sw_model.rules.FirstSpikeErrors`.
    earliest_only : bool
        Of the wrong outputs only the earliest is to spike later.
    decide_after : int
        1: in inference the first spike ends a sample.
    delay : int
        Ticks from the decision to stop to the sweep in which it takes effect, 1 ... 16.
    """

    population: str
    margin: int = 4
    deadline: int = 12
    earliest_only: bool = False
    decide_after: int = 1
    delay: int = 1

    counters: ClassVar[tuple[str, ...]] = ("updates",)
    spikes_once: ClassVar[bool] = True
    replays: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_range("margin of the readout", self.margin, 1, MAX_TICKS, " ticks")
        check_range("deadline of the readout", self.deadline, 1, MAX_TICKS, " ticks")
        check_range(
            "decide_after of a first-spike readout", self.decide_after, 0, 1, "; a neuron spikes once"
        )
        check_range("delay of the readout", self.delay, 1, MAX_DELAY, " ticks")
        check_choice("earliest_only", self.earliest_only, (False, True))
