# SPDX-License-Identifier: BSD-2-Clause
"""Functional points: corner cases of the contracts, each with a bit that says whether a bench has come there.

Three kinds of points are found by themselves: of each stream that a token waits, that two tokens pass in clocks that
follow each other, and that nothing is offered to one that is ready; of each state machine that it is in each of its
states, and that a reset finds it there. What else a component's contract names stands in :data:`CORNERS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from amaranth.hdl import Cat, Fragment, Module, ResetSignal, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from erbium.hdl.cobs import GROUP, CobsKind
from erbium.hdl.fixed import delayed
from erbium.hdl.frame import FrameStatus
from erbium.hdl.neuron_unit import PORT_WIDTH
from erbium.hdl.ports import pass_through
from erbium.hdl.slot import Work
from erbium.hdl.tokens import AccessKind, Kind, SampleKind
from erbium.verif.probes import Probe, elaborated

Corner = Callable[[Any, Mapping[str, Any], Module], dict[str, Value]]
"""From a component, the options of its case and the module around it: the points by name, true where one is reached."""


class Pointed(Component):
    """A component with its own ports, and a bit for each functional point.

    Parameters
    ----------
    inner : Component
        As a case of the registry builds it.
    options : mapping
        Of that case.

    Attributes
    ----------
    names, state_names : tuple of str
        Of the points, and of the states of all state machines, lowest bit first.

    Members
    -------
    points : Out
        The points that were reached at a rising edge of the clock since the simulation began, a reset before or after.
    states : Out
        The states that the machines are in.
    """

    def __init__(self, inner: Component, options: Mapping[str, Any]) -> None:
        self._inner, self._module = inner, Module()
        part = inner.inner if isinstance(inner, Probe) else inner
        elaborated(part)
        # Elaborated here, for the points of the state machines are known only then.
        self._fragment = Fragment.get(inner, None)
        machines = dict(_states(self._fragment))
        found = dict(_streams(inner, self._module))
        for state, now in machines.items():
            found |= {f"state: {state}": now, f"reset: {state}": now & ResetSignal()}
        if (corners := CORNERS.get(type(part).__name__)) is not None:
            found |= corners(part, options, self._module)
        self.names, self._values = tuple(found), list(found.values())
        self.state_names, self._states = tuple(machines), list(machines.values())
        members = dict(inner.signature.members)
        super().__init__(members | {"points": Out(len(found)), "states": Out(max(len(machines), 1))})

    def elaborate(self, platform: object) -> Module:
        m = self._module
        m.submodules.inner = self._fragment
        pass_through(m, self, self._inner, self._inner.signature.members)
        # A reset is one of the points, so it must not clear them.
        reached = Signal(len(self.names), name="reached", reset_less=True)
        m.d.sync += reached.eq(reached | Cat(*[value.any() for value in self._values]))
        m.d.comb += [self.points.eq(reached), self.states.eq(Cat(*self._states))]
        return m


def _states(fragment: Fragment, path: str = "") -> Iterator[tuple[str, Value]]:
    """Yield the states of all state machines: the path of the machine and the state, and whether it is in it."""
    for machine in fragment.generated.values():
        for name, number in getattr(machine, "encoding", {}).items():
            yield f"{path}{name}", machine.state == number
    for part, name, _ in fragment.subfragments:
        yield from _states(part, f"{path}{name}.")


def _streams(inner: Component, m: Module) -> Iterator[tuple[str, Value]]:
    """Yield the points of each stream."""
    for name, member in inner.signature.members.items():
        if member.is_port or not isinstance(member.signature, stream.Signature):
            continue
        port = getattr(inner, name)
        for number, one in enumerate(port) if member.dimensions else ((None, port),):
            place = name if number is None else f"{name} {number}"
            before = Signal(name=f"{place.replace(' ', '_')}_before")
            m.d.sync += before.eq(_passes(one))
            yield f"{place}: a token waits", one.valid & ~one.ready
            yield f"{place}: two clocks in a row", _passes(one) & before
            if member.flow is In:
                yield f"{place}: ready, and nothing offered", one.ready & ~one.valid


_SLOW = "a token takes the component more than a clock, as its notes say"
_ASKS = "it is ready only for a token that is there"

WAIVED: tuple[tuple[str, str, str], ...] = (
    ("CobsDecoder|FrameReceiver|Uart.*", r"(byte|token|outcome)_[io]: two clocks in a row", _SLOW),
    ("CobsEncoder|FrameSender", r"byte_o: two clocks in a row", _SLOW),
    ("FrameSender", r"message_i: two clocks in a row", _SLOW),
    ("CobsDecoder|FrameSender", r".*_i: ready, and nothing offered", _ASKS),
    ("BlockReader|SampleDraw|SamplePlayer", r"(byte|number|draw)_[io]: two clocks in a row", _SLOW),
    ("BlockReader|SampleDraw", r"(byte|number)_i: ready, and nothing offered", _ASKS),
    ("CounterBank", r"counter_[io]: two clocks in a row", _SLOW),
    ("WeightAccess|LayerEngine", r"access_o: two clocks in a row", _SLOW),
    ("CounterBank|WeightAccess|LayerEngine", r"(counter|access)_i: ready, and nothing offered", _ASKS),
    ("SampleCount|PredictionUnit|FirstSpikePrediction", r"result_o: two clocks in a row", _SLOW),
    ("FirstSpikePrediction", r"feedback_o: two clocks in a row", "a tick has at least one word"),
    ("PredictionUnit|FirstSpikePrediction", r"sweep_i: ready, and nothing offered", _ASKS),
    ("LayerEngine", r"(event|error)_i: ready, and nothing offered", _ASKS),
    (
        "TickMerge",
        r"event_i_1: ready, and nothing offered",
        "the channel that leads is read when it has a token",
    ),
    ("MessageLink", r".*: two clocks in a row", _SLOW),
    ("MessageLink", r".*_i: ready, and nothing offered", _ASKS),
    ("MessageLink", r"access_i: a token waits", "a weight is asked for when there is room for it"),
    ("WordFile", r"read what is written", "whoever has such a file sees to it that it does not happen"),
    ("Fork", r"no room announced, and written", "without a reserve, no room is announced when it is full"),
)
"""Points that the hardware cannot come to: component, point (regular expressions), reason."""


def waived(component: str, point: str) -> str:
    """Return why a point cannot be reached; empty if it can."""
    fits = (
        reason for part, what, reason in WAIVED if re.fullmatch(part, component) and re.fullmatch(what, point)
    )
    return next(fits, "")


def _passes(port: Any) -> Value:
    return port.valid & port.ready


def _ticks(port: Any, n: int, m: Module) -> dict[str, Value]:
    """Return the points of a channel of events: addresses, ticks without a spike and with all that there can be."""
    token, passes = port.payload, _passes(port)
    address = Value.cast(token.data)[: max((n - 1).bit_length(), 1)]
    spikes, inside = Signal(range(n + 2)), Signal()
    spike, tick = passes & (token.kind == Kind.SPIKE), passes & (token.kind == Kind.TICK)
    with m.If(spike):
        m.d.sync += spikes.eq(spikes + 1)
    with m.Elif(passes):
        m.d.sync += [spikes.eq(0), inside.eq(tick)]
    return {
        "address: the first": spike & (address == 0),
        "address: the last": spike & (address == n - 1),
        "tick: empty": tick & (spikes == 0),
        "tick: all spike": tick & (spikes == n),
        "tick: one spike": tick & (spikes == 1),
        "sample: ends after a tick": passes & (token.kind == Kind.END) & inside,
    }


def _bounds(name: str, value: Value, low: int, high: int) -> dict[str, Value]:
    return {f"{name}: its smallest": value == low, f"{name}: its largest": value == high}


# --- the link ----------------------------------------------------------------------------------------


def _crc(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    return {"match": part.match_detected, "no match": part.ready & ~part.match_detected}


def _cobs_decoder(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    byte, token, takes = part.byte_i.payload, part.token_o.payload, _passes(part.byte_i)
    zero_before = Signal(init=1)
    with m.If(takes):
        m.d.sync += zero_before.eq(byte == 0)
    return {
        "group: of 254 bytes": takes & zero_before & (byte == GROUP + 1),
        "group: empty": takes & zero_before & (byte == 1),
        "frame: without a byte": takes & zero_before & (byte == 0),
        "frame: complete": _passes(part.token_o) & (token.kind == CobsKind.END),
        "frame: ends within a group": _passes(part.token_o) & (token.kind == CobsKind.MALFORMED),
        "byte: zero inside": _passes(part.token_o) & (token.kind == CobsKind.BYTE) & (token.byte == 0),
    }


def _cobs_encoder(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    token, takes = part.message_i.payload, _passes(part.message_i)
    length = Signal(10)
    with m.If(takes):
        m.d.sync += length.eq(token.last & 0)
        with m.If((token.byte != 0) & ~token.last):
            m.d.sync += length.eq(length + (length != 1023))
    return {
        "message: ends with a zero byte": takes & token.last & (token.byte == 0),
        "message: of one byte": takes & token.last & (length == 0),
        "run: of 254 bytes without zero": takes & (length == GROUP - 1) & (token.byte != 0),
        "run: of more": takes & (length == GROUP) & (token.byte != 0),
    }


def _frame_receiver(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    outcome, longest = part.outcome_o, options["max_length"]
    statuses: Any = FrameStatus
    length, verified = outcome.payload.length, outcome.payload.status == FrameStatus.VERIFIED
    found = {
        f"outcome: {one.name.lower().replace('_', ' ')}": outcome.valid & (outcome.payload.status == one)
        for one in statuses
    }
    return found | {
        "message: of one byte": outcome.valid & verified & (length == 1),
        "message: as long as can be": outcome.valid & verified & (length == longest),
        "message: dropped unread": _passes(outcome) & verified & part.message_o.valid,
        "skip: used": part.skip,
    }


def _uart_receiver(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    byte = part.byte_o
    return {
        "byte: all zeros": byte.valid & (byte.payload == 0),
        "byte: all ones": byte.valid & (byte.payload == 0xFF),
        "framing error": part.framing_error,
        "overrun": part.overrun,
    }


# --- input -------------------------------------------------------------------------------------------


def _sample_buffer(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    token, takes, n = part.sample_i.payload, _passes(part.sample_i), options["n_inputs"]
    pixel = takes & (token.kind == SampleKind.PIXEL)
    value, address = Value.cast(token.data)[:8], Value.cast(token.data)[8:24]
    return {
        "pixel: the first": pixel & (address == 0),
        "pixel: the last": pixel & (address == n - 1),
        "pixel: beyond the last": pixel & (address >= n),
        "pixel: brightest": pixel & (value == 255),
        "pixel: dark": pixel & (value == 0),
        "buffer: full": part.sample_i.valid & ~part.sample_i.ready,
        "buffer: the ring comes around": part.available & (part.end < part.start),
        "sample: released as another ends": takes & (token.kind == SampleKind.END) & part.release,
    }


def _encoder(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    network = options["network"]
    inside = elaborated(part)
    gate, machine = inside.submodules.gate, Fragment.get(inside, None).generated["fsm"]
    # In the other states the gate holds no tick: before the first, and while the rest of a sample is dropped.
    stops = {
        f"stop: while {name}": gate.complete & gate.stop & (machine.state == number)
        for name, number in machine.encoding.items()
        if name in ("TICK", "DECIDE", "END")
    }
    return (
        _ticks(part.event_o, network.n_inputs, m)
        | stops
        | {"presentation: of one tick": part.ticks & (part.n_ticks == 1)}
    )


# --- memories and counters ---------------------------------------------------------------------------


def _word_file(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    last = options["depth"] - 1
    return {
        "read: the first": part.read_enable & (part.read_address == 0),
        "read: the last": part.read_enable & (part.read_address == last),
        "read: cleared": part.read_enable & part.read_clear,
        "write: the first": part.write_enable & (part.write_address == 0),
        "write: the last": part.write_enable & (part.write_address == last),
        "read and write at once": part.read_enable & part.write_enable,
        "read what is written": part.read_enable
        & part.write_enable
        & (part.read_address == part.write_address),
    }


def _synapse_memory(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    last, read, write = options["depth"] - 1, part.read_address[0], part.write_address[0]
    return {
        "read: the first": part.read_enable[0] & (read == 0),
        "read: the last": part.read_enable[0] & (read == last),
        "write: the first": part.write_enable[0] & (write == 0),
        "write: the last": part.write_enable[0] & (write == last),
        "read and write at once": part.read_enable[0] & part.write_enable[0],
        "collision": part.collision,
    }


def _counter_bank(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    counts = options["counts"]
    ports = [getattr(part, f"increment_{number}") for number in range(len(counts))]
    asked = part.counter_i.payload
    return {
        f"counter {number}: the largest increment": port == count.most
        for number, (port, count) in enumerate(zip(ports, counts, strict=True))
    } | {
        "increments: all at once": Cat(*[port.any() for port in ports]).all(),
        "asked: the first": _passes(part.counter_i) & (asked == 0),
        "asked: the last": _passes(part.counter_i) & (asked == len(counts) - 1),
        "asked: one that is not there": _passes(part.counter_i) & (asked >= len(counts)),
    }


def _weight_access(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    request, takes, bound = part.access_i.payload, _passes(part.access_i), 1 << options["width"] - 1
    words = -(-options["n_neurons"] // options["lanes"])
    written, read = takes & (request.kind == AccessKind.WRITE), takes & (request.kind == AccessKind.READ)
    value = Value.cast(request.data)[: options["width"]].as_signed()
    return {
        "store: the first word": part.grant & part.store & (part.word == 0),
        "store: the last word": part.grant & part.store & (part.word == words - 1),
        "load: the first word": part.grant & ~part.store & (part.word == 0),
        "load: the last word": part.grant & ~part.store & (part.word == words - 1),
        "row: the first": part.grant & (part.row == 0),
        "request: waits for its grant": part.request & ~part.grant,
        "seek: within a word": takes & (request.kind == AccessKind.SEEK),
        **{
            f"write: {name}": written & at for name, at in _bounds("weight", value, -bound, bound - 1).items()
        },
        **{
            f"read: {name}": read & at
            for name, at in _bounds("weight", part.access_o.payload, -bound, bound - 1).items()
        },
    }


def _queue(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    enters, leaves = _passes(part.token_i), _passes(part.token_o)
    return {
        "full": part.token_i.valid & ~part.token_i.ready,
        "empty": part.token_o.ready & ~part.token_o.valid,
        "in and out at once": enters & leaves,
        "out of a full one": leaves & ~part.token_i.ready,
    }


def _fork(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    leaves = Cat(*[_passes(one) for one in part.token_o])
    return {
        "full": part.token_i.valid & ~part.token_i.ready,
        "no room announced, and written": _passes(part.token_i) & ~part.has_room,
        "all readers at once": leaves.all(),
        "one reader ahead of another": leaves.any() & ~leaves.all(),
    }


def _generator(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    return {
        "seed: zero": part.load & (part.seed == 0),
        "seed: all ones": part.load & part.seed.all(),
        "load while it advances": part.load & part.advance,
    }


# --- learning ----------------------------------------------------------------------------------------


def _feedback_gate(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    token, waits = part.feedback_i.payload, part.feedback_i.valid
    return {
        "tick: complete": part.complete,
        "tick: stops": part.complete & part.stop,
        "finish: an END waits already": part.finish & waits & (token.kind == Kind.END),
        "finish: ticks are still to come": part.finish & ~waits,
        "drain: spikes are dropped": part.draining & waits & (token.kind == Kind.SPIKE),
        "drain: ticks are dropped": part.draining & waits & (token.kind == Kind.TICK),
        "replay asked for": part.replay,
        "release as the next tick waits": part.release & waits,
    }


def _feedback_port(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    plan = part.plan
    width, token = plan.feedback_width, part.feedback_i.payload
    sums = [part.read_data.word_select(unit, width).as_signed() for unit in range(plan.units)]
    spike = _passes(part.feedback_i) & (token.kind == Kind.SPIKE)
    return {
        "sum: positive": part.ready & Cat(*[one > 0 for one in sums]).any(),
        "sum: negative": part.ready & Cat(*[one < 0 for one in sums]).any(),
        "sum: zero": part.ready & Cat(*[one == 0 for one in sums]).any(),
        "gain: zero": spike & (part.gain == 0),
        "gain: the largest": spike & part.gain.all(),
        "error neuron: the first": spike & (token.address == 0),
        "error neuron: the last": spike & (token.address == plan.population.feedback_addresses - 1),
        "error spike while one is walked": part.feedback_i.valid
        & (token.kind == Kind.SPIKE)
        & ~part.feedback_i.ready
        & ~part.draining,
    }


def _causal_fifo(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    n, at_work = options["n_inputs"], Signal(range(options["n_inputs"] + 1))
    m.d.sync += at_work.eq(at_work + part.push)
    with m.If(part.clear):
        m.d.sync += at_work.eq(0)
    return {
        "row: the first": part.push & (part.row == 0),
        "row: the last": part.push & (part.row == n - 1),
        "tick: the first": part.push & (part.tick == 0),
        "all rows are remembered": at_work == n,
        "in and out at once": part.push & part.next_row,
        "cleared with spikes left": part.clear & part.available,
        "nothing is there": ~part.available,
    }


def _sign_popcount(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    valid = part.valid_o
    return {
        "more say later": valid & part.later_o,
        "more say earlier": valid & part.earlier_o,
        "as many say either": valid & ~part.later_o & ~part.earlier_o,
        "row: of one word": part.valid & part.first & part.last,
        "row: of more": part.valid & part.first & ~part.last,
        "word: every neuron errs": part.valid & part.later.all() & part.causal.all(),
        "word: none errs": part.valid & ~part.later.any() & ~part.earlier.any(),
        "row: after a row without a pause": part.valid & part.first & valid,
    }


# --- layers ------------------------------------------------------------------------------------------


def _serializer(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    token, takes = part.sweep_i.payload, _passes(part.sweep_i)
    word = takes & (token.kind == Kind.SPIKE)
    return {
        "word: no spike": word & ~token.spikes.any(),
        "word: all spike": word & token.spikes.all(),
        "word: lowest lane": word & token.spikes[0],
        "word: highest lane": word & token.spikes[-1],
        "word: after a word that has spikes": word & part.event_o.valid,
    }


def _neuron_unit(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    program = part.program
    found = {
        "begin": part.valid & part.begin,
        "silent": part.valid & part.silent.any(),
        "dither: all ones": part.valid & part.dither.all(),
        "noise: negative": part.valid & part.noise[-1],
        "all lanes spike": part.valid_o & part.spikes_o.all(),
        "no lane spikes": part.valid_o & ~part.spikes_o.any(),
    }
    for state in range(program.n_states):
        values = [part.neurons_o[lane][f"x{state}"] for lane in range(part.lanes)]
        places = {"smallest": program.lower[state], "largest": program.upper[state]}
        if state == 0:
            places["largest below the threshold"] = program.threshold - 1
        for name, place in places.items():
            at = part.valid_o & Cat(*[value == place for value in values]).any()
            found[f"state {state}: its {name}"] = at
    if program.refractory:
        rests = [part.neurons_o[lane].refractory for lane in range(part.lanes)]
        found["refractory: begins"] = part.valid_o & Cat(*[one == program.refractory for one in rests]).any()
        found["refractory: its last tick"] = part.valid_o & Cat(*[one == 1 for one in rests]).any()
    if part.rule is not None:
        words = [part.words_o.word_select(lane, part.word_width).as_signed() for lane in range(part.lanes)]
        found["plasticity word: positive"] = part.valid_o & Cat(*[word > 0 for word in words]).any()
        found["plasticity word: negative"] = part.valid_o & Cat(*[word < 0 for word in words]).any()
        found["plasticity word: zero while learning"] = part.valid_o & (words[0] == 0)
    return found


def _layer(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    plan, layer = part.plan, part.plan.population
    pipeline = elaborated(part).submodules.pipeline
    memory, groups, width = pipeline.memory, pipeline.groups, layer.weight_width
    weights = [memory.write_data.word_select(lane, width).as_signed() for lane in range(plan.lanes)]
    learned = memory.write_enable[0] & pipeline.learned
    slot, spikes = pipeline.slot, Cat(*[group.spikes_o for group in groups])
    # The pipeline never waits, so stage X is so many clocks after the slot was issued.
    row, sweep = (pipeline.issue & (slot.work == work) for work in (Work.ROW, Work.SWEEP))
    at_row, at_sweep = (
        delayed(m, one, plan.stages["X"], name) for one, name in ((row, "row"), (sweep, "sweep"))
    )
    sums = [
        group.port0.word_select(lane, PORT_WIDTH).as_signed()
        for group in groups
        for lane in range(group.lanes)
    ]
    limit = 1 << PORT_WIDTH - 1
    found = _ticks(part.event_i, plan.n_inputs, m) | {
        "weight: learned to its smallest": learned & Cat(*[one == layer.weight_min for one in weights]).any(),
        "weight: learned to its largest": learned & Cat(*[one == layer.weight_max for one in weights]).any(),
        "sum of inputs: its smallest": (at_row | at_sweep) & Cat(*[one == -limit for one in sums]).any(),
        "sum of inputs: its largest": (at_row | at_sweep) & Cat(*[one == limit - 1 for one in sums]).any(),
        "row: the first": row & (slot.row == 0),
        "row: the last": row & (slot.row == plan.n_rows - 1),
        "row: its last word": row & slot.last,
        "row: may learn": row & slot.armed,
        "row: may not learn": row & ~slot.armed,
        "host: loads a word": pipeline.loaded,
        "host: stores a word": pipeline.stored,
        "sweep: all spike": pipeline.sweeps & spikes.all(),
        "sweep: none spikes": pipeline.sweeps & ~spikes.any(),
    }
    if layer.synapse_keep < 256:
        kept = Cat(*[group.kept for group in groups])
        found |= {
            "blank-out: a synapse": at_row & ~kept.all(),
            "blank-out: none of a word": at_row & kept.all(),
            "blank-out: a whole word": at_row & ~kept.any(),
        }
    if layer.neuron_keep < 256:
        silent = Cat(*[group.silent for group in groups])
        found |= {
            "blank-out: a neuron": at_sweep & silent.any(),
            "blank-out: no neuron of a word": at_sweep & ~silent.any(),
        }
    if plan.has_feedback:
        found |= {
            "feedback: used": pipeline.feedback_used,
            "feedback: other than 0": at_sweep & pipeline.feedback_data.any(),
        }
    return found


# --- output ------------------------------------------------------------------------------------------


def _prediction(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    token, takes = part.sweep_i.payload, _passes(part.sweep_i)
    feedback = part.feedback_o[0] if isinstance(part.feedback_o, (list, tuple)) else part.feedback_o
    said, result = feedback.payload, part.result_o
    n, spike = part._plan.n_neurons, token.kind == Kind.SPIKE
    return {
        "class: the first answers": result.valid & (result.payload.answer == 0),
        "class: the last answers": result.valid & (result.payload.answer == n - 1),
        "error: false positive": _passes(feedback) & (said.kind == Kind.SPIKE) & ~said.address[0],
        "error: false negative": _passes(feedback) & (said.kind == Kind.SPIKE) & said.address[0],
        "stop: asked for": _passes(feedback) & (said.kind == Kind.TICK) & said.address[0],
        "stop: not yet": _passes(feedback) & (said.kind == Kind.TICK) & ~said.address[0],
        "decision: before the last tick": result.valid
        & (result.payload.ticks_to_decision < result.payload.ticks),
        "presentation: of one tick": result.valid & (result.payload.ticks == 1),
        "word: no spike": takes & spike & ~token.spikes.any(),
        "word: all spike": takes & spike & token.spikes.all(),
        "result: waits as a sample begins": result.valid & part.sweep_i.valid & (token.kind == Kind.BEGIN),
    }


def _first_spike_prediction(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    token, takes, result = part.sweep_i.payload, _passes(part.sweep_i), part.result_o
    feedback, error, n = part.feedback_o, part.error_o, part._plan.n_neurons
    spike = takes & (token.kind == Kind.SPIKE)
    says = _passes(feedback)
    errs = _passes(error) & (error.payload.kind == Kind.SPIKE)
    ends = _passes(error) & (error.payload.kind == Kind.END)
    return {
        "class: the first answers": result.valid & (result.payload.answer == 0),
        "class: the last answers": result.valid & (result.payload.answer == n - 1),
        "decision: before the last tick": result.valid
        & (result.payload.ticks_to_decision < result.payload.ticks),
        "error: to spike later": errs & error.payload.later,
        "error: to spike earlier": errs & ~error.payload.later,
        "error: of the last class": errs & (error.payload.address == n - 1),
        "sample: replayed": ends & error.payload.later,
        "sample: learned without error": ends & ~error.payload.later,
        "stop: asked for": says & (feedback.payload.kind == Kind.TICK) & feedback.payload.address[0],
        "stop: not yet": says & (feedback.payload.kind == Kind.TICK) & ~feedback.payload.address[0],
        "word: no spike": spike & ~token.spikes.any(),
        "word: several spikes": spike & (token.spikes & (token.spikes - 1)).any(),
        "result: waits as a sample begins": result.valid & part.sweep_i.valid & (token.kind == Kind.BEGIN),
    }


def _tick_merge(part: Any, options: Mapping[str, Any], m: Module) -> dict[str, Value]:
    token, passes = part.event_o.payload, _passes(part.event_o)
    spikes = Signal(8)
    with m.If(passes & (token.kind == Kind.SPIKE)):
        m.d.sync += spikes.eq(spikes + ~spikes.all())
    with m.Elif(passes):
        m.d.sync += spikes.eq(0)
    return {
        "tick: empty": passes & (token.kind == Kind.TICK) & (spikes == 0),
        "tick: has spikes": passes & (token.kind == Kind.TICK) & (spikes != 0),
        "sample: ends": passes & (token.kind == Kind.END),
    }


CORNERS: dict[str, Corner] = {
    "Crc": _crc,
    "CobsDecoder": _cobs_decoder,
    "CobsEncoder": _cobs_encoder,
    "UartReceiver": _uart_receiver,
    "FrameReceiver": _frame_receiver,
    "SampleBuffer": _sample_buffer,
    "Encoder": _encoder,
    "Generator": _generator,
    "WordFile": _word_file,
    "SynapseMemory": _synapse_memory,
    "Queue": _queue,
    "Skid": _queue,
    "Fork": _fork,
    "CounterBank": _counter_bank,
    "WeightAccess": _weight_access,
    "TickMerge": _tick_merge,
    "FeedbackGate": _feedback_gate,
    "FeedbackPort": _feedback_port,
    "CausalFifo": _causal_fifo,
    "SignPopcount": _sign_popcount,
    "SpikeSerializer": _serializer,
    "NeuronUnit": _neuron_unit,
    "LayerEngine": _layer,
    "PredictionUnit": _prediction,
    "FirstSpikePrediction": _first_spike_prediction,
}
"""What the contract of a component names, by its class."""
