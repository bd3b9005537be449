# SPDX-License-Identifier: BSD-2-Clause
"""NIR graphs as files: HDF5, by the package ``nir``, an extra."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

from erbium.gen.files import replacing
from erbium.sw_model.distribution import pip_install
from erbium.sw_model.programs import DescriptionError


def nir_package() -> Any:
    """Return the package ``nir``.

    Raises
    ------
    DescriptionError
        If it is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module("nir")
    except ImportError:
        raise DescriptionError(
            f"NIR needs the package 'nir', which is not installed: {pip_install('nir')}"
        ) from None


def read(path: Path) -> Any:
    """Read a NIR graph.

    Raises
    ------
    DescriptionError
        If the file holds none.
    OSError
        If it cannot be read.
    """
    nir = nir_package()
    # What the system says of a file that is not there is clearer than what HDF5 does.
    content = Path(path).read_bytes()
    try:
        graph = nir.read(io.BytesIO(content), type_check=False)
    except Exception as error:
        # The reader raises all kinds of things on bytes that are not what it expects.
        text = " ".join((str(error) or type(error).__name__).split())
        raise DescriptionError(
            f"{path} is no NIR graph that the package 'nir' reads ({text}); write it anew with nir.write()"
        ) from None
    if not isinstance(graph, nir.NIRGraph):
        raise DescriptionError(
            f"{path} holds a single {type(graph).__name__} node; put it into a graph with nir.NIRGraph.from_list()"
        )
    return graph


def write(path: Path, graph: Any) -> None:
    """Write a NIR graph, completely or not at all."""
    nir, buffer = nir_package(), io.BytesIO()
    nir.write(buffer, graph)
    with replacing(path) as file:
        file.write(buffer.getvalue())
