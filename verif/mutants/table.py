# SPDX-License-Identifier: BSD-2-Clause
"""Where faults are sampled, and how many in each place: about in proportion to its cells, a dozen at least."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """One configuration that faults are planted in.

    Parameters
    ----------
    component, case : str
        Of the registry of benches.
    count : int
        How many.
    """

    component: str
    case: str
    count: int

    @property
    def name(self) -> str:
        """Component and case."""
        return f"{self.component} {self.case}"


SUBJECTS = tuple(
    Subject(*one)
    for one in (
        # The link.
        ("Crc", "crc", 20),
        ("CobsDecoder", "cobs", 12),
        ("CobsEncoder", "cobs", 16),
        ("UartReceiver", "8.3-clocks", 24),
        ("UartTransmitter", "8.3-clocks", 16),
        ("FrameReceiver", "length-24", 60),
        ("FrameSender", "frames", 40),
        ("MessageLink", "small", 60),
        ("HostLink", "buffer-200", 20),
        # Samples beside the chip.
        ("BlockReader", "length-64", 20),
        ("SampleDraw", "draws", 24),
        ("SamplePlayer", "5-by-3", 30),
        # Input.
        ("SampleBuffer", "inputs-21", 30),
        ("Encoder", "bernoulli", 40),
        ("Encoder", "latency", 40),
        ("Encoder", "phase", 20),
        # Memories, queues, counters, random numbers.
        ("NoiseBank", "lanes-3", 30),
        ("WordFile", "depth-9", 12),
        ("SynapseMemory", "latency-3", 12),
        ("Queue", "depth-5", 16),
        ("Skid", "width-9", 12),
        ("Fork", "readers-3", 24),
        ("CounterBank", "five", 30),
        ("WeightAccess", "7-neurons-3-lanes-8-bits", 24),
        ("SampleSplit", "two", 30),
        ("SampleCount", "five", 12),
        ("TickMerge", "delays", 30),
        # Learning.
        ("FeedbackGate", "tiny", 12),
        ("FeedbackPort", "sign", 30),
        ("FeedbackPort", "wide", 20),
        ("CausalFifo", "5-inputs", 14),
        ("SignPopcount", "65-neurons-16-lanes", 24),
        # Layers.
        ("SpikeSerializer", "lanes-37", 20),
        ("NeuronUnit", "erbp-hidden-options", 30),
        ("NeuronUnit", "random-1", 30),
        ("LayerEngine", "lanes-13", 60),
        ("LayerEngine", "output", 30),
        ("LayerEngine", "paper-options-one-lane", 30),
        ("LayerEngine", "units-long", 30),
        ("LayerEngine", "first-spike-lanes-13", 40),
        ("LayerEngine", "first-spike-later-lanes-13", 30),
        ("LayerEngine", "first-spike-output", 30),
        # Output.
        ("PredictionUnit", "odd-classes", 50),
        ("FirstSpikePrediction", "three-lanes", 40),
        # Whole arrays of both learners.
        ("ErbiumArray", "lanes-1", 24),
        ("ErbiumArray", "first-spike-tiny-lanes-1-latency-3", 24),
    )
)
"""Layers and arrays whose last word is full: a fault in a lane that holds no neuron is none."""

QUICK = tuple(Subject(*one) for one in (("Crc", "crc", 12), ("SampleCount", "five", 8)))
"""What the short form samples."""

OTHERS = {
    "WordRom": "a table of constants",
    "CoreEngine": "new; not sampled yet",
    "FrameCore": "MessageLink and CoreEngine, joined",
    "FlashReader": "a flash of a package beside it; planted faults only",
    "FlashLink": "a flash of a package beside it; planted faults only",
    "Processor": "new; planted faults only",
    "SmallFlashLink": "a flash of a package beside it; a run takes half a million clocks",
    "Generator": "proved, and within Encoder and LayerEngine",
    "ErbiumChip": "HostLink and ErbiumArray, joined",
    "FrameChip": "MessageLink and ErbiumArray, joined",
    "AxiChip": "a bus in place of the link; planted faults only",
    "WishboneChip": "a bus in place of the link; planted faults only",
}
"""Components of the registry that are not sampled, and what they are."""
