# SPDX-License-Identifier: BSD-2-Clause
"""Neuron programs: a neuron described as a short list of shift-and-add operations.

A program is data. The reference model (:mod:`erbium.sw_model.neuron`), the compiled fast path and the
generated logic all read the same description, and each must give the same integers.

Per neuron there are ``n_states`` state variables ``x0, x1, ...`` (int16), ``n_ports`` input ports
``u0, u1, ...`` (int16, saturating) and a refractory counter. On each tick ``t``

    y_d = (x_d + bias_d) * 2**F + sum over operations of +-((source * 2**F) >> shift)
    x_d = clip(sat16((y_d + q(t)) >> F))        q(t): the low F bits of t in reversed order

where the sources are the old states, the ports, or the noise, and F = 8. The shared dither ``q(t)``
stands in for a rounding rule: it is the same for all neurons, so no result depends on the lane count, and
every leak with a shift of at most F reaches zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

FRACTION_BITS = 8
"""F: fractional bits carried by the sums of one tick."""

STATE_MIN, STATE_MAX = -(1 << 15), (1 << 15) - 1
MAX_STATES = 4
MAX_OPERATIONS = 16
MAX_SHIFT = 15
MAX_REFRACTORY = (1 << 16) - 1

ResetMode = Literal["none", "set", "add", "max"]
RESET_MODES: tuple[ResetMode, ...] = ("none", "set", "add", "max")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_SOURCE = re.compile(r"^(x|u)(\d+)$|^noise$")


class DescriptionError(ValueError):
    """A description that no chip can be built from; the text names value, limit and way out."""


def check_range(what: str, value: object, low: int, high: int, hint: str = "") -> None:
    """Raise :class:`DescriptionError` unless ``value`` is an integer in ``low ... high``."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise DescriptionError(f"{what} is {value!r}; it must be an integer from {low} to {high}{hint}")
    if not low <= value <= high:
        raise DescriptionError(f"{what} is {value}; it must be from {low} to {high}{hint}")


def check_name(what: str, name: object, *, identifier: bool = False) -> None:
    """Raise :class:`DescriptionError` unless ``name`` is a plain name.

    Names of descriptions end up in Verilog, C, YAML, HTML and the names of files and folders: a plain name means
    itself in all of them. An identifier may name a signal or a macro, too, so it has no ``-``.
    """
    if not isinstance(name, str) or not (_IDENTIFIER if identifier else _NAME).fullmatch(name):
        others = "and '_'" if identifier else "'_' and '-'"
        raise DescriptionError(
            f"the name of {what} is {name!r}; it must begin with a letter of a to z and have only such letters, "
            f"digits{',' if not identifier else ''} {others}, at most 64 characters"
        )


@dataclass(frozen=True)
class Operation:
    """One term of a neuron program: ``x_destination <- sign * (source >> shift)``.

    Parameters
    ----------
    destination : int
        Index of the state that receives the term.
    source : str
        ``"x<k>"`` (old value of state k), ``"u<p>"`` (input port p) or ``"noise"``.
    shift : int
        Arithmetic right shift, 0 ... 15.
    sign : int
        +1 or -1.
    """

    destination: int
    source: str
    shift: int = 0
    sign: int = 1

    def __post_init__(self) -> None:
        check_range("operation destination", self.destination, 0, MAX_STATES - 1)
        if not isinstance(self.source, str) or not _SOURCE.match(self.source):
            raise DescriptionError(
                f"operation source is {self.source!r}; it must be a state 'x0'..., a port 'u0'... or 'noise'"
            )
        check_range("operation shift", self.shift, 0, MAX_SHIFT)
        if self.sign not in (1, -1):
            raise DescriptionError(f"operation sign is {self.sign!r}; it must be +1 or -1")

    @property
    def kind(self) -> Literal["state", "port", "noise"]:
        """Where the source comes from."""
        if self.source == "noise":
            return "noise"
        return "state" if self.source[0] == "x" else "port"

    @property
    def index(self) -> int:
        """Index of the state or port that is the source (0 for noise)."""
        return 0 if self.source == "noise" else int(self.source[1:])

    def __str__(self) -> str:
        shift = f" >> {self.shift}" if self.shift else ""
        return f"x{self.destination} <- {'+' if self.sign > 0 else '-'}{self.source}{shift}"


@dataclass(frozen=True)
class NeuronProgram:
    """The complete description of one kind of neuron. All values are integers.

    Parameters
    ----------
    name : str
        What the neuron is called in listings; a plain name, see :func:`check_name`.
    states : tuple of str
        One identifier per state variable; the first one is compared with the threshold. 1 ... 4 names.
    operations : tuple of Operation
        At most 16.
    n_ports : int
        Number of input ports, 1 or 2. Port 0 takes the forward weights, port 1 the feedback.
    threshold : int
        A neuron spikes if ``x0 >= threshold`` (plus ``x1`` when `adaptive`).
    bias, lower, upper : tuple of int
        Per state: constant drive per tick, and clip bounds, with ``lower <= 0 <= upper``.
    reset_mode, reset_value : tuple
        Per state, on a spike: ``"none"``, ``"set"``, ``"add"`` (saturating) or ``"max"``.
    initial : tuple of int
        Per state, its value when a sample begins.
    adaptive : bool
        Whether ``x1`` is added to the threshold.
    refractory : int
        Ticks after a spike in which no further spike is possible.
    hold : bool
        Whether ``x0`` stays at its reset value while refractory.

    Raises
    ------
    DescriptionError
        For any value outside of these ranges.

    Notes
    -----
    Source: Mihalas and Niebur, *Neural Computation* 21 (2009) for the general integrate-and-fire form;
    the integer form is this project's own (``docs/contract.md``).
    """

    name: str
    states: tuple[str, ...]
    operations: tuple[Operation, ...]
    n_ports: int
    threshold: int
    bias: tuple[int, ...] = ()
    lower: tuple[int, ...] = ()
    upper: tuple[int, ...] = ()
    reset_mode: tuple[ResetMode, ...] = ()
    reset_value: tuple[int, ...] = ()
    initial: tuple[int, ...] = ()
    adaptive: bool = False
    refractory: int = 0
    hold: bool = False
    n_states: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_name("a neuron program", self.name)
        for called in self.states:
            check_name(f"a state of program {self.name!r}", called, identifier=True)
        count = len(self.states)
        check_range(f"number of states of program {self.name!r}", count, 1, MAX_STATES)
        object.__setattr__(self, "n_states", count)
        fills: tuple[tuple[str, object], ...] = (
            ("bias", 0),
            ("lower", STATE_MIN),
            ("upper", STATE_MAX),
            ("reset_mode", "none"),
            ("reset_value", 0),
            ("initial", 0),
        )
        for name, default in fills:
            value = tuple(getattr(self, name)) or (default,) * count
            if len(value) != count:
                raise DescriptionError(
                    f"{name} of program {self.name!r} has {len(value)} entries; it must have one for each of "
                    f"the {count} states"
                )
            object.__setattr__(self, name, value)
        check_range(f"n_ports of program {self.name!r}", self.n_ports, 1, 2)
        check_range(f"threshold of program {self.name!r}", self.threshold, STATE_MIN, STATE_MAX)
        check_range(f"refractory of program {self.name!r}", self.refractory, 0, MAX_REFRACTORY)
        check_range(f"number of operations of program {self.name!r}", len(self.operations), 1, MAX_OPERATIONS)
        for state, (bias, lower, upper, mode, value, initial) in enumerate(
            zip(
                self.bias,
                self.lower,
                self.upper,
                self.reset_mode,
                self.reset_value,
                self.initial,
                strict=True,
            )
        ):
            where = f"of state {self.states[state]!r} of program {self.name!r}"
            check_range(f"bias {where}", bias, STATE_MIN, STATE_MAX)
            check_range(f"lower clip {where}", lower, STATE_MIN, 0)
            check_range(f"upper clip {where}", upper, 0, STATE_MAX)
            check_range(f"reset value {where}", value, STATE_MIN, STATE_MAX)
            check_range(f"initial value {where}", initial, lower, upper)
            if mode not in RESET_MODES:
                raise DescriptionError(f"reset mode {where} is {mode!r}; it must be one of {RESET_MODES}")
        for operation in self.operations:
            self._check_operation(operation)
        if self.adaptive and count < 2:
            raise DescriptionError(
                f"program {self.name!r} is adaptive but has no second state for its threshold"
            )
        if self.hold and self.reset_mode[0] != "set":
            raise DescriptionError(
                f"program {self.name!r} holds {self.states[0]!r} while refractory; its reset mode must be 'set'"
            )

    def _check_operation(self, operation: Operation) -> None:
        limit = {"state": self.n_states, "port": self.n_ports, "noise": 1}[operation.kind]
        if operation.destination >= self.n_states or operation.index >= limit:
            raise DescriptionError(
                f"operation '{operation}' of program {self.name!r} names something that is not there; the program "
                f"has {self.n_states} states and {self.n_ports} ports"
            )

    def earliest_spike(self, drive: int, start: int, n_ticks: int) -> int | None:
        """Return the first tick at which a neuron spikes if port 0 gets `drive` once, at tick `start`.

        ``None`` if it does not spike within `n_ticks` ticks. Noise counts as 0.
        """
        states = list(self.initial)
        for tick in range(n_ticks):
            port = drive if tick == start else 0
            dither = int(f"{tick & ((1 << FRACTION_BITS) - 1):0{FRACTION_BITS}b}"[::-1], 2)
            sums = [(x + bias) << FRACTION_BITS for x, bias in zip(states, self.bias, strict=True)]
            for op in self.operations:
                source = states[op.index] if op.kind == "state" else port if op.source == "u0" else 0
                sums[op.destination] += op.sign * ((source << FRACTION_BITS) >> op.shift)
            bounds = zip(sums, self.lower, self.upper, strict=True)
            states = [min(max((total + dither) >> FRACTION_BITS, low), high) for total, low, high in bounds]
            if states[0] >= self.threshold + (states[1] if self.adaptive else 0):
                return tick
        return None

    @property
    def uses_noise(self) -> bool:
        """Whether any operation draws noise."""
        return any(operation.source == "noise" for operation in self.operations)

    def describe(self) -> str:
        """Return the program as one line per operation, for people."""
        lines = [str(operation) for operation in self.operations]
        lines.append(f"spike if x0 >= {self.threshold}{' + x1' if self.adaptive else ''}")
        for state, (mode, value) in enumerate(zip(self.reset_mode, self.reset_value, strict=True)):
            if mode != "none":
                lines.append(f"on a spike: x{state} {mode} {value}")
        if self.refractory:
            lines.append(f"refractory {self.refractory} ticks{', x0 held' if self.hold else ''}")
        return "\n".join(lines)


def _input_path(target: int, shift: int, synapse: int | None, synapse_shift: int | None) -> list[Operation]:
    """Operations from port 0 into state `target`, directly or through a first-order synapse state."""
    if synapse is None or synapse_shift is None:
        return [Operation(target, "u0", shift)]
    return [
        Operation(target, f"x{synapse}", shift + synapse_shift),
        Operation(synapse, f"x{synapse}", synapse_shift, -1),
        Operation(synapse, "u0"),
    ]


def _erbp_neuron(
    name: str,
    *,
    threshold: int,
    input_shift: int,
    dendrite_shift: int,
    reset: tuple[ResetMode, int],
    leak_shift: int | None,
    synapse_shift: int | None,
    noise_shift: int | None,
    refractory: int,
) -> NeuronProgram:
    synapse = None if synapse_shift is None else 2
    operations = _input_path(0, input_shift, synapse, synapse_shift)
    if leak_shift is not None:
        operations.append(Operation(0, "x0", leak_shift, -1))
    if noise_shift is not None:
        operations.append(Operation(0, "noise", noise_shift))
    operations += [Operation(1, "x1", dendrite_shift, -1), Operation(1, "u1")]
    extra = () if synapse is None else (STATE_MIN,)
    extra_up = () if synapse is None else (STATE_MAX,)
    more: tuple[ResetMode, ...] = () if synapse is None else ("none",)
    return NeuronProgram(
        name=name,
        states=("v", "u") if synapse is None else ("v", "u", "i"),
        operations=tuple(operations),
        n_ports=2,
        threshold=threshold,
        lower=(-256, -511, *extra),
        upper=(4095, 511, *extra_up),
        reset_mode=(reset[0], "none", *more),
        reset_value=(reset[1], 0, *(0 for _ in extra)),
        refractory=refractory,
    )


def erbp_hidden(
    *,
    threshold: int = 256,
    dendrite_shift: int = 3,
    leak_shift: int | None = None,
    synapse_shift: int | None = None,
    noise_shift: int | None = None,
    refractory: int = 0,
) -> NeuronProgram:
    """Hidden neuron of eRBP: membrane ``v`` (port 0), dendrite ``u`` (port 1).

    Without leak, synapse and noise it integrates its input; with them it is the paper's LIF neuron with a
    first-order synapse (Neftci and others 2017, section 2.1).
    """
    return _erbp_neuron(
        "erbp-hidden",
        threshold=threshold,
        input_shift=0,
        dendrite_shift=dendrite_shift,
        reset=("set", 0),
        leak_shift=leak_shift,
        synapse_shift=synapse_shift,
        noise_shift=noise_shift,
        refractory=refractory,
    )


def erbp_output(
    *,
    threshold: int = 256,
    input_shift: int = 1,
    dendrite_shift: int = 4,
    leak_shift: int | None = None,
    synapse_shift: int | None = None,
    noise_shift: int | None = None,
    refractory: int = 0,
) -> NeuronProgram:
    """Prediction (output) neuron of eRBP: a spike subtracts the threshold from ``v`` instead of clearing it."""
    return _erbp_neuron(
        "erbp-output",
        threshold=threshold,
        input_shift=input_shift,
        dendrite_shift=dendrite_shift,
        reset=("add", -threshold),
        leak_shift=leak_shift,
        synapse_shift=synapse_shift,
        noise_shift=noise_shift,
        refractory=refractory,
    )


def erbp_error(threshold: int = 1) -> NeuronProgram:
    """Error neuron of eRBP: does not leak, never falls below 0, loses the threshold on a spike.

    Its weight is at most the threshold, so between ticks it is below the threshold, and it never reaches twice that.
    """
    return NeuronProgram(
        name="erbp-error",
        states=("v",),
        operations=(Operation(0, "u0"),),
        n_ports=1,
        threshold=threshold,
        lower=(0,),
        upper=(2 * threshold - 1,),
        reset_mode=("add",),
        reset_value=(-threshold,),
    )


def first_spike(
    *,
    threshold: int,
    current_shift: int | None = None,
    n_ticks: int = 16,
) -> NeuronProgram:
    """First-spike neuron: its input adds to a current ``i`` that adds to the membrane ``v`` at every tick.

    Without `current_shift` the current stays, and the membrane ramps; with it the current decays, as in the
    source. Nothing is reset, and a neuron spikes once in a sample of `n_ticks`.

    Notes
    -----
    Source: Mostafa, *Supervised learning based on temporal coding in spiking neural networks*,
    arXiv 1606.08165, equations 1 and 2.
    """
    operations = [Operation(0, "x1"), Operation(0, "u0"), Operation(1, "u0")]
    if current_shift is not None:
        operations += [Operation(1, "x1", current_shift, -1), Operation(1, "u0", current_shift, -1)]
    return NeuronProgram(
        name="first-spike",
        states=("v", "i"),
        operations=tuple(operations),
        n_ports=1,
        threshold=threshold,
        refractory=n_ticks,
    )


def lif(*, threshold: int = 2000, leak_shift: int = 4, noise: bool = False) -> NeuronProgram:
    """Leaky integrate-and-fire neuron; with `noise` the stochastic one."""
    operations = [Operation(0, "x0", leak_shift, -1), Operation(0, "u0")]
    if noise:
        operations.append(Operation(0, "noise"))
    return NeuronProgram(
        name="stochastic-lif" if noise else "lif",
        states=("v",),
        operations=tuple(operations),
        n_ports=1,
        threshold=threshold,
        reset_mode=("set",),
    )


def lif_first_order(*, threshold: int = 2000) -> NeuronProgram:
    """LIF neuron with a first-order synapse: the input decays in ``i`` before it reaches ``v``."""
    return NeuronProgram(
        name="lif-first-order",
        states=("v", "i"),
        operations=(
            Operation(0, "x0", 4, -1),
            Operation(0, "x1", 2),
            Operation(1, "x1", 3, -1),
            Operation(1, "u0"),
        ),
        n_ports=1,
        threshold=threshold,
        reset_mode=("set", "none"),
    )


def lif_second_order(*, threshold: int = 2000) -> NeuronProgram:
    """LIF neuron with a second-order synapse: two decays in series before ``v``."""
    return NeuronProgram(
        name="lif-second-order",
        states=("v", "i", "j"),
        operations=(
            Operation(0, "x0", 4, -1),
            Operation(0, "x1", 2),
            Operation(1, "x1", 3, -1),
            Operation(1, "x2", 2),
            Operation(2, "x2", 2, -1),
            Operation(2, "u0"),
        ),
        n_ports=1,
        threshold=threshold,
        reset_mode=("set", "none", "none"),
    )


def rewarded_lif(threshold: int, bias: int = 0, *, hold: bool = False) -> NeuronProgram:
    """Return a noisy leaky neuron whose second state is a trace of what port 1 brings.

    ``v`` loses 1/16 and the reward trace 1/8 at each tick; the noise has a standard deviation of 37. After a spike
    ``v`` is 0 and the neuron rests for 2 ticks; with `hold` nothing moves ``v`` in them.
    """
    return NeuronProgram(
        name="rewarded",
        states=("v", "reward"),
        operations=(
            Operation(0, "x0", 4, -1),
            Operation(0, "u0"),
            Operation(0, "noise", 2),
            Operation(1, "x1", 3, -1),
            Operation(1, "u1"),
        ),
        n_ports=2,
        threshold=threshold,
        bias=(bias, 0),
        reset_mode=("set", "none"),
        refractory=2,
        hold=hold,
    )


def two_compartment(*, threshold: int = 1000) -> NeuronProgram:
    """Soma ``v`` and dendrite ``w`` coupled in both directions, with a synaptic current ``i`` on the dendrite."""
    return NeuronProgram(
        name="two-compartment",
        states=("v", "w", "i"),
        operations=(
            Operation(0, "x0", 4, -1),
            Operation(0, "x1", 5),
            Operation(1, "x1", 4, -1),
            Operation(1, "x0", 5),
            Operation(1, "x2", 2),
            Operation(2, "x2", 3, -1),
            Operation(2, "u0"),
        ),
        n_ports=1,
        threshold=threshold,
        reset_mode=("set", "none", "none"),
    )


_ADAPTATION = {
    0: (),
    5: (Operation(1, "x0", 8),),
    30: (Operation(1, "x0", 6), Operation(1, "x0", 7)),
    -80: (Operation(1, "x0", 4, -1),),
}


def mihalas_niebur(adaptation: int = 0, a1: float = 0.0, a2: float = 0.0) -> NeuronProgram:
    """Mihalas-Niebur neuron: adaptive threshold and two spike-induced currents.

    256 LSB are 1 mV and a tick is 0.78125 ms. ``v`` is V - E_L, ``theta`` the threshold - E_L.

    Parameters
    ----------
    adaptation : int
        Coefficient a of the paper in 1/s: 0, 5, 30 or -80.
    a1, a2 : float
        Jumps of the two currents on a spike, in units of the paper; 0 leaves the current out if both are 0.

    Notes
    -----
    Source: Mihalas and Niebur, *Neural Computation* 21 (2009), equations 2.1 and 2.2, table 1.
    """
    if adaptation not in _ADAPTATION:
        raise DescriptionError(
            f"adaptation is {adaptation}; it must be one of {sorted(_ADAPTATION)} per second"
        )
    operations = [Operation(0, "x0", 5, -1), Operation(0, "x0", 7, -1), Operation(0, "u0")]
    operations += [Operation(1, "x1", 7, -1), *_ADAPTATION[adaptation]]
    currents = a1 != 0 or a2 != 0
    if currents:
        operations += [
            Operation(0, "x2"),
            Operation(0, "x3"),
            Operation(2, "x2", 3, -1),
            Operation(2, "x2", 5, -1),
            Operation(3, "x3", 6, -1),
        ]
    modes: tuple[ResetMode, ...] = ("set", "max", "set", "add") if currents else ("set", "max")
    return NeuronProgram(
        name="mihalas-niebur",
        states=("v", "theta", "i1", "i2") if currents else ("v", "theta"),
        operations=tuple(operations),
        n_ports=1,
        threshold=0,
        bias=(0, 40, 0, 0) if currents else (0, 40),
        reset_mode=modes,
        reset_value=(0, 2560, round(200 * a1), round(200 * a2)) if currents else (0, 2560),
        initial=(0, 5120, 0, 0) if currents else (0, 5120),
        adaptive=True,
    )
