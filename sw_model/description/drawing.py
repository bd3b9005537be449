# SPDX-License-Identifier: BSD-2-Clause
"""A graph as lines of text and as a drawing, both made from its declared channels."""

from __future__ import annotations

from html import escape

from erbium.sw_model.description.connect import Dense, Identity, Sparse
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Population, Projection, Source

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 150, 46, 90, 74, 20
"""Pixels of a box, between boxes, and around all."""

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: currentColor }
  .small { font-size: 11px; opacity: 0.75 }
  .box { fill: none; stroke: currentColor; stroke-width: 1.4 }
  .source { stroke-dasharray: 5 3 }
  .edge { fill: none; stroke: #3b7dd8; stroke-width: 1.4 }
  .late { stroke: #c2571a; stroke-dasharray: 6 3 }
  .fixed { stroke: #8a8a8a }
"""


def connectivity(projection: Projection) -> str:
    """Return what a projection joins, in a few words."""
    connect = projection.connect
    if isinstance(connect, Dense):
        kind = "sparse" if isinstance(connect, Sparse) else "dense"
        learns = f", learns by {type(projection.rule).__name__}" if projection.rule is not None else ""
        return f"{kind}, {connect.width} bit{learns}"
    pairs = "" if connect.pairs == "none" else f", {connect.pairs}s in pairs of + and -"
    if isinstance(connect, Identity):
        return f"one to one, weight {connect.weight}{pairs}"
    return f"random signs up to {connect.largest}, weight {connect.weight}{pairs}"


def as_text(graph: Graph) -> str:
    """Return one line for each part and channel, the projections beneath what they end on."""
    lines = [f"{graph.name}: at most {graph.n_ticks} ticks per sample, seed {graph.seed}", ""]
    for source in graph.sources:
        seen = "" if source.pixel_bits == 8 else f", {source.pixel_bits} bits of a pixel"
        lines.append(f"source {source.name}: {source.size} x {type(source.encoder).__name__}{seen}")
    for population in graph.populations:
        keep = f", keeps {population.keep}/256 of them" if population.keep < 256 else ""
        lines.append(f"population {population.name}: {population.size} x {population.program.name}{keep}")
        for projection in graph.onto(population.name):
            delay = (
                f", {projection.delay} tick{'s' * (projection.delay > 1)} late" if projection.delay else ""
            )
            when = ", in learned samples only" if projection.when == "learn" else ""
            words = f"{connectivity(projection)}{delay}{when}"
            lines.append(f"  port {projection.port} <- {projection.source}: {words}")
    for modulator in graph.modulators:
        heard = (
            f"{modulator.weight} for each spike of {modulator.source}"
            if modulator.source
            else "from the host"
        )
        lines.append(f"modulator {modulator.name}: {heard} -> port {modulator.port} of {modulator.target}")
    readout = (
        "none" if graph.readout is None else f"{type(graph.readout).__name__} of {graph.readout.population}"
    )
    lines += [f"readout: {readout}", ""]
    for channel in graph.channels():
        late = f", {channel.delay} TICK in it at BEGIN" if channel.delay else ""
        lines.append(
            f"channel {channel.name}: {channel.addresses} addresses{late} -> {', '.join(channel.sinks)}"
        )
    return "\n".join(lines) + "\n"


def columns(graph: Graph) -> dict[str, int]:
    """Return the column of each source and population: one more than that of the last one it hears without a delay."""
    at = {source.name: 0 for source in graph.sources}
    for population in graph.populations:
        heard = [at[p.source] for p in graph.onto(population.name) if not p.delay]
        at[population.name] = 1 + max(heard, default=0)
    return at


def as_svg(graph: Graph) -> str:
    """Return an SVG of the graph: sources dashed, stored weights in blue, fixed ones grey, delays orange."""
    at, places, used = columns(graph), dict[str, tuple[int, int]](), dict[int, int]()
    for part in graph.writers:
        column = at[part.name]
        row = used.get(column, 0)
        used[column] = row + 1
        places[part.name] = (
            MARGIN + column * (WIDTH + GAP_X),
            MARGIN + row * (HEIGHT + GAP_Y) + column % 2 * GAP_Y // 2,
        )
    width = max(x for x, _ in places.values()) + WIDTH + MARGIN + GAP_X // 2
    height = max(y for _, y in places.values()) + HEIGHT + GAP_Y
    shapes = [_edge(graph, projection, places, number) for number, projection in enumerate(graph.projections)]
    shapes += [_box(part, places[part.name]) for part in graph.writers]
    arrow = (
        '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="context-stroke"/></marker>'
    )
    title = f"<title>{escape(graph.name)}</title>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    return (
        "\n".join([head, title, f"<style>{STYLE}</style>", f"<defs>{arrow}</defs>", *shapes, "</svg>"]) + "\n"
    )


def _box(part: Source | Population, place: tuple[int, int]) -> str:
    x, y = place
    is_source = isinstance(part, Source)
    what = type(part.encoder).__name__ if isinstance(part, Source) else part.program.name
    kind = "box source" if is_source else "box"
    middle = x + WIDTH // 2
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{middle}" y="{y + 20}" text-anchor="middle">{escape(part.name)}</text>'
        f'<text class="small" x="{middle}" y="{y + 36}" text-anchor="middle">{part.size} x {escape(what)}</text>'
    )


def _edge(graph: Graph, projection: Projection, places: dict[str, tuple[int, int]], number: int) -> str:
    (x0, y0), (x1, y1) = places[projection.source], places[projection.target]
    shift = 6 * (number % 5) - 12
    kind = "edge" + (
        " late" if projection.delay else " fixed" if not isinstance(projection.connect, Dense) else ""
    )
    title = f"<title>{escape(projection.name)}: {escape(connectivity(projection))}</title>"
    if x1 > x0:
        start, end = (x0 + WIDTH, y0 + HEIGHT // 2 + shift), (x1, y1 + HEIGHT // 2 + shift)
        bend = (end[0] - start[0]) // 2
        path = (
            f"M{start[0]} {start[1]}C{start[0] + bend} {start[1]} {end[0] - bend} {end[1]} {end[0]} {end[1]}"
        )
    else:
        # A loop runs back beneath the boxes between its ends.
        between = [y for x, y in places.values() if x1 <= x <= x0]
        start, end = (x0 + WIDTH // 2 + 20 + shift, y0 + HEIGHT), (x1 + WIDTH // 2 - 20 + shift, y1 + HEIGHT)
        low = max(between) + HEIGHT + GAP_Y // 2 + 2 * shift
        path = f"M{start[0]} {start[1]}C{start[0]} {low + 40} {end[0]} {low + 40} {end[0]} {end[1]}"
    return f'<path class="{kind}" d="{path}" marker-end="url(#arrow)">{title}</path>'
