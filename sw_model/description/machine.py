# SPDX-License-Identifier: BSD-2-Clause
"""The machine that runs every graph: how large it is built, and the words of its tables, bit by bit.

Both sides read this file: the hardware that walks the tables, and the host that packs a graph into them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import NamedTuple

from erbium.sw_model.programs import DescriptionError, check_range

TABLE_WIDTH = 64
"""Bits of a word of a table."""
SPIKE_WIDTH = 16
"""Neurons that a word of the spike memory tells of, and rows whose timers lie in one word."""
MAX_UNITS = SPIKE_WIDTH
PIECE_WIDTH = 32
"""Bits that the host reads or writes at once."""


@dataclass(frozen=True)
class CoreHardware:
    """How large a core is built. Nothing of it changes an integer.

    Parameters
    ----------
    lanes : int
        Synapses of a word, all of which a row pass takes in a clock; a power of two, 1 ... 64.
    units : int
        Neuron units, a power of two up to 16 and up to `lanes`.
    weight_width : int
        Bits of a stored weight, 8 or 16. A weight of fewer bits lies in the lower ones.
    weight_words, neuron_words : int
        Words of `lanes` synapses, and of `lanes` neurons. A population begins with a word of its own.
    spike_words : int
        Words of 16 spikes, for all ticks that the longest delay asks for, and one more.
    timer_words : int
        Words of 16 rows that learn by history rules.
    table_words, groups : int
        Words of 64 bits for populations, modulators and projections; programs of up to 16 operations.
    heads, entries : int
        Rows of sparse projections and of identities, and the words of neurons that these reach.
    pixels, sources, populations, modulators, classes : int
        Pixels that can spike in a sample, and how many there are of each part.
    record_words : int
        Words of 16 spikes of a sample that the host can read afterwards, tick after tick.
    window : int
        Ticks of a spike history, 16 or 32.

    Raises
    ------
    DescriptionError
        For a value outside of these ranges.
    """

    lanes: int = 8
    units: int = 2
    weight_width: int = 16
    weight_words: int = 8_192
    neuron_words: int = 256
    spike_words: int = 1_024
    timer_words: int = 128
    table_words: int = 512
    groups: int = 16
    heads: int = 512
    entries: int = 1_024
    pixels: int = 1_024
    sources: int = 16
    populations: int = 16
    modulators: int = 16
    classes: int = 128
    record_words: int = 4_096
    window: int = 32

    def __post_init__(self) -> None:
        for name, most in (("lanes", 64), ("units", min(self.lanes, MAX_UNITS))):
            value = getattr(self, name)
            check_range(f"{name!r} of a core", value, 1, most)
            if value & (value - 1):
                raise DescriptionError(f"{name!r} of a core is {value}; it must be a power of two")
        for name, choices in (("weight_width", (8, 16)), ("window", (16, 32))):
            if getattr(self, name) not in choices:
                raise DescriptionError(
                    f"{name!r} of a core is {getattr(self, name)}; it must be {choices[0]} or {choices[1]}"
                )
        limits = {
            "weight_words": 1 << 20,
            "neuron_words": 1 << 12,
            "spike_words": 1 << 16,
            "timer_words": 1 << 14,
            "table_words": 1 << 12,
            "groups": 64,
            "heads": 1 << 16,
            "entries": 1 << 16,
            "pixels": 1 << 16,
            "sources": 64,
            "populations": 64,
            "modulators": 64,
            "classes": 1 << 12,
            "record_words": 1 << 16,
        }
        for name, most in limits.items():
            check_range(f"{name!r} of a core", getattr(self, name), 2, most)

    @property
    def parts(self) -> int:
        """In how many parts a sweep takes a word of neurons."""
        return self.lanes // self.units

    @property
    def neurons(self) -> int:
        """Places for neurons."""
        return self.lanes * self.neuron_words


# --- records ----------------------------------------------------------------------------------------------------


class Field(NamedTuple):
    """Some bits of a record."""

    name: str
    width: int
    signed: bool = False


class Record:
    """A row of fields in words of 64 bits; none lies across two words.

    Parameters
    ----------
    name : str
    fields : iterable of Field

    Attributes
    ----------
    offsets : dict of (int, Field)
        First bit of each field, and the field.
    n_words : int
    """

    def __init__(self, name: str, fields: Iterable[Field]) -> None:
        self.name = name
        self.offsets: dict[str, tuple[int, Field]] = {}
        at = 0
        for field in fields:
            if at % TABLE_WIDTH + field.width > TABLE_WIDTH:
                at += -at % TABLE_WIDTH
            self.offsets[field.name] = (at, field)
            at += field.width
        self.n_words = -(-at // TABLE_WIDTH)

    def pack(self, values: Mapping[str, int]) -> list[int]:
        """Return a record as words; all fields must be there and fit."""
        assert set(values) == set(self.offsets), set(values) ^ set(self.offsets)
        bits = 0
        for name, value in values.items():
            at, field = self.offsets[name]
            low = -(1 << (field.width - 1)) if field.signed else 0
            check_range(f"{name!r} of {self.name}", int(value), low, low + (1 << field.width) - 1)
            bits |= (int(value) & ((1 << field.width) - 1)) << at
        mask = (1 << TABLE_WIDTH) - 1
        return [bits >> (TABLE_WIDTH * word) & mask for word in range(self.n_words)]

    def unpack(self, bits: int) -> dict[str, int]:
        """Return the fields of a record whose words follow each other, the first one lowest."""
        values = {name: bits >> at & (1 << field.width) - 1 for name, (at, field) in self.offsets.items()}
        return {
            name: value - (1 << field.width) if field.signed and value >> (field.width - 1) else value
            for (name, value), (_, field) in zip(values.items(), self.offsets.values(), strict=True)
        }


def _fields(signed: bool = False, /, **widths: int) -> list[Field]:
    return [Field(name, width, signed) for name, width in widths.items()]


NETWORK = Record(
    "the table of the network",
    _fields(
        n_sources=7,
        n_populations=7,
        slot_words=16,
        ring_words=17,
        timer_words=15,
        reads=1,
        finishes=1,
        n_classes=13,
        first_class=16,
        quiet_ticks=13,
        decide_after=13,
        stop_delay=5,
    ),
)
"""The first record. `slot_words` are the words of spikes of one tick, `ring_words` those of all ticks that are kept;
`first_class` is the place of the first neuron that is read out; `finishes`: rows pass at the end of a sample."""


class SourceKind(IntEnum):
    """What makes the spikes of a source."""

    BERNOULLI = 0
    PHASE = 1
    LATENCY = 2
    CONSTANT = 3
    LABEL = 4
    EVENTS = 5


SOURCE = Record("a source", _fields(kind=3, spike_first=16, spike_last=12, last_bits=4, salt=32))
"""Where its spikes lie in a slot: first word, last word counted from it, highest bit of that."""


class RuleKind(IntEnum):
    """By what the weights that end on a population learn."""

    NONE = 0
    ERBP = 1
    HISTORY = 2
    END = 3


HEIGHT = _fields(zero=1, negative=1, shift=4)
"""A height of a rule: 6 bits."""

HEIGHT_NAMES = (
    "causal0",
    "causal1",
    "causal2",
    "acausal0",
    "acausal1",
    "acausal2",
    "presynaptic",
)


POPULATION = Record(
    "a population",
    [
        *_fields(
            neuron_first=12,  # word
            neuron_last=12,  # words after the first one
            last_lane=6,  # highest lane of the last word
            part_last=16,  # parts after the first one
            last_unit=4,
            n_modulators=7,
            n_projections=7,
        ),
        *_fields(
            spike_first=16,
            spike_last=12,
            group=6,
            last_operation=5,
            uses_noise=1,
            reads=1,
            quiet=1,
            rule=2,
            hold=1,
            adaptive=1,
            keep=9,
            lasting=4,
        ),
        *_fields(plastic=4, exclusive=1, every_row=1, up=4, down=4),
        *_fields(True, threshold=16),
        *_fields(refractory=16, gate=2, state=2, word_shift=4, term=2),
        *_fields(mode0=2, mode1=2, mode2=2, mode3=2),
        *_fields(True, lower=16, upper=17, inside=16, reset0=16, reset1=16, reset2=16, reset3=16),
        *_fields(True, outside=16, offset=16),
        *_fields(rounding=5, soft=1, long_window=1, zone1=6, zone2=6, first_tick=13),
        *_fields(**dict.fromkeys(HEIGHT_NAMES, 6)),
        *_fields(causal_by_word=1, acausal_by_word=1, presynaptic_by_word=1),
    ],
)
"""What a tick needs of a population. `upper` is that of the gate, the others likewise as in a plasticity word."""

BEGINNING = Record(
    "the beginning of a population",
    [
        *_fields(True, initial0=16, initial1=16, initial2=16, initial3=16),
        *_fields(salt1=32, salt2=32, salt3=32, salt4=32),
    ],
)
"""Follows a population: what only clearing needs. Salts are of the streams of random numbers by their number."""

MODULATOR = Record("a modulator", _fields(port=1, number=6, listens=1, hears=6, weight=15))
"""Follows a population on which it acts. `hears` is the number of a population."""

PROJECTION = Record(
    "a projection",
    [
        *_fields(
            spike_first=16,
            spike_last=12,
            back=17,  # words of the ring between the present tick and the one whose spikes arrive
            delay=5,
            port=1,
            only_learning=1,
            headed=1,
            fixed=1,
            last_bits=4,  # highest row of the last 16
            learns=1,
            timed=1,
            keep=9,
            width=5,
        ),
        *_fields(first_word=20, first_head=16, first_timer=14),
        *_fields(True, lowest=16, highest=16, weight=16),
    ],
)
"""Follows the modulators of a population. `headed`: each row has a head that says where its words lie; otherwise row k
begins k times the words of the population after `first_word`. `fixed`: stored are -3 ... 3, times `weight`."""

HEAD = Record("the head of a row", _fields(first_word=20, first_entry=16, last=12))
ENTRY_WORD_WIDTH = 12
"""An entry is a word of neurons, counted from the first one of the population, and above it a mask of its lanes. A word
of weights belongs to each entry whose mask is not 0."""


class Operand(IntEnum):
    """What an operation of a neuron program reads."""

    X0 = 0
    X1 = 1
    X2 = 2
    X3 = 3
    U0 = 4
    U1 = 5
    NOISE = 6
    ZERO = 7


OPERATION = Record(
    "an operation",
    [
        *_fields(destination=2, source=3, shift=4, negative=1, first=1, last=1),
        *_fields(True, bias=16, lower=16, upper=16),
    ],
)
"""The operations of a state follow each other: the first one adds the bias, after the last one it is clipped."""

OPERATIONS = 32
"""Places that each program has: 16 operations, and one for each state that none of them changes."""

PLACE_PIECES = 3
"""Words of 32 bits that are stored of a neuron: states 0 and 1, 2 and 3, how long it rests and whether it is silent."""

PLACE_STRIDE = 4
"""Words from a part of neurons to the next one: each has the same piece of as many neurons as there are units."""

# --- what the host sends for a sample ---------------------------------------------------------------------------


class TokenKind(IntEnum):
    """Tokens of a sample, in their order.

    ======= =========================================================================================================
    BEGIN   seed, what of :data:`BEGIN_TOKEN` there is
    VALUE   of a modulator: what is added once, and its gain
    PIXEL   of a source: address, value (its tick, for a latency encoder), ascending; 0 can be left out
    STOP    no further pixel of a source; no further event of a source in a tick
    GO      all pixels are there
    EVENT   address within a source, ascending
    END     no further events
    ======= =========================================================================================================
    """

    BEGIN = 0
    VALUE = 1
    PIXEL = 2
    STOP = 3
    GO = 4
    EVENT = 5
    END = 6


_KIND = _fields(kind=3)
BEGIN_TOKEN = Record(
    "the beginning of a sample",
    [
        *_KIND,
        *_fields(seed=32, last_tick=12, learn=1, clear=1, has_label=1, label=12),
        Field("factor", 2, True),
    ],
)
VALUE_TOKEN = Record(
    "a modulator's value", [*_KIND, *_fields(number=6), Field("value", 16, True), Field("gain", 2, True)]
)
PIXEL_TOKEN = Record("a pixel", [*_KIND, *_fields(address=16, value=12)])

RESULT = Record(
    "what is said of words of a sample", _fields(answer=12, answered=1, ticks=13, decision=13, ended=1)
)
"""If a sample `ended` by them: the best neuron, if `answered`; ticks, and the tick of the decision, counted from 1."""

# --- what the host reads and writes -----------------------------------------------------------------------------


class Window(IntEnum):
    """Memories that the host reads and writes, in pieces of 32 bits."""

    TABLES = 0
    OPERATIONS = 1
    SOURCES = 2
    HEADS = 3
    ENTRIES = 4
    WEIGHTS = 5
    STATES = 6
    COUNTERS = 7
    INFO = 8
    SPIKES = 9  # of the last sample, as they were found: tick, population, 16 neurons; not to be written


class Info(IntEnum):
    """Places of the window INFO. After the last one the capacity follows, as :data:`CAPACITY` names it: constants."""

    MAGIC = 0
    VERSION = 1
    LOADED = 2  # whether a whole network lies in the core; while it does not, samples are dropped
    DIGEST = 4  # of what is loaded, in DIGEST_PIECES places


DIGEST_PIECES = 2
INFO_CAPACITY = 16
"""First place of the capacity."""
INFO_PLACES = 64
MAGIC = 0x45436F72
"""Tells a core from anything else that answers."""
TABLES_VERSION = 3
"""Of the records: a host of another version does not load."""
CAPACITY = tuple(field.name for field in fields(CoreHardware))


def capacity_pieces(hardware: CoreHardware) -> list[int]:
    """Return how large a core is built, as it announces it."""
    return [int(getattr(hardware, name)) for name in CAPACITY]


def announced(pieces: Sequence[int]) -> CoreHardware:
    """Return how large a core says that it is built."""
    return CoreHardware(**dict(zip(CAPACITY, pieces, strict=True)))


def digest_pieces(digest: str) -> list[int]:
    """Return a digest of 16 hexadecimal digits as a core keeps it, :data:`DIGEST_PIECES` pieces."""
    return [int(digest[k : k + 8], 16) for k in range(0, len(digest), 8)]


def digest_in(pieces: Iterable[int]) -> str:
    """Return the digest that these pieces are."""
    return "".join(f"{int(piece):08x}" for piece in pieces)


def pieces_of(width: int) -> int:
    """Return the places of a word of so many bits in a window: its pieces, up to a power of two."""
    pieces = -(-width // PIECE_WIDTH)
    return 1 << (pieces - 1).bit_length()


class Shape(NamedTuple):
    """Words of a window, and the bits of one."""

    depth: int
    width: int


def window_shapes(hardware: CoreHardware) -> dict[Window, Shape]:
    """Return how large each window of a core is."""
    hw = hardware
    return {
        Window.TABLES: Shape(hw.table_words, TABLE_WIDTH),
        Window.OPERATIONS: Shape(hw.groups * OPERATIONS, TABLE_WIDTH),
        Window.SOURCES: Shape(hw.sources * SOURCE.n_words, TABLE_WIDTH),
        Window.HEADS: Shape(hw.heads, TABLE_WIDTH),
        Window.ENTRIES: Shape(hw.entries, ENTRY_WORD_WIDTH + hw.lanes),
        Window.WEIGHTS: Shape(hw.weight_words, hw.weight_width * hw.lanes),
        Window.STATES: Shape(hw.neuron_words * hw.parts * PLACE_STRIDE, hw.units * PIECE_WIDTH),
        Window.COUNTERS: Shape(len(Counter) * (hw.populations + 1), COUNTER_WIDTH),
        Window.INFO: Shape(INFO_PLACES, PIECE_WIDTH),
        Window.SPIKES: Shape(hw.record_words, SPIKE_WIDTH),
    }


def core_digest(hardware: CoreHardware) -> str:
    """Return what tells a core from one of another size or version, 16 hexadecimal digits."""
    text = " ".join(map(str, (TABLES_VERSION, *capacity_pieces(hardware))))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Counter(IntEnum):
    """Counters of a population, in the order in which they lie in their window."""

    SPIKES = 0
    SYNAPTIC_OPERATIONS = 1
    ROWS_LEARNED = 2
    WEIGHTS_CHANGED = 3


COUNTER_WIDTH = 48
