# SPDX-License-Identifier: BSD-2-Clause
"""Finds programs that come from PyPI as WebAssembly (YoWASP) and that a system may have, too, and faster.

Those on ``PATH`` go first if they are new enough; a variable such as ``NEXTPNR_ECP5`` goes before both.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from erbium.verif.simulators import Tool, output_of, version_in

PATIENCE = 120
"""Seconds for a program to say its version: WebAssembly is compiled at its first call."""


@dataclass(frozen=True)
class Program:
    """One program.

    Parameters
    ----------
    name : str
        As it is called where it is native.
    package : str
        On PyPI.
    script : str
        What that package calls it.
    hint : str
        The command that installs it.
    version_option : str
        Makes it print its version; empty if it knows none.
    oldest : tuple of int
        Oldest version on ``PATH`` that will do.
    follows : Program, optional
        The one that it has to come with, where it knows no version of its own.
    """

    name: str
    package: str
    script: str
    hint: str
    version_option: str = ""
    oldest: tuple[int, ...] = ()
    follows: Program | None = None

    @property
    def variable(self) -> str:
        """Variable of the environment that names another one, as Amaranth has it."""
        return self.name.upper().replace("-", "_")

    def find(self) -> Tool:
        """Look for it: what the variable names, else one on ``PATH`` that is new enough, else the package."""
        oldest = ".".join(map(str, self.oldest))
        if asked := os.environ.get(self.variable):
            where = shutil.which(asked)
            hint = "" if where else f"unset {self.variable}"
            return Tool(
                self.name, Path(where) if where else None, self._version(where), where is not None, hint
            )
        where = shutil.which(self.name)
        if where and _is_native(where) and self._is_new_enough(where):
            return Tool(self.name, Path(where), self._version(where), True, oldest=oldest)
        script = shutil.which(self.script, path=sysconfig.get_path("scripts")) or shutil.which(self.script)
        version = package_version(self.package)
        if script and version:
            return Tool(self.name, Path(script), f"{version} ({self.package})", True, oldest=oldest)
        return Tool(self.name, None, None, False, self.hint, oldest=oldest)

    def _is_new_enough(self, where: str) -> bool:
        if self.follows is not None:
            # A packer reads what its own nextpnr wrote.
            beside = shutil.which(self.follows.name)
            return beside is not None and self.follows._is_new_enough(beside)
        version = self._version(where)
        return version is not None and tuple(map(int, version.split("."))) >= self.oldest

    def _version(self, where: str | None) -> str | None:
        if where is None or not self.version_option:
            return None
        said = output_of(where, self.version_option, seconds=PATIENCE)
        return version_in(said, r"(?:Yosys |nextpnr-)(\d+(?:\.\d+)+)")


def _is_native(where: str) -> bool:
    """Whether a program is none of the packages' own scripts, which stand on ``PATH`` in an active environment."""
    return Path(where).parent != Path(sysconfig.get_path("scripts"))


def package_version(distribution: str) -> str | None:
    """Return the version of an installed package; ``None`` if it is not there."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
