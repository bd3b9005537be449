# SPDX-License-Identifier: BSD-2-Clause
"""Tokens: what travels on the streams between the processes of the array.

A channel carries, for each sample, ``BEGIN (SPIKE* TICK)* END``. A process reads tokens in order, writes
tokens in order and never looks at time in clock cycles; so the sequence on a channel is a function of the
inputs alone.
"""

from amaranth.hdl import Cat, Module, Shape, Signal, Value
from amaranth.lib import data, enum
from amaranth.utils import bits_for

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


def piece_width(begin_pieces: int) -> int:
    """Return the bits of one of the tokens that a ``BEGIN`` is."""
    return -(-Begin().size // begin_pieces)


class BeginRegister:
    """Keeps what a ``BEGIN`` says, whose pieces are shifted in.

    Attributes
    ----------
    begin : View of Begin
        Whole from the clock behind the last piece until the next sample's first one is taken.
    newest : Value
        The piece taken last.
    """

    def __init__(self, begin_pieces: int) -> None:
        self._bits = Signal(piece_width(begin_pieces) * begin_pieces, name="begin")
        self.begin = data.View(Begin(), self._bits[: Begin().size])
        self.newest = self._bits[-piece_width(begin_pieces) :]

    def take(self, m: Module, piece: Value) -> None:
        """Take a piece in this clock; the first one comes to lie lowest."""
        m.d.sync += self._bits.eq(Cat(self._bits, piece[: len(self.newest)])[len(self.newest) :])


class Spike(data.StructLayout):
    """Payload of a ``SPIKE`` token: address, and in a replay the tick at which the spike had come."""

    def __init__(self, n_addresses: int, n_ticks: int) -> None:
        super().__init__(
            {"address": bits_for(n_addresses - 1), "tick": bits_for(n_ticks - 1) if n_ticks else 0}
        )


class EventToken(data.StructLayout):
    """Token of an event channel: ``kind`` and ``data``, a piece of a :class:`Begin` or a :class:`Spike`.

    In a learned sample of a first-spike network, ``SPIKE* END`` may follow its ``END``: the replay.

    Parameters
    ----------
    n_addresses : int
        Neurons or pixels that can spike.
    n_ticks : int
        Longest sample, if spikes carry their tick; else 0.
    begin_pieces : int
        Tokens that a ``BEGIN`` is, the lowest bits first.
    spikes : int
        Of a ``SPIKE`` token, 1 or 2. With 2 the second one lies above the first, and a bit above both says that it is
        there.
    """

    def __init__(
        self,
        n_addresses: int = 1 << ADDRESS_WIDTH,
        n_ticks: int = 0,
        begin_pieces: int = 1,
        spikes: int = 1,
    ) -> None:
        self.spike, self.begin_pieces, self.spikes = Spike(n_addresses, n_ticks), begin_pieces, spikes
        width = self.spike.size if spikes == 1 else 2 * self.spike.size + 1
        super().__init__({"kind": Kind, "data": max(piece_width(begin_pieces), width)})

    def spike_in(self, token: data.View) -> data.View:
        """Return the payload of a ``SPIKE`` token, of its first spike."""
        return data.View(self.spike, token.data[: self.spike.size])

    def second_in(self, token: data.View) -> data.View:
        """Return the second spike of a ``SPIKE`` token, of a channel that has two."""
        return data.View(self.spike, token.data[self.spike.size : 2 * self.spike.size])

    def has_second(self, token: data.View) -> Value:
        """Return whether a ``SPIKE`` token has a second spike."""
        return token.data[2 * self.spike.size]


class SweepToken(data.StructLayout):
    """Token of a sweep channel, from a layer to its serializer or to the prediction unit.

    ``kind`` and ``data`` as in :class:`EventToken`; a ``SPIKE`` token stands for one word of neurons: its
    ``data`` is the address of lane 0, ``spikes`` has one bit per lane, and ``v`` the membranes after the
    reset (int16 per lane, only if `with_membranes`).

    Parameters
    ----------
    lanes : int
    with_membranes : bool
    n_neurons : int
        Of the layer.
    begin_pieces : int
        Tokens that a ``BEGIN`` is, the lowest bits first.
    """

    def __init__(
        self, lanes: int, with_membranes: bool, n_neurons: int = 1 << ADDRESS_WIDTH, begin_pieces: int = 1
    ) -> None:
        self.lanes, self.with_membranes = lanes, with_membranes
        self.n_neurons, self.begin_pieces = n_neurons, begin_pieces
        width = max(piece_width(begin_pieces), bits_for(n_neurons - 1))
        members: dict[str, object] = {"kind": Kind, "data": width, "spikes": lanes}
        if with_membranes:
            members["v"] = data.ArrayLayout(Shape(STATE_WIDTH, signed=True), lanes)
        super().__init__(members)


class FeedbackToken(data.StructLayout):
    """Token of the feedback channel: ``(SPIKE* TICK)* END`` for each sample.

    ``address`` is the error neuron of a ``SPIKE`` (2c false positive, 2c + 1 false negative of class c);
    for a ``TICK`` its bit 0 says that the sample is to stop, for an ``END`` that it is to be replayed.

    Parameters
    ----------
    n_addresses : int
        Neurons that can spike: two for each class.
    """

    def __init__(self, n_addresses: int) -> None:
        super().__init__({"kind": Kind, "address": bits_for(n_addresses - 1)})


class ErrorToken(data.StructLayout):
    """Token of an error channel of the first-spike learner: ``SPIKE* END`` behind each learned sample.

    A ``SPIKE`` names a neuron that is to spike later (or earlier, if `later` is 0) in the layer that reads the
    channel. The `later` of an ``END`` says whether the sample is replayed at all.

    Parameters
    ----------
    n_neurons : int
        Of that layer.
    """

    def __init__(self, n_neurons: int = 1 << ADDRESS_WIDTH) -> None:
        super().__init__({"kind": Kind, "address": bits_for(n_neurons - 1), "later": 1})


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


NO_ANSWER = 255
"""What a result says where nothing is read out."""


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
