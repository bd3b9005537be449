# SPDX-License-Identifier: BSD-2-Clause
"""Joins several event channels into one, tick by tick, in a declared order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.tokens import BeginRegister, EventToken, Kind

InputKind = Literal["events", "constant", "label", "pace"]


@dataclass(frozen=True)
class MergeInput:
    """One input that is joined.

    ========== ================================================== =======
    kind       rows in a tick                                     channel
    ========== ================================================== =======
    events     those of the spikes of a channel                   yes
    constant   all                                                no
    label      that of the label, in a learned sample             no
    pace       none: a channel that only says when a tick is over yes
    ========== ================================================== =======

    Parameters
    ----------
    n_addresses : int
        Its spikes have addresses ``0 ... n_addresses - 1``.
    first_row : int
        Row that address 0 becomes.
    delay : int
        Ticks that lie in the channel at ``BEGIN``: its tick t is joined with tick ``t + delay`` of the others. A
        channel whose delay is not 0 may come from what reads the output.
    kind : str
    learned : bool
        Its spikes count in learned samples only.
    begins : bool
        Its channel has ``BEGIN`` tokens; without them it cannot lead.
    """

    n_addresses: int
    first_row: int = 0
    delay: int = 0
    kind: InputKind = "events"
    learned: bool = False
    begins: bool = True

    @property
    def has_channel(self) -> bool:
        """Whether tokens come to it."""
        return self.kind in ("events", "pace")

    @property
    def may_lead(self) -> bool:
        """Whether it can say when a sample begins and ends."""
        return self.has_channel and self.begins and not self.delay


class TickMerge(wiring.Component):
    """Sends the rows of tick 0 of input 0, of input 1, ... and a ``TICK``, then those of tick 1, and so on.

    The first channel without a delay leads: its ``BEGIN`` and its ``END`` are passed on, those of the others are
    dropped. What a delayed channel still holds at the ``END`` belongs to a finished sample and is dropped, too.

    Parameters
    ----------
    inputs : sequence of MergeInput
        In the order in which the rows of a tick are walked; at least one channel without a delay.
    begin_pieces : int
        Tokens that a ``BEGIN`` is.

    Members
    -------
    event_i_0, event_i_1, ... : In(stream of EventToken)
        Of the inputs that have a channel, by the number of the input.
    event_o : Out(stream of EventToken)

    Raises
    ------
    ValueError
        If no channel is without a delay: a tick could never begin.

    Notes
    -----
    A token per clock; besides them a tick takes one clock, one for each spike that is dropped, and one for each input
    but the last one that has a channel or no row in this tick. No register lies on the way: latency 0 clocks. A loop
    needs a queue that holds ``delay`` ticks in which all neurons spike; then it cannot stop.
    """

    def __init__(self, inputs: Sequence[MergeInput], begin_pieces: int = 1) -> None:
        self.inputs, self._pieces = tuple(inputs), begin_pieces
        leads = [number for number, one in enumerate(self.inputs) if one.may_lead]
        if not leads:
            raise ValueError(
                f"all channels among the {len(self.inputs)} inputs of a tick merge have a delay; one without is "
                "needed, which says when a sample begins"
            )
        self._lead = leads[0]
        self._tokens = [EventToken(one.n_addresses, begin_pieces=begin_pieces) for one in self.inputs]
        n_rows = max(one.first_row + one.n_addresses for one in self.inputs if one.kind != "pace")
        self.token = EventToken(n_rows, begin_pieces=begin_pieces)
        members = {
            f"event_i_{k}": In(stream.Signature(token))
            for k, (one, token) in enumerate(zip(self.inputs, self._tokens, strict=True))
            if one.has_channel
        }
        super().__init__({**members, "event_o": Out(stream.Signature(self.token))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        streams = {k: getattr(self, f"event_i_{k}") for k, one in enumerate(self.inputs) if one.has_channel}
        lead, out = streams[self._lead], self.event_o
        register = BeginRegister(self._pieces)
        self._begin = register.begin
        longest = max(one.delay for one in self.inputs)
        self._tick = tick = Signal(range(longest + 1))
        others = [number for number in streams if number != self._lead]
        ended = Signal(len(self.inputs))
        widest = max((one.n_addresses for one in self.inputs if one.kind == "constant"), default=1)
        self._count = Signal(range(max(widest, 2)))

        with m.FSM():
            with m.State("BEGIN"), m.If(lead.valid):
                with m.If(lead.payload.kind == Kind.BEGIN):
                    m.d.comb += [
                        out.valid.eq(1),
                        out.payload.kind.eq(Kind.BEGIN),
                        out.payload.data.eq(lead.payload.data),
                        lead.ready.eq(out.ready),
                    ]
                    m.d.sync += [tick.eq(0), ended.eq(0)]
                    with m.If(out.ready):
                        register.take(m, lead.payload.data)
                with m.Else():
                    m.next = "LOOK"
            with m.State("LOOK"), m.If(lead.valid):
                m.next = "READ 0"
                with m.If(lead.payload.kind == Kind.END):
                    m.next = "END"
            for number, one in enumerate(self.inputs):
                with m.State(f"READ {number}"):
                    read = self._read if one.has_channel else self._walk
                    if one.delay:
                        with m.If(tick < one.delay):
                            self._end_tick(m, number)
                        with m.Else():
                            read(m, number)
                    else:
                        read(m, number)
            if not self.inputs[-1].has_channel:
                with m.State("TICK"):
                    self._end_tick(m, len(self.inputs) - 1)
            with m.State("END"):
                m.d.comb += [out.valid.eq(1), out.payload.kind.eq(Kind.END), lead.ready.eq(out.ready)]
                with m.If(out.ready):
                    m.next = "DRAIN" if others else "BEGIN"
            if others:
                with m.State("DRAIN"):
                    for number in others:
                        this = streams[number]
                        m.d.comb += this.ready.eq(~ended[number])
                        with m.If(this.valid & this.ready & (this.payload.kind == Kind.END)):
                            m.d.sync += ended[number].eq(1)
                    mask = sum(1 << number for number in others)
                    with m.If((ended & mask) == mask):
                        m.next = "BEGIN"
        with m.If(out.valid & out.ready & (out.payload.kind == Kind.TICK)):
            m.d.sync += tick.eq(Mux(tick == longest, longest, tick + 1))
        return m

    def _end_tick(self, m: Module, number: int) -> None:
        """Go on to the next input; after the last one a ``TICK`` is sent."""
        out = self.event_o
        if number < len(self.inputs) - 1:
            m.next = f"READ {number + 1}"
        else:
            m.d.comb += [out.valid.eq(1), out.payload.kind.eq(Kind.TICK)]
            with m.If(out.ready):
                m.next = "LOOK"

    def _send(self, m: Module, number: int, address: Value) -> None:
        """Offer the row of an address."""
        out = self.event_o
        row = address + self.inputs[number].first_row
        m.d.comb += [
            out.valid.eq(1),
            out.payload.kind.eq(Kind.SPIKE),
            out.payload.data[: self.token.spike.size].eq(row),
        ]

    def _read(self, m: Module, number: int) -> None:
        """Pass the spikes of one channel in one tick; its ``TICK`` goes on only if it is the last input."""
        this, one, out = getattr(self, f"event_i_{number}"), self.inputs[number], self.event_o
        last = number == len(self.inputs) - 1
        dropped: Value = Const(int(one.kind == "pace"), 1)
        if one.learned:
            dropped = dropped | ~self._begin.learn
        with m.If(this.valid), m.Switch(this.payload.kind):
            with m.Case(Kind.SPIKE):
                m.d.comb += this.ready.eq(out.ready | dropped)
                with m.If(~dropped):
                    self._send(m, number, self._tokens[number].spike_in(this.payload).address)
            with m.Case(Kind.TICK):
                m.d.comb += this.ready.eq(out.ready if last else 1)
                self._end_tick(m, number)
            with m.Default():
                # The BEGIN of a channel that does not lead.
                m.d.comb += this.ready.eq(1)

    def _walk(self, m: Module, number: int) -> None:
        """Send the rows of an input without a channel."""
        one, out, count = self.inputs[number], self.event_o, self._count
        following = f"READ {number + 1}" if number < len(self.inputs) - 1 else "TICK"
        counts: Value = Const(1, 1)
        if one.kind == "label" or one.learned:
            counts = self._begin.learn
        with m.If(counts):
            self._send(m, number, self._begin.label if one.kind == "label" else count)
            with m.If(out.ready):
                if one.kind == "constant":
                    m.d.sync += count.eq(Mux(count == one.n_addresses - 1, 0, count + 1))
                    with m.If(count == one.n_addresses - 1):
                        m.next = following
                else:
                    m.next = following
        with m.Else():
            self._end_tick(m, number)
