# SPDX-License-Identifier: BSD-2-Clause
"""One spike through the array: the pictures and integers of ``how-it-learns.md``, from a real run.

A small network learns some hundred images in the model. Then it learns one more, in the model, which says every
integer, and in the hardware, which says every clock; the weights of both have to be equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from amaranth.sim import Simulator
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from erbium.bench.request import load_named
from erbium.chip import open_chip
from erbium.gen.presets import preset
from erbium.hdl.plan import LayerPlan
from erbium.hdl.slot import Work
from erbium.report.plots import STAND_IN, frame, raster, svg
from erbium.report.record import trace_sample
from erbium.sw_model import constants
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.rules import ErbpRule
from erbium.verif.codecs import AccessCodec, EventCodec, SampleCodec, Token, feedback_codec
from erbium.verif.layer_codecs import WriteCodec
from erbium.verif.probes import ProbedArray, elaborated

PRESET = "tiny"
LEARNED = 300
"""Images learned before the one that is looked at."""

LANES = 4


@dataclass
class RowPass:
    """A row pass of layer 1 in the model."""

    tick: int
    row: int
    weights: Array
    before: Array
    after: Array
    word: Array
    new: Array
    draw: int


@dataclass
class Story:
    """The sample, as the model tells it."""

    network: Network
    image: Array
    label: int
    number: int
    seed: int
    weights: list[Array]
    rows: list[RowPass] = field(default_factory=list)
    sweeps: list[list[dict[str, Array]]] = field(default_factory=list)
    ticks: list[Any] = field(default_factory=list)
    end: list[Array] = field(default_factory=list)


def told() -> Story:
    """Learn, and then one sample more with every integer kept: the first in which a spike has a story to tell."""
    network, data = preset(PRESET).network, load_named(PRESET)
    with open_chip(network, "model") as chip:
        chip.learn(data.train.images[:LEARNED], data.train.labels[:LEARNED])
        for number in range(LEARNED, len(data.train)):
            seed = int(constants.sample_seeds(network.seed, True, number, 1)[0])
            story = Story(
                network, data.train.images[number], int(data.train.labels[number]), number, seed, chip.weights
            )
            _tell(story)
            if _candidates(story):
                return story
            chip.learn(data.train.images[number : number + 1], data.train.labels[number : number + 1])
    raise RuntimeError(f"no sample of {PRESET!r} changes a weight of a neuron that spikes")


def _tell(story: Story) -> None:
    network, weights = story.network, story.weights
    array = ArrayModel(network)
    array.load(weights)
    first: Any = array.layers[0]
    walk = first.row

    def row(k: int) -> None:
        before, old, word = first.population.u[0].copy(), first.weights[k].copy(), first.word.copy()
        walk(k)
        now = first.population.u[0].copy()
        draw = first.plasticity_draws.state & ((1 << first.layer.rounding_shift) - 1)
        story.rows.append(
            RowPass(first.tick_number, k, old, before, now, word, first.weights[k].copy(), draw)
        )

    first.row = row
    for layer in array.layers:
        swept: list[dict[str, Array]] = []
        story.sweeps.append(swept)

        def look(
            result: Any, layer: Any = layer, swept: Any = swept, after: Any = layer._after_sweep
        ) -> None:
            after(result)
            swept.append(
                {"v": result.before_reset[0], "u": result.before_reset[1], "word": layer.word.copy()}
            )

        layer._after_sweep = look  # type: ignore[method-assign]
    array.sample(
        story.image, seed=story.seed, label=story.label, observer=lambda _, tick: story.ticks.append(tick)
    )
    story.end = [layer.weights.copy() for layer in array.layers]


@dataclass
class Clocks:
    """The same sample in the hardware: what happened in which clock."""

    tokens: dict[str, list[tuple[int, Token]]]
    work: dict[int, list[tuple[int, Work, int, int]]]
    writes: dict[int, list[tuple[int, int, int]]]


def simulated(story: Story) -> Clocks:
    """Run the sample on the hardware, in Amaranth's own simulator.

    Raises
    ------
    RuntimeError
        If a weight differs from the model's.
    """
    network = story.network
    hardware = Hardware(lanes=LANES)
    probe = ProbedArray(network, hardware)
    places = probe.places()
    elaborated(probe)
    parts = elaborated(probe.inner).submodules
    layers = [getattr(parts, f"layer{number + 1}") for number in range(len(network.layers))]
    pipelines = [elaborated(layer).submodules.pipeline for layer in layers]
    found = Clocks({}, {0: [], 1: []}, {0: [], 1: []})
    decoders: dict[str, Any] = {"feedback": feedback_codec(network).decode}
    for number in range(len(network.layers)):
        decoders[f"layer{number + 1}_event_i"] = EventCodec(
            LayerPlan(network, number, hardware).event_token
        ).decode
    writers = [WriteCodec(LayerPlan(network, number, hardware)) for number in range(len(network.layers))]
    weights = [np.array(values) for values in story.weights]

    async def drive(context: Any) -> None:
        async def send(stream: Any, bits: int) -> None:
            context.set(stream.valid, 1)
            context.set(stream.payload.as_value(), bits)
            await context.tick().until(stream.ready)
            context.set(stream.valid, 0)

        for name, value in zip(("gain_1", "gain_2"), network.rates, strict=True):
            context.set(getattr(probe, name), value)
        context.set(probe.n_ticks, network.n_ticks)
        context.set(probe.result_o.ready, 1)
        access = AccessCodec(with_layer=True)
        for number, values in enumerate(story.weights):
            for row, line in enumerate(values):
                await send(probe.access_i, access.encode(("SEEK", row, number)))
                for weight in line:
                    await send(probe.access_i, access.encode(("WRITE", int(weight) & 0xFFFF, number)))
        await context.tick().repeat(20)
        sample = SampleCodec()
        await send(probe.sample_i, sample.encode(("BEGIN", story.seed, story.label, 1)))
        for address in np.flatnonzero(story.image):
            await send(probe.sample_i, sample.encode(("PIXEL", int(story.image[address]), int(address))))
        await send(probe.sample_i, sample.encode(("END",)))
        began.append(1)
        await context.tick().until(probe.result_o.valid)
        await context.tick().repeat(40)

    began: list[int] = []

    async def watch(context: Any) -> None:
        clock = 0
        taps = {name: getattr(probe, f"tap_{name}") for name in places}
        slots = [pipeline.slot for pipeline in pipelines]
        async for _ in context.tick():
            clock += 1
            if not began:
                continue
            fires = context.get(probe.tap_fires)
            for name, decode in decoders.items():
                if fires >> places[name] & 1:
                    token = decode(context.get(taps[name]))
                    if token is not None:
                        found.tokens.setdefault(name, []).append((clock, token))
            for number, pipeline in enumerate(pipelines):
                if context.get(pipeline.issue):
                    slot = slots[number]
                    work = Work(context.get(slot.work))
                    place = context.get(slot.row), context.get(slot.word)
                    found.work[number].append((clock, work, *place))
                if fires >> places[f"layer{number + 1}_writes"] & 1:
                    row, word, new = writers[number].decode(context.get(taps[f"layer{number + 1}_writes"]))
                    found.writes[number].append((clock, row, word))
                    lanes = range(word * LANES, min((word + 1) * LANES, weights[number].shape[1]))
                    weights[number][row, list(lanes)] = new[: len(lanes)]

    simulator = Simulator(probe)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    for number, (mine, other) in enumerate(zip(weights, story.end, strict=True), 1):
        if not np.array_equal(mine, other):
            raise RuntimeError(f"layer {number}: the weights of the hardware are not the model's")
    return found


# --- pictures ----------------------------------------------------------------------------------------

COLOURS = {Work.ROW: "hidden", Work.TEACH: "hidden", Work.SWEEP: "output", Work.TOKEN: "muted"}


@dataclass
class Passage:
    """The row pass that is followed, in clocks: the end of the tick before, the words walked, the words written."""

    start: int
    walked: list[int]
    written: list[int]

    @classmethod
    def of(cls, found: Clocks, tick: int, row: int, n_words: int) -> Passage:
        """Find it; the event leaves its queue with the last word of its row."""
        events = found.tokens["layer1_event_i"]
        start = [clock for clock, token in events if token == ("TICK",)][tick - 1]
        came = next(clock for clock, token in events if token == ("SPIKE", row) and clock > start)
        walked = [c for c, work, at, _ in found.work[0] if work is Work.ROW and at == row and c <= came]
        written = [c for c, at, _ in found.writes[0] if at == row and c > came]
        return cls(start, walked[-n_words:], written[:n_words])


def clock_picture(found: Clocks, passage: Passage) -> Figure:
    """Draw what the parts of the array do, clock by clock, until the spikes of the tick are through both layers."""
    start = passage.start
    sweep = next(c for c, work, *_ in found.work[0] if work is Work.SWEEP and c > passage.walked[-1])
    stop = sweep + 24
    # What is drawn as the followed one, by line of the picture: its event, its row, its writes.
    followed = {0: passage.walked[-1:], 1: passage.walked, 2: passage.written}
    figure = frame(7.0, 4.2, left=1.55)
    axes = figure.add_subplot()

    def block(clock: int, y: int, role: str, text: str = "") -> None:
        if start < clock < stop:
            x = clock - start
            role = "wrong" if clock in followed.get(y, ()) else role
            axes.add_patch(Rectangle((x - 0.9, y - 0.3), 0.8, 0.6, color=STAND_IN[role], linewidth=0))
            axes.text(x - 0.5, y - 0.36, text, ha="center", va="bottom", fontsize=8)

    def name(token: Token) -> str:
        return str(token[1]) if token[0] == "SPIKE" else "T"

    for number in (0, 1):
        for clock, token in found.tokens[f"layer{number + 1}_event_i"]:
            block(clock, 3 * number, "input", name(token))
        for clock, work, *_ in found.work[number]:
            block(clock, 3 * number + 1, COLOURS.get(work, "muted"))
        for clock, *_ in found.writes[number]:
            block(clock, 3 * number + 2, "missed")
    for clock, token in found.tokens["feedback"]:
        block(clock, 6, "input", name(token))
    lines = ["events", "layer 1", "weights written", "events", "layer 2", "weights written", "errors"]
    axes.set_yticks(range(len(lines)), lines)
    axes.set_ylim(6.6, -0.6)
    axes.set_xlim(0, stop - start)
    axes.grid(visible=False)
    axes.set_xlabel("clocks")
    return figure


def neuron_picture(story: Story, neuron: int) -> Figure:
    """Draw membrane, dendrite and plasticity word of one hidden neuron over the ticks of the sample."""
    figure = frame(7.0, 4.4, left=1.0, gap=0.12)
    swept = story.sweeps[0]
    x = np.arange(len(swept)) + 0.5
    threshold = story.network.layers[0].program.threshold
    spiked = [tick for tick, at in enumerate(story.ticks) if neuron in at.layer_spikes[0]]
    for place, (name, role) in enumerate((("v", "hidden"), ("u", "missed"), ("word", "wrong")), 1):
        axes = figure.add_subplot(3, 1, place)
        values = [int(tick[name][neuron]) for tick in swept]
        axes.step(x, values, where="mid", color=STAND_IN[role], linewidth=2)
        axes.set_ylabel({"v": "membrane v", "u": "dendrite u", "word": "word D"}[name])
        axes.set_xlim(0, len(swept))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        if name == "v":
            axes.axhline(threshold, color=STAND_IN["ink"], linewidth=1, linestyle=(0, (4, 3)))
            axes.plot([x[t] for t in spiked], [values[t] for t in spiked], "o", color=STAND_IN["hidden"])
        if place < 3:
            axes.set_xticklabels([])
    axes.set_xlabel("tick")
    figure.align_ylabels()
    return figure


# --- words -------------------------------------------------------------------------------------------


def _candidates(story: Story) -> list[tuple[int, int, int]]:
    """Return what could be followed: how much happens, the row pass, and the hidden neuron.

    Two ticks lie around it, the row changes the neuron's weight, and the neuron spikes in the same tick.
    """
    return [
        (int((at.new != at.weights).sum()), place, int(neuron))
        for place, at in enumerate(story.rows)
        if at.row < story.network.n_inputs and 0 < at.tick < len(story.ticks) - 1
        if story.ticks[at.tick].errors
        for neuron in story.ticks[at.tick].layer_spikes[0]
        if at.new[neuron] != at.weights[neuron]
        and story.sweeps[0][at.tick]["u"][neuron] != story.sweeps[0][at.tick + 1]["u"][neuron]
    ]


def chosen(story: Story) -> tuple[RowPass, int]:
    """Return the row pass that is followed, and the hidden neuron."""
    _, place, neuron = max(_candidates(story))
    return story.rows[place], neuron


def _table(heading: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines: list[tuple[object, ...]] = [heading, ("---",) * len(heading), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def parts() -> dict[str, str]:
    """Return the generated parts of the page by name, in Markdown."""
    story = told()
    found = simulated(story)
    at, neuron = chosen(story)
    network, tick = story.network, at.tick
    layer = network.layers[0]
    now, later = story.sweeps[0][tick], story.sweeps[0][tick + 1]
    events = story.ticks[tick]
    feedback = network.feedback_weights(0)
    pushes = sum((-1 if e & 1 else 1) * int(feedback[neuron, e >> 1]) * layer.gain for e in events.errors)
    n_words = -(-layer.n_neurons // LANES)
    passage = Passage.of(found, tick, at.row, n_words)
    walked, written = (_range(clocks, passage.start) for clocks in (passage.walked, passage.written))
    shift = layer.rounding_shift
    spikes = ", ".join(map(str, events.input_spikes))
    gate = cast(ErbpRule, layer.rule)
    inside = "within" if gate.gate_lower <= now["v"][neuron] < gate.gate_upper else "outside of"
    words = {
        "setting": (
            f"The network is `{PRESET}`, {'-'.join(map(str, network.shape))}, after {story.number} images; the sample "
            f"is a {story.label} of 4 × 4 pixels, and it is learned. It takes {len(story.ticks)} ticks. In tick "
            f"{tick} the pixels {spikes} spike. We follow pixel **{at.row}** (value {int(story.image[at.row])} of "
            f"255) to hidden neuron **{neuron}**.\n"
        ),
        "row": (
            f"Row {at.row} as it comes from the memory, and what becomes of it; r = {at.draw} for the whole row, s = "
            f"{shift}:\n\n"
            + _table(
                ("neuron", "weight w", "u0 before", "u0 + w", "word D", "(D + r) >> s", "new weight"),
                [
                    (
                        f"**{n}**" if n == neuron else n,
                        int(at.weights[n]),
                        int(at.before[n]),
                        int(at.after[n]),
                        int(at.word[n]),
                        (int(at.word[n]) + at.draw) >> shift,
                        f"**{int(at.new[n])}**" if at.new[n] != at.weights[n] else int(at.new[n]),
                    )
                    for n in range(layer.n_neurons)
                ],
            )
        ),
        "sweep": (
            f"Behind the last row of the tick neuron {neuron} has v = {int(now['v'][neuron])}, which reaches the "
            f"threshold of {layer.program.threshold}: it spikes, and v goes back to 0. Its dendrite is u = "
            f"{int(now['u'][neuron])} and its membrane was {inside} the gate of {gate.gate_lower} … "
            f"{gate.gate_upper - 1}, so its word for the rows of the next tick is D = {int(now['word'][neuron])}. "
            f"Hidden neurons that spike in this tick: {_list(events.layer_spikes[0])}.\n"
        ),
        "output": (
            f"Output neurons that spike in this tick: {_list(events.layer_spikes[1])}. The label is {story.label}. "
            f"Error spikes: {_list([_error(e) for e in events.errors])}. They reach neuron {neuron} one tick later, "
            f"through its fixed random weights {_list([f'{int(g):+d}' for g in feedback[neuron]])} for the "
            f"{network.n_classes} classes and the gain of {layer.gain}: port 1 is {pushes:+d}. By then the dendrite "
            f"has lost an eighth of itself, so u goes from {int(now['u'][neuron])} to {int(later['u'][neuron])}.\n"
        ),
        "clocks": (
            f"With {LANES} lanes a row of {layer.n_neurons} synapses is {n_words} words. Counted from the end of the "
            f"tick before, the words of row {at.row} are walked in clocks {walked}, the event leaves its "
            f"queue with the last of them, and the new weights are written in clocks {written}. Meanwhile the rows "
            "behind it are on their way, a word per clock.\n"
        ),
    }
    trace = trace_sample(network, story.weights, story.image, story.label, story.seed, True)
    pictures = {
        "raster": svg("spike-raster", "Every spike of the sample", lambda: raster(trace, network)),
        "neuron": svg(
            "spike-neuron", f"Hidden neuron {neuron} over the sample", lambda: neuron_picture(story, neuron)
        ),
        "timing": svg("spike-clocks", "The tick, clock by clock", lambda: clock_picture(found, passage)),
    }
    return words | {
        name: f"```{{raw}} html\n<figure>{picture}</figure>\n```\n" for name, picture in pictures.items()
    }


def _list(items: Sequence[object]) -> str:
    return ", ".join(map(str, items)) or "none"


def _error(neuron: int) -> str:
    return f"class {neuron >> 1} {'did not spike and should have' if neuron & 1 else 'spiked and should not have'}"


def _range(clocks: list[int], start: int) -> str:
    return f"{clocks[0] - start} to {clocks[-1] - start}"
