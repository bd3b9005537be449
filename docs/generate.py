# SPDX-License-Identifier: BSD-2-Clause
"""The pages that are made from the sources whenever the documentation is built, so that they cannot be out of date.

``components``, ``verification``, ``proofs``, ``mutants``, ``coverage``, ``parameters``, ``commands`` and ``api``,
written into ``docs/generated``.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
from sphinx.application import Sphinx

import erbium
from erbium.cli import cli
from erbium.gen.presets import PRESETS, Recipe
from erbium.sw_model import network, programs, rules
from erbium.verif.formal.table import PROOFS
from erbium.verif.mutants.table import OTHERS
from erbium.verif.registry import COVERED_BY, REGISTRY, Entry

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT / "docs") not in sys.path:
    sys.path.append(str(ROOT / "docs"))
evidence = importlib.import_module("evidence")

GROUPS: dict[str, tuple[str, ...]] = {
    "The array": ("ErbiumChip", "FrameChip", "ErbiumArray"),
    "Input": ("SampleBuffer", "PixelMemory", "Encoder"),
    "Layers": ("LayerEngine", "LayerControl", "LayerPipeline", "LaneGroup", "NeuronUnit", "SpikeSerializer"),
    "Learning": ("FeedbackGate", "FeedbackPort", "CausalFifo", "SignPopcount"),
    "Output": ("PredictionUnit", "FirstSpikePrediction"),
    "The core": (
        "CoreEngine",
        "Sequencer",
        "SourceUnit",
        "SpikeMemory",
        "RowWalker",
        "RowLanes",
        "SynapseLane",
        "Sweeper",
        "MicroUnit",
        "NoiseSource",
        "CoreReadout",
        "CoreCounters",
        "CoreInfo",
        "WindowMemory",
    ),
    "Memories, queues, counters, random numbers": (
        "SynapseMemory",
        "WordFile",
        "WordRom",
        "Queue",
        "Fork",
        "CounterBank",
        "WeightAccess",
        "Generator",
        "NoiseBank",
    ),
}
"""Components by what they are for; all others belong to the host link."""

LINK = "The host link"


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(
        f"| {' | '.join(str(cell).replace('|', r'&#124;') for cell in line)} |\n" for line in lines
    )


def directive(name: str, target: str, *options: str) -> str:
    """Return a directive of reStructuredText, which docstrings are written in."""
    lines = [f".. {name}:: {target}", *(f"   :{option}:" for option in options)]
    return "\n".join(["```{eval-rst}", *lines, "```"]) + "\n"


# --- components --------------------------------------------------------------------------------------


def _module_of(name: str) -> str:
    """Return the module of ``erbium.hdl`` that holds a component."""
    if name in REGISTRY:
        return REGISTRY[name].component.__module__
    for path in sorted((ROOT / "hdl").rglob("*.py")):
        if re.search(rf"^class {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            return ".".join(["erbium", *path.relative_to(ROOT).with_suffix("").parts])
    raise LookupError(f"no file of hdl/ holds {name}")


def _groups() -> Iterator[tuple[str, list[str]]]:
    known = [*REGISTRY, *COVERED_BY]
    named = {name for names in GROUPS.values() for name in names}
    for title, names in GROUPS.items():
        yield title, [name for name in names if name in known]
    yield LINK, [name for name in known if name not in named]


def components() -> str:
    """Return the page of all components: what they do, their ports, latency and throughput."""
    text = [
        "# Components\n",
        "Every component of the array and of its host link, from its docstring: formula, ports, latency, throughput. "
        "[The array in hardware](../hardware.md) says how they work together, "
        "[the verification status](verification.md) how each one is checked. A port is written as Amaranth has it: "
        "`In(8)` are eight bits that come in.\n",
    ]
    for title, names in _groups():
        text.append(f"## {title}\n")
        for name in names:
            module = _module_of(name)
            bench = COVERED_BY.get(name, name)
            case = REGISTRY[bench].cases[0].name
            text += [
                f"### {name}\n",
                f"`{module.removeprefix('erbium.').replace('.', '/')}.py`; bench: "
                f"`erbium verify {bench} {case}`\n",
                directive("autoclass", f"{module}.{name}"),
            ]
    return "\n".join(text)


# --- verification ------------------------------------------------------------------------------------


def _parameters(test: Any) -> list[tuple[Any, ...]]:
    """Return what a test is run with, all its ``parametrize`` marks multiplied out."""
    result: list[dict[str, Any]] = [{}]
    for mark in test.pytestmark:
        if mark.name == "parametrize":
            names = [mark.args[0]] if isinstance(mark.args[0], str) else list(mark.args[0])
            rows = [row if isinstance(row, tuple) else (row,) for row in mark.args[1]]
            result = [found | dict(zip(names, row, strict=True)) for found in result for row in rows]
    return [(found.get("component", "ErbiumArray"), found["case"], found["family"]) for found in result]


def netlist_runs() -> list[tuple[str, str, str]]:
    """Return component, case and FPGA family of each bench that the tests run on a netlist."""
    tests = _tests("test_rtl_netlist")
    found = [
        run
        for test in vars(tests).values()
        if inspect.isfunction(test) and {"case", "family"} <= set(inspect.signature(test).parameters)
        if hasattr(test, "pytestmark")
        for run in _parameters(test)
    ]
    return sorted(set(found))


def mutants() -> list[Any]:
    """Return the faults that the tests plant."""
    return list(_tests("test_rtl_mutants").MUTANTS)


def _tests(name: str) -> Any:
    folder = str(ROOT / "tests")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


def _model_of(entry: Entry) -> str:
    model = entry.model
    module = getattr(model, "__module__", "builtins") or "builtins"
    name = getattr(model, "__qualname__", str(model))
    if module == "builtins":
        return f"Python's `{name}`"
    return f"`{module.removeprefix('erbium.sw_model.').removeprefix('erbium.')}.{name}`"


def verification() -> str:
    """Return the page that says of each component how it is checked."""
    planted = Counter(mutant.component for mutant in mutants())
    on_netlists = Counter((component, family) for component, _, family in netlist_runs())
    rows: list[Sequence[object]] = []
    totals: Counter[str] = Counter()
    proved, scores, shares = evidence.proved(), evidence.scores(), evidence.shares()
    for entry in REGISTRY.values():
        runs = Counter(simulator for case in entry.cases for simulator in case.simulators)
        found = [f"{family} {on_netlists[entry.name, family]}" for family in ("ecp5", "ice40")]
        found = [text for text in found if not text.endswith(" 0")]
        totals.update(runs | Counter(cases=len(entry.cases), mutants=planted[entry.name]))
        rows.append(
            (
                f"[{entry.name}](components.md#{entry.name.lower()})",
                _model_of(entry),
                len(entry.cases),
                runs["icarus"],
                runs["verilator"],
                ", ".join(found) or "within `ErbiumArray`" if not _is_link(entry.name) else "by hand",
                planted[entry.name] or "",
                proved.get(entry.name, ""),
                scores.get(entry.name, "") or _unscored(entry.name),
                shares.get(entry.name, ""),
            )
        )
    rows.append(
        (
            "**all**",
            "",
            totals["cases"],
            totals["icarus"],
            totals["verilator"],
            len(netlist_runs()),
            totals["mutants"],
            f"{len(proved)} components",
            evidence.total_score(),
            evidence.total_share(),
        )
    )
    heading = (
        *("component", "model", "configurations", "Icarus", "Verilator", "netlists", "planted faults"),
        *("proved", "mutants killed or harmless", "lines / toggles, %"),
    )
    covered = ", ".join(f"`{name}` by that of `{bench}`" for name, bench in COVERED_BY.items())
    page = (ROOT / "docs" / "verification.md.in").read_text(encoding="utf-8")
    for mark, text in (
        ("TABLE", table(heading, rows)),
        ("COVERED", covered),
        ("READBACK", evidence.read_back()),
        ("SERVICE", evidence.service()),
        ("HISTORY", evidence.history()),
    ):
        page = page.replace(f"@{mark}@", text)
    return page


def _unscored(name: str) -> str:
    """Return why a component has no mutation score."""
    return f"not sampled: {OTHERS[name]}" if name in OTHERS else "not carried out yet"


def _is_link(name: str) -> bool:
    return not any(name in names for names in GROUPS.values()) or name in ("ErbiumChip", "FrameChip")


# --- proofs ------------------------------------------------------------------------------------------


def proofs() -> str:
    """Return the page of the proofs, with the times of the last whole run."""
    measured = json.loads((ROOT / "docs" / "proofs.json").read_text(encoding="utf-8"))["rows"][0]["proofs"]
    times = {(one["component"], one["name"]): one for one in measured}
    heading = ("component", "parameters", "claim", "how", "fault", "reached", "seconds")
    rows = []
    for proof in PROOFS:
        time = times[proof.component, proof.name]
        says = f"{proof.says}. *{proof.source}*" if proof.source else proof.says
        fault = f"{_code(proof.fault.old)} → {_code(proof.fault.new)} in {_code(proof.fault.module)}"
        seconds = f"{time['seconds']} + {time['fault_seconds']}"
        how = proof.how + (f": {proof.reason}" if proof.reason else "")
        rows.append((f"`{proof.component}`", proof.name, says, how, fault, proof.reached, seconds))
    page = (ROOT / "docs" / "proofs.md.in").read_text(encoding="utf-8")
    return (
        page.replace("@TABLE@", table(heading, rows))
        .replace("@NETLISTS@", evidence.equivalence())
        .replace("@OPEN@", evidence.not_equivalent())
    )


def _code(text: str) -> str:
    """Return a piece of a source as it fits into a cell: in one line, and nothing of it is taken for Markdown."""
    letters = [one if one.isalnum() or one == " " else f"&#{ord(one)};" for one in " ".join(text.split())]
    return f"<code>{''.join(letters)}</code>"


# --- parameters --------------------------------------------------------------------------------------


def _meanings(cls: type) -> dict[str, str]:
    """Return what the section *Parameters* of a docstring says of each field."""
    text = inspect.cleandoc(cls.__doc__ or "")
    found = re.search(r"Parameters\n-+\n(.*?)(?:\n\n[A-Z][a-z ]+\n---|\Z)", text, re.DOTALL)
    if not found:
        return {}
    result: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", found[1]):
        head, _, body = block.partition("\n")
        for name in head.split(" : ")[0].split(", "):
            result[name] = " ".join(textwrap.dedent(body).split()).replace("``", "`")
    return result


def _ranges(cls: type) -> dict[str, str]:
    """Return the limits of each field as ``__post_init__`` checks them."""
    check = cls.__dict__.get("__post_init__")
    if check is None:
        return {}
    names = vars(sys.modules[cls.__module__])
    tree = ast.parse(textwrap.dedent(inspect.getsource(check)))
    result: dict[str, str] = {}

    def value(node: ast.expr) -> str:
        source = ast.unparse(node)
        try:
            number = eval(source, names)
            return f"{number:,}" if number < 1 << 32 else f"`{source}`"
        except NameError:
            return f"`{source.replace('self.', '')}`"

    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or len(call.args) < 3:
            continue
        subject = call.args[1]
        if not isinstance(subject, ast.Attribute) or ast.unparse(subject.value) != "self":
            continue
        if call.func.id == "check_range":
            result[subject.attr] = f"{value(call.args[2])} … {value(call.args[3])}"
        elif call.func.id == "_check_choice":
            choices = eval(ast.unparse(call.args[2]), names)
            result[subject.attr] = ", ".join(f"`{choice}`" for choice in choices)
    return result


def _default(field: Any) -> str:
    if field.default is not MISSING:
        shown = repr(field.default)
        return f"`{shown}`" if len(shown) < 40 else "a schedule: see `SCHEDULE`"
    if field.default_factory is not MISSING:
        return f"`{field.default_factory()!r}`"
    return ""


def _fields(cls: type) -> str:
    meanings, ranges = _meanings(cls), _ranges(cls)
    about = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("``", "`").replace("\n", " ")
    about = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", about)
    rows = [
        (f"`{field.name}`", _default(field), ranges.get(field.name, ""), _plain(meanings.get(field.name, "")))
        for field in fields(cls)
    ]
    return f"### {cls.__name__}\n\n{about}\n\n" + table(("field", "default", "range", "meaning"), rows)


def _plain(text: str) -> str:
    return re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)


DESCRIBED: tuple[type, ...] = (
    network.Layer,
    programs.NeuronProgram,
    programs.Operation,
    rules.ErbpRule,
    rules.ErrorNeurons,
    rules.FirstSpikeRule,
    rules.FirstSpikeErrors,
    rules.LatencyEncoder,
)
"""What a network is described by, besides itself."""


def parameters() -> str:
    """Return the page of all fields of the descriptions, and of the presets."""
    text = [
        "# Parameters\n",
        "A network is described by frozen dataclasses of integers, hardware by another one, and how it is trained "
        "by a third. What is out of range is refused with one sentence. `erbium show PRESET --json` prints a "
        "network as JSON, and `erbium train FILE` takes it back. The ranges below are those that the classes "
        "check; where one is empty, the meaning says what is allowed.\n",
        "## The network\n",
        *(_fields(cls) for cls in (network.Network, *DESCRIBED)),
        "## The hardware\n",
        _fields(network.Hardware),
        "## The training\n",
        _fields(Recipe),
        "## Presets\n",
        "What `erbium presets` lists. The digest names a network in checkpoints, bitstreams and the registers of a "
        "chip.\n",
        table(
            ("preset", "layers", "bits", "ticks", "epochs", "shift", "weights, bytes", "digest", "about"),
            (
                (
                    f"`{name}`",
                    "-".join(map(str, found.network.shape)),
                    "/".join(
                        str(bits)
                        for bits in dict.fromkeys(layer.weight_width for layer in found.network.layers)
                    ),
                    found.network.n_ticks,
                    found.recipe.epochs,
                    f"±{found.recipe.shift}" if found.recipe.shift else "",
                    f"{_weight_bytes(found.network):,}",
                    f"`{found.network.digest}`",
                    found.about,
                )
                for name, found in PRESETS.items()
            ),
        ),
    ]
    return "\n".join(text)


def _weight_bytes(described: network.Network) -> int:
    bits = sum(
        described.n_rows(number) * layer.n_neurons * layer.weight_width
        for number, layer in enumerate(described.layers)
    )
    return -(-bits // 8)


# --- commands and Python -----------------------------------------------------------------------------


def _commands(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100)
    if not isinstance(command, click.Group):
        yield context.command_path, command.get_help(context)
        return
    for child in command.list_commands(context):
        found = command.get_command(context, child)
        assert found is not None
        yield from _commands(found, child, context)


def commands() -> str:
    """Return the page of all commands, as ``--help`` prints them."""
    text = ["# Commands\n", "What `erbium COMMAND --help` prints.\n"]
    for path, shown in _commands(cli, "erbium"):
        text.append(f"## {path}\n\n```text\n{click.unstyle(shown)}\n```\n")
    return "\n".join(text)


def api() -> str:
    """Return the page of the public Python names."""
    text = [
        "# Python\n",
        "Public names are those of `erbium`; the description has a few more below. Everything else may change.\n",
        "## erbium\n",
    ]
    for name in sorted(erbium.__all__, key=str.lower):
        found = getattr(erbium, name)
        if not isinstance(found, type) and not inspect.isfunction(found):
            continue
        where = f"{found.__module__}.{found.__qualname__}"
        kind = "autofunction" if inspect.isfunction(found) else "autoclass"
        if isinstance(found, type) and issubclass(found, Exception):
            kind = "autoexception"
        options = () if kind == "autofunction" else ("members",)
        text += [f"### {name}\n", directive(kind, where, *options)]
    described: tuple[Callable[..., Any] | type, ...] = (
        *DESCRIBED,
        programs.lif,
        programs.two_compartment,
        programs.mihalas_niebur,
        programs.erbp_hidden,
        programs.erbp_output,
        programs.first_spike,
    )
    text.append("## erbium.sw_model\n")
    for found in described:
        kind = "autoclass" if isinstance(found, type) else "autofunction"
        text += [f"### {found.__name__}\n", directive(kind, f"{found.__module__}.{found.__name__}")]
    return "\n".join(text)


PAGES: dict[str, Callable[[], str]] = {
    "components": components,
    "verification": verification,
    "proofs": proofs,
    "mutants": evidence.mutants,
    "coverage": evidence.coverage,
    "parameters": parameters,
    "commands": commands,
    "api": api,
}


def write_all(folder: Path) -> None:
    """Write all pages; one that is as it was keeps its time, so that Sphinx does not read it again."""
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        path, text = folder / f"{name}.md", make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def write_parts(folder: Path) -> None:
    """Write the parts of ``how-it-learns.md``: half a minute's work, done again when a source has changed."""
    sources = [
        path for name in ("sw_model", "hdl", "gen", "verif", "docs") for path in (ROOT / name).glob("*.py")
    ]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()
    stamp = folder / "stamp.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return
    sys.path.insert(0, str(ROOT / "docs"))
    made = importlib.import_module("spike").parts()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    stamp.write_text(state, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write them before Sphinx looks for pages."""
    write_all(ROOT / "docs" / "generated")
    write_parts(ROOT / "docs" / "generated" / "parts")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
