# SPDX-License-Identifier: BSD-2-Clause
"""A graph as the tables that the core walks: populations, projections, rows, parameter groups.

Neurons of all populations lie one after the other, and so do the rows of all stored projections, in the order in which
they are walked. A *writer* is a source or a population; writers are numbered in that order.
"""

from __future__ import annotations

from dataclasses import fields
from functools import singledispatch
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

from erbium.sw_model.constants import STREAM_ENCODER, Array, neuron_constants, salt
from erbium.sw_model.description.connect import Dense, Identity, RandomSigns
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import RuleKind
from erbium.sw_model.description.parts import Population, Projection
from erbium.sw_model.encoder import start_phase
from erbium.sw_model.fast_common import program_arrays, record
from erbium.sw_model.graph_fast.tables import READOUTS, Layout, source_table
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import EndRule, ErbpRule, HistoryRule, Rule
from erbium.sw_model.rules.end import END_ROUNDING
from erbium.sw_model.rules.history import TERMS, PlasticityWord

# Compiled kernels compare with plain numbers.
ERBP, HISTORY, END = int(RuleKind.ERBP), int(RuleKind.HISTORY), int(RuleKind.END)

WORD_FIELDS = tuple(field.name for field in fields(PlasticityWord))
BY_WORD = ("causal_by_word", "acausal_by_word", "presynaptic_by_word")


def _fields(*names: str) -> np.dtype[Any]:
    return np.dtype([(name, np.int64) for name in names])


POPULATION = _fields(
    "writer",
    "first",  # neuron
    "n",
    "first_projection",
    "n_projections",
    "group",  # of parameters
    "keep",
    "lasting",  # a bit for each state
    "plastic",  # likewise
    "exclusive",
)
GROUP = _fields(
    "n_states",
    "n_operations",
    "threshold",
    "adaptive",
    "refractory",
    "hold",
    "uses_noise",
    "rule",
    "gate",
    "lower",
    "upper",
    "inside",
    "outside",
    "term",
    "state",
    "shift",
    "offset",
    "first_tick",
    "rounding",
    "soft",
    "window",
    "zone1",
    "zone2",
    "causal0",
    "causal1",
    "causal2",
    "acausal0",
    "acausal1",
    "acausal2",
    "presynaptic",
    "causal_by_word",
    "acausal_by_word",
    "presynaptic_by_word",
    "every_row",
    "up",
    "down",
)
"""Parameters of a population: its program but for operations and states, its rule."""
PROJECTION = _fields(
    "writer",
    "port",
    "delay",
    "only_learning",
    "stored",
    "first_row",  # in the weights, or in the fixed rows
    "n_rows",
    "learns",
    "width",
    "keep",
    "lowest",
    "highest",
    "weight",  # of a fixed one
)
MODULATOR = _fields("population", "port", "hears", "weight")
NETWORK = _fields(
    "n_slots", "reads", "first_class", "quiet", "quiet_ticks", "decide_after", "stop_delay", "n_classes"
)


class Tables(NamedTuple):
    """A graph in arrays. Nothing here changes while it runs.

    Attributes
    ----------
    network, sources, populations, groups, projections, modulators : structured ndarray
    operations, variables : structured ndarray, shapes (n_groups, 16) and (n_groups, 4)
    fixed : ndarray of int64, shape (fixed rows, lanes)
    there : ndarray of bool, shape (rows, lanes)
        Where synapses are.
    levels : ndarray of int64, shape (n, 2)
    constants : ndarray of int64, shape (lanes,)
        That neurons mix into draws of a whole population.
    salts : ndarray of int64, shape (n_populations, 5)
    source_salts : ndarray of int64, shape (n_sources,)
    start_phase : ndarray of int64, shape (places,)
    """

    network: Array
    sources: Array
    populations: Array
    groups: Array
    projections: Array
    modulators: Array
    operations: Array
    variables: Array
    fixed: Array
    there: Array
    levels: Array
    constants: Array
    salts: Array
    source_salts: Array
    start_phase: Array


def tables_of(graph: Graph, layout: Layout) -> Tables:
    """Return the tables of a graph.

    Raises
    ------
    DescriptionError
        For a rule or readout that the core does not have.
    """
    writers = [part.name for part in graph.writers]
    names = [population.name for population in graph.populations]
    populations, first = [], 0
    for number, population in enumerate(graph.populations):
        incoming = len(graph.onto(population.name))
        populations.append(
            _population(population, number, layout, writers.index(population.name), first, incoming)
        )
        first += incoming
    programs = [program_arrays(population.program) for population in graph.populations]
    sources, levels = source_table(graph)
    projections = [_projection(graph, layout, p, writers.index(p.source)) for p in layout.ordered]
    modulators = [
        record(
            MODULATOR,
            {
                "population": names.index(m.target),
                "port": m.port,
                "hears": writers.index(m.source) if m.source else -1,
                "weight": m.weight,
            },
        )
        for m in graph.modulators
    ]
    return Tables(
        network=np.array([_network(graph, layout)], dtype=NETWORK),
        sources=sources,
        populations=np.array(populations, dtype=POPULATION),
        groups=np.array([_group(graph, population) for population in graph.populations], dtype=GROUP),
        projections=np.array(projections, dtype=PROJECTION),
        modulators=np.array(modulators, dtype=MODULATOR),
        operations=np.stack([operations for operations, _ in programs]),
        variables=np.stack([variables for _, variables in programs]),
        fixed=layout.matrix(
            {p.name: graph.fixed_weights(p) for p in layout.fixed}, layout.fixed_rows, np.int64
        ),
        there=layout.matrix({p.name: graph.synapses(p) for p in layout.stored}, layout.rows, np.bool_),
        levels=levels,
        constants=neuron_constants(layout.lanes).astype(np.int64),
        salts=np.array([[salt(p.process, stream) for stream in range(5)] for p in graph.populations]),
        source_salts=np.array([salt(source.process, STREAM_ENCODER) for source in graph.sources]),
        start_phase=start_phase(np.arange(max(source.size for source in graph.sources) + 4)),
    )


def check_readout(graph: Graph) -> None:
    """Raise :class:`DescriptionError` for a readout that the core does not have."""
    if type(graph.readout) not in READOUTS:
        raise DescriptionError(
            f"the core does not have the readout {type(graph.readout).__name__}; use SpikeCount or none, or the "
            "reference"
        )


def _network(graph: Graph, layout: Layout) -> tuple[int, ...]:
    check_readout(graph)
    readout, writers = graph.readout, [part.name for part in graph.writers]
    values = {
        "n_slots": 1 + max(projection.delay for projection in graph.projections),
        "reads": writers.index(readout.population) if readout else -1,
        "first_class": layout.first_neuron[readout.population] if readout else -1,
        "quiet": writers.index(readout.quiet) if readout and readout.quiet else -1,
        "quiet_ticks": readout.quiet_ticks if readout else 0,
        "decide_after": readout.decide_after if readout else 0,
        "stop_delay": readout.delay if readout else 1,
        "n_classes": graph.size_of(readout.population) if readout else 0,
    }
    return record(NETWORK, values)


def _population(
    population: Population, number: int, layout: Layout, writer: int, first: int, incoming: int
) -> tuple[int, ...]:
    values = {
        "writer": writer,
        "first": layout.first_neuron[population.name],
        "n": population.size,
        "first_projection": first,
        "n_projections": incoming,
        "group": number,
        "keep": population.keep,
        "lasting": sum(1 << state for state in population.lasting),
        "plastic": sum(1 << state for state in population.plastic),
        "exclusive": population.exclusive,
    }
    return record(POPULATION, values)


def _group(graph: Graph, population: Population) -> tuple[int, ...]:
    program, rule = population.program, graph.rule_of(population.name)
    learning = [p.connect for p in graph.onto(population.name) if p.rule is not None]
    widths = [connect.width for connect in learning if isinstance(connect, Dense)]
    values = dict.fromkeys(GROUP.names or (), 0) | {
        "n_states": program.n_states,
        "n_operations": len(program.operations),
        "threshold": program.threshold,
        "adaptive": program.adaptive,
        "refractory": program.refractory,
        "hold": program.hold,
        "uses_noise": program.uses_noise,
        "window": 16,
    }
    return record(GROUP, values | rule_table(rule, widths[0] if widths else 8))


@singledispatch
def rule_table(rule: object, width: int) -> dict[str, int]:
    """Return the parameters of a rule for weights of so many bits; ``None`` is for fixed weights."""
    raise DescriptionError(
        f"the core does not have the plasticity rule {type(rule).__name__}; it has "
        f"{' and '.join(kind.__name__ for kind in rule_table.registry if issubclass(kind, Rule))}"
    )


@rule_table.register(NoneType)
def _(rule: None, width: int) -> dict[str, int]:
    return {}


@rule_table.register
def _(rule: ErbpRule, width: int) -> dict[str, int]:
    return {
        "rule": ERBP,
        "lower": rule.gate_lower,
        "upper": rule.gate_upper,
        "term": TERMS.index("gated"),
        "state": rule.modulator,
        "first_tick": rule.first_tick,
        "rounding": 18 - width,
    }


@rule_table.register
def _(rule: HistoryRule, width: int) -> dict[str, int]:
    heights = {f"{name}{k}": h for name in ("causal", "acausal") for k, h in enumerate(getattr(rule, name))}
    return {
        **_word_table(rule.word),
        **heights,
        **dict(zip(BY_WORD, rule.by_word, strict=True)),
        "rule": HISTORY,
        "rounding": rule.rounding,
        "soft": rule.soft,
        "window": rule.window,
        "zone1": rule.zones[0],
        "zone2": rule.zones[1],
        "presynaptic": rule.presynaptic,
    }


@rule_table.register
def _(rule: EndRule, width: int) -> dict[str, int]:
    return {
        **_word_table(rule.word),
        "rule": END,
        "rounding": END_ROUNDING,
        "every_row": rule.rows == "all",
        "up": rule.up,
        "down": rule.down,
    }


def _word_table(word: PlasticityWord) -> dict[str, int]:
    return {name: getattr(word, name) for name in WORD_FIELDS} | {"term": TERMS.index(word.term)}


def _projection(graph: Graph, layout: Layout, projection: Projection, writer: int) -> tuple[int, ...]:
    connect = projection.connect
    stored = isinstance(connect, Dense)
    low, high = graph.weight_bounds(projection) if stored else (0, 0)
    first, count = (layout.rows if stored else layout.fixed_rows)[projection.name]
    values = {
        "writer": writer,
        "port": projection.port,
        "delay": projection.delay,
        "only_learning": projection.when == "learn",
        "stored": stored,
        "first_row": first,
        "n_rows": count,
        "learns": projection.rule is not None,
        "width": connect.width if isinstance(connect, Dense) else 8,
        "keep": connect.keep if isinstance(connect, Dense) else 256,
        "lowest": low,
        "highest": high,
        "weight": connect.weight if isinstance(connect, (Identity, RandomSigns)) else 0,
    }
    return record(PROJECTION, values)
