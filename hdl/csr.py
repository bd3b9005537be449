# SPDX-License-Identifier: BSD-2-Clause
"""Control and status: the registers and windows of the register map, whatever carries them to a host."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from erbium.hdl.csr_registers import CsrRegisters
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.ports import pass_through
from erbium.hdl.registers import (
    COUNTER_WIDTH,
    HISTORY,
    RESULT_BYTES,
    WORD_BYTES,
    ErrorCode,
    RegisterMap,
    counter_names,
    performance_names,
    weight_bytes,
)
from erbium.hdl.tokens import AccessKind, AccessToken, Result, SampleToken
from erbium.hdl.weight_access import AccessRequest

RESULTS_AT = 128
"""Byte of the store at which the results begin; the constants of the register window stand before them."""

TAGS_AT = RESULTS_AT + HISTORY * RESULT_BYTES
"""Byte at which the serial link keeps the tags of the samples that have no reply yet."""

STORE_BYTES = 512
"""Bytes of the store that the serial link has. A bus has no tags, and half of it is enough."""

_TURN_BITS = (HISTORY - 1).bit_length()

# Places in RegisterMap.windows.
REGISTERS, RESULTS, WEIGHTS = 0, 1, 2


def store_bits(octets: int = 1) -> int:
    """Return the address bits of a store whose words have so many bytes."""
    size = STORE_BYTES if octets == 1 else TAGS_AT
    return (size // octets - 1).bit_length()


STORE_BITS = store_bits()


def store_image(registers: RegisterMap, octets: int = 1) -> list[int]:
    """Return what the store holds after configuration: the constants."""
    image = bytearray(octets << store_bits(octets))
    for register in registers:
        if register.value is not None:
            at = WORD_BYTES * register.address
            image[at : at + WORD_BYTES * register.words] = register.value.to_bytes(
                WORD_BYTES * register.words, "little"
            )
    return [int.from_bytes(image[at : at + octets], "little") for at in range(0, len(image), octets)]


def result_address(turn: Value, place: Value, octets: int = 1) -> Value:
    """Return where in the store a part of a result is kept."""
    at = Cat(place[: (RESULT_BYTES // octets - 1).bit_length()], turn[:_TURN_BITS])
    return Cat(at, Const(RESULTS_AT // octets >> len(at), store_bits(octets) - len(at)))


def tag_address(turn: Value) -> Value:
    """Return where in the store the tag of a sample is kept."""
    return Cat(turn[:_TURN_BITS], Const(TAGS_AT >> _TURN_BITS, STORE_BITS - _TURN_BITS))


def array_side(registers: RegisterMap) -> dict[str, wiring.Member]:
    """Return the members that whoever has a :class:`CsrBlock` has for the array."""
    members: dict[str, wiring.Member] = {
        "sample_o": Out(stream.Signature(SampleToken())),
        "result_i": In(stream.Signature(Result())),
        "access_o": Out(stream.Signature(AccessToken())),
        "access_i": In(stream.Signature(16)),
        "counter_o": Out(stream.Signature(8)),
        "counter_i": In(stream.Signature(COUNTER_WIDTH)),
        "idle": In(1),
        "collision": In(1),
        "array_reset": Out(1),
    }
    members |= {name: Out(registers[name].width) for name in (*registers.settings, *registers.commands)}
    members |= {name: In(registers[name].width) for name in registers.watched}
    return members | ({"playing": In(1)} if registers.plays else {})


class Handshake(wiring.Component):
    """Cuts the way back of a stream: a token counts as taken in the clock after the one in which it was taken.

    A token every other clock; valid and payload pass at once. A host is no faster, so nothing waits for that, and no
    path goes through its link and back into the array.

    Members
    -------
    token_i : In(stream), token_o : Out(stream)
    """

    def __init__(self, shape: ShapeLike) -> None:
        signature = stream.Signature(shape)
        super().__init__({"token_i": In(signature), "token_o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source, out = self.token_i, self.token_o
        m.d.comb += [out.valid.eq(source.valid & ~source.ready), out.payload.eq(source.payload)]
        m.d.sync += source.ready.eq(out.valid & out.ready)
        return m


class CsrBlock(wiring.Component):
    """Registers, results, counters and weights by their place in the register map.

    The serial link and the buses each have one. Whoever has it walks over the addresses, checks them, and says by
    `writable` and `fits` what a write would come to; the block holds what there is to be read and written. Registers
    and results are the same in every chip; what lies in the array is a matter of methods of their own, which
    :class:`erbium.hdl.core.link.CoreCsr` has, too.

    Parameters
    ----------
    registers : RegisterMap
    octets : int
        Bytes that are read at once: 1, or 4 for a whole word; a weight then takes a word of its own.
    codes : type of enum.IntEnum
        Error codes of the register ``last_error``.

    Members
    -------
    window, entry, place : In
        The address: place in ``registers.windows``, entry, and which of the parts of an entry; stays from the clock
        before a read until the read is over. A weight is the next one, wherever the last ``SEEK`` or ``READ`` led.
    select : In(1)
        It is the address that is to be read.
    read : In(1), data_o : Out(8 * octets), ack : Out(1)
        Read; the data are there in the clock in which `ack` is, and a clock without `read` follows. They are 0 a clock
        after nothing was selected.
    value : In(32), writable, fits, waits : Out(1), write : In(1)
        Of :class:`erbium.hdl.csr_registers.CsrRegisters`, at the address `entry`.
    weight_i : In(stream of AccessRequest)
        ``SEEK`` and ``WRITE`` in the layer of `window`.
    show_turn, show_error, refuse, code, begins, ends, next_turn, turns_done
        Of the registers, too.
    own : In(1), own_address : In
        Whatever the address: read the store there.
    keep : In(1), keep_address : In, keep_data : In(8 * octets)
        Write to the store: results and, of the serial link, tags.
    access_o : Out(stream of AccessToken), access_i : In(stream of int16)
        Weights, of the array.
    counter_o : Out(stream of 8), counter_i : In(stream of 48)
        Number of a counter, and the counter.
    idle, collision : In(1), array_reset : Out(1), n_ticks, decide_after, gain_k / rate_k : Out
        Of the array.

    Notes
    -----
    A register or a result is there at once, a clock after its address; a counter or a weight when the array has it.
    """

    def __init__(
        self, registers: RegisterMap, octets: int = 1, codes: type[enum.IntEnum] = ErrorCode
    ) -> None:
        self._registers, self._octets = registers, octets
        self._live = CsrRegisters(registers, octets, codes)
        self._bits = store_bits(octets)
        members = {
            "window": In(range(len(registers.windows))),
            **self._address(),
            "select": In(1),
            "read": In(1),
            "data_o": Out(8 * octets),
            "ack": Out(1),
            "own": In(1),
            "own_address": In(self._bits),
            "keep": In(1),
            "keep_address": In(self._bits),
            "keep_data": In(8 * octets),
            "array_reset": Out(1),
            **self._array_members(),
        }
        inner = {"address", "place", "data_o", "soft_reset"}
        live = {name: member for name, member in self._live.signature.members.items() if name not in inner}
        super().__init__(members | live)

    def _address(self) -> dict[str, wiring.Member]:
        """Return the members that say which entry of a window, and which of its parts."""
        entries = max(bits_for(self._registers.n_words - 1), _TURN_BITS)
        return {"entry": In(entries), "place": In(range(RESULT_BYTES // self._octets))}

    def _array_members(self) -> dict[str, wiring.Member]:
        """Return the members for what the array holds."""
        return {
            "weight_i": In(stream.Signature(AccessRequest())),
            "access_o": Out(stream.Signature(AccessToken())),
            "access_i": In(stream.Signature(16)),
            "counter_o": Out(stream.Signature(8)),
            "counter_i": In(stream.Signature(COUNTER_WIDTH)),
        }

    def pass_on(self, m: Module, holder: wiring.Component) -> None:
        """Join the block to the array's side of who holds it (:func:`array_side`): all but samples and results."""
        side = array_side(self._registers)
        others = ("sample_o", "result_i", "playing")
        pass_through(m, holder, self, {name: side[name] for name in side if name not in others})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.registers = live = self._live
        words = len(live.address)
        m.d.comb += [
            live.address.eq(self.entry[:words]),
            live.place.eq(self.place[: len(live.place)]),
            self.array_reset.eq(live.soft_reset),
        ]
        inputs = (
            "show_turn",
            "show_error",
            "value",
            "write",
            "refuse",
            "code",
            "begins",
            "ends",
            "idle",
            "collision",
            *self._registers.watched,
        )
        settings = (*self._registers.settings, *self._registers.commands)
        outputs = ("writable", "fits", "waits", "next_turn", "turns_done", *settings)
        m.d.comb += [getattr(live, name).eq(getattr(self, name)) for name in inputs]
        m.d.comb += [getattr(self, name).eq(getattr(live, name)) for name in outputs]

        m.submodules.store = store = memory.Memory(
            shape=8 * self._octets,
            depth=1 << self._bits,
            init=store_image(self._registers, self._octets),
            attrs=COLLISION_FREE,
        )
        write, stored = store.write_port(), store.read_port()
        m.d.comb += [
            write.en.eq(self.keep),
            write.addr.eq(self.keep_address),
            write.data.eq(self.keep_data),
            stored.en.eq(1),
            stored.addr.eq(self._stored_at()),
        ]
        from_array, array_data = self._from_array(m)
        # What it is has been known for a clock when it is read.
        is_live, is_stored = Signal(), Signal()
        shows = self.show_turn | self.show_error
        m.d.sync += [
            is_live.eq(self.select & (shows | (self.window == REGISTERS))),
            is_stored.eq(self.own | (self.select & ~shows & ~from_array)),
        ]
        m.d.comb += self.data_o.eq(Mux(is_live, live.data_o, 0) | Mux(is_stored, stored.data, 0) | array_data)
        return m

    def _stored_at(self) -> Value:
        """Return the place in the store of a constant or a result."""
        word = Cat(self.place[: (WORD_BYTES // self._octets - 1).bit_length()], self.entry[:5])
        at = Mux(self.window == REGISTERS, word, result_address(self.entry, self.place, self._octets))
        return Mux(self.own, self.own_address, at)

    def _from_array(self, m: Module) -> tuple[Value, Value]:
        """Say when it has been read; return whether it is a weight or a counter, and a clock later its part, else 0."""
        registers, octets = self._registers, self._octets
        names = counter_names(registers.network) + performance_names(registers.network)
        first = registers[f"count_{names[0]}"].address
        is_weight, is_counter = Signal(), Signal()
        # What is beyond the registers is never asked for.
        word = self.entry[: bits_for(registers.n_words - 1)]
        of_array = self.select & ~self.show_turn & ~self.show_error
        at_weight, at_counter = Signal(), Signal()
        m.d.comb += [
            at_weight.eq(of_array & (self.window >= WEIGHTS)),
            at_counter.eq(of_array & (self.window == REGISTERS) & (word >= first)),
        ]
        m.d.sync += [is_weight.eq(at_weight), is_counter.eq(at_counter)]
        second = Signal()  # byte of a weight
        if octets == 1:
            wide = Signal()
            with m.Switch(self.window):
                for number, layer in enumerate(registers.populations):
                    with m.Case(WEIGHTS + number):
                        m.d.comb += wide.eq(weight_bytes(layer.weight_width) == 2)
            m.d.comb += second.eq(wide & self.place[0])
        part = Cat(self.place[: (WORD_BYTES // octets - 1).bit_length()])
        asked, answered, takes = Signal(), Signal(), Signal()
        reads, high = Signal(), Signal(8)
        m.submodules.accesses = accesses = Handshake(AccessToken())
        connect(m, accesses.token_o, flipped(self.access_o))
        access = accesses.token_i
        m.d.comb += [
            access.valid.eq(self.weight_i.valid | reads),
            access.payload.kind.eq(self.weight_i.payload.kind),
            access.payload.data.eq(self.weight_i.payload.data),
            access.payload.layer.eq(self.window - WEIGHTS),
            self.weight_i.ready.eq(access.ready),
        ]
        with m.If(reads):
            m.d.comb += access.payload.kind.eq(AccessKind.READ)
        with m.If(self.access_i.valid & self.access_i.ready):
            m.d.sync += high.eq(self.access_i.payload[8:])
        m.d.comb += [
            takes.eq(self.read & self.ack),
            reads.eq(self.read & is_weight & ~asked & ~second),
            self.access_i.ready.eq(takes & is_weight & ~second),
            self.counter_o.valid.eq(self.read & is_counter & ~asked),
            self.counter_o.payload.eq((word - first)[1 : 1 + bits_for(len(names) - 1)]),
            # Each word of a counter is asked for anew.
            self.counter_i.ready.eq(takes & is_counter & part.all()),
            self.ack.eq(Mux(is_weight, self.access_i.valid | second, self.counter_i.valid | ~is_counter)),
            answered.eq(
                (self.access_i.valid & self.access_i.ready) | (self.counter_i.valid & self.counter_i.ready)
            ),
        ]
        asks = (reads & access.ready) | (self.counter_o.valid & self.counter_o.ready)
        m.d.sync += asked.eq((asked | asks) & ~answered)
        counter = Cat(self.counter_i.payload, Const(0, 64 - COUNTER_WIDTH))
        low = self.access_i.payload[:8] if octets == 1 else self.access_i.payload.as_signed()
        data = Mux(is_weight, Mux(second, high, low), 0) | Mux(
            is_counter, counter.word_select(Cat(part, self.entry[0]), 8 * octets), 0
        )
        return at_weight | at_counter, data[: 8 * octets]
