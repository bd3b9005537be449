# SPDX-License-Identifier: BSD-2-Clause
"""Carries out a run from the flash: pass after pass, sample after sample, and counts the right answers."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.bounds import exceeds
from erbium.hdl.flash.layout import (
    ADDRESS_BITS,
    COUNT_BITS,
    HEADER,
    MAGIC,
    MAX_SHIFT,
    MOST_PERCENT,
    VERSION,
    Fault,
    PassKind,
    PixelKind,
    RunState,
    octets_of,
    pass_fields,
)
from erbium.hdl.flash.sample_draw import WIDTH as HASH_BITS
from erbium.hdl.flash.sample_player import SIDE_BITS
from erbium.hdl.fork import Queue
from erbium.hdl.registers import RegisterMap, weight_bytes
from erbium.hdl.tokens import LABEL_WIDTH, AccessKind, AccessToken, Result

LABELS = 6
"""Samples that may be in the array at a time, at least: it takes three."""


class FlashControl(wiring.Component):
    """Reads the header and the passes, and does what they say.

    Parameters
    ----------
    registers : RegisterMap
        Of the chip.
    data_at : int
        Address in the flash at which its data begin.
    address_bits : int
        Of a byte in a block.

    Members
    -------
    start : In(1)
        One clock: begin a run, unless one is under way.
    may_start : In(1)
        Nobody else uses the array. A run that was asked for waits for it.
    address_o : Out(stream of 24)
        Of :class:`erbium.hdl.flash.reader.FlashReader`.
    restart, fetch, release : Out(1), begins, resting, available, good, fits : In(1), length : In(16)
        Of :class:`erbium.hdl.flash.block_reader.BlockReader`.
    address : Out, data_i : In(8)
        A byte of the block, while the control reads it (`reads`).
    reads : Out(1)
    number_o : Out(stream of 32), seed_state, shift_state : Out(64), shift : Out(3)
        Of :class:`erbium.hdl.flash.sample_draw.SampleDraw`.
    play, learn : Out(1), pixels, height, width : Out, label : In(8), done, wrong : In(1)
        Of :class:`erbium.hdl.flash.sample_player.SamplePlayer`.
    result_i : In(stream of Result)
        Of samples that were played.
    access_o : Out(stream of AccessToken)
        Weights.
    idle : In(1)
        Of the array.
    n_ticks, decide_after, gain_k / rate_k : Out
        Of the pass; they change only while the array is idle.
    active : Out(1)
        A run is under way: the array belongs to it.
    state, fault : Out
        :class:`erbium.hdl.flash.layout.RunState` and :class:`erbium.hdl.flash.layout.Fault`.
    number_of_pass : Out(16)
        From 0.
    samples, right : Out(24)
        Samples of this pass that have been answered, and those of them that were answered with their label.
    tested : Out(24), percent : Out(4)
        Right answers of the last test that is over; its wrong ones in percent, rounded down, 15 for more.

    Notes
    -----
    A block is used only if its CRC was right; with the first one that is not the run stops, and the samples before it
    have been learned. A sample begins when its block has come and the one before is in the array.
    """

    def __init__(self, registers: RegisterMap, data_at: int, address_bits: int) -> None:
        self._registers, self._data_at = registers, data_at
        self._fields = pass_fields(len(registers.populations))
        members = {
            "start": In(1),
            "may_start": In(1),
            "address_o": Out(stream.Signature(ADDRESS_BITS)),
            "restart": Out(1),
            "fetch": Out(1),
            "release": Out(1),
            "begins": In(1),
            "resting": In(1),
            "available": In(1),
            "good": In(1),
            "fits": In(1),
            "length": In(16),
            "address": Out(address_bits),
            "data_i": In(8),
            "reads": Out(1),
            "number_o": Out(stream.Signature(32)),
            "seed_state": Out(HASH_BITS),
            "shift_state": Out(HASH_BITS),
            "shift": Out(MAX_SHIFT.bit_length()),
            "play": Out(1),
            "learn": Out(1),
            "pixels": Out(PixelKind),
            "height": Out(SIDE_BITS),
            "width": Out(SIDE_BITS),
            "label": In(LABEL_WIDTH),
            "done": In(1),
            "wrong": In(1),
            "result_i": In(stream.Signature(Result())),
            "access_o": Out(stream.Signature(AccessToken())),
            "idle": In(1),
            "active": Out(1),
            "state": Out(RunState),
            "fault": Out(Fault),
            "number_of_pass": Out(16),
            "samples": Out(COUNT_BITS),
            "right": Out(COUNT_BITS),
            "tested": Out(COUNT_BITS),
            "percent": Out(MOST_PERCENT.bit_length()),
        }
        super().__init__(members | {name: Out(registers[name].width) for name in registers.settings})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._m = m
        self._at = at = Signal(16)
        self._row = Signal(16)
        # The record of a pass is shifted in, its first byte first.
        self._record = Signal(8 * octets_of(self._fields))
        self._target, self._seeks = Signal(ADDRESS_BITS), Signal()
        self._to_fetch, self._until_base = Signal(COUNT_BITS), Signal(COUNT_BITS, init=1)
        self._left, self._to_draw = Signal(COUNT_BITS), Signal(COUNT_BITS)
        self._number = Signal(32)
        self._inside = Signal(range(2 * LABELS))
        kind = self._said("kind")

        m.d.comb += [
            self.address.eq(at[: len(self.address)]),
            self.seed_state.eq(self._said("seed_state")),
            self.shift_state.eq(self._said("shift_state")),
            self.shift.eq(self._said("shift")),
            self.learn.eq(kind == PassKind.LEARN),
        ]
        m.d.comb += [
            getattr(self, name).eq(self._said(self._field_of(name))) for name in self._registers.settings
        ]
        self._fetch_blocks()
        self._draw()
        self._count()
        empty = Signal()
        m.d.comb += empty.eq((self._inside == 0) & self.idle)

        wanted = Signal()
        with m.If(self.start & ~self.active):
            m.d.sync += wanted.eq(1)
        with m.FSM(name="run") as run:
            with m.State("REST"), m.If(wanted & self.may_start):
                m.d.comb += self.restart.eq(1)
                m.d.sync += [
                    wanted.eq(0),
                    self.fault.eq(Fault.NONE),
                    self.state.eq(RunState.READS),
                    self.number_of_pass.eq(0),
                    self.percent.eq(0),
                    self.tested.eq(0),
                    self.samples.eq(0),
                    self.right.eq(0),
                ]
                self._seek(Const(self._data_at))
                self._ask_one()
                m.next = "HEADER"
            self._read_header()
            with m.State("PASS"):
                self._ask_one()
                m.d.sync += [at.eq(0), self.state.eq(RunState.READS)]
                m.next = "AWAIT PASS"
            self._read_pass()
            with m.State("SORT"):
                m.d.sync += [
                    self._to_fetch.eq(self._said("count")),
                    self._left.eq(self._said("count")),
                    self._until_base.eq(self._said("until_base")),
                    self._number.eq(self._said("first")),
                    self._row.eq(0),
                ]
                self._seek(self._said("start"))
                # What is over at the end stays to be read.
                with m.If(kind != PassKind.STOP):
                    m.d.sync += [self.samples.eq(0), self.right.eq(0)]
                with m.Switch(kind):
                    with m.Case(PassKind.STOP):
                        m.d.sync += [self._to_fetch.eq(0), self._seeks.eq(0), self.state.eq(RunState.DONE)]
                        m.next = "REST"
                    with m.Case(PassKind.WEIGHTS):
                        m.d.sync += self.state.eq(RunState.LOADS)
                        m.next = "LOAD"
                    with m.Case(PassKind.LEARN, PassKind.TEST):
                        m.d.sync += [
                            self._to_draw.eq(self._said("count")),
                            self.state.eq(Mux(kind == PassKind.LEARN, RunState.LEARNS, RunState.TESTS)),
                        ]
                        m.next = "PLAY"
                    with m.Default():
                        self._stop(Fault.WRONG_BLOCK)
            self._load()
            self._play_samples()
            with m.State("OVER"), m.If(empty):
                m.d.sync += self.percent.eq(0)
                m.next = "NEXT"
                with m.If(self.state == RunState.TESTS):
                    m.d.sync += self.tested.eq(self.right)
                    m.next = "SCALE"
            self._scale()
            with m.State("NEXT"):
                self._seek(self._said("next"))
                m.d.sync += self.number_of_pass.eq(self.number_of_pass + 1)
                m.next = "PASS"
            with m.State("DRAIN"):
                # What is in the array is right, and is answered yet.
                m.d.sync += [self._to_fetch.eq(0), self._to_draw.eq(0)]
                with m.If(empty):
                    m.d.sync += self.state.eq(RunState.STOPPED)
                    m.next = "REST"
        m.d.comb += self.active.eq(~run.ongoing("REST"))
        return m

    def _field_of(self, setting: str) -> str:
        """Return the field of a pass that holds a setting: a rate goes by the number of its layer."""
        rates = [name for name in self._registers.settings if name not in ("n_ticks", "decide_after")]
        return f"rate_{rates.index(setting) + 1}" if setting in rates else setting

    def _said(self, name: str) -> Value:
        """Return a field of the pass."""
        field = next(field for field in self._fields if field.name == name)
        return self._record[8 * field.at : 8 * field.end]

    def _seek(self, address: Value) -> None:
        """Go to an address, at which a block begins."""
        self._m.d.sync += [self._target.eq(address), self._seeks.eq(1)]

    def _ask_one(self) -> None:
        """Ask for one block, wherever the flash is."""
        self._m.d.sync += [self._to_fetch.eq(1), self._until_base.eq(1)]

    def _stop(self, fault: Fault) -> None:
        """Stop the run."""
        self._m.d.sync += self.fault.eq(fault)
        self._m.next = "DRAIN"

    def _accept(self, then: str, length: ValueLike | None = None) -> None:
        """Go on with the block that is there, unless its checksum is wrong, or its length is another one."""
        self._m.next = then
        with self._m.If(~self.good):
            self._stop(Fault.DAMAGED_BLOCK)
        if length is not None:
            with self._m.Elif(self.length != length):
                self._stop(Fault.WRONG_BLOCK)

    def _fetch_blocks(self) -> None:
        """Ask for blocks as long as there are some to come, and go back to the first sample after the last one."""
        m = self._m
        more = Signal()
        m.d.comb += [
            more.eq(self._to_fetch != 0),
            self.address_o.valid.eq(self._seeks),
            self.address_o.payload.eq(self._target),
            self.fetch.eq(more & (self._until_base != 0) & ~self._seeks),
        ]
        with m.If(self.address_o.ready):
            m.d.sync += self._seeks.eq(0)
        with m.If(self.begins):
            m.d.sync += [
                self._to_fetch.eq(self._to_fetch - 1),
                self._until_base.eq(self._until_base - 1),
            ]
        with m.If(more & (self._until_base == 0) & self.resting & ~self._seeks):
            self._seek(self._said("base"))
            m.d.sync += self._until_base.eq(self._said("size"))

    def _draw(self) -> None:
        """Number the samples of a pass."""
        m = self._m
        m.d.comb += [
            self.number_o.valid.eq(self._to_draw != 0),
            self.number_o.payload.eq(self._number),
        ]
        with m.If(self.number_o.valid & self.number_o.ready):
            m.d.sync += [self._to_draw.eq(self._to_draw - 1), self._number.eq(self._number + 1)]

    def _count(self) -> None:
        """Compare answers with labels."""
        m = self._m
        m.submodules.labels = labels = Queue(LABEL_WIDTH, LABELS)
        m.d.comb += [
            labels.token_i.valid.eq(self.done),
            labels.token_i.payload.eq(self.label),
            self.result_i.ready.eq(labels.token_o.valid),
            labels.token_o.ready.eq(self.result_i.valid),
        ]
        answered = Signal()
        m.d.comb += answered.eq(self.result_i.valid & self.result_i.ready)
        m.d.sync += self._inside.eq(self._inside + self.done - answered)
        with m.If(answered):
            is_right = self.result_i.payload.answer == labels.token_o.payload
            m.d.sync += [self.samples.eq(self.samples + 1), self.right.eq(self.right + is_right)]

    def _read_header(self) -> None:
        """Find out whether these are data for this chip."""
        m, at = self._m, self._at
        wrong = {name: Signal(name=f"wrong_{name}") for name in ("magic", "version", "digest")}
        digest = int(self._registers["digest"].value or 0)
        known = {
            "magic": int.from_bytes(MAGIC, "little"),
            "version": VERSION,
            "digest": digest,
        }
        fields = {field.name: field for field in HEADER}
        with m.State("HEADER"):
            m.d.sync += [at.eq(0), *(flag.eq(0) for flag in wrong.values())]
            with m.If(self.available):
                m.next = "READ HEADER"
                with m.If(~self.fits):
                    self._stop(Fault.NO_DATA)
        with m.State("READ HEADER"):
            m.d.comb += self.reads.eq(1)
            m.next = "CHECK HEADER"
        with m.State("CHECK HEADER"):
            m.d.comb += self.reads.eq(1)
            m.d.sync += at.eq(at + 1)
            m.next = "READ HEADER"
            with m.Switch(at):
                for name, value in known.items():
                    for place in range(fields[name].octets):
                        with m.Case(fields[name].at + place), m.If(self.data_i != value >> 8 * place & 0xFF):
                            m.d.sync += wrong[name].eq(1)
                for name in ("pixels", "height", "width"):
                    with m.Case(fields[name].at):
                        m.d.sync += getattr(self, name).eq(self.data_i)
            with m.If(at == octets_of(HEADER)):
                m.d.comb += self.release.eq(1)
                m.next = "PASS"
                with m.If(wrong["magic"]):
                    self._stop(Fault.NO_DATA)
                with m.Elif(~self.good):
                    self._stop(Fault.DAMAGED_HEADER)
                with m.Elif(wrong["version"] | (self.length != octets_of(HEADER))):
                    self._stop(Fault.OTHER_VERSION)
                with m.Elif(wrong["digest"]):
                    self._stop(Fault.OTHER_NETWORK)

    def _read_pass(self) -> None:
        """Read what is to be done next."""
        m, at, size = self._m, self._at, octets_of(self._fields)
        with m.State("AWAIT PASS"), m.If(self.available):
            self._accept("READ PASS", size)
        with m.State("READ PASS"):
            m.d.comb += self.reads.eq(1)
            m.next = "TAKE PASS"
        with m.State("TAKE PASS"):
            m.d.comb += self.reads.eq(1)
            m.d.sync += [at.eq(at + 1), self._record.eq(Cat(self._record[8:], self.data_i))]
            m.next = "READ PASS"
            with m.If(at == size - 1):
                m.d.comb += self.release.eq(1)
                m.next = "SORT"

    def _load(self) -> None:
        """Load rows of weights. A row is whole, and right, before its first weight is written."""
        m, at, row = self._m, self._at, self._row
        access, layer = self.access_o, self._said("layer")
        populations = self._registers.populations
        lengths = [one.n_neurons * weight_bytes(one.weight_width) for one in populations]
        wide = Array(Const(int(weight_bytes(one.weight_width) == 2)) for one in populations)[layer]
        low = Signal(8)
        second = Signal()
        m.d.comb += access.payload.layer.eq(layer)

        def seek(then: str) -> None:
            m.d.comb += [
                access.valid.eq(1),
                access.payload.kind.eq(AccessKind.SEEK),
                access.payload.data.eq(row),
            ]
            with m.If(access.ready):
                m.next = then

        with m.State("LOAD"):
            m.d.sync += at.eq(0)
            with m.If(exceeds(layer, len(populations) - 1)):
                self._stop(Fault.WRONG_BLOCK)
            with m.Elif(self._left == 0):
                m.d.sync += row.eq(0)
                m.next = "FLUSH"
            with m.Elif(self.available):
                self._accept("SEEK ROW", Array(Const(length, 16) for length in lengths)[layer])
        with m.State("SEEK ROW"):
            m.d.comb += self.reads.eq(1)
            m.d.sync += second.eq(0)
            seek("READ WEIGHT")
        with m.State("READ WEIGHT"):
            m.d.comb += self.reads.eq(1)
            m.next = "WRITE WEIGHT"
        with m.State("WRITE WEIGHT"):
            m.d.comb += [
                self.reads.eq(1),
                access.valid.eq(~wide | second),
                access.payload.kind.eq(AccessKind.WRITE),
                access.payload.data.eq(Mux(wide, Cat(low, self.data_i), self.data_i.as_signed())),
            ]
            with m.If(~second):
                m.d.sync += low.eq(self.data_i)
            with m.If(access.ready | ~access.valid):
                m.d.sync += [at.eq(at + 1), second.eq(wide & ~second)]
                m.next = "READ WEIGHT"
                with m.If(at == self.length - 1):
                    m.d.comb += self.release.eq(1)
                    m.d.sync += [row.eq(row + 1), self._left.eq(self._left - 1)]
                    m.next = "LOAD"
        with m.State("FLUSH"):
            # Another SEEK waits until the last weight is in its memory.
            seek("OVER")

    def _play_samples(self) -> None:
        """Play the samples of a pass."""
        m = self._m
        with m.State("PLAY"):
            with m.If(self._left == 0):
                m.next = "OVER"
            with m.Elif(self.available):
                # How long its pixels are is found out as they are played.
                self._accept("SAMPLE")
        with m.State("SAMPLE"):
            m.d.comb += self.play.eq(~self.wrong)
            with m.If(self.done):
                m.d.comb += self.release.eq(1)
                m.d.sync += self._left.eq(self._left - 1)
                m.next = "PLAY"
            with m.If(self.wrong):
                self._stop(Fault.WRONG_BLOCK)

    def _scale(self) -> None:
        """Divide the wrong answers by the samples."""
        m = self._m
        rest = Signal(COUNT_BITS + 7)
        wrong = Signal(COUNT_BITS)
        m.d.comb += wrong.eq(self.samples - self.right)
        with m.State("SCALE"):
            # A hundred times as many.
            m.d.sync += rest.eq((wrong << 6) + (wrong << 5) + (wrong << 2))
            m.next = "DIVIDE"
        with m.State("DIVIDE"):
            m.d.sync += [rest.eq(rest - self.samples), self.percent.eq(self.percent + 1)]
            with m.If((rest < self.samples) | (self.percent == MOST_PERCENT)):
                m.d.sync += self.percent.eq(self.percent)
                m.next = "NEXT"
