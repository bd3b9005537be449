# SPDX-License-Identifier: BSD-2-Clause
"""A routed iCE40 netlist with the delays that nextpnr wrote down, in Icarus at its stated clock.

Icarus 11 takes no delays of wires from an SDF file (``INTERCONNECT``) and checks no setup times. So each delay of the
file becomes one of the netlist: a wire's at the pin where it ends, a cell's at its input or output, and a setup time
at the input that needs it, where what comes too late is not seen in time. Memories hold some number at first, as
real ones do: through gates, an unknown would spread to where no number makes a difference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from erbium.fpga.cells import Cell, Netlist, escaped
from erbium.fpga.simulated_line import TOP, SimulatedLine
from erbium.verif.processes import run_within
from erbium.verif.simulators import ToolError, cell_models, cell_names, find_icarus
from erbium.verif.yosys import cell_library

PICOSECONDS = 10**12

SETTLED = 1_000_000
"""Picoseconds before the first edge of the clock: more than any path takes."""

START = 50_000_000
"""Picoseconds after which the chip is out of its reset, which lasts some microseconds."""

_CELL = re.compile(r"^\s*\(INSTANCE (\S*)\)")
_WIRE = re.compile(r"^\s*\(INTERCONNECT (\S+) (\S+) \([\d.]+:[\d.]+:([\d.]+)\)")
_PATH = re.compile(r"^\s*\(IOPATH (?:\(\w+ )?(\w+)\)? (\w+) \([\d.]+:[\d.]+:([\d.]+)\)")
_SETUP = re.compile(r"^\s*\(SETUPHOLD \(\w+ (\w+)\) \(\w+ \w+\) \([\d.]+:[\d.]+:([\d.]+)\)")


@dataclass
class Delays:
    """Delays of a file, in ps, the longest of each.

    Attributes
    ----------
    wires : dict
        By cell and pin at which a wire ends.
    paths : dict
        By cell, input and output.
    setups : dict
        By cell and input.
    """

    wires: dict[tuple[str, str], int] = field(default_factory=dict)
    paths: dict[tuple[str, str, str], int] = field(default_factory=dict)
    setups: dict[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Delays:
        """Read an SDF file of nextpnr."""
        found, name = cls(), ""
        for line in path.read_text().splitlines():
            if match := _WIRE.match(line):
                cell, _, pin = match[2].replace("\\", "").rpartition("/")
                found.wires[cell, pin] = round(float(match[3]))
            elif match := _PATH.match(line):
                found.paths[name, match[1], match[2]] = round(float(match[3]))
            elif match := _SETUP.match(line):
                key = name, match[1]
                found.setups[key] = max(round(float(match[2])), found.setups.get(key, 0))
            elif match := _CELL.match(line):
                name = match[1].replace("\\", "")
        return found


def timed_verilog(netlist: Netlist, delays: Delays, top: str) -> str:
    """Return a netlist of :mod:`erbium.fpga.routed_ice40` with delays, in ps."""
    writer = _Writer(delays)
    cells = [line for cell in netlist.cells for line in writer.cell(cell)]
    head = [
        "`timescale 1ps/1ps",
        f"module {top} (input clk, input rst, input rx, output tx);",
        *(f"  wire {escaped(net)};" for net in sorted(writer.nets)),
        *(f"  assign {escaped(net)} = clk;" for net in netlist.clocks),
        f"  assign {escaped(netlist.rx)} = rx;",
        f"  assign tx = {escaped(netlist.tx)};",
        *writer.delayed.values(),
    ]
    return "\n".join([*head, *cells, "endmodule", ""])


class _Writer:
    """Writes cells down, and the wires that end at them."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self.nets: set[str] = set()
        self.delayed: dict[tuple[str, int], str] = {}

    def cell(self, cell: Cell) -> list[str]:
        """Return the lines of a cell."""
        self.nets.update(net for net in (*cell.driven, *cell.read) if not net.startswith("1'"))
        if cell.kind == "ROUTED_LC":
            return self._logic(cell)
        pins: list[str] = []
        lines: list[str] = []
        for port, nets in cell.pins.items():
            bits = []
            for place, net in enumerate(nets):
                pin = port if len(nets) == 1 else f"{port}_{len(nets) - 1 - place}"
                if port in cell.outputs:
                    bits.append(self._driver(cell.name, pin, net, lines))
                else:
                    bits.append(self._pin(net, cell.name, pin, self._inner(cell.name, pin)))
            pins.append(f".{port}({bits[0] if len(bits) == 1 else '{' + ', '.join(bits) + '}'})")
        parameters = ", ".join(f".{key}({value})" for key, value in cell.parameters.items())
        lines.append(
            f"  {cell.kind} {f'#({parameters}) ' if parameters else ''}{escaped(cell.name)}({', '.join(pins)});"
        )
        return lines

    def _logic(self, cell: Cell) -> list[str]:
        """Return a logic cell: the carry apart from the rest, since an input is later in the one than in the other."""
        name = cell.name
        lines: list[str] = []
        held = cell.parameters["DFF_ENABLE"].endswith("1")
        pins = []
        for port in ("I0", "I1", "I2", "I3"):
            inner = self._delays.setups.get((name, port), 0) if held else self._path(name, port, "O")
            pins.append(f".{port}({self._pin(cell.pins[port][0], name, port, inner)})")
        for port in ("CLK", "CEN", "SR"):
            inner = self._delays.setups.get((name, port), 0)
            pins.append(f".{port}({self._pin(cell.pins[port][0], name, port, inner)})")
        if cell.pins["O"][0]:
            driver = cell.pins["O"][0]
            if held:
                driver = self._driver(name, "O", driver, lines)
            else:
                driver = escaped(driver)
            pins.append(f".O({driver})")
        values = {**cell.parameters, "CARRY_ENABLE": "1'b0"}
        parameters = ", ".join(f".{key}({value})" for key, value in values.items())
        lines.append(f"  {cell.kind} #({parameters}) {escaped(name)}({', '.join(pins)});")
        if cell.pins["COUT"][0] and cell.parameters["CARRY_ENABLE"].endswith("1"):
            one, two, carry = (
                self._pin(cell.pins[port][0], name, port, self._path(name, port, "COUT"))
                for port in ("I1", "I2", "CIN")
            )
            if cell.parameters["CIN_CONST"].endswith("1"):
                carry = cell.parameters["CIN_SET"]
            lines.append(
                f"  assign {escaped(cell.pins['COUT'][0])} = ({one} & {two}) | (({one} | {two}) & {carry});"
            )
        return lines

    def _path(self, name: str, pin: str, output: str) -> int:
        return self._delays.paths.get((name, pin, output), 0)

    def _inner(self, name: str, pin: str) -> int:
        """Return what a pin needs within its cell: a buffer's delay or a memory's setup time."""
        through = self._path(name, pin, "GLOBAL_BUFFER_OUTPUT")
        return through or self._delays.setups.get((name, pin), 0)

    def _driver(self, name: str, pin: str, net: str, lines: list[str]) -> str:
        """Return what a clocked output drives: its net comes later."""
        if not net:
            net = f"open.{name}.{pin}"
            self.nets.add(net)
        late = max((self._path(name, clock, pin) for clock in ("CLK", "RCLK", "CLOCK")), default=0)
        if not late:
            return escaped(net)
        raw = f"raw.{name}.{pin}"
        self.nets.add(raw)
        lines.append(f"  assign #{late} {escaped(net)} = {escaped(raw)};")
        return escaped(raw)

    def _pin(self, net: str, name: str, pin: str, inner: int) -> str:
        """Return a net as it is at a pin, and within the cell behind it."""
        if net.startswith("1'"):
            return net
        late = self._delays.wires.get((name, pin), 0) + inner
        if not late:
            return escaped(net)
        here = f"{net}.{late}"
        self.delayed.setdefault((net, late), f"  wire #{late} {escaped(here)} = {escaped(net)};")
        return escaped(here)


BENCH = """
`timescale 1ps/1ps
module bench;
  localparam integer STEPS = {steps}, REPLIES = {replies};
  reg clk = 0, rx = 1;
  wire tx;
  {top} chip (.clk(clk), .rst(1'b0), .rx(rx), .tx(tx));
  // No edge before everything that starts unknown has settled: a chip counts none while it is configured, either.
  initial begin
    #{settled};
    forever begin #{low} clk = 1; #{high} clk = 0; end
  end

  // A step with its highest bit waits until so many bytes have come, and another one is a byte to send.
  reg [31:0] script [0:STEPS-1];
  integer step, k, received = 0, file;
  initial begin
    $readmemh("script.hex", script);
    #{start};
    for (step = 0; step < STEPS; step = step + 1)
      if (script[step][31]) wait (received >= script[step][30:0]);
      else begin
        rx = 0; #{bit};
        for (k = 0; k < 8; k = k + 1) begin rx = script[step][k]; #{bit}; end
        rx = 1; #{bit};
      end
    wait (received >= REPLIES);
    #{bit};
    $fclose(file);
    $finish;
  end
  initial begin
    #{limit};
    $fdisplay(file, "late");
    $fclose(file);
    $finish;
  end

  reg [7:0] value;
  integer place;
  initial begin
    file = $fopen("received.txt");
    forever begin
      @(negedge tx);
      #{half};
      if (tx === 1'b0) begin
        for (place = 0; place < 8; place = place + 1) begin #{bit}; value[place] = tx; end
        #{bit};
        if (tx === 1'b1) $fdisplay(file, "%b", value);
        else $fdisplay(file, "%b without a stop bit", value);
        received = received + 1;
      end
    end
  end
endmodule
"""


class Recorder:
    """A line that notes what goes over it: bytes to the chip, and after how many of its bytes.

    Attributes
    ----------
    steps : list of int
        Bytes to send, and numbers of bytes to wait for with the highest of 32 bits set.
    received : bytearray
    """

    def __init__(self, line: SimulatedLine) -> None:
        self._line = line
        self.name, self.baud_rate = line.name, line.baud_rate
        self.steps: list[int] = []
        self.received = bytearray()

    def read(self, timeout: float) -> bytes:
        """Return what comes."""
        data = self._line.read(timeout)
        self.received += data
        return data

    def write(self, data: bytes) -> None:
        """Put bytes on the line to the chip."""
        self.steps += [1 << 31 | len(self.received), *data]
        self._line.write(data)

    def now(self) -> float:
        """Return the seconds of the chip since power-on."""
        return self._line.now()

    def close(self) -> None:
        """Give the simulation back."""
        self._line.close()


def play(
    verilog: str,
    steps: Sequence[int],
    n_replies: int,
    clock: int,
    baud_rate: int,
    folder: Path,
    seconds: float,
) -> list[str]:
    """Have a timed netlist answer a conversation in Icarus; return its bytes, as bits, in their order.

    Parameters
    ----------
    verilog : str
        From :func:`timed_verilog`.
    steps : sequence of int
        See :class:`Recorder`.
    n_replies : int
        Bytes that it has to send.
    clock, baud_rate : int
        In Hz and bits per second.
    folder : Path
    seconds : float
        That the simulation may take.

    Raises
    ------
    ToolError
        When there is no Icarus, or it fails or takes longer.
    """
    compiler = find_icarus().require()
    period = PICOSECONDS // clock
    bit = PICOSECONDS // baud_rate
    bench = BENCH.format(
        steps=len(steps),
        replies=n_replies,
        top=TOP,
        low=period // 2,
        high=period - period // 2,
        bit=bit,
        half=bit // 2,
        settled=SETTLED,
        start=START,
        limit=START + 40 * bit * (len(steps) + n_replies) + PICOSECONDS // 100,
    )
    own = "".join(path.read_text() for path in cell_models(verilog))
    library = cell_library("ice40/cells_sim.v", verilog + own, but=cell_names())
    text = verilog + bench + "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + library
    (folder / "timed.v").write_text(text + "".join(path.read_text() for path in cell_models(text)))
    (folder / "script.hex").write_text("\n".join(f"{step:08x}" for step in steps) + "\n")
    command: list[str | Path] = [
        compiler,
        "-g2012",
        "-DARBITRARY",
        "-s",
        "bench",
        "-o",
        "timed.vvp",
        "timed.v",
    ]
    done = run_within(seconds, command, folder)
    if done.returncode:
        raise ToolError(f"Icarus does not compile the timed netlist: {(done.stdout + done.stderr)[-1000:]}")
    done = run_within(seconds, [compiler.with_name("vvp"), "-n", "timed.vvp"], folder)
    if done.returncode:
        raise ToolError(f"the timed netlist stopped in Icarus: {(done.stdout + done.stderr)[-1000:]}")
    return (folder / "received.txt").read_text().splitlines()
