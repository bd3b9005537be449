# SPDX-License-Identifier: BSD-2-Clause
"""A plot of a page as a file of its own, which follows a light or dark screen by itself."""

from __future__ import annotations

import re

from markupsafe import Markup

from erbium.report.parts import STYLE_SHEET
from erbium.report.plots import ROLES


def svg_file(plot: Markup) -> str:
    """Return a plot of a page as a file of its own: with the colours that it took from the page."""
    names = "|".join(ROLES)
    light, dark = (
        " ".join(re.findall(rf"--(?:{names}): #[0-9a-f]+;", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE_SHEET, re.DOTALL)[:2]
    )
    style = (
        f"<style>:root {{ {light} }} @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }} "
        "text { font-family: sans-serif !important; }</style>"
    )
    space = 'xmlns="http://www.w3.org/2000/svg"'
    return re.sub(r"(<svg)(.*?>)", rf"\1 {space}\2{style}", str(plot), count=1, flags=re.DOTALL) + "\n"
