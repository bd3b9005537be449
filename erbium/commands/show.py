# SPDX-License-Identifier: BSD-2-Clause
"""``erbium presets`` and ``erbium show``."""

from __future__ import annotations

from pathlib import Path

import click

from erbium.commands import common
from erbium.gen.files import check_free, write_text
from erbium.gen.presets import PRESETS, Preset, Recipe, describe_schedule, describe_shift
from erbium.learners import learner_face
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.drawing import as_svg, as_text
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.rules import LatencyEncoder
from erbium.tables import PlainTable
from erbium.tracing import layer_names

LANES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Lane counts that `show` compares."""


@click.command(short_help="List the named networks.")
@common.json_option
def presets(as_json: bool) -> None:
    """List the named networks."""
    if as_json:
        common.say_json(
            {
                "presets": [
                    {
                        "name": name,
                        "shape": list(preset.network.shape),
                        "digest": preset.network.digest,
                        "about": preset.about,
                    }
                    for name, preset in PRESETS.items()
                ]
            }
        )
        return
    table = PlainTable()
    for name in ("preset", "shape", "digest", "about"):
        table.add_column(name, overflow="fold")
    for name, preset in PRESETS.items():
        shape = "-".join(map(str, preset.network.shape))
        table.add_row(name, shape, preset.network.digest, preset.about)
    common.console().print(table)


@click.command(
    short_help="Explain a network.",
    epilog=common.examples(
        "erbium show erbp-mnist-200",
        "erbium show tiny --json > mine.json",
        "erbium show mine.json",
        "erbium show tiny --graph",
        "erbium show tiny --graph -o tiny.svg",
    ),
)
@click.argument("network", metavar="PRESET|FILE", shell_complete=common.complete_network)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the description as 'erbium train --network' reads it."
)
@click.option("--graph", is_flag=True, help="Print sources, populations, projections and channels instead.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Draw the graph to this SVG file."
)
@common.overwrite_option
def show(network: str, as_json: bool, graph: bool, output: Path | None, overwrite: bool) -> None:
    """Explain a network: sizes, neuron programs, gains, memory."""
    preset = common.named_network(network)
    if output is not None and not graph:
        raise click.UsageError("-o is where the graph is drawn; it goes with --graph")
    if graph:
        _draw(chain(preset.network), output, overwrite=overwrite)
        return
    if as_json:
        click.echo(preset.network.to_json(), nl=False)
        return
    _explain(preset)


def _draw(graph: Graph, output: Path | None, *, overwrite: bool) -> None:
    if output is None:
        click.echo(as_text(graph), nl=False)
    elif output.suffix != ".svg":
        raise click.UsageError(f"the graph is drawn as SVG, but {str(output)!r} does not end in '.svg'")
    else:
        check_free(output, overwrite=overwrite)
        write_text(output, as_svg(graph))
        common.say(f"drew {graph.name} to {output}")


def _explain(preset: Preset) -> None:
    network, recipe, console = preset.network, preset.recipe, common.console()
    face = learner_face(network)
    common.say(f"{network.name}: {preset.about}")
    common.say("")
    facts = PlainTable(show_header=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name, value in (
        ("shape", "-".join(map(str, network.shape))),
        ("digest", network.digest),
        ("seed", str(network.seed)),
        ("encoder", _encoder(network)),
        ("ticks", f"at most {network.n_ticks} per sample"),
        ("early stop", face.early_stop()),
        ("feedback delay", f"{network.feedback_delay} tick{'s' if network.feedback_delay > 1 else ''}"),
        *face.facts(),
        ("recipe", _recipe(recipe)),
    ):
        facts.add_row(name, value)
    console.print(facts)
    names = layer_names(network)
    for number, name in enumerate(names):
        common.say("")
        _explain_layer(network, number, name)
    common.say("")
    _explain_memory(network, names)


def _encoder(network: Network) -> str:
    seen = "" if network.pixel_bits == 8 else f", of {network.pixel_bits} bits of each pixel"
    if not isinstance(network.encoder, LatencyEncoder):
        return network.encoder + seen
    levels = (f"pixels from {low} at tick {tick}" for low, tick in network.encoder.levels)
    return f"latency: {', '.join(levels)}{seen}"


def _recipe(recipe: Recipe) -> str:
    crop = f"middle {recipe.crop} x {recipe.crop} pixels, " if recipe.crop else ""
    held_out = f", {recipe.held_out:,} images held out" if recipe.held_out else ""
    ticks = f", at most {recipe.learn_ticks} ticks" if recipe.learn_ticks else ""
    rates = describe_schedule(recipe.schedule)
    return f"{crop}{recipe.epochs} epochs, shift {describe_shift(recipe)}{held_out}{ticks}, learning rate {rates}"


def _explain_layer(network: Network, number: int, name: str) -> None:
    layer = network.layers[number]
    learning = "fixed weights" if layer.rule is None else layer.rule.describe()
    feedback = learner_face(network).feedback(layer)
    common.say(
        f"layer {number + 1} ({name}): {layer.n_neurons} neurons, {network.n_rows(number)} rows of "
        f"{layer.weight_width}-bit weights, {feedback}{learning}"
    )
    for what, keep in (("synapses", layer.synapse_keep), ("neurons", layer.neuron_keep)):
        if keep < 256:
            common.say(f"  keeps {keep}/256 of its {what} (blank-out)")
    common.say(f"  program {layer.program.name!r}:")
    for line in layer.program.describe().splitlines():
        common.say(f"    {line}")


def _explain_memory(network: Network, names: list[str]) -> None:
    bits = network.weight_bits
    each = ", ".join(f"{name} {count:,}" for name, count in zip(names, bits, strict=True))
    common.say(f"synapse memory: {sum(bits):,} bits ({each})")
    table = PlainTable()
    table.add_column("lanes", justify="right")
    for name in names:
        table.add_column(f"{name}: words per row", justify="right")
    table.add_column("bits stored", justify="right")
    table.add_column("padding", justify="right")
    widest = max(layer.n_neurons for layer in network.layers)
    for lanes in (*(count for count in LANES if count < widest), widest):
        hardware = Hardware(lanes=lanes)
        stored = sum(
            network.n_rows(number)
            * hardware.words_of(network, number)
            * hardware.lanes_of(network, number)
            * layer.weight_width
            for number, layer in enumerate(network.layers)
        )
        words = [str(hardware.words_of(network, number)) for number in range(len(network.layers))]
        table.add_row(str(lanes), *words, f"{stored:,}", f"{100 * (1 - sum(bits) / stored):.1f} %")
    common.console().print(table)
