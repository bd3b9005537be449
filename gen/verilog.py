# SPDX-License-Identifier: BSD-2-Clause
"""From a description to Verilog.

Amaranth turns a component into RTLIL, a netlist as text. `erbium.gen.netlist` reads that netlist, cleans it, and
writes it as Verilog-2005 that people can read and that linters accept: operands as wide as their results, one clocked
block per module with enables as ``if``, no combinational blocks, the names of the source, nothing that is not
used.
"""

from __future__ import annotations

from amaranth.back import rtlil
from amaranth.hdl import Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import Component, In, Out

from erbium.gen.netlist.bits import plain_name
from erbium.gen.netlist.clean import Cleaner
from erbium.gen.netlist.fields import split_fields, split_wide
from erbium.gen.netlist.flatten import flattened, set_outputs
from erbium.gen.netlist.loops import take_loops_apart
from erbium.gen.netlist.module import Netlist
from erbium.gen.netlist.prune import Pruner, merge_ports
from erbium.gen.netlist.rtlil import Reader, RtlilError
from erbium.gen.netlist.write import Names, Writer

__all__ = [
    "TOP",
    "RtlilError",
    "cleaned",
    "component_rtlil",
    "component_verilog",
    "port_name",
    "verilog_from_rtlil",
]

TOP = "erbium_array"


def cleaned(text: str, top: str, *, flat: bool) -> dict[str, Netlist]:
    """Read RTLIL; return its modules without what nothing reads, the top module first. With `flat` there is one."""
    modules = {module.name: module for module in Reader(text).modules()}
    if flat:
        modules = {top: flattened(modules, top)}
    else:
        merge_ports(modules)
    set_outputs(modules)
    for module in modules.values():
        Cleaner(module, keep_names=not flat).run()
    Pruner(modules, top)
    return modules


def _cleaned(text: str, top: str, *, flat: bool) -> dict[str, Netlist]:
    """Read RTLIL and return the modules that are to be written, the top module first."""
    modules = cleaned(text, top, flat=flat)
    for module in modules.values():
        split_fields(module)
        while flat and split_wide(module):
            pass
        take_loops_apart(module)
    modules[top].is_top = True
    used = {cell.kind for module in modules.values() for cell in module.cells} | {top}
    return {name: module for name, module in modules.items() if name in used}


def verilog_from_rtlil(text: str, top: str, *, flat: bool = False, power_up: bool = True) -> str:
    """Return RTLIL as written by Amaranth as Verilog.

    Parameters
    ----------
    text : str
        The RTLIL.
    top : str
        Name of the top module, with which the names of all others begin.
    flat : bool
        Whether to make one module of all of them. It simulates faster and reads worse.
    power_up : bool
        Whether registers, and memories that start with zeros, get their values without a reset, by ``initial``. Without
        it only what a memory holds from the first clock on is written so, constants and weights.

    Raises
    ------
    RtlilError
        If the RTLIL holds cells that this writer does not know.
    """
    modules = _cleaned(text, f"\\{top}", flat=flat)
    names = Names()
    writers: dict[str, Writer] = {}
    for name, module in modules.items():
        writers[name] = Writer(module, names.take(plain_name(name)), writers, power_up=power_up)
    return "\n".join(writer.write() for writer in writers.values())


def port_name(path: tuple[str | int, ...]) -> str:
    """Return the name of a port: the members of the signature from the outside in, joined by underscores."""
    return "_".join(str(part) for part in path)


def component_rtlil(component: Component, name: str) -> str:
    """Return the RTLIL of a component with the ports of its signature, ``clk`` and ``rst``."""
    ways = {In: PortDirection.Input, Out: PortDirection.Output}
    ports = {
        port_name(path): (Value.cast(value), ways[member.flow])
        for path, member, value in component.signature.flatten(component)
    }
    text: str = rtlil.convert(component, name=name, ports=ports, emit_src=False)
    return text


def component_verilog(component: Component, name: str, *, flat: bool = False, power_up: bool = True) -> str:
    """Return the Verilog of a component with the ports of its signature, ``clk`` and ``rst``.

    With `flat` it is one module instead of a hierarchy, which simulates faster; `power_up` is that of
    :func:`verilog_from_rtlil`.
    """
    return verilog_from_rtlil(component_rtlil(component, name), name, flat=flat, power_up=power_up)
