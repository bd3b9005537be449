# SPDX-License-Identifier: BSD-2-Clause
"""Results of runs that are done, on the disk: a bench that was interrupted goes on from there."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erbium.bench.request import Request
from erbium.gen import files
from erbium.sw_model.programs import DescriptionError


@dataclass(frozen=True)
class Kept:
    """A folder with a JSON file for each run that is done, or none at all.

    Parameters
    ----------
    folder : Path, optional
        Without it nothing is kept.
    version : str
        Of Erbium: another one may come to other results.
    """

    folder: Path | None
    version: str

    @classmethod
    def of(cls, request: Request) -> Kept:
        """Return where a request keeps its runs; the folder is made if need be."""
        from erbium.summary import version

        if request.keep is not None:
            request.keep.mkdir(parents=True, exist_ok=True)
        return cls(request.keep, version())

    def key(self, name: str, *content: Any) -> str:
        """Return the name of a run's file: what the run is called, and a digest of all that decides its result."""
        text = json.dumps([self.version, *content], sort_keys=True)
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        return f"{slug}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"

    def load(self, key: str) -> Any:
        """Return the result of a run, or None if there is none.

        Raises
        ------
        DescriptionError
            If the file is no result.
        """
        if self.folder is None or not (path := self.folder / key).exists():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError):
            raise DescriptionError(
                f"{path} is no result of a run; remove it, and the run is carried out again"
            ) from None

    def save(self, key: str, result: Any) -> None:
        """Write a result, completely or not at all."""
        if self.folder is not None:
            files.write_text(self.folder / key, json.dumps(result) + "\n")
