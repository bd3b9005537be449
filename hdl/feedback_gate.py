# SPDX-License-Identifier: BSD-2-Clause
"""Keeps a process in step with the ticks of the feedback channel."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.tokens import FeedbackToken, Kind


class FeedbackGate(wiring.Component):
    """Reads one tick of feedback at a time and holds it until it is used.

    Error spikes of the tick pass through to `spike_o`. At the ``TICK`` token the gate shows `complete`
    (with the `stop` flag) and waits for `release`. After `finish` everything that belongs to the finished
    sample is dropped, up to its ``END``.

    Parameters
    ----------
    n_addresses : int
        Neurons whose spikes it reads.

    Members
    -------
    feedback_i : In(stream of FeedbackToken)
    spike_o : Out(stream of address)
        Error spikes, address of the error neuron.
    complete, stop : Out(1)
        A whole tick has been read; it asks to stop the sample.
    release : In(1)
        The tick has been used.
    finish : In(1)
        The sample is over. Only while not `draining`.
    draining : Out(1)
        Tokens of a finished sample are being dropped.
    replay : Out(1)
        What the last ``END`` said: the sample is to be replayed.

    Notes
    -----
    One token per clock. Throughput is bounded by what reads `spike_o`.
    """

    def __init__(self, n_addresses: int) -> None:
        token = FeedbackToken(n_addresses)
        super().__init__(
            {
                "feedback_i": In(stream.Signature(token)),
                "spike_o": Out(stream.Signature(token["address"].shape)),
                "complete": Out(1),
                "stop": Out(1),
                "release": In(1),
                "finish": In(1),
                "draining": Out(1),
                "replay": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        token = self.feedback_i.payload
        taken = Signal()
        m.d.comb += [
            self.spike_o.payload.eq(token.address),
            taken.eq(self.feedback_i.valid & self.feedback_i.ready),
        ]
        with m.If(self.draining):
            m.d.comb += self.feedback_i.ready.eq(1)
            with m.If(taken & (token.kind == Kind.END)):
                m.d.sync += [self.draining.eq(0), self.replay.eq(token.address[0])]
        with m.Elif(~self.complete & (token.kind == Kind.SPIKE)):
            m.d.comb += [
                self.spike_o.valid.eq(self.feedback_i.valid),
                self.feedback_i.ready.eq(self.spike_o.ready),
            ]
        with m.Elif(~self.complete & (token.kind == Kind.TICK)):
            m.d.comb += self.feedback_i.ready.eq(1)
            with m.If(taken):
                m.d.sync += [self.complete.eq(1), self.stop.eq(token.address[0])]
        # An END token waits here until `finish`: the process is still busy with the sample's last ticks.
        with m.If(self.release):
            m.d.sync += self.complete.eq(0)
        with m.If(self.finish):
            m.d.sync += [self.complete.eq(0), self.draining.eq(1)]
        return m
