# SPDX-License-Identifier: BSD-2-Clause
"""``erbium nir``: networks in and out, in the form that other frameworks read and write."""

from __future__ import annotations

from pathlib import Path

import click

from erbium.commands import common
from erbium.gen.files import check_free, write_text
from erbium.nir.incoming import Imported, as_graph, from_nir, parts_of
from erbium.nir.layered import GATES, LEARNS, Learning, as_network
from erbium.nir.options import ENCODERS, RESETS, Options
from erbium.nir.report import Report
from erbium.sw_model.constants import Array
from erbium.sw_model.description import codec
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError
from erbium.tables import PlainTable


@click.group(
    invoke_without_command=True,
    short_help="Bring networks in from other frameworks, and take them there.",
    epilog=common.examples(
        "erbium nir export erbp-mnist-200 -o net.nir",
        "erbium nir import net.nir -o net.npz",
    ),
)
@click.pass_context
def nir(context: click.Context) -> None:
    """Networks as NIR, which snnTorch, Norse, SpikingJelly and others read and write.

    Needs the package 'nir'.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@nir.command(
    "export",
    short_help="Write a network as a NIR graph.",
    epilog=common.examples(
        "erbium nir export erbp-mnist-200 -o net.nir",
        "erbium nir export run.npz -o trained.nir",
        "erbium nir export graph.json -o graph.nir",
    ),
)
@click.argument("network", metavar="PRESET|FILE|CHECKPOINT", shell_complete=common.complete_network)
@click.option("-o", "--output", type=common.FILE, required=True, metavar="FILE", help="File to write to.")
@common.overwrite_option
@common.json_option
def export(network: str, output: Path, overwrite: bool, as_json: bool) -> None:
    """Write a network as a NIR graph, with its integers as metadata: 'erbium nir import' brings the same one back.

    FILE is a description of layers or a graph; of a checkpoint, the weights are those that it has learned.
    """
    from erbium.nir import files
    from erbium.nir.outgoing import to_nir

    check_free(output, overwrite=overwrite)
    described, weights = _described(network)
    made = to_nir(described, weights)
    files.write(output, made.graph)
    digest = codec.digest_of(described)
    if as_json:
        facts = {"file": str(output), "network": described.name, "digest": digest, "notes": made.notes}
        common.say_json(facts | {"nodes": {n: type(node).__name__ for n, node in made.graph.nodes.items()}})
        return
    for note in made.notes:
        common.say(note)
    common.say(f"{described.name} (digest {digest}) is in {output}: {len(made.graph.nodes)} nodes")


def _described(name: str) -> tuple[Network | Graph, list[Array] | None]:
    """Return a network in either form, and its weights if it is a checkpoint."""
    path = Path(name)
    text = path.read_text("utf-8", errors="replace") if path.suffix == ".json" and path.is_file() else ""
    if codec.holds_graph(text):
        try:
            return codec.from_json(text), None
        except DescriptionError as error:
            raise DescriptionError(f"{path}: {error}") from None
    return common.network_or_trained(name)


@nir.command(
    "import",
    short_help="Bring a NIR graph in.",
    epilog=common.examples(
        "erbium nir import net.nir -o net.npz",
        "erbium nir import net.nir -o net.json --dt 1e-3 --encoder phase",
        "erbium nir import net.nir -o net.npz --reset subtract --late-reset --ticks 16",
    ),
)
@click.argument("file", type=common.FILE)
@click.option(
    "-o",
    "--output",
    type=common.FILE,
    required=True,
    metavar="FILE",
    help="NAME.npz: layers in a row as a checkpoint, which every command takes and which learns on. NAME.json: a graph "
    "with its weights, whatever its form.",
)
@click.option(
    "--dt",
    type=float,
    metavar="SECONDS",
    help="Length of a tick; default is what the graph says, else 1e-4, as snnTorch writes it.",
)
@click.option("--width", type=int, default=8, show_default=True, help="Bits of a weight, 4 to 16.")
@click.option("--ticks", type=int, default=32, show_default=True, metavar="T", help="Longest sample.")
@click.option(
    "--encoder",
    type=click.Choice(ENCODERS),
    default="bernoulli",
    show_default=True,
    help="What makes spikes of the values at the input.",
)
@click.option(
    "--reset",
    type=click.Choice(RESETS),
    default="value",
    show_default=True,
    help="What a spike does: sets the membrane to v_reset, as NIR has it, or subtracts the threshold.",
)
@click.option(
    "--late-reset",
    is_flag=True,
    help="The reset comes a tick after the spike, as snnTorch subtracts unless reset_delay=False.",
)
@click.option(
    "--learn",
    type=click.Choice(LEARNS),
    default="all",
    show_default=True,
    help="Of a checkpoint: the layers that can learn on.",
)
@click.option(
    "--rate",
    type=float,
    default=1.0,
    show_default=True,
    help="Of a checkpoint: full learning rate, in that of the presets.",
)
@click.option(
    "--gate",
    type=click.Choice(list(GATES)),
    default="near",
    show_default=True,
    help="Of a checkpoint: hidden neurons that learn, near their threshold or all.",
)
@click.option("--name", default="imported", show_default=True, help="Name of the network.")
@common.overwrite_option
@common.json_option
def bring_in(
    file: Path,
    output: Path,
    dt: float | None,
    width: int,
    ticks: int,
    encoder: str,
    reset: str,
    late_reset: bool,
    learn: str,
    rate: float,
    gate: str,
    name: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Bring a NIR graph in, and report each number that was rounded.

    A graph that Erbium has exported comes back as it was; the options are for those of other frameworks.
    """
    from erbium.nir import files, metadata

    if output.suffix not in (".json", ".npz"):
        raise click.UsageError(
            f"-o is '{output}'; it must end in .npz (layers that learn on) or .json (any graph)"
        )
    options = Options(dt, width, ticks, encoder, reset, late_reset)  # type: ignore[arg-type]
    learning = Learning(learn, rate, gate)  # type: ignore[arg-type]
    check_free(output, overwrite=overwrite)
    graph = files.read(file)
    try:
        if metadata.FIELD in graph.metadata:
            found = from_nir(graph)
        else:
            parts = parts_of(graph, options, name)
            if output.suffix == ".npz":
                found = Imported(*as_network(parts, learning), parts.report)
            else:
                found = Imported(as_graph(parts), None, parts.report)
        _write(found, output)
    except DescriptionError as error:
        raise DescriptionError(f"{file}: {error}") from None
    if as_json:
        description = found.description
        facts = {"file": str(output), "network": description.name, "digest": codec.digest_of(description)}
        common.say_json(facts | found.report.to_dict())
    else:
        _show(found.report)
        common.say(f"{found.description.name} (digest {codec.digest_of(found.description)}) is in {output}")


def _write(found: Imported, output: Path) -> None:
    description = found.description
    if output.suffix == ".npz":
        if isinstance(description, Graph):
            raise DescriptionError(
                f"the graph is no row of layers, which a checkpoint holds; name -o {output.with_suffix('.json')}"
            )
        from erbium.checkpoint import Checkpoint

        Checkpoint.untrained(description, found.weights).save(output)
    elif isinstance(description, Graph):
        write_text(output, codec.to_json(description))
    elif found.weights is None:
        write_text(output, description.to_json())
    else:
        raise DescriptionError(
            f"the graph holds weights that layers in a row have learned, and their description holds none; name -o "
            f"{output.with_suffix('.npz')}"
        )


def _show(report: Report) -> None:
    """Print what was rounded."""
    if report.changes:
        table = PlainTable()
        for heading in ("node", "number", "in the graph", "on the chip", "error", ""):
            table.add_column(
                heading,
                justify="right" if heading in ("in the graph", "on the chip", "error") else "left",
                no_wrap=bool(heading),
            )
        for change in report.changes:
            cells = [f"{value:.6g}" for value in (change.asked, change.got)]
            table.add_row(change.node, change.what, *cells, f"{change.error:+.2g}", change.note)
        common.console().print(table)
    for note in report.notes:
        common.say(note)
