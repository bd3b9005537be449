# SPDX-License-Identifier: BSD-2-Clause
"""What several commands share: options, and how a network is named on the command line."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem
from rich.console import Console

from erbium.chip import BACKENDS, BOARD_BACKENDS, SIMULATOR_BACKENDS
from erbium.gen.presets import PRESETS, Preset, Recipe, preset
from erbium.silence import Silence
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets.download import REMOTES
from erbium.sw_model.datasets.sources import BUNDLED
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError

F = TypeVar("F", bound=Callable[..., Any])

RESUME_OR_OVERWRITE = "--resume carries a run on and --overwrite starts it over; give one of them"

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


def console() -> Console:
    """Return the console for results: as wide as the terminal, or as the tables where there is none."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 240
    return console


def examples(*lines: str) -> str:
    """Return the end of a help page that shows command lines."""
    # click wraps everything but paragraphs that begin with this character.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def say(text: str) -> None:
    """Print a sentence, in one line however long it is."""
    click.echo(text)


def json_option(function: F) -> F:
    """Add the option ``--json``; ``docs/json.md`` has what is printed."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")(function)


def say_json(value: object) -> None:
    """Print JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def tell_silence(silent: Silence) -> None:
    """Say on stderr which populations did not spike, if that matters."""
    if sentence := silent.sentence():
        click.echo(f"erbium: {sentence}", err=True)


def _completion(names: Callable[[], Iterable[str]]) -> Callable[..., list[CompletionItem]]:
    """Return what offers names to TAB, and files besides."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names() if name.startswith(begun)]
        return found or [CompletionItem(begun, type="file")]

    return complete


def _board_names() -> Iterable[str]:
    from erbium.fpga.boards import BOARDS

    return BOARDS


complete_network = _completion(lambda: PRESETS)
complete_board = _completion(_board_names)
complete_data = _completion(lambda: (*BUNDLED, *REMOTES))


def backend_option(default: str) -> Callable[[F], F]:
    """Return the option ``--backend``."""
    listing = "; ".join(
        f"'{name}': {about}" for name, about in (BACKENDS | SIMULATOR_BACKENDS | BOARD_BACKENDS).items()
    )
    return click.option(
        "--backend",
        default=default,
        show_default=True,
        metavar="NAME",
        help=f"What runs the array. {listing}.",
    )


def lanes_option(function: F) -> F:
    """Add the option ``--lanes``."""
    return click.option(
        "--lanes",
        type=int,
        default=64,
        show_default=True,
        help="Synapses that the hardware processes per clock. Changes speed and size, never a result.",
    )(function)


def report_sample_option(function: F) -> F:
    """Add the option ``--report-sample``."""
    return click.option(
        "--report-sample",
        type=int,
        default=0,
        show_default=True,
        metavar="N",
        help="Test image that the report shows from inside.",
    )(function)


def overwrite_option(function: F) -> F:
    """Add the option ``--overwrite``: without it no command replaces what is there."""
    return click.option("--overwrite", is_flag=True, help="Replace what is there already.")(function)


def data_option(function: F) -> F:
    """Add the option ``--data``."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        shell_complete=complete_data,
        metavar="DIR|NAME",
        help="Folder with the four files of a data set in MNIST's IDX form, gzipped or not; 'mnist' or "
        "'fashion-mnist' for a download; 'digits' for the 8x8 digits that come along, 'tiny-digits' for four of "
        "them at 4x4 pixels, 'mnist-12000' for 12,000 images of MNIST. Without it: $ERBIUM_DATA, else what the network "
        "was made for: the digits for 64 inputs, the tiny ones for 16, else a download of MNIST, else those 12,000.",
    )(function)


def hidden_option(function: F) -> F:
    """Add the option ``--hidden``."""
    return click.option(
        "--hidden",
        callback=parse_sizes,
        metavar="SIZES",
        help="Other hidden layers, such as 100 or 200,100; inputs and classes then follow the data.",
    )(function)


def named_network(name: str) -> Preset:
    """Return what the user calls `name`: a preset, or a file with a network description.

    Raises
    ------
    DescriptionError
        If it is neither.
    """
    path = Path(name)
    if name in PRESETS:
        return preset(name)
    if path.suffix == ".json" or path.is_file():
        return network_file(path)
    raise DescriptionError(
        f"there is no preset {name!r} and no file of that name; there are {', '.join(PRESETS)}, and "
        "'erbium show PRESET --json' writes a description to start a file from"
    )


def network_or_trained(name: str) -> tuple[Network, list[Array] | None]:
    """Return the network that the user calls `name`, and its weights if that is a checkpoint.

    Raises
    ------
    DescriptionError
        If it is neither a preset, nor a description, nor a checkpoint.
    CheckpointError
        If it is a checkpoint that cannot be used.
    """
    path = Path(name)
    if is_checkpoint(name):
        from erbium.checkpoint import Checkpoint

        saved = Checkpoint.load(path)
        return saved.network, saved.weights
    return named_network(name).network, None


def is_checkpoint(name: str) -> bool:
    """Whether the user means a checkpoint by `name`, and neither a preset nor a description."""
    path = Path(name)
    return name not in PRESETS and (path.suffix == ".npz" or _is_zip(path))


def _is_zip(path: Path) -> bool:
    """Whether a file is a zip archive, as checkpoints are, whatever its name."""
    return path.is_file() and zipfile.is_zipfile(path)


def network_file(path: Path) -> Preset:
    """Read a network description; it is trained by the usual recipe."""
    if _is_zip(path):
        raise DescriptionError(
            f"{path} is an archive and no network description; a checkpoint goes to 'erbium eval', 'export', "
            "'verilog', 'build', 'flash' and 'wave' as it is, to 'train' and 'run' by --checkpoint with --resume, and "
            "to 'train' by --init"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DescriptionError(
            f"{path} is no text; a network description is JSON as 'erbium show PRESET --json' prints it"
        ) from None
    try:
        network = Network.from_json(text)
    except DescriptionError as error:
        raise DescriptionError(f"{path}: {error}") from None
    return Preset(network, Recipe.usual(network), f"Read from {path}.")


def parse_sizes(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Read layer sizes such as ``100,50``."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a list of layer sizes; write it as 100 or 200,100"
        ) from None
