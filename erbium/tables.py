# SPDX-License-Identifier: BSD-2-Clause
"""Tables of the command line."""

from __future__ import annotations

from typing import Any

from rich.table import Table


class PlainTable(Table):
    """A table without lines, whose first column never breaks, however narrow the terminal is.

    It holds what people copy: names of presets, boards, points. The others fold before it loses a letter.
    """

    def __init__(self, *headers: str, **options: Any) -> None:
        options = {"box": None, "pad_edge": False, "title_justify": "left"} | options
        super().__init__(**options)
        for header in headers:
            self.add_column(header)

    def add_column(self, header: Any = "", *arguments: Any, **options: Any) -> None:
        """Add a column; the first one keeps its width."""
        usual = {"overflow": "fold"} if self.columns else {"no_wrap": True}
        super().add_column(header, *arguments, **usual | options)
