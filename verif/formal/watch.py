# SPDX-License-Identifier: BSD-2-Clause
"""Follows one token through a queue, any one: so none is lost, doubled, altered or overtaken."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Mux, Shape, Signal, Value

from erbium.verif.formal.claim import Claim


class Watch:
    """Picks a token as it goes in, and knows how many go out before it.

    Which one it picks is an input of the claim, so what is proved of this token is proved of all.

    Parameters
    ----------
    claim : Claim
    takes, token : Value
        A token goes in in this clock; which one.
    gives, given : Value
        One goes out.
    most : int
        Tokens inside at a time, or more.

    Attributes
    ----------
    inside : Signal
        Tokens that are inside.
    picked : Signal
        The one that is followed is inside.
    ahead : Signal
        Tokens that go out before it.
    token : Signal
        What it is.
    """

    def __init__(
        self, claim: Claim, takes: Value, token: Any, gives: Value, given: Any, most: int, name: str = ""
    ) -> None:
        token, given = Value.cast(token), Value.cast(given)
        pick = claim.free(1, f"pick{name}")
        self.inside = claim.register(range(most + 2), f"inside{name}")
        self.picked = claim.register(1, f"picked{name}")
        self.ahead = claim.register(range(most + 2), f"ahead{name}")
        self.token = Signal(Shape(len(token)), name=f"followed{name}")
        m = claim.m
        left = claim.named(self.inside - gives, f"left{name}")
        m.d.sync += self.inside.eq(left + takes)
        goes = claim.named(gives & self.picked & (self.ahead == 0), f"goes{name}")
        with m.If(self.picked & gives):
            m.d.sync += [self.ahead.eq(self.ahead - 1), self.picked.eq(~goes)]
        with m.If(takes & pick & (~self.picked | goes)):
            m.d.sync += [self.picked.eq(1), self.ahead.eq(left), self.token.eq(token)]
        # What goes out was inside; when it is the token's turn, it is the token.
        claim.holds(~gives | (self.inside != 0))
        claim.holds(~goes | (given == self.token))
        claim.holds(~self.picked | (self.ahead < self.inside))
        claim.holds(self.inside <= most)
        claim.reached(goes & (self.ahead == 0) & (self.inside == Mux(most > 2, 2, 1)))
