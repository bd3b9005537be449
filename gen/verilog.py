# SPDX-License-Identifier: BSD-2-Clause
"""From a description to Verilog."""

from __future__ import annotations

from amaranth.back import verilog
from amaranth.hdl import Value
from amaranth.lib.wiring import Component

TOP = "erbium_array"


def port_name(path: tuple[str | int, ...]) -> str:
    """Return the name of a port: the members of the signature from the outside in, joined by underscores."""
    return "_".join(str(part) for part in path)


def component_verilog(component: Component, name: str) -> str:
    """Return the Verilog of a component with the ports of its signature, ``clk`` and ``rst``."""
    ports = {
        port_name(path): (Value.cast(value), None)
        for path, _, value in component.signature.flatten(component)
    }
    return verilog.convert(component, name=name, ports=ports, emit_src=False, strip_internal_attrs=True)
