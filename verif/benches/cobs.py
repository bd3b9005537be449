# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the byte stuffing; the model is the library ``cobs``."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cobs import cobs

from erbium.hdl.cobs import CobsKind, CobsToken
from erbium.verif.codecs import Packer, Token
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import Harness, StreamDriver

PACES = (("0", "0"), ("0", "0.6"), ("0.6", "0"), ("0.3", "0.3"), ("bursts", "bursts"))
"""Stalls of what is sent and of what is taken: the buffer runs full, runs empty, or does both."""

_TOKEN = Packer(CobsToken())


def messages(draw: random.Random) -> list[bytes]:
    """Return messages around the bounds of the groups, and random ones."""
    some = bytes(draw.randrange(1, 256) for _ in range(600))
    runs = [some[:n] for n in (1, 2, 253, 254, 255, 256, 508, 509)]
    joints = [b"\0" + some[:254], some[:254] + b"\0", some[:253] + b"\0", some[:254] + b"\0" + some[:254]]
    zeros = [b"\0" * n for n in (1, 2, 3, 40)]
    mixed = [
        bytes(draw.randrange(1, 256) if draw.random() > rate else 0 for _ in range(draw.randint(1, 300)))
        for rate in (0.0, 0.01, 0.1, 0.5, 0.9)
    ]
    whole = [*runs, *joints, *zeros, *mixed, bytes(range(256)), b"\xff" * 300]
    draw.shuffle(whole)
    return whole


def decoded(group: bytes) -> tuple[bytes, bool]:
    """Return what is between two zero bytes without its stuffing, and whether its last group is whole."""
    for missing in range(255):
        try:
            found: bytes = cobs.decode(group + b"\x01" * missing)
        except cobs.DecodeError:
            continue
        return found[: len(found) - missing], missing == 0
    raise AssertionError(f"{group!r} holds a zero byte")


def decode_token(bits: int) -> Token:
    """Return ``("BYTE", byte)``, ``("END", 0)`` or ``("MALFORMED", 0)``."""
    fields = _TOKEN.unpack(bits)
    return (CobsKind(fields["kind"]).name, fields["byte"])


def marked(message: bytes) -> list[int]:
    """Return the tokens of a message: bytes, and a mark on the last."""
    return [*message[:-1], message[-1] | 1 << 8]


class TB:
    """A decoder or an encoder."""

    def __init__(self, dut: Any, sent: str = "0", taken: str = "0") -> None:
        self.harness = Harness(dut, sent)
        self.random = self.harness.random
        self.is_decoder = hasattr(dut, "token_o_valid")
        self.input: StreamDriver = self.harness.drive("byte_i" if self.is_decoder else "message_i")
        self.harness.stall = taken
        if self.is_decoder:
            self.harness.check("token_o", decode_token)
        else:
            self.harness.check("byte_o", int)
        self.expected = self.harness.board.channel("token_o" if self.is_decoder else "byte_o")

    def send(self, group: bytes) -> None:
        """Send bytes without a zero among them, and one behind them (decoder)."""
        self.input.send(*group, 0)
        if group:
            found, whole = decoded(group)
            self.expected.expect_all(("BYTE", byte) for byte in found)
            self.expected.expect(("END" if whole else "MALFORMED", 0))


@cocotb.test()
@cocotb.parametrize(pace=PACES)
async def frames(dut: Any, pace: tuple[str, str]) -> None:
    """Messages through the encoder; their frames, with storms of zero bytes between them, through the decoder."""
    tb = TB(dut, *pace)
    await tb.harness.reset()
    for message in messages(tb.random):
        if tb.is_decoder:
            tb.send(cobs.encode(message))
            for _ in range(tb.random.choice((0, 0, 1, 9))):
                tb.send(b"")
        else:
            tb.input.send(*marked(message))
            tb.expected.expect_all(cobs.encode(message) + b"\0", message=message[:20])
    await tb.harness.finish()


@cocotb.test()
async def malformed(dut: Any) -> None:
    """Frames that were cut, and bytes that never were a frame (decoder only)."""
    tb = TB(dut, "0.3", "0.3")
    await tb.harness.reset()
    if not tb.is_decoder:
        return
    for message in messages(tb.random):
        frame = cobs.encode(message)
        tb.send(frame[: tb.random.randrange(len(frame) + 1)])
        tb.send(bytes(tb.random.randrange(1, 256) for _ in range(tb.random.randrange(1, 30))))
        tb.send(bytes(tb.random.randrange(1, 4) for _ in range(tb.random.randrange(1, 30))))
    # An empty group behind a full one is no mistake.
    tb.send(b"\xff" + b"\x07" * 254 + b"\x01")
    await tb.harness.finish()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Clocks of the messages as the component says."""
    tb = TB(dut)
    await tb.harness.reset()
    clocks = 0
    for message in messages(tb.random):
        if tb.is_decoder:
            tb.send(cobs.encode(message))
        else:
            tb.input.send(*marked(message))
            tb.expected.expect_all(cobs.encode(message) + b"\0")
            clocks += 3 * (len(message) + 2)
    if tb.is_decoder:
        clocks = 2 * tb.input.left
    start = tb.harness.clocks
    await tb.harness.run_until(lambda: not tb.input.left)
    used = tb.harness.clocks - start
    expect_equal("at most the clocks that the component says", True, used <= clocks, used=used, limit=clocks)
    await tb.harness.finish()
