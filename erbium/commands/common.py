# SPDX-License-Identifier: BSD-2-Clause
"""What several commands share: options, and how a network is named on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from erbium.chip import BACKENDS, BOARD_BACKENDS
from erbium.gen.presets import LINEAR, PRESETS, Preset, Recipe, preset
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError

F = TypeVar("F", bound=Callable[..., Any])

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


def backend_option(default: str) -> Callable[[F], F]:
    """Return the option ``--backend``."""
    listing = "; ".join(f"'{name}': {about}" for name, about in (BACKENDS | BOARD_BACKENDS).items())
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


def data_option(function: F) -> F:
    """Add the option ``--data``."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder with the four files of a data set in MNIST's IDX form, gzipped or not; "
        "'digits' for the 8x8 digits that come along. Without it: $ERBIUM_DATA, else a download of MNIST, "
        "else the digits.",
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


def network_file(path: Path) -> Preset:
    """Read a network description; it is trained by the usual recipe."""
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
    recipe = Recipe(schedule=LINEAR) if network.is_first_spike else Recipe()
    return Preset(network, recipe, f"Read from {path}.")


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


def with_hidden(network: Network, sizes: tuple[int, ...], dataset: Dataset) -> Network:
    """Return `network` with other hidden layers, and with inputs and classes as the data has them.

    All else stays: programs, rules, widths, blank-out. The hidden layers that were there are the patterns of
    the new ones, the last one of any further ones.
    """
    *hidden, output = network.layers
    if not hidden:
        raise DescriptionError(
            f"--hidden takes the hidden layers of network {network.name!r} as patterns and it has none; "
            "start from another preset"
        )
    if network.is_first_spike and len(sizes) != len(hidden):
        # Nobody can take a threshold over to a layer with other inputs.
        raise DescriptionError(
            f"--hidden asks for {len(sizes)} hidden layers and the thresholds of network {network.name!r} are made "
            f"for {len(hidden)}; give as many sizes, or change the description that 'erbium show PRESET --json' "
            "prints"
        )
    layers = []
    for number, size in enumerate(sizes):
        layer = hidden[min(number, len(hidden) - 1)]
        if number > 0 and len(hidden) == 1:
            # As in the presets: later hidden layers start smaller and learn at half the rate of the first.
            layer = replace(layer, gain=layer.gain // 2, weight_bound=min(layer.weight_bound, 16))
        if dataset.n_classes % 2 and layer.feedback == "sign":
            # Feedback of +1 and -1 adds up to 0 over an even number of classes only.
            layer = replace(layer, feedback="wide", gain=layer.gain * 2 // 3)
        layers.append(replace(layer, n_neurons=size))
    shape = (dataset.n_pixels, *sizes, dataset.n_classes)
    return replace(
        network,
        name=f"{'first-spike' if network.is_first_spike else 'erbp'}-{'-'.join(map(str, shape))}",
        n_inputs=dataset.n_pixels,
        layers=(*layers, replace(output, n_neurons=dataset.n_classes)),
    )
