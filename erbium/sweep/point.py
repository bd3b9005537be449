# SPDX-License-Identifier: BSD-2-Clause
"""One point of a sweep: a network, how it is trained, built, broken and asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from erbium.commands.common import named_network
from erbium.fpga.boards import board
from erbium.gen.presets import SCHEDULES, Preset, Recipe
from erbium.gen.resize import resized
from erbium.sw_model import datasets
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.datasets.sources import BUNDLED
from erbium.sw_model.faults import Faults
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sweep.axes import Settings, Value
from erbium.train import MAX_IMAGES, check_fits

FORMAT = 2
"""Part of each key: a change of what is measured makes another key, so that old results are not taken for it."""

ONSETS = ("learning", "inference")

T = TypeVar("T")


@dataclass(frozen=True)
class Ask:
    """How a trained network is asked.

    Parameters
    ----------
    ticks : int
        Longest presentation, 0 for the network's.
    decide_after : int
        Output spikes that settle an inference; -1 for the network's.
    images : int
        The first so many images of a split; 0 for all.
    test : bool
        Whether the test images are asked, too.
    """

    ticks: int = 0
    decide_after: int = -1
    images: int = 0
    test: bool = False

    def __post_init__(self) -> None:
        check_range("eval.ticks", self.ticks, 0, 4096, "; 0 is the network's longest presentation")
        check_range("eval.decide_after", self.decide_after, -1, 4096, "; -1 is the network's")
        check_range("eval.images", self.images, 0, MAX_IMAGES, "; 0 is all of them")
        if not isinstance(self.test, bool):
            raise DescriptionError(f"eval.test is {self.test!r}; it must be true or false")


@dataclass(frozen=True)
class Build:
    """Whether and how a bitstream is built.

    Parameters
    ----------
    board : str
        Name of a board; empty for no bitstream.
    clock : float
        MHz to reach, 0 for the board's.
    seed : int
        Of the placer.
    """

    board: str = ""
    clock: float = 0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.board:
            board(self.board)
        if (
            isinstance(self.clock, bool)
            or not isinstance(self.clock, int | float)
            or not 0 <= self.clock <= 400
        ):
            raise DescriptionError(
                f"build.clock is {self.clock!r}; it must be from 0 to 400 MHz, 0 for the board's"
            )
        check_range("build.seed", self.seed, 0, (1 << 31) - 1)


@dataclass(frozen=True)
class Point:
    """Everything that decides what is measured at a point.

    Attributes
    ----------
    settings : dict
        What the sweep says of it.
    network : Network
    recipe : Recipe
    n_learn : int
        Images to learn.
    faults : Faults
    onset : str
        ``"learning"``: the chip is broken from the start; ``"inference"``: when it has learned.
    hardware : Hardware
    lanes : int, optional
        Lanes that the sweep asks for; without, a build takes the planner's.
    ask : Ask
    build : Build
    count_cycles : bool
        Whether cycles are counted on the simulated Verilog.
    data : str
        Digest of the data set.
    """

    settings: Settings
    network: Network
    recipe: Recipe
    n_learn: int
    faults: Faults
    onset: str
    hardware: Hardware
    lanes: int | None
    ask: Ask
    build: Build
    count_cycles: bool
    data: str

    @property
    def learning_faults(self) -> Faults:
        """What is broken while the chip learns."""
        return self.faults if self.onset == "learning" else Faults()

    @property
    def training_key(self) -> str:
        """Names the weights: points with the same key learn the same."""
        return _digest(self._training())

    @property
    def key(self) -> str:
        """Names the point by its content: equal points have equal keys, whatever sweep they belong to."""
        content = self._training() | {
            "faults": _content(self.faults),
            "onset": self.onset if self.faults else "",
            "hardware": asdict(self.hardware),
            "lanes": self.lanes,
            "ask": asdict(self.ask),
            "build": asdict(self.build) if self.build.board else None,
            "count_cycles": self.count_cycles,
        }
        return _digest(content)

    def _training(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "network": self.network.digest,
            "recipe": asdict(replace(self.recipe, epochs=1)),  # their number is in that of the images
            "n_learn": self.n_learn,
            "learning_faults": _content(self.learning_faults),
            "data": self.data,
        }


def _content(faults: Faults) -> dict[str, Any] | None:
    return asdict(faults) if faults else None


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Base:
    """What the settings of a sweep start from.

    Parameters
    ----------
    network : str
        A preset or a file.
    dataset : Dataset
    ask : Ask
    build : Build
    count_cycles : bool
    """

    network: str
    dataset: Dataset
    ask: Ask = field(default_factory=Ask)
    build: Build = field(default_factory=Build)
    count_cycles: bool = False


PLAIN = {
    "network": "a preset, or a file with a description; one of several networks",
    "hidden": "sizes of the hidden layers, such as 100 or 200-200; inputs and classes follow the data",
    "images": "images to learn, in place of whole epochs",
}
GROUPS: dict[str, tuple[type[Any], str]] = {
    "recipe": (Recipe, "how it is trained"),
    "hardware": (Hardware, "how the array is built"),
    "faults": (Faults, "what is broken; faults.onset is 'learning' (from the start) or 'inference'"),
    "eval": (Ask, "how it is asked when it has learned"),
    "build": (Build, "the bitstream"),
}


def resolve(base: Base, settings: Settings) -> Point:
    """Return the point that settings describe.

    Raises
    ------
    DescriptionError, DatasetError
        If there is no such field, or nothing can be built or trained like that.
    """
    rest = dict(settings)
    preset = _named(str(rest.pop("network", base.network)))
    groups: dict[str, Settings] = {name: {} for name in GROUPS}
    for name in list(rest):
        group, dot, below = name.partition(".")
        if dot and group in GROUPS:
            groups[group][below] = rest.pop(name)
    onset = groups["faults"].pop("onset", "learning")
    if onset not in ONSETS:
        raise DescriptionError(f"faults.onset is {onset!r}; it must be 'learning' or 'inference'")
    recipe = _with(preset.recipe, "recipe", _named_schedule(groups["recipe"]))
    dataset = _view(base.dataset, recipe)
    n_learn = rest.pop("images", recipe.epochs * len(dataset.train))
    check_range("images", n_learn, 1, MAX_IMAGES)
    network = preset.network
    if "hidden" in rest:
        network = resized(network, _sizes(rest.pop("hidden")), dataset.n_pixels, dataset.n_classes)
    network = _with(network, "", rest)
    check_fits(
        network, dataset, "fit the network to the data with hidden=SIZES, or name other data with --data"
    )
    ask = _with(base.ask, "eval", groups["eval"])
    if ask.ticks:
        check_range("eval.ticks", ask.ticks, 1, network.n_ticks, ", the network's longest presentation")
    most, why = network.error.decide_limit(network.n_ticks)
    check_range("eval.decide_after", ask.decide_after, -1, most, why)
    lanes = groups["hardware"].get("lanes")
    assert isinstance(n_learn, int)
    return Point(
        settings=settings,
        network=network,
        recipe=recipe,
        n_learn=n_learn,
        faults=_with(Faults(), "faults", groups["faults"]),
        onset=str(onset),
        hardware=_with(Hardware(), "hardware", groups["hardware"]),
        lanes=lanes if isinstance(lanes, int) else None,
        ask=ask,
        build=_with(base.build, "build", groups["build"]),
        count_cycles=base.count_cycles,
        data=base.dataset.digest,
    )


@lru_cache(maxsize=32)
def _named(name: str) -> Preset:
    return named_network(name)


@lru_cache(maxsize=4)
def _view(dataset: Dataset, recipe: Recipe) -> Dataset:
    return recipe.view(dataset, "name larger data with --data, or set recipe.crop and recipe.held_out")


def _named_schedule(settings: Settings) -> Settings:
    name = settings.get("schedule")
    if name is None:
        return settings
    if name not in SCHEDULES:
        raise DescriptionError(f"recipe.schedule is {name!r}; it must be one of {', '.join(SCHEDULES)}")
    return {**settings, "schedule": SCHEDULES[str(name)]}


def _sizes(value: Value) -> tuple[int, ...]:
    try:
        parts = value if isinstance(value, tuple) else str(value).split("-")
        return tuple(int(part) for part in parts)
    except ValueError:
        raise DescriptionError(f"hidden is {value!r}; write sizes as 100 or 200-200") from None


def _with(part: T, group: str, settings: Settings) -> T:
    """Return a description with some of its fields set: all at once, since one may need the other."""
    prefix = f"{group}." if group else ""
    return _changed(part, [(name.split("."), value) for name, value in settings.items()], prefix)


def _changed(part: T, changes: Sequence[tuple[list[str], Any]], prefix: str) -> T:
    """Return a description, or a tuple of them, with what is at some paths replaced."""
    below: dict[str, list[tuple[list[str], Any]]] = {}
    for (name, *rest), value in changes:
        for place in _places(part, name, prefix):
            below.setdefault(place, []).append((rest, value))
    made = {place: _value(part, place, found, prefix) for place, found in below.items()}
    if isinstance(part, tuple):
        return tuple(made.get(str(number), item) for number, item in enumerate(part))  # type: ignore[return-value]
    return replace(part, **made)  # type: ignore[type-var]


def _places(part: object, name: str, prefix: str) -> list[str]:
    """Return what a word of a path names: a field, an item, or all items."""
    if isinstance(part, tuple):
        numbers = [str(number) for number in range(len(part))]
        if name != "*" and name not in numbers:
            raise DescriptionError(
                f"there is no {prefix + name!r}; {name!r} must be a number from 0 to {len(part) - 1}, or '*' for all"
            )
        return numbers if name == "*" else [name]
    known = [item.name for item in fields(part) if item.init] if is_dataclass(part) else []
    if name not in known:
        others = f"; there are {', '.join(known)}" if known else ""
        raise DescriptionError(
            f"there is no field {prefix + name!r} to sweep{others}; 'erbium sweep --fields' lists all"
        )
    return [name]


def _value(part: Any, place: str, changes: Sequence[tuple[list[str], Any]], prefix: str) -> Any:
    """Return what comes to one place."""
    now = part[int(place)] if isinstance(part, tuple) else getattr(part, place)
    here = prefix + place
    inside = is_dataclass(now) or (isinstance(now, tuple) and bool(now) and is_dataclass(now[0]))
    if any(rest for rest, _ in changes):
        if not inside:
            raise DescriptionError(
                f"there is no field '{here}.{'.'.join(next(rest for rest, _ in changes if rest))}' to sweep; "
                f"{here!r} is a value"
            )
        now = _changed(now, [change for change in changes if change[0]], f"{here}.")
    if any(not rest for rest, _ in changes):
        if inside:
            raise DescriptionError(
                f"{here!r} has fields of its own; set one of those, as 'erbium sweep --fields' lists them"
            )
        now = changes[-1][1]
    return now


def describe_fields(name: str) -> list[tuple[str, str]]:
    """Return the fields that can be swept of a network, each with its value or what it is."""
    preset = named_network(name)
    found = list(PLAIN.items())
    found += [(path, str(value)) for path, value in _leaves(preset.network, "") if path != "name"]
    for group, (kind, _) in GROUPS.items():
        part = preset.recipe if kind is Recipe else kind()
        for path, value in _leaves(part, f"{group}."):
            if path == "recipe.schedule":
                value = next((key for key, known in SCHEDULES.items() if known == value), "its own")
            found.append((path, str(value)))
    found.append(("faults.onset", "learning"))
    return found


def _leaves(part: Any, path: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for item in fields(part):
        value = getattr(part, item.name)
        if not item.init or item.name == "operations":
            continue
        if is_dataclass(value):
            found += _leaves(value, f"{path}{item.name}.")
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for number, below in enumerate(value):
                found += _leaves(below, f"{path}{item.name}.{number}.")
        else:
            found.append((f"{path}{item.name}", value))
    return found


@lru_cache(maxsize=2)
def load_data(data: str | None, digest: str) -> Dataset:
    """Return the data set of a sweep, as it is where this runs.

    Parameters
    ----------
    data : str or None
        What ``--data`` or the environment said where the sweep was started.
    digest : str

    Raises
    ------
    DescriptionError
        If it is another one here.
    """
    named = None if data is None or (data not in BUNDLED and not Path(data).exists()) else Path(data)
    dataset = datasets.load(named)
    if dataset.digest != digest:
        raise DescriptionError(
            f"a worker found {dataset.name} with digest {dataset.digest} as its data and the sweep has {digest}; put "
            "the same files in the same folder everywhere, or set ERBIUM_DATA for the workers"
        )
    return dataset
