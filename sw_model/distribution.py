# SPDX-License-Identifier: BSD-2-Clause
"""What this project is called where packages are installed, and the commands that install what it needs.

The package index has another project of the name ``erbium``, so no hint may say ``pip install erbium``: hints name the
packages that are missing, with the versions that this project asks for.
"""

from __future__ import annotations

import importlib.util
import re
from importlib import metadata

DISTRIBUTION = "erbium-snn"
"""Name of the distribution; what is imported is ``erbium``."""


def version() -> str:
    """Return the version of this project."""
    return metadata.version(DISTRIBUTION)


def not_installed(*modules: str) -> list[str]:
    """Return those of some top-level modules that cannot be imported; none of them is loaded."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def pip_install(*packages: str) -> str:
    """Return the command that installs packages, each in the versions that this project wants, quoted for any shell.

    Parameters
    ----------
    packages : str
        Names, with extras of theirs if need be: ``"dask[distributed]"``.
    """
    wanted = {}
    for requirement in _requirements():
        text = requirement.partition(";")[0].strip()
        wanted[_name(text)] = text
    return " ".join(["pip install", *(f'"{wanted.get(_name(package), package)}"' for package in packages)])


def _requirements() -> list[str]:
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from a folder in which nothing was installed
        return []


def _name(requirement: str) -> str:
    """Return the name that a requirement begins with, as indexes compare names."""
    found = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0] if found else requirement).lower()
