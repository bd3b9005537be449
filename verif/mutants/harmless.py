# SPDX-License-Identifier: BSD-2-Clause
"""Proves that a mutant changes nothing: from the same state, with the same inputs, it has the same outputs for ever.

Both copies of the hardware start with the same registers and memories. Of each register it is assumed that both copies
hold the same in it, and shown that they do so in the next clock, too; where that does not follow, the assumption is
dropped, and what depended on it is looked at again, until nothing more is dropped. What is left holds for ever, by
induction; the mutant is harmless if the outputs are the same under it. What a stream or a pipeline shows while it is
not valid, and a tap that does not fire, are no output: nobody may look at them.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erbium.sw_model.distribution import not_installed, pip_install
from erbium.verif.mutants.aig import Circuit, Graph, read
from erbium.verif.mutants.contract import KIND_WIDTH, Bound, Kinds
from erbium.verif.mutants.netlist import SELECT
from erbium.verif.simulators import ToolError
from erbium.verif.yosys import run_yosys

VERSION = 3
"""Changes with what can be proved, so that results which are kept are found again or not."""

_CONFLICTS, _PROPAGATIONS = 5_000, 5_000_000
"""How far the solver may go for one question: of a large memory a few conflicts take minutes."""
SECONDS = 15.0
"""Of the processor, that it may take for one mutant."""
_RUNS, _CLOCKS, _ROUNDS = 256, 200, 200
"""Of the random runs in which it is seen what the registers never hold: how many, how long, and how often what is not
inductive is taken away."""
_WIDTH, _CONTROLS, _PAIRED = 4, 48, 32
"""Of the registers that decide what others are for: how wide at most, how many bits, of how many each pair is tried."""
_INVARIANT_SECONDS = 4.0
"""Of the processor, that either kind of these may take."""
_CONDITIONED = 48
"""Registers for which conditions are tried under which both copies hold the same: of a memory there were too many."""
_LARGEST = 16_000
"""Registers and bits of memories beyond which nothing is asked: one question takes a quarter of an hour."""
WARM_UP = 4
"""Clocks before the one that is looked at, of hardware whose inputs have bounds: words are on their way for fewer."""
_APART = 4000
"""Registers that may differ before it is given up."""


OPENED = "opened_"
"""How the ports begin that a memory leaves behind which is taken out."""


def opened(rtlil: str) -> str:
    """Return a flat netlist without the memories that are written: their ports are those of the netlist.

    What is read comes in from outside. As long as two copies read and write the same at the same time, they are given
    the same: so what they ask of the memories is an output like any other, as long as it is enabled. Tables of
    constants stay where they are.
    """
    written_to = set(re.findall(r"^  cell \$memwr_v2 .*\n    parameter \\MEMID (\S+)$", rtlil, re.MULTILINE))
    port = max(map(int, re.findall(r"^  wire .*(?:input|output) (\d+) ", rtlil, re.MULTILINE)))
    wires: list[str] = []
    joins: list[str] = []

    def bring_out(cell: re.Match[str]) -> str:
        nonlocal port
        kind, body = cell[1], cell[2]
        said = dict(re.findall(r"^    (?:parameter|connect) \\(\w+) (.+)$", body, re.MULTILINE))
        if said["MEMID"] not in written_to:
            return cell[0]
        if kind == "meminit":
            return ""
        if said.get("ARST", "1'0") != "1'0" or said.get("SRST", "1'0") != "1'0":
            raise ValueError(f"a memory is read with a reset:\n{cell[0]}")
        reads, width = kind == "memrd", int(said["WIDTH"])
        number = len(wires) // 3
        sides = [("ADDR", "output", int(said["ABITS"])), ("EN", "output", 1 if reads else width)]
        sides.append(("DATA", "input" if reads else "output", width))
        for side, way, bits in sides:
            port += 1
            name = f"\\{OPENED}{'reads' if reads else 'writes'}_{number}_{side.lower()}"
            wires.append(f"  wire width {bits} {way} {port} {name}\n")
            joins.append(
                f"  connect {said[side]} {name}\n" if way == "input" else f"  connect {name} {said[side]}\n"
            )
        return ""

    text = re.sub(
        r"^  cell \$(memrd|memwr|meminit)_v2 \S+\n((?:    .*\n)*)  end\n",
        bring_out,
        rtlil,
        flags=re.MULTILINE,
    )
    text = re.sub(
        r"^  memory .*(\\\S+)\n", lambda one: "" if f'"{one[1]}"'.replace("\\", "\\\\") in written_to else one[0],
        text, flags=re.MULTILINE,
    )  # fmt: skip
    end = text.rindex("\nend") + 1
    head = text.index("\n", text.index("\nmodule ") + 1) + 1
    return text[:head] + "".join(wires) + text[head:end] + "".join(joins) + text[end:]


def written(folder: Path, source: str = "mutants") -> Circuit:
    """Return the netlist of a folder that has ``mutants.il``, or another one, as gates."""
    commands = [
        f"read_rtlil {source}.il",
        *(
            "memory_collect",
            "memory_map",
            "async2sync",
            "dffunmap",
            "opt_clean",
            "techmap",
            "simplemap",
            "dffunmap",
        ),
        *("setundef -undriven -zero", "setundef -zero", "opt_clean -purge", "aigmap", "opt_clean -purge"),
        f"write_aiger -zinit -symbols {source}.aig",
    ]
    path = folder / f"{source}.aig"
    if not path.exists() or path.stat().st_mtime < (folder / f"{source}.il").stat().st_mtime:
        run_yosys(commands, folder, "gates")
    return read(path)


def written_open(folder: Path) -> Circuit | None:
    """Return it without its memories, see :func:`opened`; None if nothing in it is one that is written."""
    rtlil = (folder / "mutants.il").read_text()
    if "cell $memwr_v2 " not in rtlil:
        return None
    path, text = folder / "opened.il", opened(rtlil)
    # Its time says whether it has to be turned into gates again.
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return written(folder, "opened")


def check_solver() -> None:
    """Raise :class:`ToolError`, naming the command that installs it, if the solver is missing."""
    if not_installed("pysat"):
        raise ToolError(f"the solver PySAT was not found; get it with '{pip_install('python-sat')}'.")


@dataclass(frozen=True)
class Answer:
    """Whether a mutant is harmless.

    Parameters
    ----------
    harmless : bool
    why : str
        What may differ otherwise, or that the solver gave up.
    """

    harmless: bool
    why: str = ""


class GivenUpError(Exception):
    """The solver came to no end."""


class Prover:
    """Asks about the mutants of one netlist.

    Parameters
    ----------
    circuit : Circuit
        With the input that picks a mutant.
    taps : mapping of str to int
        Outputs at which somebody looks only while a bit of ``tap_fires`` is set: which one.
    carried : mapping of str to sequence of set of int
        Payloads of which a bit counts only in tokens of these kinds.
    bounds : sequence of Bound
        Of inputs.
    """

    def __init__(
        self,
        circuit: Circuit,
        taps: Mapping[str, int],
        carried: Mapping[str, Sequence[Kinds]] | None = None,
        bounds: Sequence[Bound] = (),
    ) -> None:
        from pysat.solvers import Solver

        self._circuit = circuit
        self._solver = Solver("glucose4")
        self._graph = Graph(self._solver.add_clause)
        self._inputs = [self._graph.free() for _ in circuit.inputs]
        self._states = [self._graph.free() for _ in circuit.latches]
        self._free: dict[int, int] = {}
        self._bounds = bounds
        self._keep_within(self._inputs)
        # Behind inputs that have bounds lie registers that have been filled from them.
        self._before = self._states
        self._earlier = [self._earlier_inputs() for _ in range(WARM_UP if bounds else 0)]
        for inputs in self._earlier:
            self._states = self._evaluated(0, self._states, inputs)[0]
        self._next, self._outputs = self._evaluated(0, self._states)
        self._places = {name: place for place, name in enumerate(circuit.outputs)}
        self._carried = carried or {}
        self._taps = taps
        self._masks = [self._mask(name, self._outputs) for name in circuit.outputs]
        self._conditions = [2 * k + inverted for k in self._controls() for inverted in (0, 1)]
        self._knows_more = False

    def _controls(self) -> list[int]:
        """Return the bits of small registers, which decide what the large ones are for."""
        bases = [name.partition("[")[0] or str(k) for k, name in enumerate(self._circuit.registers)]
        widths = Counter(bases)
        return sorted(
            (k for k, base in enumerate(bases) if widths[base] <= _WIDTH), key=lambda k: widths[bases[k]]
        )[:_CONTROLS]

    def _mask(self, name: str, outputs: Sequence[int]) -> int:
        """Return the literal of: somebody may look at this output."""
        names, bare = self._places, name.partition("[")[0]
        bit = int(name[len(bare) + 1 : -1]) if "[" in name else 0
        if bare in self._taps:
            fires = "tap_fires" if "tap_fires" in names else f"tap_fires[{self._taps[bare]}]"
            return outputs[names[fires]]
        if bare.startswith(OPENED) and not bare.endswith("_en"):
            # An address or data are looked at where they are enabled: a bit of what is written by itself.
            enable = f"{bare.rpartition('_')[0]}_en"
            if bare.endswith("_data"):
                return outputs[names[f"{enable}[{bit}]" if f"{enable}[0]" in names else enable]]
            return self._graph.either(
                outputs[place] for one, place in names.items() if one.partition("[")[0] == enable
            )
        if bare.endswith("_payload") and (valid := bare.replace("_payload", "_valid")) in names:
            shown = outputs[names[valid]]
            if bare not in self._carried:
                return shown
            return self._graph.join(shown, self._is_kind(bare, self._carried[bare][bit], outputs))
        # What a pipeline without stalls has beside ``valid_o`` belongs to it.
        if bare.endswith("_o") and bare != "valid_o" and "valid_o" in names:
            return outputs[names["valid_o"]]
        return 1

    def _is_kind(self, payload: str, kinds: Kinds, outputs: Sequence[int]) -> int:
        """Return the literal of: the token is of one of these kinds."""
        low, high = (outputs[self._places[f"{payload}[{bit}]"]] for bit in range(KIND_WIDTH))
        return self._graph.either(
            self._graph.join(low ^ (kind & 1 ^ 1), high ^ (kind >> 1 ^ 1)) for kind in kinds
        )

    def _keep_within(self, inputs: Sequence[int]) -> None:
        for bound in self._bounds:
            # One that leaves nothing out needs no word.
            if (within := self._within(bound, inputs)) != 1:
                self._solver.add_clause([self._graph.variable(within)])

    def _earlier_inputs(self) -> list[int]:
        inputs = [self._graph.free() for _ in self._inputs]
        self._keep_within(inputs)
        return inputs

    def _within(self, bound: Bound, inputs: Sequence[int]) -> int:
        """Return the literal of: an input is within its range."""
        places = {name: place for place, name in enumerate(self._circuit.inputs)}
        bits = [
            inputs[places[f"{bound.name}[{bit}]"]] for bit in range(bound.start, bound.start + bound.width)
        ]
        offset = 0
        if bound.signed:
            bits[-1], offset = bits[-1] ^ 1, 1 << bound.width - 1
        return self._graph.join(
            self._at_least(bits, bound.low + offset),
            self._at_least([bit ^ 1 for bit in bits], ~(bound.high + offset)),
        )

    def _at_least(self, bits: Sequence[int], value: int) -> int:
        """Return the literal of: an unsigned number is at least a value, of which as many bits count."""
        found = 1
        for place, bit in enumerate(bits):
            found = self._graph.join(found, bit) if value >> place & 1 else self._graph.either((found, bit))
        return found

    def _evaluated(
        self, number: int, states: list[int], inputs: Sequence[int] | None = None
    ) -> tuple[list[int], list[int]]:
        inputs = list(self._inputs if inputs is None else inputs)
        for place, name in enumerate(self._circuit.inputs):
            if match := re.fullmatch(rf"{SELECT}\[(\d+)\]", name):
                inputs[place] = number >> int(match[1]) & 1
        return self._circuit.evaluate(self._graph, inputs, states)

    # --- what the registers never hold ---------------------------------------------------------------

    def _assume_invariants(self) -> None:
        """Find what two bits of the registers never hold together, prove it by induction, and tell the solver."""
        steady = [True] * len(self._states)
        controls = [c >> 1 for c in self._conditions[::2]][:_PAIRED]
        clauses = {
            (2 * x + a, 2 * y + b)
            for i, x in enumerate(controls)
            for y in controls[:i]
            for a in (0, 1)
            for b in (0, 1)
        }
        ones = (1 << _RUNS) - 1
        for states in self._circuit.simulate(_CLOCKS, _RUNS, 1, {SELECT: 0, "rst": 64}):
            for k, value in enumerate(states):
                if value:
                    steady[k] = False
            bits = {2 * k: states[k] for k in controls} | {2 * k + 1: states[k] ^ ones for k in controls}
            clauses = {(a, b) for a, b in clauses if not bits[a] & bits[b]}
        steady_ones = {k for k, ok in enumerate(steady) if ok}
        # The bits that never change go first: with them, less has to be asked of the others.
        constant: set[tuple[int, ...]] = {(2 * k,) for k in steady_ones}
        together: set[tuple[int, ...]] = {
            pair for pair in clauses if not any(x >> 1 in steady_ones for x in pair)
        }
        self._assume_never(constant)
        self._assume_never(together)

    def _assume_never(self, never: set[tuple[int, ...]]) -> None:
        """Tell the solver what of this the registers never hold, as far as it follows by induction within its time."""
        end = time.process_time() + _INVARIANT_SECONDS
        literal, after = self._literal, self._literal_after
        for _ in range(_ROUNDS):
            # What is assumed of this clock stands behind one literal, so that it can be taken back.
            holds = self._graph.free()
            for one in never:
                self._solver.add_clause([-(holds >> 1), *(-self._graph.variable(literal(x)) for x in one)])
            asked = [(one, self._all(after(x) for x in one)) for one in never]
            broken: set[tuple[int, ...]] = set()
            try:
                while found := self._first([pair for pair in asked if pair[0] not in broken], holds):
                    broken |= set(found)
                    if time.process_time() > end:
                        raise GivenUpError
            except GivenUpError:
                return
            if not broken:
                for one in never:
                    self._solver.add_clause([-self._graph.variable(literal(x)) for x in one])
                return
            never -= broken

    def _all(self, literals: Iterable[int]) -> int:
        found = 1
        for literal in literals:
            found = self._graph.join(found, literal)
        return found

    def _literal(self, condition: int) -> int:
        return self._states[condition >> 1] ^ (condition & 1)

    def _literal_after(self, condition: int) -> int:
        return self._next[condition >> 1] ^ (condition & 1)

    # --- a mutant ------------------------------------------------------------------------------------

    @property
    def can_be_asked(self) -> bool:
        """Whether it has no more registers and bits of memories than a solver gets through."""
        return len(self._states) <= _LARGEST

    def ask(self, number: int, seconds: float = SECONDS) -> Answer:
        """Return whether the mutant of this number is harmless.

        Most proofs need no more than registers that are the same; only for the others it is looked for what else holds.
        """
        if not self.can_be_asked:
            return Answer(False, f"not asked, {len(self._states)} registers are too many")
        answer = self.ask_simply(number, seconds)
        if answer.harmless:
            return answer
        if not self._knows_more:
            self._knows_more = True
            # What has been filled from inputs with bounds needs no others.
            if not self._earlier:
                self._assume_invariants()
        return self._asked(number, seconds, _CONDITIONED)

    def ask_simply(self, number: int, seconds: float = SECONDS) -> Answer:
        """Return whether it follows at once that a mutant is harmless."""
        return self._asked(number, seconds, 0)

    def _asked(self, number: int, seconds: float, conditioned: int) -> Answer:
        end = time.process_time() + seconds
        graph = self._graph
        # Registers in which both copies need not hold the same, and the conditions under which they do.
        apart: dict[int, set[int]] = {}
        try:
            while True:
                states = list(self._states)
                for k, conditions in apart.items():
                    either = graph.either(self._literal(c) for c in conditions)
                    differs = graph.join(self._other(k), either ^ 1)
                    states[k] = graph.differ(states[k], differs)
                after, outputs = self._evaluated(number, states)
                asked = [
                    (k, graph.join(graph.differ(a, b), mask))
                    for k, (a, b, mask) in enumerate(zip(self._outputs, outputs, self._masks, strict=True))
                    if a != b
                ]
                if found := self._first(asked):
                    return Answer(False, f"{self._circuit.outputs[found[0]]} may differ")
                claims: list[tuple[tuple[int, int], int]] = []
                for k, (a, b) in enumerate(zip(self._next, after, strict=True)):
                    if a == b:
                        continue
                    differ = graph.differ(a, b)
                    if k not in apart:
                        claims.append(((k, -1), differ))
                    else:
                        claims += [((k, c), graph.join(differ, self._literal_after(c))) for c in apart[k]]
                dropped = False
                while broken := self._first(claims):
                    dropped = True
                    for k, c in broken:
                        if c < 0:
                            apart[k] = set(self._conditions if len(apart) < conditioned else ())
                        else:
                            apart[k].discard(c)
                    gone = set(broken)
                    claims = [claim for claim in claims if claim[0] not in gone]
                    if time.process_time() > end:
                        raise GivenUpError
                if not dropped:
                    if not self._earlier or self._begins_well(number, apart):
                        return Answer(True)
                    return Answer(False, "it may differ in the first clocks")
                if len(apart) > _APART:
                    return Answer(False, "too many registers may differ")
        except GivenUpError:
            return Answer(False, "the solver gave up")

    def _begins_well(self, number: int, apart: Mapping[int, set[int]]) -> bool:
        """Return whether both copies do the same from the start on, where all registers hold 0, and come to the claims.

        The claims are of registers that have been filled; here they are being filled.
        """
        graph = self._graph
        states = others = [0] * len(self._states)
        asked: list[tuple[int, int]] = []
        for inputs in self._earlier:
            states, outputs = self._evaluated(0, states, inputs)
            others, other_outputs = self._evaluated(number, others, inputs)
            for k, (a, b) in enumerate(zip(outputs, other_outputs, strict=True)):
                looks = self._mask(self._circuit.outputs[k], outputs)
                asked.append((k, graph.join(graph.differ(a, b), looks)))
        for k, (a, b) in enumerate(zip(states, others, strict=True)):
            either = graph.either(states[c >> 1] ^ (c & 1) for c in apart[k]) if k in apart else 1
            asked.append((k, graph.join(graph.differ(a, b), either)))
        return not self._first(asked)

    def _other(self, place: int) -> int:
        if place not in self._free:
            self._free[place] = self._graph.free()
        return self._free[place]

    def _first(self, asked: list[tuple[Any, int]], given: int = 1) -> list[Any]:
        """Return which of some literals are true in a case that the solver finds; none if there is no such case."""
        asked = [one for one in asked if one[1]]
        whole = self._graph.either(literal for _, literal in asked)
        if whole == 0:
            return []
        # One of two that are opposites is true in any case.
        assumptions = [] if whole == 1 else [self._graph.variable(whole)]
        if given > 1:
            assumptions.append(self._graph.variable(given))
        variables = [0 if literal == 1 else self._graph.variable(literal) for _, literal in asked]
        self._solver.conf_budget(_CONFLICTS)
        self._solver.prop_budget(_PROPAGATIONS)
        try:
            answer = self._solver.solve_limited(assumptions=assumptions)
        except Exception as error:
            # PySAT turns an interruption into an error of its own.
            if "keyboard interrupt" in str(error).lower():
                raise KeyboardInterrupt from None
            raise
        if answer is None:
            raise GivenUpError
        if not answer:
            return []
        model = self._solver.get_model()
        keys = [key for key, _ in asked]
        return [
            key
            for key, v in zip(keys, variables, strict=True)
            if v == 0 or (model[abs(v) - 1] > 0) == (v > 0)
        ]
