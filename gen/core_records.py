# SPDX-License-Identifier: BSD-2-Clause
"""Parts of a graph as the records of a core's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from erbium.sw_model.constants import salt
from erbium.sw_model.core.tables import BY_WORD, WORD_FIELDS, rule_table
from erbium.sw_model.description.connect import Dense, Identity, RandomSigns
from erbium.sw_model.description.machine import HEIGHT_NAMES, SPIKE_WIDTH, Operand, RuleKind, SourceKind
from erbium.sw_model.description.parts import (
    Bernoulli,
    Constant,
    Events,
    Label,
    Phase,
    Population,
    Projection,
    Source,
)
from erbium.sw_model.programs import RESET_MODES, NeuronProgram
from erbium.sw_model.rules import EndRule, HistoryRule, LatencyEncoder, Rule

if TYPE_CHECKING:
    from erbium.gen.core_image import CoreImage

SOURCE_KINDS = {
    Bernoulli: SourceKind.BERNOULLI,
    Phase: SourceKind.PHASE,
    LatencyEncoder: SourceKind.LATENCY,
    Constant: SourceKind.CONSTANT,
    Label: SourceKind.LABEL,
    Events: SourceKind.EVENTS,
}
AS_TERMS = {RuleKind.ERBP: {"presynaptic": 1, "presynaptic_by_word": 1}}
"""Event-driven random backpropagation is the presynaptic term alone, with the word as its height."""

RULE_FIELDS = ("rounding", "soft", "zone1", "zone2", "first_tick", "every_row", "up", "down")


def words_of(count: int, width: int) -> int:
    """Return how many words of so many places hold a count."""
    return -(-count // width)


def kind_of(rule: Rule | None) -> RuleKind:
    """Return the number of a rule; ``DescriptionError`` for one that the core does not have."""
    return RuleKind(rule_table(rule, 8).get("rule", RuleKind.NONE))


def is_timed(projection: Projection) -> bool:
    """Whether the rows of a projection have timers."""
    return isinstance(projection.rule, (HistoryRule, EndRule))


def population_record(image: CoreImage, population: Population) -> dict[str, int]:
    """Return what the table says of a population."""
    graph, hw, program = image.graph, image.hardware, population.program
    size, readout = population.size, graph.readout
    words = image.words[population.name]
    rule = graph.rule_of(population.name)
    learning = [p.connect for p in graph.stored(population.name) if p.rule is not None]
    width = learning[0].width if learning and isinstance(learning[0], Dense) else 8
    table = dict.fromkeys((*WORD_FIELDS, *RULE_FIELDS, *BY_WORD), 0)
    table |= dict.fromkeys(HEIGHT_NAMES, 0) | {"window": 16} | rule_table(rule, width)
    kind = kind_of(rule)
    table |= AS_TERMS.get(kind, {})
    modes = [RESET_MODES.index(mode) for mode in program.reset_mode] + [0] * 4
    values = (*program.reset_value, 0, 0, 0, 0)
    operations = tuple(operations_of(program))
    last_lane = (size - 1) % hw.lanes
    return {
        "neuron_first": image.first_neuron[population.name] // hw.lanes,
        "neuron_last": words - 1,
        "last_lane": last_lane,
        "part_last": words_of(size, hw.units) - 1,
        "last_unit": (size - 1) % hw.units,
        "n_modulators": sum(m.target == population.name for m in graph.modulators),
        "n_projections": len(graph.onto(population.name)),
        "spike_first": image.spike_first[population.name],
        "spike_last": words_of(size, SPIKE_WIDTH) - 1,
        "group": image.programs.index(operations),
        "last_operation": len(operations) - 1,
        "uses_noise": program.uses_noise,
        "reads": readout is not None and readout.population == population.name,
        "quiet": readout is not None and readout.quiet == population.name,
        "rule": kind,
        "hold": program.hold,
        "adaptive": program.adaptive,
        "keep": population.keep,
        "lasting": sum(1 << state for state in population.lasting),
        "plastic": sum(1 << state for state in population.plastic),
        "exclusive": population.exclusive,
        "threshold": program.threshold,
        "refractory": program.refractory,
        "word_shift": table["shift"],
        "long_window": table["window"] == 32,
        **{f"mode{k}": modes[k] for k in range(4)},
        **{f"reset{k}": values[k] for k in range(4)},
        **{name: _height(table[name]) for name in HEIGHT_NAMES},
        **{name: table[name] for name in (*WORD_FIELDS, *RULE_FIELDS, *BY_WORD) if name != "shift"},
    }


def projection_record(image: CoreImage, projection: Projection, rates: Mapping[str, int]) -> dict[str, int]:
    """Return what the table says of a projection; `rates` are weights of scaled ones."""
    connect, rows = projection.connect, image.graph.size_of(projection.source)
    stored = isinstance(connect, Dense)
    low, high = image.graph.weight_bounds(projection) if stored else (0, 0)
    weight = connect.weight if isinstance(connect, (Identity, RandomSigns)) else 0
    return {
        "spike_first": image.spike_first[projection.source],
        "spike_last": words_of(rows, SPIKE_WIDTH) - 1,
        "last_bits": (rows - 1) % SPIKE_WIDTH,
        "back": projection.delay * image.slot_words,
        "delay": projection.delay,
        "port": projection.port,
        "only_learning": projection.when == "learn",
        "headed": projection.name in image.heads,
        "fixed": not stored,
        "learns": projection.rule is not None,
        "timed": is_timed(projection),
        "keep": connect.keep if isinstance(connect, Dense) else 256,
        "width": connect.width if isinstance(connect, Dense) else 8,
        "first_word": image.weight_words[projection.name][0],
        "first_head": image.heads.get(projection.name, 0),
        "first_timer": image.timers.get(projection.name, 0),
        "lowest": low,
        "highest": high,
        "weight": rates.get(projection.name, weight),
    }


def source_record(image: CoreImage, source: Source) -> dict[str, int]:
    """Return what the table says of a source."""
    return {
        "kind": SOURCE_KINDS[type(source.encoder)],
        "spike_first": image.spike_first[source.name],
        "spike_last": words_of(source.size, SPIKE_WIDTH) - 1,
        "last_bits": (source.size - 1) % SPIKE_WIDTH,
        "salt": salt(source.process, 0),
    }


def _height(height: int) -> int:
    """Return the code of a height: bit 0 for none, bit 1 for a negative one, then the shift."""
    return 1 if height == 0 else (height < 0) << 1 | (abs(height).bit_length() - 1) << 2


def operations_of(program: NeuronProgram) -> Iterator[tuple[tuple[str, int], ...]]:
    """Return the operations of a program, those of each state together."""
    operands = {"state": Operand.X0, "port": Operand.U0, "noise": Operand.NOISE}
    for state in range(program.n_states):
        own = [op for op in program.operations if op.destination == state]
        codes = [(operands[op.kind] + op.index, op.shift, op.sign < 0) for op in own] or [
            (Operand.ZERO, 0, False)
        ]
        for number, (source, shift, negative) in enumerate(codes):
            values = {
                "destination": state,
                "source": int(source),
                "shift": shift,
                "negative": int(negative),
                "first": int(number == 0),
                "last": int(number == len(codes) - 1),
                "bias": program.bias[state],
                "lower": program.lower[state],
                "upper": program.upper[state],
            }
            yield tuple(values.items())
