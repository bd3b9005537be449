# SPDX-License-Identifier: BSD-2-Clause
"""What a page has to know to talk to a board: the numbers of the host link, from where they are declared."""

from __future__ import annotations

from typing import Any

from erbium.fpga.boards import BOARDS
from erbium.fpga.driver_link import LOST_ON_THE_WAY
from erbium.gen.presets import PRESETS
from erbium.hdl.registers import (
    ERROR_REPLY,
    HISTORY,
    MAGIC,
    PROTOCOL_VERSION,
    REPLY_BIT,
    RESULT_BYTES,
    WORD_BYTES,
    Control,
    ErrorCode,
    PixelFormat,
    RegisterMap,
    Request,
    Status,
    WindowNumber,
    weight_bytes,
)
from erbium.sw_model.network import Hardware, Network


def link_facts(network: Network) -> dict[str, Any]:
    """Return the host link of a network's chip, as ``desk.js`` and ``link.js`` read it."""
    registers = RegisterMap(network, Hardware())
    windows = [window for window in registers.windows if window.number >= WindowNumber.WEIGHTS]
    return {
        "magic": MAGIC,
        "protocol": PROTOCOL_VERSION,
        "requests": {request.name.lower(): request.value for request in Request},
        "reply": REPLY_BIT,
        "refused": ERROR_REPLY,
        "errors": {code.value: code.name for code in ErrorCode},
        "lost": [code.value for code in LOST_ON_THE_WAY],
        "outOfTurn": ErrorCode.OUT_OF_TURN.value,
        "formats": {form.name.lower(): form.value for form in PixelFormat},
        "windows": {number.name.lower(): number.value for number in WindowNumber},
        "registers": {register.name: register.address for register in registers},
        # For each layer: rows, bytes of a row, bytes of a weight.
        "rows": [
            [window.entries, window.entry_bytes, weight_bytes(population.weight_width)]
            for window, population in zip(windows, registers.populations, strict=True)
        ],
        "longest": registers.max_message,
        "word": WORD_BYTES,
        "result": RESULT_BYTES,
        "history": HISTORY,
        "idle": Status.IDLE.value,
        "reset": Control.SOFT_RESET.value,
        "rates": sorted({board.baud_rate for board in BOARDS.values()}),
        "presets": {preset.network.digest: name for name, preset in PRESETS.items()},
    }
