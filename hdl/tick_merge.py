# SPDX-License-Identifier: BSD-2-Clause
"""Joins several event channels into one, tick by tick, in a declared order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.tokens import EventToken, Kind


@dataclass(frozen=True)
class MergeInput:
    """One channel that is joined.

    Parameters
    ----------
    n_addresses : int
        Its spikes have addresses ``0 ... n_addresses - 1``.
    first_row : int
        Row that address 0 becomes.
    delay : int
        Ticks that lie in the channel at ``BEGIN``: its tick t is joined with tick ``t + delay`` of the others. A
        channel whose delay is not 0 may come from what reads the output.
    """

    n_addresses: int
    first_row: int = 0
    delay: int = 0


class TickMerge(wiring.Component):
    """Sends the spikes of tick 0 of input 0, of input 1, ... and a ``TICK``, then those of tick 1, and so on.

    The first input without a delay leads: its ``BEGIN`` and its ``END`` are passed on, those of the others are dropped.
    What a delayed input still holds at the ``END`` belongs to a finished sample and is dropped, too.

    Parameters
    ----------
    inputs : sequence of MergeInput
        In the order in which the rows of a tick are walked; at least one without a delay.
    begin_pieces : int
        Tokens that a ``BEGIN`` is.

    Members
    -------
    event_i_0, event_i_1, ... : In(stream of EventToken)
    event_o : Out(stream of EventToken)

    Raises
    ------
    ValueError
        If every input has a delay: a tick could never begin.

    Notes
    -----
    A token per clock; besides them a tick takes one clock, and one for each input but the last one. No register lies
    on the way: latency 0 clocks. A loop needs a queue that holds ``delay`` ticks in which all neurons spike; then it
    cannot stop.
    """

    def __init__(self, inputs: Sequence[MergeInput], begin_pieces: int = 1) -> None:
        self.inputs = tuple(inputs)
        leads = [number for number, one in enumerate(self.inputs) if not one.delay]
        if not leads:
            raise ValueError(
                f"all {len(self.inputs)} inputs of a tick merge have a delay; one without is needed, which says when a "
                "sample begins"
            )
        self._lead = leads[0]
        self._tokens = [EventToken(one.n_addresses, begin_pieces=begin_pieces) for one in self.inputs]
        n_rows = max(one.first_row + one.n_addresses for one in self.inputs)
        self.token = EventToken(n_rows, begin_pieces=begin_pieces)
        members = {f"event_i_{k}": In(stream.Signature(token)) for k, token in enumerate(self._tokens)}
        super().__init__({**members, "event_o": Out(stream.Signature(self.token))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        streams = [getattr(self, f"event_i_{number}") for number in range(len(self.inputs))]
        lead, out = streams[self._lead], self.event_o
        longest = max(one.delay for one in self.inputs)
        tick = Signal(range(longest + 1))
        others = [number for number in range(len(streams)) if number != self._lead]
        ended = Signal(len(streams))

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
                with m.Else():
                    m.next = "LOOK"
            with m.State("LOOK"), m.If(lead.valid):
                m.next = "READ 0"
                with m.If(lead.payload.kind == Kind.END):
                    m.next = "END"
            for number in range(len(streams)):
                with m.State(f"READ {number}"):
                    last = number == len(streams) - 1
                    self._read(m, number, streams[number], tick, last=last)
                    if last:
                        with m.If(out.valid & out.ready & (out.payload.kind == Kind.TICK)):
                            m.d.sync += tick.eq(Mux(tick == longest, longest, tick + 1))
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
                    with m.If(self._all_ended(ended, others)):
                        m.next = "BEGIN"
        return m

    def _all_ended(self, ended: Signal, others: list[int]):
        mask = sum(1 << number for number in others)
        return (ended & mask) == mask

    def _read(self, m: Module, number: int, this: stream.Interface, tick: Signal, *, last: bool) -> None:
        """Pass the spikes of one input in one tick; its ``TICK`` goes on only if it is the last input."""
        out, one = self.event_o, self.inputs[number]
        following = "LOOK" if last else f"READ {number + 1}"
        token, spike = self._tokens[number], self.token.spike
        waits = tick < one.delay if one.delay else None

        def end_tick() -> None:
            if last:
                m.d.comb += [out.valid.eq(1), out.payload.kind.eq(Kind.TICK)]
                with m.If(out.ready):
                    m.next = following
            else:
                m.next = following

        def read() -> None:
            with m.If(this.valid):
                with m.Switch(this.payload.kind):
                    with m.Case(Kind.SPIKE):
                        row = token.spike_in(this.payload).address + one.first_row
                        m.d.comb += [
                            out.valid.eq(1),
                            out.payload.kind.eq(Kind.SPIKE),
                            out.payload.data[: spike.size].eq(row),
                            this.ready.eq(out.ready),
                        ]
                    with m.Case(Kind.TICK):
                        m.d.comb += this.ready.eq(out.ready if last else 1)
                        end_tick()
                    with m.Default():
                        # The BEGIN of an input that does not lead.
                        m.d.comb += this.ready.eq(1)

        if waits is None:
            read()
        else:
            with m.If(waits):
                end_tick()
            with m.Else():
                read()
