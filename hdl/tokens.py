# SPDX-License-Identifier: BSD-2-Clause
"""Tokens: what travels on the streams between the processes of the array.

A channel carries, for each sample, ``BEGIN (SPIKE* TICK)* END``. A process reads tokens in order, writes
tokens in order and never looks at time in clock cycles; so the sequence on a channel is a function of the
inputs alone.
"""

from amaranth.hdl import Shape
from amaranth.lib import data, enum
from amaranth.utils import bits_for

from erbium.sw_model.network import Network

LABEL_WIDTH = 8
SEED_WIDTH = 32
STATE_WIDTH = 16
ADDRESS_WIDTH = 16


class Kind(enum.Enum, shape=2):
    """What a token says.

    Members
    -------
    BEGIN : a sample starts; carries the learn flag, the label and the seed
    SPIKE : one spike (on a sweep channel: one word of neurons); carries the address
    TICK : a time step ends; on the feedback channel it carries the stop flag
    END : the sample ends
    """

    BEGIN = 0
    SPIKE = 1
    TICK = 2
    END = 3


class Begin(data.StructLayout):
    """Payload of a ``BEGIN`` token: learn flag, label, 32-bit seed of the sample."""

    def __init__(self) -> None:
        super().__init__({"seed": SEED_WIDTH, "label": LABEL_WIDTH, "learn": 1})


class Spike(data.StructLayout):
    """Payload of a ``SPIKE`` token: address, and in a replay the tick at which the spike had come."""

    def __init__(self) -> None:
        super().__init__({"address": ADDRESS_WIDTH, "tick": 16})


class EventToken(data.StructLayout):
    """Token of an event channel: ``kind`` and ``data``, a :class:`Begin` or a :class:`Spike`.

    In a learned sample of a first-spike network, ``SPIKE* END`` may follow its ``END``: the replay.
    """

    def __init__(self) -> None:
        super().__init__({"kind": Kind, "data": Begin().size})


class SweepToken(data.StructLayout):
    """Token of a sweep channel, from a layer to its serializer or to the prediction unit.

    ``kind`` and ``data`` as in :class:`EventToken`; a ``SPIKE`` token stands for one word of neurons: its
    ``data`` is the address of lane 0, ``spikes`` has one bit per lane, and ``v`` the membranes after the
    reset (int16 per lane, only if `with_membranes`).
    """

    def __init__(self, lanes: int, with_membranes: bool) -> None:
        members: dict[str, object] = {"kind": Kind, "data": Begin().size, "spikes": lanes}
        if with_membranes:
            members["v"] = data.ArrayLayout(Shape(STATE_WIDTH, signed=True), lanes)
        super().__init__(members)


class FeedbackToken(data.StructLayout):
    """Token of the feedback channel: ``(SPIKE* TICK)* END`` for each sample.

    ``address`` is the error neuron of a ``SPIKE`` (2c false positive, 2c + 1 false negative of class c);
    for a ``TICK`` its bit 0 says that the sample is to stop, for an ``END`` that it is to be replayed.
    """

    def __init__(self, network: Network) -> None:
        super().__init__({"kind": Kind, "address": bits_for(2 * network.n_classes - 1)})


class ErrorToken(data.StructLayout):
    """Token of an error channel of the first-spike learner: ``SPIKE* END`` behind each learned sample.

    A ``SPIKE`` names a neuron that is to spike later (or earlier, if `later` is 0) in the layer that reads the
    channel. The `later` of an ``END`` says whether the sample is replayed at all.
    """

    def __init__(self) -> None:
        super().__init__({"kind": Kind, "address": ADDRESS_WIDTH, "later": 1})


class SampleKind(enum.Enum, shape=2):
    """What a token of the sample channel says: a sample starts, one pixel, the sample is complete."""

    BEGIN = 0
    PIXEL = 1
    END = 3


class Pixel(data.StructLayout):
    """Payload of a ``PIXEL`` token: value 0 ... 255 and address."""

    def __init__(self) -> None:
        super().__init__({"value": 8, "address": ADDRESS_WIDTH})


class SampleToken(data.StructLayout):
    """Token from the host: ``BEGIN PIXEL* END``; ``data`` is a :class:`Begin` or a :class:`Pixel`.

    Pixels come in ascending address order; those of value 0 may be left out.
    """

    def __init__(self) -> None:
        super().__init__({"kind": SampleKind, "data": Begin().size})


class Result(data.StructLayout):
    """What the prediction unit says of a sample: answer, ticks run, ticks until the answer was settled."""

    def __init__(self) -> None:
        super().__init__({"answer": LABEL_WIDTH, "ticks": 16, "ticks_to_decision": 16})


class AccessKind(enum.Enum, shape=2):
    """Operations on the weights of an idle layer.

    Members
    -------
    SEEK : go to the first weight of the row in ``data``; must come before the first READ or WRITE
    READ : send the weight here and go to the next
    WRITE : replace the weight here by ``data`` and go to the next; rows must be written whole
    """

    SEEK = 0
    READ = 1
    WRITE = 2


class AccessToken(data.StructLayout):
    """Request of the host to the weights of layer number ``layer``, from 0."""

    def __init__(self) -> None:
        super().__init__({"kind": AccessKind, "layer": 3, "data": 16})
