# SPDX-License-Identifier: BSD-2-Clause
"""How one layer is built: all that its parts take from the description, formed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from amaranth.utils import bits_for

from erbium.hdl import kept_state
from erbium.hdl.groups import copies_of, lane_groups
from erbium.hdl.hazard import Hazard, HazardError
from erbium.hdl.inputs import sole_channel
from erbium.hdl.neuron_unit import NeuronLayout, sweep_latency
from erbium.hdl.population import EnginePopulation, engine_populations
from erbium.hdl.rows import OneRow, TwoRows
from erbium.hdl.rules import RulePart, rule_part
from erbium.hdl.slot import Slot
from erbium.hdl.tokens import EventToken, SweepToken
from erbium.hdl.word_file import file_latency
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import FRACTION_BITS, NeuronProgram


class Group(NamedTuple):
    """Some lanes of a layer: the first one, how many, and the neuron units that serve them."""

    first: int
    lanes: int
    units: int

    def part(self, number: int) -> slice:
        """Return those of its lanes that a part of a word has."""
        start = min(number * self.units, self.lanes)
        return slice(start, min(start + self.units, self.lanes))


@dataclass(frozen=True)
class LayerPlan:
    """One layer of a network on some hardware.

    Stages are counted from the issue of a slot.

    ===== ===============================================================================================
    A     the weight word is addressed: 1 if a row is a power of two of words or pipelines are short, else 3
    X     A + memory latency, and 1 where two rows go together: all operands meet
    S     the neuron units take their neurons: X, or X + 1 if they take a word in parts
    E     S + 3, with short pipelines S + 2: states, plasticity words and the sweep token are written
    ===== ===============================================================================================

    Parameters
    ----------
    network : Network or Graph
    number : int
        0-based among the populations that have an engine (:func:`erbium.hdl.population.engine_names`).
    hardware : Hardware
    """

    network: Network | Graph
    number: int
    hardware: Hardware

    # --- what it is ----------------------------------------------------------------------------------

    @cached_property
    def population(self) -> EnginePopulation:
        """The population of the description, with the projections that end on it."""
        return engine_populations(self.network)[self.number]

    @property
    def program(self) -> NeuronProgram:
        """Of its neurons."""
        return self.population.program

    @cached_property
    def rule(self) -> RulePart:
        """Its plasticity rule as hardware."""
        return rule_part(self.population.rule)

    @property
    def n_neurons(self) -> int:
        """Neurons of the population."""
        return self.population.n_neurons

    @property
    def n_inputs(self) -> int:
        """Rows that events name."""
        return self.population.n_inputs

    @property
    def n_rows(self) -> int:
        """Synapse rows: one for each input and, if there is one, the bias row."""
        return self.population.n_rows

    @property
    def has_bias(self) -> bool:
        """Whether a row spikes at every tick."""
        return self.n_rows > self.n_inputs

    @property
    def is_read(self) -> bool:
        """Whether the membranes of its neurons are read."""
        return self.population.is_read

    @property
    def margin(self) -> int:
        """What the label's neuron is held back by in each tick of a learned sample."""
        return self.population.margin

    @property
    def n_ticks(self) -> int:
        """Longest sample."""
        return self.population.graph.n_ticks

    # --- feedback ------------------------------------------------------------------------------------

    @property
    def has_feedback(self) -> bool:
        """Whether error spikes reach port 1."""
        return self.population.feedback != "none"

    @cached_property
    def feedback_width(self) -> int:
        """Bits of port 1: its sum cannot saturate, so it is as narrow as its range; 0 without feedback."""
        if not self.has_feedback:
            return 0
        reach = int(abs(self.population.feedback_weights).sum(axis=1).max()) * self.population.gain
        return bits_for(reach) + 1

    @property
    def classes_at_once(self) -> int:
        """Classes that the prediction unit takes in a clock.

        Two, where the layer does two rows, if they are always at one place of a word.
        """
        return self.rows.at_once if self.lanes % 2 == 0 or self.words == 1 else 1

    @property
    def feedback_latency(self) -> int:
        """Clocks from an address of the feedback port to its data.

        One more than its files take: each group of lanes has an address register of its own.
        """
        return self.state_latency[0] + 1

    @property
    def feedback_period(self) -> int:
        """Clocks of an error spike at the feedback port: one for each place, and until a sum that it wrote is read."""
        return max(self.places, max(self.feedback_latency, 2) + 1)

    @property
    def feedback_lead(self) -> int:
        """Clocks from the issue of a sweep to its first address at the feedback port."""
        return self.stages["X"] - self.feedback_latency

    # --- lanes and words -----------------------------------------------------------------------------

    @property
    def lanes(self) -> int:
        """Synapses of one word."""
        return self.hardware.lanes_for(self.n_neurons, self.number)

    @property
    def words(self) -> int:
        """Words of a row."""
        return self.hardware.words_for(self.n_neurons, self.number)

    @property
    def rest(self) -> int:
        """Neurons of the last word."""
        return self.n_neurons - (self.words - 1) * self.lanes

    @property
    def stride(self) -> int:
        """Words from a row to the next one."""
        return self.hardware.stride_for(self.words, pairs=self.pairs)

    @cached_property
    def rows(self) -> OneRow:
        """How many rows may go together in a clock, and what that asks of each part of the layer.

        Two, where the hardware is to have them: where events are rows as they come and go nowhere else; where it can be
        told before a row is issued that none of its weights will change; where all synapses take part, which saves a
        mask for each row; and where the memory has two ports.
        """
        population = self.population
        two = (
            self.hardware.rows_per_clock == 2
            and bool(sole_channel(population))
            and self.rule.known_ahead
            and not population.events_timed
            and population.synapse_keep == 256
            and self.summed is None
            and self.memory_kind != "spram"
        )
        return TwoRows(self) if two else OneRow(self)

    @property
    def pairs(self) -> bool:
        """Whether the weight memory keeps two words at an address."""
        return self.hardware.pairs_for(self.lanes * self.population.weight_width, self.number)

    @property
    def one_port(self) -> bool:
        """Whether the weight memory is not read and written in the same clock."""
        return self.memory_kind == "spram"

    @property
    def memory_kind(self) -> str:
        """What holds the weights."""
        return self.hardware.memory_of(self.number)

    @property
    def memory_latency(self) -> int:
        """Clocks from an address to the weight word."""
        return self.hardware.latency_for(self.number, pairs=self.pairs)

    @property
    def short(self) -> bool:
        """Whether pipelines are short."""
        return self.hardware.short_pipelines

    @property
    def copies(self) -> dict[str, int]:
        """Attributes of a register that each group of lanes has of its own."""
        return copies_of(self.lanes)

    @cached_property
    def parts(self) -> int:
        """Parts in which a sweep takes a word."""
        return self.hardware.parts_for(self.lanes, self.number)

    @property
    def places(self) -> int:
        """Parts of all words."""
        return self.words * self.parts

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of lanes."""
        groups, first = [], 0
        for lanes in lane_groups(self.lanes):
            groups.append(Group(first, lanes, -(-lanes // self.parts)))
            first += lanes
        return tuple(groups)

    @property
    def units(self) -> int:
        """Neuron units of all groups."""
        return sum(group.units for group in self.groups)

    def neurons_at(self, place: int) -> list[int | None]:
        """Return the neuron that each neuron unit works on at a place of a sweep, ``None`` if it has none there."""
        word, part = divmod(place, self.parts)
        found: list[int | None] = []
        for group in self.groups:
            lanes = range(group.first, group.first + group.lanes)[group.part(part)]
            here = [word * self.lanes + lane for lane in lanes]
            found += [neuron if neuron < self.n_neurons else None for neuron in here]
            found += [None] * (group.units - len(here))
        return found

    # --- tokens and slots ----------------------------------------------------------------------------

    @cached_property
    def event_token(self) -> EventToken:
        """Token of the channel to the layer: spikes name rows."""
        timed = self.n_ticks if self.population.events_timed else 0
        return EventToken(self.n_inputs, timed, self.begin_pieces, self.rows.at_once)

    @cached_property
    def sweep_token(self) -> SweepToken:
        """Token of the channel from the layer."""
        return SweepToken(self.lanes, self.is_read, self.n_neurons, self.begin_pieces)

    @property
    def begin_pieces(self) -> int:
        """Tokens that a ``BEGIN`` is."""
        return self.hardware.begin_pieces

    @property
    def tick_width(self) -> int:
        """Bits of a tick number in a slot."""
        return self.rule.tick_width(bits_for(self.n_ticks), FRACTION_BITS)

    @cached_property
    def slot(self) -> Slot:
        """What travels down the pipeline."""
        fields = self.rule.fields(self) | self.rows.fields()
        return Slot(self.n_rows, self.words, self.parts, self.tick_width, fields)

    @property
    def fixed(self) -> dict[str, int]:
        """Fields that a slot leaves out."""
        return {"part": 0, "done": 1} if self.parts == 1 else {}

    # --- what is kept of a neuron --------------------------------------------------------------------

    @cached_property
    def summed(self) -> int | None:
        """State that port 0 holds, see :func:`erbium.hdl.kept_state.summed_state`."""
        return kept_state.summed_state(self.population)

    @cached_property
    def timed(self) -> bool:
        """Whether the layer keeps when its neurons spiked."""
        return kept_state.keeps_spike_ticks(self.population)

    @cached_property
    def rest_told_by(self) -> Literal["counter", "spike tick", "membrane"]:
        """What tells that a neuron rests."""
        return kept_state.rest_told_by(self.population)

    @cached_property
    def stored(self) -> tuple[str, ...]:
        """What is stored of a neuron, by name; the rest is derived."""
        derived = {f"x{self.summed}"} if self.summed is not None else set()
        if self.rest_told_by != "counter":
            derived.add("refractory")
        return tuple(name for name, _ in NeuronLayout(self.program) if name not in derived)

    @property
    def state_width(self) -> int:
        """Bits of that."""
        layout = NeuronLayout(self.program)
        return sum(layout[name].width for name in self.stored)

    # --- stages and latencies ------------------------------------------------------------------------

    @cached_property
    def stages(self) -> dict[str, int]:
        """The stages by name."""
        at_once = self.short or self.stride & (self.stride - 1) == 0
        address = 1 if at_once else 3
        # The weights of two rows are added up a clock ahead.
        operands = address + self.memory_latency + self.rows.held
        units = operands + (self.parts > 1)
        return {"A": address, "X": operands, "S": units, "E": units + sweep_latency(short=self.short)}

    @property
    def word_latency(self) -> tuple[int, int]:
        """Read latency and write delay of a file of words, see :class:`erbium.hdl.word_file.WordFile`."""
        return file_latency(self.words, registered=not self.short)

    @property
    def state_latency(self) -> tuple[int, int]:
        """The same of a file of parts of words."""
        return file_latency(self.places, registered=not self.short)

    @cached_property
    def hazards(self) -> tuple[Hazard, ...]:
        """Return what must not come too close together; the shortest way of a word back to the same place."""
        x, s, e = (self.stages[name] for name in "XSE")
        bias = self.words if self.has_bias else 0
        reads, delay = self.word_latency
        state_reads, state_delay = self.state_latency
        found = [
            Hazard("port 0, row after row", self.words, reads + delay + 1, False),
            Hazard("states", self.places + 1 + bias, e - s + state_delay + state_reads + 1),
        ]
        if self.has_feedback:
            # It is released by the last part of a sweep in stage X, and seen to be a clock later.
            found.append(Hazard("feedback", self.words + 2, x + 1))
            # An ``END`` right after the last sweep drops what the feedback port still has to read.
            found.append(Hazard("feedback of the last sweep", 4, x - self.feedback_latency + 1))
        return (*found, *self.rule.hazards(self))

    @cached_property
    def settle(self) -> int:
        """Clocks after a ``TICK`` token in which nothing is issued, as many as the hazards need."""
        return max(0, *(hazard.needs - hazard.gap for hazard in self.hazards if hazard.settles))

    def check(self) -> None:
        """Compare the shortest way back of each word with the latency of where it lies.

        Raises
        ------
        HazardError
            If something would be read before it is written.
        """
        for hazard in self.hazards:
            gap = hazard.gap + (self.settle if hazard.settles else 0)
            if gap < hazard.needs:
                raise HazardError(
                    f"{hazard.what} of {self.population.name}: {gap} clocks from one slot to the next; it takes "
                    f"{hazard.needs}"
                )

    @property
    def leave(self) -> int:
        """Clocks after the ``END`` of an inference in which no ``BEGIN`` is taken.

        What a ``BEGIN`` said has to stay for its own token, which leaves in stage E, and for the last part of the
        last sweep, which uses it in stage X.
        """
        x, e = self.stages["X"], self.stages["E"]
        bias = self.words if self.has_bias else 0
        return max(0, x - 3 - self.settle, e - 3 - self.settle - self.places - bias)

    @property
    def sweep_room(self) -> int:
        """Tokens from the issue of a sweep to its reader that keep a sweep from stuttering.

        The way to stage E and through the queue, and back to the control, which looks into a register.
        """
        return self.stages["E"] + 6


def channel_spikes(network: Network | Graph, hardware: Hardware, name: str) -> int:
    """Return the spikes of a token on the channel of a source or population: 2 if its reader does two rows at once."""
    for number, population in enumerate(engine_populations(network)):
        if sole_channel(population) == name:
            return LayerPlan(network, number, hardware).rows.at_once
    return 1


def read_plan(network: Network | Graph, hardware: Hardware) -> LayerPlan | None:
    """Return the plan of the population that is read, ``None`` if none is."""
    for number, population in enumerate(engine_populations(network)):
        if population.is_read:
            return LayerPlan(network, number, hardware)
    return None
