# SPDX-License-Identifier: BSD-2-Clause
"""The registers that change: settings, turns, errors, status."""

from __future__ import annotations

import enum

from amaranth.hdl import Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.bounds import exceeds
from erbium.hdl.registers import (
    WORD_BYTES,
    Control,
    ErrorCode,
    LinkMap,
    Register,
    Status,
)

CODE_WIDTH = bits_for(max(ErrorCode))


class CsrRegisters(wiring.Component):
    """Settings, turns and errors: every register that is neither a constant nor a counter.

    Parameters
    ----------
    registers : LinkMap
    octets : int
        Bytes that are read at once: 1, or 4 for a whole word.
    codes : type of enum.IntEnum
        Error codes that `last_error` may hold.

    Members
    -------
    address : In
        Number of the register word, for reading and writing.
    place : In
        Which of the bytes of the word is read, if it is one at a time.
    show_turn, show_error : In(1)
        Whatever the address: read the turn of the next result, or else the last error.
    data_o : Out(8 * octets)
        What is read; 0 if the register is a constant, a counter or not there.
    value : In(32)
        What is to be written.
    writable, fits : Out(1)
        The register can be written; it takes `value`.
    waits : Out(1)
        It is changed only while the array is idle.
    write : In(1)
        Write; only if `writable` and `fits`.
    refuse : In(1), code : In
        A frame is refused: note the error code.
    begins, ends : In(1)
        A sample was accepted; the result of the oldest one was sent.
    idle, collision : In(1)
        Of the array.
    next_turn, turns_done : Out(8)
    soft_reset : Out(1)
        One clock, one after the write.
    n_ticks, decide_after, gain_k / rate_k : Out
        Settings of the array.
    flash_run : Out(1), flash_state, flash_samples, flash_right, flash_tested : In
        Of a chip that learns from its flash, see :func:`erbium.hdl.registers.flash_registers`.

    Notes
    -----
    Reads and checks have latency 0, a write takes one clock.
    """

    def __init__(self, registers: LinkMap, octets: int = 1, codes: type[enum.IntEnum] = ErrorCode) -> None:
        self._registers, self._octets = registers, octets
        self._code_width = bits_for(max(codes))
        self._settings = [registers[name] for name in (*registers.settings, *registers.commands)]
        self._watched = registers.watched
        members = {
            "address": In(bits_for(registers.n_words - 1)),
            "place": In(range(WORD_BYTES // octets)),
            "show_turn": In(1),
            "show_error": In(1),
            "data_o": Out(8 * octets),
            "value": In(32),
            "writable": Out(1),
            "fits": Out(1),
            "waits": Out(1),
            "write": In(1),
            "refuse": In(1),
            "code": In(self._code_width),
            "begins": In(1),
            "ends": In(1),
            "idle": In(1),
            "collision": In(1),
            "next_turn": Out(8),
            "turns_done": Out(8),
            "soft_reset": Out(1),
        }
        members |= {setting.name: Out(setting.width) for setting in self._settings}
        super().__init__(members | {name: In(registers[name].width) for name in registers.watched})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = self._registers["control"]
        acts = self.write & (self.address == control.address)
        clears = acts & self._flag(Control.CLEAR_ERRORS)
        m.d.sync += self.soft_reset.eq(acts & self._flag(Control.SOFT_RESET))

        state = Module()
        m.submodules.state = ResetInserter(self.soft_reset)(state)
        held = self._settings_held(state)
        last_error, refused = Signal(self._code_width), Signal(self._registers["refused"].width)
        next_turn, turns_done = Signal(8), Signal(8)
        state.d.sync += [next_turn.eq(next_turn + self.begins), turns_done.eq(turns_done + self.ends)]
        with state.If(clears):
            state.d.sync += [last_error.eq(0), refused.eq(0)]
        with state.Elif(self.refuse):
            state.d.sync += [last_error.eq(self.code), refused.eq(refused + ~refused.all())]
        m.d.comb += [self.next_turn.eq(next_turn), self.turns_done.eq(turns_done)]

        status = Mux(self.idle, Status.IDLE, 0) | Mux(self.collision, Status.COLLISION, 0)
        live = {
            "status": status,
            "last_error": last_error,
            "refused": refused,
            "next_turn": next_turn,
            "turns_done": turns_done,
        } | held
        live |= {name: getattr(self, name) for name in self._watched}
        self._show(m, live)
        self._check(m, control)
        return m

    def _show(self, m: Module, live: dict[str, Value]) -> None:
        """Show what is asked for."""
        asked = {"turns_done": self.show_turn, "last_error": self.show_error & ~self.show_turn}
        width = 8 * self._octets
        shows: Value = Const(0, width)
        for name, value in live.items():
            bits = Value.cast(value)
            for place in range(-(-len(bits) // width)):
                shown = Signal(name=f"shows_{name}_{place}")
                here = (self.address == self._registers[name].address) & (self.place == place)
                m.d.comb += shown.eq(here & ~self.show_turn & ~self.show_error | asked.get(name, 0))
                shows |= Mux(shown, bits[width * place : width * (place + 1)], 0)
        m.d.comb += self.data_o.eq(shows)

    def _flag(self, flag: Control) -> Value:
        """Return a bit of what is written to the register ``control``."""
        return self.value[int(flag).bit_length() - 1]

    def _settings_held(self, state: Module) -> dict[str, Value]:
        """Return the settings as far as they can be other than 0."""
        held: dict[str, Value] = {}
        for setting in self._settings:
            signal = Signal(bits_for(setting.high), init=setting.reset, name=setting.name)
            with state.If(self.write & (self.address == setting.address)):
                state.d.sync += signal.eq(self.value)
            state.d.comb += getattr(self, setting.name).eq(signal)
            held[setting.name] = signal
        return held

    def _check(self, m: Module, control: Register) -> None:
        """Say whether the register takes the value."""
        written = (control, *self._settings)
        # Most of the bits are 0 in all of them.
        width = bits_for(max(register.high for register in written))
        beyond, value = Signal(), self.value[:width]
        m.d.comb += beyond.eq(self.value[width:].any())
        with m.Switch(self.address):
            for register in written:
                with m.Case(register.address):
                    fits = ~exceeds(value, register.high) & exceeds(value, register.low - 1)
                    m.d.comb += [
                        self.writable.eq(1),
                        self.waits.eq(register is not control),
                        self.fits.eq(fits & ~beyond),
                    ]
