# SPDX-License-Identifier: BSD-2-Clause
"""Resets that lie beside what they reset."""

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring

from erbium.hdl.groups import COPY


def with_own_reset(m: Module, **components: wiring.Component) -> None:
    """Add submodules, each with a register that hands the reset on to it, a clock later.

    A reset that reaches all registers of a large chip at once comes from one place, and much of a clock is spent on the
    way. Nothing may be asked of the submodules in the first clock after the reset.

    Parameters
    ----------
    m : Module
    components : wiring.Component
        By the names of the submodules.
    """
    for name, component in components.items():
        reset = Signal(name=f"reset_{name}", init=1, reset_less=True, attrs=COPY)
        m.domains += ClockDomain(name, local=True)
        m.d.sync += reset.eq(ResetSignal())
        m.d.comb += [ClockSignal(name).eq(ClockSignal()), ResetSignal(name).eq(reset)]
        m.submodules[name] = DomainRenamer(name)(component)
