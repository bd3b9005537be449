# SPDX-License-Identifier: BSD-2-Clause
"""Serial lines of simulated chips: the bits themselves, pseudo-terminals, and what pyserial makes of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from erbium.fpga.simulated_line import SimulatedLine, build
from erbium.fpga.simulated_port import SimulatedPort
from erbium.fpga.transport import LineLostError, PortError
from erbium.fpga.transport_serial import SerialTransport
from erbium.hdl.uart import UartReceiver, UartTransmitter

pytestmark = pytest.mark.verilator

CLOCK = 12_000_000
BYTES = bytes(range(256)) + b"\0\0\xff\xff\x55\xaa" * 20


class Echo(wiring.Component):
    """Sends back what it receives."""

    def __init__(self, baud_rate: int) -> None:
        self._baud_rate = baud_rate
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(CLOCK, self._baud_rate)
        m.submodules.transmitter = transmitter = UartTransmitter(CLOCK, self._baud_rate)
        connect(m, receiver.byte_o, transmitter.byte_i)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        return m


def echo(baud_rate: int) -> SimulatedLine:
    library = build(lambda: Echo(baud_rate), f"echo-{baud_rate}", baud_rate)
    return SimulatedLine(library, "the echo", CLOCK, baud_rate, 100_000)


@pytest.mark.parametrize("baud_rate", [3_000_000, 1_000_000, 921_600])
def test_bits_of_a_line(baud_rate: int) -> None:
    """Whole, and fractions of, clocks per bit; the last one drifts by a clock every fifty bits."""
    line = echo(baud_rate)
    line.write(BYTES)
    got = b""
    while data := line.read(0.001):
        got += data
    assert got == BYTES
    bits = CLOCK / baud_rate
    before = line.clocks
    line.write(b"\1\0")
    assert line.read(1.0) == b"\1\0"
    assert 19 * bits < line.clocks - before < 32 * bits + 30, "no pause on either line"
    line.close()
    with pytest.raises(LineLostError, match="the echo was closed"):
        line.write(b"")


def test_the_clock_stands_still_when_there_is_nothing_to_do() -> None:
    line = echo(1_000_000)
    before = line.clocks
    assert line.read(1e6) == b""
    assert line.clocks - before == line.quiet
    line.close()


@pytest.fixture
def port() -> Iterator[SimulatedPort]:
    port = SimulatedPort(echo(1_000_000))
    port.start()
    yield port
    port.close()


def read_all(line: SerialTransport, count: int) -> bytes:
    got = b""
    while len(got) < count and (data := line.read(10.0)):
        got += data
    return got


def test_a_pseudo_terminal(port: SimulatedPort) -> None:
    line = SerialTransport(port.path)
    line.write(BYTES * 30)
    assert read_all(line, 30 * len(BYTES)) == BYTES * 30
    line.close()
    again = SerialTransport(port.path)
    again.write(b"once more")
    assert read_all(again, 9) == b"once more"
    assert again.read(0.01) == b""
    again.close()


def test_one_program_at_a_time(port: SimulatedPort) -> None:
    line = SerialTransport(port.path)
    with pytest.raises(PortError, match=f"{port.path} is in use by another program; close that one"):
        SerialTransport(port.path)
    line.close()


def test_a_port_that_goes_away() -> None:
    port = SimulatedPort(echo(1_000_000))
    port.start()
    line = SerialTransport(port.path)
    port.close()

    def use() -> None:
        for _ in range(3):
            line.write(b"x")
            line.read(1.0)

    with pytest.raises(LineLostError, match="is gone"):
        use()
    line.close()


def test_ports_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(
        PortError, match=r"there is no port /dev/ttyNONE; plug the board in and name its port"
    ):
        SerialTransport("/dev/ttyNONE")
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(PortError, match="is no serial port"):
        SerialTransport(str(file))
    with pytest.raises(PortError, match=r"/dev/null cannot be opened at 1,000,000 baud"):
        SerialTransport("/dev/null")
    if os.getuid():
        file.chmod(0)
        with pytest.raises(PortError, match="join the group that owns it"):
            SerialTransport(str(file))
