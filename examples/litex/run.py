# SPDX-License-Identifier: BSD-2-Clause
"""Have the processor of a LiteX system teach the array digits, in simulation, and compare all with the model.

python run.py [--network erbp-digits] [--learn 100] [--test 50] [--lanes 16] [--build build]
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

import erbium
from erbium.gen.export import ExportOptions, export
from erbium.sw_model.datasets import load
from erbium.sw_model.distribution import not_installed, pip_install
from erbium.verif.processes import COMPILE_SECONDS, run_within
from erbium.verif.simulators import ToolError
from erbium.verif.verilate import Design, cached_library

HERE = Path(__file__).resolve().parent
PACKAGES = {"litex": "litex", "pythondata_cpu_vexriscv": "pythondata-cpu-vexriscv", "ziglang": "ziglang"}
CLOCK = 50_000_000
MOST_CLOCKS, MOST_SECONDS = 2_000_000_000, 3600
MOST_DIGITS = 1000


class ExampleError(Exception):
    """One sentence for the user."""


@dataclass(frozen=True)
class Digits:
    """What is shown to the array: `n_learned` digits to learn, the others to test it."""

    images: np.ndarray
    labels: np.ndarray
    n_learned: int


@dataclass(frozen=True)
class Outcome:
    """What came of it, of the model or of the system: numbers as text, by what they are."""

    digest: str
    learned: list[str]
    tested: list[str]
    weights: list[list[str]]
    samples: str


def choose(network: erbium.Network, learn: int, test: int) -> Digits:
    """Return digits of the size of the network's input: the first ones of training and test set."""
    data = load(allow_download=False, n_inputs=network.n_inputs)
    if data.n_pixels != network.n_inputs:
        raise ExampleError(
            f"{network.name} has {network.n_inputs} inputs, and the digits of {data.name} have {data.n_pixels} pixels; "
            "name a network for them, such as erbp-digits or erbp-mnist-100"
        )
    for what, count, split in (("--learn", learn, data.train), ("--test", test, data.test)):
        most = min(MOST_DIGITS, len(split.labels))
        if not 1 <= count <= most:
            raise ExampleError(f"{what} is {count}; it must be from 1 to {most}")
    images = np.concatenate([data.train.images[:learn], data.test.images[:test]])
    labels = np.concatenate([data.train.labels[:learn], data.test.labels[:test]])
    return Digits(images.reshape(len(images), -1), labels, learn)


def model(network: erbium.Network, digits: Digits) -> Outcome:
    """Do it with the model in Python."""
    learned, tested = slice(None, digits.n_learned), slice(digits.n_learned, None)
    with erbium.open_chip(network) as chip:
        results = [
            chip.learn(digits.images[learned], digits.labels[learned]),
            chip.infer(digits.images[tested]),
        ]
        said = [
            [f"{answer}:{ticks}" for answer, ticks in zip(part.answers, part.ticks, strict=True)]
            for part in results
        ]
        weights = [[str(number), *map(str, row)] for number, rows in enumerate(chip.weights) for row in rows]
    return Outcome(network.digest, *said, weights, str(len(digits.labels)))


def build(network: erbium.Network, lanes: int, folder: Path) -> Path:
    """Export the array, generate the system around it, and compile its simulation; return the library."""
    from soc import generate

    export(
        network,
        erbium.Hardware(lanes=lanes),
        folder,
        ExportOptions(name="erbium", bus="wishbone", clock=CLOCK),
    )
    sources = generate(folder / "erbium.json", CLOCK, folder)
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    # LiteX writes the time into its comments.
    key = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    harness = HERE / "simulate.cpp"
    design = Design("soc", "Vsoc", lambda: text, harness, {})
    return cached_library(design, "litex", "soc", (key, harness.read_text(encoding="utf-8")))


def firmware(network: erbium.Network, digits: Digits, folder: Path) -> None:
    """Compile the firmware with the digits in it, and write it where the ROM is read from."""
    import soc
    from litex.soc.integration import soc_core

    text = ",\n".join("    { " + ", ".join(map(str, image)) + " }" for image in digits.images.tolist())
    lines = [
        "#include <stdint.h>",
        f"#define LEARNED {digits.n_learned}",
        f"#define TESTED {len(digits.labels) - digits.n_learned}",
        f"#define LARGEST_ROW {max(layer.n_neurons for layer in network.layers)}",
        f"static const uint8_t digits[][{network.n_inputs}] = {{\n{text}\n}};",
        f"static const uint8_t labels[] = {{ {', '.join(map(str, digits.labels.tolist()))} }};",
    ]
    (folder / "digits.h").write_text("\n".join(lines) + "\n", encoding="utf-8")
    zig = [sys.executable, "-m", "ziglang"]
    options = ["-std=gnu99", "-O2", "-ffreestanding", "-nostdlib", "-fno-sanitize=undefined"]
    options += ["-Wall", "-Wextra", "-Werror"]
    include = folder / "include"
    places = [f"-I{include}", f"-I{folder}", *(f"-isystem{place}" for place in soc.SOFTWARE)]
    sources = [soc.START, HERE / "firmware" / "main.c", "-T", HERE / "firmware" / "linker.ld"]
    target = ["--target=riscv32-freestanding-none", "-mcpu=generic_rv32+m"]
    elf, binary = folder / "firmware.elf", folder / "firmware.bin"
    # In this folder the linker finds what its script includes.
    _call("zig cc", COMPILE_SECONDS, [*zig, "cc", *target, *options, *places, *sources, "-o", elf], include)
    _call("zig objcopy", COMPILE_SECONDS, [*zig, "objcopy", "-O", "binary", elf, binary], folder)
    words = soc_core.get_mem_data(str(binary), data_width=32, endianness="little")
    (folder / "soc_rom.init").write_text("".join(f"{word:08x}\n" for word in words), encoding="ascii")


def simulate(library: Path, folder: Path) -> tuple[Outcome, int]:
    """Run the system until its firmware has come to an end; return what it said, and the clocks it took.

    In a process of its own, which can be stopped, and in the folder in which its memories find their contents.
    """
    program = "import ctypes, sys; sys.exit(ctypes.CDLL(sys.argv[1]).simulate(ctypes.c_ulonglong(int(sys.argv[2]))))"
    command = [sys.executable, "-c", program, library, str(MOST_CLOCKS)]
    text = _call("the simulation", MOST_SECONDS, command, folder)
    said: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        name, *words = line.split() or [""]
        said.setdefault(name, []).append(words)
    if "error" in said:
        raise ExampleError(f"the firmware says: {' '.join(said['error'][0])}")
    try:
        ((digest,),), (learned,), (tested,), ((samples,),), ((clocks,),) = (
            said[name] for name in ("digest", "learned", "tested", "samples", "clocks")
        )
    except (KeyError, ValueError):
        raise ExampleError(
            f"the firmware says what is no outcome; it is in {folder}: {text[:200]!r}"
        ) from None
    return Outcome(digest, learned, tested, said.get("row", []), samples), int(clocks)


def differences(expected: Outcome, found: Outcome) -> list[str]:
    """Return what differs, a sentence each."""
    wrong = []
    for name in ("digest", "samples"):
        if getattr(expected, name) != getattr(found, name):
            wrong.append(f"{name} is {getattr(found, name)} and not {getattr(expected, name)}")
    for what in ("learned", "tested"):
        pairs = zip_longest(getattr(expected, what), getattr(found, what))
        wrong += [f"{what} digit {n} gives {b} and not {a}" for n, (a, b) in enumerate(pairs) if a != b]
    rows = enumerate(zip_longest(expected.weights, found.weights, fillvalue=[]))
    wrong += [
        f"row {n}, weight {k} is {b} and not {a}"
        for n, (mine, theirs) in rows
        for k, (a, b) in enumerate(zip_longest(mine[1:], theirs[1:]))
        if a != b or mine[:1] != theirs[:1]
    ]
    return wrong


def _call(what: str, seconds: float, command: Sequence[str | Path], folder: Path) -> str:
    done = run_within(seconds, command, folder)
    if done.returncode:
        raise ExampleError(f"{what} failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def main(words: Sequence[str] | None = None) -> int:
    """Do it all; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="erbp-digits", help="a preset for digits (default: erbp-digits)")
    parser.add_argument("--learn", type=int, default=100, help="digits that are learned (default: 100)")
    parser.add_argument("--test", type=int, default=50, help="digits that are tested (default: 50)")
    parser.add_argument("--lanes", type=int, default=16, help="lanes of the array (default: 16)")
    parser.add_argument("--build", type=Path, default=HERE / "build", help="folder to work in")
    asked = parser.parse_args(words)
    try:
        if missing := not_installed(*PACKAGES):
            hint = pip_install(*(PACKAGES[name] for name in missing))
            raise ExampleError(f"not installed: {', '.join(missing)}; get it with: {hint}")
        network = erbium.preset(asked.network).network
        digits = choose(network, asked.learn, asked.test)
        folder = asked.build.resolve()
        _make(folder)
        logging.disable(logging.INFO)  # LiteX tells of every part
        print("Building the system; this takes about half a minute.", flush=True)
        library = build(network, asked.lanes, folder)
        firmware(network, digits, folder)
        found, clocks = simulate(library, folder)
    except (ExampleError, ToolError, ValueError, OSError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    wrong = differences(model(network, digits), found)
    for sentence in wrong[:5]:
        print(f"FAIL: {sentence}")
    if wrong:
        print(f"FAIL: {len(wrong)} differences between the system and the model")
        return 1
    n_weights = sum(len(row) - 1 for row in found.weights)
    labels = digits.labels[digits.n_learned :].tolist()
    right = sum(
        answer.split(":")[0] == str(label) for answer, label in zip(found.tested, labels, strict=True)
    )
    print(
        f"{asked.learn} digits learned and {asked.test} tested, {right} of these right, in {clocks:,} clocks"
    )
    print(f"PASS: all answers, all ticks and {n_weights:,} weights are those of the model")
    return 0


def _make(folder: Path) -> None:
    """Make the folder to work in; one that holds what is not of this program is left alone."""
    mark = folder / ".made-by-run.py"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise ExampleError(f"{folder} holds other files; name an empty folder with --build")
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()


if __name__ == "__main__":
    sys.exit(main())
