# SPDX-License-Identifier: BSD-2-Clause
"""The top of a waveform: the probed array, and beside it every channel and neuron decoded, in SystemVerilog.

The generated Verilog has bits. Here each channel gets its fields by name: its kind as an enumeration, which a viewer
shows as a word, and the whole token as text; each neuron gets its states, each as a signed number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Module, Shape, Value
from amaranth.lib.wiring import Component, Out

from erbium.gen.verilog import component_verilog, port_name
from erbium.hdl.array import ErbiumArray
from erbium.hdl.neuron_unit import NeuronLayout, plasticity_word_width
from erbium.hdl.plan import LayerPlan
from erbium.hdl.tokens import (
    ErrorToken,
    FeedbackToken,
    Kind,
    Pixel,
    Result,
    SampleToken,
)
from erbium.sw_model.network import Hardware, Network
from erbium.verif.probes import Probe, ProbedArray, Tap, array_taps, elaborated

ARRAY = "erbium_array"
TOP = "erbium"
"""The module of the bits, and the one around it."""

_KIND: Any = Kind  # to a type checker it is no enumeration
_BEGIN: int = _KIND.BEGIN.value

TEXT_BYTES = 12
"""Of a token as text, such as ``SPIKE   123``."""


@dataclass(frozen=True)
class Shown:
    """One signal that the layouts of the viewers show.

    Attributes
    ----------
    scope : str
        Within the top, with dots.
    name : str
    width : int
    form : str
        ``"text"``, ``"kind"``, ``"unsigned"``, ``"signed"`` or ``"bit"``.
    colour : str
        Role: ``"input"``, ``"hidden"``, ``"output"`` or ``"error"``.
    """

    scope: str
    name: str
    width: int
    form: str
    colour: str


@dataclass(frozen=True)
class Channel:
    """A stream of tokens: where it is seen, and what its bits are.

    Attributes
    ----------
    name : str
    fires, payload : str
        Verilog expressions: a token passes in this clock, and its bits.
    layout : amaranth.lib.data.StructLayout
        Of a token; a field ``kind`` names what it is.
    carried : dict
        Kind to the layout of what ``data`` is then; of a layout without ``data`` all fields are shown.
    colour : str
    """

    name: str
    fires: str
    payload: str
    layout: Any
    carried: dict[str, Any]
    colour: str


@dataclass(frozen=True)
class Machine:
    """A state machine: the scope that shows it, its signal, and what its states are called."""

    name: str
    signal: Value
    states: dict[str, int]


def _machines(module: Module, path: str = "") -> Iterator[Machine]:
    """Return the state machines of a module and of the components in it."""
    for name, found in module._generated.items():
        if hasattr(found, "encoding"):
            states = {str(state): number for state, number in found.encoding.items()}
            suffix = "" if name == "fsm" else f"_{name}"
            yield Machine(f"{path}{suffix}", found._data["signal"], states)
    for name, (part, _) in module._named_submodules.items():
        if isinstance(part, Component) and type(part).__module__.startswith("erbium.hdl."):
            yield from _machines(elaborated(part), f"{path}_{name}" if path else str(name))


class TracedArray(ProbedArray):
    """The probed array, with a tap more on each state machine inside."""

    def __init__(self, network: Network, hardware: Hardware) -> None:
        self.network, array = network, ErbiumArray(network, hardware)
        self.machines = list(_machines(elaborated(array)))
        states = [Tap(f"state_{machine.name}", len(machine.signal)) for machine in self.machines]
        Probe.__init__(self, array, [*array_taps(network, hardware), *states])

    def inside(self) -> dict[str, tuple[Value, Value]]:
        """Return the taps."""
        return super().inside() | {
            f"state_{machine.name}": (Const(1), machine.signal) for machine in self.machines
        }


def channels(network: Network, hardware: Hardware, places: dict[str, int]) -> list[Channel]:
    """Return the channels of an array in the order in which a sample passes them."""

    def tapped(name: str, layout: Any, carried: dict[str, Any], colour: str) -> Channel:
        return Channel(name, f"tap_fires[{places[name]}]", f"tap_{name}", layout, carried, colour)

    def stream(name: str, layout: Any, carried: dict[str, Any]) -> Channel:
        return Channel(name, f"{name}_valid & {name}_ready", f"{name}_payload", layout, carried, "input")

    result = [stream("sample_i", SampleToken(), {"PIXEL": Pixel()})]
    last = len(network.layers) - 1
    for number, layer in enumerate(network.layers):
        name, colour = f"layer{number + 1}", "output" if number == last else "hidden"
        plan = LayerPlan(network, number, hardware)
        event = plan.event_token
        before = "input" if number == 0 else "hidden"
        result.append(tapped(f"{name}_events", event, {"SPIKE": event.spike}, before))
        result.append(tapped(f"{name}_event_i", event, {"SPIKE": event.spike}, before))
        result.append(tapped(f"{name}_sweep", plan.sweep_token, {}, colour))
        if f"{name}_feedback" in places:
            result.append(tapped(f"{name}_feedback", FeedbackToken(2 * network.n_classes), {}, "error"))
        if f"{name}_errors" in places:
            result.append(tapped(f"{name}_errors", ErrorToken(layer.n_neurons), {}, "error"))
    result.append(tapped("feedback", FeedbackToken(2 * network.n_classes), {}, "error"))
    result.append(stream("result_o", Result(), {}))
    return result


def state_names(network: Network, number: int) -> list[str]:
    """Return what a neuron of a layer shows: the states of its program, and its refractory counter if it has one."""
    program = network.layers[number].program
    return [*program.states, *(["refractory"] if program.refractory else [])]


@dataclass(frozen=True)
class WaveDesign:
    """Verilog of a waveform's top, and the signals that its layouts show."""

    verilog: str
    shown: tuple[Shown, ...]


def wave_design(network: Network, hardware: Hardware) -> WaveDesign:
    """Return the probed array with everything decoded beside it."""
    probed = TracedArray(network, hardware)
    header, passed, taps = [], [], []
    for path, member, value in probed.signature.flatten(probed):
        name, width = port_name(path), len(Value.cast(value))
        if name.startswith("tap_"):
            taps.append(f"  logic [{width - 1}:0] {name};")
        else:
            header.append(f"  {'output' if member.flow is Out else 'input'} logic [{width - 1}:0] {name}")
        passed.append(name)
    shown: list[Shown] = [Shown("", "cycle", 32, "unsigned", "input")]
    body = list(_body(probed, hardware, shown))
    joined = ", ".join(f".{name}({name})" for name in ("clk", "rst", *passed))
    ports = ",\n".join(["  input logic clk", "  input logic rst", *header])
    text = "\n".join(
        [
            component_verilog(probed, ARRAY),
            f"module {TOP} (\n{ports}\n);",
            _DIGITS,
            *taps,
            f"  {ARRAY} rtl({joined});",
            *body,
            "endmodule",
            "",
        ]
    )
    return WaveDesign(text, tuple(shown))


_DIGITS = """  function automatic logic [47:0] digits(input logic [31:0] number);
    logic [31:0] left;
    left = number;
    digits = {6{8'd32}};
    for (int place = 0; place < 6; place++) begin
      if (place == 0 || left != 0) digits[8 * place +: 8] = 8'd48 + 8'(left % 10);
      left = left / 10;
    end
  endfunction"""


def _body(probed: TracedArray, hardware: Hardware, shown: list[Shown]) -> Iterator[str]:
    network, places = probed.network, probed.places()
    yield "  logic [31:0] cycle = 0;"
    yield "  always_ff @(posedge clk) cycle <= idle ? 0 : cycle + 1;"
    for channel in channels(network, hardware, places):
        yield from _channel(channel, shown)
    for machine in probed.machines:
        yield from _machine(machine, shown)
    for number in range(len(network.layers)):
        yield from _neurons(network, number, hardware, places, shown)


def _machine(machine: Machine, shown: list[Shown]) -> Iterator[str]:
    """Show a state machine by the names of its states."""
    width = len(machine.signal)
    values = ", ".join(f"{_word(name)} = {width}'d{number}" for name, number in machine.states.items())
    yield f"  if (1) begin : {machine.name}"
    yield f"    typedef enum logic [{width - 1}:0] {{{values}}} state_t;"
    yield f"    state_t state; assign state = state_t'(tap_state_{machine.name});"
    yield from _text("text", "state", [(_word(name), name, "") for name in machine.states])
    yield "  end"
    shown.append(Shown(machine.name, "text", 8 * TEXT_BYTES, "text", "error"))


def _word(name: str) -> str:
    """Return the name of a state as Verilog can have it; none of its own words has capitals."""
    return re.sub(r"\W", "_", name).upper()


def _fields(layout: Any, offset: int = 0) -> Iterator[tuple[str, int, Any]]:
    """Return the plain fields of a structure: name, lowest bit, shape."""
    for name, field in layout:
        if Shape.cast(field.shape).width and isinstance(name, str):
            yield name, offset + field.offset, field.shape


def _channel(channel: Channel, shown: list[Shown]) -> Iterator[str]:
    """Decode a channel in a scope of its own."""
    scope = channel.name
    fields = {name: (low, shape) for name, low, shape in _fields(channel.layout)}
    kind = fields.pop("kind", None)
    data = fields.pop("data", None)
    yield f"  if (1) begin : {scope}"
    yield f"    logic valid; assign valid = {channel.fires};"
    when: dict[str, tuple[int, Any, str]] = {
        name: (low, shape, "valid") for name, (low, shape) in fields.items()
    }
    kinds: Any = ()
    if kind is not None:
        low, kinds = kind
        bits = f"{channel.payload}[{low} +: {Shape.cast(kinds).width}]"
        # One value more than the hardware has: nothing passes in this clock.
        values = ", ".join(f"{one.name} = 3'd{one.value}" for one in kinds)
        yield f"    typedef enum logic [2:0] {{{values}, NONE = 3'd7}} kind_t;"
        yield f"    kind_t kind; assign kind = valid ? kind_t'({{1'b0, {bits}}}) : NONE;"
        for word, layout in channel.carried.items():
            assert data is not None
            for field, at, of in _fields(layout, data[0]):
                when[field] = (at, of, f"kind == {word}")
        if data is not None and not channel.carried:
            when["address"] = (data[0], data[1], "kind == SPIKE")
    for field, (at, of, condition) in when.items():
        yield from _held(field, f"{channel.payload}[{at} +: {Shape.cast(of).width}]", of, condition)
    if kind is not None:
        yield from _token(kinds, "address" in when)
        shown.append(Shown(scope, "token", 8 * TEXT_BYTES, "text", channel.colour))
        shown.append(Shown(scope, "kind", 3, "kind", channel.colour))
    else:
        shown.append(Shown(scope, "valid", 1, "bit", channel.colour))
    for field, (_, of, _) in when.items():
        cast = Shape.cast(of)
        form = "bit" if cast.width == 1 else "signed" if cast.signed else "unsigned"
        shown.append(Shown(scope, field, cast.width, form, channel.colour))
    yield "  end"


def _held(name: str, bits: str, shape: Any, condition: str) -> Iterator[str]:
    """Show a field from the clock in which it passes until the next one does."""
    cast = Shape.cast(shape)
    kind = f"logic {'signed ' if cast.signed else ''}[{cast.width - 1}:0]"
    yield "    /* verilator tracing_off */"
    yield f"    {kind} last_{name} = 0;"
    yield "    /* verilator tracing_on */"
    yield f"    {kind} {name}; assign {name} = ({condition}) ? {bits} : last_{name};"
    yield f"    always_ff @(posedge clk) last_{name} <= {name};"


def _token(kinds: Any, with_address: bool) -> Iterator[str]:
    """Write a token as text: its kind, and whose spike or pixel it is."""
    yield from _text(
        "token",
        "kind",
        [
            (
                one.name,
                one.name,
                "digits(32'(address))" if with_address and one.name in ("SPIKE", "PIXEL") else "",
            )
            for one in kinds
        ],
    )


def _text(name: str, chosen_by: str, cases: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Write what a value means as text, which a viewer shows as such whatever the format of the file.

    `cases` are the name of the value, its text, and an expression of six bytes that come last, or nothing.
    """
    yield f"    logic [{8 * TEXT_BYTES - 1}:0] {name};"
    yield f"    always_comb case ({chosen_by})"
    for value, text, end in cases:
        if end:
            yield f'      {value}: {name} = {{"{text[: TEXT_BYTES - 6].ljust(TEXT_BYTES - 6)}", {end}}};'
        else:
            yield f'      {value}: {name} = "{text[:TEXT_BYTES].ljust(TEXT_BYTES)}";'
    yield f'      default: {name} = "{" " * TEXT_BYTES}";'
    yield "    endcase"


def _neurons(
    network: Network, number: int, hardware: Hardware, places: dict[str, int], shown: list[Shown]
) -> Iterator[str]:
    """Keep the states of each neuron of a layer as its sweep left them."""
    layer = network.layers[number]
    lanes, words = hardware.lanes_of(network, number), hardware.words_of(network, number)
    layout, tap = NeuronLayout(layer.program), f"layer{number + 1}_states"
    fires = f"tap_fires[{places[tap]}]"
    word_width = plasticity_word_width(layer.program, LayerPlan(network, number, hardware).rule.swept_rule())
    fields = dict(zip(state_names(network, number), _fields(layout), strict=True))
    learns = layer.rule is not None and word_width > 1
    scope, colour = f"layer{number + 1}", "output" if number == len(network.layers) - 1 else "hidden"
    yield f"  if (1) begin : {scope}"
    yield "    logic [31:0] ticks = 0;  // that were swept in this sample"
    yield "    /* verilator tracing_off */"
    yield "    int unsigned word = 0;  // of neurons, which come in order"
    yield "    /* verilator tracing_on */"
    yield "    always_ff @(posedge clk)"
    yield f"      if (layer{number + 1}_sweep.kind == 3'd{_BEGIN}) begin word <= 0; ticks <= 0; end"
    yield f"      else if ({fires}) begin"
    yield f"        word <= word == {words - 1} ? 0 : word + 1;"
    yield f"        if (word == {words - 1}) ticks <= ticks + 1;"
    yield "      end"
    yield f"    for (genvar n = 0; n < {layer.n_neurons}; n++) begin : neuron"
    yield "      logic spike = 0;"
    kinds = {name: Shape.cast(shape) for name, (_, _, shape) in fields.items()}
    for name, cast in kinds.items():
        yield f"      logic {'signed ' if cast.signed else ''}[{cast.width - 1}:0] {name} = 0;"
    if learns:
        yield f"      logic signed [{word_width - 1}:0] plasticity_word = 0;"
    yield f"      always_ff @(posedge clk) if ({fires} && word == n / {lanes}) begin"
    spikes, plasticity = lanes * layout.size, lanes * (layout.size + 1)
    yield f"        spike <= tap_{tap}[{spikes} + n % {lanes}];"
    for name, (_, low, shape) in fields.items():
        width = Shape.cast(shape).width
        yield f"        {name} <= tap_{tap}[(n % {lanes}) * {layout.size} + {low} +: {width}];"
    if learns:
        yield f"        plasticity_word <= tap_{tap}[{plasticity} + (n % {lanes}) * {word_width} +: {word_width}];"
    yield "      end"
    yield "    end"
    yield "  end"
    shown.append(Shown(scope, "ticks", 32, "unsigned", colour))
    for neuron in range(layer.n_neurons):
        shown.append(Shown(f"{scope}.neuron[{neuron}]", "spike", 1, "bit", colour))
        for name, cast in kinds.items():
            form = "signed" if cast.signed else "unsigned"
            shown.append(Shown(f"{scope}.neuron[{neuron}]", name, cast.width, form, colour))
