# SPDX-License-Identifier: BSD-2-Clause
"""The environment in which other programs are started: the user's, without what would change what they do.

Somebody who works with Verilator, cocotb or make by hand has variables of theirs set, for another version or another
project. Erbium says itself what a program is to do; such a variable would end in a page of errors, or in a bench that
passes without its assertions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

INHERITED = frozenset(
    {
        # make: options, a job server of the make above, makefiles that are read before the one asked for
        *("MAKEFLAGS", "GNUMAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MAKEFILES", "MAKE"),
        # the makefile that Verilator writes, and what its C++ is compiled with
        *(
            "AR",
            "ARFLAGS",
            "LINK",
            "LD",
            "CFLAGS",
            "CPPFLAGS",
            "CXXFLAGS",
            "LDFLAGS",
            "LDLIBS",
            "LOADLIBES",
            "OBJCACHE",
        ),
        *("OPT", "OPT_FAST", "OPT_SLOW", "OPT_GLOBAL", "USER_CPPFLAGS", "USER_LDFLAGS", "USER_LDLIBS"),
        # cocotb's runner and its makefiles
        *(
            "SIM",
            "SIM_ARGS",
            "SIM_CMD_PREFIX",
            "SIM_CMD_SUFFIX",
            "GUI",
            "WAVES",
            "PLUSARGS",
            "EXTRA_ARGS",
            "COMPILE_ARGS",
        ),
        *("TOPLEVEL", "TOPLEVEL_LANG", "MODULE", "TESTCASE", "RANDOM_SEED", "LIBPYTHON_LOC"),
        # Python in a simulator: without assertions a bench would check nothing
        *(
            "PYTHONOPTIMIZE",
            "PYTHONINSPECT",
            "PYTHONSTARTUP",
            "PYTHONHOME",
            "PYTHONWARNINGS",
            "PYTHONBREAKPOINT",
        ),
        *("PYTHONDEVMODE", "PYTHONDEBUG", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME"),
    }
)
"""Variables that no program gets from the user."""

PREFIXES = (
    "VERILATOR_",
    "SYSTEMC",
    "COCOTB_",
    "GPI_",
    "PYGPI_",
    "IVERILOG_",
    "VVP_",
    "VPI_",
    "VM_",
    "AMARANTH_",
)
"""Beginnings of further ones. Erbium sets those that it needs itself."""


def tool_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return `base`, by default this process's environment, without the variables that would change a tool.

    What names a compiler or another version of a program (``CXX``, ``YOSYS``, ``NEXTPNR_ECP5``) stays: it is looked at
    where that program is looked for.
    """
    variables = os.environ if base is None else base
    return {
        name: value
        for name, value in variables.items()
        if name not in INHERITED and not name.startswith(PREFIXES)
    }


@contextmanager
def environment(env: Mapping[str, str]) -> Iterator[None]:
    """Let ``os.environ`` be `env` for a while, for libraries that start programs themselves."""
    saved = dict(os.environ)
    os.environ.clear()
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)
