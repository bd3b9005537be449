# SPDX-License-Identifier: BSD-2-Clause
"""The page of a sweep: its plots, the points that no other one beats, and what failed, in one HTML file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from erbium.report.parts import STYLE_SHEET, TEMPLATES, part
from erbium.report.plots import STAND_IN, svg
from erbium.summary import version
from erbium.sweep.axes import Settings, spelled
from erbium.sweep.plots import COSTS, Plot, costs, pareto, short
from erbium.sweep.store import DONE, Row

MAX_ROWS = 500
"""Points that the page lists; all of them are in the table."""

MAX_NAMED = 8
"""Points off the scale that are named below a plot."""

_COLUMNS = ("validation_error", "test_error", *COSTS, "fmax_mhz")


def render(
    title: str, about: str, command: str, rows: Sequence[tuple[Settings, Row]], plots: Sequence[Plot]
) -> str:
    """Return the page.

    Parameters
    ----------
    title, about : str
    command : str
        What asks for the sweep.
    rows : sequence of (Settings, Row)
    plots : sequence of Plot
    """
    done = [(settings, row) for settings, row in rows if row.status == DONE]
    figures = [
        (
            plot.name,
            plot.title,
            plot.lead,
            _off(plot),
            svg(plot.name, plot.title, partial(plot.draw, STAND_IN)),
        )
        for plot in plots
    ]
    return _TEMPLATE.render(
        title=title,
        about=about,
        command=command,
        version=version(),
        style=STYLE_SHEET,
        figures=figures,
        front=_front(done),
        points=_points(done[:MAX_ROWS]),
        n_points=len(done),
        problems=Counter(row.message for _, row in rows if row.status != DONE).most_common(),
    )


def _front(done: Sequence[tuple[Settings, Row]]) -> Markup | None:
    """Return the points on the front of error and memory as a table."""
    front = pareto(costs(done, "memory_bits"))
    if len(front) < 2:
        return None
    rows = [(_point(point.settings), f"{point.cost:,.0f}", f"{point.error:.2f}") for point in front]
    return part("table", ("point", "memory, bits", "validation error, %"), rows)


def _points(done: Sequence[tuple[Settings, Row]]) -> Markup:
    names = [name for name in _COLUMNS if any(row.measures.get(name) is not None for _, row in done)]
    rows = [
        (_point(settings), *(_cell(name, row.measures.get(name)) for name in names)) for settings, row in done
    ]
    return part("table", ("point", *(name.replace("_", " ") for name in names)), rows)


def _off(plot: Plot) -> str:
    """Return the points off the scale as words."""
    more = len(plot.off) - MAX_NAMED
    return "; ".join([*plot.off[:MAX_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _point(settings: Settings) -> str:
    """Return a point in words; where that says nothing, as it is spelled on the command line."""
    return short(settings, list(settings)) or spelled(settings)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    return f"{100 * value:.2f} %" if name.endswith("_error") else f"{value:,.{0 if value >= 100 else 1}f}"


_TEMPLATE = TEMPLATES.from_string(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="generator" content="Erbium {{ version }}">
<title>{{ title }}</title>
<link rel="icon" href="data:,">
<style>
{{ style }}
</style>
</head>
<body>
<header>
<p class="brand"><b>Er</b> Erbium</p>
<h1>{{ title }}</h1>
<p class="about">{{ about }}</p>
</header>
<main>
{% for name, heading, lead, off, plot in figures %}
<section id="{{ name }}" aria-labelledby="{{ name }}-title">
<h2 id="{{ name }}-title">{{ heading }}</h2>
<p class="lead">{{ lead }}</p>
<figure>{{ plot }}</figure>
{% if off %}
<p class="note">Off the scale, marked at the edge: {{ off }}.</p>
{% endif %}
</section>
{% endfor %}
{% if front %}
<section id="front" class="wide">
<h2>Pareto front of error and memory</h2>
<p class="lead">No other point has both less memory and fewer errors.</p>
{{ front }}
</section>
{% endif %}
{% if problems %}
<section id="problems" class="wide">
<h2>Not measured</h2>
<p class="lead">Why, and how many points.</p>
<ul>{% for message, count in problems %}<li>{{ message }} ({{ count }})</li>{% endfor %}</ul>
</section>
{% endif %}
<section id="points" class="wide">
<h2>All points</h2>
<p class="lead">{{ n_points }} were measured; all that is known of them is in
<a href="results.csv">results.csv</a> and
<a href="results.parquet">results.parquet</a>.</p>
<details><summary>Show</summary>{{ points }}</details>
</section>
<section id="repeat" class="wide">
<h2>Repeat it</h2>
<pre class="commands"><code>{{ command }}</code></pre>
</section>
</main>
<footer><p>Erbium {{ version }}</p></footer>
</body>
</html>
"""
)
